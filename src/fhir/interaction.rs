//! What may be done with a type (FHIR R4 http.html), the letter that SMART scopes have for it, and its address.

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Interaction {
    Read,
    Vread,
    Create,
    Update,
    Patch,
    Delete,
    HistoryInstance,
    HistoryType,
    HistorySystem,
    SearchType,
    SearchSystem,
    Transaction,
    Batch,
    Validate,
}

impl Interaction {
    /// What each type offers, in the order of the CapabilityStatement; `offer` says which types lack some.
    pub const OF_TYPES: [Interaction; 9] = [
        Interaction::Read,
        Interaction::Vread,
        Interaction::Create,
        Interaction::Update,
        Interaction::Patch,
        Interaction::Delete,
        Interaction::HistoryInstance,
        Interaction::HistoryType,
        Interaction::SearchType,
    ];

    /// What the server offers over all types.
    pub const OF_SYSTEM: [Interaction; 4] =
        [Interaction::Transaction, Interaction::Batch, Interaction::HistorySystem, Interaction::SearchSystem];

    /// FHIR's code (type-restful-interaction, system-restful-interaction).
    pub fn code(self) -> &'static str {
        match self {
            Interaction::Read => "read",
            Interaction::Vread => "vread",
            Interaction::Create => "create",
            Interaction::Update => "update",
            Interaction::Patch => "patch",
            Interaction::Delete => "delete",
            Interaction::HistoryInstance => "history-instance",
            Interaction::HistoryType => "history-type",
            Interaction::HistorySystem => "history-system",
            Interaction::SearchType => "search-type",
            Interaction::SearchSystem => "search-system",
            Interaction::Transaction => "transaction",
            Interaction::Batch => "batch",
            Interaction::Validate => "validate",
        }
    }

    /// The scope letter that permits it (SMART App Launch 2.2, scopes-and-launch-context); none for Bundles, whose
    /// entries are asked one by one.
    pub fn letter(self) -> Option<char> {
        match self {
            Interaction::Create => Some('c'),
            Interaction::Read | Interaction::Vread | Interaction::HistoryInstance | Interaction::Validate => Some('r'),
            // "u: instance level update, and patch" says SMART.
            Interaction::Update | Interaction::Patch => Some('u'),
            Interaction::Delete => Some('d'),
            Interaction::SearchType
            | Interaction::SearchSystem
            | Interaction::HistoryType
            | Interaction::HistorySystem => Some('s'),
            Interaction::Transaction | Interaction::Batch => None,
        }
    }

    /// Method, and address below the base; a search by POST has another.
    pub fn address(self) -> (&'static str, &'static str) {
        match self {
            Interaction::Read => ("GET", "/{type}/{id}"),
            Interaction::Vread => ("GET", "/{type}/{id}/_history/{version}"),
            Interaction::Create => ("POST", "/{type}"),
            Interaction::Update => ("PUT", "/{type}/{id}"),
            Interaction::Patch => ("PATCH", "/{type}/{id}"),
            Interaction::Delete => ("DELETE", "/{type}/{id}"),
            Interaction::HistoryInstance => ("GET", "/{type}/{id}/_history"),
            Interaction::HistoryType => ("GET", "/{type}/_history"),
            Interaction::HistorySystem => ("GET", "/_history"),
            Interaction::SearchType => ("GET", "/{type}"),
            Interaction::SearchSystem => ("GET", ""),
            Interaction::Transaction | Interaction::Batch => ("POST", ""),
            Interaction::Validate => ("POST", "/{type}/$validate"),
        }
    }
}
