//! Names that logs hold beside their flows: by the sensor's name of a flow, and by what clients were told.

use std::collections::VecDeque;
use std::sync::Arc;

use foldhash::fast::FixedState;
use hashbrown::HashMap;

use crate::model::{Addr, Batch, FlowRecord, Name, NameSource, Timestamp};
use crate::wire::name::{GRACE, MAX_TTL};

/// The most octets of names that are held at once, about. Beyond, what came first is given up.
pub(super) const OCTETS_MAX: usize = 256 << 20;

/// What an entry takes beside its text: its place in a table and in a queue, and what the allocator adds.
const ENTRY: usize = 192;

/// The most names that one client was told for one address that are held.
const TOLD_MAX: usize = 64;

/// A sensor's name of a flow.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Uid([u8; 24]);

impl Uid {
    /// Of text; `None` where it is longer than any sensor's.
    pub(super) fn of(text: &str) -> Option<Self> {
        let mut uid = [0; 24];
        uid.get_mut(..text.len())?.copy_from_slice(text.as_bytes());
        (!text.is_empty()).then_some(Self(uid))
    }

    pub(super) fn of_number(number: u64) -> Self {
        let mut uid = [0; 24];
        for (place, octet) in uid.iter_mut().zip(number.to_be_bytes()) {
            *place = octet;
        }
        Self(uid)
    }
}

#[derive(Clone)]
struct Held {
    text: Arc<str>,
    from: NameSource,
}

struct Told {
    since: Timestamp,
    until: Timestamp,
    text: Arc<str>,
}

/// What was entered, in order.
enum Turn {
    Flow(Uid),
    Told(Addr, Addr),
}

/// The names.
pub(super) struct Names {
    flows: HashMap<Uid, Held, FixedState>,
    told: HashMap<(Addr, Addr), VecDeque<Told>, FixedState>,
    turns: VecDeque<Turn>,
    /// Turns of flows that are forgotten.
    forgotten: usize,
    octets: usize,
    octets_max: usize,
    given_up: u64,
}

impl Names {
    /// No names. Logs come from strangers, who must not choose names that collide: `seed` is that of the hashes, which do
    /// not show.
    pub(super) fn new(octets_max: usize, seed: u64) -> Self {
        let state = FixedState::with_seed(seed);
        let (flows, told) = (HashMap::with_hasher(state.clone()), HashMap::with_hasher(state));
        Self { flows, told, turns: VecDeque::new(), forgotten: 0, octets: 0, octets_max, given_up: 0 }
    }

    /// How many names were given up for want of room.
    pub(super) fn given_up(&self) -> u64 {
        self.given_up
    }

    /// A flow was asked for by a name, unless better evidence has named it already.
    pub(super) fn call(&mut self, flow: Uid, text: &str, from: NameSource) {
        if let Some(held) = self.flows.get_mut(&flow) {
            if rank(from) > rank(held.from) {
                self.octets = (self.octets + text.len()).saturating_sub(held.text.len());
                *held = Held { text: text.into(), from };
            }
            return;
        }
        self.make_room(text.len());
        self.flows.insert(flow, Held { text: text.into(), from });
        self.turns.push_back(Turn::Flow(flow));
    }

    /// A client was told to find a name at addresses, each with its time to live in seconds.
    pub(super) fn tell(&mut self, client: Addr, text: &str, addresses: &[(Addr, u32)], time: Timestamp) {
        let text: Arc<str> = text.into();
        for (address, ttl) in addresses {
            let holds = u64::from((*ttl).min(MAX_TTL)) * Timestamp::SECOND + GRACE;
            let until = Timestamp(time.0.saturating_add(holds));
            let key = (client, *address);
            if let Some(last) = self.told.get_mut(&key).and_then(VecDeque::back_mut)
                && last.text == text
                && last.since <= time
                && time <= last.until
            {
                last.until = last.until.max(until);
                continue;
            }
            self.make_room(text.len());
            let told = self.told.entry(key).or_default();
            // One that goes for this one leaves its turn to it.
            if told.len() < TOLD_MAX {
                self.turns.push_back(Turn::Told(client, *address));
            } else if let Some(gone) = told.pop_front() {
                self.octets = self.octets.saturating_sub(ENTRY + gone.text.len());
                self.given_up += 1;
            }
            told.push_back(Told { since: time, until, text: Arc::clone(&text) });
        }
    }

    /// The name of a flow: by what was seen of the flow itself, else by what its client was told before it began.
    pub(super) fn name(&self, flow: Option<Uid>, record: &FlowRecord) -> Option<(&str, NameSource)> {
        if let Some(held) = flow.and_then(|flow| self.flows.get(&flow)) {
            return Some((&held.text, held.from));
        }
        let told = self.told.get(&(record.src, record.dst))?;
        let at = record.start;
        let last = told.iter().filter(|told| told.since <= at && at <= told.until).max_by_key(|told| told.since)?;
        Some((&last.text, NameSource::Dns))
    }

