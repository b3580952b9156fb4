//! Resources: written in place with their history, read within a reach.

use std::sync::OnceLock;

use crate::consent::{Columns, Reach, Right};
use crate::fhir::search::Entry;
use crate::fhir::{Instant, Resource};
use crate::profile::Valid;

use super::bucket::bucket_in;
use super::db::Row;
use super::sql::{Bind, Sql};
use super::{Fault, Store, Tx, index, reach, statement, view};

/// A row as it is stored.
#[derive(Clone, Debug)]
pub struct Stored {
    pub bucket: i64,
    pub kind: String,
    pub id: String,
    pub version: i64,
    pub updated_at: Instant,
    pub deleted: bool,
    /// The partner that brought it in, by id.
    pub origin: String,
    /// A second partner that has it by right: a Task's requester, a Consent's custodian.
    pub holder: Option<String>,
    /// The first patient it is about.
    pub patient: Option<String>,
    /// The bytes that are answered.
    pub body: String,
    /// The body, once somebody has read it.
    read: OnceLock<Option<Resource>>,
}

/// Where a resource goes and what of it is kept beside its body.
#[derive(Clone, Debug)]
pub struct Place {
    pub bucket: i64,
    pub origin: String,
    pub holder: Option<String>,
    pub patients: Vec<String>,
    /// The confidentiality rank, -1 when unclassified.
    pub rank: i64,
    /// Security labels as (system, code).
    pub labels: Vec<(String, String)>,
    /// What else consent may ask for.
    pub facts: Columns,
    pub entries: Vec<Entry>,
    /// The sorts of readers, and whether this version differs for each; empty where it differs for all.
    pub views: Vec<(String, bool)>,
}

const COLUMNS: &str =
    "r.bucket, r.kind, r.id, r.version, r.updated_at, r.deleted, r.origin, r.holder, r.patient, r.body";

/// How many they are.
const COLUMNS_COUNT: usize = 10;
/// People whose epochs one statement asks for: a compound has a bound on SQLite.
const EPOCHS_CHUNK: usize = 200;

impl Stored {
    pub(super) fn columns() -> &'static str {
        COLUMNS
    }

    pub(super) fn of(mut row: Row) -> Stored {
        Stored {
            bucket: row.int(0),
            kind: row.take_text(1),
            id: row.take_text(2),
            version: row.int(3),
            updated_at: Instant(row.int(4)),
            deleted: row.int(5) != 0,
            origin: row.take_text(6),
            holder: row.take_maybe_text(7),
            patient: row.take_maybe_text(8),
            body: row.take_text(9),
            read: OnceLock::new(),
        }
    }

    /// A row that is not there, for what would be decided if it were. Nothing writes it.
    pub fn supposed(resource: Resource, origin: &str, holder: Option<String>, patient: Option<String>) -> Stored {
        Stored {
            bucket: -1,
            kind: resource.kind().to_string(),
            id: resource.id().unwrap_or("").to_string(),
            version: resource.version(),
            updated_at: resource.updated_at().unwrap_or(Instant(0)),
            deleted: false,
            origin: origin.to_string(),
            holder,
            patient,
            body: resource.value().to_string(),
            read: OnceLock::from(Some(resource)),
        }
    }

    /// The body, parsed once; `None` for a deletion.
    pub fn as_resource(&self) -> Option<&Resource> {
        self.read.get_or_init(|| crate::fhir::read::resource(self.body.as_bytes()).ok()).as_ref()
    }

    /// As [`as_resource`](Stored::as_resource), for who makes something of it.
    pub fn resource(&self) -> Option<Resource> {
        self.as_resource().cloned()
    }

    /// By what right it may leave without a question.
    pub fn right(&self) -> Right<'_> {
        Right { kind: &self.kind, origin: &self.origin, holder: self.holder.as_deref() }
    }

    /// Whether a partner has it by right, whatever consent says (rules.md 5, 13, 17).
    pub fn belongs_to(&self, partner: &str) -> bool {
        self.origin == partner || self.holder.as_deref() == Some(partner)
    }
}

