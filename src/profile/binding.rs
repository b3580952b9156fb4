//! Whether a coded value is of a value set, and the sentence for one that is not.

use serde_json::Value;

use super::found::{describe, listed, shown};
use super::terminology::{Membership, Set};
use super::walk::last;

/// Types whose values have codes.
pub fn is_coded(type_name: &str) -> bool {
    matches!(type_name, "code" | "string" | "uri" | "id" | "Coding" | "CodeableConcept" | "Quantity")
}

/// Of a CodeableConcept one coding is enough; a primitive's system is implied by the set.
pub fn judge(set: &Set, value: &Value) -> Membership {
    match value {
        Value::String(code) => set.judge_code(code),
        value => match value.get("coding") {
            Some(codings) => {
                let codings = codings.as_array().map_or(&[][..], Vec::as_slice);
                let judged: Vec<Membership> = codings.iter().map(|coding| judge_coding(set, coding)).collect();
                let best = [Membership::Member, Membership::Unknown].into_iter().find(|best| judged.contains(best));
                best.unwrap_or(Membership::Stranger)
            }
            None => judge_coding(set, value),
        },
    }
}

fn judge_coding(set: &Set, coding: &Value) -> Membership {
    set.judge(text(coding, "system"), text(coding, "code"))
}

fn text<'v>(value: &'v Value, name: &str) -> &'v str {
    value.get(name).and_then(Value::as_str).unwrap_or("")
}

/// What was expected, with the codes nearest to the one found, and what was found.
pub fn sentence(set: &Set, url: &str, by: &str, value: &Value) -> String {
    let (code, found) = match value {
        Value::String(code) => (code.as_str(), format!("`{}`", shown(code))),
        value => {
            let coding = value.get("coding").and_then(|codings| codings.get(0)).unwrap_or(value);
            (text(coding, "code"), describe(value))
        }
    };
    let near = match set.nearest(code).as_slice() {
        [] => String::new(),
        near => format!(", such as {}", listed(near.iter().copied())),
    };
    format!("expected a code of `{}`{near}{by}, found {found}", last(url))
}