    /// A flow has ended: its name is not needed any more.
    pub(super) fn forget(&mut self, flow: Uid) {
        if let Some(held) = self.flows.remove(&flow) {
            self.octets = self.octets.saturating_sub(ENTRY + held.text.len());
            self.forgotten += 1;
        }
        // Seldom, since all turns are looked at.
        if self.forgotten > self.turns.len() / 2 + 1024 {
            let Self { turns, flows, .. } = self;
            turns.retain(|turn| !matches!(turn, Turn::Flow(flow) if !flows.contains_key(flow)));
            self.forgotten = 0;
        }
    }

    fn make_room(&mut self, text: usize) {
        self.octets += ENTRY + text;
        while self.octets > self.octets_max {
            let gone = match self.turns.pop_front() {
                None => return,
                Some(Turn::Flow(flow)) => self.flows.remove(&flow).map(|held| held.text),
                Some(Turn::Told(client, address)) => {
                    let key = (client, address);
                    let gone = self.told.get_mut(&key).and_then(VecDeque::pop_front);
                    if self.told.get(&key).is_some_and(VecDeque::is_empty) {
                        self.told.remove(&key);
                    }
                    gone.map(|told| told.text)
                }
            };
            if let Some(text) = gone {
                self.octets = self.octets.saturating_sub(ENTRY + text.len());
                self.given_up += 1;
            }
        }
    }
}

/// Gives a record a name of a batch.
pub(super) fn give_name(record: &mut FlowRecord, text: &str, from: NameSource, batch: &mut Batch) {
    record.name = Some(batch.add_name(Name { text: text.into(), from }));
}

/// How good the evidence is, as in the meter: a hello goes before a request, which may be to a proxy, and what a server says
/// of itself comes last.
const fn rank(from: NameSource) -> u8 {
    match from {
        NameSource::Sni | NameSource::Quic | NameSource::OuterSni | NameSource::OuterQuic => 3,
        NameSource::Host => 2,
        NameSource::Dns => 1,
        NameSource::Certificate => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{InputId, Protocol, Provenance};

    fn record(start: u64) -> FlowRecord {
        let [client, server] = [[10, 0, 0, 1], [192, 0, 2, 1]].map(Addr::v4);
        FlowRecord::new(client, server, Protocol::TCP, Timestamp::from_secs(start), Provenance::new(InputId(0), 1))
    }

    #[test]
    fn answers_hold_from_when_they_were_given() {
        let mut names = Names::new(OCTETS_MAX, 0);
        let flow = record(1000);
        let tell = |names: &mut Names, text, at| {
            names.tell(flow.src, text, &[(flow.dst, 60)], Timestamp::from_secs(at));
        };
        tell(&mut names, "one.example", 1000);
        tell(&mut names, "two.example", 1100);
        let name = |at| names.name(None, &record(at)).map(|(text, _)| text.to_owned());
        assert_eq!([name(999), name(1360), name(1461)], [None, Some("two.example".to_owned()), None]);
        assert_eq!(
            [name(1000), name(1099), name(1100)].map(Option::unwrap),
            ["one.example", "one.example", "two.example"]
        );
        let other = FlowRecord { src: flow.dst, dst: flow.src, ..flow };
        assert!(names.name(None, &other).is_none(), "an answer is evidence for its client alone");
    }

    #[test]
    fn what_came_first_is_given_up() {
        let mut names = Names::new(3 * (ENTRY + 4), 0);
        let uid = |number: u64| Uid::of(&format!("C{number}")).unwrap();
        for number in 0..4 {
            names.call(uid(number), "name", NameSource::Host);
        }
        assert!(names.name(Some(uid(0)), &record(1)).is_none() && names.name(Some(uid(1)), &record(1)).is_some());
        assert_eq!(names.given_up(), 1);
        names.call(uid(1), "sni", NameSource::Sni);
        names.call(uid(1), "host", NameSource::Host);
        assert_eq!(names.name(Some(uid(1)), &record(1)), Some(("sni", NameSource::Sni)));
        let address = Addr::v4([192, 0, 2, 1]);
        names.tell(record(1).src, "told", &[(address, 1)], Timestamp::from_secs(1));
        assert_eq!((names.given_up(), names.name(None, &record(1))), (2, Some(("told", NameSource::Dns))));
        for number in 0..10_000 {
            names.call(uid(number), "name", NameSource::Host);
            names.forget(uid(number));
        }
        assert!(names.turns.len() < 5000, "{}", names.turns.len());
        assert!(Uid::of("").is_none() && Uid::of(&"x".repeat(25)).is_none());
    }
}
