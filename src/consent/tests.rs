//! Tables for what one rule says, and laws that hold for whatever is thrown at them (`laws`).

mod laws;
mod reasons;
mod replacing;

use serde_json::{Value, json};

use super::clock::Clock;
use super::directives::Voice;
use super::label::{is_known as is_label, with_all_below};
use super::purpose::{covering, is_known, is_within};
use super::redact::{Handling, Masks};
use super::*;
use crate::fhir::{Instant, Resource, Severity, Zone};

const NOW: &str = "2026-11-22T12:00:00-05:00";

fn resource(value: Value) -> Resource {
    Resource::from_value(value).unwrap()
}

fn world() -> World {
    let kind = |code: &str| json!([{"coding": [{"system": PARTNER_KIND, "code": code}]}]);
    World::new(
        [
            json!({"resourceType": "Patient", "id": "ana", "birthDate": "1984-03-09"}),
            json!({"resourceType": "Organization", "id": "clinic", "type": kind("clinic")}),
            json!({"resourceType": "Organization", "id": "harbor", "type": kind("housing")}),
        ]
        .map(resource)
        .into(),
    )
}

fn consent(id: &str, recorded: &str, more: Value) -> Resource {
    let mut whole = json!({
        "resourceType": "Consent", "id": id, "status": "active",
        "meta": {"versionId": "1", "lastUpdated": recorded},
        "scope": {"coding": [{"system": super::directive::SCOPE, "code": "patient-privacy"}]},
        "patient": {"reference": "Patient/ana"}, "dateTime": "2026-01-15T10:00:00-05:00",
        "performer": [{"reference": "Patient/ana"}],
    });
    for (name, value) in more.as_object().unwrap() {
        whole[name] = value.clone();
    }
    resource(whole)
}

fn observation(id: &str, source: &str, rank: &str) -> Resource {
    resource(json!({
        "resourceType": "Observation", "id": id, "subject": {"reference": "Patient/ana"},
        "meta": {"source": source, "security": [{"system": CONFIDENTIALITY, "code": rank}]},
    }))
}

fn question(world: &World, organization: &str, purposes: &[&str]) -> Question {
    Question {
        recipient: Recipient::of(world, organization, None, &[]),
        purposes: purposes.iter().map(|purpose| purpose.to_string()).collect(),
        action: Action::Access,
        at: Instant::parse(NOW).unwrap(),
        zone: Zone::of(NOW).unwrap(),
        emergency: None,
    }
}

fn is_released(directives: Vec<Directive>, resource: &Resource) -> bool {
    let world = world();
    let people = People::of(directives, &world, &Policy::deny());
    decide(&people, &world, &question(&world, "Organization/harbor", &["TREAT"]), &Facts::of(resource, &world))
        .permits()
}

#[test]
fn a_purpose_covers_its_children_and_never_its_parent() {
    for (code, ancestor, expected) in [
        ("TREAT", "TREAT", true),
        ("BTG", "TREAT", true),
        ("TREAT", "ETREAT", false),
        ("HLEGAL", "HOPERAT", true),
        ("HMARKT", "HOPERAT", false),
        ("unheard-of", "unheard-of", true),
    ] {
        assert_eq!(is_within(code, ancestor), expected, "{code} in {ancestor}");
    }
    assert_eq!(covering("BTG"), ["BTG", "ETREAT", "TREAT"]);
    assert!(is_known("HTEST") && !is_known("PurposeOfUse"));
}

#[test]
fn a_sensitivity_covers_what_lies_below_it_and_not_its_neighbours() {
    assert_eq!(with_all_below("BH"), ["BH", "COGN", "DVD", "EMOTDIS"]);
    assert_eq!(with_all_below("ETH"), ["ETH", "SUD", "ETHUD", "OPIOIDUD"]);
    assert!(with_all_below("SPI").contains(&"OPIOIDUD"));
    assert!(is_label("42CFRPart2") && !is_label("soft"));
}

#[test]
fn the_table_of_laws_is_understood_to_the_last_need() {
    let regimes = Regimes::bundled();
    assert_eq!(regimes.rows().len(), 9);
    assert_eq!(regimes.filing_rules().len(), 3);
    for row in regimes.rows() {
        assert!(row.scope.is_some() && !row.id.is_empty(), "{row:?}");
        assert!(row.ways.iter().all(|way| way.when.is_some() && way.needs.iter().all(Option::is_some)), "{row:?}");
        assert!(row.obligations.iter().all(|duty| duty.when.is_some()), "{row:?}");
    }
}

