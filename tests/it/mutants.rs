//! The list of mutants that no test can notice (`.cargo/mutants.toml`) speaks of functions that are there, and says why.

use std::fs;
use std::path::Path;

/// A pattern of the list: the file and the function that it names. `None` where it is not written as the others are.
fn parts(pattern: &str) -> Option<(String, &str)> {
    let (file, rest) = pattern.strip_prefix('^')?.split_once(r":\d+:\d+: ")?;
    let named = rest.strip_suffix('$')?;
    // `replace > with < in PartyIndex::by_network`, or `replace Cases::is_empty -> bool with false`.
    let function = match named.rsplit_once(" in ") {
        Some((_, function)) => function,
        None => named.strip_prefix("replace ")?.split(" -> ").next()?.split(" with ").next()?,
    };
    Some((file.replace('\\', ""), function.rsplit("::").next()?))
}

#[test]
fn explained_mutants_are_of_functions_that_are_there() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let text = fs::read_to_string(root.join(".cargo/mutants.toml")).expect("the list");
    let list: toml::Table = text.parse().expect("TOML");
    let patterns = list["exclude_re"].as_array().expect("patterns");
    let mut explained = 0;
    let mut before = "";
    for line in text.lines().map(str::trim) {
        if line.starts_with('\'') {
            assert!(before.starts_with("# ") || before.starts_with('\''), "{line} is not explained");
            explained += 1;
        }
        before = line;
    }
    assert_eq!(explained, patterns.len(), "a line each, in apostrophes");
    for pattern in patterns {
        let pattern = pattern.as_str().expect("a text");
        let (file, function) = parts(pattern).unwrap_or_else(|| panic!("{pattern}"));
        let source = fs::read_to_string(root.join(&file)).unwrap_or_else(|error| panic!("{file}: {error}"));
        let there = [format!("fn {function}("), format!("fn {function}<")].iter().any(|head| source.contains(head));
        assert!(there, "{file} has no `{function}`: {pattern}");
    }
}
