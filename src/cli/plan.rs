//! What was typed means this: grounds, inputs and outputs, or every mistake at once.

use std::borrow::Cow;
use std::fs::File;
use std::hash::{BuildHasher, Hasher, RandomState};
use std::io::{self, BufWriter, IsTerminal, Write};
use std::path::{Path, PathBuf};

use super::args::{Accept, GroundsArgs, InputArgs, MeterArgs, OutputArgs};
use super::vantage::VantageArgs;
use super::{Exit, Stop, tell};
use ipnet::IpNet;
use jiff::civil::Date;

use crate::audit::{Grounds, Local};
use crate::diag::{self, Colour, Diagnostic, Level, with_causes};
use crate::fetch::{self, Store};
use crate::locate::{self, Atlas, SourceFile};
use crate::meter::MeterConfig;
use crate::model::{Outcome, Report, Timestamp};
use crate::policy::{Library, Policy};
use crate::report::{self, Format, Style};
use crate::run::batch::{self, Input};
use crate::source::{Digests, Options};

/// The grounds that the arguments name. Everything that is wrong with them is told before this fails.
///
/// `host` are the addresses of this host, which are ours in a live capture. A horizon is drawn for those who judge by
/// round-trip times.
pub(super) fn grounds(args: &GroundsArgs, vantage: Option<&VantageArgs>, host: &[IpNet]) -> Result<Grounds, Stop> {
    grounds_on(args, vantage, host, today())
}

/// [`grounds`] on a day, which decides whether overrides of locations have expired.
pub(super) fn grounds_on(
    args: &GroundsArgs,
    vantage: Option<&VantageArgs>,
    host: &[IpNet],
    today: Date,
) -> Result<Grounds, Stop> {
    let policy = policy(args, host, today);
    let max_age = policy.as_ref().ok().and_then(|(policy, _)| policy.as_ref()?.max_age());
    let atlas = atlas(&args.db, today, max_age);
    match (policy, atlas) {
        (Ok((policy, local)), Ok(atlas)) => {
            let horizon = vantage.and_then(|vantage| vantage.horizon(policy.as_ref()));
            Ok(Grounds { policy, atlas, local, horizon })
        }
        (_, Err(stop)) => Err(stop),
        _ => Err(Stop::Told(Exit::Failed)),
    }
}

/// The policy, and which addresses are ours. What is wrong is told here.
fn policy(args: &GroundsArgs, host: &[IpNet], today: Date) -> Result<(Option<Policy>, Local), ()> {
    let local = if args.local.is_empty() { Local::private(host) } else { Local::Stated(args.local.clone()) };
    let library = library(&args.law_without).map_err(|reason| tell(&reason))?;
    let (mut policy, mut diagnostics, origin, text, local) = if let Some(path) = &args.policy {
        let origin = path.display().to_string();
        let text = super::policy::read(path).map_err(|reason| tell(&reason))?;
        let mut parsed = Policy::parse(&origin, &text, &library);
        if let Some(policy) = &mut parsed.policy {
            super::policy::read_registers(policy, path).map_err(|reason| tell(&reason))?;
        }
        (parsed.policy, parsed.diagnostics, origin, text, Local::Zones)
    } else if args.allow.is_empty() && args.deny.is_empty() {
        return Ok((None, local));
    } else {
        let networks: Vec<String> = local.networks().iter().map(IpNet::to_string).collect();
        let made = Policy::from_flags(&args.allow, &args.deny, &networks, &library);
        (made.policy, made.diagnostics, "the command line".to_owned(), made.command, local)
    };
    let misplaced = policy.as_ref().and_then(|policy| policy.misplaced_vantage(locate::horizon::distance));
    diagnostics.extend(misplaced);
    diagnostics.extend(policy.iter().flat_map(|policy| policy.overdue(today)));
    policy = policy.filter(|_| !diagnostics.iter().any(Diagnostic::is_error));
    // Notes are for whoever writes the policy; what an audit cannot go without is told here.
    let told: Vec<Diagnostic> =
        diagnostics.into_iter().filter(|diagnostic| policy.is_none() || diagnostic.level == Level::Warning).collect();
    if !told.is_empty() {
        let drawn = diag::render_text(&origin, &text, &told, colour(&io::stderr()));
        // Nobody is left to tell where standard error is closed.
        let _ = writeln!(anstream::stderr(), "{drawn}");
    }
    if policy.is_none() {
        tell(&format!("the policy of {origin} cannot be used"));
        return Err(());
    }
    Ok((policy, local))
}

/// The law library, without what is supposed not to exist.
pub(super) fn library(without: &[String]) -> Result<Cow<'static, Library>, String> {
    if without.is_empty() {
        return Ok(Cow::Borrowed(Library::embedded()));
    }
    Library::embedded().without(without).map(Cow::Owned)
}

