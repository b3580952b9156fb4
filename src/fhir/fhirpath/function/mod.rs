//! Calls of functions: which arguments they take, and as what.
//!
//! A criterion or a projection is evaluated for each item; any other argument once, where the call stands.

mod convert;
mod edge;
mod fhir;
mod math;
mod set;
mod text;
mod time;

use super::catalogue::Function;
use super::evaluate::{Found, Frame, Run};
use super::item::{Item, Items};
use super::scope::Failure;
use super::tree::{Call, Expr};

pub use text::pattern;

impl<'a> Run<'a> {
    pub fn call(&self, call: &'a Call, frame: &Frame<'_, 'a>) -> Found<'a> {
        use Function::*;
        if let Some(truth) = self.tested(call, frame)? {
            return Ok(truth.map(Item::Boolean).into());
        }
        let on = self.items(&call.on, frame)?;
        self.pay(on.len())?;
        match call.function {
            Empty | Exists | All | Not => Ok(Items::None),
            AllTrue | AnyTrue | AllFalse | AnyFalse => self.truths(call.function, &on),
            Count => Ok(Items::One(Item::Integer(i32::try_from(on.len()).unwrap_or(i32::MAX)))),
            Where | Select | Repeat | Aggregate | Sort | Iif | Trace => self.each(call, on, frame),
            Distinct => Ok(self.distinct(on.into_vec())?.into()),
            IsDistinct | SubsetOf | SupersetOf | Intersect | Exclude | Union | Combine => self.set(call, on, frame),
            Single => Ok(self.only(&on, "one item for `single()`")?.cloned().into()),
            First => Ok(on.into_vec().into_iter().next().into()),
            Last => Ok(on.into_vec().pop().into()),
            Tail => Ok(on.into_vec().into_iter().skip(1).collect()),
            Skip | Take => {
                let Some(count) = self.whole_arg(call, 0, frame)? else { return Ok(Items::None) };
                let (count, all) = (usize::try_from(count).unwrap_or(0), on.into_vec().into_iter());
                Ok(if call.function == Skip { all.skip(count).collect() } else { all.take(count).collect() })
            }
            ToBoolean | ConvertsToBoolean | ToInteger | ConvertsToInteger | ToDate | ConvertsToDate | ToDateTime
            | ConvertsToDateTime | ToDecimal | ConvertsToDecimal | ToQuantity | ConvertsToQuantity | ToText
            | ConvertsToText | ToTime | ConvertsToTime => self.convert(call.function, &on),
            IndexOf | LastIndexOf | Substring | StartsWith | EndsWith | ContainsText | Upper | Lower | Replace
            | Matches | MatchesFull | ReplaceMatches | Length | ToChars | Trim | Split | Join | Encode | Decode
            | Escape | Unescape => self.text_function(call, on, frame),
            Abs | Ceiling | Exp | Floor | Ln | Log | Power | Round | Sqrt | Truncate => self.math(call, &on, frame),
            Children => self.children(&on),
            Descendants => self.descendants(on),
            Now | Today | TimeOfDay => self.moment(call.function),
            Type => Ok(on.iter().map(|item| self.type_info(item)).collect()),
            LowBoundary | HighBoundary | Precision | Comparable => self.edge(call, &on, frame),
            Extension | HasExtension | HasValue | GetValue | Resolve | ElementDefinition | Slice | CheckModifiers
            | ConformsTo | MemberOf | Subsumes | SubsumedBy | HtmlChecks => self.fhir(call, on, frame),
        }
    }

    fn each(&self, call: &'a Call, on: Items<'a>, frame: &Frame<'_, 'a>) -> Found<'a> {
        match (call.function, &call.args[..]) {
            (Function::Where, [criterion]) => {
                let mut kept = Items::None;
                for (index, item) in on.iter().enumerate() {
                    if self.truth(criterion, &frame.of(item, index))? == Some(true) {
                        kept.push(item.clone());
                    }
                }
                Ok(kept)
            }
            (Function::Select, [projection]) => {
                let mut found = Items::None;
                for (index, item) in on.iter().enumerate() {
                    self.items(projection, &frame.of(item, index))?
                        .into_vec()
                        .into_iter()
                        .for_each(|it| found.push(it));
                }
                Ok(found)
            }
            (Function::Repeat, [projection]) => self.repeat(projection, on, frame),
            (Function::Aggregate, [step, start @ ..]) => {
                let mut total = match start {
                    [start, ..] => self.items(start, frame)?,
                    [] => Items::None,
                };
                for (index, item) in on.iter().enumerate() {
                    let inner = Frame { this: std::slice::from_ref(item), index, total: total.as_slice() };
                    total = self.items(step, &inner)?;
                }
                Ok(total)
            }
            (Function::Sort, keys) => self.sort(keys, on, frame),
            (Function::Iif, [criterion, then, otherwise @ ..]) => {
                self.only(&on, "at most one item for `iif()`")?;
                let inner = Frame { this: on.as_slice(), ..*frame };
                match (self.truth(criterion, &inner)?, otherwise) {
                    (Some(true), _) => self.items(then, &inner),
                    (_, [otherwise, ..]) => self.items(otherwise, &inner),
                    _ => Ok(Items::None),
                }
            }
            // What is traced is data of patients: it goes on, and nowhere else.
            _ => Ok(on),
        }
    }

    fn repeat(&self, projection: &'a Expr, on: Items<'a>, frame: &Frame<'_, 'a>) -> Found<'a> {
        let mut found: Vec<Item<'a>> = Vec::new();
        let mut open = on.into_vec();
        while !open.is_empty() {
            let mut new = Vec::new();
            for (index, item) in open.iter().enumerate() {
                for item in self.items(projection, &frame.of(item, index))?.into_vec() {
                    if !self.is_among(&item, &found)? {
                        found.push(item.clone());
                        new.push(item);
                    }
                }
            }
            open = new;
        }
        Ok(found.into())
    }

    fn truths(&self, function: Function, on: &Items<'a>) -> Found<'a> {
        let (wanted, all) = match function {
            Function::AllTrue => (true, true),
            Function::AnyTrue => (true, false),
            Function::AllFalse => (false, true),
            _ => (false, false),
        };
        let mut found = all;
        for item in on.iter() {
            let Item::Boolean(value) = self.simple(item) else {
                return Err(Failure::Wrong(format!("expected only booleans for `{}()`", function.name())));
            };
            if (value == wanted) != all {
                found = !all;
            }
        }
        Ok(Items::One(Item::Boolean(found)))
    }

    pub fn arg(&self, call: &'a Call, at: usize, frame: &Frame<'_, 'a>) -> Found<'a> {
        call.args.get(at).map_or(Ok(Items::None), |arg| self.items(arg, frame))
    }

    pub fn whole_arg(&self, call: &'a Call, at: usize, frame: &Frame<'_, 'a>) -> Result<Option<i32>, Failure> {
        self.whole(&self.arg(call, at, frame)?, "an argument")
    }

    pub fn text_arg(
        &self,
        call: &'a Call,
        at: usize,
        frame: &Frame<'_, 'a>,
    ) -> Result<Option<std::borrow::Cow<'a, str>>, Failure> {
        let items = self.arg(call, at, frame)?;
        match self.value(&items, "one argument")? {
            None => Ok(None),
            Some(Item::Text(text)) => Ok(Some(text)),
            Some(_) => Err(Failure::Wrong(format!("`{}()` takes a text", call.function.name()))),
        }
    }
}
