//! Purposes of use: the tree of v3-ActReason as published with R4 (2018-08-12), as data (consent.md R6).
//!
//! A rule on a parent covers its children, never the reverse. A code outside the tree is within itself alone.

pub const ACT_REASON: &str = "http://terminology.hl7.org/CodeSystem/v3-ActReason";

/// Purposes within emergency treatment: what breaking the glass and EMRGONLY are about.
pub const EMERGENCY: &str = "ETREAT";
pub const TREATMENT: &str = "TREAT";

/// Parent and children.
const TREE: &[(&str, &[&str])] = &[
    ("TREAT", &["CLINTRL", "COC", "ETREAT", "POPHLTH"]),
    ("ETREAT", &["BTG", "ERTREAT"]),
    ("HPAYMT", &["CLMATTCH", "COVAUTH", "COVERAGE", "REMITADV"]),
    ("COVERAGE", &["ELIGDTRM", "ELIGVER", "ENROLLM", "MILDCRG"]),
    (
        "HOPERAT",
        &[
            "CAREMGT",
            "DONAT",
            "FRAUD",
            "GOV",
            "HACCRED",
            "HCOMPL",
            "HDECD",
            "HDIRECT",
            "HDM",
            "HLEGAL",
            "HOUTCOMS",
            "HPRGRP",
            "HQUALIMP",
            "TRAIN",
            "HSYSADMIN",
            "MEMADMIN",
            "MILCDM",
            "PATADMIN",
            "PATSFTY",
            "PERFMSR",
            "RECORDMGT",
            "SYSDEV",
        ],
    ),
    ("HSYSADMIN", &["LABELING", "METAMGT"]),
    ("SYSDEV", &["HTEST"]),
    ("HRESCH", &["BIORCH", "CLINTRCH", "DSRCH", "POARCH", "TRANSRCH"]),
    ("CLINTRCH", &["CLINTRCHNPC", "CLINTRCHPC", "PRECLINTRCH"]),
    ("PATRQT", &["FAMRQT", "PWATRNY", "SUPNWK"]),
    ("PUBHLTH", &["DISASTER", "THREAT"]),
    ("HMARKT", &[]),
];

/// Whether the tree has this code.
pub fn is_known(code: &str) -> bool {
    TREE.iter().any(|(parent, children)| *parent == code || children.contains(&code))
}

/// Whether `code` is `ancestor` or lies below it.
pub fn is_within(code: &str, ancestor: &str) -> bool {
    code == ancestor || parent(code).is_some_and(|parent| is_within(parent, ancestor))
}

/// The code and all above it: what a label or a rule may say to cover it.
pub fn covering(code: &str) -> Vec<&str> {
    std::iter::successors(Some(code), |code| parent(code)).collect()
}

/// How many steps `code` lies below `ancestor`; `None` where it does not.
pub fn distance(code: &str, ancestor: &str) -> Option<usize> {
    covering(code).into_iter().position(|own| own == ancestor)
}

fn parent(code: &str) -> Option<&'static str> {
    TREE.iter().find(|(_, children)| children.contains(&code)).map(|(parent, _)| *parent)
}
