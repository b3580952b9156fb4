//! The state machines of a Task, with who may take which step (SDOHCC 3.0.0, Task for Referral Management and Task
//! for Patient; reference: referral states, sections 1 and 2).

use crate::fhir::{Element, Issue, Resource};

/// What the caller is to a Task.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Roles {
    /// Origin, or the requester's partner.
    pub requester: bool,
    /// The owner's partner, or the one that claims it.
    pub target: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum By {
    Requester,
    Target,
    Either,
}

type Step = (&'static str, &'static str, By);

const REFERRAL: [Step; 17] = [
    ("draft", "requested", By::Requester),
    ("requested", "accepted", By::Target),
    ("requested", "rejected", By::Target),
    ("requested", "cancelled", By::Either),
    ("accepted", "in-progress", By::Target),
    ("accepted", "on-hold", By::Target),
    ("accepted", "completed", By::Target),
    ("accepted", "failed", By::Target),
    ("accepted", "cancelled", By::Either),
    ("in-progress", "on-hold", By::Target),
    ("in-progress", "completed", By::Target),
    ("in-progress", "failed", By::Target),
    ("in-progress", "cancelled", By::Either),
    ("on-hold", "in-progress", By::Target),
    ("on-hold", "completed", By::Target),
    ("on-hold", "failed", By::Target),
    ("on-hold", "cancelled", By::Either),
];

const PATIENT: [Step; 13] = [
    ("ready", "in-progress", By::Target),
    ("ready", "on-hold", By::Target),
    ("ready", "completed", By::Target),
    ("ready", "failed", By::Target),
    ("ready", "cancelled", By::Either),
    ("in-progress", "on-hold", By::Target),
    ("in-progress", "completed", By::Target),
    ("in-progress", "failed", By::Target),
    ("in-progress", "cancelled", By::Either),
    ("on-hold", "in-progress", By::Target),
    ("on-hold", "completed", By::Target),
    ("on-hold", "failed", By::Target),
    ("on-hold", "cancelled", By::Either),
];

const TASK_FOR_PATIENT: &str = "http://hl7.org/fhir/us/sdoh-clinicalcare/StructureDefinition/SDOHCC-TaskForPatient";

/// What the referral's target may set (rules.md 12).
pub const TARGET_SETS: [&str; 8] =
    ["status", "statusReason", "businessStatus", "owner", "output", "note", "lastModified", "executionPeriod"];

/// Whether a Task in this state is over.
pub fn is_over(status: &str) -> bool {
    matches!(status, "rejected" | "cancelled" | "completed" | "failed" | "entered-in-error")
}

/// The steps that are open to these roles.
pub fn next_steps(task: &Resource, roles: Roles) -> Vec<&'static str> {
    let from = task.root().text("status").unwrap_or("");
    let mut steps: Vec<&'static str> = machine(task)
        .iter()
        .filter(|(start, end, by)| {
            let may = match by {
                By::Requester => roles.requester,
                By::Target => roles.target,
                By::Either => roles.requester || roles.target,
            };
            *start == from && start != end && may
        })
        .map(|(_, end, _)| *end)
        .collect();
    if roles.requester && from != "entered-in-error" {
        steps.push("entered-in-error");
    }
    steps
}

/// The rules of a new Task.
pub fn check_new(task: &Resource) -> Vec<Issue> {
    let status = task.root().text("status").unwrap_or("");
    let first: &[&str] = if is_for_patient(task) { &["ready", "draft"] } else { &["draft", "requested"] };
    if first.contains(&status) {
        return Vec::new();
    }
    vec![rule("task-start", format!("a new Task starts as {}, found `{status}`", either(first))).at("Task.status")]
}

/// The rules of a change by someone with these roles, all that are broken.
pub fn check_change(from: &Resource, to: &Resource, roles: Roles) -> Vec<Issue> {
    let (old, new) = (from.root().text("status").unwrap_or(""), to.root().text("status").unwrap_or(""));
    let mut issues = Vec::new();
    let open = next_steps(from, roles);
    if old != new && !open.contains(&new) {
        let steps = if open.is_empty() { "none".to_string() } else { either(&open) };
        let text = format!("`{old}` cannot become `{new}` here; the steps open to you are {steps}");
        issues.push(rule("task-transition", text).at("Task.status"));
    }
    if old == new && is_over(old) && !roles.requester {
        issues.push(rule("task-over", format!("the Task is `{old}` and cannot be changed any more")).at("Task.status"));
    }
    let reason = to.root().get("statusReason");
    let states_reason = reason.text("text").is_some() || reason.each("coding").next().is_some();
    if old != new && matches!(new, "rejected" | "cancelled" | "failed") && !states_reason {
        let text = format!("`{new}` needs a `statusReason`, so that the sender learns why");
        issues.push(rule("task-reason", text).at("Task.statusReason"));
    }
    if !roles.requester {
        issues.extend(foreign_changes(from, to));
    }
    issues
}

