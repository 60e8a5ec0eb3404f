//! The JSON Schema of policies: it knows every key that the parser knows, takes every policy that ships, and refuses what
//! editors should mark.

use std::collections::{BTreeMap, BTreeSet};

use landfall::diag::Code;
use landfall::policy::{Library, Policy, SCHEMA_JSON};
use serde_json::Value;

/// A validator for as much of JSON Schema (draft 2020-12) as the schema uses.
fn check(root: &Value, schema: &Value, at: &str, value: &Value) -> Result<(), String> {
    let list = |rule: &Value| rule.as_array().expect("a list").clone();
    let object = |value: &Value| value.as_object().cloned().unwrap_or_default();
    if schema == &Value::Bool(false) {
        return Err(format!("{at} is not allowed here"));
    }
    for (keyword, rule) in schema.as_object().expect("a schema is an object") {
        let fits = match keyword.as_str() {
            "$ref" => {
                let pointer = rule.as_str().unwrap().trim_start_matches('#');
                check(root, root.pointer(pointer).expect("a definition"), at, value)?;
                true
            }
            "anyOf" => list(rule).iter().any(|branch| check(root, branch, at, value).is_ok()),
            "oneOf" => list(rule).iter().filter(|branch| check(root, branch, at, value).is_ok()).count() == 1,
            "allOf" => {
                for branch in list(rule) {
                    check(root, &branch, at, value)?;
                }
                true
            }
            "if" => {
                if check(root, rule, at, value).is_ok() {
                    check(root, &schema["then"], at, value)?;
                }
                true
            }
            "minProperties" => value.as_object().is_none_or(|keys| keys.len() as u64 >= rule.as_u64().unwrap()),
            "const" => rule == value,
            "enum" => list(rule).contains(value),
            "type" => match rule.as_str().unwrap() {
                "object" => value.is_object(),
                "array" => value.is_array(),
                "string" => value.is_string(),
                "boolean" => value.is_boolean(),
                "integer" => value.is_i64() || value.is_u64(),
                "number" => value.is_number(),
                other => panic!("the type {other}"),
            },
            "minimum" => value.as_f64() >= rule.as_f64(),
            "maximum" => value.as_f64() <= rule.as_f64(),
            "minItems" => value.as_array().is_none_or(|items| items.len() as u64 >= rule.as_u64().unwrap()),
            "required" => list(rule).iter().all(|key| value.get(key.as_str().unwrap()).is_some()),
            "items" => {
                for item in value.as_array().into_iter().flatten() {
                    check(root, rule, at, item)?;
                }
                true
            }
            "properties" => {
                for (key, item) in object(value) {
                    if let Some(property) = rule.get(&key) {
                        check(root, property, &format!("{at}/{key}"), &item)?;
                    }
                }
                true
            }
            "additionalProperties" => {
                let named = schema.get("properties").map(object).unwrap_or_default();
                for (key, item) in object(value).into_iter().filter(|(key, _)| !named.contains_key(key)) {
                    match rule {
                        Value::Bool(false) => return Err(format!("{at}/{key} is not in the schema")),
                        other => check(root, other, &format!("{at}/{key}"), &item)?,
                    }
                }
                true
            }
            "pattern" => {
                // One pattern is used: that of names.
                assert_eq!(rule, "^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$");
                let text = value.as_str().unwrap_or_default();
                let rest = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
                text.len() <= 64 && text.starts_with(|c: char| c.is_ascii_alphanumeric()) && text.bytes().all(rest)
            }
            "then" | "$schema" | "$id" | "$defs" | "title" | "description" | "format" => true,
            other => panic!("the keyword {other} is not known here"),
        };
        if !fits {
            return Err(format!("{at}: {keyword} {rule} does not hold for {value}"));
        }
    }
    Ok(())
}

/// A TOML text as the JSON that editors validate: dates are texts.
fn as_json(text: &str) -> Value {
    fn convert(value: toml::Value) -> Value {
        match value {
            toml::Value::Datetime(at) => Value::String(at.to_string()),
            toml::Value::Array(items) => items.into_iter().map(convert).collect(),
            toml::Value::Table(table) => table.into_iter().map(|(key, value)| (key, convert(value))).collect(),
            toml::Value::String(text) => Value::String(text),
            toml::Value::Integer(number) => number.into(),
            toml::Value::Float(number) => number.into(),
            toml::Value::Boolean(flag) => flag.into(),
        }
    }
    convert(toml::Value::Table(text.parse().unwrap_or_else(|error| panic!("{error}\n{text}"))))
}

fn schema() -> Value {
    serde_json::from_str(SCHEMA_JSON).expect("the schema is JSON")
}

#[test]
fn every_policy_that_ships_keeps_to_the_schema() {
    let schema = schema();
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/rules");
    let mut seen = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|extension| extension == "toml") {
            let value = as_json(&std::fs::read_to_string(&path).unwrap());
            check(&schema, &schema, "", &value).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
            seen += 1;
        }
    }
    assert!(seen >= 5);
}

