//! The questions, from an address or from Parameters. Every parameter that cannot be read is said at once.

use serde_json::Value;

use super::{COUNT_MAX, Coding};
use crate::fhir::element::Element;
use crate::fhir::outcome::Issue;
use crate::fhir::parameters;
use crate::fhir::resource::Resource;

/// Taken and of no effect: there is one language, one version of each set, and no codes that are made on demand.
const WITHOUT_EFFECT: [&str; 10] = [
    "_format",
    "_pretty",
    "context",
    "contextDirection",
    "date",
    "displayLanguage",
    "excludeNested",
    "excludeNotForUI",
    "excludePostCoordinated",
    "includeDefinition",
];

/// The parameters of a question, before it is known which one it is.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Given(Vec<(String, Part)>);

#[derive(Clone, Debug, PartialEq)]
enum Part {
    Text(String),
    /// One coding, or those of a CodeableConcept.
    Codings(Vec<Coding>),
    Resource(Value),
}

/// `ValueSet/$expand`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Expand {
    pub url: Option<String>,
    pub version: Option<String>,
    /// A ValueSet that came with the question.
    pub set: Option<Value>,
    pub filter: Option<String>,
    pub offset: usize,
    pub count: usize,
    pub active_only: bool,
    pub designations: bool,
}

/// `ValueSet/$validate-code` and `CodeSystem/$validate-code`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Validate {
    pub url: Option<String>,
    pub version: Option<String>,
    pub set: Option<Value>,
    /// At least one; of several one that is right is enough.
    pub codings: Vec<Coding>,
}

/// `CodeSystem/$lookup`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Lookup {
    pub coding: Coding,
    pub version: Option<String>,
    /// Those asked for; none for all.
    pub properties: Vec<String>,
}

/// `CodeSystem/$subsumes`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Subsumes {
    pub system: String,
    pub version: Option<String>,
    pub left: String,
    pub right: String,
}

impl Given {
    pub fn of_pairs(pairs: Vec<(String, String)>) -> Given {
        Given(pairs.into_iter().map(|(name, text)| (name, Part::Text(text))).collect())
    }

    /// # Errors
    /// That it is no Parameters, and every parameter without a value that could be meant.
    pub fn of_parameters(sent: &Resource) -> Result<Given, Vec<Issue>> {
        let (mut given, mut issues) = (Given::default(), Vec::new());
        for (at, parameter) in parameters::each(sent)?.into_iter().enumerate() {
            match (parameter.text("name"), part(parameter)) {
                (Some(name), Some(part)) => given.0.push((name.to_string(), part)),
                _ => {
                    let place = format!("Parameters.parameter[{at}]");
                    let text = format!("`{place}`: expected a `name` and a value that this operation takes");
                    issues.push(Issue::error("value", "parameter-value", text).at(place));
                }
            }
        }
        if issues.is_empty() { Ok(given) } else { Err(issues) }
    }

    #[must_use]
    pub fn and(mut self, more: Given) -> Given {
        self.0.extend(more.0);
        self
    }

    /// Each parameter to `take`, which answers what it expected instead, or `None` for one it does not know.
    fn each(self, mut take: impl FnMut(&str, Part) -> Option<Result<(), &'static str>>) -> Vec<Issue> {
        let mut issues = Vec::new();
        for (name, part) in self.0 {
            if WITHOUT_EFFECT.contains(&name.as_str()) {
                continue;
            }
            let name_shown: String = name.chars().take(64).collect();
            match take(&name, part) {
                Some(Ok(())) => {}
                Some(Err(expected)) => {
                    let text = format!("`{name_shown}`: expected {expected}");
                    issues.push(Issue::error("value", "parameter-value", text));
                }
                None => {
                    let text = format!("`{name_shown}` is no parameter of this operation");
                    issues.push(Issue::error("not-supported", "parameter-unknown", text));
                }
            }
        }
        issues
    }
}

