//! Every address with no token and with wrong ones.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use handoff::gateway::sign_in;
use reqwest::Method;
use serde_json::json;

use crate::harness::{On, TestGateway, fixture};
use crate::on_both;

/// Every address that needs a token.
const CLOSED: [(&str, &str); 48] = [
    ("POST", "/fhir"),
    ("POST", "/fhir/"),
    ("GET", "/fhir/Patient"),
    ("GET", "/fhir/AuditEvent"),
    ("GET", "/fhir/Organization"),
    ("GET", "/fhir/Nonsense"),
    ("POST", "/fhir/Patient"),
    ("POST", "/fhir/Patient/_search"),
    ("POST", "/fhir/Patient/$validate"),
    ("GET", "/fhir/Patient/1"),
    ("HEAD", "/fhir/Patient/1"),
    ("GET", "/fhir/AuditEvent/1"),
    ("PUT", "/fhir/Patient/1"),
    ("PATCH", "/fhir/Patient/1"),
    ("DELETE", "/fhir/Patient/1"),
    ("PUT", "/fhir/Patient?identifier=x"),
    ("PATCH", "/fhir/Patient?identifier=x"),
    ("DELETE", "/fhir/Patient?identifier=x"),
    ("GET", "/fhir/$export"),
    ("POST", "/fhir/$export"),
    ("GET", "/fhir/Patient/$export"),
    ("GET", "/fhir/Group/1/$export"),
    ("GET", "/fhir/$export/1"),
    ("DELETE", "/fhir/$export/1"),
    ("GET", "/fhir/$export/1/Goal.ndjson"),
    ("GET", "/fhir/_history"),
    ("GET", "/fhir/Patient/1/$everything"),
    ("POST", "/fhir/Patient/1/$everything"),
    ("GET", "/fhir/Patient/1/$meta"),
    ("POST", "/fhir/Patient/1/$meta-add"),
    ("POST", "/fhir/Patient/1/$meta-delete"),
    ("POST", "/fhir/Consent/$decide"),
    ("GET", "/fhir/Consent/1/$reading"),
    ("GET", "/fhir/DocumentReference/$docref"),
    ("POST", "/fhir/DocumentReference/$docref"),
    ("GET", "/fhir/Patient/_history"),
    ("GET", "/fhir/Patient/1/_history"),
    ("GET", "/fhir/Patient/1/_history/1"),
    ("GET", "/fhir/Consent/$enforcement-status?patient=1"),
    ("GET", "/fhir/Consent/$expiring"),
    ("GET", "/fhir/Consent/$work-list"),
    ("POST", "/fhir/Consent/$work-done"),
    ("GET", "/fhir/Consent/1/$enforcement-status"),
    ("POST", "/fhir/Consent/1/$revoke"),
    ("POST", "/fhir/Consent/1/$verify"),
    ("POST", "/fhir/Patient/1/$emergency-access"),
    ("GET", "/fhir/Patient/1/$restricted"),
    ("POST", "/auth/introspect"),
];
const PUBLIC: [&str; 8] = [
    "/fhir/metadata",
    "/fhir/.well-known/smart-configuration",
    "/auth/jwks",
    "/health",
    "/ready",
    "/openapi.json",
    "/docs",
    "/docs/Patient",
];

async fn token(gw: &TestGateway, client: &str, ttl_secs: i64) -> String {
    sign_in::token_for(&gw.ctx, client, None, ttl_secs).await.ok().unwrap().token
}

on_both!(nothing_answers_without_a_good_token);
async fn nothing_answers_without_a_good_token(on: On) {
    let gw = TestGateway::exchange(on, None).await;
    let other = TestGateway::exchange(on, None).await;
    let good = token(&gw, "river-clinic-system", 300).await;
    let parts: Vec<&str> = good.split('.').collect();
    let head = BASE64.encode(r#"{"alg":"none","typ":"JWT"}"#);
    let mut forged: serde_json::Value = serde_json::from_slice(&BASE64.decode(parts[1]).unwrap()).unwrap();
    forged["partner"] = json!("harbor-housing");
    let wrong = [
        None,
        Some(String::new()),
        Some("Bearer".to_string()),
        Some("Bearer ".to_string()),
        Some("Bearer garbage".to_string()),
        Some("Bearer a.b.c".to_string()),
        Some("Basic cml2ZXI6Y2xpbmlj".to_string()),
        Some(good.clone()),
        Some(format!("Bearer {}", token(&other, "river-clinic-system", 300).await)),
        Some(format!("Bearer {}", token(&gw, "river-clinic-system", -1).await)),
        Some(format!("Bearer {head}.{}.", parts[1])),
        Some(format!("Bearer {head}.{}.{}", parts[1], parts[2])),
        Some(format!("Bearer {}.{}.{}", parts[0], BASE64.encode(forged.to_string()), parts[2])),
    ];
    let stranger = gw.stranger();
    for (method, path) in CLOSED {
        let method: Method = method.parse().unwrap();
        for wrong in &wrong {
            let headers: Vec<(&str, &str)> = wrong.iter().map(|text| ("authorization", text.as_str())).collect();
            let body = (method != Method::GET && method != Method::HEAD).then(|| fixture("ana").to_string());
            let answer = stranger.send(method.clone(), path, &headers, body).await;
            assert_eq!(answer.status, 401, "{method} {path} with {wrong:?}: {}", answer.text);
            assert!(answer.header("www-authenticate").starts_with("Bearer"), "{method} {path}");
            assert!(!answer.header("x-request-id").is_empty());
            if method != Method::HEAD {
                assert_eq!(answer.body["resourceType"], "OperationOutcome", "{method} {path}: {}", answer.text);
                assert_eq!(answer.rules(), ["token"]);
            }
        }
    }
    let headers = [("authorization", format!("Bearer {good}"))];
    let headers: Vec<(&str, &str)> = headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
    assert_eq!(stranger.send(Method::GET, "/fhir/Patient", &headers, None).await.is(200).body["total"], 0);
}

on_both!(what_is_public_needs_no_token);
async fn what_is_public_needs_no_token(on: On) {
    let gw = TestGateway::exchange(on, None).await;
    for path in PUBLIC {
        gw.stranger().get(path).await.is(200);
    }
    let said = gw.stranger().get("/fhir/.well-known/smart-configuration").await.is(200).body;
    for capability in ["permission-v1", "permission-v2"] {
        assert!(said["capabilities"].as_array().unwrap().contains(&json!(capability)), "T50: {said}");
    }
    let statement = gw.stranger().get("/fhir/metadata").await.is(200).body;
    assert_eq!(statement["resourceType"], "CapabilityStatement");
    assert!(!statement.to_string().contains("river-clinic"), "says nothing about the partners");
}
