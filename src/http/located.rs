//! Issues get the line and column of their element in the text that was sent, when it was JSON.
//!
//! The text is kept while its request is answered, and looked at again only if the answer has issues.

use std::sync::{Arc, OnceLock};

use axum::body::Body;
use axum::response::Response;

use crate::fhir::{Outcome, position};

/// The body of a request as it came, once a handler has read it; put into the request's extensions.
#[derive(Clone, Default)]
pub struct Sent(Arc<OnceLock<Vec<u8>>>);

/// The issues that an answer's body is made of; put into its extensions.
#[derive(Clone)]
pub struct Told(pub Outcome);

impl Sent {
    pub fn keep(&self, body: Vec<u8>) {
        // A request has one body.
        let _ = self.0.set(body);
    }
}

pub fn located(sent: &Sent, mut response: Response) -> Response {
    let (Some(Told(mut outcome)), Some(text)) = (response.extensions_mut().remove::<Told>(), sent.0.get()) else {
        return response;
    };
    position::locate(text, &mut outcome);
    *response.body_mut() = Body::from(outcome.to_value().to_string());
    response
}
