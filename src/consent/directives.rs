//! A person's directives: which of them speak at a moment (consent.md R1) and which were replaced (R10).
//!
//! What replaces what is settled when the set is built, from the record; whether the successor is in force, and
//! whose signature still counts, is asked again at each question's moment.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::clock::Clock;
use super::directive::Directive;
use super::policy::Policy;
use super::who::{Recipient, is_current};
use super::world::World;
use crate::fhir::{Instant, Interval, Zone};

/// The age from which a person signs alone.
pub const ADULT_YEARS: i32 = 18;

/// All consents of one person.
#[derive(Clone, Debug)]
pub struct Directives {
    patients: BTreeSet<String>,
    birth: Option<String>,
    latest: Vec<Directive>,
    /// Consents on the same policies, custodians and recipients, the latest recorded first.
    series: Vec<Vec<usize>>,
    /// (old, new) where the record says that one revises the other.
    revised: Vec<(usize, usize)>,
    policy: Policy,
}

/// How much of a usable consent is heard.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Voice {
    Whole,
    /// Its successor has ended: nobody falls back to a wider sharing than they last asked for.
    DeniesOnly,
}

impl Directives {
    /// `consents` are the versions of the person's consents in the order recorded; the last of an id counts.
    pub fn of(patient: &str, consents: Vec<Directive>, world: &World, policy: &Policy) -> Directives {
        let patients = world.same_patient(patient);
        let latest: Vec<Directive> = latest(consents)
            .into_iter()
            .filter(|directive| directive.patient().is_some_and(|named| patients.contains(named)))
            .collect();
        let mut revised = revised(&latest, world);
        let series = series(&latest).into_iter().flat_map(|same| by_filer(&latest, same, &mut revised)).collect();
        let birth = [patient].into_iter().chain(patients.iter().map(String::as_str));
        let birth = birth.filter_map(|key| world.get(key)?.root().text("birthDate")).next().map(str::to_string);
        Directives { birth, patients, latest, series, revised, policy: policy.clone() }
    }

    pub fn policy(&self) -> &Policy {
        &self.policy
    }

    /// The latest version of each consent, in the order recorded, those that do not count included.
    pub fn all(&self) -> &[Directive] {
        &self.latest
    }

    /// The records that are this person.
    pub fn patients(&self) -> &BTreeSet<String> {
        &self.patients
    }

    /// The consents that are heard now, by whoever asks.
    #[cfg(test)]
    pub(super) fn heard(&self, world: &World, clock: &Clock) -> Vec<(&Directive, Voice)> {
        self.heard_for(None, world, clock)
    }

    /// The consents that are heard when this recipient asks.
    pub(super) fn heard_for(
        &self,
        recipient: Option<&Recipient>,
        world: &World,
        clock: &Clock,
    ) -> Vec<(&Directive, Voice)> {
        let usable: Vec<bool> = self.latest.iter().map(|directive| self.is_usable(directive, world, clock)).collect();
        let in_force: Vec<bool> =
            self.latest.iter().map(|directive| self.has_been_in_force(directive, world, clock)).collect();
        // A successor whose permits do not count here takes the old permits away, and never an old deny.
        let silences = |next: usize| usable[next] && self.latest[next].opens.is_whole(recipient, world);
        let mut voices = vec![Some(Voice::Whole); self.latest.len()];
        let mut replace = |old: usize, is_silenced: bool| {
            voices[old] = if is_silenced { None } else { voices[old].and(Some(Voice::DeniesOnly)) };
        };
        for (old, new) in self.revised.iter().filter(|(_, new)| in_force[*new]) {
            replace(*old, silences(*new));
        }
        for series in &self.series {
            let (mut replaces, mut is_silenced) = (false, false);
            // Those of one instant replace what is older, and not each other.
            for same in series.chunk_by(|one, other| self.latest[*one].recorded_at == self.latest[*other].recorded_at) {
                if replaces {
                    same.iter().for_each(|old| replace(*old, is_silenced));
                }
                replaces |= same.iter().any(|new| in_force[*new]);
                is_silenced |= same.iter().any(|new| in_force[*new] && silences(*new));
            }
        }
        let heard = self.latest.iter().zip(voices).zip(usable);
        heard.filter(|(_, usable)| *usable).filter_map(|((directive, voice), _)| Some((directive, voice?))).collect()
    }

    /// Whether the person is under an age at the clock's moment; an unknown birth date is an adult's.
    pub(super) fn is_under(&self, years: i32, clock: &Clock) -> bool {
        self.birthday(years, clock.zone).is_some_and(|birthday| !clock.reached(birthday))
    }

