//! Decision cases by chance: the same number tells the same story (consent.md section 3 is their form).
//!
//! Every selector, nesting to the bound, several consents that replace each other, several patients, purposes,
//! labels, what nobody knows, dates that are missing, partial or in other zones, groups, teams, roles, regimes,
//! minors and emergencies. Stories lean towards permits that nearly fit, since most of what is drawn at random is
//! denied by somebody.

use serde_json::{Map, Value, json};

const ACT_CODE: &str = "http://terminology.hl7.org/CodeSystem/v3-ActCode";
const ACT_REASON: &str = "http://terminology.hl7.org/CodeSystem/v3-ActReason";
const CONFIDENTIALITY: &str = "http://terminology.hl7.org/CodeSystem/v3-Confidentiality";
const PARTICIPATION: &str = "http://terminology.hl7.org/CodeSystem/v3-ParticipationType";
const ACTION: &str = "http://terminology.hl7.org/CodeSystem/consentaction";
const TYPES: &str = "http://hl7.org/fhir/resource-types";
const SCOPE: &str = "http://terminology.hl7.org/CodeSystem/consentscope";
const PROFILE: &str = "https://handoff.example/fhir/StructureDefinition/noted";
const LEVELS_MAX: usize = 8;

/// Id, kinds, regimes and what it is part of.
type Partner = (&'static str, &'static [&'static str], &'static [&'static str], Option<&'static str>);

const ORGANIZATIONS: [Partner; 10] = [
    ("clinic", &["clinic"], &["hipaa"], None),
    ("clinic-east", &["clinic"], &["hipaa"], Some("clinic")),
    ("programme", &["clinic"], &["part2", "hipaa"], None),
    ("harbor", &["housing"], &["hmis"], Some("county")),
    ("county", &["social-service"], &[], None),
    ("haven", &["victim-service"], &["vawa"], None),
    ("school", &["school"], &["ferpa"], None),
    ("payer", &["payer"], &["hipaa"], None),
    ("police", &["law-enforcement"], &[], None),
    ("landlord", &["landlord"], &[], None),
];
const CALLERS: [&str; 10] =
    ["clinic", "clinic", "clinic-east", "harbor", "harbor", "county", "programme", "payer", "police", "landlord"];
const PURPOSES: [&str; 15] = [
    "TREAT", "TREAT", "TREAT", "COC", "ETREAT", "BTG", "HPAYMT", "ELIGVER", "HOPERAT", "HLEGAL", "CAREMGT", "HRESCH",
    "PATRQT", "FAMRQT", "HMARKT",
];
const LABELS: [&str; 14] = [
    "SUD",
    "ETHUD",
    "OPIOIDUD",
    "ETH",
    "BH",
    "COGN",
    "MH",
    "SPI",
    "HIV",
    "SEX",
    "PSYTHPN",
    "42CFRPart2",
    "HIPAAPsyNotes",
    "HIPAASelfPay",
];
const KINDS: [&str; 9] = [
    "Observation",
    "Observation",
    "Condition",
    "Encounter",
    "Goal",
    "DocumentReference",
    "Appointment",
    "Procedure",
    "Communication",
];
const DAYS: [&str; 12] = [
    "2026-01-01",
    "2026-02-28",
    "2026-03-09",
    "2026-06-30",
    "2026-07-01",
    "2026-09-30",
    "2026-10-01",
    "2026-11-21",
    "2026-11-22",
    "2026-11-23",
    "2026-12-31",
    "2024-02-29",
];
const TIMES: [&str; 7] = ["00:00:00", "04:59:59", "05:00:00", "12:00:00", "14:30:00", "18:30:00", "23:59:59"];
const OFFSETS: [&str; 4] = ["Z", "-05:00", "+09:30", "-05:00"];

/// A linear congruential generator.
pub struct Chance(u64);

impl Chance {
    pub fn new(seed: u64) -> Chance {
        let mut chance = Chance(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ 0x2545_f491_4f6c_dd1d);
        chance.below(2);
        chance
    }

    pub fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % bound
    }

    pub fn one_in(&mut self, bound: usize) -> bool {
        self.below(bound) == 0
    }

    pub fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.below(from.len())]
    }
}

