//! A resource against its base definition, element by element.
//!
//! The walk knows structure: which members an object may have, how often, of which type and format, from which
//! required codes, and what a reference may point at. Where it meets a resource it also applies the profiles
//! which that resource claims, and where it meets an extension whose definition we hold, that definition.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::rc::Rc;

use serde_json::{Map, Value};

use crate::fhir::{Issue, Severity, fhirpath};

use super::Profiles;
use super::around::Around;
use super::binding::Bound;
use super::facts::bare;
use super::found::{Findings, Place, describe, listed, shown};
use super::pointing;
use super::primitive::{Misfit, Primitive};
use super::table::{Field, FieldType, Node, Table};

/// Judgements of what references lead to, one within the other: a chain of resources may be as long as its sender likes.
const NESTING_MAX: usize = 8;
/// Failed profiles of which a request is told the reason, too.
const EXPLAINED_MAX: usize = 10;
/// Deeper than any reader of ours lets in; a guard for values built elsewhere.
const DEPTH_MAX: usize = 128;
const CORE: &str = "http://hl7.org/fhir/StructureDefinition/";

/// What has been judged by which profile: references in circles end, and what many refer to is judged once. A value is
/// known by where it lies, so that none may be moved or dropped while this is in use.
#[derive(Clone, Default)]
pub struct Judged(Rc<RefCell<HashMap<(*const Value, String), bool>>>, Rc<Cell<usize>>);

impl Judged {
    fn of(&self, value: &Value, url: &str) -> Option<bool> {
        self.0.borrow().get(&(std::ptr::from_ref(value), url.to_string())).copied()
    }

    fn may_explain(&self) -> bool {
        self.1.set(self.1.get() + 1);
        self.1.get() <= EXPLAINED_MAX
    }

    /// True until it is known, for whoever comes round to it again.
    fn is(&self, value: &Value, url: &str, holds: bool) {
        self.0.borrow_mut().insert((std::ptr::from_ref(value), url.to_string()), holds);
    }
}

pub struct Walk<'a> {
    pub profiles: &'a Profiles,
    pub findings: Findings,
    pub place: Place<'a>,
    pub around: Around<'a>,
    /// Of the entry of a Bundle that the walk is in.
    full_url: Option<&'a str>,
    /// The `language` of the resource around.
    pub language: Option<&'a str>,
    /// Code systems that are not held and were named.
    pub unheld: Vec<&'a str>,
    /// Extensions that are not known and were named.
    pub unknown_urls: Vec<&'a str>,
    /// Everything is said that helps, not only what is wrong.
    pub is_thorough: bool,
    pub judged: Judged,
    /// Judgements within judgements.
    nesting: usize,
}

