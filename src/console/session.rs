//! Who is at the browser: a cookie becomes a signed-in user, a user becomes one who may see a sort of page.
//!
//! The cookie goes to `/console` alone, never to a script and never along from another site. A form is believed only
//! with the seal that its page was given: a hash of the session that another site cannot know.

use std::fmt::Write;
use std::sync::Arc;

use aws_lc_rs::constant_time::verify_slices_are_equal;
use aws_lc_rs::digest::{SHA256, digest};
use axum::body::{Body, to_bytes};
use axum::extract::FromRequestParts;
use axum::http::header;
use axum::http::request::Parts;
use url::form_urlencoded;

use crate::auth::Caller;
use crate::gateway::{Context, Request, sign_in};
use crate::partner::{Role, User};

use super::page::Trouble;

const COOKIE: &str = "handoff_session";
/// More than any answer to a referral needs.
const FORM_MAX_BYTES: usize = 64 * 1024;

/// A user with a good session.
#[derive(Debug)]
pub struct Signed {
    pub caller: Caller,
    pub user: User,
    /// The name of the user's partner.
    pub partner: String,
    pub request: Request,
    seal: String,
}

/// One who works with referrals.
#[derive(Debug)]
pub struct Staff(Signed);

/// One who reads the log.
#[derive(Debug)]
pub struct Officer(Signed);

/// One who looks after consents: compliance, and who works with people whose consents an agency keeps.
#[derive(Debug)]
pub struct Keeper(Signed);

/// What a form said. Made only from one that carried its session's seal.
#[derive(Debug)]
pub struct Form(Vec<(String, String)>);

/// What a role may open.
pub fn works(role: Role) -> bool {
    matches!(role, Role::AgencyStaff | Role::CaseManager | Role::Supervisor)
}

/// Those who follow what their agency sent.
pub fn follows(role: Role) -> bool {
    matches!(role, Role::CaseManager | Role::Supervisor)
}

/// Those who open consents.
pub fn keeps(role: Role) -> bool {
    follows(role) || !works(role)
}

/// The page that a user starts on.
pub fn start(role: Role) -> &'static str {
    if works(role) { "/console/inbox" } else { "/console/log" }
}

/// `Set-Cookie` for a session; `None` ends it.
pub fn cookie(ctx: &Context, session: Option<&str>) -> String {
    let https = ctx.config.server.base_url.as_deref().is_some_and(|base| base.starts_with("https://"));
    let secure = if https { "; Secure" } else { "" };
    let ends = if session.is_none() { "; Max-Age=0" } else { "" };
    format!("{COOKIE}={}; Path=/console; HttpOnly; SameSite=Strict{secure}{ends}", session.unwrap_or(""))
}

impl FromRequestParts<Arc<Context>> for Signed {
    type Rejection = Trouble;

    async fn from_request_parts(parts: &mut Parts, ctx: &Arc<Context>) -> Result<Signed, Trouble> {
        let cookies = parts.headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
        let mut cookies = cookies.flat_map(|text| text.split(';')).filter_map(|one| one.trim().split_once('='));
        let (_, session) = cookies.find(|(name, _)| *name == COOKIE).ok_or(Trouble::SignedOut)?;
        let (caller, user) = sign_in::session_caller(ctx, session).await?.ok_or(Trouble::SignedOut)?;
        let partner = ctx.partner(&user.partner).await?.map_or_else(|| user.partner.clone(), |partner| partner.name);
        let request = parts.extensions.get::<Request>().cloned().unwrap_or_else(|| Request { id: String::new() });
        Ok(Signed { caller, user, partner, request, seal: seal(session) })
    }
}

impl FromRequestParts<Arc<Context>> for Staff {
    type Rejection = Trouble;

    async fn from_request_parts(parts: &mut Parts, ctx: &Arc<Context>) -> Result<Staff, Trouble> {
        let signed = Signed::from_request_parts(parts, ctx).await?;
        if works(signed.user.role) { Ok(Staff(signed)) } else { Err(Trouble::WrongRole(Box::new(signed))) }
    }
}

impl FromRequestParts<Arc<Context>> for Officer {
    type Rejection = Trouble;

    async fn from_request_parts(parts: &mut Parts, ctx: &Arc<Context>) -> Result<Officer, Trouble> {
        let signed = Signed::from_request_parts(parts, ctx).await?;
        if works(signed.user.role) { Err(Trouble::WrongRole(Box::new(signed))) } else { Ok(Officer(signed)) }
    }
}

impl FromRequestParts<Arc<Context>> for Keeper {
    type Rejection = Trouble;

    async fn from_request_parts(parts: &mut Parts, ctx: &Arc<Context>) -> Result<Keeper, Trouble> {
        let signed = Signed::from_request_parts(parts, ctx).await?;
        if keeps(signed.user.role) { Ok(Keeper(signed)) } else { Err(Trouble::WrongRole(Box::new(signed))) }
    }
}

impl Keeper {
    pub fn signed(&self) -> &Signed {
        &self.0
    }
}

impl Staff {
    pub fn signed(&self) -> &Signed {
        &self.0
    }

    pub fn into_signed(self) -> Signed {
        self.0
    }
}

impl Officer {
    pub fn signed(&self) -> &Signed {
        &self.0
    }
}

impl Signed {
    /// What a form of this session carries, hidden.
    pub fn seal(&self) -> &str {
        &self.seal
    }

    /// Reads a form of this session.
    ///
    /// # Errors
    /// That it is too large, or does not carry the session's seal.
    pub async fn form(&self, body: Body) -> Result<Form, Trouble> {
        let bytes = to_bytes(body, FORM_MAX_BYTES).await.map_err(|_| Trouble::TooLarge)?;
        let form = Form(form_urlencoded::parse(&bytes).into_owned().collect());
        let sent = form.text("seal");
        verify_slices_are_equal(sent.as_bytes(), self.seal.as_bytes()).map_err(|_| Trouble::Forged)?;
        Ok(form)
    }
}

impl Form {
    /// A field without the blanks around it; empty when it was not sent.
    pub fn text(&self, name: &str) -> &str {
        self.0.iter().find(|(field, _)| field == name).map_or("", |(_, value)| value.trim())
    }
}

fn seal(session: &str) -> String {
    let hash = digest(&SHA256, format!("handoff console form\n{session}").as_bytes());
    hash.as_ref().iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}
