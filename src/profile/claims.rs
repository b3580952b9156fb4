//! The profiles that apply to what the walk has met: those a resource claims, and an extension's own definition.

use serde_json::Value;

use crate::fhir::Issue;

use super::binding;
use super::facts::bare;
use super::found::shown;
use super::import::chain;
use super::terminology::Membership;
use super::walk::Walk;

/// Profiles that one resource may claim.
const CLAIMED_MAX: usize = 50;
const VITAL_SIGNS: &str = "http://hl7.org/fhir/StructureDefinition/vitalsigns";
const VITAL_SIGN_CODES: &str = "http://hl7.org/fhir/ValueSet/observation-vitalsignresult";

impl<'a> Walk<'a> {
    /// The profiles that the resource claims, and those asked for.
    pub fn claimed(&mut self, value: &'a Value, kind: &str, also: &[String]) {
        let claimed = value.pointer("/meta/profile").and_then(Value::as_array);
        let claimed = claimed.into_iter().flatten().filter_map(Value::as_str);
        let mut done: Vec<&str> = Vec::new();
        for canonical in claimed.chain(also.iter().map(String::as_str)) {
            let url = bare(canonical);
            if done.contains(&url) {
                continue;
            }
            if done.len() == CLAIMED_MAX {
                return self.error("too-costly", "profiles-many", format!("expected at most {CLAIMED_MAX} profiles"));
            }
            done.push(url);
            let Some(entry) = self.profiles.entry(url) else {
                self.unknown(canonical);
                continue;
            };
            if entry.head.type_name != kind {
                let text = format!("profile `{}` is for {}, found {kind}", shown(canonical), entry.head.type_name);
                self.findings.add_missing(&self.place, "meta.profile", Issue::error("structure", "profile-type", text));
                continue;
            }
            if let (Some((_, asked)), Some(held)) = (canonical.split_once('|'), entry.head.version.as_deref())
                && asked != held
            {
                let text = format!("profile `{}` was checked as version `{held}`", shown(canonical));
                self.findings.add_missing(
                    &self.place,
                    "meta.profile",
                    Issue::warning("not-found", "profile-version", text),
                );
            }
            self.overlaid(url, value);
        }
    }

    fn unknown(&mut self, canonical: &str) {
        let text = format!("profile `{}` is not known here and was not checked", shown(canonical));
        self.findings.add_missing(&self.place, "meta.profile", Issue::warning("not-found", "profile-unknown", text));
    }

    /// A profile, and, where it was read from a differential, those below it.
    pub fn overlaid(&mut self, url: &str, value: &'a Value) {
        let mut url = url.to_string();
        for _ in 0..chain::LENGTH_MAX {
            let Some(entry) = self.profiles.entry(&url) else { return self.unknown(&url) };
            match self.profiles.overlay(entry) {
                Some(overlay) => overlay.check(self.profiles, value, &self.place, &mut self.findings),
                None if entry.head.is_profile() => {
                    let text = format!("profile `{}` could not be compiled and was not checked", shown(&url));
                    self.say(Issue::warning("not-supported", "profile-unusable", text));
                }
                None => {}
            }
            if let Some(beyond) = self.profiles.beyond(entry) {
                self.beyond(beyond, value);
                if self.is_thorough && entry.head.type_name != "Extension" {
                    self.supported(beyond, value);
                }
            }
            match entry.head.base.as_deref().filter(|_| entry.head.chained) {
                Some(base) => url = bare(base).to_string(),
                None => return,
            }
        }
    }

    /// R4 asks the vital signs profile of any Observation with such a code (observation-vitalsigns.html); unclaimed,
    /// that is worth a warning.
    pub fn vital_sign(&mut self, value: &'a Value) {
        let Some(code) = value.get("code") else { return };
        let is_vital_sign =
            self.profiles.set(VITAL_SIGN_CODES).is_some_and(|codes| binding::judge(codes, code) == Membership::Member);
        let profile = self.profiles.entry(VITAL_SIGNS).and_then(|entry| self.profiles.overlay(entry));
        if is_vital_sign && profile.is_some_and(|profile| !profile.holds(value)) {
            let text = "the code is a vital sign's: expected profile `vitalsigns` to hold";
            self.findings.add_missing(&self.place, "code", Issue::warning("business-rule", "vital-signs", text));
        }
    }
}