impl<'a> Walk<'a> {
    pub fn new(profiles: &'a Profiles, around: Around<'a>) -> Walk<'a> {
        let kind = around.resource().get("resourceType").and_then(Value::as_str).unwrap_or("");
        let (findings, place) = (Findings::default(), Place::of(kind));
        let (full_url, language, unheld, unknown_urls) = (None, None, Vec::new(), Vec::new());
        Walk {
            profiles,
            findings,
            place,
            around,
            full_url,
            language,
            unheld,
            unknown_urls,
            is_thorough: false,
            judged: Judged::default(),
            nesting: 0,
        }
    }

    /// Whether a profile holds for a resource or a value; `None` when the profile is not at hand, or where the way to the
    /// value was too long.
    pub fn conforms(&self, value: &'a Value, url: &str, around: Option<&Around<'a>>) -> Option<bool> {
        let url = bare(url);
        let head = &self.profiles.entry(url)?.head;
        let kind = value.get("resourceType").and_then(Value::as_str);
        if kind.is_some_and(|kind| kind != head.type_name) {
            return Some(false);
        }
        if !head.is_profile() {
            return Some(true);
        }
        if self.nesting >= NESTING_MAX {
            return None;
        }
        let known = self.judged.of(value, url);
        if known.is_none() {
            self.judged.is(value, url, true);
            let holds = !self.judge(value, url, around).has_errors();
            self.judged.is(value, url, holds);
        }
        self.judged.of(value, url)
    }

    /// A walk of its own that knows what this one has judged.
    pub fn within<'v>(&self, around: Around<'v>) -> Walk<'v>
    where
        'a: 'v,
    {
        let mut walk = Walk::new(self.profiles, around);
        walk.judged = self.judged.clone();
        walk.nesting = self.nesting + 1;
        walk
    }

    fn judge(&self, value: &'a Value, url: &str, around: Option<&Around<'a>>) -> Findings {
        let mut walk = self.within(around.unwrap_or(&self.around).clone());
        walk.overlaid(url, value);
        walk.findings
    }

    /// The first reason why a profile does not hold, for a sentence about it. It is judged anew for that, so a judgement
    /// within a judgement gives none, and a request only the first few.
    pub fn objection(&self, value: &'a Value, url: &str, around: Option<&Around<'a>>) -> Option<String> {
        if self.nesting > 0 || !self.judged.may_explain() {
            return None;
        }
        let found = self.judge(value, bare(url), around).into_outcome().0;
        let first = found.into_iter().find(|issue| issue.severity == Severity::Error)?;
        Some(format!("`{}`: {}", first.expression, first.text))
    }

    pub fn say(&mut self, issue: Issue) {
        self.findings.add(&self.place, issue);
    }

    pub fn error(&mut self, code: &'static str, rule: &'static str, text: String) {
        self.say(Issue::error(code, rule, text));
    }

    /// The walk stands at an element of that name.
    pub fn is_at(&self, name: &str) -> bool {
        self.place.steps.last().is_some_and(|step| step.name == name)
    }

    /// A resource, wherever it is: at the root, contained, or in a Bundle.
    pub fn resource(&mut self, value: &'a Value, also: &[String]) {
        let Some(object) = value.as_object() else {
            return self.error("structure", "type", format!("expected a resource, found {}", describe(value)));
        };
        let Some(kind) = object.get("resourceType").and_then(Value::as_str) else {
            return self.error("structure", "resource-type", "expected a resource with a `resourceType`".into());
        };
        let Some(table) = self.profiles.table(kind).filter(|_| self.profiles.knows(kind)) else {
            return self.unknown_kind(kind);
        };
        let outside = self.language;
        self.language = object.get("language").and_then(Value::as_str).or(self.language);
        let is_inside = !self.place.steps.is_empty();
        if is_inside {
            self.around.enter(value, self.full_url.take());
        }
        self.object(value, object, table, 0, true);
        self.claimed(value, kind, also);
        if kind == "Observation" {
            self.vital_sign(value);
        }
        if is_inside {
            self.around.leave();
        }
        self.language = outside;
    }

    /// At the root nothing can be judged, so that is an error; inside, the rest still can.
    fn unknown_kind(&mut self, kind: &str) {
        let exists = pointing::exists(self.profiles, kind);
        let issue = match (exists, self.place.steps.is_empty()) {
            (true, true) => {
                Issue::error("not-supported", "kind-unsupported", format!("`{}` has no definition here", shown(kind)))
            }
            (true, false) => Issue::warning(
                "not-supported",
                "kind-unchecked",
                format!("`{}` has no definition here and was not checked", shown(kind)),
            ),
            (false, _) => {
                Issue::error("structure", "kind-unknown", format!("`{}` is no resource type of R4", shown(kind)))
            }
        };
        self.say(issue);
    }

    fn object(
        &mut self,
        value: &'a Value,
        object: &'a Map<String, Value>,
        table: &'a Table,
        at: usize,
        is_resource: bool,
    ) {
        if object.is_empty() {
            return self.error("structure", "empty", "expected a value or children, found an empty object".into());
        }
        if self.place.steps.len() > DEPTH_MAX {
            return self.error("too-costly", "depth", format!("nested deeper than {DEPTH_MAX} levels"));
        }
        let node: &'a Node = &table.nodes[at];
        let mut counts = vec![0_usize; node.fields.len()];
        let mut chosen: Vec<Option<&str>> = vec![None; node.fields.len()];
        for (place, (json, value)) in object.iter().enumerate() {
            if is_resource && json == "resourceType" {
                continue;
            }
            let name = json.strip_prefix('_').unwrap_or(json);
            let found = node.find(name).filter(|(_, _, kind)| name == json || kind.primitive.is_some());
            let Some((index, field, kind)) = found else {
                self.place.push(json, place);
                let known = nearest(node, name);
                let text = format!("`{}` is no element of {}{known}", shown(json), table.type_name);
                self.error("structure", "unknown-element", text);
                self.place.steps.pop();
                continue;
            };
            self.place.push(&field.name, place);
            if let Some(other) = chosen[index].replace(&kind.json).filter(|other| *other != kind.json) {
                self.error("structure", "choice", format!("expected one type, found `{other}` and `{}`", kind.json));
            }
            if name != json {
                if !object.contains_key(name) {
                    counts[index] = self.siblings_only(value, field);
                    self.without_code(field, kind);
                }
            } else {
                if field.name == "resource" {
                    self.full_url = object.get("fullUrl").and_then(Value::as_str);
                }
                counts[index] = self.member(value, object.get(&format!("_{json}")), table, field, kind);
            }
            self.place.steps.pop();
        }
        for (field, count) in node.fields.iter().zip(counts) {
            if count < field.min as usize {
                let text = format!("`{}` is required: expected at least {}, found {count}", field.name, field.min);
                self.findings.add_missing(&self.place, &field.name, Issue::error("required", "cardinality-min", text));
            } else if count > field.max as usize {
                let text = format!("`{}` may occur at most {}, found {count}", field.name, field.max);
                self.findings.add_missing(&self.place, &field.name, Issue::error("structure", "cardinality-max", text));
            }
        }
        if table.type_name == "Extension" {
            super::invariant::extension(self, object);
        }
        if !node.invariants.is_empty() {
            let kind = self.profiles.model().inside(&table.type_name, at);
            self.hold(&node.invariants, fhirpath::Node::new(Some(value), None, kind));
        }
    }

    /// A member with a value; answers how often it occurs.
    fn member(
        &mut self,
        value: &'a Value,
        sibling: Option<&'a Value>,
        table: &'a Table,
        field: &'a Field,
        kind: &'a FieldType,
    ) -> usize {
        match (field.is_list, value) {
            (true, Value::Array(list)) if list.is_empty() => {
                self.error("structure", "empty", "expected at least one item, found an empty list".into());
                1
            }
            (true, Value::Array(list)) => {
                let siblings = sibling.and_then(Value::as_array);
                if let Some(sibling) = sibling {
                    self.padded(list, sibling, kind);
                }
                for (item, value) in list.iter().enumerate() {
                    self.place.set_item(Some(item));
                    let beside = siblings.and_then(|list| list.get(item)).filter(|value| !value.is_null());
                    match (value, kind.primitive) {
                        (Value::Null, Some(_)) if beside.is_some() => self.siblings(beside),
                        (Value::Null, _) => {
                            self.error("structure", "null", "expected a value, found `null` that pads nothing".into())
                        }
                        _ => self.value(value, beside, table, field, kind),
                    }
                }
                self.place.set_item(None);
                list.len()
            }
            (true, value) => {
                self.error("structure", "json-type", format!("expected a list, found {}", describe(value)));
                1
            }
            (false, Value::Array(_)) => {
                self.error("structure", "json-type", "expected a single value, found a list".into());
                1
            }
            (false, Value::Null) => {
                self.error("structure", "null", "expected a value, found `null`".into());
                1
            }
            (false, value) => {
                self.value(value, sibling, table, field, kind);
                1
            }
        }
    }

    /// `_given` beside `given`: a list of equal length, `null` where there is nothing to say.
    fn padded(&mut self, list: &[Value], sibling: &Value, kind: &FieldType) {
        let len = sibling.as_array().map_or(0, Vec::len);
        if len != list.len() {
            let text = format!("expected `_{0}` as a list as long as `{0}` ({1}), found {len}", kind.json, list.len());
            self.error("structure", "null", text);
        }
    }

    /// A primitive element with id or extensions and no value at all.
    fn siblings_only(&mut self, sibling: &'a Value, field: &'a Field) -> usize {
        match (field.is_list, sibling) {
            (true, Value::Array(list)) if !list.is_empty() => {
                for (item, sibling) in list.iter().enumerate() {
                    self.place.set_item(Some(item));
                    self.siblings(Some(sibling));
                }
                self.place.set_item(None);
                list.len()
            }
            (true, other) => {
                self.error("structure", "json-type", format!("expected a list, found {}", describe(other)));
                1
            }
            (false, other) => {
                self.siblings(Some(other));
                1
            }
        }
    }

    fn siblings(&mut self, sibling: Option<&'a Value>) {
        let Some(sibling) = sibling else { return };
        match (sibling.as_object(), self.profiles.table("Element")) {
            (Some(object), Some(table)) => self.object(sibling, object, table, 0, false),
            (None, _) => self.error(
                "structure",
                "json-type",
                format!("expected an object with `id` or `extension`, found {}", describe(sibling)),
            ),
            _ => {}
        }
    }

    fn value(
        &mut self,
        value: &'a Value,
        sibling: Option<&'a Value>,
        table: &'a Table,
        field: &'a Field,
        kind: &'a FieldType,
    ) {
        if let Some(primitive) = kind.primitive {
            self.siblings(sibling);
            return self.primitive(value, primitive, field);
        }
        if kind.code == "Resource" {
            return self.resource(value, &[]);
        }
        let Some(object) = value.as_object() else {
            return self.error(
                "structure",
                "json-type",
                format!("expected {} as an object, found {}", article(&kind.code), describe(value)),
            );
        };
        match field.node {
            Some(node) => self.object(value, object, table, node, false),
            None => {
                let Some(table) = self.profiles.table(&kind.code) else { return };
                self.object(value, object, table, 0, false);
            }
        }
        match kind.code.as_str() {
            "Extension" => self.extension(value),
            "Attachment" => self.attachment(object),
            "Coding" => self.coding(object),
            "Quantity" | "Age" | "Count" | "Distance" | "Duration" => self.unit(object),
            "Reference" => {
                let contained = self.around.container().get("contained");
                if let Some(issue) = pointing::problem(self.profiles, contained, object, &kind.targets) {
                    self.say(issue);
                }
            }
            _ => {}
        }
        if let Some(bound) = &field.bound {
            self.bound(value, bound);
        }
        if !field.invariants.is_empty() {
            let kind = self.profiles.model().kind(&kind.code);
            self.hold(&field.invariants, fhirpath::Node::new(Some(value), sibling, kind));
        }
    }

    /// `size` is of the bytes, not of their base64 (R4 datatypes.html#Attachment).
    fn attachment(&mut self, object: &Map<String, Value>) {
        let Some(data) = object.get("data").and_then(Value::as_str) else { return };
        let Some(stated) = object.get("size").and_then(Value::as_u64) else { return };
        let letters = data.bytes().filter(|byte| !byte.is_ascii_whitespace() && *byte != b'=').count() as u64;
        let size = letters * 3 / 4;
        if stated != size {
            self.error(
                "structure",
                "attachment-size",
                format!("expected `size` {size}, of what is in `data`, found {stated}"),
            );
        }
    }

    fn primitive(&mut self, value: &'a Value, primitive: Primitive, field: &Field) {
        match primitive.check(value) {
            Err(Misfit::Json(expected)) => {
                self.error("structure", "json-type", format!("expected {expected}, found {}", describe(value)));
            }
            Err(Misfit::Format(expected)) => {
                self.error("value", "format", format!("expected {expected} ({primitive})"))
            }
            Ok(()) => {
                if let (Primitive::Xhtml, Some(div)) = (primitive, value.as_str()) {
                    self.links(div);
                }
                if let Some(bound) = &field.bound {
                    self.bound(value, bound);
                }
            }
        }
    }

    /// Extensions in place of a code that must be of a set: such sets have a code for what is not known.
    fn without_code(&mut self, field: &Field, kind: &FieldType) {
        if let Some(bound) = field.bound.as_ref().filter(|bound| bound.is_required() && kind.code == "code") {
            self.error("code-invalid", "binding", format!("expected a code of `{}`, found none", last(&bound.url)));
        }
    }

    fn bound(&mut self, value: &Value, bound: &Bound) {
        if self.findings.is_full() && bound.refuses(self.profiles, value) {
            return self.findings.leave_out_error();
        }
        if let Some(issue) = bound.issue(self.profiles, value, "") {
            self.say(issue);
        }
    }
}

pub fn nearest(node: &Node, name: &str) -> String {
    let lower = name.to_lowercase();
    let close = |field: &&Field| {
        let known = field.name.to_lowercase();
        known == lower
            || known.trim_end_matches('s') == lower.trim_end_matches('s')
            || (field.is_choice && lower.starts_with(&known))
    };
    match node.fields.iter().find(close) {
        Some(field) => format!("; is it {}?", listed(field.types.iter().take(3).map(|kind| kind.json.as_str()))),
        None => String::new(),
    }
}

fn article(type_name: &str) -> String {
    let an = type_name.starts_with(['A', 'E', 'I', 'O', 'U']);
    format!("{} {type_name}", if an { "an" } else { "a" })
}

/// The end of a canonical, which is how people name it.
pub fn last(canonical: &str) -> &str {
    let canonical = bare(canonical);
    let short = canonical.rsplit('/').next().unwrap_or(canonical);
    if canonical.starts_with(CORE) || short.len() > 3 { short } else { canonical }
}
