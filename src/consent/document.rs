//! Law that an operator brings (`handoff regimes import`): read strictly, every problem located, before any of it counts.
//!
//! What is there anyway and cannot be read closes (`regime`); this is where it is said before that.

use std::collections::BTreeSet;

use serde_json::Value;

use super::purpose::is_known;
use super::regime::{FilingRule, LISTS, Need, Refuse, Test};
use crate::fhir::{Element, Issue};

/// Items of one list, and tests or needs inside each other.
const ITEMS_MAX: usize = 1_000;
const DEPTH_MAX: usize = 16;

/// Everything that is wrong with a document.
pub fn problems(document: &Value) -> Vec<Issue> {
    let mut check = Check::default();
    let members = ["version", "title", "source"].into_iter().chain(LISTS).collect::<Vec<&str>>();
    if check.object(document, "", &members) {
        check.text(document, "version", "", true);
        let has_list = LISTS.iter().any(|list| document.get(list).is_some());
        if !has_list {
            check.say("", format!("expected at least one of {}", LISTS.join(", ")));
        }
        for list in LISTS {
            check.list(document, list, "", |check, item, at| match list {
                "rows" => check.row(item, at),
                "filing" => check.filing(item, at),
                "accounting" => check.accounting(item, at),
                "discretion" => check.discretion(item, at),
                _ => check.least(item, at),
            });
            check.ids(document, list);
        }
    }
    check.0
}

#[derive(Default)]
struct Check(Vec<Issue>);

impl Check {
    fn say(&mut self, at: &str, text: String) {
        self.0.push(Issue::error("value", "regime-unreadable", text).at(if at.is_empty() { "document" } else { at }));
    }

    fn object(&mut self, value: &Value, at: &str, members: &[&str]) -> bool {
        let Value::Object(object) = value else {
            self.say(at, "expected an object".to_string());
            return false;
        };
        for name in object.keys().filter(|name| !members.contains(&name.as_str())) {
            self.say(&below(at, name), format!("not known here: expected one of {}", members.join(", ")));
        }
        true
    }

    fn text(&mut self, value: &Value, name: &str, at: &str, required: bool) {
        match value.get(name) {
            None if !required => {}
            Some(Value::String(text)) if !text.trim().is_empty() => {}
            _ => self.say(&below(at, name), "expected text".to_string()),
        }
    }

    fn flag(&mut self, value: &Value, name: &str, at: &str) {
        if value.get(name).is_some_and(|flag| !flag.is_boolean()) {
            self.say(&below(at, name), "expected true or false".to_string());
        }
    }

    fn list(&mut self, value: &Value, name: &str, at: &str, mut each: impl FnMut(&mut Check, &Value, &str)) {
        let place = below(at, name);
        match value.get(name) {
            None => {}
            Some(Value::Array(items)) if items.len() <= ITEMS_MAX => {
                for (index, item) in items.iter().enumerate() {
                    each(self, item, &format!("{place}[{index}]"));
                }
            }
            Some(_) => self.say(&place, format!("expected a list of at most {ITEMS_MAX}")),
        }
    }

    fn texts(&mut self, value: &Value, name: &str, at: &str) {
        self.list(value, name, at, |check, item, at| {
            if item.as_str().is_none_or(|text| text.trim().is_empty()) {
                check.say(at, "expected text".to_string());
            }
        });
    }

    fn purposes(&mut self, value: &Value, name: &str, at: &str) {
        self.list(value, name, at, |check, item, at| {
            if !item.as_str().is_some_and(is_known) {
                check.say(at, "expected a purpose of v3-ActReason".to_string());
            }
        });
    }

    fn ids(&mut self, document: &Value, list: &str) {
        let mut known = BTreeSet::new();
        for (index, item) in document.get(list).and_then(Value::as_array).into_iter().flatten().enumerate() {
            match item.get("id").and_then(Value::as_str) {
                Some(id) if !known.insert(id) => {
                    self.say(&format!("{list}[{index}].id"), format!("`{id}` is there twice"));
                }
                Some(id) if !id.is_empty() => {}
                _ => self.say(&format!("{list}[{index}].id"), "expected text".to_string()),
            }
        }
    }

