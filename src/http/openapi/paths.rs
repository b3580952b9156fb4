//! The addresses.

use serde_json::{Map, Value, json};

use crate::fhir::capability::Described;
use crate::fhir::interaction::Interaction;
use crate::fhir::offer::{self, HAS, Level, OPERATIONS, Operation, RESULTS, TYPE};

use super::{FHIR_JSON, FHIR_XML, answers, fhir, refers};

type Paths = Map<String, Value>;

/// Every address of a type.
pub fn of_type(of: &Described, kind: &str) -> Paths {
    let mut paths = Paths::new();
    for interaction in Interaction::OF_TYPES.into_iter().filter(|interaction| offer::offers(kind, *interaction)) {
        let (method, address) = interaction.address();
        let path = format!("/fhir{}", address.replace("{type}", kind));
        put(&mut paths, &path, method, described(of, kind, interaction));
    }
    if offer::offers(kind, Interaction::Update) {
        put(&mut paths, &format!("/fhir/{kind}/_search"), "POST", by_form(&format!("search-form-{kind}"), Some(kind)));
    }
    if of.compartments.iter().any(|(owner, _)| *owner == kind) {
        compartment(of, kind, &mut paths);
    }
    for operation in OPERATIONS.iter().filter(|operation| operation.is_of(kind)) {
        put(&mut paths, &format!("/fhir{}", operation.address(kind, "{id}")), operation.method, asked(operation, kind));
    }
    paths
}

/// A search with its parameters in the body.
fn by_form(id: &str, tag: Option<&str>) -> Value {
    json!({
        "operationId": id,
        "tags": tag.into_iter().collect::<Vec<&str>>(),
        "summary": "Search, with the parameters in a form.",
        "requestBody": {"required": false, "content": {"application/x-www-form-urlencoded":
            {"schema": {"type": "object", "additionalProperties": {"type": "string"}}}}},
        "responses": answers(&[("200", "Bundle")]),
    })
}

/// What belongs to one of them (FHIR R4 search.html, compartments).
fn compartment(of: &Described, owner: &str, paths: &mut Paths) {
    let kinds: Vec<&str> = of.kinds.iter().map(String::as_str).chain(["*"]).collect();
    let part = json!({"name": "part", "in": "path", "required": true, "schema": {"type": "string", "enum": kinds}});
    let mut search = vec![refers("parameters", "id"), part.clone()];
    search.extend(RESULTS.iter().map(|result| refers("parameters", result.name)));
    let search = json!({"operationId": format!("compartment-{owner}"), "tags": [owner],
        "summary": "Search within its compartment; `*` for all types.", "parameters": search,
        "responses": answers(&[("200", "Bundle")])});
    put(paths, &format!("/fhir/{owner}/{{id}}/{{part}}"), "GET", search);
    let mut form = by_form(&format!("compartment-form-{owner}"), Some(owner));
    form["parameters"] = json!([refers("parameters", "id"), part]);
    put(paths, &format!("/fhir/{owner}/{{id}}/{{part}}/_search"), "POST", form);
}

