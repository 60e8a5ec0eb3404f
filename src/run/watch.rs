//! Several live inputs at once: interfaces, collectors and logs that grow, a thread each, until the watch is told to stop.
//!
//! Batches go to the caller over a bounded channel; a full channel blocks the readers, and then the kernel drops.

use std::fs::File;
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::time::Duration;

use tokio::sync::oneshot;

use super::collect::{self, CollectError, MAX_SOCKETS, UdpCollector};
use super::follow::{self, FollowError, FollowedLog, MAX_LOGS};
use super::live::{self, LiveCapture, LiveError, MAX_INTERFACES};
use super::supervise::Supervisor;
use crate::meter::MeterConfig;
use crate::model::{Batch, InputCoverage, InputId};
use crate::source::{Options, Progress, Source};

/// How many batches wait for the caller.
const QUEUE: usize = 64;

/// How long nothing comes before the caller is given an empty batch.
const IDLE: Duration = Duration::from_secs(1);

/// Interfaces that are being captured, sockets that flow exporters send to, and logs that are followed.
pub struct Watch {
    inputs: Vec<Watched>,
    stop: Arc<AtomicBool>,
}

/// What a thread of its own reads.
struct Watched {
    id: InputId,
    name: String,
    kind: &'static str,
    source: Box<dyn Source>,
}

impl Watch {
    /// Opens interfaces; one that is named twice once. Inputs are numbered in their order. When this returns, every frame
    /// on them is captured.
    pub fn open(interfaces: &[String], filter: Option<&str>, config: MeterConfig) -> Result<Self, LiveError> {
        let mut names: Vec<&String> = Vec::new();
        for interface in interfaces {
            if !names.contains(&interface) {
                names.push(interface);
            }
        }
        if names.is_empty() || names.len() > MAX_INTERFACES {
            return Err(LiveError::Number(names.len()));
        }
        let mut watch = Self::nothing();
        for (id, name) in (0..).map(InputId).zip(names) {
            let source = Box::new(LiveCapture::open(id, name, filter, config, watch.stop())?);
            watch.inputs.push(Watched { id, name: name.clone(), kind: live::KIND, source });
        }
        Ok(watch)
    }

    /// A watch of nothing yet.
    pub fn nothing() -> Self {
        Self { inputs: Vec::new(), stop: Arc::new(AtomicBool::new(false)) }
    }

    /// Binds sockets for flow exporters to send to, beside what is watched already. When this returns, every datagram that
    /// comes is received.
    pub fn collect(mut self, addresses: &[SocketAddr], config: &MeterConfig) -> Result<Self, CollectError> {
        if addresses.len() > MAX_SOCKETS {
            return Err(CollectError::Number(addresses.len()));
        }
        for address in addresses {
            let id = InputId(u32::try_from(self.inputs.len()).unwrap_or(u32::MAX));
            let source = Box::new(UdpCollector::bind(id, *address, config, self.stop())?);
            let name = source.coverage().name;
            self.inputs.push(Watched { id, name, kind: collect::KIND, source });
        }
        Ok(self)
    }

    /// Follows logs beside what is watched already; one that is named twice once. One that is not there yet is waited for.
    pub fn follow(mut self, logs: &[PathBuf], options: &Options) -> Result<Self, FollowError> {
        if logs.len() > MAX_LOGS {
            return Err(FollowError::Number(logs.len()));
        }
        for path in logs {
            let name = path.display().to_string();
            if self.inputs.iter().any(|input| input.kind == follow::KIND && input.name == name) {
                continue;
            }
            if let Err(source) = File::open(path)
                && source.kind() != io::ErrorKind::NotFound
            {
                return Err(FollowError::Io { path: name, source });
            }
            let id = InputId(u32::try_from(self.inputs.len()).unwrap_or(u32::MAX));
            let source = Box::new(FollowedLog::new(id, path, options, self.stop(), follow::WAIT));
            self.inputs.push(Watched { id, name, kind: follow::KIND, source });
        }
        Ok(self)
    }

