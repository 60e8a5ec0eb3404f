//! AWS VPC Flow Logs as Parquet, as S3 holds them where the log asks for it.
//!
//! The columns are the fields of the text, with `_` for `-`: numbers as `INT_32` and `INT_64`, the rest as text, and null for
//! `-`. Rows are written as lines and read by [`aws`](super::aws), so that both mean the same. Only columns that are needed are
//! read. A record's position is its row, counted from one.

use std::fmt::Write as _;

use parquet::data_type::ByteArray;

use super::aws::Reading;
use super::intake::Intake;
use super::layout::{Column, Layout, is_known};
use crate::diag::with_causes;
use crate::model::{Batch, InputCoverage, InputId};
use crate::source::lacks;
use crate::source::lines::Line;
use crate::source::table::{Table, Value};
use crate::source::{Progress, Source, SourceError};

/// The name of the format in reports.
pub const KIND: &str = "aws-vpc-flow-logs-parquet";

/// The most octets of a text; longer ones make a line malformed.
const MAX_TEXT: usize = 64;

/// A flow log.
pub struct AwsParquet {
    table: Table,
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

impl AwsParquet {
    /// Reads a file whose columns are those of a flow log.
    pub(in crate::source) fn new(id: InputId, name: &str, kind: String, mut table: Table) -> Result<Self, SourceError> {
        let schema = table.schema();
        let names: Vec<_> = schema.columns().iter().map(|column| column.name().replace('_', "-")).collect();
        let all = Layout::of_names(names.iter().map(String::as_bytes));
        if all.obstacle().is_some() {
            let help = Some("the columns of AWS VPC flow logs are read");
            return Err(SourceError::NotRecognised { looks_like: "Parquet file of other columns", help });
        }
        let (mut columns, mut needed) = (Vec::new(), Vec::new());
        for (place, name) in names.iter().enumerate() {
            if Column::of_name(name.as_bytes()).is_some() {
                columns.push(place);
                needed.push(name.as_str());
            }
        }
        table.choose(columns)?;
        let count = needed.len();
        let strangers = names.iter().map(String::as_str).filter(|name| !is_known(name.as_bytes()));
        // Last, so that the places of those that are read hold: they are only named.
        let needed: Vec<_> = needed.iter().copied().chain(strangers).collect();
        let mut reading = Reading::new(id, None);
        let mut intake = Intake::new(InputCoverage::new(name, kind).lacking(lacks::AWS), &[]);
        let layout = Layout::of_names(needed.iter().map(|name| name.as_bytes()));
        reading.header(1, layout.with_columns(count), &mut intake);
        Ok(Self { table, row: 0, reading, intake, state: State::Going })
    }

    fn rows(&mut self, batch: &mut Batch) -> Result<Progress, String> {
        let rows = self.table.fill()?;
        let mut line = String::new();
        for _ in 0..rows {
            self.row += 1;
            line.clear();
            for cell in self.table.take() {
                if !line.is_empty() {
                    line.push(' ');
                }
                match cell {
                    None => line.push('-'),
                    // A string takes all that is written to it.
                    Some(Value::Number(number)) => drop(write!(line, "{number}")),
                    Some(Value::Text(text)) => line.push_str(as_field(&text)),
                }
            }
            self.reading.line(self.row, Line::Unchecked(line.as_bytes()), &mut self.intake, batch);
        }
        Ok(if rows == 0 { Progress::End } else { Progress::More })
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

impl Source for AwsParquet {
    fn read(&mut self, batch: &mut Batch) -> Result<Progress, SourceError> {
        if self.state == State::Ended {
            return Ok(Progress::End);
        }
        match self.rows(batch) {
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
