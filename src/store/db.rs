//! The only file that knows two drivers.
//!
//! On SQLite there is one writer. It commits **groups**: each request works within a savepoint, lets go of the
//! writer and queues for it again; whoever gets it back while the group is still open has nobody before it and
//! commits for all (FIFO fairness of tokio's mutex makes that so). One fsync serves everyone who was waiting, no
//! task of its own is needed, and a caller that hangs up leaves a savepoint that the next one rolls back. Reads
//! go to a pool of other connections. On PostgreSQL every request has its own transaction.

use std::sync::Arc;
use std::time::Duration;

use sqlx::migrate::{Migration, MigrationType, Migrator};
use sqlx::pool::PoolConnection;
use sqlx::postgres::{PgConnectOptions, PgPool, PgPoolOptions, PgRow};
use sqlx::sqlite::{
    SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqlitePoolOptions, SqliteRow, SqliteSynchronous,
};
use sqlx::{AssertSqlSafe, Column, Postgres, Row as _, SqlSafeStr, Sqlite, TypeInfo, ValueRef};
use tokio::sync::{Mutex, OwnedMutexGuard, watch};

use super::Fault;
use super::sql::{Bind, Sql};

/// Two databases, one text.
pub enum Db {
    Sqlite { readers: SqlitePool, writer: Arc<Mutex<Writer>> },
    Postgres(PgPool),
}

/// SQLite's one writer, and the group that it is collecting.
pub struct Writer {
    connection: PoolConnection<Sqlite>,
    group: Option<Group>,
    /// A savepoint that somebody left behind.
    abandoned: bool,
}

#[derive(Clone)]
struct Group {
    /// `None` while open, then whether it is on disk.
    committed: watch::Sender<Option<bool>>,
}

/// One request's writes: all or none.
pub enum Transaction {
    Sqlite { writer: Arc<Mutex<Writer>>, held: OwnedMutexGuard<Writer> },
    Postgres(sqlx::Transaction<'static, Postgres>),
}

/// A row, by position.
#[derive(Debug)]
pub struct Row(Vec<Cell>);

#[derive(Clone, Debug, PartialEq)]
enum Cell {
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

    pub fn text(&self, at: usize) -> String {
        self.maybe_text(at).unwrap_or_default()
    }

    pub fn maybe_text(&self, at: usize) -> Option<String> {
        match self.0.get(at) {
            Some(Cell::Text(value)) => Some(value.clone()),
            _ => None,
        }
    }

    /// Takes the text out, for long bodies.
    pub fn take_text(&mut self, at: usize) -> String {
        match self.0.get_mut(at).map(|cell| std::mem::replace(cell, Cell::Null)) {
            Some(Cell::Text(value)) => value,
            _ => String::new(),
        }
    }
}

/// Statement texts vary with the number of index rows; each is prepared once a connection.
const STATEMENTS: usize = 500;

impl Db {
    /// Opens `sqlite:PATH` (created when absent) or `postgres://…`.
    pub async fn open(url: &str, connections: u32) -> Result<Db, Fault> {
        if url.starts_with("postgres:") || url.starts_with("postgresql:") {
            let options: PgConnectOptions = url.parse().map_err(Fault::of("open the database"))?;
            let options = options.statement_cache_capacity(STATEMENTS);
            let pool = PgPoolOptions::new().max_connections(connections.max(2)).connect_with(options).await;
            return Ok(Db::Postgres(pool.map_err(Fault::of("open the database"))?));
        }
        let path = url
            .strip_prefix("sqlite:")
            .ok_or_else(|| Fault::new("open the database", "expected sqlite:PATH or postgres://user@host/name"))?;
        let options = SqliteConnectOptions::new()
            .filename(path.trim_start_matches("//"))
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            .busy_timeout(Duration::from_secs(10))
            .statement_cache_capacity(STATEMENTS)
            .pragma("cache_size", "-16384");
        let one = SqlitePoolOptions::new().max_connections(1).connect_with(options.clone()).await;
        let connection = one.map_err(Fault::of("open the database"))?.acquire().await;
        let connection = connection.map_err(Fault::of("open the database"))?;
        let readers = SqlitePoolOptions::new().max_connections(connections.max(1)).connect_with(options).await;
        let readers = readers.map_err(Fault::of("open the database"))?;
        let writer = Writer { connection, group: None, abandoned: false };
        Ok(Db::Sqlite { readers, writer: Arc::new(Mutex::new(writer)) })
    }

