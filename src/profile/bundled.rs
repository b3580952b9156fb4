//! The packages that are compiled in.

use super::package::{CODE_SYSTEMS, Package, SEARCH_PARAMETERS, STRUCTURES, VALUE_SETS};

macro_rules! facts {
    ($folder:literal, $file:literal) => {
        include_str!(concat!("../../profiles/", $folder, "/", $file))
    };
}

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
    ]
}
