//! What a look tells (reference: consent.md, section 7): by id, by version, by search, by what comes along. Each
//! probe is named by its number there.

use reqwest::Method;
use serde_json::{Value, json};

use crate::harness::{Answer, On};
use crate::on_both;
use crate::two_worlds::{Ask, COUNTY, HIDDEN, HOUSING, PLAIN, Pair, SEEN, Two};

/// The types of which something is hidden, and those of which something is seen.
const KINDS: [&str; 17] = [
    "Patient",
    "Goal",
    "Encounter",
    "Condition",
    "QuestionnaireResponse",
    "RelatedPerson",
    "ServiceRequest",
    "Observation",
    "CareTeam",
    "CarePlan",
    "Group",
    "Consent",
    "Provenance",
    "Task",
    "Practitioner",
    "PractitionerRole",
    "Location",
];

const SEEN_GOALS: usize = 5;

/// All that is hidden, by these forms of an address: not there.
async fn with_id(county: &Pair, more: &[&str]) {
    let paths = more.iter().flat_map(|more| HIDDEN.iter().map(move |hidden| format!("/fhir/{hidden}{more}")));
    for answer in county.gets(paths).await {
        answer.is(404);
    }
}

/// Searches behind `/fhir/`, each also in these other forms.
async fn searched(county: &Pair, queries: &[&str], more: &[&str]) -> Vec<Answer> {
    let paths = queries.iter().flat_map(|query| more.iter().map(move |more| format!("/fhir/{query}{more}")));
    county.gets(paths).await
}

/// Searches under both of `Prefer`'s handlings.
async fn both_handlings(county: &Pair, queries: &[String]) -> Vec<Answer> {
    let handlings = ["handling=lenient", "handling=strict"];
    let asks = queries.iter().flat_map(|query| {
        handlings.map(|prefer| Ask(Method::GET, format!("/fhir/{query}"), vec![("prefer", prefer.to_string())]))
    });
    county.all(asks.collect()).await
}

on_both!(h01_get_by_id);
async fn h01_get_by_id(on: On) {
    let two = Two::start(on).await;
    let county = two.county().await;
    let forms = ["", "?_format=xml", "?_summary=true", "?_elements=id", "?_pretty=true", "/$meta", "/", "/."];
    with_id(&county, &forms).await;
    let mut others = Vec::new();
    for hidden in HIDDEN {
        others.extend([hidden.to_uppercase(), hidden.replace("hid", "HID"), hidden.replace('/', "//")]);
    }
    for answer in county.gets(others.iter().map(|other| format!("/fhir/{other}"))).await {
        answer.is(404);
    }
    let owners = ["Patient/", "Encounter/", "RelatedPerson/", "Practitioner/"];
    let owners = HIDDEN.iter().filter(|hidden| owners.iter().any(|owner| hidden.starts_with(owner)));
    let paths = owners.flat_map(|owner| ["Goal", "*", "Observation"].map(|kind| format!("/fhir/{owner}/{kind}")));
    for answer in county.gets(paths).await {
        answer.is(200);
    }
    county.get(&format!("/fhir/{SEEN}")).await.is(200);
}

on_both!(h02_other_ways_to_ask_for_an_id);
async fn h02_other_ways_to_ask_for_an_id(on: On) {
    let two = Two::start(on).await;
    let county = two.county().await;
    let headers = [
        ("if-none-match", "W/\"1\""),
        ("if-none-match", "*"),
        ("if-modified-since", "Mon, 02 Mar 2026 11:00:00 GMT"),
        ("if-modified-since", "Mon, 02 Mar 2030 11:00:00 GMT"),
        ("if-match", "W/\"1\""),
        ("range", "bytes=0-1"),
        ("x-purpose-of-use", "COC"),
        ("prefer", "return=OperationOutcome"),
    ];
    let (mut asked, mut refused) = (Vec::new(), Vec::new());
    for hidden in HIDDEN {
        let path = format!("/fhir/{hidden}");
        for (name, value) in headers {
            asked.push(Ask(Method::GET, path.clone(), vec![(name, value.to_string())]));
            asked.push(Ask(Method::HEAD, path.clone(), vec![(name, value.to_string())]));
        }
        for method in [Method::OPTIONS, Method::TRACE, Method::POST] {
            refused.push(Ask(method, path.clone(), Vec::new()));
        }
    }
    for answer in county.all(asked).await {
        answer.is(404);
    }
    for answer in county.all(refused).await {
        answer.is(405);
    }
    county.send(Method::HEAD, &format!("/fhir/{SEEN}"), &[], None).await.is(200);
}

