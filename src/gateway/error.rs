//! Why a flow said no. `http` alone turns it into a status.

use crate::fhir::Issue;
use crate::store::Fault;

/// The sorts of "no" that a caller can tell apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum No {
    /// Cannot be read as what it should be.
    Unreadable,
    /// Can be read, and breaks a rule.
    Invalid,
    /// Not there, or not to be known of: the same words for both.
    Unknown,
    /// Deleted, for who could see it last.
    Gone,
    /// Seen but not the caller's to change, or excluded by its scopes as a kind.
    NotYours,
    /// A version was named that is not the current one.
    Stale,
    /// Criteria that should match one resource match several.
    Several,
    /// A version must be named.
    Unconditional,
    /// Somebody else was first.
    Conflict,
    /// Not offered for this type.
    NotOffered,
    /// A body beyond the limit.
    TooLarge,
    /// A body that does not come.
    TooSlow,
    /// A body in a format that is not read here.
    WrongFormat,
    /// An answer in a format that is not written here.
    NotAcceptable,
    /// More at once, or more often, than is good for everybody.
    TooMany,
    /// No good token.
    Unauthenticated,
}

#[derive(Debug)]
pub enum Error {
    No(No, Vec<Issue>),
    Fault(Fault),
}

impl From<Fault> for Error {
    fn from(fault: Fault) -> Error {
        Error::Fault(fault)
    }
}

impl Error {
    pub fn one(no: No, issue: Issue) -> Error {
        Error::No(no, vec![issue])
    }

    /// The one answer for what does not exist and for what may not be known.
    pub fn unknown(kind: &str, id: &str) -> Error {
        let text = format!("`{kind}/{id}` is not known here");
        Error::one(No::Unknown, Issue::error("not-found", "not-found", text))
    }

    pub fn scopes(interaction: &str, kind: &str) -> Error {
        let text = format!("the token's scopes do not cover `{interaction}` on `{kind}`");
        Error::one(No::NotYours, Issue::error("forbidden", "scope", text))
    }

    pub fn not_yours(key: &str) -> Error {
        let text = format!("`{key}` was brought in by another partner: it can be read, but not changed");
        Error::one(No::NotYours, Issue::error("forbidden", "not-yours", text))
    }

    /// The same issues, seen from entry `index` of a Bundle.
    pub fn within_entry(self, index: usize) -> Error {
        match self {
            Error::No(no, issues) => {
                // What names no element of the resource is about the request beside it.
                let entry = format!("Bundle.entry[{index}]");
                let resource = format!("{entry}.resource");
                let within = |issue: Issue| {
                    if issue.expression.is_empty() { issue.at(entry.clone()) } else { issue.within(&resource) }
                };
                Error::No(no, issues.into_iter().map(within).collect())
            }
            fault => fault,
        }
    }
}
