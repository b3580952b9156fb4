//! A partner's system with keys of its own, as it signs in. Keys are made when the tests begin; the one fixed key
//! is too weak for anything but to be refused.

use std::sync::LazyLock;
use std::sync::atomic::{AtomicUsize, Ordering};

use aws_lc_rs::hmac;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, ECDSA_P384_SHA384_FIXED_SIGNING, EcdsaKeyPair, EcdsaSigningAlgorithm, KeyPair,
    RSA_PKCS1_SHA256, RSA_PKCS1_SHA384, RsaEncoding, RsaKeyPair,
};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use handoff::gateway::enroll;
use handoff::partner::Client;
use reqwest::Method;
use serde_json::{Value, json};
use url::form_urlencoded;

use crate::harness::{Answer, TestGateway};

pub const JWT_BEARER: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

/// The modulus of a 1024-bit test key, and an assertion that it signed for the moment at which tests begin.
pub const SMALL_N: &str = "y0Gpqsno9wd8hFMaGdada8XG6S15QZBHqOpTXxsO3yRqzmJ8ZQR6a8JD1vyHvtcKgIcSsPnmgvkCvK7hcJvdRPLe7ccaoKiUrxjmWrv4JtsjnfQVGCcSDSBWR4uesmFeMJ-c_UFMNJ71zBiI91d1iSUnQ2oWxmMW4sEZoA4zPOE";
pub const SMALL_JWT: &str = concat!(
    "eyJhbGciOiAiUlMzODQiLCAidHlwIjogIkpXVCIsICJraWQiOiAic21hbGwifQ.eyJpc3MiOiAic21hbGwta2V5IiwgInN1YiI6I",
    "CJzbWFsbC1rZXkiLCAiYXVkIjogImh0dHBzOi8vZXhjaGFuZ2UuZXhhbXBsZS9hdXRoL3Rva2VuIiwgImV4cCI6IDE3NzI0NTMxM",
    "DAsICJqdGkiOiAiMSJ9.UdYtODd9cOVLuaVN53nkwMLG40_jL85QLFkUJ_fldCuNQUTUA4gu_vzPzJ6NbnVRctH4pc8D4Nu0tbK5",
    "1uxzxTkdIRwNGKr6TDsrzujdL4lvl0TWgVUCddFMHTYyhW9f1VhOOH-M5wZ7RR216vviS4glM_M-9I1hDW4d5s9XmOE",
);

pub enum Key {
    Rsa(RsaKeyPair),
    Ec(EcdsaKeyPair),
    Hmac(Vec<u8>),
    /// The RSA key with an algorithm that is not offered.
    Rs256,
    Nothing,
}

pub static RSA: LazyLock<Key> = LazyLock::new(|| Key::Rsa(RsaKeyPair::generate(KeySize::Rsa2048).unwrap()));
pub static OTHER: LazyLock<Key> = LazyLock::new(|| Key::Rsa(RsaKeyPair::generate(KeySize::Rsa2048).unwrap()));
pub static EC: LazyLock<Key> = LazyLock::new(|| elliptic(&ECDSA_P384_SHA384_FIXED_SIGNING));
pub static P256: LazyLock<Key> = LazyLock::new(|| elliptic(&ECDSA_P256_SHA256_FIXED_SIGNING));

fn elliptic(algorithm: &'static EcdsaSigningAlgorithm) -> Key {
    let document = EcdsaKeyPair::generate_pkcs8(algorithm, &SystemRandom::new()).unwrap();
    Key::Ec(EcdsaKeyPair::from_pkcs8(algorithm, document.as_ref()).unwrap())
}

