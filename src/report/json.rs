//! The report as JSON: the source of every other format.

use std::io;

use serde::{Deserialize, Serialize};
use serde_json::ser::{Formatter, PrettyFormatter, Serializer};

use super::visible::acts;
use crate::model::Report;

/// The JSON Schema (draft 2020-12) of a report of version [`Report::VERSION`].
pub const SCHEMA_JSON: &str = include_str!("report.schema.json");

/// Why a text is no report that can be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReadError {
    /// It is not JSON, or breaks off.
    #[error("the report is not valid JSON")]
    Json(#[source] serde_json::Error),
    /// It is JSON of another kind.
    #[error("this is not a landfall report: its `schema` is {}, not `landfall.report`", named(.found.as_deref()))]
    Schema {
        /// What it says that it is.
        found: Option<String>,
    },
    /// It is a report of a version that this program does not read.
    #[error(
        "the report has version {found} of its schema, and this program reads version {}: use the landfall that wrote it, or a later one",
        Report::VERSION
    )]
    Version {
        /// The version that it has.
        found: u64,
    },
    /// A field is missing, or is not what the schema says.
    #[error("the report does not keep to version {} of its schema", Report::VERSION)]
    Field(#[source] serde_json::Error),
}

fn named(schema: Option<&str>) -> String {
    schema.map_or_else(|| "missing".to_owned(), |schema| format!("`{}`", super::visible::visible(schema)))
}

/// Reads a report from its JSON. A report of another schema or version is refused before anything else is read of it.
pub fn read_json(text: &[u8]) -> Result<Report, ReadError> {
    #[derive(Deserialize)]
    struct Head {
        schema: Option<serde_json::Value>,
        version: Option<serde_json::Value>,
    }
    // A list or a number is JSON too, and has no head.
    let value_error = |error: serde_json::Error| {
        if error.is_data() { ReadError::Schema { found: None } } else { ReadError::Json(error) }
    };
    let head: Head = serde_json::from_slice(text).map_err(value_error)?;
    match head.schema {
        Some(serde_json::Value::String(schema)) if schema == Report::SCHEMA => {}
        Some(serde_json::Value::String(schema)) => return Err(ReadError::Schema { found: Some(schema) }),
        other => return Err(ReadError::Schema { found: other.map(|value| value.to_string()) }),
    }
    if let Some(found) = head.version.as_ref().and_then(serde_json::Value::as_u64)
        && found != u64::from(Report::VERSION)
    {
        return Err(ReadError::Version { found });
    }
    serde_json::from_slice(text).map_err(ReadError::Field)
}

pub(super) fn write(report: &Report, out: &mut dyn io::Write) -> io::Result<()> {
    let mut out = io::BufWriter::new(out);
    report.serialize(&mut Serializer::with_formatter(&mut out, Visible(PrettyFormatter::new())))?;
    io::Write::write_all(&mut out, b"\n")?;
    io::Write::flush(&mut out)
}

/// Pretty JSON in which no character acts on a terminal: what [`acts`] is written as an escape, which means the same.
struct Visible(PrettyFormatter<'static>);

impl Formatter for Visible {
    fn write_string_fragment<W: ?Sized + io::Write>(&mut self, writer: &mut W, fragment: &str) -> io::Result<()> {
        let mut rest = fragment;
        while let Some(at) = rest.find(acts) {
            let (plain, from) = rest.split_at(at);
            writer.write_all(plain.as_bytes())?;
            let mut chars = from.chars();
            for unit in chars.next().into_iter().flat_map(|c| c.encode_utf16(&mut [0; 2]).to_vec()) {
                write!(writer, "\\u{unit:04x}")?;
            }
            rest = chars.as_str();
        }
        writer.write_all(rest.as_bytes())
    }

    fn begin_array<W: ?Sized + io::Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.begin_array(writer)
    }

    fn end_array<W: ?Sized + io::Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.end_array(writer)
    }

    fn begin_array_value<W: ?Sized + io::Write>(&mut self, writer: &mut W, first: bool) -> io::Result<()> {
        self.0.begin_array_value(writer, first)
    }

    fn end_array_value<W: ?Sized + io::Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.end_array_value(writer)
    }

    fn begin_object<W: ?Sized + io::Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.begin_object(writer)
    }

    fn end_object<W: ?Sized + io::Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.end_object(writer)
    }

    fn begin_object_key<W: ?Sized + io::Write>(&mut self, writer: &mut W, first: bool) -> io::Result<()> {
        self.0.begin_object_key(writer, first)
    }

    fn begin_object_value<W: ?Sized + io::Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.begin_object_value(writer)
    }

    fn end_object_value<W: ?Sized + io::Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.end_object_value(writer)
    }
}
