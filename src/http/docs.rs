//! The documentation, for people: plain pages without scripts, made from the tables that the server runs on.
//!
//! Public, like the statement: they say what the server offers, and nothing of partners or people.

use std::sync::Arc;

use axum::extract::State;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::{Html, IntoResponse, Response};
use maud::{DOCTYPE, Markup, html};

use crate::fhir::capability::Described;
use crate::fhir::interaction::Interaction;
use crate::fhir::offer::{self, Common, HAS, Level, OPERATIONS, RESULTS, TYPE, modifiers};
use crate::fhir::search::{Param, ParamKind};
use crate::gateway::Context;
use crate::profile::Profiles;

use super::asked::Address;
use super::described::{base, described};
use super::error::{Problem, REFUSALS, code};
use super::public;

/// The console's sheet, which is public.
const STYLE: &str = "/console/style.css";
const HEADERS: [(HeaderName, &str); 5] = [
    (
        header::CONTENT_SECURITY_POLICY,
        "default-src 'none'; style-src 'self'; form-action 'none'; base-uri 'none'; frame-ancestors 'none'",
    ),
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::X_FRAME_OPTIONS, "DENY"),
    (header::REFERRER_POLICY, "no-referrer"),
    (header::CACHE_CONTROL, "public, max-age=60"),
];

/// What holds for all types, and the list of them.
pub async fn start(State(ctx): State<Arc<Context>>, headers: HeaderMap) -> Response {
    let base = base(&ctx, &headers);
    let of = described(&ctx, &base);
    page(
        "API",
        html! {
            h1 { "The API" }
            p.lead { "FHIR R4 at " code { (base) } ". This page is written by the server from what it runs on; the same is in the "
                a href="/fhir/metadata" { "CapabilityStatement" } " and in " a href="/openapi.json" { "openapi.json" } "." }
            (types(&of))
            (signing_in(&of))
            (interactions("Requests", &Interaction::OF_TYPES, "TYPE"))
            (interactions("Over all types", &Interaction::OF_SYSTEM, ""))
            (operations(None))
            section.card {
                h2 { "Searching" }
                p { "A parameter given twice must hold twice; values with commas between them are alternatives. What is not "
                    "understood is said in a warning in the answer, and is an error with " code { "Prefer: handling=strict" } "." }
                (common("Criteria of any type", &[TYPE, HAS]))
                (common("What the answer is like", &RESULTS))
                (kinds())
            }
            section.card {
                h2 { "When something is wrong" }
                p { "Every error is an OperationOutcome: each issue names the element or parameter, what was expected, and has a code in "
                    code { "details.coding" } " for programs. The header " code { "X-Request-Id" } " leads the operator to the request." }
                dl.facts.wide {
                    @for (no, text) in REFUSALS { div { dt { (code(no).as_str()) } dd { (text) } } }
                    div { dt { "503" } dd { "Our fault, and perhaps over soon: try again after what Retry-After says." } }
                }
            }
            section.card {
                h2 { "Limits" }
                ul { @for limit in &of.limits { li { (limit) } } }
            }
        },
    )
}

/// One type.
pub async fn of_type(
    State(ctx): State<Arc<Context>>,
    Address(kind): Address<String>,
    headers: HeaderMap,
    uri: axum::http::Uri,
) -> Result<Response, Problem> {
    if !ctx.profiles.knows(&kind) && !offer::ASKED.contains(&kind.as_str()) {
        return Err(public::nothing_here(uri).await);
    }
    let base = base(&ctx, &headers);
    let of = described(&ctx, &base);
    let offered: Vec<Interaction> =
        Interaction::OF_TYPES.into_iter().filter(|interaction| offer::offers(&kind, *interaction)).collect();
    let body = ctx.profiles.smallest(&kind).and_then(|body| serde_json::to_string_pretty(&body).ok());
    Ok(page(
        &kind,
        html! {
            p.back { a href="/docs" { "The API" } }
            h1 { (kind) }
            p.lead { "Defined at " a href=(format!("http://hl7.org/fhir/R4/{}.html", kind.to_lowercase())) { "hl7.org" } "." }
            @if !offered.is_empty() { (interactions("Requests", &offered, &kind)) }
            @if kind == "Task" {
                p.held { "An update of a Task needs " code { "If-Match" } " with the version that was read." }
            }
            @if let (Some(body), true) = (body, offer::offers(&kind, Interaction::Create)) {
                section.card {
                    h2 { "The smallest body" }
                    p { "What is mandatory, and no more. What it refers to must exist." }
                    pre { code { (body) } }
                }
            }
            @if offer::offers(&kind, Interaction::SearchType) {
                section.card {
                    h2 { "Search parameters" }
                    dl.facts.wide {
                        @for param in of.params_of(&kind) {
                            div {
                                dt { code { (param.code) } }
                                dd { (param.kind.name()) ", as " code { (example(&of, &ctx.profiles, &kind, param)) } " · "
                                    a href=(param.url) { "definition" } }
                            }
                        }
                    }
                }
            }
            (operations(Some(&kind)))
            (list("Profiles that are checked when they are claimed", of.profiles_of(&kind).map(str::to_string).collect()))
            @if offer::offers(&kind, Interaction::Update) {
                (list("What can come along (_include)", of.includes(&kind)))
                (list("What can come along because it refers here (_revinclude)", of.reverse_includes(&kind)))
            }
        },
    ))
}

