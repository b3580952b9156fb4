//! A copy with parts taken out: what a label inside hides, what a purpose does not need, what is said of nobody.
//!
//! An element goes with its `_sibling`, what is contained goes with every reference to it, and where the definition
//! wants an element its place says `masked` (FHIR R4 extension-data-absent-reason.html). The narrative tells what the
//! elements tell, so it goes as soon as one of them does. A redacted copy says so: `REDACTED` among its labels (FHIR R4
//! security-labels.html, v3-ObservationValue), `SUBSETTED` among its tags (search.html#summary), so that nobody
//! takes it for the whole.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use super::discretion::Discretion;
use super::label::OBSERVATION_VALUE;
use super::minimum::Kept;
use super::parts::{Step, Way};
use super::regime::Regimes;
use crate::fhir::view::Outline;
use crate::fhir::{Element, Reference, Resource};

const ABSENT: &str = "http://hl7.org/fhir/StructureDefinition/data-absent-reason";
/// The pseudonym under which one agency knows a person of another.
pub const PSEUDONYM: &str = "https://handoff.example/fhir/pseudonym";
/// What every resource keeps.
const LEADING: [&str; 6] = ["resourceType", "id", "meta", "implicitRules", "language", "modifierExtension"];

/// The definition of a type, by its name.
pub type Definitions<'h> = dyn Fn(&str) -> Option<Box<dyn Outline + 'h>> + Sync + 'h;

/// What is known of the one whom a copy is for, and of whom it must not speak.
pub struct Handling<'h> {
    /// The recipient's kind.
    pub kind: &'h str,
    pub regimes: &'h Regimes,
    pub masks: &'h Masks,
    /// How little is said of the people of the partner that it came from.
    pub discretion: Option<&'h Discretion>,
    /// The pseudonym of a Patient for this recipient.
    pub pseudonym: Option<&'h str>,
    pub outline: &'h Definitions<'h>,
}

/// Whom nothing may be said of in one resource.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Masks {
    /// Directory entries that the recipient does not know of.
    pub entries: BTreeSet<String>,
    /// People who are referred to by nothing but the reference.
    pub people: BTreeSet<String>,
    /// The partners of those entries, `Organization/x`, with the types that are theirs alone.
    pub partners: BTreeSet<String>,
    pub kinds: BTreeSet<String>,
    /// What the resource itself says, where it is such a partner's own face.
    pub face: Option<Kept>,
}

impl Masks {
    pub fn is_empty(&self) -> bool {
        *self == Masks::default()
    }
}

/// A resource without the parts withheld, cut down to what these purposes need if `least` is asked for. Answers
/// whether anything was taken out.
pub fn redact(
    resource: Resource,
    withheld: &[Way],
    least: Option<&BTreeSet<String>>,
    to: &Handling,
) -> (Resource, bool) {
    redact_by(resource, withheld, to, |copy, object, kind| copy.cut_down(object, kind, least))
}

/// The same, cut down to what is kept, whoever asks.
pub(super) fn redact_to(resource: Resource, withheld: &[Way], kept: Option<&Kept>, to: &Handling) -> (Resource, bool) {
    redact_by(resource, withheld, to, |copy, object, kind| {
        copy.cut_down(object, kind, None);
        if let Some(kept) = kept {
            copy.trim(object, kind, kept);
        }
    })
}

fn redact_by<'c, 'h>(
    resource: Resource,
    withheld: &[Way],
    to: &'c Handling<'h>,
    cut_down: impl FnOnce(&mut Copy<'c, 'h>, &mut Map<String, Value>, &str),
) -> (Resource, bool) {
    let kind = resource.kind().to_string();
    let mut value = resource.into_value();
    let mut copy = Copy { to, changed: false };
    if let Value::Object(object) = &mut value {
        let reached = reached(object);
        let gone = copy.gone(object, withheld);
        copy.cut_all(object, &kind, withheld);
        cut_down(&mut copy, object, &kind);
        copy.masked(object, &kind, &gone);
        copy.sweep(object, &gone, &reached);
        if copy.changed {
            said(object);
        }
    }
    let changed = copy.changed;
    // It was one before, and what makes it one is never taken.
    (Resource::from_value(value).unwrap_or_else(|| Resource::new(&kind)), changed)
}

/// A resource without these parts, and no word of it.
pub fn without(resource: Resource, ways: &[Way]) -> Resource {
    let mut value = resource.clone().into_value();
    let mut ways: Vec<&Way> = ways.iter().collect();
    ways.sort_unstable_by(|one, other| other.cmp(one));
    if let Value::Object(object) = &mut value {
        ways.into_iter().for_each(|way| {
            cut(object, way, None);
        });
    }
    Resource::from_value(value).unwrap_or(resource)
}

