//! References between resources (FHIR R4 references.html).

use std::fmt;

/// A literal reference, taken apart but not resolved.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Reference<'a> {
    /// `Patient/7`, `Patient/7/_history/2`.
    Relative { kind: &'a str, id: &'a str, version: Option<&'a str> },
    /// `https://ehr.example/fhir/Patient/7`.
    Absolute { base: &'a str, kind: &'a str, id: &'a str },
    /// `#plan`, without the `#`.
    Contained(&'a str),
    /// `urn:uuid:…`, a canonical, or anything else that is not of the REST form.
    Other(&'a str),
}

impl<'a> Reference<'a> {
    pub fn parse(text: &'a str) -> Self {
        if let Some(id) = text.strip_prefix('#') {
            return Reference::Contained(id);
        }
        let (path, version) = match text.split_once("/_history/") {
            Some((path, version)) => (path, Some(version)),
            None => (text, None),
        };
        let mut parts = path.rsplitn(3, '/');
        let (Some(id), Some(kind)) = (parts.next(), parts.next()) else { return Reference::Other(text) };
        if !is_id(id) || !is_kind(kind) {
            return Reference::Other(text);
        }
        match parts.next() {
            None => Reference::Relative { kind, id, version },
            Some(base) if base.contains("://") => Reference::Absolute { base, kind, id },
            Some(_) => Reference::Other(text),
        }
    }

    /// Kind and id when it points into this server.
    pub fn local(&self) -> Option<(&'a str, &'a str)> {
        match *self {
            Reference::Relative { kind, id, .. } => Some((kind, id)),
            _ => None,
        }
    }

    /// The id, when it points at a local resource of that kind.
    pub fn id_of(&self, kind: &str) -> Option<&'a str> {
        self.local().filter(|(found, _)| *found == kind).map(|(_, id)| id)
    }

    /// The reference without its version.
    pub fn key(&self) -> String {
        match *self {
            Reference::Relative { kind, id, .. } => format!("{kind}/{id}"),
            Reference::Absolute { base, kind, id } => format!("{base}/{kind}/{id}"),
            Reference::Contained(id) => format!("#{id}"),
            Reference::Other(text) => text.to_string(),
        }
    }
}

impl fmt::Display for Reference<'_> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.key())
    }
}

/// FHIR R4 datatypes.html#id: 1 to 64 of letters, digits, `-` and `.`.
pub fn is_id(text: &str) -> bool {
    (1..=64).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'.')
}

/// Shaped like the name of a resource type.
pub fn is_kind(text: &str) -> bool {
    text.starts_with(|first: char| first.is_ascii_uppercase()) && text.bytes().all(|byte| byte.is_ascii_alphabetic())
}

#[cfg(test)]
mod tests {
    use super::Reference::{self, *};

    #[test]
    fn references_are_taken_apart_by_form() {
        for (text, expected) in [
            ("Patient/7", Relative { kind: "Patient", id: "7", version: None }),
            ("Patient/7/_history/2", Relative { kind: "Patient", id: "7", version: Some("2") }),
            (
                "https://ehr.example/fhir/Patient/7",
                Absolute { base: "https://ehr.example/fhir", kind: "Patient", id: "7" },
            ),
            ("#plan", Contained("plan")),
            ("urn:uuid:6f0e", Other("urn:uuid:6f0e")),
            ("patient/7", Other("patient/7")),
            ("Patient/a b", Other("Patient/a b")),
            ("", Other("")),
        ] {
            assert_eq!(Reference::parse(text), expected, "{text}");
        }
    }
}
