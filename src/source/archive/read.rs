//! Files of an archive as sources.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Seek};
use std::sync::Arc;

use sha2::{Digest, Sha256};

use super::row::{COLUMNS, Row, SCHEMA};
use super::write::{INPUTS_SCHEMA, schema};
use super::{Beside, Digesting, KIND, Kind, Label, MAX_COVERAGE, Part, hex, label, table};
use crate::diag::with_causes;
use crate::model::{Batch, Count, Coverage, InputCoverage, InputId, Provenance, Skip};
use crate::source::table::{Table, Value};
use crate::source::{Progress, Source, SourceError};

/// The most inputs that a file is told apart by where `inputs` is not read with it.
const MAX_TOLD: usize = 1 << 12;

/// Opens a file of an archive, which the plan of the run has looked at.
pub fn open(id: InputId, name: &str, file: File, part: &Part) -> Result<Box<dyn Source>, SourceError> {
    if let Some(digest) = &part.digest {
        let reading = |error| SourceError::reading(0, error);
        let mut file = file.try_clone().map_err(reading)?;
        file.rewind().map_err(reading)?;
        let mut found = Digesting::new(io::sink());
        io::copy(&mut file, &mut found).map_err(reading)?;
        if found.finish().1 != *digest {
            let reason = "damaged, or another file: its SHA-256 is not what the archive says";
            return Err(SourceError::format(0, reason));
        }
    }
    let (table, found) = labelled(file)?;
    if found != part.label {
        return Err(SourceError::format(0, "the file is not what it was when the run began"));
    }
    let mut own = InputCoverage::new(name, KIND);
    let wanted = if found.kind == Kind::Inputs { INPUTS_SCHEMA } else { SCHEMA };
    for column in strangers(&table, wanted)? {
        own.note(format!("column `{column}`"));
    }
    match found.kind {
        Kind::Flows => {
            Ok(Box::new(Flows { id, part: part.clone(), rows: Rows::of(table)?, own, told: BTreeMap::new() }))
        }
        Kind::Inputs => {
            let table = Some(chosen(table, wanted)?);
            Ok(Box::new(Inputs { id, part: part.clone(), table, own, held: Coverage::default() }))
        }
        Kind::Unsorted => Err(SourceError::format(0, "an archive that was not finished: make it again")),
    }
}

fn labelled(file: File) -> Result<(Table, Label), SourceError> {
    let none = || SourceError::format(0, "no file of an archive");
    let table = table(file)?.ok_or_else(none)?;
    let label = label(&table).ok_or_else(none)??;
    Ok((table, label))
}

/// The columns of a table that are not known: a later program has added them within the version, or another program.
fn strangers(table: &Table, wanted: &str) -> Result<Vec<String>, SourceError> {
    let wanted = schema(wanted).map_err(|error| SourceError::format(0, error.to_string()))?;
    let held = table.schema();
    let is_known = |name: &str| wanted.get_fields().iter().any(|column| column.name() == name);
    let names = held.columns().iter().map(|column| column.path().string());
    Ok(names.filter(|name| !is_known(name)).collect())
}

/// Chooses the columns of a table, which must be there with their types.
fn chosen(mut table: Table, wanted: &str) -> Result<Table, SourceError> {
    let wanted = schema(wanted).map_err(|error| SourceError::format(0, error.to_string()))?;
    let held = table.schema();
    let mut places = Vec::new();
    for column in wanted.get_fields() {
        let name = column.name();
        let place = held.columns().iter().position(|held| held.path().parts() == [name]);
        let found = place.and_then(|place| held.columns().get(place));
        let same = found.is_some_and(|found| found.physical_type() == column.get_physical_type());
        match place.filter(|_| same) {
            Some(place) => places.push(place),
            None => {
                return Err(SourceError::format(0, format!("an archive without the column `{name}` of its version")));
            }
        }
    }
    table.choose(places)?;
    Ok(table)
}