/// One story. `tag` begins the ids of what belongs to its people, so that many stories fit into one store.
pub fn story(seed: u64, tag: &str) -> Value {
    let mut teller = Teller { chance: Chance::new(seed), tag: tag.to_string() };
    let now = teller.instant();
    let resources: Vec<Value> = (0..2 + teller.chance.below(4)).map(|place| teller.resource(place)).collect();
    let world = teller.world(resources.len());
    let count = match teller.chance.below(8) {
        0 => 0,
        1..4 => 1,
        4..6 => 2,
        6 => 3,
        _ => 6,
    };
    let consents: Vec<Value> = (0..count).map(|place| teller.consent(place)).collect();
    json!({
        "id": format!("story-{seed}"), "policy": teller.policy(), "now": now, "world": world, "consents": consents,
        "request": teller.request(), "resources": resources,
    })
}

struct Teller {
    chance: Chance,
    tag: String,
}

impl Teller {
    fn one_in(&mut self, bound: usize) -> bool {
        self.chance.one_in(bound)
    }

    fn some(&mut self, from: &[&str], make: impl Fn(&str) -> Value) -> Value {
        (0..1 + self.chance.below(2)).map(|_| make(self.chance.pick(from))).collect()
    }

    fn id(&self, name: &str) -> String {
        format!("{}{name}", self.tag)
    }

    fn one_of(&mut self, names: &[&str]) -> String {
        let name = self.chance.pick(names);
        self.id(name)
    }

    fn patient(&mut self) -> Value {
        let name = self.chance.pick(&["ana", "ana", "ana", "ana", "ana", "ana-old", "ben", "cyd"]);
        json!({"reference": format!("Patient/{}", self.id(name))})
    }

    // Times.

    fn instant(&mut self) -> String {
        let (day, time, zone) = (self.chance.pick(&DAYS), self.chance.pick(&TIMES), self.chance.pick(&OFFSETS));
        format!("{day}T{time}{zone}")
    }

    /// Whole, partial, with a zone, and once in a while no date at all.
    fn date(&mut self) -> String {
        match self.chance.below(12) {
            0 => "2026".to_string(),
            1 => "2026-09".to_string(),
            2 | 3 => self.instant(),
            4 => format!("{}.5Z", self.instant().split_at(19).0),
            _ => self.chance.pick(&DAYS).to_string(),
        }
    }

    fn period(&mut self) -> Value {
        match self.chance.below(8) {
            0 | 1 => json!({"start": self.date()}),
            2 | 3 => json!({"end": self.date()}),
            4 => json!({"start": "2026-01-01", "end": self.date()}),
            5 => json!({"start": self.date(), "end": "2026-12-31"}),
            6 => json!({"start": "2024-01-01", "end": "2027-06"}),
            _ => json!({"start": self.date(), "end": self.date()}),
        }
    }

    // The world.

