//! What would change if a Consent were filed, or one were taken back: gained and lost, partner by partner.
//!
//! The same question is put twice, to the consents as they are and to those that there would be. The draft counts as
//! it would when this asker files it (rules.md 17), and nothing of it is stored.

use std::collections::BTreeSet;

use serde_json::json;

use crate::audit::Record;
use crate::consent::{Action, Decision, Directive, is_purpose};
use crate::fhir::what_if::Asked;
use crate::fhir::{Instant, Issue, Resource, Severity};
use crate::partner::Partner;
use crate::profile::Against;
use crate::store::{Referral, ReferralState, Stored};

use crate::gateway::grounds::{Grounds, rows_of};
use crate::gateway::{Context, Error, No, place};

use super::answer::{Answers, Supposed};
use super::known::{Asker, people_of};
use super::{notes, purposes_and_action, record_rows, suppose, unknown};

/// Of each group, how many resources are named.
const EXAMPLES_MAX: usize = 5;
/// Most decisions of one answer; what does not fit is said.
const DECISIONS_MAX: usize = 400_000;
const PURPOSES_MAX: usize = 12;
const REFERRALS_MAX: usize = 500;
/// The id of what is not filed yet: no server id, and no client's either.
const DRAFT: &str = "the-draft";

/// What would be otherwise.
pub struct Change {
    pub patient: String,
    pub at: Instant,
    /// What it is about: the draft, or the Consent that would be taken back.
    pub of: &'static str,
    pub moved: Vec<Moved>,
    pub referrals: Vec<ReferralMoved>,
    pub notes: Vec<Issue>,
}

/// What one partner would gain or lose of one type for one purpose.
pub struct Moved {
    pub recipient: String,
    pub purpose: String,
    pub kind: String,
    pub gained: usize,
    pub lost: usize,
    /// Some of them, with the decision that there would be.
    pub examples: Vec<(String, bool, Decision)>,
}

/// What would become of an open referral.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    Cancelled,
    Released,
}

pub struct ReferralMoved {
    /// `Task/7`.
    pub task: String,
    pub owner: String,
    pub effect: Effect,
}

