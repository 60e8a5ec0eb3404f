//! Tables of an archive, written.

use std::io::Write;
use std::sync::Arc;

use parquet::basic::{Compression, ZstdLevel};
use parquet::column::writer::ColumnWriter;
use parquet::data_type::ByteArray;
use parquet::errors::{ParquetError, Result};
use parquet::file::metadata::KeyValue;
use parquet::file::properties::WriterProperties;
use parquet::file::writer::{SerializedFileWriter, SerializedRowGroupWriter};
use parquet::schema::parser::parse_message_type;
use parquet::schema::types::{ColumnDescPtr, Type};
use sha2::{Digest, Sha256};

use super::row::{COLUMNS, Cell, Row, SCHEMA};
use super::{ARCHIVE, COUNT, FILES, KEY_VERSION, Kind, Label, Listed, TABLE, VERSION, hex};
use crate::model::{Coverage, InputCoverage};

/// The rows of a row group: what is held in memory while a file is written.
const GROUP: usize = 1 << 16;

/// After how many rows the size of a page is looked at: a page is larger than a mebibyte by so many cells at most, and is read
/// again if it has no more than 64. What one input held can be some hundred kilobytes.
const INPUTS_AT_ONCE: usize = 16;
/// The same of flow records.
const ROWS_AT_ONCE: usize = 1024;

/// What the inputs held, as a table.
pub(super) const INPUTS_SCHEMA: &str = "message inputs {
    required int32 number (INTEGER(32,false));
    required binary name (STRING);
    required binary kind (STRING);
    required binary coverage (JSON);
}";

/// A schema in its language.
pub(super) fn schema(text: &str) -> Result<Type> {
    parse_message_type(text)
}

/// How well a file is packed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kept {
    /// For a while: written and read once.
    Briefly,
    /// For good.
    ForGood,
}

/// A file of flow records.
pub struct FlowsWriter<W: Write + Send> {
    file: SerializedFileWriter<W>,
    rows: Vec<Row>,
    written: u64,
}

fn begin<W: Write + Send>(out: W, schema: &str, label: &Label, kept: Kept) -> Result<SerializedFileWriter<W>> {
    let level = match kept {
        Kept::Briefly => ZstdLevel::try_new(1)?,
        Kept::ForGood => ZstdLevel::try_new(6)?,
    };
    let pairs = [
        (TABLE, label.kind.name().to_owned()),
        (KEY_VERSION, VERSION.to_string()),
        (ARCHIVE, label.archive.clone()),
        (COUNT, label.inputs.to_string()),
    ];
    let pairs = pairs.map(|(key, value)| KeyValue::new(key.to_owned(), value));
    let properties = WriterProperties::builder()
        .set_compression(Compression::ZSTD(level))
        .set_write_batch_size(if label.kind == Kind::Inputs { INPUTS_AT_ONCE } else { ROWS_AT_ONCE })
        .set_created_by(concat!("landfall ", env!("CARGO_PKG_VERSION")).to_owned())
        .set_key_value_metadata(Some(pairs.into()))
        .build();
    SerializedFileWriter::new(out, Arc::new(parse_message_type(schema)?), Arc::new(properties))
}

impl<W: Write + Send> FlowsWriter<W> {
    /// Begins a file.
    pub fn new(out: W, label: &Label, kept: Kept) -> Result<Self> {
        Ok(Self { file: begin(out, SCHEMA, label, kept)?, rows: Vec::new(), written: 0 })
    }

    /// Adds a row. Rows come in their order ([`Row::order`]).
    pub fn push(&mut self, row: Row) -> Result<()> {
        self.rows.push(row);
        if self.rows.len() >= GROUP { self.flush() } else { Ok(()) }
    }

    /// Ends the file, and says how many rows it has.
    pub fn finish(mut self) -> Result<(W, u64)> {
        self.flush()?;
        Ok((self.file.into_inner()?, self.written))
    }

    fn flush(&mut self) -> Result<()> {
        if self.rows.is_empty() {
            return Ok(());
        }
        let mut group = self.file.next_row_group()?;
        for (get, _) in COLUMNS {
            column(&mut group, self.rows.iter().map(get))?;
        }
        group.close()?;
        self.written += self.rows.len() as u64;
        self.rows.clear();
        Ok(())
    }
}

