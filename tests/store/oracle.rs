//! What `reference/consent.md` says, worked out the slow and obvious way: one case in plain JSON, one answer.
//!
//! Written from the page alone. It shares no code with `src/consent`, compiles nothing, keeps nothing and looks
//! everything up each time it needs it. Where the page leaves room, the ruling is in a comment that starts with
//! "Ruling:".

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

/// What is said of one resource.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Said {
    Permit,
    /// Nobody said anything, and the default policy opens it.
    Open,
    Deny,
    Indeterminate,
    Silent,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    pub decision: &'static str,
    pub said: BTreeMap<String, Said>,
}

impl Verdict {
    pub fn visible(&self) -> BTreeSet<String> {
        self.said.iter().filter(|(_, said)| said.is_open()).map(|(key, _)| key.clone()).collect()
    }
}

impl Said {
    fn is_open(self) -> bool {
        matches!(self, Said::Permit | Said::Open)
    }
}

/// The answer to a case file (section 3).
pub fn judge(case: &Value) -> Verdict {
    let now = text(case, "now");
    // `world` hides what is asked for, and the last of a key counts.
    let known = each(case, "resources").chain(each(case, "world")).map(|one| (key(one), one)).collect();
    let closure = BTreeSet::new();
    let mut court = Court { case, now: moment(now, 0).unwrap().0, zone: offset(now).unwrap(), known, closure };
    court.closure = court.closure();
    let mut said = BTreeMap::new();
    for resource in each(case, "resources") {
        said.insert(key(resource), court.of(resource));
    }
    let any = |wanted: Said| said.values().any(|said| *said == wanted);
    let decision = if any(Said::Permit) || any(Said::Open) {
        let decided = said.values().any(|said| !matches!(said, Said::Open | Said::Silent));
        if decided { "permit" } else { "no-consent" }
    } else if any(Said::Deny) || court.refuses() {
        "deny"
    } else if any(Said::Indeterminate) {
        "indeterminate"
    } else {
        "no-consent"
    };
    Verdict { decision, said }
}

struct Court<'a> {
    case: &'a Value,
    now: i64,
    zone: i64,
    known: BTreeMap<String, &'a Value>,
    /// Everything that means the caller (R14).
    closure: BTreeSet<String>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Effect {
    Permit,
    Deny,
}

/// Whether a rule's selectors match; `maybe` counts what was not understood (R13).
#[derive(Clone, Copy)]
struct Match {
    surely: bool,
    maybe: bool,
}

/// A rule with the rules above it, nearest last.
#[derive(Clone)]
struct Place<'a> {
    consent: &'a Value,
    above: Vec<&'a Value>,
    rule: &'a Value,
}

/// What one consent says of one resource for one purpose.
#[derive(Default)]
struct Speech<'a> {
    value: Option<Effect>,
    permitting: Vec<Place<'a>>,
    doubted: bool,
}

/// What one patient says of one resource.
struct Answer {
    said: Said,
    purposes: BTreeSet<String>,
}

#[derive(Clone, Copy, PartialEq)]
enum Voice {
    Whole,
    DeniesOnly,
    None,
}

