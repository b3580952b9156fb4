//! The definitions as FHIRPath asks for them (`fhir/fhirpath`): every base type at hand, and the names of the others.

use crate::fhir::fhirpath::{Definition, Element, Model};

use super::Profiles;
use super::table::{Field, Table};

const RESOURCE_TYPES: &str = "http://hl7.org/fhir/ValueSet/resource-types";
/// More than R4 has.
const KINDS_MAX: usize = 1_000;

impl Profiles {
    /// Made on first use and kept.
    pub fn model(&self) -> &Model {
        self.model.get_or_init(|| {
            let mut names: Vec<&String> = self.types.keys().collect();
            names.sort();
            let definitions: Vec<Definition> = names.into_iter().filter_map(|name| self.definition(name)).collect();
            let listed = self.expansion(RESOURCE_TYPES, KINDS_MAX).map(|found| found.codes).unwrap_or_default();
            let kinds: Vec<&str> = listed.into_iter().map(|(_, code)| code).collect();
            Model::new(&definitions, &kinds)
        })
    }

    fn definition<'p>(&'p self, name: &str) -> Option<Definition<'p>> {
        let (package, line) = *self.types.get(name)?;
        let head = &self.packages.get(package)?.structures.get(line)?.head;
        let table: &Table = self.table(name)?;
        let nodes = table.nodes.iter().map(|node| node.fields.iter().map(element).collect()).collect();
        Some(Definition {
            name: &head.type_name,
            base: head.base.as_deref().and_then(|base| base.rsplit('/').next()),
            is_resource: head.kind == "resource",
            nodes,
        })
    }
}

fn element(field: &Field) -> Element<'_> {
    Element {
        name: &field.name,
        is_choice: field.is_choice,
        is_list: field.is_list,
        types: field.types.iter().map(|kind| (kind.json.as_str(), kind.code.as_str())).collect(),
        node: field.node,
    }
}
