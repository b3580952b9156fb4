//! The packages that are compiled in.
//!
//! The facts in `profiles/` are made by our importer and edited by nobody:
//!
//! ```text
//! handoff profiles import ../shared/definitions ../shared/reference/capability --out profiles
//! npm pack hl7.terminology.r4@7.0.1 hl7.fhir.r4.examples@4.0.1
//! handoff profiles import hl7.terminology.r4-7.0.1.tgz --out profiles --only CodeSystem,ValueSet
//! handoff profiles import hl7.fhir.r4.examples-4.0.1.tgz --out profiles \
//!     --only AllergyIntolerance,Coverage,Device,DiagnosticReport,Immunization,Media,Medication,MedicationDispense,MedicationRequest,Specimen,ValueSet,TerminologyCapabilities
//! ```
//!
//! Each stands on what the one before it made, so that the binary is built in between. The first guesses versions from
//! what it finds: the folder of extensions is named after `../shared/definitions/MANIFEST.json` instead, and its part
//! of HL7's terminology gives way to all of it from the archive. The archives' SHA-256 are in that file too. Tests make
//! all of them again.

use super::package::{CODE_SYSTEMS, COMPARTMENTS, Package, SEARCH_PARAMETERS, STRUCTURES, VALUE_SETS};

macro_rules! facts {
    ($folder:literal, $file:literal) => {
        include_str!(concat!("../../profiles/", $folder, "/", $file))
    };
}

/// What is taken of `hl7.fhir.r4.examples`.
#[cfg(test)]
pub const CLINICAL: [&str; 12] = [
    "AllergyIntolerance",
    "Coverage",
    "Device",
    "DiagnosticReport",
    "Immunization",
    "Media",
    "Medication",
    "MedicationDispense",
    "MedicationRequest",
    "Specimen",
    // Answered with, not served.
    "ValueSet",
    "TerminologyCapabilities",
];

/// In the order in which they build on each other.
pub fn packages() -> Vec<Package> {
    vec![
        Package::from_text(
            "hl7.terminology.r4",
            "7.0.1",
            &[
                (VALUE_SETS, facts!("hl7.terminology.r4@7.0.1", "valuesets.ndjson")),
                (CODE_SYSTEMS, facts!("hl7.terminology.r4@7.0.1", "codesystems.ndjson")),
            ],
        ),
        Package::from_text(
            "hl7.fhir.r4.core",
            "4.0.1",
            &[
                (STRUCTURES, facts!("hl7.fhir.r4.core@4.0.1", "structures.ndjson")),
                (VALUE_SETS, facts!("hl7.fhir.r4.core@4.0.1", "valuesets.ndjson")),
                (CODE_SYSTEMS, facts!("hl7.fhir.r4.core@4.0.1", "codesystems.ndjson")),
                (SEARCH_PARAMETERS, facts!("hl7.fhir.r4.core@4.0.1", "searchparameters.ndjson")),
            ],
        ),
        // The types that the definitions given to us lack, from HL7's npm package of this name, which has all of R4's.
        Package::from_text(
            "hl7.fhir.r4.examples",
            "4.0.1",
            &[
                (STRUCTURES, facts!("hl7.fhir.r4.examples@4.0.1", "structures.ndjson")),
                (VALUE_SETS, facts!("hl7.fhir.r4.examples@4.0.1", "valuesets.ndjson")),
                (CODE_SYSTEMS, facts!("hl7.fhir.r4.examples@4.0.1", "codesystems.ndjson")),
                (SEARCH_PARAMETERS, facts!("hl7.fhir.r4.examples@4.0.1", "searchparameters.ndjson")),
                (COMPARTMENTS, facts!("hl7.fhir.r4.examples@4.0.1", "compartments.ndjson")),
            ],
        ),
        Package::from_text(
            "hl7.fhir.uv.extensions.r4",
            "5.3.0-ballot",
            &[(STRUCTURES, facts!("hl7.fhir.uv.extensions.r4@5.3.0-ballot", "structures.ndjson"))],
        ),
        Package::from_text(
            "hl7.fhir.uv.sdc",
            "4.0.0-ballot",
            &[
                (STRUCTURES, facts!("hl7.fhir.uv.sdc@4.0.0-ballot", "structures.ndjson")),
                (CODE_SYSTEMS, facts!("hl7.fhir.uv.sdc@4.0.0-ballot", "codesystems.ndjson")),
            ],
        ),
        Package::from_text(
            "hl7.fhir.us.core",
            "7.0.0",
            &[
                (STRUCTURES, facts!("hl7.fhir.us.core@7.0.0", "structures.ndjson")),
                (VALUE_SETS, facts!("hl7.fhir.us.core@7.0.0", "valuesets.ndjson")),
                (CODE_SYSTEMS, facts!("hl7.fhir.us.core@7.0.0", "codesystems.ndjson")),
                (SEARCH_PARAMETERS, facts!("hl7.fhir.us.core@7.0.0", "searchparameters.ndjson")),
            ],
        ),
        Package::from_text(
            "hl7.fhir.us.sdoh-clinicalcare",
            "3.0.0",
            &[
                (STRUCTURES, facts!("hl7.fhir.us.sdoh-clinicalcare@3.0.0", "structures.ndjson")),
                (VALUE_SETS, facts!("hl7.fhir.us.sdoh-clinicalcare@3.0.0", "valuesets.ndjson")),
                (CODE_SYSTEMS, facts!("hl7.fhir.us.sdoh-clinicalcare@3.0.0", "codesystems.ndjson")),
                (SEARCH_PARAMETERS, facts!("hl7.fhir.us.sdoh-clinicalcare@3.0.0", "searchparameters.ndjson")),
            ],
        ),
        // The exchange's own, written by hand: asked of nobody who does not claim them or is not asked to by
        // configuration.
        Package::from_text("handoff", "0.1.0", &[(STRUCTURES, facts!("handoff", "structures.ndjson"))]),
    ]
}