impl<'a> Court<'a> {
    fn request(&self) -> &'a Value {
        &self.case["request"]
    }

    fn recipient(&self) -> &'a str {
        text(self.request(), "organization")
    }

    fn purposes(&self) -> Vec<&'a str> {
        each(self.request(), "purpose").filter_map(Value::as_str).collect()
    }

    fn find(&self, wanted: &str) -> Option<&'a Value> {
        self.known.get(wanted).copied()
    }

    fn all(&self, kind: &str) -> Vec<&'a Value> {
        self.known.values().copied().filter(|one| text(one, "resourceType") == kind).collect()
    }

    fn emergency(&self) -> Option<&'a Value> {
        self.request().get("emergency").filter(|declared| !declared.is_null())
    }

    /// The request as a whole is refused: a declaration that does not stand, or no purpose.
    fn refuses(&self) -> bool {
        match self.emergency() {
            Some(declared) => !self.stands(declared),
            None => self.purposes().is_empty(),
        }
    }

    fn stands(&self, declared: &Value) -> bool {
        let begun = moment(text(declared, "declared"), self.zone).map(|moment| moment.0);
        each(self.request(), "roles").any(|role| role == "btg")
            && self.has_type(self.recipient(), "partner-kind", "clinic")
            && !text(declared, "reason").trim().is_empty()
            && declared["patient"].is_string()
            && declared["patient"] == self.request()["patient"]
            && self.purposes().iter().any(|purpose| is_within(purpose, "ETREAT"))
            && begun.is_some_and(|begun| begun <= self.now && self.now < begun + 15 * 60 * 1_000_000)
    }

    fn of(&self, resource: &'a Value) -> Said {
        if self.refuses() {
            return Said::Deny;
        }
        let patients = patients(resource);
        let answers: Vec<Answer> = if patients.is_empty() {
            // Ruling: who names nobody has no consents; the default policy and the law answer.
            vec![self.of_patient(resource, "")]
        } else {
            patients.iter().map(|patient| self.of_patient(resource, patient)).collect()
        };
        let any = |wanted: Said| answers.iter().any(|answer| answer.said == wanted);
        if answers.iter().all(|answer| answer.said.is_open()) {
            // Ruling: patients who have no purpose in common have not permitted the same thing.
            let common = answers.iter().map(|answer| answer.purposes.clone()).reduce(|all, own| &all & &own).unwrap();
            return match (common.is_empty(), any(Said::Permit)) {
                (true, _) => Said::Deny,
                (false, true) => Said::Permit,
                (false, false) => Said::Open,
            };
        }
        // R11
        if any(Said::Permit) || any(Said::Open) || any(Said::Deny) {
            Said::Deny
        } else if any(Said::Indeterminate) {
            Said::Indeterminate
        } else {
            Said::Silent
        }
    }

    fn of_patient(&self, resource: &'a Value, patient: &str) -> Answer {
        let none = |said: Said| Answer { said, purposes: BTreeSet::new() };
        let records = self.same_patient(patient);
        if let Some(declared) = self.emergency() {
            let declared_for = records.contains(text(declared, "patient"));
            let shut = ["vawa", "ferpa", "notes"].iter().any(|row| self.names(row, resource, patient, "ETREAT"));
            return if declared_for && !shut {
                Answer { said: Said::Permit, purposes: BTreeSet::from(["ETREAT".to_string()]) }
            } else {
                none(Said::Deny)
            };
        }
        let consents = self.consents_of(&records);
        let heard: Vec<(&Value, Voice)> = consents
            .iter()
            .map(|consent| (*consent, self.voice(consent, &consents, &records)))
            .filter(|(_, voice)| *voice != Voice::None)
            .collect();
        let mut denied = false;
        let mut unlawful = false;
        let mut doubted = false;
        let mut decided = false;
        let mut granted = BTreeSet::new();
        for purpose in self.purposes() {
            let speeches: Vec<(Speech, Voice)> =
                heard.iter().map(|(consent, voice)| (self.speech(consent, resource, purpose), *voice)).collect();
            if speeches.iter().any(|(speech, _)| speech.value == Some(Effect::Deny)) {
                denied = true;
                continue;
            }
            let whole = speeches.iter().filter(|(_, voice)| *voice == Voice::Whole).map(|(speech, _)| speech);
            let permitting: Vec<&Place> = whole
                .clone()
                .filter(|speech| speech.value == Some(Effect::Permit))
                .flat_map(|speech| &speech.permitting)
                .collect();
            if permitting.is_empty() {
                if whole.clone().any(|speech| speech.doubted) {
                    doubted = true;
                    continue;
                }
                if !self.default_opens(resource, purpose) {
                    continue;
                }
            }
            if ROWS.iter().any(|row| self.takes_away(row, resource, patient, purpose, &permitting, &heard)) {
                unlawful = true;
            } else {
                granted.insert(purpose.to_string());
                decided |= !permitting.is_empty();
            }
        }
        if denied {
            return none(Said::Deny);
        }
        if heard.iter().any(|(consent, _)| self.is_unclear(consent)) {
            return none(Said::Indeterminate);
        }
        if !granted.is_empty() {
            return Answer { said: if decided { Said::Permit } else { Said::Open }, purposes: granted };
        }
        none(if unlawful {
            Said::Deny
        } else if doubted {
            Said::Indeterminate
        } else {
            Said::Silent
        })
    }

    fn default_opens(&self, resource: &Value, purpose: &str) -> bool {
        match self.case["policy"]["default"].as_str().unwrap_or("deny") {
            "permit" => true,
            "permit-treatment" => is_within(purpose, "TREAT"),
            "permit-normal" => rank_of(resource).is_some_and(|rank| rank <= 3),
            "emergency-only" => is_within(purpose, "ETREAT"),
            _ => false,
        }
    }

    // R1, R10: which consents are heard.

    fn same_patient(&self, patient: &str) -> BTreeSet<String> {
        let mut found = BTreeSet::from([patient.to_string()]);
        let links: Vec<(String, String)> = self
            .all("Patient")
            .into_iter()
            .flat_map(|one| {
                let joined = each(one, "link").filter(|link| matches!(text(link, "type"), "replaced-by" | "replaces"));
                joined.filter_map(|link| Some((key(one), target(&link["other"])?))).collect::<Vec<_>>()
            })
            .collect();
        for _ in 0..=links.len() {
            for (one, other) in &links {
                if found.contains(one) || found.contains(other) {
                    found.extend([one.clone(), other.clone()]);
                }
            }
        }
        found
    }

    /// The latest versions of this person's consents, in the order in which each was first recorded.
    fn consents_of(&self, records: &BTreeSet<String>) -> Vec<&'a Value> {
        let mut ids: Vec<String> = Vec::new();
        for consent in each(self.case, "consents") {
            if !ids.contains(&key(consent)) {
                ids.push(key(consent));
            }
        }
        let latest = ids.iter().filter_map(|id| each(self.case, "consents").filter(|one| key(one) == *id).last());
        latest.filter(|consent| target(&consent["patient"]).is_some_and(|named| records.contains(&named))).collect()
    }

    fn voice(&self, consent: &'a Value, all: &[&'a Value], records: &BTreeSet<String>) -> Voice {
        if !self.is_usable(consent, records) {
            return Voice::None;
        }
        let mut voice = Voice::Whole;
        for successor in all.iter().filter(|other| self.replaces(other, consent, all)) {
            if self.is_usable(successor, records) {
                return Voice::None;
            }
            if self.was_in_force(successor, records) {
                voice = Voice::DeniesOnly;
            }
        }
        voice
    }

    fn is_privacy(&self, consent: &Value) -> bool {
        let of =
            |name: &str| codings_in(consent, name).filter(|coding| is_of(coding, CONSENT_SCOPE)).collect::<Vec<_>>();
        let stated = if of("scope").is_empty() { of("category") } else { of("scope") };
        stated.iter().any(|coding| text(coding, "code") == "patient-privacy")
    }

    fn zone_of(&self, consent: &Value) -> i64 {
        offset(text(consent, "dateTime")).unwrap_or(self.zone)
    }

    /// Ruling: a root period that cannot be read bounds nothing, and the consent is unclear as a whole.
    fn bounds(&self, consent: &Value) -> (i64, i64) {
        span(&consent["provision"]["period"], self.zone_of(consent)).unwrap_or((i64::MIN, i64::MAX))
    }

    fn is_usable(&self, consent: &Value, records: &BTreeSet<String>) -> bool {
        let (start, end) = self.bounds(consent);
        text(consent, "status") == "active"
            && self.is_privacy(consent)
            && start <= self.now
            && self.now < end
            && self.has_evidence(consent, records)
    }

    fn was_in_force(&self, consent: &Value, records: &BTreeSet<String>) -> bool {
        matches!(text(consent, "status"), "active" | "inactive")
            && self.is_privacy(consent)
            && self.bounds(consent).0 <= self.now
            && self.has_evidence(consent, records)
    }

    fn has_evidence(&self, consent: &Value, records: &BTreeSet<String>) -> bool {
        let verified = each(consent, "verification").any(|check| check["verified"] == true);
        if each(&self.case["policy"], "evidence").any(|wanted| wanted == "verification") && !verified {
            return false;
        }
        let signers = targets(consent, "performer");
        let related: Vec<&String> = signers.iter().filter(|signer| signer.starts_with("RelatedPerson/")).collect();
        if related.is_empty() || signers.iter().any(|signer| records.contains(signer)) {
            return true;
        }
        let may_sign = related.iter().any(|signer| {
            self.find(signer).is_some_and(|person| {
                target(&person["patient"]).is_some_and(|patient| records.contains(&patient))
                    && person["active"] != false
                    && self.is_current(person)
            })
        });
        may_sign && (!self.was_minor(consent, records) || self.is_under(18, records))
    }

    fn birthday(&self, years: i64, records: &BTreeSet<String>) -> Option<i64> {
        let known = records.iter().filter_map(|record| self.find(record)?.get("birthDate")?.as_str()).next()?;
        let year: i64 = known.get(..4)?.parse().ok()?;
        let day = format!("{:04}{}", year + years, known.get(4..)?);
        let found = moment(&day, self.zone).or_else(|| moment(&format!("{:04}-03-01", year + years), self.zone));
        found.map(|found| found.0)
    }

    fn is_under(&self, years: i64, records: &BTreeSet<String>) -> bool {
        self.birthday(years, records).is_some_and(|birthday| self.now < birthday)
    }

    /// Ruling: a consent that does not say when it was given was given when it was recorded.
    fn was_minor(&self, consent: &Value, records: &BTreeSet<String>) -> bool {
        let given = moment(text(consent, "dateTime"), self.zone_of(consent)).map(|given| given.0);
        match (given.or(recorded(consent)), self.birthday(18, records)) {
            (Some(given), Some(birthday)) => given < birthday,
            _ => false,
        }
    }

    fn replaces(&self, new: &Value, old: &Value, all: &[&Value]) -> bool {
        let place = |one: &Value| all.iter().position(|other| key(other) == key(one));
        if key(new) == key(old) {
            return false;
        }
        let is_revision = self.all("Provenance").iter().any(|provenance| {
            targets(provenance, "target").contains(&key(new))
                && each(provenance, "entity")
                    .any(|entity| text(entity, "role") == "revision" && target(&entity["what"]) == Some(key(old)))
        });
        let is_stated = is_revision || target(&new["sourceReference"]) == Some(key(old));
        // Ruling: "older" is by the record, and for one instant by the order in which they were recorded.
        if is_stated && (recorded(new), place(new)) > (recorded(old), place(old)) {
            return true;
        }
        let sets = |one: &Value| -> (BTreeSet<String>, BTreeSet<String>) {
            let policies = each(one, "policy").filter_map(|policy| policy["uri"].as_str().map(str::to_string));
            (policies.collect(), targets(one, "organization").into_iter().collect())
        };
        let (policies, custodians) = sets(new);
        recorded(new).is_some()
            && recorded(old).is_some()
            && recorded(new) > recorded(old)
            && !policies.is_empty()
            && !custodians.is_empty()
            && (policies, custodians) == sets(old)
            && root_actors(new).is_some_and(|actors| root_actors(old) == Some(actors))
    }

    /// R2: it gives no answer, or contradicts itself, or is modified in a way that nobody knows.
    fn is_unclear(&self, consent: &Value) -> bool {
        let period = &consent["provision"]["period"];
        has(consent, "modifierExtension")
            || has(consent, "implicitRules")
            || (!period.is_null() && span(period, 0).is_none())
            || root_effect(consent, "TREAT").is_none()
    }

    // R2 to R4: what one consent says.

    fn speech(&self, consent: &'a Value, resource: &Value, purpose: &str) -> Speech<'a> {
        let mut speech = Speech::default();
        if self.is_unclear(consent) {
            return speech;
        }
        let Some(effect) = root_effect(consent, purpose) else { return speech };
        let root = Place { consent, above: Vec::new(), rule: &consent["provision"] };
        let own = self.matches(&root, effect, resource, purpose);
        let vague = effect == Effect::Deny && own.maybe && !own.surely;
        let children = self.children(&root, resource, purpose, vague, &mut speech);
        let applies = match effect {
            Effect::Permit => own.surely,
            Effect::Deny => own.maybe,
        };
        speech.doubted |= effect == Effect::Permit && own.maybe && !own.surely;
        if applies && effect == Effect::Permit && !self.is_denied_below(&root, resource, purpose, vague) {
            speech.permitting.push(root);
        }
        speech.value = children.or(applies.then_some(effect));
        speech
    }

    fn children(
        &self,
        parent: &Place<'a>,
        resource: &Value,
        purpose: &str,
        vague: bool,
        speech: &mut Speech<'a>,
    ) -> Option<Effect> {
        let values: Vec<Effect> =
            parent.children().iter().filter_map(|child| self.value(child, resource, purpose, vague, speech)).collect();
        [Effect::Deny, Effect::Permit].into_iter().find(|effect| values.contains(effect))
    }

    fn value(
        &self,
        place: &Place<'a>,
        resource: &Value,
        purpose: &str,
        vague: bool,
        speech: &mut Speech<'a>,
    ) -> Option<Effect> {
        let effect = effect_of(place.rule);
        let own = self.matches(place, effect, resource, purpose);
        speech.doubted |= effect == Effect::Permit && !vague && own.maybe && !own.surely;
        if !self.applies(place, resource, purpose, vague) {
            return None;
        }
        let below = vague || !own.surely;
        let children = self.children(place, resource, purpose, below, speech);
        // Ruling: a nested permit adds to the permit above it, so both have permitted, and either may be what the law
        // asks for.
        if effect == Effect::Permit && !self.is_denied_below(place, resource, purpose, below) {
            speech.permitting.push(place.clone());
        }
        Some(children.unwrap_or(effect))
    }

    fn applies(&self, place: &Place<'a>, resource: &Value, purpose: &str, vague: bool) -> bool {
        let own = self.matches(place, effect_of(place.rule), resource, purpose);
        match effect_of(place.rule) {
            Effect::Permit => own.surely && !vague,
            Effect::Deny => own.maybe,
        }
    }

    fn is_denied_below(&self, place: &Place<'a>, resource: &Value, purpose: &str, vague: bool) -> bool {
        place
            .children()
            .iter()
            .any(|child| effect_of(child.rule) == Effect::Deny && self.applies(child, resource, purpose, vague))
    }

    // R3, R5 to R9, R13, R14: selectors.

    fn matches(&self, place: &Place, effect: Effect, resource: &Value, purpose: &str) -> Match {
        let rule = place.rule;
        let zone = self.zone_of(place.consent);
        let deny = effect == Effect::Deny;
        let mut found = Match { surely: true, maybe: true };
        let mut and = |own: Match| {
            found.surely &= own.surely;
            found.maybe &= own.maybe;
        };
        // Ruling: what an unknown modifier above changes is not known for the permits below it either.
        let modified = |rule: &Value| has(rule, "modifierExtension");
        let is_modified = modified(rule) || (!deny && place.above.iter().any(|above| modified(above)));
        if is_modified || !is_typed(place) || has_stranger(rule) {
            and(UNKNOWN);
        }
        if !place.above.is_empty() && has(rule, "period") {
            and(match span(&rule["period"], zone) {
                Some((start, end)) => exactly(start <= self.now && self.now < end),
                None => UNKNOWN,
            });
        }
        if let Some(actors) = place.taken_over("actor") {
            and(self.actors(place.consent, actors, resource, deny));
        }
        if let Some(actions) = place.taken_over("action") {
            and(alternatives(actions, |concept| {
                let known = ["collect", "access", "use", "disclose", "correct"];
                let codings = each(concept, "coding").filter(|coding| is_of(coding, CONSENT_ACTION));
                let code = codings.map(|coding| text(coding, "code")).find(|code| known.contains(code))?;
                Some(code == text(self.request(), "action"))
            }));
        }
        let purposes = if deny { present(rule, "purpose") } else { place.taken_over("purpose") };
        if let Some(purposes) = purposes {
            and(alternatives(purposes, |coding| {
                let code = text(coding, "code");
                (is_of(coding, ACT_REASON) && is_purpose(code)).then(|| is_within(purpose, code))
            }));
        }
        if let Some(labels) = present(rule, "securityLabel") {
            let own = alternatives(labels, |coding| label_matches(coding, resource, deny));
            let unclassified = rank_of(resource).is_none();
            and(match (deny, unclassified) {
                (true, true) => exactly(true),
                (false, true) => exactly(false),
                _ => own,
            });
        }
        if let Some(classes) = present(rule, "class") {
            and(alternatives(classes, |coding| class_matches(coding, resource)));
        }
        if let Some(codes) = present(rule, "code") {
            and(alternatives(codes, |concept| {
                let named = each(concept, "coding")
                    .filter(|coding| !text(coding, "system").is_empty() && !text(coding, "code").is_empty());
                let named: Vec<(&str, &str)> = named.map(pair).collect();
                let own = if deny { codes_anywhere(resource) } else { own_concepts(resource) };
                (!named.is_empty()).then(|| named.iter().any(|code| own.contains(code)))
            }));
        }
        if has(rule, "dataPeriod") {
            and(match span(&rule["dataPeriod"], zone) {
                None => UNKNOWN,
                Some((start, end)) => exactly(match own_time(resource, zone) {
                    None => deny,
                    Some((from, until)) if deny => start < until && from < end,
                    Some((from, until)) => start <= from && until <= end,
                }),
            });
        }
        if let Some(data) = present(rule, "data") {
            and(alternatives(data, |data| self.data_matches(data, resource, deny)));
        }
        found
    }

    fn data_matches(&self, data: &Value, resource: &Value, deny: bool) -> Option<bool> {
        let named = target(&data["reference"]).filter(|named| !named.starts_with('#'))?;
        let is_itself = key(resource) == named;
        let refers_to_it = references(resource).contains(&named);
        match text(data, "meaning") {
            "instance" => Some(is_itself),
            "dependents" => Some(is_itself || refers_to_it),
            "related" => {
                let outward = self.find(&named).map(references).unwrap_or_default();
                Some(is_itself || outward.contains(&key(resource)) || (deny && refers_to_it))
            }
            "authoredby" => Some(self.is_authored_by(resource, &named, deny)),
            _ => None,
        }
    }

    fn is_authored_by(&self, resource: &Value, named: &str, deny: bool) -> bool {
        let (authors, somebody_unknown) = self.authors(resource);
        if deny && (authors.is_empty() || somebody_unknown) {
            return true;
        }
        authors.iter().any(|author| self.stands_for(author, named, deny))
    }

    /// The author, or an author's PractitionerRole, organization or its parents.
    ///
    /// Ruling: where a PractitionerRole is the author, whoever fills it is too. A permit looks at roles that are
    /// active now, a deny at all.
    fn stands_for(&self, author: &str, named: &str, deny: bool) -> bool {
        if author == named || self.parents(author).iter().any(|parent| parent == named) {
            return true;
        }
        self.all("PractitionerRole").into_iter().filter(|role| deny || self.is_active_role(role)).any(|role| {
            let practitioner = target(&role["practitioner"]);
            let organization = target(&role["organization"]);
            let above = organization.map(|at| [vec![at.clone()], self.parents(&at)].concat()).unwrap_or_default();
            if key(role) == author {
                practitioner.as_deref() == Some(named) || above.iter().any(|at| at == named)
            } else if practitioner.as_deref() == Some(author) {
                key(role) == named || above.iter().any(|at| at == named)
            } else {
                false
            }
        })
    }

    /// Who is named as an author, and whether somebody is in a way that cannot be followed.
    fn authors(&self, resource: &Value) -> (BTreeSet<String>, bool) {
        let mut found = BTreeSet::new();
        let mut unknown = false;
        for name in ["author", "performer", "recorder", "asserter", "requester", "informationSource"] {
            for who in each(resource, name) {
                let who = if has(who, "actor") { &who["actor"] } else { who };
                match target(who).filter(|key| !key.starts_with('#')) {
                    Some(key) => {
                        found.insert(key);
                    }
                    None => unknown = true,
                }
            }
        }
        for provenance in self.all("Provenance") {
            if targets(provenance, "target").contains(&key(resource)) {
                for agent in each(provenance, "agent") {
                    if codings_in(agent, "type").any(|coding| matches!(text(coding, "code"), "author" | "AUT")) {
                        found.extend(target(&agent["who"]));
                    }
                }
            }
        }
        (found, unknown)
    }

    /// Recipients and holders may stand in one rule, and then both must match.
    fn actors(&self, consent: &Value, actors: &Value, resource: &Value, deny: bool) -> Match {
        let mut recipients = Vec::new();
        let mut holders = Vec::new();
        let mut unknown = false;
        for actor in items(actors) {
            match (role_of(actor), is_followable(consent, actor)) {
                (Some("recipient"), true) => recipients.push(actor),
                (Some(_), true) => holders.push(actor),
                _ => unknown = true,
            }
        }
        let known = !(recipients.is_empty() && holders.is_empty())
            && (recipients.is_empty() || recipients.iter().any(|actor| self.is_caller(consent, actor)))
            && (holders.is_empty() || holders.iter().any(|actor| self.is_holder(consent, actor, resource, deny)));
        Match { surely: known, maybe: known || unknown }
    }

    /// Ruling: a deny reads wide: a holder's branches, and data of which no holder is known.
    fn is_holder(&self, consent: &Value, actor: &Value, resource: &Value, deny: bool) -> bool {
        let origin = origin_of(resource);
        if deny && origin.is_empty() {
            return true;
        }
        let named = self.organizations_meant(consent, actor);
        named.contains(&origin) || (deny && self.parents(&origin).iter().any(|parent| named.contains(parent)))
    }

    /// The organisations that an actor names.
    fn organizations_meant(&self, consent: &Value, actor: &Value) -> BTreeSet<String> {
        let known_as = |wanted: &BTreeSet<(String, String)>| {
            let all = self.all("Organization").into_iter();
            all.filter(|one| !identifiers(one).is_disjoint(wanted)).map(key).collect::<BTreeSet<String>>()
        };
        match named_by(actor) {
            Named::Key(key) => BTreeSet::from([key]),
            Named::Inside(id) => inside(consent, &id).map(|inner| known_as(&identifiers(inner))).unwrap_or_default(),
            Named::Identifier(identifier) => known_as(&BTreeSet::from([identifier])),
            Named::Nobody => BTreeSet::new(),
        }
    }

    // R14: who receives.

    fn is_caller(&self, consent: &Value, actor: &Value) -> bool {
        match named_by(actor) {
            Named::Key(key) => self.closure.contains(&key),
            Named::Identifier(identifier) => self.identifiers_of(&self.closure).contains(&identifier),
            Named::Inside(id) => self.is_meant_inside(consent, &id, &self.closure, 0),
            Named::Nobody => false,
        }
    }

    fn is_meant_inside(&self, consent: &Value, id: &str, closure: &BTreeSet<String>, depth: usize) -> bool {
        let Some(inner) = inside(consent, id).filter(|_| depth < 50) else { return false };
        match text(inner, "resourceType") {
            "Group" | "CareTeam" => self.members(inner).iter().any(|member| match member.strip_prefix('#') {
                Some(deeper) => self.is_meant_inside(consent, deeper, closure, depth + 1),
                None => closure.contains(member),
            }),
            "PractitionerRole" => {
                self.is_active_role(inner)
                    && target(&inner["practitioner"]).is_some_and(|named| closure.contains(&named))
                    && target(&inner["organization"]).is_none_or(|at| at == self.recipient())
            }
            _ => !identifiers(inner).is_disjoint(&self.identifiers_of(closure)),
        }
    }

    fn identifiers_of(&self, keys: &BTreeSet<String>) -> BTreeSet<(String, String)> {
        keys.iter().filter_map(|key| self.find(key)).flat_map(identifiers).collect()
    }

    fn closure(&self) -> BTreeSet<String> {
        let mut found = BTreeSet::from([self.recipient().to_string()]);
        found.extend(self.parents(self.recipient()));
        if let Some(practitioner) = self.request()["practitioner"].as_str() {
            found.insert(practitioner.to_string());
            for role in self.all("PractitionerRole") {
                if target(&role["practitioner"]).as_deref() == Some(practitioner)
                    && target(&role["organization"]).is_none_or(|at| at == self.recipient())
                    && self.is_active_role(role)
                {
                    found.insert(key(role));
                }
            }
        }
        let holders = [self.all("Group"), self.all("CareTeam")].concat();
        for _ in 0..=holders.len() {
            for holder in &holders {
                if self.members(holder).iter().any(|member| found.contains(member)) {
                    found.insert(key(holder));
                }
            }
        }
        found
    }

    fn parents(&self, organization: &str) -> Vec<String> {
        let mut found = vec![organization.to_string()];
        while let Some(parent) = self.find(found.last().unwrap()).and_then(|one| target(&one["partOf"])) {
            if found.contains(&parent) {
                break;
            }
            found.push(parent);
        }
        found.split_off(1)
    }

    fn is_active_role(&self, role: &Value) -> bool {
        role["active"] != false && self.is_current(role)
    }

    fn is_current(&self, one: &Value) -> bool {
        let period = &one["period"];
        period.is_null() || span(period, self.zone).is_some_and(|(start, end)| start <= self.now && self.now < end)
    }

    fn members(&self, holder: &Value) -> Vec<String> {
        let status = text(holder, "status");
        if holder["active"] == false || !(status.is_empty() || status == "active") || !self.is_current(holder) {
            return Vec::new();
        }
        let of_group = each(holder, "member").filter(|member| member["inactive"] != true && self.is_current(member));
        let of_team = each(holder, "participant").filter(|member| self.is_current(member));
        let of_group = of_group.filter_map(|member| target(&member["entity"]));
        of_group.chain(of_team.filter_map(|member| target(&member["member"]))).collect()
    }

    // R15, section 5: the law.

    fn has_type(&self, organization: &str, system: &str, code: &str) -> bool {
        let system = format!("https://handoff.example/fhir/CodeSystem/{system}");
        self.find(organization).is_some_and(|one| {
            codings_in(one, "type").any(|coding| is_of(coding, &system) && text(coding, "code") == code)
        })
    }

    /// The data that a row names, for a purpose.
    fn names(&self, row: &str, resource: &Value, patient: &str, purpose: &str) -> bool {
        let origin = origin_of(resource);
        let regime = |code: &str| self.has_type(&origin, "regime", code);
        let label = |code: &str| labels_of(resource).contains(&(ACT_CODE, code));
        let records = self.same_patient(patient);
        match row {
            "part2" => regime("part2") || label("42CFRPart2"),
            "notes" => label("PSYTHPN") || label("HIPAAPsyNotes"),
            "vawa" => regime("vawa") || self.has_type(&origin, "partner-kind", "victim-service"),
            "ferpa" => regime("ferpa"),
            "self-pay" => {
                label("HIPAASelfPay")
                    && self.has_type(self.recipient(), "partner-kind", "payer")
                    && (is_within(purpose, "HPAYMT") || is_within(purpose, "HOPERAT"))
            }
            "state-hiv" => label("HIV"),
            "state-minor" => {
                (label("SEX") || sensitivity("SUD").iter().any(|code| label(code)))
                    && self.is_under(18, &records)
                    && is_within(purpose, "FAMRQT")
            }
            "purpose-label" => {
                let labels = labels_of(resource);
                let mut stated = labels.iter().filter(|(system, _)| *system == ACT_REASON).peekable();
                stated.peek().is_some() && !stated.any(|(_, code)| is_within(purpose, code))
            }
            _ => unreachable!(),
        }
    }

    fn takes_away(
        &self,
        row: &str,
        resource: &Value,
        patient: &str,
        purpose: &str,
        permitting: &[&Place],
        heard: &[(&Value, Voice)],
    ) -> bool {
        let is_switch = row.starts_with("state-");
        if is_switch && !each(&self.case["policy"], "overlays").any(|on| on == row) {
            return false;
        }
        // Rows that are marked with a dagger are about disclosure.
        let is_disclosure = matches!(row, "part2" | "notes" | "vawa" | "ferpa" | "state-hiv");
        let house = [vec![self.recipient().to_string()], self.parents(self.recipient())].concat();
        if is_disclosure && house.contains(&origin_of(resource)) {
            return false;
        }
        self.names(row, resource, patient, purpose)
            && !permitting.iter().any(|place| self.has_all(row, resource, patient, purpose, place, heard))
    }

    /// Whether a rule that permitted has everything that a row needs.
    fn has_all(
        &self,
        row: &str,
        resource: &Value,
        patient: &str,
        purpose: &str,
        place: &Place,
        heard: &[(&Value, Voice)],
    ) -> bool {
        let consent = place.consent;
        let stated: Vec<&Value> = place.taken_over("purpose").into_iter().flat_map(items).collect();
        let is_known = |coding: &Value| is_of(coding, ACT_REASON) && is_purpose(text(coding, "code"));
        let purposes: Vec<&str> =
            stated.iter().filter(|coding| is_known(coding)).map(|coding| text(coding, "code")).collect();
        // Ruling: a purpose or an actor that is not understood could be any.
        let all_purposes = |is_such: fn(&str) -> bool| {
            !stated.is_empty() && stated.iter().all(|coding| is_known(coding) && is_such(text(coding, "code")))
        };
        let actors: Vec<&Value> = place.taken_over("actor").into_iter().flat_map(items).collect();
        let of_role = |role: &'static str| {
            let own = actors.iter().filter(move |actor| role_of(actor) == Some(role));
            own.filter(|actor| is_followable(consent, actor)).collect::<Vec<_>>()
        };
        let origin = origin_of(resource);
        let policy = |name: &str| has_policy(consent, name);
        let discloser = || {
            targets(consent, "organization").contains(&origin)
                || of_role("holder").iter().any(|actor| self.organizations_meant(consent, actor).contains(&origin))
        };
        let recipient = || of_role("recipient").iter().any(|actor| self.is_caller(consent, actor));
        let date = has(consent, "dateTime");
        let signature = is_signed(consent);
        let end = consent["provision"]["period"]["end"].is_string();
        let records = ["class", "code", "data", "securityLabel"].iter().any(|name| has(place.rule, name));
        let mentions = |codes: &[&str]| {
            each(place.rule, "securityLabel")
                .any(|label| is_of(label, ACT_CODE) && codes.contains(&text(label, "code")))
        };
        let is_legal =
            is_within(purpose, "HLEGAL") || self.has_type(self.recipient(), "partner-kind", "law-enforcement");
        match row {
            "part2" if is_legal => {
                policy("42cfr-part2")
                    && discloser()
                    && recipient()
                    && all_purposes(|purpose| purpose == "HLEGAL")
                    && date
                    && signature
                    && (end || all_purposes(is_tpo))
            }
            "part2" => {
                let designated = actors.iter().all(|actor| role_of(actor).is_some() && is_followable(consent, actor))
                    && of_role("recipient").is_empty()
                    && self.has_type(self.recipient(), "partner-kind", "clinic")
                    && self.is_treating(&self.same_patient(patient));
                let by_consent = policy("42cfr-part2")
                    && discloser()
                    && (recipient() || designated)
                    && !purposes.is_empty()
                    && date
                    && signature
                    && (end || all_purposes(is_tpo));
                let covered = |one: &str| self.has_type(one, "regime", "hipaa");
                let by_redisclosure = labels_of(resource).contains(&(ACT_CODE, "42CFRPart2"))
                    && covered(&origin)
                    && !self.has_type(&origin, "regime", "part2")
                    && covered(self.recipient())
                    && is_tpo(purpose)
                    && heard.iter().any(|(shown, voice)| *voice == Voice::Whole && self.shows_receipt(shown, &origin));
                by_consent || by_redisclosure
            }
            "notes" => mentions(&["PSYTHPN", "HIPAAPsyNotes"]),
            "state-hiv" => mentions(&["HIV"]),
            "vawa" => {
                policy("vawa") && recipient() && records && end && date && signature && self.signers(consent, patient)
            }
            "ferpa" => policy("ferpa") && recipient() && records && !purposes.is_empty() && date && signature,
            _ => false,
        }
    }

    /// That the origin received the data properly, as the second row of Part 2 wants it.
    fn shows_receipt(&self, consent: &Value, origin: &str) -> bool {
        let root = &consent["provision"];
        let purposes: Vec<&Value> = each(root, "purpose").collect();
        // Ruling: what is not understood of its root shows nothing.
        let is_understood = !has(root, "modifierExtension") && !has_stranger(root) && !self.is_unclear(consent);
        let recipients = each(root, "actor").filter(|actor| role_of(actor) == Some("recipient"));
        is_understood
            && root_effect(consent, "TREAT") == Some(Effect::Permit)
            && root_effect(consent, "HRESCH") == Some(Effect::Permit)
            && has_policy(consent, "42cfr-part2")
            && has(consent, "dateTime")
            && is_signed(consent)
            && !purposes.is_empty()
            && purposes.iter().all(|coding| is_of(coding, ACT_REASON) && is_tpo(text(coding, "code")))
            && targets(consent, "organization").iter().any(|custodian| self.has_type(custodian, "regime", "part2"))
            && recipients
                .filter(|actor| is_followable(consent, actor))
                .any(|actor| self.organizations_meant(consent, actor).contains(origin))
    }

    fn is_treating(&self, records: &BTreeSet<String>) -> bool {
        let of_patient = |one: &&Value| target(&one["subject"]).is_some_and(|patient| records.contains(&patient));
        let team = self.all("CareTeam").into_iter().filter(of_patient).any(|team| self.closure.contains(&key(team)));
        // Ruling: a visit that is only planned, or did not happen, treats nobody.
        let visit = self.all("Encounter").into_iter().filter(of_patient).any(|visit| {
            target(&visit["serviceProvider"]).as_deref() == Some(self.recipient())
                && !matches!(text(visit, "status"), "planned" | "cancelled" | "entered-in-error")
        });
        team || visit
    }

    fn signers(&self, consent: &Value, patient: &str) -> bool {
        let records = self.same_patient(patient);
        let signers = targets(consent, "performer");
        let related = signers.iter().filter(|signer| signer.starts_with("RelatedPerson/")).any(|signer| {
            let of = self.find(signer).and_then(|person| target(&person["patient"]));
            of.is_some_and(|patient| records.contains(&patient))
        });
        // Ruling: who was a minor when it was given, or is one now.
        let is_minor = self.is_under(18, &records) || self.was_minor(consent, &records);
        signers.iter().any(|signer| records.contains(signer)) && (!is_minor || related)
    }
}

