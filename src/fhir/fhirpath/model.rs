//! What an expression must know of the definitions: which types there are, what each is a kind of, and its elements.
//!
//! Whoever holds definitions lists them once, as [`Definition`]s; a [`Kind`] is then a number that nodes carry along.
//! A type that is named but not defined here is open: its elements are read by their JSON names, and nothing is known
//! of them.

use std::collections::HashMap;

use serde_json::Value;

/// A type, or the elements that are defined in place within one. A number, so that every node can carry it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Kind(u32);

impl Kind {
    /// Something of which no definition says anything.
    pub const UNKNOWN: Kind = Kind(0);
}

/// The types of FHIRPath itself (N1, 3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum System {
    Boolean,
    Integer,
    Decimal,
    Text,
    Date,
    DateTime,
    Time,
    Quantity,
}

/// A type as its definition has it; node 0 is the type itself, the others are what is defined in place.
#[derive(Clone, Debug, Default)]
pub struct Definition<'d> {
    pub name: &'d str,
    pub base: Option<&'d str>,
    pub is_resource: bool,
    pub nodes: Vec<Vec<Element<'d>>>,
}

#[derive(Clone, Debug)]
pub struct Element<'d> {
    /// Without `[x]`.
    pub name: &'d str,
    pub is_choice: bool,
    pub is_list: bool,
    /// JSON name and type; a choice has several.
    pub types: Vec<(&'d str, &'d str)>,
    /// The node of its own elements, when they are defined in place.
    pub node: Option<usize>,
}

#[derive(Debug)]
pub struct Shape {
    pub name: Box<str>,
    base: Kind,
    pub is_resource: bool,
    /// What a primitive is as a value; a Quantity too.
    pub system: Option<System>,
    pub is_primitive: bool,
    /// Without a definition: any element may be there.
    pub is_open: bool,
    fields: Vec<Field>,
}

#[derive(Debug)]
pub struct Field {
    pub name: Box<str>,
    pub is_list: bool,
    pub content: Content,
}

#[derive(Debug)]
pub enum Content {
    One(Kind),
    /// JSON names with their types.
    Choice(Box<[(Box<str>, Kind)]>),
    /// Any resource: it says its own type.
    Resource,
}

/// The definitions at hand, as expressions need them.
#[derive(Debug)]
pub struct Model {
    shapes: Vec<Shape>,
    names: HashMap<Box<str>, Kind>,
}

impl Default for Model {
    fn default() -> Model {
        Model::new(&[], &[])
    }
}

impl Model {
    /// `also` are names of types that exist and have no definition here.
    pub fn new(definitions: &[Definition], also: &[&str]) -> Model {
        let mut model = Model { shapes: vec![Shape::open("")], names: HashMap::new() };
        for definition in definitions {
            let at = Kind(model.shapes.len() as u32);
            model.names.insert(definition.name.into(), at);
            for node in 0..definition.nodes.len().max(1) {
                let name = if node == 0 { definition.name } else { "BackboneElement" };
                model.shapes.push(Shape {
                    is_resource: definition.is_resource && node == 0,
                    is_open: definition.nodes.is_empty(),
                    ..Shape::open(name)
                });
            }
        }
        // What FHIRPath itself must be able to name, and what elements below are of.
        let mentioned = definitions.iter().flat_map(|definition| definition.nodes.iter().flatten());
        let mentioned = mentioned.flat_map(|element| element.types.iter().map(|(_, code)| *code));
        for name in PRIMITIVES.iter().map(|(name, _)| *name).chain(COMPLEX).chain(also.iter().copied()).chain(mentioned)
        {
            if !model.names.contains_key(name) {
                model.names.insert(name.into(), Kind(model.shapes.len() as u32));
                let is_resource = also.contains(&name);
                model.shapes.push(Shape { is_resource, ..Shape::open(name) });
            }
        }
        for definition in definitions {
            model.define(definition);
        }
        model.descend(also);
        for (name, system) in PRIMITIVES {
            let shape = &mut model.shapes[model.names[name].0 as usize];
            (shape.system, shape.is_primitive) = (Some(system), true);
        }
        let quantities: Vec<usize> =
            (0..model.shapes.len()).filter(|at| model.is_named(Kind(*at as u32), "Quantity")).collect();
        for at in quantities {
            model.shapes[at].system = Some(System::Quantity);
        }
        model
    }

    fn define(&mut self, definition: &Definition) {
        let at = self.kind(definition.name);
        let backbone = self.kind("BackboneElement");
        for (node, elements) in definition.nodes.iter().enumerate() {
            let fields = elements.iter().map(|element| self.field(at, element)).collect();
            let shape = &mut self.shapes[at.0 as usize + node];
            shape.fields = fields;
            shape.base = backbone;
        }
        let base = definition.base.map_or(Kind::UNKNOWN, |base| self.kind(base));
        self.shapes[at.0 as usize].base = base;
    }

