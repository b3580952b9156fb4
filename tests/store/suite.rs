//! What the store promises, whichever database is underneath.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use handoff::config::Config;
use handoff::consent::{Atom, Condition, Facts, Reach, World};
use handoff::fhir::search::Query;
use handoff::fhir::search::query::Reading;
use handoff::fhir::search::{Fact, Params, extract};
use handoff::fhir::{Instant, Resource, Zone};
use handoff::profile::{Profiles, Valid};
use handoff::store::{Past, Place, Record, Store, Stored, bucket_of_name};
use serde_json::json;

static COUNT: AtomicUsize = AtomicUsize::new(0);

#[macro_export]
macro_rules! on_both {
    ($name:ident) => {
        mod $name {
            #[tokio::test]
            async fn sqlite() {
                super::$name($crate::suite::Exchange::sqlite().await).await;
            }

            #[tokio::test]
            async fn postgres() {
                if let Some(exchange) = $crate::suite::Exchange::postgres().await {
                    super::$name(exchange).await;
                }
            }
        }
    };
}

/// A store with what its rows are made with.
pub struct Exchange {
    pub store: Arc<Store>,
    pub profiles: Profiles,
    pub params: Params,
    folder: Option<std::path::PathBuf>,
}

impl Drop for Exchange {
    fn drop(&mut self) {
        if let Some(folder) = &self.folder {
            let _ = std::fs::remove_dir_all(folder);
        }
    }
}

impl Exchange {
    pub async fn sqlite() -> Exchange {
        let name = format!("handoff_store_{}_{}", std::process::id(), COUNT.fetch_add(1, Ordering::SeqCst));
        let folder = std::env::temp_dir().join(name);
        std::fs::create_dir_all(&folder).unwrap();
        Exchange::open(&format!("sqlite:{}", folder.join("test.db").display()), Some(folder)).await
    }

    pub async fn postgres() -> Option<Exchange> {
        let server = std::env::var("HANDOFF_TEST_POSTGRES").ok();
        assert!(
            server.is_some() || std::env::var("HANDOFF_REQUIRE_POSTGRES").is_err(),
            "HANDOFF_TEST_POSTGRES is not set"
        );
        let Some(server) = server else {
            eprintln!("skipped: HANDOFF_TEST_POSTGRES names no server");
            return None;
        };
        let name = format!("handoff_store_{}_{}", std::process::id(), COUNT.fetch_add(1, Ordering::SeqCst));
        let pool = sqlx::PgPool::connect(&server).await.unwrap();
        sqlx::query(sqlx::AssertSqlSafe(format!("CREATE SCHEMA {name}"))).execute(&pool).await.unwrap();
        let joint = if server.contains('?') { "&" } else { "?" };
        Some(Exchange::open(&format!("{server}{joint}options[search_path]={name}"), None).await)
    }

    async fn open(url: &str, folder: Option<std::path::PathBuf>) -> Exchange {
        let store = Store::open(url, 4).await.unwrap();
        store.migrate().await.unwrap();
        store.migrate().await.unwrap();
        let profiles = Profiles::bundled();
        let mut params = Params::default();
        for one in profiles.search_parameters() {
            let targets = &one.target;
            let (url, code, bases) = (&one.url, &one.code, &one.base);
            params.add(&Fact {
                url,
                code,
                bases,
                kind: &one.kind,
                expression: &one.expression,
                targets,
                components: &one.components,
            });
        }
        Exchange { store: Arc::new(store), profiles, params, folder }
    }

    fn goal(&self, id: &str, version: i64, at: i64, origin: &str, patient: &str) -> (Valid, Place) {
        let mut goal = Resource::from_value(json!({"resourceType": "Goal", "lifecycleStatus": "active",
            "description": {"text": "rest"}, "subject": {"reference": format!("Patient/{patient}")}}))
        .unwrap();
        goal.stamp(id, version, Instant(at * 1_000_000), &format!("Organization/{origin}"));
        let valid = self.profiles.check(&goal, &handoff::profile::Against::default()).unwrap();
        let place = Place {
            bucket: bucket_of_name(patient),
            origin: origin.to_string(),
            holder: None,
            patients: vec![patient.to_string()],
            rank: -1,
            labels: vec![],
            facts: Facts::of(valid.resource(), &World::default()).columns(),
            entries: extract::entries(&self.params, valid.resource(), &Zone::utc()),
            views: Vec::new(),
        };
        (valid, place)
    }

    async fn put(&self, goal: (Valid, Place), replaces: Option<i64>) -> bool {
        let mut tx = self.store.begin().await.unwrap();
        let written = tx.put(&goal.0, &goal.1, replaces).await.unwrap();
        tx.commit().await.unwrap();
        written
    }