impl<'a> Place<'a> {
    fn children(&self) -> Vec<Place<'a>> {
        let above: Vec<&Value> = self.above.iter().copied().chain([self.rule]).collect();
        let nested = each(self.rule, "provision");
        nested.map(|rule| Place { consent: self.consent, above: above.clone(), rule }).collect()
    }

    /// The rule's own, or its nearest ancestor's that has one.
    fn taken_over(&self, name: &str) -> Option<&'a Value> {
        [self.rule].into_iter().chain(self.above.iter().rev().copied()).find_map(|rule| present(rule, name))
    }
}

const ROWS: [&str; 8] = ["part2", "notes", "vawa", "ferpa", "self-pay", "state-hiv", "state-minor", "purpose-label"];

const UNKNOWN: Match = Match { surely: false, maybe: true };

fn exactly(matches: bool) -> Match {
    Match { surely: matches, maybe: matches }
}

/// Values inside one element are alternatives; `None` is one that is not understood.
fn alternatives(values: &Value, judge: impl Fn(&Value) -> Option<bool>) -> Match {
    let judged: Vec<Option<bool>> =
        items(values).map(|value| judge(value).filter(|_| !has(value, "modifierExtension"))).collect();
    let surely = judged.contains(&Some(true));
    Match { surely, maybe: surely || judged.contains(&None) }
}

