//! The least and the most of dates, times and quantities (R4 elementdefinition.html#ElementDefinition.minValue_x_).

use std::cmp::Ordering;

use serde_json::Value;

use crate::fhir::{Interval, Zone};
use crate::profile::compare::quantities;

/// How a value stands to a bound; `None` where the two cannot be compared.
pub fn compare(value: &Value, bound: &Value) -> Option<Ordering> {
    match (value, bound) {
        (Value::String(value), Value::String(bound)) => {
            let moments = Interval::of(value, &Zone::utc()).zip(Interval::of(bound, &Zone::utc()));
            match moments {
                Some((value, bound)) if value.end <= bound.start => Some(Ordering::Less),
                Some((value, bound)) if value.start >= bound.end => Some(Ordering::Greater),
                Some(_) => Some(Ordering::Equal),
                // Times of day sort as text.
                None => Some(value.cmp(bound)),
            }
        }
        (Value::Object(_), Value::Object(_)) => quantities(value, bound),
        _ => None,
    }
}