/// The rows of a file of flow records, one after the other.
pub struct Rows {
    table: Table,
    /// How many of those that were read are still to be taken.
    left: usize,
    row: u64,
    input: Arc<str>,
}

impl Rows {
    /// Opens a file of flow records, in whatever order.
    pub fn open(file: File) -> Result<Self, SourceError> {
        let (table, label) = labelled(file)?;
        match label.kind {
            Kind::Flows | Kind::Unsorted => Self::of(table),
            Kind::Inputs => Err(SourceError::format(0, "no flow records")),
        }
    }

    fn of(table: Table) -> Result<Self, SourceError> {
        Ok(Self { table: chosen(table, SCHEMA)?, left: 0, row: 0, input: "".into() })
    }

    /// The next row; `None` at the end.
    pub fn read(&mut self) -> Result<Option<Row>, SourceError> {
        if self.left == 0 && !self.fill()? {
            return Ok(None);
        }
        self.left -= 1;
        self.row += 1;
        let mut row = Row::empty(Arc::clone(&self.input));
        for ((_, put), value) in COLUMNS.iter().zip(self.table.take()) {
            // What must be there is, or reading the column fails.
            if let Some(value) = value
                && put(&mut row, value).is_none()
            {
                return Err(SourceError::Rows { row: self.row - 1, reason: "a row that is no flow record".to_owned() });
            }
        }
        self.input = Arc::clone(&row.input);
        Ok(Some(row))
    }

    /// Reads more rows; whether there are any.
    fn fill(&mut self) -> Result<bool, SourceError> {
        self.left = self.table.fill().map_err(|reason| SourceError::Rows { row: self.row, reason })?;
        Ok(self.left > 0)
    }
}

/// An hour of flow records.
struct Flows {
    id: InputId,
    part: Part,
    rows: Rows,
    own: InputCoverage,
    /// What is known of the inputs where their coverage is not read.
    told: BTreeMap<InputId, InputCoverage>,
}

impl Flows {
    fn rows(&mut self, batch: &mut Batch) -> Result<Progress, SourceError> {
        // As many as were read at once.
        let Some(row) = self.rows.read()? else { return Ok(Progress::End) };
        self.take(row, batch)?;
        while self.rows.left > 0 {
            let Some(row) = self.rows.read()? else { break };
            self.take(row, batch)?;
        }
        Ok(Progress::More)
    }

    fn take(&mut self, row: Row, batch: &mut Batch) -> Result<(), SourceError> {
        let Row { mut record, name, input } = row;
        let number = record.provenance.input().0;
        if number >= self.part.label.inputs {
            let reason = "a flow record of an input that the archive does not have".to_owned();
            return Err(SourceError::Rows { row: self.rows.row - 1, reason });
        }
        let id = InputId(self.part.base.0.saturating_add(number));
        record.provenance = Provenance::new(id, record.provenance.position());
        record.name = name.map(|name| batch.add_name(name));
        batch.add_origin(id, &input);
        if self.part.inputs == Beside::Missing {
            let told = if self.told.len() < MAX_TOLD || self.told.contains_key(&id) {
                self.told.entry(id).or_insert_with(|| InputCoverage::new(&*input, KIND))
            } else {
                &mut self.own
            };
            let octets = record.forward.octets.saturating_add(record.reverse.octets);
            told.read.add(octets);
            told.used.add(octets);
            told.saw(record.start);
            told.saw(record.end);
        }
        batch.records.push(record);
        Ok(())
    }
}

impl Source for Flows {
    fn read(&mut self, batch: &mut Batch) -> Result<Progress, SourceError> {
        if self.own.error.is_some() {
            return Ok(Progress::End);
        }
        self.rows(batch).inspect_err(|error| self.own.error = Some(with_causes(error)))
    }

    fn coverage(&self) -> InputCoverage {
        self.own.clone()
    }