on_both!(h03_versions_of_one);
async fn h03_versions_of_one(on: On) {
    let two = Two::start(on).await;
    let county = two.county().await;
    let forms = ["", "?_count=1", "/0", "/1", "/2", "/99", "/x"].map(|more| format!("/_history{more}"));
    with_id(&county, &forms.each_ref().map(String::as_str)).await;
    county.get("/fhir/Goal/river-clinic-g0/_history/1").await.is(200);
    county.get("/fhir/Goal/river-clinic-g0/_history/3").await.is(404);
}

on_both!(h04_history_of_a_type_and_of_all);
async fn h04_history_of_a_type_and_of_all(on: On) {
    let two = Two::start(on).await;
    let county = two.county().await;
    let mut paths =
        vec!["/fhir/_history".to_string(), "/fhir/_history?_count=1".into(), "/fhir/_history?_count=3".into()];
    for kind in KINDS {
        paths.push(format!("/fhir/{kind}/_history"));
        paths.push(format!("/fhir/{kind}/_history?_count=1"));
    }
    for when in ["2026-03-02T12:00:00Z", "2026-03-02T12:00:03Z", "2026-03-02T12:01:02Z", "2026-03-02T12:01:09Z"] {
        paths.push(format!("/fhir/Goal/_history?_since={when}&_count=2"));
        paths.push(format!("/fhir/_history?_at={when}"));
    }
    for (path, pages) in county.walks(&paths).await {
        assert!(pages.iter().all(|page| !said_more(page).contains("hid")), "{path}");
    }
    let goals = county.get("/fhir/Goal/_history").await.is(200);
    assert_eq!(goals.body["total"], 8, "four, three of them twice, and its own: {}", goals.text);
}

/// A page without what its rows refer to by themselves.
fn said_more(page: &Answer) -> String {
    let entries = page.body["entry"].as_array().cloned().unwrap_or_default();
    entries.iter().map(|entry| format!("{} {}", entry["fullUrl"], entry["request"])).collect()
}

on_both!(h05_versions_that_were_visible_once);
async fn h05_versions_that_were_visible_once(on: On) {
    let two = Two::start(on).await;
    let county = two.county().await;
    let once = HIDDEN
        .iter()
        .filter(|key| ["relabelled", "narrowed", "revoked", "ended", "gone"].iter().any(|how| key.ends_with(how)));
    for hidden in once {
        for version in ["", "/1", "/2", "/3"] {
            county.get(&format!("/fhir/{hidden}/_history{version}")).await.is(404);
        }
    }
    for how in ["narrowed", "revoked", "ended"] {
        assert!(county.found(&format!("/fhir/Goal?patient=river-clinic-hid-{how}")).await.is_empty());
        county.get(&format!("/fhir/Patient/river-clinic-hid-{how}/$everything")).await.is(404);
    }
}

on_both!(h06_totals);
async fn h06_totals(on: On) {
    let two = Two::start(on).await;
    let county = two.county().await;
    let forms = ["", "?_total=accurate", "?_total=estimate", "?_total=none", "?_summary=count", "?_count=0"];
    let mut answers = searched(&county, &KINDS, &forms).await;
    let people =
        [SEEN, PLAIN, "Patient/river-clinic-hid", "Patient/night-shelter-hid", "Patient/river-clinic-hid-ended"];
    let of_people = ["Goal", "Condition", "Observation", "Task", "CareTeam", "Consent", "Provenance", "Encounter"];
    for patient in people {
        let named = format!("?patient={patient}");
        let forms = [&format!("{named}&_summary=count"), &format!("{named}&_count=1&_total=accurate")];
        answers.extend(searched(&county, &of_people, &forms.map(String::as_str)).await);
    }
    for answer in answers {
        answer.is(200);
    }
    assert_eq!(county.get("/fhir/Goal?_summary=count").await.is(200).body["total"], SEEN_GOALS);
    assert_eq!(county.get("/fhir/Patient?_total=accurate&_count=1").await.is(200).body["total"], 2);
    let form = Some("_total=accurate".to_string());
    let header = [("content-type", "application/x-www-form-urlencoded")];
    assert_eq!(county.send(Method::POST, "/fhir/Goal/_search", &header, form).await.is(200).body["total"], SEEN_GOALS);
}

