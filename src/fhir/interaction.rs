//! What may be done with a type (FHIR R4 http.html), and the letter that SMART scopes have for it.

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Interaction {
    Read,
    Vread,
    Create,
    Update,
    Delete,
    HistoryInstance,
    HistoryType,
    HistorySystem,
    SearchType,
    Transaction,
    Batch,
    Validate,
}

impl Interaction {
    /// What each type offers, in the order of the CapabilityStatement.
    pub const OF_TYPES: [Interaction; 7] = [
        Interaction::Read,
        Interaction::Vread,
        Interaction::Create,
        Interaction::Update,
        Interaction::Delete,
        Interaction::HistoryInstance,
        Interaction::SearchType,
    ];

    /// FHIR's code (type-restful-interaction, system-restful-interaction).
    pub fn code(self) -> &'static str {
        match self {
            Interaction::Read => "read",
            Interaction::Vread => "vread",
            Interaction::Create => "create",
            Interaction::Update => "update",
            Interaction::Delete => "delete",
            Interaction::HistoryInstance => "history-instance",
            Interaction::HistoryType => "history-type",
            Interaction::HistorySystem => "history-system",
            Interaction::SearchType => "search-type",
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
            Interaction::Update => Some('u'),
            Interaction::Delete => Some('d'),
            Interaction::SearchType | Interaction::HistoryType | Interaction::HistorySystem => Some('s'),
            Interaction::Transaction | Interaction::Batch => None,
        }
    }
}
