//! Of whom a resource must not speak to a recipient: directory entries of partners that are discreet, and the people
//! whom they serve (rules.md 2).
//!
//! Whose an entry is never changes (rules.md 4), so what was found out once is remembered. Where no partner is
//! discreet, nothing is looked at.

use std::collections::{BTreeMap, BTreeSet};

use crate::consent::{Discretion, Masks, Regimes};
use crate::partner::Partner;
use crate::store::{Fault, Stored};

use super::Context;

/// What is discreet about the partners of the exchange, the recipient's own house aside.
pub struct Discreet<'r> {
    of: BTreeMap<&'r str, &'r Discretion>,
    /// Types whose owners matter.
    kinds: BTreeSet<&'r str>,
}

impl<'r> Discreet<'r> {
    pub fn of(partners: &'r [Partner], regimes: &'r Regimes, recipient: &str) -> Discreet<'r> {
        let others = partners.iter().filter(|partner| partner.id != recipient);
        let of: BTreeMap<&str, &Discretion> = others
            .filter_map(|partner| {
                Some((partner.id.as_str(), regimes.discretion(partner.kind.code(), &partner.regimes)?))
            })
            .collect();
        let hidden = of.values().flat_map(|discretion| discretion.hidden.iter().map(String::as_str));
        let people = of.values().flat_map(|discretion| discretion.people.keys().map(String::as_str));
        let kinds = hidden.chain(people).collect();
        Discreet { of, kinds }
    }

    pub fn is_empty(&self) -> bool {
        self.of.is_empty()
    }

    pub fn partners(&self) -> impl Iterator<Item = (&'r str, &'r Discretion)> {
        self.of.iter().map(|(id, discretion)| (*id, *discretion))
    }

    pub fn partner(&self, id: &str) -> Option<&'r Discretion> {
        self.of.get(id).copied()
    }

    /// What a row must not say.
    pub async fn masks(&self, ctx: &Context, row: &Stored) -> Result<Masks, Fault> {
        let mut masks = Masks::default();
        if self.is_empty() {
            return Ok(masks);
        }
        if row.kind == "Organization" {
            let theirs = self.partner(&row.id).or_else(|| self.partner(&row.origin));
            masks.face = theirs.map(|discretion| discretion.organization.clone());
        }
        let named = self.named(&row.body);
        let known = ctx.origins(named.clone()).await?;
        // What is not there is masked as what is hidden: else the mask would tell that somebody works there.
        let is_hidden = |kind: &str| self.of.values().any(|discretion| discretion.hidden.contains(kind));
        let is_there = |key: &String| known.iter().any(|(there, _)| there == key);
        let absent = named.into_iter().filter(|key| !is_there(key));
        masks.entries.extend(absent.filter(|key| key.split_once('/').is_some_and(|(kind, _)| is_hidden(kind))));
        for (key, origin) in known {
            let Some(discretion) = self.partner(&origin) else { continue };
            let kind = key.split_once('/').map_or("", |(kind, _)| kind);
            if discretion.hidden.contains(kind) {
                masks.entries.insert(key);
            } else if discretion.people.contains_key(kind) && origin != row.origin {
                masks.people.insert(key);
            }
        }
        if row.body.contains("\"contained\"") {
            masks.partners = self.of.keys().map(|id| format!("Organization/{id}")).collect();
            masks.kinds = self.of.values().flat_map(|discretion| discretion.hidden.iter().cloned()).collect();
        }
        Ok(masks)
    }

    /// Keys of those types that a text names, whatever holds them.
    fn named(&self, text: &str) -> BTreeSet<String> {
        let mut found = BTreeSet::new();
        for kind in &self.kinds {
            for (at, _) in text.match_indices(kind) {
                let Some(rest) = text[at + kind.len()..].strip_prefix('/') else { continue };
                let length = rest.bytes().take(64).take_while(|byte| is_of_id(*byte)).count();
                if length > 0 {
                    found.insert(format!("{kind}/{}", &rest[..length]));
                }
            }
        }
        found
    }
}

fn is_of_id(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'.'
}
