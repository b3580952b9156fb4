//! Two exchanges that one partner must not be able to tell apart (reference: consent.md, section 7).
//!
//! In the full one there is everything that can be hidden from the county, one of each kind; in the empty one none of
//! it ever was. The same requests are sent to both. Status, headers and bytes of the answers must be the same but for
//! the date and for what the server draws by chance: ids of new resources, and the bytes, not the length, of page
//! tokens. What is hidden bears names that the sender chose, so that nothing of it is taken for chance.

use futures_util::future::{join, join_all};
use handoff::config::Config;
use handoff::fhir::Instant;
use handoff::gateway::enroll;
use handoff::partner::{Kind, Role, User};
use reqwest::Method;
use serde_json::{Value, json};

use crate::harness::{Actor, Answer, NOW, On, TestGateway, key};
use crate::reach::{class, permit};

pub const COUNTY: &str = "county-social-service";
pub const CLINIC: &str = "river-clinic";
pub const HOUSING: &str = "harbor-housing";
pub const SHELTER: &str = "night-shelter";
pub const BASE: &str = "https://exchange.example";

/// What each kind of hidden resource is hidden by. The names are ids behind the prefix of their origin.
pub const HIDDEN: [&str; 31] = [
    // Somebody of whom the county knows nothing, with a record.
    "Patient/river-clinic-hid",
    "Goal/river-clinic-hid-0",
    "Goal/river-clinic-hid-1",
    "Goal/river-clinic-hid-2",
    "Encounter/river-clinic-hid-enc",
    // Somebody whom it sees: types that the consent does not give.
    "Condition/river-clinic-hid-cond",
    "QuestionnaireResponse/river-clinic-hid-qr",
    "RelatedPerson/river-clinic-hid-rel",
    "ServiceRequest/river-clinic-hid-sr",
    // A nested deny: by label, by what is not labelled at all, by code, by instance, by rank.
    "Goal/river-clinic-hid-label",
    "Goal/river-clinic-hid-bare",
    "Observation/river-clinic-hid-code",
    "Goal/river-clinic-hid-instance",
    "Goal/river-clinic-hid-rank",
    // It was seen once: relabelled, the consent narrowed, revoked, ended, the resource deleted.
    "Goal/river-clinic-hid-relabelled",
    "Patient/river-clinic-hid-narrowed",
    "Patient/river-clinic-hid-revoked",
    "Goal/river-clinic-hid-revoked",
    "Patient/river-clinic-hid-ended",
    "Goal/river-clinic-hid-gone",
    // Two people, of whom one permits.
    "CareTeam/river-clinic-hid-two",
    "Group/river-clinic-hid-two",
    // Control resources, and referrals that wait.
    "Consent/river-clinic-hid-consent",
    "Provenance/river-clinic-hid-prov",
    "Task/river-clinic-hid-held",
    "Task/river-clinic-hid-open",
    // A victim service: whom it serves, where it is, who works there.
    "Patient/night-shelter-hid",
    "Goal/night-shelter-hid",
    "Practitioner/night-shelter-hid",
    "PractitionerRole/night-shelter-hid",
    "Location/night-shelter-hid",
];

/// The one whom the county sees by rules that SQL cannot carry, and the one by rules that it can.
pub const SEEN: &str = "Patient/river-clinic-seen";
pub const PLAIN: &str = "Patient/river-clinic-plain";

pub struct World {
    pub gw: TestGateway,
}

pub struct Two {
    pub full: World,
    pub empty: World,
}

