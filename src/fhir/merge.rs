//! What a reader of a view changed, applied to the whole that the view was taken from.
//!
//! Three texts: what is stored, what its reader saw of it, and what the reader sent back. What was hidden stays as it is
//! stored. Where the reader changed an element that holds hidden parts in a way that cannot be told apart from them,
//! nothing is guessed: the element is named.

use serde_json::{Map, Value};

use super::resource::Resource;

/// The stored resource with the changes from `view` to `sent`; `meta` stays what was sent. Otherwise the elements that
/// were changed and are not the reader's to set.
///
/// # Errors
/// The elements, as `Condition.note`.
pub fn merge(stored: &Resource, view: &Resource, sent: &Resource) -> Result<Resource, Vec<String>> {
    let bare = |resource: &Resource| {
        let mut object = resource.root().object().cloned().unwrap_or_default();
        object.shift_remove("meta");
        object
    };
    let mut refused = Vec::new();
    let merged = objects(&bare(stored), &bare(view), &bare(sent), sent.kind(), &mut refused);
    if !refused.is_empty() {
        return Err(refused);
    }
    let mut resource = sent.clone();
    resource.change(|value| {
        let meta = value.get("meta").cloned();
        let mut object = merged;
        if let Some(meta) = meta {
            let behind = ["resourceType", "id"].iter().filter(|lead| object.contains_key(**lead)).count();
            object.shift_insert(behind, "meta".into(), meta);
        }
        *value = Value::Object(object);
    });
    Ok(resource)
}

type Object = Map<String, Value>;

fn value(stored: &Value, view: &Value, sent: &Value, at: &str, refused: &mut Vec<String>) -> Value {
    if view == sent {
        return stored.clone();
    }
    if stored == view {
        return sent.clone();
    }
    match (stored, view, sent) {
        (Value::Object(stored), Value::Object(view), Value::Object(sent)) => {
            Value::Object(objects(stored, view, sent, at, refused))
        }
        (Value::Array(stored), Value::Array(view), Value::Array(sent)) => lists(stored, view, sent, at, refused),
        _ => {
            refused.push(at.to_string());
            stored.clone()
        }
    }
}

fn objects(stored: &Object, view: &Object, sent: &Object, at: &str, refused: &mut Vec<String>) -> Object {
    let mut merged = Object::new();
    let names = stored.keys().chain(sent.keys().filter(|name| !stored.contains_key(*name)));
    for name in names {
        let place = format!("{at}.{}", name.trim_start_matches('_'));
        let kept = match (stored.get(name), view.get(name), sent.get(name)) {
            (Some(stored), Some(view), Some(sent)) => Some(value(stored, view, sent, &place, refused)),
            // Taken away by its reader, who saw all of it.
            (Some(stored), Some(view), None) if stored == view => None,
            // It was hidden, and nobody touched it.
            (Some(stored), None, None) => Some(stored.clone()),
            (None, None, sent) => sent.cloned(),
            // A place that says `masked` stays out of what is stored.
            (None, Some(view), Some(sent)) if view == sent => None,
            (None, Some(_), None) => None,
            (stored, ..) => {
                if !refused.contains(&place) {
                    refused.push(place);
                }
                stored.cloned()
            }
        };
        merged.extend(kept.map(|kept| (name.clone(), kept)));
    }
    merged
}

/// Items that were seen whole may go, change and come; those that were not stay where they are.
fn lists(stored: &[Value], view: &[Value], sent: &[Value], at: &str, refused: &mut Vec<String>) -> Value {
    let mut seen = view.iter().peekable();
    let mut pairs: Vec<(usize, Option<&Value>)> = Vec::new();
    for (place, item) in stored.iter().enumerate() {
        let shown = seen.next_if(|next| *next == item || within(item, next));
        pairs.push((place, shown));
    }
    // Every item that was seen is one that is stored, or nothing can be said of any.
    if seen.next().is_some() {
        refused.push(at.to_string());
        return Value::Array(stored.to_vec());
    }
    let whole = |place: usize, shown: Option<&Value>| shown.is_some_and(|shown| *shown == stored[place]);
    let partly = pairs.iter().any(|(place, shown)| shown.is_some() && !whole(*place, *shown));
    let mut merged: Vec<Value>;
    if partly {
        // One that was seen in part is known by its place alone.
        if sent.len() < view.len() {
            refused.push(at.to_string());
            return Value::Array(stored.to_vec());
        }
        let mut next = sent.iter();
        merged = Vec::new();
        for (place, shown) in &pairs {
            merged.push(match shown {
                None => stored[*place].clone(),
                Some(shown) => match next.next() {
                    Some(sent) => value(&stored[*place], shown, sent, &format!("{at}[{place}]"), refused),
                    None => stored[*place].clone(),
                },
            });
        }
        merged.extend(next.cloned());
    } else {
        merged = sent.to_vec();
        for (place, _) in pairs.iter().filter(|(_, shown)| shown.is_none()) {
            merged.insert((*place).min(merged.len()), stored[*place].clone());
        }
    }
    Value::Array(merged)
}