/// R2, for a purpose.
fn root_effect(consent: &Value, purpose: &str) -> Option<Effect> {
    let mut said = BTreeSet::new();
    for coding in codings_in(consent, "policyRule").filter(|coding| is_of(coding, ACT_CODE)) {
        match text(coding, "code") {
            "OPTIN" | "OPTINR" => said.insert("permit"),
            "OPTOUT" | "OPTOUTE" => said.insert("deny"),
            "EMRGONLY" => said.insert("emergency"),
            _ => false,
        };
    }
    let stated = &consent["provision"]["type"];
    if !stated.is_null() {
        said.insert(stated.as_str().unwrap_or(""));
    }
    match said.into_iter().collect::<Vec<&str>>()[..] {
        ["permit"] => Some(Effect::Permit),
        ["deny"] => Some(Effect::Deny),
        ["emergency"] => Some(if is_within(purpose, "ETREAT") { Effect::Permit } else { Effect::Deny }),
        _ => None,
    }
}

/// Ruling: a nested rule of no type that we know is a deny that is not understood.
fn effect_of(rule: &Value) -> Effect {
    if text(rule, "type") == "permit" { Effect::Permit } else { Effect::Deny }
}

fn is_typed(place: &Place) -> bool {
    place.above.is_empty() || matches!(text(place.rule, "type"), "permit" | "deny")
}

