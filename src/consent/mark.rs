//! Marks: by them most tests of a resource are seen to fail at a glance, before any text is compared.
//!
//! Each value leaves one of 64 bits. Where a test and a resource have no bit in common they have no value in common;
//! where they have one, the values themselves are compared.

use std::collections::BTreeSet;

use super::condition::Atom;

/// What a mark is about.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Place {
    Kind,
    Label,
    Origin,
    Key,
    Profile,
    Code,
    Concept,
    Reference,
    Author,
    /// Of what is no set of values: always looked at.
    Whatever,
}

/// The mark of a test.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Mark {
    place: Place,
    bits: u64,
}

/// The marks of a resource.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Marks([u64; 9]);

impl Mark {
    pub fn of(atom: &Atom) -> Mark {
        let texts = |place: Place, set: &BTreeSet<String>| Mark { place, bits: bits(set.iter().map(String::as_str)) };
        let pairs = |place: Place, set: &BTreeSet<(String, String)>| Mark {
            place,
            bits: bits(set.iter().map(|(_, code)| code.as_str())),
        };
        match atom {
            Atom::Kind(set) => texts(Place::Kind, set),
            Atom::Label(set) => pairs(Place::Label, set),
            Atom::Origin(set) => texts(Place::Origin, set),
            Atom::Key(set) => texts(Place::Key, set),
            Atom::Profile(set) => texts(Place::Profile, set),
            Atom::Code { codes, anywhere: true } => pairs(Place::Code, codes),
            Atom::Code { codes, anywhere: false } => pairs(Place::Concept, codes),
            Atom::RefersTo(set) => texts(Place::Reference, set),
            Atom::AuthoredBy { names, or_nobody: false } => texts(Place::Author, names),
            Atom::AuthoredBy { or_nobody: true, .. }
            | Atom::Unclassified
            | Atom::RankAtMost(_)
            | Atom::RankAtLeast(_)
            | Atom::Time { .. } => Mark { place: Place::Whatever, bits: u64::MAX },
        }
    }
}

impl Marks {
    /// Notes what the resource has there; of a pair the code alone is marked.
    #[must_use]
    pub fn with<'t>(mut self, place: Place, values: impl IntoIterator<Item = &'t str>) -> Marks {
        if let Some(own) = self.0.get_mut(place as usize) {
            *own = bits(values);
        }
        self
    }

    /// Whether the test may hold.
    #[inline]
    pub fn may(&self, mark: Mark) -> bool {
        self.0.get(mark.place as usize).is_none_or(|own| own & mark.bits != 0)
    }
}

fn bits<'t>(values: impl IntoIterator<Item = &'t str>) -> u64 {
    values.into_iter().fold(0, |bits, value| bits | bit(value))
}

/// FNV-1a, of which the highest six bits choose. Whoever makes values that share a bit makes tests slower, and
/// nothing else.
fn bit(text: &str) -> u64 {
    let hash = text
        .bytes()
        .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3));
    1 << (hash.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 58)
}
