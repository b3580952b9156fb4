//! What the permits of a directive may open, and to whom (rules.md 17). Its denies always count.
//!
//! A permit that favours its own filer opens to the filer's house what is the filer's own, what its holder verified
//! and what its holder handed over; to everybody else what it says.

use std::collections::BTreeSet;

use super::condition::{Atom, Condition};
use super::directive::Directive;
use super::who::Recipient;
use super::world::World;

/// Data that a permit may open whoever filed it: of these origins, and single resources that their holder handed to
/// somebody.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Opened {
    /// `Organization/x`.
    pub origins: BTreeSet<String>,
    /// `Procedure/7`, and the `Organization/x` that it was handed to.
    pub handed: BTreeSet<(String, String)>,
}

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Opens {
    Everything,
    /// These alone: to the house of one organisation, or without one to everybody.
    Only {
        to: Option<String>,
        what: Opened,
    },
    Nothing,
}

impl Opens {
    /// Where a permit may open something to this recipient.
    pub fn condition(&self, recipient: &Recipient, world: &World) -> Condition {
        match self {
            Opens::Everything => Condition::Always,
            Opens::Nothing => Condition::Never,
            Opens::Only { what, .. } if self.narrows(recipient, world) => what.condition(recipient),
            Opens::Only { .. } => Condition::Always,
        }
    }

    /// Whether its permits count in full for this recipient; without one, for somebody.
    pub fn is_whole(&self, recipient: Option<&Recipient>, world: &World) -> bool {
        match (self, recipient) {
            (Opens::Everything, _) => true,
            (Opens::Only { to, .. }, None) => to.is_some(),
            (Opens::Only { .. }, Some(recipient)) => !self.narrows(recipient, world),
            (Opens::Nothing, _) => false,
        }
    }

    /// Whether nobody is let in as far as its permits say.
    pub fn is_narrow_for_all(&self) -> bool {
        matches!(self, Opens::Nothing | Opens::Only { to: None, .. })
    }

    fn narrows(&self, recipient: &Recipient, world: &World) -> bool {
        match self {
            Opens::Only { to: Some(filer), .. } => {
                let house = recipient.house();
                house.contains(filer) || world.parents(filer).iter().any(|parent| house.contains(parent))
            }
            Opens::Only { to: None, .. } => true,
            Opens::Everything | Opens::Nothing => false,
        }
    }
}

impl Opened {
    fn condition(&self, recipient: &Recipient) -> Condition {
        let house = recipient.house();
        let handed = self.handed.iter().filter(|(_, to)| house.contains(to)).map(|(key, _)| key.clone());
        let origins = Condition::is(Atom::Origin(self.origins.clone()));
        Condition::any([origins, Condition::is(Atom::Key(handed.collect()))])
    }
}

impl Directive {
    /// Restricts its permits to data of one origin, `Organization/x`.
    #[must_use]
    pub fn opens_only(self, origin: &str) -> Directive {
        self.opens_no_more_than(Opened { origins: BTreeSet::from([origin.to_string()]), ..Opened::default() })
    }

    /// Restricts its permits, whoever asks.
    #[must_use]
    pub fn opens_no_more_than(mut self, what: Opened) -> Directive {
        self.opens = Opens::Only { to: None, what };
        self
    }

    /// Restricts its permits where the house of its filer asks, `Organization/x`: nobody lets itself in.
    #[must_use]
    pub fn favours(mut self, filer: &str, what: Opened) -> Directive {
        self.opens = Opens::Only { to: Some(filer.to_string()), what };
        self
    }

    /// Says who filed it: it comes in the place of nobody else's by being newer, unless the filer keeps those
    /// (rules.md 20).
    #[must_use]
    pub fn filed_by(mut self, filer: &str) -> Directive {
        self.filer = Some(filer.to_string());
        self
    }

    /// Lets its denies speak and its permits not.
    #[must_use]
    pub fn denies_only(mut self) -> Directive {
        self.opens = Opens::Nothing;
        self
    }

    /// Takes away that it says to come in the place of another (R10): not everybody's word on that counts
    /// (rules.md 20).
    #[must_use]
    pub fn without_source(mut self) -> Directive {
        self.source = None;
        self
    }

    /// `Consent/c0`, which it says to come in the place of.
    pub fn source(&self) -> Option<&str> {
        self.source.as_deref()
    }
}