fn has_stranger(rule: &Value) -> bool {
    let known = [
        "id",
        "extension",
        "modifierExtension",
        "type",
        "period",
        "actor",
        "action",
        "securityLabel",
        "purpose",
        "class",
        "code",
        "dataPeriod",
        "data",
        "provision",
    ];
    rule.as_object().is_some_and(|rule| rule.keys().any(|name| !known.contains(&name.trim_start_matches('_'))))
}

fn role_of(actor: &Value) -> Option<&'static str> {
    codings_in(actor, "role")
        .filter(|coding| is_of(coding, "http://terminology.hl7.org/CodeSystem/v3-ParticipationType"))
        .find_map(|coding| match text(coding, "code") {
            "IRCP" | "PRCP" => Some("recipient"),
            "CST" => Some("holder"),
            _ => None,
        })
        .filter(|_| !has(actor, "modifierExtension"))
}

enum Named {
    Key(String),
    Inside(String),
    Identifier((String, String)),
    Nobody,
}

fn named_by(actor: &Value) -> Named {
    let reference = &actor["reference"];
    match target(reference) {
        Some(inside) if inside.starts_with('#') => Named::Inside(inside[1..].to_string()),
        Some(key) => Named::Key(key),
        None => identifier(&reference["identifier"]).map_or(Named::Nobody, Named::Identifier),
    }
}

