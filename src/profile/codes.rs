//! What a search asks of value sets and code systems.

use crate::fhir::search::Codes;

use super::Profiles;

impl Codes for Profiles {
    fn expansion(&self, _value_set: &str) -> Option<Vec<(String, Vec<String>)>> {
        None
    }

    fn below(&self, _system: &str, _code: &str) -> Option<Vec<String>> {
        None
    }

    fn above(&self, _system: &str, _code: &str) -> Option<Vec<String>> {
        None
    }
}
