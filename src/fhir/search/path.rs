//! The part of FHIRPath that search parameters are written in.
//!
//! Dotted names, unions, `as`, `ofType`, `where` with one equality, `resolve() is T` or `hasExtension(url)`, an index
//! and `extension(url)`: the bundled parameters need no more. What is not understood here is reported by [`Path::compile`]
//! and never guessed at.

use crate::fhir::element::choice_suffix;
use crate::fhir::{Element, Reference};

/// One compiled alternative of an expression.
#[derive(Clone, Debug, PartialEq)]
pub struct Path(Vec<Step>);

#[derive(Clone, Debug, PartialEq)]
enum Step {
    Field(String),
    /// `entry[0]`.
    Item(String, usize),
    As(String),
    TargetIs(String),
    FieldIs(String, String),
    Extension(String),
    HasExtension(String),
    /// `Patient.deceased.exists() and Patient.deceased != false`, the one boolean expression of R4.
    NotFalse,
}

/// An element with the type that its choice suffix names: `valueQuantity` is a `value` of type `Quantity`.
#[derive(Clone, Copy, Debug)]
pub struct Node<'a> {
    pub element: Element<'a>,
    pub suffix: &'a str,
}

impl Path {
    /// The elements that it goes through, from a resource or from where it starts.
    pub fn names(&self) -> Vec<&str> {
        self.0
            .iter()
            .filter_map(|step| match step {
                Step::Field(name) | Step::Item(name, _) => Some(name.as_str()),
                Step::Extension(_) => Some("extension"),
                _ => None,
            })
            .collect()
    }

    /// The alternatives of `expression` that start at `kind` (or at any resource).
    ///
    /// # Errors
    /// The alternative that this subset does not cover.
    pub fn compile(kind: &str, expression: &str) -> Result<Vec<Path>, String> {
        if let Some((first, _)) = expression.split_once(".exists() and ") {
            let name = first.rsplit('.').next().unwrap_or("");
            return Ok(vec![Path(vec![Step::Field(name.to_string()), Step::NotFalse])]);
        }
        let mut paths = Vec::new();
        for alternative in split(expression, '|') {
            let text = unwrap(&alternative);
            let mut parts = split(&text, '.').into_iter();
            let root = parts.next().unwrap_or_default();
            if root == kind || root == "Resource" || root == "DomainResource" {
                let steps: Option<Vec<Step>> = parts.map(|part| step(part.trim())).collect();
                paths.push(Path(steps.ok_or_else(|| text.clone())?));
            }
        }
        Ok(paths)
    }

    /// The alternatives of an expression that starts at an element: a composite's component.
    ///
    /// # Errors
    /// The alternative that this subset does not cover.
    pub fn within(expression: &str) -> Result<Vec<Path>, String> {
        let compiled = split(expression, '|').into_iter().map(|alternative| {
            let text = unwrap(&alternative);
            let steps: Option<Vec<Step>> = split(&text, '.').iter().map(|part| step(part.trim())).collect();
            steps.map(Path).ok_or(text)
        });
        compiled.collect()
    }

    pub fn nodes<'a>(&self, root: Element<'a>) -> Vec<Node<'a>> {
        let mut found = vec![Node { element: root, suffix: "" }];
        for step in &self.0 {
            found = found.into_iter().flat_map(|node| step.take(node)).collect();
        }
        found
    }
}

impl Step {
    fn take<'a>(&self, node: Node<'a>) -> Vec<Node<'a>> {
        let keep = |holds: bool| if holds { vec![node] } else { Vec::new() };
        match self {
            Step::Field(name) => field(node.element, name),
            Step::Item(name, at) => field(node.element, name).into_iter().nth(*at).into_iter().collect(),
            Step::As(kind) => keep(node.suffix.is_empty() || node.suffix.eq_ignore_ascii_case(kind)),
            Step::TargetIs(kind) => keep(points_at(node.element, kind)),
            Step::FieldIs(name, value) => keep(node.element.text(name) == Some(value)),
            Step::Extension(url) => field(node.element, "extension")
                .into_iter()
                .filter(|extension| extension.element.text("url") == Some(url))
                .flat_map(|extension| field(extension.element, "value"))
                .collect(),
            Step::HasExtension(url) => {
                keep(node.element.each("extension").any(|extension| extension.text("url") == Some(url)))
            }
            Step::NotFalse => keep(node.element.as_bool() != Some(false)),
        }
    }
}

fn field<'a>(element: Element<'a>, name: &str) -> Vec<Node<'a>> {
    let direct: Vec<Node> = element.each(name).map(|element| Node { element, suffix: "" }).collect();
    if !direct.is_empty() {
        return direct;
    }
    let choice = element.object().and_then(|object| {
        object.iter().find_map(|(key, value)| {
            let suffix = choice_suffix(key, name)?;
            Some(Node { element: Element::new(value), suffix })
        })
    });
    choice.into_iter().collect()
}

