//! A test as a condition on an index row `x`.

use crate::fhir::Interval;
use crate::fhir::search::Test;
use crate::fhir::search::criterion::Prefix;

use super::sql::Sql;

/// Appends the condition that a test is, on an index row `x`.
pub(super) fn passes(sql: Sql, found: &Test) -> Sql {
    match found {
        Test::Token { system, code } => {
            let sql = match code {
                Some(code) => sql.push("x.code = ").bind(code.as_str()),
                None => sql.push("1 = 1"),
            };
            match system {
                Some(system) => sql.push(" AND x.system = ").bind(system.as_str()),
                None => sql,
            }
        }
        Test::Codes { system, codes } => {
            let sql = sql.push("x.code IN (").bind_list(codes.iter().map(String::as_str)).push(") AND x.system IN (");
            sql.bind(system.as_str()).push(", '')")
        }
        Test::Reference { kind, id } => {
            let sql = sql.push("x.target_id = ").bind(id.as_str());
            match kind {
                Some(kind) => sql.push(" AND x.target_kind = ").bind(kind.as_str()),
                None => sql,
            }
        }
        Test::Date(prefix, interval) => during(sql, "x.start_at", "x.end_at", *prefix, interval),
        Test::TextStarts(text) | Test::Word(text) => starts(sql, "x.folded", text),
        Test::TextContains(text) => {
            let escaped = text.replace('\\', "\\\\").replace('%', "\\%").replace('_', "\\_");
            sql.push("x.folded LIKE ").bind(format!("%{escaped}%")).push(" ESCAPE '\\'")
        }
        Test::TextExact(text) => sql.push("x.exact = ").bind(text.as_str()),
        Test::Uri(uri) => sql.push("x.uri = ").bind(uri.as_str()),
        Test::UriBelow(uri) => starts(sql, "x.uri", uri),
        Test::Number(prefix, low, high) => between(sql, "x.value", *prefix, *low, *high),
        Test::Near { latitudes, longitudes } => {
            let sql = sql.push("x.a_low >= ").bind(latitudes.0).push(" AND x.a_low <= ").bind(latitudes.1);
            sql.push(" AND ").any(longitudes, |sql, (west, east)| {
                sql.push("(x.a_high >= ").bind(*west).push(" AND x.a_high <= ").bind(*east).push(")")
            })
        }
        Test::Composite(left, right) => {
            let sql = cell(sql, &LEFT, left).push(" AND ");
            cell(sql, &RIGHT, right)
        }
        Test::Quantity { prefix, low, high, system, code } => {
            let sql = between(sql, "x.value", *prefix, *low, *high);
            let sql = match system {
                Some(system) => sql.push(" AND x.system = ").bind(system.as_str()),
                None => sql,
            };
            match code {
                Some(code) => sql.push(" AND x.code = ").bind(code.as_str()),
                None => sql,
            }
        }
        Test::Missing(..) | Test::Id(_) | Test::Updated(..) => sql.push("1 = 1"),
    }
}

/// `_lastUpdated` is an instant: an interval of one millisecond, as it is answered. What is compared stands alone in
/// each comparison, so that a column is a range of an index.
pub(super) fn updated(sql: Sql, at: impl Fn(Sql) -> Sql, prefix: Prefix, asked: &Interval) -> Sql {
    let (from, until) = (asked.start.0, asked.end.0);
    // The last start of a millisecond that ends by then.
    let last = (until - 1_000).max(from);
    let is = |sql: Sql, how: &'static str, bound: i64| at(sql).push(how).bind(bound);
    let sql = sql.push("(");
    let sql = match prefix {
        Prefix::Eq => is(is(sql, " >= ", from).push(" AND "), " <= ", last),
        Prefix::Ne => is(is(sql, " < ", from).push(" OR "), " > ", last),
        Prefix::Gt => is(sql, " > ", last),
        Prefix::Lt => is(sql, " < ", from),
        Prefix::Ge => is(sql, " >= ", from),
        Prefix::Le => is(sql, " <= ", last),
        Prefix::Sa => is(sql, " >= ", until),
        Prefix::Eb => is(sql, " <= ", from - 1_000),
        Prefix::Ap => is(is(sql, " > ", from - 1_000).push(" AND "), " < ", until),
    };
    sql.push(")")
}

