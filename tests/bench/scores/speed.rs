//! What invariants cost: all that apply, on all published examples in ../shared/examples.
//!
//! Finding which invariants apply where is the walk's work and not counted; `ele-1` is left out, as the walk leaves
//! it out.

use std::collections::HashMap;
use std::hint::black_box;
use std::ops::ControlFlow;
use std::path::Path;
use std::time::{Duration, Instant as Watch};

use handoff::fhir::Instant;
use handoff::fhir::fhirpath::{Expression, Failure, Item, Kind, Model, Node, Scope};
use handoff::profile::Profiles;
use serde_json::Value;

const ROOT: &str = env!("CARGO_MANIFEST_DIR");
const NOW: &str = "2026-11-22T12:00:00Z";
/// The bound for a resource of 5.5 KB.
const BOUND_US_PER_KB: f64 = 25.0 / 5.5;
const ROUNDS: usize = 200;

struct Rule {
    key: String,
    /// The elements that it is about, from what it is defined in; none is that itself.
    path: Option<Expression>,
    invariant: Expression,
}

#[derive(Default)]
struct Rules {
    by_kind: HashMap<Kind, Vec<Rule>>,
    by_profile: HashMap<String, Vec<Rule>>,
    bases: HashMap<String, String>,
}

pub fn run() -> bool {
    let profiles = Profiles::bundled();
    let started = Watch::now();
    let model = profiles.model();
    println!("the model of all definitions: {:?}", started.elapsed());
    let started = Watch::now();
    let rules = rules(model);
    println!("all definitions read and their invariants compiled: {:?}", started.elapsed());
    let mut resources = Vec::new();
    gather(&Path::new(ROOT).join("../shared/examples"), &mut resources);
    let (mut total, mut bytes, mut count) = (Duration::ZERO, 0, 0);
    let mut each: HashMap<String, (Duration, usize)> = HashMap::new();
    let (mut slowest, mut broken) = (Vec::new(), HashMap::<String, usize>::new());
    for (name, text) in &resources {
        let value: Value = serde_json::from_str(text).unwrap();
        let size = serde_json::to_vec(&value).unwrap().len();
        let root = Node::resource(&value, model);
        let scope = Scope::new(model, root).at(Instant::parse(NOW).unwrap());
        let mut all: Vec<(&Rule, Node)> = Vec::new();
        rules.apply(root, model, &scope, &mut all);
        for profile in value.pointer("/meta/profile").and_then(Value::as_array).into_iter().flatten() {
            for rule in rules.by_profile.get(profile.as_str().unwrap()).into_iter().flatten() {
                rule.place(root, &scope, &mut all);
            }
        }
        let mut best = Duration::MAX;
        for _ in 0..ROUNDS {
            let watch = Watch::now();
            for (rule, node) in &all {
                let _ = black_box(rule.invariant.holds(*node, &scope));
            }
            best = best.min(watch.elapsed());
        }
        for (rule, node) in &all {
            let watch = Watch::now();
            for _ in 0..20 {
                let _ = black_box(rule.invariant.holds(*node, &scope));
            }
            let tally = each.entry(rule.key.clone()).or_default();
            tally.0 += watch.elapsed() / 20;
            tally.1 += 1;
            match rule.invariant.holds(*node, &scope) {
                Ok(true) | Err(Failure::Unknown(_)) => {}
                Ok(false) => *broken.entry(rule.key.clone()).or_default() += 1,
                Err(why) => println!("{name}: {} on {}: {why}", rule.key, model.name(node.kind())),
            }
        }
        slowest.push((best.as_secs_f64() * 1e6, size, all.len(), name));
        (total, bytes, count) = (total + best, bytes + size, count + all.len());
    }
    slowest.sort_by(|one, two| two.0.total_cmp(&one.0));
    for (us, size, count, name) in slowest.iter().take(8) {
        println!("{us:>8.1} us {size:>7} bytes {count:>5} invariants  {name}");
    }
    let mut each: Vec<_> = each.into_iter().collect();
    each.sort_by_key(|(_, (time, _))| std::cmp::Reverse(*time));
    for (key, (time, count)) in each.iter().take(12) {
        println!("{:>8.2} us {count:>5} times {key}", time.as_secs_f64() * 1e6);
    }
    println!("not held: {broken:?}");
    let (us, kb) = (total.as_secs_f64() * 1e6, bytes as f64 / 1024.0);
    println!(
        "speed: {} resources of {:.1} KB, {:.1} invariants each: {:.1} us a resource, {:.1} us for 5.5 KB",
        resources.len(),
        kb / resources.len() as f64,
        count as f64 / resources.len() as f64,
        us / resources.len() as f64,
        us / kb * 5.5,
    );
    us / kb < BOUND_US_PER_KB
}

