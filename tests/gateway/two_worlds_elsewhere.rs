//! What leaves by other doors (reference: consent.md, section 7): files, deliveries, the console, the log, limits.
//! Each probe is named by its number there.

use std::io::Write;
use std::sync::{Arc, Mutex};

use futures_util::future::join;
use handoff::gateway::sign_in;
use reqwest::Method;
use reqwest::header::SET_COOKIE;
use serde_json::{Value, json};

use crate::harness::{On, Receiver, TestGateway, key};
use crate::on_both;
use crate::reach::{class, permit};
use crate::two_worlds::{COUNTY, HIDDEN, Pair, SEEN, SHELTER, Two, World, about, below, normal, put, without_chance};

const ASYNC: (&str, &str) = ("prefer", "respond-async");

/// Kicks an export off in both, lists it, and fetches everything; answers the files' text.
async fn exported(two: &Two, county: &Pair, path: &str) -> String {
    let begun = county.each(Method::GET, [path, path], &[ASYNC]).await;
    assert_eq!(begun[0].status, 202, "{path}: {}", begun[0].text);
    let status = begun.each_ref().map(|begun| below(begun.header("content-location")).to_string());
    county.each(Method::GET, [&status[0], &status[1]], &[]).await;
    for world in [&two.full, &two.empty] {
        while world.gw.export_due().await > 0 {}
    }
    let done = county.each(Method::GET, [&status[0], &status[1]], &[]).await;
    let outputs = done.each_ref().map(|done| files(&done.body));
    let mut said = String::new();
    for (full, empty) in outputs[0].iter().zip(&outputs[1]) {
        let [full, _] = county.each(Method::GET, [below(full), below(empty)], &[]).await;
        said.push_str(&full.text);
    }
    said
}

fn files(manifest: &Value) -> Vec<String> {
    let each = ["output", "error", "deleted"]
        .into_iter()
        .flat_map(|list| manifest[list].as_array().cloned().unwrap_or_default());
    each.map(|file| file["url"].as_str().unwrap().to_string()).collect()
}

on_both!(h26_exports);
async fn h26_exports(on: On) {
    let two = Two::start(on).await;
    let county = two.county().await;
    for path in [
        "/fhir/$export",
        "/fhir/Patient/$export",
        "/fhir/Patient/$export?_type=Goal,Condition,Task,Location,Practitioner",
        "/fhir/Patient/$export?patient=Patient/river-clinic-hid",
        "/fhir/Patient/$export?patient=Patient/river-clinic-seen",
        "/fhir/$export?_type=Goal,Observation&_typeFilter=Observation%3Fencounter.patient%3Driver-clinic-hid",
        "/fhir/$export?_since=2026-03-02T12:00:00Z",
    ] {
        let said = exported(&two, &county, path).await;
        for line in said.lines() {
            let resource: Value = serde_json::from_str(line).unwrap();
            assert!(!key(&resource).contains("hid"), "{path}: {line}");
        }
        let hidden_alone = path.contains("patient=Patient/river-clinic-hid");
        assert_eq!(said.contains("\"id\":\"river-clinic-g0\""), !hidden_alone, "{path}");
    }
    for group in ["river-clinic-hid-two", "nothing"] {
        county.send(Method::GET, &format!("/fhir/Group/{group}/$export"), &[ASYNC], None).await.is(404);
    }
    // Somebody else's job, and one that never was.
    for world in [&two.full, &two.empty] {
        let clinic = world.gw.system("river-clinic").await;
        let begun = clinic.send(Method::GET, "/fhir/$export", &[ASYNC], None).await.is(202);
        let theirs = below(begun.header("content-location")).to_string();
        let actor = world.gw.system(COUNTY).await;
        let mut said = Vec::new();
        for path in [theirs.clone(), "/fhir/$export/00000000-0000-4000-8000-000000000000".to_string()] {
            for more in ["", "/Goal.ndjson", "/OperationOutcome.ndjson"] {
                for method in [Method::GET, Method::DELETE] {
                    let answer = actor.send(method, &format!("{path}{more}"), &[], None).await;
                    said.push((path == theirs, more, answer.status, without_chance(&answer.text)));
                }
            }
        }
        let (of_theirs, of_none) = said.split_at(6);
        for (one, other) in of_theirs.iter().zip(of_none) {
            assert_eq!((one.1, one.2, &one.3), (other.1, other.2, &other.3));
        }
    }
}