    /// Brings the schema up to date; the texts are compiled in.
    pub async fn migrate(&self) -> Result<(), Fault> {
        let migrator = |text: &'static str| {
            let name = "exchange".into();
            Migrator::with_migrations(vec![Migration::new(1, name, MigrationType::Simple, text.into_sql_str(), false)])
        };
        let done = match self {
            Db::Sqlite { writer, .. } => {
                let text = include_str!("../../migrations/sqlite/0001_exchange.sql");
                migrator(text).run(&mut *writer.lock().await.connection).await
            }
            Db::Postgres(pool) => migrator(include_str!("../../migrations/postgres/0001_exchange.sql")).run(pool).await,
        };
        done.map_err(Fault::of("migrate the database"))
    }

    pub async fn fetch(&self, sql: Sql) -> Result<Vec<Row>, Fault> {
        match self {
            Db::Sqlite { readers, .. } => {
                let mut connection = readers.acquire().await.map_err(Fault::of("read"))?;
                sqlite_fetch(&mut connection, sql).await
            }
            Db::Postgres(pool) => {
                let mut connection = pool.acquire().await.map_err(Fault::of("read"))?;
                postgres_fetch(&mut connection, sql).await
            }
        }
    }

    pub async fn begin(&self) -> Result<Transaction, Fault> {
        match self {
            Db::Sqlite { writer, .. } => {
                let mut held = writer.clone().lock_owned().await;
                held.enter().await?;
                Ok(Transaction::Sqlite { writer: writer.clone(), held })
            }
            Db::Postgres(pool) => Ok(Transaction::Postgres(pool.begin().await.map_err(Fault::of("begin"))?)),
        }
    }
}

impl Writer {
    async fn run(&mut self, text: &'static str) -> Result<(), Fault> {
        sqlx::query(text).execute(&mut *self.connection).await.map(|_| ()).map_err(Fault::of("write"))
    }

    async fn enter(&mut self) -> Result<(), Fault> {
        self.clear().await?;
        if self.group.is_none() {
            self.run("BEGIN IMMEDIATE").await?;
            self.group = Some(Group { committed: watch::Sender::new(None) });
        }
        // Until it is released, whoever drops us leaves it to the next.
        self.abandoned = true;
        self.run("SAVEPOINT request").await
    }

    /// Rolls back what a caller that hung up left behind.
    async fn clear(&mut self) -> Result<(), Fault> {
        if std::mem::take(&mut self.abandoned) {
            self.run("ROLLBACK TO request").await?;
            self.run("RELEASE request").await?;
        }
        Ok(())
    }

    /// Commits the open group for all who wait for it.
    async fn settle(&mut self) -> Result<(), Fault> {
        self.clear().await?;
        let Some(group) = self.group.take() else { return Ok(()) };
        let done = self.run("COMMIT").await;
        if done.is_err() {
            // A full disk fails the whole group; nothing of it may stay open.
            let _ = self.run("ROLLBACK").await;
        }
        group.committed.send_replace(Some(done.is_ok()));
        done
    }
}

impl Transaction {
    pub async fn fetch(&mut self, sql: Sql) -> Result<Vec<Row>, Fault> {
        match self {
            Transaction::Sqlite { held, .. } => sqlite_fetch(&mut held.connection, sql).await,
            Transaction::Postgres(transaction) => postgres_fetch(transaction, sql).await,
        }
    }

    /// The number of rows that it changed.
    pub async fn execute(&mut self, sql: Sql) -> Result<u64, Fault> {
        let text = AssertSqlSafe(sql.text);
        match self {
            Transaction::Sqlite { held, .. } => {
                let query = sql.binds.into_iter().fold(sqlx::query(text), sqlite_bind);
                let done = query.execute(&mut *held.connection).await;
                done.map(|done| done.rows_affected()).map_err(Fault::of("write"))
            }
            Transaction::Postgres(transaction) => {
                let query = sql.binds.into_iter().fold(sqlx::query(text), postgres_bind);
                let done = query.execute(&mut **transaction).await;
                done.map(|done| done.rows_affected()).map_err(Fault::of("write"))
            }
        }
    }

