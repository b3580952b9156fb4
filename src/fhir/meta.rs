//! Adding to `meta` and taking from it (FHIR R4 resource-operation-meta-add.html, -meta-delete.html).

use serde_json::{Value, json};

use super::element::Element;
use super::outcome::Issue;
use super::resource::Resource;

const LISTS: [&str; 3] = ["profile", "security", "tag"];
/// Most profiles, labels or tags that one call names.
const NAMED_MAX: usize = 100;

/// # Errors
/// That a call names more than are compared.
pub fn bounded(meta: &Value) -> Result<(), Issue> {
    let many =
        LISTS.iter().find(|name| meta.get(**name).and_then(Value::as_array).is_some_and(|list| list.len() > NAMED_MAX));
    many.map_or(Ok(()), |name| {
        let text = format!("`{name}`: at most {NAMED_MAX} in one call");
        Err(Issue::error("too-costly", "meta-too-long", text).at("Parameters.parameter"))
    })
}

/// Adds the profiles, labels and tags of `meta` that are not there yet. Answers whether anything was.
pub fn add(resource: &mut Resource, meta: &Value) -> bool {
    change(resource, meta, |known, sent| {
        let new: Vec<Value> = sent.iter().filter(|one| !known.iter().any(|other| same(one, other))).cloned().collect();
        known.iter().cloned().chain(new).collect()
    })
}

/// Takes the profiles and tags of `meta` away. Answers whether there were any.
///
/// # Errors
/// That a label is among them: labels are never lowered (rules.md 20).
pub fn remove(resource: &mut Resource, meta: &Value) -> Result<bool, Issue> {
    if Element::new(meta).each("security").next().is_some() {
        let text = "security labels are never taken away here; leave `security` out";
        return Err(Issue::error("business-rule", "label-lowered", text).at("Parameters.parameter"));
    }
    Ok(change(resource, meta, |known, sent| {
        known.iter().filter(|one| !sent.iter().any(|other| same(one, other))).cloned().collect()
    }))
}

fn change(resource: &mut Resource, meta: &Value, changed: impl Fn(&[Value], &[Value]) -> Vec<Value>) -> bool {
    let mut own = resource.root().get("meta").object().cloned().unwrap_or_default();
    let before = own.clone();
    for name in LISTS {
        let list = |value: Option<&Value>| value.and_then(Value::as_array).cloned().unwrap_or_default();
        let (known, sent) = (list(own.get(name)), list(meta.get(name)));
        if sent.is_empty() {
            continue;
        }
        let left = changed(&known, &sent);
        // FHIR forbids empty lists.
        if left.is_empty() {
            own.shift_remove(name);
        } else {
            own.insert(name.to_string(), json!(left));
        }
    }
    if own == before {
        return false;
    }
    resource.set("meta", Value::Object(own));
    true
}

/// Profiles by their address, codings by system and code.
fn same(one: &Value, other: &Value) -> bool {
    match (one, other) {
        (Value::String(one), Value::String(other)) => one == other,
        (one, other) => one.is_object() && Element::new(one).coding() == Element::new(other).coding(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_there_is_not_added_twice_and_labels_stay() {
        let tag = json!({"tag": [{"system": "s", "code": "a", "display": "A"}]});
        let mut goal = Resource::new("Goal");
        assert!(add(&mut goal, &tag) && !add(&mut goal, &json!({"tag": [{"system": "s", "code": "a"}]})));
        assert!(add(&mut goal, &json!({"profile": ["p"], "security": [{"system": "s", "code": "r"}]})));
        assert!(remove(&mut goal, &json!({"security": [{"system": "s", "code": "r"}]})).is_err());
        assert_eq!(remove(&mut goal, &json!({"tag": [{"system": "s", "code": "b"}]})), Ok(false));
        assert_eq!(remove(&mut goal, &json!({"profile": ["p"], "tag": [{"system": "s", "code": "a"}]})), Ok(true));
        assert_eq!(goal.value()["meta"], json!({"security": [{"system": "s", "code": "r"}]}));
    }
}
