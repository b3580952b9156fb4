//! What an asker may be told of: the part of a person's record that an answer speaks of.
//!
//! An answer to "what if" is a statement about resources, so whoever may not know of a resource must get the same
//! bytes as if it did not exist, in lists and in counts. What a partner brought in or holds by right it may know of,
//! and so may its compliance officer, who gets ids and reasons and no bodies (rules.md 18). Who asks about itself may
//! besides know of what it sees now, whatever moment it asks about (consent.md H33). The operator knows of everything
//! but victim services' data, which nobody is told of.

use std::collections::BTreeSet;

use crate::auth::{Caller, Way};
use crate::consent::Action;
use crate::fhir::interaction::Interaction;
use crate::partner::{Partner, Role};
use crate::store::{Fault, Stored};

use crate::gateway::grounds::grounds_of;
use crate::gateway::{Context, Error, enroll, person};

use super::RECORD_MAX;
use super::answer::{Answers, Supposed};

/// How much an asker may be told.
pub struct Asker<'a> {
    caller: &'a Caller,
    /// It reads the log, and so decisions and Consents (rules.md 17, 18).
    is_compliance: bool,
    is_operator: bool,
    shelters: Vec<String>,
}

impl<'a> Asker<'a> {
    /// # Errors
    /// That the scopes cover neither Consent nor the log.
    pub async fn new(ctx: &Context, caller: &'a Caller) -> Result<Asker<'a>, Error> {
        let is_compliance = caller.may(Interaction::SearchType, "AuditEvent");
        if !is_compliance && !caller.may(Interaction::Read, "Consent") {
            return Err(Error::scopes("decide", "Consent"));
        }
        let is_operator = match caller.way() {
            Way::Operator => true,
            Way::User => ctx.user(caller.subject()).await?.is_some_and(|user| user.role == Role::Operator),
            Way::Client => caller.partner() == enroll::OPERATOR,
        };
        let shelters = ctx.agencies().await?.shelters.clone();
        Ok(Asker { caller, is_compliance, is_operator, shelters })
    }

    pub fn partner(&self) -> &str {
        self.caller.partner()
    }

    /// By right, whoever the recipient is.
    pub fn knows(&self, row: &Stored) -> bool {
        row.belongs_to(self.partner()) || (self.is_operator && !self.shelters.contains(&row.origin))
    }

    /// Whether it may open a Consent: its filer, its custodian, and compliance of whose Patient it is about.
    pub fn opens(&self, consent: &Stored, patient_origin: Option<&str>) -> bool {
        self.knows(consent) || (self.is_compliance && patient_origin == Some(self.partner()))
    }

    /// The Consents whose rules may be named to it as reasons (`Consent/c1`): those that it opens, and all in what is
    /// decided about itself (reference: leak probes H32, H33).
    pub fn told(&self, filed: &[Stored], patient: &str, recipient: &str) -> BTreeSet<String> {
        let person = filed.iter().find(|row| row.kind == "Patient" && row.id == patient);
        let origin = person.map(|person| person.origin.as_str());
        let consents = filed.iter().filter(|row| row.kind == "Consent");
        let told = consents.filter(|row| recipient == self.partner() || self.opens(row, origin));
        told.map(|row| format!("Consent/{}", row.id)).collect()
    }

    /// Whether its scopes cover a type; compliance gets ids of any.
    fn covers(&self, kind: &str) -> bool {
        self.is_compliance || self.is_operator || self.caller.may(Interaction::Read, kind)
    }

    /// Those of a person's rows that an answer about a recipient may speak of, in one order. `then`: they are those of
    /// another day.
    pub async fn known<'r>(
        &self,
        ctx: &Context,
        rows: &'r [Stored],
        partners: &[Partner],
        about: (&str, &str),
        then: bool,
    ) -> Result<Vec<&'r Stored>, Fault> {
        let (patient, recipient) = about;
        let told = rows.iter().filter(|row| !person::is_control(&row.kind) && self.covers(&row.kind));
        let (mut known, others): (Vec<&Stored>, Vec<&Stored>) = told.partition(|row| self.knows(row));
        if recipient == self.partner() && !self.is_operator && !others.is_empty() {
            known.extend(self.seen_now(ctx, others, partners, patient, then).await?);
        }
        known.sort_by(|one, other| (&one.kind, &one.id).cmp(&(&other.kind, &other.id)));
        Ok(known)
    }

    /// Of others' rows those that its own house sees now; a version of another day only if it is still what is there.
    async fn seen_now<'r>(
        &self,
        ctx: &Context,
        mut rows: Vec<&'r Stored>,
        partners: &[Partner],
        patient: &str,
        then: bool,
    ) -> Result<Vec<&'r Stored>, Fault> {
        if then {
            let current = ctx.store.record_of(patient, RECORD_MAX).await?;
            let key = |row: &Stored| (row.kind.clone(), row.id.clone(), row.version);
            let current: BTreeSet<_> = current.iter().map(key).collect();
            rows.retain(|row| current.contains(&key(row)));
        }
        let people = people_of(rows.iter().copied(), patient, ctx.config.consent.people_max);
        let grounds = grounds_of(ctx, &people).await?;
        let supposed = Supposed {
            recipient: self.partner().to_string(),
            practitioner: None,
            roles: Vec::new(),
            purposes: self.purposes(partners),
            action: Action::Access,
            at: ctx.now(),
        };
        let mut answers = Answers::new(ctx, &grounds, &supposed);
        rows.retain(|row| answers.of(row).seen);
        Ok(rows)
    }

    /// The purposes for which its own house looks at data.
    fn purposes(&self, partners: &[Partner]) -> Vec<String> {
        if !self.is_compliance {
            return self.caller.purposes().to_vec();
        }
        let own = partners.iter().find(|one| one.id == self.partner());
        own.map(|own| own.default_purpose().to_string()).into_iter().collect()
    }
}

/// Everybody whom these rows name, the person asked about first, at most `max`.
pub fn people_of<'r>(rows: impl Iterator<Item = &'r Stored>, patient: &str, max: usize) -> Vec<String> {
    let mut people = vec![patient.to_string()];
    for resource in rows.filter(|row| !person::is_control(&row.kind)).filter_map(Stored::as_resource) {
        for named in person::patients(resource) {
            if !people.contains(&named) && people.len() < max {
                people.push(named);
            }
        }
    }
    people
}
