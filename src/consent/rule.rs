//! The rules of a consent, read from its provisions.
//!
//! One `Rule` a provision, nested as they are; each selector is a list of values that were understood and a mark
//! that there were others. Nothing is decided here.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::label::{ACT_CODE, CONFIDENTIALITY, OBSERVATION_VALUE, is_known, rank};
use super::purpose::{self, ACT_REASON};
use super::select::Standing;
use super::span::Span;
use super::world;
use crate::fhir::{Coding, Element, Reference, Resource, Zone};

pub const PARTICIPATION: &str = "http://terminology.hl7.org/CodeSystem/v3-ParticipationType";
pub const ACTION: &str = "http://terminology.hl7.org/CodeSystem/consentaction";
pub const RESOURCE_TYPES: &str = "http://hl7.org/fhir/resource-types";
const URI: &str = "urn:ietf:rfc:3986";

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    Permit,
    Deny,
}

#[derive(Clone, Debug)]
pub struct Rule {
    /// What a decision quotes.
    pub cited: Arc<Cited>,
    /// Its own type; the root's is the directive's `answer`.
    pub effect: Effect,
    /// A modifier, a type or an element that we do not know: it can only match for want of understanding.
    pub is_blurred: bool,
    /// A modifier that we do not know, which may change what lies below it too.
    pub is_modified: bool,
    /// Of a nested rule; the root's bounds the whole directive.
    pub period: Option<Span>,
    pub actor: Option<Listed<Actor>>,
    pub action: Option<Listed<String>>,
    pub purpose: Option<Listed<String>>,
    pub label: Option<Listed<Label>>,
    pub class: Option<Listed<Class>>,
    pub code: Option<Listed<(String, String)>>,
    pub data_period: Option<Span>,
    pub data: Option<Listed<Data>>,
    pub children: Vec<Rule>,
    /// The places of those children that name actors of their own: below actors that are somebody else, only they can
    /// match.
    pub renaming: Vec<usize>,
    /// Where its selectors of data match, whoever asks.
    pub standing: Standing,
}

/// A rule of one version of a consent.
#[derive(Debug, PartialEq, Eq, Hash)]
pub struct Cited {
    /// `Consent/c1/_history/1`.
    pub consent: Arc<str>,
    /// `provision.provision[0]`.
    pub path: Arc<str>,
}