/// FHIR R4 search.html#prefix on intervals: `eq` means that the value lies within what was asked.
fn during(sql: Sql, start: &'static str, end: &'static str, prefix: Prefix, asked: &Interval) -> Sql {
    let (from, until) = (asked.start.0, asked.end.0);
    let sql = sql.push("(");
    let sql = match prefix {
        Prefix::Eq => sql.push(start).push(" >= ").bind(from).push(" AND ").push(end).push(" <= ").bind(until),
        Prefix::Ne => sql.push(start).push(" < ").bind(from).push(" OR ").push(end).push(" > ").bind(until),
        Prefix::Gt => sql.push(end).push(" > ").bind(until),
        Prefix::Lt => sql.push(start).push(" < ").bind(from),
        Prefix::Ge => sql.push(end).push(" > ").bind(until).push(" OR ").push(start).push(" >= ").bind(from),
        Prefix::Le => sql.push(start).push(" < ").bind(from).push(" OR ").push(end).push(" <= ").bind(until),
        Prefix::Sa => sql.push(start).push(" >= ").bind(until),
        Prefix::Eb => sql.push(end).push(" <= ").bind(from),
        Prefix::Ap => sql.push(start).push(" < ").bind(until).push(" AND ").push(end).push(" > ").bind(from),
    };
    sql.push(")")
}

/// FHIR R4 search.html#number: `eq` means the range that rounds to the number given.
fn between(sql: Sql, value: &'static str, prefix: Prefix, low: f64, high: f64) -> Sql {
    let exact = (low + high) / 2.0;
    let sql = sql.push("(");
    let sql = match prefix {
        Prefix::Eq => sql.push(value).push(" >= ").bind(low).push(" AND ").push(value).push(" < ").bind(high),
        Prefix::Ne => sql.push(value).push(" < ").bind(low).push(" OR ").push(value).push(" >= ").bind(high),
        Prefix::Gt | Prefix::Sa => sql.push(value).push(" > ").bind(exact),
        Prefix::Lt | Prefix::Eb => sql.push(value).push(" < ").bind(exact),
        Prefix::Ge => sql.push(value).push(" >= ").bind(exact),
        Prefix::Le => sql.push(value).push(" <= ").bind(exact),
        Prefix::Ap => {
            let slack = exact.abs() / 10.0;
            sql.push(value).push(" >= ").bind(exact - slack).push(" AND ").push(value).push(" <= ").bind(exact + slack)
        }
    };
    sql.push(")")
}

/// A key range, because LIKE folds differently on each database.
fn starts(sql: Sql, column: &'static str, text: &str) -> Sql {
    let sql = sql.push(column).push(" >= ").bind(text);
    sql.push(" AND ").push(column).push(" < ").bind(format!("{text}\u{10ffff}"))
}

/// The columns of one half of a composite.
struct Half {
    system: &'static str,
    code: &'static str,
    low: &'static str,
    high: &'static str,
}

const LEFT: Half = Half { system: "x.a_system", code: "x.a_code", low: "x.a_low", high: "x.a_high" };
const RIGHT: Half = Half { system: "x.b_system", code: "x.b_code", low: "x.b_low", high: "x.b_high" };

fn cell(sql: Sql, half: &Half, test: &Test) -> Sql {
    let pair = |sql: Sql, system: Option<&str>, code: Option<&str>| {
        let parts = [(half.system, system), (half.code, code)];
        sql.all(parts.into_iter().filter_map(|(column, text)| Some((column, text?))), |sql, (column, text)| {
            sql.push(column).push(" = ").bind(text)
        })
    };
    match test {
        Test::Token { system, code } => pair(sql, system.as_deref(), code.as_deref()),
        Test::Reference { kind, id } => pair(sql, kind.as_deref(), Some(id)),
        Test::TextStarts(text) => starts(sql, half.code, text),
        Test::Uri(uri) => pair(sql, None, Some(uri)),
        Test::Date(prefix, span) => during(sql, half.low, half.high, *prefix, span),
        Test::Number(prefix, low, high) => between(sql, half.low, *prefix, *low, *high),
        Test::Quantity { prefix, low, high, system, code } => {
            let sql = between(sql, half.low, *prefix, *low, *high).push(" AND ");
            pair(sql, system.as_deref(), code.as_deref())
        }
        _ => sql.push("1 = 0"),
    }
}
