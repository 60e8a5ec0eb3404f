//! What was typed means this: grounds, inputs and outputs, or every mistake at once.

use std::fs::File;
use std::hash::{BuildHasher, Hasher, RandomState};
use std::io::{self, BufWriter, IsTerminal, Write};
use std::path::{Path, PathBuf};

use super::args::{Accept, GroundsArgs, InputArgs, MeterArgs, OutputArgs};
use super::{Exit, Stop, tell};
use ipnet::IpNet;
use jiff::civil::Date;

use crate::audit::{Grounds, Local};
use crate::diag::{self, Colour, Diagnostic, Level, with_causes};
use crate::locate::{self, Gazetteer};
use crate::meter::MeterConfig;
use crate::model::{Outcome, Report, Timestamp};
use crate::policy::{Library, Policy};
use crate::report::{self, Format, Style};
use crate::run::batch::{self, Input};
use crate::source::Options;

/// The grounds that the arguments name. Everything that is wrong with them is told before this fails.
///
/// `host` are the addresses of this host, which are ours in a live capture.
pub(super) fn grounds(args: &GroundsArgs, host: &[IpNet]) -> Result<Grounds, Stop> {
    grounds_on(args, host, today())
}

/// [`grounds`] on a day, which decides whether overrides of locations have expired.
pub(super) fn grounds_on(args: &GroundsArgs, host: &[IpNet], today: Date) -> Result<Grounds, Stop> {
    let policy = policy(args, host);
    let gazetteer = gazetteer(&args.db, today).map_err(|reason| tell(&reason));
    match (policy, gazetteer) {
        (Ok((policy, local)), Ok(gazetteer)) => Ok(Grounds { policy, gazetteer, local }),
        _ => Err(Stop::Told(Exit::Failed)),
    }
}

/// The policy, and which addresses are ours. What is wrong is told here.
fn policy(args: &GroundsArgs, host: &[IpNet]) -> Result<(Option<Policy>, Local), ()> {
    let local = if args.local.is_empty() { Local::private(host) } else { Local::Stated(args.local.clone()) };
    let (policy, diagnostics, origin, text, local) = if let Some(path) = &args.policy {
        let origin = path.display().to_string();
        let text = super::policy::read(path).map_err(|reason| tell(&reason))?;
        let mut parsed = Policy::parse(&origin, &text, Library::embedded());
        if let Some(policy) = &mut parsed.policy {
            // Registers lie beside the policy that names them.
            let folder = path.parent().unwrap_or(Path::new(""));
            if let Err((register, error)) = policy.read_registers(|register| std::fs::read(folder.join(register))) {
                tell(&format!("cannot use `{register}`: {}", with_causes(&error)));
                return Err(());
            }
        }
        (parsed.policy, parsed.diagnostics, origin, text, Local::Zones)
    } else if args.allow.is_empty() && args.deny.is_empty() {
        return Ok((None, local));
    } else {
        let networks: Vec<String> = local.networks().iter().map(IpNet::to_string).collect();
        let made = Policy::from_flags(&args.allow, &args.deny, &networks, Library::embedded());
        (made.policy, made.diagnostics, "the command line".to_owned(), made.command, local)
    };
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

/// The day by the clock.
pub(super) fn today() -> Date {
    jiff::Zoned::now().date()
}

/// The location data that is named, or that is found in the usual folders, or the embedded.
pub(super) fn gazetteer(paths: &[PathBuf], today: Date) -> Result<Gazetteer, String> {
    let folders: Vec<&Path> = locate::USUAL_FOLDERS.iter().map(Path::new).collect();
    let found = if paths.is_empty() { locate::discover(&folders) } else { paths.to_vec() };
    let gazetteer = if found.is_empty() { Gazetteer::embedded() } else { Gazetteer::open_on(&found, Some(today)) };
    gazetteer.map_err(|error| with_causes(&error))
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
        Some("now") => {
            let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
            Ok(Some(Timestamp::from_secs(now.map_or(0, |since| since.as_secs()))))
        }
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
    let width =
        terminal_size::terminal_size_of(&stream).map_or(Style::default().width, |(width, _)| usize::from(width.0));
    let style = Style { colour: colour(&stream), width };
    let mut out = BufWriter::new(stream);
    report::write(report, format, style, &mut out)?;
    out.flush()?;
    Ok(())
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