    fn query(&self, pairs: &[(&str, &str)]) -> Query {
        self.read("Goal", pairs)
    }

    /// `name=value&name=value`, as it is.
    pub fn query_of(&self, kind: &str, text: &str) -> Query {
        let pairs: Vec<(&str, &str)> = text.split('&').filter_map(|pair| pair.split_once('=')).collect();
        self.read(kind, &pairs)
    }

    fn read(&self, kind: &str, pairs: &[(&str, &str)]) -> Query {
        let pairs: Vec<(String, String)> = pairs.iter().map(|(a, b)| (a.to_string(), b.to_string())).collect();
        let limits = Config::load(None).unwrap().search;
        let reading = Reading {
            params: &self.params,
            definitions: &self.profiles,
            scopes: None,
            limits: &limits,
            zone: &Zone::utc(),
            base: "",
            strict: true,
            now: Instant(0),
        };
        Query::read(&[kind.to_string()], &pairs, &reading).unwrap()
    }

    async fn found(&self, pairs: &[(&str, &str)], reach: &Reach) -> Vec<String> {
        let query = self.query(pairs);
        let page = self.store.search(&query, reach, None).await.unwrap();
        let total = self.store.count(&query, reach).await.unwrap();
        assert!(page.next.is_some() || total == page.rows.len() as i64, "the total is that of the rows in reach");
        page.rows.into_iter().map(|row| row.id).collect()
    }
}

pub fn own(partner: &str) -> Reach {
    Reach::of(partner, vec![], false)
}

pub fn shared(partner: &str, patient: &str, condition: Condition) -> Reach {
    Reach::of(partner, vec![(patient.to_string(), condition)], false)
}

on_both!(a_version_is_replaced_once);
async fn a_version_is_replaced_once(ex: Exchange) {
    assert!(ex.put(ex.goal("g1", 1, 10, "clinic", "ana"), None).await);
    assert!(!ex.put(ex.goal("g1", 1, 11, "clinic", "ana"), None).await, "the id is taken");
    assert!(ex.put(ex.goal("g1", 2, 12, "clinic", "ana"), Some(1)).await);
    assert!(!ex.put(ex.goal("g1", 2, 13, "clinic", "ana"), Some(1)).await, "somebody was faster");
    let current = ex.store.read("Goal", "g1", &own("clinic")).await.unwrap().unwrap();
    assert_eq!((current.version, current.updated_at), (2, Instant(12_000_000)));
    let kinds = ["Goal".to_string()];
    let past = Past { kinds: &kinds, one: Some(&current), since: None, at: None };
    let versions = ex.store.versions(&past, &own("clinic"), None, 10).await.unwrap();
    let older: Vec<Stored> = versions.into_iter().map(|kept| kept.stored).filter(|row| row.version < 2).collect();
    assert_eq!(older.iter().map(|row| row.version).collect::<Vec<_>>(), [1]);
}

on_both!(a_row_out_of_reach_is_no_row);
async fn a_row_out_of_reach_is_no_row(ex: Exchange) {
    ex.put(ex.goal("g1", 1, 10, "clinic", "ana"), None).await;
    ex.put(ex.goal("g2", 1, 11, "clinic", "ben"), None).await;
    ex.put(ex.goal("g3", 1, 12, "housing", "ana"), None).await;
    assert_eq!(ex.found(&[], &own("clinic")).await, ["g2", "g1"]);
    assert_eq!(ex.found(&[], &own("housing")).await, ["g3"]);
    assert_eq!(ex.found(&[], &own("nobody")).await, [""; 0]);
    assert_eq!(ex.found(&[], &shared("food", "ana", Condition::Always)).await, ["g3", "g1"]);
    assert_eq!(ex.found(&[("patient", "Patient/ben")], &shared("food", "ana", Condition::Always)).await, [""; 0]);
    let key = Condition::is(Atom::Key(BTreeSet::from(["Goal/g1".to_string()])));
    assert_eq!(ex.found(&[], &shared("food", "ana", key.clone())).await, ["g1"]);
    let other = key.negate();
    assert_eq!(ex.found(&[], &shared("food", "ana", other)).await, ["g3"]);
    let origin = Condition::is(Atom::Origin(BTreeSet::from(["Organization/housing".to_string()])));
    assert_eq!(ex.found(&[], &shared("food", "ana", origin)).await, ["g3"]);
    assert!(ex.store.read("Goal", "g1", &own("housing")).await.unwrap().is_none());
}

