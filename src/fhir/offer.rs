//! What is offered of each type: interactions, operations and the parameters that are nobody's element.
//!
//! The CapabilityStatement, `/openapi.json` and the documentation pages are written from these tables, and a test
//! asks the router for every line of them. Which search parameters there are is `search::Params`' to say.

use super::interaction::Interaction;
use super::search::ParamKind;

/// Types that the server alone writes (rules.md 18): rendered from the log, without versions, and found by no more
/// parameters than these.
pub const RENDERED: [(&str, &[&str]); 1] = [("AuditEvent", &["patient", "date"])];

/// Types that are asked and not served: of these only operations are offered.
pub const ASKED: [&str; 2] = ["CodeSystem", "ValueSet"];

/// Types that are answered with, and that nobody can store, whatever definitions are at hand.
pub fn is_unserved(kind: &str) -> bool {
    ASKED.contains(&kind) || kind == "TerminologyCapabilities"
}

/// Whether an interaction is offered for a type that is served.
pub fn offers(kind: &str, interaction: Interaction) -> bool {
    let is_written = rendered(kind).is_none();
    !is_unserved(kind) && (is_written || matches!(interaction, Interaction::Read | Interaction::SearchType))
}

/// Whether a search parameter of a type can be asked for.
pub fn searches(kind: &str, code: &str) -> bool {
    rendered(kind).is_none_or(|codes| codes.contains(&code))
}

/// The parameters of a type that the server alone writes.
pub fn rendered(kind: &str) -> Option<&'static [&'static str]> {
    RENDERED.iter().find(|(rendered, _)| *rendered == kind).map(|(_, codes)| *codes)
}

/// Where an operation is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Level {
    System,
    Type,
    Instance,
}

/// FHIR R4 operations.html.
#[derive(Clone, Copy, Debug)]
pub struct Operation {
    /// Without the `$`.
    pub name: &'static str,
    pub definition: &'static str,
    /// Its types; `None` for every type that is written by others.
    pub kinds: Option<&'static [&'static str]>,
    pub level: Level,
    pub method: &'static str,
    pub about: &'static str,
}

