//! What consent needs to know of a resource, extracted once.
//!
//! The plain ones are columns of the store; the rest stay with whoever holds the resource. Nothing here judges.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::condition::Atom;
use super::label::{ANY_CODE, CONFIDENTIALITY, rank};
use super::mark::{Mark, Marks, Place};
use super::own_time::{OwnTime, Written};
use super::parts::{Inside, Labels, Part};
use super::purpose::ACT_REASON;
use super::world::World;
use crate::fhir::{Element, Reference, Resource};

#[derive(Clone, Debug, Default, PartialEq)]
pub struct Facts {
    key: Arc<str>,
    kind: String,
    origin: String,
    rank: Option<u8>,
    labels: BTreeSet<(String, String)>,
    patients: BTreeSet<String>,
    profiles: BTreeSet<String>,
    concepts: BTreeSet<(String, String)>,
    codes: BTreeSet<(String, String)>,
    time: OwnTime,
    refers_to: BTreeSet<String>,
    authors: BTreeSet<String>,
    /// Nobody is named as an author, or somebody in a way that cannot be followed.
    unnamed_author: bool,
    parts: Vec<Part>,
    marks: Marks,
}

impl Facts {
    pub fn of(resource: &Resource, world: &World) -> Facts {
        Facts::known_to(resource, [world])
    }

    /// As the records of several people know it: who wrote it may be said in one of them alone.
    pub fn known_to<'w>(resource: &Resource, worlds: impl IntoIterator<Item = &'w World>) -> Facts {
        let root = resource.root();
        let authors = authors(root);
        let mut names: BTreeSet<String> = authors.iter().filter_map(|who| followed(*who)).collect();
        let unnamed_author = names.len() < authors.len();
        let key = resource.key();
        names.extend(worlds.into_iter().flat_map(|world| world.authors_by_provenance(&key)));
        let Inside { whole, parts } = Inside::of(root);
        let facts = Facts {
            key: key.into(),
            kind: resource.kind().to_string(),
            origin: resource.source().map(origin).unwrap_or_default(),
            rank: highest_rank(resource),
            labels: labels(resource),
            patients: patients(resource),
            profiles: root.get("meta").each("profile").filter_map(Element::as_str).map(str::to_string).collect(),
            concepts: own_concepts(root),
            codes: all_codes(root),
            time: OwnTime::of(resource),
            refers_to: references(root),
            unnamed_author: unnamed_author || names.is_empty(),
            authors: names,
            parts,
            marks: Marks::default(),
        }
        .marked();
        if whole.is_empty() { facts } else { facts.bearing(&whole) }
    }

    /// With the marks of what it has.
    fn marked(mut self) -> Facts {
        fn texts(set: &BTreeSet<String>) -> impl Iterator<Item = &str> {
            set.iter().map(String::as_str)
        }
        fn codes(set: &BTreeSet<(String, String)>) -> impl Iterator<Item = &str> {
            set.iter().map(|(_, code)| code.as_str())
        }
        let profiles = texts(&self.profiles).chain(self.profiles.iter().filter_map(|own| Some(own.split_once('|')?.0)));
        self.marks = Marks::default()
            .with(Place::Kind, [self.kind.as_str()])
            .with(Place::Label, codes(&self.labels))
            .with(Place::Origin, [self.origin.as_str()])
            .with(Place::Key, [&*self.key])
            .with(Place::Profile, profiles)
            .with(Place::Code, codes(&self.codes))
            .with(Place::Concept, codes(&self.concepts))
            .with(Place::Reference, texts(&self.refers_to))
            .with(Place::Author, texts(&self.authors));
        self
    }

    /// Whether a test of that mark may hold.
    #[inline]
    pub(super) fn may(&self, mark: Mark) -> bool {
        self.marks.may(mark)
    }

    /// What is labelled inside, or contained.
    pub(super) fn parts(&self) -> &[Part] {
        &self.parts
    }

    /// The same with more labels, as a part of it has them: its own purposes stand alone, for the whole's were asked.
    pub(super) fn bearing(&self, more: &Labels) -> Facts {
        let mut facts = self.clone();
        for (system, code) in more {
            if system == CONFIDENTIALITY {
                facts.rank = facts.rank.and_then(|own| rank(code).map(|rank| rank.max(own)));
            }
        }
        if more.iter().any(|(system, _)| system == ACT_REASON) {
            facts.labels.retain(|(system, _)| system != ACT_REASON);
            facts.labels.insert((ACT_REASON.to_string(), ANY_CODE.to_string()));
        }
        facts.labels.extend(more.iter().filter(|(system, _)| system != CONFIDENTIALITY).cloned());
        facts.marked()
    }

    /// The same, were it of another type.
    pub(super) fn as_kind(&self, kind: &str) -> Facts {
        Facts { kind: kind.to_string(), ..self.clone() }.marked()
    }

    /// As [`Facts::patients`], for who asks nothing else of a resource.
    pub fn patients_of(resource: &Resource) -> BTreeSet<String> {
        patients(resource)
    }

    pub fn key(&self) -> &str {
        &self.key
    }

    /// The same, to be kept.
    pub(super) fn shared_key(&self) -> Arc<str> {
        self.key.clone()
    }

    pub fn kind(&self) -> &str {
        &self.kind
    }

    /// `Organization/x`; empty when it is unknown.
    pub fn origin(&self) -> &str {
        &self.origin
    }

    /// The highest confidentiality, from 0 (U) to 5 (V); `None` when it is unclassified.
    pub fn rank(&self) -> Option<u8> {
        self.rank
    }

    /// Its labels other than confidentiality, as `Atom::Label` asks for them. A purpose among them is there a second
    /// time with the code `*`, so that "has some purpose" is one equality too.
    pub fn labels(&self) -> &BTreeSet<(String, String)> {
        &self.labels
    }

    /// The patients in whose compartments it lies: `Patient/x`.
    pub fn patients(&self) -> &BTreeSet<String> {
        &self.patients
    }

    /// What a store keeps of them beside the plain columns.
    pub fn columns(&self) -> Columns {
        let pairs = |mark: char, pairs: &BTreeSet<(String, String)>| {
            pairs.iter().map(|(system, code)| line(mark, system, code)).collect::<String>()
        };
        let names =
            |mark: char, names: &BTreeSet<String>| names.iter().map(|name| line(mark, name, "")).collect::<String>();
        let mut lines = String::from("\n");
        lines.push_str(&pairs(Columns::CONCEPT, &self.concepts));
        lines.push_str(&pairs(Columns::CODE, &self.codes));
        for profile in &self.profiles {
            lines.push_str(&line(Columns::PROFILE, profile, ""));
            if let Some((url, _)) = profile.split_once('|') {
                lines.push_str(&line(Columns::PROFILE, url, ""));
            }
        }
        lines.push_str(&names(Columns::REFERENCE, &self.refers_to));
        lines.push_str(&names(Columns::AUTHOR, &self.authors));
        if self.unnamed_author {
            lines.push_str(&line(Columns::NOBODY, "", ""));
        }
        Columns { lines, time: self.time.written() }
    }

    pub(super) fn satisfy(&self, atom: &Atom) -> bool {
        match atom {
            Atom::Kind(kinds) => kinds.contains(&self.kind),
            Atom::Unclassified => self.rank.is_none(),
            Atom::RankAtMost(bound) => self.rank.is_some_and(|rank| rank <= *bound),
            Atom::RankAtLeast(bound) => self.rank.is_some_and(|rank| rank >= *bound),
            Atom::Label(labels) => labels.iter().any(|label| self.labels.contains(label)),
            Atom::Origin(origins) => origins.contains(&self.origin),
            Atom::Key(keys) => keys.contains(&*self.key),
            Atom::Profile(profiles) => self.profiles.iter().any(|own| {
                profiles.contains(own) || own.split_once('|').is_some_and(|(url, _)| profiles.contains(url))
            }),
            Atom::Code { codes, anywhere } => {
                let own = if *anywhere { &self.codes } else { &self.concepts };
                codes.iter().any(|code| own.contains(code))
            }
            Atom::Time { interval, zone, inside } => self.time.lies(interval, zone, *inside),
            Atom::RefersTo(keys) => keys.iter().any(|key| self.refers_to.contains(key)),
            Atom::AuthoredBy { names, or_nobody } => {
                names.iter().any(|name| self.authors.contains(name)) || (*or_nobody && self.unnamed_author)
            }
        }
    }
}