/// A nonsense key in each table makes the parser list the keys that it knows.
#[test]
fn the_schema_and_the_parser_know_the_same_keys() {
    let tables = [
        ("", "/properties"),
        ("[policy]", "/properties/policy/properties"),
        ("[policy.in-force]", "/$defs/period/properties"),
        ("[policy.vantage]", "/properties/policy/properties/vantage/properties"),
        ("[zone.q]", "/$defs/zone/properties"),
        ("[party.q]", "/$defs/party/properties"),
        ("[[party.q.match]]", "/$defs/match/properties"),
        ("[service.q]", "/$defs/service/properties"),
        ("[[rule]]", "/$defs/rule/properties"),
        ("[[rule]]\n[rule.document]", "/$defs/rule/properties/document/properties"),
        ("[[waiver]]", "/$defs/waiver/properties"),
        ("[[waiver]]\n[waiver.finding]", "/$defs/waiver/properties/finding/properties"),
        ("[[test]]", "/$defs/test/properties"),
        ("[[test]]\n[test.flow]", "/$defs/flow/properties"),
        ("[[test]]\n[[test.flows]]", "/$defs/flow/properties"),
        ("[[test]]\n[test.expect]", "/$defs/test/properties/expect/properties"),
    ];
    let schema = schema();
    let mut wrong = BTreeMap::new();
    // A tripwire has other keys with each kind; the schema has all of them.
    let kinds = ["failover", "new-edge", "volume", "schedule", "choke-point", "undeclared"];
    let branches = schema.pointer("/$defs/tripwire/allOf").and_then(Value::as_array).unwrap();
    let mut of_tripwires: BTreeSet<String> = BTreeSet::new();
    for kind in kinds {
        let text = format!("[[tripwire]]\nkind = \"{kind}\"\nqqzzqqzz = 1\n");
        let parsed = Policy::parse("t.toml", &text, Library::embedded());
        let help = parsed.diagnostics.iter().find(|one| one.code == Code::UnknownKey).and_then(|one| one.help.clone());
        let help = help.unwrap_or_else(|| panic!("{kind}: {parsed:?}"));
        let known: BTreeSet<String> = help.split('`').skip(1).step_by(2).map(str::to_owned).collect();
        let of_kind = |branch: &&Value| branch.pointer("/if/properties/kind/const") == Some(&Value::from(kind));
        let others = branches.iter().find(of_kind).and_then(|branch| branch.pointer("/then/properties")?.as_object());
        let others: BTreeSet<String> = others.unwrap().keys().cloned().collect();
        let all = schema.pointer("/$defs/tripwire/properties").and_then(Value::as_object).unwrap();
        assert_eq!(all.keys().filter(|key| !others.contains(*key)).cloned().collect::<BTreeSet<_>>(), known, "{kind}");
        of_tripwires.extend(known);
    }
    let listed = schema.pointer("/$defs/tripwire/properties").and_then(Value::as_object).unwrap();
    assert_eq!(of_tripwires, listed.keys().cloned().collect());
    assert_eq!(listed["kind"]["enum"], Value::from(kinds.to_vec()));
    for (table, pointer) in tables {
        let text = format!("{table}\nqqzzqqzz = 1\n");
        let parsed = Policy::parse("t.toml", &text, Library::embedded());
        let unknown = parsed.diagnostics.iter().find(|one| one.code == Code::UnknownKey);
        let help = unknown.and_then(|one| one.help.clone()).unwrap_or_else(|| panic!("{table}: {parsed:?}"));
        let known: Vec<&str> = help.split('`').skip(1).step_by(2).filter(|key| !key.starts_with('[')).collect();
        let listed =
            schema.pointer(pointer).and_then(Value::as_object).unwrap_or_else(|| panic!("nothing at {pointer}"));
        let mut listed: Vec<&str> = listed.keys().map(String::as_str).collect();
        listed.sort_unstable();
        let mut known: Vec<&str> = known.into_iter().filter(|key| !help.starts_with(&format!("`{key}` has"))).collect();
        known.sort_unstable();
        known.dedup();
        if known != listed {
            wrong.insert(table, format!("the parser knows {known:?}, the schema {listed:?}"));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn the_schema_refuses_what_an_editor_should_mark() {
    let schema = schema();
    let refused = |text: &str| check(&schema, &schema, "", &as_json(text)).is_err();
    let base = "[policy]\nid = \"p\"\ndefault = \"forbid\"\n[zone.z]\nnetworks = [\"10.0.0.0/8\"]\n";
    assert!(!refused(base));
    assert!(refused(&base.replace("forbid", "deny")));
    assert!(refused(&base.replace("networks", "cidr")));
    assert!(refused(&format!("{base}[[rule]]\nid = \"r\"\neffect = \"permit\"\nfrom = [\"z\"]\nto = \"US\"\n")));
    assert!(refused(&format!("{base}[[waiver]]\nowner = \"o\"\n")));
    let rule = "[[rule]]\nid = \"r\"\neffect = \"permit\"\nfrom = [\"z\"]\n";
    assert!(!refused(&format!("{base}{rule}to = [\"US\"]\n")));
    assert!(refused(&format!("{base}{rule}")), "a rule says where");
    assert!(refused(&format!("{base}{rule}to = [\"US\"]\nto-control = [\"US\"]\n")), "and in one way");
    let tripwire = "[[tripwire]]\nid = \"t\"\nfrom = [\"z\"]\nkind = \"volume\"\nper = \"24h\"\nbudget = \"1 GB\"\n";
    assert!(!refused(&format!("{base}{tripwire}")));
    assert!(refused(&format!("{base}{tripwire}quiet = \"22:00-06:00\"\n")), "a key of another kind");
    assert!(refused(&format!("{base}[party.p]\nmatch = [{{}}]\n")));
    assert!(refused(&format!("{base}[[rule]]\nid = \"no spaces\"\neffect = \"permit\"\nfrom = [\"z\"]\n")));
}