    fn row(&mut self, row: &Value, at: &str) {
        let members = ["id", "title", "switch", "disclosure", "scope", "allowed", "ways", "obligations", "emergency"];
        if !self.object(row, at, &members) {
            return;
        }
        self.text(row, "title", at, true);
        ["switch", "disclosure", "allowed"].into_iter().for_each(|name| self.flag(row, name, at));
        match row.get("scope") {
            Some(scope) => self.test(scope, &below(at, "scope"), 0),
            None => self.say(&below(at, "scope"), "expected a test: without one it would cover everything".to_string()),
        }
        self.list(row, "ways", at, |check, way, at| {
            if check.object(way, at, &["title", "when", "needs"]) {
                check.text(way, "title", at, false);
                way.get("when").into_iter().for_each(|when| check.test(when, &below(at, "when"), 0));
                if way.get("needs").and_then(Value::as_array).is_none_or(Vec::is_empty) {
                    check.say(
                        &below(at, "needs"),
                        "expected a list of needs: without one anything would do".to_string(),
                    );
                }
                check.list(way, "needs", at, |check, need, at| check.need(need, at, 0));
            }
        });
        self.list(row, "obligations", at, |check, duty, at| {
            if check.object(duty, at, &["code", "when", "mark", "text"]) {
                let shown = duty.get("mark").is_some() || duty.get("text").is_some();
                for (name, required) in [("code", true), ("mark", shown), ("text", shown)] {
                    check.text(duty, name, at, required);
                }
                duty.get("when").into_iter().for_each(|when| check.test(when, &below(at, "when"), 0));
            }
        });
        if let Some(emergency) = row.get("emergency")
            && self.object(emergency, &below(at, "emergency"), &["opens", "obligations"])
        {
            self.flag(emergency, "opens", &below(at, "emergency"));
            self.texts(emergency, "obligations", &below(at, "emergency"));
        }
    }

    fn accounting(&mut self, one: &Value, at: &str) {
        if !self.object(one, at, &["id", "title", "years", "obligation", "originRegime"]) {
            return;
        }
        for name in ["title", "obligation", "originRegime"] {
            self.text(one, name, at, name == "title");
        }
        if !one.get("years").and_then(Value::as_i64).is_some_and(|years| (1..=100).contains(&years)) {
            self.say(&below(at, "years"), "expected a number of years from 1 to 100".to_string());
        }
        if one.get("obligation").is_none() == one.get("originRegime").is_none() {
            self.say(at, "expected either `obligation` or `originRegime`".to_string());
        }
    }

    fn test(&mut self, test: &Value, at: &str, depth: usize) {
        let Some((name, operand)) = self.only(test, at, depth) else { return };
        match name {
            "all" | "any" => self.list(test, name, at, |check, test, at| check.test(test, at, depth + 1)),
            "not" => self.test(operand, &below(at, name), depth + 1),
            "purposeWithin" => self.purposes(test, name, at),
            "outsidePurposeLabels" if *operand != Value::Bool(true) => {
                self.say(&below(at, name), "expected true".to_string());
            }
            _ if Test::read(Element::new(test)).is_none() => {
                self.say(&below(at, name), "no test of ours, or not of what it is asked with".to_string());
            }
            _ => {}
        }
    }

    fn need(&mut self, need: &Value, at: &str, depth: usize) {
        let Some((name, operand)) = self.only(need, at, depth) else { return };
        let place = below(at, name);
        match name {
            "anyOf" => self.list(need, name, at, |check, need, at| check.need(need, at, depth + 1)),
            "discloser" | "recipient" | "designation" | "purpose" | "records" | "date" | "signature" | "end"
            | "signers"
                if *operand != Value::Bool(true) =>
            {
                self.say(&place, "expected true".to_string());
            }
            "onlyPurpose" if !operand.as_str().is_some_and(is_known) => {
                self.say(&place, "expected a purpose of v3-ActReason".to_string());
            }
            "endUnlessPurposesWithin" => self.purposes(need, name, at),
            "mention" => self.texts(need, name, at),
            "received" => {
                self.object(operand, &place, &["policy", "purposesWithin", "custodianRegime"]);
                ["policy", "custodianRegime"].into_iter().for_each(|name| self.text(operand, name, &place, true));
                self.purposes(operand, "purposesWithin", &place);
            }
            _ if Need::read(Element::new(need)).is_none() => self.say(&place, "no need of ours".to_string()),
            _ => {}
        }
    }