on_both!(h07_pages);
async fn h07_pages(on: On) {
    let two = Two::start(on).await;
    let county = two.county().await;
    let paths = KINDS.iter().flat_map(|kind| [1, 2].map(|count| format!("/fhir/{kind}?_count={count}")));
    county.walks(&paths.collect::<Vec<String>>()).await;
    assert_eq!(county.pages("/fhir/Goal?_count=1").await.len(), SEEN_GOALS);
    for path in
        ["/fhir?_count=2", "/fhir?_type=Goal,Condition,Patient&_count=1", "/fhir/Patient/river-clinic-seen/*?_count=1"]
    {
        county.pages(path).await;
    }
    for page in county.pages("/fhir/Goal?_count=2").await.iter().rev().skip(1) {
        assert_eq!(page.keys().len(), 2, "a page that is not the last one is full");
    }
}

on_both!(h08_order);
async fn h08_order(on: On) {
    let two = Two::start(on).await;
    let county = two.county().await;
    for sort in [
        "_lastUpdated",
        "-_lastUpdated",
        "_id",
        "-_id",
        "target-date",
        "-target-date",
        "lifecycle-status,target-date",
        "patient",
        "-patient,_id",
    ] {
        let paths = ["1", "2", "50"].map(|count| format!("/fhir/Goal?_sort={sort}&_count={count}"));
        for (path, pages) in county.walks(&paths).await {
            assert_eq!(pages.iter().map(|page| page.keys().len()).sum::<usize>(), SEEN_GOALS, "{path}");
        }
    }
    for sort in ["family", "-birthdate", "gender,family"] {
        county.pages(&format!("/fhir/Patient?_sort={sort}&_count=1")).await;
    }
}

on_both!(h09_includes);
async fn h09_includes(on: On) {
    let two = Two::start(on).await;
    let county = two.county().await;
    let queries = [
        "Goal?_include=*",
        "Goal?_include=Goal:addresses",
        "Goal?_include=Goal:addresses:Condition",
        "Goal?_include=Goal:patient&_include:iterate=Patient:general-practitioner",
        "Observation?_include=Observation:encounter&_include=Observation:has-member&_include=Observation:performer",
        "Observation?_include=*&_include:iterate=*",
        "CareTeam?_include=CareTeam:participant",
        "CarePlan?_include=CarePlan:goal&_include=CarePlan:care-team&_include:iterate=Goal:addresses",
        "CarePlan?_include=*&_include:iterate=*&_count=1",
        "Patient?_include=Patient:general-practitioner&_include=Patient:link",
        "Goal?_id=county-social-service-own&_include=*",
    ];
    for (path, pages) in county.walks(&queries.map(|query| format!("/fhir/{query}"))).await {
        assert!(pages.iter().all(|page| page.status == 200 && !said_more(page).contains("hid")), "{path}");
    }
    let plan = county.get("/fhir/CarePlan?_include=CarePlan:goal").await.is(200);
    assert!(said_more(&plan).contains("Goal/river-clinic-g0"), "what is seen comes along: {}", plan.text);
}

