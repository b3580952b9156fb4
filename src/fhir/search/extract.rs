//! What a resource says for each search parameter.
//!
//! Pure: the same resource gives the same entries, whichever database they go to. Text is folded here, so that
//! no database needs to know how.

use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::is_combining_mark;

use crate::fhir::{Element, Interval, Reference, Resource, Zone};

use super::params::{Param, ParamKind, Params, Part};
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
    /// What a code is called, folded.
    Word(String),
    /// Two values that stand together, each as the row of a composite holds it.
    Composite(Cell, Cell),
}

/// A value of any kind in four columns, so that composites need one table: a token's or quantity's system and code, a
/// reference's type and id, a folded text; and the two ends of a date or a quantity.
#[derive(Clone, Debug, PartialEq)]
pub struct Cell {
    pub system: String,
    pub code: String,
    pub low: f64,
    pub high: f64,
}

/// One index row of one resource.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    pub param: String,
    pub value: IndexValue,
}

/// Longest text that is indexed, in characters.
const TEXT_MAX: usize = 400;

/// Entries that are compared with each other.
const COMPARED: usize = 400;
/// Most pairs of one composite that are kept of one element.
const PAIRS_MAX: usize = 64;

/// All entries of a resource. Besides a parameter's values, rows under `code:text`, `code:of-type` and
/// `code:identifier` hold what these modifiers look for (FHIR R4 search.html#modifiers).
pub fn entries(params: &Params, resource: &Resource, zone: &Zone) -> Vec<Entry> {
    let mut found: Vec<Entry> = Vec::new();
    let mut add = |param: String, value: IndexValue| {
        let entry = Entry { param, value };
        // The store keeps one of equal rows; among many they are not looked for here.
        if found.len() > COMPARED || !found.contains(&entry) {
            found.push(entry);
        }
    };
    for param in params.of(resource.kind()) {
        for node in param.paths.iter().flat_map(|path| path.nodes(resource.root())) {
            for value in values(param, node, zone) {
                add(param.code.clone(), value);
            }
            for (suffix, value) in beside(param.kind, node.element) {
                add(format!("{}:{suffix}", param.code), value);
            }
        }
    }
    found
}

/// What stands beside a value and is found by a modifier.
fn beside(kind: ParamKind, element: Element) -> Vec<(&'static str, IndexValue)> {
    let words =
        |texts: Vec<&str>| texts.into_iter().map(|text| ("text", IndexValue::Word(fold(text)))).collect::<Vec<_>>();
    match kind {
        ParamKind::Token if element.get("coding").exists() || element.get("text").exists() => words(
            element
                .text("text")
                .into_iter()
                .chain(element.each("coding").filter_map(|one| one.text("display")))
                .collect(),
        ),
        ParamKind::Token => {
            // A Coding's words, and an Identifier by the type that it has.
            let mut found =
                words(element.text("display").into_iter().chain(element.get("type").text("text")).collect());
            let value = element.text("value").unwrap_or("");
            let kinds = element.get("type").each("coding").map(Element::coding).filter(|kind| !kind.code.is_empty());
            found.extend(kinds.map(|kind| ("of-type", token(kind.system, &format!("{}|{value}", kind.code)))));
            found
        }
        ParamKind::Reference => {
            let identifier = element.get("identifier");
            let value = identifier.text("value");
            let found = value.map(|value| ("identifier", token(identifier.text("system").unwrap_or(""), value)));
            found.into_iter().collect()
        }
        _ => Vec::new(),
    }
}

/// Case and accents away (FHIR R4 search.html#string).
pub fn fold(text: &str) -> String {
    text.nfd().filter(|letter| !is_combining_mark(*letter)).flat_map(char::to_lowercase).take(TEXT_MAX).collect()
}

fn values(param: &Param, node: Node, zone: &Zone) -> Vec<IndexValue> {
    if param.kind == ParamKind::Composite {
        return pairs(param, node, zone);
    }
    of_kind(param.kind, node, zone)
}

