//! What is put together of one flow until it has a name.

use std::ops::ControlFlow;

use super::Way;
use super::dns;
use super::dtls::Dtls;
use super::host::Rejected;
use super::http;
use super::order::Order;
use super::quic::Quic;
use super::tls::{self, Hello};

/// The most octets of a stream that are kept for a name. Hellos with post-quantum key shares have two thousand, and one
/// record has at most 16 thousand.
pub(super) const MAX_STREAM: usize = 1 << 15;

/// The most segments of a flow that are kept because what came before them may be the beginning of a hello.
pub(super) const MAX_EARLY: usize = 4;

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
                Self::Stream(stream) => stream.order.held() + stream.octets.capacity(),
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
}

impl Language {
    /// What a segment begins with, if it begins with anything that leads to a name.
    pub(super) fn of(segment: &[u8]) -> Option<Self> {
        if tls::begins(segment) {
            Some(Self::Tls)
        } else if http::begins(segment) {
            Some(Self::Http)
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
            Self::Http => match http::read(octets) {
                http::Read::More => Step::More(octets.len() + 1),
                http::Read::Request(http::Request { host, tunnel }) => Step::Host { host, tunnel },
                http::Read::Other => Step::Other,
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
    /// It is not what it began as.
    Other,
    /// It cannot be put together.
    Lost,
}

/// The beginning of one direction of a TCP connection.
#[derive(Debug)]
pub(super) struct Stream {
    pub(super) way: Way,
    language: Language,
    order: Order,
    octets: Vec<u8>,
    wanted: usize,
}

impl Stream {
    /// A stream whose first segment is at hand and wants `wanted` octets in all.
    pub(super) fn new(way: Way, language: Language, sequence: u32, first: &[u8], wanted: usize) -> Self {
        let order = Order::at(sequence.wrapping_add(first.len() as u32));
        Self { way, language, order, octets: first.to_vec(), wanted }
    }

    /// Takes a segment.
    pub(super) fn put(&mut self, sequence: u32, segment: &[u8]) -> Step {
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

    /// What the stream says as far as it goes.
    pub(super) fn part(&self) -> Hello {
        match self.language {
            Language::Tls => tls::read_part(&self.octets),
            Language::Http => Hello::default(),
        }
    }
}
