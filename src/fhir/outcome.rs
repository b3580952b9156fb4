//! What went wrong, in a form its sender can act on (FHIR R4 operationoutcome.html).

use serde_json::{Value, json};

/// The system of `details.coding`: one stable code per rule, for programs to switch on.
pub const ISSUE_SYSTEM: &str = "https://handoff.example/fhir/CodeSystem/issue";

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    Error,
    Warning,
    Information,
}

/// One problem: which element, what was found, what was expected.
#[derive(Clone, Debug, PartialEq)]
pub struct Issue {
    pub severity: Severity,
    /// FHIR's issue type: `structure`, `value`, `business-rule`, …
    pub code: &'static str,
    /// Our stable code for the rule.
    pub rule: &'static str,
    /// FHIRPath of the element, empty when there is none.
    pub expression: String,
    /// Line and column, for what was not even JSON.
    pub location: Option<String>,
    /// A sentence that starts small and ends bare, and quotes no patient's data.
    pub text: String,
}

impl Issue {
    pub fn error(code: &'static str, rule: &'static str, text: impl Into<String>) -> Issue {
        Issue { severity: Severity::Error, code, rule, expression: String::new(), location: None, text: text.into() }
    }

    pub fn warning(code: &'static str, rule: &'static str, text: impl Into<String>) -> Issue {
        Issue { severity: Severity::Warning, ..Issue::error(code, rule, text) }
    }

    pub fn information(rule: &'static str, text: impl Into<String>) -> Issue {
        Issue { severity: Severity::Information, ..Issue::error("informational", rule, text) }
    }

    pub fn structure(text: impl Into<String>) -> Issue {
        Issue::error("structure", "malformed", text)
    }

    pub fn at(mut self, expression: impl Into<String>) -> Issue {
        self.expression = expression.into();
        self
    }

    pub fn located(mut self, place: impl Into<String>) -> Issue {
        self.location = Some(place.into());
        self
    }

    /// The same issue, seen from a Bundle: its expression starts at the entry.
    pub fn within(mut self, prefix: &str) -> Issue {
        let path = self.expression.split_once('.').map(|(_, rest)| rest.to_string());
        self.expression = match path {
            Some(path) => format!("{prefix}.{path}"),
            None => prefix.to_string(),
        };
        self
    }

    fn to_value(&self) -> Value {
        let mut issue = json!({
            "severity": match self.severity {
                Severity::Error => "error",
                Severity::Warning => "warning",
                Severity::Information => "information",
            },
            "code": self.code,
            "details": {"coding": [{"system": ISSUE_SYSTEM, "code": self.rule}], "text": self.text},
        });
        if let Some(place) = &self.location {
            issue["location"] = json!([place]);
        }
        if !self.expression.is_empty() {
            issue["expression"] = json!([self.expression]);
        }
        issue
    }
}

/// All problems at once, in document order.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Outcome(pub Vec<Issue>);

impl Outcome {
    pub fn has_errors(&self) -> bool {
        self.0.iter().any(|issue| issue.severity == Severity::Error)
    }

    /// An OperationOutcome; with nothing to say, FHIR's `All OK`.
    pub fn to_value(&self) -> Value {
        let issues: Vec<Value> = if self.0.is_empty() {
            vec![Issue::information("ok", "all OK").to_value()]
        } else {
            self.0.iter().map(Issue::to_value).collect()
        };
        json!({"resourceType": "OperationOutcome", "issue": issues})
    }
}

impl From<Issue> for Outcome {
    fn from(issue: Issue) -> Outcome {
        Outcome(vec![issue])
    }
}
