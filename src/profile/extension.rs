//! Extensions: known, allowed where they stand, and understood where they change a meaning (R4 extensibility.html,
//! defining-extensions.html#context).

use serde_json::Value;

use crate::fhir::Issue;

use super::found::{listed, shown};
use super::walk::Walk;

/// Contexts of R5's making, which R4 spells as any resource.
const ANY_RESOURCE: [&str; 4] = ["Resource", "DomainResource", "CanonicalResource", "MetadataResource"];

impl<'a> Walk<'a> {
    /// The walk stands at the extension. A definition that we hold applies wherever the extension is used.
    pub fn extension(&mut self, value: &'a Value) {
        // The parts of an extension have names of its own, which its definition knows.
        let Some(url) = value.get("url").and_then(Value::as_str).filter(|url| url.contains(':')) else { return };
        let modifies = self.is_at("modifierExtension");
        let entry = self.profiles.entry(url);
        let Some(entry) = entry.filter(|entry| entry.head.type_name == "Extension" && entry.head.is_profile()) else {
            return self.unknown_extension(url, modifies);
        };
        if entry.head.modifies != modifies {
            let text = if modifies {
                format!("`{}` changes no meaning: expected it in `extension`", shown(url))
            } else {
                format!("`{}` changes the meaning of what is around: expected it in `modifierExtension`", shown(url))
            };
            self.error("structure", "extension-modifier", text);
        }
        if !entry.head.contexts.is_empty() {
            let here = self.spellings();
            let is_allowed = |context: &String| here.iter().any(|spelling| spelling == context.trim_end_matches("[x]"));
            if !entry.head.contexts.iter().any(is_allowed) {
                let expected = listed(entry.head.contexts.iter().take(8).map(String::as_str));
                let text = format!("extension `{}` is for {expected}, not for what it is found in", shown(url));
                self.error("structure", "extension-context", text);
            }
        }
        self.overlaid(url, value);
    }

    /// Nobody can say what it means. Where it changes the meaning of what is around it, that is not understood either;
    /// of a Consent, the decision knows and denies (consent.md R2).
    fn unknown_extension(&mut self, url: &'a str, modifies: bool) {
        if modifies && self.around.container().get("resourceType").and_then(Value::as_str) != Some("Consent") {
            let text = format!("`{}` changes the meaning of what is around and is not known here", shown(url));
            return self.error("not-supported", "modifier-unknown", text);
        }
        if !self.unknown_urls.contains(&url) {
            self.unknown_urls.push(url);
            let text = format!("extension `{}` is not known here and was not checked", shown(url));
            self.say(Issue::information("extension-unknown", text));
        }
    }

    /// What the element that holds the extension can be called: by its path from the resource, from each data type on the
    /// way, and by its type.
    fn spellings(&self) -> Vec<String> {
        let resource = self.around.resource();
        let kind = resource.get("resourceType").and_then(Value::as_str).unwrap_or("");
        let steps = self.place.steps.split_last().map_or(&[][..], |(_, above)| above);
        let inside = steps.iter().rposition(|step| matches!(step.name, "contained" | "resource"));
        let steps = &steps[inside.map_or(0, |at| at + 1)..];
        let mut found = vec![kind.to_string()];
        if steps.is_empty() {
            found.extend(ANY_RESOURCE.map(str::to_string));
            found.push("Element".into());
            return found;
        }
        let (mut value, mut around) = (resource, self.profiles.table(kind).map(|table| (table, 0)));
        let mut types: Vec<String> = Vec::new();
        // Where content is defined by reference, each round has the name of the first.
        let mut named: Vec<(usize, Vec<String>)> = Vec::new();
        for step in steps {
            let Some((key, inner)) = value.as_object().and_then(|object| object.iter().nth(step.at)) else { break };
            value = step.item.map_or(inner, |item| inner.get(item).unwrap_or(inner));
            found.iter_mut().for_each(|path| *path = format!("{path}.{}", step.name));
            let key = key.strip_prefix('_').unwrap_or(key);
            let field = around.and_then(|(table, node)| Some((table, table.nodes.get(node)?.find(key)?)));
            let Some((table, (_, field, kind))) = field else { break };
            types = vec!["Element".into()];
            match field.node {
                Some(node) => {
                    types.push("BackboneElement".into());
                    match named.iter().find(|(known, _)| *known == node) {
                        Some((_, names)) => found.extend(names.clone()),
                        None => named.push((node, found.clone())),
                    }
                    around = Some((table, node));
                }
                None => {
                    types.extend(
                        matches!(kind.code.as_str(), "Age" | "Count" | "Distance" | "Duration")
                            .then(|| "Quantity".into()),
                    );
                    found.push(kind.code.clone());
                    around = self.profiles.table(&kind.code).map(|table| (table, 0));
                    named.clear();
                }
            }
        }
        found.extend(types);
        // An extension on an extension may be meant for that one alone.
        found.extend(value.get("url").and_then(Value::as_str).map(str::to_string));
        found
    }
}
