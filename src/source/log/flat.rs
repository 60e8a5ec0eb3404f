//! Logs in JSON of which every object is a flow, whatever its fields are called.

use std::borrow::Cow;

use super::row::Row;
use super::value::Value;
use super::{Book, json};
use crate::model::{Batch, InputCoverage, InputId, Lack, Skip};
use crate::source::compression::Unwrapped;
use crate::source::members::MAX_UNKNOWN;
use crate::source::objects::{Object, Objects, Taken};
use crate::source::{Progress, Source, SourceError};

/// What a format is apart from being JSON.
pub(super) struct Dialect {
    /// The name of the format in reports.
    pub(super) kind: &'static str,
    /// What the format cannot tell.
    pub(super) lacks: &'static [Lack],
    /// Puts a leaf into its field. Whether the path is known.
    pub(super) take: for<'a> fn(&mut Row<'a>, &str, Value<'a>) -> Heard,
    /// Keeps what a row says; an error where it cannot be used.
    pub(super) keep: fn(&Row<'_>, u64, &mut Book, &mut Batch) -> Result<(), Skip>,
}

/// Whether a path is one of the format's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Heard {
    Known,
    Unknown,
}

/// A log of a dialect.
pub(super) struct FlatLog {
    objects: Objects,
    dialect: &'static Dialect,
    book: Book,
}

impl FlatLog {
    pub(super) fn new(id: InputId, name: &str, input: Unwrapped, dialect: &'static Dialect) -> Self {
        let book = Book::new(id, name, input.kind(dialect.kind), dialect.lacks);
        Self { objects: Objects::new(input.reader), dialect, book }
    }
}

impl Source for FlatLog {
    fn read(&mut self, batch: &mut Batch) -> Result<Progress, SourceError> {
        let Self { objects, dialect, book } = self;
        let result = objects.read(|position, object| {
            let text = match object {
                Object::Text(text) => text,
                Object::Malformed => {
                    book.skip(Skip::MalformedLine, position);
                    return Taken::Yes;
                }
                Object::TooLong => {
                    book.skip(Skip::LongLine, position);
                    return Taken::Yes;
                }
            };
            let mut row = Row::default();
            let mut unknown = Vec::new();
            let read = json::leaves(text, &mut |path, value| {
                if (dialect.take)(&mut row, path, value) == Heard::Unknown && unknown.len() < MAX_UNKNOWN {
                    unknown.push(Cow::Owned(path.to_owned()));
                }
            });
            if read.is_err() {
                return Taken::No;
            }
            book.unknown(position, &unknown);
            if let Err(reason) = (dialect.keep)(&row, position, book, batch) {
                book.skip(reason, position);
            }
            Taken::Yes
        });
        book.progress(result, objects.offset(), objects.pending())
    }

    fn coverage(&self) -> InputCoverage {
        self.book.coverage.clone()
    }
}