impl Place {
    /// `facts`, `time_start`, `time_end` and `time_form`, as migration 0005 has them.
    fn fact_columns(&self) -> [Bind; 4] {
        let Columns { lines, time } = &self.facts;
        let local = |is_local: bool, bit: i64| if is_local { bit } else { 0 };
        let (start, end, form) = time.map_or((0, 0, 0), |time| {
            let form = 4 + local(time.start_is_local, 1) + local(time.end_is_local, 2);
            (time.interval.start.0, time.interval.end.0, form)
        });
        [lines.as_str().into(), start.into(), end.into(), form.into()]
    }

    /// `facts = ?, …`, for an UPDATE.
    pub(super) fn set_facts(&self, sql: Sql) -> Sql {
        let [lines, start, end, form] = self.fact_columns();
        let sql = sql.push("facts = ").bind(lines).push(", time_start = ").bind(start);
        sql.push(", time_end = ").bind(end).push(", time_form = ").bind(form)
    }
}

impl Store {
    /// The bucket of an id, as the id or the look-up table says it.
    pub async fn bucket_of(&self, kind: &str, id: &str) -> Result<Option<i64>, Fault> {
        // An id of somebody else's making may look like ours: then the table knows better.
        let rows = self.db.fetch(lookup(Sql::default(), kind, id)).await?;
        Ok(rows.first().map(|row| row.int(0)).or_else(|| bucket_in(id)))
    }

    /// The current version, if it is in reach; deletions included.
    pub async fn read(&self, kind: &str, id: &str, within: &Reach) -> Result<Option<Stored>, Fault> {
        let sql = reach::visible(one(kind, id).push(" AND "), within, kind);
        Ok(self.db.fetch(sql).await?.into_iter().next().map(Stored::of))
    }

    /// One earlier version of a resource that is in reach now.
    pub async fn vread(&self, current: &Stored, version: i64) -> Result<Option<Stored>, Fault> {
        let sql = Sql::new("SELECT ")
            .push(COLUMNS)
            .push(" FROM history r WHERE r.bucket = ")
            .bind(current.bucket)
            .push(" AND r.kind = ")
            .bind(current.kind.as_str())
            .push(" AND r.id = ")
            .bind(current.id.as_str())
            .push(" AND r.version = ")
            .bind(version);
        Ok(self.db.fetch(sql).await?.into_iter().next().map(Stored::of))
    }

    /// The current version whoever asks. For decisions alone: what comes of it is read again within a reach.
    pub async fn for_decision(&self, kind: &str, id: &str) -> Result<Option<Stored>, Fault> {
        Ok(self.db.fetch(one(kind, id)).await?.into_iter().next().map(Stored::of))
    }

    /// As [`Store::for_decision`], with the epoch of the patient whom it names first, where that one lives in its
    /// bucket: what was decided at that epoch holds for this version.
    pub async fn with_epoch(&self, kind: &str, id: &str) -> Result<Option<(Stored, Option<i64>)>, Fault> {
        const EPOCH: &str = ", (SELECT e.epoch FROM epoch e WHERE e.bucket = r.bucket AND e.patient = r.patient)";
        let sql = located(Sql::new("SELECT ").push(COLUMNS).push(EPOCH), kind, id);
        let row = self.db.fetch(sql).await?.into_iter().next();
        Ok(row.map(|row| {
            let epoch = row.maybe_int(COLUMNS_COUNT);
            (Stored::of(row), epoch)
        }))
    }

    /// Whose these keys are, of those that are there. It never changes, deleted or not.
    pub async fn origins(&self, keys: &[String]) -> Result<Vec<(String, String)>, Fault> {
        let mut found = Vec::new();
        for (kind, id) in keys.iter().filter_map(|key| key.split_once('/')) {
            let rows = self.db.fetch(one(kind, id)).await?;
            found.extend(rows.into_iter().map(Stored::of).map(|row| (format!("{kind}/{id}"), row.origin)));
        }
        Ok(found)
    }

