//! A reach as a condition on rows: what a caller may not see does not exist for the statement that counts, sorts
//! and pages.

use crate::consent::{Atom, Condition, Reach, is_directory};

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
    if let [kind] = kinds {
        return visible(sql, within, kind);
    }
    // Kinds that are seen by the same rule share a condition.
    let rule = |kind: &str| {
        if is_directory(kind) {
            0
        } else if CONTROL.contains(&kind) {
            1
        } else {
            2
        }
    };
    let rules = [0, 1, 2].map(|wanted| kinds.iter().copied().filter(|kind| rule(kind) == wanted).collect::<Vec<_>>());
    sql.any(rules.into_iter().filter(|kinds| !kinds.is_empty()), |sql, kinds| {
        // An Organization is seen even where the directory around it is masked.
        let (named, others): (Vec<&str>, Vec<&str>) = kinds.into_iter().partition(|kind| *kind == "Organization");
        let groups = [named, others].into_iter().filter(|kinds| !kinds.is_empty());
        sql.any(groups, |sql, kinds| {
            let sql = sql.push("(r.kind IN (").bind_list(kinds.iter().copied()).push(") AND ");
            visible(sql, within, kinds[0]).push(")")
        })
    })
}

/// Appends the condition under which row `r` of that kind is in reach.
pub(super) fn visible(sql: Sql, within: &Reach, kind: &str) -> Sql {
    if is_directory(kind) {
        let masked = within.masked().iter().filter(|_| kind != "Organization");
        return sql.all(masked, |sql, partner| sql.push("r.origin <> ").bind(partner.as_str()));
    }
    let sql = sql.push("(r.origin = ").bind(within.partner()).push(" OR r.holder = ").bind(within.partner());
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
