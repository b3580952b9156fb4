//! What a token is good for: scopes, purposes, and when it ends.

use handoff::gateway::{enroll, sign_in};
use handoff::partner::{Client, Kind};
use reqwest::Method;
use serde_json::{Value, json};

use crate::assertion::{EC, System};
use crate::harness::{Answer, On, TestGateway, fixture, key};
use crate::on_both;

async fn bearing(gw: &TestGateway, token: &str, method: Method, path: &str, more: &[(&str, &str)]) -> Answer {
    let bearer = format!("Bearer {token}");
    let mut headers = vec![("authorization", bearer.as_str())];
    headers.extend(more);
    gw.stranger().send(method, path, &headers, None).await
}

/// What introspection says of a token, asked with a good one.
async fn introspected(gw: &TestGateway, token: &str) -> Value {
    let form = Some(format!("token={token}"));
    gw.system("harbor-housing").await.send(Method::POST, "/auth/introspect", &[], form).await.is(200).body
}

async fn system(gw: &TestGateway) -> System {
    System::enrol(gw, "ehr", "river-clinic", &[(&EC, "e1")]).await
}

fn token(answer: &Answer) -> String {
    answer.body["access_token"].as_str().unwrap().to_string()
}

on_both!(scopes_are_never_wider_than_asked_or_registered);
async fn scopes_are_never_wider_than_asked_or_registered(on: On) {
    let gw = TestGateway::exchange(on, None).await;
    let ehr = system(&gw).await;
    for (asked, granted) in [
        ("system/*.cruds", "system/*.cruds"),
        ("system/CarePlan.read", "system/CarePlan.rs"),
        ("system/CarePlan.write", "system/CarePlan.cud"),
        ("system/CarePlan.rs system/AuditEvent.rs", "system/CarePlan.rs"),
        ("openid launch/patient patient/*.read system/CarePlan.rs offline_access", "system/CarePlan.rs"),
    ] {
        let answer = ehr.signs_in(&gw, &[("scope", asked)]).await.is(200);
        assert_eq!(answer.body["scope"], granted, "{asked}");
    }
    for asked in ["system/CarePlan.dus", "system/AuditEvent.rs", "system/*.rs?category=x", "openid", "", "system/.rs"] {
        let refused = ehr.signs_in(&gw, &[("scope", asked)]).await;
        assert_eq!((refused.status, refused.body["error"].as_str()), (400, Some("invalid_scope")), "{asked}");
    }
}

on_both!(scopes_are_asked_at_every_interaction);
async fn scopes_are_asked_at_every_interaction(on: On) {
    let gw = TestGateway::exchange(on, None).await;
    gw.client("reader", "river-clinic", "system/CarePlan.rs").await;
    let (clinic, reader) = (gw.system("river-clinic").await, gw.signed_in("reader").await);
    let sent = clinic.submits(&fixture("ana")).await;
    let (plan, goal) = (sent.one("CarePlan"), sent.one("Goal"));
    let path = format!("/fhir/{}", key(&plan));
    reader.get(&path).await.is(200);
    reader.get("/fhir/CarePlan").await.is(200);
    reader.get(&format!("{path}/_history")).await.is(200);
    reader.get(&format!("{path}/_history/1")).await.is(200);
    let denied = [
        reader.post("/fhir/CarePlan", &plan).await,
        reader.put(&path, &plan).await,
        reader.delete(&path).await,
        reader.get(&format!("/fhir/{}", key(&goal))).await,
        reader.get(&format!("/fhir/{}/_history", key(&goal))).await,
        reader.get(&format!("/fhir/{}/_history/1", key(&goal))).await,
        reader.get("/fhir/Goal/nobody").await,
        reader.get("/fhir/Goal").await,
        reader.get("/fhir/Organization").await,
        reader.get("/fhir/AuditEvent").await,
        clinic.get("/fhir/AuditEvent").await,
        clinic.get("/fhir/AuditEvent/1").await,
        clinic.get("/fhir/AuditEvent/1/_history").await,
    ];
    for (at, denied) in denied.into_iter().enumerate() {
        assert_eq!(denied.status, 403, "{at}: {}", denied.text);
        assert_eq!(denied.rules(), ["scope"], "{at}");
    }
    clinic.post("/fhir/AuditEvent", &json!({"resourceType": "AuditEvent"})).await.is(405);
    gw.compliance("river-clinic").await.get("/fhir/AuditEvent").await.is(200);
    assert_eq!(gw.compliance("river-clinic").await.get("/fhir/Patient").await.is(403).rules(), ["scope"]);
    assert_eq!(clinic.get(&path).await.is(200).body["meta"]["versionId"], "1");
}