/// Writes the next column of a row group.
fn column<'r, W: Write + Send>(
    group: &mut SerializedRowGroupWriter<'_, W>,
    cells: impl Iterator<Item = Cell<'r>>,
) -> Result<()> {
    let Some(mut writer) = group.next_column()? else {
        return Err(ParquetError::General("more columns than the schema has".to_owned()));
    };
    let (mut levels, mut numbers, mut texts) = (Vec::new(), Vec::new(), Vec::new());
    for cell in cells {
        levels.push(i16::from(!matches!(cell, Cell::Null)));
        match cell {
            Cell::Null => {}
            Cell::Number(number) => numbers.push(number),
            Cell::Text(text) => texts.push(ByteArray::from(text.into_owned().into_bytes())),
        }
    }
    // A column that must be there has no levels; one of the others has those of its cells.
    let defined = |descriptor: &ColumnDescPtr| (descriptor.max_def_level() > 0).then_some(levels.as_slice());
    match writer.untyped() {
        ColumnWriter::Int32ColumnWriter(column) => {
            let numbers: Vec<i32> = numbers.into_iter().map(|number| number as i32).collect();
            column.write_batch(&numbers, defined(column.get_descriptor()), None)?;
        }
        ColumnWriter::Int64ColumnWriter(column) => {
            column.write_batch(&numbers, defined(column.get_descriptor()), None)?;
        }
        ColumnWriter::ByteArrayColumnWriter(column) => {
            column.write_batch(&texts, defined(column.get_descriptor()), None)?;
        }
        _ => return Err(ParquetError::General("a column of a type that is not written".to_owned())),
    }
    writer.close()
}

/// An input as `inputs` has it: its number, its name, its kind, its coverage in JSON.
type Line = (u32, String, String, String);

/// What the inputs held, line by line: what the digest of an archive is over.
pub(super) fn lines(coverage: &Coverage) -> Result<Vec<Line>> {
    let line = |(id, input): (&crate::model::InputId, &InputCoverage)| {
        let json = serde_json::to_string(input).map_err(|error| ParquetError::General(error.to_string()))?;
        Ok((id.0, input.name.clone(), input.kind.clone(), json))
    };
    coverage.inputs.iter().map(line).collect()
}

/// Writes what the inputs held, and which files the archive has.
pub fn write_inputs<W: Write + Send>(out: W, label: &Label, coverage: &Coverage, files: &[Listed]) -> Result<W> {
    let label = Label { kind: Kind::Inputs, ..label.clone() };
    let mut file = begin(out, INPUTS_SCHEMA, &label, Kept::ForGood)?;
    let listed = serde_json::to_string(files).map_err(|error| ParquetError::General(error.to_string()))?;
    file.append_key_value_metadata(KeyValue::new(FILES.to_owned(), listed));
    for lines in lines(coverage)?.chunks(GROUP) {
        let mut group = file.next_row_group()?;
        column(&mut group, lines.iter().map(|line| Cell::Number(line.0.into())))?;
        for text in [|line: &Line| line.1.clone(), |line: &Line| line.2.clone(), |line: &Line| line.3.clone()] {
            column(&mut group, lines.iter().map(|line| Cell::Text(text(line).into())))?;
        }
        group.close()?;
    }
    file.into_inner()
}

impl Label {
    /// The label of an archive's flow records: its digest is over what its inputs held.
    pub fn of(coverage: &Coverage) -> Result<Self> {
        let mut hash = Sha256::new();
        for (number, .., json) in lines(coverage)? {
            hash.update(format!("{number} {json}\n"));
        }
        let archive = hex(&hash.finalize());
        let inputs = coverage.inputs.keys().next_back().map_or(0, |last| last.0.saturating_add(1));
        Ok(Self { kind: Kind::Flows, archive, inputs })
    }

    /// The label of records that are still to be sorted.
    pub fn unsorted() -> Self {
        Self { kind: Kind::Unsorted, archive: "0".repeat(64), inputs: crate::model::Provenance::MAX_INPUTS }
    }
}
