//! StructureDefinition to facts.
//!
//! A base definition keeps every element. A profile keeps an element only for what differs from the base type at
//! the same path, looked up through data types and content references; the walker has checked the rest. The
//! differential test holds both together.

use std::collections::HashMap;

use serde_json::Value;

use super::{ids, list, same_canonical, text};
use crate::profile::Profiles;
use crate::profile::facts::{Binding, Constraint, Discriminator, Element, Head, Slicing, Structure, Type, bare};
use crate::profile::table::capital;

const SYSTEM_TYPE: &str = "http://hl7.org/fhirpath/System.";
const FHIR_TYPE: &str = "http://hl7.org/fhir/StructureDefinition/structuredefinition-fhir-type";
/// On every element and every extension: said once, at the root of Element and Extension.
const EVERYWHERE: [&str; 2] = ["ele-1", "ext-1"];

/// Base definitions by type, from this batch and from those known before.
pub struct Bases<'a> {
    known: &'a Profiles,
    read: HashMap<String, Option<HashMap<String, Element>>>,
    kinds: Vec<String>,
}

impl<'a> Bases<'a> {
    pub fn new(known: &'a Profiles) -> Bases<'a> {
        let abstracts = ["Resource", "DomainResource"].map(str::to_string);
        Bases { known, read: HashMap::new(), kinds: known.kinds().iter().cloned().chain(abstracts).collect() }
    }

    /// Resource types with a definition.
    pub fn kinds(&self) -> Vec<String> {
        self.kinds.clone()
    }

    fn add(&mut self, structure: &Structure) {
        let elements = structure.elements.iter().map(|element| (element.id.clone(), element.clone())).collect();
        self.read.insert(structure.head.type_name.clone(), Some(elements));
        if structure.head.kind == "resource" {
            self.kinds.push(structure.head.type_name.clone());
        }
    }

    fn of(&mut self, type_name: &str) -> Option<&HashMap<String, Element>> {
        let known = self.known;
        let read = self.read.entry(type_name.to_string()).or_insert_with(|| {
            let structure = known
                .types
                .get(type_name)
                .and_then(|(package, line)| known.packages[*package].structures[*line].structure());
            structure
                .map(|structure| structure.elements.into_iter().map(|element| (element.id.clone(), element)).collect())
        });
        read.as_ref()
    }

    /// A differential may name a choice by one of its types: `valueQuantity` for `value[x]:valueQuantity`.
    fn spell(&mut self, type_name: &str, stated: &mut Element) {
        let Some(base) = self.of(type_name).filter(|base| !base.contains_key(&stated.id)) else { return };
        let choices = base.iter().filter_map(|(id, element)| Some((id.strip_suffix("[x]")?, element)));
        let named = choices.filter_map(|(stem, element)| {
            let rest = stated.id.strip_prefix(stem)?;
            let suffix = rest.split('.').next().unwrap_or(rest);
            let kind = element.types.iter().find(|kind| capital(&kind.code) == suffix)?;
            Some((stem, suffix, kind.code.clone()))
        });
        let Some((stem, suffix, code)) = named.max_by_key(|(stem, ..)| stem.len()) else { return };
        let name = stem.rsplit('.').next().unwrap_or(stem);
        let inside = &stated.id[stem.len() + suffix.len()..];
        if inside.is_empty() && stated.types.is_empty() {
            stated.types = vec![Type { code, ..Type::default() }];
        }
        stated.id = format!("{stem}[x]:{name}{suffix}{inside}");
    }

    /// The base element at a profile's path, through data types: `Patient.identifier.system` is Identifier's.
    fn find(&mut self, type_name: &str, id: &str) -> Option<Element> {
        let (mut type_name, mut at) = (type_name.to_string(), String::new());
        for segment in id.split('.') {
            let name = segment.split(':').next().unwrap_or(segment);
            let here = self.of(&type_name)?;
            let inside = join(&at, name);
            if here.contains_key(&inside) {
                at = inside;
                continue;
            }
            let element = here.get(&at)?.clone();
            if let Some(path) = element.content_reference.as_deref().and_then(|reference| reference.split_once('.')) {
                at = join(path.1, name);
                here.get(&at)?;
                continue;
            }
            let mut codes = element.types.iter().map(|kind| kind.code.clone());
            type_name = codes.find(|code| self.of(code).is_some_and(|inner| inner.contains_key(name)))?;
            at = name.to_string();
        }
        self.of(&type_name)?.get(&at).cloned()
    }
}

fn join(at: &str, name: &str) -> String {
    if at.is_empty() { name.to_string() } else { format!("{at}.{name}") }
}

/// # Errors
/// Why the definition cannot be used.
pub fn facts(definition: &Value, bases: &mut Bases) -> Result<Structure, String> {
    let string = |name: &str| definition.get(name).and_then(Value::as_str).map(str::to_string);
    let mut head = Head {
        url: text(definition, "url").into(),
        version: string("version"),
        name: text(definition, "name").into(),
        kind: text(definition, "kind").into(),
        type_name: text(definition, "type").into(),
        is_abstract: definition.get("abstract").and_then(Value::as_bool).unwrap_or(false),
        base: string("baseDefinition").map(|url| bare(&url).to_string()),
        derivation: string("derivation"),
        chained: false,
        contexts: contexts(definition),
        modifies: false,
    };
    if !matches!(head.kind.as_str(), "primitive-type" | "complex-type" | "resource") {
        return Err(format!("is of kind `{}`: only types, resources and profiles on them are used", head.kind));
    }
    let snapshot = definition.get("snapshot").map(|snapshot| list(snapshot, "element"));
    let mut stated: Vec<Element> = match (snapshot, definition.get("differential")) {
        (Some(snapshot), _) if !snapshot.is_empty() => {
            snapshot.iter().map(|stated| element(stated, id(stated), &head)).collect()
        }
        (_, Some(differential)) if head.is_profile() => {
            head.chained = true;
            let ids = ids::of(differential);
            list(differential, "element").iter().zip(ids).map(|(stated, id)| element(stated, &id, &head)).collect()
        }
        _ => return Err("has no snapshot".into()),
    };
    head.modifies = head.type_name == "Extension" && stated.iter().any(|it| it.id.is_empty() && it.is_modifier);
    if !head.is_profile() {
        let structure = Structure { elements: stated.into_iter().map(as_base).collect(), head };
        bases.add(&structure);
        return Ok(structure);
    }
    stated.iter_mut().for_each(|element| bases.spell(&head.type_name, element));
    if bases.of(&head.type_name).is_none() {
        return Err(format!("is a profile on `{}`, which has no definition here", head.type_name));
    }
    let sliced: Vec<String> =
        stated.iter().filter_map(|it| it.id.rsplit_once(':')).map(|(list, _)| list.to_string()).collect();
    let mut elements = Vec::new();
    for stated in stated {
        let base =
            if stated.id.is_empty() { Some(Element::default()) } else { bases.find(&head.type_name, &stated.id) };
        let Some(base) = base else {
            return Err(format!("its element `{}` is none of `{}`", stated.id, head.type_name));
        };
        let has_slices = sliced.contains(&stated.id);
        elements.extend(difference(stated, &base, has_slices));
    }
    Ok(Structure { head, elements })
}

/// Where an extension may be; one that says it by an expression may be anywhere.
fn contexts(definition: &Value) -> Vec<String> {
    let contexts = if text(definition, "type") == "Extension" { list(definition, "context") } else { &[] };
    if contexts.iter().any(|context| !matches!(text(context, "type"), "element" | "extension")) {
        return Vec::new();
    }
    contexts.iter().map(|context| text(context, "expression").to_string()).collect()
}

fn id(stated: &Value) -> &str {
    stated.get("id").and_then(Value::as_str).unwrap_or_else(|| text(stated, "path"))
}

fn element(stated: &Value, id: &str, head: &Head) -> Element {
    let id = id.split_once('.').map_or("", |(_, rest)| rest);
    let flag = |name: &str| stated.get(name).and_then(Value::as_bool).unwrap_or(false);
    let prefixed = |prefix: &str| {
        let mut found = stated.as_object().into_iter().flatten().filter(|(name, _)| name.starts_with(prefix));
        found.next().map(|(_, value)| value.clone())
    };
    let mut types: Vec<Type> = list(stated, "type").iter().map(type_of).collect();
    // R4 types a resource's id as a string and holds it to the format of `id` in words (resource.html#id).
    if head.kind == "resource" && id == "id" {
        types = vec![Type { code: "id".into(), ..Type::default() }];
    }
    let everywhere = |key: &str| {
        EVERYWHERE.contains(&key) && !(id.is_empty() && matches!(head.type_name.as_str(), "Element" | "Extension"))
    };
    Element {
        id: id.to_string(),
        min: stated.get("min").and_then(Value::as_u64).and_then(|min| u32::try_from(min).ok()),
        max: stated.get("max").and_then(Value::as_str).map(str::to_string),
        types,
        content_reference: stated.get("contentReference").and_then(Value::as_str).map(str::to_string),
        fixed: prefixed("fixed"),
        pattern: prefixed("pattern"),
        binding: stated.get("binding").filter(|binding| binding.get("valueSet").is_some()).map(|binding| Binding {
            strength: text(binding, "strength").into(),
            value_set: text(binding, "valueSet").into(),
        }),
        slicing: stated.get("slicing").map(|slicing| Slicing {
            by: list(slicing, "discriminator")
                .iter()
                .map(|by| Discriminator { kind: text(by, "type").into(), path: text(by, "path").into() })
                .collect(),
            rules: text(slicing, "rules").into(),
            ordered: slicing.get("ordered").and_then(Value::as_bool).unwrap_or(false),
        }),
        must_support: flag("mustSupport"),
        is_modifier: flag("isModifier"),
        is_summary: flag("isSummary"),
        constraints: list(stated, "constraint")
            .iter()
            .filter(|it| {
                it.get("source")
                    .is_none_or(|source| source.as_str().is_some_and(|source| same_canonical(source, &head.url)))
            })
            .filter(|it| !everywhere(text(it, "key")) && !text(it, "expression").is_empty())
            .map(|it| Constraint {
                key: text(it, "key").into(),
                severity: text(it, "severity").into(),
                expression: text(it, "expression").into(),
            })
            .collect(),
        max_length: stated.get("maxLength").and_then(Value::as_u64),
        min_value: prefixed("minValue"),
        max_value: prefixed("maxValue"),
    }
}

fn type_of(stated: &Value) -> Type {
    let strings = |name: &str| list(stated, name).iter().filter_map(Value::as_str).map(str::to_string).collect();
    let mut code = text(stated, "code").to_string();
    if let Some(system) = code.strip_prefix(SYSTEM_TYPE) {
        // The compiler's type is in an extension (R4 fhirpath.html#types): an `xml:id` is a string, a url a uri.
        let declared = list(stated, "extension").iter().find(|it| text(it, "url") == FHIR_TYPE);
        code = declared.map_or_else(|| system.to_lowercase(), |it| text(it, "valueUrl").to_string());
    }
    Type { code, targets: strings("targetProfile"), profiles: strings("profile") }
}

/// The defaults of a base element are left out.
fn as_base(mut element: Element) -> Element {
    element.min = element.min.filter(|min| *min > 0);
    element.max = element.max.filter(|max| max != "1");
    element.slicing = None;
    element
}

/// What a profile's element adds to the base's; `None` when nothing. A slice is kept whole.
fn difference(stated: Element, base: &Element, has_slices: bool) -> Option<Element> {
    let is_slice = stated.id.rsplit('.').next().is_some_and(|segment| segment.contains(':'));
    let is_root = stated.id.is_empty();
    let min = stated.min.filter(|min| is_slice || *min != base.min.unwrap_or(0));
    let max = stated.max.filter(|max| is_slice || max != base.max.as_deref().unwrap_or("1"));
    let same_types = stated.types.len() == base.types.len()
        && stated.types.iter().all(|kind| base.types.iter().any(|known| same_type(kind, known)));
    let same_codes = |left: &Binding, right: &Binding| {
        left.strength == right.strength && same_canonical(&left.value_set, &right.value_set)
    };
    let known = |constraint: &Constraint| base.constraints.iter().any(|known| known.key == constraint.key);
    let kept = Element {
        min: min.filter(|_| !is_root),
        max: max.filter(|_| !is_root),
        types: if same_types { vec![] } else { stated.types },
        content_reference: None,
        fixed: stated.fixed.filter(|fixed| base.fixed.as_ref() != Some(fixed)),
        pattern: stated.pattern.filter(|pattern| base.pattern.as_ref() != Some(pattern)),
        binding: stated
            .binding
            .filter(|binding| !base.binding.as_ref().is_some_and(|known| same_codes(binding, known))),
        slicing: stated.slicing.filter(|slicing| has_slices || slicing.rules == "closed"),
        must_support: stated.must_support,
        is_modifier: stated.is_modifier && !base.is_modifier,
        is_summary: false,
        constraints: stated.constraints.into_iter().filter(|constraint| !known(constraint)).collect(),
        max_length: stated.max_length.filter(|max| base.max_length != Some(*max)),
        min_value: stated.min_value.filter(|min| base.min_value.as_ref() != Some(min)),
        max_value: stated.max_value.filter(|max| base.max_value.as_ref() != Some(max)),
        id: stated.id,
    };
    let says_nothing = Element { id: kept.id.clone(), ..Element::default() } == kept;
    (is_slice || !says_nothing).then_some(kept)
}

fn same_type(left: &Type, right: &Type) -> bool {
    let same = |left: &[String], right: &[String]| {
        left.len() == right.len() && left.iter().all(|url| right.iter().any(|known| same_canonical(url, known)))
    };
    left.code == right.code && same(&left.targets, &right.targets) && same(&left.profiles, &right.profiles)
}
