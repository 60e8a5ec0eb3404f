//! The command line: what was typed ([`args`]), what it means (`plan`), and a file per command.
//!
//! Results go to standard output, everything else to standard error. "Clean" and "could not see" never share an exit code
//! ([`Exit`]).

pub mod args;
mod audit;
pub mod db;
pub mod diff;
pub mod explain;
mod flows;
#[cfg(feature = "live")]
mod follow;
pub mod locate;
mod plan;
pub mod policy;
pub mod vantage;
#[cfg(feature = "live")]
pub mod watch;

use std::io::{self, Write};
use std::process::ExitCode;

use clap::Parser;

use args::{Args, Command};

/// How a run ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// 0: nothing forbidden was found and everything was seen.
    Clean,
    /// 1: something forbidden was found.
    Forbidden,
    /// 2: the run did not happen: arguments, policy, nothing readable.
    Failed,
    /// 3: nothing forbidden was found, but the audit is incomplete or indeterminate.
    Open,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(match exit {
            Exit::Clean => 0,
            Exit::Forbidden => 1,
            Exit::Failed => 2,
            Exit::Open => 3,
        })
    }
}

/// Why a command ends early.
#[derive(Debug)]
pub enum Stop {
    /// The reason was told already.
    Told(Exit),
    /// The reason, to be told.
    Failed(String),
    /// Writing failed. A reader that has gone away is not a failure.
    Output(io::Error),
}

impl From<io::Error> for Stop {
    fn from(error: io::Error) -> Self {
        Self::Output(error)
    }
}

/// Runs the program on the arguments of the process.
pub fn run() -> ExitCode {
    // A panic is our own mistake: say so, with the place, and never as a result.
    let hook = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |info| {
        tell("internal error: this is a defect of the program, please report it with the lines below");
        hook(info);
    }));
    let args = Args::parse();
    let result = match args.command {
        Command::Audit(args) => audit::run(&args),
        Command::Flows(args) => flows::run(&args),
        #[cfg(feature = "live")]
        Command::Watch(args) => watch::run(&args),
        Command::Locate(args) => locate::run(&args),
        Command::Explain(args) => explain::run(&args),
        Command::Db(command) => db::run(&command),
        Command::Policy(policy::PolicyCommand::Diff(args)) => diff::run(&args),
        Command::Policy(command) => return policy::run(&command, jiff::Zoned::now().date()),
    };
    match result {
        Ok(exit) | Err(Stop::Told(exit)) => exit.into(),
        Err(Stop::Failed(reason)) => {
            tell(&reason);
            Exit::Failed.into()
        }
        Err(Stop::Output(error)) if error.kind() == io::ErrorKind::BrokenPipe => Exit::Clean.into(),
        Err(Stop::Output(error)) => {
            tell(&format!("cannot write: {error}"));
            Exit::Failed.into()
        }
    }
}

/// Tells the user something, on standard error, with the program's name.
pub(crate) fn tell(what: &str) {
    // Nobody is left to tell where standard error is closed.
    let _ = writeln!(anstream::stderr(), "landfall: {}", crate::report::visible(what));
}
