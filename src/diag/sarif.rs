//! Diagnostics as SARIF 2.1.0 (OASIS, 2020), which code hosts and pipelines show beside the lines.

use std::ops::Range;

use serde_json::{Value, json};

use super::{Code, Diagnostic, Level, place};

/// A text with what is said of it.
#[derive(Clone, Copy, Debug)]
pub struct Checked<'a> {
    /// Where the text was read.
    pub origin: &'a str,
    /// The text.
    pub text: &'a str,
    /// What is said.
    pub diagnostics: &'a [Diagnostic],
}

/// One SARIF log with one run over all texts. Every code is a rule of the driver, with its page as help; columns count
/// characters.
pub fn to_sarif(files: &[Checked<'_>]) -> Value {
    let rules: Vec<Value> = Code::ALL
        .iter()
        .map(|code| {
            json!({
                "id": code.name(),
                "shortDescription": { "text": code.sentence() },
                "help": { "text": super::render_page(*code), "markdown": code.page() },
            })
        })
        .collect();
    let results: Vec<Value> =
        files.iter().flat_map(|file| file.diagnostics.iter().map(|one| result(file, one))).collect();
    json!({
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [{
            "tool": { "driver": {
                "name": env!("CARGO_PKG_NAME"),
                "semanticVersion": env!("CARGO_PKG_VERSION"),
                "rules": rules,
            } },
            "columnKind": "unicodeCodePoints",
            "results": results,
        }],
    })
}

fn result(file: &Checked<'_>, diagnostic: &Diagnostic) -> Value {
    let level = match diagnostic.level {
        Level::Error => "error",
        Level::Warning => "warning",
        Level::Note => "note",
    };
    let message = match &diagnostic.help {
        Some(help) => format!("{}. Help: {help}{}", diagnostic.message, if help.ends_with('?') { "" } else { "." }),
        None => format!("{}.", diagnostic.message),
    };
    let uri = uri(file.origin);
    let location = |span: Option<&Range<usize>>| {
        let mut physical = json!({ "artifactLocation": { "uri": uri } });
        if let (Some(span), Value::Object(fields)) = (span, &mut physical) {
            let ((line, column), (end_line, end_column)) = (place(file.text, span.start), place(file.text, span.end));
            fields.insert(
                "region".to_owned(),
                json!({ "startLine": line, "startColumn": column, "endLine": end_line, "endColumn": end_column }),
            );
        }
        json!({ "physicalLocation": physical })
    };
    let related: Vec<Value> = diagnostic
        .labels
        .iter()
        .filter(|label| !label.primary)
        .map(|label| {
            let mut location = location(Some(&label.span));
            if let (false, Value::Object(fields)) = (label.text.is_empty(), &mut location) {
                fields.insert("message".to_owned(), json!({ "text": label.text }));
            }
            location
        })
        .collect();
    let index = Code::ALL.iter().position(|code| *code == diagnostic.code);
    json!({
        "ruleId": diagnostic.code.name(),
        "ruleIndex": index,
        "level": level,
        "message": { "text": message },
        "locations": [location(diagnostic.span().as_ref())],
        "relatedLocations": related,
    })
}

/// A path as a relative reference (RFC 3986): what is not allowed there is written in percent.
fn uri(path: &str) -> String {
    let absolute = path.starts_with('/');
    let mut uri = String::from(if absolute { "file://" } else { "" });
    for byte in path.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~/".contains(&byte) {
            uri.push(char::from(byte));
        } else {
            // Writing to a string does not fail.
            let _ = std::fmt::Write::write_fmt(&mut uri, format_args!("%{byte:02X}"));
        }
    }
    uri
}
