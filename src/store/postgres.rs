//! PostgreSQL, through sqlx: every request has its own transaction.

use sqlx::postgres::{PgArguments, PgConnectOptions, PgPool, PgPoolOptions, PgRow};
use sqlx::query::Query;
use sqlx::{AssertSqlSafe, Column, Row as _, TypeInfo, ValueRef};

use super::Fault;
use super::db::{Cell, Row};
use super::sql::{Bind, Sql};

/// A transaction of one request.
pub type Transaction = sqlx::Transaction<'static, sqlx::Postgres>;

/// Statement texts vary with the number of index rows; each is prepared once a connection.
const STATEMENTS: usize = 500;

pub async fn open(url: &str, connections: u32) -> Result<PgPool, Fault> {
    let options: PgConnectOptions = url.parse().map_err(Fault::of("open the database"))?;
    let options = options.statement_cache_capacity(STATEMENTS);
    let pool = PgPoolOptions::new().max_connections(connections.max(2)).connect_with(options).await;
    pool.map_err(Fault::of("open the database"))
}

pub async fn begin(pool: &PgPool) -> Result<Transaction, Fault> {
    pool.begin().await.map_err(Fault::of("begin"))
}

pub async fn fetch(connection: &mut sqlx::PgConnection, sql: Sql) -> Result<Vec<Row>, Fault> {
    let query = {
        let text = sql.numbered();
        sql.binds.into_iter().fold(sqlx::query(AssertSqlSafe(text)), bind)
    };
    let rows: Vec<PgRow> = query.fetch_all(connection).await.map_err(Fault::of("read"))?;
    rows.iter().map(row).collect::<Result<_, _>>().map_err(Fault::of("read"))
}

/// The number of rows that it changed.
pub async fn execute(connection: &mut sqlx::PgConnection, sql: Sql) -> Result<u64, Fault> {
    let query = {
        let text = sql.numbered();
        sql.binds.into_iter().fold(sqlx::query(AssertSqlSafe(text)), bind)
    };
    query.execute(connection).await.map(|done| done.rows_affected()).map_err(Fault::of("write"))
}

fn bind(query: Query<'_, sqlx::Postgres, PgArguments>, value: Bind) -> Query<'_, sqlx::Postgres, PgArguments> {
    match value {
        Bind::Int(value) => query.bind(value),
        Bind::Real(value) => query.bind(value),
        Bind::Text(value) => query.bind(value),
        Bind::MaybeText(value) => query.bind(value),
    }
}

fn row(row: &PgRow) -> Result<Row, sqlx::Error> {
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