on_both!(h26_an_export_that_was_listed_before_a_consent_ended);
async fn h26_an_export_that_was_listed_before_a_consent_ended(on: On) {
    let two = Two::start(on).await;
    let county = two.county().await;
    let begun = county.each(Method::GET, ["/fhir/Patient/$export"; 2], &[ASYNC]).await;
    let status = begun.each_ref().map(|begun| below(begun.header("content-location")).to_string());
    for world in [&two.full, &two.empty] {
        while world.gw.export_due().await > 0 {}
        let clinic = world.gw.system("river-clinic").await;
        let mut consent = clinic.get("/fhir/Consent/river-clinic-c-seen").await.is(200).body;
        consent["status"] = json!("inactive");
        put(&clinic, "river-clinic-c-seen", consent).await;
    }
    let done = county.each(Method::GET, [&status[0], &status[1]], &[]).await;
    let outputs = done.each_ref().map(|done| files(&done.body));
    for (full, empty) in outputs[0].iter().zip(&outputs[1]) {
        let [full, _] = county.each(Method::GET, [below(full), below(empty)], &[]).await;
        assert!(!full.text.contains("Patient/river-clinic-seen") || full.text.contains("county-social-service-own"));
    }
}

on_both!(h27_h28_subscriptions_are_the_same_in_both);
async fn h27_h28_subscriptions_are_the_same_in_both(on: On) {
    let two = Two::start(on).await;
    let county = two.county().await;
    for criteria in ["Goal?patient=river-clinic-hid", "Task?owner=Organization/county-social-service", "Condition"] {
        let subscription = json!({"resourceType": "Subscription", "status": "requested", "reason": "x", "criteria": criteria,
            "channel": {"type": "rest-hook", "endpoint": "https://county.example/hook", "payload": "application/fhir+json"}});
        county.post("/fhir/Subscription", &subscription).await;
    }
    for path in [
        "/fhir/Subscription",
        "/fhir/Subscription/$status",
        "/fhir/Subscription/x/$status",
        "/fhir/Subscription/x/$events",
        "/fhir/Subscription/x/$get-ws-binding-token",
        "/fhir/SubscriptionTopic",
        "/fhir/SubscriptionStatus",
    ] {
        county.get(path).await;
    }
    // Whatever happens to what is hidden: no event of it.
    let clinic = two.full.gw.system("river-clinic").await;
    let task = clinic.get("/fhir/Task/river-clinic-hid-held").await.is(200).body;
    put(&clinic, "river-clinic-hid-held", task).await;
    two.tick().await;
    for world in [&two.full, &two.empty] {
        assert_eq!(world.gw.deliver_due().await, 0);
    }
    county.pages("/fhir/Subscription/_history").await;
}

on_both!(h30_what_visible_resources_say_of_others);
async fn h30_what_visible_resources_say_of_others(on: On) {
    let two = Two::start(on).await;
    let county = two.county().await;
    // The text of a reference is the sender's, there or not. What is told of its target is the same.
    for key in [
        "Goal/river-clinic-g0",
        "Goal/river-clinic-g1",
        "Observation/river-clinic-obs",
        "CareTeam/river-clinic-team",
        "CarePlan/river-clinic-plan",
    ] {
        for form in [
            "",
            "?_format=xml",
            "?_summary=true",
            "?_elements=addresses,expressedBy,participant,goal",
            "/_history/1",
            "/$meta",
        ] {
            county.get(&format!("/fhir/{key}{form}")).await.is(200);
        }
    }
}