impl Rules {
    fn apply<'v>(
        &'v self,
        node: Node<'v>,
        model: &'v Model,
        scope: &'v Scope<'v>,
        out: &mut Vec<(&'v Rule, Node<'v>)>,
    ) {
        let mut name = Some(model.name(node.kind()).to_string());
        let mut kinds = vec![node.kind()];
        while let Some(base) = name.and_then(|name| self.bases.get(&name).cloned()) {
            kinds.push(model.kind(&base));
            name = Some(base);
        }
        for rule in kinds.iter().flat_map(|kind| self.by_kind.get(kind).into_iter().flatten()) {
            rule.place(node, scope, out);
        }
        let mut children = Vec::new();
        let _ = node.children(model, &mut |child| {
            children.push(child);
            ControlFlow::Continue(())
        });
        for child in children {
            self.apply(child, model, scope, out);
        }
    }
}

impl Rule {
    fn place<'v>(&'v self, node: Node<'v>, scope: &'v Scope<'v>, out: &mut Vec<(&'v Rule, Node<'v>)>) {
        let Some(path) = &self.path else { return out.push((self, node)) };
        let found = path.evaluate(node, scope).unwrap_or_default();
        let nodes = found.iter().filter_map(Item::as_node);
        out.extend(nodes.map(|found| (self, found)));
    }
}

fn rules(model: &Model) -> Rules {
    let mut rules = Rules::default();
    for folder in std::fs::read_dir(Path::new(ROOT).join("profiles")).unwrap() {
        let Ok(text) = std::fs::read_to_string(folder.unwrap().path().join("structures.ndjson")) else { continue };
        for line in text.lines() {
            let structure: Value = serde_json::from_str(line).unwrap();
            let said = |name: &str| structure[name].as_str().unwrap_or("").to_string();
            let is_profile = said("derivation") == "constraint";
            let base = said("base").rsplit('/').next().unwrap_or("").to_string();
            if !is_profile && !base.is_empty() {
                rules.bases.insert(said("type"), base);
            }
            for element in structure["elements"].as_array().unwrap() {
                let id = element["id"].as_str().unwrap().replace("[x]", "");
                if id.contains(':') {
                    continue;
                }
                // A name may be an operator too: `div`.
                let path: Vec<String> =
                    id.split('.').filter(|name| !name.is_empty()).map(|name| format!("`{name}`")).collect();
                let path = path.join(".");
                for constraint in element["constraints"].as_array().into_iter().flatten() {
                    let key = constraint["key"].as_str().unwrap().to_string();
                    if key == "ele-1" {
                        continue;
                    }
                    let invariant = Expression::parse(constraint["expression"].as_str().unwrap()).unwrap();
                    let kind = inside(model, &said("type"), &id);
                    let is_own = kind.is_some() || path.is_empty();
                    let path = (!is_own || is_profile && !path.is_empty()).then(|| Expression::parse(&path).unwrap());
                    let rule = Rule { key, path, invariant };
                    if is_profile {
                        rules.by_profile.entry(said("url")).or_default().push(rule);
                    } else {
                        let kind = kind.unwrap_or(model.kind(&said("type")));
                        rules.by_kind.entry(kind).or_default().push(rule);
                    }
                }
            }
        }
    }
    rules
}

/// The kind that an element is when it is defined in place: what repeats it has the same.
fn inside(model: &Model, type_name: &str, id: &str) -> Option<Kind> {
    let mut kind = model.kind(type_name);
    for name in id.split('.').filter(|name| !name.is_empty()) {
        let kinds = model.shape(kind).field(name)?.kinds();
        let [only] = kinds[..] else { return None };
        kind = only;
    }
    (model.name(kind) == "BackboneElement" && kind != model.kind("BackboneElement")).then_some(kind)
}

pub fn gather(folder: &Path, found: &mut Vec<(String, String)>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            gather(&path, found);
        } else {
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            found.push((name, std::fs::read_to_string(&path).unwrap()));
        }
    }
}
