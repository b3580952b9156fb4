//! A reach as a condition on rows: what a caller may not see does not exist for the statement that counts, sorts
//! and pages.

use crate::consent::{Atom, Condition, DIRECTORY, Reach, is_directory};

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
    if CONTROL.contains(&kind) || within.people().is_empty() {
        return sql.push(")");
    }
    let sql = sql.push(" OR (");
    let sql = people(sql, within, Who::First);
    // Every person whom a resource names must permit (R11).
    let sql = sql.push(" AND NOT EXISTS (SELECT 1 FROM further_patient f WHERE f.bucket = r.bucket");
    let sql = sql.push(" AND f.kind = r.kind AND f.id = r.id AND NOT ");
    people(sql, within, Who::Further).push(")))")
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

/// One alternative for each distinct condition, so that a thousand people with the same consent are one list.
fn people(sql: Sql, within: &Reach, who: Who) -> Sql {
    let mut groups: Vec<(&Condition, Vec<&str>)> = Vec::new();
    for (patient, condition) in within.people() {
        match groups.iter_mut().find(|(known, _)| *known == condition) {
            Some((_, patients)) => patients.push(patient),
            None => groups.push((condition, vec![patient])),
        }
    }
    sql.any(groups, |sql, (condition, patients)| {
        let sql = sql.push(match who {
            Who::First => "(r.patient IN (",
            Who::Further => "(f.patient IN (",
        });
        carry(sql.bind_list(patients).push(") AND "), condition).push(")")
    })
}

fn carry(sql: Sql, condition: &Condition) -> Sql {
    match condition {
        Condition::Always => sql.push("1 = 1"),
        Condition::Never => sql.push("1 = 0"),
        Condition::All(parts) => sql.all(parts, carry),
        Condition::Any(parts) => sql.any(parts, carry),
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
        // `gateway` turns every condition that is not plain into keys; one that slips through opens nothing.
        _ => sql.push("1 = 0"),
    }
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