/// The day by the clock.
pub(super) fn today() -> Date {
    jiff::Zoned::now().date()
}

/// The location data that is named, or that is found in the usual folders, or the embedded. What of it cannot be used is
/// told here; where nothing that was named can, there is no run.
pub(super) fn atlas(paths: &[PathBuf], today: Date, max_age: Option<u32>) -> Result<Atlas, Stop> {
    let (files, notes) = located(paths)?;
    for note in &notes {
        tell(note);
    }
    let atlas = if files.is_empty() { Atlas::embedded() } else { Atlas::open(&files, Some(today), max_age) };
    let atlas = atlas.map_err(|error| Stop::Failed(with_causes(&error)))?;
    let faults = atlas.faults_so_far();
    for fault in &faults {
        tell(fault);
    }
    if !paths.is_empty() && atlas.copies() == 0 {
        tell("no location data that was named can be used");
        return Err(Stop::Told(Exit::Failed));
    }
    Ok(atlas)
}

/// The folder of the store: the one that is named, or `$LANDFALL_STORE`, or the place for data of the XDG base directories.
pub(super) fn store(named: Option<&Path>) -> Option<PathBuf> {
    let variable = |name| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let data = || variable("XDG_DATA_HOME").filter(|path| path.is_absolute());
    let home = || variable("HOME").map(|home| home.join(".local/share"));
    let usual = || data().or_else(home).map(|data| data.join("landfall/db"));
    named.map(Path::to_owned).or_else(|| variable("LANDFALL_STORE")).or_else(usual)
}

/// A name in the store after the name of a file, without its endings and date.
pub(super) fn source_name(file: &str) -> String {
    let endings = [".gz", ".zst", ".tar", ".mmdb", ".json", ".csv", ".txt"];
    let mut stem = file;
    while let Some(shorter) = endings.iter().find_map(|ending| stem.strip_suffix(ending)) {
        stem = shorter;
    }
    fetch::name_of(&locate::without_date(stem))
}

/// The time by the clock.
pub(super) fn now() -> Timestamp {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    Timestamp::from_secs(now.map_or(0, |since| since.as_secs()))
}

/// The most files of a folder of location data that are looked at.
const MAX_FILES: usize = locate::MAX_COPIES;

/// The files that paths stand for: a folder stands for the location data in it. And what is to be said of them.
fn located(paths: &[PathBuf]) -> Result<(Vec<SourceFile>, Vec<String>), Stop> {
    let (mut files, mut notes) = (Vec::new(), Vec::new());
    let held = |folder: &Path| -> Result<Vec<SourceFile>, Stop> {
        Store::open(folder).map(|store| store.files()).map_err(|error| Stop::Failed(with_causes(&error)))
    };
    if paths.is_empty() {
        if let Some(folder) = store(None).filter(|folder| Store::is_at(folder)) {
            files.extend(held(&folder)?);
        }
        let folders: Vec<&Path> = locate::USUAL_FOLDERS.iter().map(Path::new).collect();
        files.extend(locate::discover(&folders).into_iter().map(SourceFile::from));
    }
    for path in paths {
        if !path.is_dir() {
            files.push(SourceFile::from(path.clone()));
            continue;
        }
        if Store::is_at(path) {
            files.extend(held(path)?);
            continue;
        }
        let unread = |error: io::Error| Stop::Failed(format!("cannot read {}: {error}", path.display()));
        let mut found = Vec::new();
        for entry in path.read_dir().map_err(unread)?.take(MAX_FILES) {
            let entry = entry.map_err(unread)?;
            if entry.path().is_file() && !entry.file_name().to_string_lossy().starts_with('.') {
                found.push(entry.path());
            }
        }
        found.sort();
        // Publishers put their terms beside their data, as text.
        let (beside, data): (Vec<PathBuf>, Vec<PathBuf>) = found.into_iter().partition(|file| {
            let is_text = file.extension().is_none_or(|extension| extension == "txt" || extension == "md");
            is_text && !locate::is_source(file)
        });
        if !beside.is_empty() {
            let names: Vec<_> = beside.iter().filter_map(|file| file.file_name()?.to_str()).collect();
            notes.push(format!("in {}, no location data: {}", path.display(), names.join(", ")));
        }
        if data.is_empty() {
            notes.push(format!("{} holds no location data", path.display()));
        }
        files.extend(data.into_iter().map(SourceFile::from));
    }
    Ok((files, notes))
}

