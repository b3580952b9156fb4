//! From a signed assertion to a token (SMART Backend Services): the token cases of reference/consent.md, section 8.

use handoff::gateway::enroll;
use handoff::partner::Kind;
use reqwest::Method;
use serde_json::json;

use crate::assertion::{EC, JWT_BEARER, Key, OTHER, P256, RSA, SMALL_JWT, SMALL_N, System, assertion, client};
use crate::harness::{Answer, On, TestGateway};
use crate::on_both;

const SCOPE: &str = "system/*.cruds";

/// A clinic with a client for each sort of key.
async fn start(on: On) -> (TestGateway, System, System) {
    let gw = TestGateway::exchange(on, None).await;
    let rsa = System::enrol(&gw, "ehr-rsa", "river-clinic", &[(&RSA, "r1")]).await;
    let ec = System::enrol(&gw, "ehr-ec", "river-clinic", &[(&EC, "e1")]).await;
    (gw, rsa, ec)
}

impl Answer {
    #[track_caller]
    fn says(self, status: u16, error: &str) {
        assert_eq!((self.status, self.body["error"].as_str()), (status, Some(error)), "{}", self.text);
        assert_eq!(self.header("cache-control"), "no-store", "T41");
        assert_eq!(self.body.get("access_token"), None);
    }
}

on_both!(a_signed_assertion_gets_a_short_token);
async fn a_signed_assertion_gets_a_short_token(on: On) {
    let (gw, rsa, ec) = start(on).await;
    for system in [rsa, ec] {
        let answer = system.signs_in(&gw, &[]).await.is(200);
        assert_eq!(answer.header("cache-control"), "no-store", "T41");
        assert_eq!(answer.header("pragma"), "no-cache", "T41");
        let granted = &answer.body;
        assert!(granted["expires_in"].as_i64().unwrap() <= 300, "T43");
        assert_eq!(granted.get("refresh_token"), None, "T42");
        assert_eq!((granted["token_type"].as_str(), granted["scope"].as_str()), (Some("bearer"), Some(SCOPE)));
        let bearer = format!("Bearer {}", granted["access_token"].as_str().unwrap());
        let headers = [("authorization", bearer.as_str())];
        gw.stranger().send(Method::GET, "/fhir/Patient", &headers, None).await.is(200);
        gw.advance_secs(300);
        let late = gw.stranger().send(Method::GET, "/fhir/Patient", &headers, None).await.is(401);
        assert!(late.header("www-authenticate").contains("invalid_token"), "T37");
    }
}

on_both!(a_form_that_is_not_the_right_one_is_refused);
async fn a_form_that_is_not_the_right_one_is_refused(on: On) {
    let (gw, rsa, _) = start(on).await;
    rsa.signs_in(&gw, &[("grant_type", "password")]).await.says(400, "unsupported_grant_type");
    rsa.signs_in(&gw, &[("grant_type", "")]).await.says(400, "unsupported_grant_type");
    rsa.signs_in(&gw, &[("client_assertion_type", "jwt")]).await.says(400, "invalid_request");
    rsa.signs_in(&gw, &[("client_assertion", "")]).await.says(401, "invalid_client");
    let post = |body: &str| {
        let (stranger, body) = (gw.stranger(), body.to_string());
        async move { stranger.send(Method::POST, "/auth/token", &[], Some(body)).await }
    };
    post("").await.says(400, "unsupported_grant_type");
    let form = format!("grant_type=client_credentials&client_assertion_type={JWT_BEARER}");
    post(&form).await.says(400, "invalid_request");
    rsa.signs_in(&gw, &[]).await.is(200);
}

