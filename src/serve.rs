//! Build, bind, spawn, stop in order; the only place that spawns.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use serde::{Deserialize, Serialize};
use tokio::net::TcpListener;
use tokio::sync::watch;

use crate::auth::Keys;
use crate::config::Config;
use crate::delivery::{self, Courier};
use crate::gateway::{self, Clock, Context, Ids, Request, enroll};
use crate::profile::{Package, Profiles};
use crate::store::Store;
use crate::{console, http};

/// How often the sequencer numbers the log and the clock's own changes are looked for.
const TICK: Duration = Duration::from_millis(500);
/// How often it is asked whether the lists of labels are others than those that the data was labelled by.
const LISTS: Duration = Duration::from_secs(5);

/// Opens the database, migrates it unless told not to, and brings everything together.
///
/// # Errors
/// One line for the operator.
pub async fn context(config: Config, migrate: bool, clock: Clock, ids: Ids) -> Result<Context, String> {
    let store =
        Store::open(&config.database.url, config.database.connections).await.map_err(|fault| fault.to_string())?;
    if migrate {
        store.migrate().await.map_err(|fault| fault.to_string())?;
    }
    let keys: Keys = enroll::keys(&store).await?;
    let profiles = imported(&store).await?;
    Context::new(store, profiles, config, keys, clock, ids)
}

/// Makes the index rows fit what is searched by, before anybody searches.
///
/// # Errors
/// One line for the operator.
pub async fn up_to_date(ctx: &Context) -> Result<(), String> {
    gateway::reindex(ctx).await.map(|_| ()).map_err(|fault| fault.to_string())
}

/// An imported package as the database keeps it.
#[derive(Serialize, Deserialize)]
pub struct PackageDocument {
    pub name: String,
    pub version: String,
    pub files: Vec<(String, String)>,
}

/// The bundled definitions and those of packages that were imported into this database.
async fn imported(store: &Store) -> Result<Profiles, String> {
    let mut profiles = Profiles::bundled();
    for document in store.documents("package").await.map_err(|fault| fault.to_string())? {
        let PackageDocument { name, version, files } =
            serde_json::from_str(&document).map_err(|error| error.to_string())?;
        let files: Vec<(String, Vec<u8>)> = files.into_iter().map(|(name, text)| (name, text.into_bytes())).collect();
        profiles = profiles.with(Package::from_files(&name, &version, &files));
    }
    Ok(profiles)
}

/// All routes: the API and the console.
pub fn app(ctx: &Arc<Context>) -> Router {
    http::router(ctx.clone()).merge(console::router(ctx.clone()))
}

/// Serves until the process is asked to stop; then finishes what was begun.
///
/// # Errors
/// That the address cannot be bound.
pub async fn serve(ctx: Arc<Context>, listener: TcpListener) -> Result<(), String> {
    let courier = Courier::new(&ctx.config.delivery)?;
    let (stop, stopped) = watch::channel(false);
    let sending = tokio::spawn(delivery::work(ctx.clone(), courier, stopped.clone()));
    let ticking = tokio::spawn(again(ctx.clone(), stopped.clone(), |ctx| async move { tick(&ctx).await }));
    let exporting = tokio::spawn(again(ctx.clone(), stopped.clone(), |ctx| async move { export(&ctx).await }));
    let granting = tokio::spawn(again(ctx.clone(), stopped.clone(), |ctx| async move { grant(&ctx).await }));
    let labelling = tokio::spawn(again(ctx.clone(), stopped, |ctx| async move { relabel(&ctx).await }));
    let served = axum::serve(listener, app(&ctx)).with_graceful_shutdown(asked_to_stop()).await;
    stop.send_replace(true);
    let _ = tokio::join!(sending, ticking, exporting, granting, labelling);
    // What the last requests wrote gets its numbers too.
    gateway::number(&ctx).await.map_err(|fault| fault.to_string())?;
    served.map_err(|error| error.to_string())
}

/// Takes one turn after the other, each saying how long to rest after it, until it is time to stop.
async fn again<T: Future<Output = Duration>>(
    ctx: Arc<Context>,
    mut stop: watch::Receiver<bool>,
    turn: impl Fn(Arc<Context>) -> T,
) {
    loop {
        let rest = turn(ctx.clone()).await;
        tokio::select! {
            _ = tokio::time::sleep(rest) => {}
            _ = stop.changed() => return,
        }
    }
}

fn rest(is_done: bool) -> Duration {
    if is_done { TICK } else { Duration::ZERO }
}

/// Numbers the log and releases what time alone has changed.
async fn tick(ctx: &Context) -> Duration {
    let numbered = gateway::number(ctx).await;
    if let Err(fault) = &numbered {
        tracing::warn!(cause = %fault, "the log was not numbered this time");
    }
    let request = Request { id: ctx.ids.in_bucket(0, ctx.now()) };
    if let Err(error) = gateway::recheck(ctx, &request).await {
        tracing::warn!(?error, "referrals were not rechecked this time");
    }
    // A full batch means that more waits.
    rest(!numbered.is_ok_and(|count| count >= 500))
}

/// Goes on with the exports that wait.
async fn export(ctx: &Context) -> Duration {
    let listed = gateway::export::turn(ctx).await;
    if let Err(error) = &listed {
        tracing::warn!(?error, "an export did not get on this time");
    }
    rest(!listed.is_ok_and(|pages| pages > 0))
}

/// Goes on writing what people permit to who asks about everybody.
async fn grant(ctx: &Context) -> Duration {
    let granted = gateway::go_on_granting(ctx).await;
    if let Err(fault) = &granted {
        tracing::warn!(cause = %fault, "grants were not written this time");
    }
    rest(!granted.unwrap_or(false))
}

/// Labels what is stored again, when the lists have changed.
async fn relabel(ctx: &Context) -> Duration {
    let request = Request { id: ctx.ids.in_bucket(0, ctx.now()) };
    match gateway::relabel(ctx, &request, gateway::RELABELLED_TOGETHER).await {
        Ok(Some(state)) if !state.done => Duration::ZERO,
        Ok(Some(state)) => {
            if state.changed > 0 {
                let (seen, changed, unfit) = (state.seen, state.changed, state.unfit);
                tracing::info!(seen, changed, unfit, lists = %state.version, "labels were set again");
            }
            LISTS
        }
        Ok(None) => LISTS,
        Err(error) => {
            tracing::warn!(?error, "labels were not set again this time");
            LISTS
        }
    }
}

async fn asked_to_stop() {
    let interrupted = tokio::signal::ctrl_c();
    #[cfg(unix)]
    {
        let mut terminated = match tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate()) {
            Ok(signal) => signal,
            Err(_) => {
                let _ = interrupted.await;
                return;
            }
        };
        tokio::select! {
            _ = interrupted => {}
            _ = terminated.recv() => {}
        }
    }
    #[cfg(not(unix))]
    let _ = interrupted.await;
}
