//! When a run that has no end of its own ends: a signal, or a time limit.
//!
//! This is the control side: a small runtime in a thread of its own, beside the threads that carry the data.

use std::future;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::oneshot;

/// The exit code of a process that a second signal ends: 128 and the number of SIGINT, as shells have it.
const INTERRUPTED: i32 = 130;

/// Blocks until SIGINT, SIGTERM or SIGHUP comes, `limit` is over, or the other end of `done` is dropped or sends; then
/// sets `stop`.
///
/// What was captured is then still to be flushed and reported, which takes a while: this goes on to block until `done`,
/// and a second signal meanwhile ends the process at once. Fails where signals cannot be waited for; then `stop` is set
/// too, since nothing else would.
pub fn until_told(stop: &Arc<AtomicBool>, limit: Option<Duration>, done: oneshot::Receiver<()>) -> io::Result<()> {
    let result = wait(stop, limit, done);
    stop.store(true, Ordering::Relaxed);
    result
}

fn wait(stop: &Arc<AtomicBool>, limit: Option<Duration>, mut done: oneshot::Receiver<()>) -> io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().enable_time().build()?;
    runtime.block_on(async {
        let mut signals = Signals::new()?;
        let over = async {
            match limit {
                Some(limit) => tokio::time::sleep(limit).await,
                None => future::pending().await,
            }
        };
        tokio::select! {
            () = signals.next() => {}
            () = over => {}
            _ = &mut done => return Ok(()),
        }
        stop.store(true, Ordering::Relaxed);
        tokio::select! {
            () = signals.next() => std::process::exit(INTERRUPTED),
            _ = &mut done => Ok(()),
        }
    })
}

/// The signals that ask a program to end.
struct Signals {
    interrupt: Signal,
    terminate: Signal,
    hang_up: Signal,
}

impl Signals {
    fn new() -> io::Result<Self> {
        Ok(Self {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
            hang_up: signal(SignalKind::hangup())?,
        })
    }

    async fn next(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
            _ = self.hang_up.recv() => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_limit_ends_a_run() {
        let stop = Arc::new(AtomicBool::new(false));
        let (done, told) = oneshot::channel();
        std::thread::scope(|scope| {
            let supervisor = scope.spawn(|| until_told(&stop, Some(Duration::ZERO), told));
            while !stop.load(Ordering::Relaxed) {
                std::thread::yield_now();
            }
            drop(done);
            supervisor.join().unwrap().unwrap();
        });
    }

    #[test]
    fn a_run_that_is_done_needs_no_signal() {
        let stop = Arc::new(AtomicBool::new(false));
        let (done, told) = oneshot::channel();
        drop(done);
        until_told(&stop, None, told).unwrap();
        assert!(stop.load(Ordering::Relaxed));
    }
}
