//! What does not need a server: who may open what, what a form must say, words.

use super::steps::Entered;
use super::{session, words};
use crate::fhir::Instant;
use crate::fhir::{Resource, Zone};
use crate::partner::Role;
use serde_json::json;

#[test]
fn staff_start_at_the_inbox_and_officers_at_the_log() {
    for role in [Role::AgencyStaff, Role::CaseManager, Role::Supervisor] {
        assert_eq!(session::start(role), "/console/inbox");
    }
    for role in [Role::Compliance, Role::Operator] {
        assert_eq!(session::start(role), "/console/log");
    }
    assert!(!session::follows(Role::AgencyStaff));
}

#[test]
fn a_reason_is_told_in_the_words_of_the_choice_and_the_person() {
    for (reason, details, said) in [
        ("at-capacity", "", Some("No capacity")),
        ("at-capacity", "next week again", Some("No capacity: next week again")),
        ("other", "we moved", Some("we moved")),
        ("other", "", None),
        ("", "", None),
        ("", "waiting for papers", Some("waiting for papers")),
    ] {
        let entered = Entered { reason: reason.into(), details: details.into(), ..Entered::default() };
        assert_eq!(entered.reason_text().as_deref(), said, "{reason} {details}");
    }
}

#[test]
fn a_person_goes_by_the_official_name() {
    let name = |name| words::person(&Resource::from_value(json!({"resourceType": "Patient", "name": name})).unwrap());
    let both = json!([{"use": "nickname", "text": "Annie"}, {"use": "official", "given": ["Ana", "Maria"], "family": "Lopez"}]);
    assert_eq!(name(both).as_deref(), Some("Ana Maria Lopez"));
    assert_eq!(name(json!([{"text": "Ana"}])).as_deref(), Some("Ana"));
    assert_eq!(name(json!([])), None);
}

#[test]
fn moments_are_told_in_the_zone_of_the_exchange() {
    let at = Instant::parse("2026-11-22T23:30:00Z").unwrap();
    assert_eq!(words::moment(&Zone::named("Europe/Berlin").unwrap(), at), "23 Nov 2026, 00:30");
    assert_eq!(words::date("1990-02-03"), "3 Feb 1990");
    assert_eq!(words::date("1990"), "1990");
}
