//! Values compared: equal or not, and which is more. Quantities are put into one unit of UCUM.

use std::cmp::Ordering;

use serde_json::Value;

use crate::fhir::fhirpath::is_ucum;
use crate::fhir::{Interval, Zone};

pub const UCUM: &str = "http://unitsofmeasure.org";

/// A value with what follows `value` in its name.
pub type Typed<'v> = (&'v str, &'v Value);

/// `None` for values that cannot be compared.
pub fn equal(left: Typed, right: Typed) -> Option<bool> {
    match (left, right) {
        (("Coding", left), ("Coding", right)) => {
            Some(text(left, "system") == text(right, "system") && text(left, "code") == text(right, "code"))
        }
        (("Reference", left), ("Reference", right)) => Some(text(left, "reference")? == text(right, "reference")?),
        ((left, Value::String(a)), (right, Value::String(b))) if left == right && !is_moment(left) => Some(a == b),
        (("Boolean", left), ("Boolean", right)) => Some(left == right),
        _ => order(left, right).map(|order| order == Ordering::Equal),
    }
}

/// `None` for values without an order, or with none that is known here.
pub fn order(left: Typed, right: Typed) -> Option<Ordering> {
    match (left, right) {
        (("Integer" | "Decimal", left), ("Integer" | "Decimal", right)) => number(left)?.partial_cmp(&number(right)?),
        (("Quantity", left), ("Quantity", right)) => quantities(left, right),
        (("Time", left), ("Time", right)) => Some(left.as_str()?.cmp(right.as_str()?)),
        ((kind, left), (other, right)) if is_moment(kind) && is_moment(other) => {
            // As HL7's validator compares: by when they begin. `2022-06-30` is more than `2022-06`.
            let start = |value: &Value| Some(Interval::of(value.as_str()?, &Zone::utc())?.start);
            Some(start(left)?.cmp(&start(right)?))
        }
        _ => None,
    }
}

fn text<'v>(value: &'v Value, name: &str) -> Option<&'v str> {
    value.get(name)?.as_str()
}

fn is_moment(kind: &str) -> bool {
    matches!(kind, "Date" | "DateTime" | "Instant")
}

pub fn number(value: &Value) -> Option<f64> {
    value.as_number()?.to_string().parse().ok()
}

pub fn quantities(left: &Value, right: &Value) -> Option<Ordering> {
    let amount = |quantity: &Value| number(quantity.get("value")?);
    let (a, b) = (amount(left)?, amount(right)?);
    let unit = |quantity| (text(quantity, "system"), text(quantity, "code"));
    match (unit(left), unit(right)) {
        ((Some(system), Some(code)), (Some(other), Some(same))) if system == other && code == same => a.partial_cmp(&b),
        ((Some(UCUM), Some(code)), (Some(UCUM), Some(other))) if is_ucum(code) && is_ucum(other) => {
            a.partial_cmp(&ucum::convert(b, other, code).ok()?)
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn values_are_compared_by_what_they_mean() {
        let metre = |value: f64, code: &str| json!({"value": value, "system": UCUM, "code": code});
        let orders = [
            (("Decimal", json!(1.50)), ("Integer", json!(1)), Some(Ordering::Greater)),
            (("Date", json!("2022-06")), ("DateTime", json!("2022-06-30")), Some(Ordering::Less)),
            (("DateTime", json!("2022-06-30T02:00:00+02:00")), ("Date", json!("2022-06-30")), Some(Ordering::Equal)),
            (("Time", json!("08:00:00")), ("Time", json!("09:30:00")), Some(Ordering::Less)),
            (("Quantity", metre(10_000.0, "m")), ("Quantity", metre(50.0, "km")), Some(Ordering::Less)),
            (("Quantity", metre(1.0, "m")), ("Quantity", metre(1.0, "kg")), None),
            (("Quantity", json!({"value": 1, "unit": "m"})), ("Quantity", metre(1.0, "m")), None),
            (("String", json!("a")), ("String", json!("b")), None),
        ];
        for ((left, a), (right, b), expected) in &orders {
            assert_eq!(order((left, a), (right, b)), *expected, "{left} {a} and {right} {b}");
        }
    }

    #[test]
    fn codes_are_equal_by_system_and_code_alone() {
        let coding = |system: &str, display: &str| json!({"system": system, "code": "a", "display": display});
        let (one, other) = (coding("x", "A"), coding("x", "another word"));
        assert_eq!(equal(("Coding", &one), ("Coding", &other)), Some(true));
        assert_eq!(equal(("Coding", &one), ("Coding", &coding("y", "A"))), Some(false));
        assert_eq!(equal(("Boolean", &json!(true)), ("Boolean", &json!(false))), Some(false));
        assert_eq!(equal(("Boolean", &json!(true)), ("String", &json!("true"))), None);
    }
}
