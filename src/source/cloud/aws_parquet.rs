//! AWS VPC Flow Logs as Parquet, as S3 holds them where the log asks for it.
//!
//! The columns are the fields of the text, with `_` for `-`: numbers as `INT_32` and `INT_64`, the rest as text, and null for
//! `-`. Rows are written as lines and read by [`aws`](super::aws), so that both mean the same. Only columns that are needed are
//! read. A record's position is its row, counted from one.

use std::collections::VecDeque;
use std::fmt::Write as _;
use std::panic::{AssertUnwindSafe, catch_unwind};

use parquet::basic::{Encoding, Type};
use parquet::column::page::{Page, PageMetadata, PageReader};
use parquet::column::reader::{ColumnReader, get_column_reader};
use parquet::data_type::ByteArray;
use parquet::errors::ParquetError;
use parquet::file::reader::{FileReader, SerializedFileReader};

use super::aws::Reading;
use super::intake::Intake;
use super::layout::{Column, Layout, is_known};
use crate::diag::with_causes;
use crate::model::{Batch, InputCoverage, InputId};
use crate::source::lines::Line;
use crate::source::seekable::Seekable;
use crate::source::{Progress, Source, SourceError};

/// The name of the format in reports.
pub const KIND: &str = "aws-vpc-flow-logs-parquet";

/// How many rows are read at once.
const ROWS: usize = 4096;

/// The most octets of a text; longer ones make a line malformed.
const MAX_TEXT: usize = 64;

/// The most columns of a file.
const MAX_COLUMNS: usize = 1024;

/// A flow log.
pub struct AwsParquet {
    file: SerializedFileReader<Seekable>,
    /// The columns that are read, by their place in the file.
    columns: Vec<usize>,
    /// The row groups to come, and the readers of the one that is being read.
    group: usize,
    open: Vec<Cells>,
    rows_left: u64,
    row: u64,
    reading: Reading,
    intake: Intake,
    state: State,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Going,
    Ended,
}

/// A column of a row group.
struct Cells {
    reader: ColumnReader,
    /// The values of rows that were read, as they stand in a line.
    values: VecDeque<Option<Value>>,
    is_optional: bool,
}

enum Value {
    Number(i64),
    Text(ByteArray),
}

impl AwsParquet {
    /// Reads a file whose columns are those of a flow log.
    pub(in crate::source) fn open(
        id: InputId,
        name: &str,
        kind: String,
        octets: Seekable,
    ) -> Result<Self, SourceError> {
        let file = guarded(|| SerializedFileReader::new(octets).map_err(|error| error.to_string()))
            .map_err(|reason| SourceError::format(0, format!("no readable Parquet file: {reason}")))?;
        let schema = file.metadata().file_metadata().schema_descr_ptr();
        if schema.num_columns() > MAX_COLUMNS {
            return Err(SourceError::format(0, format!("a Parquet file of more than {MAX_COLUMNS} columns")));
        }
        let names: Vec<_> = schema.columns().iter().map(|column| column.name().replace('_', "-")).collect();
        let all = Layout::of_names(names.iter().map(String::as_bytes));
        if all.obstacle().is_some() {
            let help = Some("the columns of AWS VPC flow logs are read");
            return Err(SourceError::NotRecognised { looks_like: "Parquet file of other columns", help });
        }
        let (mut columns, mut needed) = (Vec::new(), Vec::new());
        for ((place, column), name) in schema.columns().iter().enumerate().zip(&names) {
            let is_flat = column.max_rep_level() == 0 && column.max_def_level() <= 1;
            let is_readable = matches!(column.physical_type(), Type::INT32 | Type::INT64 | Type::BYTE_ARRAY);
            if Column::of_name(name.as_bytes()).is_some() {
                if !is_flat || !is_readable {
                    return Err(SourceError::format(
                        0,
                        format!("column `{}` is neither text nor a whole number", column.name()),
                    ));
                }
                columns.push(place);
                needed.push(name.as_str());
            }
        }
        let strangers = names.iter().map(String::as_str).filter(|name| !is_known(name.as_bytes()));
        // Last, so that the places of those that are read hold: they are only named.
        let needed: Vec<_> = needed.iter().copied().chain(strangers).collect();
        let mut reading = Reading::new(id, None);
        let mut intake = Intake::new(InputCoverage::new(name, kind), &[]);
        let layout = Layout::of_names(needed.iter().map(|name| name.as_bytes()));
        reading.header(1, layout.with_columns(columns.len()), &mut intake);
        let state = State::Going;
        Ok(Self { file, columns, group: 0, open: Vec::new(), rows_left: 0, row: 0, reading, intake, state })
    }

    fn rows(&mut self, batch: &mut Batch) -> Result<Progress, String> {
        while self.rows_left == 0 {
            if self.group == self.file.num_row_groups() {
                return Ok(Progress::End);
            }
            self.open_group()?;
        }
        let wanted = usize::try_from(self.rows_left).unwrap_or(ROWS).min(ROWS);
        for cells in &mut self.open {
            cells.read(wanted)?;
        }
        self.rows_left -= wanted as u64;
        let mut line = String::new();
        for _ in 0..wanted {
            self.row += 1;
            line.clear();
            for cells in &mut self.open {
                if !line.is_empty() {
                    line.push(' ');
                }
                match cells.values.pop_front().flatten() {
                    None => line.push('-'),
                    // A string takes all that is written to it.
                    Some(Value::Number(number)) => drop(write!(line, "{number}")),
                    Some(Value::Text(text)) => line.push_str(as_field(&text)),
                }
            }
            self.reading.line(self.row, Line::Unchecked(line.as_bytes()), &mut self.intake, batch);
        }
        Ok(Progress::More)
    }

