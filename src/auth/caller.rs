//! The receipt that every flow demands: who is asking, for which partner and purpose.

use crate::fhir::interaction::Interaction;
use crate::fhir::search::Searchable;

use super::scopes::Scopes;
use super::token::Claims;

/// How a caller came in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// A system with an access token.
    Client,
    /// A person with a session of the console.
    User,
    /// The operator at the command line.
    Operator,
}

/// Who is asking. Made only here, from what was verified.
#[derive(Clone, Debug)]
pub struct Caller {
    partner: String,
    subject: String,
    way: Way,
    scopes: Scopes,
    purposes: Vec<String>,
}

impl Caller {
    /// From an access token's claims, which only [`Claims::verify`] hands out.
    pub fn client(claims: &Claims) -> Option<Caller> {
        Some(Caller {
            partner: claims.partner.clone(),
            subject: claims.sub.clone(),
            way: Way::Client,
            scopes: Scopes::read(&claims.scope).ok()?,
            purposes: claims.purpose.clone(),
        })
    }

    /// From a session's claims; what a user may do follows from the scopes of the role.
    pub fn user(claims: &Claims) -> Option<Caller> {
        Caller::client(claims).map(|caller| Caller { way: Way::User, ..caller })
    }

    /// The operator, acting for a partner from the command line.
    pub fn operator(partner: &str) -> Caller {
        Caller {
            partner: partner.to_string(),
            subject: "operator".to_string(),
            way: Way::Operator,
            scopes: Scopes::read("system/*.cruds").unwrap_or_default(),
            purposes: vec!["COC".to_string()],
        }
    }

    /// The same caller for fewer purposes (`X-Purpose-Of-Use`); `None` if one is not among those it has.
    pub fn narrowed(self, purposes: &[String]) -> Option<Caller> {
        let held = purposes.iter().all(|purpose| self.purposes.contains(purpose));
        (held && !purposes.is_empty()).then(|| Caller { purposes: purposes.to_vec(), ..self })
    }

    /// The partner's id.
    pub fn partner(&self) -> &str {
        &self.partner
    }

    /// The client's or user's id.
    pub fn subject(&self) -> &str {
        &self.subject
    }

    pub fn way(&self) -> Way {
        self.way
    }

    pub fn purposes(&self) -> &[String] {
        &self.purposes
    }

    /// Whether its scopes cover an interaction with a type.
    pub fn may(&self, interaction: Interaction, kind: &str) -> bool {
        interaction.letter().is_none_or(|letter| self.scopes.allow(kind, letter))
    }
}

impl Searchable for Caller {
    fn covers(&self, kind: &str) -> bool {
        self.may(Interaction::SearchType, kind)
    }
}
