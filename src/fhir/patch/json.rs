//! JSON Patch (RFC 6902), on JSON that keeps the order of its keys and the text of its numbers.
//!
//! Written here, because the crates for it reorder keys on removal or compare numbers by their text.

use serde_json::Value;

use super::{DEPTH_MAX, OPERATIONS_MAX, STEPS_MAX, Unfit, fits, shown};
use crate::fhir::Issue;

/// Most values that the copies of one patch may bring: two dozen copies of a copy would be a billion.
const COPIED_MAX: usize = 1_000_000;

/// One operation, with its place in the patch.
#[derive(Clone, Debug, PartialEq)]
pub struct Operation {
    index: usize,
    path: Pointer,
    deed: Deed,
}

#[derive(Clone, Debug, PartialEq)]
enum Deed {
    Add(Value),
    Remove,
    Replace(Value),
    Move(Pointer),
    Copy(Pointer),
    Test(Value),
}

/// RFC 6901.
#[derive(Clone, Debug, PartialEq)]
struct Pointer(Vec<String>);

/// # Errors
/// Every operation that cannot be read, by its place in the list.
pub fn read(patch: Value) -> Result<Vec<Operation>, Vec<Issue>> {
    let Value::Array(list) = patch else {
        return Err(vec![malformed("a JSON Patch is a list of operations (RFC 6902)")]);
    };
    if list.len() > OPERATIONS_MAX {
        let text = format!("a patch has at most {OPERATIONS_MAX} operations, found {}", list.len());
        return Err(vec![Issue::error("too-costly", "patch-too-long", text)]);
    }
    let (mut operations, mut issues) = (Vec::with_capacity(list.len()), Vec::new());
    for (index, mut value) in list.into_iter().enumerate() {
        match operation(index, &mut value) {
            Ok(operation) => operations.push(operation),
            Err(issue) => issues.push(issue),
        }
    }
    if issues.is_empty() { Ok(operations) } else { Err(issues) }
}

fn operation(index: usize, value: &mut Value) -> Result<Operation, Issue> {
    let missing = |name: &str, expected: &str| {
        malformed(format!("operation {index}: `{name}`: expected {expected}")).located(format!("/{index}/{name}"))
    };
    if !value.is_object() {
        return Err(malformed(format!("operation {index}: expected an object")).located(format!("/{index}")));
    }
    let pointer = |name: &str| {
        let text = value[name].as_str().ok_or_else(|| missing(name, "a JSON Pointer such as `/name/0/family`"))?;
        Pointer::read(text).ok_or_else(|| {
            missing(name, &format!("a JSON Pointer such as `/name/0/family`, of at most {STEPS_MAX} steps"))
        })
    };
    let path = pointer("path")?;
    let name = value["op"].as_str().unwrap_or("").to_string();
    let from = if matches!(name.as_str(), "move" | "copy") { Some(pointer("from")?) } else { None };
    let mut given = || {
        let held = value.get_mut("value").map(Value::take);
        held.ok_or_else(|| missing("value", "a value"))
    };
    let deed = match (name.as_str(), from) {
        ("add", _) => Deed::Add(given()?),
        ("remove", _) => Deed::Remove,
        ("replace", _) => Deed::Replace(given()?),
        ("test", _) => Deed::Test(given()?),
        ("move", Some(from)) if path.0.len() > from.0.len() && path.0.starts_with(&from.0) => {
            return Err(missing("from", "a place that `path` does not lie in"));
        }
        ("move", Some(from)) => Deed::Move(from),
        ("copy", Some(from)) => Deed::Copy(from),
        _ => return Err(missing("op", "`add`, `remove`, `replace`, `move`, `copy` or `test`")),
    };
    Ok(Operation { index, path, deed })
}

pub fn names_version(operations: &[Operation]) -> bool {
    let tests = operations.iter().take_while(|operation| matches!(operation.deed, Deed::Test(_)));
    tests.map(|operation| &operation.path).any(Pointer::is_version)
}

/// # Errors
/// The first operation that does not fit.
pub fn apply(operations: &[Operation], to: &mut Value) -> Result<(), Unfit> {
    let mut copied = 0;
    for operation in operations {
        one(operation, to, &mut copied).map_err(|text| {
            let place = format!("/{}/path", operation.index);
            let text = format!("operation {}, `{}`: {text}", operation.index, shown(&operation.path.text()));
            match operation.deed {
                Deed::Test(_) if operation.path.is_version() => {
                    Unfit::Version(Issue::error("conflict", "stale", text).located(place))
                }
                // RFC 5789, 2.2: a patch that can be read but not carried out is 422.
                Deed::Test(_) => Unfit::Content(Issue::error("business-rule", "patch-test", text).located(place)),
                _ => Unfit::Content(Issue::error("business-rule", "patch-unfit", text).located(place)),
            }
        })?;
    }
    let removes = |operation: &Operation| matches!(operation.deed, Deed::Remove | Deed::Move(_));
    if operations.iter().any(removes) {
        drop_empty_lists(to);
    }
    Ok(())
}