on_both!(labels_and_ranks_are_conditions_on_rows);
async fn labels_and_ranks_are_conditions_on_rows(ex: Exchange) {
    for (id, rank, labels) in
        [("plain", 2, vec![]), ("secret", 4, vec![("s".to_string(), "SUD".to_string())]), ("unlabelled", -1, vec![])]
    {
        let (valid, place) = ex.goal(id, 1, 10, "clinic", "ana");
        assert!(ex.put((valid, Place { rank, labels, ..place }), None).await);
    }
    let seen = async |atom: Atom| {
        let mut ids = ex.found(&[], &shared("food", "ana", Condition::is(atom))).await;
        ids.sort();
        ids
    };
    assert_eq!(seen(Atom::RankAtMost(3)).await, ["plain"]);
    assert_eq!(seen(Atom::RankAtLeast(3)).await, ["secret"]);
    assert_eq!(seen(Atom::Unclassified).await, ["unlabelled"]);
    assert_eq!(seen(Atom::Label(BTreeSet::from([("s".to_string(), "SUD".to_string())]))).await, ["secret"]);
    assert_eq!(seen(Atom::Kind(BTreeSet::from(["Goal".to_string()]))).await.len(), 3);
}

on_both!(everyone_whom_a_resource_names_must_permit);
async fn everyone_whom_a_resource_names_must_permit(ex: Exchange) {
    let (valid, place) = ex.goal("both", 1, 10, "clinic", "ana");
    let patients = vec!["ana".to_string(), "ben".to_string()];
    assert!(ex.put((valid, Place { patients, ..place }), None).await);
    assert_eq!(ex.found(&[], &shared("food", "ana", Condition::Always)).await, [""; 0]);
    let people = vec![("ana".to_string(), Condition::Always), ("ben".to_string(), Condition::Always)];
    assert_eq!(ex.found(&[], &Reach::of("food", people, false)).await, ["both"]);
}

on_both!(a_deletion_leaves_no_rows_behind);
async fn a_deletion_leaves_no_rows_behind(ex: Exchange) {
    ex.put(ex.goal("g1", 1, 10, "clinic", "ana"), None).await;
    let current = ex.store.read("Goal", "g1", &own("clinic")).await.unwrap().unwrap();
    let mut tx = ex.store.begin().await.unwrap();
    assert!(tx.delete(&current, Instant(20_000_000)).await.unwrap());
    tx.commit().await.unwrap();
    assert_eq!(ex.found(&[("lifecycle-status", "active")], &own("clinic")).await, [""; 0]);
    let gone = ex.store.read("Goal", "g1", &own("clinic")).await.unwrap().unwrap();
    assert!(gone.deleted && gone.version == 2);
}

on_both!(what_is_not_committed_never_was);
async fn what_is_not_committed_never_was(ex: Exchange) {
    let (valid, place) = ex.goal("lost", 1, 10, "clinic", "ana");
    let mut tx = ex.store.begin().await.unwrap();
    assert!(tx.put(&valid, &place, None).await.unwrap());
    drop(tx);
    ex.put(ex.goal("kept", 1, 11, "clinic", "ana"), None).await;
    assert_eq!(ex.found(&[], &own("clinic")).await, ["kept"]);
}

on_both!(writers_at_once_are_all_kept);
async fn writers_at_once_are_all_kept(ex: Exchange) {
    let writes = (0..64).map(|n| ex.put(ex.goal(&format!("g{n}"), 1, n, "clinic", "ana"), None));
    assert!(futures_util::future::join_all(writes).await.into_iter().all(|written| written));
    assert_eq!(ex.store.count(&ex.query(&[]), &own("clinic")).await.unwrap(), 64);
}

on_both!(a_record_is_numbered_once_and_read_by_whom_it_concerns);
async fn a_record_is_numbered_once_and_read_by_whom_it_concerns(ex: Exchange) {
    let record = Record {
        bucket: 7,
        id: "r1".into(),
        at: Instant(10),
        partner: "food".into(),
        patient: Some("ana".into()),
        verdict: "permit".into(),
        body: "{}".into(),
        parties: vec![("clinic".into(), Some("ana".into()))],
    };
    let mut tx = ex.store.begin().await.unwrap();
    tx.record(&record).await.unwrap();
    tx.commit().await.unwrap();
    let mut tx = ex.store.begin().await.unwrap();
    let waiting = tx.unchained(10).await.unwrap();
    assert_eq!(waiting.len(), 1);
    tx.chain(&[(1, 7, "r1".into(), "hash".into())]).await.unwrap();
    assert!(tx.unchained(10).await.unwrap().is_empty());
    tx.commit().await.unwrap();
    for (party, expected) in [("food", 1), ("clinic", 1), ("housing", 0)] {
        let filter = handoff::store::LogFilter { party: Some(party.into()), limit: 10, ..Default::default() };
        assert_eq!(ex.store.log(&filter).await.unwrap().len(), expected, "{party}");
    }
    assert_eq!(ex.store.log_size().await.unwrap(), (1, 0));
}