fn is_followable(consent: &Value, actor: &Value) -> bool {
    match named_by(actor) {
        Named::Inside(id) => inside(consent, &id).is_some(),
        Named::Nobody => false,
        _ => true,
    }
}

fn inside<'v>(consent: &'v Value, id: &str) -> Option<&'v Value> {
    each(consent, "contained").find(|inner| text(inner, "id") == id)
}

/// The root's actors as a set that two consents can be compared by; `None` when one of them is not understood.
///
/// Ruling: `#id` means something in its own consent alone, so what is contained is compared by what it says.
fn root_actors(consent: &Value) -> Option<BTreeSet<String>> {
    let all = each(&consent["provision"], "actor").map(|actor| {
        let role = role_of(actor).filter(|_| is_followable(consent, actor))?;
        Some(match named_by(actor) {
            Named::Key(key) => format!("{role} {key}"),
            Named::Inside(id) => format!("{role} contained {}", inside(consent, &id)?),
            Named::Identifier((system, value)) => format!("{role} identifier {system} {value}"),
            Named::Nobody => return None,
        })
    });
    all.collect()
}

fn has_policy(consent: &Value, name: &str) -> bool {
    let uri = format!("https://handoff.example/fhir/policy/{name}");
    each(consent, "policy").any(|policy| text(policy, "uri") == uri)
}

fn is_signed(consent: &Value) -> bool {
    has(consent, "sourceAttachment")
        || has(consent, "sourceReference")
        || each(consent, "verification").any(|check| check["verified"] == true)
}

fn recorded(consent: &Value) -> Option<i64> {
    moment(text(&consent["meta"], "lastUpdated"), 0).map(|at| at.0)
}

/// R7 to R9 for one label of a rule, on a classified resource.
fn label_matches(label: &Value, resource: &Value, deny: bool) -> Option<bool> {
    let (system, code) = pair(label);
    let own = labels_of(resource);
    let has = |code: &str| own.contains(&(system, code));
    match system {
        CONFIDENTIALITY => {
            let (bound, rank) = (rank(code)?, rank_of(resource));
            Some(rank.is_some_and(|rank| if deny { rank >= bound } else { rank <= bound }))
        }
        ACT_CODE => ACT_CODES.contains(&code).then(|| sensitivity(code).iter().any(|code| has(code))),
        ACT_REASON => is_purpose(code).then(|| has(code)),
        OBSERVATION_VALUE => (!code.is_empty()).then(|| has(code)),
        _ => None,
    }
}

fn class_matches(class: &Value, resource: &Value) -> Option<bool> {
    let (system, code) = pair(class);
    match system {
        "http://hl7.org/fhir/resource-types" => KINDS.contains(&code).then(|| text(resource, "resourceType") == code),
        "urn:ietf:rfc:3986" if !code.is_empty() => Some(
            each(&resource["meta"], "profile")
                .filter_map(Value::as_str)
                .any(|own| own == code || own.split('|').next() == Some(code)),
        ),
        _ => None,
    }
}

// What a resource says of itself.

fn origin_of(resource: &Value) -> String {
    text(&resource["meta"], "source").split('#').next().unwrap_or("").to_string()
}

