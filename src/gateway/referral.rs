//! A referral's disclosure: to whom a Task goes, whether that is permitted, and what follows when it changes.
//!
//! A Task whose disclosure is not permitted is held, never lost: stored with a business status that says so, and
//! released by whatever later write makes the decision turn. One that was disclosed and no longer may be is
//! withdrawn in the same transaction that turned the decision (rules.md 14, 16).

use serde_json::json;

use crate::audit::{Disclosure, Record, Refusal};
use crate::consent::{Action, Decision};
use crate::fhir::{Instant, Issue, Resource};
use crate::partner::{Mode, Partner};
use crate::profile::Against;
use crate::store::{Delivery, DeliveryState, Fault, Referral, ReferralState, Stored, Tx};

use super::record::Request;
use super::transition::is_over;
use super::{Asking, Context, Error, grants, grounds, person, place, record};

const BUSINESS_STATUS: &str = "https://handoff.example/fhir/CodeSystem/business-status";

/// To whom a Task would go, and what was decided about that.
pub struct Outlook {
    /// The owner's partner; the reference as it was sent when that is no partner.
    owner: String,
    mode: Option<Mode>,
    /// The purposes that the Task was filed with.
    purposes: Vec<String>,
    decision: Option<Decision>,
    changes_at: Option<Instant>,
}

impl Outlook {
    fn permitted(&self) -> Option<&Decision> {
        self.decision.as_ref().filter(|decision| decision.permits() && self.mode.is_some())
    }

    fn held_status(&self) -> &'static str {
        if self.mode.is_some() { "held-no-consent" } else { "held-no-route" }
    }
}

/// What a person's referrals are judged with, once a transaction.
pub struct Desk<'a> {
    pub ctx: &'a Context,
    pub partners: &'a [Partner],
}