    fn world(&mut self, resources: usize) -> Vec<Value> {
        let coded = |system: &str, codes: &[&str]| -> Vec<Value> {
            let system = format!("https://handoff.example/fhir/CodeSystem/{system}");
            codes.iter().map(|code| json!({"coding": [{"system": system, "code": code}]})).collect()
        };
        let mut world: Vec<Value> = ORGANIZATIONS
            .iter()
            .map(|(id, kinds, regimes, parent)| {
                let types = [coded("partner-kind", kinds), coded("regime", regimes)].concat();
                let mut made = json!({"resourceType": "Organization", "id": id, "name": id, "type": types,
                    "identifier": [{"system": "urn:partner", "value": id}]});
                if let Some(parent) = parent {
                    made["partOf"] = json!({"reference": format!("Organization/{parent}")});
                }
                made
            })
            .collect();
        let [ana, old, ben, cyd] = ["ana", "ana-old", "ben", "cyd"].map(|name| self.id(name));
        let birth = self.chance.pick(&["1984-03-09", "2008-11-22", "2008-11-23", "2012-05-01", "2008-02-29"]);
        let to = |id: &str, how: &str| json!([{"other": {"reference": format!("Patient/{id}")}, "type": how}]);
        let joined = self.chance.pick(&["replaced-by", "replaces", "seealso"]);
        let mut first = json!({"resourceType": "Patient", "id": ana, "birthDate": birth});
        let mut second = json!({"resourceType": "Patient", "id": old});
        if self.one_in(2) {
            first["link"] = to(&old, joined);
        } else {
            second["link"] = to(&ana, joined);
        }
        let mut child = json!({"resourceType": "Patient", "id": ben, "birthDate": "2014-01-01"});
        child["link"] = to(&cyd, "refer");
        world.extend([first, second, child, json!({"resourceType": "Patient", "id": cyd})]);

        let identifier = |value: &str| json!([{"system": "urn:worker", "value": value}]);
        world.push(json!({"resourceType": "Practitioner", "id": "ito", "identifier": identifier("W-ito")}));
        world.push(json!({"resourceType": "Practitioner", "id": "vale", "identifier": identifier("W-vale")}));
        for (id, who) in [("ito-one", "ito"), ("ito-two", "ito"), ("vale-one", "vale")] {
            let mut role = json!({"resourceType": "PractitionerRole", "id": id,
                "practitioner": {"reference": format!("Practitioner/{who}")}});
            if !self.one_in(5) {
                let at = self.chance.pick(&["clinic", "clinic", "harbor", "programme", "county", "clinic-east"]);
                role["organization"] = json!({"reference": format!("Organization/{at}")});
            }
            self.date_it(&mut role);
            world.push(role);
        }
        let members =
            ["Practitioner/ito", "PractitionerRole/ito-one", "Organization/harbor", "Group/inner", "CareTeam/team"];
        for id in ["inner", "outer"] {
            let mut group = json!({"resourceType": "Group", "id": id});
            let count = self.chance.below(3);
            group["member"] = (0..count).map(|_| self.member("entity", &members)).collect();
            self.date_it(&mut group);
            world.push(group);
        }
        let mut team = json!({"resourceType": "CareTeam", "id": "team", "subject": self.patient(),
            "status": self.chance.pick(&["active", "active", "inactive"])});
        let count = 1 + self.chance.below(2);
        team["participant"] = (0..count)
            .map(|_| {
                self.member(
                    "member",
                    &["Practitioner/ito", "Organization/clinic", "Organization/programme", "Group/inner"],
                )
            })
            .collect();
        if self.one_in(3) {
            team["period"] = self.period();
        }
        world.push(team);
        for id in ["parent", "stranger"] {
            let mut person = json!({"resourceType": "RelatedPerson", "id": self.id(id)});
            person["patient"] = json!({"reference": format!("Patient/{}", if id == "parent" { self.id("ana") } else { self.id("ben") })});
            self.date_it(&mut person);
            world.push(person);
        }
        if self.one_in(3) {
            let status = self.chance.pick(&["finished", "in-progress", "planned", "cancelled"]);
            let at = self.chance.pick(&["clinic", "programme", "clinic-east"]);
            world.push(json!({"resourceType": "Encounter", "id": self.id("visit"), "status": status,
                "subject": self.patient(), "serviceProvider": {"reference": format!("Organization/{at}")}}));
        }
        if self.one_in(3) {
            let of = format!("Observation/{}", self.one_of(&["o0", "o1", "o2"][..3.min(resources)]));
            world.push(json!({"resourceType": "Provenance", "id": self.id("by"), "target": [{"reference": of}],
                "agent": [{"type": {"coding": [{"code": self.chance.pick(&["author", "author", "assembler"])}]},
                    "who": {"reference": self.chance.pick(&["Practitioner/ito", "Organization/clinic-east"])}}]}));
        }
        if self.one_in(4) {
            let (new, old) = (self.chance.below(3), self.chance.below(3));
            let what = format!("Consent/{}", self.id(&format!("c{old}")));
            let what = if self.one_in(3) { format!("{what}/_history/1") } else { what };
            world.push(json!({"resourceType": "Provenance", "id": self.id("revision"),
                "target": [{"reference": format!("Consent/{}", self.id(&format!("c{new}")))}],
                "entity": [{"role": self.chance.pick(&["revision", "revision", "source"]), "what": {"reference": what}}]}));
        }
        world
    }

