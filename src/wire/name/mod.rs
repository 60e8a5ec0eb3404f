//! Names: by which name the far end of a flow was asked for.
//!
//! [`Names`] is shown the first payload of each flow, and gives up on a flow as soon as it has a name or will have none:
//! [`Watch::is_done`] is one comparison. What it reads:
//!
//! - the server name in the `ClientHello` of TLS (RFC 6066), over as many segments and records as it takes, in any order, and
//!   wherever in the beginning of a connection it stands, so that STARTTLS and tunnels through proxies need no special
//!   care; of DTLS; and of QUIC version 1, version 2 and the drafts from 21 on, over as many packets as it takes;
//! - the host of an HTTP/1 request, and of the first request of HTTP/2 with prior knowledge;
//! - answers of the domain name system over UDP and TCP, which name an address for the client that received them
//!   ([`Answers`]); multicast DNS and LLMNR are left out, since they name neighbours.
//!
//! - where a hello has no server name, or was not seen, the first name in the certificate that the server of TLS up to 1.2
//!   sends in clear. Its signature is not checked.
//!
//! STUN is not read: its requests name no server, and the realm in an answer is the server's own word.
//!
//! Names come from strangers. What is held of a flow, what is held in all, and how many packets are looked at have limits,
//! and reaching one is counted ([`Counts`]). Nothing of a payload is kept beyond the names themselves.

mod answers;
mod certificate;
mod cursor;
mod dns;
mod dtls;
mod host;
mod http;
mod http2;
mod initial;
mod order;
mod quic;
mod reader;
mod slots;
mod tls;

use crate::model::{Addr, Name, NameSource, Timestamp};

pub(super) use cursor::Cursor;

pub use answers::{Answer, Answers, GRACE, MAX_TTL};
pub use dns::{Binding, Data, Lost, PORT as DNS_PORT, Record, Response, Stream as DnsStream};

use dtls::Dtls;
use host::Rejected;
use quic::Quic;
use reader::{Early, Language, MAX_EARLY, MAX_STREAM, Reader, Step, Stream};
use slots::Slots;
use tls::Hello;

/// A name that a log has of a flow, as it would have been read from a packet: in lower case, without a final dot; `None` where
/// it is none.
pub fn of_text(text: &str) -> Option<Box<str>> {
    host::name(text.as_bytes()).ok()
}

/// The name in the `Host` of a request, without its port; `None` where it is none.
pub fn of_host(text: &str) -> Option<Box<str>> {
    http::host_of(text.as_bytes()).ok()
}

/// The most packets with payload of a flow that are looked at before it is given up: STARTTLS comes after greetings.
const MAX_LOOKS: u32 = 24;

/// For how many of them segments are kept in which nothing was recognised.
const EARLY_LOOKS: u32 = 8;

/// The ports of multicast DNS (RFC 6762) and LLMNR (RFC 4795).
const NEIGHBOURS: [u16; 2] = [5353, 5355];

/// Limits of what is held.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// The most octets of flows without a name that are held at once. Beyond, what was begun first is given up.
    pub octets_max: usize,
    /// The most answers that are held at once. Beyond, what was answered first is given up.
    pub answers_max: usize,
    /// The seed of hashes. Results do not depend on it.
    pub hash_seed: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self { octets_max: 64 << 20, answers_max: 1 << 18, hash_seed: 0 }
    }
}

/// Which of the two ends of a flow sent a packet: either is either, as long as it stays so for the flow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// From the one to the other.
    There,
    /// From the other to the one.
    Back,
}

/// What carries the payload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Carrier {
    /// TCP, with the sequence number of the first octet of payload: in a segment with SYN, one more than it says.
    Tcp(u32),
    /// UDP.
    Udp,
}

/// The payload of a packet.
#[derive(Clone, Copy, Debug)]
pub struct Segment<'a> {
    /// Who sent it.
    pub way: Way,
    /// What carries it.
    pub carrier: Carrier,
    /// Source address.
    pub src: Addr,
    /// Destination address.
    pub dst: Addr,
    /// Source port.
    pub sport: u16,
    /// Destination port.
    pub dport: u16,
    /// What was captured of the payload.
    pub payload: &'a [u8],
    /// How many octets of the payload were not captured.
    pub missing: u32,
    /// When it was seen.
    pub time: Timestamp,
}

/// A name was seen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sighting {
    /// The name. [`NameSource::Sni`] and [`NameSource::Quic`] prevail over a [`NameSource::Host`] that the same flow gave
    /// before: what came through a tunnel names what is at its end.
    pub name: Name,
    /// Who asked for it: the client.
    pub asked: Way,
}

/// How far a flow has been looked at. It belongs to one flow and one [`Names`], and must be given back with
/// [`Names::forget`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Watch(u32);