/// Whether `shown` may be what is left of an object when parts of it are taken out.
fn within(stored: &Value, shown: &Value) -> bool {
    match (stored, shown) {
        (Value::Object(stored), Value::Object(shown)) => {
            shown.iter().all(|(name, shown)| {
                let plain = name.trim_start_matches('_');
                match stored.get(name) {
                    Some(stored) => stored == shown || within(stored, shown) || is_masked(shown),
                    None => is_masked(shown) && stored.contains_key(plain),
                }
            }) || is_masked(&Value::Object(shown.clone()))
        }
        (Value::Array(stored), Value::Array(shown)) => {
            let mut stored = stored.iter();
            shown.iter().all(|shown| stored.any(|stored| stored == shown || within(stored, shown)))
        }
        _ => stored == shown,
    }
}

/// The place of an element that was taken out.
fn is_masked(value: &Value) -> bool {
    let extensions = value.get("extension").and_then(Value::as_array);
    extensions.is_some_and(|list| list.iter().any(|one| one.get("valueCode").and_then(Value::as_str) == Some("masked")))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn merged(stored: Value, view: Value, sent: Value) -> Result<Value, Vec<String>> {
        let whole = |mut value: Value| {
            value["resourceType"] = json!("Basic");
            Resource::from_value(value).unwrap()
        };
        let mut value = merge(&whole(stored), &whole(view), &whole(sent))?.into_value();
        value.as_object_mut().unwrap().shift_remove("resourceType");
        Ok(value)
    }

    #[test]
    fn what_was_hidden_stays_and_what_was_seen_changes() {
        let masked = json!({"extension": [{"valueCode": "masked"}]});
        for (stored, view, sent, expected) in [
            (json!({"a": 1}), json!({"a": 1}), json!({"a": 2}), json!({"a": 2})),
            (json!({"a": 1, "b": 2}), json!({"a": 1}), json!({"a": 3}), json!({"a": 3, "b": 2})),
            (json!({"a": 1, "b": 2}), json!({"a": 1}), json!({"c": 3}), json!({"b": 2, "c": 3})),
            (
                json!({"a": {"x": 1, "y": 2}}),
                json!({"a": {"x": 1}}),
                json!({"a": {"x": 3}}),
                json!({"a": {"x": 3, "y": 2}}),
            ),
            (
                json!({"n": ["h", "b", "c"]}),
                json!({"n": ["b", "c"]}),
                json!({"n": ["b", "d", "e"]}),
                json!({"n": ["h", "b", "d", "e"]}),
            ),
            (json!({"n": ["b", "h"]}), json!({"n": ["b"]}), json!({"n": ["c"]}), json!({"n": ["c", "h"]})),
            (
                json!({"n": [{"x": 1, "y": 2}]}),
                json!({"n": [{"x": 1}]}),
                json!({"n": [{"x": 3}, {"x": 4}]}),
                json!({"n": [{"x": 3, "y": 2}, {"x": 4}]}),
            ),
            (
                json!({"r": {"reference": "Location/1"}, "a": 1}),
                json!({"r": masked, "a": 1}),
                json!({"r": masked, "a": 2}),
                json!({"r": {"reference": "Location/1"}, "a": 2}),
            ),
            (json!({"s": "x", "a": 1}), json!({"_s": masked, "a": 1}), json!({"_s": masked}), json!({"s": "x"})),
        ] {
            assert_eq!(merged(stored.clone(), view, sent), Ok(expected), "{stored}");
        }
    }

    #[test]
    fn nobody_sets_what_was_hidden() {
        for (stored, view, sent, at) in [
            (json!({"a": 1, "b": 2}), json!({"a": 1}), json!({"a": 1, "b": 3}), "Basic.b"),
            (json!({"a": {"x": 1, "y": 2}}), json!({"a": {"x": 1}}), json!({}), "Basic.a"),
            (json!({"n": [{"x": 1, "y": 2}]}), json!({"n": [{"x": 1}]}), json!({"n": []}), "Basic.n"),
        ] {
            assert_eq!(merged(stored.clone(), view, sent), Err(vec![at.to_string()]), "{stored}");
        }
    }
}
