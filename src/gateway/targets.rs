//! What a new version points at: the references that must lead to something its sender sees (rules.md 10).

use std::collections::HashMap;

use crate::auth::Caller;
use crate::consent::{Action, Effect};
use crate::fhir::{Issue, Reference, Resource};
use crate::store::Stored;

use super::record::{self, Request};
use super::{Asking, Context, Error, grounds, person, read};

/// The elements that say whose and what for; others may dangle.
const MUST_RESOLVE: [&str; 4] = ["subject", "patient", "for", "focus"];

/// What was looked up for one request, so that a Bundle asks once for each target.
#[derive(Default)]
pub struct Targets {
    seen: HashMap<String, Option<Target>>,
}

/// What the checks need to know of a target.
#[derive(Clone)]
struct Target {
    origin: String,
    status: Option<String>,
}

impl Targets {
    /// Things that the same request brings.
    pub fn add(&mut self, resource: &Resource, origin: &str) {
        let status = resource.root().text("status").map(str::to_string);
        self.seen.insert(resource.key(), Some(Target { origin: origin.to_string(), status }));
    }

    /// All problems of a resource's references, and of what its sender may collect about its person. What was `before`
    /// and still is was judged then: who answers a Task need not see everyone whom it names.
    pub async fn check(
        &mut self,
        ctx: &Context,
        caller: &Caller,
        request: &Request,
        resource: &Resource,
        before: Option<&Resource>,
    ) -> Result<Vec<Issue>, Error> {
        let mut issues = Vec::new();
        let same = |name: &str| before.is_some_and(|before| before.root().get(name) == resource.root().get(name));
        for name in MUST_RESOLVE.into_iter().filter(|name| !same(name)) {
            for reference in resource.root().references(name) {
                let expression = format!("{}.{name}", resource.kind());
                match reference {
                    Reference::Contained(_) => {}
                    Reference::Relative { kind, id, .. } => {
                        if self.find(ctx, caller, request, kind, id).await?.is_none() {
                            let text = format!(
                                "`{expression}`: no `{kind}` of that id is known here; create it first, or in the same Bundle"
                            );
                            issues.push(Issue::error("not-found", "reference-unresolved", text).at(expression));
                        }
                    }
                    Reference::Absolute { .. } | Reference::Other(_) => {
                        let text = format!(
                            "`{expression}`: expected a reference such as `Patient/7`, or the `fullUrl` of an entry"
                        );
                        issues.push(Issue::error("value", "reference-unresolved", text).at(expression));
                    }
                }
            }
        }
        // Whoever else it is about by another element: performer, member, recipient.
        let known = before.map(person::patients).unwrap_or_default();
        for patient in person::patients(resource).into_iter().filter(|patient| !known.contains(patient)) {
            let itself = resource.kind() == "Patient" && resource.id() == Some(patient.as_str());
            let said = issues.iter().any(|issue: &Issue| issue.rule == "reference-unresolved");
            if !itself && !said && self.find(ctx, caller, request, "Patient", &patient).await?.is_none() {
                let text = "a `Patient` that this is about is not known here; create it first, or in the same Bundle";
                let issue = Issue::error("not-found", "reference-unresolved", text);
                issues.push(issue.at(resource.kind()));
            }
        }
        issues.extend(self.focus(ctx, caller, request, resource).await?);
        if issues.is_empty() {
            issues.extend(self.collect(ctx, caller, request, resource).await?);
        }
        Ok(issues)
    }

    /// A new referral asks for a service that is wanted now (reference: referral states, section 3).
    async fn focus(
        &mut self,
        ctx: &Context,
        caller: &Caller,
        request: &Request,
        task: &Resource,
    ) -> Result<Option<Issue>, Error> {
        let focus = task.root().reference("focus");
        let Some(id) = focus
            .filter(|_| task.kind() == "Task" && task.version() <= 1)
            .and_then(|focus| focus.id_of("ServiceRequest"))
        else {
            return Ok(None);
        };
        let wanted = self.find(ctx, caller, request, "ServiceRequest", id).await?;
        let status = wanted.and_then(|wanted| wanted.status);
        Ok(status.filter(|status| status != "active").map(|status| {
            let text = format!("`Task.focus`: expected a ServiceRequest whose status is `active`, found `{status}`");
            Issue::error("business-rule", "focus-not-active", text).at("Task.focus")
        }))
    }

    /// A deny on `collect` keeps others from adding to a person's record (rules.md 7).
    async fn collect(
        &mut self,
        ctx: &Context,
        caller: &Caller,
        request: &Request,
        resource: &Resource,
    ) -> Result<Option<Issue>, Error> {
        if resource.version() > 1 {
            return Ok(None);
        }
        let mut foreign = false;
        for patient in person::patients(resource) {
            // Somebody whom the caller does not see is somebody else's.
            let known = self.find(ctx, caller, request, "Patient", &patient).await?;
            foreign |= known.is_none_or(|known| known.origin != caller.partner());
        }
        if !foreign {
            return Ok(None);
        }
        let asking = Asking::new(caller, Action::Collect);
        let decision = grounds::grounds_for(ctx, resource).await?.decide(ctx, &asking, resource);
        Ok((decision.effect() == Effect::Deny && decision.is_decided()).then(|| {
            let text =
                format!("a consent of the person denies `collect` of `{}` by your organisation", resource.kind());
            Issue::error("business-rule", "collect-denied", text).at(resource.kind())
        }))
    }

    async fn find(
        &mut self,
        ctx: &Context,
        caller: &Caller,
        request: &Request,
        kind: &str,
        id: &str,
    ) -> Result<Option<Target>, Error> {
        let key = format!("{kind}/{id}");
        if let Some(known) = self.seen.get(&key) {
            return Ok(known.clone());
        }
        // A look-up on the way to a write: its refusal is part of the write's answer, not a read of its own.
        let mut unlogged = record::start(ctx, caller, request, "read", key.clone());
        let seen =
            if ctx.profiles.knows(kind) { read::look(ctx, caller, kind, id, &mut unlogged).await? } else { None };
        let target = |stored: Stored| {
            // Only of a request does anybody ask whether it is active: nothing else is read for it.
            let request = (kind == "ServiceRequest").then(|| stored.resource()).flatten();
            let status = request.and_then(|request| request.root().text("status").map(str::to_string));
            Target { origin: stored.origin, status }
        };
        let found = seen.filter(|seen| !seen.stored.deleted).map(|seen| target(seen.stored));
        self.seen.insert(key, found.clone());
        Ok(found)
    }
}