    /// Perhaps inactive, perhaps only for a time.
    fn date_it(&mut self, one: &mut Value) {
        match self.chance.below(6) {
            0 => one["active"] = json!(false),
            1 => one["active"] = json!(true),
            2 => one["period"] = self.period(),
            _ => {}
        }
    }

    fn member(&mut self, name: &str, from: &[&str]) -> Value {
        let mut member = json!({});
        member[name] = json!({"reference": self.chance.pick(from)});
        match self.chance.below(5) {
            0 => member["period"] = self.period(),
            1 => member["inactive"] = json!(self.one_in(2)),
            _ => {}
        }
        member
    }

    // The question.

    fn policy(&mut self) -> Value {
        let default = self.chance.pick(&[
            "deny",
            "deny",
            "deny",
            "permit",
            "permit-treatment",
            "permit-normal",
            "emergency-only",
        ]);
        let mut policy = json!({"default": default, "conflict": "deny-overrides"});
        if self.one_in(8) {
            policy["evidence"] = json!(["verification"]);
        }
        if self.one_in(3) {
            policy["overlays"] = json!(["state-hiv", "state-minor"]);
        }
        policy
    }

    fn request(&mut self) -> Value {
        let caller = self.chance.pick(&CALLERS);
        let mut request = json!({"organization": format!("Organization/{caller}"), "patient": self.patient()["reference"],
            "action": self.chance.pick(&["access", "access", "access", "disclose", "correct", "collect"])});
        let purposes = match self.chance.below(16) {
            0 => 0,
            1..5 => 2,
            5 => 3,
            _ => 1,
        };
        request["purpose"] = (0..purposes).map(|_| self.chance.pick(&PURPOSES)).collect();
        if self.one_in(2) {
            request["practitioner"] =
                json!(self.chance.pick(&["Practitioner/ito", "Practitioner/ito", "Practitioner/vale"]));
        }
        if self.one_in(12) {
            request["organization"] = json!(self.chance.pick(&[
                "Organization/clinic",
                "Organization/clinic",
                "Organization/programme",
                "Organization/harbor"
            ]));
            request["purpose"] = json!([self.chance.pick(&["ETREAT", "BTG", "BTG", "TREAT"])]);
            request["roles"] = json!([self.chance.pick(&["btg", "btg", "btg", "nurse"])]);
            request["emergency"] = json!({"reason": self.chance.pick(&["unconscious", "found alone", " "]),
                "patient": request["patient"], "declared": self.instant()});
        }
        request
    }

    // Resources, valid as R4 wants them.

