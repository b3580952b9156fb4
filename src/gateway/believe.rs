//! Which of what partners filed about a person counts (rules.md 17, 20).
//!
//! A deny of anybody's counts. A permit of the Patient's origin opens what it says, but not to the origin's own house
//! the data of others; a permit of anybody else opens that somebody's own data. Beyond that it opens what the holder
//! of the data verified, and what the holder handed over. What widens access by being on file (a team, a visit) counts
//! from the Patient's origin and the operator alone; that a Consent replaces another, from who filed or keeps the
//! other. INVARIANT: everything that is read here is a row of the person's grounds.

use std::collections::BTreeSet;

use serde_json::json;

use crate::consent::{Directive, Opened, World};
use crate::fhir::Resource;
use crate::store::{AUTHORED, HANDED, REVISED, Stored, VERIFIED};

use super::enroll::OPERATOR;

/// A statement of the operator's: for everybody's data.
pub const EVERYBODY: &str = "*";

/// What is believed of what is on file: laid over a world, and the directives that are heard.
pub fn believed<'r>(rows: impl Iterator<Item = &'r Stored> + Clone, world: &mut World) -> Vec<Directive> {
    let origins: Vec<(&str, &str)> =
        rows.clone().filter(|row| row.kind == "Patient").map(|row| (row.id.as_str(), row.origin.as_str())).collect();
    let filed = Filed { rows: rows.clone().collect() };
    let mut directives = Vec::new();
    for row in rows {
        let of_person = origins.iter().find(|(id, _)| Some(*id) == row.patient.as_deref()).map(|(_, origin)| *origin);
        let believed = row.origin == OPERATOR || of_person == Some(row.origin.as_str());
        if row.kind == REVISED {
            filed.revision(row, &row.id, &row.body).into_iter().for_each(|revision| world.add(revision));
            continue;
        }
        if row.kind == AUTHORED {
            authorship(row).into_iter().for_each(|authorship| world.add(authorship));
            continue;
        }
        let Some(mut resource) = row.resource() else { continue };
        match row.kind.as_str() {
            "Consent" => directives.push(filed.counted(row, Directive::read(&resource), of_person)),
            "Provenance" => {
                filed.revisions(row, &resource).into_iter().for_each(|revision| world.add(revision));
                resource.remove("entity");
                if believed {
                    world.add(resource);
                }
            }
            _ if believed => {
                // A link is one side's word until it is confirmed (rules.md 20, 21); nothing confirms one yet.
                resource.remove("link");
                world.add(resource);
            }
            _ => {}
        }
    }
    directives
}

/// That somebody wrote something: whose word that is was settled when it was said.
fn authorship(said: &Stored) -> Option<Resource> {
    let author = said.holder.as_deref()?;
    let id = format!("{}.{}.{}", said.body, said.id, author).replace('/', ".");
    let known = json!({"resourceType": "Provenance", "id": id, "target": [{"reference": said.id}],
        "agent": [{"type": {"coding": [{"code": "author"}]}, "who": {"reference": author}}]});
    Resource::from_value(known)
}

/// Whether a permit that opens others' data waits for them: who files it would be let in by it.
pub fn waits(directive: &Directive, origin: &str, house: &BTreeSet<String>, patients_origin: Option<&str>) -> bool {
    let favours = patients_origin != Some(origin) || directive.may_permit(house);
    origin != OPERATOR && directive.is_meant() && favours
}

/// Who has verified this version of a Consent, as partners' ids.
pub fn verified_by<'r>(rows: impl Iterator<Item = &'r Stored>, consent: &Stored) -> BTreeSet<String> {
    let (key, version) = (format!("Consent/{}", consent.id), consent.version.to_string());
    let of_it = rows.filter(|row| row.kind == VERIFIED && row.id == key && row.body == version);
    of_it.map(|row| row.origin.clone()).collect()
}

/// Everything that is on file about some people.
struct Filed<'r> {
    rows: Vec<&'r Stored>,
}

impl Filed<'_> {
    /// A Consent's directive as far as its permits count.
    fn counted(&self, row: &Stored, directive: Directive, patients_origin: Option<&str>) -> Directive {
        if row.origin == OPERATOR {
            return directive;
        }
        let directive = match directive.source() {
            Some(older) if !self.may_replace(&row.origin, older) => directive.without_source(),
            _ => directive,
        };
        let own = organization(&row.origin);
        let directive = directive.filed_by(&own);
        let verified = verified_by(self.rows.iter().copied(), row);
        if verified.contains(EVERYBODY) {
            return directive;
        }
        let handed = self.rows.iter().filter(|said| said.kind == HANDED && said.patient == row.patient);
        let handed = handed.filter_map(|said| Some((said.id.clone(), organization(said.holder.as_deref()?))));
        let origins = verified.iter().map(|holder| organization(holder)).chain([own.clone()]);
        let opened = Opened { origins: origins.collect(), handed: handed.collect() };
        if patients_origin == Some(row.origin.as_str()) {
            directive.favours(&own, opened)
        } else {
            directive.opens_no_more_than(opened)
        }
    }

    /// Whether a partner may say that something comes in the place of a Consent: who filed or keeps that one.
    fn may_replace(&self, partner: &str, older: &str) -> bool {
        let older =
            self.rows.iter().find(|row| row.kind == "Consent" && older.strip_prefix("Consent/") == Some(&row.id));
        partner == OPERATOR || older.is_some_and(|older| older.belongs_to(partner))
    }

    /// That `new` is a revision of `older`, if who says so may.
    fn revision(&self, said: &Stored, new: &str, older: &str) -> Option<Resource> {
        let id = format!("{}.{}", said.id.replace('/', "."), older.replace('/', "."));
        let known = json!({"resourceType": "Provenance", "id": id, "target": [{"reference": new}],
            "entity": [{"role": "revision", "what": {"reference": older}}]});
        self.may_replace(&said.origin, older).then(|| Resource::from_value(known)).flatten()
    }

    fn revisions(&self, row: &Stored, provenance: &Resource) -> Vec<Resource> {
        let pairs = revised(provenance);
        pairs.iter().filter_map(|(new, older)| self.revision(row, new, older)).collect()
    }
}

/// The Consents that a Provenance says to be revisions, each with the one it revises.
pub fn revised(provenance: &Resource) -> Vec<(String, String)> {
    let root = provenance.root();
    let older = root.each("entity").filter(|entity| entity.text("role") == Some("revision"));
    let older: Vec<String> = older.filter_map(|entity| entity.reference("what")).map(|what| what.key()).collect();
    let consents = |key: &String| key.starts_with("Consent/");
    let new: Vec<String> = root.references("target").iter().map(|target| target.key()).filter(consents).collect();
    let pairs = older.iter().filter(|key| consents(key));
    pairs.flat_map(|older| new.iter().map(move |new| (new.clone(), older.clone()))).collect()
}

fn organization(partner: &str) -> String {
    format!("Organization/{partner}")
}