fn described(of: &Described, kind: &str, interaction: Interaction) -> Value {
    use Interaction::{Create, Delete, HistoryInstance, HistoryType, Patch, Read, SearchType, Update, Vread};
    let (summary, parameters, good): (&str, &[&str], &[(&str, &str)]) = match interaction {
        Read => (
            "The current version.",
            &["id", "If-None-Match", "If-Modified-Since"],
            &[("200", "Resource"), ("304", "NotModified")],
        ),
        Vread => ("One version.", &["id", "version"], &[("200", "Resource")]),
        Create => ("Store a new one.", &["If-None-Exist", "Prefer"], &[("200", "Written"), ("201", "Written")]),
        Update => ("Replace what is stored.", &["id", "If-Match", "Prefer"], &[("200", "Written"), ("201", "Written")]),
        Patch => ("Change parts of what is stored.", &["id", "If-Match", "Prefer"], &[("200", "Written")]),
        Delete => ("Delete it.", &["id", "If-Match"], &[("200", "Outcome"), ("204", "Deleted")]),
        HistoryInstance => ("The versions of one.", &["id", "_since", "_count"], &[("200", "Bundle")]),
        HistoryType => ("The versions of all of them.", &["_since", "_count"], &[("200", "Bundle")]),
        SearchType => ("Search.", &["Prefer"], &[("200", "Bundle")]),
        _ => ("", &[], &[]),
    };
    let mut parameters: Vec<Value> = parameters.iter().map(|name| refers("parameters", name)).collect();
    if interaction == SearchType {
        let own = of.params_of(kind).into_iter().map(|param| {
            json!({"name": param.code, "in": "query", "schema": refers("schemas", &format!("search-{}", param.kind.name()))})
        });
        parameters.extend(own);
        if offer::rendered(kind).is_none() {
            parameters.extend(RESULTS.iter().map(|result| refers("parameters", result.name)));
        }
    }
    let mut operation = json!({
        "operationId": format!("{}-{kind}", interaction.code()),
        "tags": [kind],
        "summary": summary,
        "parameters": parameters,
        "responses": answers(good),
    });
    match interaction {
        Create => {
            operation["requestBody"] = json!({"required": true, "content": fhir(kind)});
            operation["responses"]["201"] = created(kind);
        }
        Update => operation["requestBody"] = json!({"required": true, "content": fhir(kind)}),
        Patch => {
            operation["requestBody"] = json!({"required": true, "content": {
                "application/json-patch+json": {"schema": refers("schemas", "JsonPatch")},
                FHIR_JSON: {"schema": refers("schemas", "Parameters")},
                FHIR_XML: {"schema": {"type": "string"}}}});
        }
        SearchType => {
            operation["description"] = json!(format!(
                "Besides these: modifiers (`name:exact`), chains \
                (`patient.name`) and `{}`. {}",
                HAS.name, HAS.about
            ));
        }
        _ => {}
    }
    operation
}

/// What was created can be read, changed and deleted by the id that it was given.
fn created(kind: &str) -> Value {
    let links = [Interaction::Read, Interaction::Update, Interaction::HistoryInstance, Interaction::Delete];
    let links: Map<String, Value> = links
        .into_iter()
        .map(|interaction| {
            let id = format!("{}-{kind}", interaction.code());
            (interaction.code().to_string(), json!({"operationId": id, "parameters": {"id": "$response.body#/id"}}))
        })
        .collect();
    json!({"description": "What was stored; ETag and Location name the version.", "content": fhir("Resource"), "links": links})
}

