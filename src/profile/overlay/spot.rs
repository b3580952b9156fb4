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

    /// Inside a field of this object, when it has elements of its own.
    pub fn inside(self, profiles: &'p Profiles, field: &'p Field, kind: &FieldType) -> Option<Spot<'p>> {
        match field.node {
            Some(node) => Some(Spot { table: self.table, node }),
            None if kind.primitive.is_some() => None,
            None => profiles.table(&kind.code).map(|table| Spot { table, node: 0 }),
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
