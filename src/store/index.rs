//! The rows beside a resource that search and consent read, one table a value type.

use crate::fhir::search::IndexValue;
use crate::fhir::search::extract::Cell;

use super::Fault;
use super::bucket::home;
use super::db::Transaction;
use super::resource::Place;
use super::sql::{Bind, Sql};

/// Rows of one INSERT where it is a trip: few enough for the placeholders of PostgreSQL in any table.
const ROWS_A_TRIP: usize = 100;

/// Rows of one resource in one table that are compared with those that are there; beyond it all are written anew.
const COMPARED: usize = 500;

/// One table of rows beside a resource: where they are, what tells them apart, how to add some.
struct Table {
    from: &'static str,
    columns: &'static str,
    insert: &'static str,
}

const TOKEN: Table = Table {
    from: " FROM idx_token",
    columns: "param, system, code",
    insert: "INSERT INTO idx_token (bucket, kind, id, param, system, code) VALUES ",
};
const REFERENCE: Table = Table {
    from: " FROM idx_reference",
    columns: "param, target_kind, target_id",
    insert: "INSERT INTO idx_reference (bucket, kind, id, param, target_kind, target_id) VALUES ",
};
const DATE: Table = Table {
    from: " FROM idx_date",
    columns: "param, start_at, end_at",
    insert: "INSERT INTO idx_date (bucket, kind, id, param, start_at, end_at) VALUES ",
};
const TEXT: Table = Table {
    from: " FROM idx_text",
    columns: "param, folded, exact",
    insert: "INSERT INTO idx_text (bucket, kind, id, param, folded, exact) VALUES ",
};
const URI: Table = Table {
    from: " FROM idx_uri",
    columns: "param, uri",
    insert: "INSERT INTO idx_uri (bucket, kind, id, param, uri) VALUES ",
};
const NUMBER: Table = Table {
    from: " FROM idx_number",
    columns: "param, value",
    insert: "INSERT INTO idx_number (bucket, kind, id, param, value) VALUES ",
};
const QUANTITY: Table = Table {
    from: " FROM idx_quantity",
    columns: "param, value, system, code",
    insert: "INSERT INTO idx_quantity (bucket, kind, id, param, value, system, code) VALUES ",
};
const WORD: Table = Table {
    from: " FROM idx_word",
    columns: "param, folded",
    insert: "INSERT INTO idx_word (bucket, kind, id, param, folded) VALUES ",
};
const COMPOSITE: Table = Table {
    from: " FROM idx_composite",
    columns: "param, a_system, a_code, a_low, a_high, b_system, b_code, b_low, b_high",
    insert: "INSERT INTO idx_composite (bucket, kind, id, param, a_system, a_code, a_low, a_high, b_system, b_code, b_low, b_high) VALUES ",
};
const LABEL: Table = Table {
    from: " FROM label",
    columns: "system, code",
    insert: "INSERT INTO label (bucket, kind, id, system, code) VALUES ",
};
const FURTHER: Table = Table {
    from: " FROM further_patient",
    columns: "patient",
    insert: "INSERT INTO further_patient (bucket, kind, id, patient) VALUES ",
};
const TABLES: [&Table; 11] =
    [&TOKEN, &REFERENCE, &DATE, &TEXT, &WORD, &URI, &NUMBER, &QUANTITY, &COMPOSITE, &LABEL, &FURTHER];

/// The key that all rows of a resource begin with.
#[derive(Clone, Copy)]
pub(super) struct Key<'a> {
    pub bucket: i64,
    pub kind: &'a str,
    pub id: &'a str,
}

pub(super) async fn erase(tx: &mut Transaction, key: Key<'_>) -> Result<(), Fault> {
    for table in TABLES {
        tx.execute(key.rows(Sql::new("DELETE").push(table.from))).await?;
    }
    Ok(())
}

/// Writes the rows of a new resource.
pub(super) async fn write(tx: &mut Transaction, key: Key<'_>, place: &Place) -> Result<(), Fault> {
    for (table, rows) in rows(place) {
        insert(tx, key, table, rows).await?;
    }
    Ok(())
}

