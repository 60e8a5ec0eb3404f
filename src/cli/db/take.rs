//! `landfall db import` and `db update`: location data into the store.

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use clap::Args;
use jiff::civil::Date;

use crate::cli::args::size;
use crate::cli::{Exit, Stop, plan, tell};
use crate::diag::with_causes;
use crate::fetch::catalogue::Keep;
use crate::fetch::{Checks, Incoming, Proof, Store, StoreError, Taken};
use crate::report::visible;

/// Where the store is, and what may enter it.
#[derive(Debug, Args)]
pub(super) struct StoreArgs {
    /// The folder of the store [default: `$LANDFALL_STORE`, else `landfall/db` in `$XDG_DATA_HOME`]
    #[arg(long, value_name = "DIR")]
    pub(super) store: Option<PathBuf>,
    /// Take what is sound although it looks unlikely: far fewer networks than before, another kind, an older date
    #[arg(long)]
    force: bool,
    /// The most octets of a file, as it comes and unpacked
    #[arg(long, value_name = "SIZE", default_value = "2GiB", value_parser = size)]
    pub(super) max_size: u64,
    /// The SHA-256 that the file must have as it comes
    #[arg(long, value_name = "HEX", value_parser = digest)]
    sha256: Option<String>,
}

impl StoreArgs {
    pub(super) fn checks(&self) -> Checks {
        if self.force { Checks::SoundOnly } else { Checks::All }
    }

    pub(super) fn proof(&self) -> Proof {
        Proof { sha256: self.sha256.clone(), signature: None }
    }

    pub(super) fn open(&self) -> Result<Store, Stop> {
        let folder = plan::store(self.store.as_deref()).ok_or_else(|| {
            Stop::Failed("no place for location data: name a folder with --store or $LANDFALL_STORE".to_owned())
        })?;
        Store::open_to_write(&folder).map_err(|error| Stop::Failed(with_causes(&error)))
    }
}

fn digest(text: &str) -> Result<String, String> {
    let is_digest = text.len() == 64 && text.bytes().all(|octet| octet.is_ascii_hexdigit());
    if is_digest { Ok(text.to_ascii_lowercase()) } else { Err("not a SHA-256: 64 hexadecimal digits".to_owned()) }
}

/// What `db import` is asked.
#[derive(Debug, Args)]
pub struct ImportArgs {
    /// Files of location data, as they were fetched elsewhere: also .gz, .zst, and .tar.gz of `MaxMind`
    #[arg(value_name = "FILE", required = true)]
    files: Vec<PathBuf>,
    /// The name in the store [default: by the catalogue, else after the file]
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
    /// The public key of minisign by which each FILE must be signed; the signature lies beside it, as FILE.minisig
    #[arg(long, value_name = "KEY")]
    public_key: Option<String>,
    /// Where the signature of FILE lies, if not beside it
    #[arg(long, value_name = "PATH", requires = "public_key")]
    signature: Option<PathBuf>,
    /// The licence, where neither the file nor the catalogue tells
    #[arg(long, value_name = "TEXT")]
    licence: Option<String>,
    /// The date of data that does not tell it; without one it is taken to be of today
    #[arg(long, value_name = "DATE")]
    as_of: Option<Date>,
    /// Keep superseded copies: the licence lets you
    #[arg(long)]
    keep_copies: bool,
    #[command(flatten)]
    store: StoreArgs,
}

pub(super) fn import(args: &ImportArgs) -> Result<Exit, Stop> {
    if args.files.len() > 1 && (args.name.is_some() || args.store.sha256.is_some() || args.signature.is_some()) {
        return Err(Stop::Failed("--name, --sha256 and --signature are for one file at a time".to_owned()));
    }
    let mut store = args.store.open()?;
    let mut done = Done::default();
    for file in &args.files {
        match import_one(&mut store, args, file) {
            Ok((name, taken)) => done.took(&name, &taken)?,
            Err(error) => done.failed(&file.display().to_string(), &with_causes(&error)),
        }
    }
    Ok(done.exit())
}

fn import_one(store: &mut Store, args: &ImportArgs, file: &Path) -> Result<(String, Taken), StoreError> {
    let called = file.file_name().map_or_else(String::new, |name| name.to_string_lossy().into_owned());
    let known = known(&called);
    let name = args.name.clone().or_else(|| known.as_ref().map(|known| known.name.clone()));
    let name = name.unwrap_or_else(|| plan::source_name(&called));
    let mut proof = args.store.proof();
    if let Some(key) = &args.public_key {
        let beside = args.signature.clone().unwrap_or_else(|| file.with_added_extension("minisig"));
        let signature = std::fs::read_to_string(&beside);
        let signature = signature.map_err(|source| StoreError::Io { action: "read", path: beside, source })?;
        proof.signature = Some((signature, key.clone()));
    }
    let keep = if args.keep_copies { Some(Keep::Dated) } else { known.as_ref().map(|known| known.keep) };
    let incoming = Incoming {
        name: name.clone(),
        path: file.to_owned(),
        called,
        from: file.display().to_string(),
        now: plan::now(),
        dated: args.as_of.map(|date| (date, "user")),
        licence: args.licence.clone().or_else(|| known.as_ref().map(|known| known.licence.clone())),
        attribution: known.as_ref().and_then(|known| known.attribution.clone()),
        keep,
        floor: 0,
        most: args.store.max_size,
        proof,
    };
    store.take(&incoming, args.store.checks()).map(|taken| (name, taken))
}

/// The source of the catalogue that a file is, by the name that its publisher gives it.
fn known(called: &str) -> Option<crate::fetch::catalogue::Source> {
    crate::fetch::catalogue::called(called)
}

/// What was done so far.
#[derive(Default)]
pub(super) struct Done {
    good: usize,
    bad: usize,
}

impl Done {
    pub(super) fn took(&mut self, name: &str, taken: &Taken) -> io::Result<()> {
        self.good += 1;
        let copy = &taken.copy;
        let known = if taken.known { "already there: " } else { "" };
        let line = format!(
            "{name}: {known}{} of {}, {} networks, sha256 {}",
            copy.kind, copy.date, copy.networks, copy.sha256
        );
        let mut out = io::stdout().lock();
        writeln!(out, "{}", visible(&line))?;
        for note in &copy.notes {
            writeln!(out, "  note: {}", visible(note))?;
        }
        Ok(())
    }

    #[cfg(feature = "fetch")]
    pub(super) fn unchanged(&mut self, name: &str, date: &str) -> io::Result<()> {
        self.good += 1;
        writeln!(io::stdout().lock(), "{name}: unchanged, of {date}")
    }

    pub(super) fn failed(&mut self, name: &str, why: &str) {
        self.bad += 1;
        tell(&format!("{name}: {why}"));
    }

    /// 2 where nothing came of it, 3 where something did not.
    pub(super) fn exit(&self) -> Exit {
        match (self.good, self.bad) {
            (_, 0) => Exit::Clean,
            (0, _) => Exit::Failed,
            _ => Exit::Open,
        }
    }
}