on_both!(h33_the_log_of_who_was_refused);
async fn h33_the_log_of_who_was_refused(on: On) {
    let two = Two::start(on).await;
    two.tick().await;
    two.advance_secs(600);
    let county = two.county().await;
    for hidden in HIDDEN {
        let id = [("x-request-id", "probe")];
        county.send(Method::GET, &format!("/fhir/{hidden}"), &id, None).await.is(404);
        county.send(Method::GET, &format!("/fhir/{hidden}/_history/1"), &id, None).await.is(404);
        county.send(Method::DELETE, &format!("/fhir/{hidden}"), &id, None).await.is(404);
        let body = json!({"language": "en"}).to_string();
        let patch = [("x-request-id", "probe"), ("content-type", "application/merge-patch+json")];
        county.send(Method::PATCH, &format!("/fhir/{hidden}"), &patch, Some(body)).await.is(404);
    }
    for query in ["Goal?patient=river-clinic-hid", "Condition", "Goal?_count=2", "Patient?_revinclude=*"] {
        county.send(Method::GET, &format!("/fhir/{query}"), &[("x-request-id", "probe")], None).await.is(200);
    }
    two.tick().await;
    let officer = two.signed_in("county-social-service-compliance").await;
    // What came before is another story in each world; from here on they tell the same.
    let since = "date=ge2026-03-02T12:10:00Z";
    for query in [format!("{since}&_count=200"), format!("{since}&_count=3")] {
        let path = format!("/fhir/AuditEvent?{query}");
        let [full, empty] = officer.both(&path).await.map(|log| without_numbers(log.is(200).body));
        assert!(!full["entry"].as_array().unwrap().is_empty(), "{query}");
        assert_eq!(without_chance(&full.to_string()), without_chance(&empty.to_string()), "{query}");
    }
    // Asked about somebody: only what it asked for by name itself.
    for patient in ["Patient/river-clinic-hid", "Patient/night-shelter-hid", "Patient/river-clinic-hid-revoked", SEEN] {
        let path = format!("/fhir/AuditEvent?{since}&patient={patient}");
        let [full, empty] = officer.both(&path).await.map(|log| without_numbers(log.is(200).body));
        assert_eq!(without_chance(&full.to_string()), without_chance(&empty.to_string()), "{patient}");
    }
    for path in ["/fhir/Consent/$decide", "/fhir/Consent/$enforcement-status", "/fhir/Condition/river-clinic-hid-cond"]
    {
        county.post(path, &json!({"resourceType": "Parameters"})).await;
    }
    officer.get("/fhir/Condition/river-clinic-hid-cond").await.is(403);
}

/// The log's numbers are those of everybody's records: compliance, who reads them, learns how many there are.
fn without_numbers(mut log: Value) -> Value {
    for entry in log["entry"].as_array_mut().into_iter().flatten() {
        entry["resource"]["meta"].as_object_mut().unwrap().remove("tag");
    }
    log
}

on_both!(h39_limits_do_not_depend_on_what_is_hidden);
async fn h39_limits_do_not_depend_on_what_is_hidden(on: On) {
    let two = Two::start(on).await;
    let county = two.county().await;
    // Another partner's jobs, in the full world alone, take none of the county's room.
    let shelter = two.full.gw.system(SHELTER).await;
    for _ in 0..10 {
        shelter.send(Method::GET, "/fhir/$export", &[ASYNC], None).await.is(202);
    }
    for at in 0..12 {
        let begun = county.each(Method::GET, ["/fhir/Patient/$export?_type=Goal"; 2], &[ASYNC]).await;
        assert_eq!(begun[0].status, if at < 10 { 202 } else { 429 });
    }
    let many: String = (0..65).map(|at| format!("{}river-clinic-hid-{at}", if at == 0 { "" } else { "," })).collect();
    for query in [format!("Goal?_id={many}"), "Goal?_count=100000".into(), format!("Goal?{}", "_id=x&".repeat(65))] {
        county.get(&format!("/fhir/{query}")).await;
    }
    county.post("/fhir", &json!({"resourceType": "Bundle", "type": "batch", "entry": []})).await;
}