fn labels_of(resource: &Value) -> Vec<(&str, &str)> {
    each(&resource["meta"], "security").map(pair).collect()
}

/// Ruling: a confidentiality code that we do not know could be the highest; such a resource is unclassified.
fn rank_of(resource: &Value) -> Option<usize> {
    let labels = labels_of(resource);
    let codes = labels.iter().filter(|(system, _)| *system == CONFIDENTIALITY).map(|(_, code)| rank(code));
    codes.collect::<Option<Vec<usize>>>()?.into_iter().max()
}

fn rank(code: &str) -> Option<usize> {
    ["U", "L", "M", "N", "R", "V"].iter().position(|known| *known == code)
}

fn own_concepts(resource: &Value) -> Vec<(&str, &str)> {
    let names = resource.as_object().unwrap().keys();
    names.flat_map(|name| codings_in(resource, name)).map(pair).collect()
}

fn codes_anywhere(resource: &Value) -> Vec<(&str, &str)> {
    fn walk<'v>(value: &'v Value, found: &mut Vec<(&'v str, &'v str)>) {
        match value {
            Value::Array(list) => list.iter().for_each(|one| walk(one, found)),
            Value::Object(object) => {
                if value["system"].is_string() && value["code"].is_string() {
                    found.push(pair(value));
                }
                object.values().for_each(|one| walk(one, found));
            }
            _ => {}
        }
    }
    let mut found = Vec::new();
    let object = resource.as_object().unwrap();
    object.iter().filter(|(name, _)| *name != "meta").for_each(|(_, value)| walk(value, &mut found));
    found
}

/// What a resource refers to, what is contained in it aside.
fn references(resource: &Value) -> BTreeSet<String> {
    fn walk(value: &Value, found: &mut BTreeSet<String>) {
        match value {
            Value::Array(list) => list.iter().for_each(|one| walk(one, found)),
            Value::Object(object) => {
                found.extend(target(value).filter(|key| !key.starts_with('#')));
                object.values().for_each(|one| walk(one, found));
            }
            _ => {}
        }
    }
    let mut found = BTreeSet::new();
    walk(resource, &mut found);
    found
}

/// The patients in whose compartments it lies (R4 compartmentdefinition-patient.html).
fn patients(resource: &Value) -> BTreeSet<String> {
    let kind = text(resource, "resourceType");
    if kind == "Patient" {
        return BTreeSet::from([key(resource)]);
    }
    let deep = |outer: &str, inner: &str| each(resource, outer).flat_map(|one| targets(one, inner)).collect::<Vec<_>>();
    let direct = |names: &[&str]| names.iter().flat_map(|name| targets(resource, name)).collect::<Vec<_>>();
    let named = match kind {
        "Observation" => direct(&["subject", "performer"]),
        "Condition" => direct(&["subject", "asserter"]),
        "Appointment" => deep("participant", "actor"),
        "CarePlan" => each(resource, "activity")
            .flat_map(|one| targets(&one["detail"], "performer"))
            .chain(direct(&["subject"]))
            .collect(),
        "Communication" => direct(&["subject", "sender", "recipient"]),
        "DocumentReference" | "QuestionnaireResponse" => direct(&["subject", "author"]),
        "Procedure" => [direct(&["subject"]), deep("performer", "actor")].concat(),
        "ServiceRequest" => direct(&["subject", "performer"]),
        "Task" => direct(&["for"]),
        _ => direct(&["subject", "patient"]),
    };
    named.into_iter().filter(|key| key.starts_with("Patient/")).collect()
}

/// Section 3: the first present of these.
fn own_time(resource: &Value, zone: i64) -> Option<(i64, i64)> {
    if text(resource, "resourceType") == "Appointment" {
        let whole = has(resource, "start") || has(resource, "end");
        return whole.then(|| span(resource, zone)).flatten();
    }
    let names: &[&str] = match text(resource, "resourceType") {
        "Observation" | "DiagnosticReport" => {
            &["effectiveDateTime", "effectivePeriod", "effectiveTiming", "effectiveInstant", "issued"]
        }
        "Condition" => &["onsetDateTime", "onsetAge", "onsetPeriod", "onsetRange", "onsetString", "recordedDate"],
        "Encounter" | "CareTeam" => &["period"],
        "CarePlan" => &["period", "created"],
        "ServiceRequest" => &["occurrenceDateTime", "occurrencePeriod", "occurrenceTiming", "authoredOn"],
        "Goal" => &["startDate", "startCodeableConcept", "statusDate"],
        "MedicationStatement" => &["effectiveDateTime", "effectivePeriod", "dateAsserted"],
        "MedicationRequest" => &["authoredOn"],
        "Immunization" => &["occurrenceDateTime"],
        "Procedure" => &["performedDateTime", "performedPeriod", "performedString", "performedAge", "performedRange"],
        "Task" => &["executionPeriod", "authoredOn"],
        "DocumentReference" => &["date"],
        "QuestionnaireResponse" => &["authored"],
        "Communication" => &["sent"],
        _ => &[],
    };
    // Ruling: where the first that is present is no date, the resource has none.
    let name = names.iter().find(|name| has(resource, name))?;
    let value = &resource[*name];
    match value.as_str() {
        Some(_) if name.ends_with("String") => None,
        Some(text) => moment(text, zone),
        None if name.ends_with("eriod") => span(value, zone),
        None => None,
    }
}

// R6, R7: the trees.

const TREE_OF_PURPOSES: &[(&str, &str)] = &[
    ("TREAT", "CLINTRL COC ETREAT POPHLTH"),
    ("ETREAT", "BTG ERTREAT"),
    ("HPAYMT", "CLMATTCH COVAUTH COVERAGE REMITADV"),
    ("COVERAGE", "ELIGDTRM ELIGVER ENROLLM MILDCRG"),
    (
        "HOPERAT",
        "CAREMGT DONAT FRAUD GOV HACCRED HCOMPL HDECD HDIRECT HDM HLEGAL HOUTCOMS HPRGRP HQUALIMP TRAIN HSYSADMIN \
         MEMADMIN MILCDM PATADMIN PATSFTY PERFMSR RECORDMGT SYSDEV",
    ),
    ("HSYSADMIN", "LABELING METAMGT"),
    ("SYSDEV", "HTEST"),
    ("HRESCH", "BIORCH CLINTRCH DSRCH POARCH TRANSRCH"),
    ("CLINTRCH", "CLINTRCHNPC CLINTRCHPC PRECLINTRCH"),
    ("PATRQT", "FAMRQT PWATRNY SUPNWK"),
    ("PUBHLTH", "DISASTER THREAT"),
    ("HMARKT", ""),
];

fn is_purpose(code: &str) -> bool {
    TREE_OF_PURPOSES
        .iter()
        .any(|(parent, below)| *parent == code || below.split(' ').any(|one| one == code && !one.is_empty()))
}

fn is_within(purpose: &str, ancestor: &str) -> bool {
    let parent = TREE_OF_PURPOSES.iter().find(|(_, below)| below.split(' ').any(|one| one == purpose));
    purpose == ancestor || parent.is_some_and(|(parent, _)| is_within(parent, ancestor))
}

fn is_tpo(purpose: &str) -> bool {
    ["TREAT", "HPAYMT", "HOPERAT"].iter().any(|top| is_within(purpose, top))
}

/// A code and all below it.
fn sensitivity(code: &str) -> Vec<&str> {
    match code {
        "SPI" => vec!["SPI", "BH", "COGN", "DVD", "EMOTDIS", "MH", "PSY", "PSYTHPN", "SUD", "ETHUD", "OPIOIDUD"],
        "BH" => vec!["BH", "COGN", "DVD", "EMOTDIS"],
        "SUD" => vec!["SUD", "ETHUD", "OPIOIDUD"],
        "ETH" => vec!["ETH", "SUD", "ETHUD", "OPIOIDUD"],
        other => vec![other],
    }
}

