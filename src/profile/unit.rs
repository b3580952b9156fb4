//! The units of UCUM that forms and plans bound their numbers in, so that 10 km and 12 000 m can be compared.
//!
//! Only what multiplies: a temperature in Fahrenheit is not so many of one in Celsius, and stays uncompared.

pub const UCUM: &str = "http://unitsofmeasure.org";

/// What a unit measures, and how many of its dimension's first unit it is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Unit {
    pub dimension: &'static str,
    pub factor: f64,
}

/// Units that take prefixes.
const METRIC: [(&str, &str, f64); 12] = [
    ("m", "length", 1.0),
    ("g", "mass", 1.0),
    ("s", "time", 1.0),
    ("L", "volume", 1.0),
    ("l", "volume", 1.0),
    ("mol", "amount", 1.0),
    ("Pa", "pressure", 1.0),
    ("m[Hg]", "pressure", 133_322.0),
    ("J", "energy", 1.0),
    ("cal", "energy", 4.184),
    ("W", "power", 1.0),
    ("Hz", "frequency", 1.0),
];
const OTHERS: [(&str, &str, f64); 20] = [
    ("min", "time", 60.0),
    ("h", "time", 3_600.0),
    ("d", "time", 86_400.0),
    ("wk", "time", 604_800.0),
    ("mo", "time", 2_629_800.0),
    ("a", "time", 31_557_600.0),
    ("[in_i]", "length", 0.0254),
    ("[ft_i]", "length", 0.3048),
    ("[yd_i]", "length", 0.9144),
    ("[mi_i]", "length", 1_609.344),
    ("[lb_av]", "mass", 453.592_37),
    ("[oz_av]", "mass", 28.349_523_125),
    ("[stone_av]", "mass", 6_350.293_18),
    ("t", "mass", 1_000_000.0),
    ("1", "number", 1.0),
    ("%", "number", 0.01),
    ("Cel", "temperature in Celsius", 1.0),
    ("[degF]", "temperature in Fahrenheit", 1.0),
    ("K", "temperature in Kelvin", 1.0),
    ("[IU]", "units", 1.0),
];
const PREFIXES: [(&str, f64); 12] = [
    ("da", 1e1),
    ("h", 1e2),
    ("k", 1e3),
    ("M", 1e6),
    ("G", 1e9),
    ("d", 1e-1),
    ("c", 1e-2),
    ("m", 1e-3),
    ("u", 1e-6),
    ("n", 1e-9),
    ("p", 1e-12),
    ("f", 1e-15),
];

/// `None` for a unit that is not among these, which says nothing against it.
pub fn find(code: &str) -> Option<Unit> {
    let known = METRIC.iter().chain(&OTHERS).find(|(name, ..)| *name == code);
    let plain = known.map(|(_, dimension, factor)| Unit { dimension, factor: *factor });
    plain.or_else(|| {
        PREFIXES.iter().find_map(|(prefix, times)| {
            let rest = code.strip_prefix(prefix)?;
            let (_, dimension, factor) = METRIC.iter().find(|(name, ..)| *name == rest)?;
            Some(Unit { dimension, factor: factor * times })
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prefix_counts_where_the_unit_takes_one() {
        let table =
            [("km", "length", 1e3), ("mm[Hg]", "pressure", 133.322), ("min", "time", 60.0), ("mL", "volume", 1e-3)];
        for (code, dimension, factor) in table {
            let found = find(code).unwrap();
            assert_eq!(found.dimension, dimension, "{code}");
            assert!((found.factor / factor - 1.0).abs() < 1e-9, "{code}");
        }
        assert_eq!(find("k[mi_i]"), None);
        assert_eq!(find("Kg"), None);
    }
}