impl Desk<'_> {
    /// Judges a Task's disclosure to its owner for the purposes it was filed with. `None`: it goes to nobody, or
    /// to the one who filed it.
    pub async fn judge(
        &self,
        tx: &mut Tx,
        bucket: i64,
        task: &Resource,
        purposes: &[String],
        origin: &str,
    ) -> Result<Option<Outlook>, Fault> {
        if task.root().text("status") == Some("draft") {
            return Ok(None);
        }
        let Some(owner) = self.owner(tx, task).await? else { return Ok(None) };
        if owner == origin {
            return Ok(None);
        }
        let partner = self.partners.iter().find(|partner| partner.id == owner);
        let asking = Asking::of(&owner, purposes, Action::Disclose);
        let patients = person::patients(task);
        let grounds = grounds::grounds_within(self.ctx, tx, bucket, &patients).await?;
        let decision = grounds.decide(self.ctx, &asking, task);
        let changes_at = patients.iter().filter_map(|patient| grounds.changes_at(self.ctx, &asking, patient)).min();
        Ok(Some(Outlook {
            owner,
            mode: partner.map(|partner| partner.mode),
            purposes: asking.purposes,
            decision: Some(decision),
            changes_at,
        }))
    }

    /// As [`owner`], seeing what this transaction wrote.
    async fn owner(&self, tx: &mut Tx, task: &Resource) -> Result<Option<String>, Fault> {
        let role = task.root().reference("owner").and_then(|owner| owner.id_of("PractitionerRole"));
        let role = match role {
            Some(id) => tx.current("PractitionerRole", id).await?,
            None => None,
        };
        Ok(owner_with(task, employer(&self.ctx.agencies().await?.shelters, task, role)))
    }

    /// What follows when something has changed that decides about a person: referrals are judged again, and what is
    /// granted is written anew.
    pub async fn turned(&self, tx: &mut Tx, home: i64, patient: &str, record: &mut Record) -> Result<(), Error> {
        let open = tx.open_referrals(home, patient).await?;
        self.reconsider(tx, open, record).await?;
        Ok(grants::renew_all(self.ctx, tx, patient).await?)
    }

    /// Writes down where a referral stands, puts a permitted one into the outbox unless its owner is who changed it
    /// (`push`), and says so in the record.
    pub async fn settle(
        &self,
        tx: &mut Tx,
        bucket: i64,
        task: &Resource,
        outlook: &Outlook,
        push: bool,
        record: &mut Record,
    ) -> Result<(), Fault> {
        let (id, over) = (task.id().unwrap_or(""), is_over(task.root().text("status").unwrap_or("")));
        let permitted = outlook.permitted();
        let state = match permitted {
            _ if over => ReferralState::Closed,
            Some(_) => ReferralState::Live,
            None => ReferralState::Held,
        };
        let patient = person::patients(task).into_iter().next();
        tx.refer(&Referral {
            bucket,
            task: id.to_string(),
            patient: patient.clone(),
            owner: outlook.owner.clone(),
            purposes: outlook.purposes.clone(),
            state,
            recheck_at: outlook.changes_at.unwrap_or(Instant::MAX),
        })
        .await?;
        if !push {
            return Ok(());
        }
        if let Some(decision) = permitted {
            let delivery = self.delivery(bucket, id, outlook);
            tx.enqueue(&delivery, decision).await?;
            record.released.push(Disclosure {
                key: task.key(),
                version: task.version(),
                party: outlook.owner.clone(),
                patient,
                why: "referred",
                decision: Some(record::said(decision)),
            });
        } else if !over {
            record.refused.push(Refusal {
                key: task.key(),
                patient,
                party: outlook.mode.map(|_| outlook.owner.clone()),
                why: "held".to_string(),
                decision: outlook.decision.as_ref().map(record::said),
            });
        }
        Ok(())
    }

    /// Takes a Task away from the partner it was filed to, when it now goes to another or to nobody.
    pub async fn leave(&self, tx: &mut Tx, filed: &Referral, outlook: Option<&Outlook>) -> Result<(), Fault> {
        if filed.state != ReferralState::Live || outlook.is_some_and(|outlook| outlook.owner == filed.owner) {
            return Ok(());
        }
        let mode = self.partners.iter().find(|partner| partner.id == filed.owner).map(|partner| partner.mode);
        let (owner, purposes) = (filed.owner.clone(), filed.purposes.clone());
        let left = Outlook { owner, mode, purposes, decision: None, changes_at: None };
        tx.withdraw(&self.delivery(filed.bucket, &filed.task, &left)).await?;
        tx.refer(&Referral { state: ReferralState::Closed, recheck_at: Instant::MAX, ..filed.clone() }).await
    }

    fn delivery(&self, bucket: i64, task: &str, outlook: &Outlook) -> Delivery {
        let now = self.ctx.now();
        Delivery {
            bucket,
            id: self.ctx.ids.in_bucket(bucket, now),
            partner: outlook.owner.clone(),
            task: task.to_string(),
            content: "referral".to_string(),
            purposes: outlook.purposes.clone(),
            state: if outlook.mode == Some(Mode::Server) { DeliveryState::Due } else { DeliveryState::Available },
            created_at: now,
            due_at: now,
            attempts: 0,
            fence: 0,
        }
    }

    /// Judges a person's open referrals again, after a write that decisions about the person read, or when time
    /// alone may have changed them.
    pub async fn reconsider(&self, tx: &mut Tx, referrals: Vec<Referral>, record: &mut Record) -> Result<(), Error> {
        for referral in referrals {
            let closed = Referral { state: ReferralState::Closed, recheck_at: Instant::MAX, ..referral.clone() };
            let stored = tx.current("Task", &referral.task).await?.filter(|stored| !stored.deleted);
            let Some((stored, task)) = stored.and_then(|stored| stored.resource().map(|task| (stored, task))) else {
                tx.refer(&closed).await?;
                continue;
            };
            let outlook = self.judge(tx, referral.bucket, &task, &referral.purposes, &stored.origin).await?;
            let Some(outlook) = outlook else {
                tx.refer(&closed).await?;
                continue;
            };
            match (referral.state, outlook.permitted().is_some()) {
                (ReferralState::Held, true) => self.release(tx, &referral, &stored, task, &outlook, record).await?,
                (ReferralState::Live, false) => self.revoke(tx, &referral, &stored, task, &outlook, record).await?,
                _ => {
                    let recheck_at = outlook.changes_at.unwrap_or(Instant::MAX);
                    tx.refer(&Referral { recheck_at, ..referral }).await?;
                }
            }
        }
        Ok(())
    }

    async fn release(
        &self,
        tx: &mut Tx,
        referral: &Referral,
        stored: &Stored,
        mut task: Resource,
        outlook: &Outlook,
        record: &mut Record,
    ) -> Result<(), Error> {
        unhold(&mut task);
        let task = self.rewrite(tx, stored, task).await?;
        Ok(self.settle(tx, referral.bucket, &task, outlook, true, record).await?)
    }

    async fn revoke(
        &self,
        tx: &mut Tx,
        referral: &Referral,
        stored: &Stored,
        mut task: Resource,
        outlook: &Outlook,
        record: &mut Record,
    ) -> Result<(), Error> {
        task.set("status", "cancelled");
        task.set(
            "statusReason",
            json!({
            "coding": [{"system": "https://handoff.example/fhir/CodeSystem/status-reason", "code": "consent-revoked"}],
            "text": "the consent that permitted this referral was revoked or has ended"}),
        );
        let task = self.rewrite(tx, stored, task).await?;
        tx.refer(&Referral { state: ReferralState::Closed, recheck_at: Instant::MAX, ..referral.clone() }).await?;
        let delivery = self.delivery(referral.bucket, &referral.task, outlook);
        tx.withdraw(&delivery).await?;
        record.refused.push(Refusal {
            key: task.key(),
            patient: referral.patient.clone(),
            party: Some(outlook.owner.clone()),
            why: "withdrawn".to_string(),
            decision: outlook.decision.as_ref().map(record::said),
        });
        Ok(())
    }

    /// A new version of a Task by the server itself.
    async fn rewrite(&self, tx: &mut Tx, stored: &Stored, mut task: Resource) -> Result<Resource, Error> {
        let updated_at = self.ctx.now().max(stored.updated_at.plus_millis(1));
        task.stamp(&stored.id, stored.version + 1, updated_at, &format!("Organization/{}", stored.origin));
        let valid = self.ctx.profiles.check(&task, &Against::default()).map_err(|outcome| {
            let first = outcome.0.first().map_or(String::new(), |issue| issue.text.clone());
            Fault::new("write a Task's new version", first)
        })?;
        let place = place::of(self.ctx, valid.resource(), stored.bucket, &stored.origin);
        if !tx.put(&valid, &place, Some(stored.version)).await? {
            return Err(super::submit::lost_race(&stored.kind, &stored.id));
        }
        Ok(valid.into_resource())
    }
}

