//! When a run that has no end of its own ends: a signal, or a time limit.
//!
//! This is the control side: a small runtime in a thread of its own, beside the threads that carry the data.

use std::future;
use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::runtime::Runtime;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::oneshot;

/// The exit code of a process that a second signal ends: 128 and the number of SIGINT, as shells have it.
const INTERRUPTED: i32 = 130;

/// Waits for what ends a run. Signals are caught from the moment that there is one: before that they end the process.
pub struct Supervisor {
    runtime: Runtime,
    signals: Signals,
}

impl Supervisor {
    /// Catches SIGINT, SIGTERM and SIGHUP from here on. Fails where signals cannot be waited for.
    pub fn new() -> io::Result<Self> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_io().enable_time().build()?;
        let signals = {
            let _within = runtime.enter();
            Signals::new()?
        };
        Ok(Self { runtime, signals })
    }

    /// Blocks until a signal has come, `limit` is over, or the other end of `done` is dropped or sends; then sets `stop`.
    ///
    /// What was captured is then still to be flushed and reported, which takes a while: this goes on to block until `done`,
    /// and a second signal meanwhile ends the process at once.
    pub fn until_told(self, stop: &AtomicBool, limit: Option<Duration>, mut done: oneshot::Receiver<()>) {
        let Self { runtime, mut signals } = self;
        runtime.block_on(async {
            let over = async {
                match limit {
                    Some(limit) => tokio::time::sleep(limit).await,
                    None => future::pending().await,
                }
            };
            let is_done = tokio::select! {
                () = signals.next() => false,
                () = over => false,
                _ = &mut done => true,
            };
            stop.store(true, Ordering::Relaxed);
            if is_done {
                return;
            }
            tokio::select! {
                () = signals.next() => std::process::exit(INTERRUPTED),
                _ = &mut done => {}
            }
        });
    }
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
        let stop = AtomicBool::new(false);
        let (done, told) = oneshot::channel();
        let supervisor = Supervisor::new().unwrap();
        std::thread::scope(|scope| {
            let supervisor = scope.spawn(|| supervisor.until_told(&stop, Some(Duration::ZERO), told));
            while !stop.load(Ordering::Relaxed) {
                std::thread::yield_now();
            }
            drop(done);
            supervisor.join().unwrap();
        });
    }

    #[test]
    fn a_run_that_is_done_needs_no_signal() {
        let stop = AtomicBool::new(false);
        let (done, told) = oneshot::channel();
        drop(done);
        Supervisor::new().unwrap().until_told(&stop, None, told);
        assert!(stop.load(Ordering::Relaxed));
    }
}
