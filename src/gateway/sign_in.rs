//! Signing in: an assertion becomes a token, a token or a session becomes a Caller.

use jsonwebtoken::jwk::JwkSet;

use crate::auth::{Assertion, Caller, Claims, Refused, Registered, Scopes, TTL_MAX_SECS, Use};
use crate::fhir::{Instant, Issue};
use crate::partner::{Client, Role, User};
use crate::store::Fault;

use super::{Context, Error, No};

/// What a client sent to the token endpoint.
#[derive(Clone, Debug, Default)]
pub struct TokenRequest {
    pub grant_type: Option<String>,
    pub assertion_type: Option<String>,
    pub assertion: Option<String>,
    pub scope: Option<String>,
    pub purpose: Option<String>,
}

/// A token and what it is good for.
#[derive(Debug)]
pub struct Granted {
    pub token: String,
    pub scope: String,
    pub expires_in: i64,
}

/// A refusal is the client's to mend, a fault is ours.
#[derive(Debug)]
pub enum NoToken {
    Refused(Refused),
    Fault(Fault),
}

impl From<Refused> for NoToken {
    fn from(refused: Refused) -> NoToken {
        NoToken::Refused(refused)
    }
}

impl From<Fault> for NoToken {
    fn from(fault: Fault) -> NoToken {
        NoToken::Fault(fault)
    }
}

const JWT_BEARER: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

/// Grants an access token for a signed assertion (SMART Backend Services). `audiences` are the addresses of the
/// token endpoint.
///
/// # Errors
/// The OAuth error that names what to mend.
pub async fn grant(ctx: &Context, asked: &TokenRequest, audiences: &[String]) -> Result<Granted, NoToken> {
    if asked.grant_type.as_deref() != Some("client_credentials") {
        return Err(Refused::new("unsupported_grant_type", "expected grant_type=client_credentials").into());
    }
    if asked.assertion_type.as_deref() != Some(JWT_BEARER) {
        return Err(Refused::new("invalid_request", format!("expected client_assertion_type={JWT_BEARER}")).into());
    }
    let jwt = asked.assertion.as_deref().ok_or_else(|| Refused::new("invalid_request", "expected client_assertion"))?;
    let claimant = Assertion::claimant(jwt)?;
    let unknown = || Refused::new("invalid_client", "the client is not registered, or its assertion does not verify");
    let client = ctx.client(&claimant).await?.ok_or_else(unknown)?;
    let now = ctx.now();
    let keys = keys_of(ctx, &client, now).await?;
    let registered = Registered { client: &client.id, jwks_url: client.jwks_url.as_deref() };
    let assertion = Assertion::verify(jwt, registered, &keys, audiences, now)?;
    let mut tx = ctx.store.begin().await?;
    let fresh = tx.use_assertion(&assertion.client, &assertion.jti, assertion.expires_at, now).await?;
    tx.commit().await?;
    if !fresh {
        return Err(Refused::new("invalid_client", "client_assertion: this `jti` was used before").into());
    }
    let form = asked.purpose.as_deref().map(|text| text.split([' ', ',']).map(str::to_string).collect());
    let purposes = assertion.purposes.or(form);
    let scope = asked.scope.as_deref().unwrap_or(&client.scope);
    token(ctx, &client, scope, purposes, TTL_MAX_SECS).await
}

/// An operator's shortcut: a token for a registered client without an assertion (rules.md 34).
pub async fn token_for(
    ctx: &Context,
    client: &str,
    purpose: Option<Vec<String>>,
    ttl_secs: i64,
) -> Result<Granted, NoToken> {
    let unknown = || Refused::new("invalid_client", format!("client `{client}` is not registered"));
    let client = ctx.client(client).await?.ok_or_else(unknown)?;
    let scope = client.scope.clone();
    token(ctx, &client, &scope, purpose, ttl_secs).await
}

async fn token(
    ctx: &Context,
    client: &Client,
    scope: &str,
    purposes: Option<Vec<String>>,
    ttl_secs: i64,
) -> Result<Granted, NoToken> {
    let invalid = |word: String| Refused::new("invalid_scope", format!("`{word}` is not a scope that is granted here"));
    let granted = Scopes::known(scope).narrowed(&Scopes::read(&client.scope).map_err(invalid)?);
    if granted.is_empty() {
        return Err(Refused::new("invalid_scope", "none of the scopes is registered for this client").into());
    }
    let unknown = || Refused::new("invalid_client", "the client's partner is not registered");
    let partner = ctx.partner(&client.partner).await?.ok_or_else(unknown)?;
    let registered = client.purposes(&partner);
    let purposes = match purposes {
        None => registered.into_iter().take(1).collect(),
        Some(asked) if !asked.is_empty() && asked.iter().all(|one| registered.contains(one)) => asked,
        Some(_) => {
            return Err(Refused::new(
                "invalid_grant",
                "a purpose was asked for that is not registered for this client",
            )
            .into());
        }
    };
    let claims = claims(ctx, Use::Access, &client.id, &client.partner, granted.to_string(), purposes, ttl_secs);
    let token = claims.sign(&ctx.keys).ok_or_else(|| Fault::new("sign a token", "the key does not sign"))?;
    Ok(Granted { token, scope: claims.scope, expires_in: ttl_secs })
}

