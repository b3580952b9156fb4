//! XML in, a resource as JSON out.
//!
//! One pass over the text, each element looked up in the definitions as it comes. What is well-formed and wrong is
//! gathered and reading goes on behind it; where the text is not well-formed it ends.

use quick_xml::Reader;
use quick_xml::events::Event;
use serde_json::{Map, Value};

use super::chars::{self, ENTITY};
use super::member::{Member, scalar};
use super::problems::{Problems, shown};
use super::scope::{Namespace, Scope};
use super::tag::{self, Tag};
use super::{Content, FHIR, Field, Shape, Shapes, narrative};
use crate::fhir::outcome::Issue;
use crate::fhir::read::DEPTH_MAX;
use crate::fhir::resource::Resource;

const MANY: &str = "reading ended here: there may be more problems behind";

/// One resource.
///
/// # Errors
/// Every problem, in the order of the text, with its line and column; only the first one of a text that is not
/// well-formed. An issue quotes names of elements and no content.
pub fn resource(bytes: &[u8], shapes: &impl Shapes) -> Result<Resource, Vec<Issue>> {
    let text = std::str::from_utf8(bytes).map_err(|_| vec![malformed("expected UTF-8")])?;
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    if text.trim().is_empty() {
        return Err(vec![Issue::structure("the body is empty: expected a FHIR resource as XML")]);
    }
    let mut reading = Reading::new(text, shapes);
    let found = reading.document();
    match found {
        Err(Stop(MANY)) => reading.problems.say_of_all(reading.at, Issue::information("more-issues", MANY)),
        Err(Stop(phrase)) => reading.problems.say_of_all(reading.at, malformed(phrase)),
        Ok(_) => {}
    }
    if reading.problems.is_empty() {
        let nothing = || vec![Issue::structure("expected a FHIR resource as XML")];
        return found.ok().flatten().and_then(Resource::from_value).ok_or_else(nothing);
    }
    Err(reading.problems.placed_in(text))
}

fn malformed(phrase: &str) -> Issue {
    Issue::structure(format!("the body is not well-formed XML as FHIR has it: {phrase}"))
}

/// The text is not well-formed, or too much of something: nothing behind this can be read.
struct Stop(&'static str);

impl From<&'static str> for Stop {
    fn from(phrase: &'static str) -> Stop {
        Stop(phrase)
    }
}

struct Reading<'x, 's, S> {
    shapes: &'s S,
    text: &'x str,
    events: Reader<&'x [u8]>,
    scope: Scope<'x>,
    /// Where the event that is looked at begins.
    at: usize,
    /// Nesting of the JSON, which is what the rest of the house bounds.
    depth: usize,
    problems: Problems<'s>,
}

impl<'x, 's, S: Shapes> Reading<'x, 's, S> {
    fn new(text: &'x str, shapes: &'s S) -> Self {
        let mut events = Reader::from_str(text);
        events.config_mut().check_comments = true;
        Reading { shapes, text, events, scope: Scope::default(), at: 0, depth: 0, problems: Problems::default() }
    }

    fn document(&mut self) -> Result<Option<Value>, Stop> {
        self.legal()?;
        let mut found = None;
        let mut has_root = false;
        loop {
            match self.next()? {
                Event::Start(_) | Event::Empty(_) if has_root => return Err(Stop("expected one root element")),
                Event::Start(_) | Event::Empty(_) => {
                    has_root = true;
                    let tag = self.tag()?;
                    self.scope.enter(&tag)?;
                    if self.scope.namespace(tag.prefix)? != Namespace::Fhir {
                        let text = format!("expected the root element in the namespace `{FHIR}`");
                        self.say(Issue::error("structure", "namespace", text));
                        return Ok(None);
                    }
                    self.problems.kind = shown(tag.local);
                    found = self.resource(&tag)?;
                    self.scope.leave();
                }
                Event::Decl(declaration) => {
                    if self.at != 0 {
                        return Err(Stop("expected the XML declaration at the beginning, or none"));
                    }
                    let encoding = declaration.encoding().transpose().map_err(|_| "expected a declared encoding")?;
                    if encoding.is_some_and(|name| !name.eq_ignore_ascii_case("utf-8")) {
                        return Err(Stop("expected the encoding UTF-8"));
                    }
                }
                Event::Eof if has_root => return Ok(found),
                Event::Eof => return Err(Stop("expected an element")),
                Event::Text(text) if !text.trim_matches(tag::is_space).is_empty() => {
                    return Err(Stop("expected an element, found text"));
                }
                other => self.between(&other)?,
            }
        }
    }

