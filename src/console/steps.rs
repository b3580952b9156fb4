//! The steps that a referral's owner may take, as forms. Which are open is the gateway's to say.

use maud::{Markup, html};

use crate::fhir::Resource;
use crate::gateway::{Roles, is_over, next_steps};

use super::session::{Form, Signed};
use super::words::REASONS;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Wants {
    /// Nothing but the click.
    Nothing,
    /// A reason, and whether it must be given.
    Reason { must: bool },
    /// What was done.
    Outcome,
    /// A note alone; the status stays.
    Note,
}

/// A step as people know it.
#[derive(Debug)]
pub struct Step {
    /// The Task's status after it; `note` leaves it.
    pub to: &'static str,
    title: &'static str,
    hint: &'static str,
    wants: Wants,
}

/// In the order in which a page offers them.
const STEPS: [Step; 8] = [
    Step { to: "accepted", title: "Accept", hint: "Your agency takes this on.", wants: Wants::Nothing },
    Step { to: "in-progress", title: "Start work", hint: "Somebody is working on it now.", wants: Wants::Nothing },
    Step { to: "completed", title: "Complete", hint: "What was asked for was done.", wants: Wants::Outcome },
    Step {
        to: "on-hold",
        title: "Put on hold",
        hint: "It has to wait for something.",
        wants: Wants::Reason { must: false },
    },
    Step {
        to: "rejected",
        title: "Reject",
        hint: "Your agency does not take this on.",
        wants: Wants::Reason { must: true },
    },
    Step {
        to: "failed",
        title: "Could not complete",
        hint: "You tried, and it could not be done.",
        wants: Wants::Reason { must: true },
    },
    Step { to: "cancelled", title: "Cancel", hint: "It is not wanted any more.", wants: Wants::Reason { must: true } },
    Step { to: "note", title: "Add a note", hint: "Tell the sender something.", wants: Wants::Note },
];

/// What somebody entered, kept so that nobody types it twice.
#[derive(Clone, Debug, Default)]
pub struct Entered {
    pub step: String,
    pub version: String,
    pub reason: String,
    /// The reason in own words.
    pub details: String,
    pub outcome: String,
    pub note: String,
}

/// Whether the referral came to the user's agency.
pub fn is_ours(task: &Resource, signed: &Signed) -> bool {
    let owner = task.root().reference("owner");
    owner.and_then(|owner| owner.id_of("Organization")) == Some(signed.caller.partner())
}

/// The steps that are open to the user's agency.
pub fn open(task: &Resource, signed: &Signed) -> Vec<&'static Step> {
    if !is_ours(task, signed) {
        return Vec::new();
    }
    let next = next_steps(task, Roles { requester: false, target: true });
    let going = !is_over(task.root().text("status").unwrap_or(""));
    STEPS.iter().filter(|step| next.contains(&step.to) || (step.wants == Wants::Note && going)).collect()
}

impl Entered {
    pub fn read(form: &Form) -> Entered {
        let text = |name: &str| form.text(name).replace("\r\n", "\n");
        Entered {
            step: text("step"),
            version: text("version"),
            reason: text("reason"),
            details: text("details"),
            outcome: text("outcome"),
            note: text("note"),
        }
    }

    /// What is missing for a step, in words.
    pub fn problems(&self, step: &Step) -> Vec<String> {
        let known = REASONS.iter().any(|(code, _)| *code == self.reason);
        let mut problems = Vec::new();
        match step.wants {
            Wants::Reason { must: true } if !known => problems.push("Choose a reason.".to_string()),
            Wants::Reason { .. } if self.reason == "other" && self.details.is_empty() => {
                problems.push("Say in your own words what the other reason is.".to_string());
            }
            Wants::Outcome if self.outcome.is_empty() => problems.push("Say what was done.".to_string()),
            Wants::Note if self.note.is_empty() => problems.push("Write the note.".to_string()),
            _ => {}
        }
        problems
    }

    /// The reason's words: the choice, and what was added to it.
    pub fn reason_text(&self) -> Option<String> {
        let label = REASONS.iter().find(|(code, _)| *code == self.reason).map(|(_, label)| *label);
        match (label.filter(|_| self.reason != "other"), self.details.as_str()) {
            (Some(label), "") => Some(label.to_string()),
            (Some(label), details) => Some(format!("{label}: {details}")),
            (None, "") => None,
            (None, details) => Some(details.to_string()),
        }
    }
}

/// All open steps: the first one at hand, the others folded, except one that somebody has begun.
pub fn forms(task: &Resource, signed: &Signed, entered: &Entered) -> Markup {
    let steps = open(task, signed);
    let resumes = task.root().text("status") == Some("on-hold");
    let none = Entered::default();
    html! {
        @if !steps.is_empty() {
            section.steps aria-labelledby="steps" {
                h2 #steps { "What happens next?" }
                @for (at, step) in steps.iter().enumerate() {
                    @let begun = entered.step == step.to;
                    @let title = if resumes && step.to == "in-progress" { "Resume work" } else { step.title };
                    details.step open[at == 0 || begun] {
                        summary { strong { (title) } " " span.hint { (step.hint) } }
                        (form(task, signed, step, title, if begun { entered } else { &none }, at == 0))
                    }
                }
            }
        }
    }
}

fn form(task: &Resource, signed: &Signed, step: &Step, title: &str, entered: &Entered, first: bool) -> Markup {
    let id = |name: &str| format!("{}-{name}", step.to);
    html! {
        form method="post" action=(format!("/console/referrals/{}", task.id().unwrap_or(""))) {
            input type="hidden" name="seal" value=(signed.seal());
            input type="hidden" name="step" value=(step.to);
            input type="hidden" name="version" value=(task.version());
            @if let Wants::Reason { must } = step.wants { (reason(&id, must, entered)) }
            @if step.wants == Wants::Outcome {
                label for=(id("outcome")) { "What was done?" }
                textarea #(id("outcome")) name="outcome" rows="3" maxlength="4000" required { (entered.outcome) }
            }
            @let must = step.wants == Wants::Note;
            label for=(id("note")) { @if must { "Note" } @else { "Note to the sender (optional)" } }
            textarea #(id("note")) name="note" rows="2" maxlength="4000" required[must] { (entered.note) }
            button type="submit" class=[first.then_some("main")] { (title) }
        }
    }
}

fn reason(id: &impl Fn(&str) -> String, must: bool, entered: &Entered) -> Markup {
    html! {
        label for=(id("reason")) { @if must { "Why?" } @else { "Why? (optional)" } }
        select #(id("reason")) name="reason" required[must] {
            option value="" { @if must { "Choose a reason" } @else { "No reason given" } }
            @for (code, label) in REASONS { option value=(code) selected[entered.reason == code] { (label) } }
        }
        label for=(id("details")) { "In your own words (needed for “Another reason”)" }
        textarea #(id("details")) name="details" rows="2" maxlength="4000" { (entered.details) }
    }
}
