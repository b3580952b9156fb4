//! The crank and its loop.

use std::time::Duration;

use futures_util::future::join_all;

use crate::gateway::{self, Context, Error, Parcel, Request, Settled};

use super::client::Courier;
use super::schedule::{self, Answer};

/// Parcels of one turn, sent side by side.
const AT_ONCE: usize = 16;
/// How long the loop rests when there was nothing to do.
const REST: Duration = Duration::from_millis(200);

/// One turn: claims what is due, sends it, writes down what became of it. Answers how many were sent.
///
/// # Errors
/// What the database said.
pub async fn turn(ctx: &Context, courier: &Courier) -> Result<usize, Error> {
    let request = Request { id: ctx.ids.in_bucket(0, ctx.now()) };
    let parcels = gateway::claim(ctx, &request, AT_ONCE).await?;
    let count = parcels.len();
    let sending = parcels.into_iter().map(|parcel| send(ctx, courier, parcel));
    for done in join_all(sending).await {
        done?;
    }
    Ok(count)
}

async fn send(ctx: &Context, courier: &Courier, parcel: Parcel) -> Result<(), Error> {
    let Parcel { delivery, endpoint, body } = parcel;
    let (answer, outcome) = match courier.send(&endpoint, body).await {
        Ok(status) => (schedule::answer(status), status.to_string()),
        Err(reason) => (Answer::NotNow, reason),
    };
    let spread = (delivery.id.bytes().map(i64::from).sum::<i64>() * 37) % 1_000;
    let (state, due_at) = schedule::next(answer, delivery.attempts, delivery.created_at, ctx.now(), spread);
    let (id, partner, attempt) = (&delivery.id, &delivery.partner, delivery.attempts + 1);
    match answer {
        Answer::Taken => tracing::info!(delivery.id = %id, partner.id = %partner, attempt, "delivered"),
        _ => {
            tracing::warn!(delivery.id = %id, partner.id = %partner, attempt, outcome, state = state.text(), "not delivered")
        }
    }
    gateway::settle(ctx, &delivery, &Settled { state, due_at, outcome }).await
}

/// Turns the crank until it is told to stop. A fault is logged and the loop goes on: the rows are still there.
pub async fn work(ctx: std::sync::Arc<Context>, courier: Courier, mut stop: tokio::sync::watch::Receiver<bool>) {
    loop {
        let busy = match turn(&ctx, &courier).await {
            Ok(count) => count > 0,
            Err(error) => {
                tracing::error!(?error, "a turn of the delivery crank failed");
                false
            }
        };
        let rest = if busy { Duration::ZERO } else { REST };
        tokio::select! {
            _ = tokio::time::sleep(rest) => {}
            _ = stop.changed() => return,
        }
    }
}