    /// Characters that XML does not have (XML 1.0, 2.2), looked for once in the whole text.
    fn legal(&mut self) -> Result<(), Stop> {
        let found = self.text.char_indices().find(|(_, letter)| !chars::is_legal(*letter));
        if let Some((at, _)) = found {
            self.at = at;
            return Err(Stop("expected no U+0000 and no other control character"));
        }
        Ok(())
    }

    /// A resource in its own tag, entered by the caller.
    fn resource(&mut self, tag: &Tag<'x>) -> Result<Option<Value>, Stop> {
        let Some(shape) = self.shapes.resource(tag.local) else {
            let text = format!("`{}` is no resource type with a definition here", shown(tag.local));
            self.say(Issue::error("not-supported", "kind-unsupported", text));
            self.skip(tag)?;
            return Ok(None);
        };
        let mut object = Map::new();
        object.insert("resourceType".into(), tag.local.into());
        self.object(tag, shape, None, &mut object)?;
        Ok(Some(Value::Object(object)))
    }

    /// The members of an element up to its end tag. `value` takes a primitive's attribute of that name.
    fn object(
        &mut self,
        tag: &Tag<'x>,
        shape: Shape<'s>,
        mut value: Option<&mut Option<String>>,
        object: &mut Map<String, Value>,
    ) -> Result<(), Stop> {
        for attribute in tag.attributes.iter().filter(|attribute| !attribute.is_binding()) {
            let text = chars::decode(attribute.value)?;
            if !attribute.prefix.is_empty() {
                if attribute.prefix == "xml" || self.scope.namespace(attribute.prefix)? != Namespace::Instance {
                    self.stray(attribute.local, "an attribute of another namespace");
                }
                continue;
            }
            let field = self.shapes.field(shape, attribute.local).filter(|field| field.is_attribute);
            match (field, value.as_mut()) {
                (_, Some(value)) if attribute.local == "value" => **value = Some(text.into_owned()),
                (Some(field), _) => {
                    object.insert(field.json.into(), text.into_owned().into());
                }
                (None, _) => self.stray(attribute.local, "an attribute that no element has here"),
            }
        }
        if tag.is_empty {
            return Ok(());
        }
        let mut members: Vec<Member<'s>> = Vec::new();
        let mut last = 0;
        loop {
            match self.next()? {
                Event::Start(_) | Event::Empty(_) => {
                    let tag = self.tag()?;
                    self.scope.enter(&tag)?;
                    if let Some(field) = self.known(&tag, shape)? {
                        if field.order < last {
                            self.out_of_order(&field);
                        }
                        last = last.max(field.order);
                        // Nearly always the last; never more than the definition has fields.
                        let place = members.iter().rposition(|member| member.field.json == field.json);
                        let place = place.unwrap_or_else(|| {
                            members.push(Member::new(field));
                            members.len() - 1
                        });
                        self.member(&tag, &mut members[place])?;
                    } else {
                        self.skip(&tag)?;
                    }
                    self.scope.leave();
                }
                Event::End(_) => break,
                other => self.between(&other)?,
            }
        }
        for member in members {
            member.place(object);
        }
        Ok(())
    }

