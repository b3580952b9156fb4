//! Who receives (consent.md R14).
//!
//! A `Recipient` is what the caller asserts: a partner, perhaps a practitioner, some roles. Its `Closure` is all
//! that an actor of a rule may name to mean it at a moment. Nothing goes downwards: staff of a parent are not staff
//! of its branch.

use std::cell::Cell;
use std::collections::BTreeSet;

use super::clock::Clock;
use super::rule::Who;
use super::span::Span;
use super::world::{PARTNER_KIND, REGIME, World, identifiers};
use crate::fhir::{Element, Resource};

/// Who asks, or whom something would be sent to.
#[derive(Clone, Debug, PartialEq)]
pub struct Recipient {
    organization: String,
    parents: Vec<String>,
    kinds: BTreeSet<String>,
    regimes: BTreeSet<String>,
    practitioner: Option<String>,
    roles: Vec<String>,
    /// Nobody said which of its staff it is: a system, a delivery.
    is_any_staff: bool,
}

impl Recipient {
    /// `organization` is `Organization/x`, `practitioner` is `Practitioner/y`.
    pub fn of(world: &World, organization: &str, practitioner: Option<&str>, roles: &[String]) -> Recipient {
        Recipient {
            organization: organization.to_string(),
            parents: world.parents(organization),
            kinds: world.organization_codes(organization, PARTNER_KIND),
            regimes: world.organization_codes(organization, REGIME),
            practitioner: practitioner.map(str::to_string),
            roles: roles.to_vec(),
            is_any_staff: false,
        }
    }

    /// The same where, without a practitioner, anybody of its staff may be meant: a deny that names one of them matches.
    #[must_use]
    pub fn or_any_staff(self) -> Recipient {
        Recipient { is_any_staff: self.practitioner.is_none(), ..self }
    }

    pub fn organization(&self) -> &str {
        &self.organization
    }

    /// The organisation and its parents: data from any of them is no disclosure to it.
    pub fn house(&self) -> BTreeSet<String> {
        self.parents.iter().chain([&self.organization]).cloned().collect()
    }

    pub fn is_kind(&self, kind: &str) -> bool {
        self.kinds.contains(kind)
    }

    pub fn is_under(&self, regime: &str) -> bool {
        self.regimes.contains(regime)
    }

    pub fn has_role(&self, role: &str) -> bool {
        self.roles.iter().any(|own| own == role)
    }

    /// All that means this recipient at the clock's moment.
    pub fn closure(&self, world: &World, clock: &Clock) -> Closure {
        let mut members = self.house();
        members.extend(self.practitioner.clone());
        if let Some(practitioner) = &self.practitioner {
            let own = world.of_kind("PractitionerRole").filter(|role| {
                let root = role.root();
                root.reference("practitioner").is_some_and(|named| named.key() == *practitioner)
                    && root.reference("organization").is_none_or(|named| named.key() == self.organization)
                    && is_active_role(root, clock)
            });
            members.extend(own.map(Resource::key));
        }
        add_groups(&mut members, world, clock);
        let known = members.iter().filter_map(|key| world.get(key));
        let identifiers = known.flat_map(|member| identifiers(member.root())).collect();
        let staff = self.is_any_staff.then(Cell::default);
        Closure { members, identifiers, organization: self.organization.clone(), staff }
    }
}

/// What names the recipient at a moment.
pub struct Closure {
    members: BTreeSet<String>,
    identifiers: BTreeSet<(String, String)>,
    organization: String,
    /// Where anybody of its staff may be meant: whether that was asked.
    staff: Option<Cell<bool>>,
}

impl Closure {
    /// Whether an answer hung on who works where.
    pub fn has_asked_for_staff(&self) -> bool {
        self.staff.as_ref().is_some_and(Cell::get)
    }

    /// Whether an actor that does not name the recipient may do so all the same: somebody of its staff, a group with
    /// such a member, or somebody who is not known (a deny reads wide).
    pub fn may_be(&self, who: &Who, world: &World, contained: &[Resource]) -> bool {
        let Some(asked) = &self.staff else { return false };
        asked.set(true);
        let mut seen = BTreeSet::new();
        let mut next = vec![who.clone()];
        while let Some(who) = next.pop() {
            let found = match &who {
                Who::Key(key) => world.get(key),
                Who::Contained(id) => contained.iter().find(|one| one.id() == Some(id)),
                Who::Identifier(identifier) => {
                    if world.organizations_identified(identifier).is_empty() {
                        return true;
                    }
                    continue;
                }
            };
            let kind = match (&who, found) {
                (_, Some(found)) => found.kind(),
                (Who::Key(key), None) => key.split('/').next().unwrap_or(""),
                _ => "",
            };
            match (kind, found) {
                // An agency is known by name, and who is served is no staff.
                ("Patient" | "RelatedPerson" | "Device", _) => {}
                ("Organization", None) if matches!(who, Who::Key(_)) => {}
                ("Organization", Some(found)) if matches!(who, Who::Contained(_)) => {
                    let named = identifiers(found.root());
                    if named.is_empty() {
                        return true;
                    }
                    next.extend(named.into_iter().map(Who::Identifier).filter(|who| !seen.contains(who)));
                }
                ("Organization", Some(_)) => {}
                ("Practitioner", _) if matches!(who, Who::Key(_)) => {
                    if self.may_employ(&who, world) {
                        return true;
                    }
                }
                ("PractitionerRole", Some(role)) => {
                    if self.is_here(role) {
                        return true;
                    }
                }
                ("Group" | "CareTeam", Some(group)) => {
                    let member = |key: String| match key.strip_prefix('#') {
                        Some(id) => Who::Contained(id.to_string()),
                        None => Who::Key(key),
                    };
                    next.extend(all_members(group.root()).map(member).filter(|who| !seen.contains(who)));
                }
                _ => return true,
            }
            seen.insert(who);
        }
        false
    }

