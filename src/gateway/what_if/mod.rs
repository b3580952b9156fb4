//! "What if": what a partner would see of a person, why, and what would change (`Consent/$decide`).
//!
//! A question is decided as it would be, with the consents of that moment: those of the past as they were recorded
//! then, those of the future as time alone leaves them. An answer holds ids, reasons and counts, never a body, and
//! speaks of nothing that the asker may not know of (`known`). Nothing is stored but that it was asked.

mod answer;
mod change;
mod known;
mod page;

pub use change::{Change, Effect as ReferralEffect, Moved, ReferralMoved};

use crate::audit::{Record, Refusal};
use crate::auth::Caller;
use crate::consent::{Action, Decision, Effect, is_purpose};
use crate::fhir::what_if::Asked;
use crate::fhir::{Instant, Issue};
use crate::partner::Partner;
use crate::store::{Fault, Stored};

use super::grounds::{Grounds, rows_of};
use super::record::{self, Request};
use super::{Context, Error, No};
use answer::{Answers, Supposed};
pub(super) use known::Asker;
use known::people_of;

/// Most resources of one person that an answer is worked out on.
const RECORD_MAX: usize = 10_000;
/// No bound: a consent that was left out would be a deny that was not heard.
const ALL: usize = i64::MAX as usize;
const COUNT: usize = 50;
const COUNT_MAX: usize = 500;
/// What decisions about a person read, besides the agencies.
const GROUNDS: [&str; 7] = ["Patient", "Consent", "CareTeam", "RelatedPerson", "Encounter", "Provenance", "Group"];

/// The answer.
pub enum Told {
    Seen(Seen),
    Change(Change),
}

/// What one partner would see.
pub struct Seen {
    pub patient: String,
    pub recipient: String,
    pub purposes: Vec<String>,
    pub action: Action,
    pub at: Instant,
    pub data_then: bool,
    /// As `handoff decide` says it, over what the asker may know of.
    pub decision: &'static str,
    pub obligations: Vec<String>,
    pub counts: Vec<Count>,
    /// One page, in the order of types and ids.
    pub rows: Vec<Row>,
    pub next: Option<String>,
    pub notes: Vec<Issue>,
}

/// Of one type.
#[derive(Clone, Debug, PartialEq)]
pub struct Count {
    pub kind: String,
    pub seen: usize,
    pub withheld: usize,
}

pub struct Row {
    pub key: String,
    pub seen: bool,
    pub why: &'static str,
    pub decision: Option<Decision>,
}

/// # Errors
/// Parameters that do not fit together or name nobody; unknown, for a person or a Consent that the asker may not know of.
pub async fn what_if(ctx: &Context, caller: &Caller, request: &Request, asked: Asked) -> Result<Told, Error> {
    let partners = ctx.partners().await?;
    let asker = Asker::new(ctx, caller).await?;
    let mut record = record::start(ctx, caller, request, "decide", "Consent/$decide".to_string());
    record.parameters = parameters(&asked);
    let told = if asked.consent.is_some() || asked.revoke.is_some() {
        change::change(ctx, &asker, &partners, &asked, &mut record).await.map(Told::Change)
    } else {
        seen(ctx, &asker, &partners, &asked, &mut record).await.map(Told::Seen)
    };
    if let Ok(_) | Err(Error::No(No::Unknown, _)) = &told {
        record::keep(ctx, &record).await?;
    }
    told
}