    /// The field of a child element, or `None` once it is said that there is none.
    fn known(&mut self, tag: &Tag<'x>, shape: Shape<'s>) -> Result<Option<Field<'s>>, Stop> {
        let namespace = self.scope.namespace(tag.prefix)?;
        let field = self.shapes.field(shape, tag.local).filter(|field| !field.is_attribute);
        let wanted = match field {
            Some(Field { content: Content::Xhtml, .. }) => Namespace::Xhtml,
            _ => Namespace::Fhir,
        };
        if namespace != wanted {
            let uri = if wanted == Namespace::Fhir { FHIR } else { super::XHTML };
            let text = format!("`{}`: expected it in the namespace `{uri}`", shown(tag.local));
            self.problems.say_below(self.at, tag.local, Issue::error("structure", "namespace", text));
            return Ok(None);
        }
        if field.is_none() {
            let expected = self.shapes.expected(shape, tag.local);
            let text = format!("`{}` is no element of {}{expected}", shown(tag.local), shape.type_name);
            self.problems.say_below(self.at, tag.local, Issue::error("structure", "unknown-element", text));
        }
        Ok(field)
    }

    fn member(&mut self, tag: &Tag<'x>, member: &mut Member<'s>) -> Result<(), Stop> {
        let field = member.field;
        let item = member.count();
        self.problems.enter(field.name, field.is_list.then_some(item));
        let levels = 1 + usize::from(field.is_list);
        self.depth += levels;
        if self.depth >= DEPTH_MAX {
            return Err(Stop("nested deeper than 100 levels of JSON"));
        }
        if item == 1 && !field.is_list {
            self.say(Issue::error("structure", "cardinality-max", format!("`{}` may occur once", field.json)));
        }
        let (value, beside) = self.content(tag, &field)?;
        member.add(value, beside);
        self.depth -= levels;
        self.problems.leave();
        Ok(())
    }

    /// The value of an element, and what stands beside it when it is a primitive.
    fn content(&mut self, tag: &Tag<'x>, field: &Field<'s>) -> Result<(Value, Value), Stop> {
        match field.content {
            Content::Xhtml => {
                let from = self.at;
                self.skip(tag)?;
                let source = self.text.get(from..self.position()).unwrap_or("");
                self.at = from;
                match narrative::from_xml(source, &self.scope) {
                    Ok(div) => return Ok((div.into(), Value::Null)),
                    Err(phrase) => self.say(Issue::error("structure", "narrative", phrase)),
                }
                Ok((Value::Null, Value::Null))
            }
            Content::Resource => Ok((self.inner_resource(tag)?, Value::Null)),
            Content::Object(shape) => {
                let mut object = Map::new();
                self.object(tag, shape, None, &mut object)?;
                Ok((Value::Object(object), Value::Null))
            }
            Content::Boolean | Content::Number | Content::Text => {
                let begun = self.at;
                let (mut value, mut beside) = (None, Map::new());
                self.object(tag, Shape::ELEMENT, Some(&mut value), &mut beside)?;
                self.at = begun;
                let value = match value {
                    Some(text) => scalar(text, field.content).unwrap_or_else(|expected| {
                        self.say(Issue::error("value", "format", expected));
                        Value::Null
                    }),
                    None if beside.is_empty() => {
                        let text = "expected a `value`, an `id` or an extension";
                        self.say(Issue::error("structure", "empty", text));
                        Value::Null
                    }
                    None => Value::Null,
                };
                Ok((value, if beside.is_empty() { Value::Null } else { Value::Object(beside) }))
            }
        }
    }

    /// `<contained><Patient>…</Patient></contained>`.
    fn inner_resource(&mut self, tag: &Tag<'x>) -> Result<Value, Stop> {
        for attribute in tag.attributes.iter().filter(|attribute| !attribute.is_binding()) {
            self.stray(attribute.local, "an attribute that this element has not");
        }
        let begun = self.at;
        let found = if tag.is_empty { None } else { self.only_resource()? };
        if found.is_none() {
            self.at = begun;
            self.say(Issue::error("structure", "empty", "expected a resource"));
        }
        Ok(found.unwrap_or_default())
    }

    /// The one resource before the end tag; `Null` for one that could not be read.
    fn only_resource(&mut self) -> Result<Option<Value>, Stop> {
        let mut found = None;
        loop {
            match self.next()? {
                Event::Start(_) | Event::Empty(_) => {
                    let inner = self.tag()?;
                    self.scope.enter(&inner)?;
                    if self.scope.namespace(inner.prefix)? != Namespace::Fhir {
                        let text = format!("expected a resource in the namespace `{FHIR}`");
                        self.say(Issue::error("structure", "namespace", text));
                        self.skip(&inner)?;
                    } else if found.is_some() {
                        self.say(Issue::error("structure", "cardinality-max", "expected one resource"));
                        self.skip(&inner)?;
                    } else {
                        found = Some(self.resource(&inner)?.unwrap_or_default());
                    }
                    self.scope.leave();
                }
                Event::End(_) => return Ok(found),
                other => self.between(&other)?,
            }
        }
    }

    /// What may stand between elements and says nothing.
    fn between(&mut self, event: &Event<'x>) -> Result<(), Stop> {
        match event {
            Event::Comment(_) | Event::PI(_) => Ok(()),
            Event::Text(text) if text.trim_matches(tag::is_space).is_empty() => Ok(()),
            Event::Text(_) | Event::CData(_) => {
                let text = "expected elements only, found text: a value stands in the attribute `value`";
                self.say(Issue::error("structure", "text", text));
                Ok(())
            }
            Event::GeneralRef(name) if chars::reference(name).is_some() => {
                self.say(Issue::error("structure", "text", "expected elements only, found a character"));
                Ok(())
            }
            Event::GeneralRef(_) => Err(Stop(ENTITY)),
            Event::DocType(_) => Err(Stop("expected no DOCTYPE: entities and external definitions are not read")),
            Event::Decl(_) => Err(Stop("expected the XML declaration at the beginning, or none")),
            _ => Err(Stop("expected an end tag for each start tag")),
        }
    }

    fn next(&mut self) -> Result<Event<'x>, Stop> {
        self.at = self.position();
        if self.problems.is_full() {
            return Err(Stop(MANY));
        }
        self.events.read_event().map_err(|error| {
            self.at = usize::try_from(self.events.error_position()).unwrap_or(self.at);
            phrase(&error)
        })
    }

    /// The start tag that was just read.
    fn tag(&self) -> Result<Tag<'x>, Stop> {
        Ok(tag::parse(self.text.get(self.at..self.position()).unwrap_or(""))?)
    }

    /// Goes behind the end of an element.
    fn skip(&mut self, tag: &Tag<'x>) -> Result<(), Stop> {
        let mut open = usize::from(!tag.is_empty);
        while open > 0 {
            match self.next()? {
                Event::Start(_) => open += 1,
                Event::End(_) => open -= 1,
                Event::Eof => return Err(Stop("expected an end tag for each start tag")),
                Event::DocType(_) => return Err(Stop("expected no DOCTYPE")),
                _ => {}
            }
        }
        Ok(())
    }

    fn position(&self) -> usize {
        usize::try_from(self.events.buffer_position()).unwrap_or(usize::MAX)
    }

    fn stray(&mut self, name: &str, what: &str) {
        let text = format!("`{}` is {what}: expected `value`, `id` or `url` where the definition has it", shown(name));
        self.say(Issue::error("structure", "unknown-attribute", text));
    }

    fn out_of_order(&mut self, field: &Field) {
        let text = format!("`{}` stands too late: expected the elements in the order of the definition", field.json);
        self.problems.say_below(self.at, field.name, Issue::error("structure", "order", text));
    }

    fn say(&mut self, issue: Issue) {
        self.problems.say(self.at, issue);
    }
}

/// A parser's complaint, in words that quote nothing.
fn phrase(error: &quick_xml::Error) -> Stop {
    use quick_xml::errors::{IllFormedError, SyntaxError};
    Stop(match error {
        quick_xml::Error::IllFormed(IllFormedError::DoubleHyphenInComment) => "expected no `--` in a comment",
        quick_xml::Error::IllFormed(IllFormedError::UnclosedReference) => ENTITY,
        quick_xml::Error::IllFormed(IllFormedError::MismatchedEndTag { .. }) => {
            "expected the end tag of the element that was opened last"
        }
        quick_xml::Error::IllFormed(_) => "expected a start tag and an end tag for each element",
        quick_xml::Error::Syntax(SyntaxError::UnclosedDoctype) => "expected no DOCTYPE",
        quick_xml::Error::Syntax(_) => "expected the end of a tag, comment or section",
        _ => "expected well-formed XML",
    })
}
