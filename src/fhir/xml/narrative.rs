//! A narrative's `div`: markup in XML, the same markup as text in JSON (FHIR R4 json.html#xhtml).
//!
//! It is passed on tag by tag as it stands, and checked on the way: one `div` of well-formed XHTML, that brings its
//! namespace with it and needs nothing from the document around. What it may say is for `profile` to judge.

use quick_xml::Reader;
use quick_xml::escape::resolve_html5_entity;
use quick_xml::events::Event;

use super::XHTML;
use super::chars::{self, ENTITY, is_legal};
use super::scope::{Namespace, Scope};
use super::tag::{self, Tag};
use crate::fhir::read::DEPTH_MAX;

const NOT_CLOSED: &str = "expected an end tag for each start tag";

/// The `div` from an XML document; `around` knows its prefixes.
///
/// # Errors
/// Why it is no such `div`, in one phrase.
pub fn from_xml<'x>(source: &'x str, around: &Scope<'x>) -> Result<String, &'static str> {
    rewrite(source, around.clone(), false)
}

/// The `div` from JSON. HTML's own entities, which XML does not have and JSON cannot exclude, become characters; a
/// namespace that was left out is added.
///
/// # Errors
/// As [`from_xml`].
pub fn from_json(source: &str) -> Result<String, &'static str> {
    if !source.chars().all(is_legal) {
        return Err("expected no control characters");
    }
    rewrite(source.trim_matches(tag::is_space), Scope::default(), true)
}

fn rewrite<'x>(source: &'x str, mut scope: Scope<'x>, is_html: bool) -> Result<String, &'static str> {
    if !source.starts_with('<') {
        return Err("expected a `div`");
    }
    let mut events = Reader::from_str(source);
    events.config_mut().check_comments = true;
    let mut out = String::with_capacity(source.len() + 64);
    let mut open: Vec<&str> = Vec::new();
    let mut has_root = false;
    loop {
        let from = position(&events);
        let event = events.read_event().map_err(|_| "expected well-formed XHTML")?;
        let raw = source.get(from..position(&events)).unwrap_or("");
        match event {
            Event::Start(_) | Event::Empty(_) => {
                let tag = tag::parse(raw)?;
                if has_root && open.is_empty() {
                    return Err("expected nothing behind the `div`");
                }
                scope.enter(&tag)?;
                start(&mut out, &tag, &scope, !has_root, is_html)?;
                has_root = true;
                if tag.is_empty {
                    scope.leave();
                } else if open.len() == DEPTH_MAX {
                    return Err("expected tags nested at most 100 deep");
                } else {
                    open.push(tag.local);
                }
            }
            Event::End(_) => {
                let local = open.pop().ok_or("expected a start tag for each end tag")?;
                out.push_str("</");
                out.push_str(local);
                out.push('>');
                scope.leave();
            }
            Event::Text(_) if open.is_empty() => {
                if !raw.trim_matches(tag::is_space).is_empty() {
                    return Err("expected no text around the `div`");
                }
            }
            Event::Text(_) => {
                if raw.contains("]]>") {
                    return Err("expected `]]&gt;` for `]]>` in text");
                }
                push_lines(&mut out, raw);
            }
            Event::CData(_) | Event::GeneralRef(_) if open.is_empty() => {
                return Err("expected no text around the `div`");
            }
            Event::CData(text) => text.chars().for_each(|letter| push_escaped(&mut out, letter)),
            Event::GeneralRef(name) => match chars::reference(&name) {
                Some(_) => out.push_str(raw),
                None if is_html => {
                    let letters = resolve_html5_entity(&name).ok_or(ENTITY)?;
                    letters.chars().for_each(|letter| push_escaped(&mut out, letter));
                }
                None => return Err(ENTITY),
            },
            Event::Comment(_) if open.is_empty() => {}
            Event::Comment(_) => push_lines(&mut out, raw),
            Event::PI(_) => {}
            Event::DocType(_) | Event::Decl(_) => return Err("expected no DOCTYPE and no XML declaration"),
            Event::Eof if !open.is_empty() => return Err(NOT_CLOSED),
            Event::Eof if !has_root => return Err("expected a `div`"),
            Event::Eof => return Ok(out),
        }
    }
}

/// The start tag: as it stands, unless it leans on the document around.
fn start(out: &mut String, tag: &Tag, scope: &Scope, is_root: bool, is_html: bool) -> Result<(), &'static str> {
    match scope.namespace(tag.prefix)? {
        Namespace::Xhtml => {}
        Namespace::None if is_html => {}
        _ => return Err("expected the namespace `http://www.w3.org/1999/xhtml`"),
    }
    if is_root && tag.local != "div" {
        return Err("expected a `div`");
    }
    for attribute in &tag.attributes {
        if !attribute.is_binding() {
            chars::decode(attribute.value)?;
            if !matches!(attribute.prefix, "" | "xml") {
                return Err("expected no attribute with a prefix but `xml:lang` and its like");
            }
        }
    }
    let bindings = tag.attributes.iter().filter(|attribute| attribute.is_binding());
    let brings_own = bindings.clone().any(|binding| binding.prefix.is_empty());
    let brings_others = bindings.clone().any(|binding| !binding.prefix.is_empty());
    if tag.prefix.is_empty() && !brings_others && (brings_own || !is_root) {
        push_lines(out, tag.raw);
        return Ok(());
    }
    out.push('<');
    out.push_str(tag.local);
    if is_root {
        out.push_str(&format!(" xmlns=\"{XHTML}\""));
    }
    for attribute in tag.attributes.iter().filter(|attribute| !attribute.is_binding()) {
        out.push(' ');
        push_lines(out, attribute.raw);
    }
    out.push_str(if tag.is_empty { "/>" } else { ">" });
    Ok(())
}

/// Line ends as every reader of XML sees them (XML 1.0, 2.11).
fn push_lines(out: &mut String, raw: &str) {
    if raw.contains('\r') {
        out.push_str(&raw.replace("\r\n", "\n").replace('\r', "\n"));
    } else {
        out.push_str(raw);
    }
}

fn push_escaped(out: &mut String, letter: char) {
    match letter {
        '&' => out.push_str("&amp;"),
        '<' => out.push_str("&lt;"),
        '>' => out.push_str("&gt;"),
        letter => out.push(letter),
    }
}

fn position(events: &Reader<&[u8]>) -> usize {
    usize::try_from(events.buffer_position()).unwrap_or(usize::MAX)
}
