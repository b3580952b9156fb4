//! The CapabilityStatement, computed from the tables that the server runs on (FHIR R4 capabilitystatement.html).

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::interaction::Interaction;
use super::offer::{self, FORMATS, HAS, Level, OPERATIONS, Operation, PATCH_FORMATS, ROLES, TYPE};
use super::search::{Param, ParamKind, Params};
use super::time::Instant;

/// What the statement needs to know of the server.
pub struct Described<'a> {
    /// `https://exchange.example/fhir`.
    pub base: &'a str,
    pub kinds: &'a [String],
    pub params: &'a Params,
    /// Profiles by type, as `(type, url)`.
    pub profiles: Vec<(String, String)>,
    /// Guides by name and version: `hl7.fhir.us.core`.
    pub guides: Vec<(String, String)>,
    /// Types that have compartments, each with what defines it.
    pub compartments: Vec<(&'a str, &'a str)>,
    pub at: Instant,
    pub version: &'a str,
    pub client_assigned: bool,
    /// What bounds a request, in words.
    pub limits: Vec<String>,
}

impl Described<'_> {
    /// `https://exchange.example`.
    pub fn origin(&self) -> &str {
        self.base.trim_end_matches("/fhir")
    }

    /// The search parameters that are offered of a type, each once, sorted; a guide's before R4's.
    pub fn params_of(&self, kind: &str) -> Vec<&Param> {
        let mut found: BTreeMap<&str, &Param> = BTreeMap::new();
        for param in self.params.of(kind).filter(|param| offer::searches(kind, &param.code)) {
            found.entry(&param.code).or_insert(param);
        }
        found.into_values().collect()
    }

    /// `_include` of a type: each of its reference parameters, and each with a type it may point at.
    pub fn includes(&self, kind: &str) -> Vec<String> {
        let mut found = Vec::new();
        if offer::rendered(kind).is_some() {
            return found;
        }
        found.push("*".to_string());
        for param in self.references(kind) {
            let own = format!("{kind}:{}", param.code);
            let targets: Vec<String> = param
                .targets
                .iter()
                .filter(|target| self.kinds.contains(target))
                .map(|target| format!("{own}:{target}"))
                .collect();
            found.push(own);
            // With one target, naming it says nothing more.
            found.extend(targets.into_iter().filter(|_| param.targets.len() > 1));
        }
        found
    }

    /// `_revinclude` of a type: the reference parameters of all types that may point at it.
    pub fn reverse_includes(&self, kind: &str) -> Vec<String> {
        let mut found = Vec::new();
        for source in self.kinds.iter().filter(|source| offer::rendered(source).is_none()) {
            for param in self.references(source) {
                if param.points_at(kind) {
                    found.push(format!("{source}:{}", param.code));
                }
            }
        }
        found
    }

    fn references(&self, kind: &str) -> impl Iterator<Item = &Param> {
        self.params_of(kind).into_iter().filter(|param| param.kind == ParamKind::Reference)
    }

    pub fn profiles_of<'d>(&'d self, kind: &'d str) -> impl Iterator<Item = &'d str> {
        self.profiles.iter().filter(move |(found, _)| found == kind).map(|(_, url)| url.as_str())
    }
}

pub fn statement(of: &Described) -> Value {
    let served = of.kinds.iter().map(|kind| resource(kind, of));
    let resources: Vec<Value> = served.chain(offer::ASKED.into_iter().map(asked)).collect();
    let system: Vec<Value> =
        Interaction::OF_SYSTEM.iter().map(|interaction| json!({"code": interaction.code()})).collect();
    // Over all types, what all of them have.
    let common = of.params.of("Resource").map(|param| search_param(&param.code, param));
    let mut search: BTreeMap<String, Value> = common.collect();
    search.insert(TYPE.name.into(), json!({"name": TYPE.name, "type": "special", "documentation": TYPE.about}));
    search.insert(HAS.name.into(), json!({"name": HAS.name, "type": "special", "documentation": HAS.about}));
    let guides: Vec<String> = of.guides.iter().filter_map(|(name, version)| guide(name, version)).collect();
    json!({
        "resourceType": "CapabilityStatement",
        "url": format!("{}/metadata", of.base),
        "version": of.version,
        "name": "Handoff",
        "title": "handoff, a FHIR gateway for case management",
        "status": "active",
        "date": of.at.to_string(),
        "publisher": "handoff",
        "description": format!("What this server offers. For people: {}/docs; for tools: {}/openapi.json.",
            of.origin(), of.origin()),
        "kind": "instance",
        "instantiates": ROLES,
        "software": {"name": "handoff", "version": of.version},
        "implementation": {"description": "handoff, a FHIR gateway for case management", "url": of.base},
        "fhirVersion": "4.0.1",
        "format": FORMATS,
        "patchFormat": PATCH_FORMATS,
        "implementationGuide": guides,
        "rest": [{
            "mode": "server",
            "documentation": format!("Every answer is within what the people concerned consented to: what a caller may \
                not know of is answered as if it did not exist.\n\n{}", listed(&of.limits)),
            "security": security(of),
            "resource": resources,
            "interaction": system,
            "searchParam": search.into_values().collect::<Vec<Value>>(),
            "operation": operations(OPERATIONS.iter().filter(|it| it.level == Level::System)),
            "compartment": of.compartments.iter().map(|(_, url)| *url).collect::<Vec<&str>>(),
        }],
    })
}

