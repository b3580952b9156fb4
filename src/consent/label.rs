//! Security labels: the order of confidentiality and the tree of sensitivities, as data (consent.md R7, R8).
//!
//! A rule on a sensitivity covers what lies below it. Law, compartment and handling codes match by equality.

pub const ACT_CODE: &str = "http://terminology.hl7.org/CodeSystem/v3-ActCode";
pub const CONFIDENTIALITY: &str = "http://terminology.hl7.org/CodeSystem/v3-Confidentiality";
pub const OBSERVATION_VALUE: &str = "http://terminology.hl7.org/CodeSystem/v3-ObservationValue";

/// Stands for any code of its system in a resource's labels; see `Facts::labels`.
pub const ANY_CODE: &str = "*";

/// Lowest first; the place is the rank.
const ORDER: [&str; 6] = ["U", "L", "M", "N", "R", "V"];
pub const NORMAL: u8 = 3;

/// Parent and children. ETH over SUD is ours, as policy data: v3-ActCode gives ETH no children.
const TREE: &[(&str, &[&str])] = &[
    ("SPI", &["BH", "MH", "PSY", "PSYTHPN", "SUD"]),
    ("BH", &["COGN", "DVD", "EMOTDIS"]),
    ("SUD", &["ETHUD", "OPIOIDUD"]),
    ("ETH", &["SUD"]),
];

/// Codes of v3-ActCode that may label a resource and have nothing below them: sensitivities, laws, compartments,
/// and instructions for handling.
const FLAT: &[&str] = &[
    "GDIS",
    "HIV",
    "IDS",
    "MST",
    "PREGNANT",
    "SCA",
    "SDV",
    "SEX",
    "SICKLE",
    "STD",
    "TBOO",
    "VIO",
    "ADOL",
    "B",
    "CEL",
    "DEMO",
    "DIA",
    "DOB",
    "DRGIS",
    "EMP",
    "EMPL",
    "GENDER",
    "LIVARG",
    "LOCIS",
    "MARST",
    "PDS",
    "PHY",
    "PRS",
    "RACE",
    "REL",
    "SSP",
    "VIP",
    "JurisIP",
    "OrgIP",
    "PersIP",
    "42CFRPart2",
    "CommonRule",
    "HIPAAAuth",
    "HIPAAConsent",
    "HIPAANOPP",
    "HIPAAPsyNotes",
    "HIPAAROA",
    "HIPAASelfPay",
    "Title38Section7332",
    "COMPT",
    "ACOCOMPT",
    "CTCOMPT",
    "FMCOMPT",
    "HRCOMPT",
    "LRCOMPT",
    "PACOMPT",
    "RESCOMPT",
    "RMGTCOMPT",
    "AUDIT",
    "DEID",
    "ENCRYPT",
    "MASK",
    "MINEC",
    "NOAUTH",
    "NOCOLLECT",
    "NODSCLCD",
    "NODSCLCDS",
    "NOINTEGRATE",
    "NOLIST",
    "NOMOU",
    "NOORGPOL",
    "NOPAT",
    "NOPERSISTP",
    "NORDSCLCD",
    "NORDSCLCDS",
    "NORDSCLW",
    "NORELINK",
    "NOREUSE",
    "NOVIP",
    "ORCON",
    "PERSISTLABEL",
    "PSEUD",
    "REDACT",
];

/// The rank of a confidentiality code.
pub fn rank(code: &str) -> Option<u8> {
    ORDER.iter().position(|known| *known == code).and_then(|place| u8::try_from(place).ok())
}

/// Whether this code of v3-ActCode is one that labels.
pub fn is_known(code: &str) -> bool {
    FLAT.contains(&code) || TREE.iter().any(|(parent, children)| *parent == code || children.contains(&code))
}

/// The code and all below it.
pub fn with_all_below(code: &str) -> Vec<&str> {
    let mut found = vec![code];
    let mut next = 0;
    while let Some(code) = found.get(next).copied() {
        for (parent, children) in TREE {
            if *parent == code {
                found.extend(children.iter().filter(|child| !found.contains(*child)).copied().collect::<Vec<_>>());
            }
        }
        next += 1;
    }
    found
}

/// The code of a rank.
pub fn code_of(rank: u8) -> &'static str {
    ORDER.get(usize::from(rank)).copied().unwrap_or("V")
}

/// Whether one of two sensitivities lies at or below the other.
pub fn are_related(one: &str, other: &str) -> bool {
    with_all_below(one).contains(&other) || with_all_below(other).contains(&one)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_label_fits_into_one_mask() {
        let in_tree = TREE.iter().map(|(_, children)| children.len() + 1).sum::<usize>();
        assert!(FLAT.len() + in_tree <= super::super::sensitivity::Mask::BITS as usize);
    }
}
