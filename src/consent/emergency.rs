//! Break the glass (consent.md section 6).
//!
//! A declaration stands, or it refuses the whole request: there is no falling back to ordinary rights.

use super::clock::Clock;
use super::condition::Condition;
use super::directives::Directives;
use super::purpose::{EMERGENCY, is_within};
use super::question::{Emergency, Question};
use super::regime::Asked;
use super::world::World;

/// The role without which nobody declares.
pub const ROLE: &str = "btg";
/// How long a declaration stands.
pub const LASTS_SECS: i64 = 15 * 60;
const OBLIGATIONS: [&str; 3] = ["AUDIT", "emergency-record", "alert-privacy-officer"];

/// What a standing declaration opens of one person's record.
#[derive(Clone, Debug)]
pub struct Glass {
    /// The person is the one it was declared for.
    pub is_declared: bool,
    /// What stays shut, by row of law.
    pub shut: Vec<(String, Condition)>,
    /// What more is owed for data that a row names.
    pub owed: Vec<(Condition, Vec<String>)>,
}

/// Whether the declaration stands at the clock's moment.
pub fn stands(declaration: &Emergency, question: &Question, clock: &Clock) -> bool {
    let in_time = declaration.declared_at.is_some_and(|declared_at| {
        let begun = clock.reached(declared_at);
        let over = clock.reached(declared_at.plus_secs(LASTS_SECS));
        begun && !over
    });
    in_time
        && question.recipient.has_role(ROLE)
        && question.recipient.is_kind("clinic")
        && !declaration.reason.trim().is_empty()
        && declaration.patient.is_some()
        && declaration.patient == declaration.asked_for
        && question.purposes.iter().any(|purpose| is_within(purpose, EMERGENCY))
}

impl Glass {
    pub fn of(
        declaration: &Emergency,
        person: &Directives,
        question: &Question,
        world: &World,
        clock: &Clock,
    ) -> Glass {
        let asked = Asked { world, clock, recipient: &question.recipient, person, purpose: EMERGENCY };
        let named = |row: &super::regime::Row| row.names(&asked);
        let rows = person.policy().regimes.rows();
        let shut = rows.iter().filter(|row| !row.emergency_opens).map(|row| (row.id.clone(), named(row)));
        let owed = rows.iter().filter(|row| !row.emergency_obligations.is_empty());
        Glass {
            is_declared: declaration.patient.as_ref().is_some_and(|patient| person.patients().contains(patient)),
            shut: shut.collect(),
            owed: owed.map(|row| (named(row), row.emergency_obligations.clone())).collect(),
        }
    }

    pub fn condition(&self) -> Condition {
        let open = self.shut.iter().map(|(_, named)| named.clone().negate());
        Condition::all([Condition::constant(self.is_declared)].into_iter().chain(open))
    }

    pub fn obligations(&self) -> impl Iterator<Item = String> {
        OBLIGATIONS.into_iter().map(str::to_string)
    }
}
