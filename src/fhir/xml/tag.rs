//! One start tag: its name and attributes, cut out of the text.
//!
//! Stricter than the crate that finds the tags: white space between attributes, each once, and not too many of them,
//! because comparing them costs their square.

/// Most attributes of one tag. FHIR has three; a narrative a few more.
pub const ATTRIBUTES_MAX: usize = 32;

#[derive(Debug)]
pub struct Tag<'x> {
    pub prefix: &'x str,
    pub local: &'x str,
    pub attributes: Vec<Attribute<'x>>,
    /// `<a/>`
    pub is_empty: bool,
    /// As it stands in the text, `<` and `>` included.
    pub raw: &'x str,
}

#[derive(Clone, Copy, Debug)]
pub struct Attribute<'x> {
    pub prefix: &'x str,
    pub local: &'x str,
    /// Between its quotes, references unread.
    pub value: &'x str,
    /// `name="value"`, as it stands.
    pub raw: &'x str,
}

impl Attribute<'_> {
    /// `xmlns="…"` or `xmlns:f="…"`.
    pub fn is_binding(&self) -> bool {
        self.prefix == "xmlns" || (self.prefix.is_empty() && self.local == "xmlns")
    }
}

/// # Errors
/// What was expected instead.
pub fn parse(raw: &str) -> Result<Tag<'_>, &'static str> {
    let inner = raw.strip_prefix('<').and_then(|rest| rest.strip_suffix('>')).unwrap_or(raw);
    let (inner, is_empty) = inner.strip_suffix('/').map_or((inner, false), |inner| (inner, true));
    let end = inner.find(is_space).unwrap_or(inner.len());
    let (prefix, local) = name(&inner[..end])?;
    let mut tag = Tag { prefix, local, attributes: Vec::new(), is_empty, raw };
    let mut rest = &inner[end..];
    loop {
        let next = rest.trim_start_matches(is_space);
        if next.is_empty() {
            return Ok(tag);
        }
        if next.len() == rest.len() {
            return Err("expected white space between the attributes of a tag");
        }
        let (called, behind) = next.split_once('=').ok_or("expected `=` and a value in quotes behind an attribute")?;
        let behind = behind.trim_start_matches(is_space);
        let quote = behind.chars().next().filter(|quote| matches!(quote, '"' | '\''));
        let quote = quote.ok_or("expected an attribute's value in quotes")?;
        let (value, after) = behind[1..].split_once(quote).ok_or("expected the end of an attribute's value")?;
        let (prefix, local) = name(called.trim_end_matches(is_space))?;
        if tag.attributes.iter().any(|known| (known.prefix, known.local) == (prefix, local)) {
            return Err("expected an attribute once in its tag");
        }
        if tag.attributes.len() == ATTRIBUTES_MAX {
            return Err("expected at most 32 attributes in a tag");
        }
        let raw = &next[..next.len() - after.len()];
        tag.attributes.push(Attribute { prefix, local, value, raw });
        rest = after;
    }
}

/// Prefix and local name. FHIR and XHTML need no letters beyond ASCII in them.
fn name(text: &str) -> Result<(&str, &str), &'static str> {
    let (prefix, local) = text.split_once(':').unwrap_or(("", text));
    let fits = |name: &str| {
        name.starts_with(|letter: char| letter.is_ascii_alphabetic() || letter == '_')
            && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte))
    };
    let holds = fits(local) && (fits(prefix) || (prefix.is_empty() && !text.starts_with(':')));
    if holds { Ok((prefix, local)) } else { Err("expected a name of ASCII letters, digits, `-`, `_` or `.`") }
}

pub fn is_space(letter: char) -> bool {
    matches!(letter, ' ' | '\t' | '\n' | '\r')
}