pub const OPERATIONS: [Operation; 26] = [
    Operation {
        name: "validate",
        definition: "http://hl7.org/fhir/OperationDefinition/Resource-validate",
        kinds: None,
        level: Level::Type,
        method: "POST",
        about: "What a write would say of the resource in the body; nothing is stored.",
    },
    Operation {
        name: "validate",
        definition: "http://hl7.org/fhir/OperationDefinition/Resource-validate",
        kinds: None,
        level: Level::Instance,
        method: "POST",
        about: "What an update or a deletion of this resource would say, or how it fits a profile; nothing is stored.",
    },
    Operation {
        name: "meta",
        definition: "http://hl7.org/fhir/OperationDefinition/Resource-meta",
        kinds: None,
        level: Level::Instance,
        method: "GET",
        about: "Profiles, labels and tags of one resource.",
    },
    Operation {
        name: "meta-add",
        definition: "http://hl7.org/fhir/OperationDefinition/Resource-meta-add",
        kinds: None,
        level: Level::Instance,
        method: "POST",
        about: "Adds profiles, labels and tags to one resource, as a new version.",
    },
    Operation {
        name: "meta-delete",
        definition: "http://hl7.org/fhir/OperationDefinition/Resource-meta-delete",
        kinds: None,
        level: Level::Instance,
        method: "POST",
        about: "Takes profiles and tags from one resource, as a new version; labels are never lowered.",
    },
    Operation {
        name: "docref",
        definition: "http://hl7.org/fhir/us/core/OperationDefinition/docref",
        kinds: Some(&["DocumentReference"]),
        level: Level::Type,
        method: "GET",
        about: "The documents of a person that are there; none is made on demand.",
    },
    Operation {
        name: "decide",
        definition: "https://handoff.example/fhir/OperationDefinition/Consent-decide",
        kinds: Some(&["Consent"]),
        level: Level::Type,
        method: "POST",
        about: "What a partner would see of a person, and why, now or at another time; or, with a draft `consent` or a \
                Consent to `revoke`, what would change. Parameters in: `patient`, `recipient`, `practitioner`, `role`, \
                `purpose`, `action`, `at`, `data` (`now` or `then`), `consent`, `revoke`, `_count`, `_page`. Nothing is \
                stored, and nothing is told that the asker may not know of.",
    },
    Operation {
        name: "reading",
        definition: "https://handoff.example/fhir/OperationDefinition/Consent-reading",
        kinds: Some(&["Consent"]),
        level: Level::Instance,
        method: "GET",
        about: "A Consent in plain words for the person who signs it, in the `language` asked for (`en`, `es`): as \
                Parameters, or with `Accept: text/html` as a page to print and sign.",
    },
    Operation {
        name: "everything",
        definition: "http://hl7.org/fhir/OperationDefinition/Patient-everything",
        kinds: Some(&["Patient"]),
        level: Level::Instance,
        method: "GET",
        about: "All that the caller may see of one person's record.",
    },
    Operation {
        name: "export",
        definition: "http://hl7.org/fhir/uv/bulkdata/OperationDefinition/export",
        kinds: None,
        level: Level::System,
        method: "GET",
        about: "All that the caller may see, as NDJSON files (Bulk Data Access 2.0); needs `Prefer: respond-async`.",
    },
    Operation {
        name: "export",
        definition: "http://hl7.org/fhir/uv/bulkdata/OperationDefinition/patient-export",
        kinds: Some(&["Patient"]),
        level: Level::Type,
        method: "GET",
        about: "What the caller may see of all people, as NDJSON files; needs `Prefer: respond-async`.",
    },
    Operation {
        name: "export",
        definition: "http://hl7.org/fhir/uv/bulkdata/OperationDefinition/group-export",
        kinds: Some(&["Group"]),
        level: Level::Instance,
        method: "GET",
        about: "What the caller may see of a group's members, as NDJSON files; needs `Prefer: respond-async`.",
    },
    Operation {
        name: "enforcement-status",
        definition: "https://handoff.example/fhir/OperationDefinition/Consent-enforcement-status",
        kinds: Some(&["Consent"]),
        level: Level::Type,
        method: "GET",
        about: "Whether a policy is in force for the caller about `patient`, and how the Consents stand that are its own.",
    },
    Operation {
        name: "enforcement-status",
        definition: "https://handoff.example/fhir/OperationDefinition/Consent-enforcement-status",
        kinds: Some(&["Consent"]),
        level: Level::Instance,
        method: "GET",
        about: "How a Consent stands: in force or why not, what of it is not enforced, what waits for verification.",
    },
    Operation {
        name: "revoke",
        definition: "https://handoff.example/fhir/OperationDefinition/Consent-revoke",
        kinds: Some(&["Consent"]),
        level: Level::Instance,
        method: "POST",
        about: "Ends a Consent, with an optional `reason`; in force when the answer arrives, which lists what was disclosed under it.",
    },
    Operation {
        name: "verify",
        definition: "https://handoff.example/fhir/OperationDefinition/Consent-verify",
        kinds: Some(&["Consent"]),
        level: Level::Instance,
        method: "POST",
        about: "The holder of data says that somebody else's permit counts for it.",
    },
    Operation {
        name: "work-list",
        definition: "https://handoff.example/fhir/OperationDefinition/Consent-work-list",
        kinds: Some(&["Consent"]),
        level: Level::Type,
        method: "GET",
        about: "What waits for the caller's compliance: not enforceable, awaiting verification, ending `within` days, emergencies to review.",
    },
    Operation {
        name: "expiring",
        definition: "https://handoff.example/fhir/OperationDefinition/Consent-expiring",
        kinds: Some(&["Consent"]),
        level: Level::Type,
        method: "GET",
        about: "The Consents of the caller's that end `within` days (`30d` without).",
    },
    Operation {
        name: "work-done",
        definition: "https://handoff.example/fhir/OperationDefinition/Consent-work-done",
        kinds: Some(&["Consent"]),
        level: Level::Type,
        method: "POST",
        about: "Takes an item, by its `about` and `what`, off the caller's work list.",
    },
    Operation {
        name: "emergency-access",
        definition: "https://handoff.example/fhir/OperationDefinition/Patient-emergency-access",
        kinds: Some(&["Patient"]),
        level: Level::Instance,
        method: "POST",
        about: "Declares an emergency of this person, with a `reason`: requests that name the declaration in `X-Emergency-Access` are decided under it for 15 minutes.",
    },
    Operation {
        name: "restricted",
        definition: "https://handoff.example/fhir/OperationDefinition/Patient-restricted",
        kinds: Some(&["Patient"]),
        level: Level::Instance,
        method: "GET",
        about: "Whether there is something of this person that the caller does not see; for who may declare an emergency.",
    },
    Operation {
        name: "expand",
        definition: "http://hl7.org/fhir/OperationDefinition/ValueSet-expand",
        kinds: Some(&["ValueSet"]),
        level: Level::Type,
        method: "GET",
        about: "The codes of a value set that is bundled, by its `url`, or of a ValueSet that is posted as `valueSet`. \
                Parameters: `filter` (words of code or display), `offset`, `count` (at most 1000), `activeOnly`, \
                `includeDesignations`. Where not all codes can be listed, the expansion is marked as unclosed and \
                `not-listed` names the systems; where none can, the answer is 422. Also by POST with Parameters.",
    },
    Operation {
        name: "validate-code",
        definition: "http://hl7.org/fhir/OperationDefinition/ValueSet-validate-code",
        kinds: Some(&["ValueSet"]),
        level: Level::Type,
        method: "GET",
        about: "Whether a `code` (with `system`), a `coding` or, by POST, a `codeableConcept` is in the value set `url` or \
                `valueSet`, and is called by its `display`; 422 where nobody here can tell.",
    },
    Operation {
        name: "validate-code",
        definition: "http://hl7.org/fhir/OperationDefinition/CodeSystem-validate-code",
        kinds: Some(&["CodeSystem"]),
        level: Level::Type,
        method: "GET",
        about: "Whether the code system `url` has the `code`, `coding` or, by POST, `codeableConcept`, and calls it by its \
                `display`.",
    },
    Operation {
        name: "lookup",
        definition: "http://hl7.org/fhir/OperationDefinition/CodeSystem-lookup",
        kinds: Some(&["CodeSystem"]),
        level: Level::Type,
        method: "GET",
        about: "Name, designations and properties (`parent`, `child`, `status`, `inactive`, `notSelectable`) of a `code` of \
                a `system`, or of a `coding`; `property` says which. Also by POST with Parameters.",
    },
    Operation {
        name: "subsumes",
        definition: "http://hl7.org/fhir/OperationDefinition/CodeSystem-subsumes",
        kinds: Some(&["CodeSystem"]),
        level: Level::Type,
        method: "GET",
        about: "How `codeA` lies to `codeB` in the hierarchy of a `system`, or `codingA` to `codingB`. Also by POST with \
                Parameters.",
    },
];

