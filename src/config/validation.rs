//! `[validation]`: which profiles are asked of whom, and how much each rule weighs.

use std::collections::BTreeMap;

use serde::Deserialize;

/// What an exchange asks of a resource besides what it claims.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Validation {
    /// Type to canonical to what is asked.
    pub profiles: BTreeMap<String, BTreeMap<String, Asked>>,
    /// A rule's code, or an invariant's key, to how much it weighs.
    pub levels: BTreeMap<String, Level>,
    /// What is said of one partner alone, over the above.
    pub partners: BTreeMap<String, OfPartner>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct OfPartner {
    pub profiles: BTreeMap<String, BTreeMap<String, Asked>>,
    pub levels: BTreeMap<String, Level>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Asked {
    /// What does not fit is refused.
    Required,
    /// What does not fit is taken, with a warning.
    Recommended,
    Off,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Level {
    Error,
    Warning,
    Information,
    Off,
}

/// What is asked of one partner's resources of one type.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Terms {
    pub required: Vec<String>,
    pub recommended: Vec<String>,
    pub levels: BTreeMap<String, Level>,
}

impl Terms {
    /// Nothing beyond what a resource claims.
    pub const fn none() -> Terms {
        Terms { required: Vec::new(), recommended: Vec::new(), levels: BTreeMap::new() }
    }
}

impl Validation {
    pub fn terms(&self, partner: &str, kind: &str) -> Terms {
        let own = self.partners.get(partner);
        let mut asked: BTreeMap<&str, Asked> = BTreeMap::new();
        for profiles in std::iter::once(&self.profiles).chain(own.map(|own| &own.profiles)) {
            asked.extend(profiles.get(kind).into_iter().flatten().map(|(url, asked)| (url.as_str(), *asked)));
        }
        let of = |wanted: Asked| {
            asked.iter().filter(|(_, asked)| **asked == wanted).map(|(url, _)| (*url).to_string()).collect()
        };
        let mut levels = self.levels.clone();
        levels.extend(own.into_iter().flat_map(|own| &own.levels).map(|(rule, level)| (rule.clone(), *level)));
        Terms { required: of(Asked::Required), recommended: of(Asked::Recommended), levels }
    }

    /// Every profile that is asked for, with its type.
    pub fn named(&self) -> impl Iterator<Item = (&str, &str)> {
        let all = std::iter::once(&self.profiles).chain(self.partners.values().map(|own| &own.profiles));
        all.flatten().flat_map(|(kind, profiles)| profiles.keys().map(move |url| (kind.as_str(), url.as_str())))
    }
}

#[cfg(test)]
mod tests {
    use figment::Figment;
    use figment::providers::{Format, Toml};

    use super::*;

    #[test]
    fn what_is_said_of_one_partner_counts_for_it_over_what_is_said_of_all() {
        let text = r#"
            levels = {"answer-option" = "warning", "con-4" = "off"}
            [profiles.Goal]
            "urn:a" = "recommended"
            "urn:b" = "required"
            [partners.clinic.profiles.Goal]
            "urn:a" = "required"
            "urn:b" = "off"
            [partners.clinic.levels]
            "con-4" = "error"
            [profiles.CarePlan]
            "urn:c" = "required"
        "#;
        let read: Validation = Figment::from(Toml::string(text)).extract().unwrap();
        let all = read.terms("housing", "Goal");
        assert_eq!((all.required, all.recommended), (vec!["urn:b".to_string()], vec!["urn:a".to_string()]));
        let own = read.terms("clinic", "Goal");
        assert_eq!((own.required, own.recommended), (vec!["urn:a".to_string()], vec![]));
        assert_eq!((all.levels["con-4"], own.levels["con-4"]), (Level::Off, Level::Error));
        assert_eq!(own.levels["answer-option"], Level::Warning);
        assert_eq!(read.terms("clinic", "Task").required, Vec::<String>::new());
        assert_eq!(read.named().count(), 5);
    }
}
