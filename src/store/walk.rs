//! Every resource, one after the other, for what is done to all of them.

use super::resource::{Place, Stored};
use super::sql::Sql;
use super::{Fault, Store, Tx, index};

/// Where a resource lies: bucket, type and id.
pub type Spot = (i64, String, String);

impl Stored {
    pub fn spot(&self) -> Spot {
        (self.bucket, self.kind.clone(), self.id.clone())
    }
}

impl Store {
    /// The resources behind a place in the order of their keys, at most `limit`. For the exchange's own upkeep alone.
    pub async fn walk(&self, after: Option<&Spot>, limit: usize) -> Result<Vec<Stored>, Fault> {
        let mut sql = Sql::new("SELECT ").push(Stored::columns()).push(" FROM resource r");
        if let Some((bucket, kind, id)) = after {
            sql = sql.push(" WHERE (r.bucket, r.kind, r.id) > (").bind(*bucket);
            sql = sql.push(", ").bind(kind.as_str()).push(", ").bind(id.as_str()).push(")");
        }
        let sql = sql.push(" ORDER BY r.bucket, r.kind, r.id LIMIT ").bind(limit as i64);
        Ok(self.db.fetch(sql).await?.into_iter().map(Stored::of).collect())
    }
}

impl Tx {
    /// Writes the rows beside a resource anew. `false`: it is another version by now.
    pub async fn reindex(&mut self, stored: &Stored, place: &Place) -> Result<bool, Fault> {
        // An update of the row itself holds it against whoever writes a new version.
        let sql = place.set_facts(Sql::new("UPDATE resource SET rank = ").bind(place.rank).push(", "));
        let sql = sql.push(" WHERE bucket = ").bind(stored.bucket).push(" AND kind = ").bind(stored.kind.as_str());
        let sql = sql.push(" AND id = ").bind(stored.id.as_str()).push(" AND version = ").bind(stored.version);
        if self.inner.execute(sql).await? != 1 {
            return Ok(false);
        }
        let key = index::Key { bucket: stored.bucket, kind: &stored.kind, id: &stored.id };
        index::rewrite(&mut self.inner, key, place).await?;
        Ok(true)
    }
}
