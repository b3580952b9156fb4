//! Plain words for codes, and for what FHIR says in many elements: a name, a service, a moment.

use crate::consent::Footing;
use crate::fhir::{Element, Instant, Issue, Resource, Zone};
use crate::gateway::Shown;
use crate::partner::Role;

/// Ours, for why a step was taken.
pub const STATUS_REASON: &str = "https://handoff.example/fhir/CodeSystem/status-reason";

/// The reasons that a form offers; `other` wants words.
pub const REASONS: [(&str, &str); 5] = [
    ("at-capacity", "No capacity"),
    ("not-eligible", "Not eligible"),
    ("unable-to-contact", "Could not reach the person"),
    ("client-declined", "The person declined"),
    ("other", "Another reason"),
];

pub fn role(role: Role) -> &'static str {
    match role {
        Role::Compliance => "compliance",
        Role::CaseManager => "case manager",
        Role::AgencyStaff => "agency staff",
        Role::Supervisor => "supervisor",
        Role::Operator => "operator",
    }
}

/// A Task's status.
pub fn status(code: &str) -> &str {
    match code {
        "draft" => "Draft, not sent yet",
        "requested" | "received" | "ready" => "Waiting for an answer",
        "accepted" => "Accepted, not started",
        "rejected" => "Rejected",
        "cancelled" => "Cancelled",
        "in-progress" => "In progress",
        "on-hold" => "On hold",
        "completed" => "Completed",
        "failed" => "Could not be completed",
        "entered-in-error" => "Entered by mistake",
        other => other,
    }
}

/// Why a Task waits with the exchange, from its business status.
pub fn held(code: &str) -> Option<&'static str> {
    Some(match code {
        "held-no-consent" => {
            "Held: no consent of the person lets the other agency see it. It is sent by itself as soon as one does."
        }
        "held-no-route" => "Held: the agency it is addressed to is not on this exchange. Choose one that is.",
        "held-identity" => "Held: it is not certain yet who the person is.",
        "held-capacity" => "Held: the agency has no capacity now.",
        _ => return None,
    })
}

/// What was done, after it was done.
pub fn done(step: &str) -> Option<&'static str> {
    Some(match step {
        "accepted" => "You accepted the referral. The sender can see it now.",
        "rejected" => "You rejected the referral. The sender can see it and your reason.",
        "in-progress" => "Marked as in progress.",
        "on-hold" => "Put on hold.",
        "completed" => "Completed. The sender can see what was done.",
        "failed" => "Closed as could not be completed. The sender can see your reason.",
        "cancelled" => "Cancelled. The sender can see your reason.",
        "note" => "Your note was added.",
        _ => return None,
    })
}

/// A purpose of use.
pub fn purpose(code: &str) -> &str {
    match code {
        "TREAT" => "treatment",
        "COC" => "coordination of care",
        "ETREAT" => "emergency treatment",
        "BTG" => "emergency, break the glass",
        "HPAYMT" => "payment",
        "HOPERAT" => "operations",
        "HCOMPL" => "compliance",
        "HSYSADMIN" => "running the exchange",
        "HRESCH" => "research",
        "PUBHLTH" => "public health",
        "PATRQT" => "the person’s own request",
        other => other,
    }
}

/// A record's verdict, as [`crate::audit::Verdict`] writes it.
pub const VERDICTS: [(&str, &str); 5] = [
    ("permit", "allowed by consent"),
    ("deny", "refused"),
    ("own", "own data"),
    ("held", "held: no consent"),
    ("open", "no personal data"),
];

pub fn verdict(code: &str) -> &str {
    VERDICTS.iter().find(|(verdict, _)| *verdict == code).map_or(code, |(_, words)| words)
}

/// What a request did, in the words of a sentence about the caller.
pub fn interaction(code: &str) -> &str {
    match code {
        "read" => "read",
        "vread" => "read an older version of",
        "history-instance" => "read the history of",
        "search-type" => "searched",
        "create" => "created",
        "update" => "changed",
        "delete" => "deleted",
        "transaction" => "sent",
        "batch" => "sent one by one",
        "delivery" => "was sent",
        "recheck" => "rechecked",
        "decide" => "asked what would be seen",
        "reading" => "read in plain words",
        "revoke" => "revoked",
        "verify" => "verified",
        "work-list" => "looked at the work list of",
        "work-done" => "took off the work list",
        "enforcement-status" => "asked how enforced is",
        "emergency-access" => "declared an emergency of",
        other => other,
    }
}

/// What became of a resource that a record names.
pub fn deed(shown: &Shown) -> &'static str {
    match shown.why.as_str() {
        "written" => "stored",
        "referred" | "delivered" => "sent",
        "withdrawn" => "withdrawn",
        _ if shown.released => "shown",
        _ => "not shown",
    }
}

