//! Profiles that say only how they differ stand on others, which must hold too: each chain has an end.

use std::collections::HashMap;

use crate::profile::Profiles;
use crate::profile::facts::Structure;

/// Profiles that one may stand on, itself included; as many are looked at when a resource is judged.
pub const LENGTH_MAX: usize = 8;

/// Why a profile can never hold as a whole, by its place in the list.
pub fn endless(structures: &[Structure], known: &Profiles) -> Vec<(usize, String)> {
    let here: HashMap<&str, Option<&str>> = structures.iter().map(|it| (it.head.url.as_str(), below(it))).collect();
    let mut found = Vec::new();
    for (at, structure) in structures.iter().enumerate() {
        let (mut length, mut next) = (1, below(structure));
        while let Some(url) = next {
            // The base definition at the end is walked anyway.
            let is_base = known.entry(url).is_some_and(|entry| !entry.head.is_profile());
            length += usize::from(!is_base);
            if url == structure.head.url {
                found.push((at, format!("stands on itself, through {} others", length - 2)));
                break;
            }
            if length > LENGTH_MAX {
                found.push((at, format!("stands on more than {LENGTH_MAX} profiles, one on the other")));
                break;
            }
            next = match (here.get(url), known.entry(url)) {
                (Some(below), _) => *below,
                (None, Some(entry)) => entry.head.base.as_deref().filter(|_| entry.head.chained),
                (None, None) => None,
            };
        }
    }
    found
}

fn below(structure: &Structure) -> Option<&str> {
    structure.head.base.as_deref().filter(|_| structure.head.chained)
}
