//! `landfall db update`: the only command that opens a connection.

use std::io::{self, BufRead as _, IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::{ArgAction, Args};

use super::take::{Done, StoreArgs};
use crate::cli::{Exit, Stop, plan};
use crate::diag::{did_you_mean, with_causes};
use crate::fetch::catalogue::{self, Key, Source};
use crate::fetch::{Client, Limits, Proxies, Renewal, Secret, Store, renew};
use crate::report::visible;

/// Where `geoipupdate` keeps account and key.
const CONFIGURATIONS: [&str; 2] = ["/etc/GeoIP.conf", "/usr/local/etc/GeoIP.conf"];
/// The largest file of a secret, in octets.
const MAX_SECRET: u64 = 64 << 10;
/// The longest answer to a question, in octets.
const MAX_ANSWER: u64 = 256;

/// What `db update` is asked.
#[derive(Debug, Args)]
pub struct UpdateArgs {
    /// Sources of the catalogue [default: those in the store; into an empty store a first choice]
    #[arg(value_name = "SOURCE", conflicts_with = "url")]
    sources: Vec<String>,
    /// List the catalogue and fetch nothing
    #[arg(long)]
    list: bool,
    /// Fetch any other file
    #[arg(long, value_name = "URL")]
    url: Option<String>,
    /// The name in the store of what --url fetches [default: after the file]
    #[arg(long, value_name = "NAME", requires = "url")]
    name: Option<String>,
    /// The public key of minisign by which the file of --url must be signed; the signature lies beside it, as URL.minisig
    #[arg(long, value_name = "KEY", requires = "url")]
    public_key: Option<String>,
    /// Accept the licence of a source, once and for all; without it a terminal is asked
    #[arg(long, value_name = "SOURCE", value_delimiter = ',', action = ArgAction::Append)]
    accept_licence: Vec<String>,
    /// Account and licence key of `MaxMind`, as `geoipupdate` has them [default: `$GEOIPUPDATE_ACCOUNT_ID`
    /// and `$GEOIPUPDATE_LICENSE_KEY`, or the files that `.._FILE` names, else `/etc/GeoIP.conf`]
    #[arg(long, value_name = "FILE")]
    maxmind_conf: Option<PathBuf>,
    /// Seconds without an octet after which a connection is given up
    #[arg(long, value_name = "SECONDS", default_value_t = 60, value_parser = clap::value_parser!(u32).range(1..=3600))]
    timeout: u32,
    #[command(flatten)]
    store: StoreArgs,
}

pub(super) fn update(args: &UpdateArgs) -> Result<Exit, Stop> {
    if args.list {
        return list();
    }
    let proxies = Proxies::from_environment(|name| std::env::var(name).ok());
    let proxies = proxies.map_err(|error| Stop::Failed(error.to_string()))?;
    let silence = Duration::from_secs(u64::from(args.timeout));
    let limits = Limits { octets: args.store.max_size, silence, ..Limits::default() };
    let mut client = Client::new(limits, proxies, std::thread::sleep);
    if let Some(path) = std::env::var_os("SSL_CERT_FILE") {
        client.trust(Path::new(&path)).map_err(|error| Stop::Failed(with_causes(&error)))?;
    }
    let mut store = args.store.open()?;
    let mut done = Done::default();
    let sources = chosen(args, &store, &mut done);
    if sources.len() != 1 && args.store.proof().sha256.is_some() {
        return Err(Stop::Failed("--sha256 is for one source at a time".to_owned()));
    }
    for source in &sources {
        let name = &source.name;
        if let Err(why) = accept(&mut store, source, args) {
            done.failed(name, &why);
            continue;
        }
        let secret = match secret(source, args) {
            Ok(secret) => secret,
            Err(why) => {
                done.failed(name, &why);
                continue;
            }
        };
        let renewal = Renewal {
            source,
            secret: secret.as_ref(),
            proof: args.store.proof(),
            signed_by: args.public_key.clone(),
            checks: args.store.checks(),
            now: plan::now(),
        };
        match renew(&mut store, &renewal, &client) {
            Ok(Some(taken)) => done.took(name, &taken)?,
            Ok(None) => {
                let current = store.source(name).and_then(|held| held.current());
                done.unchanged(name, current.map_or("unknown date", |copy| &copy.date))?;
            }
            Err(error) => done.failed(name, &with_causes(&error)),
        }
    }
    Ok(done.exit())
}

/// The sources that are to be fetched. Names that nobody knows are told.
fn chosen(args: &UpdateArgs, store: &Store, done: &mut Done) -> Vec<Source> {
    let all = catalogue::catalogue();
    if let Some(url) = &args.url {
        let path = url.split(['?', '#']).next().unwrap_or_default();
        let name = args.name.clone().unwrap_or_else(|| plan::source_name(path.rsplit('/').next().unwrap_or_default()));
        return vec![catalogue::from_url(&name, url)];
    }
    let held: Vec<&str> = store.sources().map(|(name, _)| name).collect();
    if args.sources.is_empty() && held.is_empty() {
        return all.into_iter().filter(|source| source.starter).collect();
    }
    let asked = !args.sources.is_empty();
    let names: Vec<&str> = if asked { args.sources.iter().map(String::as_str).collect() } else { held };
    let mut sources = Vec::new();
    for name in names {
        let known = all.iter().find(|source| source.name == name).cloned();
        let by_url = || {
            let url = store.source(name)?.url.as_ref()?;
            Some(catalogue::from_url(name, url))
        };
        match known.or_else(by_url) {
            Some(source) => sources.push(source),
            // What was imported is renewed by import.
            None if !asked => {}
            None => {
                let meant = did_you_mean(name, all.iter().map(|source| source.name.as_str()));
                let help = meant.map_or_else(
                    || "`landfall db update --list` lists what there is".to_owned(),
                    |meant| format!("did you mean `{meant}`?"),
                );
                done.failed(name, &format!("there is no such source; {help}"));
            }
        }
    }
    sources
}

/// Whether the licence of a source is accepted: before, by an argument, or on the terminal now.
fn accept(store: &mut Store, source: &Source, args: &UpdateArgs) -> Result<(), String> {
    let Source { name, licence, terms, .. } = source;
    if licence.is_empty() || store.accepted(name, licence) {
        return Ok(());
    }
    let says_so = args.accept_licence.contains(name);
    let is_asked = io::stdin().is_terminal() && io::stderr().is_terminal();
    if !says_so && !is_asked {
        return Err(format!(
            "its licence is not accepted yet: {licence}, {terms}; accept it once with --accept-licence {name}"
        ));
    }
    if !says_so {
        let ask = || -> io::Result<bool> {
            let mut err = anstream::stderr();
            write!(err, "{name} ({})\n  licence: {licence}\n  {terms}\nAccept? [y/N] ", source.what)?;
            err.flush()?;
            let mut answer = String::new();
            io::Read::take(io::stdin().lock(), MAX_ANSWER).read_line(&mut answer)?;
            Ok(matches!(answer.trim().to_ascii_lowercase().as_str(), "y" | "yes"))
        };
        if !ask().map_err(|error| format!("cannot ask for the licence: {error}"))? {
            return Err("its licence was not accepted".to_owned());
        }
    }
    store.accept(name, licence, plan::now()).map_err(|error| with_causes(&error))
}

/// Account and key for a source. They come from the environment or a file, never from an argument or an address, where
/// lists of processes and logs would show them.
fn secret(source: &Source, args: &UpdateArgs) -> Result<Option<Secret>, String> {
    if source.key == Key::None {
        return Ok(None);
    }
    let read = |path: &Path| -> Result<String, String> {
        let mut text = String::new();
        let file = std::fs::File::open(path).map_err(|error| format!("cannot read {}: {error}", path.display()))?;
        let read = io::Read::read_to_string(&mut io::Read::take(file, MAX_SECRET), &mut text);
        read.map(|_| text).map_err(|error| format!("cannot read {}: {error}", path.display()))
    };
    let variable = |name: &str| -> Result<Option<String>, String> {
        let file = std::env::var_os(format!("{name}_FILE"));
        let from_file = file.map(|path| read(Path::new(&path))).transpose()?;
        Ok(std::env::var(name)
            .ok()
            .or(from_file)
            .map(|value| value.trim().to_owned())
            .filter(|value| !value.is_empty()))
    };
    let mut pair = (None, None);
    if args.maxmind_conf.is_none() {
        pair = (variable("GEOIPUPDATE_ACCOUNT_ID")?, variable("GEOIPUPDATE_LICENSE_KEY")?);
    }
    let usual = CONFIGURATIONS.iter().map(Path::new).find(|path| path.is_file());
    let file = args.maxmind_conf.as_deref().or(usual);
    if let ((None, _) | (_, None), Some(path)) = (&pair, file) {
        let text = read(path)?;
        let value = |key: &str| {
            let words = text.lines().map(|line| line.split('#').next().unwrap_or_default().split_whitespace());
            words
                .into_iter()
                .find_map(|mut words| words.next().filter(|word| *word == key).and(words.next().map(str::to_owned)))
        };
        pair = (pair.0.or(value("AccountID")), pair.1.or(value("LicenseKey")));
    }
    let (Some(account), Some(key)) = pair else {
        return Err("it needs an account and a licence key of MaxMind: set $GEOIPUPDATE_ACCOUNT_ID and \
                    $GEOIPUPDATE_LICENSE_KEY, or name a GeoIP.conf with --maxmind-conf"
            .to_owned());
    };
    Secret::new(&account, &key)
        .map(Some)
        .ok_or_else(|| "the account or licence key of MaxMind cannot be right".to_owned())
}

fn list() -> Result<Exit, Stop> {
    let mut out = io::BufWriter::new(io::stdout().lock());
    for source in catalogue::catalogue() {
        let url = match &source.place {
            catalogue::Place::Url(url) | catalogue::Place::Monthly(url) | catalogue::Place::Page { page: url, .. } => {
                url
            }
        };
        writeln!(out, "{}", source.name)?;
        writeln!(out, "  {}{}", visible(&source.what), if source.starter { "; among the first choice" } else { "" })?;
        writeln!(out, "  {url}")?;
        writeln!(out, "  licence: {}, {}", source.licence, source.terms)?;
        if let Some(attribution) = &source.attribution {
            writeln!(out, "  {attribution}")?;
        }
        let kept = match source.keep {
            catalogue::Keep::Dated => "dated copies are kept",
            catalogue::Keep::Current => "superseded copies are removed",
        };
        let key = if source.key == Key::MaxMind { "; needs an account and a key" } else { "" };
        writeln!(out, "  {kept}{key}")?;
    }
    out.flush()?;
    Ok(Exit::Clean)
}