impl Expand {
    /// # Errors
    /// Every parameter that is not known or cannot be read; that no set is named.
    pub fn read(given: Given) -> Result<Expand, Vec<Issue>> {
        let mut asked = Expand { count: COUNT_MAX, ..Expand::default() };
        let mut issues = given.each(|name, part| {
            Some(match name {
                "url" => uri(part).map(|(url, version)| {
                    asked.url = Some(url);
                    asked.version = asked.version.take().or(version);
                }),
                "valueSetVersion" => text(part).map(|it| asked.version = Some(it)),
                "valueSet" => value_set(part).map(|it| asked.set = Some(it)),
                "filter" => text(part).map(|it| asked.filter = Some(it)),
                "offset" => number(part).map(|it| asked.offset = it),
                "count" => number(part).map(|it| asked.count = it.min(COUNT_MAX)),
                "activeOnly" => flag(part).map(|it| asked.active_only = it),
                "includeDesignations" => flag(part).map(|it| asked.designations = it),
                _ => return None,
            })
        });
        issues.extend(one_set(asked.url.as_ref(), asked.set.as_ref()));
        if issues.is_empty() { Ok(asked) } else { Err(issues) }
    }
}

impl Validate {
    /// # Errors
    /// Every parameter that is not known or cannot be read; that no set or no code is named.
    pub fn of_set(given: Given) -> Result<Validate, Vec<Issue>> {
        let (asked, mut issues) = Validate::read(given, "system");
        issues.extend(one_set(asked.url.as_ref(), asked.set.as_ref()));
        if issues.is_empty() { Ok(asked) } else { Err(issues) }
    }

    /// Of a code system, which `url` names, or each coding itself.
    ///
    /// # Errors
    /// Every parameter that is not known or cannot be read; that no system or no code is named.
    pub fn of_system(given: Given) -> Result<Validate, Vec<Issue>> {
        let (mut asked, mut issues) = Validate::read(given, "url");
        if asked.set.is_some() {
            let text = "`valueSet` is no parameter of this operation";
            issues.push(Issue::error("not-supported", "parameter-unknown", text));
        }
        let url = asked.url.clone().unwrap_or_default();
        for coding in &mut asked.codings {
            if coding.system.is_empty() {
                coding.system.clone_from(&url);
            }
        }
        if asked.codings.iter().any(|coding| coding.system.is_empty()) {
            issues.push(missing("url", "the code system"));
        }
        if issues.is_empty() { Ok(asked) } else { Err(issues) }
    }

    fn read(given: Given, system_name: &str) -> (Validate, Vec<Issue>) {
        let (mut asked, mut bare) = (Validate::default(), Coding::default());
        let mut issues = given.each(|name, part| {
            Some(match name {
                "url" => uri(part).map(|(url, version)| {
                    asked.url = Some(url);
                    asked.version = asked.version.take().or(version);
                }),
                "valueSetVersion" | "version" if system_name == "url" || name == "valueSetVersion" => {
                    text(part).map(|it| asked.version = Some(it))
                }
                "valueSet" => value_set(part).map(|it| asked.set = Some(it)),
                "system" if system_name == "system" => uri(part).map(|(it, _)| bare.system = it),
                "code" => text(part).map(|it| bare.code = it),
                "display" => text(part).map(|it| bare.display = Some(it)),
                "coding" | "codeableConcept" => codings(part).map(|it| asked.codings.extend(it)),
                // Where no system is named, it is always looked for.
                "inferSystem" | "abstract" => flag(part).map(|_| ()),
                _ => return None,
            })
        });
        if !bare.code.is_empty() {
            asked.codings.push(bare);
        }
        if asked.codings.iter().all(|coding| coding.code.is_empty()) {
            issues.push(missing("code", "a code, as `code`, `coding` or `codeableConcept`"));
        }
        asked.codings.retain(|coding| !coding.code.is_empty());
        (asked, issues)
    }
}

impl Lookup {
    /// # Errors
    /// Every parameter that is not known or cannot be read; that no system or no code is named.
    pub fn read(given: Given) -> Result<Lookup, Vec<Issue>> {
        let mut asked = Lookup::default();
        let mut issues = given.each(|name, part| {
            Some(match name {
                "system" => uri(part).map(|(it, version)| {
                    asked.coding.system = it;
                    asked.version = asked.version.take().or(version);
                }),
                "code" => text(part).map(|it| asked.coding.code = it),
                "version" => text(part).map(|it| asked.version = Some(it)),
                "coding" => one_coding(part).map(|it| asked.coding = it),
                "property" => text(part).map(|it| asked.properties.push(it)),
                _ => return None,
            })
        });
        if asked.coding.system.is_empty() {
            issues.push(missing("system", "the code system"));
        }
        if asked.coding.code.is_empty() {
            issues.push(missing("code", "the code"));
        }
        if issues.is_empty() { Ok(asked) } else { Err(issues) }
    }
}

