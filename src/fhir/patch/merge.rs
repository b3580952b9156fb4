//! JSON Merge Patch (RFC 7396): what is named replaces, `null` removes, the rest stays.

use serde_json::{Map, Value};

/// Depth is that of the two documents, which are both bounded.
pub fn apply(patch: &Value, to: &mut Value) {
    let Value::Object(patch) = patch else {
        *to = patch.clone();
        return;
    };
    if !to.is_object() {
        *to = Value::Object(Map::new());
    }
    let Value::Object(object) = to else { return };
    for (name, value) in patch {
        if value.is_null() {
            object.shift_remove(name);
        } else {
            apply(value, object.entry(name.clone()).or_insert(Value::Null));
        }
    }
}
