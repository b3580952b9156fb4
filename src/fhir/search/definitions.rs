//! What a search must know of types, code systems and value sets, told by whoever holds the definitions.

/// What a caller's scopes let it search.
pub trait Searchable: Sync {
    fn covers(&self, kind: &str) -> bool;
}

/// Answers from definitions; `None` where they are not at hand.
pub trait Definitions: Sync {
    /// Whether a resource type is served here.
    fn knows(&self, kind: &str) -> bool;

    /// The codes of a value set, by system; `None` unless all of them can be listed.
    fn expansion(&self, value_set: &str) -> Option<Vec<(String, Vec<String>)>>;

    /// A code and all below it; `None` when the system's hierarchy is not known.
    fn below(&self, system: &str, code: &str) -> Option<Vec<String>>;

    /// A code and all above it; `None` when the system's hierarchy is not known.
    fn above(&self, system: &str, code: &str) -> Option<Vec<String>>;
}
