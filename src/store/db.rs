//! The only file that knows two databases: which one it is, its schema, and who runs a statement.

use sqlx::migrate::{Migration, MigrationType, Migrator};
use sqlx::postgres::PgPool;
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode};
use sqlx::{ConnectOptions, Connection, SqlSafeStr};

use super::sql::{Bind, Sql};
use super::sqlite::{Savepoint, Sqlite};
use super::{Fault, postgres};

macro_rules! step {
    ($number:literal, $name:literal) => {
        (
            $number,
            $name,
            include_str!(concat!("../../migrations/sqlite/", $name, ".sql")),
            include_str!(concat!("../../migrations/postgres/", $name, ".sql")),
        )
    };
}

/// Number, name and the texts for SQLite and PostgreSQL, whose files bear equal names.
type Step = (i64, &'static str, &'static str, &'static str);

const STEPS: [Step; 7] = [
    step!(1, "0001_exchange"),
    step!(2, "0002_conditional"),
    step!(3, "0003_search"),
    step!(4, "0004_operations"),
    step!(5, "0005_facts"),
    step!(7, "0007_flows"),
    step!(9, "0009_views"),
];

/// Two databases, one text.
pub enum Db {
    Sqlite { file: Sqlite, path: String },
    Postgres(PgPool),
}

/// One request's writes: all or none.
pub enum Transaction {
    Sqlite(Savepoint),
    Postgres(postgres::Transaction),
}

/// A row, by position.
#[derive(Debug)]
pub struct Row(pub(super) Vec<Cell>);

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Cell {
    Null,
    Int(i64),
    Real(f64),
    Text(String),
}

impl Row {
    pub fn int(&self, at: usize) -> i64 {
        match self.0.get(at) {
            Some(Cell::Int(value)) => *value,
            Some(Cell::Real(value)) => *value as i64,
            _ => 0,
        }
    }

    pub fn maybe_int(&self, at: usize) -> Option<i64> {
        match self.0.get(at) {
            Some(Cell::Int(value)) => Some(*value),
            _ => None,
        }
    }

    pub fn text(&self, at: usize) -> String {
        self.maybe_text(at).unwrap_or_default()
    }

    pub fn maybe_text(&self, at: usize) -> Option<String> {
        match self.0.get(at) {
            Some(Cell::Text(value)) => Some(value.clone()),
            _ => None,
        }
    }

    /// Whether it has these values and no others.
    pub(super) fn is(&self, values: &[Bind]) -> bool {
        let same = |(cell, value): (&Cell, &Bind)| match (cell, value) {
            (Cell::Int(own), Bind::Int(value)) => own == value,
            (Cell::Real(own), Bind::Real(value)) => own == value,
            (Cell::Text(own), Bind::Text(value) | Bind::MaybeText(Some(value))) => own == value,
            (Cell::Null, Bind::MaybeText(None)) => true,
            _ => false,
        };
        self.0.len() == values.len() && self.0.iter().zip(values).all(same)
    }

    /// Takes the text out, so that no row is copied twice.
    pub fn take_text(&mut self, at: usize) -> String {
        self.take_maybe_text(at).unwrap_or_default()
    }

    pub fn take_maybe_text(&mut self, at: usize) -> Option<String> {
        match self.0.get_mut(at).map(|cell| std::mem::replace(cell, Cell::Null)) {
            Some(Cell::Text(value)) => Some(value),
            _ => None,
        }
    }
}

impl Db {
    /// Opens `sqlite:PATH` (created when absent) or `postgres://…`.
    pub async fn open(url: &str, connections: u32) -> Result<Db, Fault> {
        if url.starts_with("postgres:") || url.starts_with("postgresql:") {
            return Ok(Db::Postgres(postgres::open(url, connections).await?));
        }
        let expected = || Fault::new("open the database", "expected sqlite:PATH or postgres://user@host/name");
        let path = url.strip_prefix("sqlite:").ok_or_else(expected)?.trim_start_matches("//").to_string();
        // Made as it is to stay: with a write-ahead log, so that readers never wait for the writer.
        let made = SqliteConnectOptions::new().filename(&path).create_if_missing(true);
        let made = made.journal_mode(SqliteJournalMode::Wal).connect().await.map_err(Fault::of("open the database"))?;
        made.close().await.map_err(Fault::of("open the database"))?;
        Ok(Db::Sqlite { file: Sqlite::open(&path)?, path })
    }

    /// Brings the schema up to date; the texts are compiled in.
    pub async fn migrate(&self) -> Result<(), Fault> {
        let failed = "migrate the database";
        match self {
            Db::Sqlite { path, .. } => {
                let options = SqliteConnectOptions::new().filename(path);
                let mut connection = options.connect().await.map_err(Fault::of(failed))?;
                migrator(|(_, _, sqlite, _)| sqlite).run(&mut connection).await.map_err(Fault::of(failed))?;
                connection.close().await.map_err(Fault::of(failed))
            }
            Db::Postgres(pool) => migrator(|(_, _, _, postgres)| postgres).run(pool).await.map_err(Fault::of(failed)),
        }
    }

    /// Whether writers take turns and share a commit, so that it pays to write for each other.
    pub fn takes_turns(&self) -> bool {
        matches!(self, Db::Sqlite { .. })
    }

    pub async fn fetch(&self, sql: Sql) -> Result<Vec<Row>, Fault> {
        match self {
            Db::Sqlite { file, .. } => file.fetch(sql),
            Db::Postgres(pool) => {
                let mut connection = pool.acquire().await.map_err(Fault::of("read"))?;
                postgres::fetch(&mut connection, sql).await
            }
        }
    }

    /// The steps of a statement that is not run. PostgreSQL is kept from reading whole tables where there is any other
    /// way, as it would for tables that are almost empty.
    pub async fn plan(&self, sql: Sql) -> Result<Vec<String>, Fault> {
        match self {
            Db::Sqlite { file, .. } => {
                let rows = file.fetch(sql.led_by("EXPLAIN QUERY PLAN "))?;
                Ok(rows.iter().map(|row| row.text(3)).collect())
            }
            Db::Postgres(pool) => {
                let mut transaction = postgres::begin(pool).await?;
                postgres::execute(&mut transaction, Sql::new("SET LOCAL enable_seqscan = off")).await?;
                let rows = postgres::fetch(&mut transaction, sql.led_by("EXPLAIN ")).await?;
                Ok(rows.iter().map(|row| row.text(0)).collect())
            }
        }
    }

    /// One statement that is a transaction by itself; on return it is on disk.
    pub async fn execute(&self, sql: Sql) -> Result<u64, Fault> {
        match self {
            Db::Sqlite { file, .. } => {
                let mut alone = file.begin().await?;
                let changed = alone.execute(&sql)?;
                alone.commit().await.map(|()| changed)
            }
            Db::Postgres(pool) => {
                let mut connection = pool.acquire().await.map_err(Fault::of("write"))?;
                postgres::execute(&mut connection, sql).await
            }
        }
    }

    pub async fn begin(&self) -> Result<Transaction, Fault> {
        match self {
            Db::Sqlite { file, .. } => file.begin().await.map(Transaction::Sqlite),
            Db::Postgres(pool) => postgres::begin(pool).await.map(Transaction::Postgres),
        }
    }
}

impl Transaction {
    pub async fn fetch(&mut self, sql: Sql) -> Result<Vec<Row>, Fault> {
        match self {
            Transaction::Sqlite(savepoint) => savepoint.fetch(&sql),
            Transaction::Postgres(transaction) => postgres::fetch(transaction, sql).await,
        }
    }

    /// The number of rows that it changed.
    pub async fn execute(&mut self, sql: Sql) -> Result<u64, Fault> {
        match self {
            Transaction::Sqlite(savepoint) => savepoint.execute(&sql),
            Transaction::Postgres(transaction) => postgres::execute(transaction, sql).await,
        }
    }

    /// As [`Db::takes_turns`]. Where it is not so, each statement is a trip to another process.
    pub fn takes_turns(&self) -> bool {
        matches!(self, Transaction::Sqlite(_))
    }

    /// Where writers share a commit, has others told whether this one's is on disk.
    pub fn tell(&self, waiting: Vec<tokio::sync::oneshot::Sender<bool>>) {
        match self {
            Transaction::Sqlite(savepoint) => savepoint.tell(waiting),
            // Each commits by itself: nobody waits for somebody else's.
            Transaction::Postgres(_) => {}
        }
    }

    /// On return it is on disk.
    pub async fn commit(self) -> Result<(), Fault> {
        match self {
            Transaction::Sqlite(savepoint) => savepoint.commit().await,
            Transaction::Postgres(transaction) => transaction.commit().await.map_err(Fault::of("commit")),
        }
    }
}

fn migrator(text: fn(Step) -> &'static str) -> Migrator {
    let migration =
        |step: Step| Migration::new(step.0, step.1.into(), MigrationType::Simple, text(step).into_sql_str(), false);
    Migrator::with_migrations(STEPS.into_iter().map(migration).collect())
}