/// A page of the console in both.
async fn page(two: &Two, cookies: &[String; 2], path: &str) -> String {
    let client = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build().unwrap();
    let ask = |world: &World, cookie: &String| {
        let request = client.get(format!("{}{path}", world.gw.address)).header("cookie", cookie);
        async move {
            let answer = request.send().await.unwrap();
            let status = answer.status();
            format!("{status} {}", without_chance(&answer.text().await.unwrap()))
        }
    };
    let (full, empty) = join(ask(&two.full, &cookies[0]), ask(&two.empty, &cookies[1])).await;
    assert!(full == empty, "{path}\nfull:  {full}\nempty: {empty}");
    full
}

async fn cookie(gw: &TestGateway, user: &str) -> String {
    let link = sign_in::link_for(&gw.ctx, user).await.unwrap().unwrap();
    let client = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build().unwrap();
    let answer = client.get(format!("{}/console/sign-in?link={link}", gw.address)).send().await.unwrap();
    answer.headers()[SET_COOKIE].to_str().unwrap().split(';').next().unwrap().to_string()
}

on_both!(h42_the_console);
async fn h42_the_console(on: On) {
    let two = Two::start_with(on, |config| config.console.sign_in_links = true).await;
    let user = format!("{COUNTY}-worker");
    let cookies = [cookie(&two.full.gw, &user).await, cookie(&two.empty.gw, &user).await];
    for path in [
        "/console/inbox",
        "/console/sent",
        "/console/log",
        "/console",
        "/console/people?q=Ced",
        "/console/search?q=Cedar",
    ] {
        page(&two, &cookies, path).await;
    }
    for hidden in HIDDEN {
        let id = hidden.split_once('/').unwrap().1;
        page(&two, &cookies, &format!("/console/referrals/{id}")).await;
    }
    let officer = format!("{COUNTY}-officer");
    let cookies = [cookie(&two.full.gw, &officer).await, cookie(&two.empty.gw, &officer).await];
    for path in [
        "/console/log?person=river-clinic-hid",
        "/console/log?partner=night-shelter",
        "/console/log?verdict=deny",
        "/console/log?verdict=deny&person=river-clinic-seen",
    ] {
        page(&two, &cookies, path).await;
    }
}

/// What is written to a log by this thread, which all of a test's gateways run on.
#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

on_both!(h43_metrics_health_and_lines_of_the_log);
async fn h43_metrics_health_and_lines_of_the_log(on: On) {
    let lines = Lines::default();
    let writer = lines.clone();
    let subscriber =
        tracing_subscriber::fmt().with_max_level(tracing::Level::TRACE).with_writer(move || writer.clone());
    let _guard = tracing::subscriber::set_default(subscriber.finish());
    let two = Two::start(on).await;
    let county = two.county().await;
    for path in ["/metrics", "/health", "/ready", "/fhir/metadata", "/fhir/$metrics", "/debug", "/fhir/Patient/$stats"]
    {
        county.get(path).await;
    }
    for hidden in HIDDEN {
        county.get(&format!("/fhir/{hidden}")).await.is(404);
        county.send(Method::DELETE, &format!("/fhir/{hidden}?reason=Cedar"), &[], None).await;
    }
    county.get("/fhir/Patient?family=Cedar&identifier=http://id%7CCedar").await;
    county.get("/fhir/Goal?_page=river-clinic-hid").await;
    two.tick().await;
    let said = String::from_utf8(lines.0.lock().unwrap().clone()).unwrap();
    let ours: String = said.lines().filter(|line| line.contains("handoff")).collect();
    for word in ["river-clinic-hid", "river-clinic-seen", "night-shelter-hid", "Cedar", "Alder", "Doe"] {
        assert!(!ours.contains(word), "{word}: {ours}");
    }
}