    /// On return it is on disk.
    pub async fn commit(self) -> Result<(), Fault> {
        let (writer, mut held) = match self {
            Transaction::Sqlite { writer, held } => (writer, held),
            Transaction::Postgres(transaction) => return transaction.commit().await.map_err(Fault::of("commit")),
        };
        held.run("RELEASE request").await?;
        held.abandoned = false;
        let Some(group) = held.group.clone() else { return Err(Fault::new("commit", "no open group")) };
        let mut committed = group.committed.subscribe();
        drop(held);
        let failed = || Fault::new("commit", "the group was not committed");
        tokio::select! {
            biased;
            done = settled(&mut committed) => if done { Ok(()) } else { Err(failed()) },
            mut held = writer.lock_owned() => {
                // Ours may have been committed between the two, and another group be open by now: that one is not ours.
                let done = *group.committed.borrow();
                match done {
                    Some(true) => Ok(()),
                    Some(false) => Err(failed()),
                    None => held.settle().await,
                }
            }
        }
    }
}

/// Waits until somebody has settled the group; whether it is on disk.
async fn settled(committed: &mut watch::Receiver<Option<bool>>) -> bool {
    committed.wait_for(Option::is_some).await.is_ok_and(|done| *done == Some(true))
}

async fn sqlite_fetch(connection: &mut PoolConnection<Sqlite>, sql: Sql) -> Result<Vec<Row>, Fault> {
    let query = sql.binds.into_iter().fold(sqlx::query(AssertSqlSafe(sql.text)), sqlite_bind);
    let rows: Vec<SqliteRow> = query.fetch_all(&mut **connection).await.map_err(Fault::of("read"))?;
    rows.iter().map(sqlite_row).collect::<Result<_, _>>().map_err(Fault::of("read"))
}

async fn postgres_fetch(connection: &mut sqlx::PgConnection, sql: Sql) -> Result<Vec<Row>, Fault> {
    let query = sql.binds.into_iter().fold(sqlx::query(AssertSqlSafe(sql.text)), postgres_bind);
    let rows: Vec<PgRow> = query.fetch_all(connection).await.map_err(Fault::of("read"))?;
    rows.iter().map(postgres_row).collect::<Result<_, _>>().map_err(Fault::of("read"))
}

type SqliteQuery<'q> = sqlx::query::Query<'q, Sqlite, sqlx::sqlite::SqliteArguments>;
type PostgresQuery<'q> = sqlx::query::Query<'q, Postgres, sqlx::postgres::PgArguments>;

fn sqlite_bind(query: SqliteQuery<'_>, value: Bind) -> SqliteQuery<'_> {
    match value {
        Bind::Int(value) => query.bind(value),
        Bind::Real(value) => query.bind(value),
        Bind::Text(value) => query.bind(value),
        Bind::MaybeText(value) => query.bind(value),
    }
}

fn postgres_bind(query: PostgresQuery<'_>, value: Bind) -> PostgresQuery<'_> {
    match value {
        Bind::Int(value) => query.bind(value),
        Bind::Real(value) => query.bind(value),
        Bind::Text(value) => query.bind(value),
        Bind::MaybeText(value) => query.bind(value),
    }
}

fn sqlite_row(row: &SqliteRow) -> Result<Row, sqlx::Error> {
    let cell = |at: usize| {
        let raw = row.try_get_raw(at)?;
        if raw.is_null() {
            return Ok(Cell::Null);
        }
        let kind = raw.type_info().name().to_string();
        Ok(match kind.as_str() {
            "INTEGER" => Cell::Int(row.try_get(at)?),
            "REAL" => Cell::Real(row.try_get(at)?),
            _ => Cell::Text(row.try_get(at)?),
        })
    };
    (0..row.len()).map(cell).collect::<Result<_, sqlx::Error>>().map(Row)
}

fn postgres_row(row: &PgRow) -> Result<Row, sqlx::Error> {
    let cell = |at: usize| {
        if row.try_get_raw(at)?.is_null() {
            return Ok(Cell::Null);
        }
        Ok(match row.column(at).type_info().name() {
            "INT8" => Cell::Int(row.try_get(at)?),
            "INT4" => Cell::Int(row.try_get::<i32, _>(at)?.into()),
            "FLOAT8" => Cell::Real(row.try_get(at)?),
            _ => Cell::Text(row.try_get(at)?),
        })
    };
    (0..row.len()).map(cell).collect::<Result<_, sqlx::Error>>().map(Row)
}
