//! What the engine tells the store is what the oracle would show: stories as rows of one store, on both databases.
//!
//!     HANDOFF_STORIES_IN_SQL=100000 cargo test --test store agree_in_sql::
//!
//! Each story's people and resources have ids of their own, so that hundreds of stories lie side by side and a reach
//! that opens somebody else's row is found out.

use std::collections::BTreeSet;

use handoff::consent::{Condition, Facts, Reach};
use handoff::fhir::search::extract;
use handoff::fhir::{Instant, Resource, Zone};
use handoff::store::{Place, bucket_of_name};
use serde_json::Value;

use crate::agree::{Posed, asked_for, pose};
use crate::on_both;
use crate::oracle;
use crate::stories::story;
use crate::suite::Exchange;

/// A type without definitions here: its rows are decided, and never stored.
const UNKNOWN: &str = "Appointment";

/// Nobody of the stories: what is a partner's own is in its reach without any consent.
const ASKER: &str = "asker";

on_both!(sql_shows_what_the_oracle_shows);
async fn sql_shows_what_the_oracle_shows(ex: Exchange) {
    let count = asked_for("HANDOFF_STORIES_IN_SQL", 300);
    let from = asked_for("HANDOFF_STORIES_FROM", 0);
    let (mut compared, mut shown, mut left_out) = (0, 0, 0);
    let stories: Vec<Value> = (from..from + count).map(|seed| story(seed, &format!("s{seed}-"))).collect();
    for case in &stories {
        put(&ex, case).await;
    }
    for case in &stories {
        let posed = pose(case);
        // A resource that names nobody is its origin's alone; the others are asked for one by one, and counted.
        let about: Vec<&Facts> =
            posed.facts.iter().filter(|facts| !facts.patients().is_empty() && facts.kind() != UNKNOWN).collect();
        let Some(reaches) = reaches(&posed, case) else {
            left_out += about.len();
            continue;
        };
        let expected = oracle::judge(case).visible();
        let mut visible = BTreeSet::new();
        for reach in &reaches {
            for facts in &about {
                let id = facts.key().split_once('/').unwrap().1;
                let row = ex.store.read(facts.kind(), id, reach).await.unwrap();
                let query = ex.query_of(facts.kind(), &format!("_id={id}"));
                let total = ex.store.count(&query, reach).await.unwrap();
                assert_eq!(total, i64::from(row.is_some()), "{} is read as it is counted", facts.key());
                visible.extend(row.map(|_| facts.key().to_string()));
            }
        }
        let wanted: BTreeSet<String> =
            about.iter().map(|facts| facts.key().to_string()).filter(|key| expected.contains(key)).collect();
        assert_eq!(visible, wanted, "{}", serde_json::to_string_pretty(case).unwrap());
        (compared, shown) = (compared + about.len(), shown + wanted.len());
    }
    eprintln!("{count} stories from {from}: {compared} rows compared, {shown} shown, {left_out} left out");
    assert!(count < 300 || (shown > compared / 20 && shown < compared / 2), "{shown} of {compared} shown");
}

/// What the caller may see, purpose by purpose: people must have one in common (R11, R12).
fn reaches(posed: &Posed, case: &Value) -> Option<Vec<Reach>> {
    let purposes: Vec<&str> = case["request"]["purpose"].as_array().unwrap().iter().filter_map(Value::as_str).collect();
    let each = purposes.into_iter().map(|purpose| {
        let people: Vec<(String, Condition)> = posed
            .conditions(purpose)
            .into_iter()
            .map(|(patient, condition)| (patient.trim_start_matches("Patient/").to_string(), condition))
            .collect();
        is_carried(&people).then(|| Reach::of(ASKER, people, false))
    });
    each.collect()
}

/// Whether SQL carries these conditions: not who wrote something, where a Provenance alone says so.
fn is_carried(people: &[(String, Condition)]) -> bool {
    !people.iter().any(|(_, condition)| condition.asks_for_authors())
}

async fn put(ex: &Exchange, case: &Value) {
    for resource in case["resources"].as_array().unwrap().iter().filter(|one| one["resourceType"] != UNKNOWN) {
        let mut resource = Resource::from_value(resource.clone()).unwrap();
        let facts = Facts::of(&resource, &handoff::consent::World::default());
        let patients: Vec<String> = facts.patients().iter().map(|key| key["Patient/".len()..].to_string()).collect();
        let id = resource.id().unwrap().to_string();
        let origin = facts.origin().to_string();
        // What nobody knows the origin of came from before the exchange; the row says so, and R4 has no empty URI.
        resource.stamp(&id, 1, Instant(1_000_000), if origin.is_empty() { "urn:unknown" } else { &origin });
        let place = Place {
            bucket: bucket_of_name(patients.first().unwrap_or(&id)),
            origin: origin.trim_start_matches("Organization/").to_string(),
            holder: None,
            patients,
            rank: facts.rank().map_or(-1, i64::from),
            labels: facts.labels().iter().cloned().collect(),
            facts: facts.columns(),
            entries: extract::entries(&ex.params, &resource, &Zone::utc()),
            views: Vec::new(),
        };
        let valid = ex.profiles.check(&resource, &handoff::profile::Against::default()).expect("a story is valid R4");
        let mut tx = ex.store.begin().await.unwrap();
        assert!(tx.put(&valid, &place, None).await.unwrap());
        tx.commit().await.unwrap();
    }
}
