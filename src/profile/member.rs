//! What one element of a type is, for whoever puts something into a resource without walking it.

use crate::fhir::patch::Member;

use super::Profiles;
use super::table::FieldType;

impl Profiles {
    /// The element at a path of a type name and JSON names below it; `None` where no definition reaches.
    pub fn member(&self, path: &[&str]) -> Option<Member> {
        self.reach(path).map(|(member, _)| member)
    }

    /// Whether what stands at a path is a link of its own: R4 replaces those of a Bundle, and leaves canonicals
    /// (http.html#trules).
    pub fn is_link(&self, path: &[&str]) -> bool {
        let code = self.reach(path).and_then(|(_, kind)| kind.map(|kind| kind.code.as_str()));
        matches!(code, Some("uri" | "url" | "oid" | "uuid"))
    }

    fn reach(&self, path: &[&str]) -> Option<(Member, Option<&FieldType>)> {
        let (kind, names) = path.split_first()?;
        let (last, above) = names.split_last()?;
        let (mut table, mut node) = (self.table(kind)?, 0);
        for name in above {
            let (_, field, kind) = table.nodes[node].find(name)?;
            (table, node) = match field.node {
                Some(inside) => (table, inside),
                None => (self.table(&kind.code)?, 0),
            };
        }
        let here = &table.nodes[node];
        let (field, kind) = match here.find(last) {
            Some((_, field, kind)) => (field, Some(kind)),
            None => (here.field(last)?, None),
        };
        Some((Member { repeats: field.is_list, is_choice: field.is_choice }, kind))
    }
}