impl Operation {
    pub fn is_of(&self, kind: &str) -> bool {
        let of_kind = self.kinds.map_or_else(|| offers(kind, Interaction::Update), |kinds| kinds.contains(&kind));
        self.level != Level::System && of_kind
    }

    /// Below the base.
    pub fn address(&self, kind: &str, id: &str) -> String {
        match self.level {
            Level::System => format!("/${}", self.name),
            Level::Type => format!("/{kind}/${}", self.name),
            Level::Instance => format!("/{kind}/{id}/${}", self.name),
        }
    }
}

/// A parameter that no definition of a type has.
#[derive(Clone, Copy, Debug)]
pub struct Common {
    pub name: &'static str,
    pub about: &'static str,
    pub example: &'static str,
}

/// Criteria of any search.
pub const HAS: Common = Common {
    name: "_has",
    about: "By what points at the resource: `_has:TYPE:REFERENCE:PARAMETER=VALUE` (FHIR R4 search.html#has).",
    example: "_has:Provenance:target:agent=Organization/7",
};

/// Criteria of a search over several types.
pub const TYPE: Common =
    Common { name: "_type", about: "Which types are searched, comma-separated.", example: "_type=Task,ServiceRequest" };

/// What a search answers with (FHIR R4 search.html#summary of parameters for results).
pub const RESULTS: [Common; 8] = [
    Common { name: "_count", about: "Most rows of a page; 0 for the total alone.", example: "_count=20" },
    Common { name: "_sort", about: "Keys, comma-separated, `-` for falling order.", example: "_sort=-_lastUpdated" },
    Common { name: "_total", about: "`none`, `estimate` or `accurate`.", example: "_total=accurate" },
    Common { name: "_summary", about: "`true`, `text`, `data`, `count` or `false`.", example: "_summary=true" },
    Common { name: "_elements", about: "Elements wanted, comma-separated.", example: "_elements=status,subject" },
    Common {
        name: "_include",
        about: "What the matches refer to, as `TYPE:PARAMETER` or `TYPE:PARAMETER:TARGET`; `:iterate` goes on from there.",
        example: "_include=Task:focus",
    },
    Common {
        name: "_revinclude",
        about: "What refers to the matches, as `TYPE:PARAMETER`; `:iterate` goes on from there.",
        example: "_revinclude=Provenance:target",
    },
    Common { name: "_format", about: "`json` or `xml`; beats the Accept header.", example: "_format=json" },
];

/// What may follow the name of a parameter, behind a colon (FHIR R4 search.html#modifiers). A reference's may also be
/// a type: `subject:Patient`.
pub fn modifiers(kind: ParamKind) -> &'static [&'static str] {
    match kind {
        ParamKind::Token => &["missing", "not", "text", "of-type", "in", "not-in", "above", "below"],
        ParamKind::Reference => &["missing", "identifier"],
        ParamKind::Text => &["missing", "exact", "contains"],
        ParamKind::Uri => &["missing", "above", "below"],
        ParamKind::Date | ParamKind::Number | ParamKind::Quantity => &["missing"],
        ParamKind::Composite | ParamKind::Special => &[],
    }
}

/// What is written and read, by the names that `_format` takes.
pub const FORMATS: [&str; 5] =
    ["application/fhir+json", "application/fhir+xml", "json", "xml", "application/fhir+ndjson"];
/// JSON Patch, JSON Merge Patch, and FHIRPath Patch as a Parameters resource (FHIR R4 http.html#patch).
pub const PATCH_FORMATS: [&str; 4] =
    ["application/json-patch+json", "application/merge-patch+json", "application/fhir+json", "application/fhir+xml"];

/// The roles that the server plays, by what defines them.
pub const ROLES: [&str; 4] = [
    "http://hl7.org/fhir/us/core/CapabilityStatement/us-core-server",
    "http://hl7.org/fhir/us/sdoh-clinicalcare/CapabilityStatement/SDOHCC-CoordinationPlatform",
    "http://hl7.org/fhir/us/sdoh-clinicalcare/CapabilityStatement/SDOHCC-ReferralSource",
    "http://hl7.org/fhir/uv/bulkdata/CapabilityStatement/bulk-data",
];
