//! Templates: how the records of a set are laid out.

use std::collections::BTreeMap;

use super::element::{self, Slot, Version};
use super::octets::{Octets, number};

/// The most fields of a template. Exporters use up to a hundred.
const MAX_FIELDS: usize = 512;

/// The most templates of an observation domain. Exporters have some dozens.
const MAX_TEMPLATES: usize = 512;

/// A field length that says that each record tells it (RFC 7011 section 7).
const VARIABLE: u16 = 65_535;

/// A field that is kept, or in a template of variable length any field.
#[derive(Clone, Copy, Debug)]
struct Field {
    /// Where it stands, in records of fixed length.
    offset: u16,
    length: u16,
    slot: Option<Slot>,
}

/// What the records of a template describe.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Subject {
    Flows,
    Options,
}

/// How records are laid out.
#[derive(Debug)]
pub(super) struct Template {
    pub(super) subject: Subject,
    fields: Vec<Field>,
    /// Octets of every record, or the least where some fields vary.
    length: usize,
    is_variable: bool,
    has: u128,
    /// Which slots a second field of the template would have had: an inner packet's.
    again: u128,
    /// IPv6 addresses come before those of IPv4.
    six_first: bool,
}

const _: () = assert!(Slot::COUNT <= 128, "slots are bits of a word");

const fn bit(slot: Slot) -> u128 {
    1 << slot as u32
}

impl Template {
    /// Reads the fields of a template. `None` where they break off, are too many, or make a record of no octets.
    pub(super) fn read(
        version: Version,
        subject: Subject,
        scopes: usize,
        count: usize,
        octets: &mut Octets<'_>,
    ) -> Option<Self> {
        if count > MAX_FIELDS {
            return None;
        }
        let mut template =
            Self { subject, fields: Vec::new(), length: 0, is_variable: false, has: 0, again: 0, six_first: false };
        for place in 0..count {
            let (id, length) = (octets.u16()?, octets.u16()?);
            let is_enterprise = version == Version::Ipfix && id & 0x8000 != 0;
            let enterprise = if is_enterprise { Some(octets.u32()?) } else { None };
            let slot = match version {
                Version::Nine if place < scopes => element::scope_of_nine(id),
                _ => element::slot(version, enterprise, if is_enterprise { id & 0x7fff } else { id }),
            };
            template.add(slot, length);
        }
        // Records of no octets would go on for ever; no record is longer than a message.
        if template.length == 0 || template.length > usize::from(u16::MAX) {
            return None;
        }
        if !template.is_variable {
            template.fields.retain(|field| field.slot.is_some());
        }
        Some(template)
    }

    fn add(&mut self, slot: Option<Slot>, length: u16) {
        // Of an element that is there twice the first is the packet's own, and the second that of a packet in it.
        let slot = slot.filter(|slot| {
            let is_new = self.has & bit(*slot) == 0;
            if !is_new {
                self.again |= bit(*slot);
            }
            if *slot == Slot::Src6 && self.has & bit(Slot::Src4) == 0 {
                self.six_first = true;
            }
            self.has |= bit(*slot);
            is_new
        });
        let offset = u16::try_from(self.length).unwrap_or(u16::MAX);
        self.fields.push(Field { offset, length, slot });
        self.is_variable |= length == VARIABLE;
        self.length += if length == VARIABLE { 1 } else { usize::from(length) };
    }

    pub(super) fn field_count(&self) -> usize {
        self.fields.len()
    }

    /// Whether each record has the addresses of a packet in a packet, of one family.
    pub(super) fn has_inner_addresses(&self) -> bool {
        self.again & (bit(Slot::Src4) | bit(Slot::Src6)) != 0
    }

    pub(super) fn six_first(&self) -> bool {
        self.six_first
    }

    /// Takes a record from the front of a set's content; `None` where what is left is padding, or a record that breaks off.
    #[inline]
    pub(super) fn record<'a>(&self, content: &mut Octets<'a>, values: &mut Values<'a>) -> Option<()> {
        values.has = 0;
        if self.is_variable {
            return self.walk(content, values);
        }
        let record = content.take(self.length)?;
        for field in &self.fields {
            let from = usize::from(field.offset);
            if let (Some(slot), Some(octets)) = (field.slot, record.get(from..from + usize::from(field.length))) {
                values.set(slot, octets);
            }
        }
        Some(())
    }

    #[cold]
    fn walk<'a>(&self, content: &mut Octets<'a>, values: &mut Values<'a>) -> Option<()> {
        if content.len() < self.length {
            return None;
        }
        let mut rest = *content;
        for field in &self.fields {
            let length = match field.length {
                VARIABLE => match rest.u8()? {
                    255 => rest.u16()?,
                    short => u16::from(short),
                },
                fixed => fixed,
            };
            let octets = rest.take(usize::from(length))?;
            if let Some(slot) = field.slot {
                values.set(slot, octets);
            }
        }
        *content = rest;
        Some(())
    }
}