/// Marks a Task that waits, and says what would release it.
pub fn hold(task: &mut Resource, outlook: &Outlook) -> Option<Issue> {
    if outlook.permitted().is_some() {
        return None;
    }
    let code = outlook.held_status();
    task.set("businessStatus", json!({"coding": [{"system": BUSINESS_STATUS, "code": code}]}));
    let text = match outlook.mode {
        None => format!(
            "held: `Task.owner` is no partner of this exchange, so that nobody can be sent to; set it to the Organization of a partner ({code})"
        ),
        Some(_) => format!(
            "held: no consent in force permits disclosing this Task to `Organization/{}` for {}; it is sent by itself once a Consent of the person does ({code})",
            outlook.owner,
            outlook.purposes.join(", "),
        ),
    };
    Some(Issue::information(code, text).at("Task.businessStatus"))
}

/// Takes our own mark off again.
pub fn unhold(task: &mut Resource) {
    let held = task
        .root()
        .concepts("businessStatus")
        .iter()
        .any(|coding| coding.system == BUSINESS_STATUS && coding.code.starts_with("held-"));
    if held {
        task.remove("businessStatus");
    }
}

/// The partner that owns a Task: an Organization, or whoever employs a PractitionerRole.
pub async fn owner(ctx: &Context, task: &Resource) -> Result<Option<String>, Fault> {
    let Some(reference) = task.root().reference("owner") else { return Ok(None) };
    let role = match reference.id_of("PractitionerRole") {
        Some(id) => ctx.store.for_decision("PractitionerRole", id).await?,
        None => None,
    };
    Ok(owner_with(task, employer(&ctx.agencies().await?.shelters, task, role)))
}

/// Who employs the PractitionerRole that a Task names. Who works at a victim service is nobody else's to find out
/// (rules.md 2): to a Task of another origin such a role is as if it were not.
fn employer(shelters: &[String], task: &Resource, role: Option<Stored>) -> Option<String> {
    let role = role?;
    let masked = shelters.contains(&role.origin);
    let own = task.source() == Some(format!("Organization/{}", role.origin).as_str());
    if masked && !own { None } else { place::organization(&role.resource()?, "organization") }
}

/// The partner that owns a Task, with the employer of its PractitionerRole; what is no partner is named as it was sent.
fn owner_with(task: &Resource, employer: Option<String>) -> Option<String> {
    let reference = task.root().reference("owner")?;
    Some(employer.or_else(|| reference.id_of("Organization").map(str::to_string)).unwrap_or_else(|| reference.key()))
}

/// Judges the referrals whose decision time alone may have changed: a consent that has begun or ended.
///
/// # Errors
/// What the database said.
pub async fn recheck(ctx: &Context, request: &Request) -> Result<usize, Error> {
    let due = ctx.store.due_referrals(ctx.now(), 100).await?;
    let count = due.len();
    for referral in due {
        let task = referral.task.clone();
        // One that cannot be judged must not keep the others from it.
        if let Err(error) = recheck_one(ctx, request, referral).await {
            tracing::error!(?error, task.id = %task, "a referral could not be judged again");
        }
    }
    Ok(count)
}

async fn recheck_one(ctx: &Context, request: &Request, referral: Referral) -> Result<(), Error> {
    let partners = ctx.partners().await?;
    let desk = Desk { ctx, partners: &partners };
    let caller = crate::auth::Caller::operator(super::enroll::OPERATOR);
    let mut record = record::start(ctx, &caller, request, "recheck", format!("Task/{}", referral.task));
    let mut tx = ctx.store.begin().await?;
    let bucket = referral.bucket;
    if let Some(patient) = &referral.patient {
        let home = tx.bucket_of("Patient", patient).await?.unwrap_or(bucket);
        tx.hold_epoch(home, patient).await?;
    }
    desk.reconsider(&mut tx, vec![referral], &mut record).await?;
    if !record.released.is_empty() || !record.refused.is_empty() {
        tx.record(&record::row(&record, Some(bucket))).await?;
    }
    Ok(tx.commit().await?)
}
