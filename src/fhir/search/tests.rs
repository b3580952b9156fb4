//! Queries, as they are read against the parameter table.

use super::criterion::Prefix;
use super::*;
use crate::config::Config;
use crate::fhir::{Instant, Interval, Issue, Zone};

const FACTS: [(&str, &str, &str); 5] = [
    ("patient", "reference", "CarePlan.subject.where(resolve() is Patient)"),
    ("status", "token", "CarePlan.status"),
    ("date", "date", "CarePlan.period"),
    ("name", "string", "CarePlan.title"),
    ("size", "quantity", "CarePlan.size"),
];

fn read(text: &str, strict: bool) -> Result<Query, Vec<Issue>> {
    let mut params = Params::default();
    for (code, kind, expression) in FACTS {
        let (bases, targets) = (["CarePlan".to_string()], ["Patient".to_string()]);
        params.add(&Fact { url: "u", code, bases: &bases, kind, expression, targets: &targets, components: &[] });
    }
    let pairs: Vec<(String, String)> =
        text.split('&').map(|pair| pair.split_once('=').unwrap()).map(|(a, b)| (a.into(), b.into())).collect();
    let limits = Config::load(None).unwrap().search;
    let reading = Reading {
        params: &params,
        definitions: &Listed,
        scopes: None,
        limits: &limits,
        zone: &Zone::utc(),
        base: "https://exchange.example/fhir",
        strict,
        now: Instant(0),
    };
    Query::read(&["CarePlan".to_string()], &pairs, &reading)
}

/// One value set, and one system in which `c` is below `b` is below `a`.
struct Listed;

impl Definitions for Listed {
    fn knows(&self, kind: &str) -> bool {
        ["CarePlan", "Patient"].contains(&kind)
    }

    fn expansion(&self, value_set: &str) -> Option<Vec<(String, Vec<String>)>> {
        (value_set == "http://x/vs").then(|| vec![("http://x".into(), vec!["a".into(), "b".into()])])
    }

    fn below(&self, system: &str, code: &str) -> Option<Vec<String>> {
        (system == "http://x" && code == "b").then(|| vec!["b".into(), "c".into()])
    }

    fn above(&self, system: &str, code: &str) -> Option<Vec<String>> {
        (system == "http://x" && code == "b").then(|| vec!["b".into(), "a".into()])
    }
}

/// The one parameter of a query, where it is a plain one.
fn filter(text: &str) -> Filter {
    match read(text, true).unwrap().criteria.remove(0) {
        Criterion::Filter(filter) => filter,
        other => panic!("{other:?}"),
    }
}

#[test]
fn values_are_read_by_the_type_of_their_parameter() {
    let token = |system: Option<&str>, code: Option<&str>| Test::Token {
        system: system.map(Into::into),
        code: code.map(Into::into),
    };
    let patient = Test::Reference { kind: Some("Patient".into()), id: "7".into() };
    for (text, tests) in [
        ("status=active,draft", vec![token(None, Some("active")), token(None, Some("draft"))]),
        ("status=http://x|a", vec![token(Some("http://x"), Some("a"))]),
        ("status=|a", vec![token(Some(""), Some("a"))]),
        ("status=http://x|", vec![token(Some("http://x"), None)]),
        (r"status=a\,b\|c", vec![token(None, Some("a,b|c"))]),
        ("patient=Patient/7", vec![patient.clone()]),
        ("patient=7", vec![patient.clone()]),
        ("patient:Patient=7", vec![patient]),
        ("name=Élan", vec![Test::TextStarts("elan".into())]),
        ("name:missing=true", vec![Test::Missing(ParamKind::Text, true)]),
        ("date=ge2026", vec![Test::Date(Prefix::Ge, Interval::of("2026", &Zone::utc()).unwrap())]),
        (
            "size=lt8||mg",
            vec![Test::Quantity { prefix: Prefix::Lt, low: 7.5, high: 8.5, system: None, code: Some("mg".into()) }],
        ),
    ] {
        assert_eq!(filter(text).tests, tests, "{text}");
    }
    assert_eq!(read("patient=7&status=active", true).unwrap().patient(), Some("7"));
}

#[test]
fn the_unknown_is_an_error_when_strict_and_a_warning_otherwise() {
    let lenient = read("colour=red&status=active", false).unwrap();
    assert_eq!((lenient.warnings.len(), lenient.applied.len()), (1, 1));
    assert_eq!(read("colour=red", true).unwrap_err()[0].rule, "parameter-unknown");
}

#[test]
fn the_unreadable_is_an_error_in_either_handling() {
    for text in ["date=2026-02-30", "_count=many", "_id=a/b", "size=heavy", "status=", "name:missing=maybe"] {
        assert_eq!(read(text, false).unwrap_err().len(), 1, "{text}");
    }
}
