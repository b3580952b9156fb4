//! From a profile's elements to what is asked beyond its schema.

use crate::profile::Profiles;
use crate::profile::facts::{Element, Slicing, Structure, Type, bare};
use crate::profile::invariant::Invariant;
use crate::profile::overlay::{Seat, Spot, can_tell, stated_type};
use crate::profile::support::supported;
use crate::profile::table::{Field, Table};
use crate::profile::tree::{Tree, extension_url};
use crate::profile::walk::last;

use super::told::Told;
use super::{Beyond, Member, Of, Part, Rules, Slice, Target};

const CORE: &str = "http://hl7.org/fhir/StructureDefinition/";

struct Compiler<'p> {
    profiles: &'p Profiles,
    by: String,
    unsaid: Vec<String>,
}

impl Beyond {
    pub fn compile(profiles: &Profiles, table: &Table, structure: Structure) -> Beyond {
        let supported = supported(&structure.elements);
        let by = format!("`{}`", last(&structure.head.url));
        let mut compiler = Compiler { profiles, by: by.clone(), unsaid: Vec::new() };
        let root = compiler.part(&Tree::grow(structure.elements), None, Some(Spot { table, node: 0 }));
        Beyond { root, by, supported, unsaid: compiler.unsaid }
    }
}

impl<'p> Compiler<'p> {
    /// What is asked of a value in a seat; of the root there is none.
    fn part(&mut self, tree: &Tree, seat: Option<Seat<'p>>, inside: Option<Spot<'p>>) -> Part {
        let facts = &tree.facts;
        let bounded = |bound: &Option<serde_json::Value>| bound.clone().filter(|bound| !bound.is_number());
        let stated = seat.and_then(|seat| facts.types.iter().find(|kind| kind.code == seat.kind.code));
        let mut part = Part { least: bounded(&facts.min_value), most: bounded(&facts.max_value), ..Part::default() };
        if let Some(seat) = seat {
            match seat.kind.code.as_str() {
                "Reference" => part.targets = stated.map_or_else(Vec::new, |stated| self.targets(stated)),
                "Resource" => part.profiles = resources(facts),
                "Extension" => {}
                _ => {
                    part.profiles =
                        stated.into_iter().flat_map(|kind| &kind.profiles).map(|url| bare(url).to_string()).collect()
                }
            }
        }
        part.of = match (inside, seat) {
            (Some(spot), _) => Of { type_name: spot.table.type_name.clone(), node: spot.node },
            (None, Some(seat)) => Of { type_name: seat.kind.code.clone(), node: 0 },
            (None, None) => Of::default(),
        };
        for stated in &facts.constraints {
            match Invariant::compile(stated, &self.by) {
                Some(Ok(invariant)) => part.invariants.push(invariant),
                Some(Err(why)) => self.unsaid.push(why),
                None => {}
            }
        }
        let Some(spot) = inside else { return part };
        for (name, child) in &tree.children {
            if let Some(field) = spot.field(name.trim_end_matches("[x]")) {
                part.members.extend(self.member(child, spot, field));
            }
        }
        part
    }

    fn member(&mut self, tree: &Tree, spot: Spot<'p>, field: &'p Field) -> Vec<Member> {
        let mut members: Vec<Member> = Vec::new();
        for kind in &field.types {
            if tree.is_prohibited() || stated_type(&tree.facts, field, kind).is_none() {
                continue;
            }
            let seat = Seat { spot, field, kind };
            let part = self.part(tree, Some(seat), seat.inside(self.profiles));
            let rules = tree.facts.slicing.as_ref().map_or_else(Rules::default, rules);
            let slices = self.slices(tree, seat);
            let is_ruled = rules.ordered || rules.open_at_end;
            let slices = if is_ruled || slices.iter().any(|slice| !slice.is_idle()) { slices } else { Vec::new() };
            if part.asks_nothing() && slices.is_empty() {
                continue;
            }
            members.push(Member { name: field.name.clone(), key: kind.json.clone(), part, slices, rules });
        }
        members
    }

