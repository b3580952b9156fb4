//! What a reader of a view changed, applied to the whole that the view was taken from.
//!
//! Three texts: what is stored, what its reader saw of it, and what the reader sent back. What was hidden stays as it is
//! stored. INVARIANT: whether a change is taken hangs on the view and on what was sent alone. Of a view that is not the
//! whole nobody sets an element that it does not have and takes away none that could hold more than it shows, whether
//! there is something hidden at that place or not: a refusal must not tell.

use serde_json::{Map, Value};

use super::resource::Resource;

/// The stored resource with the changes from `view` to `sent`; `meta` stays what was sent. `free` are elements of the
/// resource that are the reader's to set whatever it saw of them. Otherwise the elements that were changed and are not
/// the reader's to set.
///
/// # Errors
/// The elements, as `Condition.note`.
pub fn merge(stored: &Resource, view: &Resource, sent: &Resource, free: &[&str]) -> Result<Resource, Vec<String>> {
    let bare = |resource: &Resource| {
        let mut object = resource.root().object().cloned().unwrap_or_default();
        object.shift_remove("meta");
        object
    };
    let (stored, view) = (bare(stored), bare(view));
    if stored == view {
        return Ok(sent.clone());
    }
    let mut refused = Vec::new();
    let merged = objects(&stored, &view, &bare(sent), sent.kind(), free, &mut refused);
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

fn objects(
    stored: &Object,
    view: &Object,
    sent: &Object,
    at: &str,
    free: &[&str],
    refused: &mut Vec<String>,
) -> Object {
    let mut merged = Object::new();
    let more = view.keys().chain(sent.keys().filter(|name| !view.contains_key(*name)));
    let names = stored.keys().chain(more.filter(|name| !stored.contains_key(*name)));
    for name in names {
        let plain = name.trim_start_matches('_');
        let place = format!("{at}.{plain}");
        let is_free = free.contains(&plain);
        let (stored, view, sent) = (stored.get(name), view.get(name), sent.get(name));
        let kept = match (view, sent) {
            // Nobody touched it. A place that says `masked` stays out of what is stored.
            (view, sent) if view == sent => stored.cloned(),
            _ if is_free => set(stored, view, sent),
            // What is no element of others hides nothing.
            (Some(view), None) if !is_composed(view) => None,
            (Some(view), Some(sent)) => match stored {
                Some(stored) => Some(value(stored, view, sent, &place, refused)),
                None => refuse(&place, stored, refused),
            },
            _ => refuse(&place, stored, refused),
        };
        merged.extend(kept.map(|kept| (name.clone(), kept)));
    }
    merged
}

fn refuse(place: &str, stored: Option<&Value>, refused: &mut Vec<String>) -> Option<Value> {
    if !refused.iter().any(|known| known == place) {
        refused.push(place.to_string());
    }
    stored.cloned()
}

fn is_composed(value: &Value) -> bool {
    value.is_object() || value.is_array()
}

/// An element that is the reader's to set: as it was sent, with the items that were hidden; an item that is sent back as
/// it was read stays as it is stored.
fn set(stored: Option<&Value>, view: Option<&Value>, sent: Option<&Value>) -> Option<Value> {
    let list = |value: Option<&Value>| value.and_then(Value::as_array).cloned().unwrap_or_default();
    let is_list = |value: Option<&Value>| value.is_none_or(Value::is_array);
    if !is_list(stored) || !is_list(sent) {
        return sent.cloned();
    }
    let (stored, shown) = (list(stored), list(view));
    let pairs = aligned(&stored, &shown).unwrap_or_else(|| vec![None; stored.len()]);
    let mut seen: Vec<(usize, usize)> =
        pairs.iter().enumerate().filter_map(|(place, shown)| Some((place, (*shown)?))).collect();
    let mut merged: Vec<Value> = list(sent)
        .into_iter()
        .map(|item| match seen.iter().position(|(_, at)| shown[*at] == item) {
            Some(known) => stored[seen.remove(known).0].clone(),
            None => item,
        })
        .collect();
    for (place, _) in pairs.iter().enumerate().filter(|(_, shown)| shown.is_none()) {
        merged.insert(place.min(merged.len()), stored[place].clone());
    }
    (!merged.is_empty()).then_some(Value::Array(merged))
}

fn value(stored: &Value, view: &Value, sent: &Value, at: &str, refused: &mut Vec<String>) -> Value {
    if view == sent {
        return stored.clone();
    }
    match (stored, view, sent) {
        (Value::Object(stored), Value::Object(view), Value::Object(sent)) => {
            Value::Object(objects(stored, view, sent, at, &[], refused))
        }
        (Value::Array(stored), Value::Array(view), Value::Array(sent)) => lists(stored, view, sent, at, refused),
        (_, view, sent) if !is_composed(view) && !is_composed(sent) => sent.clone(),
        _ => {
            refused.push(at.to_string());
            stored.clone()
        }
    }
}

/// Items may change and come, none goes: each is known by its place alone. Those that were not seen stay where they are.
fn lists(stored: &[Value], view: &[Value], sent: &[Value], at: &str, refused: &mut Vec<String>) -> Value {
    let Some(pairs) = aligned(stored, view).filter(|_| sent.len() >= view.len()) else {
        refused.push(at.to_string());
        return Value::Array(stored.to_vec());
    };
    let mut merged: Vec<Value> = pairs
        .iter()
        .zip(stored)
        .map(|(shown, stored)| match shown {
            Some(shown) => value(stored, &view[*shown], &sent[*shown], &format!("{at}[{shown}]"), refused),
            None => stored.clone(),
        })
        .collect();
    merged.extend(sent[view.len()..].iter().cloned());
    Value::Array(merged)
}

/// Which item of the view each stored one is: an equal one, where there is one; `None` for what was hidden. `None`
/// where the view is not one of this list.
fn aligned(stored: &[Value], view: &[Value]) -> Option<Vec<Option<usize>>> {
    const NEVER: usize = usize::MAX;
    // How many are seen in part at the least, from each pair of places on; what is longer than that is not compared.
    if stored.len().saturating_mul(view.len()) > CELLS_MAX {
        return None;
    }
    let width = view.len() + 1;
    let mut cost = vec![NEVER; (stored.len() + 1) * width];
    cost[stored.len() * width + view.len()] = 0;
    let pair = |place: usize, shown: usize, cost: &[usize]| {
        let behind = cost[(place + 1) * width + shown + 1];
        match behind {
            NEVER => NEVER,
            behind if stored[place] == view[shown] => behind,
            behind if within(&stored[place], &view[shown]) => behind + 1,
            _ => NEVER,
        }
    };
    for place in (0..stored.len()).rev() {
        for shown in (0..=view.len()).rev() {
            let hidden = cost[(place + 1) * width + shown];
            let paired = if shown < view.len() { pair(place, shown, &cost) } else { NEVER };
            cost[place * width + shown] = hidden.min(paired);
        }
    }
    if cost[0] == NEVER {
        return None;
    }
    let mut shown = 0;
    let mut pairs = Vec::with_capacity(stored.len());
    for place in 0..stored.len() {
        let is_pair = shown < view.len() && pair(place, shown, &cost) == cost[place * width + shown];
        pairs.push(is_pair.then_some(shown));
        shown += usize::from(is_pair);
    }
    Some(pairs)
}

const CELLS_MAX: usize = 1_000_000;

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
        let mut value = merge(&whole(stored), &whole(view), &whole(sent), &["free"])?.into_value();
        value.as_object_mut().unwrap().shift_remove("resourceType");
        Ok(value)
    }

    #[test]
    fn what_was_hidden_stays_and_what_was_seen_changes() {
        let masked = json!({"extension": [{"valueCode": "masked"}]});
        for (stored, view, sent, expected) in [
            (json!({"a": 1}), json!({"a": 1}), json!({"a": 2}), json!({"a": 2})),
            (json!({"a": 1, "b": 2}), json!({"a": 1}), json!({"a": 3}), json!({"a": 3, "b": 2})),
            (json!({"a": 1, "b": 2}), json!({"a": 1}), json!({}), json!({"b": 2})),
            (json!({"a": 1, "b": 2}), json!({"a": 1}), json!({"free": 3}), json!({"b": 2, "free": 3})),
            (json!({"free": ["h"]}), json!({}), json!({"free": ["x"]}), json!({"free": ["h", "x"]})),
            (
                json!({"free": [{"x": 1, "y": 2}, {"x": 2}]}),
                json!({"free": [{"x": 1}, {"x": 2}]}),
                json!({"free": [{"x": 1}]}),
                json!({"free": [{"x": 1, "y": 2}]}),
            ),
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
            // The same where nothing is hidden there, but elsewhere.
            (json!({"a": 1, "h": 2}), json!({"a": 1}), json!({"a": 1, "b": 3}), "Basic.b"),
            (json!({"a": {"x": 1}, "h": 2}), json!({"a": {"x": 1}}), json!({}), "Basic.a"),
            (json!({"n": [{"x": 1}], "h": 2}), json!({"n": [{"x": 1}]}), json!({"n": []}), "Basic.n"),
        ] {
            assert_eq!(merged(stored.clone(), view, sent), Err(vec![at.to_string()]), "{stored}");
        }
    }

    #[test]
    fn an_item_is_never_taken_for_a_hidden_one_that_says_more() {
        let stored = json!({"n": [{"x": 1, "hidden": 2}, {"x": 1}]});
        let expected = json!({"n": [{"x": 1, "hidden": 2}, {"x": 3}]});
        assert_eq!(merged(stored, json!({"n": [{"x": 1}]}), json!({"n": [{"x": 3}]})), Ok(expected));
    }
}