/// Facts as a row carries them.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Columns {
    /// One fact a line, each beginning with its mark; the text begins with a line's end, so that a fact is found as
    /// itself and never as the end of another.
    pub lines: String,
    pub time: Option<Written>,
}

impl Columns {
    pub const CONCEPT: char = 'c';
    pub const CODE: char = 'a';
    pub const PROFILE: char = 'p';
    pub const REFERENCE: char = 'r';
    pub const AUTHOR: char = 'w';
    pub const NOBODY: char = 'n';

    /// The text by which a fact is found among the lines.
    pub fn sought(mark: char, first: &str, second: &str) -> String {
        format!("\n{}", line(mark, first, second))
    }
}

fn line(mark: char, first: &str, second: &str) -> String {
    let clean = |text: &str| text.replace(['\n', '\u{1f}'], "\u{fffd}");
    format!("{mark}{}\u{1f}{}\n", clean(first), clean(second))
}

/// Everything a resource refers to, without versions; what is contained in it is part of it.
pub fn references(root: Element) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    root.walk(&mut |element| {
        if let Some(text) = element.text("reference") {
            let reference = Reference::parse(text);
            if !matches!(reference, Reference::Contained(_)) {
                found.insert(reference.key());
            }
        }
    });
    found
}

/// `meta.source` may carry a fragment (R4 resource.html#Meta).
fn origin(source: &str) -> String {
    source.split('#').next().unwrap_or(source).to_string()
}

