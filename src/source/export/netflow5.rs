//! `NetFlow` version 5: records of one layout, IPv4 alone
//! (<https://www.cisco.com/c/en/us/td/docs/net_mgmt/netflow_collection_engine/3-6/user/guide/format.html>, table B-3 and B-4).

use super::element::{Slot, Version};
use super::octets::Octets;
use super::sampling::Rate;
use super::sink::Sink;
use super::template::{Subject, Template, Values};
use super::times::Clock;
use super::twins::Place;
use super::{Message, record};
use crate::model::{Skip, Timestamp};

/// The head of a datagram.
pub(super) const HEAD: usize = 24;

/// A record.
pub(super) const RECORD: usize = 48;

/// What a datagram says before its records.
pub(super) struct Head {
    count: u16,
    clock: Clock,
    pub(super) sequence: u32,
    /// The kind and number of the part that counted.
    pub(super) engine: u16,
    rate: Rate,
}

impl Head {
    /// Reads the head; the version was taken before.
    pub(super) fn read(octets: &mut Octets<'_>) -> Option<Self> {
        let count = octets.u16()?;
        let uptime = octets.u32()?;
        let (secs, nanos) = (octets.u32()?, octets.u32()?);
        let sequence = octets.u32()?;
        let engine = octets.u16()?;
        // The mode is in the two high bits. An interval of zero or one says that there is no sampling.
        let interval = octets.u16()? & 0x3fff;
        let export = Timestamp(u64::from(secs) * Timestamp::SECOND + u64::from(nanos));
        let clock = Clock { export, uptime: Some(uptime), began: None };
        let rate = Rate::one_in(interval.into()).unwrap_or(Rate::ALL_SEEN);
        Some(Self { count, clock, sequence, engine, rate })
    }

    /// Reads the records and says how many there are.
    pub(super) fn records(&self, layout: &Layout, octets: &mut Octets<'_>, sink: &mut Sink<'_>) -> u32 {
        let mut values = Values::new();
        for number in 0..self.count {
            if layout.0.record(octets, &mut values).is_none() {
                // The head counts more than there are.
                sink.skip(Skip::BadMessage, octets.len() as u64);
                octets.0 = &[];
                return number.into();
            }
            let told = record::flow(Version::Nine, &layout.0, &values, &self.clock, Some(self.rate), sink.provenance());
            match told {
                Some(told) => {
                    let place = Place { exporter: sink.exporter, direction: None, interfaces: None };
                    sink.flow(told, place);
                }
                None => sink.skip(Skip::NoAddress, values.get(Slot::Octets).unwrap_or(0)),
            }
        }
        self.count.into()
    }
}

/// The layout of version 5 in the words of version 9, so that one reader reads both.
pub(super) struct Layout(Template);

impl Layout {
    /// Fields by their numbers in version 9 and their lengths; zero stands for what is stepped over.
    const FIELDS: [(u16, u16); 18] = [
        (8, 4),
        (12, 4),
        (0, 4),
        (10, 2),
        (14, 2),
        (2, 4),
        (1, 4),
        (22, 4),
        (21, 4),
        (7, 2),
        (11, 2),
        (0, 1),
        (6, 1),
        (4, 1),
        (0, 1),
        (0, 2),
        (0, 2),
        (0, 4),
    ];

    pub(super) fn new() -> Option<Self> {
        let fields: Vec<u8> =
            Self::FIELDS.iter().flat_map(|(id, length)| [id.to_be_bytes(), length.to_be_bytes()].concat()).collect();
        Template::read(Version::Nine, Subject::Flows, 0, Self::FIELDS.len(), &mut Octets(&fields)).map(Self)
    }
}

/// Whether octets begin like a datagram: the number of records is possible, and so is the length.
pub(super) fn length(octets: &[u8]) -> Message {
    let mut head = Octets(octets);
    let (Some(_), Some(count)) = (head.u16(), head.u16()) else { return Message::More };
    match count {
        1..=30 => Message::Whole(HEAD + RECORD * usize::from(count)),
        _ => Message::Bad("a NetFlow version 5 datagram of no records, or of more than 30"),
    }
}
