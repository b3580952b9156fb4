//! Client assertions: a signed statement by which a system shows who it is (RFC 7523, SMART Backend Services).
//!
//! Every way of being wrong ends in `invalid_client` with a sentence that helps an integrator and tells a stranger
//! nothing that is not in the specification.

use std::collections::HashMap;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use jsonwebtoken::jwk::{AlgorithmParameters, EllipticCurve, Jwk, JwkSet};
use jsonwebtoken::{Algorithm, DecodingKey, Header, Validation, decode, decode_header};
use serde::Deserialize;

use crate::fhir::{Instant, read};

/// What was registered for a client, as the registry has it.
#[derive(Clone, Copy, Debug)]
pub struct Registered<'a> {
    pub client: &'a str,
    pub jwks_url: Option<&'a str>,
}

/// An assertion that holds, once its `jti` has been used up.
#[derive(Clone, Debug)]
pub struct Assertion {
    pub client: String,
    pub jti: String,
    pub expires_at: Instant,
    /// Purposes from the `hl7-b2b` extension (UDAP Security 1.0, 5.2.1.1).
    pub purposes: Option<Vec<String>>,
}

/// Why a token was not granted: an OAuth error code and a sentence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused {
    pub error: &'static str,
    pub description: String,
}

impl Refused {
    pub fn new(error: &'static str, description: impl Into<String>) -> Refused {
        Refused { error, description: description.into() }
    }

    fn client(description: impl Into<String>) -> Refused {
        Refused::new("invalid_client", description)
    }
}

#[derive(Deserialize)]
struct Claims {
    iss: String,
    sub: String,
    aud: Audience,
    exp: i64,
    nbf: Option<i64>,
    jti: Option<String>,
    extensions: Option<HashMap<String, serde_json::Value>>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Audience {
    One(String),
    Many(Vec<String>),
}

/// Farthest `exp` (SMART: "no more than five minutes in the future").
const EXP_MAX_SECS: i64 = 300;
/// Clocks of partners are not ours.
const SKEW_SECS: i64 = 10;

impl Assertion {
    /// Whose it claims to be, before anything is verified.
    ///
    /// # Errors
    /// That it is no signed JWT with an `iss`, or its algorithm is none of the two.
    pub fn claimant(jwt: &str) -> Result<String, Refused> {
        header(jwt)?;
        let claims = jsonwebtoken::dangerous::insecure_decode_claims::<Claims>(jwt)
            .map_err(|_| Refused::client("client_assertion: expected claims iss, sub, aud, exp and jti, each once"))?;
        Ok(claims.iss)
    }

    /// # Errors
    /// The first thing about it that does not hold.
    pub fn verify(
        jwt: &str,
        of: Registered,
        keys: &JwkSet,
        audiences: &[String],
        now: Instant,
    ) -> Result<Assertion, Refused> {
        let header = header(jwt)?;
        if header.jku.as_deref().is_some_and(|jku| Some(jku) != of.jwks_url) {
            return Err(Refused::client("client_assertion: `jku` is not the registered key set"));
        }
        let candidates = keys.keys.iter().filter(|key| fits(key, &header));
        let mut validation = Validation::new(header.alg);
        validation.validate_exp = false;
        validation.validate_aud = false;
        validation.required_spec_claims.clear();
        let claims = candidates
            .filter_map(|key| DecodingKey::from_jwk(key).ok())
            .find_map(|key| decode::<Claims>(jwt, &key, &validation).ok())
            .ok_or_else(|| {
                Refused::client("client_assertion: no registered key of that `kid` and `alg` verifies the signature")
            })?
            .claims;
        judge(claims, of, audiences, now)
    }
}

fn judge(claims: Claims, of: Registered, audiences: &[String], now: Instant) -> Result<Assertion, Refused> {
    if claims.iss != of.client || claims.sub != of.client {
        return Err(Refused::client("client_assertion: `iss` and `sub` must both be the client id"));
    }
    let addressed = match &claims.aud {
        Audience::One(one) => audiences.contains(one),
        Audience::Many(many) => many.iter().any(|one| audiences.contains(one)),
    };
    if !addressed {
        return Err(Refused::client("client_assertion: `aud` must be the address of this token endpoint"));
    }
    let secs = now.as_secs();
    if claims.exp <= secs - SKEW_SECS {
        return Err(Refused::client("client_assertion: `exp` has passed"));
    }
    if claims.exp > secs + EXP_MAX_SECS + SKEW_SECS {
        return Err(Refused::client("client_assertion: `exp` must be at most 300 seconds ahead"));
    }
    if claims.nbf.is_some_and(|nbf| nbf > secs + SKEW_SECS) {
        return Err(Refused::client("client_assertion: `nbf` is in the future"));
    }
    let jti = claims.jti.filter(|jti| (1..=256).contains(&jti.len()));
    let jti = jti.ok_or_else(|| Refused::client("client_assertion: expected a `jti` of 1 to 256 characters"))?;
    let purposes = claims.extensions.and_then(|mut extensions| extensions.remove("hl7-b2b")).map(b2b).transpose()?;
    Ok(Assertion { client: claims.iss, jti, expires_at: Instant(0).plus_secs(claims.exp + SKEW_SECS), purposes })
}

/// The purposes of an `hl7-b2b` extension: v3-ActReason codes, bare or with their system's OID or URL before `#`.
fn b2b(extension: serde_json::Value) -> Result<Vec<String>, Refused> {
    let bad = |text: &str| Refused::new("invalid_grant", format!("hl7-b2b: {text}"));
    if extension.get("version").and_then(serde_json::Value::as_str) != Some("1") {
        return Err(bad("expected `version` 1"));
    }
    let purposes = extension.get("purpose_of_use").and_then(serde_json::Value::as_array);
    let codes: Vec<String> = purposes
        .into_iter()
        .flatten()
        .filter_map(serde_json::Value::as_str)
        .map(|text| text.rsplit(['#', '|', ':']).next().unwrap_or(text).to_string())
        .collect();
    if codes.is_empty() { Err(bad("expected at least one `purpose_of_use`")) } else { Ok(codes) }
}

fn header(jwt: &str) -> Result<Header, Refused> {
    let header = decode_header(jwt)
        .map_err(|_| Refused::client("client_assertion: expected a JWT signed with RS384 or ES384"))?;
    // A claim that is there twice, at any depth: two readers would see two assertions.
    let strict = |part: &str| BASE64.decode(part).is_ok_and(|bytes| read::json(&bytes).is_ok());
    if !jwt.split('.').take(2).all(strict) {
        return Err(Refused::client("client_assertion: expected well-formed JSON with each claim once"));
    }
    match header.alg {
        Algorithm::RS384 | Algorithm::ES384 => Ok(header),
        _ => Err(Refused::client("client_assertion: expected `alg` RS384 or ES384")),
    }
}

/// A key that may have signed this: its kid, its algorithm, its curve, and an RSA modulus of 2048 bits or more.
fn fits(key: &Jwk, header: &Header) -> bool {
    if header.kid.is_some() && key.common.key_id != header.kid {
        return false;
    }
    match (&key.algorithm, header.alg) {
        (AlgorithmParameters::RSA(rsa), Algorithm::RS384) => BASE64.decode(&rsa.n).is_ok_and(|n| n.len() >= 256),
        (AlgorithmParameters::EllipticCurve(curve), Algorithm::ES384) => curve.curve == EllipticCurve::P384,
        _ => false,
    }
}