    fn resource(&mut self, place: usize) -> Value {
        let kind = self.chance.pick(&KINDS);
        let id = self.id(&format!("o{place}"));
        let mut meta = json!({});
        if !self.one_in(8) {
            let from = ["clinic", "clinic", "clinic-east", "programme", "haven", "school", "harbor", "county", "payer"];
            meta["source"] = json!(format!("Organization/{}", self.chance.pick(&from)));
        }
        if self.one_in(6) {
            meta["profile"] = json!([format!("{PROFILE}{}", self.chance.pick(&["", "|1.0", "-other"]))]);
        }
        let mut security = Vec::new();
        if !self.one_in(6) {
            let code = self.chance.pick(&["N", "N", "N", "R", "R", "V", "L", "M", "U"]);
            security.push(json!({"system": CONFIDENTIALITY, "code": code}));
            if self.one_in(10) {
                security.push(json!({"system": CONFIDENTIALITY, "code": "R"}));
            }
        }
        while self.one_in(3) {
            security.push(json!({"system": ACT_CODE, "code": self.chance.pick(&LABELS)}));
        }
        while self.one_in(10) {
            security.push(json!({"system": ACT_REASON, "code": self.chance.pick(&["TREAT", "HRESCH", "ETREAT"])}));
        }
        if !security.is_empty() {
            meta["security"] = json!(security);
        }
        let concept = json!({"coding": [{"system": "urn:s", "code": self.chance.pick(&["a", "b", "c"])}]});
        let mut made = json!({"resourceType": kind, "id": id, "meta": meta});
        let about = self.patient();
        let (status, more) = match kind {
            "Observation" => ("final", json!({"subject": about, "code": concept})),
            "Condition" => ("", json!({"subject": about, "code": concept})),
            "Encounter" => ("finished", json!({"subject": about, "type": [concept], "class": {"code": "AMB"}})),
            "Goal" => ("", json!({"subject": about, "lifecycleStatus": "active", "description": concept})),
            "DocumentReference" => {
                ("current", json!({"subject": about, "type": concept, "content": [{"attachment": {"title": "x"}}]}))
            }
            "Appointment" => ("proposed", json!({"participant": [{"actor": about, "status": "accepted"}]})),
            "Procedure" => ("completed", json!({"subject": about, "code": concept})),
            _ => ("completed", json!({"subject": about, "category": [concept]})),
        };
        made.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        if !status.is_empty() {
            made["status"] = json!(status);
        }
        self.time_it(kind, &mut made);
        self.sign_it(kind, &mut made);
        if self.one_in(3) {
            let other = format!("Observation/{}", self.one_of(&["o0", "o1", "o2"]));
            let other = if self.one_in(3) { format!("{other}/_history/3") } else { other };
            made["extension"] = json!([{"url": "urn:about", "valueReference": {"reference": other}}]);
        } else if self.one_in(5) {
            let coding = json!({"system": "urn:s", "code": self.chance.pick(&["a", "b"])});
            made["extension"] = json!([{"url": "urn:deep", "valueCoding": coding}]);
        }
        made
    }

    fn time_it(&mut self, kind: &str, made: &mut Value) {
        let when = self.chance.below(4);
        let (at, during, later) = match kind {
            "Observation" => ("effectiveDateTime", "effectivePeriod", "issued"),
            "Condition" => ("onsetDateTime", "onsetPeriod", "recordedDate"),
            "Encounter" => ("", "period", ""),
            "Goal" => ("startDate", "", "statusDate"),
            "DocumentReference" => ("", "", "date"),
            "Procedure" => ("performedDateTime", "performedPeriod", ""),
            "Communication" => ("sent", "", "received"),
            _ => {
                if when < 2 {
                    made["start"] = json!(self.instant());
                    made["end"] = json!("2027-01-01T00:00:00Z");
                }
                return;
            }
        };
        match when {
            0 if !at.is_empty() => {
                made[at] = json!(if at == "startDate" { self.chance.pick(&DAYS).to_string() } else { self.date() });
            }
            1 if !during.is_empty() => {
                let mut period = self.period();
                if period.get("start").is_some() && period.get("end").is_some() {
                    period = json!({"start": "2026-01-01", "end": "2026-09-30"});
                }
                made[during] = period;
            }
            2 if !later.is_empty() => made[later] = json!(self.instant()),
            _ => {}
        }
        if kind == "Goal" && made.get("statusDate").is_some() {
            made["statusDate"] = json!(self.chance.pick(&DAYS));
        }
        if kind == "Condition"
            && self.one_in(8)
            && made.get("onsetDateTime").is_none()
            && made.get("onsetPeriod").is_none()
        {
            made["onsetString"] = json!("last spring");
        }
    }