fn asked(operation: &Operation, kind: &str) -> Value {
    let mut parameters = Vec::new();
    if operation.level == Level::Instance {
        parameters.push(refers("parameters", "id"));
    }
    let good: &[(&str, &str)] = match operation.name {
        "export" => {
            let prefer = json!({"type": "string", "enum": ["respond-async"]});
            parameters.push(json!({"name": "Prefer", "in": "header", "required": true, "schema": prefer}));
            for name in ["_type", "_typeFilter", "_outputFormat"] {
                parameters.push(json!({"name": name, "in": "query", "schema": {"type": "string"}}));
            }
            parameters.push(refers("parameters", "_since"));
            &[("202", "Accepted")]
        }
        "validate" => {
            let modes = json!({"type": "string", "enum": ["create", "update", "delete", "profile"]});
            parameters.push(json!({"name": "mode", "in": "query", "schema": modes}));
            parameters.push(json!({"name": "profile", "in": "query", "schema": {"type": "string", "format": "uri"}}));
            &[("200", "Outcome")]
        }
        "everything" => &[("200", "Bundle")],
        "reading" => {
            let language = json!({"type": "string", "enum": ["en", "es"]});
            parameters.push(json!({"name": "language", "in": "query", "schema": language}));
            &[("200", "Resource")]
        }
        "docref" => {
            let required =
                |name: &str| json!({"name": name, "in": "query", "required": true, "schema": {"type": "string"}});
            parameters.push(required("patient"));
            for name in ["start", "end", "type"] {
                parameters.push(json!({"name": name, "in": "query", "schema": {"type": "string"}}));
            }
            &[("200", "Bundle")]
        }
        "expand" | "validate-code" | "lookup" | "subsumes" => {
            let named = |name: &&str| json!({"name": name, "in": "query", "schema": {"type": "string"}});
            parameters.extend(questions(operation.name, kind).iter().map(named));
            &[("200", "Resource")]
        }
        _ => &[("200", "Resource")],
    };
    // One that a type has twice, for all and for one.
    let again = |other: &&Operation| other.name == operation.name && other.is_of(kind) && other.level == Level::Type;
    let of_one =
        if operation.level == Level::Instance && OPERATIONS.iter().any(|other| again(&other)) { "-one" } else { "" };
    let mut described = json!({
        "operationId": format!("{}{}{kind}{of_one}", operation.name, if kind.is_empty() { "" } else { "-" }),
        "tags": if kind.is_empty() { json!([]) } else { json!([kind]) },
        "summary": operation.about,
        "parameters": parameters,
        "responses": answers(good),
    });
    if operation.method == "POST" {
        let body = if operation.name == "decide" { "Parameters" } else { kind };
        described["requestBody"] = json!({"required": true, "content": fhir(body)});
    }
    described
}

/// What the operations of terminology take in an address.
fn questions(operation: &str, kind: &str) -> &'static [&'static str] {
    match (operation, kind) {
        ("expand", _) => &["url", "valueSetVersion", "filter", "offset", "count", "activeOnly", "includeDesignations"],
        ("validate-code", "ValueSet") => &["url", "valueSetVersion", "system", "code", "display", "coding"],
        ("validate-code", _) => &["url", "version", "code", "display", "coding"],
        ("lookup", _) => &["system", "version", "code", "coding", "property"],
        _ => &["system", "version", "codeA", "codeB", "codingA", "codingB"],
    }
}

/// Over all types.
pub fn system() -> Paths {
    let mut paths = Paths::new();
    let mut search: Vec<Value> =
        vec![json!({"name": TYPE.name, "in": "query", "description": TYPE.about, "schema": {"type": "string"}})];
    search.extend(RESULTS.iter().map(|result| refers("parameters", result.name)));
    let search = json!({"operationId": "search-system", "summary": "Search several types.", "parameters": search,
        "responses": answers(&[("200", "Bundle")])});
    put(&mut paths, "/fhir", "GET", search);
    put(&mut paths, "/fhir/_search", "POST", by_form("search-form-system", None));
    let submit = json!({"operationId": "submit",
        "summary": "A transaction, all or none, or a batch, each by itself.",
        "requestBody": {"required": true, "content": fhir("Submission")},
        "responses": answers(&[("200", "Bundle")])});
    put(&mut paths, "/fhir", "POST", submit);
    let history = json!({"operationId": "history-system", "summary": "The versions of everything.",
        "parameters": [refers("parameters", "_since"), refers("parameters", "_count")],
        "responses": answers(&[("200", "Bundle")])});
    put(&mut paths, "/fhir/_history", "GET", history);
    exports(&mut paths);
    for operation in OPERATIONS.iter().filter(|operation| operation.level == Level::System) {
        put(&mut paths, &format!("/fhir{}", operation.address("", "")), operation.method, asked(operation, ""));
    }
    paths
}

