//! The base definition under a profile: where an element stands, and which of its types are left.

use crate::profile::Profiles;
use crate::profile::facts::{Element, Type};
use crate::profile::table::{Field, FieldType, Table};

/// Where in the base definition an object is.
#[derive(Clone, Copy)]
pub struct Spot<'p> {
    pub table: &'p Table,
    pub node: usize,
}

impl<'p> Spot<'p> {
    pub fn field(self, name: &str) -> Option<&'p Field> {
        self.table.nodes[self.node].field(name)
    }
}

/// One typed element of an object.
#[derive(Clone, Copy)]
pub struct Seat<'p> {
    pub spot: Spot<'p>,
    pub field: &'p Field,
    pub kind: &'p FieldType,
}

impl<'p> Seat<'p> {
    /// Inside it, when it has elements of its own.
    pub fn inside(self, profiles: &'p Profiles) -> Option<Spot<'p>> {
        match self.field.node {
            Some(node) => Some(Spot { table: self.spot.table, node }),
            None if self.kind.primitive.is_some() => None,
            None => profiles.table(&self.kind.code).map(|table| Spot { table, node: 0 }),
        }
    }
}

/// The type as the profile states it: `None` if it excludes the type, `Some(None)` if it says nothing of types.
pub fn stated_type<'f>(facts: &'f Element, field: &Field, kind: &FieldType) -> Option<Option<&'f Type>> {
    if facts.types.is_empty() {
        return Some(None);
    }
    let stated = facts.types.iter().find(|stated| stated.code == kind.code);
    // Where there is only one type, a profile that spells it otherwise (`Element` for a backbone) narrows nothing.
    if stated.is_none() && !field.is_choice && field.types.len() == 1 { Some(None) } else { stated.map(Some) }
}
