//! Reading FHIR JSON from outside.
//!
//! Stricter than a JSON parser: a key twice, U+0000 in a string, or nesting beyond 100 is refused, because two
//! readers would see two resources. Numbers keep their text.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};

use super::outcome::Issue;
use super::resource::Resource;

/// Deepest nesting of objects and lists that is read.
pub const DEPTH_MAX: usize = 100;

/// serde_json hands over a number that keeps its text as a map with this one key (its `number.rs`).
const NUMBER: &str = "$serde_json::private::Number";

/// One JSON value.
///
/// # Errors
/// An `Issue` that says what is wrong and at which line and column; it quotes nothing that was sent.
pub fn json(bytes: &[u8]) -> Result<Value, Issue> {
    if bytes.trim_ascii().is_empty() {
        return Err(Issue::structure("the body is empty: expected a FHIR resource as JSON"));
    }
    let mut reader = serde_json::Deserializer::from_slice(bytes);
    let found = Strict { depth: 0 }.deserialize(&mut reader).and_then(|value| reader.end().map(|()| value));
    found.map_err(|error| {
        let place = format!("line {}, column {}", error.line(), error.column());
        let said = error.to_string();
        let said = said.split(" at line ").next().unwrap_or("");
        Issue::structure(format!("the body is not well-formed JSON: {said}")).located(place)
    })
}

/// One resource.
///
/// # Errors
/// As [`json`], or that it is no object with a `resourceType`.
pub fn resource(bytes: &[u8]) -> Result<Resource, Issue> {
    Resource::from_value(json(bytes)?)
        .ok_or_else(|| Issue::structure("expected a JSON object with a `resourceType`").at("resourceType"))
}

struct Strict {
    depth: usize,
}

impl Strict {
    fn inside<E: Error>(&self) -> Result<Strict, E> {
        if self.depth >= DEPTH_MAX {
            return Err(E::custom(format!("nested deeper than {DEPTH_MAX} levels")));
        }
        Ok(Strict { depth: self.depth + 1 })
    }
}

impl<'de> DeserializeSeed<'de> for Strict {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, from: D) -> Result<Value, D::Error> {
        from.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Strict {
    type Value = Value;

    fn expecting(&self, out: &mut fmt::Formatter) -> fmt::Result {
        out.write_str("a JSON value")
    }

    fn visit_unit<E: Error>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<Value, E> {
        Ok(Value::from(value))
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<Value, E> {
        Ok(Value::from(value))
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Value, E> {
        Ok(Value::from(value))
    }

    fn visit_str<E: Error>(self, value: &str) -> Result<Value, E> {
        self.visit_string(value.to_string())
    }

    fn visit_string<E: Error>(self, value: String) -> Result<Value, E> {
        if value.contains('\0') {
            return Err(E::custom("a string contains U+0000"));
        }
        Ok(Value::String(value))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let mut list = Vec::new();
        while let Some(item) = items.next_element_seed(self.inside()?)? {
            list.push(item);
        }
        Ok(Value::Array(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Value, A::Error> {
        let mut object = Map::new();
        while let Some(name) = members.next_key::<String>()? {
            if name == NUMBER {
                let text: String = members.next_value()?;
                return text.parse::<Number>().map(Value::Number).map_err(|_| A::Error::custom("not a number"));
            }
            if name.contains('\0') {
                return Err(A::Error::custom("a string contains U+0000"));
            }
            let value = members.next_value_seed(self.inside()?)?;
            if object.insert(name, value).is_some() {
                return Err(A::Error::custom("an object has the same key twice"));
            }
        }
        Ok(Value::Object(object))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_comes_back_to_the_letter() {
        let text = r#"{"resourceType":"X","b":1.50,"a":[1e3,-0.0,100000000000000000000000],"c":null,"d":"é\"x"}"#;
        assert_eq!(json(text.as_bytes()).unwrap().to_string(), text.replace("1e3", "1e+3"));
    }

    #[test]
    fn what_two_readers_would_read_differently_is_refused() {
        for (text, said) in [
            (r#"{"a":1,"a":2}"#, "the same key twice"),
            (r#"{"a":"\u0000"}"#, "U+0000"),
            (r#"{"a":1} x"#, "trailing characters"),
            (r#"{"a":"#, "EOF"),
            ("", "empty"),
            (&format!("{}{}", "[".repeat(200), "]".repeat(200)), "levels"),
        ] {
            let issue = json(text.as_bytes()).unwrap_err();
            assert!(issue.text.contains(said), "{text}: {}", issue.text);
        }
    }
}
