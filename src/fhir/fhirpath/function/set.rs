//! Collections beside each other (N1, 5.1 and 5.4), their order, and what is below their items.

use std::cmp::Ordering;
use std::ops::ControlFlow;

use super::super::catalogue::Function;
use super::super::evaluate::{Found, Frame, Run};
use super::super::item::{Item, Items};
use super::super::scope::Failure;
use super::super::tree::{Call, Expr};

impl<'a> Run<'a> {
    pub fn set(&self, call: &'a Call, on: Items<'a>, frame: &Frame<'_, 'a>) -> Found<'a> {
        let truth = |truth| Ok(Items::One(Item::Boolean(truth)));
        if call.function == Function::IsDistinct {
            let count = on.len();
            return truth(self.distinct(on.into_vec())?.len() == count);
        }
        let other = self.arg(call, 0, frame)?;
        match call.function {
            Function::SubsetOf => truth(self.is_subset(&on, &other)?),
            Function::SupersetOf => truth(self.is_subset(&other, &on)?),
            Function::Intersect => {
                let both = self.among(on.into_vec(), &other, true)?;
                Ok(self.distinct(both)?.into())
            }
            Function::Exclude => Ok(self.among(on.into_vec(), &other, false)?.into()),
            function => {
                self.pay(on.len() + other.len())?;
                let mut all = on.into_vec();
                all.extend(other.into_vec());
                Ok(if function == Function::Union { self.distinct(all)?.into() } else { all.into() })
            }
        }
    }

    fn is_subset(&self, some: &Items<'a>, all: &Items<'a>) -> Result<bool, Failure> {
        for item in some.iter() {
            if !self.is_among(item, all.as_slice())? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn among(&self, items: Vec<Item<'a>>, all: &Items<'a>, wanted: bool) -> Result<Vec<Item<'a>>, Failure> {
        let mut kept = Vec::new();
        for item in items {
            if self.is_among(&item, all.as_slice())? == wanted {
                kept.push(item);
            }
        }
        Ok(kept)
    }

    /// By each key in turn, `-key` from the greatest; what has no key comes after what has one.
    pub fn sort(&self, keys: &'a [Expr], on: Items<'a>, frame: &Frame<'_, 'a>) -> Found<'a> {
        let mut rows: Vec<(Vec<Option<Item<'a>>>, Item<'a>)> = Vec::with_capacity(on.len());
        for (index, item) in on.into_vec().into_iter().enumerate() {
            let mut row = Vec::new();
            for key in keys {
                let found = self.items(descending(key).unwrap_or(key), &frame.of(&item, index))?;
                let key = self.only(&found, "one key to sort by")?.map(|key| self.simple(key));
                // An element that has only extensions is no key.
                row.push(key.filter(|key| key.as_node().is_none()));
            }
            if keys.is_empty() {
                row.push(Some(item.clone()));
            }
            rows.push((row, item));
        }
        // By hand: moments and quantities have no total order, and the library's sort may panic without one.
        let mut sorted: Vec<(Vec<Option<Item<'a>>>, Item<'a>)> = Vec::with_capacity(rows.len());
        for row in rows {
            let mut at = sorted.len();
            while at > 0 && self.by_keys(keys, &row.0, &sorted[at - 1].0)? == Ordering::Less {
                at -= 1;
            }
            sorted.insert(at, row);
        }
        Ok(sorted.into_iter().map(|(_, item)| item).collect())
    }

    fn by_keys(
        &self,
        keys: &'a [Expr],
        one: &[Option<Item<'a>>],
        two: &[Option<Item<'a>>],
    ) -> Result<Ordering, Failure> {
        self.pay(1)?;
        for (at, pair) in one.iter().zip(two).enumerate() {
            let order = match pair {
                (Some(one), Some(two)) => self.order(one, two)?.unwrap_or(Ordering::Equal),
                (one, two) => one.is_none().cmp(&two.is_none()),
            };
            let is_down = keys.get(at).is_some_and(|key| descending(key).is_some());
            let order = if is_down { order.reverse() } else { order };
            if order != Ordering::Equal {
                return Ok(order);
            }
        }
        Ok(Ordering::Equal)
    }

    pub fn children(&self, on: &Items<'a>) -> Found<'a> {
        let mut found = Items::None;
        for item in on.iter().filter_map(Item::as_node) {
            self.is_reachable(item)?;
            let _ = item.children(self.model(), &mut |child| {
                found.push(Item::Node(child));
                ControlFlow::Continue(())
            });
        }
        self.pay(found.len())?;
        Ok(found)
    }

    /// Everything below, level by level.
    pub fn descendants(&self, on: Items<'a>) -> Found<'a> {
        let mut found = self.children(&on)?.into_vec();
        let mut at = 0;
        while let Some(item) = found.get(at).cloned() {
            found.extend(self.children(&Items::One(item))?.into_vec());
            at += 1;
        }
        Ok(found.into())
    }
}

fn descending(key: &Expr) -> Option<&Expr> {
    match key {
        Expr::Negative(key) => Some(key),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use crate::fhir::fhirpath::tests::{all, none};

    #[test]
    fn collections_are_compared_item_by_item() {
        all(&[
            ("1.combine(1).isDistinct()", "false"),
            ("(1 | 2).subsetOf(1 | 2 | 3)", "true"),
            ("(1 | 2).supersetOf(3)", "false"),
            ("{}.subsetOf(1)", "true"),
            ("(1 | 2 | 3).intersect(2 | 3 | 4)", "2, 3"),
            ("1.combine(1).combine(2).exclude(2)", "1, 1"),
            ("1.combine(1).distinct().count()", "1"),
            ("1.0 | 1", "1.0"),
            ("name.combine(name).distinct().count()", "2"),
            ("name[0] = name[0] and name[0] != name[1]", "true"),
            ("(1 | 2 | 3).first() | (1 | 2 | 3).last()", "1, 3"),
            ("(1 | 2 | 3).tail() | (1 | 2 | 3).skip(1).take(1)", "2, 3"),
            ("(1 | 2 | 3).skip(-1).count()", "3"),
            ("(1 | 2)[5]", ""),
            ("3 in (1 | 2) or (1 | 2) contains 2", "true"),
            ("name.aggregate($total + given.count(), 0)", "3"),
            ("repeat(contact | name).count()", "4"),
            ("(3 | 1 | 2).sort() = (1 | 2 | 3)", "true"),
            ("name.sort(-family).use", "usual, official"),
            ("name.sort(family).use", "official, usual"),
            ("name.given.sort(-$this)", "Nina, Maria, Ana"),
            ("(@2012 | @2012-06 | @2012-05).sort().first()", "2012"),
            ("descendants().where($this is HumanName).count()", "3"),
        ]);
        none(&[
            ("(1 | 2).single()", "found 2 items"),
            ("(1 | 'a').sort()", "to compare"),
            ("name in name", "found 2 items"),
        ]);
    }

    #[test]
    fn booleans_are_gathered() {
        all(&[
            ("name.select(family.hasValue()).allTrue()", "false"),
            ("name.select(family.hasValue()).anyTrue()", "true"),
            ("name.select(family.hasValue()).allFalse()", "false"),
            ("name.select(family.hasValue()).anyFalse()", "true"),
            ("{}.allTrue() and {}.anyTrue().not()", "true"),
            ("name.all(given.exists()) and name.exists(family = 'Silva')", "true"),
            ("iif(active, 'yes', 1 / 'a')", "yes"),
            ("{}.iif(false, 1)", ""),
        ]);
        none(&[("(true | 'a').allTrue()", "only booleans"), ("name.iif(true, 1)", "found 2 items")]);
    }
}