on_both!(h10_what_refers_comes_along);
async fn h10_what_refers_comes_along(on: On) {
    let two = Two::start(on).await;
    let county = two.county().await;
    let queries = [
        "Patient?_revinclude=*",
        "Patient?_revinclude=*&_revinclude:iterate=*",
        "Patient?_revinclude=Goal:patient&_revinclude=Condition:patient&_revinclude=Task:patient",
        "Patient?_revinclude=Provenance:target&_revinclude=Consent:patient",
        "Patient?_revinclude=Group:member&_revinclude=CareTeam:participant",
        "Practitioner?_revinclude=Patient:general-practitioner&_revinclude=Goal:expressed-by",
        "Practitioner?_revinclude=PractitionerRole:practitioner&_include:iterate=PractitionerRole:location",
        "Organization?_revinclude=PractitionerRole:organization&_revinclude=Task:owner",
        "Goal?_revinclude=CarePlan:goal&_count=1",
        "Observation?_revinclude=Observation:has-member",
    ];
    for (path, pages) in county.walks(&queries.map(|query| format!("/fhir/{query}"))).await {
        assert!(pages.iter().all(|page| page.status == 200 && !said_more(page).contains("hid")), "{path}");
    }
    let patients = county.get("/fhir/Patient?_revinclude=Goal:patient").await.is(200);
    assert!(said_more(&patients).contains("Goal/river-clinic-g0"), "{}", patients.text);
}

on_both!(h11_chains);
async fn h11_chains(on: On) {
    let two = Two::start(on).await;
    let county = two.county().await;
    assert!(!county.found("/fhir/Goal?patient.family=alder").await.is_empty(), "a chain through what is seen");
    let queries = [
        "Goal?addresses:Condition.identifier=http://id%7Chid-cond",
        "Goal?addresses:Condition.patient.family=alder",
        "Goal?addresses.patient=river-clinic-seen",
        "Goal?expressed-by:Practitioner.family=reed",
        "Goal?expressed-by:Practitioner.name=Reed",
        "Observation?encounter.class=AMB",
        "Observation?encounter.patient=river-clinic-hid",
        "Observation?encounter:Encounter.status=finished",
        "Observation?has-member.code=secret",
        "Observation?has-member:Observation.status=final",
        "Observation?performer:Practitioner.family=Reed",
        "CareTeam?participant:RelatedPerson.identifier=http://id%7Chid-rel",
        "CareTeam?participant:Patient.family=Cedar",
        "CarePlan?goal.identifier=http://id%7Chid-label",
        "CarePlan?goal.lifecycle-status=active",
        "CarePlan?care-team.participant:Patient.family=cedar",
        "Goal?patient.general-practitioner.family=reed",
        "Goal?patient.family=cedar",
        "PractitionerRole?practitioner.family=reed",
        "PractitionerRole?location.name=hidden",
    ];
    searched(&county, &queries, &["", "&_summary=count", "&_count=1&_sort=_id"]).await;
}

on_both!(h12_has);
async fn h12_has(on: On) {
    let two = Two::start(on).await;
    let county = two.county().await;
    assert!(!county.found("/fhir/Patient?_has:Goal:patient:lifecycle-status=on-hold").await.is_empty());
    let queries = [
        "Patient?_has:Condition:patient:identifier=http://id%7Chid-cond",
        "Patient?_has:Condition:subject:_id=river-clinic-hid-cond",
        "Patient?_has:Goal:patient:identifier=http://id%7Chid-label",
        "Patient?_has:Goal:patient:identifier=http://id%7Chid-bare",
        "Patient?_has:Goal:patient:identifier=http://id%7Chid-rank",
        "Patient?_has:Goal:patient:_id=river-clinic-hid-instance",
        "Patient?_has:Observation:patient:code=secret",
        "Patient?_has:Task:patient:status=requested",
        "Patient?_has:ServiceRequest:subject:status=active",
        "Patient?_has:Group:member:type=person",
        "Patient?_has:CareTeam:participant:status=active",
        "Patient?_has:Provenance:target:agent=Organization/river-clinic",
        "Patient?_has:Consent:patient:status=active",
        "Patient?_has:AuditEvent:patient:action=R",
        "Practitioner?_has:Patient:general-practitioner:family=cedar",
        "Practitioner?_has:Goal:expressed-by:identifier=http://id%7Chid-0",
        "Practitioner?_has:PractitionerRole:practitioner:active=true",
        "Organization?_has:PractitionerRole:organization:active=true",
        "Organization?_has:PractitionerRole:organization:location.name=hidden",
        "Organization?_has:Task:owner:status=requested",
        "Goal?_has:CarePlan:goal:status=active",
        "Observation?_has:Observation:has-member:status=final",
    ];
    searched(&county, &queries, &["", "&_summary=count", "&_count=1"]).await;
}

