//! What a function can be called on, and what it gives.

use super::super::catalogue::Function;
use super::super::model::System;
use super::super::tree::{Call, Expr};
use super::{Checked, Checker, Misuse, Static};

/// Types that `repeat()` may come by, one after the other: recursion in the definitions is shallower.
const REPEATS_MAX: usize = 8;

impl Checker<'_> {
    pub fn call(&self, call: &Call, this: &Static) -> Checked {
        use Function::*;
        let on = self.check(&call.on, this)?;
        let name = format!("`{}()`", call.function.name());
        let boolean = Ok(Static::system(System::Boolean));
        match (call.function, &call.args[..]) {
            (Exists | All | Where, [criterion]) => {
                self.check(criterion, &on)?;
                if call.function == Where { Ok(on) } else { boolean }
            }
            (Select, [projection]) => self.check(projection, &on),
            (Repeat, [projection]) => self.repeat(projection, on),
            (Aggregate, args) => {
                for (at, arg) in args.iter().enumerate() {
                    self.check(arg, if at == 0 { &on } else { this })?;
                }
                Ok(Static::any())
            }
            (Sort, keys) => {
                for key in keys {
                    // `-key` is a direction, whatever the key is.
                    self.check(if let Expr::Negative(key) = key { key } else { key }, &on)?;
                }
                Ok(Static { is_ordered: true, ..on })
            }
            (Iif, [criterion, branches @ ..]) => {
                let found = self.check(criterion, &on)?;
                self.expect(&found, |system| system == System::Boolean, "the criterion of `iif()`")?;
                let mut given = Static::nothing();
                for branch in branches {
                    given = given.or(self.check(branch, &on)?);
                }
                Ok(given)
            }
            (Trace, [label, projection @ ..]) => {
                self.check(label, this)?;
                for projection in projection {
                    self.check(projection, &on)?;
                }
                Ok(on)
            }
            (function, args) => {
                let given: Vec<Static> = args.iter().map(|arg| self.check(arg, this)).collect::<Result<_, Misuse>>()?;
                self.plain(function, on, given, &name)
            }
        }
    }

    fn plain(&self, function: Function, on: Static, args: Vec<Static>, name: &str) -> Checked {
        use Function::*;
        let system = |system| Ok(Static::system(system));
        match function {
            Skip | Take | First | Last | Tail => self.in_order(on, name),
            Single | Distinct | Where | Select | Repeat | Aggregate | Sort | Iif | Trace => Ok(on),
            Intersect | Exclude => Ok(on),
            Union | Combine => Ok(args.into_iter().fold(on, Static::or)),
            Count | IndexOf | LastIndexOf | Length => {
                if function != Count {
                    self.expect_text(&on, name)?;
                }
                system(System::Integer)
            }
            Empty | Exists | All | AllTrue | AnyTrue | AllFalse | AnyFalse | SubsetOf | SupersetOf | IsDistinct
            | Not | ToBoolean | ConvertsToBoolean | ConvertsToInteger | ConvertsToDate | ConvertsToDateTime
            | ConvertsToDecimal | ConvertsToQuantity | ConvertsToText | ConvertsToTime | Comparable | HasExtension
            | HasValue | ConformsTo | MemberOf | Subsumes | SubsumedBy | HtmlChecks => system(System::Boolean),
            StartsWith | EndsWith | ContainsText | Matches | MatchesFull => {
                self.expect_text(&on, name)?;
                system(System::Boolean)
            }
            Substring | Upper | Lower | Replace | ReplaceMatches | ToChars | Trim | Split | Join | Encode | Decode
            | Escape | Unescape => {
                self.expect_text(&on, name)?;
                system(System::Text)
            }
            ToInteger | Precision => system(System::Integer),
            ToDecimal => system(System::Decimal),
            ToText => system(System::Text),
            ToQuantity => system(System::Quantity),
            ToDate | Today => system(System::Date),
            ToDateTime | Now => system(System::DateTime),
            ToTime | TimeOfDay => system(System::Time),
            Abs | Ceiling | Floor | Truncate | Exp | Ln | Log | Power | Round | Sqrt => {
                self.expect_number(&on, name)?;
                match function {
                    Abs => Ok(on),
                    Ceiling | Floor | Truncate => system(System::Integer),
                    Power => Ok(Static::system(System::Integer).or(Static::system(System::Decimal))),
                    _ => system(System::Decimal),
                }
            }
            LowBoundary | HighBoundary => Ok(self.as_value(on)),
            Children | Descendants => Ok(Static { types: None, is_ordered: false }),
            Extension => Ok(Static::of(super::Type::Fhir(self.model.kind("Extension")))),
            Type | GetValue | Resolve | ElementDefinition | Slice | CheckModifiers => Ok(Static::any()),
        }
    }

    /// Any primitive can be written out; what has parts cannot.
    fn expect_text(&self, on: &Static, name: &str) -> Result<(), Misuse> {
        self.expect(on, |system| system != System::Quantity, name)
    }

    fn as_value(&self, on: Static) -> Static {
        match self.systems(&on) {
            Some(systems) => {
                Static { types: Some(systems.into_iter().map(super::Type::System).collect()), is_ordered: true }
            }
            None => Static::any(),
        }
    }

    /// Over all types that it comes by: of `answer|item` one may be there only further down.
    fn repeat(&self, projection: &Expr, on: Static) -> Checked {
        let exploring = Checker { context: self.context.clone(), is_exploring: true, ..*self };
        let mut all = on;
        for _ in 0..REPEATS_MAX {
            let more = all.clone().or(exploring.check(projection, &all)?);
            if more == all {
                break;
            }
            all = more;
        }
        self.check(projection, &all)
    }
}