/// `resolve() is T` without resolving: a literal reference names its type, or states it in `type`.
fn points_at(reference: Element, kind: &str) -> bool {
    let literal = reference.text("reference").map(Reference::parse);
    match literal {
        Some(Reference::Relative { kind: found, .. } | Reference::Absolute { kind: found, .. }) => found == kind,
        _ => reference.text("type") == Some(kind),
    }
}

fn step(part: &str) -> Option<Step> {
    let inside = |name: &str| part.strip_prefix(name)?.strip_prefix('(')?.strip_suffix(')');
    let quoted = |text: &str| Some(text.trim().strip_prefix('\'')?.strip_suffix('\'')?.to_string());
    if let Some(kind) = inside("as").or_else(|| inside("ofType")) {
        return Some(Step::As(kind.to_string()));
    }
    if let Some(url) = inside("extension") {
        return Some(Step::Extension(quoted(url)?));
    }
    if let Some(criterion) = inside("where") {
        if let Some(kind) = criterion.strip_prefix("resolve() is ") {
            return Some(Step::TargetIs(kind.to_string()));
        }
        if let Some(url) = criterion.strip_prefix("hasExtension(").and_then(|rest| rest.strip_suffix(')')) {
            return Some(Step::HasExtension(quoted(url)?));
        }
        let (name, value) = criterion.split_once('=')?;
        return Some(Step::FieldIs(name.trim().to_string(), quoted(value)?));
    }
    if let Some((name, at)) = part.strip_suffix(']').and_then(|part| part.split_once('[')) {
        return Some(Step::Item(name.to_string(), at.parse().ok()?));
    }
    part.bytes().all(|byte| byte.is_ascii_alphanumeric()).then(|| Step::Field(part.to_string()))
}

/// `(A.b as T)` and `(A.b as T).c` become `A.b.as(T)` and `A.b.as(T).c`.
fn unwrap(alternative: &str) -> String {
    let text = alternative.trim();
    let Some((inner, rest)) = text.strip_prefix('(').and_then(|text| text.split_once(')')) else {
        return text.to_string();
    };
    match inner.split_once(" as ") {
        Some((path, kind)) => format!("{path}.as({kind}){rest}"),
        None => format!("{inner}{rest}"),
    }
}

/// Splits at `mark`, but not inside brackets or quotes.
fn split(text: &str, mark: char) -> Vec<String> {
    let (mut parts, mut depth, mut quoted) = (vec![String::new()], 0, false);
    for letter in text.chars() {
        match letter {
            '\'' => quoted = !quoted,
            '(' if !quoted => depth += 1,
            ')' if !quoted => depth -= 1,
            _ => {}
        }
        if letter == mark && depth == 0 && !quoted {
            parts.push(String::new());
        } else if let Some(last) = parts.last_mut() {
            last.push(letter);
        }
    }
    parts
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn found(expression: &str, resource: &Value) -> Vec<Value> {
        let kind = resource["resourceType"].as_str().unwrap();
        let paths = Path::compile(kind, expression).unwrap();
        paths
            .iter()
            .flat_map(|path| path.nodes(Element::new(resource)))
            .filter_map(|node| node.element.value().cloned())
            .collect()
    }

    #[test]
    fn expressions_find_what_fhirpath_would() {
        let goal = json!({"resourceType": "Goal", "startDate": "2026", "subject": {"reference": "Group/1"},
            "target": [{"dueDate": "2027"}, {"dueDuration": {"value": 1}}],
            "extension": [{"url": "http://x/y", "valueCode": "z"}], "telecom": [{"system": "email", "value": "e"}, {"system": "sms"}]});
        for (expression, expected) in [
            ("(Goal.start as date)", json!(["2026"])),
            ("(Goal.target.due as date)", json!(["2027"])),
            ("Goal.start.as(date) | Goal.start.as(Period)", json!(["2026"])),
            ("Goal.subject.where(resolve() is Patient)", json!([])),
            ("CarePlan.subject | Goal.subject", json!([{"reference": "Group/1"}])),
            ("Goal.extension.where(url = 'http://x/y').value", json!(["z"])),
            ("Goal.extension('http://x/y')", json!(["z"])),
            ("Goal.target[1].due", json!([{"value": 1}])),
            ("Goal.where(hasExtension('http://x/y')).startDate", json!(["2026"])),
            ("Goal.where(hasExtension('http://x/z')).startDate", json!([])),
            ("Goal.telecom.where(system='email')", json!([{"system": "email", "value": "e"}])),
        ] {
            assert_eq!(Value::Array(found(expression, &goal)), expected, "{expression}");
        }
    }

    #[test]
    fn what_is_beyond_the_subset_is_named() {
        assert!(Path::compile("Goal", "Goal.target.iif(true, 1, 2)").is_err());
    }
}