on_both!(scopes_hold_inside_a_bundle_too);
async fn scopes_hold_inside_a_bundle_too(on: On) {
    let gw = TestGateway::exchange(on, None).await;
    gw.client("reader", "river-clinic", "system/CarePlan.rs").await;
    let (clinic, reader) = (gw.system("river-clinic").await, gw.signed_in("reader").await);
    let sent = clinic.submits(&fixture("ana")).await;
    let get = |url: &str| json!({"request": {"method": "GET", "url": url}});
    let make = json!({"resource": {"resourceType": "Patient"}, "request": {"method": "POST", "url": "Patient"}});
    let entries = vec![get("CarePlan"), get("Goal"), get(&sent.key("Goal")), get(&sent.key("CarePlan")), make.clone()];
    let batch = json!({"resourceType": "Bundle", "type": "batch", "entry": entries});
    let answers = reader.post("/fhir", &batch).await.is(200).body;
    let statuses: Vec<&str> = answers["entry"]
        .as_array()
        .unwrap()
        .iter()
        .map(|entry| entry["response"]["status"].as_str().unwrap().split(' ').next().unwrap())
        .collect();
    assert_eq!(statuses, ["200", "403", "403", "200", "403"]);
    let transaction = json!({"resourceType": "Bundle", "type": "transaction", "entry": [make]});
    assert_eq!(reader.post("/fhir", &transaction).await.is(403).rules(), ["scope"]);
}

on_both!(a_purpose_is_the_registered_one_or_one_of_them);
async fn a_purpose_is_the_registered_one_or_one_of_them(on: On) {
    let gw = TestGateway::exchange(on, None).await;
    for (partner, purpose) in [("river-clinic", "TREAT"), ("harbor-housing", "COC"), ("county-social-service", "COC")] {
        let token = sign_in::token_for(&gw.ctx, &format!("{partner}-system"), None, 300).await.ok().unwrap().token;
        assert_eq!(introspected(&gw, &token).await["purpose_of_use"], json!([purpose]), "{partner}");
    }
    let ehr = system(&gw).await;
    let client = Client { purposes: vec!["HPAYMT".into(), "TREAT".into()], ..ehr_client(&gw).await };
    enroll::client(&gw.ctx, &client).await.unwrap();
    gw.advance_secs(2);
    for (form, purposes) in [
        (vec![], json!(["HPAYMT"])),
        (vec![("purpose", "TREAT")], json!(["TREAT"])),
        (vec![("purpose", "TREAT HPAYMT")], json!(["TREAT", "HPAYMT"])),
    ] {
        let granted = token(&ehr.signs_in(&gw, &form).await.is(200));
        assert_eq!(introspected(&gw, &granted).await["purpose_of_use"], purposes);
    }
    for other in ["COC", "TREAT COC", "", "nonsense"] {
        let refused = ehr.signs_in(&gw, &[("purpose", other)]).await.is(400);
        assert_eq!(refused.body["error"], "invalid_grant", "{other}");
    }
}

async fn ehr_client(gw: &TestGateway) -> Client {
    gw.ctx.client("ehr").await.unwrap().unwrap().as_ref().clone()
}

on_both!(the_b2b_extension_names_the_purpose);
async fn the_b2b_extension_names_the_purpose(on: On) {
    let gw = TestGateway::exchange(on, None).await;
    let ehr = system(&gw).await;
    let with = |extension: Value| {
        let mut claims = ehr.claims(&gw);
        claims["extensions"] = json!({"hl7-b2b": extension});
        ehr.sign(&claims)
    };
    for purpose in
        ["TREAT", "urn:oid:2.16.840.1.113883.5.8#TREAT", "http://terminology.hl7.org/CodeSystem/v3-ActReason#TREAT"]
    {
        let jwt = with(json!({"version": "1", "purpose_of_use": [purpose], "organization_id": "https://x.example"}));
        let granted = token(&ehr.sends(&gw, &jwt, &[]).await.is(200));
        assert_eq!(introspected(&gw, &granted).await["purpose_of_use"], json!(["TREAT"]), "{purpose}");
    }
    for bad in [
        json!({"version": "2", "purpose_of_use": ["TREAT"]}),
        json!({"version": 1, "purpose_of_use": ["TREAT"]}),
        json!({"purpose_of_use": ["TREAT"]}),
        json!({"version": "1"}),
        json!({"version": "1", "purpose_of_use": []}),
        json!({"version": "1", "purpose_of_use": [7]}),
        json!({"version": "1", "purpose_of_use": ["HRESCH"]}),
        json!("TREAT"),
    ] {
        let refused = ehr.sends(&gw, &with(bad.clone()), &[]).await;
        assert_eq!((refused.status, refused.body["error"].as_str()), (400, Some("invalid_grant")), "{bad}");
    }
}