impl Key {
    pub fn sign(&self, message: &[u8]) -> Vec<u8> {
        let random = SystemRandom::new();
        let rsa = |key: &RsaKeyPair, padding: &'static dyn RsaEncoding| {
            let mut signature = vec![0; key.public_modulus_len()];
            key.sign(padding, &random, message, &mut signature).unwrap();
            signature
        };
        match self {
            Key::Rsa(key) => rsa(key, &RSA_PKCS1_SHA384),
            Key::Rs256 => match &*RSA {
                Key::Rsa(key) => rsa(key, &RSA_PKCS1_SHA256),
                _ => Vec::new(),
            },
            Key::Ec(key) => key.sign(&random, message).unwrap().as_ref().to_vec(),
            Key::Hmac(secret) => hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, secret), message).as_ref().to_vec(),
            Key::Nothing => Vec::new(),
        }
    }

    /// The public half as a JWK.
    pub fn jwk(&self, kid: &str) -> Value {
        match self {
            Key::Rsa(key) => {
                // RFC 8017 RSAPublicKey of 2048 bits: nine bytes of DER, the modulus, five bytes, 65537.
                let der = key.public_key().as_ref();
                assert_eq!(der.len(), 270);
                let (n, e) = (BASE64.encode(&der[9..265]), BASE64.encode(&der[267..]));
                json!({"kty": "RSA", "kid": kid, "use": "sig", "alg": "RS384", "n": n, "e": e})
            }
            Key::Ec(key) => {
                let point = &key.public_key().as_ref()[1..];
                let (x, y) = point.split_at(point.len() / 2);
                let curve = if point.len() == 96 { "P-384" } else { "P-256" };
                json!({"kty": "EC", "kid": kid, "crv": curve, "x": BASE64.encode(x), "y": BASE64.encode(y)})
            }
            _ => json!({}),
        }
    }

    fn alg(&self) -> &'static str {
        if matches!(self, Key::Ec(_)) { "ES384" } else { "RS384" }
    }
}

/// A signed JWT of any header and any text of claims.
pub fn assertion(header: &Value, claims: &str, key: &Key) -> String {
    let message = format!("{}.{}", BASE64.encode(header.to_string()), BASE64.encode(claims));
    let signature = BASE64.encode(key.sign(message.as_bytes()));
    format!("{message}.{signature}")
}

pub fn client(id: &str, partner: &str, jwks: &Value) -> Client {
    Client {
        id: id.into(),
        partner: partner.into(),
        scope: "system/*.cruds".into(),
        purposes: vec![],
        jwks: Some(jwks.to_string()),
        jwks_url: None,
        revoked: false,
        btg: false,
        practitioner: None,
    }
}

/// A registered client with the first of its keys.
pub struct System {
    pub id: String,
    pub key: &'static Key,
    pub kid: String,
}

static COUNT: AtomicUsize = AtomicUsize::new(0);

impl System {
    pub async fn enrol(gw: &TestGateway, id: &str, partner: &str, keys: &[(&'static Key, &str)]) -> System {
        let jwks: Vec<Value> = keys.iter().map(|(key, kid)| key.jwk(kid)).collect();
        enroll::client(&gw.ctx, &client(id, partner, &json!({"keys": jwks}))).await.unwrap();
        System { id: id.to_string(), key: keys[0].0, kid: keys[0].1.to_string() }
    }

    /// Claims that hold, with a `jti` of their own.
    pub fn claims(&self, gw: &TestGateway) -> Value {
        json!({"iss": self.id, "sub": self.id, "aud": format!("{}/auth/token", gw.address),
            "exp": gw.ctx.now().as_secs() + 300, "jti": format!("j{}", COUNT.fetch_add(1, Ordering::SeqCst))})
    }

    pub fn sign(&self, claims: &Value) -> String {
        assertion(&json!({"alg": self.key.alg(), "typ": "JWT", "kid": self.kid}), &claims.to_string(), self.key)
    }

    /// Asks for a token with good claims; `form` goes over what is sent otherwise.
    pub async fn signs_in(&self, gw: &TestGateway, form: &[(&str, &str)]) -> Answer {
        self.sends(gw, &self.sign(&self.claims(gw)), form).await
    }

    pub async fn sends(&self, gw: &TestGateway, assertion: &str, form: &[(&str, &str)]) -> Answer {
        let mut pairs = vec![
            ("grant_type", "client_credentials"),
            ("client_assertion_type", JWT_BEARER),
            ("client_assertion", assertion),
        ];
        pairs.retain(|(name, _)| !form.iter().any(|(other, _)| other == name));
        let body = form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).extend_pairs(form).finish();
        let headers = [("content-type", "application/x-www-form-urlencoded")];
        gw.stranger().send(Method::POST, "/auth/token", &headers, Some(body)).await
    }
}
