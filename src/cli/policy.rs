//! `landfall policy`: check, test, show and begin a policy.

use std::fs;
use std::io::{self, IsTerminal as _, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, Subcommand, ValueEnum};
use jiff::civil::Date;

use crate::audit::rehearse;
use crate::diag::{Checked, Colour, Diagnostic, Level, gravest, render_text, to_json, to_sarif, with_causes};
use crate::locate::horizon;
use crate::policy::register::RegisterError;
use crate::policy::{Library, Policy, library_listing};

/// The policy that `policy init` writes.
pub const STARTER: &str = include_str!("../../rules/starter.toml");

/// The largest policy file that is read, in octets.
const MAX_FILE: u64 = 8 << 20;

/// Check, test, show and begin a policy.
#[derive(Debug, Subcommand)]
pub enum PolicyCommand {
    /// Say everything that is wrong with policies, with places and suggestions
    ///
    /// Exit status: 0 where no policy has an error, 2 where one has.
    Check(CheckArgs),
    /// Run the tests that policies carry
    ///
    /// Exit status: 0 where all pass, 1 where one fails or, with `--mutate`, a change survives, 2 where a policy has an error.
    Test(TestArgs),
    /// List a policy in full, or the library of sets
    Show(ShowArgs),
    /// Judge the same traffic by two policies, and say which findings and tripwires appear, vanish and change
    ///
    /// Exit status: 0 where nothing is different, 1 where something is, 2 where the run did not happen, 3 where nothing is
    /// different and not everything could be read.
    Diff(Box<super::diff::DiffArgs>),
    /// Print the JSON Schema of a policy file, for editors that complete and check
    Schema,
    /// Write an annotated policy to begin with
    Init(InitArgs),
}

/// What `policy check` is asked.
#[derive(Debug, Args)]
pub struct CheckArgs {
    /// Policy files; `-` is standard input
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// Treat warnings as errors
    #[arg(long)]
    deny_warnings: bool,
    /// How to write what is said
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
    /// The day on which waivers and review dates are judged (default: today)
    #[arg(long, value_name = "DATE")]
    on: Option<Date>,
}

/// What `policy test` is asked.
#[derive(Debug, Args)]
pub struct TestArgs {
    /// Policy files; `-` is standard input
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// Take out or weaken each part of the policy in turn, and say which of it no test notices
    #[arg(long)]
    mutate: bool,
}

/// What `policy show` is asked.
#[derive(Debug, Args)]
pub struct ShowArgs {
    /// A policy file; `-` is standard input
    #[arg(required_unless_present = "library", value_name = "FILE")]
    file: Option<PathBuf>,
    /// List the sets of the library
    #[arg(long, conflicts_with = "file")]
    library: bool,
    /// The day on which sets are resolved (default: today)
    #[arg(long, value_name = "DATE")]
    on: Option<Date>,
}

/// What `policy init` is asked.
#[derive(Debug, Args)]
pub struct InitArgs {
    /// Where to write; standard output where it is not given. A file that exists is left alone
    #[arg(value_name = "FILE")]
    file: Option<PathBuf>,
}

/// How diagnostics are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// Drawn, for people
    Text,
    /// One JSON object, for programs
    Json,
    /// SARIF 2.1.0, which code hosts show beside the lines
    Sarif,
}

/// Nothing is wrong.
const FINE: u8 = 0;
/// A test failed.
const FAILED: u8 = 1;
/// A policy cannot be used, or the run did not happen.
const UNUSABLE: u8 = 2;

/// Runs a command. `today` is the day by the clock, for sets that are due for review; output goes to standard output, and
/// what is wrong with the run itself to standard error.
pub fn run(command: &PolicyCommand, today: Date) -> ExitCode {
    let mut out = anstream::AutoStream::auto(io::stdout().lock());
    let status = execute(command, today, colour(), &mut out);
    match status.and_then(|status| out.flush().map(|()| status)) {
        Ok(status) => ExitCode::from(status),
        // Whoever reads has seen enough.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => ExitCode::SUCCESS,
        Err(error) => {
            complain(&format!("cannot write: {error}"));
            ExitCode::from(UNUSABLE)
        }
    }
}

/// Runs a command, writes to `out`, and gives the exit status. Errors are those of writing.
pub fn execute(command: &PolicyCommand, today: Date, colour: Colour, out: &mut impl io::Write) -> io::Result<u8> {
    match command {
        PolicyCommand::Check(args) => check(args, today, colour, out),
        PolicyCommand::Test(args) => test(args, colour, out),
        PolicyCommand::Show(args) => show(args, today, colour, out),
        PolicyCommand::Init(args) => init(args, out),
        PolicyCommand::Schema => write!(out, "{}", crate::policy::SCHEMA_JSON).map(|()| FINE),
        // It reads traffic, and is run where that is.
        PolicyCommand::Diff(_) => Ok(UNUSABLE),
    }
}

