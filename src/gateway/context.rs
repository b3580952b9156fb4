//! What every flow works with, built once by `serve` or a command.

use std::collections::{BTreeSet, HashMap};
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use aws_lc_rs::digest::{SHA256, digest};
use uuid::{NoContext, Timestamp, Uuid};

use super::quiet::Worked;
use crate::auth::{Caller, Claims, KeySets, Keys, Use};
use crate::config::Config;
use crate::consent::Regimes;
use crate::fhir::search::{Fact, Params, Reading};
use crate::fhir::{Instant, Zone};
use crate::partner::{Client, Partner, User};
use crate::profile::{Profiles, SearchParameter};
use crate::store::{BUCKETS, Fault, Store, embed};

use super::agencies::Agencies;
use super::kept::Kept;
use super::label_lists::Shelf;

/// Stored things, rules, keys, time and chance.
pub struct Context {
    pub store: Store,
    pub profiles: Profiles,
    pub params: Params,
    pub config: Config,
    pub zone: Zone,
    pub keys: Keys,
    pub key_sets: KeySets,
    pub clock: Clock,
    pub ids: Ids,
    pub shelf: Shelf,
    clients: Mutex<HashMap<String, (Instant, Arc<Client>)>>,
    agencies: Mutex<Option<(Instant, Arc<Agencies>)>>,
    /// Whose entries of the directory are, and whose people: it never changes (rules.md 4).
    origins: Mutex<HashMap<String, String>>,
    quiet: Mutex<HashMap<String, Worked>>,
    /// What decisions about people are made from.
    pub(super) kept: Kept,
    tokens: Mutex<HashMap<[u8; 32], Arc<Known>>>,
    /// The second and the bucket of the records that are about nobody's write: see [`Context::log_bucket`].
    log_at: AtomicI64,
    /// The CapabilityStatement and its like by the address they were asked at; few, since a Host can be anything.
    statements: Mutex<HashMap<String, Arc<String>>>,
}

/// A token that was verified, and whom it makes.
pub struct Known {
    pub claims: Claims,
    pub caller: Option<Caller>,
}

/// Time is asked for here and nowhere else.
#[derive(Clone, Debug)]
pub enum Clock {
    System,
    /// A test's clock, in microseconds; it moves when the test moves it.
    Fixed(Arc<AtomicI64>),
}

/// Chance is asked for here and nowhere else.
#[derive(Debug)]
pub enum Ids {
    Random,
    /// A test's ids: they count.
    Seeded(AtomicU64),
}

/// How long the registry is believed before it is asked again: a revocation is in force within a second.
const FRESH_MILLIS: i64 = 1_000;
const KEPT_MAX: usize = 10_000;
const STATEMENTS_MAX: usize = 8;
/// Roles of staff that decisions know.
const STAFF_MAX: usize = 100_000;

impl Clock {
    pub fn now(&self) -> Instant {
        match self {
            Clock::System => {
                let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
                Instant(since.as_micros() as i64)
            }
            Clock::Fixed(at) => Instant(at.load(Ordering::SeqCst)),
        }
    }
}

impl Ids {
    /// A new version 7 id that carries a bucket.
    pub fn in_bucket(&self, bucket: i64, at: Instant) -> String {
        embed(self.uuid(at), bucket).to_string()
    }

    /// A new version 4 id, which says nothing of its bucket or its time.
    pub fn unlinkable(&self) -> String {
        match self {
            Ids::Random => Uuid::new_v4().to_string(),
            Ids::Seeded(_) => uuid::Builder::from_u128(self.uuid(Instant(0)).as_u128())
                .with_version(uuid::Version::Random)
                .into_uuid()
                .to_string(),
        }
    }

    /// A bucket for what is about nobody yet, drawn by chance.
    pub fn bucket(&self, at: Instant) -> i64 {
        let bytes = *self.uuid(at).as_bytes();
        i64::from(u16::from_be_bytes([bytes[14], bytes[15]])) % BUCKETS
    }