    /// What is watched: the input that it is, its name and its kind.
    pub fn inputs(&self) -> impl Iterator<Item = (InputId, &str, &str)> {
        self.inputs.iter().map(|input| (input.id, input.name.as_str(), input.kind))
    }

    /// What ends the watch when it is set, beside signals and the limit.
    pub fn stop(&self) -> Arc<AtomicBool> {
        Arc::clone(&self.stop)
    }

    /// Reads every input in a thread of its own, and gives the batches to `on_batch` in this one (an empty batch of the first
    /// input where none comes for a second, so that what waits for its time is not forgotten), until SIGINT,
    /// SIGTERM or SIGHUP, the end of `limit`, [`Watch::stop`], or until every input is gone. Then what is still held
    /// is given too, and what each input held is returned. An input that goes away has the reason in its coverage;
    /// the others go on.
    pub fn run(
        self,
        limit: Option<Duration>,
        mut on_batch: impl FnMut(InputId, &Batch),
    ) -> Result<Vec<(InputId, InputCoverage)>, LiveError> {
        let Self { inputs, stop } = self;
        let (sender, receiver) = sync_channel(QUEUE);
        let (done, told) = oneshot::channel();
        // Before anything is read, and so before anything is told: whoever ends the watch for what it told gets its report.
        let supervisor = Supervisor::new().map_err(LiveError::Start)?;
        std::thread::scope(|scope| {
            // Whichever way this thread leaves, the others must not be waited for in vain.
            let ending = Ending { stop: &stop, done: Some(done) };
            let thread = |name: &str| std::thread::Builder::new().name(name.to_owned());
            let supervisor = thread("supervisor")
                .spawn_scoped(scope, || supervisor.until_told(&stop, limit, told))
                .map_err(LiveError::Start)?;
            for input in inputs {
                let (sender, name) = (sender.clone(), input.name.clone());
                thread(&name).spawn_scoped(scope, move || read_all(input, &sender)).map_err(LiveError::Start)?;
            }
            drop(sender);
            let covered = receive(&receiver, &mut on_batch);
            drop(ending);
            if let Err(panic) = supervisor.join() {
                std::panic::resume_unwind(panic);
            }
            Ok(covered)
        })
    }
}

/// Tells the readers and the supervisor to end when it is dropped.
struct Ending<'a> {
    stop: &'a AtomicBool,
    done: Option<oneshot::Sender<()>>,
}

impl Drop for Ending<'_> {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        self.done.take();
    }
}

/// What a reader says.
enum Told {
    Batch(InputId, Batch),
    End(InputId, Box<InputCoverage>),
}

/// Reads an input to its end, unless nobody listens any more.
fn read_all(mut input: Watched, sender: &SyncSender<Told>) {
    loop {
        let mut batch = Batch::default();
        // An error is in the coverage, and what was held still comes.
        let progress = input.source.read(&mut batch).unwrap_or(Progress::More);
        if !batch.records.is_empty() && sender.send(Told::Batch(input.id, batch)).is_err() {
            return;
        }
        if progress == Progress::End {
            // Nobody listens where this fails.
            let _ = sender.send(Told::End(input.id, Box::new(input.source.coverage())));
            return;
        }
    }
}

/// Hands out what readers tell, until the last of them has ended.
fn receive(receiver: &Receiver<Told>, on_batch: &mut impl FnMut(InputId, &Batch)) -> Vec<(InputId, InputCoverage)> {
    let mut covered = Vec::new();
    loop {
        match receiver.recv_timeout(IDLE) {
            Ok(Told::Batch(id, batch)) => on_batch(id, &batch),
            Ok(Told::End(id, coverage)) => covered.push((id, *coverage)),
            Err(RecvTimeoutError::Timeout) => on_batch(InputId(0), &Batch::default()),
            Err(RecvTimeoutError::Disconnected) => break,
        }
    }
    covered.sort_by_key(|(id, _)| *id);
    covered
}
