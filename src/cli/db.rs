//! `landfall db`: which location data is in use, how old it is, and whether files can be used.

use std::io::{self, BufWriter, Write};
use std::path::PathBuf;

use clap::{ArgAction, Args, Subcommand};
use jiff::civil::Date;
use serde::Serialize;

use super::{Exit, Stop, plan, tell};
use crate::diag::with_causes;
use crate::locate::survey;
use crate::model::{LocationSource, SourceId};
use crate::report::visible;

/// Days after which location data is old: of a provider's feed a twentieth of the addresses moved in that time.
const OLD: i64 = 90;
/// Days after which it is stale.
const STALE: i64 = 180;

/// What is asked about location data.
#[derive(Debug, Subcommand)]
pub enum DbCommand {
    /// List the sources in use, with date, age, digest and licence
    List(ListArgs),
    /// Read files to their end and say what is in them and what could not be used
    Check(CheckArgs),
}

/// What `db list` is asked.
#[derive(Debug, Args)]
pub struct ListArgs {
    /// Location data, told apart by content, or `embedded` [default: databases in the usual folders, else embedded]
    #[arg(long, value_name = "PATH", action = ArgAction::Append)]
    db: Vec<PathBuf>,
    #[command(flatten)]
    form: Form,
}

/// What `db check` is asked.
#[derive(Debug, Args)]
pub struct CheckArgs {
    /// Files of location data
    #[arg(value_name = "PATH", required = true)]
    paths: Vec<PathBuf>,
    #[command(flatten)]
    form: Form,
}

/// How it is told, and on which day.
#[derive(Debug, Args)]
struct Form {
    /// One JSON object a line
    #[arg(long)]
    json: bool,
    /// The day from which age is counted [default: by the clock]
    #[arg(long, value_name = "DATE")]
    today: Option<Date>,
}

/// A source as it is listed.
#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
struct Row<'a> {
    #[serde(flatten)]
    source: &'a LocationSource,
    /// Days since its date.
    age: Option<i64>,
    notes: &'a [String],
}

impl<'a> Row<'a> {
    fn new(source: &'a LocationSource, notes: &'a [String], today: Date) -> Self {
        let dated = source.as_of.as_deref().and_then(|date| date.parse::<Date>().ok());
        let age = dated.map(|date| i64::from((today - date).get_days()));
        Self { source, age, notes }
    }

    fn write(&self, out: &mut impl Write, form: &Form) -> io::Result<()> {
        if form.json {
            serde_json::to_writer(&mut *out, self)?;
            return out.write_all(b"\n");
        }
        let LocationSource { name, origin, kind, as_of, digest, licence, attribution, networks, .. } = self.source;
        let age = match self.age {
            None => "age not known".to_owned(),
            Some(days) if days >= STALE => format!("{days} days old: stale"),
            Some(days) if days >= OLD => format!("{days} days old: due for renewal"),
            Some(days) => format!("{days} days old"),
        };
        writeln!(out, "{}", visible(name))?;
        writeln!(out, "  {} from {}", visible(kind), visible(origin))?;
        writeln!(out, "  {}, {age}; {networks} networks", as_of.as_deref().unwrap_or("undated"))?;
        writeln!(out, "  sha256 {digest}")?;
        writeln!(out, "  licence: {}", visible(licence.as_deref().unwrap_or("not known; see its publisher")))?;
        if let Some(attribution) = attribution {
            writeln!(out, "  {}", visible(attribution))?;
        }
        for note in self.notes {
            writeln!(out, "  note: {}", visible(note))?;
        }
        Ok(())
    }
}

pub(super) fn run(command: &DbCommand) -> Result<Exit, Stop> {
    match command {
        DbCommand::List(args) => list(args),
        DbCommand::Check(args) => check(args),
    }
}

fn list(args: &ListArgs) -> Result<Exit, Stop> {
    let today = args.form.today.unwrap_or_else(plan::today);
    let atlas = plan::atlas(&args.db, today, None)?;
    let gazetteer = atlas.at(crate::model::Timestamp::at_midnight(today));
    let mut out = BufWriter::new(io::stdout().lock());
    for (at, source) in gazetteer.sources().iter().enumerate() {
        Row::new(source, gazetteer.notes(SourceId(at as u16)), today).write(&mut out, &args.form)?;
    }
    if !args.form.json {
        writeln!(out, "all together: sha256 {}", atlas.digest())?;
    }
    out.flush()?;
    Ok(Exit::Clean)
}

fn check(args: &CheckArgs) -> Result<Exit, Stop> {
    let today = args.form.today.unwrap_or_else(plan::today);
    let mut out = BufWriter::new(io::stdout().lock());
    let mut exit = Exit::Clean;
    for path in &args.paths {
        match survey(path, Some(today)) {
            Ok(survey) => Row::new(&survey.source, &survey.notes, today).write(&mut out, &args.form)?,
            Err(error) => {
                // What was found before it stands before it.
                out.flush()?;
                tell(&with_causes(&error));
                exit = Exit::Failed;
            }
        }
    }
    out.flush()?;
    Ok(exit)
}
