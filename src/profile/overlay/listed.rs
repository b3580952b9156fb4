//! Value sets as keywords of our own in a schema: the set itself is asked, so that no schema repeats its codes.

use std::collections::HashMap;
use std::sync::Arc;

use jsonschema::{Keyword, ValidationError, ValidationOptions};
use serde_json::Value;

use crate::profile::Profiles;
use crate::profile::binding;
use crate::profile::terminology::{Membership, Set};

/// Holds for a value that is in the set of this URL.
pub const INSIDE: &str = "inside";
/// Holds also where nobody here can tell.
pub const NOT_OUTSIDE: &str = "notOutside";

type Sets = HashMap<String, Arc<Set>>;

struct Listed {
    set: Option<Arc<Set>>,
    is_strict: bool,
}

impl<'i> Keyword<'i> for Listed {
    fn validate(&self, instance: &'i Value) -> Result<(), ValidationError<'i>> {
        if self.is_valid(instance) { Ok(()) } else { Err(ValidationError::custom("is not in the value set")) }
    }

    fn is_valid(&self, instance: &'i Value) -> bool {
        match self.set.as_ref().map(|set| binding::judge(set, instance)) {
            Some(Membership::Member) => true,
            Some(Membership::Stranger) => false,
            Some(Membership::Unknown) | None => !self.is_strict,
        }
    }
}

/// The keywords, with the sets that this schema names.
pub fn with_sets<'o>(options: ValidationOptions<'o>, profiles: &Profiles, schema: &Value) -> ValidationOptions<'o> {
    let mut sets = Sets::new();
    gather(schema, profiles, &mut sets);
    let sets = Arc::new(sets);
    [(INSIDE, true), (NOT_OUTSIDE, false)].into_iter().fold(options, |options, (keyword, is_strict)| {
        let sets = sets.clone();
        options.with_keyword(keyword, move |_, url, _| {
            let set = url.as_str().and_then(|url| sets.get(url)).cloned();
            Ok(Box::new(Listed { set, is_strict }))
        })
    })
}

fn gather(schema: &Value, profiles: &Profiles, sets: &mut Sets) {
    match schema {
        Value::Object(object) => {
            for (key, inner) in object {
                let url = inner.as_str().filter(|_| key == INSIDE || key == NOT_OUTSIDE);
                if let Some((url, set)) = url.and_then(|url| Some((url, profiles.set(url)?))) {
                    sets.insert(url.to_string(), set.clone());
                }
                gather(inner, profiles, sets);
            }
        }
        Value::Array(list) => list.iter().for_each(|inner| gather(inner, profiles, sets)),
        _ => {}
    }
}
