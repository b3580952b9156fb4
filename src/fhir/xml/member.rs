//! What JSON makes of the repetitions of one element: a list or a single value, and beside it as `_name` the ids and
//! extensions of primitives (FHIR R4 json.html#primitive).

use serde_json::{Map, Number, Value};

use super::{Content, Field, tag};

#[derive(Debug)]
pub struct Member<'s> {
    pub field: Field<'s>,
    values: Vec<Value>,
    beside: Vec<Value>,
}

impl<'s> Member<'s> {
    pub fn new(field: Field<'s>) -> Member<'s> {
        Member { field, values: Vec::new(), beside: Vec::new() }
    }

    pub fn count(&self) -> usize {
        self.values.len()
    }

    pub fn add(&mut self, value: Value, beside: Value) {
        self.values.push(value);
        self.beside.push(beside);
    }

    /// Into its object. In a list, `null` stands where there is nothing to say.
    pub fn place(self, object: &mut Map<String, Value>) {
        let Member { field, values, beside } = self;
        for (name, mut values) in [(field.json.to_string(), values), (format!("_{}", field.json), beside)] {
            if values.iter().all(Value::is_null) {
                continue;
            }
            let value = if field.is_list { Value::Array(values) } else { values.swap_remove(0) };
            object.insert(name, value);
        }
    }
}

/// The value of a primitive.
///
/// # Errors
/// What was expected instead. A text's own format is for `profile` to judge.
pub fn scalar(text: String, content: Content) -> Result<Value, &'static str> {
    match content {
        Content::Boolean => match text.as_str() {
            "true" => Ok(true.into()),
            "false" => Ok(false.into()),
            _ => Err("expected `true` or `false` as `value`"),
        },
        // What is a number to JSON is one to FHIR's regular expressions too, but for white space.
        Content::Number => match text.parse::<Number>() {
            Ok(number) if !text.contains(tag::is_space) => Ok(Value::Number(number)),
            _ => Err("expected a number such as `7` or `1.50` as `value`"),
        },
        _ => Ok(text.into()),
    }
}