impl Watch {
    const DONE: Self = Self(u32::MAX);
    const SLOTS: u32 = MAX_LOOKS + 1;

    /// Whether nothing more will come of this flow.
    #[inline]
    pub const fn is_done(self) -> bool {
        self.0 == Self::DONE.0
    }

    fn slot(self) -> Option<u32> {
        if self.is_done() { None } else { self.0.checked_sub(Self::SLOTS) }
    }
}

/// What was seen and what was given up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Counts {
    /// Hellos that were read.
    pub hellos: u64,
    /// Hellos that carry an encrypted one, or what looks like one.
    pub encrypted: u64,
    /// Hellos without a server name.
    pub nameless: u64,
    /// Names with characters that no name has, or too long.
    pub rejected: u64,
    /// Flows given up without a name after a hello or request had begun: it was not captured whole, is too long, or its
    /// segments were lost.
    pub given_up: u64,
    /// Flows given up for want of room.
    pub crowded_out: u64,
    /// Answers given up before their time, for want of room.
    pub answers_evicted: u64,
}

/// Reads names from the first payload of flows.
#[derive(Debug)]
pub struct Names {
    slots: Slots,
    answers: Answers,
    counts: Counts,
}

/// What is to become of a flow.
enum Fate {
    /// Nothing is held of it.
    Look,
    Keep(Reader),
    Done,
}

type Outcome = (Fate, Option<Sighting>);

impl Names {
    /// Nothing seen yet.
    pub fn new(limits: Limits) -> Self {
        Self {
            slots: Slots::new(limits.octets_max),
            answers: Answers::new(limits.answers_max, limits.hash_seed),
            counts: Counts::default(),
        }
    }

    /// Looks at a packet of the flow that `watch` belongs to. A flow that is [done](Watch::is_done) need not be shown.
    pub fn see(&mut self, watch: &mut Watch, segment: &Segment<'_>) -> Option<Sighting> {
        if segment.payload.is_empty() || watch.is_done() {
            return None;
        }
        if segment.carrier == Carrier::Udp {
            let ports = [segment.sport, segment.dport];
            if ports.contains(&DNS_PORT)
                && let Some(response) = Response::read(segment.payload)
            {
                self.answers.learn(segment.dst, &response, segment.time);
            }
            if ports.contains(&DNS_PORT) {
                return None;
            }
            if ports.iter().any(|port| NEIGHBOURS.contains(port)) {
                *watch = Watch::DONE;
                return None;
            }
        }
        let (looks, reader) = match watch.slot() {
            None => (watch.0, None),
            Some(at) => {
                let Some((reader, looks)) = self.slots.take(at) else {
                    self.leave(watch, Watch::DONE);
                    return None;
                };
                (looks, Some(reader))
            }
        };
        // What goes on with a stream that was recognised is bounded by its length, and not by the number of segments.
        let goes_on = match &reader {
            Some(Reader::Stream(stream)) => stream.way == segment.way,
            Some(Reader::Dns(..)) => true,
            _ => false,
        };
        let (fate, sighting) = match segment.carrier {
            Carrier::Tcp(sequence) => self.tcp(reader, looks, sequence, segment),
            Carrier::Udp => self.udp(reader, segment),
        };
        let looks = looks + u32::from(!goes_on);
        match fate {
            Fate::Keep(reader) if looks < MAX_LOOKS => self.hold(watch, looks, reader),
            Fate::Keep(reader) => {
                self.leave(watch, Watch::DONE);
                return sighting.or_else(|| self.give_up(&reader));
            }
            Fate::Look if looks < MAX_LOOKS => self.leave(watch, Watch(looks)),
            Fate::Look | Fate::Done => self.leave(watch, Watch::DONE),
        }
        sighting
    }

    /// Whether a hello or a request has begun in the flow that `watch` belongs to, and is not whole.
    pub fn is_reading(&self, watch: Watch) -> bool {
        match watch.slot().and_then(|at| self.slots.reader(at)) {
            Some(Reader::Stream(stream)) => !stream.is_servers(),
            Some(Reader::Quic(_) | Reader::Dtls(..)) => true,
            Some(Reader::Early(_) | Reader::Dns(..)) | None => false,
        }
    }

    /// A flow has ended: what had begun and is not whole gives the name that is in it, if there is one.
    pub fn forget(&mut self, watch: Watch) -> Option<Sighting> {
        let at = watch.slot()?;
        let taken = self.slots.take(at);
        self.slots.give_back(at);
        self.give_up(&taken?.0)
    }

    /// What clients have been told to find where.
    pub fn answers(&self) -> &Answers {
        &self.answers
    }

    /// What was seen and what was given up so far.
    pub fn counts(&self) -> Counts {
        Counts { answers_evicted: self.answers.evicted(), ..self.counts }
    }

    /// Octets that are held of flows without a name, about.
    pub fn held(&self) -> usize {
        self.slots.held()
    }

