//! A condition that people share, as text that a store keeps.
//!
//! What depends on kinds, labels, origins, profiles and codes alone is the same for everyone who signed the same form;
//! what names one person's resources, authors or dates is not, and has no such text.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::condition::{Atom, Condition};
use crate::fhir::Element;

/// More tests than these are one person's own.
const TESTS_MAX: usize = 64;

impl Condition {
    /// Its text; `None` for what belongs to one person.
    pub fn shape(&self) -> Option<String> {
        if self.tests() > TESTS_MAX { None } else { Some(written(self)?.to_string()) }
    }

    /// `None` for what [`shape`](Condition::shape) does not write.
    pub fn of_shape(text: &str) -> Option<Condition> {
        let value: Value = serde_json::from_str(text).ok()?;
        read(Element::new(&value))
    }
}

fn written(condition: &Condition) -> Option<Value> {
    let each = |parts: &[Condition]| parts.iter().map(written).collect::<Option<Vec<Value>>>();
    Some(match condition {
        Condition::Always => json!({"all": []}),
        Condition::Never => json!({"any": []}),
        Condition::All(parts) => json!({"all": each(parts)?}),
        Condition::Any(parts) => json!({"any": each(parts)?}),
        Condition::Not(part) => json!({"not": written(part)?}),
        Condition::Is(atom) => match &**atom {
            Atom::Kind(kinds) => json!({"kind": kinds}),
            Atom::Unclassified => json!({"unclassified": true}),
            Atom::RankAtMost(rank) => json!({"atMost": rank}),
            Atom::RankAtLeast(rank) => json!({"atLeast": rank}),
            Atom::Label(labels) => json!({"label": labels}),
            Atom::Origin(origins) => json!({"origin": origins}),
            Atom::Profile(profiles) => json!({"profile": profiles}),
            Atom::Code { codes, anywhere: true } => json!({"code": codes}),
            Atom::Code { codes, anywhere: false } => json!({"concept": codes}),
            Atom::Key(_) | Atom::Time { .. } | Atom::RefersTo(_) | Atom::AuthoredBy { .. } => return None,
        },
    })
}

fn read(condition: Element) -> Option<Condition> {
    let (name, value) = condition.object()?.iter().next()?;
    let each = || condition.each(name).map(read).collect::<Option<Vec<Condition>>>();
    let texts = || condition.each(name).map(|text| text.as_str().map(str::to_string)).collect::<Option<BTreeSet<_>>>();
    let pairs = || serde_json::from_value::<BTreeSet<(String, String)>>(value.clone()).ok();
    let rank = || value.as_u64().and_then(|rank| u8::try_from(rank).ok());
    Some(match name.as_str() {
        "all" => Condition::all(each()?),
        "any" => Condition::any(each()?),
        "not" => read(condition.get("not"))?.negate(),
        "kind" => Condition::is(Atom::Kind(texts()?)),
        "unclassified" => Condition::is(Atom::Unclassified),
        "atMost" => Condition::is(Atom::RankAtMost(rank()?)),
        "atLeast" => Condition::is(Atom::RankAtLeast(rank()?)),
        "label" => Condition::is(Atom::Label(pairs()?)),
        "origin" => Condition::is(Atom::Origin(texts()?)),
        "profile" => Condition::is(Atom::Profile(texts()?)),
        "code" => Condition::is(Atom::Code { codes: pairs()?, anywhere: true }),
        "concept" => Condition::is(Atom::Code { codes: pairs()?, anywhere: false }),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_shared_is_read_as_it_was_written_and_what_is_not_has_no_shape() {
        let texts = |texts: &[&str]| texts.iter().map(|text| text.to_string()).collect::<BTreeSet<String>>();
        let kind = Condition::is(Atom::Kind(texts(&["Goal", "CarePlan"])));
        let label = Condition::is(Atom::Label(BTreeSet::from([("s".to_string(), "HIV".to_string())])));
        let codes = BTreeSet::from([("s".to_string(), "1".to_string())]);
        let code = Condition::is(Atom::Code { codes, anywhere: false });
        let rank = Condition::any([Condition::is(Atom::Unclassified), Condition::is(Atom::RankAtMost(3))]);
        for shared in [
            Condition::Always,
            Condition::Never,
            kind.clone(),
            Condition::all([kind, label.negate(), rank, code, Condition::is(Atom::RankAtLeast(1))]),
        ] {
            assert_eq!(Condition::of_shape(&shared.shape().unwrap()), Some(shared));
        }
        let own = Condition::is(Atom::Key(texts(&["Goal/1"])));
        assert_eq!(Condition::all([Condition::is(Atom::RankAtMost(3)), own.negate()]).shape(), None);
        for other in ["", "{}", "[]", r#"{"key":["Goal/1"]}"#, r#"{"atMost":300}"#, r#"{"kind":[1]}"#] {
            assert_eq!(Condition::of_shape(other), None, "{other}");
        }
    }
}
