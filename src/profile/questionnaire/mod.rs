//! A QuestionnaireResponse against the Questionnaire it answers (R4 questionnaireresponse.html).
//!
//! What the base definition cannot know: which questions there are, which of them are asked given the others'
//! answers, and what each may be answered with. Severities are those of HL7's validator. Where it cannot be told whether
//! a question is asked, nobody is refused for having answered it or not. The work is bounded, and does not grow with the
//! product of the two sizes.

mod answer;
mod conditions;
mod enabled;
mod filled;
mod form;
mod judge;
mod limits;
mod options;

#[cfg(test)]
mod tests;

use serde_json::Value;

use crate::fhir::{Interval, Issue, Zone};

use super::Profiles;
use super::facts::bare;
use super::found::shown;
pub use conditions::problems as conditions;
use filled::Filled;
use form::{Form, list, text};
use judge::Judge;

/// Where the form of a response is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Source<'r> {
    Contained(&'r Value),
    /// A canonical URL, with or without `|version`.
    Canonical(&'r str),
    /// It names none, or one that it does not contain.
    Nowhere,
}

/// Where to look for the form that a response answers.
pub fn source(response: &Value) -> Source<'_> {
    match text(response, "questionnaire") {
        Some(named) => match named.strip_prefix('#') {
            Some(id) => {
                let contained = list(response, "contained").iter().find(|it| text(it, "id") == Some(id));
                contained.map_or(Source::Nowhere, Source::Contained)
            }
            None => Source::Canonical(named),
        },
        None => Source::Nowhere,
    }
}

/// Whether a Questionnaire is the one that a canonical names.
pub fn is_named(questionnaire: &Value, canonical: &str) -> bool {
    let version = canonical.split_once('|').map(|(_, version)| version);
    text(questionnaire, "resourceType") == Some("Questionnaire")
        && text(questionnaire, "url") == Some(bare(canonical))
        && version.is_none_or(|version| text(questionnaire, "version") == Some(version))
}

/// What is said of a response whose form is not at hand.
pub fn not_at_hand(profiles: &Profiles, response: &Value) -> Issue {
    let place = "QuestionnaireResponse.questionnaire";
    let text = match source(response) {
        Source::Canonical(named) if profiles.set(bare(named)).is_some() || profiles.entry(bare(named)).is_some() => {
            let text = format!("`{}` is no Questionnaire", shown(named));
            return Issue::error("value", "questionnaire-unknown", text).at(place);
        }
        Source::Canonical(named) => {
            format!("`{}` is not at hand: the answers were not compared with its questions", shown(named))
        }
        _ => "the response names no Questionnaire that is at hand: its answers were compared with nothing".to_string(),
    };
    Issue::warning("not-found", "questionnaire-unknown", text).at(place)
}

/// All that is wrong with a response to this form.
pub fn check(profiles: &Profiles, response: &Value, questionnaire: &Value) -> Vec<Issue> {
    let form = Form::read(questionnaire, response);
    let filled = Filled::read(response, &form);
    let status = text(response, "status").unwrap_or("");
    let mut issues = Judge::new(profiles, &form, &filled, status).run();
    issues.extend(out_of_time(response, questionnaire));
    issues
}

/// A form may be meant for some time only (`effectivePeriod`).
fn out_of_time(response: &Value, questionnaire: &Value) -> Option<Issue> {
    let utc = Zone::utc();
    let authored = Interval::of(text(response, "authored")?, &utc)?;
    let period = questionnaire.get("effectivePeriod")?;
    let effective = Interval::of_period(text(period, "start"), text(period, "end"), &utc)?;
    let sentence = "authored outside the time for which the form is meant (`Questionnaire.effectivePeriod`)";
    let issue = Issue::warning("business-rule", "questionnaire-period", sentence);
    (!effective.overlaps(&authored)).then(|| issue.at("QuestionnaireResponse.authored"))
}