struct Copy<'c, 'h> {
    to: &'c Handling<'h>,
    changed: bool,
}

impl Copy<'_, '_> {
    /// The ids of what is contained and may not stay.
    fn gone(&self, object: &Map<String, Value>, withheld: &[Way]) -> BTreeSet<String> {
        let masks = self.to.masks;
        let is_cut =
            |at: usize| withheld.iter().any(|way| way.as_slice() == [Step::Name("contained".into()), Step::At(at)]);
        let is_theirs = |one: Element| {
            let kind = one.text("resourceType").unwrap_or("");
            let at = ["organization", "managingOrganization", "providedBy"];
            masks.kinds.contains(kind)
                && at.iter().any(|name| one.reference(name).is_some_and(|at| masks.partners.contains(&at.key())))
        };
        let contained = contained(object).enumerate();
        let gone = contained.filter(|(at, one)| is_cut(*at) || is_theirs(*one));
        gone.filter_map(|(_, one)| one.text("id").map(str::to_string)).collect()
    }

    /// The last first, so that the places of those before them stay what they are.
    fn cut_all(&mut self, object: &mut Map<String, Value>, kind: &str, withheld: &[Way]) {
        let mut ways: Vec<&Way> = withheld.iter().collect();
        ways.sort_unstable_by(|one, other| other.cmp(one));
        for way in ways {
            let outline = (self.to.outline)(kind);
            match way.as_slice() {
                [Step::Name(name), Step::At(at), rest @ ..] if name == "contained" && !rest.is_empty() => {
                    let one = object.get_mut(name).and_then(|list| list.get_mut(at)).and_then(Value::as_object_mut);
                    let Some(one) = one else { continue };
                    let outline =
                        one.get("resourceType").and_then(Value::as_str).and_then(|kind| (self.to.outline)(kind));
                    self.changed |= cut(one, rest, outline.as_deref());
                }
                way => self.changed |= cut(object, way, outline.as_deref()),
            }
        }
    }

    fn cut_down(&mut self, object: &mut Map<String, Value>, kind: &str, least: Option<&BTreeSet<String>>) {
        if let Some(face) = &self.to.masks.face {
            self.trim(object, kind, face);
        }
        self.cut_one(object, kind, least, true);
        if let Some(Value::Array(list)) = object.get_mut("contained") {
            for one in list.iter_mut().filter_map(Value::as_object_mut) {
                let kind = one.get("resourceType").and_then(Value::as_str).unwrap_or("").to_string();
                self.cut_one(one, &kind, least, false);
            }
        }
    }

    fn cut_one(&mut self, object: &mut Map<String, Value>, kind: &str, least: Option<&BTreeSet<String>>, whole: bool) {
        let minimum = &self.to.regimes.minimum;
        let kept = least.and_then(|purposes| minimum.of(kind, self.to.kind, purposes.iter().map(String::as_str)));
        if let Some(kept) = kept {
            self.trim(object, kind, &kept);
        }
        if let Some(kept) = self.to.discretion.and_then(|discretion| discretion.people.get(kind)) {
            self.trim(object, kind, kept);
            if let Some(pseudonym) = self.to.pseudonym.filter(|_| whole && kind == "Patient") {
                object.insert("identifier".into(), json!([{"system": PSEUDONYM, "value": pseudonym}]));
                self.changed = true;
            }
        }
    }

    fn trim(&mut self, object: &mut Map<String, Value>, kind: &str, kept: &Kept) {
        let outline = (self.to.outline)(kind);
        self.changed |= trim(object, kept, outline.as_deref(), true);
    }

    fn masked(&mut self, object: &mut Map<String, Value>, kind: &str, gone: &BTreeSet<String>) {
        let masks = self.to.masks;
        let every_person = self.to.discretion.is_some_and(Discretion::is_pseudonymous);
        if gone.is_empty() && masks.entries.is_empty() && masks.people.is_empty() && !every_person {
            return;
        }
        let of = Of { gone, masks, every_person: self.to.discretion.filter(|_| every_person) };
        let outline = (self.to.outline)(kind);
        self.changed |= mask(object, &of, outline.as_deref());
    }

    /// What is contained goes if it may not stay, or if nothing points at it any more.
    fn sweep(&mut self, object: &mut Map<String, Value>, gone: &BTreeSet<String>, before: &BTreeSet<String>) {
        if !self.changed && gone.is_empty() {
            return;
        }
        let after = reached(object);
        let Some(Value::Array(list)) = object.get_mut("contained") else { return };
        let count = list.len();
        list.retain(|one| {
            let id = one.get("id").and_then(Value::as_str).unwrap_or("");
            !gone.contains(id) && (after.contains(id) || !before.contains(id))
        });
        self.changed |= list.len() < count;
        if list.is_empty() {
            object.shift_remove("contained");
        }
    }
}

