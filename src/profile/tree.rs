//! A profile's elements as a tree, slices beside children.

use serde_json::Value;

use super::facts::{Element, bare};

#[derive(Debug, Default)]
pub struct Tree {
    pub facts: Element,
    pub children: Vec<(String, Tree)>,
    pub slices: Vec<(String, Tree)>,
}

impl Tree {
    pub fn grow(elements: Vec<Element>) -> Tree {
        let mut root = Tree::default();
        for element in elements {
            let mut at = &mut root;
            for segment in element.id.split('.').filter(|segment| !segment.is_empty()) {
                let (name, slice) = segment.split_once(':').unwrap_or((segment, ""));
                at = branch(&mut at.children, name);
                if !slice.is_empty() {
                    at = branch(&mut at.slices, slice);
                }
            }
            at.facts = element;
        }
        root
    }

    /// The most there may be, when that is a number.
    pub fn max(&self) -> Option<u32> {
        self.facts.max.as_deref()?.parse().ok()
    }

    pub fn is_prohibited(&self) -> bool {
        self.max() == Some(0)
    }

    pub fn child(&self, name: &str) -> Option<&Tree> {
        self.children.iter().find(|(known, _)| known.trim_end_matches("[x]") == name).map(|(_, child)| child)
    }
}

fn branch<'t>(branches: &'t mut Vec<(String, Tree)>, name: &str) -> &'t mut Tree {
    let at = branches.iter().position(|(known, _)| known == name).unwrap_or_else(|| {
        branches.push((name.to_string(), Tree::default()));
        branches.len() - 1
    });
    &mut branches[at].1
}

/// The url that an extension's slice, or its definition, has.
pub fn extension_url(slice: &Tree) -> Option<String> {
    let fixed = slice.child("url").and_then(|url| url.facts.fixed.as_ref()).and_then(Value::as_str);
    let profile = || slice.facts.types.iter().flat_map(|kind| &kind.profiles).next().map(|url| bare(url));
    fixed.or_else(profile).map(str::to_string)
}