    /// Whether somebody works here, or nowhere that is known.
    fn may_employ(&self, who: &Who, world: &World) -> bool {
        let Who::Key(practitioner) = who else { return true };
        let roles = world.of_kind("PractitionerRole");
        let mut roles =
            roles.filter(|role| role.root().reference("practitioner").is_some_and(|own| own.key() == *practitioner));
        let mut is_known = false;
        let is_here = roles.any(|role| {
            is_known = true;
            self.is_here(role)
        });
        is_here || !is_known
    }

    fn is_here(&self, role: &Resource) -> bool {
        role.root().reference("organization").is_none_or(|at| at.key() == self.organization)
    }

    pub fn has(&self, key: &str) -> bool {
        self.members.contains(key)
    }

    pub fn is_identified(&self, identifier: &(String, String)) -> bool {
        self.identifiers.contains(identifier)
    }

    /// Whether a contained resource of a consent means the recipient: a group that holds it, a role of it here, or
    /// somebody with one of its identifiers. Contained groups may hold contained ones.
    pub fn is_meant_by(&self, id: &str, contained: &[Resource], clock: &Clock) -> bool {
        let mut seen = BTreeSet::from([id.to_string()]);
        let mut next = vec![id.to_string()];
        // A list of what is still to be looked at: groups may hold each other, and as many as fit into a consent.
        while let Some(id) = next.pop() {
            let Some(resource) = contained.iter().find(|resource| resource.id() == Some(&id)) else { continue };
            if !matches!(resource.kind(), "Group" | "CareTeam") {
                if self.is(resource, clock) {
                    return true;
                }
                continue;
            }
            for member in current_members(resource.root(), clock) {
                match member.strip_prefix('#') {
                    Some(inner) if seen.insert(inner.to_string()) => next.push(inner.to_string()),
                    Some(_) => {}
                    None if self.has(&member) => return true,
                    None => {}
                }
            }
        }
        false
    }

    /// Whether a contained resource that holds no others is the recipient, or a role of it here.
    fn is(&self, contained: &Resource, clock: &Clock) -> bool {
        let root = contained.root();
        if contained.kind() == "PractitionerRole" {
            return is_active_role(root, clock)
                && root.reference("practitioner").is_some_and(|named| self.has(&named.key()))
                && root.reference("organization").is_none_or(|named| named.key() == self.organization);
        }
        identifiers(root).iter().any(|identifier| self.is_identified(identifier))
    }
}

/// A PractitionerRole that is active, in its period.
pub fn is_active_role(role: Element, clock: &Clock) -> bool {
    role.flag("active") != Some(false) && is_current(role, clock)
}

/// Adds the groups and teams that hold a member, and those that hold them.
fn add_groups(members: &mut BTreeSet<String>, world: &World, clock: &Clock) {
    let holders: Vec<(String, Vec<String>)> = world
        .of_kind("Group")
        .chain(world.of_kind("CareTeam"))
        .map(|holder| (holder.key(), current_members(holder.root(), clock)))
        .collect();
    loop {
        let before = members.len();
        for (key, held) in &holders {
            if held.iter().any(|member| members.contains(member)) {
                members.insert(key.clone());
            }
        }
        if members.len() == before {
            return;
        }
    }
}

/// Whom a Group or CareTeam holds now; nobody, unless it is active itself.
fn current_members(holder: Element, clock: &Clock) -> Vec<String> {
    let active = holder.flag("active") != Some(false) && holder.text("status").is_none_or(|status| status == "active");
    if !active || !is_current(holder, clock) {
        return Vec::new();
    }
    let of_group = holder.each("member").filter(|member| member.flag("inactive") != Some(true));
    let of_group = of_group.filter(|member| is_current(*member, clock)).filter_map(|member| member.reference("entity"));
    let of_team = holder.each("participant").filter(|member| is_current(*member, clock));
    let of_team = of_team.filter_map(|member| member.reference("member"));
    of_group.chain(of_team).map(|member| member.key()).collect()
}

/// Whom a Group or CareTeam names at all.
fn all_members(holder: Element) -> impl Iterator<Item = String> {
    let of_group = holder.each("member").filter_map(|member| member.reference("entity"));
    let of_team = holder.each("participant").filter_map(|member| member.reference("member"));
    of_group.chain(of_team).map(|member| member.key()).collect::<Vec<String>>().into_iter()
}

/// Whether now lies in `period`; an absent one holds always, an unreadable one never.
pub fn is_current(element: Element, clock: &Clock) -> bool {
    let period = element.get("period");
    !period.exists() || Span::read(period).interval(clock.zone).is_some_and(|period| clock.within(period))
}
