//! What a caller may see, as a filter. No reach, no rows: the store demands one.
//!
//! The store adds what needs no consent: the partner's own data, and the directory.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::condition::Condition;
use crate::fhir::Instant;

/// A partner's reach over the people of one request.
#[derive(Clone, Debug, PartialEq)]
pub struct Reach {
    partner: String,
    people: Vec<(String, Condition)>,
    withheld: bool,
    masked: Vec<String>,
    granted: Option<Granted>,
    quiet: Arc<Vec<Quiet>>,
    sorts: Arc<Vec<(String, String)>>,
}

/// What is permitted to one asker of everybody whose conditions others share, as rows of the store say it: who has
/// which of these conditions, and until when.
#[derive(Clone, Debug, PartialEq)]
pub struct Granted {
    pub asker: String,
    pub at: Instant,
    /// By name; those that permit nothing aside.
    pub shapes: Vec<(String, Condition)>,
}

/// Parameters by which rows of a type are not found, because they look at what a copy of such a row does not have.
#[derive(Clone, Debug, PartialEq)]
pub struct Quiet {
    pub kind: String,
    pub params: BTreeSet<String>,
    /// The partner whose rows they are; without one, everybody's but the caller's own.
    pub of: Option<String>,
}

impl Reach {
    /// `partner` is a partner's id, `people` are patients' ids with what is permitted of their records; `withheld`
    /// says that there were more people than could be asked.
    pub fn of(partner: &str, people: Vec<(String, Condition)>, withheld: bool) -> Reach {
        let people = people.into_iter().filter(|(_, condition)| *condition != Condition::Never).collect();
        let (masked, granted, quiet, sorts) = Default::default();
        Reach { partner: partner.to_string(), people, withheld, masked, granted, quiet, sorts }
    }

    /// The same, over these people.
    #[must_use]
    pub fn over(self, people: Vec<(String, Condition)>, withheld: bool) -> Reach {
        let Reach { people, withheld, .. } = Reach::of(&self.partner, people, withheld);
        Reach { people, withheld, ..self }
    }

    /// The same, without the directory entries of these partners: where a shelter is and who works there is nobody
    /// else's to read (rules.md 2).
    #[must_use]
    pub fn masking(self, partners: Vec<String>) -> Reach {
        Reach { masked: partners.into_iter().filter(|partner| *partner != self.partner).collect(), ..self }
    }

    /// The same, with what rows of the store grant.
    #[must_use]
    pub fn granting(self, granted: Granted) -> Reach {
        Reach { granted: Some(granted).filter(|granted| !granted.shapes.is_empty()), ..self }
    }

    pub fn granted(&self) -> Option<&Granted> {
        self.granted.as_ref()
    }

    /// Whether consent opens nothing.
    pub fn is_own_alone(&self) -> bool {
        self.people.is_empty() && self.granted.is_none()
    }

    /// The same, not finding these rows by these parameters.
    #[must_use]
    pub fn quiet(self, quiet: Arc<Vec<Quiet>>) -> Reach {
        Reach { quiet, ..self }
    }

    /// The same, for a reader of these sorts, by type: of all other types it is one whom no minimum binds.
    #[must_use]
    pub fn of_sorts(self, sorts: Arc<Vec<(String, String)>>) -> Reach {
        Reach { sorts, ..self }
    }

    /// The sorts that the reader is of, by type, where it is not shown the whole.
    pub fn sorts(&self) -> &[(String, String)] {
        &self.sorts
    }

    /// All that is not found, by the parameters that do not find it.
    pub fn quiets(&self) -> &[Quiet] {
        &self.quiet
    }

    /// The rows that a parameter does not find, of one type or of any.
    pub fn quiet_by<'r>(&'r self, kind: Option<&'r str>, param: &'r str) -> impl Iterator<Item = &'r Quiet> {
        let fits = move |quiet: &&Quiet| kind.is_none_or(|kind| quiet.kind == kind) && quiet.params.contains(param);
        self.quiet.iter().filter(fits)
    }

    /// Partners whose directory entries, their Organization aside, are hidden.
    pub fn masked(&self) -> &[String] {
        &self.masked
    }

    /// Whether a partner's directory entry of this type is hidden.
    pub fn masks(&self, kind: &str, origin: &str) -> bool {
        kind != "Organization" && self.masked.iter().any(|masked| masked == origin)
    }

    pub fn partner(&self) -> &str {
        &self.partner
    }

    /// The people of whom something may be permitted.
    pub fn people(&self) -> &[(String, Condition)] {
        &self.people
    }

    /// How much a statement has to say of these people: each of them, and each test of those conditions that differ.
    pub fn weight(&self) -> usize {
        let differing: usize = self.by_condition().iter().map(|(condition, _)| condition.tests()).sum();
        let granted = self.granted.iter().flat_map(|granted| &granted.shapes);
        self.people.len() + differing + granted.map(|(_, condition)| 1 + condition.tests()).sum::<usize>()
    }

    /// The people of each distinct condition, so that a thousand with the same consent are one list.
    pub fn by_condition(&self) -> Vec<(&Condition, Vec<&str>)> {
        let mut groups: Vec<(&Condition, Vec<&str>)> = Vec::new();
        for (patient, condition) in &self.people {
            match groups.iter_mut().find(|(known, _)| *known == condition) {
                Some((_, patients)) => patients.push(patient),
                None => groups.push((condition, vec![patient])),
            }
        }
        groups
    }

    /// Whether some people were left out, and the answer must say so.
    pub fn withheld(&self) -> bool {
        self.withheld
    }
}