    fn tcp(&mut self, reader: Option<Reader>, looks: u32, sequence: u32, segment: &Segment<'_>) -> Outcome {
        let (way, payload) = (segment.way, segment.payload);
        match reader {
            Some(Reader::Stream(mut stream)) => {
                if stream.way != way {
                    // What a few octets began as, they need not be: what begins as surely on the other way displaces it.
                    return match Language::of(payload).filter(|_| stream.is_slight()) {
                        Some(language) => self.begin(Vec::new(), language, looks, sequence, segment),
                        None => (Fate::Keep(Reader::Stream(stream)), None),
                    };
                }
                // What was taken for the beginning was none where another comes before it.
                if let Some(language) = Language::of(payload)
                    && stream.begins_after(sequence)
                {
                    return self.begin(stream.into_early(), language, looks, sequence, segment);
                }
                let step = stream.put(sequence, payload);
                self.step(stream, step, segment)
            }
            Some(Reader::Dns(from, mut stream)) => {
                let lost = from == way && self.put_dns(&mut stream, sequence, segment);
                (if lost { Fate::Done } else { Fate::Keep(Reader::Dns(from, stream)) }, None)
            }
            early => {
                let early = if let Some(Reader::Early(early)) = early { early } else { Vec::new() };
                if [segment.sport, segment.dport].contains(&DNS_PORT) {
                    return self.begin_dns(early, sequence, segment);
                }
                match Language::of(payload) {
                    Some(language) => self.begin(early, language, looks, sequence, segment),
                    None => (wait(early, looks, sequence, segment), None),
                }
            }
        }
    }

    /// A hello or a request begins with `segment`, it seems.
    fn begin(&mut self, early: Early, language: Language, looks: u32, sequence: u32, segment: &Segment<'_>) -> Outcome {
        let wanted = match language.read(segment.payload) {
            Step::More(wanted) => wanted,
            Step::Other => return (wait(early, looks, sequence, segment), None),
            step => return self.finish(step, segment.way),
        };
        let mut stream = Stream::new(segment.way, language, sequence, segment.payload, wanted);
        for (_, sequence, piece) in early.iter().filter(|(way, ..)| *way == segment.way) {
            match stream.put(*sequence, piece) {
                // What is no part of the stream is none.
                Step::More(_) | Step::Lost => {}
                step => return self.step(stream, step, segment),
            }
        }
        self.step(stream, Step::More(wanted), segment)
    }

    fn step(&mut self, stream: Stream, step: Step, segment: &Segment<'_>) -> Outcome {
        match step {
            Step::More(_) if segment.missing == 0 => (Fate::Keep(Reader::Stream(stream)), None),
            Step::More(_) | Step::Lost => {
                let sighting = self.give_up(&Reader::Stream(stream));
                (Fate::Done, sighting)
            }
            Step::Other => (Fate::Keep(Reader::Early(stream.into_early())), None),
            step => self.finish(step, stream.way),
        }
    }

    fn finish(&mut self, step: Step, way: Way) -> Outcome {
        match step {
            Step::Hello(hello) => {
                // Then the server may say a name.
                let fate = if hello.name.is_some() { Fate::Done } else { Fate::Look };
                (fate, self.hello(hello, way, NameSource::Sni))
            }
            Step::Host { host, tunnel } => {
                let sighting = host.and_then(|host| self.sighting(host, way, NameSource::Host));
                (if tunnel { Fate::Look } else { Fate::Done }, sighting)
            }
            Step::Certificate(name) => {
                let asked = if way == Way::There { Way::Back } else { Way::There };
                (Fate::Done, name.and_then(|name| self.sighting(name, asked, NameSource::Certificate)))
            }
            Step::More(_) | Step::Other | Step::Lost => (Fate::Look, None),
        }
    }

    fn begin_dns(&mut self, early: Early, sequence: u32, segment: &Segment<'_>) -> Outcome {
        if segment.sport != DNS_PORT {
            return (if early.is_empty() { Fate::Look } else { Fate::Keep(Reader::Early(early)) }, None);
        }
        if !dns::Stream::begins(segment.payload) {
            return (wait(early, 0, sequence, segment), None);
        }
        let mut stream = dns::Stream::at(sequence);
        let mut lost = self.put_dns(&mut stream, sequence, segment);
        for (_, sequence, piece) in early {
            lost |= self.put_dns(&mut stream, sequence, &Segment { payload: &piece, missing: 0, ..*segment });
        }
        (if lost { Fate::Done } else { Fate::Keep(Reader::Dns(segment.way, stream)) }, None)
    }

