//! A record as one partner may read it.
//!
//! Who asked reads what it was given, and of what it was refused only that it was: the reasons, and even whether there
//! was anything, are those of whose data it is (consent.md, section 7). A partner whose data a record concerns reads
//! the entries about its own, and not what the asker got elsewhere.

use serde_json::Value;

use crate::fhir::{Element, read};

use super::record::ITS_OWN;

/// The record for that partner; `None` if nothing in it is for it to read.
pub fn seen_by(partner: &str, body: &str) -> Option<Value> {
    let mut record = read::json(body.as_bytes()).ok()?;
    let asked = Element::new(&record).text("partner") == Some(partner);
    for list in ["released", "refused"] {
        let Some(entries) = record.get_mut(list).and_then(Value::as_array_mut) else { continue };
        if !asked {
            entries.retain(|entry| Element::new(entry).text("party") == Some(partner));
        } else if list == "refused" {
            entries.iter_mut().for_each(|entry| veil(partner, entry));
        }
    }
    let known = patient(&record);
    let object = record.as_object_mut()?;
    for list in ["released", "refused"] {
        if object.get(list).and_then(Value::as_array).is_some_and(Vec::is_empty) {
            object.shift_remove(list);
        }
    }
    match known {
        Some(patient) => object.insert("patient".into(), patient.into()),
        None => object.shift_remove("patient"),
    };
    let concerned = asked || object.contains_key("released") || object.contains_key("refused");
    concerned.then_some(record)
}

/// The person whom this reader knows the record to be about: asked for by name, or named by what is left of it.
fn patient(record: &Value) -> Option<String> {
    let root = Element::new(record);
    let named = root.text("asked");
    let left = root.each("released").chain(root.each("refused")).find_map(|entry| entry.text("patient"));
    named.or(left).map(str::to_string)
}

fn veil(partner: &str, entry: &mut Value) {
    let cursor = Element::new(entry);
    let known = cursor.text("party") == Some(partner) || ITS_OWN.contains(&cursor.text("why").unwrap_or(""));
    if let Some(object) = entry.as_object_mut().filter(|_| !known) {
        object.insert("why".into(), "unknown".into());
        for name in ["decision", "party", "patient"] {
            object.shift_remove(name);
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn each_reads_what_concerns_them() {
        let record = json!({"partner": "asker", "patient": "p", "verdict": "deny",
            "released": [
                {"key": "Goal/1", "party": "clinic", "patient": "p", "why": "consent"},
                {"key": "Goal/2", "party": "shelter", "patient": "p", "why": "consent"}],
            "refused": [
                {"key": "Goal/3", "party": "clinic", "patient": "q", "why": "deny", "decision": {}},
                {"key": "Task/4", "party": "housing", "patient": "p", "why": "held", "decision": {}}]})
        .to_string();
        let keys = |partner: &str, list: &str| -> Vec<String> {
            let seen = seen_by(partner, &record);
            let entries =
                seen.as_ref().map(|seen| Element::new(seen).each(list).collect::<Vec<_>>()).unwrap_or_default();
            let said =
                |entry: &Element| format!("{} {}", entry.text("key").unwrap_or(""), entry.text("why").unwrap_or(""));
            entries.iter().map(said).collect()
        };
        assert_eq!(keys("asker", "released"), ["Goal/1 consent", "Goal/2 consent"]);
        assert_eq!(keys("asker", "refused"), ["Goal/3 unknown", "Task/4 held"]);
        assert_eq!(keys("clinic", "released"), ["Goal/1 consent"]);
        assert_eq!(keys("clinic", "refused"), ["Goal/3 deny"]);
        assert_eq!(seen_by("stranger", &record), None);
    }

    #[test]
    fn whom_a_refusal_was_about_is_not_told_to_who_was_refused() {
        let record = json!({"partner": "asker", "patient": "p",
            "refused": [{"key": "Goal/3", "party": "clinic", "patient": "p", "why": "deny"}]})
        .to_string();
        assert_eq!(seen_by("asker", &record).unwrap().get("patient"), None);
        assert_eq!(seen_by("clinic", &record).unwrap()["patient"], "p");
    }
}
