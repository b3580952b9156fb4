//! Our own tokens: signed with our key, for our audience, for one use.

use jsonwebtoken::{Algorithm, Header, Validation, decode, encode};
use serde::{Deserialize, Serialize};

use crate::fhir::Instant;

use super::keys::Keys;

/// The token endpoint never grants more (SMART Backend Services: at most five minutes).
pub const TTL_MAX_SECS: i64 = 300;

/// What a token is for; one is not accepted in place of another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Use {
    /// The FHIR API.
    Access,
    /// The console's cookie.
    Session,
}

/// What we sign.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Claims {
    pub iss: String,
    pub aud: String,
    /// The client, or the user.
    pub sub: String,
    /// The same once more, where RFC 9068 (2.2) wants it and clients look for it.
    #[serde(default)]
    pub client_id: String,
    #[serde(rename = "use")]
    pub used_for: Use,
    pub partner: String,
    pub scope: String,
    pub purpose: Vec<String>,
    /// Seconds since 1970.
    pub iat: i64,
    pub exp: i64,
    pub jti: String,
}

impl Claims {
    pub fn sign(&self, keys: &Keys) -> Option<String> {
        encode(&Header::new(Algorithm::EdDSA), self, &keys.signing).ok()
    }

    /// The claims of a token that we signed for this use and that is still good; `None` says no more than that.
    pub fn verify(token: &str, used_for: Use, keys: &Keys, now: Instant) -> Option<Claims> {
        let mut validation = Validation::new(Algorithm::EdDSA);
        // Time is an argument here, and the audience is compared below.
        validation.validate_exp = false;
        validation.validate_aud = false;
        validation.required_spec_claims.clear();
        let claims = decode::<Claims>(token, &keys.verifying, &validation).ok()?.claims;
        let ours = claims.iss == keys.exchange && claims.aud == keys.exchange;
        (ours && claims.used_for == used_for && claims.exp > now.as_secs()).then_some(claims)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_good_for_its_exchange_its_use_and_its_time() {
        let keys = Keys::read(&Keys::generate().unwrap()).unwrap();
        let other = Keys::read(&Keys::generate().unwrap()).unwrap();
        let claims = Claims {
            iss: keys.exchange.clone(),
            aud: keys.exchange.clone(),
            sub: "ehr".into(),
            client_id: "ehr".into(),
            used_for: Use::Access,
            partner: "clinic".into(),
            scope: "system/*.rs".into(),
            purpose: vec!["TREAT".into()],
            iat: 0,
            exp: 300,
            jti: "1".into(),
        };
        let token = claims.sign(&keys).unwrap();
        let at = |secs: i64| Instant(secs * 1_000_000);
        assert_eq!(Claims::verify(&token, Use::Access, &keys, at(299)), Some(claims.clone()));
        assert_eq!(Claims::verify(&token, Use::Access, &keys, at(300)), None, "expired");
        assert_eq!(Claims::verify(&token, Use::Session, &keys, at(1)), None, "another use");
        assert_eq!(Claims::verify(&token, Use::Access, &other, at(1)), None, "another exchange");
        let foreign = Claims { aud: "somebody".into(), ..claims }.sign(&keys).unwrap();
        assert_eq!(Claims::verify(&foreign, Use::Access, &keys, at(1)), None, "another audience");
        let (_, body) = token.split_once('.').unwrap();
        let unsigned = format!("eyJhbGciOiJub25lIn0.{}.", body.split_once('.').unwrap().0);
        assert_eq!(Claims::verify(&unsigned, Use::Access, &keys, at(1)), None, "alg none");
    }
}