    /// The epochs of these patients; `None` for who has none.
    pub async fn epochs(&self, patients: &[String]) -> Result<Vec<Option<i64>>, Fault> {
        let mut found = Vec::with_capacity(patients.len());
        for chunk in patients.chunks(EPOCHS_CHUNK) {
            let mut sql = Sql::default();
            for (at, patient) in chunk.iter().enumerate() {
                // PostgreSQL has to be told of what type a value is that nothing is compared with.
                sql = sql.push(if at == 0 { "SELECT CAST(" } else { " UNION ALL SELECT CAST(" }).bind(at as i64);
                sql =
                    home_of(sql.push(" AS BIGINT) AS place, (SELECT e.epoch FROM epoch e WHERE e.bucket = "), patient);
                sql = sql.push(" AND e.patient = ").bind(patient.as_str()).push(")");
            }
            let mut rows = self.db.fetch(sql.push(" ORDER BY place")).await?;
            found.extend(rows.drain(..).map(|row| row.maybe_int(1)));
        }
        Ok(found)
    }

    /// What decisions about a person read: Consents and what they point at, in the order recorded. For decisions
    /// alone; nothing of it is ever answered.
    pub async fn grounds(&self, patient: &str) -> Result<Vec<Stored>, Fault> {
        Ok(self.db.fetch(grounds(None, patient)).await?.into_iter().map(Stored::of).collect())
    }

    /// Everything of one person that a condition must be worked out on, resource by resource, because SQL cannot
    /// carry it; at most `limit`. For decisions alone.
    pub async fn record_of(&self, patient: &str, limit: usize) -> Result<Vec<Stored>, Fault> {
        let sql = of_person(Sql::new("SELECT ").push(COLUMNS).push(" FROM "), patient, &[]);
        let sql = sql.push(" p CROSS JOIN resource r WHERE r.bucket = p.bucket AND r.kind = p.kind AND r.id = p.id");
        let sql = sql.push(" AND r.deleted = 0 LIMIT ").bind(limit as i64);
        Ok(self.db.fetch(sql).await?.into_iter().map(Stored::of).collect())
    }
}

/// Resources that name several people, each with those behind the first one. CROSS keeps SQLite to this order: the
/// few rows of `further_patient` first, never all of a type.
const TOGETHER: &str =
    " FROM further_patient f CROSS JOIN resource r WHERE r.bucket = f.bucket AND r.kind = f.kind AND r.id = f.id";

impl Store {
    /// Who else is named in a person's resources of these types, or of any without them, at most `limit`. For
    /// decisions alone: everyone who is named must permit (R11).
    pub async fn named_beside(&self, kinds: &[&str], patient: &str, limit: usize) -> Result<Vec<String>, Fault> {
        let of_kinds = |sql: Sql| match kinds {
            [] => sql,
            kinds => sql.push(" AND f.kind IN (").bind_list(kinds.iter().copied()).push(")"),
        };
        let sql = of_kinds(Sql::new("SELECT f.patient").push(TOGETHER));
        let sql = home_of(sql.push(" AND f.bucket = "), patient).push(" AND r.patient = ").bind(patient);
        let sql = sql
            .push(" UNION SELECT r.patient")
            .push(TOGETHER)
            .push(" AND r.patient IS NOT NULL AND f.patient = ")
            .bind(patient);
        let sql = of_kinds(sql).push(" UNION SELECT g.patient FROM further_patient f JOIN further_patient g");
        let sql = sql.push(" ON g.bucket = f.bucket AND g.kind = f.kind AND g.id = f.id WHERE f.patient = ");
        let sql = of_kinds(sql.bind(patient)).push(" ORDER BY 1 LIMIT ").bind(limit as i64);
        let found = self.db.fetch(sql).await?.into_iter().map(|row| row.text(0));
        Ok(found.filter(|other| other != patient).collect())
    }
}

impl Tx {
    /// As [`Store::bucket_of`], seeing what this transaction wrote and needing no second connection.
    pub async fn bucket_of(&mut self, kind: &str, id: &str) -> Result<Option<i64>, Fault> {
        let rows = self.inner.fetch(lookup(Sql::default(), kind, id)).await?;
        Ok(rows.first().map(|row| row.int(0)).or_else(|| bucket_in(id)))
    }

    /// The current version as this transaction sees it. For the write path, which judges it itself.
    pub async fn current(&mut self, kind: &str, id: &str) -> Result<Option<Stored>, Fault> {
        Ok(self.inner.fetch(one(kind, id)).await?.into_iter().next().map(Stored::of))
    }

    /// As [`Store::grounds`], seeing what this transaction wrote.
    pub async fn grounds(&mut self, bucket: i64, patient: &str) -> Result<Vec<Stored>, Fault> {
        Ok(self.inner.fetch(grounds(Some(bucket), patient)).await?.into_iter().map(Stored::of).collect())
    }

