//! A profile's elements as a tree, slices beside children.

use crate::profile::facts::Element;

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
