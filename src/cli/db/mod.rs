//! `landfall db`: location data fetched and imported, which is in use, how old it is, and whether it can be used.

mod take;
#[cfg(feature = "fetch")]
mod update;

use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use clap::{ArgAction, Args, Subcommand};
use jiff::civil::Date;
use serde::Serialize;

use crate::cli::{Exit, Stop, plan, tell};
use crate::diag::with_causes;
use crate::fetch::Store;
use crate::locate::{survey, survey_embedded};
use crate::model::{LocationSource, SourceId, Timestamp};
use crate::report::visible;

/// Days after which location data is old: of a provider's feed a twentieth of the addresses moved in that time.
const OLD: i64 = 90;
/// Days within which superseded copies of `GeoLite2` are destroyed, by its agreement.
const DESTROY: i64 = 30;
/// How many IPv4 addresses there are.
const IPV4: f64 = 4_294_967_296.0;
/// Days after which it is stale.
const STALE: i64 = 180;

/// What is asked about location data.
#[derive(Debug, Subcommand)]
pub enum DbCommand {
    /// Fetch location data into the store: the only command that opens a connection
    #[cfg(feature = "fetch")]
    Update(update::UpdateArgs),
    /// Take files of location data into the store, verified as `update` does, on a site without a network
    Import(take::ImportArgs),
    /// List the sources in use, with date, age, digest, coverage and licence
    List(ListArgs),
    /// Read the store, or files, to their end and say what is in them and what could not be used
    Check(CheckArgs),
}

/// What `db list` is asked.
#[derive(Debug, Args)]
pub struct ListArgs {
    /// Location data, told apart by content, or `embedded` [default: the store and databases in the usual folders, else
    /// embedded]
    #[arg(long, value_name = "PATH", action = ArgAction::Append)]
    db: Vec<PathBuf>,
    /// The folder of the store [default: `$LANDFALL_STORE`, else `landfall/db` in `$XDG_DATA_HOME`]
    #[arg(long, value_name = "DIR")]
    store: Option<PathBuf>,
    #[command(flatten)]
    form: Form,
}

/// What `db check` is asked.
#[derive(Debug, Args)]
pub struct CheckArgs {
    /// Files of location data [default: everything in the store]
    #[arg(value_name = "PATH")]
    paths: Vec<PathBuf>,
    /// The folder of the store [default: `$LANDFALL_STORE`, else `landfall/db` in `$XDG_DATA_HOME`]
    #[arg(long, value_name = "DIR", conflicts_with = "paths")]
    store: Option<PathBuf>,
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
    /// How many IPv4 addresses it says something of.
    ipv4_addresses: u64,
    notes: &'a [String],
    /// The dates of its older copies.
    copies: Vec<&'a str>,
    /// How many copies were used and are gone.
    past: u64,
}

impl<'a> Row<'a> {
    fn new(source: &'a LocationSource, ipv4_addresses: u64, notes: &'a [String], today: Date) -> Self {
        let dated = source.as_of.as_deref().and_then(|date| date.parse::<Date>().ok());
        let age = dated.map(|date| i64::from((today - date).get_days()));
        Self { source, age, ipv4_addresses, notes, copies: Vec::new(), past: 0 }
    }

    fn write(&self, out: &mut impl Write, form: &Form) -> io::Result<()> {
        if form.json {
            serde_json::to_writer(&mut *out, self)?;
            return out.write_all(b"\n");
        }
        let LocationSource { name, origin, kind, as_of, digest, licence, attribution, networks, publisher, .. } =
            self.source;
        let age = match self.age {
            None => "age not known".to_owned(),
            Some(days) if days >= STALE => format!("{days} days old: stale"),
            Some(days) if days >= OLD => format!("{days} days old: due for renewal"),
            Some(days) => format!("{days} days old"),
        };
        writeln!(out, "{}", visible(name))?;
        writeln!(out, "  {} from {}", visible(kind), visible(origin))?;
        let share = self.ipv4_addresses as f64 * 100.0 / IPV4;
        let dated = as_of.as_deref().unwrap_or("undated");
        writeln!(out, "  {dated}, {age}; {networks} networks, {share:.1} % of IPv4")?;
        if let Some(publisher) = publisher {
            writeln!(out, "  by {}", visible(publisher))?;
        }
        writeln!(out, "  sha256 {digest}")?;
        writeln!(out, "  licence: {}", visible(licence.as_deref().unwrap_or("not known; see its publisher")))?;
        if let Some(attribution) = attribution {
            writeln!(out, "  {}", visible(attribution))?;
        }
        if !self.copies.is_empty() {
            writeln!(out, "  older copies: {}", visible(&self.copies.join(", ")))?;
        }
        if self.past > 0 {
            writeln!(out, "  copies that were used and are gone: {}", self.past)?;
        }
        if self.age.is_some_and(|days| days > DESTROY)
            && licence.as_deref().is_some_and(|text| text.starts_with("GeoLite2"))
        {
            writeln!(out, "  its licence has copies destroyed within {DESTROY} days of a newer release: update it")?;
        }
        for note in self.notes {
            writeln!(out, "  note: {}", visible(note))?;
        }
        Ok(())
    }
}

