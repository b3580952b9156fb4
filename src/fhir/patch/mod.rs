//! Patches: what is to be changed of a resource, in the three ways that clients say it (FHIR R4 http.html#patch).
//!
//! A patch is read first, so that all that is wrong with it is said at once, and applied to a copy later. What comes
//! out is only JSON of the same resource: whether it is valid, and whether its sender may write it, is judged as for
//! any update. Sizes are bounded here, because a few copies of a copy would fill the memory.

mod fhirpath;
mod json;
mod merge;
mod path;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

use super::outcome::Issue;
use super::read::{self, DEPTH_MAX};
use super::resource::Resource;

/// Most operations of one patch.
pub const OPERATIONS_MAX: usize = 1_000;
/// Deepest path of one operation.
pub const STEPS_MAX: usize = 64;

/// The formats, for `Accept-Patch` (RFC 5789, 3.1).
pub const FORMATS: &str = "application/json-patch+json, application/merge-patch+json, application/fhir+json";

/// A patch that could be read.
#[derive(Clone, Debug, PartialEq)]
pub enum Patch {
    /// RFC 6902.
    Json(Vec<json::Operation>),
    /// RFC 7396.
    Merge(Value),
    /// FHIR R4 fhirpatch.html.
    FhirPath(Vec<fhirpath::Operation>),
}

/// What the definitions say of one element; a path is a type and the JSON names below it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Member {
    pub repeats: bool,
    /// `value[x]`: its JSON name ends with the type.
    pub is_choice: bool,
}

pub type Shape<'a> = dyn Fn(&[&str]) -> Option<Member> + Sync + 'a;

/// Why a patch that could be read does not fit.
#[derive(Clone, Debug, PartialEq)]
pub enum Unfit {
    /// It tests for another version than the one that is there.
    Version(Issue),
    /// A `test` fails, or what an operation needs is not there.
    Content(Issue),
}

impl Patch {
    /// The patch in a body of that media type, without its parameters; `None` for a type that is no patch.
    ///
    /// # Errors
    /// All that is wrong with it.
    pub fn read(media: &str, bytes: &[u8]) -> Option<Result<Patch, Vec<Issue>>> {
        let json = || read::json(bytes).map_err(|issue| vec![issue]);
        Some(match media {
            "application/json-patch+json" => json().and_then(|value| json::read(value).map(Patch::Json)),
            "application/merge-patch+json" => json().and_then(Patch::merge),
            // Clients that know one JSON only (fhirpy) mean a merge patch, those with a list a JSON Patch.
            "application/json" | "text/json" => json().and_then(|value| match value {
                Value::Array(_) => json::read(value).map(Patch::Json),
                value if value["resourceType"] == "Parameters" => Patch::parameters(value),
                value => Patch::merge(value),
            }),
            "application/fhir+json" | "application/json+fhir" => json().and_then(Patch::parameters),
            _ => return None,
        })
    }

    /// The patch in an entry of a Bundle: `Parameters`, or a `Binary` that holds one of the other formats
    /// (FHIR R4 http.html#patch).
    ///
    /// # Errors
    /// All that is wrong with it.
    pub fn of_entry(resource: Resource) -> Result<Patch, Vec<Issue>> {
        match resource.kind() {
            "Binary" => {
                let media = resource.root().text("contentType").unwrap_or("").split(';').next().unwrap_or("").trim();
                let data = STANDARD.decode(resource.root().text("data").unwrap_or(""));
                let bytes = data.map_err(|_| {
                    vec![Issue::error("value", "patch-malformed", "`data`: expected base64").at("Binary.data")]
                })?;
                Patch::read(media, &bytes).unwrap_or_else(|| {
                    let text = format!("`contentType`: expected one of {FORMATS}");
                    Err(vec![Issue::error("not-supported", "content-type", text).at("Binary.contentType")])
                })
            }
            _ => Patch::parameters(resource.into_value()),
        }
    }

    fn parameters(value: Value) -> Result<Patch, Vec<Issue>> {
        if value["resourceType"] == "Parameters" {
            return fhirpath::read(&value).map(Patch::FhirPath);
        }
        let text = "a patch in FHIR's own format is a `Parameters` (R4 fhirpatch.html); send others as `application/json-patch+json` or `application/merge-patch+json`";
        Err(vec![Issue::error("structure", "patch-malformed", text).at("resourceType")])
    }

    fn merge(value: Value) -> Result<Patch, Vec<Issue>> {
        if value.is_object() {
            return Ok(Patch::Merge(value));
        }
        Err(vec![Issue::error("structure", "patch-malformed", "a merge patch of a resource is a JSON object")])
    }

    /// Whether it names the version that it was made for: then it needs no If-Match beside it. Only tests at its
    /// beginning count, since later ones see what the patch itself wrote.
    pub fn names_version(&self) -> bool {
        matches!(self, Patch::Json(operations) if json::names_version(operations))
    }

    /// Whether it depends on what is there, so that its success says something of it: all but a merge.
    pub fn asks(&self) -> bool {
        !matches!(self, Patch::Merge(_))
    }

    /// The resource that comes out.
    ///
    /// # Errors
    /// The first operation that does not fit; those behind it were never tried.
    pub fn apply(&self, to: &Resource, shape: &Shape) -> Result<Resource, Unfit> {
        let mut value = to.value().clone();
        match self {
            Patch::Json(operations) => json::apply(operations, &mut value)?,
            Patch::Merge(patch) => merge::apply(patch, &mut value),
            Patch::FhirPath(operations) => fhirpath::apply(operations, &mut value, shape).map_err(Unfit::Content)?,
        }
        let patched = Resource::from_value(value).filter(|patched| patched.kind() == to.kind());
        patched.filter(|patched| patched.id() == to.id()).ok_or_else(|| {
            let text = "a patch leaves `resourceType` and `id` as they are";
            Unfit::Content(Issue::error("business-rule", "identity", text).at(format!("{}.id", to.kind())))
        })
    }
}

/// How many levels of objects and lists a value has; an answer beyond the bound is only said to be beyond it.
fn depth(value: &Value) -> usize {
    let below = match value {
        Value::Object(object) => object.values().map(depth).max(),
        Value::Array(list) => list.iter().map(depth).max(),
        _ => return 0,
    };
    1 + below.unwrap_or(0)
}

/// Whether a value may stand `above` levels deep.
fn fits(above: usize, value: &Value) -> bool {
    above + depth(value) <= DEPTH_MAX
}

/// A name that the caller sent, short enough to be said again.
fn shown(text: &str) -> String {
    if text.chars().count() <= 80 { text.to_string() } else { text.chars().take(79).collect::<String>() + "…" }
}

#[cfg(test)]
mod tests;
