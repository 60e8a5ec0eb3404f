//! `landfall policy diff`: two policies on the same traffic.

use std::io::{self, BufWriter, Write as _};
use std::path::PathBuf;
use std::sync::Arc;
use std::thread;

use clap::{Args, ValueEnum};

use super::args::{GroundsArgs, InputArgs};
use super::vantage::VantageArgs;
use super::{Exit, Stop, plan, tell};
use crate::report::{compare, write_comparison};
use crate::run::batch::{self, Advance};

/// How a comparison is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// For people
    Text,
    /// One JSON object, for programs
    Json,
}

/// What `policy diff` is asked.
#[derive(Debug, Args)]
pub struct DiffArgs {
    /// The policy before
    #[arg(value_name = "BEFORE")]
    before: PathBuf,
    /// The policy after; the same file for a supposition with `--law-without`
    #[arg(value_name = "AFTER")]
    after: PathBuf,
    /// What to read.
    #[command(flatten)]
    input: InputArgs,
    /// Location data, as for `audit`
    #[arg(long, value_name = "PATH")]
    db: Vec<PathBuf>,
    /// Where the observation point stands.
    #[command(flatten)]
    vantage: VantageArgs,
    /// Judge AFTER as if a set of the library did not exist, or what it says of one country: `eu.adequate:US`
    #[arg(long, value_name = "SET", value_delimiter = ',')]
    law_without: Vec<String>,
    /// How to write what is different
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
    /// How many inputs are read at once [default: as many as there are processors]
    #[arg(short = 'j', long, value_name = "N")]
    threads: Option<usize>,
}

/// Compares, and ends as `diff` does: 0 where nothing is different, 1 where something is, 2 where the run did not happen; 3
/// where nothing is different and not everything could be read.
pub(super) fn run(args: &DiffArgs) -> Result<Exit, Stop> {
    let vantage = &args.vantage;
    let grounds = |policy: &PathBuf, law_without: &[String]| {
        let args = GroundsArgs {
            policy: Some(policy.clone()),
            allow: Vec::new(),
            deny: Vec::new(),
            law_without: law_without.to_vec(),
            local: Vec::new(),
            db: args.db.clone(),
        };
        plan::grounds(&args, Some(vantage), &[])
    };
    // All are tried before any stops the run, so that all mistakes are told at once.
    let (before, after) = (grounds(&args.before, &[]), grounds(&args.after, &args.law_without));
    let inputs = plan::inputs(&args.input);
    let (before, after, (inputs, unreadable)) = (before?, after?, inputs?);
    let options = plan::options(&args.input);
    let threads = args.threads.or_else(|| thread::available_parallelism().ok().map(usize::from)).unwrap_or(1);
    let advance = Arc::new(Advance::default());
    let audits = batch::audits(&inputs, &[&before, &after], &options, threads, &advance, None);
    let [one, other] = audits.as_slice() else {
        return Err(Stop::Failed("internal error: two policies did not give two audits".to_owned()));
    };
    let failed: Vec<_> = one.coverage.inputs.values().filter(|input| input.error.is_some()).collect();
    for input in &failed {
        tell(&format!("cannot read `{}`: {}", input.name, input.error.as_deref().unwrap_or_default()));
    }
    if failed.iter().filter(|input| input.read.count == 0).count() == one.coverage.inputs.len() {
        return Err(Stop::Told(Exit::Failed));
    }
    let comparison = compare(&one.report(&before, None), &other.report(&after, None));
    let stdout = io::stdout();
    let style = plan::style(&stdout);
    let mut out = BufWriter::new(stdout);
    match args.format {
        Format::Text => write_comparison(&comparison, style, &mut out)?,
        Format::Json => {
            let json = serde_json::to_string_pretty(&comparison).map_err(io::Error::from)?;
            writeln!(out, "{json}")?;
        }
    }
    out.flush()?;
    let complete = one.coverage.is_complete() && unreadable.is_empty();
    Ok(match (comparison.is_empty(), complete) {
        (false, _) => Exit::Forbidden,
        (true, true) => Exit::Clean,
        (true, false) => Exit::Open,
    })
}