async fn seen(
    ctx: &Context,
    asker: &Asker<'_>,
    partners: &[Partner],
    asked: &Asked,
    record: &mut Record,
) -> Result<Seen, Error> {
    let behind = page::open(ctx, asker.partner(), asked.page.as_deref())?;
    // Asked for once: what is decided now is decided at one moment.
    let now = ctx.now();
    let (patient, supposed) = question(partners, asked, now)?;
    record.patient = Some(patient.clone());
    let data_then = asked.data_then && supposed.at < now;
    let (rows, cut) = record_rows(ctx, &patient, data_then.then_some(supposed.at)).await?;
    let known = asker.known(ctx, &rows, partners, (&patient, &supposed.recipient), data_then).await?;
    if known.is_empty() && !rows.iter().any(|row| asker.knows(row)) {
        return Err(unknown(record, "Patient", &patient));
    }
    let people = people_of(rows.iter(), &patient, ctx.config.consent.people_max);
    let past = (supposed.at < now).then_some(supposed.at);
    let filed = ground_rows(ctx, &people, past).await?;
    let grounds = Grounds::of_rows(ctx, &people, &filed).await?;
    let told = asker.told(&filed, &patient, &supposed.recipient);

    let mut answers = Answers::new(ctx, &grounds, &supposed);
    let (mut counts, mut decisions, mut page) = (Vec::<Count>::new(), Decisions::default(), Vec::new());
    let limit = asked.count.unwrap_or(COUNT).clamp(1, COUNT_MAX);
    for row in known {
        let outcome = answers.of(row);
        decisions.add(&outcome);
        match counts.last_mut().filter(|count| count.kind == row.kind) {
            Some(count) => *count = count.with(outcome.seen),
            None => counts.push(Count { kind: row.kind.clone(), seen: 0, withheld: 0 }.with(outcome.seen)),
        }
        let place = (row.kind.clone(), row.id.clone());
        if page.len() <= limit && behind.as_ref().is_none_or(|behind| place > *behind) {
            let key = format!("{}/{}", row.kind, row.id);
            let decision = outcome.decision.map(|decision| decision.told(|consent| told.contains(consent)));
            page.push(Row { key, seen: outcome.seen, why: outcome.why, decision });
        }
    }
    let more = page.len() > limit;
    page.truncate(limit);
    let next = page.last().filter(|_| more).and_then(|last| page::seal(ctx, asker.partner(), &last.key));
    Ok(Seen {
        patient,
        recipient: supposed.recipient.clone(),
        decision: decisions.whole(),
        obligations: decisions.obligations.into_iter().collect(),
        purposes: supposed.purposes.clone(),
        action: supposed.action,
        at: supposed.at,
        data_then,
        counts,
        rows: page,
        next,
        notes: notes(cut),
    })
}

/// Who would ask, for what, when; what does not fit is said at once.
fn question(partners: &[Partner], asked: &Asked, now: Instant) -> Result<(String, Supposed), Error> {
    let mut issues = Vec::new();
    let mut expect = |rule: &'static str, text: String| {
        issues.push(Issue::error("value", rule, text).at("Parameters.parameter"));
    };
    if asked.patient.is_none() {
        expect("parameter-value", "`patient`: expected the Patient whose record it is about".to_string());
    }
    if asked.recipients.len() != 1 {
        expect("parameter-value", "`recipient`: expected one Organization of a partner".to_string());
    }
    let recipient = asked.recipients.first().and_then(|id| partners.iter().find(|one| one.id == *id));
    if recipient.is_none() && asked.recipients.len() == 1 {
        expect("recipient-unknown", "`recipient`: expected the Organization of a partner of this exchange".to_string());
    }
    issues.extend(purposes_and_action(asked));
    let (Some(patient), Some(recipient), true) = (&asked.patient, recipient, issues.is_empty()) else {
        return Err(Error::No(No::Invalid, issues));
    };
    let default = || vec![recipient.default_purpose().to_string()];
    let purposes = if asked.purposes.is_empty() { default() } else { asked.purposes.clone() };
    Ok((patient.clone(), suppose(asked, &recipient.id, purposes, asked.at.unwrap_or(now))))
}

fn suppose(asked: &Asked, recipient: &str, purposes: Vec<String>, at: Instant) -> Supposed {
    Supposed {
        recipient: recipient.to_string(),
        practitioner: asked.practitioner.clone(),
        roles: asked.roles.clone(),
        purposes,
        action: asked.action.as_deref().and_then(Action::named).unwrap_or(Action::Access),
        at,
    }
}

fn purposes_and_action(asked: &Asked) -> Vec<Issue> {
    let strange = asked.purposes.iter().any(|purpose| !is_purpose(purpose));
    let purpose = strange.then(|| "`purpose`: expected codes of v3-ActReason that are purposes of use".to_string());
    let action = asked.action.as_deref().map(|code| (code, Action::named(code)));
    let action = match action {
        None | Some((_, Some(Action::Access | Action::Disclose | Action::Correct))) => None,
        // What is not there yet is nobody's to see.
        Some(_) => Some("`action`: expected `access`, `disclose` or `correct`".to_string()),
    };
    let issue = |text: String| Issue::error("value", "parameter-value", text).at("Parameters.parameter");
    purpose.into_iter().chain(action).map(issue).collect()
}