/// A read: method, path, headers.
#[derive(Clone)]
pub struct Ask(pub Method, pub String, pub Vec<(&'static str, String)>);

/// How many reads are under way in each world at a time.
const AT_ONCE: usize = 24;

/// One caller in both worlds.
pub struct Pair {
    full: Actor,
    empty: Actor,
}

impl Two {
    pub async fn start(on: On) -> Two {
        Two::start_with(on, |_| {}).await
    }

    pub async fn start_with(on: On, configure: impl Fn(&mut Config)) -> Two {
        Two { full: World::start(on, true, &configure).await, empty: World::start(on, false, &configure).await }
    }

    /// A partner's system in both.
    pub async fn of(&self, partner: &str) -> Pair {
        self.signed_in(&format!("{partner}-system")).await
    }

    pub async fn county(&self) -> Pair {
        self.of(COUNTY).await
    }

    pub async fn signed_in(&self, client: &str) -> Pair {
        Pair { full: self.full.gw.signed_in(client).await, empty: self.empty.gw.signed_in(client).await }
    }

    pub async fn tick(&self) {
        self.full.gw.tick().await;
        self.empty.gw.tick().await;
    }

    pub fn advance_secs(&self, secs: i64) {
        self.full.gw.advance_secs(secs);
        self.empty.gw.advance_secs(secs);
    }
}

impl Pair {
    /// Sends the same to both; the answers are the same. What comes back is that of the full world.
    #[track_caller]
    pub fn send<'a>(
        &'a self,
        method: Method,
        path: &'a str,
        headers: &'a [(&'a str, &'a str)],
        body: Option<String>,
    ) -> impl Future<Output = Answer> + 'a {
        let at = std::panic::Location::caller();
        async move {
            let full = self.full.send(method.clone(), path, headers, body.clone());
            let (full, empty) = join(full, self.empty.send(method.clone(), path, headers, body.clone())).await;
            let said = format!("{method} {path} {headers:?} {} ({at})", body.unwrap_or_default());
            same(&said, &full, &empty);
            full
        }
    }

    #[track_caller]
    pub fn get<'a>(&'a self, path: &'a str) -> impl Future<Output = Answer> + 'a {
        self.send(Method::GET, path, &[], None)
    }

    /// Many reads, some of them at once: whoever probes does not wait.
    #[track_caller]
    pub fn all<'a>(&'a self, asked: Vec<Ask>) -> impl Future<Output = Vec<Answer>> + 'a {
        let at = std::panic::Location::caller();
        async move {
            let mut answers = Vec::new();
            for some in asked.chunks(AT_ONCE) {
                let each = some.iter().map(|Ask(method, path, headers)| async move {
                    let headers: Vec<(&str, &str)> =
                        headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
                    let full = self.full.send(method.clone(), path, &headers, None);
                    let (full, empty) = join(full, self.empty.send(method.clone(), path, &headers, None)).await;
                    same(&format!("{method} {path} {headers:?} ({at})"), &full, &empty);
                    full
                });
                answers.extend(join_all(each).await);
            }
            answers
        }
    }

    /// Many addresses.
    #[track_caller]
    pub fn gets<'a>(&'a self, paths: impl IntoIterator<Item = String>) -> impl Future<Output = Vec<Answer>> + 'a {
        self.all(paths.into_iter().map(|path| Ask(Method::GET, path, Vec::new())).collect())
    }

    #[track_caller]
    pub fn post<'a>(&'a self, path: &'a str, body: &Value) -> impl Future<Output = Answer> + 'a {
        self.send(Method::POST, path, &[], Some(body.to_string()))
    }

    #[track_caller]
    pub fn put<'a>(&'a self, path: &'a str, body: &Value) -> impl Future<Output = Answer> + 'a {
        self.send(Method::PUT, path, &[], Some(body.to_string()))
    }

    /// Every page from an address on, each world by its own links: the same pages, and as many.
    pub async fn pages(&self, path: &str) -> Vec<Answer> {
        let (mut pages, mut next) = (Vec::new(), Some((path.to_string(), path.to_string())));
        while let Some((full, empty)) = next {
            let (full, empty) = join(self.full.get(&full), self.empty.get(&empty)).await;
            same(path, &full, &empty);
            next = next_of(&full.body).zip(next_of(&empty.body));
            pages.push(full);
            assert!(pages.len() < 200, "{path}: no end");
        }
        pages
    }

    /// Every page from each of these on.
    pub async fn walks(&self, paths: &[String]) -> Vec<(String, Vec<Answer>)> {
        let mut walked = Vec::new();
        for some in paths.chunks(AT_ONCE) {
            let each = some.iter().map(|path| async move { (path.clone(), self.pages(path).await) });
            walked.extend(join_all(each).await);
        }
        walked
    }

    /// The matches of all pages.
    pub async fn found(&self, path: &str) -> Vec<String> {
        let pages = self.pages(path).await;
        pages
            .iter()
            .inspect(|page| assert_eq!(page.status, 200, "{path}: {}", page.text))
            .flat_map(Answer::keys)
            .collect()
    }

    /// What both say, not held to be the same.
    pub async fn both(&self, path: &str) -> [Answer; 2] {
        let (full, empty) = join(self.full.get(path), self.empty.get(path)).await;
        [full, empty]
    }

    /// Each world's own answer, for what names an address that the server drew.
    pub async fn each(&self, method: Method, paths: [&str; 2], headers: &[(&str, &str)]) -> [Answer; 2] {
        let full = self.full.send(method.clone(), paths[0], headers, None).await;
        let empty = self.empty.send(method.clone(), paths[1], headers, None).await;
        same(&format!("{method} {paths:?}"), &full, &empty);
        [full, empty]
    }
}