fn contained(object: &Map<String, Value>) -> impl Iterator<Item = Element<'_>> {
    object.get("contained").and_then(Value::as_array).into_iter().flatten().map(Element::new)
}

/// The ids of what is contained and pointed at, from the resource itself or from what that points at.
fn reached(object: &Map<String, Value>) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    if !object.contains_key("contained") {
        return found;
    }
    let of = |value: &Value, found: &mut BTreeSet<String>| pointers(value, found);
    for (name, value) in object {
        if name != "contained" && name != "text" {
            of(value, &mut found);
        }
    }
    loop {
        let count = found.len();
        for one in contained(object).filter_map(Element::value) {
            if one.get("id").and_then(Value::as_str).is_some_and(|id| found.contains(id)) {
                of(one, &mut found);
            }
        }
        if found.len() == count {
            return found;
        }
    }
}

fn pointers(value: &Value, found: &mut BTreeSet<String>) {
    match value {
        Value::String(text) => found.extend(text.strip_prefix('#').map(str::to_string)),
        Value::Array(list) => list.iter().for_each(|item| pointers(item, found)),
        Value::Object(object) => object.values().for_each(|child| pointers(child, found)),
        _ => {}
    }
}

fn absent() -> Value {
    json!({"extension": [{"url": ABSENT, "valueCode": "masked"}]})
}

/// Takes an element out; where the definition wants one, its place says why there is none.
fn take(object: &mut Map<String, Value>, name: &str, outline: Option<&dyn Outline>) -> bool {
    let sibling = format!("_{name}");
    let value = object.shift_remove(name);
    let was_there = object.shift_remove(&sibling).is_some() || value.is_some();
    if was_there && outline.and_then(|outline| outline.element(name)).is_some_and(|shown| shown.mandatory) {
        let list = value.as_ref().is_some_and(Value::is_array);
        let first = value.as_ref().map(|value| value.as_array().and_then(|list| list.first()).unwrap_or(value));
        let primitive = first.is_none_or(|first| !first.is_object());
        let place = if list { json!([absent()]) } else { absent() };
        object.insert(if primitive { sibling } else { name.to_string() }, place);
    }
    was_there
}

/// Takes out what a way leads to, and whatever has nothing left in it then.
fn cut(object: &mut Map<String, Value>, way: &[Step], outline: Option<&dyn Outline>) -> bool {
    let Some((Step::Name(name), rest)) = way.split_first() else { return false };
    match rest {
        [] => take(object, name, outline),
        [Step::At(at)] => {
            let sibling = format!("_{name}");
            let count = |name: &str| object.get(name).and_then(Value::as_array).map_or(0, Vec::len);
            if *at == 0 && count(name).max(count(&sibling)) == 1 {
                return take(object, name, outline);
            }
            let mut was_there = false;
            for name in [name, &sibling] {
                if let Some(Value::Array(list)) = object.get_mut(name)
                    && *at < list.len()
                {
                    list.remove(*at);
                    was_there = true;
                }
            }
            was_there
        }
        rest => {
            let inner = outline.and_then(|outline| outline.element(name)).and_then(|shown| shown.inner);
            let (at, rest) = match rest {
                [Step::At(at), rest @ ..] => (Some(*at), rest),
                rest => (None, rest),
            };
            let child = match at {
                Some(at) => object.get_mut(name).and_then(|list| list.get_mut(at)),
                None => object.get_mut(name),
            };
            let Some(child) = child.and_then(Value::as_object_mut) else { return false };
            let was_there = cut(child, rest, inner.as_deref());
            if child.is_empty() {
                let way: Vec<Step> = std::iter::once(Step::Name(name.clone())).chain(at.map(Step::At)).collect();
                cut(object, &way, outline);
            }
            was_there
        }
    }
}

