//! Every route of the API.

use std::sync::Arc;

use axum::Router;
use axum::middleware::from_fn_with_state;
use axum::routing::{get, post};

use crate::gateway::Context;

use super::{
    asked, bundle, consent, decide, docs, emergency, export, format, history, instance, operation, public, reading,
    search, terminology, token, types, validate,
};

pub fn router(ctx: Arc<Context>) -> Router {
    let of_type = get(search::of_type).post(types::create);
    let of_type = of_type.put(types::update).patch(types::patch).delete(types::delete);
    let of_id = get(instance::read).put(instance::update).patch(instance::patch).delete(instance::delete);
    Router::new()
        .route("/fhir", get(search::of_exchange).post(bundle::submit))
        .route("/fhir/", get(search::of_exchange).post(bundle::submit))
        .route("/fhir/_search", post(search::of_exchange_by_post))
        .route("/fhir/metadata", get(public::metadata))
        .route("/fhir/.well-known/smart-configuration", get(public::smart_configuration))
        .route("/fhir/_history", get(history::exchange))
        .route("/fhir/$export", get(export::of_exchange).post(export::of_exchange))
        .route("/fhir/$export/{job}", get(export::status).delete(export::cancel))
        .route("/fhir/$export/{job}/{file}", get(export::file))
        .route("/fhir/{kind}", of_type)
        .route("/fhir/{kind}/_search", post(search::of_type_by_post))
        .route("/fhir/{kind}/_history", get(history::of_type))
        .route("/fhir/{kind}/$validate", post(validate::of_type))
        .route("/fhir/{kind}/$expand", get(terminology::expand).post(terminology::expand))
        .route("/fhir/{kind}/$validate-code", get(terminology::validate_code).post(terminology::validate_code))
        .route("/fhir/{kind}/$lookup", get(terminology::lookup).post(terminology::lookup))
        .route("/fhir/{kind}/$subsumes", get(terminology::subsumes).post(terminology::subsumes))
        .route("/fhir/{kind}/$decide", post(decide::decide))
        .route("/fhir/{kind}/$docref", get(operation::docref).post(operation::docref_by_post))
        .route("/fhir/{kind}/$export", get(export::of_patients).post(export::of_patients))
        .route("/fhir/{kind}/$enforcement-status", get(consent::policy_in_force))
        .route("/fhir/{kind}/$expiring", get(consent::expiring))
        .route("/fhir/{kind}/$work-list", get(consent::work_list))
        .route("/fhir/{kind}/$work-done", post(consent::work_done))
        .route("/fhir/{kind}/{id}", of_id)
        .route("/fhir/{kind}/{id}/{part}", get(search::of_compartment))
        .route("/fhir/{kind}/{id}/{part}/_search", post(search::of_compartment_by_post))
        .route("/fhir/{kind}/{id}/_history", get(history::of_one))
        .route("/fhir/{kind}/{id}/$everything", get(operation::everything).post(operation::everything_by_post))
        .route("/fhir/{kind}/{id}/$enforcement-status", get(consent::enforcement))
        .route("/fhir/{kind}/{id}/$revoke", post(consent::revoke))
        .route("/fhir/{kind}/{id}/$verify", post(consent::verify))
        .route("/fhir/{kind}/{id}/$emergency-access", post(emergency::declare))
        .route("/fhir/{kind}/{id}/$restricted", get(emergency::restricted))
        .route("/fhir/{kind}/{id}/$export", get(export::of_group).post(export::of_group))
        .route("/fhir/{kind}/{id}/$validate", post(validate::of_one))
        .route("/fhir/{kind}/{id}/$meta", get(operation::meta))
        .route("/fhir/{kind}/{id}/$reading", get(reading::reading))
        .route("/fhir/{kind}/{id}/$meta-add", post(operation::meta_add))
        .route("/fhir/{kind}/{id}/$meta-delete", post(operation::meta_delete))
        .route("/fhir/{kind}/{id}/_history/{version}", get(instance::vread))
        .route("/auth/token", post(token::token))
        .route("/auth/introspect", post(token::introspect))
        .route("/auth/jwks", get(token::jwks))
        .route("/docs", get(docs::start))
        .route("/docs/{kind}", get(docs::of_type))
        .route("/openapi.json", get(public::openapi))
        .route("/health", get(public::health))
        .route("/ready", get(public::ready))
        .method_not_allowed_fallback(public::wrong_method)
        .fallback(public::nothing_here)
        .layer(from_fn_with_state(ctx.clone(), format::negotiate))
        .layer(from_fn_with_state(ctx.clone(), asked::request_id))
        .with_state(ctx)
}