    /// Whether the stream is lost.
    fn put_dns(&mut self, stream: &mut dns::Stream, sequence: u32, segment: &Segment<'_>) -> bool {
        let (answers, client, time) = (&mut self.answers, segment.dst, segment.time);
        let put = stream.put(sequence, segment.payload, |response| answers.learn(client, &response, time));
        put.is_err() || segment.missing > 0
    }

    fn udp(&mut self, reader: Option<Reader>, segment: &Segment<'_>) -> Outcome {
        let (way, payload) = (segment.way, segment.payload);
        match reader {
            Some(Reader::Quic(quic)) => self.put_quic(quic, segment),
            Some(Reader::Dtls(from, dtls)) if from != way => (Fate::Keep(Reader::Dtls(from, dtls)), None),
            Some(Reader::Dtls(_, dtls)) => self.put_dtls(dtls, segment),
            _ if dtls::begins(payload) => self.put_dtls(Box::new(Dtls::new()), segment),
            _ if initial::begins(payload) => self.put_quic(Box::default(), segment),
            _ => match quic::google_name(payload) {
                Some(name) => (Fate::Done, self.sighting(host::name(name), way, NameSource::Quic)),
                None => (Fate::Look, None),
            },
        }
    }

    fn put_quic(&mut self, mut quic: Box<Quic>, segment: &Segment<'_>) -> Outcome {
        match quic.put(segment.way, segment.payload) {
            quic::State::Waiting => match quic.client() {
                Some(_) => (Fate::Keep(Reader::Quic(quic)), None),
                None => (Fate::Look, None),
            },
            quic::State::Hello(hello) => (Fate::Done, self.hello(hello, segment.way, NameSource::Quic)),
            quic::State::Over => (Fate::Done, self.give_up(&Reader::Quic(quic))),
        }
    }

    fn put_dtls(&mut self, mut dtls: Box<Dtls>, segment: &Segment<'_>) -> Outcome {
        match dtls.put(segment.payload) {
            Some(hello) => (Fate::Done, self.hello(hello, segment.way, NameSource::Sni)),
            None if segment.missing > 0 => (Fate::Done, self.give_up(&Reader::Dtls(segment.way, dtls))),
            None => (Fate::Keep(Reader::Dtls(segment.way, dtls)), None),
        }
    }

    /// The name in what there is of a hello that will not be whole.
    fn give_up(&mut self, reader: &Reader) -> Option<Sighting> {
        let (hello, way, from) = match reader {
            Reader::Early(_) | Reader::Dns(..) => return None,
            Reader::Stream(stream) if stream.is_servers() => return None,
            Reader::Stream(stream) => (stream.part(), stream.way, NameSource::Sni),
            Reader::Quic(quic) => (quic.part(), quic.client()?, NameSource::Quic),
            Reader::Dtls(way, dtls) => (dtls.part(), *way, NameSource::Sni),
        };
        if hello.name.is_none() {
            self.counts.given_up += 1;
            return None;
        }
        self.hello(hello, way, from)
    }

    fn hello(&mut self, hello: Hello, way: Way, from: NameSource) -> Option<Sighting> {
        self.counts.hellos += 1;
        self.counts.encrypted += u64::from(hello.encrypted);
        self.counts.nameless += u64::from(hello.name.is_none());
        let from = match from {
            NameSource::Sni if hello.encrypted => NameSource::OuterSni,
            NameSource::Quic if hello.encrypted => NameSource::OuterQuic,
            from => from,
        };
        self.sighting(hello.name?, way, from)
    }

    fn sighting(&mut self, name: Result<Box<str>, Rejected>, asked: Way, from: NameSource) -> Option<Sighting> {
        self.counts.rejected += u64::from(name.is_err());
        Some(Sighting { name: Name { text: name.ok()?, from }, asked })
    }

    fn hold(&mut self, watch: &mut Watch, looks: u32, reader: Reader) {
        let at = self.slots.put(watch.slot(), reader, looks);
        *watch = at.map_or(Watch::DONE, |at| Watch(at + Watch::SLOTS));
        while let Some(reader) = self.slots.crowded_out() {
            self.counts.crowded_out += u64::from(!matches!(reader, Reader::Early(_)));
        }
    }

    fn leave(&mut self, watch: &mut Watch, next: Watch) {
        if let Some(at) = watch.slot() {
            self.slots.give_back(at);
        }
        *watch = next;
    }
}

/// Keeps a segment in which nothing was recognised, early in a flow: what came before it may be seen later.
fn wait(mut early: Early, looks: u32, sequence: u32, segment: &Segment<'_>) -> Fate {
    let held: usize = early.iter().map(|(_, _, piece)| piece.len()).sum();
    if early.len() < MAX_EARLY && segment.missing == 0 && held + segment.payload.len() <= MAX_STREAM {
        early.push((segment.way, sequence, segment.payload.into()));
    }
    if looks < EARLY_LOOKS { Fate::Keep(Reader::Early(early)) } else { Fate::Look }
}
