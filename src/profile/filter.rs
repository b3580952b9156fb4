//! The filters of a ValueSet's include (FHIR R4 valueset-filter-operator), on a code system at hand.

use std::collections::BTreeSet;

use regex::Regex;
use serde_json::Value;

use super::facts::CodeSystem;

/// Most of an expression that is compiled.
const REGEX_BYTES_MAX: usize = 1 << 16;

/// The codes that pass every filter; `None` when one of them asks what is not known of these codes.
pub fn select<'s>(system: &'s CodeSystem, filters: &[Value]) -> Option<BTreeSet<&'s str>> {
    let all: BTreeSet<&str> = system.codes.keys().map(String::as_str).collect();
    filters.iter().try_fold(all, |codes, filter| {
        let said = |name: &str| filter.get(name).and_then(Value::as_str).unwrap_or("");
        let (property, operator, value) = (said("property"), said("op"), said("value"));
        match operator {
            "is-a" | "descendent-of" | "is-not-a" | "generalizes" | "child-of" if is_concept(property) => {
                hierarchical(system, codes, operator, value)
            }
            "=" if matches!(property, "parent" | "child") => {
                let is_it = |code: &&str| match property {
                    "parent" => system.parents(code).iter().any(|parent| parent == value),
                    _ => system.parents(value).iter().any(|parent| parent == code),
                };
                Some(codes.into_iter().filter(is_it).collect())
            }
            "=" | "in" | "not-in" => {
                let wanted: Vec<&str> =
                    if operator == "=" { vec![value] } else { value.split(',').map(str::trim).collect() };
                let has = |code: &str| stated(system, property, code).map(|found| wanted.contains(&found));
                let mut kept = BTreeSet::new();
                for code in codes {
                    if has(code)? != (operator == "not-in") {
                        kept.insert(code);
                    }
                }
                Some(kept)
            }
            "regex" if matches!(property, "code" | "concept" | "display") => {
                let whole = format!("^(?:{value})$");
                let expression = regex::RegexBuilder::new(&whole).size_limit(REGEX_BYTES_MAX).build().ok()?;
                Some(codes.into_iter().filter(|code| matches(&expression, system, property, code)).collect())
            }
            "exists" if is_concept(property) => Some(if value == "true" { codes } else { BTreeSet::new() }),
            "exists" if matches!(property, "parent" | "child") => {
                let has = |code: &str| match property {
                    "parent" => !system.parents(code).is_empty(),
                    _ => system.children(code).next().is_some(),
                };
                Some(codes.into_iter().filter(|code| has(code) == (value == "true")).collect())
            }
            _ => None,
        }
    })
}

fn is_concept(property: &str) -> bool {
    matches!(property, "concept" | "code")
}

fn hierarchical<'s>(
    system: &'s CodeSystem,
    codes: BTreeSet<&'s str>,
    operator: &str,
    root: &str,
) -> Option<BTreeSet<&'s str>> {
    // A root that these codes lack was given by another version: what lay below it, nobody here can tell.
    let (root, _) = system.find(root)?;
    let kept: BTreeSet<&str> = match operator {
        "generalizes" => system.ancestors(root).into_iter().collect(),
        "child-of" => system.children(root).collect(),
        _ => system.descendants(root),
    };
    let keeps = |code: &str| match operator {
        "is-not-a" => !kept.contains(code),
        "descendent-of" => code != root && kept.contains(code),
        _ => kept.contains(code),
    };
    Some(codes.into_iter().filter(|code| keeps(code)).collect())
}

/// What a code has as a property; `None` for a property that is not kept.
fn stated<'s>(system: &'s CodeSystem, property: &str, code: &'s str) -> Option<&'s str> {
    match property {
        "code" | "concept" => Some(code),
        "display" => system.codes.get(code).map(String::as_str),
        "inactive" | "notSelectable" => Some(system.property(property, code).unwrap_or("false")),
        "status" => Some(system.property(property, code).unwrap_or("active")),
        _ => system.properties.get(property).map(|known| known.get(code).map_or("", String::as_str)),
    }
}

fn matches(expression: &Regex, system: &CodeSystem, property: &str, code: &str) -> bool {
    stated(system, property, code).is_some_and(|found| expression.is_match(found))
}