fn resource(kind: &str, of: &Described) -> Value {
    let is_written = offer::offers(kind, Interaction::Update);
    let interactions: Vec<Value> = Interaction::OF_TYPES
        .iter()
        .filter(|interaction| offer::offers(kind, **interaction))
        .map(|interaction| json!({"code": interaction.code()}))
        .collect();
    let mut search: Vec<Value> =
        of.params_of(kind).into_iter().map(|param| search_param(&param.code, param).1).collect();
    let mut resource = json!({
        "type": kind,
        "profile": format!("http://hl7.org/fhir/StructureDefinition/{kind}"),
        "interaction": interactions,
        "versioning": if !is_written { "no-version" } else if kind == "Task" { "versioned-update" } else { "versioned" },
        "readHistory": is_written,
        "updateCreate": of.client_assigned && is_written,
        "conditionalCreate": is_written,
        "conditionalRead": if is_written { "full-support" } else { "not-supported" },
        "conditionalUpdate": is_written,
        "conditionalDelete": if is_written { "single" } else { "not-supported" },
        "referencePolicy": ["literal", "logical", "resolves", "local"],
    });
    if is_written {
        search.push(json!({"name": HAS.name, "type": "special", "documentation": HAS.about}));
        resource["searchInclude"] = json!(of.includes(kind));
        resource["searchRevInclude"] = json!(of.reverse_includes(kind));
    }
    resource["searchParam"] = json!(search);
    let operations = operations(OPERATIONS.iter().filter(|it| it.is_of(kind)));
    if !operations.is_empty() {
        resource["operation"] = json!(operations);
    }
    let profiles: Vec<&str> = of.profiles_of(kind).collect();
    if !profiles.is_empty() {
        resource["supportedProfile"] = json!(profiles);
    }
    if kind == "Task" {
        resource["documentation"] =
            json!("An update needs If-Match with the version that was read (428 without, 412 when it is stale).");
    }
    resource
}

/// A type of which only operations are offered.
fn asked(kind: &str) -> Value {
    json!({
        "type": kind,
        "profile": format!("http://hl7.org/fhir/StructureDefinition/{kind}"),
        "documentation": "The definitions that are bundled can be asked by these operations; they are not read or \
            written one by one.",
        "operation": operations(OPERATIONS.iter().filter(|it| it.is_of(kind))),
    })
}

fn search_param(name: &str, param: &Param) -> (String, Value) {
    (name.to_string(), json!({"name": name, "definition": param.url, "type": param.kind.name()}))
}

fn operations<'o>(operations: impl Iterator<Item = &'o Operation>) -> Vec<Value> {
    let declared =
        operations.map(|it| json!({"name": it.name, "definition": it.definition, "documentation": it.about}));
    declared.collect()
}

/// SMART App Launch 2.2, backend services.
fn security(of: &Described) -> Value {
    let uri = |name: &str, path: &str| json!({"url": name, "valueUri": format!("{}{path}", of.origin())});
    json!({
        "cors": false,
        "service": [{
            "coding": [{
                "system": "http://terminology.hl7.org/CodeSystem/restful-security-service", "code": "SMART-on-FHIR"}],
            "text": "OAuth2 with SMART on FHIR backend services"}],
        "description": "Every request but for this statement, the SMART configuration and the documentation needs a \
            token: 401 without one, 403 for what its scopes leave out, 404 for what the caller may not know of.",
        "extension": [{
            "url": "http://fhir-registry.smarthealthit.org/StructureDefinition/oauth-uris",
            "extension": [uri("token", "/auth/token"), uri("introspect", "/auth/introspect")]}],
    })
}

/// `hl7.fhir.us.core` lives under `http://hl7.org/fhir/us/core`.
fn guide(name: &str, version: &str) -> Option<String> {
    let (realm, guide) = name.strip_prefix("hl7.fhir.")?.split_once('.')?;
    matches!(realm, "us" | "uv")
        .then(|| format!("http://hl7.org/fhir/{realm}/{guide}/ImplementationGuide/{name}|{version}"))
}

fn listed(lines: &[String]) -> String {
    lines.iter().map(|line| format!("- {line}\n")).collect()
}