fn same(said: &str, full: &Answer, empty: &Answer) {
    assert_eq!(full.status, empty.status, "{said}\nfull: {}\nempty: {}", full.text, empty.text);
    assert_eq!(heads(full), heads(empty), "{said}");
    let (full, empty) = (without_chance(&full.text), without_chance(&empty.text));
    assert!(full == empty, "{said}\nfull:  {full}\nempty: {empty}");
}

fn heads(answer: &Answer) -> Vec<(String, String)> {
    let aside = |name: &&reqwest::header::HeaderName| !matches!(name.as_str(), "date" | "x-request-id" | "set-cookie");
    let said = answer.headers.keys().filter(aside);
    let mut heads: Vec<(String, String)> =
        said.map(|name| (name.to_string(), without_chance(answer.header(name.as_str())))).collect();
    heads.sort();
    heads
}

/// A text in which ids that the server drew, and page tokens, are only as long as they were.
pub fn without_chance(text: &str) -> String {
    let mut bytes = text.as_bytes().to_vec();
    let is_id = |word: &[u8]| {
        let dashes = [8, 13, 18, 23];
        word.iter()
            .enumerate()
            .all(|(at, byte)| if dashes.contains(&at) { *byte == b'-' } else { byte.is_ascii_hexdigit() })
    };
    let mut at = 0;
    while at + 36 <= bytes.len() {
        if is_id(&bytes[at..at + 36]) {
            bytes[at..at + 36].fill(b'#');
            at += 36;
        } else {
            at += 1;
        }
    }
    for name in ["_page=", "open=", "done=", "sent=", "name=\"seal\" value=\""] {
        let mut from = 0;
        while let Some(found) = bytes[from..].windows(name.len()).position(|word| word == name.as_bytes()) {
            from += found + name.len();
            while from < bytes.len() && (bytes[from].is_ascii_alphanumeric() || b"-_.%".contains(&bytes[from])) {
                bytes[from] = b'#';
                from += 1;
            }
        }
    }
    String::from_utf8(bytes).unwrap()
}

/// Where a page's `next` leads, below the server's address.
pub fn next_of(bundle: &Value) -> Option<String> {
    let links = bundle["link"].as_array().cloned().unwrap_or_default();
    let next = links.iter().find(|link| link["relation"] == "next")?;
    Some(below(next["url"].as_str().unwrap()).to_string())
}

/// An address of the exchange, as a path.
pub fn below(url: &str) -> &str {
    url.strip_prefix(BASE).unwrap_or(url)
}

pub fn confidentiality(code: &str) -> Value {
    json!({"system": "http://terminology.hl7.org/CodeSystem/v3-Confidentiality", "code": code})
}

fn sensitivity(code: &str) -> Value {
    json!({"system": "http://terminology.hl7.org/CodeSystem/v3-ActCode", "code": code})
}