    /// Whether the person was under age when the consent says it was given.
    pub(super) fn was_minor(&self, directive: &Directive, clock: &Clock) -> bool {
        let zone = directive.zone(clock.zone);
        let given = directive.written.as_deref().and_then(|text| Interval::of(text, &zone)).map(|given| given.start);
        match (given.or(directive.recorded_at), self.birthday(ADULT_YEARS, clock.zone)) {
            (Some(given), Some(birthday)) => given < birthday,
            _ => false,
        }
    }

    pub(super) fn is_signed_by_patient(&self, directive: &Directive) -> bool {
        directive.performers.iter().any(|signer| self.patients.contains(signer))
    }

    /// Signers who are RelatedPersons of this person.
    pub(super) fn related_signers(&self, directive: &Directive, world: &World) -> Vec<String> {
        let related = related(directive).filter(|signer| {
            let named = world.get(signer).and_then(|person| person.root().reference("patient"));
            named.is_some_and(|patient| self.patients.contains(&patient.key()))
        });
        related.cloned().collect()
    }

    pub(super) fn is_usable(&self, directive: &Directive, world: &World, clock: &Clock) -> bool {
        directive.is_active
            && directive.is_privacy
            && clock.within(bounds(directive, clock))
            && self.has_evidence(directive, world, clock)
    }

    /// For one of `all`, by its place: those that replace it once they are in force.
    pub(super) fn successors_of(&self, place: usize) -> Vec<usize> {
        let recorded_at = |place: usize| self.latest.get(place).map(|directive| directive.recorded_at);
        let later = |next: &usize| recorded_at(*next) > recorded_at(place);
        let restating = self.series.iter().filter(|series| series.contains(&place)).flatten().copied().filter(later);
        let revising = self.revised.iter().filter(|(old, _)| *old == place).map(|(_, new)| *new);
        revising.chain(restating).collect()
    }

    pub(super) fn has_been_in_force(&self, directive: &Directive, world: &World, clock: &Clock) -> bool {
        directive.has_counted
            && directive.is_privacy
            && clock.reached(bounds(directive, clock).start)
            && self.has_evidence(directive, world, clock)
    }

    pub(super) fn has_evidence(&self, directive: &Directive, world: &World, clock: &Clock) -> bool {
        if self.policy.needs_verification && !directive.is_verified {
            return false;
        }
        if related(directive).next().is_none() || self.is_signed_by_patient(directive) {
            return true;
        }
        let may_represent = self.related_signers(directive, world).iter().any(|signer| {
            let person = world.get(signer).map(|person| person.root());
            person.is_some_and(|person| person.flag("active") != Some(false) && is_current(person, clock))
        });
        may_represent && (!self.was_minor(directive, clock) || self.is_under(ADULT_YEARS, clock))
    }

    /// The day on which the person reaches an age.
    fn birthday(&self, years: i32, zone: &Zone) -> Option<Instant> {
        let birth = self.birth.as_deref()?;
        let (year, rest) = birth.split_at_checked(4)?;
        let year = year.parse::<i32>().ok()? + years;
        // Who was born on 29 February comes of age on 1 March of a common year.
        let day = Interval::of(&format!("{year:04}{rest}"), zone)
            .or_else(|| Interval::of(&format!("{year:04}-03-01"), zone).filter(|_| rest == "-02-29"));
        day.map(|day| day.start)
    }
}

/// The people whom a request may be about, each with all consents.
#[derive(Clone, Debug)]
pub struct People {
    persons: Vec<Directives>,
    by_record: HashMap<String, usize>,
    policy: Policy,
}

impl People {
    /// `consents` are the versions of everybody's consents in the order recorded.
    pub fn of(consents: Vec<Directive>, world: &World, policy: &Policy) -> People {
        let mut people = People { persons: Vec::new(), by_record: HashMap::new(), policy: policy.clone() };
        let mut by_patient: BTreeMap<BTreeSet<String>, Vec<Directive>> = BTreeMap::new();
        let mut records: HashMap<String, BTreeSet<String>> = HashMap::new();
        // Latest first, then by person: a consent counts only for whom its latest version names.
        for directive in latest(consents) {
            if let Some(patient) = directive.patient() {
                let same = records.entry(patient.to_string()).or_insert_with(|| world.same_patient(patient));
                by_patient.entry(same.clone()).or_default().push(directive);
            }
        }
        for (patients, directives) in by_patient {
            if let Some(patient) = patients.first() {
                people.add(Directives::of(patient, directives, world, policy));
            }
        }
        people
    }

    pub fn add(&mut self, directives: Directives) {
        let place = self.persons.len();
        self.by_record.extend(directives.patients.iter().map(|patient| (patient.clone(), place)));
        self.persons.push(directives);
    }