const ACT_CODE: &str = "http://terminology.hl7.org/CodeSystem/v3-ActCode";
const ACT_REASON: &str = "http://terminology.hl7.org/CodeSystem/v3-ActReason";
const CONFIDENTIALITY: &str = "http://terminology.hl7.org/CodeSystem/v3-Confidentiality";
const OBSERVATION_VALUE: &str = "http://terminology.hl7.org/CodeSystem/v3-ObservationValue";
const CONSENT_ACTION: &str = "http://terminology.hl7.org/CodeSystem/consentaction";
const CONSENT_SCOPE: &str = "http://terminology.hl7.org/CodeSystem/consentscope";

/// Codes of v3-ActCode that the stories and the cases use as labels.
const ACT_CODES: [&str; 25] = [
    "SPI",
    "BH",
    "COGN",
    "DVD",
    "EMOTDIS",
    "MH",
    "PSY",
    "PSYTHPN",
    "SUD",
    "ETHUD",
    "OPIOIDUD",
    "ETH",
    "HIV",
    "SEX",
    "SDV",
    "STD",
    "VIO",
    "GDIS",
    "SCA",
    "42CFRPart2",
    "HIPAAPsyNotes",
    "HIPAASelfPay",
    "SICKLE",
    "PREGNANT",
    "Title38Section7332",
];

/// Types that the stories and the cases use as classes.
const KINDS: [&str; 26] = [
    "Observation",
    "Condition",
    "Encounter",
    "Goal",
    "CarePlan",
    "Appointment",
    "DocumentReference",
    "Procedure",
    "MedicationStatement",
    "MedicationRequest",
    "Communication",
    "Patient",
    "ServiceRequest",
    "Task",
    "Immunization",
    "DiagnosticReport",
    "QuestionnaireResponse",
    "AllergyIntolerance",
    "CareTeam",
    "Group",
    "RelatedPerson",
    "Coverage",
    "Consent",
    "Provenance",
    "List",
    "FamilyMemberHistory",
];

// R5: times, as microseconds since 1970 in UTC, `[start, end)`.

const SECOND: i64 = 1_000_000;
const DAY: i64 = 86_400 * SECOND;

/// A Period: its bare dates are whole, its instants are instants. `None` when it cannot be read or ends before it begins.
fn span(period: &Value, zone: i64) -> Option<(i64, i64)> {
    period.as_object()?;
    let side = |name: &str| period[name].as_str();
    let start = side("start").map_or(Some(i64::MIN), |text| moment(text, zone).map(|at| at.0))?;
    let end = side("end").map_or(Some(i64::MAX), |text| {
        let at = moment(text, zone)?;
        // Ruling: what begins and ends at one instant has lasted for that instant.
        Some(if text.contains('T') && at.0 != start { at.0 } else { at.1 })
    })?;
    (start < end).then_some((start, end))
}

fn moment(text: &str, zone: i64) -> Option<(i64, i64)> {
    let number = |from: usize, to: usize| text.get(from..to)?.parse::<i64>().ok();
    let bare = |days: i64| days * DAY - zone * SECOND;
    match text.len() {
        4 => Some((bare(days(number(0, 4)?, 1, 1)?), bare(days(number(0, 4)? + 1, 1, 1)?))),
        7 => {
            let (year, month) = (number(0, 4)?, number(5, 7)?);
            let next = if month == 12 { (year + 1, 1) } else { (year, month + 1) };
            Some((bare(days(year, month, 1)?), bare(days(next.0, next.1, 1)?)))
        }
        10 => {
            let day = days(number(0, 4)?, number(5, 7)?, number(8, 10)?)?;
            Some((bare(day), bare(day + 1)))
        }
        _ => {
            let day = days(number(0, 4)?, number(5, 7)?, number(8, 10)?)?;
            let (hour, minute, second) = (number(11, 13)?, number(14, 16)?, number(17, 19)?);
            let rest = text.get(19..)?.trim_start_matches('.');
            let digits: String = rest.chars().take_while(char::is_ascii_digit).collect();
            let fraction: i64 = format!("{digits:0<6}").get(..6)?.parse().ok()?;
            let local = day * DAY + ((hour * 60 + minute) * 60 + second) * SECOND + fraction;
            let at = local - offset(text)? * SECOND;
            (hour < 24 && minute < 60 && second < 60).then_some((at, at + 1))
        }
    }
}

/// The offset written in a dateTime, in seconds.
fn offset(text: &str) -> Option<i64> {
    let time = text.split_once('T')?.1;
    if time.ends_with('Z') {
        return Some(0);
    }
    let zone = time.get(time.len().checked_sub(6)?..)?;
    let secs = zone.get(1..3)?.parse::<i64>().ok()? * 3600 + zone.get(4..6)?.parse::<i64>().ok()? * 60;
    match zone.get(..1)? {
        "+" => Some(secs),
        "-" => Some(-secs),
        _ => None,
    }
}

/// Days since 1970 of a date that exists.
fn days(year: i64, month: i64, day: i64) -> Option<i64> {
    let is_leap = |year: i64| year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let lengths = [31, if is_leap(year) { 29 } else { 28 }, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
    let length = *lengths.get(usize::try_from(month - 1).ok()?)?;
    if day < 1 || day > length {
        return None;
    }
    let before =
        |year: i64| 365 * year + (year - 1).div_euclid(4) - (year - 1).div_euclid(100) + (year - 1).div_euclid(400);
    let months: i64 = lengths.iter().take(usize::try_from(month - 1).ok()?).sum();
    Some(before(year) - before(1970) + months + day - 1)
}

// JSON.

fn text<'v>(value: &'v Value, name: &str) -> &'v str {
    value[name].as_str().unwrap_or("")
}

fn has(value: &Value, name: &str) -> bool {
    value.get(name).is_some_and(|found| !found.is_null())
}

fn present<'v>(value: &'v Value, name: &str) -> Option<&'v Value> {
    value.get(name).filter(|found| items(found).next().is_some())
}

fn items(value: &Value) -> impl Iterator<Item = &Value> {
    match value {
        Value::Array(list) => list.as_slice(),
        Value::Null => &[],
        one => std::slice::from_ref(one),
    }
    .iter()
}

fn each<'v>(value: &'v Value, name: &str) -> impl Iterator<Item = &'v Value> {
    items(&value[name])
}

fn codings_in<'v>(value: &'v Value, name: &str) -> impl Iterator<Item = &'v Value> {
    each(value, name).flat_map(|concept| items(concept.get("coding").unwrap_or(&Value::Null)))
}

fn is_of(coding: &Value, system: &str) -> bool {
    text(coding, "system") == system
}

fn pair(coding: &Value) -> (&str, &str) {
    (text(coding, "system"), text(coding, "code"))
}

fn key(resource: &Value) -> String {
    format!("{}/{}", text(resource, "resourceType"), text(resource, "id"))
}

/// What a Reference names, without a version.
fn target(reference: &Value) -> Option<String> {
    let text = reference.get("reference")?.as_str()?;
    Some(text.split("/_history/").next().unwrap_or(text).to_string())
}

fn targets(value: &Value, name: &str) -> Vec<String> {
    each(value, name).filter_map(target).collect()
}

fn identifiers(resource: &Value) -> BTreeSet<(String, String)> {
    each(resource, "identifier").filter_map(identifier).collect()
}

fn identifier(value: &Value) -> Option<(String, String)> {
    Some((text(value, "system").to_string(), value.get("value")?.as_str()?.to_string()))
}