    /// Writes a new version. `replaces` is the version that it was made from, `None` for a new resource.
    ///
    /// Answers whether it was written; `false` means that another version came in between, or that the id is taken.
    pub async fn put(&mut self, valid: &Valid, place: &Place, replaces: Option<i64>) -> Result<bool, Fault> {
        let resource = valid.resource();
        let (kind, id) = (resource.kind(), resource.id().unwrap_or(""));
        let updated_at = resource.updated_at().unwrap_or(Instant(0));
        let body = valid.text();
        let key = index::Key { bucket: place.bucket, kind, id };
        let written = match replaces {
            None => {
                if bucket_in(id) != Some(place.bucket) {
                    self.remember_bucket(kind, id, place.bucket).await?;
                    // Two may have named the same id for two people: the first one's place is the id's place.
                    if self.bucket_of(kind, id).await? != Some(place.bucket) {
                        return Ok(false);
                    }
                }
                let sql = Sql::new(
                    "INSERT INTO resource (bucket, kind, id, version, updated_at, deleted, origin, holder, patient, rank, body, facts, time_start, time_end, time_form) VALUES (",
                )
                .bind(place.bucket)
                .push(", ")
                .bind(kind)
                .push(", ")
                .bind(id)
                .push(", ")
                .bind(resource.version())
                .push(", ")
                .bind(updated_at.0)
                .push(", 0, ")
                .bind(place.origin.as_str())
                .push(", ")
                .bind(place.holder.as_deref())
                .push(", ")
                .bind(place.patients.first().map(String::as_str))
                .push(", ")
                .bind(place.rank)
                .push(", ")
                .bind(body)
                .push(", ");
                let sql = sql.bind_list(place.fact_columns()).push(") ON CONFLICT (bucket, kind, id) DO NOTHING");
                let written = self.inner.execute(sql).await?;
                if written == 1 {
                    index::write(&mut self.inner, key, place).await?;
                }
                written
            }
            Some(seen) => {
                self.keep_version(place.bucket, kind, id, seen).await?;
                let sql = Sql::new("UPDATE resource SET version = ")
                    .bind(resource.version())
                    .push(", updated_at = ")
                    .bind(updated_at.0)
                    .push(", deleted = 0, holder = ")
                    .bind(place.holder.as_deref())
                    .push(", patient = ")
                    .bind(place.patients.first().map(String::as_str))
                    .push(", rank = ")
                    .bind(place.rank)
                    .push(", body = ")
                    .bind(body)
                    .push(", views = ")
                    .bind(i64::from(!place.views.is_empty()))
                    .push(", ");
                let sql = place.set_facts(sql);
                let changed = self.inner.execute(same_version(sql, place.bucket, kind, id, seen)).await?;
                if changed == 1 {
                    index::rewrite(&mut self.inner, key, place).await?;
                    if !place.views.is_empty() {
                        self.inner.execute(view::seen(key, &place.views, resource, seen)).await?;
                    }
                }
                changed
            }
        };
        Ok(written == 1)
    }

    /// Marks a deletion as a new version without a body.
    pub async fn delete(&mut self, current: &Stored, updated_at: Instant) -> Result<bool, Fault> {
        self.keep_version(current.bucket, &current.kind, &current.id, current.version).await?;
        let sql = Sql::new("UPDATE resource SET deleted = 1, views = 0, body = '', version = ")
            .bind(current.version + 1)
            .push(", updated_at = ")
            .bind(updated_at.0);
        let sql = same_version(sql, current.bucket, &current.kind, &current.id, current.version);
        let changed = self.inner.execute(sql).await?;
        let key = index::Key { bucket: current.bucket, kind: &current.kind, id: &current.id };
        index::erase(&mut self.inner, key).await?;
        Ok(changed == 1)
    }

    async fn remember_bucket(&mut self, kind: &str, id: &str, bucket: i64) -> Result<(), Fault> {
        let sql = Sql::new("INSERT INTO id_bucket (kind, id, bucket) VALUES (")
            .bind(kind)
            .push(", ")
            .bind(id)
            .push(", ")
            .bind(bucket)
            .push(") ON CONFLICT (kind, id) DO NOTHING");
        self.inner.execute(sql).await.map(|_| ())
    }

