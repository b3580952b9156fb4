//! What a caller may see, as a filter. No reach, no rows: the store demands one.
//!
//! The store adds what needs no consent: the partner's own data, and the directory.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::condition::Condition;

/// A partner's reach over the people of one request.
#[derive(Clone, Debug, PartialEq)]
pub struct Reach {
    partner: String,
    people: Vec<(String, Condition)>,
    withheld: bool,
    masked: Vec<String>,
    quiet: Arc<Vec<Quiet>>,
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
        Reach { partner: partner.to_string(), people, withheld, masked: Vec::new(), quiet: Arc::default() }
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

    /// The same, not finding these rows by these parameters.
    #[must_use]
    pub fn quiet(self, quiet: Arc<Vec<Quiet>>) -> Reach {
        Reach { quiet, ..self }
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

    pub fn partner(&self) -> &str {
        &self.partner
    }

    /// The people of whom something may be permitted.
    pub fn people(&self) -> &[(String, Condition)] {
        &self.people
    }

    /// How much a statement has to say of these people: each of them, and each resource that is named by itself.
    pub fn weight(&self) -> usize {
        self.people.iter().map(|(_, condition)| 1 + condition.keys()).sum()
    }

    /// Whether some people were left out, and the answer must say so.
    pub fn withheld(&self) -> bool {
        self.withheld
    }
}
