//! The paths of discriminators: the part of FHIRPath that R4 allows there (profiling.html#discriminator).

/// One step of a path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Stride {
    Child(String),
    /// The extensions with that url.
    Extension(String),
    /// What is of that type, of a choice.
    OfType(String),
    /// What the reference leads to.
    Resolve,
}

/// `$this`, `a.b`, `extension('url').value`, `value.ofType(X)`, `entry.resolve()`; `None` for anything else.
pub fn strides(path: &str) -> Option<Vec<Stride>> {
    let mut rest = path.trim();
    let mut found = Vec::new();
    while !rest.is_empty() {
        if let Some(after) = rest.strip_prefix("extension(") {
            let quote = after.chars().next().filter(|quote| matches!(quote, '\'' | '"'))?;
            let (url, after) = after[1..].split_once(quote)?;
            found.push(Stride::Extension(url.to_string()));
            rest = after.strip_prefix(')')?.trim_start_matches('.');
            continue;
        }
        let (step, after) = rest.split_once('.').unwrap_or((rest, ""));
        match step.split_once('(') {
            None if step == "$this" => {}
            None => found.push(Stride::Child(step.to_string())),
            Some(("resolve", ")")) => found.push(Stride::Resolve),
            Some(("ofType", kind)) => found.push(Stride::OfType(kind.strip_suffix(')')?.to_string())),
            Some(_) => return None,
        }
        rest = after;
    }
    Some(found)
}

#[cfg(test)]
mod tests {
    use super::Stride::{Child, Extension, OfType, Resolve};
    use super::*;

    #[test]
    fn paths_are_taken_apart_or_not_at_all() {
        let child = |name: &str| Child(name.to_string());
        for (path, expected) in [
            ("$this", Some(vec![])),
            ("coding.code", Some(vec![child("coding"), child("code")])),
            ("$this.resolve()", Some(vec![Resolve])),
            ("item.resolve().code", Some(vec![child("item"), Resolve, child("code")])),
            ("extension('http://a.b/c').value", Some(vec![Extension("http://a.b/c".into()), child("value")])),
            ("value.ofType(Quantity).code", Some(vec![child("value"), OfType("Quantity".into()), child("code")])),
            ("where(a = 1)", None),
            ("extension(url)", None),
        ] {
            assert_eq!(strides(path), expected, "{path}");
        }
    }
}
