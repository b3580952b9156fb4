//! Questions about codes: `$expand`, `$validate-code`, `$lookup`, `$subsumes`.
//!
//! Codes are nobody's data, so that no decision is asked for and any good token will do. That something was asked is
//! in the log like any other request; which code it was is not, since it may be somebody's.

use serde_json::Value;

use crate::auth::Caller;
use crate::fhir::Issue;
use crate::fhir::terms::{Expand, Given, Lookup, Subsumes, Validate, subsumed};
use crate::profile::Unanswered;

use super::record::{self, Request};
use super::{Context, Error, No};

/// One of the questions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Question {
    Expand,
    ValidateInSet,
    ValidateInSystem,
    Lookup,
    Subsumes,
}

impl Question {
    fn interaction(self) -> &'static str {
        match self {
            Question::Expand => "expand",
            Question::ValidateInSet | Question::ValidateInSystem => "validate-code",
            Question::Lookup => "lookup",
            Question::Subsumes => "subsumes",
        }
    }

    fn kind(self) -> &'static str {
        match self {
            Question::Expand | Question::ValidateInSet => "ValueSet",
            Question::ValidateInSystem | Question::Lookup | Question::Subsumes => "CodeSystem",
        }
    }
}

/// The answer, as the operation returns it.
///
/// # Errors
/// What of the question cannot be read; what it is about is not held, or nobody here can tell.
pub async fn ask(
    ctx: &Context,
    caller: &Caller,
    request: &Request,
    question: Question,
    given: Given,
) -> Result<Value, Error> {
    let record = record::start(ctx, caller, request, question.interaction(), question.kind().to_string());
    record::keep(ctx, &record).await?;
    let profiles = &ctx.profiles;
    Ok(match question {
        Question::Expand => {
            let asked = Expand::read(given).map_err(unreadable)?;
            profiles.expand(&asked)?.to_value(ctx.now())
        }
        Question::ValidateInSet => {
            let asked = Validate::of_set(given).map_err(unreadable)?;
            profiles.validate_in_set(&asked)?.to_value()
        }
        Question::ValidateInSystem => {
            let asked = Validate::of_system(given).map_err(unreadable)?;
            profiles.validate_in_system(&asked)?.to_value()
        }
        Question::Lookup => {
            let asked = Lookup::read(given).map_err(unreadable)?;
            profiles.look_up(&asked)?.to_value()
        }
        Question::Subsumes => {
            let asked = Subsumes::read(given).map_err(unreadable)?;
            subsumed(profiles.subsumption(&asked)?)
        }
    })
}

fn unreadable(issues: Vec<Issue>) -> Error {
    Error::No(No::Unreadable, issues)
}

impl From<Unanswered> for Error {
    fn from(why: Unanswered) -> Error {
        match why {
            Unanswered::NotHeld(issue) => Error::one(No::Unknown, issue),
            Unanswered::CannotTell(issue) => Error::one(No::Invalid, issue),
        }
    }
}