    fn slices(&mut self, tree: &Tree, seat: Seat<'p>) -> Vec<Slice> {
        let mut found = Vec::new();
        for (name, slice) in &tree.slices {
            if stated_type(&slice.facts, seat.field, seat.kind).is_none() {
                continue;
            }
            let is_extension = seat.kind.code == "Extension";
            // Of a single choice, the type tells, which the member's name says.
            let by_type = seat.field.is_choice && !seat.field.is_list;
            let told = match (is_extension, by_type) {
                (true, _) => extension_url(slice).map(Told::by_url),
                (_, true) => Some(Told::default()),
                _ => self.told(tree, name, slice),
            };
            let in_schema = by_type || can_tell(self.profiles, tree.facts.slicing.as_ref(), slice, seat);
            let part = self.part(slice, Some(seat), seat.inside(self.profiles));
            let Some(told) = told else {
                if !in_schema {
                    self.unsaid.push(format!("slice `{}:{name}` cannot be told from others here", seat.field.name));
                }
                continue;
            };
            // The schema has counted what it can tell.
            let min = slice.facts.min.filter(|_| !in_schema).unwrap_or(0);
            let max = slice.max().filter(|_| !in_schema);
            found.push(Slice { name: name.clone(), told, min, max, part });
        }
        found
    }

    /// A slice within a slice (`a/b`) is told by what tells both.
    fn told(&self, list: &Tree, name: &str, slice: &Tree) -> Option<Told> {
        let outer = name.rsplit_once('/').map(|(outer, _)| outer);
        let outer = outer.and_then(|outer| Some((outer, &list.slices.iter().find(|(known, _)| known == outer)?.1)));
        let within = outer.and_then(|(_, outer)| outer.facts.slicing.as_ref());
        let slicing: &Slicing = within.or(list.facts.slicing.as_ref())?;
        let own = Told::compile(self.profiles, slicing, slice)?;
        match outer {
            Some((name, outer)) => Some(self.told(list, name, outer)?.and(own)),
            None => Some(own),
        }
    }

    /// `None` asked of where it leads, when types are all that is stated: the schema has them.
    fn targets(&self, stated: &Type) -> Vec<Target> {
        let target = |url: &String| {
            let url = bare(url);
            match self.profiles.entry(url) {
                Some(entry) if entry.head.is_profile() => Target::Profile(url.to_string()),
                Some(entry) => Target::Type(entry.head.type_name.clone()),
                None if url.starts_with(CORE) => Target::Type(last(url).to_string()),
                None => Target::Unknown,
            }
        };
        let targets: Vec<Target> = stated.targets.iter().map(target).collect();
        let is_told = targets.iter().any(|target| matches!(target, Target::Profile(_)))
            && !targets.iter().any(|target| matches!(target, Target::Unknown))
            && !targets.iter().any(|target| matches!(target, Target::Type(name) if name == "Resource"));
        if is_told { targets } else { Vec::new() }
    }
}

impl Slice {
    fn is_idle(&self) -> bool {
        self.min == 0 && self.max.is_none() && self.part.asks_nothing()
    }
}

/// Of a resource inside: its profiles, or the types that it may be.
fn resources(facts: &Element) -> Vec<String> {
    let stated = facts.types.iter().flat_map(|kind| {
        let own = kind.profiles.is_empty().then(|| format!("{CORE}{}", kind.code));
        own.into_iter().chain(kind.profiles.iter().map(|url| bare(url).to_string()))
    });
    let found: Vec<String> = stated.collect();
    if found.iter().any(|url| url.ends_with("/Resource")) { Vec::new() } else { found }
}

fn rules(slicing: &Slicing) -> Rules {
    Rules { closed: slicing.rules == "closed", open_at_end: slicing.rules == "openAtEnd", ordered: slicing.ordered }
}
