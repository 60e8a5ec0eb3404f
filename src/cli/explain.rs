//! `landfall explain`: the derivation of a finding, from the JSON of its report alone.

use std::fs::File;
use std::io::{self, Read, Write as _};
use std::path::{Path, PathBuf};

use clap::Args;

use super::{Exit, Stop, plan};
use crate::diag::with_causes;
use crate::model::{Finding, Report};
use crate::report::{self, explain};

/// The largest report that is read, in octets.
const MAX_REPORT: u64 = 1 << 30;
/// The most findings of an ambiguous identifier that are named.
const MAX_NAMED: usize = 8;

/// What `explain` is asked.
#[derive(Debug, Args)]
pub struct ExplainArgs {
    /// The identifier of a finding, as the report has it, or its beginning
    #[arg(value_name = "WHAT")]
    what: String,
    /// The report that has the finding, as JSON (`landfall audit --format json`); `-` is standard input
    #[arg(value_name = "REPORT")]
    report: Option<PathBuf>,
}

pub(super) fn run(args: &ExplainArgs) -> Result<Exit, Stop> {
    let what = &args.what;
    let Some(path) = &args.report else {
        return Err(Stop::Failed(format!(
            "`{what}` is explained by its report: name it, as in `landfall explain {what} report.json`"
        )));
    };
    let report = read(path).map_err(Stop::Failed)?;
    let finding = find(&report, what, path)?;
    let stdout = io::stdout();
    let style = plan::style(&stdout);
    let mut out = io::BufWriter::new(stdout);
    explain::write(&report, finding, style, &mut out)?;
    out.flush()?;
    Ok(Exit::Clean)
}

fn read(path: &Path) -> Result<Report, String> {
    let name = if path.as_os_str() == "-" { "standard input".to_owned() } else { format!("`{}`", path.display()) };
    let mut text = Vec::new();
    let mut take = |reader: &mut dyn Read| reader.take(MAX_REPORT + 1).read_to_end(&mut text);
    let taken = if path.as_os_str() == "-" {
        take(&mut io::stdin().lock())
    } else {
        File::open(path).and_then(|mut file| take(&mut file))
    };
    taken.map_err(|error| format!("cannot read {name}: {error}"))?;
    if text.len() as u64 > MAX_REPORT {
        return Err(format!("cannot read {name}: larger than {MAX_REPORT} octets"));
    }
    report::read_json(&text).map_err(|error| format!("cannot use {name}: {}", with_causes(&error)))
}

/// The one finding that is meant.
fn find<'r>(report: &'r Report, what: &str, path: &Path) -> Result<&'r Finding, Stop> {
    let found = explain::find(report, what);
    let names = |findings: &[&Finding]| {
        let named: Vec<&str> = findings.iter().take(MAX_NAMED).map(|finding| finding.id.as_str()).collect();
        let more = if findings.len() > MAX_NAMED { " and others" } else { "" };
        format!("{}{more}", named.join(", "))
    };
    match found.as_slice() {
        [only] => Ok(only),
        [] => {
            let all: Vec<&Finding> = report.findings.iter().collect();
            let has = if all.is_empty() { "has no findings".to_owned() } else { format!("has {}", names(&all)) };
            Err(Stop::Failed(format!("no finding `{what}` in `{}`, which {has}", path.display())))
        }
        several => Err(Stop::Failed(format!("`{what}` begins several findings: {}", names(several)))),
    }
}