/// Why something was shown or not.
pub fn why(code: &str) -> &str {
    match code {
        "own" => "the agency’s own data",
        "directory" => "in the directory, open to all agencies",
        "consent" => "a consent allows it",
        "written" => "the caller wrote it",
        "referred" => "referred, a consent allows it",
        "delivered" => "a consent allows it",
        "deny" => "refused",
        "indeterminate" => "no consent could be applied with certainty",
        "no-consent" => "no consent says anything about it",
        "held" => "held until a consent allows it",
        "withdrawn" => "the consent ended or was revoked",
        "compliance" => "opened by compliance",
        "not-opened" => "not opened by any consent",
        "unknown" => "not known here",
        other => other,
    }
}

/// What a rule of the decision is about (reference/consent.md).
pub fn rule(code: &str) -> Option<&'static str> {
    Some(match code {
        "R1" => "whether the consent is usable",
        "R2" => "the consent’s main choice",
        "R3" | "R4" => "a provision of the consent",
        "R5" => "time limits",
        "R6" => "purpose of use",
        "R7" => "sensitive topics",
        "R8" => "confidentiality",
        "R9" => "no confidentiality given",
        "R10" => "several consents, or the default when none applies",
        "R11" => "several people in one record",
        "R12" => "several purposes",
        "R13" => "something in the consent is not understood",
        "R14" => "who receives it",
        "R15" => "the law",
        _ => return None,
    })
}

/// How a Consent stands: its colour, and a word or two.
pub fn standing(standing: Footing) -> (&'static str, &'static str) {
    match standing {
        Footing::InForce => ("is-completed", "In force"),
        Footing::NotYet => ("is-requested", "Not yet"),
        Footing::Ended => ("", "Ended"),
        Footing::TakenBack => ("is-cancelled", "Taken back"),
        Footing::Rejected => ("is-rejected", "Turned down"),
        Footing::Mistake => ("is-rejected", "Filed by mistake"),
        Footing::Draft => ("", "Draft"),
        Footing::Replaced => ("", "Replaced"),
        Footing::DeniesOnly => ("is-on-hold", "Replaced, only its no counts"),
        Footing::Awaiting => ("is-on-hold", "Waiting for verification"),
        Footing::Unproved => ("is-on-hold", "Not proved"),
        Footing::Other => ("", "Not about sharing"),
    }
}

/// A Consent's status.
pub fn consent_status(code: &str) -> &str {
    match code {
        "active" => "signed",
        "inactive" => "taken back",
        "draft" | "proposed" => "a draft",
        "rejected" => "turned down",
        "entered-in-error" => "filed by mistake",
        other => other,
    }
}

/// What a reason does.
pub fn effect(code: &str) -> &str {
    match code {
        "permit" => "says yes",
        "deny" => "says no",
        "indeterminate" => "is not understood here",
        other => other,
    }
}

/// That parts of a Consent are not enforced.
pub fn parts(count: usize) -> String {
    if count == 1 {
        "One part of it is not understood.".to_string()
    } else {
        format!("{count} parts of it are not understood.")
    }
}

/// With a capital at its beginning.
pub fn capital(words: &str) -> String {
    let mut letters = words.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}

/// A problem in words for someone who filled in a form.
pub fn issue(issue: &Issue) -> String {
    match issue.rule {
        "stale" | "conflict" => {
            "Somebody changed this referral while you had it open. Below is how it stands now; check it, then send your answer again."
                .to_string()
        }
        "task-transition" | "task-over" => moved_on(),
        "task-reason" => "Please say why, so that the sender learns the reason.".to_string(),
        "reference-unresolved" => format!(
            "The exchange did not accept this, because your agency may not see something that it points at ({}). Ask the sender to check the person’s consent.",
            issue.expression
        ),
        "collect-denied" => {
            "A consent of the person does not let your agency add to their record, so that nothing was stored."
                .to_string()
        }
        _ => issue.text.clone(),
    }
}

pub fn moved_on() -> String {
    "This step is not possible any more: the referral has moved on. Below is how it stands now.".to_string()
}

/// A CodeableConcept in its own words.
pub fn concept(concept: Element) -> Option<String> {
    let coded = |name: &str| concept.each("coding").find_map(|coding| coding.text(name));
    concept.text("text").or_else(|| coded("display")).or_else(|| coded("code")).map(str::to_string)
}

/// A person's name: the official one, else the first.
pub fn person(patient: &Resource) -> Option<String> {
    let names: Vec<Element> = patient.root().each("name").collect();
    let name = names.iter().find(|name| name.text("use") == Some("official")).or(names.first())?;
    if let Some(text) = name.text("text") {
        return Some(text.to_string());
    }
    let parts: Vec<&str> = name.each("given").filter_map(Element::as_str).chain(name.text("family")).collect();
    (!parts.is_empty()).then(|| parts.join(" "))
}

/// `22 Nov 2026, 16:05`
pub fn moment(zone: &Zone, at: Instant) -> String {
    zone.civil(at).strftime("%-d %b %Y, %H:%M").to_string()
}

/// A FHIR date or dateTime as far as it goes: `22 Nov 2026`, else as it was written.
pub fn date(text: &str) -> String {
    let day = text.get(..10).and_then(|day| day.parse::<jiff::civil::Date>().ok());
    day.map_or_else(|| text.to_string(), |day| day.strftime("%-d %b %Y").to_string())
}
