//! The receipt that every flow demands: who is asking, for which partner and purpose.

use crate::consent::{EMERGENCY_ROLE, EMERGENCY_TREATMENT, Emergency, is_within};
use crate::fhir::interaction::Interaction;
use crate::fhir::search::Searchable;

use super::scopes::Scopes;
use super::token::Claims;

/// The role of who runs the exchange.
pub const OPERATOR: &str = "operator";

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
    roles: Vec<String>,
    practitioner: Option<String>,
    emergency: Option<Emergency>,
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
            roles: Vec::new(),
            practitioner: None,
            emergency: None,
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
            roles: vec![OPERATOR.to_string()],
            practitioner: None,
            emergency: None,
        }
    }

    /// The same caller for fewer purposes (`X-Purpose-Of-Use`); `None` if one is not among those it has.
    pub fn narrowed(self, purposes: &[String]) -> Option<Caller> {
        let held = purposes.iter().all(|purpose| self.purposes.contains(purpose));
        (held && !purposes.is_empty()).then(|| Caller { purposes: purposes.to_vec(), ..self })
    }

    /// The same caller in the roles that are registered for it now.
    #[must_use]
    pub fn with_roles(self, roles: Vec<String>) -> Caller {
        Caller { roles, ..self }
    }

    /// The same caller as the one of its partner's staff that is registered for it: `Practitioner/x`.
    #[must_use]
    pub fn with_practitioner(self, practitioner: Option<String>) -> Caller {
        Caller { practitioner, ..self }
    }

    /// The same caller under a declaration of an emergency, and for that purpose alone. Whether it may declare one, for
    /// what it asks, was settled before: [`Caller::may_break_glass`].
    #[must_use]
    pub fn in_emergency(self, declared: Emergency) -> Caller {
        Caller { emergency: Some(declared), purposes: vec!["BTG".to_string()], ..self }
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

    pub fn practitioner(&self) -> Option<&str> {
        self.practitioner.as_deref()
    }

    pub fn roles(&self) -> &[String] {
        &self.roles
    }

    /// Whether it may declare an emergency (consent.md section 6).
    pub fn may_break_glass(&self) -> bool {
        let for_emergencies = |purpose: &String| is_within(purpose, EMERGENCY_TREATMENT);
        // A user's purposes are those of the console; whoever has the role says by declaring what it is for.
        let may = self.way == Way::User || self.purposes.iter().any(for_emergencies);
        may && self.roles.iter().any(|role| role == EMERGENCY_ROLE)
    }

    /// Whether it acts for the exchange and not for its partner.
    pub fn is_operator(&self) -> bool {
        self.roles.iter().any(|role| role == OPERATOR)
    }

    pub fn emergency(&self) -> Option<&Emergency> {
        self.emergency.as_ref()
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