/// A confidentiality code that we do not know could be the highest, so such a resource counts as unclassified (R9).
fn highest_rank(resource: &Resource) -> Option<u8> {
    let labels = resource.labels();
    let codes = labels.iter().filter(|label| label.system == CONFIDENTIALITY).map(|label| rank(label.code));
    codes.collect::<Option<Vec<u8>>>()?.into_iter().max()
}

fn labels(resource: &Resource) -> BTreeSet<(String, String)> {
    let mut found = BTreeSet::new();
    for label in resource.labels().iter().filter(|label| label.system != CONFIDENTIALITY) {
        found.insert((label.system.to_string(), label.code.to_string()));
        if label.system == ACT_REASON {
            found.insert((ACT_REASON.to_string(), ANY_CODE.to_string()));
        }
    }
    found
}

/// Where a type names the patients in whose compartments it lies (R4 compartmentdefinition-patient.html).
const COMPARTMENT: &[(&str, &[&str])] = &[
    ("AllergyIntolerance", &["patient", "recorder", "asserter"]),
    ("Appointment", &["participant.actor"]),
    ("AppointmentResponse", &["actor"]),
    ("AuditEvent", &["agent.who", "entity.what"]),
    ("Basic", &["subject", "author"]),
    ("CarePlan", &["subject", "activity.detail.performer"]),
    ("CareTeam", &["subject", "participant.member"]),
    ("ChargeItem", &["subject", "enterer", "performer.actor"]),
    ("Claim", &["patient", "payee.party"]),
    ("Communication", &["subject", "sender", "recipient"]),
    ("CommunicationRequest", &["subject", "sender", "recipient", "requester"]),
    ("Composition", &["subject", "author", "attester.party"]),
    ("Condition", &["subject", "asserter"]),
    ("Coverage", &["policyHolder", "subscriber", "beneficiary", "payor"]),
    ("DeviceRequest", &["subject", "performer"]),
    ("DocumentManifest", &["subject", "author", "recipient"]),
    ("DocumentReference", &["subject", "author"]),
    ("EnrollmentRequest", &["candidate"]),
    ("ExplanationOfBenefit", &["patient", "payee.party"]),
    ("Group", &["member.entity"]),
    ("Invoice", &["subject", "recipient"]),
    ("List", &["subject", "source"]),
    ("MedicationAdministration", &["subject", "performer.actor"]),
    ("MedicationDispense", &["subject", "receiver"]),
    ("Observation", &["subject", "performer"]),
    ("Person", &["link.target"]),
    ("Procedure", &["subject", "performer.actor"]),
    ("Provenance", &["target"]),
    ("QuestionnaireResponse", &["subject", "author"]),
    ("RequestGroup", &["subject", "action.participant"]),
    ("ResearchSubject", &["individual"]),
    ("Schedule", &["actor"]),
    ("ServiceRequest", &["subject", "performer"]),
    ("SupplyRequest", &["deliverTo"]),
    // R4 leaves Task out of the compartment; on this exchange `for` is whom a referral is about.
    ("Task", &["for"]),
];

fn patients(resource: &Resource) -> BTreeSet<String> {
    if resource.kind() == "Patient" {
        return BTreeSet::from([resource.key()]);
    }
    let listed = COMPARTMENT.iter().find(|(kind, _)| *kind == resource.kind());
    let paths = listed.map_or(&["subject", "patient"][..], |(_, paths)| *paths);
    let named = paths.iter().flat_map(|path| resource.root().all(path));
    let named = named.filter_map(|element| element.text("reference")).map(Reference::parse);
    named.filter(|reference| reference.id_of("Patient").is_some()).map(|reference| reference.key()).collect()
}

/// The codings of the concepts that are direct elements: what the resource itself is about.
fn own_concepts(root: Element) -> BTreeSet<(String, String)> {
    let names = root.object().into_iter().flat_map(|object| object.keys());
    let codings = names.flat_map(|name| root.concepts(name));
    codings.map(|coding| (coding.system.to_string(), coding.code.to_string())).collect()
}

/// Every code with a system, anywhere but in `meta`.
fn all_codes(root: Element) -> BTreeSet<(String, String)> {
    let mut found = BTreeSet::new();
    let members = root.object().into_iter().flatten().filter(|(name, _)| *name != "meta");
    for (_, value) in members {
        Element::new(value).walk(&mut |element| {
            if let (Some(system), Some(code)) = (element.text("system"), element.text("code")) {
                found.insert((system.to_string(), code.to_string()));
            }
        });
    }
    found
}

const AUTHORS: [&str; 6] = ["author", "performer", "recorder", "asserter", "requester", "informationSource"];

/// The References that name authors; a performer may be a backbone with an `actor`.
fn authors(root: Element) -> Vec<Element> {
    let named = AUTHORS.iter().flat_map(|name| root.each(name));
    named.map(|who| if who.get("actor").exists() { who.get("actor") } else { who }).collect()
}

fn followed(who: Element) -> Option<String> {
    let reference = Reference::parse(who.text("reference")?);
    (!matches!(reference, Reference::Contained(_))).then(|| reference.key())
}
