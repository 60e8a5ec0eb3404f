//! `NetFlow` version 9 (RFC 3954) and IPFIX (RFC 7011): messages of sets, laid out by templates.

use super::Domain;
use super::element::{Slot, Version};
use super::octets::Octets;
use super::record;
use super::sampled::{self, Fate};
use super::sampling::{Learned, Rate};
use super::sink::Sink;
use super::template::{Subject, Template, Values};
use super::times::Clock;
use super::twins::Place;
use crate::model::{Asn, Skip, Timestamp};
use crate::wire::{self, LinkType};

/// The most fields of all templates of all observation domains: 16 octets each.
const MAX_FIELDS: usize = 1 << 20;

/// The most octets of sets that one domain holds until their template comes, and the most of all.
const MAX_HELD: usize = 256 * 1024;
const MAX_HELD_ALL: usize = 8 * 1024 * 1024;

/// What is held of all domains together.
#[derive(Debug, Default)]
pub(super) struct Held {
    pub(super) fields: usize,
    pub(super) octets: usize,
}

/// A set that waits for its template.
#[derive(Debug)]
pub(super) struct Waiting {
    template: u16,
    clock: Clock,
    pub(super) position: u64,
    pub(super) content: Vec<u8>,
}

/// The head of a message.
pub(super) struct Head {
    version: Version,
    clock: Clock,
    pub(super) sequence: u32,
    pub(super) domain: u32,
}

impl Head {
    /// Reads the head of version 9; the version was taken before.
    pub(super) fn nine(octets: &mut Octets<'_>) -> Option<Self> {
        let _count = octets.u16()?;
        let uptime = octets.u32()?;
        let export = Timestamp::from_secs(octets.u32()?.into());
        let (sequence, domain) = (octets.u32()?, octets.u32()?);
        Some(Self {
            version: Version::Nine,
            clock: Clock { export, uptime: Some(uptime), began: None },
            sequence,
            domain,
        })
    }

    /// Reads the head of IPFIX; the version was taken before. Says how long the message claims to be.
    pub(super) fn ipfix(octets: &mut Octets<'_>) -> Option<(Self, usize)> {
        let length = octets.u16()?;
        let export = Timestamp::from_secs(octets.u32()?.into());
        let (sequence, domain) = (octets.u32()?, octets.u32()?);
        let clock = Clock { export, uptime: None, began: None };
        Some((Self { version: Version::Ipfix, clock, sequence, domain }, length.into()))
    }

    /// Reads the sets of a message, and says how many data records there were; `None` where that is not known.
    pub(super) fn sets(
        &self,
        domain: &mut Domain,
        held: &mut Held,
        content: &mut Octets<'_>,
        sink: &mut Sink<'_>,
    ) -> Option<u32> {
        let mut records = Some(0u32);
        while content.len() >= 4 {
            let mut set = *content;
            let (Some(id), Some(length)) = (set.u16(), set.u16()) else { break };
            if id == 0 && length == 0 && content.0.iter().all(|octet| *octet == 0) {
                break;
            }
            let Some(body) = usize::from(length).checked_sub(4).and_then(|length| set.take(length)) else {
                // What follows is read as far as records are whole, and no further.
                records = None;
                sink.skip(Skip::BadMessage, content.len() as u64);
                break;
            };
            *content = set;
            let mut body = Octets(body);
            let found = match (self.version, id) {
                (Version::Nine, 0) | (Version::Ipfix, 2) => {
                    self.templates(Subject::Flows, domain, held, &mut body, sink);
                    Some(0)
                }
                (Version::Nine, 1) | (Version::Ipfix, 3) => {
                    self.templates(Subject::Options, domain, held, &mut body, sink);
                    Some(0)
                }
                (_, 256..) => self.data(domain, held, id, &mut body, sink),
                _ => {
                    sink.coverage.note(format!("sets with the reserved number {id}"));
                    sink.skip(Skip::BadMessage, body.len() as u64);
                    None
                }
            };
            records = records.zip(found).map(|(records, found)| records.saturating_add(found));
        }
        records
    }

    fn templates(
        &self,
        subject: Subject,
        domain: &mut Domain,
        held: &mut Held,
        body: &mut Octets<'_>,
        sink: &mut Sink<'_>,
    ) {
        while body.len() >= 4 {
            if body.0.iter().all(|octet| *octet == 0) {
                break;
            }
            let left = body.len() as u64;
            let (Some(id), Some(first)) = (body.u16(), body.u16()) else { break };
            if first == 0 && self.version == Version::Ipfix {
                held.fields -= domain.templates.fields().min(held.fields);
                domain.templates.withdraw(id, subject);
                held.fields += domain.templates.fields();
                continue;
            }
            let shape = match (subject, self.version) {
                (Subject::Flows, _) => Some((0, usize::from(first))),
                (Subject::Options, Version::Ipfix) => body.u16().map(|scopes| (scopes.into(), usize::from(first))),
                (Subject::Options, Version::Nine) => body
                    .u16()
                    .map(|options| (usize::from(first / 4), usize::from(first / 4) + usize::from(options / 4))),
            };
            let template = shape
                .filter(|_| id >= 256)
                .and_then(|(scopes, count)| Template::read(self.version, subject, scopes, count, body));
            let Some(template) = template else {
                sink.skip(Skip::BadMessage, left);
                break;
            };
            held.fields -= domain.templates.fields().min(held.fields);
            let has_room = held.fields + template.field_count() <= MAX_FIELDS;
            if !(has_room && domain.templates.keep(id, template)) {
                sink.coverage.note("more templates than are kept");
            }
            held.fields += domain.templates.fields();
            self.wake(domain, held, id, sink);
        }
    }

