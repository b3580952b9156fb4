//! SQLite, on the calling thread.
//!
//! There is one writer. It commits **groups**: each request works within a savepoint, lets go of the writer and
//! queues for it again; whoever gets it back while the group is still open and nobody else is coming commits for all
//! (tokio's mutex is fair, so everybody who came before has had a turn). One fsync serves everyone who was waiting, and no task of its own is
//! needed. A caller that hangs up leaves a savepoint that the next one rolls back. Statements run where they are
//! called, because handing each to another thread costs more than the statement; only the COMMIT, which waits for
//! the disk, goes to a thread that may wait, and ends there whoever is still listening. Reads use other connections,
//! as many as are needed at once.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rusqlite::config::DbConfig;
use rusqlite::types::{ToSqlOutput, Value, ValueRef};
use rusqlite::{CachedStatement, Connection, ToSql};
use tokio::sync::{OwnedMutexGuard, oneshot, watch};

use super::Fault;
use super::db::{Cell, Row};
use super::sql::{Bind, Sql};

/// A database file.
pub struct Sqlite {
    path: String,
    readers: Mutex<Vec<Connection>>,
    writer: Arc<tokio::sync::Mutex<Writer>>,
    coming: Arc<AtomicUsize>,
}

/// Somebody who wants to write and has not had the writer yet.
struct Coming(Arc<AtomicUsize>);

impl Coming {
    fn among(others: &Arc<AtomicUsize>) -> Coming {
        others.fetch_add(1, Ordering::SeqCst);
        Coming(others.clone())
    }
}

impl Drop for Coming {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

/// The one writer, and the group that it is collecting.
pub struct Writer {
    connection: Arc<Mutex<Connection>>,
    group: Option<Group>,
    /// The savepoint of whoever is at work; when the next one finds it, its owner has hung up.
    at_work: bool,
}

/// Requests that are committed together.
#[derive(Clone)]
struct Group {
    /// `None` while open, then whether they are on disk.
    done: watch::Sender<Option<bool>>,
    /// Others who wait for the same word.
    told: Arc<Mutex<Vec<oneshot::Sender<bool>>>>,
}

impl Group {
    fn open() -> Group {
        Group { done: watch::Sender::new(None), told: Arc::default() }
    }

    fn end(&self, kept: bool) {
        self.done.send_replace(Some(kept));
        for waiting in std::mem::take(&mut *locked(&self.told)) {
            // Who hung up meanwhile needs no word.
            let _ = waiting.send(kept);
        }
    }
}

/// One request's writes.
pub struct Savepoint {
    writer: Arc<tokio::sync::Mutex<Writer>>,
    held: OwnedMutexGuard<Writer>,
    coming: Arc<AtomicUsize>,
}

/// Statement texts vary with the number of index rows; each is prepared once a connection.
const STATEMENTS: usize = 500;
/// How often a writer whose work is done lets those in who came meanwhile before it has the group committed: clients
/// that were answered together come again together, and would else be two groups that wait for each other's disk.
const TURNS: usize = 4;
/// Pages of 4 KB that the write-ahead log collects before they are carried over.
const LOG_PAGES: i64 = 8_000;

impl Sqlite {
    /// Opens a file that was migrated.
    pub fn open(path: &str) -> Result<Sqlite, Fault> {
        let writer = Writer { connection: Arc::new(Mutex::new(connect(path)?)), group: None, at_work: false };
        let writer = Arc::new(tokio::sync::Mutex::new(writer));
        Ok(Sqlite { path: path.to_string(), readers: Mutex::default(), writer, coming: Arc::default() })
    }

    pub fn fetch(&self, sql: Sql) -> Result<Vec<Row>, Fault> {
        let kept = locked(&self.readers).pop();
        let connection = kept.map_or_else(|| connect(&self.path), Ok)?;
        let rows = fetch(&connection, &sql);
        locked(&self.readers).push(connection);
        rows
    }

    pub async fn begin(&self) -> Result<Savepoint, Fault> {
        let coming = Coming::among(&self.coming);
        let mut held = self.writer.clone().lock_owned().await;
        drop(coming);
        held.enter()?;
        Ok(Savepoint { writer: self.writer.clone(), held, coming: self.coming.clone() })
    }
}

impl Writer {
    fn run(&self, text: &str) -> Result<(), Fault> {
        let connection = locked(&self.connection);
        let mut statement = connection.prepare_cached(text).map_err(Fault::of("write"))?;
        statement.raw_execute().map(|_| ()).map_err(Fault::of("write"))
    }

    // INVARIANT: nothing in here waits, so that nobody can hang up between two of its steps.
    fn enter(&mut self) -> Result<(), Fault> {
        if self.group.is_some() && locked(&self.connection).is_autocommit() {
            // SQLite rolled everything back by itself (a full disk, an I/O error): the group is lost, and told so.
            self.at_work = false;
            self.group.take().inspect(|group| group.end(false));
        }
        self.clear()?;
        if self.group.is_none() {
            self.run("BEGIN IMMEDIATE")?;
            self.group = Some(Group::open());
        }
        self.run("SAVEPOINT request")?;
        self.at_work = true;
        Ok(())
    }