on_both!(h13_nested_has_filter_and_composite);
async fn h13_nested_has_filter_and_composite(on: On) {
    let two = Two::start(on).await;
    let county = two.county().await;
    let queries = [
        "Practitioner?_has:Patient:general-practitioner:_has:Goal:patient:identifier=http://id%7Chid-0",
        "Practitioner?_has:Patient:general-practitioner:_has:Condition:patient:_id=river-clinic-hid-cond",
        "Goal?patient._has:Condition:patient:identifier=http://id%7Chid-cond",
        "Goal?patient._has:Goal:patient:identifier=http://id%7Chid-label",
        "Goal?patient:Patient._has:Observation:patient:code=secret",
        "CarePlan?goal.addresses:Condition.identifier=http://id%7Chid-cond",
        "Observation?code-value-quantity=http://x%7Cweight$70",
        "Observation?code-value-quantity=http://x%7Csecret$70",
        "Observation?patient._has:Observation:patient:code=secret&code-value-quantity=http://x%7Cweight$gt1",
        "Goal?_filter=identifier%20eq%20%22hid-label%22",
        "Patient?_filter=id%20eq%20river-clinic-hid",
        "Goal?_text=hidden",
        "Goal?_content=hidden",
        "Goal?_query=everything",
        "Goal?_list=river-clinic-hid",
    ];
    both_handlings(&county, &queries.map(str::to_string)).await;
    assert_eq!(county.found("/fhir/Observation?code-value-quantity=http://x%7Cweight$70").await.len(), 1);
}

on_both!(h14_a_page_token_of_somebody_else);
async fn h14_a_page_token_of_somebody_else(on: On) {
    let two = Two::start(on).await;
    let county = two.county().await;
    // What the clinic got is tried by the county.
    let mut tokens = Vec::new();
    for world in [&two.full, &two.empty] {
        let page = world.gw.system("river-clinic").await.get("/fhir/Goal?_count=1").await.is(200).body;
        tokens.push(crate::two_worlds::next_of(&page).unwrap());
    }
    let answers = county.each(Method::GET, [&tokens[0], &tokens[1]], &[]).await;
    assert!(answers.iter().all(|answer| answer.status == 400), "{}", answers[0].text);
    // The same partner with fewer rights: what comes is decided for it.
    for world in [&two.full, &two.empty] {
        world.gw.client("county-patients", COUNTY, "system/Patient.rs").await;
    }
    let next: Vec<String> = {
        let mut found = Vec::new();
        for world in [&two.full, &two.empty] {
            let page = world.gw.system(COUNTY).await.get("/fhir/Goal?_count=1").await.is(200).body;
            found.push(crate::two_worlds::next_of(&page).unwrap());
        }
        found
    };
    let fewer = two.signed_in("county-patients").await;
    for answer in fewer.each(Method::GET, [&next[0], &next[1]], &[]).await {
        answer.is(403);
    }
}

on_both!(h15_a_mention_gives_nothing);
async fn h15_a_mention_gives_nothing(on: On) {
    let two = Two::start(on).await;
    let clinic = two.full.gw.system("river-clinic").await;
    // Of somebody hidden, with a mention of somebody whom the county sees: there in one world alone.
    let mut mentions = crate::two_worlds::normal(crate::two_worlds::about("Observation", "Patient/river-clinic-hid"));
    mentions["focus"] = json!([{"reference": SEEN}]);
    mentions["note"] = json!([{"text": "x", "authorReference": {"reference": SEEN}}]);
    crate::two_worlds::put(&clinic, "river-clinic-hid-mention", mentions).await;
    let county = two.county().await;
    county.get("/fhir/Observation/river-clinic-hid-mention").await.is(404);
    for query in [
        format!("Observation?focus={SEEN}"),
        "Observation?focus:Patient.family=alder".to_string(),
        "Patient?_has:Observation:focus:status=final".to_string(),
        "Patient?_revinclude=Observation:focus".to_string(),
        format!("Observation?patient={SEEN}"),
        format!("{SEEN}/Observation"),
        format!("{SEEN}/$everything"),
    ] {
        county.pages(&format!("/fhir/{query}")).await;
    }
}

