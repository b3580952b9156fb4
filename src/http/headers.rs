//! The headers that a request hangs on: each once, and readable. One that is passed over in silence would be a condition
//! that does not hold, or a purpose that was not narrowed.

use axum::http::{HeaderMap, HeaderName, header};

use crate::fhir::Issue;
use crate::gateway::{Error, No};

use super::error::Problem;

const ONCE: [HeaderName; 9] = [
    header::AUTHORIZATION,
    header::CONTENT_TYPE,
    header::IF_MATCH,
    header::IF_NONE_MATCH,
    header::IF_MODIFIED_SINCE,
    header::HOST,
    HeaderName::from_static("if-none-exist"),
    HeaderName::from_static("x-purpose-of-use"),
    header::CONTENT_ENCODING,
];

/// # Errors
/// Every header that is there twice or is no text, and a body in an encoding or alphabet that is not read here.
pub fn check(headers: &HeaderMap) -> Result<(), Problem> {
    let mut issues = Vec::new();
    for name in ONCE {
        let mut values = headers.get_all(&name).iter();
        let Some(first) = values.next() else { continue };
        // RFC 9110 (5.5) leaves open what other octets mean, so that two readers could take them for different text.
        if first.to_str().is_err() {
            let text = format!("`{name}`: expected ASCII; other letters are percent-encoded");
            issues.push(Issue::error("value", "header", text));
        }
        if values.next().is_some() {
            issues.push(Issue::error("value", "header", format!("`{name}`: expected it once")));
        }
    }
    if !issues.is_empty() {
        return Err(Error::No(No::Unreadable, issues).into());
    }
    let text = |name: HeaderName| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or("");
    let encoding = text(header::CONTENT_ENCODING);
    if !encoding.is_empty() && !encoding.eq_ignore_ascii_case("identity") {
        let text = "`Content-Encoding`: expected none; bodies are read as they are";
        return Err(Error::one(No::WrongFormat, Issue::error("not-supported", "content-encoding", text)).into());
    }
    let media = text(header::CONTENT_TYPE).to_ascii_lowercase();
    let charset = media.split(';').find_map(|part| part.trim().strip_prefix("charset="));
    if charset.is_some_and(|charset| !matches!(charset.trim_matches('"'), "utf-8" | "utf8" | "us-ascii")) {
        let text = "`Content-Type`: expected UTF-8";
        return Err(Error::one(No::WrongFormat, Issue::error("not-supported", "content-type", text)).into());
    }
    Ok(())
}

/// Whether a Host may stand in links: letters, digits and what addresses are made of.
pub fn is_host(text: &str) -> bool {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || b".-_:[]".contains(&byte);
    !text.is_empty() && text.len() <= 255 && text.bytes().all(fits)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_that_matters_is_there_once_and_is_text() {
        let of = |pairs: &[(&'static str, &[u8])]| {
            let mut headers = HeaderMap::new();
            for (name, value) in pairs {
                headers.append(*name, axum::http::HeaderValue::from_bytes(value).unwrap());
            }
            check(&headers).is_ok()
        };
        for (pairs, good) in [
            (&[("if-match", &b"W/\"1\""[..])][..], true),
            (&[("if-match", &b"W/\"1\""[..]), ("if-match", b"W/\"2\"")], false),
            (&[("if-none-exist", "identifier=\u{e9}".as_bytes())], false),
            (&[("prefer", b"a"), ("prefer", b"b")], true),
            (&[("content-type", b"application/json; charset=UTF-8")], true),
            (&[("content-type", b"application/json; charset=utf-16")], false),
            (&[("content-encoding", b"gzip")], false),
        ] {
            assert_eq!(of(pairs), good, "{pairs:?}");
        }
        assert!(is_host("[::1]:8080") && is_host("exchange.example") && !is_host("\"><script>") && !is_host(""));
    }
}
