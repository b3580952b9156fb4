//! The CapabilityStatement, computed from the tables that the server runs on (FHIR R4 capabilitystatement.html).

use serde_json::{Value, json};

use super::interaction::Interaction;
use super::search::Params;
use super::time::Instant;

/// What the statement needs to know of the server.
pub struct Described<'a> {
    pub base: &'a str,
    pub kinds: &'a [String],
    pub params: &'a Params,
    /// Profiles by type, as `(type, url)`.
    pub profiles: &'a [(String, String)],
    pub at: Instant,
    pub version: &'a str,
    /// Types that the server alone writes.
    pub read_only: &'a [&'a str],
    pub client_assigned: bool,
}

pub fn statement(of: &Described) -> Value {
    let resources: Vec<Value> = of.kinds.iter().map(|kind| resource(kind, of)).collect();
    let system = [Interaction::Transaction, Interaction::Batch].map(|interaction| json!({"code": interaction.code()}));
    json!({
        "resourceType": "CapabilityStatement",
        "status": "active",
        "date": of.at.to_string(),
        "publisher": "handoff",
        "kind": "instance",
        "software": {"name": "handoff", "version": of.version},
        "implementation": {"description": "handoff, a FHIR gateway for case management", "url": of.base},
        "fhirVersion": "4.0.1",
        "format": ["application/fhir+json", "json"],
        "rest": [{
            "mode": "server",
            "security": {
                "cors": false,
                "service": [{"coding": [{
                    "system": "http://terminology.hl7.org/CodeSystem/restful-security-service", "code": "SMART-on-FHIR"}]}],
                "extension": [{
                    "url": "http://fhir-registry.smarthealthit.org/StructureDefinition/oauth-uris",
                    "extension": [{"url": "token", "valueUri": format!("{}/auth/token", of.base.trim_end_matches("/fhir"))}]}],
            },
            "resource": resources,
            "interaction": system,
        }],
    })
}

fn resource(kind: &str, of: &Described) -> Value {
    let read_only = of.read_only.contains(&kind);
    let interactions: Vec<Value> = Interaction::OF_TYPES
        .iter()
        .filter(|interaction| !read_only || matches!(interaction, Interaction::Read | Interaction::SearchType))
        .map(|interaction| json!({"code": interaction.code()}))
        .collect();
    let searches =
        of.params.of(kind).map(|param| json!({"name": param.code, "definition": param.url, "type": param.kind.name()}));
    let own = [("_id", "token"), ("_lastUpdated", "date")].map(|(name, kind)| {
        json!({"name": name, "definition": format!("http://hl7.org/fhir/SearchParameter/Resource-{}", &name[1..]), "type": kind})
    });
    let mut resource = json!({
        "type": kind,
        "profile": format!("http://hl7.org/fhir/StructureDefinition/{kind}"),
        "interaction": interactions,
        "versioning": if kind == "Task" { "versioned-update" } else { "versioned" },
        "readHistory": !read_only,
        "updateCreate": of.client_assigned && !read_only,
        "conditionalCreate": false,
        "searchParam": own.into_iter().chain(searches).collect::<Vec<Value>>(),
    });
    let profiles: Vec<&String> = of.profiles.iter().filter(|(found, _)| found == kind).map(|(_, url)| url).collect();
    if !profiles.is_empty() {
        resource["supportedProfile"] = json!(profiles);
    }
    resource
}