#[test]
fn a_period_ends_with_its_last_day_or_at_its_instant() {
    let (zone, parse) = (Zone::of(NOW).unwrap(), |text: &str| Instant::parse(text).unwrap());
    for (end, last, over) in [
        ("2026-06-30", "2026-06-30T23:59:59-05:00", "2026-07-01T00:00:00-05:00"),
        ("2026-06", "2026-06-30T23:59:59-05:00", "2026-07-01T00:00:00-05:00"),
        ("2026-06-30T12:00:00Z", "2026-06-30T11:59:59Z", "2026-06-30T12:00:00Z"),
    ] {
        let period = json!({"end": end});
        let found = super::span::Span::read(crate::fhir::Element::new(&period)).interval(&zone).unwrap();
        assert!(found.contains(parse(last)) && !found.contains(parse(over)), "{end}");
    }
    for period in [json!({"start": "2026-07-01", "end": "2026-06-30"}), json!({"start": "soon"}), json!("2026")] {
        assert!(!super::span::Span::read(crate::fhir::Element::new(&period)).is_readable(), "{period}");
    }
}

#[test]
fn a_permit_opens_only_what_its_filer_may_open() {
    let permit = Directive::read(&consent("c1", "2026-01-15T15:00:05Z", json!({"provision": {"type": "permit"}})));
    let own = observation("own", "Organization/clinic", "N");
    let foreign = observation("foreign", "Organization/other", "N");
    assert!(is_released(vec![permit.clone()], &foreign));
    let narrowed = permit.clone().opens_only("Organization/clinic");
    assert!(is_released(vec![narrowed.clone()], &own));
    assert!(!is_released(vec![narrowed], &foreign));
    assert!(!is_released(vec![permit.denies_only()], &own));
}

#[test]
fn a_permit_without_actions_does_not_list_the_one_asked_for() {
    let world = world();
    let mut asked = question(&world, "Organization/harbor", &["TREAT"]);
    asked.action = Action::Correct;
    let facts = Facts::of(&observation("n", "Organization/clinic", "N"), &world);
    let action = json!([{"coding": [{"system": super::rule::ACTION, "code": "correct"}]}]);
    for (provision, listed) in [(json!({"type": "permit"}), false), (json!({"type": "permit", "action": action}), true)]
    {
        let directive = Directive::read(&consent("c1", "2026-01-15T15:00:05Z", json!({"provision": provision})));
        let decision = decide(&People::of(vec![directive], &world, &Policy::deny()), &world, &asked, &facts);
        assert_eq!((decision.permits(), decision.states_action()), (true, listed));
    }
}

#[test]
fn a_successor_that_may_open_nothing_silences_no_deny() {
    let same = json!([{"reference": "Organization/clinic"}]);
    let policy = json!([{"uri": "https://handoff.example/fhir/policy/sharing"}]);
    let says = |kind: &str| json!({"organization": same, "policy": policy, "provision": {"type": kind}});
    let deny = Directive::read(&consent("c1", "2026-01-15T15:00:05Z", says("deny")));
    let permit = Directive::read(&consent("c2", "2026-02-15T15:00:05Z", says("permit")));
    let general = Directive::read(&consent("c3", "2026-01-15T15:00:05Z", json!({"provision": {"type": "permit"}})));
    let row = observation("n", "Organization/clinic", "N");
    assert!(is_released(vec![deny.clone(), permit.clone(), general.clone()], &row));
    assert!(!is_released(vec![deny, permit.denies_only(), general], &row));
}

#[test]
fn what_is_not_understood_is_listed_by_pointer() {
    let provision = json!({
        "type": "permit",
        "purpose": [{"system": ACT_REASON, "code": "TREAT"}, {"system": ACT_REASON, "code": "NEW"}],
        "provision": [{"type": "deny", "data": [{"meaning": "aura", "reference": {"reference": "X/1"}}], "mood": 1}],
    });
    let directive = Directive::read(&consent("c1", "2026-01-15T15:00:05Z", json!({"provision": provision})));
    assert_eq!(
        directive.unenforced(),
        ["/provision/provision/0/data/0", "/provision/provision/0/mood", "/provision/purpose/1"]
    );
}

#[test]
fn a_residual_knows_when_time_alone_would_change_it() {
    let world = world();
    let period =
        |start: &str, end: &str| json!({"provision": {"type": "permit", "period": {"start": start, "end": end}}});
    for (start, end, expected) in [
        ("2026-01-01", "2026-12-31", Some("2027-01-01T00:00:00-05:00")),
        ("2026-11-30", "2026-12-31", Some("2026-11-30T00:00:00-05:00")),
        ("2025-01-01", "2025-12-31", None),
    ] {
        let directive = Directive::read(&consent("c1", "2026-01-15T15:00:05Z", period(start, end)));
        let person = Directives::of("Patient/ana", vec![directive], &world, &Policy::deny());
        let residual = specialise(&person, &world, &question(&world, "Organization/harbor", &["TREAT"]));
        assert_eq!(residual.changes_at(), expected.and_then(Instant::parse), "{start} to {end}");
    }
}

