//! Writes that hang on a search: a lock that those with the same criteria take in turn, and the search inside it.
//!
//! The lock is a row of a fixed number of rows, so that locks never pile up; two criteria that share a row only wait
//! for each other. The row says nothing of what is there: the search does, and it sees what was committed before the
//! lock was given (PostgreSQL's READ COMMITTED takes a new snapshot for each statement; SQLite has one writer).

use crate::consent::Reach;
use crate::fhir::search::Query;

use super::find::matching;
use super::resource::Stored;
use super::sql::{Bind, Sql};
use super::{Fault, Tx};

/// How many locks there are.
pub const SLOTS: i64 = 1 << 16;

/// Rows of one INSERT.
const CHUNK: usize = 100;

impl Tx {
    /// Takes the locks, which are held until the transaction ends.
    ///
    /// INVARIANT: before any other lock and in one order for everybody, so that no two wait for each other.
    pub async fn take_turns(&mut self, mut slots: Vec<i64>) -> Result<(), Fault> {
        slots.sort_unstable();
        slots.dedup();
        for chunk in slots.chunks(CHUNK) {
            let rows = chunk.iter().map(|slot| vec![Bind::from(*slot)]);
            let sql = Sql::new("INSERT INTO conditional_key (slot) VALUES ").rows(rows);
            // An update that changes nothing holds the row all the same.
            self.inner.execute(sql.push(" ON CONFLICT (slot) DO UPDATE SET slot = excluded.slot")).await?;
        }
        Ok(())
    }

    /// As [`super::Store::search`], at most `limit` rows, seeing what this transaction and those before it wrote.
    pub async fn search(&mut self, query: &Query, within: &Reach, limit: usize) -> Result<Vec<Stored>, Fault> {
        let sql = matching(Sql::new("SELECT ").push(Stored::columns()), query, within);
        let sql = sql.push(" ORDER BY r.id LIMIT ").bind(limit as i64);
        Ok(self.inner.fetch(sql).await?.into_iter().map(Stored::of).collect())
    }
}