    /// What resources without a definition are all the same.
    fn descend(&mut self, resources: &[&str]) {
        let (resource, domain) = (self.kind("Resource"), self.kind("DomainResource"));
        for name in resources {
            let kind = self.kind(name);
            let base = if NOT_DOMAIN.contains(name) { resource } else { domain };
            let shape = &mut self.shapes[kind.0 as usize];
            if shape.is_open && kind != resource && kind != domain {
                (shape.base, shape.is_resource) = (base, true);
            }
        }
        let domain = &mut self.shapes[domain.0 as usize];
        domain.base = resource;
    }

    fn field(&self, within: Kind, element: &Element) -> Field {
        let content = match (element.node, &element.types[..]) {
            (Some(node), _) => Content::One(Kind(within.0 + node as u32)),
            (None, [(_, "Resource")]) => Content::Resource,
            (None, [(_, code)]) if !element.is_choice => Content::One(self.kind(code)),
            (None, types) => {
                Content::Choice(types.iter().map(|(json, code)| ((*json).into(), self.kind(code))).collect())
            }
        };
        Field { name: element.name.into(), is_list: element.is_list, content }
    }

    /// A type by its name; [`Kind::UNKNOWN`] when nothing of that name exists here.
    pub fn kind(&self, name: &str) -> Kind {
        self.names.get(name).copied().unwrap_or(Kind::UNKNOWN)
    }

    /// What is defined in place within a type, by the place of its node in the [`Definition`].
    pub fn inside(&self, type_name: &str, node: usize) -> Kind {
        match self.kind(type_name) {
            Kind::UNKNOWN => Kind::UNKNOWN,
            Kind(at) => Kind(at + node as u32),
        }
    }

    /// What a resource says that it is.
    pub fn kind_of(&self, resource: &Value) -> Kind {
        resource.get("resourceType").and_then(Value::as_str).map_or(Kind::UNKNOWN, |name| self.kind(name))
    }

    pub fn name(&self, kind: Kind) -> &str {
        &self.shape(kind).name
    }

    pub fn shape(&self, kind: Kind) -> &Shape {
        self.shapes.get(kind.0 as usize).unwrap_or(&self.shapes[0])
    }

    /// Whether it is of that type or of a kind of it.
    pub fn is_named(&self, kind: Kind, name: &str) -> bool {
        self.lineage(kind).any(|kind| self.name(kind) == name)
    }

    pub fn is(&self, kind: Kind, general: Kind) -> bool {
        self.lineage(kind).any(|kind| kind == general)
    }

    /// The type, its base, the base of that.
    fn lineage(&self, kind: Kind) -> impl Iterator<Item = Kind> {
        let above = |kind: &Kind| Some(self.shape(*kind).base).filter(|base| *base != Kind::UNKNOWN);
        // A definition that were its own base would have no end.
        std::iter::successors(Some(kind).filter(|kind| *kind != Kind::UNKNOWN), above).take(16)
    }
}

impl Shape {
    fn open(name: &str) -> Shape {
        Shape {
            name: name.into(),
            base: Kind::UNKNOWN,
            is_resource: false,
            system: None,
            is_primitive: false,
            is_open: true,
            fields: Vec::new(),
        }
    }

    pub fn field(&self, name: &str) -> Option<&Field> {
        self.fields.iter().find(|field| *field.name == *name)
    }

    pub fn fields(&self) -> &[Field] {
        &self.fields
    }
}

impl Field {
    /// The types that it may have; none when it is a resource of any type.
    pub fn kinds(&self) -> Vec<Kind> {
        match &self.content {
            Content::One(kind) => vec![*kind],
            Content::Choice(choices) => choices.iter().map(|(_, kind)| *kind).collect(),
            Content::Resource => Vec::new(),
        }
    }
}

/// FHIR's primitives and what they are as values (R4 fhirpath.html#types).
const PRIMITIVES: [(&str, System); 20] = [
    ("boolean", System::Boolean),
    ("integer", System::Integer),
    ("positiveInt", System::Integer),
    ("unsignedInt", System::Integer),
    ("decimal", System::Decimal),
    ("string", System::Text),
    ("markdown", System::Text),
    ("code", System::Text),
    ("id", System::Text),
    ("oid", System::Text),
    ("uuid", System::Text),
    ("uri", System::Text),
    ("url", System::Text),
    ("canonical", System::Text),
    ("base64Binary", System::Text),
    ("xhtml", System::Text),
    ("date", System::Date),
    ("dateTime", System::DateTime),
    ("instant", System::DateTime),
    ("time", System::Time),
];

/// Resources that are no DomainResource (R4 resourcelist.html).
const NOT_DOMAIN: [&str; 4] = ["Resource", "Binary", "Bundle", "Parameters"];

/// Types that expressions name even where their definitions are not at hand.
const COMPLEX: [&str; 6] = ["Element", "BackboneElement", "Extension", "Quantity", "Resource", "DomainResource"];
