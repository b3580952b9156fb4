//! Key sets of clients that registered an address instead of a file.
//!
//! Fetched over https alone, without following redirects, with a bound on size and time; kept for five minutes, and
//! for an hour while the address does not answer.

use std::collections::HashMap;
use std::time::Duration;

use jsonwebtoken::jwk::JwkSet;
use tokio::sync::Mutex;

use crate::fhir::Instant;

use super::assertion::Refused;

const FRESH_SECS: i64 = 300;
const STALE_SECS: i64 = 3_600;
const SIZE_MAX: usize = 65_536;

/// What was fetched, and when.
pub struct KeySets {
    http: reqwest::Client,
    known: Mutex<HashMap<String, (Instant, JwkSet)>>,
}

impl KeySets {
    /// # Errors
    /// That TLS is not to be had on this machine.
    pub fn new() -> Result<KeySets, String> {
        let http = reqwest::Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            .timeout(Duration::from_secs(5))
            .https_only(true)
            .build()
            .map_err(|error| error.to_string())?;
        Ok(KeySets { http, known: Mutex::new(HashMap::new()) })
    }

    /// The key set at a registered address.
    ///
    /// # Errors
    /// `invalid_client` when it neither answers nor was kept.
    pub async fn at(&self, url: &str, now: Instant) -> Result<JwkSet, Refused> {
        let kept = self.known.lock().await.get(url).cloned();
        if let Some((at, keys)) = &kept
            && now < at.plus_secs(FRESH_SECS)
        {
            return Ok(keys.clone());
        }
        match self.fetch(url).await {
            Some(keys) => {
                self.known.lock().await.insert(url.to_string(), (now, keys.clone()));
                Ok(keys)
            }
            None => kept
                .filter(|(at, _)| now < at.plus_secs(STALE_SECS))
                .map(|(_, keys)| keys)
                .ok_or_else(|| Refused::new("invalid_client", "the registered key set could not be fetched")),
        }
    }

    async fn fetch(&self, url: &str) -> Option<JwkSet> {
        let mut answer = self.http.get(url).send().await.ok().filter(|answer| answer.status() == 200)?;
        let mut body = Vec::new();
        while let Some(chunk) = answer.chunk().await.ok()? {
            body.extend_from_slice(&chunk);
            if body.len() > SIZE_MAX {
                return None;
            }
        }
        serde_json::from_slice(&body).ok()
    }
}