    fn open_group(&mut self) -> Result<(), String> {
        let group = self.file.get_row_group(self.group).map_err(|error| error.to_string())?;
        let rows = u64::try_from(group.metadata().num_rows()).map_err(|_| "a negative number of rows")?;
        self.open.clear();
        for place in &self.columns {
            let chunk = group.metadata().column(*place);
            let offsets =
                [chunk.data_page_offset(), chunk.dictionary_page_offset().unwrap_or(0), chunk.compressed_size()];
            if offsets.iter().any(|offset| *offset < 0) {
                return Err("a column that lies before the file".to_owned());
            }
            let is_optional = chunk.column_descr().max_def_level() > 0;
            let pages = group.get_column_page_reader(*place).map_err(|error| error.to_string())?;
            let pages = Box::new(Pages { pages, dictionary: Dictionary::NotSeen });
            let reader = get_column_reader(chunk.column_descr_ptr(), pages);
            self.open.push(Cells { reader, values: VecDeque::new(), is_optional });
        }
        self.group += 1;
        self.rows_left = rows;
        Ok(())
    }
}

/// The pages of a column, in an order that the `parquet` crate takes for granted.
struct Pages {
    pages: Box<dyn PageReader>,
    dictionary: Dictionary,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Dictionary {
    NotSeen,
    Seen,
}

impl Iterator for Pages {
    type Item = parquet::errors::Result<Page>;

    fn next(&mut self) -> Option<Self::Item> {
        self.get_next_page().transpose()
    }
}

impl PageReader for Pages {
    fn get_next_page(&mut self) -> parquet::errors::Result<Option<Page>> {
        let page = self.pages.get_next_page()?;
        match &page {
            Some(Page::DictionaryPage { .. }) => self.dictionary = Dictionary::Seen,
            Some(page)
                if matches!(page.encoding(), Encoding::PLAIN_DICTIONARY | Encoding::RLE_DICTIONARY)
                    && self.dictionary == Dictionary::NotSeen =>
            {
                return Err(ParquetError::General("a page whose dictionary is missing".to_owned()));
            }
            _ => {}
        }
        Ok(page)
    }

    fn peek_next_page(&mut self) -> parquet::errors::Result<Option<PageMetadata>> {
        self.pages.peek_next_page()
    }

    fn skip_next_page(&mut self) -> parquet::errors::Result<()> {
        self.pages.skip_next_page()
    }
}

/// What stands in a line for a text: what has a space in it, or is too long, is no field.
fn as_field(text: &ByteArray) -> &str {
    let text = text.as_utf8().unwrap_or("?");
    if text.is_empty()
        || text.len() > MAX_TEXT
        || text.contains(|letter: char| letter.is_whitespace() || letter.is_control())
    {
        return "?";
    }
    text
}

impl Cells {
    /// Reads the values of as many rows.
    fn read(&mut self, rows: usize) -> Result<(), String> {
        self.values.clear();
        while self.values.len() < rows {
            let left = rows - self.values.len();
            let mut levels = Vec::new();
            let defined = self.is_optional.then_some(&mut levels);
            let (count, values): (usize, Vec<Value>) = match &mut self.reader {
                ColumnReader::Int32ColumnReader(reader) => {
                    let mut values = Vec::new();
                    let read = reader.read_records(left, defined, None, &mut values);
                    (
                        read.map_err(|error| error.to_string())?.0,
                        values.into_iter().map(|n| Value::Number(n.into())).collect(),
                    )
                }
                ColumnReader::Int64ColumnReader(reader) => {
                    let mut values = Vec::new();
                    let read = reader.read_records(left, defined, None, &mut values);
                    (read.map_err(|error| error.to_string())?.0, values.into_iter().map(Value::Number).collect())
                }
                ColumnReader::ByteArrayColumnReader(reader) => {
                    let mut values = Vec::new();
                    let read = reader.read_records(left, defined, None, &mut values);
                    (read.map_err(|error| error.to_string())?.0, values.into_iter().map(Value::Text).collect())
                }
                _ => return Err("a column of another type than the file says".to_owned()),
            };
            if count == 0 {
                return Err("a column with fewer rows than the file says".to_owned());
            }
            let mut values = values.into_iter();
            for row in 0..count {
                let is_there = !self.is_optional || levels.get(row).is_some_and(|level| *level > 0);
                self.values.push_back(is_there.then(|| values.next()).flatten());
            }
        }
        Ok(())
    }
}

/// Calls the `parquet` crate, which may fail by a panic where a file lies: that is an error of the file.
fn guarded<T>(call: impl FnOnce() -> Result<T, String>) -> Result<T, String> {
    catch_unwind(AssertUnwindSafe(call)).unwrap_or_else(|_| Err("its parts contradict one another".to_owned()))
}

impl Source for AwsParquet {
    fn read(&mut self, batch: &mut Batch) -> Result<Progress, SourceError> {
        if self.state == State::Ended {
            return Ok(Progress::End);
        }
        match guarded(|| self.rows(batch)) {
            Ok(Progress::End) => {
                self.state = State::Ended;
                Ok(Progress::End)
            }
            Ok(progress) => Ok(progress),
            Err(reason) => {
                self.state = State::Ended;
                let error = SourceError::Rows { row: self.row, reason };
                self.intake.coverage.error = Some(with_causes(&error));
                Err(error)
            }
        }
    }

    fn coverage(&self) -> InputCoverage {
        let mut coverage = self.intake.coverage();
        self.reading.notes(&mut coverage);
        coverage
    }
}