/// Says on standard error why something could not be done.
fn complain(message: &str) {
    // Where even that fails, there is nobody to tell.
    let _ = writeln!(io::stderr(), "landfall: {message}");
}

/// Colour as the terminal has it; the stream takes it out where `NO_COLOR` or a pipe asks for that.
fn colour() -> Colour {
    if io::stdout().is_terminal() { Colour::Always } else { Colour::Never }
}

pub(super) fn read(path: &Path) -> Result<String, String> {
    let fail = |error: io::Error| format!("cannot read {}: {error}", path.display());
    let mut octets = Vec::new();
    let read = |reader: &mut dyn io::Read, octets: &mut Vec<u8>| reader.take(MAX_FILE + 1).read_to_end(octets);
    if path.as_os_str() == "-" {
        read(&mut io::stdin().lock(), &mut octets).map_err(fail)?;
    } else {
        read(&mut fs::File::open(path).map_err(fail)?, &mut octets).map_err(fail)?;
    }
    if octets.len() as u64 > MAX_FILE {
        return Err(format!("cannot read {}: larger than {MAX_FILE} octets", path.display()));
    }
    String::from_utf8(octets).map_err(|error| {
        let valid = error.utf8_error().valid_up_to();
        let line = 1 + error.as_bytes().iter().take(valid).filter(|octet| **octet == b'\n').count();
        format!("cannot read {}: not UTF-8 at octet {valid}, line {line}: save it as UTF-8", path.display())
    })
}

fn origin(path: &Path) -> String {
    if path.as_os_str() == "-" { "standard input".to_owned() } else { path.display().to_string() }
}

fn check(args: &CheckArgs, today: Date, colour: Colour, out: &mut impl io::Write) -> io::Result<u8> {
    let mut status = FINE;
    let mut files = Vec::new();
    let mut checked: Vec<(String, String, Vec<Diagnostic>)> = Vec::new();
    for path in &args.files {
        let text = match read(path) {
            Ok(text) => text,
            Err(message) => {
                complain(&message);
                status = UNUSABLE;
                continue;
            }
        };
        let origin = origin(path);
        let mut parsed = Policy::parse(&origin, &text, Library::embedded());
        let mut said = parsed.diagnostics;
        if let Some(policy) = &mut parsed.policy {
            said.extend(
                registers(policy, path).err().map(|(register, error)| policy.unusable_register(&register, &error)),
            );
            said.extend(policy.overdue(args.on.unwrap_or(today)));
            said.extend(policy.misplaced_vantage(horizon::distance));
            said = Diagnostic::in_order(said);
        }
        let worst_allowed = if args.deny_warnings { Level::Note } else { Level::Warning };
        if gravest(&said).is_some_and(|level| level < worst_allowed) {
            status = UNUSABLE;
        }
        match args.format {
            Format::Json => files.push(serde_json::json!({
                "path": origin,
                "usable": parsed.policy.is_some() && !said.iter().any(Diagnostic::is_error),
                "diagnostics": to_json(&origin, &text, &said),
            })),
            Format::Sarif => checked.push((origin, text, said)),
            Format::Text => {
                write!(out, "{}", render_text(&origin, &text, &said, colour))?;
                let separator = if said.is_empty() { "" } else { "\n" };
                writeln!(out, "{separator}{origin}: {}", counts(&said))?;
            }
        }
    }
    if args.format == Format::Json {
        let whole = serde_json::json!({ "schema": "landfall.diagnostics", "version": 1, "files": files });
        writeln!(out, "{}", serde_json::to_string_pretty(&whole)?)?;
    }
    if args.format == Format::Sarif {
        let files: Vec<Checked<'_>> =
            checked.iter().map(|(origin, text, diagnostics)| Checked { origin, text, diagnostics }).collect();
        writeln!(out, "{}", serde_json::to_string_pretty(&to_sarif(&files))?)?;
    }
    Ok(status)
}

/// How much is said: `2 errors, 1 warning`.
fn counts(said: &[Diagnostic]) -> String {
    let of = |level: Level| {
        let count = said.iter().filter(|diagnostic| diagnostic.level == level).count();
        (count > 0).then(|| format!("{count} {}{}", level.name(), if count == 1 { "" } else { "s" }))
    };
    let parts: Vec<String> = [Level::Error, Level::Warning, Level::Note].into_iter().filter_map(of).collect();
    if parts.is_empty() { "nothing to say".to_owned() } else { parts.join(", ") }
}

/// Reads a policy that must be usable; what is wrong with it goes to the output.
fn usable(path: &Path, colour: Colour, out: &mut impl io::Write) -> io::Result<Option<(Policy, String)>> {
    let text = match read(path) {
        Ok(text) => text,
        Err(message) => {
            complain(&message);
            return Ok(None);
        }
    };
    let origin = origin(path);
    let parsed = Policy::parse(&origin, &text, Library::embedded());
    if parsed.policy.is_none() {
        let errors: Vec<Diagnostic> = parsed.diagnostics.into_iter().filter(Diagnostic::is_error).collect();
        write!(out, "{}", render_text(&origin, &text, &errors, colour))?;
        writeln!(out, "\n{origin}: {}", counts(&errors))?;
        return Ok(None);
    }
    Ok(parsed.policy.map(|policy| (policy, text)))
}

