//! Sockets that flow exporters send their telemetry to.
//!
//! What the kernel drops for want of buffer is seen where it matters: in the sequence numbers of the exporters
//! ([`InputCoverage::lost`]). Nothing is ever answered.

use std::io::{self, ErrorKind};
use std::net::{SocketAddr, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::net::sockopt::{set_socket_recv_buffer_size, set_socket_recv_buffer_size_force};

use crate::meter::MeterConfig;
use crate::model::{Addr, Batch, InputCoverage, InputId, Timestamp};
use crate::source::export::{Collector, Datagram, MAX_MESSAGE};
use crate::source::{Progress, Source, SourceError};

/// The name of the kind of input in reports.
pub const KIND: &str = "telemetry over udp";

/// The most sockets that are read at once.
pub const MAX_SOCKETS: usize = 64;

/// The kernel's buffer: what comes in it is what the reader may be late.
const BUFFER: usize = 32 * 1024 * 1024;

/// How many datagrams are decoded in one call of [`Source::read`].
const DATAGRAMS_PER_READ: usize = 1024;

/// The most datagrams that are read after the collector was told to stop: more than the buffer holds.
const LAST_DATAGRAMS: usize = 1024 * 1024;

/// How long a reader waits for a datagram.
const WAIT: Duration = Duration::from_millis(200);

/// Why a socket cannot be had.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CollectError {
    /// The address cannot be bound.
    #[error("cannot receive on `udp://{address}`: {source}")]
    Bind {
        /// The address.
        address: SocketAddr,
        /// What the system says.
        source: io::Error,
    },
    /// More than [`MAX_SOCKETS`].
    #[error("{0} collectors: at most {MAX_SOCKETS} can be read at once")]
    Number(usize),
}

/// A socket as a source of flow records. It ends when it is told to stop.
pub struct UdpCollector {
    socket: UdpSocket,
    collector: Collector,
    datagrams: u64,
    octets: u64,
    buffer: Vec<u8>,
    stop: Arc<AtomicBool>,
    state: State,
}

/// How far a collector has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Reading,
    /// It was told to stop: what came until then is still in the kernel's buffer.
    Draining(usize),
    Ended,
}

impl UdpCollector {
    /// Binds a socket. `stop` ends it.
    pub fn bind(
        id: InputId,
        address: SocketAddr,
        config: &MeterConfig,
        stop: Arc<AtomicBool>,
    ) -> Result<Self, CollectError> {
        let failed = |source| CollectError::Bind { address, source };
        let socket = UdpSocket::bind(address).map_err(failed)?;
        socket.set_nonblocking(true).map_err(failed)?;
        // As much as the system gives: beyond its limit only to the privileged.
        let _ = set_socket_recv_buffer_size_force(&socket, BUFFER)
            .or_else(|_| set_socket_recv_buffer_size(&socket, BUFFER));
        let bound = socket.local_addr().map_err(failed)?;
        Ok(Self {
            socket,
            collector: Collector::new(id, &format!("udp://{bound}"), KIND, config.hash_seed),
            datagrams: 0,
            octets: 0,
            buffer: vec![0; MAX_MESSAGE + 1],
            stop,
            state: State::Reading,
        })
    }

    /// Where it receives: the port is that of the system where none was named.
    pub fn address(&self) -> io::Result<SocketAddr> {
        self.socket.local_addr()
    }

    /// Decodes what has come, at most `limit` datagrams; how many there were.
    fn take(&mut self, limit: usize, batch: &mut Batch) -> io::Result<usize> {
        for taken in 0..limit {
            let (length, from) = match self.socket.recv_from(&mut self.buffer) {
                Ok(received) => received,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(taken),
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(error) => return Err(error),
            };
            self.datagrams += 1;
            self.octets += length as u64;
            let datagram = Datagram {
                exporter: Addr::from(from.ip()),
                received: Some(now()),
                number: self.datagrams,
                octets: self.buffer.get(..length).unwrap_or_default(),
            };
            self.collector.collect(&datagram, batch);
        }
        Ok(limit)
    }

    /// Waits for a datagram.
    fn wait(&self) {
        let timeout = Timespec { tv_sec: 0, tv_nsec: WAIT.subsec_nanos().into() };
        // An error here is seen again by the next read, which says more of it.
        let _ = poll(&mut [PollFd::new(&self.socket, PollFlags::IN)], Some(&timeout));
    }

    fn end(&mut self) {
        self.collector.finish();
        self.state = State::Ended;
    }
}

impl Source for UdpCollector {
    fn read(&mut self, batch: &mut Batch) -> Result<Progress, SourceError> {
        if self.state == State::Reading && self.stop.load(Ordering::Relaxed) {
            self.state = State::Draining(LAST_DATAGRAMS);
        }
        let limit = match self.state {
            State::Reading => DATAGRAMS_PER_READ,
            State::Draining(left) => DATAGRAMS_PER_READ.min(left),
            State::Ended => return Ok(Progress::End),
        };
        let taken = match self.take(limit, batch) {
            Ok(taken) => taken,
            Err(source) => {
                self.collector.fail(&source);
                self.end();
                return Err(SourceError::Io { offset: self.octets, source });
            }
        };
        match self.state {
            State::Draining(left) if taken > 0 => self.state = State::Draining(left - taken),
            State::Draining(_) => self.end(),
            State::Reading if taken == 0 => {
                self.wait();
                return Ok(Progress::Idle);
            }
            State::Reading | State::Ended => {}
        }
        Ok(Progress::More)
    }

    fn coverage(&self) -> InputCoverage {
        self.collector.coverage().clone()
    }
}

fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp(u64::try_from(since.as_nanos()).unwrap_or(u64::MAX))
}