    /// Moves what is current into the history, once, whoever wins the update that follows.
    async fn keep_version(&mut self, bucket: i64, kind: &str, id: &str, seen: i64) -> Result<(), Fault> {
        let sql = Sql::new(
            "INSERT INTO history (bucket, kind, id, version, updated_at, deleted, origin, holder, patient, body)",
        )
        .push(" SELECT bucket, kind, id, version, updated_at, deleted, origin, holder, patient, body FROM resource");
        let sql = same_version(sql, bucket, kind, id, seen);
        self.inner.execute(sql.push(" ON CONFLICT (bucket, kind, id, version) DO NOTHING")).await.map(|_| ())
    }
}

fn lookup(sql: Sql, kind: &str, id: &str) -> Sql {
    sql.push("SELECT bucket FROM id_bucket WHERE kind = ").bind(kind).push(" AND id = ").bind(id)
}

/// Where something about a person may lie: in the person's own bucket (looked up where it is not given), or in that of
/// who was named first.
pub(super) fn buckets(sql: Sql, home: impl Into<Option<i64>>, patient: &str) -> Sql {
    let sql = sql.push("(SELECT ");
    let sql = match home.into() {
        Some(home) => sql.bind(home),
        None => home_of(sql, patient),
    };
    let sql = sql.push(" AS bucket UNION SELECT bucket FROM further_patient WHERE patient = ");
    sql.bind(patient).push(")")
}

/// The keys of what names a person: what lies in the person's own bucket with the person first, and the rest. `kinds`
/// narrows it; without any it is everything.
pub(super) fn of_person(sql: Sql, patient: &str, kinds: &[&str]) -> Sql {
    let of_kinds = |sql: Sql| match kinds {
        [] => sql,
        [kind] => sql.push(" AND kind = ").bind(*kind),
        kinds => sql.push(" AND kind IN (").bind_list(kinds.iter().copied()).push(")"),
    };
    let sql = home_of(sql.push("(SELECT bucket, kind, id FROM resource WHERE bucket = "), patient);
    let sql = sql.push(" AND patient = ");
    let sql = of_kinds(sql.bind(patient)).push(" UNION SELECT bucket, kind, id FROM further_patient WHERE patient = ");
    of_kinds(sql.bind(patient)).push(")")
}

/// A person's bucket as an expression: what the table says, else what the id says.
pub(super) fn home_of(sql: Sql, patient: &str) -> Sql {
    let sql = lookup(sql.push("COALESCE(("), "Patient", patient);
    sql.push("), ").bind(bucket_in(patient).unwrap_or(-1)).push(")")
}

/// One resource by its id, wherever it lives: in the bucket that its id carries, or where the table says.
fn one(kind: &str, id: &str) -> Sql {
    located(Sql::new("SELECT ").push(COLUMNS), kind, id)
}

fn located(sql: Sql, kind: &str, id: &str) -> Sql {
    let sql = sql.push(" FROM resource r WHERE r.bucket IN (");
    let sql = sql.bind(bucket_in(id).unwrap_or(-1)).push(", (");
    lookup(sql, kind, id).push(")) AND r.kind = ").bind(kind).push(" AND r.id = ").bind(id)
}

fn same_version(sql: Sql, bucket: i64, kind: &str, id: &str, seen: i64) -> Sql {
    sql.push(" WHERE bucket = ")
        .bind(bucket)
        .push(" AND kind = ")
        .bind(kind)
        .push(" AND id = ")
        .bind(id)
        .push(" AND version = ")
        .bind(seen)
}

fn grounds(bucket: Option<i64>, patient: &str) -> Sql {
    let sql = Sql::new("SELECT ").push(COLUMNS).push(" FROM resource r WHERE r.deleted = 0 AND r.bucket IN ");
    let sql = buckets(sql, bucket, patient)
        .push(" AND r.patient = ")
        .bind(patient)
        .push(" AND r.kind IN ('Patient', 'Consent', 'CareTeam', 'RelatedPerson', 'Encounter', 'Provenance', 'Group')");
    // By position: the columns of what lies together have no names of their own.
    statement::of_person(sql.push(" UNION ALL "), bucket, patient).push(" ORDER BY 5, 3")
}
