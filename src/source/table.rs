//! Parquet files as rows: chosen columns of whole numbers and text, a few thousand rows at once.
//!
//! The files are those of strangers: [`Seekable`] bounds what a page can ask for, pages come in an order that the `parquet`
//! crate takes for granted, and where it fails by a panic, that is an error of the file.

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};

use parquet::basic::{Encoding, Type};
use parquet::column::page::{Page, PageMetadata, PageReader};
use parquet::column::reader::{ColumnReader, get_column_reader};
use parquet::data_type::ByteArray;
use parquet::errors::ParquetError;
use parquet::file::reader::{FileReader, SerializedFileReader};
use parquet::schema::types::SchemaDescPtr;

use super::SourceError;
use super::seekable::Seekable;

/// How many rows are read at once.
const ROWS: usize = 4096;

/// The most columns of a file.
const MAX_COLUMNS: usize = 1024;

/// A file, of which some columns are read.
pub(super) struct Table {
    file: SerializedFileReader<Seekable>,
    /// The columns that are read, by their place in the file.
    columns: Vec<usize>,
    /// The row groups to come, and the readers of the one that is being read.
    group: usize,
    open: Vec<Cells>,
    rows_left: u64,
}

/// A column of a row group.
struct Cells {
    reader: ColumnReader,
    /// The values of rows that were read.
    values: VecDeque<Option<Value>>,
    is_optional: bool,
}

/// What stands in a cell.
pub(super) enum Value {
    /// Of a column of `INT32` or `INT64`.
    Number(i64),
    /// Of a column of `BYTE_ARRAY`.
    Text(ByteArray),
}

impl Table {
    /// Opens a file, of which no column is read yet.
    pub(super) fn open(octets: Seekable) -> Result<Self, SourceError> {
        let file = guarded(|| SerializedFileReader::new(octets).map_err(|error| error.to_string()))
            .map_err(|reason| SourceError::format(0, format!("no readable Parquet file: {reason}")))?;
        if file.metadata().file_metadata().schema_descr().num_columns() > MAX_COLUMNS {
            return Err(SourceError::format(0, format!("a Parquet file of more than {MAX_COLUMNS} columns")));
        }
        Ok(Self { file, columns: Vec::new(), group: 0, open: Vec::new(), rows_left: 0 })
    }

    /// The columns of the file.
    pub(super) fn schema(&self) -> SchemaDescPtr {
        self.file.metadata().file_metadata().schema_descr_ptr()
    }

    /// What the file says of itself under a key.
    pub(super) fn about(&self, key: &str) -> Option<&str> {
        let pairs = self.file.metadata().file_metadata().key_value_metadata()?;
        pairs.iter().find(|pair| pair.key == key)?.value.as_deref()
    }

    /// How many rows the file says that it has.
    pub(super) fn rows(&self) -> u64 {
        u64::try_from(self.file.metadata().file_metadata().num_rows()).unwrap_or(0)
    }

    /// Reads the columns of these places from here on.
    pub(super) fn choose(&mut self, columns: Vec<usize>) -> Result<(), SourceError> {
        for place in &columns {
            let schema = self.schema();
            let Some(column) = schema.columns().get(*place) else { continue };
            let is_flat = column.max_rep_level() == 0 && column.max_def_level() <= 1;
            if !is_flat || !matches!(column.physical_type(), Type::INT32 | Type::INT64 | Type::BYTE_ARRAY) {
                let name = column.name();
                return Err(SourceError::format(0, format!("column `{name}` is neither text nor a whole number")));
            }
        }
        self.columns = columns;
        Ok(())
    }

    /// Reads the next rows: how many there are to [`take`](Self::take), zero at the end.
    pub(super) fn fill(&mut self) -> Result<usize, String> {
        guarded(|| {
            while self.rows_left == 0 {
                if self.group == self.file.num_row_groups() {
                    return Ok(0);
                }
                self.open_group()?;
            }
            let wanted = usize::try_from(self.rows_left).unwrap_or(ROWS).min(ROWS);
            for cells in &mut self.open {
                cells.read(wanted)?;
            }
            self.rows_left -= wanted as u64;
            Ok(wanted)
        })
    }

    /// The cells of the next row, in the order in which columns were chosen.
    pub(super) fn take(&mut self) -> impl Iterator<Item = Option<Value>> {
        self.open.iter_mut().map(|cells| cells.values.pop_front().flatten())
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
