//! What is said of a text that a user wrote.
//!
//! A [`Diagnostic`] has a stable [`Code`], a level, a sentence, the places in the text that it is about, and help apart
//! from the sentence. Sentences are lower case without a full stop, with what the user wrote in backticks. Everything
//! that is wrong with a text is said in one run, in the order of the text.

mod code;
mod page;
mod render;
mod sarif;
mod suggest;

pub use code::Code;
pub use page::render_page;
pub use render::{Colour, place, render_text, to_json};
pub use sarif::{Checked, to_sarif};
pub use suggest::{did_you_mean, quoted};

use std::ops::Range;

use serde::Serialize;

/// How grave a diagnostic is. Ordered from gravest to least.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Level {
    /// The text cannot be used.
    Error,
    /// The text can be used, and probably does not say what was meant.
    Warning,
    /// Worth knowing.
    Note,
}

impl Level {
    /// The word in output.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warning => "warning",
            Self::Note => "note",
        }
    }
}

/// A place in the text, and what is to be said of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Label {
    /// The place, in octets from the start of the text.
    pub span: Range<usize>,
    /// What is said of it; may be empty.
    pub text: String,
    /// Whether this is the place to mend, or one that explains it.
    pub primary: bool,
}

/// What is to be said of a place in a text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostic {
    /// What kind of thing is said: stable, for filters and for documentation.
    pub code: Code,
    /// How grave it is.
    pub level: Level,
    /// What is wrong, in one sentence.
    pub message: String,
    /// Where. The first primary label is the place of the diagnostic; none speaks of the text as a whole.
    pub labels: Vec<Label>,
    /// What to do about it.
    pub help: Option<String>,
}

impl Diagnostic {
    /// The most that is said of one text; what is beyond is counted in a last note ([`Code::More`]).
    pub const MAX: usize = 200;

    /// A mistake that keeps the text from being used.
    pub fn error(code: Code, message: impl Into<String>) -> Self {
        Self::new(Level::Error, code, message)
    }

    /// Something that was probably not meant.
    pub fn warning(code: Code, message: impl Into<String>) -> Self {
        Self::new(Level::Warning, code, message)
    }

    /// Something worth knowing.
    pub fn note(code: Code, message: impl Into<String>) -> Self {
        Self::new(Level::Note, code, message)
    }

    fn new(level: Level, code: Code, message: impl Into<String>) -> Self {
        Self { code, level, message: message.into(), labels: Vec::new(), help: None }
    }

    /// Adds the place to mend.
    #[must_use]
    pub fn at(mut self, span: Range<usize>, text: impl Into<String>) -> Self {
        self.labels.push(Label { span, text: text.into(), primary: true });
        self
    }

    /// Adds a place that explains.
    #[must_use]
    pub fn with(mut self, span: Range<usize>, text: impl Into<String>) -> Self {
        self.labels.push(Label { span, text: text.into(), primary: false });
        self
    }

    /// Says what to do about it.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// Says what to do about it, where something is known.
    #[must_use]
    pub fn maybe_help(mut self, help: Option<String>) -> Self {
        self.help = help;
        self
    }

    /// The place of the diagnostic: its first primary label.
    pub fn span(&self) -> Option<Range<usize>> {
        self.labels.iter().find(|label| label.primary).map(|label| label.span.clone())
    }

    /// Whether it keeps the text from being used.
    pub fn is_error(&self) -> bool {
        self.level == Level::Error
    }

    /// Sorts by place, then by code and sentence, removes what is said twice, and keeps the first [`Diagnostic::MAX`].
    pub fn in_order(mut diagnostics: Vec<Self>) -> Vec<Self> {
        diagnostics.sort_by_cached_key(|diagnostic| {
            let span = diagnostic.span().unwrap_or(usize::MAX..usize::MAX);
            (span.start, span.end, diagnostic.level, diagnostic.code, diagnostic.message.clone())
        });
        diagnostics.dedup();
        if diagnostics.len() > Self::MAX {
            // INVARIANT: an error that is left out still keeps the text from being used.
            let left_out = diagnostics.iter().skip(Self::MAX);
            let level = left_out.map(|diagnostic| diagnostic.level).min().unwrap_or(Level::Note);
            let more = diagnostics.len() - Self::MAX;
            diagnostics.truncate(Self::MAX);
            diagnostics.push(Self::new(level, Code::More, format!("and {more} more; mend these first")));
        }
        diagnostics
    }
}

/// An error and what caused it, on one line. A cause that its error has quoted already is not said again.
pub fn with_causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        let more = inner.to_string();
        if !text.ends_with(&more) {
            text.push_str(": ");
            text.push_str(&more);
        }
        cause = inner.source();
    }
    text
}

/// The gravest level among diagnostics; `None` where nothing is said.
pub fn gravest(diagnostics: &[Diagnostic]) -> Option<Level> {
    diagnostics.iter().map(|diagnostic| diagnostic.level).min()
}