    /// Rolls back what a caller that hung up left behind.
    fn clear(&mut self) -> Result<(), Fault> {
        if std::mem::take(&mut self.at_work) {
            self.run("ROLLBACK TO request")?;
            self.run("RELEASE request")?;
        }
        Ok(())
    }
}

/// Commits the open group for all who wait for it. What was begun ends on its own thread, whoever hangs up, and the
/// writer stays taken until the disk has answered: what queues up meanwhile is the next group.
fn settle(mut held: OwnedMutexGuard<Writer>) -> Result<(), Fault> {
    held.clear()?;
    let Some(group) = held.group.take() else { return Ok(()) };
    tokio::task::spawn_blocking(move || {
        let done = held.run("COMMIT");
        if done.is_err() {
            // A full disk fails the whole group; nothing of it may stay open.
            let _ = held.run("ROLLBACK");
        }
        group.end(done.is_ok());
    });
    Ok(())
}

impl Savepoint {
    pub fn fetch(&mut self, sql: &Sql) -> Result<Vec<Row>, Fault> {
        fetch(&locked(&self.held.connection), sql)
    }

    pub fn execute(&mut self, sql: &Sql) -> Result<u64, Fault> {
        let connection = locked(&self.held.connection);
        let mut statement = prepare(&connection, sql)?;
        statement.raw_execute().map(|changed| changed as u64).map_err(Fault::of("write"))
    }

    /// Has others told whether the group that this belongs to is on disk.
    pub fn tell(&self, waiting: Vec<oneshot::Sender<bool>>) {
        if let Some(group) = &self.held.group {
            locked(&group.told).extend(waiting);
        }
    }

    /// On return it is on disk.
    pub async fn commit(self) -> Result<(), Fault> {
        let Savepoint { writer, mut held, coming } = self;
        held.run("RELEASE request")?;
        held.at_work = false;
        let Some(group) = held.group.clone() else { return Err(Fault::new("commit", "no open group")) };
        let mut committed = group.done.subscribe();
        drop(held);
        let mut turns = TURNS;
        while turns > 0 {
            turns -= 1;
            tokio::select! {
                biased;
                () = settled(&mut committed) => break,
                held = writer.clone().lock_owned() => {
                    // The open group may be another one by now, if somebody has settled ours.
                    let ours = held.group.as_ref().is_some_and(|open| open.done.same_channel(&group.done));
                    // Who came meanwhile still gets in; then this one has the writer again.
                    let full = turns == 0 || coming.load(Ordering::SeqCst) == 0;
                    match (ours, full) {
                        (true, true) => settle(held)?,
                        (true, false) => continue,
                        (false, _) => drop(held),
                    }
                    break;
                }
            }
        }
        settled(&mut committed).await;
        let done = *committed.borrow();
        if done == Some(true) { Ok(()) } else { Err(Fault::new("commit", "the group was not committed")) }
    }
}

async fn settled(committed: &mut watch::Receiver<Option<bool>>) {
    let _ = committed.wait_for(Option::is_some).await;
}

fn connect(path: &str) -> Result<Connection, Fault> {
    let open = || {
        let connection = Connection::open(path)?;
        connection.set_prepared_statement_cache_capacity(STATEMENTS);
        connection.busy_timeout(std::time::Duration::from_secs(10))?;
        // Plans depend on the text alone. Otherwise SQLite parses and plans a statement anew each time that a value of
        // its LIMIT or of an indexed column is bound, which costs more than running it.
        connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
        // A 2xx is durable: FULL. The write-ahead log was turned on when the file was made.
        connection
            .execute_batch("PRAGMA synchronous = FULL; PRAGMA cache_size = -16384; PRAGMA temp_store = MEMORY")?;
        // Pages that many commits change, the ends of the log and of its indexes, are carried over once for all.
        connection.pragma_update(None, "wal_autocheckpoint", LOG_PAGES)?;
        Ok::<Connection, rusqlite::Error>(connection)
    };
    open().map_err(Fault::of("open the database"))
}

fn prepare<'c>(connection: &'c Connection, sql: &Sql) -> Result<CachedStatement<'c>, Fault> {
    let mut statement = connection.prepare_cached(&sql.text).map_err(Fault::of("prepare"))?;
    for (at, value) in sql.binds.iter().enumerate() {
        statement.raw_bind_parameter(at + 1, value).map_err(Fault::of("bind"))?;
    }
    Ok(statement)
}

fn fetch(connection: &Connection, sql: &Sql) -> Result<Vec<Row>, Fault> {
    let mut statement = prepare(connection, sql)?;
    let columns = statement.column_count();
    let mut rows = statement.raw_query();
    let mut found = Vec::new();
    while let Some(row) = rows.next().map_err(Fault::of("read"))? {
        let cells = (0..columns).map(|at| {
            Ok(match row.get_ref(at)? {
                ValueRef::Integer(value) => Cell::Int(value),
                ValueRef::Real(value) => Cell::Real(value),
                ValueRef::Text(text) => Cell::Text(match std::str::from_utf8(text) {
                    Ok(text) => text.to_string(),
                    Err(_) => String::from_utf8_lossy(text).into_owned(),
                }),
                ValueRef::Null | ValueRef::Blob(_) => Cell::Null,
            })
        });
        found.push(Row(cells.collect::<Result<_, rusqlite::Error>>().map_err(Fault::of("read"))?));
    }
    Ok(found)
}

impl ToSql for Bind {
    fn to_sql(&self) -> Result<ToSqlOutput<'_>, rusqlite::Error> {
        Ok(match self {
            Bind::Int(value) => ToSqlOutput::Owned(Value::Integer(*value)),
            Bind::Real(value) => ToSqlOutput::Owned(Value::Real(*value)),
            Bind::Text(text) | Bind::MaybeText(Some(text)) => ToSqlOutput::Borrowed(ValueRef::Text(text.as_bytes())),
            Bind::MaybeText(None) => ToSqlOutput::Owned(Value::Null),
        })
    }
}

fn locked<T>(kept: &Mutex<T>) -> MutexGuard<'_, T> {
    kept.lock().unwrap_or_else(PoisonError::into_inner)
}
