//! Answers of the domain name system (RFC 1035), over UDP and over TCP (RFC 7766).
//!
//! Messages are read by the crate of `NLnet` Labs, who keep resolvers: pointers of compressed names are where hand-written
//! readers fail. What is malformed ends a message; what was read before it stands.

use std::ops::ControlFlow;

use domain::base::iana::{Class, Opcode};
use domain::base::name::ParsedName;
use domain::base::{Message, ParsedRecord};
use domain::rdata::{A, Aaaa, Cname};

use super::cursor::Cursor;
use super::host;
use super::order::{Order, TooMuch};
use crate::model::Addr;

/// The port of the protocol. Multicast DNS (5353) and LLMNR (5355) have others, and speak of neighbours alone.
pub const PORT: u16 = 53;

/// The most records of a message that are kept.
const MAX_RECORDS: usize = 1024;

/// The most aliases that are followed from a question to an address.
const MAX_ALIASES: usize = 16;

/// Octets of a message header.
const HEADER: usize = 12;

/// How far ahead of its turn a segment of a TCP connection may lie.
const WINDOW: usize = 1 << 16;

/// A response.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Response {
    /// The name that was asked for; `None` where it is the root, is missing, or is nothing that a report should repeat.
    pub question: Option<Box<str>>,
    /// Addresses and aliases, in the order of the message, from all its sections.
    pub records: Vec<Record>,
}

/// An address or an alias of a name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// Whose it is, in lower case without a final dot.
    pub owner: Box<str>,
    /// For how many seconds it may be kept.
    pub ttl: u32,
    /// What it is.
    pub data: Data,
    /// Whether it stands among the answers, and not beside them.
    pub is_answer: bool,
}

/// What a record says of its owner.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Data {
    /// An address (A, AAAA).
    Address(Addr),
    /// The name is an alias of another (CNAME).
    Alias(Box<str>),
}

/// What a response binds to the name that was asked for.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Binding {
    /// The aliases from the question to the name that has the addresses, in order.
    pub aliases: Vec<Box<str>>,
    /// Addresses, each with the least time to live from the question to it.
    pub addresses: Vec<(Addr, u32)>,
}

impl Response {
    /// Reads a message; `None` where it is no response to a query. Of a message that is cut or malformed, what was read
    /// is given, where there is a question at least.
    pub fn read(message: &[u8]) -> Option<Self> {
        let message = Message::from_octets(message).ok()?;
        let header = message.header();
        if !header.qr() || header.opcode() != Opcode::QUERY {
            return None;
        }
        let question = message.question().next()?.ok()?;
        let mut response = Self { question: text(question.qname()), records: Vec::new() };
        // Where a record cannot be read, nothing after it can be found.
        let _ = response.read_records(&message);
        Some(response)
    }

    fn read_records(&mut self, message: &Message<&[u8]>) -> Result<(), domain::base::wire::ParseError> {
        let mut section = message.answer()?;
        let mut is_answer = true;
        loop {
            for record in section.by_ref() {
                if let Some(record) = read_record(&record?, is_answer) {
                    if self.records.len() >= MAX_RECORDS {
                        return Ok(());
                    }
                    self.records.push(record);
                }
            }
            let Some(next) = section.next_section()? else { return Ok(()) };
            section = next;
            is_answer = false;
        }
    }

    /// What the answers bind to the name that was asked for: its addresses, and those of the name that it is an alias of.
    pub fn binding(&self) -> Binding {
        let mut binding = Binding::default();
        let Some(question) = &self.question else { return binding };
        let answers = || self.records.iter().filter(|record| record.is_answer);
        let (mut name, mut least) = (question, u32::MAX);
        for _ in 0..=MAX_ALIASES {
            let own = answers().filter(|record| record.owner == *name);
            let mut alias = None;
            for record in own {
                match &record.data {
                    Data::Address(address) => binding.addresses.push((*address, least.min(record.ttl))),
                    Data::Alias(to) => alias = alias.or(Some((to, record.ttl))),
                }
            }
            let Some((to, ttl)) = alias else { break };
            if to == question || binding.aliases.contains(to) {
                break;
            }
            binding.aliases.push(to.clone());
            (name, least) = (to, least.min(ttl));
        }
        binding
    }
}

fn read_record(record: &ParsedRecord<'_, &[u8]>, is_answer: bool) -> Option<Record> {
    if record.class() != Class::IN {
        return None;
    }
    let data = if let Ok(Some(a)) = record.to_record::<A>() {
        Data::Address(Addr::from(std::net::IpAddr::V4(a.data().addr())))
    } else if let Ok(Some(aaaa)) = record.to_record::<Aaaa>() {
        Data::Address(Addr::from(std::net::IpAddr::V6(aaaa.data().addr())))
    } else if let Ok(Some(cname)) = record.to_record::<Cname<ParsedName<_>>>() {
        Data::Alias(text(cname.data().cname())?)
    } else {
        return None;
    };
    Some(Record { owner: text(&record.owner())?, ttl: record.ttl().as_secs(), data, is_answer })
}

fn text<Octs: AsRef<[u8]>>(name: &ParsedName<Octs>) -> Option<Box<str>> {
    let mut text = String::new();
    for label in name.iter().filter(|label| !label.is_root()) {
        let label = label.as_slice();
        if !host::is_label(label) {
            return None;
        }
        if !text.is_empty() {
            text.push('.');
        }
        text.push_str(std::str::from_utf8(label).ok()?);
    }
    text.make_ascii_lowercase();
    (!text.is_empty()).then(|| text.into())
}

/// The responses in one direction of a TCP connection: each follows its length in two octets (RFC 1035 section 4.2.2).
#[derive(Debug)]
pub struct Stream {
    order: Order,
    /// The message that is not whole yet, with its length before it.
    message: Vec<u8>,
}

/// The order of a stream is lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lost;

impl Stream {
    /// Whether a segment can be the first of a stream of responses: a length, and the header of a response to one
    /// question after it, as far as they go.
    pub fn begins(segment: &[u8]) -> bool {
        let mut cursor = Cursor::new(segment);
        cursor.u16().is_some_and(|length| usize::from(length) > HEADER)
            && cursor.u16().is_none_or(|_identifier| true)
            && cursor.u8().is_none_or(|flags| flags & 0xf8 == 0x80)
            && cursor.u8().is_none_or(|_flags| true)
            && cursor.u16().is_none_or(|questions| questions == 1)
    }

    /// A stream that begins at a sequence number.
    pub const fn at(sequence: u32) -> Self {
        Self { order: Order::at(sequence), message: Vec::new() }
    }

    /// Takes a segment and hands on the responses that are whole with it.
    pub fn put(&mut self, sequence: u32, segment: &[u8], mut to: impl FnMut(Response)) -> Result<(), Lost> {
        let message = &mut self.message;
        let put = self.order.put(sequence, segment, WINDOW, |octets| {
            message.extend_from_slice(octets);
            let mut cursor = Cursor::new(message);
            let mut rest = cursor.rest();
            while let Some(whole) = cursor.u16().and_then(|length| cursor.take(length.into())) {
                rest = cursor.rest();
                if let Some(response) = Response::read(whole) {
                    to(response);
                }
            }
            let done = message.len() - rest.len();
            message.drain(..done);
            ControlFlow::Continue(())
        });
        put.map_err(|TooMuch| Lost)
    }

    /// Octets that are held.
    pub fn held(&self) -> usize {
        self.order.held() + self.message.len()
    }
}
