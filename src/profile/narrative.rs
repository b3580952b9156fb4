//! Links of a narrative into its own document (R4 narrative.html#id): what `#id` names must be there.

use std::collections::BTreeSet;

use serde_json::Value;

use super::found::shown;
use super::walk::Walk;

impl<'a> Walk<'a> {
    /// The walk stands at the `div`. In a document, links may lead to the narratives of other entries.
    pub fn links(&mut self, div: &'a str) {
        const LINK: &str = "href=\"#";
        if !div.contains(LINK) || self.around.is_in_document() {
            return;
        }
        let mut ids = BTreeSet::new();
        for mark in [" id=\"", " name=\""] {
            ids.extend(div.split(mark).skip(1).filter_map(|rest| rest.split('"').next()));
        }
        gather(self.around.container(), &mut ids);
        let linked: BTreeSet<&str> = div.split(LINK).skip(1).filter_map(|rest| rest.split('"').next()).collect();
        for id in linked.into_iter().filter(|id| !id.is_empty() && !ids.contains(id)) {
            let text = format!("expected an element with the id that the link `#{}` leads to", shown(id));
            self.error("structure", "narrative-link", text);
        }
    }
}

/// The ids of all elements, which a narrative may point at.
fn gather<'v>(value: &'v Value, ids: &mut BTreeSet<&'v str>) {
    match value {
        Value::Object(object) => {
            ids.extend(object.get("id").and_then(Value::as_str));
            object.values().for_each(|inner| gather(inner, ids));
        }
        Value::Array(list) => list.iter().for_each(|inner| gather(inner, ids)),
        _ => {}
    }
}