pub async fn change(
    ctx: &Context,
    asker: &Asker<'_>,
    partners: &[Partner],
    asked: &Asked,
    record: &mut Record,
) -> Result<Change, Error> {
    let patient = subject(ctx, asked, record).await?;
    record.patient = Some(patient.clone());
    let moment = ctx.now();
    let at = asked.at.unwrap_or(moment);
    let (rows, cut) = record_rows(ctx, &patient, None).await?;
    let person = ctx.store.for_decision("Patient", &patient).await?;
    let origin = person.as_ref().map(|person| person.origin.as_str());
    let knows_person = rows.iter().any(|row| asker.knows(row))
        || !asker.known(ctx, &rows, partners, (&patient, asker.partner()), false).await?.is_empty();
    if person.is_none() || !knows_person {
        // Whose consent it is is not told to who named the consent alone.
        return Err(match (&asked.patient, &asked.revoke) {
            (None, Some(id)) => unknown(record, "Consent", id),
            _ => unknown(record, "Patient", &patient),
        });
    }
    let mut issues = purposes_and_action(asked);
    if at < moment {
        let text = "`at`: expected now or later, since what is over cannot be changed";
        issues.push(Issue::error("value", "parameter-value", text).at("Parameters.parameter"));
    }
    let strange = asked.recipients.iter().filter(|id| !partners.iter().any(|one| one.id == **id));
    issues.extend(strange.map(|_| {
        let text = "`recipient`: expected the Organization of a partner of this exchange";
        Issue::error("value", "recipient-unknown", text).at("Parameters.parameter")
    }));
    issues.extend(asked.consent.iter().flat_map(|draft| problems(ctx, draft, asked, &patient)));
    if issues.iter().any(|issue| issue.severity == Severity::Error) {
        return Err(Error::No(No::Invalid, issues));
    }

    let people = people_of(rows.iter(), &patient, ctx.config.consent.people_max);
    let now = rows_of(ctx, &people).await?;
    let (of, then, consent) = match (&asked.consent, &asked.revoke) {
        (Some(draft), _) => {
            let (then, filed) = filed(ctx, asker, now.clone(), draft, &patient);
            ("consent", then, filed)
        }
        (None, id) => {
            let id = id.as_deref().unwrap_or("");
            let consent = now.iter().find(|row| row.kind == "Consent" && row.id == id);
            let Some(consent) = consent.filter(|row| asker.opens(row, origin) || origin == Some(asker.partner()))
            else {
                return Err(unknown(record, "Consent", id));
            };
            let Some(resource) = consent.resource() else { return Err(unknown(record, "Consent", id)) };
            ("revoke", taken_back(ctx, &now, consent, resource.clone()), resource)
        }
    };
    let consents = now.iter().filter(|row| row.kind == "Consent").count();
    let before = Grounds::of_rows(ctx, &people, &now).await?;
    let after = Grounds::of_rows(ctx, &people, &then).await?;
    let told = asker.told(&then, &patient, "");

    let mut change = Change { patient, at, of, moved: Vec::new(), referrals: Vec::new(), notes: notes(cut) };
    change.notes.extend(issues);
    let mentioned = mentioned(&consent);
    let all: Vec<String> = partners.iter().map(|one| one.id.clone()).collect();
    let recipients = if asked.recipients.is_empty() { &all } else { &asked.recipients };
    let (mut budget, mut left_out) = (DECISIONS_MAX, 0);
    for recipient in recipients {
        let known = asker.known(ctx, &rows, partners, (&change.patient, recipient), false).await?;
        let purposes = purposes(asked, partners, recipient, &mentioned);
        let cost = 2 * purposes.len() * (known.len() + consents);
        if cost > budget {
            left_out += 1;
            continue;
        }
        budget -= cost;
        for purpose in purposes {
            let supposed = suppose(asked, recipient, vec![purpose], at);
            moved(ctx, (&before, &after), &supposed, &known, &mut change.moved);
            // A long answer lets others have their turn.
            tokio::task::yield_now().await;
        }
    }
    if left_out > 0 {
        let text =
            format!("{left_out} partners were left out, since it would be too much at once: name them as `recipient`");
        change.notes.push(Issue::warning("too-costly", "recipients-left-out", text));
    }
    let open = ctx.store.referrals_of(&change.patient, REFERRALS_MAX).await?;
    for referral in open {
        let task = rows.iter().find(|row| row.kind == "Task" && row.id == referral.task && asker.knows(row));
        let effect = task.and_then(|task| turned(ctx, (&before, &after), partners, &referral, task, at));
        if let Some(effect) = effect {
            let task = format!("Task/{}", referral.task);
            change.referrals.push(ReferralMoved { task, owner: referral.owner, effect });
        }
    }
    for moved in change.moved.iter_mut().filter(|moved| moved.recipient != asker.partner()) {
        let examples = std::mem::take(&mut moved.examples).into_iter();
        let told = |decision: Decision| decision.told(|consent| told.contains(consent));
        moved.examples = examples.map(|(key, seen, decision)| (key, seen, told(decision))).collect();
    }
    Ok(change)
}

/// Whose consent it is: the person who is named, or whom the draft or the Consent names.
async fn subject(ctx: &Context, asked: &Asked, record: &mut Record) -> Result<String, Error> {
    if let Some(patient) = &asked.patient {
        return Ok(patient.clone());
    }
    if let Some(draft) = &asked.consent {
        let named = draft.root().reference("patient").and_then(|patient| patient.id_of("Patient").map(str::to_string));
        return named.ok_or_else(|| {
            let text = "`patient`: expected the Patient whose consent it is, as a parameter or in the Consent";
            Error::one(No::Invalid, Issue::error("required", "parameter-value", text).at("Parameters.parameter"))
        });
    }
    let id = asked.revoke.as_deref().unwrap_or("");
    let stored = ctx.store.for_decision("Consent", id).await?;
    stored.and_then(|stored| stored.patient).ok_or_else(|| unknown(record, "Consent", id))
}

/// What filing it would say.
fn problems(ctx: &Context, draft: &Resource, asked: &Asked, patient: &str) -> Vec<Issue> {
    let mut issues = ctx.profiles.examine(draft, &Against::default()).0;
    issues.extend(Directive::problems(draft, &ctx.regimes()));
    if draft.root().reference("patient").is_some_and(|named| named.id_of("Patient") != Some(patient)) {
        let text = "expected the Patient that `patient` names";
        issues.push(Issue::error("value", "identity", text).at("Consent.patient"));
    }
    issues.into_iter().filter(|issue| issue.rule != "ok").map(|issue| issue.within(&asked.consent_at)).collect()
}

