//! `landfall explain`: the derivation of a finding, from the JSON of its report alone; and what a code of `policy check`
//! means, why it is said, and how to mend it.

use std::fs::File;
use std::io::{self, Read, Write as _};
use std::path::{Path, PathBuf};

use clap::Args;

use super::{Exit, Stop, plan};
use crate::diag::{Code, did_you_mean, quoted, render_page, with_causes};
use crate::model::{Finding, Report};
use crate::report::{self, explain};

/// The largest report that is read, in octets.
const MAX_REPORT: u64 = 1 << 30;
/// The most findings of an ambiguous identifier that are named.
const MAX_NAMED: usize = 8;

/// What `explain` is asked.
#[derive(Debug, Args)]
pub struct ExplainArgs {
    /// The identifier of a finding, as the report has it, or its beginning; or a code of `policy check`, such as
    /// `never-matches`. Without it, all codes are listed
    #[arg(value_name = "WHAT")]
    what: Option<String>,
    /// The report that has the finding, as JSON (`landfall audit --format json`); `-` is standard input
    #[arg(value_name = "REPORT")]
    report: Option<PathBuf>,
}

pub(super) fn run(args: &ExplainArgs) -> Result<Exit, Stop> {
    let Some(what) = &args.what else {
        return print(list);
    };
    let Some(path) = &args.report else {
        // Identifiers are hexadecimal, and codes are not.
        let is_identifier = what.len() <= 12 && what.bytes().all(|byte| byte.is_ascii_hexdigit());
        if is_identifier && Code::from_name(what).is_none() {
            return Err(Stop::Failed(format!(
                "`{what}` is explained by its report: name it, as in `landfall explain {what} report.json`"
            )));
        }
        let page = render_page(code(what)?);
        return print(|out| write!(out, "{page}"));
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

/// The code of a name.
fn code(what: &str) -> Result<Code, Stop> {
    Code::from_name(what).ok_or_else(|| {
        let meant = did_you_mean(what, Code::ALL.iter().map(|code| code.name()));
        let help = meant
            .map_or_else(|| "`landfall explain` lists them".to_owned(), |meant| format!("did you mean `{meant}`?"));
        Stop::Failed(format!("there is no code {}; {help}", quoted(what)))
    })
}

/// Lists every code.
fn list(out: &mut dyn io::Write) -> io::Result<()> {
    let width = Code::ALL.iter().map(|code| code.name().len()).max().unwrap_or(0);
    for code in Code::ALL {
        writeln!(out, "{code:width$}  {}", code.sentence())?;
    }
    Ok(())
}

/// Writes a text to standard output.
fn print(text: impl FnOnce(&mut dyn io::Write) -> io::Result<()>) -> Result<Exit, Stop> {
    let mut out = anstream::AutoStream::auto(io::stdout().lock());
    text(&mut out)?;
    out.flush()?;
    Ok(Exit::Clean)
}
