//! How little is said of some partners and of the people they serve: where they are, who works there, who comes.
//!
//! Data, as all law is: the rows of `discretion` in `profiles/handoff/regimes.json`. What a row does not say in a way
//! that is understood hides.

use std::collections::{BTreeMap, BTreeSet};

use super::clock::Clock;
use super::directive::Answer;
use super::directives::{ADULT_YEARS, Directives, Voice};
use super::minimum::Kept;
use super::opens::Opens;
use super::regime::{POLICY, texts};
use super::world::World;
use crate::fhir::{Element, Instant, Zone};

#[derive(Debug)]
pub struct Discretion {
    pub id: String,
    kinds: Vec<String>,
    regimes: Vec<String>,
    /// Ids of what it brings in say nothing of the person or the time.
    pub unlinkable: bool,
    /// Types of the directory that nobody else reads, nor finds a reference to.
    pub hidden: BTreeSet<String>,
    /// What the directory says of the partner itself.
    pub organization: Kept,
    /// What anybody else learns of its people, by type; empty where they are not hidden.
    pub people: BTreeMap<String, Kept>,
    pub shared: Option<Shared>,
}

/// Without what release a person's record does not enter the store that partners share.
#[derive(Debug)]
pub struct Shared {
    policy: String,
    needs: Vec<String>,
    /// What would be accepted, in words.
    pub text: String,
}

impl Discretion {
    pub(super) fn read(row: Element) -> Discretion {
        let people = row.get("pseudonymous");
        let shared = row.get("sharedStore");
        let directory = row.get("directory");
        Discretion {
            id: row.text("id").unwrap_or("").to_string(),
            kinds: texts(row, "kinds"),
            regimes: texts(row, "regimes"),
            unlinkable: row.flag("unlinkable") != Some(false),
            hidden: texts(directory, "hidden").into_iter().collect(),
            organization: Kept::of(&texts(directory, "organization")),
            people: people
                .object()
                .into_iter()
                .flatten()
                .map(|(kind, _)| (kind.clone(), Kept::of(&texts(people, kind))))
                .collect(),
            shared: shared.exists().then(|| Shared {
                policy: shared.text("policy").unwrap_or("").to_string(),
                needs: texts(shared, "needs"),
                text: shared.text("text").unwrap_or("expected a release of the person").to_string(),
            }),
        }
    }

    /// Whether it is about a partner of that kind under those regimes.
    pub fn concerns(&self, kind: &str, regimes: &[String]) -> bool {
        let names_nobody = self.kinds.is_empty() && self.regimes.is_empty();
        names_nobody || self.kinds.iter().any(|own| own == kind) || self.regimes.iter().any(|own| regimes.contains(own))
    }

    /// Whether that is what anybody else's copies of its people are cut down to.
    pub fn is_pseudonymous(&self) -> bool {
        !self.people.is_empty()
    }
}

impl Shared {
    /// Whether a consent in force releases this person's record into the shared store.
    pub fn is_released(&self, person: &Directives, world: &World, at: Instant, zone: &Zone) -> bool {
        let clock = Clock::new(at, zone);
        person.heard_for(None, world, &clock).into_iter().any(|(directive, voice)| {
            let policy = directive.policies.iter().any(|uri| uri.strip_prefix(POLICY) == Some(self.policy.as_str()));
            let opens = directive.answer == Answer::Permit && directive.opens != Opens::Nothing;
            let has = |need: &String| match need.as_str() {
                "end" => directive.period.as_ref().is_some_and(|period| period.has_end()),
                "date" => directive.written.is_some(),
                "signature" => directive.is_signed,
                "signers" => {
                    let minor = person.was_minor(directive, &clock) || person.is_under(ADULT_YEARS, &clock);
                    let related = !person.related_signers(directive, world).is_empty();
                    person.is_signed_by_patient(directive) && (!minor || related)
                }
                // A need that is not understood is met by nothing.
                _ => false,
            };
            voice == Voice::Whole && policy && opens && self.needs.iter().all(has)
        })
    }
}
