//! A reach as a condition on rows: what a caller may not see does not exist for the statement that counts, sorts
//! and pages.

use crate::consent::{Atom, Columns, Condition, DIRECTORY, Granted, Reach, is_directory};
use crate::fhir::{Instant, Interval, Zone};

use super::sql::Sql;

/// Types that no consent opens (rules.md 17 to 19).
const CONTROL: [&str; 4] = ["Consent", "AuditEvent", "Provenance", "Subscription"];

/// Which of the two columns that name a patient a condition speaks of.
#[derive(Clone, Copy)]
enum Who {
    First,
    Further,
}

/// Appends the condition under which row `r`, of one of these kinds, is in reach.
pub(super) fn visible_among(sql: Sql, within: &Reach, kinds: &[&str]) -> Sql {
    match kinds {
        [kind] => visible(sql, within, kind),
        kinds => visible_of(sql, within, kinds.iter().copied()),
    }
}

/// Appends the condition under which row `r` of that kind is in reach.
pub(super) fn visible(sql: Sql, within: &Reach, kind: &str) -> Sql {
    if is_directory(kind) {
        let masked = within.masked().iter().filter(|_| kind != "Organization");
        return sql.all(masked, |sql, partner| sql.push("r.origin <> ").bind(partner.as_str()));
    }
    let sql = sql.push("(r.origin = ").bind(within.partner()).push(" OR r.holder = ").bind(within.partner());
    if kind == "Provenance" {
        return provenance_visible(sql.push(" OR "), within).push(")");
    }
    if CONTROL.contains(&kind) || within.is_own_alone() {
        return sql.push(")");
    }
    let sql = everyone(sql.push(" OR ("), within);
    if within.each_purpose().is_empty() {
        return sql.push("))");
    }
    let sql = sql.push(" AND (NOT EXISTS ").push(FURTHER).push(") OR ");
    sql.any(within.each_purpose(), |sql, alone| everyone(sql.push("("), alone).push(")")).push(")))")
}

const FURTHER: &str = "(SELECT 1 FROM further_patient f WHERE f.bucket = r.bucket AND f.kind = r.kind AND f.id = r.id";

/// Every person whom row `r` names permits it (R11).
fn everyone(sql: Sql, within: &Reach) -> Sql {
    let sql = people(sql, within, Who::First).push(" AND NOT EXISTS ").push(FURTHER).push(" AND NOT ");
    people(sql, within, Who::Further).push(")")
}

/// Appends that everything which Provenance `r` is about is in reach (rules.md 19); of another Provenance, what is the
/// caller's own.
fn provenance_visible(sql: Sql, within: &Reach) -> Sql {
    let targets = |sql: Sql| {
        sql.push("(SELECT 1 FROM idx_reference t WHERE t.bucket = r.bucket AND t.kind = r.kind AND t.id = r.id")
            .push(" AND t.param = 'target'")
    };
    let sql = targets(sql.push("(EXISTS ")).push(") AND NOT EXISTS ");
    // The inner `r` is the target.
    let sql = targets(sql).push(" AND NOT EXISTS (SELECT 1 FROM resource r WHERE r.id = t.target_id");
    let sql = sql.push(" AND r.kind = t.target_kind AND r.deleted = 0 AND (r.kind = 'Organization' OR (r.kind IN (");
    let sql = sql.bind_list(DIRECTORY).push(") AND ");
    let sql = visible(sql, within, "Practitioner").push(") OR r.origin = ").bind(within.partner());
    let sql = sql.push(" OR r.holder = ").bind(within.partner()).push(" OR (r.kind NOT IN (");
    let sql = sql.bind_list(DIRECTORY.iter().chain(&CONTROL).copied()).push(") AND ");
    visible(sql, within, "Basic").push(")))))")
}

/// The person is one of those who are named here, or has a grant that stands.
fn people(sql: Sql, within: &Reach, who: Who) -> Sql {
    let named = |sql: Sql| {
        // One alternative for each distinct condition.
        sql.any(within.by_condition(), |sql, (condition, patients)| {
            let sql = sql.push(match who {
                Who::First => "(r.patient IN (",
                Who::Further => "(f.patient IN (",
            });
            carry(sql.bind_list(patients).push(") AND "), condition).push(")")
        })
    };
    match within.granted() {
        None => named(sql),
        Some(granted) if within.people().is_empty() => stands(sql, granted, who),
        Some(granted) => stands(named(sql.push("(")).push(" OR "), granted, who).push(")"),
    }
}

/// A grant counts at the epoch that it was made at, and until time alone would change it.
fn stands(sql: Sql, granted: &Granted, who: Who) -> Sql {
    let sql = sql.push("EXISTS (SELECT 1 FROM granted g WHERE g.patient = ");
    let sql = sql.push(match who {
        Who::First => "r.patient",
        Who::Further => "f.patient",
    });
    let sql = sql.push(" AND g.asker = ").bind(granted.asker.as_str()).push(" AND g.until > ").bind(granted.at.0);
    let sql = sql.push(" AND g.epoch = (SELECT e.epoch FROM epoch e WHERE e.bucket = g.bucket");
    let sql = sql.push(" AND e.patient = g.patient) AND ");
    sql.any(&granted.shapes, |sql, (shape, condition)| {
        carry(sql.push("(g.shape = ").bind(shape.as_str()).push(" AND "), condition).push(")")
    })
    .push(")")
}

