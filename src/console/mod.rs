//! Pages for people.
use crate::gateway::Context;
use axum::Router;
use std::sync::Arc;
pub fn router(_ctx: Arc<Context>) -> Router {
    Router::new()
}