/// The values of one selector: alternatives.
#[derive(Clone, Debug)]
pub struct Listed<T> {
    pub known: Vec<T>,
    pub has_unknown: bool,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Actor {
    pub role: Role,
    pub who: Who,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Role {
    Recipient,
    Holder,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Who {
    Key(String),
    Identifier((String, String)),
    /// The id of a resource contained in the consent.
    Contained(String),
}

#[derive(Clone, Debug, PartialEq)]
pub enum Label {
    Rank(u8),
    Code(String, String),
}

#[derive(Clone, Debug, PartialEq)]
pub enum Class {
    Kind(String),
    Profile(String),
}

#[derive(Clone, Debug, PartialEq)]
pub struct Data {
    pub meaning: Meaning,
    pub key: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Meaning {
    Instance,
    Related,
    Dependents,
    AuthoredBy,
}

/// The members of a provision that R4 knows.
const MEMBERS: [&str; 14] = [
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

/// Levels of provisions that are read, the root among them; filing refuses far fewer (rules.md 24). What lies deeper is
/// not understood, and so is the rule above it.
const LEVELS_READ: usize = 16;

/// Reads provisions and remembers what it did not understand.
pub struct Reader<'a> {
    consent: &'a Arc<str>,
    contained: &'a [Resource],
    zone: Option<&'a Zone>,
    unenforced: BTreeSet<String>,
}

impl<'a> Reader<'a> {
    /// `consent` is the version that is read, `zone` its own, in which its bare dates are read (R5).
    pub fn new(consent: &'a Arc<str>, contained: &'a [Resource], zone: Option<&'a Zone>) -> Self {
        Reader { consent, contained, zone, unenforced: BTreeSet::new() }
    }

    pub fn note(&mut self, pointer: &str) {
        self.unenforced.insert(pointer.to_string());
    }

    pub fn unenforced(self) -> Vec<String> {
        self.unenforced.into_iter().collect()
    }

    /// The root rule; its type is settled with the policy rule, and its period bounds the directive.
    pub fn root(&mut self, provision: Element) -> Rule {
        let mut root = self.rule(provision, "provision", "/provision", 1);
        root.period = None;
        root.standing = Standing::of(&root, &[Effect::Permit, Effect::Deny], self.zone);
        root
    }

    fn nested(&mut self, provision: Element, path: &str, pointer: &str, level: usize) -> Rule {
        let mut rule = self.rule(provision, path, pointer, level);
        // A nested rule without a type that we know is read as the wider of the two.
        match provision.text("type") {
            Some("permit") => rule.effect = Effect::Permit,
            Some("deny") => {}
            _ => {
                self.note(&format!("{pointer}/type"));
                rule.is_blurred = true;
            }
        }
        rule.standing = Standing::of(&rule, &[rule.effect], self.zone);
        rule
    }

    fn rule(&mut self, provision: Element, path: &str, pointer: &str, level: usize) -> Rule {
        let is_modified = provision.get("modifierExtension").exists();
        if is_modified {
            self.note(&format!("{pointer}/modifierExtension"));
        }
        let is_cut = level == LEVELS_READ && provision.get("provision").exists();
        if is_cut {
            self.note(&format!("{pointer}/provision"));
        }
        let is_blurred = self.has_stranger(provision, pointer) || is_modified || is_cut;
        let children: Vec<Rule> = provision
            .each("provision")
            .enumerate()
            .take_while(|_| !is_cut)
            .map(|(place, child)| {
                let (path, pointer) = (format!("{path}.provision[{place}]"), format!("{pointer}/provision/{place}"));
                self.nested(child, &path, &pointer, level + 1)
            })
            .collect();
        let renaming = children.iter().enumerate().filter(|(_, child)| child.actor.is_some());
        Rule {
            cited: Arc::new(Cited { consent: self.consent.clone(), path: path.into() }),
            standing: Standing::default(),
            effect: Effect::Deny,
            is_blurred,
            is_modified,
            period: self.span(provision, "period", pointer),
            data_period: self.span(provision, "dataPeriod", pointer),
            actor: self.list(provision, "actor", pointer, |reader, value| reader.actor(value)),
            action: self.list(provision, "action", pointer, |_, value| action(value)),
            purpose: self.list(provision, "purpose", pointer, |_, value| purpose(value.coding())),
            label: self.list(provision, "securityLabel", pointer, |_, value| label(value.coding())),
            class: self.list(provision, "class", pointer, |_, value| class(value.coding())),
            code: self.codes(provision, pointer),
            data: self.list(provision, "data", pointer, |_, value| data(value)),
            renaming: renaming.map(|(place, _)| place).collect(),
            children,
        }
    }

    fn has_stranger(&mut self, provision: Element, pointer: &str) -> bool {
        let names = provision.object().into_iter().flat_map(|object| object.keys());
        let strangers: Vec<&String> =
            names.filter(|name| !MEMBERS.contains(&name.strip_prefix('_').unwrap_or(name.as_str()))).collect();
        strangers.iter().for_each(|name| self.note(&format!("{pointer}/{name}")));
        !strangers.is_empty()
    }

    fn span(&mut self, provision: Element, name: &str, pointer: &str) -> Option<Span> {
        let period = provision.get(name);
        let span = period.exists().then(|| Span::read_in(period, self.zone))?;
        if !span.is_readable() {
            self.note(&format!("{pointer}/{name}"));
        }
        Some(span)
    }

    fn list<T>(
        &mut self,
        provision: Element,
        name: &str,
        pointer: &str,
        read: impl Fn(&Self, Element) -> Option<T>,
    ) -> Option<Listed<T>> {
        let mut listed = Listed { known: Vec::new(), has_unknown: false };
        for (place, value) in provision.each(name).enumerate() {
            match read(self, value) {
                Some(known) if !value.get("modifierExtension").exists() => listed.known.push(known),
                _ => {
                    listed.has_unknown = true;
                    self.note(&format!("{pointer}/{name}/{place}"));
                }
            }
        }
        (listed.has_unknown || !listed.known.is_empty()).then_some(listed)
    }

    /// A concept may have several codings; each is an alternative.
    fn codes(&mut self, provision: Element, pointer: &str) -> Option<Listed<(String, String)>> {
        let concepts = self.list(provision, "code", pointer, |_, concept| {
            let codings = concept.codings("coding").into_iter();
            let readable: Vec<(String, String)> = codings
                .filter(|coding| !coding.system.is_empty() && !coding.code.is_empty())
                .map(|coding| (coding.system.to_string(), coding.code.to_string()))
                .collect();
            (!readable.is_empty()).then_some(readable)
        })?;
        Some(Listed { known: concepts.known.concat(), has_unknown: concepts.has_unknown })
    }

    fn actor(&self, actor: Element) -> Option<Actor> {
        let roles = actor.concepts("role");
        let role = roles.iter().find_map(|coding| match (coding.system, coding.code) {
            (PARTICIPATION, "IRCP" | "PRCP") => Some(Role::Recipient),
            (PARTICIPATION, "CST") => Some(Role::Holder),
            _ => None,
        })?;
        let named = actor.get("reference");
        let who = match named.text("reference").map(Reference::parse) {
            Some(Reference::Contained(id)) => {
                self.contained.iter().find(|inner| inner.id() == Some(id))?;
                Who::Contained(id.to_string())
            }
            Some(reference) => Who::Key(reference.key()),
            None => Who::Identifier(world::identifier(named.get("identifier"))?),
        };
        Some(Actor { role, who })
    }
}

fn action(action: Element) -> Option<String> {
    let known = ["collect", "access", "use", "disclose", "correct"];
    let codings = action.codings("coding");
    let found = codings.iter().find(|coding| coding.system == ACTION && known.contains(&coding.code));
    found.map(|coding| coding.code.to_string())
}

fn purpose(coding: Coding) -> Option<String> {
    (coding.system == ACT_REASON && purpose::is_known(coding.code)).then(|| coding.code.to_string())
}

fn label(coding: Coding) -> Option<Label> {
    let known = match coding.system {
        CONFIDENTIALITY => return rank(coding.code).map(Label::Rank),
        ACT_CODE => is_known(coding.code),
        ACT_REASON => purpose::is_known(coding.code),
        OBSERVATION_VALUE => !coding.code.is_empty(),
        _ => false,
    };
    known.then(|| Label::Code(coding.system.to_string(), coding.code.to_string()))
}

fn class(coding: Coding) -> Option<Class> {
    match coding.system {
        RESOURCE_TYPES => is_concrete_type(coding.code).then(|| Class::Kind(coding.code.to_string())),
        URI if !coding.code.is_empty() => Some(Class::Profile(coding.code.to_string())),
        _ => None,
    }
}

fn data(data: Element) -> Option<Data> {
    let meaning = match data.text("meaning")? {
        "instance" => Meaning::Instance,
        "related" => Meaning::Related,
        "dependents" => Meaning::Dependents,
        "authoredby" => Meaning::AuthoredBy,
        _ => return None,
    };
    match data.reference("reference")? {
        Reference::Contained(_) => None,
        reference => Some(Data { meaning, key: reference.key() }),
    }
}

/// R4 resource-types that a resource can have; `Resource` and `DomainResource` are no resource's type.
fn is_concrete_type(code: &str) -> bool {
    include_str!("resource-types.txt").split_ascii_whitespace().any(|known| known == code)
}