/// A person's record, now or as it was; whether there is more of it than is looked at.
async fn record_rows(ctx: &Context, patient: &str, then: Option<Instant>) -> Result<(Vec<Stored>, bool), Fault> {
    let mut rows = match then {
        Some(at) => ctx.store.record_as_of(patient, &[], at, RECORD_MAX + 1).await?,
        None => ctx.store.record_of(patient, RECORD_MAX + 1).await?,
    };
    let cut = rows.len() > RECORD_MAX;
    rows.truncate(RECORD_MAX);
    Ok((rows, cut))
}

/// What decides about people: now, or as it was recorded then.
async fn ground_rows(ctx: &Context, people: &[String], then: Option<Instant>) -> Result<Vec<Stored>, Fault> {
    let Some(at) = then else { return rows_of(ctx, people).await };
    let mut rows = Vec::new();
    for patient in people {
        let found = ctx.store.record_as_of(patient, &GROUNDS, at, ALL).await?;
        rows.extend(found.into_iter().filter(|row| row.patient.as_deref() == Some(patient)));
        rows.extend(ctx.store.said_by(patient, at).await?);
    }
    Ok(rows)
}

/// The one answer for what does not exist and for what may not be known; the log has the attempt.
fn unknown(record: &mut Record, kind: &str, id: &str) -> Error {
    record.patient = None;
    record.target = format!("{kind}/{id}");
    let (key, why) = (record.target.clone(), "unknown".to_string());
    record.refused.push(Refusal { key, patient: None, party: None, why, decision: None });
    Error::unknown(kind, id)
}

fn notes(cut: bool) -> Vec<Issue> {
    let text = format!("the record is longer than {RECORD_MAX} resources: the rest was not looked at");
    cut.then(|| Issue::warning("incomplete", "record-cut", text)).into_iter().collect()
}

/// What was asked, without the person and the draft: codes and partners.
fn parameters(asked: &Asked) -> Vec<String> {
    let named =
        |name: &str, values: &[String]| values.iter().map(|value| format!("{name}={value}")).collect::<Vec<_>>();
    let mut said = named("recipient", &asked.recipients);
    said.extend(named("purpose", &asked.purposes));
    said.extend(asked.action.iter().map(|action| format!("action={action}")));
    said.extend(asked.at.iter().map(|at| format!("at={at}")));
    said.extend(asked.data_then.then(|| "data=then".to_string()));
    said.extend(asked.consent.is_some().then(|| "consent".to_string()));
    said.extend(asked.revoke.iter().map(|id| format!("revoke=Consent/{id}")));
    said
}

impl Count {
    fn with(&self, seen: bool) -> Count {
        let (yes, no) = if seen { (1, 0) } else { (0, 1) };
        Count { kind: self.kind.clone(), seen: self.seen + yes, withheld: self.withheld + no }
    }
}

/// What many decisions come to, as consent.md says it of a request.
#[derive(Default)]
struct Decisions {
    released: bool,
    decided: bool,
    denied: bool,
    indeterminate: bool,
    withheld: bool,
    obligations: std::collections::BTreeSet<String>,
}

impl Decisions {
    fn add(&mut self, outcome: &answer::Outcome) {
        self.released |= outcome.seen;
        self.withheld |= !outcome.seen;
        let Some(decision) = &outcome.decision else { return };
        self.decided |= decision.is_decided();
        self.denied |= !outcome.seen && decision.is_decided() && decision.effect() == Effect::Deny;
        self.indeterminate |= decision.effect() == Effect::Indeterminate;
        if outcome.seen {
            self.obligations.extend(decision.obligations().iter().cloned());
        }
    }

    fn whole(&self) -> &'static str {
        match self {
            Decisions { released: true, decided: true, .. } => "permit",
            Decisions { released: true, .. } => "no-consent",
            Decisions { denied: true, .. } => "deny",
            Decisions { indeterminate: true, .. } => "indeterminate",
            _ => "no-consent",
        }
    }
}