    fn uuid(&self, at: Instant) -> Uuid {
        match self {
            Ids::Random => {
                let secs = at.0.div_euclid(1_000_000).max(0) as u64;
                let nanos = (at.0.rem_euclid(1_000_000) * 1_000) as u32;
                Uuid::new_v7(Timestamp::from_unix(NoContext, secs, nanos))
            }
            Ids::Seeded(count) => {
                let next = count.fetch_add(1, Ordering::SeqCst);
                let millis = (at.0.max(0) / 1_000) as u64;
                Uuid::from_u128(u128::from(millis) << 80 | 0x7000 << 64 | 0x8000 << 48 | u128::from(next))
            }
        }
    }
}

impl Context {
    pub fn new(
        store: Store,
        profiles: Profiles,
        config: Config,
        keys: Keys,
        clock: Clock,
        ids: Ids,
    ) -> Result<Context, String> {
        let mut params = Params::default();
        for one in profiles.search_parameters() {
            let SearchParameter { url, code, base, kind, expression, target, components, .. } = one;
            params.add(&Fact { url, code, bases: base, kind, expression, targets: target, components });
        }
        let zone = config.zone()?;
        let key_sets = KeySets::new()?;
        let (clients, agencies, origins, quiet, kept, tokens, log_at, statements) = Default::default();
        Ok(Context {
            store,
            profiles,
            params,
            config,
            zone,
            keys,
            key_sets,
            clock,
            ids,
            shelf: Shelf::default(),
            clients,
            agencies,
            origins,
            quiet,
            kept,
            tokens,
            log_at,
            statements,
        })
    }

    pub fn now(&self) -> Instant {
        self.clock.now()
    }

