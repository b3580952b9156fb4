//! The answers: an expanded ValueSet, and Parameters.

use serde_json::{Map, Value, json};

use crate::fhir::time::Instant;

/// What says that an expansion has not all of its codes (FHIR R4 valueset-unclosed).
const UNCLOSED: &str = "http://hl7.org/fhir/StructureDefinition/valueset-unclosed";

/// A page of a value set's codes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Expanded {
    pub url: String,
    pub version: Option<String>,
    pub name: Option<String>,
    pub total: usize,
    pub offset: usize,
    pub contains: Vec<Contained>,
    /// Systems whose codes were used, with their versions: `http://x|1.0`.
    pub used: Vec<String>,
    /// Systems of which there may be more codes; `*` when not even the system is known.
    pub open: Vec<String>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Contained {
    pub system: String,
    pub code: String,
    pub display: String,
    pub is_abstract: bool,
    pub is_inactive: bool,
    /// Language and text.
    pub designations: Vec<(String, String)>,
}

impl Expanded {
    pub fn to_value(&self, at: Instant) -> Value {
        let mut set = json!({"resourceType": "ValueSet"});
        for (member, value) in
            [("url", Some(&self.url)), ("version", self.version.as_ref()), ("title", self.name.as_ref())]
        {
            if let Some(value) = value.filter(|value| !value.is_empty()) {
                set[member] = json!(value);
            }
        }
        let used = self.used.iter().map(|uri| json!({"name": "used-codesystem", "valueUri": uri}));
        let open = self.open.iter().map(|system| match system.as_str() {
            "*" => json!({"name": "not-listed", "valueString": "codes of systems that are not known here"}),
            system => json!({"name": "not-listed", "valueUri": system}),
        });
        let parameters: Vec<Value> = used.chain(open).collect();
        let mut expansion = Map::new();
        if !self.open.is_empty() {
            expansion.insert("extension".into(), json!([{"url": UNCLOSED, "valueBoolean": true}]));
        }
        expansion.insert("timestamp".into(), json!(at.to_string()));
        expansion.insert("total".into(), json!(self.total));
        expansion.insert("offset".into(), json!(self.offset));
        if !parameters.is_empty() {
            expansion.insert("parameter".into(), json!(parameters));
        }
        if !self.contains.is_empty() {
            expansion.insert("contains".into(), self.contains.iter().map(Contained::to_value).collect());
        }
        set["status"] = json!("active");
        set["expansion"] = Value::Object(expansion);
        set
    }
}

impl Contained {
    fn to_value(&self) -> Value {
        let mut item = json!({"system": self.system});
        if self.is_abstract {
            item["abstract"] = json!(true);
        }
        if self.is_inactive {
            item["inactive"] = json!(true);
        }
        item["code"] = json!(self.code);
        if !self.display.is_empty() {
            item["display"] = json!(self.display);
        }
        let designations: Vec<Value> = self.designations.iter().map(designation).collect();
        if !designations.is_empty() {
            item["designation"] = json!(designations);
        }
        item
    }
}

fn designation((language, text): &(String, String)) -> Value {
    if language.is_empty() { json!({"value": text}) } else { json!({"language": language, "value": text}) }
}

/// Whether a code is good.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Validated {
    pub is_good: bool,
    /// Why not.
    pub message: Option<String>,
    pub system: String,
    pub code: String,
    /// What the system calls the code.
    pub display: String,
}

impl Validated {
    pub fn to_value(&self) -> Value {
        let mut list = vec![json!({"name": "result", "valueBoolean": self.is_good})];
        if let Some(message) = &self.message {
            list.push(json!({"name": "message", "valueString": message}));
        }
        for (name, kind, text) in [
            ("display", "valueString", &self.display),
            ("code", "valueCode", &self.code),
            ("system", "valueUri", &self.system),
        ] {
            if !text.is_empty() {
                list.push(json!({"name": name, kind: text}));
            }
        }
        json!({"resourceType": "Parameters", "parameter": list})
    }
}

/// What is known of a code.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LookedUp {
    pub name: String,
    pub version: Option<String>,
    pub display: String,
    pub designations: Vec<(String, String)>,
    /// Name and value; those of other codes are codes.
    pub properties: Vec<(&'static str, Outlined)>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outlined {
    Code(String),
    Flag(bool),
}

impl LookedUp {
    pub fn to_value(&self) -> Value {
        let mut list = vec![json!({"name": "name", "valueString": self.name})];
        if let Some(version) = &self.version {
            list.push(json!({"name": "version", "valueString": version}));
        }
        list.push(json!({"name": "display", "valueString": self.display}));
        for (language, text) in &self.designations {
            let mut parts = Vec::new();
            if !language.is_empty() {
                parts.push(json!({"name": "language", "valueCode": language}));
            }
            parts.push(json!({"name": "value", "valueString": text}));
            list.push(json!({"name": "designation", "part": parts}));
        }
        for (name, value) in &self.properties {
            let value = match value {
                Outlined::Code(code) => json!({"name": "value", "valueCode": code}),
                Outlined::Flag(flag) => json!({"name": "value", "valueBoolean": flag}),
            };
            list.push(json!({"name": "property", "part": [{"name": "code", "valueCode": name}, value]}));
        }
        json!({"resourceType": "Parameters", "parameter": list})
    }
}

/// How two codes lie to each other: a code of concept-subsumption-outcome.
pub fn subsumed(outcome: &str) -> Value {
    json!({"resourceType": "Parameters", "parameter": [{"name": "outcome", "valueCode": outcome}]})
}

/// What of terminology is offered (FHIR R4 terminologycapabilities.html): each code system with its version.
pub fn capabilities(base: &str, version: &str, at: Instant, systems: &[(String, Option<String>)]) -> Value {
    let systems: Vec<Value> = systems
        .iter()
        .map(|(uri, version)| match version {
            Some(version) => {
                json!({"uri": uri, "version": [{"code": version, "isDefault": true}], "subsumption": true})
            }
            None => json!({"uri": uri, "subsumption": true}),
        })
        .collect();
    let parameters =
        ["url", "valueSetVersion", "valueSet", "filter", "offset", "count", "activeOnly", "includeDesignations"];
    let parameters = parameters.map(|name| json!({"name": name}));
    json!({
        "resourceType": "TerminologyCapabilities",
        "url": format!("{base}/metadata?mode=terminology"),
        "version": version,
        "name": "HandoffTerminology",
        "title": "The terminology that handoff checks with",
        "status": "active",
        "date": at.to_string(),
        "publisher": "handoff",
        "kind": "instance",
        "software": {"name": "handoff", "version": version},
        "implementation": {"description": "handoff, a FHIR gateway for case management", "url": base},
        "codeSystem": systems,
        "expansion": {
            "hierarchical": false,
            "paging": true,
            "incomplete": true,
            "parameter": parameters,
            "textFilter": "each word occurs in the code or in the display, letters' case aside",
        },
        "codeSearch": "explicit",
        "validateCode": {"translations": false},
    })
}
