//! Diagnostics as text, drawn as rustc draws them, and as JSON.

use std::fmt::Write as _;
use std::ops::Range;

use annotate_snippets::renderer::DecorStyle;
use annotate_snippets::{AnnotationKind, Group, Renderer, Snippet};
use serde_json::{Value, json};

use super::{Diagnostic, Label, Level};

/// Whether output carries colour. The caller knows the terminal; this module reads no environment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Colour {
    /// Escape sequences of ANSI terminals.
    Always,
    /// Plain text.
    Never,
}

/// The line and column, both counted from one, of an offset in a text. Columns count characters. An offset past the end
/// is the end.
pub fn place(text: &str, offset: usize) -> (usize, usize) {
    let before = text.get(..floor(text, offset)).unwrap_or(text);
    let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
    let line = before.bytes().filter(|byte| *byte == b'\n').count() + 1;
    (line, before.get(line_start..).map_or(0, |rest| rest.chars().count()) + 1)
}

/// The nearest boundary of a character at or before an offset.
fn floor(text: &str, offset: usize) -> usize {
    let mut at = offset.min(text.len());
    while !text.is_char_boundary(at) {
        at -= 1;
    }
    at
}

/// Draws diagnostics, one after the other with an empty line between them. `origin` is where the text was read.
pub fn render_text(origin: &str, text: &str, diagnostics: &[Diagnostic], colour: Colour) -> String {
    let renderer = match colour {
        Colour::Always => Renderer::styled(),
        Colour::Never => Renderer::plain(),
    };
    let renderer = renderer.decor_style(DecorStyle::Ascii);
    let mut out = String::new();
    for diagnostic in diagnostics {
        if !out.is_empty() {
            out.push('\n');
        }
        let group = draw(origin, text, diagnostic);
        // Writing to a string does not fail.
        let _ = writeln!(out, "{}", renderer.render(&[group]));
    }
    out
}

fn draw<'a>(origin: &'a str, text: &'a str, diagnostic: &'a Diagnostic) -> Group<'a> {
    let level = match diagnostic.level {
        Level::Error => annotate_snippets::Level::ERROR,
        Level::Warning => annotate_snippets::Level::WARNING,
        Level::Note => annotate_snippets::Level::NOTE,
    };
    let mut group = Group::with_title(level.primary_title(diagnostic.message.as_str()).id(diagnostic.code.name()));
    if diagnostic.labels.is_empty() {
        group = group.element(annotate_snippets::Origin::path(origin));
    } else {
        group = group.element(snippet(origin, text, &diagnostic.labels));
    }
    if let Some(help) = &diagnostic.help {
        group = group.element(annotate_snippets::Level::HELP.message(help.as_str()));
    }
    group
}

/// Only the lines from the first to the last label are handed to the renderer, so that drawing many diagnostics of a long
/// text stays linear.
fn snippet<'a>(origin: &'a str, text: &'a str, labels: &'a [Label]) -> Snippet<'a, annotate_snippets::Annotation<'a>> {
    let first = labels.iter().map(|label| label.span.start).min().unwrap_or(0);
    let last = labels.iter().map(|label| label.span.end).max().unwrap_or(0);
    let (first, last) = (floor(text, first), floor(text, last));
    let start = text.get(..first).and_then(|before| before.rfind('\n')).map_or(0, |newline| newline + 1);
    let end = text.get(last..).and_then(|after| after.find('\n')).map_or(text.len(), |newline| last + newline);
    let (line, _) = place(text, start);
    let cut = text.get(start..end).unwrap_or("");
    let within = |span: &Range<usize>| {
        let (from, to) = (floor(text, span.start), floor(text, span.end));
        from.saturating_sub(start)..to.max(from).saturating_sub(start)
    };
    Snippet::source(cut).path(origin).line_start(line).annotations(labels.iter().map(|label| {
        let kind = if label.primary { AnnotationKind::Primary } else { AnnotationKind::Context };
        let text = (!label.text.is_empty()).then_some(label.text.as_str());
        kind.span(within(&label.span)).label(text)
    }))
}

/// Diagnostics as a JSON array, for editors and pipelines. Lines and columns count from one, columns in characters, `start`
/// and `end` are octets from the start of the text.
pub fn to_json(origin: &str, text: &str, diagnostics: &[Diagnostic]) -> Value {
    let span_of = |span: &Range<usize>| {
        let ((line, column), (end_line, end_column)) = (place(text, span.start), place(text, span.end));
        json!({
            "start": span.start, "end": span.end, "line": line, "column": column, "end-line": end_line,
            "end-column": end_column,
        })
    };
    let one = |diagnostic: &Diagnostic| {
        let labels: Vec<Value> = diagnostic
            .labels
            .iter()
            .map(|label| json!({ "span": span_of(&label.span), "text": label.text, "primary": label.primary }))
            .collect();
        json!({
            "code": diagnostic.code, "level": diagnostic.level, "message": diagnostic.message, "path": origin,
            "span": diagnostic.span().as_ref().map(span_of), "labels": labels, "help": diagnostic.help,
        })
    };
    diagnostics.iter().map(one).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diag::Code;

    #[test]
    fn places_count_characters_from_one() {
        assert_eq!(place("aé\nbc", 0), (1, 1));
        assert_eq!(place("aé\nbc", 3), (1, 3));
        assert_eq!(place("aé\nbc", 5), (2, 2));
        assert_eq!(place("aé", 2), (1, 2), "the middle of a character is its start");
        assert_eq!(place("a", 99), (1, 2));
    }

    #[test]
    fn drawing_shows_the_line_and_survives_wild_spans() {
        let text = "[policy]\nid = \"a\"\ndefault = \"allow\"\n";
        let diagnostic = Diagnostic::error(Code::UnknownWord, "`allow` is no effect")
            .at(28..35, "here")
            .with(0..8, "in this table")
            .help("write `permit`");
        let drawn = render_text("p.toml", text, std::slice::from_ref(&diagnostic), Colour::Never);
        assert!(drawn.starts_with("error[unknown-word]: `allow` is no effect\n"), "{drawn}");
        assert!(drawn.contains("p.toml:3:11") && drawn.contains("write `permit`"), "{drawn}");
        for span in [0..0, 40..400, 36..36] {
            let wild = Diagnostic::note(Code::More, "wild").at(span, "");
            assert!(render_text("p.toml", text, &[wild], Colour::Always).contains("wild"));
        }
        assert_eq!(to_json("p.toml", text, &[diagnostic])[0]["span"]["line"], 3);
    }
}
