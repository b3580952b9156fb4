//! What search asks of codes: which lie below one, and which are in a set (FHIR R4 search.html#token `:above`,
//! `:below`, `:in`, `:not-in`).

use std::collections::BTreeMap;

use crate::fhir::search::Definitions;

use super::Profiles;
use super::facts::bare;

/// The codes of a value set, as far as they could be listed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Expansion<'p> {
    /// Each system with its codes.
    pub codes: Vec<(&'p str, &'p str)>,
    /// Systems of which not all codes could be listed, `*` for any: a code of them may be in the set or not.
    pub open: Vec<&'p str>,
    /// There were more codes than the bound that was asked for.
    pub cut: bool,
}

impl Profiles {
    /// The codes of a value set, at most `max` of them; `None` for one that is not at hand.
    pub fn expansion(&self, url: &str, max: usize) -> Option<Expansion<'_>> {
        let set = self.set(bare(url))?;
        let mut all = set.each().map(|(system, code, _)| (system, code));
        let codes = all.by_ref().take(max).collect();
        Some(Expansion { codes, open: set.open().collect(), cut: all.next().is_some() })
    }

    /// Whether `code` is `ancestor` or lies below it; `None` when nobody here can tell.
    pub fn is_below(&self, system: &str, code: &str, ancestor: &str) -> Option<bool> {
        Some(self.ancestors(system, code)?.contains(&ancestor))
    }

    /// The code itself and all above it, from near to far; `None` for a code or a system that is not at hand.
    pub fn ancestors(&self, system: &str, code: &str) -> Option<Vec<&str>> {
        let known = self.code_system(system)?;
        let (code, _) = known.find(code)?;
        Some(known.ancestors(code))
    }

    /// The code itself and all below it, sorted; `None` for a code or a system that is not at hand.
    pub fn descendants(&self, system: &str, code: &str) -> Option<Vec<&str>> {
        let known = self.code_system(system)?;
        let (code, _) = known.find(code)?;
        Some(known.descendants(code).into_iter().collect())
    }
}

/// Most codes of a value set that a search looks for.
const SEARCHED_MAX: usize = 1_000;

impl Definitions for Profiles {
    fn knows(&self, kind: &str) -> bool {
        Profiles::knows(self, kind)
    }

    fn expansion(&self, value_set: &str) -> Option<Vec<(String, Vec<String>)>> {
        let found =
            Profiles::expansion(self, value_set, SEARCHED_MAX).filter(|found| found.open.is_empty() && !found.cut)?;
        let mut by_system: BTreeMap<&str, Vec<String>> = BTreeMap::new();
        found.codes.iter().for_each(|(system, code)| by_system.entry(system).or_default().push((*code).to_string()));
        Some(by_system.into_iter().map(|(system, codes)| (system.to_string(), codes)).collect())
    }

    fn below(&self, system: &str, code: &str) -> Option<Vec<String>> {
        Some(self.descendants(system, code)?.into_iter().map(str::to_string).collect())
    }

    fn above(&self, system: &str, code: &str) -> Option<Vec<String>> {
        Some(self.ancestors(system, code)?.into_iter().map(str::to_string).collect())
    }
}