on_both!(h16_what_is_missing_and_what_is_not);
async fn h16_what_is_missing_and_what_is_not(on: On) {
    let two = Two::start(on).await;
    let county = two.county().await;
    let queries = [
        "Goal?addresses:missing=true",
        "Goal?addresses:missing=false",
        "Goal?identifier:missing=false",
        "Goal?identifier:missing=true",
        "Goal?lifecycle-status:not=active",
        "Goal?lifecycle-status:not=on-hold",
        "Observation?code:not=weight",
        "Observation?code:not=secret",
        "Observation?focus:missing=true",
        "Patient?identifier:not=http://id%7CAlder",
        "Patient?general-practitioner:missing=true",
        "Patient?gender:not=female",
        "Condition?patient:missing=true",
        "Task?owner:missing=true",
        "Goal?patient.identifier:not=http://id%7CAlder",
        "Goal?addresses.identifier:missing=false",
        "Goal?addresses:Condition.identifier:missing=true",
        "Goal?addresses:Condition._id:not=x",
        "Patient?_has:Condition:patient:identifier:missing=false",
        "Patient?_has:Goal:patient:identifier:missing=true",
        "Patient?_has:Goal:patient:lifecycle-status:not=on-hold",
        "Practitioner?_has:Patient:general-practitioner:gender:not=female",
        "Location?name:missing=false",
        "Goal?_security:not=http://terminology.hl7.org/CodeSystem/v3-ActCode%7CETH",
    ];
    searched(&county, &queries, &["", "&_count=1&_sort=-_id", "&_summary=count"]).await;
    assert_eq!(county.found("/fhir/Goal?lifecycle-status:not=completed").await.len(), SEEN_GOALS);
}

on_both!(h17_parts_of_rows);
async fn h17_parts_of_rows(on: On) {
    let two = Two::start(on).await;
    let county = two.county().await;
    for view in [
        "_elements=id",
        "_elements=addresses,identifier",
        "_elements=meta",
        "_summary=true",
        "_summary=text",
        "_summary=data",
        "_summary=false",
    ] {
        let found: Vec<String> = county.found(&format!("/fhir/Goal?{view}&_count=2")).await;
        assert_eq!(found.len(), SEEN_GOALS, "{view}");
        county.pages(&format!("/fhir/CarePlan?{view}&_include=*")).await;
        county.get(&format!("/fhir/Goal/river-clinic-g0?{view}")).await.is(200);
    }
}

on_both!(h25_everything_graph_and_graphql);
async fn h25_everything_graph_and_graphql(on: On) {
    let two = Two::start(on).await;
    let county = two.county().await;
    for patient in ["river-clinic-hid", "night-shelter-hid", "river-clinic-hid-revoked", "river-clinic-hid-ended"] {
        for more in ["", "?_count=1", "?_type=Goal", "?start=2026-01-01"] {
            county.get(&format!("/fhir/Patient/{patient}/$everything{more}")).await.is(404);
        }
    }
    for patient in [SEEN, PLAIN] {
        for more in [
            "",
            "?_count=1",
            "?_count=3",
            "?_type=Goal,Condition,Task",
            "?_since=2026-03-02T12:00:01Z",
            "?start=2026-01-01&end=2026-12-31",
        ] {
            let pages = county.pages(&format!("/fhir/{patient}/$everything{more}")).await;
            assert!(
                pages.iter().all(|page| page.status == 200 && !said_more(page).contains("hid")),
                "{patient} {more}"
            );
        }
        county
            .post(
                &format!("/fhir/{patient}/$everything"),
                &json!({"resourceType": "Parameters",
            "parameter": [{"name": "_count", "valueInteger": 2}]}),
            )
            .await
            .is(200);
    }
    let docs = county.get("/fhir/DocumentReference/$docref?patient=river-clinic-hid").await.is(200);
    assert_eq!(docs.body["total"], 0);
    // What is not offered is not offered in the same words.
    let forms = ["/$graph?graph=x", "/$graphql?query=%7Bid%7D", "/$lastn", "/$everything-else"];
    for answer in searched(&county, &HIDDEN, &forms).await {
        assert!(matches!(answer.status, 404 | 405), "{}", answer.text);
    }
    for path in ["/fhir/$graphql?query=%7BPatientList%7Bid%7D%7D", "/fhir/$graph"] {
        county.get(path).await.is(404);
    }
}