/// What is stored when a target changes a Task: the target's elements as it sent them, all else as it was.
pub fn applied(mut stored: Resource, sent: &Resource) -> Resource {
    for name in TARGET_SETS {
        for name in [name.to_string(), format!("_{name}")] {
            match sent.root().object().and_then(|sent| sent.get(&name)) {
                Some(value) => stored.set(&name, value.clone()),
                None => stored.remove(&name),
            }
        }
    }
    stored
}

/// What a target changed that is not the target's.
fn foreign_changes(from: &Resource, to: &Resource) -> Vec<Issue> {
    let (Some(old), Some(new)) = (from.root().object(), to.root().object()) else { return Vec::new() };
    let mut issues = Vec::new();
    for name in old.keys().chain(new.keys().filter(|name| !old.contains_key(*name))) {
        let plain = name.trim_start_matches('_');
        let may = TARGET_SETS.contains(&plain) && (plain != "owner" || !old.contains_key("owner"));
        let same = if name == "meta" { same_meta(from.root(), to.root()) } else { old.get(name) == new.get(name) };
        if !may && !same {
            let text = format!("`Task.{name}` is the requester's: the owner sets {} alone", either(&TARGET_SETS));
            issues.push(rule("task-not-yours", text).at(format!("Task.{name}")));
        }
    }
    issues
}

fn same_meta(from: Element, to: Element) -> bool {
    ["profile", "security", "tag"].iter().all(|name| {
        let items = |root: Element| root.get("meta").object().and_then(|meta| meta.get(*name)).cloned();
        items(from) == items(to)
    })
}

fn machine(task: &Resource) -> &'static [Step] {
    if is_for_patient(task) { &PATIENT } else { &REFERRAL }
}

fn is_for_patient(task: &Resource) -> bool {
    task.root().get("meta").each("profile").any(|profile| profile.as_str() == Some(TASK_FOR_PATIENT))
}

fn rule(rule: &'static str, text: String) -> Issue {
    Issue::error("business-rule", rule, text)
}

/// `` `a`, `b` or `c` ``
fn either(words: &[&str]) -> String {
    let quoted: Vec<String> = words.iter().map(|word| format!("`{word}`")).collect();
    match quoted.split_last() {
        Some((last, rest)) if !rest.is_empty() => format!("{} or {last}", rest.join(", ")),
        _ => quoted.join(""),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const REQUESTER: Roles = Roles { requester: true, target: false };
    const TARGET: Roles = Roles { requester: false, target: true };
    const ALL: [&str; 10] = [
        "draft",
        "requested",
        "accepted",
        "rejected",
        "cancelled",
        "in-progress",
        "on-hold",
        "completed",
        "failed",
        "entered-in-error",
    ];

    fn task(status: &str) -> Resource {
        let reason = json!({"text": "no beds"});
        Resource::from_value(json!({"resourceType": "Task", "status": status, "statusReason": reason})).unwrap()
    }

    fn allowed(roles: Roles) -> Vec<(&'static str, &'static str)> {
        let pairs = ALL.iter().flat_map(|from| ALL.iter().map(move |to| (*from, *to)));
        pairs.filter(|(from, to)| from != to && check_change(&task(from), &task(to), roles).is_empty()).collect()
    }

    #[test]
    fn the_target_takes_exactly_the_targets_steps() {
        assert_eq!(
            allowed(TARGET),
            [
                ("requested", "accepted"),
                ("requested", "rejected"),
                ("requested", "cancelled"),
                ("accepted", "cancelled"),
                ("accepted", "in-progress"),
                ("accepted", "on-hold"),
                ("accepted", "completed"),
                ("accepted", "failed"),
                ("in-progress", "cancelled"),
                ("in-progress", "on-hold"),
                ("in-progress", "completed"),
                ("in-progress", "failed"),
                ("on-hold", "cancelled"),
                ("on-hold", "in-progress"),
                ("on-hold", "completed"),
                ("on-hold", "failed"),
            ]
        );
    }

    #[test]
    fn the_requester_asks_cancels_and_corrects_errors() {
        let steps: Vec<_> = allowed(REQUESTER).into_iter().filter(|(_, to)| *to != "entered-in-error").collect();
        assert_eq!(
            steps,
            [
                ("draft", "requested"),
                ("requested", "cancelled"),
                ("accepted", "cancelled"),
                ("in-progress", "cancelled"),
                ("on-hold", "cancelled"),
            ]
        );
    }

    #[test]
    fn an_unsuccessful_end_needs_its_reason() {
        let mut silent = task("rejected");
        silent.remove("statusReason");
        let issues = check_change(&task("requested"), &silent, TARGET);
        assert_eq!(issues[0].rule, "task-reason");
    }

    #[test]
    fn a_target_changes_only_what_is_its_own() {
        let mut changed = task("accepted");
        changed.set("priority", "urgent");
        changed.set("note", json!([{"text": "seen"}]));
        let issues = check_change(&task("requested"), &changed, TARGET);
        assert_eq!(issues.iter().map(|issue| issue.expression.as_str()).collect::<Vec<_>>(), ["Task.priority"]);
    }
}
