//! What an audit came to, written down: a table for a terminal, JSON for programs, a page for people.
//!
//! Every format is made from [`Report`] and nothing else, so that a report can be rendered again from its JSON, by a
//! later version, without the inputs: [`read_json`], then [`write()`].
//!
//! # The JSON
//!
//! `landfall audit --format json` is the source of every other format. [`SCHEMA_JSON`] is its JSON Schema (draft
//! 2020-12), and what each field means is said where it is declared: [`Report`], [`Finding`](crate::model::Finding),
//! [`InventoryRow`](crate::model::InventoryRow), [`InputCoverage`](crate::model::InputCoverage),
//! [`LocationSource`](crate::model::LocationSource), [`PolicySummary`](crate::model::PolicySummary).
//!
//! - `schema` is `landfall.report` and `version` is 1. Within a version fields are only added, so a reader must not mind
//!   a field that it does not know; a field that goes or changes its meaning makes a new version.
//! - Times are ISO 8601 in UTC. Counts are exact integers; octets are IP octets (the IP header and all that follows),
//!   `payload` is what the transport carried and is 0 where the input does not count it.
//! - A set of countries is a sorted list of ISO 3166-1 alpha-2 codes, or `"*"`: no information, it could be anywhere.
//! - A number of addresses is `{"count": 40, "exact": false}`: beyond 32 different addresses it is an estimate.
//! - Every list is sorted. The same inputs, policy and location data give the same bytes.
//! - Control characters and characters that reorder text are written as `\u` escapes, so that the file can be looked at
//!   on a terminal. A parser gives the names as they were.
//!
//! # Names from strangers
//!
//! Server names, paths and names of organisations come from outside. The text and the page show what is in them and
//! cannot be steered by it: control characters, invisible characters and characters that reorder text are shown as
//! `\u{202e}`, and the page escapes all markup.

mod compare;
pub mod explain;
mod gaps;
mod horizon;
mod html;
mod inputs;
mod json;
mod landing;
mod layout;
mod text;
mod view;
mod visible;
mod words;

use std::io;

pub use compare::{Change, Comparison, Side, compare, write_comparison};
pub use json::{ReadError, SCHEMA_JSON, read_json};
pub use visible::visible;
pub use words::octets;

use crate::diag::Colour;
use crate::model::Report;

/// A format that a report can be written in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Format {
    /// For a terminal: findings first, then where the traffic landed, then what could not be seen.
    Text,
    /// The source of every other format, with a schema and a version.
    Json,
    /// One page that needs nothing else, and prints.
    Html,
}

impl Format {
    /// Every format with its name.
    pub const ALL: [(&'static str, Self); 3] = [("text", Self::Text), ("json", Self::Json), ("html", Self::Html)];

    /// The format of a name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.iter().find(|(known, _)| *known == name).map(|(_, format)| *format)
    }

    /// The name of the format.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Json => "json",
            Self::Html => "html",
        }
    }
}

/// How a text is to look. The caller knows the terminal; nothing here asks for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Style {
    /// How many columns a line may have, within [`Style::WIDTHS`]; what is outside is moved to the nearer end.
    pub width: usize,
    /// Whether the text may carry colours.
    pub colour: Colour,
}

impl Style {
    /// The widths that the text is laid out for.
    pub const WIDTHS: std::ops::RangeInclusive<usize> = 80..=200;
}

impl Default for Style {
    /// 100 columns without colours.
    fn default() -> Self {
        Self { width: 100, colour: Colour::Never }
    }
}

/// Writes a report. `style` is for the text alone. The only errors are those of `out`.
pub fn write(report: &Report, format: Format, style: Style, out: &mut dyn io::Write) -> io::Result<()> {
    match format {
        Format::Text => text::write(report, style, out),
        Format::Json => json::write(report, out),
        Format::Html => html::write(report, out),
    }
}