    /// The one member that says what it is.
    fn only<'v>(&mut self, value: &'v Value, at: &str, depth: usize) -> Option<(&'v str, &'v Value)> {
        let object = value.as_object().filter(|object| object.len() == 1 && depth < DEPTH_MAX);
        if object.is_none() {
            self.say(at, format!("expected an object with one member, nested at most {DEPTH_MAX} deep"));
        }
        object?.iter().next().map(|(name, operand)| (name.as_str(), operand))
    }

    fn filing(&mut self, rule: &Value, at: &str) {
        if !self.object(rule, at, &["id", "policy", "refuse", "expression", "text"]) {
            return;
        }
        ["policy", "expression", "text"].into_iter().for_each(|name| self.text(rule, name, at, true));
        let place = below(at, "refuse");
        match rule.get("refuse") {
            Some(refuse) => {
                self.object(refuse, &place, &["purposesWithin", "besides", "noEnd", "signedByRelatedAlone"]);
                ["purposesWithin", "besides"].into_iter().for_each(|name| self.purposes(refuse, name, &place));
                if matches!(FilingRule::read(Element::new(rule)).refuse, Refuse::Whatever) {
                    self.say(&place, "expected what is refused".to_string());
                }
            }
            None => self.say(&place, "expected what is refused".to_string()),
        }
    }

    fn discretion(&mut self, one: &Value, at: &str) {
        let members = ["id", "title", "kinds", "regimes", "unlinkable", "directory", "pseudonymous", "sharedStore"];
        if !self.object(one, at, &members) {
            return;
        }
        self.text(one, "title", at, true);
        self.flag(one, "unlinkable", at);
        ["kinds", "regimes"].into_iter().for_each(|name| self.texts(one, name, at));
        let names = |name: &str| one.get(name).and_then(Value::as_array).is_some_and(|list| !list.is_empty());
        if !names("kinds") && !names("regimes") {
            self.say(at, "expected `kinds` or `regimes`: without them it would be about everybody".to_string());
        }
        if let Some(directory) = one.get("directory")
            && self.object(directory, &below(at, "directory"), &["hidden", "organization"])
        {
            ["hidden", "organization"]
                .into_iter()
                .for_each(|name| self.texts(directory, name, &below(at, "directory")));
        }
        self.types(one, "pseudonymous", at);
        if let Some(shared) = one.get("sharedStore")
            && self.object(shared, &below(at, "sharedStore"), &["policy", "needs", "text"])
        {
            let place = below(at, "sharedStore");
            ["policy", "text"].into_iter().for_each(|name| self.text(shared, name, &place, true));
            self.list(shared, "needs", &place, |check, need, at| {
                if !matches!(need.as_str(), Some("end" | "date" | "signature" | "signers")) {
                    check.say(at, "expected `end`, `date`, `signature` or `signers`".to_string());
                }
            });
        }
    }

    fn least(&mut self, list: &Value, at: &str) {
        if self.object(list, at, &["id", "title", "source", "purposes", "recipients", "types"]) {
            self.text(list, "title", at, true);
            self.purposes(list, "purposes", at);
            self.texts(list, "recipients", at);
            self.types(list, "types", at);
        }
    }

    fn types(&mut self, value: &Value, name: &str, at: &str) {
        let place = below(at, name);
        match value.get(name) {
            None => {}
            Some(Value::Object(types)) => {
                for kind in types.keys() {
                    self.texts(&value[name], kind, &place);
                }
            }
            Some(_) => self.say(&place, "expected types with lists of their elements".to_string()),
        }
    }
}

fn below(at: &str, name: &str) -> String {
    if at.is_empty() { name.to_string() } else { format!("{at}.{name}") }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::regime::Regimes;
    use super::*;

    #[test]
    fn what_is_shipped_could_be_loaded() {
        assert_eq!(problems(&Regimes::shipped()), Vec::new());
    }

    #[test]
    fn every_problem_is_located() {
        let document = json!({"version": "1", "rows": [
            {"id": "a", "title": "A", "scope": {"labl": "X"}, "ways": [{"needs": [{"policy": 1}, {"magic": true}]}]},
            {"id": "a", "title": "", "colour": "red", "scope": {"all": [{"label": "X"}, {"purposeWithin": ["NOPE"]}]}},
            {"id": "b", "title": "B"},
        ], "filing": [{"id": "f", "policy": "p", "expression": "Consent", "text": "t", "refuse": {"noEnd": false}}],
        "discretion": [{"id": "d", "title": "D", "sharedStore": {"policy": "p", "text": "t", "needs": ["luck"]}}],
        "minimum": [{"id": "m", "title": "M", "types": {"Patient": [1]}}], "more": 1});
        let at: Vec<String> = problems(&document).into_iter().map(|issue| issue.expression).collect();
        assert_eq!(
            at,
            [
                "more",
                "rows[0].scope.labl",
                "rows[0].ways[0].needs[0].policy",
                "rows[0].ways[0].needs[1].magic",
                "rows[1].colour",
                "rows[1].title",
                "rows[1].scope.all[1].purposeWithin[0]",
                "rows[2].scope",
                "rows[1].id",
                "filing[0].refuse",
                "discretion[0]",
                "discretion[0].sharedStore.needs[0]",
                "minimum[0].types.Patient[0]",
            ]
        );
        assert!(!problems(&json!([])).is_empty() && !problems(&json!({"version": "1"})).is_empty());
    }

    #[test]
    fn a_document_is_laid_over_the_bundled_by_id() {
        let shipped = Regimes::shipped();
        let above =
            json!({"version": "2", "rows": [{"id": "self-pay", "title": "none"}, {"id": "new", "title": "new"}]});
        let merged = Regimes::merged(&shipped, &above);
        let count = shipped["rows"].as_array().unwrap().len();
        assert_eq!(merged["rows"].as_array().unwrap().len(), count + 1);
        let rows = merged["rows"].as_array().unwrap();
        assert_eq!(rows.iter().find(|row| row["id"] == "self-pay").unwrap()["title"], "none");
        assert_eq!((&merged["version"], &merged["filing"]), (&json!("2"), &shipped["filing"]));
    }

    #[test]
    fn what_cannot_be_read_closes() {
        let closed = Regimes::read(&Value::Null);
        assert!(closed.rows().iter().all(|row| row.scope.is_none() && row.ways.is_empty() && !row.is_allowed));
    }
}