fn of_kind(kind: ParamKind, node: Node, zone: &Zone) -> Vec<IndexValue> {
    match kind {
        ParamKind::Token => tokens(node.element),
        ParamKind::Reference => references(node.element),
        ParamKind::Date => date(node.element, zone).map(IndexValue::Date).into_iter().collect(),
        ParamKind::Text => texts(node.element),
        ParamKind::Uri => node.element.as_str().map(|uri| IndexValue::Uri(uri.to_string())).into_iter().collect(),
        ParamKind::Number => number(node.element).map(IndexValue::Number).into_iter().collect(),
        ParamKind::Quantity => quantity(node.element).into_iter().collect(),
        ParamKind::Special => position(node.element).into_iter().collect(),
        ParamKind::Composite => Vec::new(),
    }
}

/// Where a Location is, for `near`: latitude and longitude in the two ends of a cell.
fn position(element: Element) -> Option<IndexValue> {
    let (low, high) = (number(element.get("latitude"))?, number(element.get("longitude"))?);
    let cell = |low: f64, high: f64| Cell { system: String::new(), code: String::new(), low, high };
    Some(IndexValue::Composite(cell(low, high), cell(0.0, 0.0)))
}

/// The pairs of a composite at one element (FHIR R4 search.html#combining).
fn pairs(param: &Param, node: Node, zone: &Zone) -> Vec<IndexValue> {
    let cells = |part: &Part| -> Vec<Cell> {
        let nodes = part.paths.iter().flat_map(|path| path.nodes(node.element));
        nodes.flat_map(|node| of_kind(part.kind, node, zone)).filter_map(Cell::of).collect()
    };
    let [first, second] = param.parts.as_slice() else { return Vec::new() };
    let seconds = cells(second);
    let pairs = cells(first).into_iter().flat_map(|first| {
        seconds.iter().map(move |second| IndexValue::Composite(first.clone(), second.clone())).collect::<Vec<_>>()
    });
    pairs.take(PAIRS_MAX).collect()
}

impl Cell {
    fn of(value: IndexValue) -> Option<Cell> {
        let cell = |system: String, code: String, low: f64, high: f64| Some(Cell { system, code, low, high });
        match value {
            IndexValue::Token { system, code } => cell(system, code, 0.0, 0.0),
            IndexValue::Reference { kind, id } => cell(kind, id, 0.0, 0.0),
            // Microseconds of these centuries are whole numbers to a double.
            IndexValue::Date(span) => cell(String::new(), String::new(), span.start.0 as f64, span.end.0 as f64),
            IndexValue::Text { folded, .. } => cell(String::new(), folded, 0.0, 0.0),
            IndexValue::Uri(uri) => cell(String::new(), uri, 0.0, 0.0),
            IndexValue::Number(value) => cell(String::new(), String::new(), value, value),
            IndexValue::Quantity { value, system, code } => cell(system, code, value, value),
            IndexValue::Composite(..) | IndexValue::Word(_) => None,
        }
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

fn references(element: Element) -> Vec<IndexValue> {
    // A resource within a resource: `Bundle.entry[0].resource` is what `composition` refers to.
    if let (Some(kind), Some(id)) = (element.text("resourceType"), element.text("id")) {
        return vec![IndexValue::Reference { kind: kind.to_string(), id: id.to_string() }];
    }
    let Some(text) = element.text("reference").or_else(|| element.as_str()) else { return Vec::new() };
    let other = |id: &str| IndexValue::Reference { kind: String::new(), id: id.to_string() };
    match Reference::parse(text) {
        Reference::Relative { kind, id, .. } => {
            vec![IndexValue::Reference { kind: kind.to_string(), id: id.to_string() }]
        }
        Reference::Contained(_) => Vec::new(),
        // A canonical with a version is found with it and without (FHIR R4 references.html#canonical).
        found => match text.split_once('|') {
            Some((url, _)) => vec![other(&found.key()), other(url)],
            None => vec![other(&found.key())],
        },
    }
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

fn text(exact: &str) -> IndexValue {
    IndexValue::Text { folded: fold(exact), exact: exact.chars().take(TEXT_MAX).collect() }
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