/// Makes the rows those of a new version. Most are the same as before: they are looked at and left as they are.
pub(super) async fn rewrite(tx: &mut Transaction, key: Key<'_>, place: &Place) -> Result<(), Fault> {
    for (table, mut rows) in rows(place) {
        let delete = key.rows(Sql::new("DELETE").push(table.from));
        if rows.len() > COMPARED {
            tx.execute(delete).await?;
        } else {
            let there = tx.fetch(key.rows(Sql::new("SELECT ").push(table.columns).push(table.from))).await?;
            if there.iter().any(|old| !rows.iter().any(|new| old.is(new))) {
                tx.execute(match rows.len() {
                    0 => delete,
                    _ => {
                        let sql = delete.push(" AND (").push(table.columns).push(") NOT IN (VALUES ");
                        sql.rows(rows.iter().cloned()).push(")")
                    }
                })
                .await?;
            }
            rows.retain(|new| !there.iter().any(|old| old.is(new)));
        }
        insert(tx, key, table, rows).await?;
    }
    Ok(())
}

impl Key<'_> {
    /// What a statement does, to the rows of this resource.
    fn rows(self, done: Sql) -> Sql {
        let sql = done.push(" WHERE bucket = ").bind(self.bucket).push(" AND kind = ").bind(self.kind);
        sql.push(" AND id = ").bind(self.id)
    }

    fn binds(self) -> [Bind; 3] {
        [self.bucket.into(), self.kind.into(), self.id.into()]
    }
}

/// What each table holds of a resource, without the key.
fn rows(place: &Place) -> [(&'static Table, Vec<Vec<Bind>>); 11] {
    let mut found = TABLES.map(|table| (table, Vec::new()));
    let [tokens, references, dates, texts, words, uris, numbers, quantities, composites, labels, further] = &mut found;
    for entry in &place.entries {
        let param = Bind::from(entry.param.as_str());
        let text = |text: &String| Bind::from(text.as_str());
        match &entry.value {
            IndexValue::Token { system, code } => tokens.1.push(vec![param, text(system), text(code)]),
            IndexValue::Reference { kind, id } => references.1.push(vec![param, text(kind), text(id)]),
            IndexValue::Date(interval) => {
                dates.1.push(vec![param, interval.start.0.into(), interval.end.0.into()]);
            }
            IndexValue::Text { folded, exact } => texts.1.push(vec![param, text(folded), text(exact)]),
            IndexValue::Word(folded) => words.1.push(vec![param, text(folded)]),
            IndexValue::Uri(uri) => uris.1.push(vec![param, text(uri)]),
            IndexValue::Number(value) => numbers.1.push(vec![param, (*value).into()]),
            IndexValue::Quantity { value, system, code } => {
                quantities.1.push(vec![param, (*value).into(), text(system), text(code)]);
            }
            IndexValue::Composite(left, right) => {
                let cell = |cell: &Cell| [text(&cell.system), text(&cell.code), cell.low.into(), cell.high.into()];
                composites.1.push([param].into_iter().chain(cell(left)).chain(cell(right)).collect());
            }
        }
    }
    labels.1 = place.labels.iter().map(|(system, code)| vec![system.as_str().into(), code.as_str().into()]).collect();
    // INVARIANT: who does not live in the row's bucket is found through these rows. That may be the first one too,
    // once a correction has named somebody else.
    let at_home = place.patients.first().is_some_and(|first| home(first) == place.bucket);
    let patients = place.patients.iter().skip(usize::from(at_home));
    further.1 = patients.map(|patient| vec![patient.as_str().into()]).collect();
    found
}

async fn insert(tx: &mut Transaction, key: Key<'_>, table: &Table, rows: Vec<Vec<Bind>>) -> Result<(), Fault> {
    // SQLite keeps a journal of its own for a statement of several rows, and when that ends it walks through all that
    // the transaction has written so far: in a Bundle that cost more than the rows.
    let together = if tx.takes_turns() { 1 } else { ROWS_A_TRIP };
    for chunk in rows.chunks(together) {
        let rows = chunk.iter().map(|row| key.binds().into_iter().chain(row.iter().cloned()).collect());
        // The same value twice in one resource is one row.
        tx.execute(Sql::new(table.insert).rows(rows).push(" ON CONFLICT DO NOTHING")).await?;
    }
    Ok(())
}