    fn sign_it(&mut self, kind: &str, made: &mut Value) {
        let who = self.chance.pick(&[
            "Practitioner/ito",
            "Practitioner/vale",
            "Organization/clinic",
            "Organization/clinic-east",
            "PractitionerRole/ito-one",
            "Organization/harbor",
            "Patient/",
            "#inner",
            "",
        ]);
        let who = match who {
            "" => return,
            "Patient/" => self.patient(),
            "#inner" => json!({"display": "somebody"}),
            // R4 has no organisations in these two places.
            who if who.starts_with("Organization/") && matches!(kind, "Condition" | "Appointment") => {
                json!({"reference": "Practitioner/ito"})
            }
            who => json!({"reference": who}),
        };
        match kind {
            "Observation" => made["performer"] = json!([who]),
            "Condition" => made["asserter"] = who,
            "DocumentReference" => made["author"] = json!([who]),
            "Procedure" => made["performer"] = json!([{"actor": who}]),
            "Communication" => made["recipient"] = json!([who]),
            "Appointment" => {
                made["participant"].as_array_mut().unwrap().push(json!({"actor": who, "status": "accepted"}))
            }
            _ => {}
        }
    }

    // Consents.

    fn consent(&mut self, place: usize) -> Value {
        // Now and then another version of the one before.
        let place = if place > 0 && self.one_in(6) { place - 1 } else { place };
        let mut made = json!({
            "resourceType": "Consent", "id": self.id(&format!("c{place}")),
            "meta": {"versionId": "1", "lastUpdated": self.recorded()},
            "status": self.chance.pick(&["active", "active", "active", "active", "active", "inactive", "draft", "rejected"]),
            "scope": {"coding": [{"system": SCOPE, "code": "patient-privacy"}]},
            "category": [{"coding": [{"system": ACT_CODE, "code": "IDSCL"}]}],
        });
        if !self.one_in(20) {
            made["patient"] = self.patient();
        }
        if self.one_in(15) {
            made["scope"] = json!({"coding": [{"system": SCOPE, "code": "research"}]});
        } else if self.one_in(15) {
            made["scope"] = json!({"text": "privacy"});
            let code = self.chance.pick(&["patient-privacy", "research"]);
            made["category"] = json!([{"coding": [{"system": SCOPE, "code": code}]}]);
        }
        match self.chance.below(6) {
            0 => {}
            1 => made["dateTime"] = json!("2026-01-15"),
            _ => made["dateTime"] = json!(self.instant()),
        }
        made["performer"] = match self.chance.below(6) {
            0 => json!([{"reference": format!("RelatedPerson/{}", self.id("parent"))}]),
            1 => json!([{"reference": format!("RelatedPerson/{}", self.id("stranger"))}]),
            2 => json!([
                {"reference": format!("RelatedPerson/{}", self.id("parent"))},
                {"reference": format!("Patient/{}", self.id("ana"))}
            ]),
            _ => json!([{"reference": format!("Patient/{}", self.id("ana"))}]),
        };
        if self.one_in(2) {
            let policy = self.chance.pick(&["sharing", "sharing", "42cfr-part2", "vawa", "ferpa"]);
            made["policy"] = json!([{"uri": format!("https://handoff.example/fhir/policy/{policy}")}]);
            let custodian = match policy {
                "42cfr-part2" => self.chance.pick(&["programme", "clinic"]),
                "vawa" => "haven",
                "ferpa" => "school",
                _ => self.chance.pick(&["clinic", "clinic", "harbor"]),
            };
            made["organization"] = json!([{"reference": format!("Organization/{custodian}")}]);
        }
        match self.chance.below(5) {
            0 => made["sourceAttachment"] = json!({"title": "signed"}),
            1 => made["sourceReference"] = json!({"reference": format!("Consent/{}", self.one_of(&["c0", "c1"]))}),
            2 => made["verification"] = json!([{"verified": self.one_in(2)}, {"verified": !self.one_in(3)}]),
            _ => {}
        }
        if self.one_in(10) {
            made["contained"] = self.contained();
        }
        let levels = if self.one_in(30) { LEVELS_MAX } else { 1 + self.chance.below(4) };
        made["provision"] = self.provision(levels, made.get("contained").is_some());
        if self.one_in(2) {
            made["provision"]["period"] = self.wide_period();
        }
        match self.chance.below(14) {
            0 => {
                let code = self.chance.pick(&["OPTIN", "OPTINR", "OPTOUT", "OPTOUTE", "EMRGONLY", "NEW"]);
                made["policyRule"] = json!({"coding": [{"system": ACT_CODE, "code": code}]});
                if !self.one_in(4) {
                    made["provision"].as_object_mut().unwrap().remove("type");
                }
            }
            1 if self.one_in(3) => made["modifierExtension"] = json!([{"url": "urn:unknown", "valueBoolean": true}]),
            _ => {}
        }
        made
    }

