//! A decision case: one request over some resources, with everything it depends on (consent.md sections 3 and 4).

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::decide::{Decision, Effect, Residuals};
use super::directive::Directive;
use super::directives::People;
use super::facts::Facts;
use super::policy::Policy;
use super::question::{Action, Emergency, Question};
use super::who::Recipient;
use super::world::World;
use crate::fhir::{Element, Instant, Resource, Zone};

#[derive(Clone, Debug)]
pub struct Case {
    id: String,
    world: World,
    people: People,
    question: Question,
    resources: Vec<Resource>,
}

impl Case {
    /// # Errors
    /// A sentence that names the member which makes it no case.
    pub fn read(case: &Value) -> Result<Case, String> {
        let case = Element::new(case);
        let request = case.get("request");
        let text = |element: Element, name: &str| {
            element.text(name).map(str::to_string).ok_or_else(|| format!("`{name}`: expected text"))
        };
        let now = text(case, "now")?;
        let at = Instant::parse(&now).ok_or_else(|| format!("now: `{now}` is no instant"))?;
        let zone = Zone::of(&now).ok_or_else(|| format!("now: `{now}` has no offset"))?;
        let policy = Policy::read(case.get("policy"))?;
        let asked_for = resources(case, "resources")?;
        let mut world = World::new(asked_for.clone());
        world.extend(resources(case, "world")?);
        let consents = resources(case, "consents")?;
        let action = text(request, "action")?;
        let roles: Vec<String> = request.each("roles").filter_map(Element::as_str).map(str::to_string).collect();
        let organization = text(request, "organization")?;
        Ok(Case {
            id: text(case, "id")?,
            people: People::of(consents.iter().map(Directive::read).collect(), &world, &policy),
            question: Question {
                recipient: Recipient::of(&world, &organization, request.text("practitioner"), &roles),
                purposes: request.each("purpose").filter_map(Element::as_str).map(str::to_string).collect(),
                action: Action::named(&action).ok_or_else(|| format!("request.action: `{action}` is no action"))?,
                at,
                zone,
                emergency: emergency(request),
            },
            world,
            resources: asked_for,
        })
    }

    /// The line that `handoff decide` prints.
    pub fn answer(&self) -> Value {
        let facts: Vec<Facts> = self.resources.iter().map(|resource| Facts::of(resource, &self.world)).collect();
        let patients: BTreeSet<&str> = facts.iter().flat_map(|facts| facts.patients()).map(String::as_str).collect();
        let residuals = Residuals::of(&self.people, &self.world, &self.question, patients);
        let decisions: Vec<Decision> = facts.iter().map(|facts| residuals.decide(facts)).collect();
        let keys = |released: bool| {
            let some = decisions.iter().filter(|decision| decision.permits() == released);
            some.map(|decision| decision.resource().to_string()).collect::<Vec<String>>()
        };
        let (visible, hidden) = (keys(true), keys(false));
        let said = whole(&residuals, &decisions);
        let released = decisions.iter().filter(|decision| decision.permits());
        let mut obligations: BTreeSet<String> =
            released.flat_map(|decision| decision.obligations().iter().cloned()).collect();
        let in_part = decisions.iter().any(|decision| !decision.parts_withheld().is_empty());
        if said == "permit" && (in_part || !hidden.is_empty()) {
            obligations.insert("REDACT".to_string());
        }
        let reasons = decisions.iter().flat_map(|decision| {
            decision.reasons().iter().map(|reason| {
                let mut told = json!({"resource": decision.resource()});
                if let (Value::Object(told), Value::Object(reason)) = (&mut told, reason.to_value()) {
                    told.extend(reason);
                }
                told
            })
        });
        json!({
            "id": self.id,
            "decision": said,
            "visible": visible,
            "hidden": hidden,
            "obligations": obligations,
            "reasons": reasons.collect::<Vec<Value>>(),
        })
    }
}

/// The decision of the request as a whole.
fn whole(residuals: &Residuals, decisions: &[Decision]) -> &'static str {
    let has = |test: fn(&Decision) -> bool| decisions.iter().any(test);
    if has(Decision::permits) {
        return if has(Decision::is_decided) { "permit" } else { "no-consent" };
    }
    if residuals.refuses() || has(|decision| decision.is_decided() && decision.effect() == Effect::Deny) {
        return "deny";
    }
    if has(|decision| decision.effect() == Effect::Indeterminate) { "indeterminate" } else { "no-consent" }
}

fn emergency(request: Element) -> Option<Emergency> {
    let declared = request.get("emergency");
    declared.exists().then(|| Emergency {
        reason: declared.text("reason").unwrap_or("").to_string(),
        patient: declared.text("patient").map(str::to_string),
        asked_for: request.text("patient").map(str::to_string),
        declared_at: declared.text("declared").and_then(Instant::parse),
    })
}

fn resources(case: Element, name: &str) -> Result<Vec<Resource>, String> {
    let read = |(place, element): (usize, Element)| {
        let found = element.value().cloned().and_then(Resource::from_value);
        found.ok_or_else(|| format!("{name}[{place}]: expected a resource"))
    };
    case.each(name).enumerate().map(read).collect()
}