/// What a record says.
pub(super) struct Values<'a> {
    has: u128,
    numbers: [u64; Slot::COUNT],
    addresses: [[u8; 16]; 4],
    section: &'a [u8],
}

impl<'a> Values<'a> {
    pub(super) const fn new() -> Self {
        Self { has: 0, numbers: [0; Slot::COUNT], addresses: [[0; 16]; 4], section: &[] }
    }

    #[inline]
    fn set(&mut self, slot: Slot, octets: &'a [u8]) {
        match slot {
            Slot::Src4 | Slot::Dst4 => {
                let (Some(four), Some(address)) = (octets.first_chunk::<4>(), self.addresses.get_mut(slot as usize))
                else {
                    return;
                };
                if octets.len() != 4 {
                    return;
                }
                let [.., a, b, c, d] = address;
                [*a, *b, *c, *d] = *four;
            }
            Slot::Src6 | Slot::Dst6 => {
                let (Ok(sixteen), Some(address)) = (octets.try_into(), self.addresses.get_mut(slot as usize)) else {
                    return;
                };
                *address = sixteen;
            }
            Slot::IpSection | Slot::LinkSection => self.section = octets,
            _ => match (number(octets), self.numbers.get_mut(slot as usize)) {
                (Some(value), Some(place)) => *place = value,
                _ => return,
            },
        }
        self.has |= bit(slot);
    }

    /// A number; `None` where the record has none of it.
    #[inline]
    pub(super) fn get(&self, slot: Slot) -> Option<u64> {
        if self.has & bit(slot) == 0 { None } else { self.numbers.get(slot as usize).copied() }
    }

    /// An IPv4 address that is not `0.0.0.0`, which stands for none.
    pub(super) fn four(&self, slot: Slot) -> Option<[u8; 4]> {
        let [.., a, b, c, d] = *self.addresses.get(slot as usize)?;
        (self.has & bit(slot) != 0).then_some([a, b, c, d])
    }

    /// An IPv6 address.
    pub(super) fn six(&self, slot: Slot) -> Option<[u8; 16]> {
        if self.has & bit(slot) == 0 { None } else { self.addresses.get(slot as usize).copied() }
    }

    /// The part of a sampled packet, where the record has one.
    pub(super) fn section(&self, slot: Slot) -> Option<&'a [u8]> {
        (self.has & bit(slot) != 0).then_some(self.section)
    }
}

/// The templates of an observation domain.
#[derive(Debug, Default)]
pub(super) struct Templates {
    kept: BTreeMap<u16, Template>,
    /// How many fields they have, counted as they come and go: a flood of templates asks for it every time.
    fields: usize,
}

impl Templates {
    pub(super) fn get(&self, id: u16) -> Option<&Template> {
        self.kept.get(&id)
    }

    /// Keeps a template in place of the one that had its number. `false` where there is no room for one more.
    pub(super) fn keep(&mut self, id: u16, template: Template) -> bool {
        if self.kept.len() >= MAX_TEMPLATES && !self.kept.contains_key(&id) {
            return false;
        }
        self.fields += template.field_count();
        if let Some(before) = self.kept.insert(id, template) {
            self.fields -= before.field_count();
        }
        true
    }

    /// Forgets a template, or all of a subject where `id` is that of their set (RFC 7011 section 8.1).
    pub(super) fn withdraw(&mut self, id: u16, subject: Subject) {
        match (id, subject) {
            (2, Subject::Flows) | (3, Subject::Options) => self.kept.retain(|_, template| template.subject != subject),
            _ => {
                self.kept.remove(&id);
            }
        }
        self.fields = self.kept.values().map(Template::field_count).sum();
    }

    /// How many fields all templates have.
    pub(super) const fn fields(&self) -> usize {
        self.fields
    }
}
