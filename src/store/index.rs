//! The rows beside a resource that search and consent read, one table a value type.

use crate::fhir::search::IndexValue;
use crate::fhir::search::extract::Cell;

use super::Fault;
use super::bucket::home;
use super::db::Transaction;
use super::resource::Place;
use super::sql::{Bind, Sql};

/// Rows of one INSERT: enough to save round trips, few enough for the placeholders of either database.
const CHUNK: usize = 100;

const TABLES: [&str; 10] = [
    "DELETE FROM idx_token",
    "DELETE FROM idx_reference",
    "DELETE FROM idx_date",
    "DELETE FROM idx_text",
    "DELETE FROM idx_uri",
    "DELETE FROM idx_number",
    "DELETE FROM idx_quantity",
    "DELETE FROM idx_composite",
    "DELETE FROM label",
    "DELETE FROM further_patient",
];

pub(super) async fn erase(tx: &mut Transaction, bucket: i64, kind: &str, id: &str) -> Result<(), Fault> {
    for delete in TABLES {
        let sql = Sql::new(delete).push(" WHERE bucket = ").bind(bucket).push(" AND kind = ").bind(kind);
        tx.execute(sql.push(" AND id = ").bind(id)).await?;
    }
    Ok(())
}

pub(super) async fn write(tx: &mut Transaction, kind: &str, id: &str, place: &Place) -> Result<(), Fault> {
    let key = || [Bind::from(place.bucket), Bind::from(kind), Bind::from(id)];
    let rows = |pick: &dyn Fn(&IndexValue) -> Option<Vec<Bind>>| -> Vec<Vec<Bind>> {
        let entries = place.entries.iter();
        entries
            .filter_map(|entry| {
                let values = pick(&entry.value)?;
                Some(key().into_iter().chain([Bind::from(entry.param.as_str())]).chain(values).collect())
            })
            .collect()
    };
    let text = |text: &String| Bind::from(text.as_str());

    let tokens = rows(&|value| match value {
        IndexValue::Token { system, code } => Some(vec![text(system), text(code)]),
        _ => None,
    });
    insert(tx, "INSERT INTO idx_token (bucket, kind, id, param, system, code) VALUES ", tokens).await?;

    let references = rows(&|value| match value {
        IndexValue::Reference { kind, id } => Some(vec![text(kind), text(id)]),
        _ => None,
    });
    insert(tx, "INSERT INTO idx_reference (bucket, kind, id, param, target_kind, target_id) VALUES ", references)
        .await?;

    let dates = rows(&|value| match value {
        IndexValue::Date(interval) => Some(vec![interval.start.0.into(), interval.end.0.into()]),
        _ => None,
    });
    insert(tx, "INSERT INTO idx_date (bucket, kind, id, param, start_at, end_at) VALUES ", dates).await?;

    let texts = rows(&|value| match value {
        IndexValue::Text { folded, exact } => Some(vec![text(folded), text(exact)]),
        _ => None,
    });
    insert(tx, "INSERT INTO idx_text (bucket, kind, id, param, folded, exact) VALUES ", texts).await?;

    let uris = rows(&|value| match value {
        IndexValue::Uri(uri) => Some(vec![text(uri)]),
        _ => None,
    });
    insert(tx, "INSERT INTO idx_uri (bucket, kind, id, param, uri) VALUES ", uris).await?;

    let numbers = rows(&|value| match value {
        IndexValue::Number(value) => Some(vec![Bind::from(*value)]),
        _ => None,
    });
    insert(tx, "INSERT INTO idx_number (bucket, kind, id, param, value) VALUES ", numbers).await?;

    let quantities = rows(&|value| match value {
        IndexValue::Quantity { value, system, code } => Some(vec![Bind::from(*value), text(system), text(code)]),
        _ => None,
    });
    insert(tx, "INSERT INTO idx_quantity (bucket, kind, id, param, value, system, code) VALUES ", quantities).await?;

    let cell = |cell: &Cell| vec![text(&cell.system), text(&cell.code), cell.low.into(), cell.high.into()];
    let composites = rows(&|value| match value {
        IndexValue::Composite(left, right) => Some([cell(left), cell(right)].concat()),
        _ => None,
    });
    let into = "INSERT INTO idx_composite (bucket, kind, id, param, a_system, a_code, a_low, a_high, b_system, b_code, b_low, b_high) VALUES ";
    insert(tx, into, composites).await?;

    let labels =
        place.labels.iter().map(|(system, code)| key().into_iter().chain([text(system), text(code)]).collect());
    insert(tx, "INSERT INTO label (bucket, kind, id, system, code) VALUES ", labels.collect()).await?;

    // INVARIANT: who does not live in the row's bucket is found through these rows. That may be the first one too,
    // once a correction has named somebody else.
    let at_home = place.patients.first().is_some_and(|first| home(first) == place.bucket);
    let further = place
        .patients
        .iter()
        .skip(usize::from(at_home))
        .map(|patient| key().into_iter().chain([text(patient)]).collect());
    insert(tx, "INSERT INTO further_patient (bucket, kind, id, patient) VALUES ", further.collect()).await
}

async fn insert(tx: &mut Transaction, into: &'static str, rows: Vec<Vec<Bind>>) -> Result<(), Fault> {
    for chunk in rows.chunks(CHUNK) {
        // The same value twice in one resource is one row.
        tx.execute(Sql::new(into).rows(chunk.iter().cloned()).push(" ON CONFLICT DO NOTHING")).await?;
    }
    Ok(())
}
