//! The only status map.

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};

use crate::fhir::{Issue, Outcome};
use crate::gateway::{Error, No};

use super::answer;

/// An error on its way out, as an OperationOutcome.
#[derive(Debug)]
pub struct Problem(pub Error);

/// What was our fault, for the line that the log gets; the caller never sees it.
#[derive(Clone, Debug)]
pub struct Cause(pub String);

impl<E: Into<Error>> From<E> for Problem {
    fn from(error: E) -> Problem {
        Problem(error.into())
    }
}

impl Problem {
    /// A body or header that cannot be read.
    pub fn unreadable(issue: Issue) -> Problem {
        Problem(Error::one(No::Unreadable, issue))
    }
}

pub fn code(no: No) -> StatusCode {
    match no {
        No::Unreadable => StatusCode::BAD_REQUEST,
        No::Invalid => StatusCode::UNPROCESSABLE_ENTITY,
        No::Unknown => StatusCode::NOT_FOUND,
        No::Gone => StatusCode::GONE,
        No::NotYours => StatusCode::FORBIDDEN,
        No::Stale | No::Several => StatusCode::PRECONDITION_FAILED,
        No::Unconditional => StatusCode::PRECONDITION_REQUIRED,
        No::Conflict => StatusCode::CONFLICT,
        No::NotOffered => StatusCode::METHOD_NOT_ALLOWED,
        No::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
        No::TooSlow => StatusCode::REQUEST_TIMEOUT,
        No::WrongFormat => StatusCode::UNSUPPORTED_MEDIA_TYPE,
        No::NotAcceptable => StatusCode::NOT_ACCEPTABLE,
        No::TooMany => StatusCode::TOO_MANY_REQUESTS,
        No::Unauthenticated => StatusCode::UNAUTHORIZED,
    }
}

/// What each means to the sender, for the documentation; by status.
pub const REFUSALS: [(No, &str); 15] = [
    (No::Unreadable, "The address, a parameter, a header or the body cannot be read."),
    (No::Unauthenticated, "There is no token, or it is not good."),
    (
        No::NotYours,
        "The token's scopes leave it out, or it was brought in by another partner and cannot be changed by you.",
    ),
    (No::Unknown, "It does not exist, or you may not know of it: the answer is the same."),
    (No::NotOffered, "Not offered for this type or at this address."),
    (No::NotAcceptable, "You can take no format that is written here."),
    (No::TooSlow, "The body did not come in time."),
    (No::Conflict, "Somebody else was first: read it again and repeat."),
    (No::Gone, "It was deleted."),
    (No::Stale, "If-Match names a version that is not the current one."),
    (No::TooLarge, "The body is larger than the limit."),
    (No::WrongFormat, "The body is in a format that is not read here."),
    (
        No::Invalid,
        "The body can be read and breaks a rule: of its type, of a profile it claims, or of a referral's steps.",
    ),
    (No::Unconditional, "A version must be named with If-Match."),
    (No::TooMany, "Asked too often or too much at once: wait as long as Retry-After says."),
];

pub fn status(error: &Error) -> StatusCode {
    match error {
        Error::No(no, _) => code(*no),
        // The database is not there or not writable: it may be in a moment.
        Error::Fault(_) => StatusCode::SERVICE_UNAVAILABLE,
    }
}

/// What the caller is told: its own mistakes in full, ours not at all.
pub fn outcome(error: &Error) -> Outcome {
    match error {
        Error::No(_, issues) => Outcome(issues.clone()),
        Error::Fault(_) => {
            let text = "something went wrong on our side; the X-Request-Id of this answer leads the operator to it";
            Outcome::from(Issue::error("exception", "fault", text))
        }
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let status = status(&self.0);
        let mut response = answer::outcome(status, &outcome(&self.0));
        let headers = response.headers_mut();
        match &self.0 {
            Error::Fault(fault) => {
                headers.insert(header::RETRY_AFTER, HeaderValue::from_static("5"));
                response.extensions_mut().insert(Cause(fault.to_string()));
            }
            Error::No(No::Unauthenticated, _) => {
                headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer error=\"invalid_token\""));
            }
            Error::No(No::TooMany, _) => {
                headers.insert(header::RETRY_AFTER, HeaderValue::from_static("5"));
            }
            Error::No(..) => {}
        }
        response
    }
}
