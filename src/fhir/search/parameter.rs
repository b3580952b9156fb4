//! One parameter of a query, read into a criterion: a filter by its modifier, a chain, a reverse chain.

use crate::fhir::Issue;
use crate::fhir::reference::{is_id, is_kind};

use super::criterion::{Criterion, Filter, Test};
use super::params::{Param, ParamKind};
use super::query::Reading;
use super::value::{self, alternatives, short, unknown, unreadable};

impl Criterion {
    /// One parameter of a search over `kind`.
    ///
    /// # Errors
    /// A parameter, modifier or type that is not known (`parameter-unknown`), or a value that cannot be read.
    pub fn read(kind: &str, name: &str, value: &str, with: &Reading) -> Result<Criterion, Issue> {
        if value.is_empty() {
            return Err(unreadable(name, "a value"));
        }
        if alternatives(value).len() > with.limits.values_max {
            let text = format!("`{}` has more than {} values", short(name), with.limits.values_max);
            return Err(Issue::error("too-costly", "query-too-long", text));
        }
        at(kind, name, name, value, with, 0)
    }
}

/// `whole` is the name as it was sent, for the words of a refusal.
fn at(kind: &str, name: &str, whole: &str, value: &str, with: &Reading, depth: usize) -> Result<Criterion, Issue> {
    if depth > with.limits.chain_max {
        let text = format!("`{}`: a chain has at most {} steps", short(whole), with.limits.chain_max);
        return Err(Issue::error("too-costly", "chain-too-long", text));
    }
    if let Some(rest) = name.strip_prefix("_has:") {
        let mut parts = rest.splitn(3, ':');
        let (Some(source), Some(param), Some(rest)) = (parts.next(), parts.next(), parts.next()) else {
            return Err(unknown(whole, "is no reverse chain such as `_has:Observation:patient:code`"));
        };
        let found = with.params.find(source, param).filter(|found| found.kind == ParamKind::Reference);
        if !with.definitions.knows(source) || found.is_none() {
            return Err(unknown(whole, "names a reference parameter that is not known here"));
        }
        let then = Box::new(at(source, rest, whole, value, with, depth + 1)?);
        return Ok(Criterion::Has { kind: source.to_string(), param: param.to_string(), then });
    }
    if let Some((first, rest)) = name.split_once('.') {
        return chain(kind, first, rest, whole, value, with, depth);
    }
    let (code, modifier) = name.split_once(':').map_or((name, None), |(code, modifier)| (code, Some(modifier)));
    filter(kind, code, modifier, whole, value, with).map(Criterion::Filter)
}

fn chain(
    kind: &str,
    first: &str,
    rest: &str,
    whole: &str,
    value: &str,
    with: &Reading,
    depth: usize,
) -> Result<Criterion, Issue> {
    let (code, wanted) = first.split_once(':').map_or((first, None), |(code, kind)| (code, Some(kind)));
    let param = with.params.find(kind, code).filter(|param| param.kind == ParamKind::Reference);
    let Some(param) = param else {
        return Err(unknown(whole, &format!("starts a chain with what is no reference parameter of `{kind}`")));
    };
    let targets: Vec<&str> = match wanted {
        Some(wanted) if param.points_at(wanted) && with.definitions.knows(wanted) => vec![wanted],
        Some(_) => return Err(unknown(whole, "names a type at which that reference does not point")),
        None if code == "patient" => vec!["Patient"],
        None => {
            let known = param.targets.iter().map(String::as_str).filter(|kind| with.definitions.knows(kind));
            let (covered, others): (Vec<&str>, Vec<&str>) =
                known.partition(|kind| with.scopes.is_none_or(|scopes| scopes.covers(kind)));
            // Where the scopes cover none, the refusal says so.
            if covered.is_empty() { others } else { covered }
        }
    };
    let (mut links, mut refused) = (Vec::new(), None);
    for target in targets {
        match at(target, rest, whole, value, with, depth + 1) {
            Ok(then) => {
                links.push(Criterion::Chain { param: code.to_string(), kind: target.to_string(), then: Box::new(then) })
            }
            Err(issue) if issue.rule == "parameter-unknown" => refused = Some(issue),
            Err(issue) => return Err(issue),
        }
    }
    match (links.pop(), links.is_empty()) {
        (Some(only), true) => Ok(only),
        (Some(last), false) => {
            links.push(last);
            Ok(Criterion::Any(links))
        }
        (None, _) => Err(refused.unwrap_or_else(|| unknown(whole, "leads to no type that is served here"))),
    }
}

