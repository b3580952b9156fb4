//! What a profile asks of the slices of a list: how many there are, and what each must be.

use serde_json::{Value, json};

use crate::profile::found::listed;

use super::Rule;
use super::matcher;
use super::schema::{Demands, Writer};
use super::spot::Seat;
use crate::profile::tree::Tree;

impl<'p> Writer<'p> {
    pub fn slices(&mut self, child: &Tree, seat: Seat<'p>, demands: &mut Demands) {
        let list = &seat.field.name;
        let slicing = child.facts.slicing.as_ref();
        let mut tests: Vec<Value> = Vec::new();
        for (name, slice) in &child.slices {
            // What no schema can tell, `beyond` looks at.
            let Some(test) = matcher::slice(self.profiles, slicing, slice, seat) else { continue };
            let hint = matcher::hint(slice);
            if let Some(min) = slice.facts.min.filter(|min| *min > 0) {
                let text = format!("`{list}` needs at least {min} of `{name}`{hint} by {}, found fewer", self.by());
                let rule = Rule::new("required", "slice", text).complete();
                self.demand(demands, rule, json!({"contains": test, "minContains": min}));
            }
            if let Some(max) = slice.max() {
                let text = format!("`{list}` may have at most {max} of `{name}`{hint} by {}, found more", self.by());
                let rule = Rule::new("structure", "slice", text).complete();
                self.demand(demands, rule, json!({"contains": test, "minContains": 0, "maxContains": max}));
            }
            let mut inside = Demands::at(format!("{}/items/then", demands.next()));
            self.value(slice, seat, &mut inside);
            if !inside.list.is_empty() {
                demands.list.push(json!({"items": {"if": test, "then": {"allOf": inside.list}}}));
            }
            tests.push(test);
        }
        if self.is_strict()
            && slicing.is_some_and(|slicing| slicing.rules == "closed")
            && tests.len() == child.slices.len()
        {
            let names = listed(child.slices.iter().map(|(name, _)| name.as_str()));
            let text = format!("expected `{list}` to be one of {names} by {}", self.by());
            self.rule_at(format!("{}/items", demands.next()), Rule::new("structure", "slice", text));
            demands.list.push(json!({"items": {"anyOf": tests}}));
        }
    }
}
