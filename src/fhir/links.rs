//! What a resource points with: literal references, and the other links that a Bundle may answer.

use serde_json::Value;

use super::resource::Resource;
use super::search::Criteria;

impl Resource {
    /// The references that are searches, each with the element that holds it: `Patient?identifier=s|v`
    /// (FHIR R4 http.html#trules, conditional references).
    pub fn conditional_references(&self) -> Vec<(String, Criteria)> {
        let mut found = Vec::new();
        collect(self.value(), &mut self.kind().to_string(), &mut found);
        found
    }

    /// Rewrites every literal reference for which `target` has an answer.
    pub fn rewrite_references(&mut self, target: &impl Fn(&str) -> Option<String>) {
        self.rewrite_links(target, &|_| false);
    }

    /// Rewrites literal references, elements of type uri, url, oid and uuid, and the links of the narrative, as a
    /// transaction does; a canonical keeps its address (FHIR R4 http.html#trules). `is_link` knows the types: a path
    /// is a type and the JSON names below it.
    pub fn rewrite_links(&mut self, target: &impl Fn(&str) -> Option<String>, is_link: &dyn Fn(&[&str]) -> bool) {
        let mut place = self.kind().to_string();
        self.change(|value| rewrite(value, &mut place, target, is_link));
    }
}

fn collect(value: &Value, place: &mut String, found: &mut Vec<(String, Criteria)>) {
    match value {
        Value::Object(object) => {
            for (name, child) in object {
                if name == "reference"
                    && let Some(criteria) = child.as_str().and_then(Criteria::parse)
                {
                    found.push((place.clone(), criteria));
                } else if child.is_object() || child.is_array() {
                    let length = place.len();
                    place.push('.');
                    place.push_str(name);
                    collect(child, place, found);
                    place.truncate(length);
                }
            }
        }
        Value::Array(list) => {
            for (index, item) in list.iter().enumerate() {
                let length = place.len();
                place.push_str(&format!("[{index}]"));
                collect(item, place, found);
                place.truncate(length);
            }
        }
        _ => {}
    }
}

/// `place` is a type and JSON names below it, with dots between them.
fn rewrite(
    value: &mut Value,
    place: &mut String,
    target: &impl Fn(&str) -> Option<String>,
    is_link: &dyn Fn(&[&str]) -> bool,
) {
    match value {
        Value::Object(object) => {
            for (name, child) in object.iter_mut() {
                match (name.as_str(), child) {
                    ("reference", Value::String(text)) => {
                        if let Some(found) = target(text) {
                            *text = found;
                        }
                    }
                    ("div", Value::String(text)) => {
                        if let Some(found) = narrative(text, target) {
                            *text = found;
                        }
                    }
                    (name, child) => {
                        let length = place.len();
                        place.push('.');
                        place.push_str(name);
                        below(child, place, target, is_link);
                        place.truncate(length);
                    }
                }
            }
        }
        Value::Array(list) => list.iter_mut().for_each(|item| below(item, place, target, is_link)),
        Value::String(text) => {
            if let Some(found) = target(text)
                && is_link(&place.split('.').collect::<Vec<&str>>())
            {
                *text = found;
            }
        }
        _ => {}
    }
}

/// What is contained is a resource of its own type.
fn below(
    value: &mut Value,
    place: &mut String,
    target: &impl Fn(&str) -> Option<String>,
    is_link: &dyn Fn(&[&str]) -> bool,
) {
    match value.get("resourceType").and_then(Value::as_str).map(str::to_string) {
        Some(mut kind) => rewrite(value, &mut kind, target, is_link),
        None => rewrite(value, place, target, is_link),
    }
}

/// `<a href="urn:uuid:…">` and `<img src="…">`; `None` when nothing changes.
fn narrative(text: &str, target: &impl Fn(&str) -> Option<String>) -> Option<String> {
    let (mut out, mut rest, mut changed) = (String::new(), text, false);
    while let Some(at) = rest.find("href=").map(|at| at + 5).into_iter().chain(rest.find("src=").map(|at| at + 4)).min()
    {
        let (before, after) = rest.split_at(at);
        out.push_str(before);
        rest = after;
        let Some(quote) = after.chars().next().filter(|first| matches!(first, '"' | '\'')) else { continue };
        let Some(link) = after[1..].split(quote).next() else { continue };
        if let Some(found) = target(link) {
            out.push(quote);
            out.push_str(&found);
            rest = &after[1 + link.len()..];
            changed = true;
        }
    }
    out.push_str(rest);
    changed.then_some(out)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn links_are_rewritten_and_canonicals_are_not() {
        let urn = "urn:uuid:1";
        let mut plan = Resource::from_value(json!({
            "resourceType": "CarePlan",
            "text": {"div": format!("<div><a href=\"{urn}\">x</a><img src='{urn}'/> {urn} <a href=\"urn:uuid:2\"/></div>")},
            "contained": [{"resourceType": "Goal", "extension": [{"url": "x", "valueUri": urn}]}],
            "instantiatesUri": [urn, "urn:uuid:2"], "instantiatesCanonical": [urn],
            "goal": [{"reference": urn}], "identifier": [{"value": urn}]}))
        .unwrap();
        let is_link =
            |path: &[&str]| matches!(path, ["CarePlan", "instantiatesUri"] | ["Goal", "extension", "valueUri"]);
        plan.rewrite_links(&|text| (text == urn).then(|| "Patient/7".to_string()), &is_link);
        let plan = plan.into_value();
        assert_eq!(plan["instantiatesUri"], json!(["Patient/7", "urn:uuid:2"]));
        assert_eq!(plan["contained"][0]["extension"][0]["valueUri"], "Patient/7");
        assert_eq!(plan["goal"][0]["reference"], "Patient/7");
        assert_eq!((&plan["instantiatesCanonical"][0], &plan["identifier"][0]["value"]), (&json!(urn), &json!(urn)));
        let div = plan["text"]["div"].as_str().unwrap();
        assert_eq!(
            div,
            format!("<div><a href=\"Patient/7\">x</a><img src='Patient/7'/> {urn} <a href=\"urn:uuid:2\"/></div>")
        );
    }

    #[test]
    fn a_reference_that_is_a_search_is_found_with_its_element() {
        let plan = Resource::from_value(
            json!({"resourceType": "CarePlan", "subject": {"reference": "Patient?identifier=s|v"},
            "goal": [{"reference": "Goal/1"}, {"reference": "Goal?_id=2"}], "note": [{"text": "Goal?x=y"}]}),
        )
        .unwrap();
        let found = plan.conditional_references();
        let places: Vec<&str> = found.iter().map(|(place, _)| place.as_str()).collect();
        assert_eq!(places, ["CarePlan.subject", "CarePlan.goal[1]"]);
    }
}