pub(in crate::cli) fn run(command: &DbCommand) -> Result<Exit, Stop> {
    match command {
        #[cfg(feature = "fetch")]
        DbCommand::Update(args) => update::update(args),
        DbCommand::Import(args) => take::import(args),
        DbCommand::List(args) => list(args),
        DbCommand::Check(args) => check(args),
    }
}

fn list(args: &ListArgs) -> Result<Exit, Stop> {
    let today = args.form.today.unwrap_or_else(plan::today);
    let named: Vec<PathBuf> = args.store.iter().chain(&args.db).cloned().collect();
    let atlas = plan::atlas(&named, today, None)?;
    let gazetteer = atlas.at(Timestamp::at_midnight(today));
    let embedded = survey_embedded().map_err(|error| Stop::Failed(with_causes(&error)))?;
    // A source of a store is found by its digest: it can lie in any folder that was named.
    let folders = named.iter().cloned().chain(named.is_empty().then(|| plan::store(None)).flatten());
    let stores: Vec<Store> =
        folders.filter(|folder| Store::is_at(folder)).filter_map(|folder| Store::open(&folder).ok()).collect();
    let mut out = BufWriter::new(io::stdout().lock());
    for (at, source) in gazetteer.sources().iter().enumerate() {
        let of_store = stores.iter().flat_map(Store::sources).find_map(|(_, held)| {
            held.copy.iter().find(|copy| copy.digest() == source.digest).map(|copy| (held, copy))
        });
        let mut row = Row::new(source, 0, gazetteer.notes(SourceId(at as u16)), today);
        if let Some((held, current)) = of_store {
            row.ipv4_addresses = current.ipv4_addresses;
            let older = held.copy.iter().filter(|copy| copy.date != current.date);
            row.copies = older.map(|copy| copy.date.as_str()).collect();
            row.past = held.past.len() as u64 + held.forgotten;
        } else if let Some(table) = embedded.iter().find(|table| table.source.digest == source.digest) {
            row.ipv4_addresses = table.addresses;
        } else {
            // It was read a moment ago; that it cannot be any more is for the next run to say.
            row.ipv4_addresses = survey(Path::new(&source.origin), Some(today)).map_or(0, |survey| survey.addresses);
        }
        row.write(&mut out, &args.form)?;
    }
    if !args.form.json {
        writeln!(out, "all together: sha256 {}", atlas.digest())?;
    }
    out.flush()?;
    Ok(if atlas.faults_so_far().is_empty() { Exit::Clean } else { Exit::Open })
}

fn check(args: &CheckArgs) -> Result<Exit, Stop> {
    let today = args.form.today.unwrap_or_else(plan::today);
    let mut out = BufWriter::new(io::stdout().lock());
    let mut exit = Exit::Clean;
    if args.paths.is_empty() {
        let folder = plan::store(args.store.as_deref()).filter(|folder| Store::is_at(folder));
        let folder = folder.ok_or_else(|| Stop::Failed("there is no store yet: name files to check".to_owned()))?;
        let store = Store::open(&folder).map_err(|error| Stop::Failed(with_causes(&error)))?;
        for (name, held) in store.sources() {
            for copy in &held.copy {
                let path = store.path(copy).display().to_string();
                if let Err(error) = store.verify(copy) {
                    out.flush()?;
                    tell(&format!("{path}: {}", with_causes(&error)));
                    exit = Exit::Failed;
                    continue;
                }
                let source = held.listed(name, path, copy);
                Row::new(&source, copy.ipv4_addresses, &copy.notes, today).write(&mut out, &args.form)?;
            }
        }
    }
    for path in &args.paths {
        match survey(path, Some(today)) {
            Ok(survey) => {
                Row::new(&survey.source, survey.addresses, &survey.notes, today).write(&mut out, &args.form)?;
            }
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