    /// With the inputs' coverage beside it a file has nothing to add but what is wrong with it. Alone it tells of each input
    /// what it holds of it, and that there was more.
    fn inputs(&self, _: InputId) -> Coverage {
        let mut inputs = Coverage::default();
        if self.own != InputCoverage::new(&*self.own.name, KIND) {
            inputs.inputs.insert(self.id, self.own.clone());
        }
        inputs.inputs.extend(self.told.iter().map(|(id, told)| (*id, told.clone())));
        for input in inputs.inputs.values_mut().filter(|input| input.read.count > 0) {
            input.skip_all(Skip::PartOfArchive, 1, Count { count: 1, octets: 0 });
        }
        inputs
    }
}

/// What the inputs of an archive held.
struct Inputs {
    id: InputId,
    part: Part,
    table: Option<Table>,
    own: InputCoverage,
    held: Coverage,
}

impl Inputs {
    fn rows(&mut self, table: &mut Table) -> Result<(), String> {
        let (mut octets, mut hash) = (0_usize, Sha256::new());
        loop {
            let rows = table.fill()?;
            if rows == 0 {
                let whole = hex(&hash.finalize()) == self.part.label.archive;
                return if whole {
                    Ok(())
                } else {
                    Err("damaged: its SHA-256 is not what the archive says".to_owned())
                };
            }
            for _ in 0..rows {
                let mut cells = table.take();
                let mut next = || cells.next().flatten();
                let (number, _, _, json) = (next(), next(), next(), next());
                let (Some(Value::Number(number)), Some(Value::Text(json))) = (number, json) else {
                    return Err("an input without its number or coverage".to_owned());
                };
                let number = u32::try_from(number).ok().filter(|number| *number < self.part.label.inputs);
                let number = number.ok_or("an input with a number that the archive does not have")?;
                octets += json.len();
                if octets > MAX_COVERAGE {
                    return Err(format!("more than {MAX_COVERAGE} octets about its inputs"));
                }
                hash.update(format!("{number} "));
                hash.update(json.data());
                hash.update("\n");
                let input: InputCoverage = serde_json::from_slice(json.data())
                    .map_err(|error| format!("the coverage of input {number} cannot be read: {error}"))?;
                let id = InputId(self.part.base.0.saturating_add(number));
                // Merged into nothing, so that what is bounded is.
                self.held.merge(Coverage::of(id, input));
            }
        }
    }
}

impl Source for Inputs {
    fn read(&mut self, _: &mut Batch) -> Result<Progress, SourceError> {
        let Some(mut table) = self.table.take() else { return Ok(Progress::End) };
        self.rows(&mut table).map(|()| Progress::End).map_err(|reason| {
            let error = SourceError::Rows { row: 0, reason };
            self.own.error = Some(with_causes(&error));
            error
        })
    }

    fn coverage(&self) -> InputCoverage {
        self.own.clone()
    }

    fn inputs(&self, _: InputId) -> Coverage {
        let mut inputs = self.held.clone();
        if self.own != InputCoverage::new(&*self.own.name, KIND) {
            inputs.inputs.insert(self.id, self.own.clone());
        }
        inputs
    }
}

#[cfg(test)]
mod tests {
    use parquet::file::properties::WriterProperties;
    use parquet::file::writer::SerializedFileWriter;

    use super::*;

    /// What a later program adds within the version is named, and in nobody's way.
    #[test]
    fn columns_that_are_not_known_are_named() {
        let later = INPUTS_SCHEMA.replace('}', "optional binary colour; optional int32 x; }");
        let mut out = tempfile::tempfile().unwrap();
        let properties = WriterProperties::builder().build();
        let file = SerializedFileWriter::new(&mut out, Arc::new(schema(&later).unwrap()), Arc::new(properties));
        file.unwrap().close().unwrap();
        let table = table(out).unwrap().unwrap();
        assert_eq!(strangers(&table, INPUTS_SCHEMA).unwrap(), ["colour", "x"]);
        assert!(chosen(table, INPUTS_SCHEMA).is_ok());
    }
}