/// Something of a type about somebody, with the elements that its type needs.
pub fn about(kind: &str, subject: &str) -> Value {
    let who = json!({"reference": subject});
    match kind {
        "Goal" => {
            json!({"resourceType": kind, "lifecycleStatus": "active", "description": {"text": "x"}, "subject": who})
        }
        "Observation" => json!({"resourceType": kind, "status": "final", "subject": who,
            "code": {"coding": [{"system": "http://x", "code": "weight"}]}}),
        "QuestionnaireResponse" => json!({"resourceType": kind, "status": "completed", "subject": who}),
        "RelatedPerson" => json!({"resourceType": kind, "patient": who}),
        "ServiceRequest" => json!({"resourceType": kind, "status": "active", "intent": "order", "subject": who}),
        "Encounter" => json!({"resourceType": kind, "status": "finished", "subject": who,
            "class": {"system": "http://terminology.hl7.org/CodeSystem/v3-ActCode", "code": "AMB"}}),
        "CareTeam" => json!({"resourceType": kind, "status": "active", "subject": who}),
        "CarePlan" => json!({"resourceType": kind, "status": "active", "intent": "plan", "subject": who}),
        "Provenance" => json!({"resourceType": kind, "target": [who], "recorded": "2026-03-01T00:00:00Z",
            "agent": [{"who": {"reference": "Organization/river-clinic"}}]}),
        "Task" => json!({"resourceType": kind, "status": "requested", "intent": "order", "for": who,
            "requester": {"reference": "Organization/river-clinic"}}),
        kind => json!({"resourceType": kind, "subject": who}),
    }
}

pub fn labelled(mut resource: Value, labels: &[Value]) -> Value {
    resource["meta"] = json!({"security": labels});
    resource
}

pub fn normal(resource: Value) -> Value {
    labelled(resource, &[confidentiality("N")])
}

/// Puts a resource under a name of its sender's choice, once or again.
pub async fn put(actor: &Actor, name: &str, mut resource: Value) -> Value {
    resource["id"] = json!(name);
    let mut headers = Vec::new();
    let tag = resource["meta"]["versionId"].as_str().map(|version| format!("W/\"{version}\""));
    headers.extend(tag.as_deref().map(|tag| ("if-match", tag)));
    let path = format!("/fhir/{}", key(&resource));
    let answer = actor.send(Method::PUT, &path, &headers, Some(resource.to_string())).await;
    assert!(answer.status < 300, "{name}: {}", answer.text);
    answer.body
}

/// A permit for the county, with rules below it.
fn county_may(patient: &str, kinds: &[&str], below: Value) -> Value {
    let mut selectors = class(kinds);
    selectors["provision"] = below;
    permit(patient, COUNTY, selectors)
}

impl World {
    async fn start(on: On, full: bool, configure: impl Fn(&mut Config)) -> World {
        let gw = TestGateway::start_with(on, |config| {
            config.ids.client_assigned = true;
            config.server.base_url = Some(BASE.to_string());
            config.export.page_rows = 3;
            config.labels.classify = false;
            configure(config);
        })
        .await;
        let partners = [
            (CLINIC, Kind::Clinic),
            (COUNTY, Kind::SocialService),
            (HOUSING, Kind::Housing),
            (SHELTER, Kind::VictimService),
        ];
        for (id, kind) in partners {
            gw.enrol(id, kind, None).await;
            let officer = User {
                id: format!("{id}-officer"),
                partner: id.into(),
                role: Role::Compliance,
                btg: false,
                practitioner: None,
            };
            enroll::user(&gw.ctx, &officer).await.unwrap();
        }
        gw.lets_shelters_share().await;
        let (clinic, shelter) = (gw.system(CLINIC).await, gw.system(SHELTER).await);
        people(&gw, &clinic).await;
        if full {
            strangers(&gw, &clinic).await;
            of_the_seen(&gw, &clinic).await;
            formerly_seen(&gw, &clinic).await;
            shelters(&shelter).await;
        }
        // By then what was to end has ended; from here on both worlds have the same time.
        gw.advance_secs((Instant::parse(NOW).unwrap().0 - gw.ctx.now().0) / 1_000_000 + 60);
        visible(&gw, &clinic).await;
        if full {
            // Later than anything that the county sees, and between two versions of it.
            let mut late = normal(about("Goal", "Patient/river-clinic-hid"));
            late = put(&clinic, "river-clinic-hid-2", late).await;
            gw.advance_secs(1);
            put(&clinic, "river-clinic-hid-2", late).await;
        } else {
            gw.advance_secs(1);
        }
        let county = gw.system(COUNTY).await;
        let mut own = normal(about("Goal", SEEN));
        own["addresses"] = json!([{"reference": "Condition/river-clinic-hid-cond"}]);
        put(&county, "county-social-service-own", own).await;
        gw.advance_secs(1);
        let world = World { gw };
        world.is_as_said(full).await;
        world
    }

