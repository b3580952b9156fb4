//! SMART scopes, version 2 (SMART App Launch 2.2, "Scopes for requesting FHIR resources").

use crate::fhir::reference::is_kind;

/// The letters in their only order.
const LETTERS: &str = "cruds";

/// A set of scopes. `*` covers every type but AuditEvent (rules.md 18).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Scopes(Vec<Scope>);

#[derive(Clone, Debug, PartialEq, Eq)]
struct Scope {
    /// `*` for all.
    kind: String,
    letters: String,
}

impl Scopes {
    /// Reads `system/*.cruds system/Task.read …`; version 1's `read`, `write` and `*` become letters.
    ///
    /// # Errors
    /// The first word that is no scope of ours.
    pub fn read(text: &str) -> Result<Scopes, String> {
        let mut scopes = Vec::new();
        for word in text.split_whitespace() {
            scopes.push(Scope::read(word).ok_or_else(|| word.to_string())?);
        }
        Ok(Scopes(scopes))
    }

    /// The scopes of ours among what a client asks for. Libraries add others (`openid`, `launch/patient`) whether the
    /// server has them or not, and RFC 6749 (3.3) lets a server pass over a part.
    pub fn known(text: &str) -> Scopes {
        Scopes(text.split_whitespace().filter_map(Scope::read).collect())
    }

    /// What was asked for, narrowed to what was registered: never wider than either.
    pub fn narrowed(&self, registered: &Scopes) -> Scopes {
        let mut granted = Vec::new();
        for asked in &self.0 {
            for known in &registered.0 {
                let kind = match (asked.kind.as_str(), known.kind.as_str()) {
                    ("*", kind) if kind != "AuditEvent" || known.kind == asked.kind => kind,
                    (kind, "*") if kind != "AuditEvent" => kind,
                    (kind, other) if kind == other => kind,
                    _ => continue,
                };
                let letters: String = asked.letters.chars().filter(|letter| known.letters.contains(*letter)).collect();
                let scope = Scope { kind: kind.to_string(), letters };
                if !scope.letters.is_empty() && !granted.contains(&scope) {
                    granted.push(scope);
                }
            }
        }
        Scopes(granted)
    }

    pub fn allow(&self, kind: &str, letter: char) -> bool {
        self.0.iter().any(|scope| {
            (scope.kind == kind || (scope.kind == "*" && kind != "AuditEvent")) && scope.letters.contains(letter)
        })
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl Scope {
    fn read(word: &str) -> Option<Scope> {
        let rest = word.strip_prefix("system/").or_else(|| word.strip_prefix("user/"))?;
        let (kind, letters) = rest.split_once('.')?;
        let letters = match letters {
            "read" => "rs",
            "write" => "cud",
            "*" => LETTERS,
            letters => letters,
        };
        let mut order = LETTERS.chars();
        let in_order = !letters.is_empty() && letters.chars().all(|letter| order.any(|next| next == letter));
        (in_order && (kind == "*" || is_kind(kind)))
            .then(|| Scope { kind: kind.to_string(), letters: letters.to_string() })
    }
}

impl std::fmt::Display for Scopes {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let words: Vec<String> =
            self.0.iter().map(|scope| format!("system/{}.{}", scope.kind, scope.letters)).collect();
        out.write_str(&words.join(" "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_grant_is_never_wider_than_asked_or_registered() {
        for (asked, registered, granted) in [
            ("system/*.cruds", "system/*.cruds", "system/*.cruds"),
            ("system/CarePlan.read", "system/*.cruds", "system/CarePlan.rs"),
            ("system/*.rs", "system/Task.cru", "system/Task.r"),
            ("system/Task.cruds", "system/CarePlan.rs", ""),
            ("system/AuditEvent.rs", "system/*.cruds", ""),
            ("system/AuditEvent.rs", "system/AuditEvent.rs", "system/AuditEvent.rs"),
            ("system/*.rs", "system/AuditEvent.rs", ""),
        ] {
            let read = |text| Scopes::read(text).unwrap();
            assert_eq!(read(asked).narrowed(&read(registered)).to_string(), granted, "{asked} of {registered}");
        }
    }

    #[test]
    fn what_is_no_scope_is_named() {
        for word in [
            "system/CarePlan.dus",
            "system/CarePlan.",
            "CarePlan.rs",
            "system/careplan.rs",
            "system/*.rs?category=x",
            "openid",
        ] {
            assert_eq!(Scopes::read(word), Err(word.to_string()));
        }
    }

    #[test]
    fn the_star_leaves_audit_events_out() {
        let all = Scopes::read("system/*.cruds").unwrap();
        assert!(all.allow("Task", 'u') && !all.allow("AuditEvent", 'r'));
    }
}