#[test]
fn a_general_permit_asks_little_and_nothing_is_never() {
    let world = world();
    let asked = question(&world, "Organization/harbor", &["TREAT"]);
    let nothing = Directives::of("Patient/ana", vec![], &world, &Policy::deny());
    assert_eq!(specialise(&nothing, &world, &asked).condition(), Condition::Never);
    let permit = Directive::read(&consent("c1", "2026-01-15T15:00:05Z", json!({"provision": {"type": "permit"}})));
    let all = Directives::of("Patient/ana", vec![permit], &world, &Policy::deny());
    assert!(specialise(&all, &world, &asked).condition().tests() < 20);
    let clock = Clock::new(asked.at, &asked.zone);
    assert!(matches!(all.heard(&world, &clock)[..], [(_, Voice::Whole)]));
}

#[test]
fn what_breaks_a_bound_or_a_law_is_refused_when_filed() {
    let deep = (0..9).fold(json!({"type": "deny"}), |inner, _| json!({"type": "deny", "provision": [inner]}));
    let many: Vec<Value> = (0..1_000).map(|_| json!({"type": "deny"})).collect();
    let policy = |name: &str| json!([{"uri": format!("https://handoff.example/fhir/policy/{name}")}]);
    let purposes: Vec<Value> = ["TREAT", "HLEGAL"].map(|code| json!({"system": ACT_REASON, "code": code})).into();
    let optout = json!({"coding": [{"system": super::label::ACT_CODE, "code": "OPTOUT"}]});
    for (more, expected) in [
        (json!({"provision": {"type": "permit"}}), vec![]),
        (json!({"provision": deep}), vec!["consent-too-deep"]),
        (json!({"provision": {"type": "deny", "provision": many}}), vec!["consent-too-long"]),
        (json!({"patient": null, "provision": {"type": "deny"}}), vec!["consent-without-patient"]),
        (json!({"policyRule": optout, "provision": {"type": "permit"}}), vec!["consent-contradicts-itself"]),
        (json!({}), vec![]),
        (
            json!({"policy": policy("42cfr-part2"), "provision": {"type": "permit", "purpose": purposes}}),
            vec!["consent-against-regime"],
        ),
        (
            json!({"policy": policy("vawa"), "performer": [{"reference": "RelatedPerson/p"}],
                   "provision": {"type": "permit"}}),
            vec!["consent-against-regime", "consent-against-regime"],
        ),
    ] {
        let issues = Directive::problems(&consent("c1", "2026-01-15T15:00:05Z", more.clone()), &Regimes::bundled());
        let errors: Vec<&str> =
            issues.iter().filter(|issue| issue.severity == Severity::Error).map(|issue| issue.rule).collect();
        assert_eq!(errors, expected, "{more:.200}");
    }
}

#[test]
fn nothing_leaves_but_what_is_own_or_directory_or_permitted() {
    let row = observation("n", "Organization/clinic", "N");
    let stored = || row.value().to_string();
    let right = Right { kind: "Observation", origin: "clinic", holder: None };
    assert!(by_right("clinic", right, stored(), None).is_some() && by_right("harbor", right, stored(), None).is_none());
    let requested = Right { kind: "Task", origin: "clinic", holder: Some("harbor") };
    assert!(
        by_right("harbor", requested, stored(), None).is_some()
            && by_right("food", requested, stored(), None).is_none()
    );
    assert!(by_right("anyone", Right { kind: "Location", ..right }, stored(), None).is_some());

    let world = world();
    let permit = Directive::read(&consent("c1", "2026-01-15T15:00:05Z", json!({"provision": {"type": "permit"}})));
    let asked = question(&world, "Organization/harbor", &["TREAT"]);
    let facts = Facts::of(&row, &world);
    let denied = decide(&People::of(vec![], &world, &Policy::deny()), &world, &asked, &facts);
    let permitted = decide(&People::of(vec![permit], &world, &Policy::deny()), &world, &asked, &facts);
    let (regimes, masks) = (Regimes::bundled(), Masks::default());
    let outline = |_: &str| None;
    let to = Handling {
        kind: "housing",
        regimes: &regimes,
        masks: &masks,
        discretion: None,
        pseudonym: None,
        outline: &outline,
    };
    assert!(release(&denied, row.clone(), &to).is_none());
    assert!(release(&permitted, observation("other", "Organization/clinic", "N"), &to).is_none());
    let released = release(&permitted, row, &to).unwrap();
    assert!(released.into_resource().unwrap().labels().iter().any(|label| label.code == "MINEC"));
    assert_eq!(
        permitted.reasons()[0].to_value(),
        json!({"effect": "permit", "consent": "Consent/c1/_history/1", "path": "provision", "rule": "R2"})
    );
}