fn filter(
    kind: &str,
    code: &str,
    modifier: Option<&str>,
    name: &str,
    text: &str,
    with: &Reading,
) -> Result<Filter, Issue> {
    let values = alternatives(text);
    let plain = |tests: Vec<Test>| Filter { param: code.to_string(), tests, negated: false };
    match (code, modifier) {
        ("_id", None) => {
            let ids: Option<Vec<Test>> = values.iter().map(|id| is_id(id).then(|| Test::Id(id.clone()))).collect();
            return ids.map(plain).ok_or_else(|| unreadable(name, "an id of letters, digits, `-` and `.`"));
        }
        ("_lastUpdated", None) => {
            let read = |text: &String| value::date(name, text, with).map(|(prefix, span)| Test::Updated(prefix, span));
            return values.iter().map(read).collect::<Result<_, _>>().map(plain);
        }
        _ => {}
    }
    let Some(param) = with.params.find(kind, code) else {
        return Err(unknown(name, &format!("is not a search parameter of `{kind}`")));
    };
    let beside = |suffix: &str| format!("{code}:{suffix}");
    match (param.kind, modifier) {
        (kind, Some("missing")) if kind.is_indexed() => {
            let missing = text.parse().map_err(|_| unreadable(name, "`true` or `false`"))?;
            Ok(plain(vec![Test::Missing(kind, missing)]))
        }
        (ParamKind::Token, Some("not")) => {
            Ok(Filter { negated: true, ..plain(values.iter().map(|text| value::token(text)).collect()) })
        }
        (ParamKind::Token, Some("text")) => {
            let tests = values.iter().map(|text| value::word(text)).collect();
            Ok(Filter { param: beside("text"), ..plain(tests) })
        }
        (ParamKind::Token, Some("of-type")) => {
            let tests: Result<_, _> = values.iter().map(|text| value::of_type(name, text)).collect();
            Ok(Filter { param: beside("of-type"), ..plain(tests?) })
        }
        (ParamKind::Token, Some(modifier @ ("in" | "not-in" | "above" | "below"))) => {
            let tests: Result<Vec<Vec<Test>>, Issue> =
                values.iter().map(|text| value::codes(name, modifier, text, with)).collect();
            Ok(Filter { negated: modifier == "not-in", ..plain(tests?.concat()) })
        }
        (ParamKind::Reference, Some("identifier")) => {
            let tests = values.iter().map(|text| value::token(text)).collect();
            Ok(Filter { param: beside("identifier"), ..plain(tests) })
        }
        (ParamKind::Uri, Some("above")) => {
            Ok(plain(values.iter().flat_map(|text| value::uris_above(text)).map(Test::Uri).collect()))
        }
        (kind, modifier) => {
            let read = |text: &String| one(param, kind, modifier, name, text, with);
            values.iter().map(read).collect::<Result<_, _>>().map(plain)
        }
    }
}

/// One value of a parameter, by its type.
fn one(
    param: &Param,
    kind: ParamKind,
    modifier: Option<&str>,
    name: &str,
    text: &str,
    with: &Reading,
) -> Result<Test, Issue> {
    match (kind, modifier) {
        (ParamKind::Token, None) => Ok(value::token(text)),
        (ParamKind::Reference, None) => value::reference(name, text, None, &param.targets, with),
        (ParamKind::Reference, Some(kind)) if is_kind(kind) && param.points_at(kind) => {
            value::reference(name, text, Some(kind), &param.targets, with)
        }
        (ParamKind::Date, None) => value::date(name, text, with).map(|(prefix, span)| Test::Date(prefix, span)),
        (ParamKind::Text, None) => Ok(value::text(text)),
        (ParamKind::Text, Some("contains")) => Ok(value::text_within(text)),
        (ParamKind::Text, Some("exact")) => Ok(Test::TextExact(text.to_string())),
        (ParamKind::Uri, None) => Ok(Test::Uri(text.to_string())),
        (ParamKind::Uri, Some("below")) => Ok(Test::UriBelow(text.to_string())),
        (ParamKind::Number, None) => value::number(name, text),
        (ParamKind::Quantity, None) => value::quantity(name, text),
        (ParamKind::Special, None) if param.code == "near" => value::near(name, text),
        (ParamKind::Composite, None) => {
            let values = value::parts(text);
            let ([first, second], [left, right]) = (param.parts.as_slice(), values.as_slice()) else {
                return Err(unreadable(name, "two values with `$` between them"));
            };
            let part = |kind: ParamKind, text: &str| one(param, kind, None, name, text, with).map(Box::new);
            Ok(Test::Composite(part(first.kind, left)?, part(second.kind, right)?))
        }
        _ => Err(unknown(name, "has a modifier that is not supported here")),
    }
}
