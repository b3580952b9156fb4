//! `Prefer` (FHIR R4 http.html#ops, search.html#errors). Values that we do not know are ignored, as RFC 7240 wants.

use axum::http::HeaderMap;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Return {
    Representation,
    Minimal,
    Outcome,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Prefer {
    pub returns: Return,
    /// `handling=strict`.
    pub strict: bool,
    /// `handling=lenient`, said and not merely the default.
    pub lenient: bool,
    /// `respond-async` (Bulk Data Access).
    pub respond_async: bool,
}

impl Prefer {
    pub fn of(headers: &HeaderMap) -> Prefer {
        let mut prefer =
            Prefer { returns: Return::Representation, strict: false, lenient: false, respond_async: false };
        let values = headers.get_all("prefer").iter().filter_map(|value| value.to_str().ok());
        for word in values.flat_map(|value| value.split([',', ';'])).map(str::trim) {
            match word {
                "return=minimal" => prefer.returns = Return::Minimal,
                "return=representation" => prefer.returns = Return::Representation,
                "return=OperationOutcome" => prefer.returns = Return::Outcome,
                "handling=strict" => (prefer.strict, prefer.lenient) = (true, false),
                "handling=lenient" => (prefer.strict, prefer.lenient) = (false, true),
                "respond-async" => prefer.respond_async = true,
                _ => {}
            }
        }
        prefer
    }
}
