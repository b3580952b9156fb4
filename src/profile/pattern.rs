//! FHIR's pattern (R4 elementdefinition.html#pattern): what is in it must be in the value; lists hold it somewhere.

use serde_json::Value;

pub fn holds(wanted: &Value, value: &Value) -> bool {
    match (wanted, value) {
        (Value::Object(wanted), Value::Object(value)) => {
            wanted.iter().all(|(name, part)| value.get(name).is_some_and(|value| holds(part, value)))
        }
        (Value::Array(wanted), Value::Array(list)) => {
            wanted.iter().all(|part| list.iter().any(|value| holds(part, value)))
        }
        // A pattern for one value of a list that a slice's item stands in.
        (Value::Array(_), _) | (_, Value::Array(_)) => false,
        (wanted, value) => wanted == value,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::holds;

    #[test]
    fn a_pattern_is_part_of_the_value() {
        let wanted = json!({"coding": [{"system": "s", "code": "a"}]});
        for (value, expected) in [
            (json!({"coding": [{"system": "s", "code": "a", "display": "A"}], "text": "x"}), true),
            (json!({"coding": [{"code": "b"}, {"system": "s", "code": "a"}]}), true),
            (json!({"coding": [{"system": "s", "code": "b"}]}), false),
            (json!({"coding": [{"system": "t", "code": "a"}, {"system": "s", "code": "b"}]}), false),
            (json!({"text": "a"}), false),
        ] {
            assert_eq!(holds(&wanted, &value), expected, "{value}");
        }
    }
}