    /// What is hidden is there in the full world, in the empty one it is not; and the county sees none of it.
    async fn is_as_said(&self, full: bool) {
        let county = self.gw.system(COUNTY).await;
        for hidden in HIDDEN {
            let origin = if hidden.contains(SHELTER) { SHELTER } else { CLINIC };
            let answer = self.gw.system(origin).await.get(&format!("/fhir/{hidden}")).await;
            let there = if hidden.ends_with("-gone") { 410 } else { 200 };
            assert_eq!(answer.status, if full { there } else { 404 }, "{hidden}: {}", answer.text);
            county.get(&format!("/fhir/{hidden}")).await.is(404);
        }
    }
}

/// Two whom the county sees, in both worlds.
async fn people(gw: &TestGateway, clinic: &Actor) {
    put(clinic, "river-clinic-p", json!({"resourceType": "Practitioner", "name": [{"family": "Reed"}]})).await;
    let named = |family: &str| {
        normal(json!({"resourceType": "Patient", "name": [{"family": family}], "gender": "female",
            "generalPractitioner": [{"reference": "Practitioner/river-clinic-p"}],
            "identifier": [{"system": "http://id", "value": family}]}))
    };
    put(clinic, "river-clinic-seen", named("Alder")).await;
    put(clinic, "river-clinic-plain", named("Birch")).await;
    let below = json!([
        {"type": "deny", "securityLabel": [sensitivity("ETH")]},
        {"type": "deny", "code": [{"coding": [{"system": "http://x", "code": "secret"}]}]},
        {"type": "deny", "data": [{"meaning": "instance", "reference": {"reference": "Goal/river-clinic-hid-instance"}}]},
    ]);
    let kinds = ["Patient", "Goal", "Observation", "CareTeam", "CarePlan", "Group"];
    put(clinic, "river-clinic-c-seen", county_may(SEEN, &kinds, below)).await;
    let below = json!([{"type": "deny", "securityLabel": [confidentiality("R")]}]);
    put(clinic, "river-clinic-c-plain", county_may(PLAIN, &["Patient", "Goal", "Observation"], below)).await;
    // Another recipient sees less of the same.
    put(clinic, "river-clinic-c-housing", permit(SEEN, HOUSING, class(&["Patient", "CarePlan"]))).await;
    gw.advance_secs(1);
}

/// What the county sees: in versions, and pointing at what is hidden, or not there at all.
async fn visible(gw: &TestGateway, clinic: &Actor) {
    for at in 0..4 {
        let mut goal = normal(about("Goal", if at == 3 { PLAIN } else { SEEN }));
        goal["target"] = json!([{"dueDate": format!("2026-04-0{}", 9 - at)}]);
        match at {
            0 => goal["addresses"] = json!([{"reference": "Condition/river-clinic-hid-cond"}]),
            1 => goal["expressedBy"] = json!({"reference": "Practitioner/night-shelter-hid"}),
            _ => goal["expressedBy"] = json!({"reference": "Practitioner/river-clinic-p"}),
        }
        let name = format!("river-clinic-g{at}");
        let mut stored = put(clinic, &name, goal).await;
        gw.advance_secs(1);
        if at != 2 {
            stored["lifecycleStatus"] = json!("on-hold");
            put(clinic, &name, stored).await;
            gw.advance_secs(1);
        }
    }
    let mut observed = normal(about("Observation", SEEN));
    observed["valueQuantity"] = json!({"value": 70, "unit": "kg", "system": "http://unitsofmeasure.org", "code": "kg"});
    observed["hasMember"] = json!([{"reference": "Observation/river-clinic-hid-code"}]);
    observed["encounter"] = json!({"reference": "Encounter/river-clinic-hid-enc"});
    observed["performer"] = json!([{"reference": "Practitioner/night-shelter-hid"}]);
    put(clinic, "river-clinic-obs", observed).await;
    let mut team = normal(about("CareTeam", SEEN));
    team["participant"] = json!([{"member": {"reference": "RelatedPerson/river-clinic-hid-rel"}},
        {"member": {"reference": "Practitioner/river-clinic-p"}}]);
    put(clinic, "river-clinic-team", team).await;
    let mut plan = normal(about("CarePlan", SEEN));
    plan["goal"] = json!([{"reference": "Goal/river-clinic-g0"}, {"reference": "Goal/river-clinic-hid-label"}]);
    plan["careTeam"] = json!([{"reference": "CareTeam/river-clinic-hid-two"}]);
    put(clinic, "river-clinic-plan", plan).await;
}