fn test(args: &TestArgs, colour: Colour, out: &mut impl io::Write) -> io::Result<u8> {
    let mut status = FINE;
    for path in &args.files {
        let Some((mut policy, text)) = usable(path, colour, out)? else {
            status = UNUSABLE;
            continue;
        };
        if let Err(message) = read_registers(&mut policy, path) {
            complain(&message);
            status = UNUSABLE;
            continue;
        }
        let runs = rehearse(&policy);
        for run in &runs {
            match &run.failure {
                None => writeln!(out, "ok    {}", run.name)?,
                Some(failure) => {
                    writeln!(out, "FAIL  {}", run.name)?;
                    write!(out, "{}", render_text(&origin(path), &text, std::slice::from_ref(failure), colour))?;
                }
            }
        }
        let failed = runs.iter().filter(|run| run.failure.is_some()).count();
        writeln!(out, "{}: {} passed, {failed} failed", origin(path), runs.len() - failed)?;
        let survived = args.mutate && failed == 0 && mutate(path, &policy, &text, colour, out)?;
        if args.mutate && failed > 0 {
            writeln!(out, "{}: not mutated: mend the tests first", origin(path))?;
        }
        if (failed > 0 || survived) && status == FINE {
            status = FAILED;
        }
    }
    Ok(status)
}

/// Reads the registers that the tripwires of a policy name; they lie beside it.
fn registers(policy: &mut Policy, path: &Path) -> Result<(), (String, RegisterError)> {
    let folder = path.parent().unwrap_or(Path::new(""));
    policy.read_registers(|register| fs::read(folder.join(register)))
}

/// The same, with what is wrong in words.
pub(super) fn read_registers(policy: &mut Policy, path: &Path) -> Result<(), String> {
    registers(policy, path).map_err(|(register, error)| format!("cannot use `{register}`: {}", with_causes(&error)))
}

/// Says what no test notices; whether there is any such thing.
fn mutate(path: &Path, policy: &Policy, text: &str, colour: Colour, out: &mut impl io::Write) -> io::Result<bool> {
    let origin = &origin(path);
    let run = |policy: Policy| rehearse(&policy);
    let Some(found) = Policy::mutate(origin, text, Library::embedded(), Some(policy), &run) else { return Ok(false) };
    write!(out, "{}", render_text(origin, text, &found.survivors, colour))?;
    let survivors = found.survivors.len();
    let idle = match found.idle {
        0 => String::new(),
        n => format!("; {n} more change nothing that is judged"),
    };
    let left_out = match found.left_out {
        0 => String::new(),
        n => format!("; {n} more were not tried"),
    };
    let unseen = match found.unseen {
        0 => String::new(),
        1 => "; 1 recipient of a register is no party, so that no test can see it".to_owned(),
        n => format!("; {n} recipients of registers are no parties, so that no test can see them"),
    };
    let separator = if survivors > 0 { "\n" } else { "" };
    let noticed = found.tried - survivors;
    writeln!(
        out,
        "{separator}{origin}: {} changes, {noticed} noticed, {survivors} survived{idle}{left_out}{unseen}",
        found.tried
    )?;
    Ok(survivors > 0 || found.left_out > 0)
}

fn show(args: &ShowArgs, today: Date, colour: Colour, out: &mut impl io::Write) -> io::Result<u8> {
    let Some(path) = &args.file else {
        write!(out, "{}", library_listing(Library::embedded(), today, args.on))?;
        return Ok(FINE);
    };
    let Some((mut policy, _)) = usable(path, colour, out)? else { return Ok(UNUSABLE) };
    // The digest that is shown is that of reports, which covers the registers.
    if let Err(message) = read_registers(&mut policy, path) {
        complain(&message);
        return Ok(UNUSABLE);
    }
    write!(out, "{}", policy.listing(args.on.unwrap_or(today)))?;
    Ok(FINE)
}

fn init(args: &InitArgs, out: &mut impl io::Write) -> io::Result<u8> {
    let Some(path) = &args.file else {
        write!(out, "{STARTER}")?;
        return Ok(FINE);
    };
    let written = fs::OpenOptions::new().write(true).create_new(true).open(path);
    match written.and_then(|mut file| file.write_all(STARTER.as_bytes())) {
        Ok(()) => {
            writeln!(out, "wrote {}; now change it and run `landfall policy check {0}`", path.display())?;
            Ok(FINE)
        }
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            complain(&format!("{} exists and is left alone", path.display()));
            Ok(UNUSABLE)
        }
        Err(error) => {
            complain(&format!("cannot write {}: {error}", path.display()));
            Ok(UNUSABLE)
        }
    }
}