fn types(of: &Described) -> Markup {
    html! {
        section.card {
            h2 { "Types" }
            p { @for kind in of.kinds.iter().map(String::as_str).chain(offer::ASKED) { a href=(format!("/docs/{kind}")) { (kind) } " " } }
        }
    }
}

fn signing_in(of: &Described) -> Markup {
    html! {
        section.card {
            h2 { "Signing in" }
            p { "SMART backend services. The operator registers a client with its public key. The client signs a JWT ("
                code { "RS384" } " or " code { "ES384" } "; " code { "iss" } " and " code { "sub" } " its id, " code { "aud" } " "
                code { (of.origin()) "/auth/token" } ", at most five minutes good, a fresh " code { "jti" } "), and gets a token for it:" }
            pre { code { "POST /auth/token\n"
                "Content-Type: application/x-www-form-urlencoded\n\n"
                "grant_type=client_credentials&scope=system/*.rs\n"
                "&client_assertion_type=urn:ietf:params:oauth:client-assertion-type:jwt-bearer&client_assertion=JWT" } }
            p { "Then every request says " code { "Authorization: Bearer TOKEN" } ". "
                a href="/fhir/.well-known/smart-configuration" { "The SMART configuration" } " has the addresses. "
                "A search or a read answers with what the people concerned consented to for your purpose of use; the rest is as if it did not exist." }
        }
    }
}

fn interactions(title: &str, interactions: &[Interaction], kind: &str) -> Markup {
    html! {
        section.card {
            h2 { (title) }
            dl.facts.wide {
                @for interaction in interactions {
                    @let (method, address) = interaction.address();
                    div {
                        dt { (interaction.code()) }
                        dd { code { (method) " /fhir" (address.replace("{type}", kind).replace("{id}", "ID").replace("{version}", "VERSION")) } }
                    }
                }
            }
        }
    }
}

/// Of one type, or those of the whole server and of every type.
fn operations(kind: Option<&str>) -> Markup {
    let of_kind = OPERATIONS.iter().filter(|it| match kind {
        Some(kind) => it.is_of(kind),
        None => it.level == Level::System || it.kinds.is_none(),
    });
    let of_kind: Vec<_> = of_kind.collect();
    html! {
        @if !of_kind.is_empty() {
            section.card {
                h2 { "Operations" }
                dl.facts.wide {
                    @for it in of_kind {
                        div {
                            dt { code { "$" (it.name) } }
                            dd { code { (it.method) " /fhir" (it.address(kind.unwrap_or("TYPE"), "ID")) } " " (it.about) " "
                                a href=(it.definition) { "Definition" } }
                        }
                    }
                }
            }
        }
    }
}

fn common(title: &str, parameters: &[Common]) -> Markup {
    html! {
        h3 { (title) }
        dl.facts.wide {
            @for it in parameters {
                div { dt { code { (it.name) } } dd { (it.about) " As " code { (it.example) } } }
            }
        }
    }
}

fn kinds() -> Markup {
    html! {
        h3 { "Kinds of parameters, and what may follow their names" }
        dl.facts.wide {
            @for kind in ParamKind::ALL {
                div {
                    dt { (kind.name()) }
                    dd {
                        code { "NAME=" (kind.example()) }
                        @for modifier in modifiers(kind) { " " code { ":" (modifier) } }
                    }
                }
            }
        }
    }
}

fn list(title: &str, lines: Vec<String>) -> Markup {
    html! {
        @if !lines.is_empty() {
            section.card {
                h2 { (title) }
                ul { @for line in lines { li { code { (line) } } } }
            }
        }
    }
}

/// A search that could be meant: of an element's own codes, where the parameter is named after it.
fn example(of: &Described, profiles: &Profiles, kind: &str, param: &Param) -> String {
    let code = || {
        let shown = profiles.outline(kind)?.find(&param.code)?;
        profiles.usual(shown.codes?).map(|(_, code)| code.to_string())
    };
    let value = match param.kind {
        ParamKind::Reference => {
            let is_patient = param.points_at("Patient");
            let served = param.targets.iter().find(|target| of.kinds.contains(target));
            let target = served.filter(|_| !is_patient).map_or("Patient", String::as_str);
            format!("{target}/7")
        }
        ParamKind::Token if param.code == "_id" => "7".to_string(),
        ParamKind::Token => code().unwrap_or_else(|| "SYSTEM|CODE".to_string()),
        other => other.example().to_string(),
    };
    format!("/fhir/{kind}?{}={value}", param.code)
}

fn page(title: &str, content: Markup) -> Response {
    let document = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                title { (title) " - Handoff" }
                link rel="stylesheet" href=(STYLE);
            }
            body {
                a.skip href="#content" { "Skip to the content" }
                header { div.bar { a.brand href="/docs" { "Handoff" } } }
                main #content { (content) }
            }
        }
    };
    let mut response = (StatusCode::OK, Html(document.into_string())).into_response();
    for (name, value) in HEADERS {
        response.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    response
}
