//! Every expression of the definitions: the engine reads it, and it can be meant for the elements that it is on.
//! And many that are nearly so: whatever is made of them, the engine answers, and in bounds.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::fhir::Instant;
use crate::fhir::fhirpath::{Budget, Expression, Kind, Model, Node, Scope};
use crate::profile::Profiles;

/// Type and element id, key, expression.
type Stated = ((String, String), String, String);

fn invariants(profiles: &Profiles) -> BTreeSet<Stated> {
    let mut found = BTreeSet::new();
    let entries = profiles.packages.iter().flat_map(|package| &package.structures);
    for structure in entries.filter_map(|entry| entry.structure()) {
        for element in &structure.elements {
            for constraint in &element.constraints {
                let place = (structure.head.type_name.clone(), element.id.clone());
                found.insert((place, constraint.key.clone(), constraint.expression.clone()));
            }
        }
    }
    found
}

/// What an element of a definition may be; slices are of their element's types.
fn kinds_at(model: &Model, type_name: &str, id: &str) -> Vec<Kind> {
    let mut kinds = vec![model.kind(type_name)];
    for name in id.split('.').filter(|name| !name.is_empty()) {
        let name = name.split(':').next().unwrap_or(name).trim_end_matches("[x]");
        kinds =
            kinds.iter().filter_map(|kind| model.shape(*kind).field(name)).flat_map(|field| field.kinds()).collect();
    }
    kinds
}

#[test]
fn every_invariant_is_read_and_can_be_meant_where_it_stands() {
    let profiles = Profiles::bundled();
    let model = profiles.model();
    let all = invariants(&profiles);
    let distinct: BTreeSet<&str> = all.iter().map(|(.., text)| text.as_str()).collect();
    assert!(distinct.len() > 150, "{}", distinct.len());
    for ((type_name, id), key, text) in &all {
        let expression = Expression::parse(text).unwrap_or_else(|why| panic!("{key}: {why}: {text}"));
        let kinds = kinds_at(model, type_name, id);
        assert!(!kinds.is_empty(), "{type_name}.{id} is nothing");
        // Of a choice it is enough that it fits one of the types.
        let misuses: Vec<_> = kinds.iter().map(|kind| expression.check(*kind, model)).collect();
        assert!(misuses.iter().any(Result::is_ok), "{type_name}.{id} {key}: {misuses:?}: {text}");
    }
}

#[test]
fn every_search_parameter_is_read_and_can_be_meant_for_one_of_its_types() {
    let profiles = Profiles::bundled();
    let model = profiles.model();
    assert!(profiles.search_parameters().len() > 100);
    for parameter in profiles.search_parameters() {
        let (url, text) = (&parameter.url, &parameter.expression);
        let expression = Expression::parse(text).unwrap_or_else(|why| panic!("{url}: {why}: {text}"));
        let judged = parameter.base.iter().map(|base| expression.check(model.kind(base), model));
        let judged: Vec<_> = judged.collect();
        // Alternatives of other types are joined with `|`: of those each is a mistake for this one.
        assert!(text.contains('|') || judged.iter().any(Result::is_ok), "{url}: {judged:?}: {text}");
    }
}

/// Numbers that look like chance and are the same every time (xorshift).
struct Chance(u64);

impl Chance {
    fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % end.max(1) as u64) as usize
    }
}

const PIECES: [&str; 48] = [
    ".",
    "(",
    ")",
    "[",
    "]",
    "{}",
    "'",
    "`",
    "@",
    "@2015-02",
    "@T14:30",
    "@2015-02-04T14:34:28.123+14:00",
    "%resource",
    "%",
    "$this",
    "$index",
    "$total",
    "2147483647",
    "0.00000001",
    "4 days",
    "10 'mg'",
    "-",
    "|",
    "&",
    " is ",
    " as ",
    " and ",
    " implies ",
    " in ",
    " div ",
    " mod ",
    " / ",
    " < ",
    " ~ ",
    "descendants()",
    "children()",
    "repeat($this)",
    "aggregate($total & $this, '')",
    "select(%context.descendants())",
    "combine($this)",
    "replace('', 'aa')",
    "replaceMatches('.*', '$0$0')",
    "toChars()",
    "resolve()",
    "sort()",
    "sort(-$this)",
    "é",
    "\\u0041",
];

/// A piece put in, a part left out or said twice, or two expressions grown together.
fn changed(chance: &mut Chance, all: &[String]) -> String {
    let mut text: Vec<char> = all[chance.below(all.len())].chars().collect();
    for _ in 0..=chance.below(4) {
        let (from, length) = (chance.below(text.len() + 1), chance.below(12));
        let to = (from + length).min(text.len());
        match chance.below(4) {
            0 => drop(text.drain(from..to)),
            1 => {
                let part: Vec<char> = text[from..to].to_vec();
                text.splice(from..from, part);
            }
            2 => {
                let other: Vec<char> = all[chance.below(all.len())].chars().collect();
                let start = chance.below(other.len() + 1);
                text.splice(from..to, other[start..].iter().copied());
            }
            _ => {
                let piece = PIECES[chance.below(PIECES.len())];
                text.splice(from..from, piece.chars());
            }
        }
    }
    text.into_iter().collect()
}

/// How many are tried; 800 000 of the same seed found no more.
const TRIED: usize = 4_000;

#[test]
fn whatever_is_written_the_engine_answers_in_bounds() {
    let profiles = Profiles::bundled();
    let model = profiles.model();
    let mut all: Vec<String> = invariants(&profiles).into_iter().map(|(.., text)| text).collect();
    all.extend(profiles.search_parameters().iter().map(|parameter| parameter.expression.clone()));
    all.extend(PIECES.iter().map(|piece| format!("Observation.{piece}")));
    let mut resource: Value = json!({
        "resourceType": "Observation", "id": "o", "status": "final",
        "contained": [{"resourceType": "Patient", "id": "p", "name": [{"family": "A", "given": ["B", "C"]}]}],
        "code": {"coding": [{"system": "http://loinc.org", "code": "1-1"}, {"code": "2"}], "text": "x"},
        "subject": {"reference": "#p"}, "effectivePeriod": {"start": "2020", "end": "2020-02-30T10:00:00+02:00"},
        "valueQuantity": {"value": 1.5e3, "code": "mg", "system": "http://unitsofmeasure.org"},
        "component": [{"code": {"text": "y"}, "valueString": "12/25"}, {"_valueString": {"id": "only"}}],
        "note": [null, {"text": "z"}], "_status": [null],
    });
    // Numbers that no machine word holds.
    let far = r#"[{"valueDecimal": 1e-400}, {"valueDecimal": 9e2147483647}, {"valueDecimal": -1e-99999999999}]"#;
    resource["extension"] = serde_json::from_str(far).unwrap();
    let root = Node::resource(&resource, model);
    let budget = Budget { steps: 20_000, bytes: 100_000 };
    let scope = Scope::new(model, root).at(Instant::parse("2026-11-22T12:00:00Z").unwrap()).budget(budget);
    let (mut chance, mut read, mut answered) = (Chance(0x5eed), 0, 0);
    for _ in 0..TRIED {
        let Ok(expression) = Expression::parse(&changed(&mut chance, &all)) else { continue };
        read += 1;
        let _ = expression.check(root.kind(), model);
        answered += usize::from(expression.evaluate(root, &scope).is_ok());
        let _ = expression.holds(root, &scope);
    }
    assert!(read > TRIED / 10 && answered > TRIED / 20, "{read} were expressions, {answered} had an answer");
}