/// Takes out what is not kept.
fn trim(object: &mut Map<String, Value>, kept: &Kept, outline: Option<&dyn Outline>, root: bool) -> bool {
    let names: BTreeSet<String> =
        object.keys().map(|name| name.strip_prefix('_').unwrap_or(name).to_string()).collect();
    let mut changed = false;
    for name in names {
        let leads = name == "id" || name == "modifierExtension";
        if leads || (root && (LEADING.contains(&name.as_str()) || name == "text" || name == "contained")) {
            continue;
        }
        match kept.inside(&name) {
            None => changed |= take(object, &name, outline),
            Some(kept) if kept.is_whole() => {}
            Some(kept) => {
                let inner = outline.and_then(|outline| outline.element(&name)).and_then(|shown| shown.inner);
                let items = match object.get_mut(&name) {
                    Some(Value::Array(list)) => list.iter_mut().collect(),
                    Some(one) => vec![one],
                    None => Vec::new(),
                };
                let mut is_empty = false;
                for item in items.into_iter().filter_map(Value::as_object_mut) {
                    changed |= trim(item, kept, inner.as_deref(), false);
                    is_empty |= item.is_empty();
                }
                if is_empty && let Some(value) = object.get_mut(&name) {
                    if let Value::Array(list) = value {
                        list.retain(|item| !item.as_object().is_some_and(Map::is_empty));
                    }
                    if value.as_array().is_none_or(Vec::is_empty) {
                        take(object, &name, outline);
                    }
                }
            }
        }
    }
    changed
}

/// Of what nothing may be said.
struct Of<'m> {
    gone: &'m BTreeSet<String>,
    masks: &'m Masks,
    /// Types of people who are referred to by nothing but the reference.
    every_person: Option<&'m Discretion>,
}

impl Of<'_> {
    fn is_hidden(&self, text: &str) -> bool {
        if let Some(id) = text.strip_prefix('#') {
            return self.gone.contains(id);
        }
        match Reference::parse(text) {
            Reference::Relative { kind, id, .. } | Reference::Absolute { kind, id, .. } => {
                !self.masks.entries.is_empty() && self.masks.entries.contains(&format!("{kind}/{id}"))
            }
            _ => false,
        }
    }

    fn is_person(&self, text: &str) -> bool {
        match Reference::parse(text) {
            Reference::Relative { kind, id, .. } | Reference::Absolute { kind, id, .. } => {
                self.every_person.is_some_and(|discretion| discretion.people.contains_key(kind))
                    || self.masks.people.contains(&format!("{kind}/{id}"))
            }
            _ => false,
        }
    }
}

/// Masks references wherever they stand: as a Reference, or as the text of any other element.
fn mask(object: &mut Map<String, Value>, of: &Of, outline: Option<&dyn Outline>) -> bool {
    if object.get("reference").and_then(Value::as_str).is_some_and(|text| of.is_person(text)) {
        let named: Vec<String> =
            object.keys().filter(|name| !matches!(name.as_str(), "reference" | "type" | "id")).cloned().collect();
        let known = named.len();
        named.into_iter().for_each(|name| {
            object.shift_remove(&name);
        });
        return known > 0;
    }
    let mut changed = false;
    let names: Vec<String> =
        object.keys().filter(|name| !matches!(name.as_str(), "text" | "resourceType" | "id")).cloned().collect();
    for name in names {
        let hidden = match object.get_mut(&name) {
            Some(value @ Value::Object(_)) => {
                changed |= mask_one(value, of);
                false
            }
            Some(Value::String(text)) => of.is_hidden(text),
            Some(Value::Array(list)) => {
                let mut hidden = false;
                for item in list.iter_mut() {
                    match item {
                        Value::String(text) => hidden |= of.is_hidden(text),
                        item => changed |= mask_one(item, of),
                    }
                }
                hidden
            }
            _ => false,
        };
        if hidden {
            changed = true;
            take(object, &name, outline);
            // An extension is nothing without a value.
            if name.starts_with("value") {
                object.insert(format!("_{name}"), absent());
            }
        }
    }
    changed
}

fn mask_one(value: &mut Value, of: &Of) -> bool {
    let Value::Object(object) = value else { return false };
    if object.get("reference").and_then(Value::as_str).is_some_and(|text| of.is_hidden(text)) {
        *value = absent();
        return true;
    }
    mask(object, of, None)
}

/// Says that it is not the whole, and drops what tells the whole in words.
fn said(object: &mut Map<String, Value>) {
    object.shift_remove("text");
    if let Some(Value::Array(list)) = object.get_mut("contained") {
        list.iter_mut().filter_map(Value::as_object_mut).for_each(|one| {
            one.shift_remove("text");
        });
    }
    let mut meta = object.get("meta").cloned().unwrap_or_else(|| json!({}));
    for (list, code) in [("security", "REDACTED"), ("tag", "SUBSETTED")] {
        let label = json!({"system": OBSERVATION_VALUE, "code": code});
        match meta.get_mut(list).and_then(Value::as_array_mut) {
            Some(known) if known.iter().any(|own| own.get("code") == label.get("code")) => {}
            Some(known) => known.push(label),
            None => meta[list] = json!([label]),
        }
    }
    object.insert("meta".into(), meta);
}

#[cfg(test)]
mod tests;
