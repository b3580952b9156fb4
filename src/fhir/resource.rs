//! A resource: JSON kept as it came, with the few things the server sets.

use serde_json::{Map, Value};

use super::element::{Coding, Element};
use super::time::Instant;

/// A JSON object with a `resourceType`. Nothing else is promised: `profile` says whether it is valid.
#[derive(Clone, Debug, PartialEq)]
pub struct Resource(Value);

impl Resource {
    /// `None` unless it is an object whose `resourceType` is text.
    pub fn from_value(value: Value) -> Option<Resource> {
        value.get("resourceType")?.as_str()?;
        Some(Resource(value))
    }

    /// One that the server builds itself, member by member.
    pub fn new(kind: &str) -> Resource {
        let mut object = Map::new();
        object.insert("resourceType".into(), kind.into());
        Resource(Value::Object(object))
    }

    pub fn kind(&self) -> &str {
        self.root().text("resourceType").unwrap_or("")
    }

    pub fn id(&self) -> Option<&str> {
        self.root().text("id")
    }

    /// `Patient/7`; without an id, `Patient`.
    pub fn key(&self) -> String {
        match self.id() {
            Some(id) => format!("{}/{id}", self.kind()),
            None => self.kind().to_string(),
        }
    }

    pub fn root(&self) -> Element<'_> {
        Element::new(&self.0)
    }

    pub fn value(&self) -> &Value {
        &self.0
    }

    pub fn into_value(self) -> Value {
        self.0
    }

    /// `meta.source`.
    pub fn source(&self) -> Option<&str> {
        self.root().get("meta").text("source")
    }

    /// `meta.versionId` as our number; 0 when it is absent or not ours.
    pub fn version(&self) -> i64 {
        self.root().get("meta").text("versionId").and_then(|text| text.parse().ok()).unwrap_or(0)
    }

    pub fn updated_at(&self) -> Option<Instant> {
        self.root().get("meta").text("lastUpdated").and_then(Instant::parse)
    }

    /// `meta.security`.
    pub fn labels(&self) -> Vec<Coding<'_>> {
        self.root().get("meta").codings("security")
    }

    /// Sets a top-level member, in its old place if it had one.
    pub fn set(&mut self, name: &str, value: impl Into<Value>) {
        if let Value::Object(object) = &mut self.0 {
            object.insert(name.into(), value.into());
        }
    }

    pub fn remove(&mut self, name: &str) {
        if let Value::Object(object) = &mut self.0 {
            object.shift_remove(name);
        }
    }

    /// Sets id and the three meta elements that are the server's, and leaves all else as it is.
    pub fn stamp(&mut self, id: &str, version: i64, updated_at: Instant, source: &str) {
        self.lead("id", id.into());
        let mut meta = match self.0.get_mut("meta").map(Value::take) {
            Some(Value::Object(meta)) => meta,
            _ => Map::new(),
        };
        meta.insert("versionId".into(), version.to_string().into());
        meta.insert("lastUpdated".into(), updated_at.to_string().into());
        meta.insert("source".into(), source.into());
        self.lead("meta", Value::Object(meta));
    }

    /// Puts a member that was absent behind the ones that lead a resource by custom.
    fn lead(&mut self, name: &str, value: Value) {
        let Value::Object(object) = &mut self.0 else { return };
        if object.contains_key(name) {
            object.insert(name.into(), value);
        } else {
            let behind = ["resourceType", "id"].iter().filter(|lead| object.contains_key(**lead)).count();
            object.shift_insert(behind.min(object.len()), name.into(), value);
        }
    }

    /// Sets `meta.security`, in its old place if it had one; without labels, takes it away.
    pub fn set_labels(&mut self, labels: Vec<Value>) {
        let mut meta = self.root().get("meta").object().cloned().unwrap_or_default();
        if labels.is_empty() {
            meta.shift_remove("security");
        } else {
            meta.insert("security".into(), Value::Array(labels));
        }
        self.lead("meta", Value::Object(meta));
    }

    /// Gives it the id that it will be stored under.
    pub fn identify(&mut self, id: &str) {
        self.lead("id", id.into());
    }

    /// Lets the rooms of `fhir` that walk a resource change it in place.
    pub(super) fn change(&mut self, with: impl FnOnce(&mut Value)) {
        with(&mut self.0);
    }

    /// The bytes that are stored and answered.
    pub fn to_bytes(&self) -> Vec<u8> {
        self.0.to_string().into_bytes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stamping_changes_only_what_is_the_servers() {
        let sent = r#"{"resourceType":"Goal","meta":{"profile":["x"],"source":"mine"},"n":1.50,"_n":{"extension":[]}}"#;
        let mut goal = Resource::from_value(serde_json::from_str(sent).unwrap()).unwrap();
        goal.stamp("g1", 2, Instant(0), "Organization/clinic");
        assert_eq!(
            goal.value().to_string(),
            r#"{"resourceType":"Goal","id":"g1","meta":{"profile":["x"],"source":"Organization/clinic","versionId":"2","lastUpdated":"1970-01-01T00:00:00.000Z"},"n":1.50,"_n":{"extension":[]}}"#
        );
    }
}