    /// Reads the sets that waited for a template.
    fn wake(&self, domain: &mut Domain, held: &mut Held, id: u16, sink: &mut Sink<'_>) {
        if domain.waiting.iter().all(|waiting| waiting.template != id) {
            return;
        }
        let now = sink.position;
        for waiting in std::mem::take(&mut domain.waiting) {
            if waiting.template == id {
                held.octets = held.octets.saturating_sub(waiting.content.len());
                domain.held = domain.held.saturating_sub(waiting.content.len());
                sink.position = waiting.position;
                let then = Self { clock: waiting.clock, ..*self };
                then.data(domain, held, id, &mut Octets(&waiting.content), sink);
            } else {
                domain.waiting.push_back(waiting);
            }
        }
        sink.position = now;
    }

    /// Reads the records of a set, and says how many there were; `None` without the template.
    fn data(
        &self,
        domain: &mut Domain,
        held: &mut Held,
        id: u16,
        body: &mut Octets<'_>,
        sink: &mut Sink<'_>,
    ) -> Option<u32> {
        let Domain { templates, samplers, began, waiting, held: mine, .. } = domain;
        let Some(template) = templates.get(id) else {
            let size = body.len();
            if *mine + size <= MAX_HELD && held.octets + size <= MAX_HELD_ALL {
                *mine += size;
                held.octets += size;
                let position = sink.position;
                waiting.push_back(Waiting { template: id, clock: self.clock, position, content: body.0.to_vec() });
            } else {
                sink.skip(Skip::NoTemplate, 0);
            }
            return None;
        };
        let mut count = 0;
        let mut values = Values::new();
        let clock = Clock { began: *began, ..self.clock };
        while template.record(body, &mut values).is_some() {
            count += 1;
            match template.subject {
                Subject::Flows => {
                    let rate = samplers.rate(&values, id);
                    if rate.is_none() {
                        samplers.missed(values.get(Slot::Octets).unwrap_or(0));
                    }
                    self.flow(template, &values, &clock, rate, sink);
                }
                Subject::Options => {
                    match samplers.learn(&values) {
                        Learned::Nothing => {}
                        Learned::Rate(rate, before) => sink.sampled_before(rate.interval(), before),
                        Learned::NoRoom => sink.coverage.note("more samplers than are kept"),
                    }
                    *began = values.get(Slot::InitTime).or(*began);
                }
            }
        }
        // Padding is less than a record, and zeros.
        if body.len() >= 4 && body.0.iter().any(|octet| *octet != 0) {
            sink.skip(Skip::BadMessage, body.len() as u64);
        }
        Some(count)
    }

    #[inline]
    fn flow(&self, template: &Template, values: &Values<'_>, clock: &Clock, rate: Option<Rate>, sink: &mut Sink<'_>) {
        let Some(told) = record::flow(self.version, template, values, clock, rate, sink.provenance()) else {
            return section(values, clock, rate, sink);
        };
        if let Some(system) = values.get(Slot::NextAs).and_then(|number| u32::try_from(number).ok())
            && system > 0
        {
            sink.coverage.crossed(Asn(system), told.record.forward.octets);
        }
        let interface = |slot| values.get(slot).filter(|interface| *interface > 0);
        let place = Place {
            exporter: sink.exporter,
            direction: values.get(Slot::Direction),
            interfaces: interface(Slot::Ingress).zip(interface(Slot::Egress)),
        };
        sink.flow(told, place);
    }
}

/// Reads a record that has a part of a sampled packet instead of addresses (RFC 5477 section 8.5.2).
fn section(values: &Values<'_>, clock: &Clock, rate: Option<Rate>, sink: &mut Sink<'_>) {
    let part = values
        .section(Slot::LinkSection)
        .map(|octets| (LinkType::ETHERNET, octets))
        .or_else(|| Some((LinkType::RAW, values.section(Slot::IpSection)?)));
    let Some((link, octets)) = part else {
        let octets = values.get(Slot::Octets).or_else(|| values.get(Slot::TotalOctets)).unwrap_or(0);
        return sink.skip(Skip::NoAddress, rate.map_or(octets, |rate| rate.scale(octets)));
    };
    let size = values.get(Slot::FrameSize).and_then(|size| u32::try_from(size).ok()).unwrap_or(0);
    let time = clock.times(values);
    let (at, _) = time.unwrap_or((clock.export, clock.export));
    sampled::frame(wire::dissect(link, octets, size), size, (at, time), rate, Fate::Forwarded, sink);
    if rate.is_none() {
        sink.coverage.note("sampled packets without a rate: counted as one each");
    }
}
