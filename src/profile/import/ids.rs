//! Ids of elements that a differential leaves out: they follow from the paths and the slices' names
//! (R4 elementdefinition.html#id).

use std::collections::HashMap;

use serde_json::Value;

use super::{list, text};

/// The ids of a differential's elements, in its order.
pub fn of(differential: &Value) -> Vec<String> {
    // The id that a path has now: that of the slice which came last.
    let mut current: HashMap<&str, String> = HashMap::new();
    let elements = list(differential, "element");
    let mut ids = Vec::with_capacity(elements.len());
    for element in elements {
        let path = text(element, "path");
        let id = match element.get("id").and_then(Value::as_str) {
            Some(stated) => stated.to_string(),
            None => {
                let (above, last) = path.rsplit_once('.').unwrap_or(("", path));
                let around = nearest(&current, above);
                let own = if around.is_empty() { last.to_string() } else { format!("{around}.{last}") };
                match text(element, "sliceName") {
                    "" => own,
                    name => format!("{own}:{name}"),
                }
            }
        };
        // What was inside the slice before is inside no more.
        let inside = format!("{path}.");
        current.retain(|known, _| !known.starts_with(&inside));
        current.insert(path, id.clone());
        ids.push(id);
    }
    ids
}

/// The id of a path; of one that no element stated, as far as it was stated.
fn nearest(current: &HashMap<&str, String>, path: &str) -> String {
    let mut end = path.len();
    loop {
        if let Some(id) = current.get(&path[..end]) {
            return format!("{id}{}", &path[end..]);
        }
        match path[..end].rfind('.') {
            Some(at) => end = at,
            None => return path.to_string(),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn ids_follow_from_paths_and_slices() {
        let element = |path: &str, slice: &str| {
            let mut element = json!({"path": path});
            if !slice.is_empty() {
                element["sliceName"] = json!(slice);
            }
            element
        };
        let mut stated = element("Patient.identifier.system", "");
        stated["id"] = json!("Patient.identifier:own.system");
        let differential = json!({"element": [
            element("Patient", ""),
            element("Patient.identifier", ""),
            element("Patient.identifier", "mrn"),
            element("Patient.identifier.type.coding", "a"),
            element("Patient.identifier.type.coding.code", ""),
            element("Patient.identifier", "ssn"),
            element("Patient.identifier.system", ""),
            stated,
            element("Patient.name", "")]});
        assert_eq!(
            of(&differential),
            [
                "Patient",
                "Patient.identifier",
                "Patient.identifier:mrn",
                "Patient.identifier:mrn.type.coding:a",
                "Patient.identifier:mrn.type.coding:a.code",
                "Patient.identifier:ssn",
                "Patient.identifier:ssn.system",
                "Patient.identifier:own.system",
                "Patient.name",
            ]
        );
    }
}
