//! `landfall audit --follow`: logs that grow, read until the run is told to stop.

use super::args::AuditArgs;
use super::{Stop, plan, tell};
use crate::audit::{Audit, Auditor, Grounds};
use crate::model::{Coverage, InputId};
use crate::run::batch::{self, Input, Kept, Place, PlanError};
use crate::run::watch::Watch;
use crate::source::Options;

/// The logs to follow: of a folder those that are in it now. A log that is named and not there yet is waited for.
pub(super) fn inputs(args: &AuditArgs) -> Result<(Vec<Input>, Vec<PlanError>), Stop> {
    let paths = args.input.paths();
    if paths.iter().any(|path| path.as_os_str() == "-") {
        return Err(Stop::Failed(
            "standard input is not followed: it is read as it comes, without `--follow`".to_owned(),
        ));
    }
    if paths.is_empty() {
        return plan::inputs(&args.input);
    }
    let (mut places, mut errors) = (Vec::new(), Vec::new());
    for path in paths {
        if path.is_dir() {
            let (found, unread) = batch::plan(&[path]);
            places.extend(found.into_iter().filter(|input| !input.holds_names()).map(|input| input.place));
            errors.extend(unread);
            continue;
        }
        if !path.exists() {
            tell(&format!("`{}` is not there yet: it is waited for", path.display()));
        }
        places.push(Place::File(path));
    }
    for error in &errors {
        tell(&error.to_string());
    }
    let inputs = (0..).map(InputId).zip(places).map(|(id, place)| Input::new(id, place));
    Ok((inputs.collect(), errors))
}

/// Audits logs until a signal comes or the time is over. `keep` takes the flow records besides.
pub(super) fn audit(
    args: &AuditArgs,
    inputs: &[Input],
    grounds: &Grounds,
    options: &Options,
    keep: Kept<'_>,
) -> Result<Audit, Stop> {
    let paths: Vec<_> = inputs
        .iter()
        .filter_map(|input| match &input.place {
            Place::File(path) => Some(path.clone()),
            Place::Stdin => None,
        })
        .collect();
    let watch = Watch::nothing().follow(&paths, options).map_err(|error| Stop::Failed(error.to_string()))?;
    let names: Vec<String> = watch.inputs().map(|(_, name, _)| name.to_owned()).collect();
    tell(&format!("following {}: the report comes at the end", names.join(", ")));
    let mut auditor = Auditor::new(grounds);
    let covered = watch.run(args.limit, |id, batch| {
        for record in &batch.records {
            auditor.observe(record, record.name.and_then(|id| batch.name(id)));
        }
        let name = usize::try_from(id.0).ok().and_then(|place| names.get(place));
        batch::keep(keep, name.map_or("", String::as_str), batch);
    });
    for (id, coverage) in covered.map_err(|error| Stop::Failed(error.to_string()))? {
        batch::cover(keep, &Coverage::of(id, coverage.clone()));
        auditor.cover(id, coverage);
    }
    Ok(auditor.finish())
}