    fn recorded(&mut self) -> String {
        let day = self.chance.pick(&["2026-01-15", "2026-01-15", "2026-02-15", "2026-03-15", "2027-01-01"]);
        format!("{day}T15:00:05Z")
    }

    fn contained(&mut self) -> Value {
        let members = ["Practitioner/ito", "Organization/harbor", "#inner"];
        let mut group = json!({"resourceType": "Group", "id": "outer"});
        group["member"] = json!([self.member("entity", &members), self.member("entity", &members)]);
        let inner = match self.chance.below(3) {
            0 => json!({"resourceType": "Group", "id": "inner",
                "member": [self.member("entity", &["Organization/clinic", "#outer", "#inner"])]}),
            1 => {
                json!({"resourceType": "PractitionerRole", "id": "inner", "practitioner": {"reference": "Practitioner/ito"},
                "organization": {"reference": "Organization/clinic"}})
            }
            _ => json!({"resourceType": "Organization", "id": "inner",
                "identifier": [{"system": "urn:partner", "value": self.chance.pick(&["clinic", "county"])}]}),
        };
        json!([group, inner])
    }

    /// Mostly one that holds now.
    fn wide_period(&mut self) -> Value {
        match self.chance.below(6) {
            0 => self.period(),
            1 => json!({"end": "2027-12"}),
            2 => json!({"start": self.date()}),
            _ => json!({"start": "2024-01-01", "end": "2027-12-31"}),
        }
    }

    fn provision(&mut self, levels: usize, contains: bool) -> Value {
        let kind = self.chance.pick(&["permit", "permit", "permit", "permit", "deny"]);
        let mut rule = self.rule(kind, contains);
        if levels > 1 {
            rule["provision"] = self.nested(levels - 1, contains);
        }
        rule
    }

    fn nested(&mut self, levels: usize, contains: bool) -> Value {
        let count = if levels > 4 { 1 } else { self.chance.below(3) };
        let mut rules = Vec::new();
        for _ in 0..count {
            let kind = self.chance.pick(&["permit", "deny"]);
            let mut rule = self.rule(kind, contains);
            if self.one_in(8) {
                rule["period"] = self.period();
            }
            if self.one_in(60) {
                rule["type"] = json!("maybe");
            }
            if levels > 1 {
                rule["provision"] = self.nested(levels - 1, contains);
            }
            rules.push(rule);
        }
        Value::Array(rules)
    }