on_both!(h31_provenance_audit_and_consents);
async fn h31_provenance_audit_and_consents(on: On) {
    let two = Two::start(on).await;
    let county = two.county().await;
    for query in [
        "Provenance".to_string(),
        format!("Provenance?target={SEEN}"),
        "Provenance?target=Patient/river-clinic-hid".into(),
        format!("Provenance?patient={SEEN}"),
        "Provenance?target:Goal.lifecycle-status=active".into(),
        "Consent".into(),
        format!("Consent?patient={SEEN}"),
        "Consent?patient=Patient/river-clinic-hid".into(),
        "Consent?status=active".into(),
        "Consent?actor=Organization/harbor-housing".into(),
        "Consent/_history".into(),
        "Provenance/_history".into(),
        format!("{SEEN}/Consent"),
        format!("{SEEN}/Provenance"),
    ] {
        for page in county.pages(&format!("/fhir/{query}")).await {
            assert_eq!(page.is(200).body["entry"].as_array().map_or(0, Vec::len), 0, "{query}");
        }
    }
    county.get("/fhir/AuditEvent").await.is(403);
}

on_both!(h32_whether_a_policy_is_in_force);
async fn h32_whether_a_policy_is_in_force(on: On) {
    let two = Two::start(on).await;
    let county = two.county().await;
    for consent in ["river-clinic-hid-consent", "river-clinic-c-hid-revoked", "river-clinic-c-seen"] {
        county.get(&format!("/fhir/Consent/{consent}")).await.is(404);
    }
    for patient in [SEEN, "Patient/river-clinic-hid", "Patient/river-clinic-hid-revoked"] {
        county.get(&format!("/fhir/Consent/$enforcement-status?patient={patient}")).await;
        county.get(&format!("/fhir/{patient}/$enforcement-status")).await;
    }
}

on_both!(h34_versions_of_what_is_visible);
async fn h34_versions_of_what_is_visible(on: On) {
    let two = Two::start(on).await;
    let county = two.county().await;
    let seen = [
        SEEN,
        PLAIN,
        "Goal/river-clinic-g0",
        "Observation/river-clinic-obs",
        "CarePlan/river-clinic-plan",
        "Goal/county-social-service-own",
    ];
    let mut before = Vec::new();
    for key in seen {
        before.push(county.get(&format!("/fhir/{key}")).await.is(200));
    }
    two.advance_secs(5);
    let clinic = two.full.gw.system("river-clinic").await;
    for hidden in ["Condition/river-clinic-hid-cond", "Goal/river-clinic-hid-label", "Encounter/river-clinic-hid-enc"] {
        let stored = clinic.get(&format!("/fhir/{hidden}")).await.is(200).body;
        let mut changed = stored;
        changed["language"] = json!("en");
        clinic.put(&format!("/fhir/{hidden}"), &changed).await.is(200);
    }
    for (key, before) in seen.iter().zip(before) {
        let after = county.get(&format!("/fhir/{key}")).await.is(200);
        assert_eq!(
            (after.text.as_str(), after.header("etag"), after.header("last-modified")),
            (before.text.as_str(), before.header("etag"), before.header("last-modified")),
            "{key}"
        );
        let known = [("if-none-match", before.header("etag"))];
        county.send(Method::GET, &format!("/fhir/{key}"), &known, None).await.is(304);
    }
}

