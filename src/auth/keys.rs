//! The exchange's own keys: one signs tokens (Ed25519), one seals page tokens (AES-256-GCM).
//!
//! They live in the database as one document, so that tokens outlive a restart and the commands work beside a
//! running server (rules.md 34).

use aws_lc_rs::aead::{AES_256_GCM, Aad, NONCE_LEN, Nonce, RandomizedNonceKey};
use aws_lc_rs::hmac;
use aws_lc_rs::rand;
use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use jsonwebtoken::{DecodingKey, EncodingKey};
use serde::{Deserialize, Serialize};

/// The keys, ready to use.
pub struct Keys {
    /// Issuer and audience of our tokens: a token of another exchange is none of ours.
    pub exchange: String,
    pub(super) signing: EncodingKey,
    pub(super) verifying: DecodingKey,
    public: Vec<u8>,
    sealing: RandomizedNonceKey,
    naming: hmac::Key,
}

#[derive(Serialize, Deserialize)]
struct Document {
    exchange: String,
    signing: String,
    sealing: String,
}

impl Keys {
    /// New keys as the document to store; `None` if the system has no randomness to give.
    pub fn generate() -> Option<String> {
        let mut sealing = [0_u8; 32];
        let mut name = [0_u8; 9];
        rand::fill(&mut sealing).ok()?;
        rand::fill(&mut name).ok()?;
        let pair = Ed25519KeyPair::generate_pkcs8(&rand::SystemRandom::new()).ok()?;
        let document = Document {
            exchange: format!("handoff:{}", BASE64.encode(name)),
            signing: BASE64.encode(pair.as_ref()),
            sealing: BASE64.encode(sealing),
        };
        serde_json::to_string(&document).ok()
    }

    /// Reads the stored document; `None` if it is none.
    pub fn read(document: &str) -> Option<Keys> {
        let document: Document = serde_json::from_str(document).ok()?;
        let signing = BASE64.decode(document.signing).ok()?;
        let sealing = BASE64.decode(document.sealing).ok()?;
        // A key of its own, made from the other, so that keys of before it are still whole.
        let naming = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, &sealing), b"handoff pseudonyms");
        let public = Ed25519KeyPair::from_pkcs8(&signing).ok()?.public_key().as_ref().to_vec();
        Some(Keys {
            exchange: document.exchange,
            signing: EncodingKey::from_ed_der(&signing),
            verifying: DecodingKey::from_ed_der(&public),
            public,
            sealing: RandomizedNonceKey::new(&AES_256_GCM, &sealing).ok()?,
            naming: hmac::Key::new(hmac::HMAC_SHA256, naming.as_ref()),
        })
    }

    /// Our public key as a JWK Set (RFC 8037).
    pub fn jwks(&self) -> serde_json::Value {
        let key = serde_json::json!({"kty": "OKP", "crv": "Ed25519", "use": "sig", "alg": "EdDSA", "x": BASE64.encode(&self.public)});
        serde_json::json!({"keys": [key]})
    }

    /// Seals a text that only the same `owner` can open again.
    pub fn seal(&self, owner: &str, text: &str) -> Option<String> {
        let mut sealed = text.as_bytes().to_vec();
        let nonce = self.sealing.seal_in_place_append_tag(Aad::from(owner), &mut sealed).ok()?;
        let mut out = nonce.as_ref().to_vec();
        out.append(&mut sealed);
        Some(BASE64.encode(out))
    }

    /// What a partner knows somebody by: the same for the same partner, and nothing to anybody who has not the key.
    pub fn pseudonym(&self, partner: &str, key: &str) -> String {
        let tag = hmac::sign(&self.naming, format!("{partner}\0{key}").as_bytes());
        // As an id may be spelt (FHIR R4 datatypes.html#id).
        tag.as_ref().iter().take(16).map(|byte| format!("{byte:02x}")).collect()
    }

    pub fn open(&self, owner: &str, sealed: &str) -> Option<String> {
        let mut bytes = BASE64.decode(sealed).ok()?;
        let (nonce, sealed) = bytes.split_at_mut_checked(NONCE_LEN)?;
        let nonce = Nonce::try_assume_unique_for_key(nonce).ok()?;
        let text = self.sealing.open_in_place(nonce, Aad::from(owner), sealed).ok()?;
        String::from_utf8(text.to_vec()).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pseudonym_is_the_same_for_one_partner_alone() {
        let document = Keys::generate().unwrap();
        let (keys, again, other) = (
            Keys::read(&document).unwrap(),
            Keys::read(&document).unwrap(),
            Keys::read(&Keys::generate().unwrap()).unwrap(),
        );
        let name = keys.pseudonym("clinic", "Patient/1");
        assert_eq!(name, again.pseudonym("clinic", "Patient/1"));
        assert!(crate::fhir::reference::is_id(&name));
        for differs in [
            keys.pseudonym("housing", "Patient/1"),
            keys.pseudonym("clinic", "Patient/2"),
            other.pseudonym("clinic", "Patient/1"),
        ] {
            assert_ne!(name, differs);
        }
    }

    #[test]
    fn what_is_sealed_opens_for_its_owner_alone() {
        let keys = Keys::read(&Keys::generate().unwrap()).unwrap();
        let sealed = keys.seal("clinic", "page 2").unwrap();
        assert_eq!(keys.open("clinic", &sealed).as_deref(), Some("page 2"));
        assert_eq!(keys.open("housing", &sealed), None);
        assert_eq!(keys.open("clinic", "AAAA"), None);
    }
}