    /// What the parameters of a caller's search are read with. `base` is the address of the API, as the caller knows it.
    pub fn reading<'a>(&'a self, caller: &'a Caller, base: &'a str, strict: bool) -> Reading<'a> {
        Reading { scopes: Some(caller), ..self.reading_all(base, strict) }
    }

    /// As [`Context::reading`], where the scopes were asked before.
    pub fn reading_all<'a>(&'a self, base: &'a str, strict: bool) -> Reading<'a> {
        Reading {
            params: &self.params,
            definitions: &self.profiles,
            scopes: None,
            limits: &self.config.search,
            zone: &self.zone,
            base,
            strict,
            now: self.now(),
        }
    }

    /// The bucket of the records that belong to no write: drawn by chance, and another one each second, so that those
    /// of one commit lie beside each other and those of all nodes everywhere.
    pub fn log_bucket(&self, at: Instant) -> i64 {
        let drawn = self.log_at.load(Ordering::Relaxed);
        if drawn != 0 && drawn.div_euclid(BUCKETS) == at.as_secs() {
            return drawn.rem_euclid(BUCKETS);
        }
        let bucket = self.ids.bucket(at);
        self.log_at.store(at.as_secs() * BUCKETS + bucket, Ordering::Relaxed);
        bucket
    }

    pub async fn partner(&self, id: &str) -> Result<Option<Partner>, Fault> {
        Ok(read(self.store.document("partner", id).await?))
    }

    /// All partners, as they were within the last second.
    pub async fn partners(&self) -> Result<Arc<Vec<Partner>>, Fault> {
        Ok(self.agencies().await?.partners.clone())
    }

    /// The same with what follows from them; as long as nothing changes they are one and the same.
    pub(super) async fn agencies(&self) -> Result<Arc<Agencies>, Fault> {
        let now = self.now();
        let kept = locked(&self.agencies).clone();
        if let Some((at, agencies)) = &kept
            && *at <= now
            && now < at.plus_millis(FRESH_MILLIS)
        {
            return Ok(agencies.clone());
        }
        let documents = self.store.documents("partner").await?;
        let law = self.store.document("regimes", "exchange").await?;
        let staffing = self.store.document("exchange", "staffing").await?;
        let agencies = match kept {
            Some((_, agencies)) if agencies.is_of(&documents, law.as_deref(), staffing.as_deref()) => agencies,
            _ => {
                let staff = self.store.all_of("PractitionerRole", STAFF_MAX).await?;
                Arc::new(Agencies::read(documents, law, (staffing, &staff)))
            }
        };
        *locked(&self.agencies) = Some((now, agencies.clone()));
        Ok(agencies)
    }

    /// The law of the exchange, as it was when the partners were read.
    pub fn regimes(&self) -> Arc<Regimes> {
        locked(&self.agencies).as_ref().map_or_else(Regimes::bundled, |(_, agencies)| agencies.regimes.clone())
    }

    /// Has the registry asked again before it is believed any longer; what is known stays as long as it is equal.
    pub(super) fn forget_agencies(&self) {
        if let Some((at, _)) = locked(&self.agencies).as_mut() {
            *at = Instant::MIN;
        }
    }

    /// What was worked out for an asker, if it still holds.
    pub(super) fn quiet_of<T>(&self, key: &str, holds: impl FnOnce(&Worked) -> Option<T>) -> Option<T> {
        locked(&self.quiet).get(key).and_then(holds)
    }

    pub(super) fn keep_quiet(&self, key: String, worked: Worked) {
        let mut known = locked(&self.quiet);
        if known.len() >= KEPT_MAX {
            known.clear();
        }
        known.insert(key, worked);
    }

    /// The origins of those of these keys that are there.
    pub async fn origins(&self, keys: BTreeSet<String>) -> Result<Vec<(String, String)>, Fault> {
        let (mut found, mut unknown) = (Vec::new(), Vec::new());
        {
            let known = locked(&self.origins);
            for key in keys {
                match known.get(&key) {
                    Some(origin) => found.push((key, origin.clone())),
                    None => unknown.push(key),
                }
            }
        }
        if unknown.is_empty() {
            return Ok(found);
        }
        let asked = self.store.origins(&unknown).await?;
        let mut known = locked(&self.origins);
        if known.len() + asked.len() > KEPT_MAX {
            known.clear();
        }
        known.extend(asked.iter().cloned());
        found.extend(asked);
        Ok(found)
    }

    /// The CapabilityStatement, or its like, that was made for an address.
    pub fn described(&self, base: &str) -> Option<Arc<String>> {
        locked(&self.statements).get(base).cloned()
    }

    pub fn describe(&self, base: &str, statement: &str) {
        let mut statements = locked(&self.statements);
        if statements.len() >= STATEMENTS_MAX {
            statements.clear();
        }
        statements.insert(base.to_string(), Arc::new(statement.to_string()));
    }

    /// Forgets what was read of the registry, after it was written here.
    pub fn forget_registry(&self) {
        self.forget_agencies();
        locked(&self.clients).clear();
    }

    /// An access token of ours that is still good. A signature is verified once; after that the
    /// token's hash is known.
    pub fn access(&self, token: &str) -> Option<Arc<Known>> {
        let now = self.now();
        let hash: [u8; 32] = digest(&SHA256, token.as_bytes()).as_ref().try_into().ok()?;
        let kept = locked(&self.tokens).get(&hash).cloned();
        if let Some(known) = kept {
            return Some(known).filter(|known| known.claims.exp > now.as_secs());
        }
        let claims = Claims::verify(token, Use::Access, &self.keys, now)?;
        let known = Arc::new(Known { caller: Caller::client(&claims), claims });
        let mut tokens = locked(&self.tokens);
        if tokens.len() >= KEPT_MAX {
            tokens.clear();
        }
        tokens.insert(hash, known.clone());
        Some(known)
    }

    pub async fn user(&self, id: &str) -> Result<Option<User>, Fault> {
        Ok(read(self.store.document("user", id).await?))
    }

    /// A registered client that was not revoked.
    pub async fn client(&self, id: &str) -> Result<Option<Arc<Client>>, Fault> {
        let now = self.now();
        let kept = locked(&self.clients).get(id).cloned();
        if let Some((at, client)) = kept
            && now < at.plus_millis(FRESH_MILLIS)
        {
            return Ok(Some(client).filter(|client| !client.revoked));
        }
        let found: Option<Arc<Client>> = read(self.store.document("client", id).await?).map(Arc::new);
        let mut clients = locked(&self.clients);
        if clients.len() >= KEPT_MAX {
            clients.clear();
        }
        if let Some(client) = &found {
            clients.insert(id.to_string(), (now, client.clone()));
        }
        Ok(found.filter(|client| !client.revoked))
    }
}

fn locked<T>(kept: &Mutex<T>) -> MutexGuard<'_, T> {
    kept.lock().unwrap_or_else(PoisonError::into_inner)
}

fn read<T: serde::de::DeserializeOwned>(body: Option<String>) -> Option<T> {
    body.and_then(|body| serde_json::from_str(&body).ok())
}