on_both!(claims_that_do_not_hold_are_refused);
async fn claims_that_do_not_hold_are_refused(on: On) {
    let (gw, rsa, ec) = start(on).await;
    let url = format!("{}/auth/token", gw.address);
    let now = gw.ctx.now().as_secs();
    for system in [&rsa, &ec] {
        for (why, claim, value) in [
            ("T03", "exp", json!(now + 900)),
            ("expired", "exp", json!(now - 60)),
            ("T05", "nbf", json!(now + 120)),
            ("T06", "aud", json!("https://elsewhere.example/auth/token")),
            ("T06", "aud", json!(gw.address)),
            ("T06", "aud", json!([])),
            ("T08", "iss", json!("somebody")),
            ("T08", "sub", json!("somebody")),
            ("T08", "sub", json!("ehr-rsa-other")),
            ("T26", "jti", json!(null)),
            ("T26", "jti", json!("")),
            ("T26", "jti", json!("j".repeat(4_096))),
            ("no number", "exp", json!("soon")),
            ("absent", "exp", json!(null)),
        ] {
            let mut claims = system.claims(&gw);
            claims[claim] = value;
            let refused = system.sends(&gw, &system.sign(&claims), &[]).await;
            assert_eq!(refused.status, 401, "{why} {claim}: {}", refused.text);
            refused.says(401, "invalid_client");
        }
        let mut claims = system.claims(&gw);
        claims.as_object_mut().unwrap().remove("jti");
        system.sends(&gw, &system.sign(&claims), &[]).await.says(401, "invalid_client");
        let mut claims = system.claims(&gw);
        claims["aud"] = json!(["https://elsewhere.example", url]);
        system.sends(&gw, &system.sign(&claims), &[]).await.is(200);
    }
}

on_both!(a_claim_stated_twice_is_refused);
async fn a_claim_stated_twice_is_refused(on: On) {
    let (gw, rsa, _) = start(on).await;
    for again in [r#""sub":"harbor-housing-system""#, r#""jti":"other""#, r#""iat":1,"iat":2"#] {
        let claims = rsa.claims(&gw).to_string();
        let text = format!("{},{again}}}", &claims[..claims.len() - 1]);
        let jwt = assertion(&json!({"alg": "RS384", "kid": "r1"}), &text, &RSA);
        rsa.sends(&gw, &jwt, &[]).await.says(401, "invalid_client");
    }
    let extension = r#""extensions":{"hl7-b2b":{"version":"1","purpose_of_use":["TREAT"]},"hl7-b2b":{"version":"1","purpose_of_use":["COC"]}}"#;
    let claims = rsa.claims(&gw).to_string();
    let text = format!("{},{extension}}}", &claims[..claims.len() - 1]);
    let jwt = assertion(&json!({"alg": "RS384", "kid": "r1"}), &text, &RSA);
    rsa.sends(&gw, &jwt, &[]).await.says(401, "invalid_client");
}

on_both!(a_signature_that_does_not_hold_is_refused);
async fn a_signature_that_does_not_hold_is_refused(on: On) {
    let (gw, rsa, ec) = start(on).await;
    let claims = rsa.claims(&gw).to_string();
    let header = |alg: &str, kid: &str| json!({"alg": alg, "typ": "JWT", "kid": kid});
    let public = RSA.jwk("r1").to_string();
    for (why, jwt) in [
        ("T10", assertion(&header("none", "r1"), &claims, &Key::Nothing)),
        ("T10", assertion(&header("None", "r1"), &claims, &RSA)),
        ("T11", assertion(&header("HS256", "r1"), &claims, &Key::Hmac(public.clone().into_bytes()))),
        ("T11", assertion(&header("HS384", "r1"), &claims, &Key::Hmac(public.into_bytes()))),
        ("T12", assertion(&header("RS256", "r1"), &claims, &Key::Rs256)),
        ("T13", assertion(&header("RS384", "r1"), &claims, &OTHER)),
        ("another kid", assertion(&header("RS384", "r9"), &claims, &RSA)),
        ("another alg", assertion(&header("ES384", "r1"), &claims, &RSA)),
        ("cut", rsa.sign(&rsa.claims(&gw)).rsplit_once('.').unwrap().0.to_string()),
        ("empty signature", format!("{}.", rsa.sign(&rsa.claims(&gw)).rsplit_once('.').unwrap().0)),
    ] {
        let refused = rsa.sends(&gw, &jwt, &[]).await;
        assert_eq!(refused.status, 401, "{why}: {}", refused.text);
        refused.says(401, "invalid_client");
    }
    let mut foreign = header("RS384", "r1");
    foreign["jku"] = json!(format!("{}/keys", gw.address));
    rsa.sends(&gw, &assertion(&foreign, &claims, &RSA), &[]).await.says(401, "invalid_client");
    // One kid and no key at fault: a header without a kid tries what is registered.
    let bare = assertion(&json!({"alg": "ES384"}), &ec.claims(&gw).to_string(), &EC);
    ec.sends(&gw, &bare, &[]).await.is(200);
}

