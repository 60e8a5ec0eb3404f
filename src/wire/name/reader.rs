//! What is put together of one flow until it has a name.

use std::ops::ControlFlow;

use super::Way;
use super::certificate;
use super::dns;
use super::dtls::Dtls;
use super::host::Rejected;
use super::http;
use super::http2;
use super::order::Order;
use super::quic::Quic;
use super::tls::{self, Hello};

/// The most octets of a stream that are kept for a name. Hellos with post-quantum key shares have two thousand, and one
/// record has at most 16 thousand.
pub(super) const MAX_STREAM: usize = 1 << 15;

/// The most segments of a flow that are kept because what came before them may be the beginning of a hello.
pub(super) const MAX_EARLY: usize = 4;

/// After so many octets a record of TLS is told from other things, and most requests of HTTP are.
const SURE: usize = 7;

/// Segments by way and sequence number.
pub(super) type Early = Vec<(Way, u32, Box<[u8]>)>;

/// What is kept of a flow.
#[derive(Debug)]
pub(super) enum Reader {
    /// Segments of TCP in which nothing was recognised.
    Early(Early),
    Stream(Stream),
    Quic(Box<Quic>),
    Dtls(Way, Box<Dtls>),
    Dns(Way, dns::Stream),
}

impl Reader {
    /// Octets that are held, about.
    pub(super) fn held(&self) -> usize {
        size_of::<Self>()
            + match self {
                Self::Early(segments) => segments.iter().map(|(_, _, segment)| segment.len()).sum(),
                Self::Stream(stream) => stream.held(),
                Self::Quic(quic) => quic.held(),
                Self::Dtls(_, dtls) => dtls.held(),
                Self::Dns(_, stream) => stream.held(),
            }
    }
}

/// What a stream that was recognised speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Language {
    Tls,
    Http,
    Http2,
    /// What a server of TLS says, up to its certificate.
    TlsServer,
}

impl Language {
    /// What a segment begins with, if it begins with anything that leads to a name.
    pub(super) fn of(segment: &[u8]) -> Option<Self> {
        if tls::begins(segment) {
            Some(Self::Tls)
        } else if http::begins(segment) {
            Some(Self::Http)
        } else if http2::begins(segment) {
            Some(Self::Http2)
        } else if certificate::begins(segment) {
            Some(Self::TlsServer)
        } else {
            None
        }
    }

    /// Reads the beginning of a stream.
    pub(super) fn read(self, octets: &[u8]) -> Step {
        match self {
            Self::Tls => match tls::read(octets) {
                tls::Read::More(wanted) => Step::More(wanted),
                tls::Read::Whole(hello) => Step::Hello(hello),
                tls::Read::Other => Step::Other,
            },
            Self::Http => Step::of_request(http::read(octets), octets),
            Self::Http2 => Step::of_request(http2::read(octets), octets),
            Self::TlsServer => match certificate::read(octets) {
                certificate::Read::More(wanted) => Step::More(wanted),
                certificate::Read::Name(name) => Step::Certificate(name),
            },
        }
    }
}

/// How a stream stands.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// Nothing can be said before there are this many octets.
    More(usize),
    Hello(Hello),
    Host {
        host: Option<Result<Box<str>, Rejected>>,
        tunnel: bool,
    },
    /// The server has said its name, or that it says none.
    Certificate(Option<Result<Box<str>, Rejected>>),
    /// It is not what it began as.
    Other,
    /// It cannot be put together.
    Lost,
}

impl Step {
    fn of_request(read: http::Read, octets: &[u8]) -> Self {
        match read {
            http::Read::More => Self::More(octets.len() + 1),
            http::Read::Request(http::Request { host, tunnel }) => Self::Host { host, tunnel },
            http::Read::Other => Self::Other,
        }
    }
}

/// The beginning of one direction of a TCP connection.
#[derive(Debug)]
pub(super) struct Stream {
    pub(super) way: Way,
    language: Language,
    /// The sequence number of its first octet.
    start: u32,
    order: Order,
    octets: Vec<u8>,
    wanted: usize,
    /// Segments before its first: if the beginning was none, they may follow the one that is.
    before: Vec<(u32, Box<[u8]>)>,
}

impl Stream {
    /// A stream whose first segment is at hand and wants `wanted` octets in all.
    pub(super) fn new(way: Way, language: Language, sequence: u32, first: &[u8], wanted: usize) -> Self {
        let order = Order::at(sequence.wrapping_add(first.len() as u32));
        Self { way, language, start: sequence, order, octets: first.to_vec(), wanted, before: Vec::new() }
    }

    /// Takes a segment.
    pub(super) fn put(&mut self, sequence: u32, segment: &[u8]) -> Step {
        if self.begins_after(sequence) && self.before.len() < MAX_EARLY && segment.len() <= MAX_STREAM {
            self.before.push((sequence, segment.into()));
        }
        let octets = &mut self.octets;
        let put = self.order.put(sequence, segment, MAX_STREAM, |new| {
            octets.extend_from_slice(new);
            ControlFlow::Continue(())
        });
        if put.is_err() {
            return Step::Lost;
        }
        if self.octets.len() < self.wanted {
            return Step::More(self.wanted);
        }
        let step = self.language.read(&self.octets);
        if let Step::More(wanted) = step {
            if wanted > MAX_STREAM {
                return Step::Lost;
            }
            self.wanted = wanted;
        }
        step
    }

    /// Octets that are held.
    fn held(&self) -> usize {
        let before: usize = self.before.iter().map(|(_, segment)| segment.len()).sum();
        self.order.held() + self.octets.capacity() + before
    }

    /// Whether it begins after a position.
    pub(super) fn begins_after(&self, sequence: u32) -> bool {
        let ahead = self.start.wrapping_sub(sequence) as usize;
        ahead != 0 && ahead < MAX_STREAM
    }

    /// Its segments, as if nothing had been recognised in them.
    pub(super) fn into_early(self) -> Early {
        let first = (self.start, self.octets.into_boxed_slice());
        let pieces = std::iter::once(first).chain(self.before).chain(self.order.into_waiting());
        pieces.map(|(sequence, piece)| (self.way, sequence, piece)).collect()
    }

    /// Whether what the other side says goes before it: there is too little to be sure of its language, or it is what a server
    /// says, of whom the client says more.
    pub(super) fn is_slight(&self) -> bool {
        self.octets.len() < SURE || self.is_servers()
    }

    /// Whether it is what a server of TLS says.
    pub(super) fn is_servers(&self) -> bool {
        self.language == Language::TlsServer
    }

    /// What the stream says as far as it goes.
    pub(super) fn part(&self) -> Hello {
        match self.language {
            Language::Tls => tls::read_part(&self.octets),
            Language::Http | Language::Http2 | Language::TlsServer => Hello::default(),
        }
    }
}
