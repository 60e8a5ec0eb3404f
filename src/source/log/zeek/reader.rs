//! Rows of a log of Zeek's, in text or JSON.

use std::borrow::Cow;
use std::io::{self, Read};

use super::columns::{self, Path};
use super::tsv::{self, Directive, Layout};
use crate::model::Skip;
use crate::source::first_object::FirstObject;
use crate::source::lines::{Line, Lines, More};
use crate::source::log::row::{Field, Known, Row};
use crate::source::log::{BYTE_ORDER_MARK, json};
use crate::source::objects::{Object, Objects, Taken};

/// How a log is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shape {
    Tsv,
    Json,
}

/// What the head of an input says that it is: its path and its shape. `None` where it is no log of Zeek's.
pub(super) fn look(head: &[u8]) -> Option<(Path, Shape)> {
    let text = head.strip_prefix(BYTE_ORDER_MARK).unwrap_or(head);
    // In text an object is what somebody wrote into a field.
    let first = if text.starts_with(b"#") { FirstObject::default() } else { FirstObject::of(head) };
    if first.has("id.orig_h") || first.has("_path") {
        let path = first.value("_path").and_then(Path::of);
        let path = path.or_else(|| columns::path_of(&|name| first.has(name)));
        return path.map(|path| (path, Shape::Json));
    }
    let mut layout = Layout::new();
    let mut found = None;
    for line in text.split(|octet| *octet == b'\n').map(|line| line.strip_suffix(b"\r").unwrap_or(line)) {
        match layout.line(line) {
            tsv::Line::Empty => {}
            tsv::Line::Directive(Directive::Other) => found = found.or(layout.path),
            tsv::Line::Directive(Directive::Fields) => return Some((layout.path.unwrap_or(Path::Other), Shape::Tsv)),
            tsv::Line::Row(_) | tsv::Line::Malformed => break,
        }
    }
    found.map(|path| (path, Shape::Tsv))
}

/// Reads rows.
pub(super) struct Rows {
    path: Path,
    octets: Octets,
}

enum Octets {
    Tsv(Box<Lines>, Box<Layout>),
    Json(Box<Objects>),
}

/// What stands at a position of the log.
pub(super) enum Said<'r, 'a> {
    Row(&'r Row<'a>),
    /// A row of another log: of streams that mix them.
    OtherPath,
    Skip(Skip),
    /// Names of fields that are not known.
    Unknown(&'r [Cow<'a, str>]),
}

impl Rows {
    pub(super) fn new(path: Path, shape: Shape, reader: Box<dyn Read + Send>) -> Self {
        let octets = match shape {
            Shape::Tsv => Octets::Tsv(Box::new(Lines::new(reader)), Box::new(Layout::new())),
            Shape::Json => Octets::Json(Box::new(Objects::new(reader))),
        };
        Self { path, octets }
    }

    pub(super) fn offset(&self) -> u64 {
        match &self.octets {
            Octets::Tsv(lines, _) => lines.offset(),
            Octets::Json(objects) => objects.offset(),
        }
    }

    pub(super) fn pending(&self) -> Option<u64> {
        match &self.octets {
            Octets::Tsv(lines, _) => lines.pending(),
            Octets::Json(objects) => objects.pending(),
        }
    }

    /// Reads a block and gives what ends in it.
    pub(super) fn read(&mut self, give: &mut dyn FnMut(u64, Said<'_, '_>)) -> io::Result<More> {
        let path = self.path;
        match &mut self.octets {
            Octets::Tsv(lines, layout) => lines.read(|position, line| tsv_line(path, layout, position, line, give)),
            Octets::Json(objects) => objects.read(|position, object| match object {
                Object::Text(text) => json_object(path, position, text, give),
                Object::Malformed => {
                    give(position, Said::Skip(Skip::MalformedLine));
                    Taken::Yes
                }
                Object::TooLong => {
                    give(position, Said::Skip(Skip::LongLine));
                    Taken::Yes
                }
            }),
        }
    }
}

fn tsv_line(path: Path, layout: &mut Layout, position: u64, line: Line<'_>, give: &mut dyn FnMut(u64, Said<'_, '_>)) {
    let line = match line {
        Line::Plain(line) => line,
        Line::Unchecked(line) => {
            let line = line.strip_prefix(BYTE_ORDER_MARK).unwrap_or(line);
            // Zeek escapes what is not UTF-8.
            if line.contains(&0) || std::str::from_utf8(line).is_err() {
                return give(position, Said::Skip(Skip::MalformedLine));
            }
            line
        }
        Line::TooLong => return give(position, Said::Skip(Skip::LongLine)),
    };
    match layout.line(line) {
        tsv::Line::Directive(Directive::Fields) => {
            let unknown: Vec<Cow<'_, str>> = layout.unknown.iter().map(|name| name.as_str().into()).collect();
            give(position, Said::Unknown(&unknown));
        }
        tsv::Line::Directive(Directive::Other) | tsv::Line::Empty => {}
        tsv::Line::Row(row) if layout.path.is_none_or(|of| of == path) => give(position, Said::Row(&row)),
        tsv::Line::Row(_) => give(position, Said::OtherPath),
        tsv::Line::Malformed => give(position, Said::Skip(Skip::MalformedLine)),
    }
}

fn json_object(path: Path, position: u64, text: &[u8], give: &mut dyn FnMut(u64, Said<'_, '_>)) -> Taken {
    let mut row = Row::default();
    let mut unknown: Vec<Cow<'_, str>> = Vec::new();
    let read = json::leaves(text, &mut |name, value| match columns::known(Some(path), name) {
        Known::Field(field) => row.set(field, value),
        Known::Ignored => {}
        Known::Unknown => {
            if unknown.len() < crate::source::members::MAX_UNKNOWN {
                unknown.push(Cow::Owned(name.to_owned()));
            }
        }
    });
    if read.is_err() {
        return Taken::No;
    }
    // Streams of a sensor mix all of its logs, and say in each row of which it is.
    let other = row.text(Field::Kind).is_some_and(|name| Path::of(name) != Some(path));
    if other {
        give(position, Said::OtherPath);
    } else {
        give(position, Said::Unknown(&unknown));
        give(position, Said::Row(&row));
    }
    Taken::Yes
}
