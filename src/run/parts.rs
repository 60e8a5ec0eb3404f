//! Which inputs of a plan are files of archives, and whether an archive is there as a whole.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::batch::{Input, Place, PlanError};
use crate::model::{InputId, Provenance};
use crate::source::archive::{self, Beside, Kind, Label, Listed, Part};

/// An archive in a plan: its digest, the folder that it lies in, and how many inputs it says that it was made of.
type Key = (String, PathBuf, u32);

#[derive(Default)]
struct Found {
    /// The inputs of the plan that are its files: where in the plan, what they hold, how many rows.
    files: Vec<(usize, Label, u64)>,
    /// What it says that it consists of.
    listed: Option<Vec<Listed>>,
}

/// Finds the files of archives among inputs, and gives the inputs that they were made of numbers after all others. What is
/// missing of an archive is told.
pub(super) fn find(inputs: &mut [Input], errors: &mut Vec<PlanError>) {
    let mut archives: BTreeMap<Key, Found> = BTreeMap::new();
    for (index, input) in inputs.iter().enumerate() {
        let Place::File(path) = &input.place else { continue };
        let Some(look) = archive::look(path) else { continue };
        let depth = if look.label.kind == Kind::Inputs { 1 } else { 3 };
        let root = path.ancestors().nth(depth).unwrap_or(Path::new("")).to_owned();
        let found = archives.entry((look.label.archive.clone(), root, look.label.inputs)).or_default();
        if look.label.kind == Kind::Inputs {
            found.listed = Some(look.files);
        }
        found.files.push((index, look.label, look.rows));
    }
    let mut next = u32::try_from(inputs.len()).unwrap_or(Provenance::MAX_INPUTS);
    for ((_, root, count), found) in archives {
        let end = next.checked_add(count).filter(|end| *end <= Provenance::MAX_INPUTS);
        let Some(end) = end else {
            errors.push(PlanError::TooMany);
            continue;
        };
        let beside = if found.listed.is_some() { Beside::There } else { Beside::Missing };
        let mut held: BTreeMap<PathBuf, (usize, u64)> = BTreeMap::new();
        for (index, label, rows) in found.files {
            let Some(input) = inputs.get_mut(index) else { continue };
            if let Place::File(path) = &input.place {
                held.insert(path.clone(), (index, rows));
            }
            // What the archive does not name has no digest that it could have.
            let is_named = label.kind == Kind::Inputs || beside == Beside::Missing;
            let digest = (!is_named).then(String::new);
            input.part = Some(Part { label, base: InputId(next), inputs: beside, digest });
        }
        for (file, records, digest) in found.listed.into_iter().flatten() {
            let path = root.join(file);
            let reason = match held.get(&path) {
                Some((index, rows)) if *rows == records => {
                    if let Some(part) = inputs.get_mut(*index).and_then(|input| input.part.as_mut()) {
                        part.digest = Some(digest);
                    }
                    continue;
                }
                Some((_, rows)) => format!("it holds {rows} flow records, and `{}` says {records}", archive::INPUTS),
                None => format!("it belongs to the archive that is read, and is missing ({records} flow records)"),
            };
            errors.push(PlanError::Part { path: path.display().to_string(), reason });
        }
        next = end;
    }
}
