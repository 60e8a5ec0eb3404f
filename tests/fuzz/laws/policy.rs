//! Laws of the policy's text.

use landfall::diag::{Colour, Diagnostic, render_text, to_json};
use landfall::policy::{Library, Policy};

/// A text: every place that a diagnostic names lies in it, between characters; there is a policy exactly where nothing is an
/// error; reading it again says the same; and what is said of it can be drawn.
pub fn policy(octets: &[u8]) {
    let Ok(text) = std::str::from_utf8(octets) else { return };
    let read = || Policy::parse("policy.toml", text, Library::embedded());
    let parsed = read();
    let said = &parsed.diagnostics;
    assert!(said.len() <= Diagnostic::MAX + 1, "{} diagnostics", said.len());
    assert_eq!(parsed.policy.is_some(), !said.iter().any(Diagnostic::is_error), "{said:?}");
    for diagnostic in said {
        assert!(!diagnostic.message.is_empty());
        for label in &diagnostic.labels {
            assert!(text.get(label.span.clone()).is_some(), "{:?} is no place in the text: {diagnostic:?}", label.span);
        }
    }
    let again = read();
    assert_eq!(again.diagnostics, *said, "read again it is the same");
    assert_eq!(
        again.policy.map(|policy| policy.digest().to_owned()),
        parsed.policy.map(|policy| policy.digest().to_owned())
    );
    let drawn = render_text("policy.toml", text, said, Colour::Never);
    assert_eq!(drawn.is_empty(), said.is_empty());
    to_json("policy.toml", text, said);
}

pub(crate) fn seeds(file: &[u8]) -> Vec<Vec<u8>> {
    // A policy's page of tests has policies between fences; a policy is a text with zones.
    let Ok(text) = std::str::from_utf8(file) else { return Vec::new() };
    let fenced = text.split("```toml\n").skip(1).filter_map(|rest| rest.split("```").next());
    let mut seeds: Vec<_> = fenced.map(|text| text.as_bytes().to_vec()).collect();
    if text.lines().any(|line| line.starts_with("[zone") || line.starts_with("[[rule")) && !text.contains("```") {
        seeds.push(file.to_vec());
    }
    seeds
}