    fn rule(&mut self, kind: &str, contains: bool) -> Value {
        let mut rule = Map::new();
        rule.insert("type".into(), json!(kind));
        if self.one_in(4) {
            let from = ["TREAT", "TREAT", "COC", "ETREAT", "HOPERAT", "HPAYMT", "HRESCH", "HLEGAL", "PATRQT", "NEW"];
            rule.insert("purpose".into(), self.some(&from, |code| json!({"system": ACT_REASON, "code": code})));
        }
        if self.one_in(5) {
            let from = ["N", "R", "V", "L", "SUD", "ETH", "BH", "SPI", "HIV", "PSYTHPN", "42CFRPart2", "NEW"];
            let label = |code: &str| {
                let system = if code.len() == 1 { CONFIDENTIALITY } else { ACT_CODE };
                json!({"system": system, "code": code})
            };
            rule.insert("securityLabel".into(), self.some(&from, label));
        }
        if self.one_in(5) {
            let from = ["Observation", "Observation", "Condition", "Goal", "Appointment", "noted", "Resource"];
            let class = |code: &str| match code {
                "noted" => json!({"system": "urn:ietf:rfc:3986", "code": PROFILE}),
                code => json!({"system": TYPES, "code": code}),
            };
            rule.insert("class".into(), self.some(&from, class));
        }
        if self.one_in(7) {
            let concept = |code: &str| match code {
                "" => json!({"text": "whatever"}),
                "ab" => json!({"coding": [{"system": "urn:s", "code": "a"}, {"system": "urn:s", "code": "b"}]}),
                code => json!({"coding": [{"system": "urn:s", "code": code}]}),
            };
            rule.insert("code".into(), self.some(&["a", "b", "ab", "z", ""], concept));
        }
        if self.one_in(7) {
            rule.insert("dataPeriod".into(), self.period());
        }
        if self.one_in(6) {
            let rows: Vec<Value> = (0..1 + self.chance.below(2)).map(|_| self.data()).collect();
            rule.insert("data".into(), json!(rows));
        }
        if self.one_in(6) {
            let concept = |code: &str| json!({"coding": [{"system": ACTION, "code": code}]});
            rule.insert(
                "action".into(),
                self.some(&["access", "access", "disclose", "correct", "use", "new"], concept),
            );
        }
        if self.one_in(3) {
            let count = 1 + self.chance.below(2);
            let actors: Vec<Value> = (0..count).map(|_| self.actor(contains)).collect();
            rule.insert("actor".into(), json!(actors));
        }
        if self.one_in(40) {
            rule.insert("modifierExtension".into(), json!([{"url": "urn:unknown", "valueBoolean": true}]));
        }
        if self.one_in(60) {
            rule.insert("mood".into(), json!(1));
        }
        Value::Object(rule)
    }

    fn data(&mut self) -> Value {
        let meaning =
            self.chance.pick(&["instance", "instance", "related", "dependents", "authoredby", "authoredby", "aura"]);
        let key = if meaning == "authoredby" {
            let from =
                ["Organization/clinic", "Organization/clinic-east", "Practitioner/ito", "PractitionerRole/ito-one"];
            self.chance.pick(&from).to_string()
        } else {
            let kind = self.chance.pick(&["Observation", "Observation", "Condition", "Encounter"]);
            let version = if self.one_in(3) { "/_history/2" } else { "" };
            format!("{kind}/{}{version}", self.one_of(&["o0", "o1", "o2"]))
        };
        json!({"meaning": meaning, "reference": {"reference": key}})
    }

    fn actor(&mut self, contains: bool) -> Value {
        let role = self.chance.pick(&["IRCP", "IRCP", "IRCP", "PRCP", "CST", "CST", "NEW"]);
        let who = if contains && self.one_in(2) {
            json!({"reference": self.chance.pick(&["#outer", "#inner", "#nobody"])})
        } else if self.one_in(8) {
            match self.chance.below(3) {
                0 => json!({"identifier": {"system": "urn:worker", "value": "W-ito"}}),
                1 => json!({"identifier": {"system": "urn:partner", "value": self.chance.pick(&["clinic", "county"])}}),
                _ => json!({"display": "somebody"}),
            }
        } else {
            let from = [
                "Organization/clinic",
                "Organization/clinic",
                "Organization/harbor",
                "Organization/county",
                "Organization/programme",
                "Practitioner/ito",
                "PractitionerRole/ito-one",
                "Group/outer",
                "CareTeam/team",
            ];
            json!({"reference": self.chance.pick(&from)})
        };
        json!({"role": {"coding": [{"system": PARTICIPATION, "code": role}]}, "reference": who})
    }
}