impl Subsumes {
    /// # Errors
    /// Every parameter that is not known or cannot be read; that there are no two codes of one system.
    pub fn read(given: Given) -> Result<Subsumes, Vec<Issue>> {
        let (mut asked, mut systems) = (Subsumes::default(), Vec::new());
        let mut issues = given.each(|name, part| {
            Some(match name {
                "system" => uri(part).map(|(it, version)| {
                    systems.push(it);
                    asked.version = asked.version.take().or(version);
                }),
                "version" => text(part).map(|it| asked.version = Some(it)),
                "codeA" => text(part).map(|it| asked.left = it),
                "codeB" => text(part).map(|it| asked.right = it),
                "codingA" | "codingB" => one_coding(part).map(|coding| {
                    *(if name == "codingA" { &mut asked.left } else { &mut asked.right }) = coding.code;
                    systems.push(coding.system);
                }),
                _ => return None,
            })
        });
        systems.dedup();
        match systems.as_slice() {
            [system] if !system.is_empty() => asked.system.clone_from(system),
            _ => issues.push(missing("system", "the one code system of both codes")),
        }
        for (name, code) in [("codeA", &asked.left), ("codeB", &asked.right)] {
            if code.is_empty() {
                issues.push(missing(name, "a code"));
            }
        }
        if issues.is_empty() { Ok(asked) } else { Err(issues) }
    }
}

fn missing(name: &str, expected: &str) -> Issue {
    Issue::error("required", "parameter-value", format!("`{name}`: expected {expected}"))
}

fn one_set(url: Option<&String>, set: Option<&Value>) -> Option<Issue> {
    match (url, set) {
        (None, None) => Some(missing("url", "the canonical URL of a value set, or a ValueSet as `valueSet`")),
        (Some(_), Some(_)) => {
            let text = "`url`, `valueSet`: expected one of them";
            Some(Issue::error("invalid", "parameter-value", text))
        }
        _ => None,
    }
}

fn part(parameter: Element) -> Option<Part> {
    if let Some(resource) = parameter.get("resource").value() {
        return Some(Part::Resource(resource.clone()));
    }
    let (kind, value) = parameters::value(parameter)?;
    match kind {
        "Coding" => Some(Part::Codings(vec![coding(value)])),
        "CodeableConcept" => Some(Part::Codings(value.each("coding").map(coding).collect())),
        _ => parameters::text(kind, value).map(Part::Text),
    }
}

fn coding(value: Element) -> Coding {
    let text = |name: &str| value.text(name).unwrap_or("").to_string();
    Coding { system: text("system"), code: text("code"), display: value.text("display").map(str::to_string) }
}

fn text(part: Part) -> Result<String, &'static str> {
    match part {
        Part::Text(text) if !text.is_empty() => Ok(text),
        _ => Err("a text"),
    }
}

/// A canonical, with its version.
fn uri(part: Part) -> Result<(String, Option<String>), &'static str> {
    let text = text(part).map_err(|_| "a URL")?;
    Ok(match text.split_once('|') {
        Some((url, version)) => (url.to_string(), Some(version.to_string())),
        None => (text, None),
    })
}

fn number(part: Part) -> Result<usize, &'static str> {
    text(part)?.parse().map_err(|_| "a number, not negative")
}

fn flag(part: Part) -> Result<bool, &'static str> {
    match text(part)?.as_str() {
        "true" => Ok(true),
        "false" => Ok(false),
        _ => Err("`true` or `false`"),
    }
}

/// Codings, which an address writes as `SYSTEM|CODE`.
fn codings(part: Part) -> Result<Vec<Coding>, &'static str> {
    match part {
        Part::Codings(codings) => Ok(codings),
        Part::Text(text) => match text.split_once('|') {
            Some((system, code)) if !code.is_empty() => {
                Ok(vec![Coding { system: system.into(), code: code.into(), display: None }])
            }
            _ => Err("a Coding, or `SYSTEM|CODE`"),
        },
        Part::Resource(_) => Err("a Coding"),
    }
}

fn one_coding(part: Part) -> Result<Coding, &'static str> {
    let mut codings = codings(part)?;
    if codings.len() == 1 { codings.pop().ok_or("a Coding") } else { Err("one Coding") }
}

fn value_set(part: Part) -> Result<Value, &'static str> {
    match part {
        Part::Resource(set) if set.get("resourceType").and_then(Value::as_str) == Some("ValueSet") => Ok(set),
        _ => Err("a ValueSet as `resource`"),
    }
}