/// How an export stands, and its files (Bulk Data Access 2.0).
fn exports(paths: &mut Paths) {
    let named = |name: &str| json!({"name": name, "in": "path", "required": true, "schema": {"type": "string", "pattern": "^[A-Za-z0-9.-]{1,80}$"}});
    let status = json!({"operationId": "export-status", "summary": "How far an export is; its files, once it is done.",
        "parameters": [named("job")], "responses": answers(&[("200", "Manifest"), ("202", "Accepted")])});
    put(paths, "/fhir/$export/{job}", "GET", status);
    let cancel = json!({"operationId": "export-cancel", "summary": "Stops an export, or removes its files.",
        "parameters": [named("job")], "responses": answers(&[("202", "Accepted")])});
    put(paths, "/fhir/$export/{job}", "DELETE", cancel);
    let file = json!({"operationId": "export-file", "summary": "A file of an export, decided as it is fetched.",
        "parameters": [named("job"), named("file")], "responses": answers(&[("200", "Lines")])});
    put(paths, "/fhir/$export/{job}/{file}", "GET", file);
}

/// What needs no token.
pub fn public() -> Paths {
    let mut paths = Paths::new();
    let (object, text) = (json!({"type": "object"}), json!({"type": "string"}));
    for (path, summary, media, schema) in [
        ("/fhir/metadata", "The CapabilityStatement.", FHIR_JSON, &object),
        ("/fhir/.well-known/smart-configuration", "How to sign in.", "application/json", &object),
        ("/auth/jwks", "The keys that tokens are signed with.", "application/json", &object),
        ("/openapi.json", "This document.", "application/json", &object),
        ("/docs", "The documentation, for people.", "text/html", &text),
        ("/health", "Whether the process is alive.", "text/plain", &text),
        ("/ready", "Whether it can answer: database, schema and definitions.", "text/plain", &text),
    ] {
        let mut responses = answers(&[]);
        responses["200"] = json!({"description": summary, "content": {media: {"schema": schema}}});
        let get =
            json!({"operationId": path.rsplit('/').next(), "summary": summary, "security": [], "responses": responses});
        put(&mut paths, path, "GET", get);
    }
    paths
}

/// Signing in.
pub fn auth() -> Paths {
    let mut paths = Paths::new();
    let form = |fields: &[(&str, &str)], required: &[&str]| {
        let fields: Map<String, Value> = fields
            .iter()
            .map(|(name, text)| (name.to_string(), json!({"type": "string", "description": text})))
            .collect();
        json!({"required": true, "content": {"application/x-www-form-urlencoded":
            {"schema": {"type": "object", "required": required, "properties": fields}}}})
    };
    let plain =
        |text: &str| json!({"description": text, "content": {"application/json": {"schema": {"type": "object"}}}});
    let token = form(
        &[
            ("grant_type", "client_credentials"),
            ("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"),
            ("client_assertion", "A JWT signed with the client's key, for this address."),
            ("scope", "What is asked for, within what was registered: `system/*.rs`."),
            ("purpose", "Purposes of use, within those registered: `TREAT`."),
        ],
        &["grant_type", "client_assertion_type", "client_assertion", "scope"],
    );
    let mut responses = answers(&[]);
    responses["200"] = plain("The access token and how long it is good.");
    responses["400"] = plain("What is wrong with the request (RFC 6749, 5.2).");
    responses["401"] = plain("The client is not known, or its assertion is not good.");
    let operation = json!({"operationId": "token", "summary": "An access token for a client (SMART backend services).",
        "security": [], "requestBody": token, "responses": responses});
    put(&mut paths, "/auth/token", "POST", operation);
    let mut responses = answers(&[]);
    responses["200"] = plain("What the token is good for; `{\"active\":false}` for one that is not ours or not good.");
    let operation = json!({"operationId": "introspect", "summary": "What a token is good for (RFC 7662).",
        "requestBody": form(&[("token", "The token.")], &["token"]), "responses": responses});
    put(&mut paths, "/auth/introspect", "POST", operation);
    paths
}

fn put(paths: &mut Paths, path: &str, method: &str, operation: Value) {
    let entry = paths.entry(path.to_string()).or_insert_with(|| json!({}));
    entry[method.to_lowercase()] = operation;
}
