//! What is asked of `Consent/$decide`, read from its Parameters.
//!
//! Everything that cannot be read is said at once, each with its place. Who may be told what is not settled here.

use super::element::Element;
use super::outcome::Issue;
use super::parameters;
use super::reference::{Reference, is_id};
use super::resource::Resource;
use super::time::{Instant, Interval, Zone};

/// A question, as it was sent.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Asked {
    /// The id of the Patient whose record it is about.
    pub patient: Option<String>,
    /// Partners, by id.
    pub recipients: Vec<String>,
    /// `Practitioner/y`.
    pub practitioner: Option<String>,
    pub roles: Vec<String>,
    /// Codes of v3-ActReason; whether they are known is for `consent` to say.
    pub purposes: Vec<String>,
    /// A code of `consentaction`.
    pub action: Option<String>,
    /// When; a bare date is its first moment.
    pub at: Option<Instant>,
    /// The record as it was then, rather than as it is now.
    pub data_then: bool,
    /// A Consent that is not filed yet.
    pub consent: Option<Resource>,
    /// The id of a Consent that might be taken back.
    pub revoke: Option<String>,
    /// Resources of one page.
    pub count: Option<usize>,
    /// The sealed page token, still closed.
    pub page: Option<String>,
    /// Where the draft stands, for what is wrong with it.
    pub consent_at: String,
}

const NAMES: &str =
    "patient, recipient, practitioner, role, purpose, action, at, data, consent, revoke, _count and _page";
const ACT_REASON: &str = "http://terminology.hl7.org/CodeSystem/v3-ActReason|";
/// Most recipients, purposes or roles that one question names.
const LISTED_MAX: usize = 50;

/// # Errors
/// Every parameter that is not known or cannot be read.
pub fn read(sent: &Resource, zone: &Zone) -> Result<Asked, Vec<Issue>> {
    let (mut asked, mut issues) = (Asked::default(), Vec::new());
    for (place, parameter) in parameters::each(sent)?.into_iter().enumerate() {
        let place = format!("Parameters.parameter[{place}]");
        let name = parameter.text("name").unwrap_or("");
        let read = if name == "consent" {
            asked.consent_at = format!("{place}.resource");
            draft(&mut asked, parameter)
        } else {
            let said = parameters::value(parameter).and_then(|(kind, value)| parameters::text(kind, value));
            match said {
                Some(said) => one(&mut asked, name, &said, zone),
                None => Err("a value that this operation takes".to_string()),
            }
        };
        if let Err(expected) = read {
            let text = format!("`{}`: expected {expected}", name.chars().take(64).collect::<String>());
            issues.push(Issue::error("value", "parameter-value", text).at(place));
        }
    }
    if asked.consent.is_some() && asked.revoke.is_some() {
        let text = "`consent`, `revoke`: expected one of them, since each is a change by itself";
        issues.push(Issue::error("invalid", "parameter-value", text).at("Parameters.parameter"));
    }
    let lists = [&asked.recipients, &asked.purposes, &asked.roles];
    if lists.iter().any(|list| list.len() > LISTED_MAX) {
        let text = format!("expected at most {LISTED_MAX} recipients, purposes or roles");
        issues.push(Issue::error("too-costly", "query-too-long", text).at("Parameters.parameter"));
    }
    if issues.is_empty() { Ok(asked) } else { Err(issues) }
}

fn draft(asked: &mut Asked, parameter: Element) -> Result<(), String> {
    let resource = parameter.get("resource").value().cloned().and_then(Resource::from_value);
    let resource = resource.filter(|resource| resource.kind() == "Consent");
    once(&mut asked.consent, resource.ok_or("a Consent as `resource`")?)
}

/// One parameter; the error is what was expected.
fn one(asked: &mut Asked, name: &str, said: &str, zone: &Zone) -> Result<(), String> {
    match name {
        "patient" => once(&mut asked.patient, id(said, "Patient")?),
        "revoke" => once(&mut asked.revoke, id(said, "Consent")?),
        "recipient" => {
            asked.recipients.push(id(said, "Organization")?);
            Ok(())
        }
        "practitioner" => once(&mut asked.practitioner, format!("Practitioner/{}", id(said, "Practitioner")?)),
        "role" => {
            asked.roles.push(said.to_string());
            Ok(())
        }
        "purpose" => {
            for code in said.split(',').map(str::trim) {
                let code = code.strip_prefix(ACT_REASON).unwrap_or(code);
                if code.contains('|') {
                    return Err("a code of http://terminology.hl7.org/CodeSystem/v3-ActReason".to_string());
                }
                asked.purposes.push(code.to_string());
            }
            Ok(())
        }
        "action" => once(&mut asked.action, said.rsplit('|').next().unwrap_or(said).to_string()),
        "at" => {
            let at = Interval::of(said, zone).ok_or("a date, or a time with its offset")?;
            once(&mut asked.at, at.start)
        }
        "data" => match said {
            "now" => Ok(()),
            "then" => {
                asked.data_then = true;
                Ok(())
            }
            _ => Err("`now` or `then`".to_string()),
        },
        "_count" => once(&mut asked.count, said.parse().map_err(|_| "a number")?),
        "_page" => once(&mut asked.page, said.to_string()),
        _ => Err(format!("one of {NAMES}")),
    }
}

fn once<T>(slot: &mut Option<T>, found: T) -> Result<(), String> {
    match slot.replace(found) {
        None => Ok(()),
        Some(_) => Err("it once".to_string()),
    }
}

/// `7` or `Patient/7`.
fn id(said: &str, kind: &str) -> Result<String, String> {
    let found = if is_id(said) { Some(said) } else { Reference::parse(said).id_of(kind) };
    found.map(str::to_string).ok_or_else(|| format!("a reference to {kind} here"))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn asked(parameters: Value) -> Result<Asked, Vec<Issue>> {
        let body = json!({"resourceType": "Parameters", "parameter": parameters});
        read(&Resource::from_value(body).unwrap(), &Zone::utc())
    }

    #[test]
    fn a_question_is_read_in_the_forms_that_fhir_has_for_its_parts() {
        let system = "http://terminology.hl7.org/CodeSystem/v3-ActReason";
        let found = asked(json!([
            {"name": "patient", "valueReference": {"reference": "Patient/7"}},
            {"name": "recipient", "valueString": "food-bank"},
            {"name": "purpose", "valueCoding": {"system": system, "code": "TREAT"}},
            {"name": "purpose", "valueCode": "COC"},
            {"name": "at", "valueDate": "2026-03-01"},
            {"name": "data", "valueCode": "then"}]))
        .unwrap();
        assert_eq!(found.patient.as_deref(), Some("7"));
        assert_eq!(found.recipients, ["food-bank"]);
        assert_eq!(found.purposes, ["TREAT", "COC"]);
        assert_eq!(found.at, Instant::parse("2026-03-01T00:00:00Z"));
        assert!(found.data_then);
    }

    #[test]
    fn everything_that_cannot_be_read_is_said_at_once() {
        let issues = asked(json!([
            {"name": "patient", "valueString": "Goal/7"},
            {"name": "colour", "valueString": "red"},
            {"name": "at", "valueDateTime": "yesterday"},
            {"name": "data", "valueCode": "tomorrow"},
            {"name": "recipient"},
            {"name": "consent", "resource": {"resourceType": "Goal"}}]))
        .unwrap_err();
        let places: Vec<&str> = issues.iter().map(|issue| issue.expression.as_str()).collect();
        let all: Vec<String> = (0..6).map(|place| format!("Parameters.parameter[{place}]")).collect();
        assert_eq!(places, all);
    }
}