/// The consents that there would be, had the asker filed the draft: as a new one, or over one of its own.
fn filed(
    ctx: &Context,
    asker: &Asker,
    mut rows: Vec<Stored>,
    draft: &Resource,
    patient: &str,
) -> (Vec<Stored>, Resource) {
    let mut draft = draft.clone();
    let is_over = |row: &Stored| row.kind == "Consent" && Some(row.id.as_str()) == draft.id() && asker.knows(row);
    let over = rows.iter().position(is_over).map(|place| rows.remove(place));
    let (id, version, origin) = match &over {
        Some(row) => (row.id.clone(), row.version + 1, row.origin.clone()),
        None => (DRAFT.to_string(), 1, asker.partner().to_string()),
    };
    let latest = rows.iter().chain(&over).map(|row| row.updated_at.plus_millis(1)).max();
    draft.stamp(&id, version, latest.unwrap_or(Instant::MIN).max(ctx.now()), &format!("Organization/{origin}"));
    // A draft is asked about as if it were signed.
    if matches!(draft.root().text("status"), Some("draft" | "proposed")) {
        draft.set("status", "active");
    }
    let holder = place::organization(&draft, "organization");
    rows.push(Stored::supposed(draft.clone(), &origin, holder, Some(patient.to_string())));
    (rows, draft)
}

/// The consents that there would be, had one been revoked: it is still there, and no longer in force (R10).
fn taken_back(ctx: &Context, now: &[Stored], consent: &Stored, mut resource: Resource) -> Vec<Stored> {
    resource.set("status", json!("inactive"));
    let updated_at = ctx.now().max(consent.updated_at.plus_millis(1));
    resource.stamp(&consent.id, consent.version + 1, updated_at, &format!("Organization/{}", consent.origin));
    let supposed = Stored::supposed(resource, &consent.origin, consent.holder.clone(), consent.patient.clone());
    let others = now.iter().filter(|row| row.kind != "Consent" || row.id != consent.id);
    others.cloned().chain([supposed]).collect()
}

/// The purposes that are asked for one by one: those named, else the partner's own and those of the Consent.
fn purposes(asked: &Asked, partners: &[Partner], recipient: &str, mentioned: &BTreeSet<String>) -> Vec<String> {
    if !asked.purposes.is_empty() {
        return asked.purposes.clone();
    }
    let own = partners.iter().find(|one| one.id == recipient).map(|one| one.default_purpose().to_string());
    let others = mentioned.iter().filter(|purpose| Some(*purpose) != own.as_ref()).cloned();
    own.clone().into_iter().chain(others).take(PURPOSES_MAX).collect()
}

fn mentioned(consent: &Resource) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    consent.root().get("provision").walk(&mut |element| {
        found.extend(element.codings("purpose").iter().map(|coding| coding.code.to_string()));
    });
    found.retain(|code| is_purpose(code));
    found
}

fn moved(
    ctx: &Context,
    (before, after): (&Grounds, &Grounds),
    supposed: &Supposed,
    known: &[&Stored],
    found: &mut Vec<Moved>,
) {
    let (mut was, mut would_be) = (Answers::new(ctx, before, supposed), Answers::new(ctx, after, supposed));
    let purpose = supposed.purposes.first().cloned().unwrap_or_default();
    for row in known {
        let (was, would_be) = (was.of(row), would_be.of(row));
        if was.seen == would_be.seen {
            continue;
        }
        let Some(decision) = would_be.decision else { continue };
        let is_same = |moved: &&mut Moved| {
            moved.recipient == supposed.recipient && moved.purpose == purpose && moved.kind == row.kind
        };
        if found.last_mut().filter(is_same).is_none() {
            found.push(Moved {
                recipient: supposed.recipient.clone(),
                purpose: purpose.clone(),
                kind: row.kind.clone(),
                gained: 0,
                lost: 0,
                examples: Vec::new(),
            });
        }
        let Some(moved) = found.last_mut() else { continue };
        if would_be.seen {
            moved.gained += 1
        } else {
            moved.lost += 1
        }
        if moved.examples.len() < EXAMPLES_MAX {
            moved.examples.push((format!("{}/{}", row.kind, row.id), would_be.seen, decision));
        }
    }
}

/// What would become of a referral, decided as the flow that files it does.
fn turned(
    ctx: &Context,
    (before, after): (&Grounds, &Grounds),
    partners: &[Partner],
    referral: &Referral,
    task: &Stored,
    at: Instant,
) -> Option<Effect> {
    let task = task.as_resource()?;
    let supposed = Supposed {
        recipient: referral.owner.clone(),
        practitioner: None,
        roles: Vec::new(),
        purposes: referral.purposes.clone(),
        action: Action::Disclose,
        at,
    };
    let permits = |grounds: &Grounds| Answers::new(ctx, grounds, &supposed).decide(task).permits();
    let is_partner = partners.iter().any(|one| one.id == referral.owner);
    match (referral.state, permits(before), permits(after)) {
        (ReferralState::Live, true, false) => Some(Effect::Cancelled),
        (ReferralState::Held, false, true) if is_partner => Some(Effect::Released),
        _ => None,
    }
}