on_both!(of_two_keys_with_one_kid_the_one_that_fits_is_taken);
async fn of_two_keys_with_one_kid_the_one_that_fits_is_taken(on: On) {
    let gw = TestGateway::exchange(on, None).await;
    for (id, keys) in [("twice", [(&*OTHER, "k"), (&*RSA, "k")]), ("mixed", [(&*EC, "k"), (&*RSA, "k")])] {
        let system = System::enrol(&gw, id, "river-clinic", &keys).await;
        let jwt = |key: &Key| assertion(&json!({"alg": "RS384", "kid": "k"}), &system.claims(&gw).to_string(), key);
        system.sends(&gw, &jwt(&RSA), &[]).await.is(200);
        if id == "mixed" {
            system.sends(&gw, &jwt(&OTHER), &[]).await.says(401, "invalid_client");
        }
    }
}

on_both!(a_key_that_is_too_weak_is_refused);
async fn a_key_that_is_too_weak_is_refused(on: On) {
    let gw = TestGateway::start_with(on, |config| {
        config.server.base_url = Some("https://exchange.example".to_string());
    })
    .await;
    gw.enrol("river-clinic", Kind::Clinic, None).await;
    let small = json!({"keys": [{"kty": "RSA", "kid": "small", "alg": "RS384", "n": SMALL_N, "e": "AQAB"}]});
    enroll::client(&gw.ctx, &client("small-key", "river-clinic", &small)).await.unwrap();
    let system = System { id: "small-key".into(), key: &RSA, kid: "small".into() };
    system.sends(&gw, SMALL_JWT, &[]).await.says(401, "invalid_client");

    let system = System::enrol(&gw, "p256", "river-clinic", &[(&P256, "p")]).await;
    let mut claims = system.claims(&gw);
    claims["aud"] = json!("https://exchange.example/auth/token");
    let jwt = assertion(&json!({"alg": "ES384", "kid": "p"}), &claims.to_string(), &P256);
    system.sends(&gw, &jwt, &[]).await.says(401, "invalid_client");
    let strong = System::enrol(&gw, "strong", "river-clinic", &[(&EC, "e")]).await;
    let mut claims = strong.claims(&gw);
    claims["aud"] = json!("https://exchange.example/auth/token");
    strong.sends(&gw, &strong.sign(&claims), &[]).await.is(200);
}

on_both!(an_assertion_is_good_once_even_after_a_restart);
async fn an_assertion_is_good_once_even_after_a_restart(on: On) {
    let (gw, rsa, ec) = start(on).await;
    let mut claims = rsa.claims(&gw);
    claims["jti"] = json!("once");
    let granted = rsa.sends(&gw, &rsa.sign(&claims), &[]).await.is(200).body;
    rsa.sends(&gw, &rsa.sign(&claims), &[]).await.says(401, "invalid_client");

    let again = gw.another_node().await;
    let url = json!([format!("{}/auth/token", gw.address), format!("{}/auth/token", again.address)]);
    claims["aud"] = url.clone();
    rsa.sends(&again, &rsa.sign(&claims), &[]).await.says(401, "invalid_client");
    // The same jti of another client is another assertion; a token outlives the restart (rules.md 34).
    let mut theirs = ec.claims(&gw);
    (theirs["jti"], theirs["aud"]) = (json!("once"), url);
    ec.sends(&again, &ec.sign(&theirs), &[]).await.is(200);
    let bearer = format!("Bearer {}", granted["access_token"].as_str().unwrap());
    again.stranger().send(Method::GET, "/fhir/Patient", &[("authorization", &bearer)], None).await.is(200);
}

on_both!(an_unknown_client_learns_nothing);
async fn an_unknown_client_learns_nothing(on: On) {
    let (gw, rsa, _) = start(on).await;
    let unknown = System { id: "nobody".into(), key: &RSA, kid: "r1".into() };
    unknown.signs_in(&gw, &[]).await.says(401, "invalid_client");
    let keyless = System { id: "river-clinic-system".into(), key: &RSA, kid: "r1".into() };
    keyless.signs_in(&gw, &[]).await.says(401, "invalid_client");
    for garbage in ["a.b.c", "..", "é", "eyJhbGciOiJSUzM4NCJ9..", &"a".repeat(100_000)] {
        rsa.sends(&gw, garbage, &[]).await.says(401, "invalid_client");
    }
    rsa.signs_in(&gw, &[]).await.is(200);
}