/// Somebody of whom the county knows nothing.
async fn strangers(gw: &TestGateway, clinic: &Actor) {
    let hid = "Patient/river-clinic-hid";
    put(
        clinic,
        "river-clinic-hid",
        normal(json!({"resourceType": "Patient", "name": [{"family": "Cedar"}],
        "gender": "male", "identifier": [{"system": "http://id", "value": "Cedar"}],
        "generalPractitioner": [{"reference": "Practitioner/river-clinic-p"}]})),
    )
    .await;
    for at in 0..2 {
        let mut goal = normal(about("Goal", hid));
        goal["expressedBy"] = json!({"reference": "Practitioner/river-clinic-p"});
        goal["identifier"] = json!([{"system": "http://id", "value": format!("hid-{at}")}]);
        let name = format!("river-clinic-hid-{at}");
        let stored = put(clinic, &name, goal).await;
        gw.advance_secs(1);
        put(clinic, &name, stored).await;
    }
    put(clinic, "river-clinic-hid-enc", about("Encounter", hid)).await;
    put(clinic, "river-clinic-hid-consent", permit(hid, SHELTER, json!({}))).await;
}

/// What the county does not see of those whom it does.
async fn of_the_seen(gw: &TestGateway, clinic: &Actor) {
    for (name, kind) in [
        ("hid-cond", "Condition"),
        ("hid-qr", "QuestionnaireResponse"),
        ("hid-rel", "RelatedPerson"),
        ("hid-sr", "ServiceRequest"),
        ("hid-prov", "Provenance"),
    ] {
        let mut hidden = normal(about(kind, SEEN));
        hidden["identifier"] = json!([{"system": "http://id", "value": name}]);
        if kind == "Provenance" {
            hidden.as_object_mut().unwrap().remove("identifier");
            // It goes where all of its targets go.
            hidden["target"] = json!([{"reference": SEEN}, {"reference": "Condition/river-clinic-hid-cond"}]);
        }
        if kind == "QuestionnaireResponse" {
            hidden["identifier"] = json!({"system": "http://id", "value": name});
        }
        let stored = put(clinic, &format!("river-clinic-{name}"), hidden).await;
        gw.advance_secs(1);
        put(clinic, &format!("river-clinic-{name}"), stored).await;
    }
    let secret = |mut goal: Value, name: &str| {
        goal["identifier"] = json!([{"system": "http://id", "value": name}]);
        goal["description"]["text"] = json!("hidden");
        goal["addresses"] = json!([{"reference": "Condition/river-clinic-hid-cond"}]);
        goal
    };
    let goal = || about("Goal", SEEN);
    let sensitive = [confidentiality("N"), sensitivity("ETH")];
    for (name, resource) in [
        ("hid-label", labelled(goal(), &sensitive)),
        ("hid-bare", goal()),
        ("hid-instance", normal(goal())),
        ("hid-rank", labelled(about("Goal", PLAIN), &[confidentiality("R")])),
    ] {
        put(clinic, &format!("river-clinic-{name}"), secret(resource, name)).await;
    }
    let mut coded = normal(about("Observation", SEEN));
    coded["code"]["coding"][0]["code"] = json!("secret");
    put(clinic, "river-clinic-hid-code", coded).await;
    let mut team = normal(about("CareTeam", SEEN));
    team["participant"] = json!([{"member": {"reference": "Patient/river-clinic-hid"}}]);
    put(clinic, "river-clinic-hid-two", team).await;
    let member = |who: &str| json!({"entity": {"reference": who}});
    put(
        clinic,
        "river-clinic-hid-two",
        normal(json!({"resourceType": "Group", "type": "person", "actual": true,
        "member": [member(SEEN), member("Patient/river-clinic-hid")]})),
    )
    .await;
    for (name, who) in [("hid-held", SEEN), ("hid-open", "Patient/river-clinic-hid")] {
        let mut task = normal(about("Task", who));
        task["owner"] = json!({"reference": format!("Organization/{COUNTY}")});
        if name == "hid-open" {
            task.as_object_mut().unwrap().remove("owner");
        }
        put(clinic, &format!("river-clinic-{name}"), task).await;
    }
}

