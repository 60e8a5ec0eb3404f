//! `landfall audit`: judge files.

use std::io::IsTerminal;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::args::AuditArgs;
#[cfg(feature = "live")]
use super::follow;
use super::{Exit, Stop, plan, tell};
use crate::audit::Audit;
use crate::diag::with_causes;
#[cfg(feature = "parquet")]
use crate::model::{Coverage, InputCoverage, InputId};
#[cfg(feature = "parquet")]
use crate::run::archive::{ArchiveError, Spool};
use crate::run::batch::{self, Advance, Input, Place};
use crate::run::evidence::{self, Case, Keep, Limits};
use crate::run::folder::Folder;
use crate::source::{Digests, Options};

pub(super) fn run(args: &AuditArgs) -> Result<Exit, Stop> {
    let stamp = plan::stamp(&args.output)?;
    // Both are tried before either stops the run, so that all mistakes are told at once.
    let grounds = plan::grounds(&args.grounds, Some(&args.vantage), &[]);
    #[cfg(feature = "live")]
    let inputs = if args.follow { follow::inputs(args) } else { plan::inputs(&args.input) };
    #[cfg(not(feature = "live"))]
    let inputs = plan::inputs(&args.input);
    let folder =
        args.evidence.as_deref().map(Folder::claim).transpose().map_err(|error| Stop::Failed(with_causes(&error)));
    let (grounds, (inputs, unreadable)) = (grounds?, inputs?);
    let folder = folder?;
    let options = plan::options(&args.input);
    #[cfg(feature = "parquet")]
    let spool = args.archive.as_deref().map(Spool::create).transpose().map_err(failed)?;
    #[cfg(feature = "parquet")]
    let keep = spool.as_ref();
    #[cfg(not(feature = "parquet"))]
    let keep = None;
    let threads = args.threads.or_else(|| thread::available_parallelism().ok().map(usize::from)).unwrap_or(1);
    let advance = Arc::new(Advance::default());
    let told = grounds.atlas.faults_so_far();
    // The evidence reads again what was digested.
    let digests = if args.digests { Digests::Taken } else { Digests::Left };
    let reading = Options { digests, ..options.clone() };
    let read = || batch::audits(&inputs, &[&grounds], &reading, threads, &advance, keep).pop();
    #[cfg(feature = "live")]
    let audit = if args.follow {
        Some(follow::audit(args, &inputs, &grounds, &options, keep)?)
    } else {
        with_progress(&inputs, &advance, read)
    };
    #[cfg(not(feature = "live"))]
    let audit = with_progress(&inputs, &advance, read);
    let audit = audit.unwrap_or_else(|| Audit::of_nothing(grounds.basis()));

    let mut read = 0;
    for input in audit.coverage.inputs.values() {
        match &input.error {
            Some(error) => tell(&format!("cannot read `{}`: {error}", input.name)),
            None => read += 1,
        }
        if input.read.count > 0 && input.error.is_some() {
            read += 1;
        }
    }
    if read == 0 {
        return Err(Stop::Told(Exit::Failed));
    }
    let mut report = audit.report(&grounds, stamp);
    // Copies of other times are read when flows of that time come.
    for fault in grounds.atlas.faults_so_far().difference(&told) {
        tell(fault);
    }
    for error in &unreadable {
        report.limits.push(format!("An input was not read: {error}."));
    }
    plan::write(&args.output, &report)?;
    if let Some(folder) = folder {
        let keep = if args.evidence_payload { Keep::Everything } else { Keep::Headers };
        let limits = Limits::default();
        let case =
            Case { inputs: &inputs, grounds: &grounds, options: &options, audit: &audit, report: &report, limits };
        let notes = evidence::write(&folder, keep, &case).map_err(|error| Stop::Failed(with_causes(&error)))?;
        for note in notes {
            tell(&note);
        }
    }
    #[cfg(feature = "parquet")]
    if let Some(spool) = spool {
        let after = inputs.iter().map(Input::last).max().map_or(0, |last| last.0 + 1);
        for (id, error) in (after..).zip(&unreadable) {
            let mut missed = InputCoverage::new(error.path().unwrap_or("inputs"), "unreadable");
            missed.error = Some(error.to_string());
            spool.cover(&Coverage::of(InputId(id), missed));
        }
        let archived = spool.finish().map_err(failed)?;
        tell(&format!("{} flow records archived in {} files", archived.records, archived.files));
    }
    Ok(plan::exit(report.outcome, audit.coverage.is_complete() && unreadable.is_empty(), &args.output.accept))
}

#[cfg(feature = "parquet")]
#[expect(clippy::needless_pass_by_value, reason = "the signature of `map_err`")]
fn failed(error: ArchiveError) -> Stop {
    Stop::Failed(with_causes(&error))
}

/// Draws a progress bar on a terminal while `work` goes on.
fn with_progress<T>(inputs: &[Input], advance: &Arc<Advance>, work: impl FnOnce() -> T) -> T {
    if !std::io::stderr().is_terminal() {
        return work();
    }
    // How much standard input holds nobody knows.
    let sizes = inputs.iter().map(|input| match &input.place {
        Place::File(path) => std::fs::metadata(path).ok().map(|data| data.len()),
        Place::Stdin => None,
    });
    let total: Option<u64> = sizes.sum();
    let bar = ProgressBar::with_draw_target(total, ProgressDrawTarget::stderr());
    let template = match total {
        Some(_) => "{bar:30} {bytes} of {total_bytes}, {bytes_per_sec}, {eta} left",
        None => "{bytes} read, {bytes_per_sec}",
    };
    if let Ok(style) = ProgressStyle::with_template(template) {
        bar.set_style(style);
    }
    let done = AtomicBool::new(false);
    let result = thread::scope(|scope| {
        let drawer = scope.spawn(|| {
            // Short runs draw nothing.
            for tick in 0u32.. {
                if done.load(Ordering::Relaxed) {
                    break;
                }
                if tick > 5 {
                    bar.set_position(advance.octets.load(Ordering::Relaxed));
                }
                thread::park_timeout(Duration::from_millis(100));
            }
        });
        let result = work();
        done.store(true, Ordering::Relaxed);
        drawer.thread().unpark();
        result
    });
    bar.finish_and_clear();
    result
}
