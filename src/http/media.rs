//! Media types: what `Accept`, `_format` and `Content-Type` mean (FHIR R4 http.html#mime-type, RFC 9110 12.5.1).

use axum::http::{HeaderMap, header};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    Json,
    Xml,
    /// Wanted is something that is not answered here.
    Neither,
}

/// One media range: `type/subtype`, its quality in thousandths.
struct Range {
    name: String,
    quality: u32,
    /// R4 http.html#version-parameter: absent, or a version that is spoken here.
    is_r4: bool,
}

/// The best for an `Accept` header. A format that is named counts by its name, else by what stands for everything;
/// among equals the named one is better than the one that merely falls under `*/*`, then the first, then JSON.
pub fn best(accept: &str) -> Format {
    // What nearly everybody sends.
    if matches!(accept.trim(), "*/*" | "application/fhir+json" | "application/json") {
        return Format::Json;
    }
    let ranges: Vec<Range> = accept.split(',').filter_map(range).filter(|range| range.is_r4).collect();
    // Quality, how closely it is named, how early.
    let score = |format: Format| -> Option<(u32, u8, usize)> {
        let fits = |range: &Range| closeness(&range.name, format);
        let closest = ranges.iter().map(fits).max().filter(|close| *close > 0)?;
        let among = ranges.iter().enumerate().filter(|(_, range)| fits(range) == closest);
        among.map(|(at, range)| (range.quality, closest, usize::MAX - at)).max().filter(|(quality, ..)| *quality > 0)
    };
    match (score(Format::Json), score(Format::Xml)) {
        (None, None) => Format::Neither,
        (json, xml) if json >= xml => Format::Json,
        _ => Format::Xml,
    }
}

/// What a `_format` names: a short name, or a media type whose `+` an address has made a space.
pub fn named(value: &str) -> Format {
    let plain = value.split(';').next().unwrap_or("").trim().replace(' ', "+").to_ascii_lowercase();
    match plain.as_str() {
        "json" => Format::Json,
        "xml" => Format::Xml,
        name if closeness(name, Format::Json) > 0 => Format::Json,
        name if closeness(name, Format::Xml) > 0 => Format::Xml,
        _ => Format::Neither,
    }
}

/// The body is FHIR XML, in the one encoding that is read.
pub fn is_xml(headers: &HeaderMap) -> bool {
    let Some(kind) = headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok()) else { return false };
    let mut parts = kind.split(';').map(str::trim);
    let name = parts.next().unwrap_or("").to_ascii_lowercase();
    closeness(&name, Format::Xml) == 3
        && parts.filter_map(|part| part.split_once('=')).all(|(name, value)| {
            let value = value.trim_matches('"');
            match name.trim().to_ascii_lowercase().as_str() {
                "charset" => value.eq_ignore_ascii_case("utf-8") || value.eq_ignore_ascii_case("us-ascii"),
                "fhirversion" => value.starts_with("4.0"),
                _ => true,
            }
        })
}

/// How closely a media range names a format: 3 by name, 2 by `type/*`, 1 as `*/*`, 0 not at all. What JSON answers
/// besides FHIR's own, as NDJSON, is in the hands of who answers it.
fn closeness(name: &str, format: Format) -> u8 {
    let is_named = match format {
        Format::Json => name.contains('/') && name.contains("json"),
        Format::Xml => {
            matches!(name, "application/fhir+xml" | "application/xml" | "text/xml" | "application/xml+fhir")
        }
        Format::Neither => false,
    };
    match name {
        _ if is_named => 3,
        "application/*" | "text/*" => 2,
        "*/*" | "*" => 1,
        _ => 0,
    }
}

fn range(text: &str) -> Option<Range> {
    let mut parts = text.split(';').map(str::trim);
    let name = parts.next().filter(|name| !name.is_empty())?.to_ascii_lowercase();
    let (mut quality, mut is_r4) = (1_000, true);
    for (name, value) in parts.filter_map(|part| part.split_once('=')) {
        match name.trim().to_ascii_lowercase().as_str() {
            "q" => quality = thousandths(value.trim()),
            "fhirversion" => is_r4 = value.trim().trim_matches('"').starts_with("4.0"),
            _ => {}
        }
    }
    Some(Range { name, quality, is_r4 })
}

/// `0.8` as 800; what is no quality is as good as none.
fn thousandths(text: &str) -> u32 {
    let (whole, part) = text.split_once('.').unwrap_or((text, ""));
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    match whole {
        "0" if digits(part) => format!("{part:0<3}").get(..3).and_then(|part| part.parse().ok()).unwrap_or(0),
        _ => 1_000,
    }
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    #[test]
    fn accept_is_ranked_by_quality_then_by_name() {
        for (accept, format) in [
            ("*/*", Format::Json),
            ("application/*", Format::Json),
            ("application/fhir+json", Format::Json),
            ("application/json;fhirVersion=4.0", Format::Json),
            ("application/fhir+ndjson", Format::Json),
            ("application/fhir+xml", Format::Xml),
            ("APPLICATION/XML", Format::Xml),
            ("text/xml; charset=utf-8", Format::Xml),
            ("application/fhir+xml, application/fhir+json;q=0.9", Format::Xml),
            ("application/fhir+xml;q=0.8, application/fhir+json;q=0.9", Format::Json),
            ("application/fhir+xml;q=0.81, application/fhir+json;q=0.809", Format::Xml),
            ("application/fhir+json, application/fhir+xml", Format::Json),
            ("application/fhir+xml, application/fhir+json", Format::Xml),
            ("application/fhir+xml, */*", Format::Xml),
            ("*/*;q=0.9, application/fhir+xml;q=0.1", Format::Json),
            ("application/fhir+json;q=0, */*", Format::Xml),
            ("application/fhir+xml;q=0, */*;q=0.1", Format::Json),
            ("text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", Format::Xml),
            ("text/html, */*;q=0.1", Format::Json),
            ("text/html", Format::Neither),
            ("application/fhir+turtle", Format::Neither),
            ("application/fhir+json;fhirVersion=3.0", Format::Neither),
            ("application/fhir+json;q=0", Format::Neither),
            ("image/svg+xml", Format::Neither),
        ] {
            assert_eq!(best(accept), format, "{accept}");
        }
    }

    #[test]
    fn a_format_has_short_and_long_names() {
        for (value, format) in [
            ("json", Format::Json),
            ("application/json", Format::Json),
            ("application/fhir+json", Format::Json),
            ("application/fhir json", Format::Json),
            ("xml", Format::Xml),
            ("text/xml", Format::Xml),
            ("application/xml", Format::Xml),
            ("application/fhir xml", Format::Xml),
            ("html", Format::Neither),
            ("ttl", Format::Neither),
            ("x", Format::Neither),
        ] {
            assert_eq!(named(value), format, "{value}");
        }
    }

    #[test]
    fn a_body_is_xml_by_its_content_type_alone() {
        for (kind, holds) in [
            ("application/fhir+xml", true),
            ("application/fhir+xml; charset=UTF-8; fhirVersion=4.0", true),
            ("text/xml", true),
            ("application/xml", true),
            ("application/fhir+xml; charset=iso-8859-1", false),
            ("application/fhir+xml; fhirVersion=5.0", false),
            ("application/json-patch+json", false),
            ("application/fhir+json", false),
            ("text/*", false),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
            assert_eq!(is_xml(&headers), holds, "{kind}");
        }
        assert!(!is_xml(&HeaderMap::new()));
    }
}