fn one(operation: &Operation, to: &mut Value, copied: &mut usize) -> Result<(), String> {
    let path = &operation.path;
    match &operation.deed {
        Deed::Add(value) => add(to, path, value.clone()),
        Deed::Remove => remove(to, path).map(|_| ()),
        Deed::Replace(value) => {
            if !fits(path.0.len(), value) {
                return Err(too_deep());
            }
            *path.find_mut(to).ok_or_else(absent)? = value.clone();
            Ok(())
        }
        Deed::Move(from) => {
            let value = remove(to, from)?;
            add(to, path, value)
        }
        Deed::Copy(from) => {
            let value = from.find(to).ok_or_else(absent)?.clone();
            *copied += size(&value);
            if *copied > COPIED_MAX {
                return Err(format!("the copies of a patch may bring at most {COPIED_MAX} characters"));
            }
            add(to, path, value)
        }
        Deed::Test(value) => {
            let found = path.find(to).ok_or_else(absent)?;
            if same(found, value) { Ok(()) } else { Err("another value is there than the one tested for".to_string()) }
        }
    }
}

fn add(to: &mut Value, path: &Pointer, value: Value) -> Result<(), String> {
    if !fits(path.0.len(), &value) {
        return Err(too_deep());
    }
    let Some((last, above)) = path.0.split_last() else {
        *to = value;
        return Ok(());
    };
    match Pointer::walk_mut(above, to).ok_or_else(|| "what should hold it is not there: add that first".to_string())? {
        Value::Object(object) => {
            object.insert(last.clone(), value);
            Ok(())
        }
        Value::Array(list) => {
            let at = if last == "-" { Some(list.len()) } else { place(last).filter(|at| *at <= list.len()) };
            list.insert(at.ok_or_else(|| format!("the list has {} items", list.len()))?, value);
            Ok(())
        }
        _ => Err("what should hold it is neither an object nor a list".to_string()),
    }
}

fn remove(from: &mut Value, path: &Pointer) -> Result<Value, String> {
    let (last, above) = path.0.split_last().ok_or_else(|| "a resource is deleted with DELETE".to_string())?;
    let removed = match Pointer::walk_mut(above, from) {
        // In place: the order of the other keys stays.
        Some(Value::Object(object)) => object.shift_remove(last),
        Some(Value::Array(list)) => place(last).filter(|at| *at < list.len()).map(|at| list.remove(at)),
        _ => None,
    };
    removed.ok_or_else(absent)
}

fn absent() -> String {
    "nothing is there".to_string()
}

fn too_deep() -> String {
    format!("the resource would be nested deeper than {DEPTH_MAX} levels")
}

fn malformed(text: impl Into<String>) -> Issue {
    Issue::error("structure", "patch-malformed", text)
}

/// FHIR has no empty lists: the one whose last item was taken goes with it.
fn drop_empty_lists(value: &mut Value) {
    match value {
        Value::Object(object) => {
            object.values_mut().for_each(drop_empty_lists);
            object.retain(|_, value| value.as_array().is_none_or(|list| !list.is_empty()));
        }
        Value::Array(list) => list.iter_mut().for_each(drop_empty_lists),
        _ => {}
    }
}

fn size(value: &Value) -> usize {
    1 + match value {
        Value::Object(object) => object.iter().map(|(name, value)| name.len() + size(value)).sum(),
        Value::Array(list) => list.iter().map(size).sum(),
        Value::String(text) => text.len(),
        _ => 0,
    }
}

/// RFC 6902, 4.6: objects in any order, numbers by their value.
fn same(one: &Value, other: &Value) -> bool {
    match (one, other) {
        (Value::Number(one), Value::Number(other)) => {
            let (left, right) = (one.to_string(), other.to_string());
            // Beyond fifteen digits a float would call different numbers equal.
            left == right || (left.len().max(right.len()) <= 15 && one.as_f64() == other.as_f64())
        }
        (Value::Array(one), Value::Array(other)) => {
            one.len() == other.len() && one.iter().zip(other).all(|(one, other)| same(one, other))
        }
        (Value::Object(one), Value::Object(other)) => {
            one.len() == other.len()
                && one.iter().all(|(name, value)| other.get(name).is_some_and(|other| same(value, other)))
        }
        (one, other) => one == other,
    }
}

/// RFC 6901, 4: digits without leading zeros.
fn place(text: &str) -> Option<usize> {
    let plain = text.bytes().all(|byte| byte.is_ascii_digit()) && (text == "0" || !text.starts_with('0'));
    text.parse().ok().filter(|_| plain)
}

impl Pointer {
    fn read(text: &str) -> Option<Pointer> {
        if text.is_empty() {
            return Some(Pointer(Vec::new()));
        }
        let steps: Vec<String> =
            text.strip_prefix('/')?.split('/').map(|step| step.replace("~1", "/").replace("~0", "~")).collect();
        let known = text.split('~').skip(1).all(|rest| rest.starts_with(['0', '1']));
        (known && steps.len() <= STEPS_MAX).then_some(Pointer(steps))
    }

    fn text(&self) -> String {
        self.0.iter().map(|step| format!("/{}", step.replace('~', "~0").replace('/', "~1"))).collect()
    }

    fn is_version(&self) -> bool {
        self.0 == ["meta", "versionId"]
    }

    fn find<'v>(&self, from: &'v Value) -> Option<&'v Value> {
        self.0.iter().try_fold(from, |value, step| match value {
            Value::Object(object) => object.get(step),
            Value::Array(list) => list.get(place(step)?),
            _ => None,
        })
    }

    fn find_mut<'v>(&self, from: &'v mut Value) -> Option<&'v mut Value> {
        Pointer::walk_mut(&self.0, from)
    }

    fn walk_mut<'v>(steps: &[String], from: &'v mut Value) -> Option<&'v mut Value> {
        steps.iter().try_fold(from, |value, step| match value {
            Value::Object(object) => object.get_mut(step),
            Value::Array(list) => list.get_mut(place(step)?),
            _ => None,
        })
    }
}