on_both!(h45_several_people_in_one_resource);
async fn h45_several_people_in_one_resource(on: On) {
    let two = Two::start(on).await;
    let county = two.county().await;
    for hidden in ["Group/river-clinic-hid-two", "CareTeam/river-clinic-hid-two"] {
        county.get(&format!("/fhir/{hidden}")).await.is(404);
    }
    for query in [
        "Group",
        "Group?member=Patient/river-clinic-seen",
        "Group?member=Patient/river-clinic-hid",
        "Group?_summary=count",
        "CareTeam?participant=Patient/river-clinic-hid",
        "CareTeam?patient=river-clinic-seen&_total=accurate",
        "Patient?_has:Group:member:type=person",
        "Patient?_revinclude=Group:member",
        "CarePlan?_include=CarePlan:care-team",
    ] {
        county.pages(&format!("/fhir/{query}")).await;
    }
    assert_eq!(county.found("/fhir/CareTeam").await, ["CareTeam/river-clinic-team"]);
    // Where both permit, it is seen.
    for world in [&two.full, &two.empty] {
        let clinic = world.gw.system("river-clinic").await;
        let mut team = normal(about("CareTeam", SEEN));
        team["participant"] = json!([{"member": {"reference": "Patient/river-clinic-plain"}}]);
        put(&clinic, "river-clinic-both", team).await;
        put(&clinic, "river-clinic-c-both", permit("Patient/river-clinic-plain", COUNTY, class(&["CareTeam"]))).await;
    }
    assert_eq!(county.found("/fhir/CareTeam").await.len(), 2);
}

/// A referral to a partner that is pushed to: what the Task points at is there and denied, or not there at all.
async fn parcel(on: On, full: bool) -> Vec<Value> {
    let receiver = Receiver::start().await;
    let gw = TestGateway::exchange_with(on, |config| {
        config.ids.client_assigned = true;
        config.server.base_url = Some(crate::two_worlds::BASE.to_string());
    })
    .await;
    gw.enrol("harbor-housing", handoff::partner::Kind::Housing, Some(&receiver.base)).await;
    let clinic = gw.system("river-clinic").await;
    put(&clinic, "river-clinic-ana", json!({"resourceType": "Patient"})).await;
    let ana = "Patient/river-clinic-ana";
    let mut consent = permit(ana, "harbor-housing", class(&["Task", "Goal", "Patient"]));
    consent["provision"]["purpose"][0]["code"] = json!("TREAT");
    put(&clinic, "river-clinic-c", consent).await;
    put(&clinic, "river-clinic-goal", about("Goal", ana)).await;
    if full {
        // Denied, and pointing at a Goal that is permitted.
        let mut request = about("ServiceRequest", ana);
        request["supportingInfo"] = json!([{"reference": "Goal/river-clinic-goal"}]);
        put(&clinic, "river-clinic-hid", request).await;
    }
    let mut task = about("Task", ana);
    task["owner"] = json!({"reference": "Organization/harbor-housing"});
    task["basedOn"] = json!([{"reference": "ServiceRequest/river-clinic-hid"}]);
    put(&clinic, "river-clinic-task", task).await;
    let task = clinic.get("/fhir/Task/river-clinic-task").await.is(200);
    assert!(task.body["businessStatus"].is_null(), "{}", task.text);
    while gw.deliver_due().await > 0 {}
    receiver.received()
}

on_both!(a_delivery_follows_nothing_that_is_denied);
async fn a_delivery_follows_nothing_that_is_denied(on: On) {
    let (full, empty) = (parcel(on, true).await, parcel(on, false).await);
    assert_eq!(full.len(), 1);
    assert_eq!(without_chance(&json!(full).to_string()), without_chance(&json!(empty).to_string()));
}
