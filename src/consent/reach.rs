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
    hidden: Arc<BTreeSet<String>>,
    by_purpose: Vec<Reach>,
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
        let (masked, granted, quiet, sorts, hidden, by_purpose) = Default::default();
        Reach { partner: partner.to_string(), people, withheld, masked, granted, quiet, sorts, hidden, by_purpose }
    }

    /// The same, over these people.
    #[must_use]
    pub fn over(self, people: Vec<(String, Condition)>, withheld: bool) -> Reach {
        let Reach { people, withheld, .. } = Reach::of(&self.partner, people, withheld);
        Reach { people, withheld, ..self }
    }

    /// The same, without the directory entries of these partners and types: where a shelter is and who works there is
    /// nobody else's to read (rules.md 2).
    #[must_use]
    pub fn masking(self, partners: Vec<String>, kinds: Arc<BTreeSet<String>>) -> Reach {
        let masked = partners.into_iter().filter(|partner| *partner != self.partner).collect();
        Reach { masked, hidden: kinds, ..self }
    }

    /// Types of which some entries are hidden: what refers to one of those is found by nobody else.
    pub fn hidden_kinds(&self) -> &BTreeSet<String> {
        &self.hidden
    }

    /// The same, with what each purpose asked for opens by itself: the people whom one resource names must have one in
    /// common that all of them permit (R11, R12).
    #[must_use]
    pub fn by_purpose(self, each: Vec<Reach>) -> Reach {
        Reach { by_purpose: each, ..self }
    }

    /// What each of several purposes opens; nothing where one alone was asked for.
    pub fn each_purpose(&self) -> &[Reach] {
        &self.by_purpose
    }

    /// The same, over no more people and conditions than a statement can say; those who are left out are withheld
    /// (rules.md 26).
    #[must_use]
    pub fn within_weight(mut self, max: usize) -> Reach {
        if self.weight() <= max {
            return self;
        }
        let max = max / (1 + self.by_purpose.len());
        self.by_purpose = self.by_purpose.into_iter().map(|one| one.within_weight(max)).collect();
        let mut room = max;
        let mut fits = |weight: usize| {
            let is_room = weight <= room;
            room -= if is_room { weight } else { 0 };
            is_room
        };
        if let Some(granted) = &mut self.granted {
            granted.shapes.retain(|(_, condition)| fits(1 + condition.tests()));
        }
        // First those of whom a condition is said for the most people.
        let mut groups: Vec<(Condition, Vec<String>)> = self
            .by_condition()
            .into_iter()
            .map(|(condition, patients)| (condition.clone(), patients.into_iter().map(str::to_string).collect()))
            .collect();
        groups.sort_by_key(|(condition, patients)| condition.tests() / patients.len().max(1));
        self.people.clear();
        for (condition, patients) in groups {
            if !fits(condition.tests()) {
                continue;
            }
            self.people
                .extend(patients.into_iter().take_while(|_| fits(1)).map(|patient| (patient, condition.clone())));
        }
        self.granted = self.granted.filter(|granted| !granted.shapes.is_empty());
        Reach { withheld: true, ..self }
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
        let by_purpose: usize = self.by_purpose.iter().map(Reach::weight).sum();
        self.people.len() + differing + granted.map(|(_, condition)| 1 + condition.tests()).sum::<usize>() + by_purpose
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
