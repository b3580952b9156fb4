//! What a resource says for each search parameter.
//!
//! Pure: the same resource gives the same entries, whichever database they go to. Text is folded here, so that
//! no database needs to know how.

use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::is_combining_mark;

use crate::fhir::{Element, Interval, Reference, Resource, Zone};

use super::params::{Param, ParamKind, Params};
use super::path::Node;

/// A value as an index row holds it.
#[derive(Clone, Debug, PartialEq)]
pub enum IndexValue {
    Token {
        system: String,
        code: String,
    },
    /// `kind` is empty for a reference that is no `Type/id`; `id` is then its text.
    Reference {
        kind: String,
        id: String,
    },
    Date(Interval),
    Text {
        folded: String,
        exact: String,
    },
    Uri(String),
    Number(f64),
    Quantity {
        value: f64,
        system: String,
        code: String,
    },
}

/// One index row of one resource.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    pub param: String,
    pub value: IndexValue,
}

/// Longest text that is indexed, in characters.
const TEXT_MAX: usize = 400;

/// All entries of a resource, each once.
pub fn entries(params: &Params, resource: &Resource, zone: &Zone) -> Vec<Entry> {
    let mut found: Vec<Entry> = Vec::new();
    for param in params.of(resource.kind()) {
        for node in param.paths.iter().flat_map(|path| path.nodes(resource.root())) {
            for value in values(param, node, zone) {
                let entry = Entry { param: param.code.clone(), value };
                if !found.contains(&entry) {
                    found.push(entry);
                }
            }
        }
    }
    found
}

/// Case and accents away (FHIR R4 search.html#string).
pub fn fold(text: &str) -> String {
    text.nfd().filter(|letter| !is_combining_mark(*letter)).flat_map(char::to_lowercase).take(TEXT_MAX).collect()
}

fn values(param: &Param, node: Node, zone: &Zone) -> Vec<IndexValue> {
    match param.kind {
        ParamKind::Token => tokens(node.element),
        ParamKind::Reference => reference(node.element).into_iter().collect(),
        ParamKind::Date => date(node.element, zone).map(IndexValue::Date).into_iter().collect(),
        ParamKind::Text => texts(node.element),
        ParamKind::Uri => node.element.as_str().map(|uri| IndexValue::Uri(uri.to_string())).into_iter().collect(),
        ParamKind::Number => number(node.element).map(IndexValue::Number).into_iter().collect(),
        ParamKind::Quantity => quantity(node.element).into_iter().collect(),
        ParamKind::Composite | ParamKind::Special => vec![],
    }
}

fn token(system: &str, code: &str) -> IndexValue {
    IndexValue::Token { system: system.to_string(), code: code.to_string() }
}

fn tokens(element: Element) -> Vec<IndexValue> {
    if let Some(code) = element.as_str() {
        return vec![token("", code)];
    }
    if let Some(flag) = element.as_bool() {
        return vec![token("", if flag { "true" } else { "false" })];
    }
    let concept: Vec<IndexValue> = element
        .each("coding")
        .map(Element::coding)
        .filter(|coding| !coding.code.is_empty())
        .map(|coding| token(coding.system, coding.code))
        .collect();
    if !concept.is_empty() {
        return concept;
    }
    // A Coding has `code`; an Identifier and a ContactPoint have `value`.
    let code = element.text("code").or_else(|| element.text("value"));
    code.map(|code| token(element.text("system").unwrap_or(""), code)).into_iter().collect()
}

fn reference(element: Element) -> Option<IndexValue> {
    // A resource within a resource: `Bundle.entry[0].resource` is what `composition` refers to.
    if let (Some(kind), Some(id)) = (element.text("resourceType"), element.text("id")) {
        return Some(IndexValue::Reference { kind: kind.to_string(), id: id.to_string() });
    }
    let text = element.text("reference").or_else(|| element.as_str())?;
    Some(match Reference::parse(text) {
        Reference::Relative { kind, id, .. } => IndexValue::Reference { kind: kind.to_string(), id: id.to_string() },
        Reference::Contained(_) => return None,
        other => IndexValue::Reference { kind: String::new(), id: other.key() },
    })
}

fn date(element: Element, zone: &Zone) -> Option<Interval> {
    if let Some(text) = element.as_str() {
        return Interval::of(text, zone);
    }
    if element.get("start").exists() || element.get("end").exists() {
        return Interval::of_period(element.text("start"), element.text("end"), zone);
    }
    // Timing: from the first event to the last, or its bounds.
    let events: Vec<Interval> = element.each("event").filter_map(|event| Interval::of(event.as_str()?, zone)).collect();
    match (events.iter().map(|event| event.start).min(), events.iter().map(|event| event.end).max()) {
        (Some(start), Some(end)) => Some(Interval { start, end }),
        _ => element.get("repeat").period("boundsPeriod", zone),
    }
}

fn texts(element: Element) -> Vec<IndexValue> {
    let text = |exact: &str| IndexValue::Text { folded: fold(exact), exact: exact.chars().take(TEXT_MAX).collect() };
    if let Some(plain) = element.as_str() {
        return vec![text(plain)];
    }
    // HumanName and Address (FHIR R4 search.html#string): any of their parts.
    ["text", "family", "given", "prefix", "suffix", "line", "city", "district", "state", "postalCode", "country"]
        .iter()
        .flat_map(|part| element.each(part))
        .filter_map(Element::as_str)
        .map(text)
        .collect()
}

fn number(element: Element) -> Option<f64> {
    element.value().and_then(serde_json::Value::as_f64)
}

fn quantity(element: Element) -> Option<IndexValue> {
    Some(IndexValue::Quantity {
        value: number(element.get("value"))?,
        system: element.text("system").unwrap_or("").to_string(),
        code: element.text("code").or_else(|| element.text("unit")).unwrap_or("").to_string(),
    })
}
