//! What `$validate` is asked (FHIR R4 resource-operation-validate.html): a resource, for which deed, by which profiles.
//!
//! The body is the resource itself, or a Parameters that holds it; `mode` and `profile` may stand in the address too.

use super::element::Element;
use super::outcome::Issue;
use super::parameters::{each, text, value};
use super::resource::Resource;

/// Profiles of one question.
const PROFILES_MAX: usize = 20;

/// What the resource is to be judged for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    Create,
    Update,
    Delete,
    /// What is stored, by the profiles asked for.
    Profile,
}

#[derive(Clone, Debug, Default, PartialEq)]
pub struct Validate {
    pub resource: Option<Resource>,
    /// Without one, the content alone.
    pub mode: Option<Mode>,
    pub profiles: Vec<String>,
    /// Whether the resource stood in a Parameters.
    pub is_held: bool,
}

/// # Errors
/// Every parameter that is none of the operation's, or has no such value.
pub fn read(kind: &str, pairs: &[(String, String)], body: Option<Resource>) -> Result<Validate, Vec<Issue>> {
    let mut asked = Validate::default();
    let mut issues = Vec::new();
    for (name, value) in pairs {
        // `_format` and its like are for whoever answers.
        if !name.starts_with('_') && !asked.take(name, value) {
            issues.push(unknown(name));
        }
    }
    match body {
        // A Parameters at its own address is what is to be judged.
        Some(body) if body.kind() == "Parameters" && kind != "Parameters" => {
            for (at, parameter) in each(&body)?.into_iter().enumerate() {
                if !asked.part(parameter) {
                    let place = format!("Parameters.parameter[{at}]");
                    issues.push(unknown(parameter.text("name").unwrap_or("")).at(place));
                }
            }
        }
        body => asked.resource = body,
    }
    if asked.profiles.len() > PROFILES_MAX {
        let text = format!("at most {PROFILES_MAX} profiles are looked at at once");
        issues.push(Issue::error("too-costly", "parameter-value", text));
    }
    if issues.is_empty() { Ok(asked) } else { Err(issues) }
}

impl Validate {
    fn take(&mut self, name: &str, value: &str) -> bool {
        match (name, value) {
            ("profile", url) if !url.is_empty() => {
                if !self.profiles.iter().any(|known| known == url) {
                    self.profiles.push(url.to_string());
                }
            }
            ("mode", "create") => self.mode = Some(Mode::Create),
            ("mode", "update") => self.mode = Some(Mode::Update),
            ("mode", "delete") => self.mode = Some(Mode::Delete),
            ("mode", "profile") => self.mode = Some(Mode::Profile),
            _ => return false,
        }
        true
    }

    fn part(&mut self, parameter: Element) -> bool {
        match parameter.text("name") {
            Some("resource") => {
                self.is_held = true;
                self.resource = parameter.get("resource").value().cloned().and_then(Resource::from_value);
                self.resource.is_some()
            }
            Some(name) => {
                value(parameter).and_then(|(kind, value)| text(kind, value)).is_some_and(|text| self.take(name, &text))
            }
            None => false,
        }
    }
}

fn unknown(name: &str) -> Issue {
    let name: String = name.chars().filter(|letter| letter.is_ascii_alphanumeric()).take(40).collect();
    let text = format!(
        "`{name}`: expected `resource`, `profile` with a URL, or `mode` with `create`, `update`, `delete` or `profile`"
    );
    Issue::error("value", "parameter-value", text)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn resource(value: Value) -> Resource {
        Resource::from_value(value).unwrap()
    }

    #[test]
    fn a_body_is_the_resource_or_holds_it() {
        let goal = resource(json!({"resourceType": "Goal"}));
        let bare = read("Goal", &[("mode".into(), "create".into())], Some(goal.clone())).unwrap();
        let held = resource(json!({"resourceType": "Parameters", "parameter": [
            {"name": "resource", "resource": {"resourceType": "Goal"}},
            {"name": "mode", "valueCode": "create"},
            {"name": "profile", "valueUri": "urn:a"}, {"name": "profile", "valueCanonical": "urn:b"}]}));
        let found = read("Goal", &[("profile".into(), "urn:a".into())], Some(held.clone())).unwrap();
        assert_eq!((&bare.resource, bare.mode), (&Some(goal.clone()), Some(Mode::Create)));
        assert_eq!((found.resource, found.mode), (Some(goal), Some(Mode::Create)));
        assert_eq!(found.profiles, ["urn:a", "urn:b"]);
        assert_eq!(read("Parameters", &[], Some(held.clone())).unwrap().resource, Some(held));
    }

    #[test]
    fn what_is_not_understood_is_said() {
        let held = resource(json!({"resourceType": "Parameters", "parameter": [
            {"name": "mode", "valueCode": "guess"}, {"name": "resource"}, {"name": "other", "valueString": "x"}]}));
        let issues = read("Goal", &[("mode".into(), "any".into())], Some(held)).unwrap_err();
        let places: Vec<&str> = issues.iter().map(|issue| issue.expression.as_str()).collect();
        assert_eq!(places, ["", "Parameters.parameter[0]", "Parameters.parameter[1]", "Parameters.parameter[2]"]);
    }
}