on_both!(h36_the_same_address_by_two);
async fn h36_the_same_address_by_two(on: On) {
    let two = Two::start(on).await;
    let (county, housing) = (two.county().await, two.of(HOUSING).await);
    for path in
        ["/fhir/Goal", "/fhir/Goal/river-clinic-g0", "/fhir/Patient", "/fhir/CarePlan?_include=*", "/fhir/_history"]
    {
        let broad = county.get(path).await;
        let narrow = housing.get(path).await;
        let again = county.get(path).await;
        assert_eq!(broad.text, again.text, "{path}");
        for answer in [&broad, &narrow, &again] {
            assert_eq!(answer.header("cache-control"), "private, no-store", "{path}");
        }
    }
    housing.get("/fhir/Goal/river-clinic-g0").await.is(404);
    assert!(housing.found("/fhir/Goal").await.is_empty());
    assert_eq!(housing.found("/fhir/CarePlan").await.len(), 1);
}

on_both!(h37_malformed);
async fn h37_malformed(on: On) {
    let two = Two::start(on).await;
    let county = two.county().await;
    let queries = [
        "_sort=__proto__",
        "_sort=constructor",
        "_sort=-",
        "_sort=,",
        "_sort=addresses.identifier",
        "_sort=body",
        "_sort=name%27",
        "_sort=_text",
        "__proto__=x",
        "constructor=x",
        "_elements=__proto__",
        "_include=__proto__:x",
        "_include=Goal:__proto__",
        "_has:__proto__:x:y=z",
        "_page=x",
        "_page=",
        "_count=-1",
        "_total=many",
        "patient=Patient/",
        "patient=%00",
        "_id=%27",
        "identifier=%7C",
        "_lastUpdated=hid",
        "hid=1",
    ];
    let queries = queries.map(|query| format!("Goal?{query}"));
    for answer in both_handlings(&county, &queries).await {
        assert!(matches!(answer.status, 200 | 400), "{}", answer.text);
    }
}

on_both!(h40_labels_and_tags);
async fn h40_labels_and_tags(on: On) {
    let two = Two::start(on).await;
    let county = two.county().await;
    let codes = "http://terminology.hl7.org/CodeSystem/v3-ActCode%7C";
    let ranks = "http://terminology.hl7.org/CodeSystem/v3-Confidentiality%7C";
    let mut forms = vec!["?_tag:missing=true".to_string(), "?_security:missing=false".to_string()];
    for value in [format!("{codes}ETH"), format!("{ranks}N"), format!("{ranks}R"), "ETH".into(), "R".into()] {
        forms.extend(["_security", "_tag", "_security:not"].map(|name| format!("?{name}={value}")));
    }
    let forms: Vec<&str> = forms.iter().map(String::as_str).collect();
    for answer in searched(&county, &KINDS, &forms).await {
        answer.is(200);
    }
    assert!(county.found(&format!("/fhir/Goal?_security={codes}ETH")).await.is_empty());
    assert_eq!(county.found(&format!("/fhir/Goal?_security={ranks}N")).await.len(), SEEN_GOALS);
    county.pages(&format!("/fhir/Patient?_has:Goal:patient:_security={codes}ETH")).await;
}

on_both!(h41_polling);
async fn h41_polling(on: On) {
    let two = Two::start(on).await;
    let county = two.county().await;
    let mut last = Value::Null;
    for when in ["2026-03-02T12:00:00Z", "2026-03-02T12:01:03Z", "2026-03-02T12:01:08.5Z", "2026-03-02T12:05:00Z"] {
        for answer in searched(&county, &KINDS, &[&format!("?_lastUpdated=gt{when}&_total=accurate")]).await {
            last = answer.is(200).body["total"].clone();
        }
        county.pages(&format!("/fhir?_lastUpdated=gt{when}&_count=2")).await;
    }
    assert_eq!(last, 0);
    // Something hidden happens in one world while the county waits.
    let clinic = two.full.gw.system("river-clinic").await;
    two.advance_secs(60);
    crate::two_worlds::put(&clinic, "river-clinic-hid-new", crate::two_worlds::about("Goal", SEEN)).await;
    county.pages("/fhir/Goal?_lastUpdated=gt2026-03-02T12:02:00Z").await;
    county.pages("/fhir/_history?_since=2026-03-02T12:02:00Z").await;
}