/// The inputs that the arguments name. Those that cannot be read are told; the others go on.
pub(super) fn inputs(args: &InputArgs) -> Result<(Vec<Input>, Vec<batch::PlanError>), Stop> {
    let paths = args.paths();
    if paths.is_empty() {
        return Err(Stop::Failed(
            "no input: name captures or flow logs, or `-` for standard input (`landfall audit --help`)".to_owned(),
        ));
    }
    let (inputs, errors) = batch::plan(&paths);
    for error in &errors {
        tell(&error.to_string());
    }
    if inputs.is_empty() { Err(Stop::Told(Exit::Failed)) } else { Ok((inputs, errors)) }
}

/// How the arguments say that inputs are read.
pub(super) fn options(args: &InputArgs) -> Options {
    Options {
        meter: meter(&args.meter),
        max_inflate: args.max_inflate,
        format: args.format_in,
        fields: args.fields.clone(),
        digests: Digests::Left,
    }
}

/// How the arguments say that packets become flows.
pub(super) fn meter(args: &MeterArgs) -> MeterConfig {
    MeterConfig {
        idle_timeout: u64::from(args.idle_timeout) * Timestamp::SECOND,
        active_timeout: u64::from(args.active_timeout) * Timestamp::SECOND,
        flows_max: args.max_flows as usize,
        // Captures come from strangers, who must not be able to choose flows that collide. No output depends on it.
        hash_seed: RandomState::new().build_hasher().finish(),
        ..MeterConfig::default()
    }
}

/// When the report says that it was written.
pub(super) fn stamp(args: &OutputArgs) -> Result<Option<Timestamp>, Stop> {
    match args.stamp.as_deref() {
        None => Ok(None),
        Some("now") => Ok(Some(now())),
        Some(text) => match text.parse() {
            Ok(time) => Ok(Some(time)),
            Err(_) => {
                Err(Stop::Failed(format!("`--stamp {text}` is neither `now` nor a time such as 2026-01-31T12:00:00Z")))
            }
        },
    }
}

/// Writes a report where and how the arguments say.
pub(super) fn write(args: &OutputArgs, report: &Report) -> Result<(), Stop> {
    let by_name =
        |path: &PathBuf| path.extension().and_then(|extension| Format::from_name(&extension.to_string_lossy()));
    let format = args.format.or_else(|| args.output.as_ref().and_then(by_name)).unwrap_or(Format::Text);
    if let Some(path) = &args.output {
        let mut out = create(path)?;
        report::write(report, format, Style::default(), &mut out)?;
        out.flush()?;
        return Ok(());
    }
    write_to(io::stdout(), format, report)
}

/// Writes a report to standard error, where standard output is for something else.
#[cfg(feature = "live")]
pub(super) fn write_beside(args: &OutputArgs, report: &Report) -> Result<(), Stop> {
    write_to(io::stderr(), args.format.unwrap_or(Format::Text), report)
}

fn write_to<S>(stream: S, format: Format, report: &Report) -> Result<(), Stop>
where
    S: Write + IsTerminal + anstream::stream::RawStream + std::os::fd::AsFd,
{
    let style = style(&stream);
    let mut out = BufWriter::new(stream);
    report::write(report, format, style, &mut out)?;
    out.flush()?;
    Ok(())
}

/// How a text looks on a stream.
pub(super) fn style<S>(stream: &S) -> Style
where
    S: IsTerminal + anstream::stream::RawStream + std::os::fd::AsFd,
{
    let width =
        terminal_size::terminal_size_of(stream).map_or(Style::default().width, |(width, _)| usize::from(width.0));
    Style { colour: colour(stream), width }
}

/// A file to write to.
pub(super) fn create(path: &Path) -> Result<BufWriter<File>, Stop> {
    let file =
        File::create(path).map_err(|error| Stop::Failed(format!("cannot write `{}`: {error}", path.display())))?;
    Ok(BufWriter::new(file))
}

/// Whether a stream takes colour: a terminal does, unless `NO_COLOR` and its like say no.
fn colour<S: IsTerminal + anstream::stream::RawStream>(stream: &S) -> Colour {
    match anstream::AutoStream::choice(stream) {
        anstream::ColorChoice::Never => Colour::Never,
        _ => Colour::Always,
    }
}

/// The exit code for an outcome, with what the user accepts.
pub(super) fn exit(outcome: Outcome, complete: bool, accept: &[Accept]) -> Exit {
    let accepts = |what| accept.contains(&what);
    match outcome {
        Outcome::Forbidden => Exit::Forbidden,
        Outcome::Incomplete if !accepts(Accept::Incomplete) => Exit::Open,
        Outcome::Indeterminate if !accepts(Accept::Indeterminate) => Exit::Open,
        _ if complete || accepts(Accept::Incomplete) => Exit::Clean,
        _ => Exit::Open,
    }
}
