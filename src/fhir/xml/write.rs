//! A resource as XML, elements in the order of their definition.

use serde_json::{Map, Value};

use super::problems::{Problems, shown};
use super::{Content, FHIR, Field, Shape, Shapes, chars, narrative};
use crate::fhir::outcome::Issue;

const DECLARATION: &str = r#"<?xml version="1.0" encoding="UTF-8"?>"#;

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Layout {
    /// Each element on its own line, narratives as they are.
    pub is_pretty: bool,
    /// Characters that XML does not have become U+FFFD: for messages, which must get through. Without it they are an
    /// issue, because content would be lost.
    pub is_lossy: bool,
}

/// The resource as an XML document.
///
/// # Errors
/// Every element that XML cannot say: one without a definition here, a control character, a narrative that is no
/// XHTML.
pub fn text(resource: &Value, shapes: &impl Shapes, layout: Layout) -> Result<String, Vec<Issue>> {
    let kind = resource.get("resourceType").and_then(Value::as_str).unwrap_or("Resource");
    let mut problems = Problems::default();
    problems.kind = shown(kind);
    let mut writing = Writing { shapes, layout, out: DECLARATION.to_string(), level: 0, problems };
    writing.resource(resource, true);
    if !writing.problems.is_empty() {
        return Err(writing.problems.into_issues());
    }
    if layout.is_pretty {
        writing.out.push('\n');
    }
    Ok(writing.out)
}

struct Writing<'s, S> {
    shapes: &'s S,
    layout: Layout,
    out: String,
    /// Nesting of the tags.
    level: usize,
    problems: Problems<'s>,
}

/// A field with its value and what stands beside it.
struct Member<'v, 's> {
    field: Field<'s>,
    value: &'v Value,
    beside: &'v Value,
}

const NULL: &Value = &Value::Null;

impl<'v, 's, S: Shapes> Writing<'s, S> {
    fn resource(&mut self, resource: &'v Value, is_root: bool) {
        let kind = resource.get("resourceType").and_then(Value::as_str).unwrap_or("");
        let (Some(object), Some(shape)) = (resource.as_object(), self.shapes.resource(kind)) else {
            let text = format!("`{kind}` has no definition here, without which it cannot be written as XML");
            return self.say(Issue::error("not-supported", "kind-unsupported", text));
        };
        self.line();
        self.out.push('<');
        self.out.push_str(kind);
        if is_root {
            self.out.push_str(&format!(" xmlns=\"{FHIR}\""));
        }
        self.object(object, shape, kind);
    }

    /// Attributes, children and end tag of an element whose start tag is open.
    fn object(&mut self, object: &'v Map<String, Value>, shape: Shape<'s>, tag: &str) {
        let mut members = Vec::with_capacity(object.len());
        for (json, value) in object {
            if shape.is_resource && json == "resourceType" {
                continue;
            }
            let name = json.strip_prefix('_').unwrap_or(json);
            let is_sibling = name.len() < json.len();
            let Some(field) = self.shapes.field(shape, name).filter(|field| fits(field, is_sibling)) else {
                let expected = self.shapes.expected(shape, name);
                let text = format!("`{json}` is no element of {} that XML can say{expected}", shape.type_name);
                self.say(Issue::error("structure", "unknown-element", text));
                continue;
            };
            if is_sibling {
                if !object.contains_key(name) {
                    members.push(Member { field, value: NULL, beside: value });
                }
            } else if field.is_attribute {
                self.attribute(&field, value.as_str().unwrap_or_default());
            } else {
                members.push(Member { field, value, beside: object.get(&format!("_{json}")).unwrap_or(NULL) });
            }
        }
        members.sort_by_key(|member| member.field.order);
        if members.is_empty() {
            return self.out.push_str("/>");
        }
        self.out.push('>');
        for member in members {
            self.member(&member);
        }
        self.line();
        self.end(tag);
    }

    fn attribute(&mut self, field: &Field<'s>, text: &str) {
        self.out.push(' ');
        self.out.push_str(field.json);
        self.out.push_str("=\"");
        self.problems.enter(field.name, None);
        self.value(text);
        self.problems.leave();
        self.out.push('"');
    }

    fn member(&mut self, member: &Member<'v, 's>) {
        let (values, beside) = (items(member.value), items(member.beside));
        for item in 0..values.len().max(beside.len()) {
            self.problems.enter(member.field.name, member.field.is_list.then_some(item));
            self.level += 1;
            self.line();
            self.element(&member.field, values.get(item).unwrap_or(NULL), beside.get(item).unwrap_or(NULL));
            self.level -= 1;
            self.problems.leave();
        }
    }

    fn element(&mut self, field: &Field<'s>, value: &'v Value, beside: &'v Value) {
        if matches!(field.content, Content::Xhtml) {
            return match narrative::from_json(value.as_str().unwrap_or_default()) {
                Ok(div) => self.out.push_str(&div),
                Err(phrase) => self.say(Issue::error("structure", "narrative", format!("no XHTML: {phrase}"))),
            };
        }
        self.out.push('<');
        self.out.push_str(field.json);
        match (field.content, value) {
            (Content::Resource, resource) => {
                self.out.push('>');
                self.level += 1;
                self.resource(resource, false);
                self.level -= 1;
                self.line();
                self.end(field.json);
            }
            (Content::Object(shape), Value::Object(object)) => self.object(object, shape, field.json),
            (Content::Object(_), _) => self.misfit("an object"),
            (_, Value::Object(_) | Value::Array(_)) => self.misfit("a primitive value"),
            (_, value) => {
                let text = match value {
                    Value::Null => None,
                    Value::String(text) => Some(text.clone()),
                    other => Some(other.to_string()),
                };
                if let Some(text) = text {
                    self.out.push_str(" value=\"");
                    self.value(&text);
                    self.out.push('"');
                }
                match beside {
                    Value::Object(beside) => self.object(beside, Shape::ELEMENT, field.json),
                    _ => self.out.push_str("/>"),
                }
            }
        }
    }

    fn value(&mut self, text: &str) {
        if chars::encode(text, &mut self.out) && !self.layout.is_lossy {
            let text = "has a control character, which XML cannot say: ask for `application/fhir+json`";
            self.say(Issue::error("not-supported", "control-character", text));
        }
    }

    fn end(&mut self, tag: &str) {
        self.out.push_str("</");
        self.out.push_str(tag);
        self.out.push('>');
    }

    fn line(&mut self) {
        if self.layout.is_pretty {
            self.out.push('\n');
            self.out.extend(std::iter::repeat_n("  ", self.level));
        }
    }

    fn misfit(&mut self, expected: &str) {
        self.say(Issue::error("structure", "json-type", format!("expected {expected}")));
    }

    fn say(&mut self, issue: Issue) {
        if !self.problems.is_full() {
            self.problems.say(0, issue);
        }
    }
}

/// `_name` is for primitives, and has no place in XML where the value is an attribute.
fn fits(field: &Field, is_sibling: bool) -> bool {
    let is_primitive = matches!(field.content, Content::Boolean | Content::Number | Content::Text);
    !is_sibling || (is_primitive && !field.is_attribute)
}

fn items(value: &Value) -> &[Value] {
    match value {
        Value::Array(list) => list,
        Value::Null => &[],
        value => std::slice::from_ref(value),
    }
}
