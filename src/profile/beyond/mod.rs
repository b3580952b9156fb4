//! What a profile asks that a schema cannot say, because it looks further than one value.
//!
//! Invariants; what a reference must lead to; slices told by where their reference leads, by type or by a profile; the order
//! of slices; limits of dates and quantities; profiles of the resources inside. A part exists only there
//! is something to ask, so that a resource is walked along few paths.

mod check;
mod compile;
mod limit;
mod told;

use serde_json::Value;

use super::invariant::Invariant;

pub use told::Told;

/// What is asked of one element, and below it.
#[derive(Debug, Default)]
pub struct Part {
    pub invariants: Vec<Invariant>,
    /// The type of the element, which expressions ask for.
    pub of: Of,
    /// The least and the most, of dates, times and quantities.
    pub least: Option<Value>,
    pub most: Option<Value>,
    /// Profiles of what a reference leads to, one of which must hold; types alone are the schema's.
    pub targets: Vec<Target>,
    /// Profiles of the resource or value itself, one of which must hold.
    pub profiles: Vec<String>,
    pub members: Vec<Member>,
}

/// A data type, or a backbone element by its place in the table of its type.
#[derive(Clone, Debug, Default)]
pub struct Of {
    pub type_name: String,
    pub node: usize,
}

/// An element that is asked something; of a choice, one for each type.
#[derive(Debug)]
pub struct Member {
    pub name: String,
    /// Its name in JSON.
    pub key: String,
    pub part: Part,
    pub slices: Vec<Slice>,
    pub rules: Rules,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Rules {
    /// Every item is of a slice.
    pub closed: bool,
    /// What is of no slice comes last.
    pub open_at_end: bool,
    /// Slices come in the order of their definition.
    pub ordered: bool,
}

#[derive(Debug)]
pub struct Slice {
    pub name: String,
    pub told: Told,
    /// How many there are, when the schema could not count them.
    pub min: u32,
    pub max: Option<u32>,
    pub part: Part,
}

/// What a reference may lead to.
#[derive(Debug)]
pub enum Target {
    Type(String),
    Profile(String),
    /// A profile that is not at hand.
    Unknown,
}

/// A profile, compiled.
#[derive(Debug, Default)]
pub struct Beyond {
    pub root: Part,
    /// The profile, as messages name it.
    pub by: String,
    /// Elements that must be supported, by their ids.
    pub supported: Vec<String>,
    /// Parts of the profile that are not checked, and why.
    pub unsaid: Vec<String>,
}

impl Part {
    fn asks_nothing(&self) -> bool {
        self.invariants.is_empty()
            && self.least.is_none()
            && self.most.is_none()
            && self.targets.is_empty()
            && self.profiles.is_empty()
            && self.members.is_empty()
    }
}