fn claims(
    ctx: &Context,
    used_for: Use,
    subject: &str,
    partner: &str,
    scope: String,
    purpose: Vec<String>,
    ttl_secs: i64,
) -> Claims {
    let now = ctx.now();
    Claims {
        iss: ctx.keys.exchange.clone(),
        aud: ctx.keys.exchange.clone(),
        sub: subject.to_string(),
        client_id: subject.to_string(),
        used_for,
        partner: partner.to_string(),
        scope,
        purpose,
        iat: now.as_secs(),
        exp: now.as_secs() + ttl_secs,
        jti: ctx.ids.in_bucket(0, now),
    }
}

async fn keys_of(ctx: &Context, client: &Client, now: Instant) -> Result<JwkSet, NoToken> {
    if let Some(url) = &client.jwks_url {
        return Ok(ctx.key_sets.at(url, now).await?);
    }
    let keys = client.jwks.as_deref().and_then(|text| serde_json::from_str(text).ok());
    Ok(keys.ok_or_else(|| Refused::new("invalid_client", "no key set is registered for this client"))?)
}

/// The caller behind an `Authorization` header.
///
/// # Errors
/// 401 for whatever is wrong with it, in one form.
pub async fn caller(ctx: &Context, authorization: Option<&str>) -> Result<Caller, Error> {
    let denied = || {
        let text =
            "expected a good access token: `Authorization: Bearer …` (see /fhir/.well-known/smart-configuration)";
        Error::one(No::Unauthenticated, Issue::error("login", "token", text))
    };
    let token = authorization.and_then(|text| text.strip_prefix("Bearer ").or_else(|| text.strip_prefix("bearer ")));
    let known = ctx.access(token.ok_or_else(denied)?.trim()).ok_or_else(denied)?;
    // A revoked client's tokens die with it.
    let client = ctx.client(&known.claims.sub).await?.ok_or_else(denied)?;
    if client.partner != known.claims.partner {
        return Err(denied());
    }
    let caller = known.caller.clone().ok_or_else(denied)?;
    Ok(caller.with_roles(client.roles()).with_practitioner(client.practitioner.clone()))
}

/// Whether an access token is good, and for what (RFC 7662); `None` says nothing about why not.
pub async fn introspect(ctx: &Context, token: &str) -> Result<Option<Claims>, Fault> {
    let Some(known) = ctx.access(token) else { return Ok(None) };
    let client = ctx.client(&known.claims.sub).await?;
    Ok(client.filter(|client| client.partner == known.claims.partner).map(|_| known.claims.clone()))
}

/// How long a session of the console lasts.
const SESSION_SECS: i64 = 8 * 3_600;
/// How long a demo's sign-in link works, and what it is sealed for.
const LINK: &str = "sign-in link";
const LINK_SECS: i64 = 7 * 24 * 3_600;

/// A sign-in link's token for a user of a demo: short, and opaque to whoever finds it.
pub async fn link_for(ctx: &Context, user: &str) -> Result<Option<String>, Fault> {
    let until = ctx.now().plus_secs(LINK_SECS).as_secs();
    let user = ctx.user(user).await?;
    Ok(user.and_then(|user| ctx.keys.seal(LINK, &format!("{until} {}", user.id))))
}

/// Trades a link's token for a session's, where links are turned on.
pub async fn session(ctx: &Context, link: &str) -> Result<Option<String>, Fault> {
    let opened = ctx.keys.open(LINK, link).filter(|_| ctx.config.console.sign_in_links);
    let Some((until, id)) = opened.as_deref().and_then(|text| text.split_once(' ')) else { return Ok(None) };
    if until.parse().is_ok_and(|until: i64| until > ctx.now().as_secs()) {
        let user = ctx.user(id).await?;
        return Ok(user.and_then(|user| user_claims(ctx, &user, SESSION_SECS).sign(&ctx.keys)));
    }
    Ok(None)
}

/// The user of a session, as a caller.
pub async fn session_caller(ctx: &Context, session: &str) -> Result<Option<(Caller, User)>, Fault> {
    let Some(claims) = Claims::verify(session, Use::Session, &ctx.keys, ctx.now()) else { return Ok(None) };
    let user = ctx.user(&claims.sub).await?.filter(|user| user.partner == claims.partner);
    let caller = |user: &User| {
        Some(Caller::user(&claims)?.with_roles(user.roles()).with_practitioner(user.practitioner.clone()))
    };
    Ok(user.and_then(|user| Some((caller(&user)?, user))))
}

fn user_claims(ctx: &Context, user: &User, ttl_secs: i64) -> Claims {
    // Compliance sees decisions, not clinical bodies (rules.md 18); the console's purposes are rules.md 22.
    let (scope, purpose) = match user.role {
        Role::Compliance => ("system/AuditEvent.rs system/Consent.rs", "HCOMPL"),
        Role::Operator => ("system/AuditEvent.rs system/Consent.rs system/Organization.rs", "HSYSADMIN"),
        _ => ("system/*.crus", "COC"),
    };
    claims(ctx, Use::Session, &user.id, &user.partner, scope.to_string(), vec![purpose.to_string()], ttl_secs)
}
