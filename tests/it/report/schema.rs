//! A validator for as much of JSON Schema (draft 2020-12) as the report's schema uses. It is stricter than the standard:
//! a key that the schema does not name is an error, and it remembers which properties it met, so that the schema cannot
//! name more than there is.

use std::collections::BTreeSet;

use serde_json::Value;

/// The keywords that say nothing about validity here.
const NOTES: [&str; 7] = ["$schema", "$id", "$defs", "title", "description", "format", "pattern"];

pub(super) struct Schema {
    root: Value,
    met: BTreeSet<String>,
}

impl Schema {
    pub(super) fn new(text: &str) -> Self {
        Self { root: serde_json::from_str(text).expect("the schema is JSON"), met: BTreeSet::new() }
    }

    /// Checks a value against the whole schema.
    pub(super) fn check(&mut self, value: &Value) -> Result<(), String> {
        let root = self.root.clone();
        self.against(&root, "#", value)
    }

    /// The properties that the schema names and no value had.
    pub(super) fn never_met(&self) -> Vec<String> {
        let mut named = BTreeSet::new();
        properties(&self.root, "#", &mut named);
        named.difference(&self.met).cloned().collect()
    }

    fn against(&mut self, schema: &Value, at: &str, value: &Value) -> Result<(), String> {
        for (keyword, rule) in schema.as_object().expect("a schema is an object") {
            let fits = match keyword.as_str() {
                "$ref" => {
                    let to = rule.as_str().expect("a reference");
                    let target =
                        self.root.pointer(&to[1..]).cloned().unwrap_or_else(|| panic!("{at}: nothing at {to}"));
                    self.against(&target, to, value)?;
                    true
                }
                "anyOf" => {
                    let branches = rule.as_array().expect("a list").clone();
                    let tried: Vec<_> = branches
                        .iter()
                        .enumerate()
                        .map(|(n, branch)| self.against(branch, &format!("{at}/anyOf/{n}"), value))
                        .collect();
                    if tried.iter().all(Result::is_err) {
                        return Err(format!("{at}: fits no branch: {tried:?}"));
                    }
                    true
                }
                "const" => rule == value,
                "enum" => rule.as_array().expect("a list").contains(value),
                "type" => match rule {
                    Value::Array(types) => types.iter().any(|name| is(name, value)),
                    one => is(one, value),
                },
                "minimum" => value.as_u64() >= rule.as_u64(),
                "required" => {
                    rule.as_array().expect("a list").iter().all(|key| value.get(key.as_str().expect("a key")).is_some())
                }
                "items" => {
                    for item in value.as_array().into_iter().flatten() {
                        self.against(rule, &format!("{at}/items"), item)?;
                    }
                    true
                }
                "properties" => {
                    for (key, item) in value.as_object().into_iter().flatten() {
                        let path = format!("{at}/properties/{key}");
                        let Some(property) = rule.get(key) else { return Err(format!("{path} is not in the schema")) };
                        self.against(property, &path, item)?;
                        self.met.insert(path);
                    }
                    true
                }
                "additionalProperties" => {
                    for item in value.as_object().into_iter().flatten().map(|(_, item)| item) {
                        self.against(rule, &format!("{at}/additionalProperties"), item)?;
                    }
                    true
                }
                "propertyNames" => true,
                note if NOTES.contains(&note) => true,
                other => panic!("{at}: the keyword {other} is not known here"),
            };
            if !fits {
                return Err(format!("{at}: {keyword} {rule} does not hold for {value}"));
            }
        }
        Ok(())
    }
}

fn is(name: &Value, value: &Value) -> bool {
    match name.as_str() {
        Some("object") => value.is_object(),
        Some("array") => value.is_array(),
        Some("string") => value.is_string(),
        Some("integer") => value.is_u64() || value.is_i64(),
        Some("boolean") => value.is_boolean(),
        Some("null") => value.is_null(),
        other => panic!("the type {other:?} is not known here"),
    }
}

fn properties(schema: &Value, at: &str, named: &mut BTreeSet<String>) {
    match schema {
        Value::Object(keys) => {
            for (key, item) in keys {
                if key == "properties" {
                    for (name, property) in item.as_object().into_iter().flatten() {
                        let path = format!("{at}/properties/{name}");
                        properties(property, &path, named);
                        named.insert(path);
                    }
                } else {
                    properties(item, &format!("{at}/{key}"), named);
                }
            }
        }
        Value::Array(items) => {
            for (n, item) in items.iter().enumerate() {
                properties(item, &format!("{at}/{n}"), named);
            }
        }
        _ => {}
    }
}