/// What the county saw once.
async fn formerly_seen(gw: &TestGateway, clinic: &Actor) {
    let county = gw.system(COUNTY).await;
    let stored = put(clinic, "river-clinic-hid-relabelled", normal(about("Goal", SEEN))).await;
    county.get("/fhir/Goal/river-clinic-hid-relabelled").await.is(200);
    gw.advance_secs(1);
    let sensitive = [confidentiality("N"), sensitivity("ETH")];
    let mut relabelled = stored;
    relabelled["meta"]["security"] = json!(sensitive);
    put(clinic, "river-clinic-hid-relabelled", relabelled).await;
    let gone = put(clinic, "river-clinic-hid-gone", normal(about("Goal", SEEN))).await;
    county.get("/fhir/Goal/river-clinic-hid-gone").await.is(200);
    clinic.delete(&format!("/fhir/{}", key(&gone))).await.is(204);
    for how in ["narrowed", "revoked", "ended"] {
        let (name, patient) = (format!("river-clinic-hid-{how}"), format!("Patient/river-clinic-hid-{how}"));
        put(
            clinic,
            &name,
            normal(json!({"resourceType": "Patient", "identifier": [{"system": "http://id", "value": how}]})),
        )
        .await;
        put(clinic, &name, normal(about("Goal", &patient))).await;
        let mut consent = permit(&patient, COUNTY, json!({}));
        if how == "ended" {
            consent["provision"]["period"] = json!({"start": "2026-01-01", "end": "2026-03-02T12:00:30Z"});
        }
        let mut consent = put(clinic, &format!("river-clinic-c-hid-{how}"), consent).await;
        county.get(&format!("/fhir/{patient}")).await.is(200);
        match how {
            "narrowed" => consent["provision"]["class"] = class(&["Observation"])["class"].clone(),
            "revoked" => consent["status"] = json!("inactive"),
            _ => continue,
        }
        put(clinic, &format!("river-clinic-c-hid-{how}"), consent).await;
    }
}

/// A victim service, whose directory entries are masked too.
async fn shelters(shelter: &Actor) {
    put(
        shelter,
        "night-shelter-hid",
        normal(json!({"resourceType": "Patient", "name": [{"family": "Doe"}],
        "identifier": [{"system": "http://id", "value": "Doe"}]})),
    )
    .await;
    put(shelter, "night-shelter-hid", normal(about("Goal", "Patient/night-shelter-hid"))).await;
    put(shelter, "night-shelter-hid", json!({"resourceType": "Practitioner", "name": [{"family": "Reed"}]})).await;
    put(shelter, "night-shelter-hid", json!({"resourceType": "Location", "status": "active", "name": "hidden house"}))
        .await;
    put(
        shelter,
        "night-shelter-hid",
        json!({"resourceType": "PractitionerRole", "active": true,
        "practitioner": {"reference": "Practitioner/night-shelter-hid"},
        "organization": {"reference": "Organization/night-shelter"},
        "location": [{"reference": "Location/night-shelter-hid"}]}),
    )
    .await;
}