on_both!(a_header_narrows_the_purpose_and_never_widens_it);
async fn a_header_narrows_the_purpose_and_never_widens_it(on: On) {
    let gw = TestGateway::exchange(on, None).await;
    gw.system("river-clinic").await.submits(&fixture("ana")).await;
    let client = Client {
        id: "two".into(),
        partner: "county-social-service".into(),
        scope: "system/*.rs".into(),
        purposes: vec!["COC".into(), "HMARKT".into()],
        jwks: None,
        jwks_url: None,
        revoked: false,
        btg: false,
        practitioner: None,
    };
    enroll::client(&gw.ctx, &client).await.unwrap();
    let both = Some(vec!["COC".to_string(), "HMARKT".to_string()]);
    let token = sign_in::token_for(&gw.ctx, "two", both, 300).await.ok().unwrap().token;
    let total = |header: Option<&'static str>| {
        let (gw, token) = (&gw, &token);
        async move {
            let more: Vec<(&str, &str)> = header.iter().map(|purpose| ("x-purpose-of-use", *purpose)).collect();
            bearing(gw, token, Method::GET, "/fhir/CarePlan", &more).await
        }
    };
    // Ana's consent for this agency is for COC; R12: one permitted purpose is enough, none being denied.
    assert_eq!(total(None).await.is(200).body["total"], 1);
    assert_eq!(total(Some("COC")).await.is(200).body["total"], 1);
    assert_eq!(total(Some("HMARKT")).await.is(200).body["total"], 0);
    for wider in ["TREAT", "COC,TREAT", "", " ", "ETREAT"] {
        assert_eq!(total(Some(wider)).await.is(403).rules(), ["purpose"], "{wider}");
    }
}

on_both!(a_revoked_client_is_out_within_a_second);
async fn a_revoked_client_is_out_within_a_second(on: On) {
    let gw = TestGateway::exchange(on, None).await;
    let ehr = system(&gw).await;
    let granted = token(&ehr.signs_in(&gw, &[]).await.is(200));
    bearing(&gw, &granted, Method::GET, "/fhir/Patient", &[]).await.is(200);
    assert_eq!(introspected(&gw, &granted).await["active"], true);
    let client = Client { revoked: true, ..ehr_client(&gw).await };
    enroll::client(&gw.ctx, &client).await.unwrap();
    gw.advance_secs(1);
    bearing(&gw, &granted, Method::GET, "/fhir/Patient", &[]).await.is(401);
    assert_eq!(introspected(&gw, &granted).await, json!({"active": false}));
    assert_eq!(ehr.signs_in(&gw, &[]).await.is(401).body["error"], "invalid_client");
    gw.system("river-clinic").await.get("/fhir/Patient").await.is(200);
}

on_both!(introspection_says_nothing_of_a_bad_token);
async fn introspection_says_nothing_of_a_bad_token(on: On) {
    let gw = TestGateway::exchange(on, None).await;
    let other = TestGateway::exchange(on, None).await;
    let of = |gw: &TestGateway, ttl_secs| {
        let ctx = gw.ctx.clone();
        async move { sign_in::token_for(&ctx, "river-clinic-system", None, ttl_secs).await.ok().unwrap().token }
    };
    for bad in [of(&other, 300).await, of(&gw, -1).await, "garbage".to_string(), String::new()] {
        assert_eq!(introspected(&gw, &bad).await, json!({"active": false}), "{bad}");
    }
    let good = introspected(&gw, &of(&gw, 300).await).await;
    assert_eq!((good["active"].as_bool(), good["client_id"].as_str()), (Some(true), Some("river-clinic-system")));
}

on_both!(a_token_for_one_use_is_none_for_another);
async fn a_token_for_one_use_is_none_for_another(on: On) {
    let gw = TestGateway::start_with(on, |config| config.console.sign_in_links = true).await;
    gw.enrol("river-clinic", Kind::Clinic, None).await;
    let link = sign_in::link_for(&gw.ctx, "river-clinic-worker").await.unwrap().unwrap();
    let session = sign_in::session(&gw.ctx, &link).await.unwrap().unwrap();
    let ehr = system(&gw).await;
    for wrong in [link, session, ehr.sign(&ehr.claims(&gw))] {
        bearing(&gw, &wrong, Method::GET, "/fhir/Patient", &[]).await.is(401);
    }
    let granted = token(&ehr.signs_in(&gw, &[]).await.is(200));
    assert!(sign_in::session_caller(&gw.ctx, &granted).await.unwrap().is_none());
}
