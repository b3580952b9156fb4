//! Every route of the API.

use std::sync::Arc;

use axum::Router;
use axum::middleware::from_fn_with_state;
use axum::routing::{get, post};

use crate::gateway::Context;

use super::{asked, bundle, export, history, instance, operation, public, token, types, validate};

pub fn router(ctx: Arc<Context>) -> Router {
    Router::new()
        .route("/fhir", post(bundle::submit))
        .route("/fhir/", post(bundle::submit))
        .route("/fhir/metadata", get(public::metadata))
        .route("/fhir/.well-known/smart-configuration", get(public::smart_configuration))
        .route("/fhir/_history", get(history::exchange))
        .route("/fhir/$export", get(export::of_exchange).post(export::of_exchange))
        .route("/fhir/$export/{job}", get(export::status).delete(export::cancel))
        .route("/fhir/$export/{job}/{file}", get(export::file))
        .route("/fhir/{kind}/$export", get(export::of_patients).post(export::of_patients))
        .route("/fhir/{kind}/{id}/$export", get(export::of_group).post(export::of_group))
        .route("/fhir/{kind}/_history", get(history::of_type))
        .route("/fhir/{kind}", get(types::search).post(types::create))
        .route("/fhir/{kind}/_search", post(types::search_by_post))
        .route("/fhir/{kind}/$validate", post(validate::validate))
        .route("/fhir/{kind}/$docref", get(operation::docref).post(operation::docref_by_post))
        .route("/fhir/{kind}/{id}/$everything", get(operation::everything).post(operation::everything_by_post))
        .route("/fhir/{kind}/{id}/$meta", get(operation::meta))
        .route("/fhir/{kind}/{id}/$meta-add", post(operation::meta_add))
        .route("/fhir/{kind}/{id}/$meta-delete", post(operation::meta_delete))
        .route("/fhir/{kind}/{id}", get(instance::read).put(instance::update).delete(instance::delete))
        .route("/fhir/{kind}/{id}/_history", get(history::of_one))
        .route("/fhir/{kind}/{id}/_history/{version}", get(instance::vread))
        .route("/auth/token", post(token::token))
        .route("/auth/introspect", post(token::introspect))
        .route("/auth/jwks", get(token::jwks))
        .route("/health", get(public::health))
        .route("/ready", get(public::ready))
        .method_not_allowed_fallback(public::wrong_method)
        .fallback(public::nothing_here)
        .layer(from_fn_with_state(ctx.clone(), asked::request_id))
        .with_state(ctx)
}