    pub fn policy(&self) -> &Policy {
        &self.policy
    }

    /// The person that this record is, if consents of theirs are known.
    pub fn get(&self, patient: &str) -> Option<&Directives> {
        self.by_record.get(patient).map(|place| &self.persons[*place])
    }
}

/// The last version of each id, where its first one stood.
fn latest(consents: Vec<Directive>) -> Vec<Directive> {
    let mut kept: Vec<Directive> = Vec::new();
    let mut places: HashMap<String, usize> = HashMap::new();
    for directive in consents {
        match places.get(directive.key()) {
            Some(place) => kept[*place] = directive,
            None => {
                places.insert(directive.key().to_string(), kept.len());
                kept.push(directive);
            }
        }
    }
    kept
}

pub(super) fn bounds(directive: &Directive, clock: &Clock) -> Interval {
    let zone = directive.zone(clock.zone);
    directive.period.as_ref().and_then(|period| period.interval(&zone)).unwrap_or(Interval::ALWAYS)
}

fn related(directive: &Directive) -> impl Iterator<Item = &String> {
    directive.performers.iter().filter(|signer| signer.starts_with("RelatedPerson/"))
}

/// The same policies, custodians and root actors: the one recorded strictly later replaces the other. The client's
/// `dateTime` orders nothing; a consent that names no policy or no custodian replaces nothing by being newer.
fn series(latest: &[Directive]) -> Vec<Vec<usize>> {
    let mut found: BTreeMap<_, Vec<usize>> = BTreeMap::new();
    for (place, directive) in latest.iter().enumerate() {
        // Actors that were not understood cannot be found equal.
        let Some(actors) = directive.root_parties() else { continue };
        if directive.recorded_at.is_some() && !directive.policies.is_empty() && !directive.custodians.is_empty() {
            found.entry((&directive.policies, &directive.custodians, actors)).or_default().push(place);
        }
    }
    let mut series: Vec<Vec<usize>> = found.into_values().filter(|same| same.len() > 1).collect();
    series.iter_mut().for_each(|same| same.sort_by_key(|place| Reverse(latest[*place].recorded_at)));
    series
}

/// Newer ones of its keeper that are looked at for each consent of another filer.
const KEEPERS_MAX: usize = 64;

/// One series as those in which each may replace the older ones: of one filer, and of who keeps them all. That a keeper's
/// replaces another filer's is noted pair by pair (rules.md 20).
fn by_filer(latest: &[Directive], same: Vec<usize>, revised: &mut Vec<(usize, usize)>) -> Vec<Vec<usize>> {
    let mut filers: BTreeMap<Option<&str>, Vec<usize>> = BTreeMap::new();
    for place in same {
        let one = &latest[place];
        let other = one.filer.as_deref().filter(|filer| !one.custodians.contains(*filer));
        filers.entry(other).or_default().push(place);
    }
    let keepers = filers.get(&None).cloned().unwrap_or_default();
    for old in filers.iter().filter(|(filer, _)| filer.is_some()).flat_map(|(_, own)| own) {
        let newer = keepers.iter().filter(|new| latest[**new].recorded_at > latest[*old].recorded_at);
        revised.extend(newer.take(KEEPERS_MAX).map(|new| (*old, *new)));
    }
    filers.into_values().filter(|own| own.len() > 1).collect()
}

/// (old, new) where the new one's source is the old, or a Provenance says that it is a revision of the old.
fn revised(latest: &[Directive], world: &World) -> Vec<(usize, usize)> {
    let places: HashMap<&str, usize> = latest.iter().enumerate().map(|(place, one)| (one.key(), place)).collect();
    let place = |key: &str| places.get(key).copied();
    let mut found: BTreeSet<(usize, usize)> = BTreeSet::new();
    for (new, directive) in latest.iter().enumerate() {
        found.extend(directive.source.as_deref().and_then(place).map(|old| (old, new)));
    }
    for provenance in world.of_kind("Provenance").map(|provenance| provenance.root()) {
        let revised = provenance.each("entity").filter(|entity| entity.text("role") == Some("revision"));
        let revised = revised.filter_map(|entity| entity.reference("what")).filter_map(|old| place(&old.key()));
        let targets: Vec<usize> = provenance.references("target").iter().filter_map(|new| place(&new.key())).collect();
        found.extend(revised.flat_map(|old| targets.iter().map(move |new| (old, *new))));
    }
    // What was recorded earlier revises nothing; of one instant, the order of the record decides.
    let is_later = |(old, new): &(usize, usize)| (latest[*new].recorded_at, new) > (latest[*old].recorded_at, old);
    found.into_iter().filter(is_later).collect()
}