fn carry(sql: Sql, condition: &Condition) -> Sql {
    match condition {
        Condition::Always => sql.push("1 = 1"),
        Condition::Never => sql.push("1 = 0"),
        Condition::All(parts) => sql.all(parts.iter(), carry),
        Condition::Any(parts) => sql.any(parts.iter(), carry),
        Condition::Not(part) => carry(sql.push("NOT ("), part).push(")"),
        Condition::Is(atom) => test(sql, atom),
    }
}

fn test(sql: Sql, atom: &Atom) -> Sql {
    match atom {
        Atom::Kind(kinds) => sql.push("r.kind IN (").bind_list(kinds.iter().map(String::as_str)).push(")"),
        Atom::Unclassified => sql.push("r.rank < 0"),
        Atom::RankAtMost(rank) => sql.push("(r.rank >= 0 AND r.rank <= ").bind(i64::from(*rank)).push(")"),
        Atom::RankAtLeast(rank) => sql.push("r.rank >= ").bind(i64::from(*rank)),
        Atom::Label(labels) => sql
            .push("EXISTS (SELECT 1 FROM label l WHERE l.bucket = r.bucket AND l.kind = r.kind AND l.id = r.id AND ")
            .any(labels, |sql, (system, code)| {
                sql.push("(l.system = ").bind(system.as_str()).push(" AND l.code = ").bind(code.as_str()).push(")")
            })
            .push(")"),
        Atom::Origin(origins) => {
            let partners = origins.iter().map(|origin| origin.strip_prefix("Organization/").unwrap_or(origin));
            sql.push("r.origin IN (").bind_list(partners).push(")")
        }
        Atom::Key(keys) => sql.push("r.kind || '/' || r.id IN (").bind_list(keys.iter().map(String::as_str)).push(")"),
        Atom::Profile(profiles) => sql.any(profiles, |sql, url| fact(sql, Columns::PROFILE, url, "")),
        Atom::Code { codes, anywhere } => {
            let mark = if *anywhere { Columns::CODE } else { Columns::CONCEPT };
            sql.any(codes, |sql, (system, code)| fact(sql, mark, system, code))
        }
        Atom::RefersTo(keys) => sql.any(keys, |sql, key| fact(sql, Columns::REFERENCE, key, "")),
        Atom::AuthoredBy { names, or_nobody } => {
            let named = names.iter().map(|name| (Columns::AUTHOR, name.as_str()));
            let nobody = or_nobody.then_some((Columns::NOBODY, ""));
            sql.any(named.chain(nobody), |sql, (mark, name)| fact(sql, mark, name, ""))
        }
        Atom::Time { interval, zone, inside } => time(sql, *interval, zone, *inside),
    }
}

fn fact(sql: Sql, mark: char, first: &str, second: &str) -> Sql {
    sql.push("instr(r.facts, ").bind(Columns::sought(mark, first, second)).push(") > 0")
}

/// Its own time lies inside, or there is none or it at least touches (R3, R5).
fn time(sql: Sql, interval: Interval, zone: &Zone, inside: bool) -> Sql {
    let side = |sql: Sql, is_local: &'static str, is_moment: &'static str, at: Instant| {
        let sql = sql.push("(r.time_form ").push(is_local).bind(zone.wall(at).0);
        sql.push(" OR r.time_form ").push(is_moment).bind(at.0).push(")")
    };
    let Interval { start, end } = interval;
    if inside {
        let sql = side(
            sql.push("(r.time_form >= 4 AND "),
            "IN (5, 7) AND r.time_start >= ",
            "IN (4, 6) AND r.time_start >= ",
            start,
        );
        return side(sql.push(" AND "), "IN (6, 7) AND r.time_end <= ", "IN (4, 5) AND r.time_end <= ", end).push(")");
    }
    let sql =
        side(sql.push("(r.time_form < 4 OR ("), "IN (5, 7) AND r.time_start < ", "IN (4, 6) AND r.time_start < ", end);
    side(sql.push(" AND "), "IN (6, 7) AND r.time_end > ", "IN (4, 5) AND r.time_end > ", start).push("))")
}

/// As [`visible`], for rows `r` of any of these kinds.
pub(super) fn visible_of<'k>(sql: Sql, within: &Reach, kinds: impl IntoIterator<Item = &'k str>) -> Sql {
    let class = |kind: &str| match kind {
        "Organization" => 0,
        kind if is_directory(kind) => 1,
        "Provenance" => 2,
        kind if CONTROL.contains(&kind) => 3,
        _ => 4,
    };
    let mut groups: [Vec<&str>; 5] = Default::default();
    for kind in kinds {
        groups[class(kind)].push(kind);
    }
    sql.any(groups.into_iter().filter(|kinds| !kinds.is_empty()), |sql, kinds| {
        let one = kinds[0];
        // An expression, so that a planner walks the moments or the person, and not every row of forty kinds.
        let sql = sql.push("(r.kind || '' IN (").bind_list(kinds).push(") AND ");
        visible(sql, within, one).push(")")
    })
}

/// Appends that row `r` is there, or gone for who may know that it was: its own, and the directory's readers.
pub(super) fn there_or_known_gone(sql: Sql, within: &Reach) -> Sql {
    let sql = sql.push("(r.deleted = 0 OR r.origin = ").bind(within.partner());
    let sql = sql.push(" OR r.holder = ").bind(within.partner()).push(" OR r.kind || '' IN (");
    sql.bind_list(DIRECTORY).push("))")
}
