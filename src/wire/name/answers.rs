//! Which names a client has been told to find at an address.

use std::collections::VecDeque;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use foldhash::SharedSeed;
use foldhash::fast::FoldHasher;
use hashbrown::HashTable;

use super::dns::Response;
use crate::model::{Addr, Timestamp};

/// How long an answer holds beyond its time to live, in nanoseconds: clients go on with what they have resolved.
pub const GRACE: u64 = 300 * Timestamp::SECOND;

/// The longest time to live, in seconds: a week (RFC 8767 section 4).
pub const MAX_TTL: u32 = 604_800;

/// A name, and the aliases that led from it to its addresses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// The name that the client asked for.
    pub name: Box<str>,
    /// What it is an alias of, in order.
    pub aliases: Box<[Box<str>]>,
}

/// For each client and address, the latest answer that gave the client this address.
///
/// An answer is evidence for the client that received it and for no other. Time is that of the packets.
pub struct Answers {
    index: HashTable<Entry>,
    /// Keys in the order in which they were entered, with the turn; a key that was entered again has a later turn too.
    turns: VecDeque<(Key, u64)>,
    turn: u64,
    limit: usize,
    seed: u64,
    shared_seed: SharedSeed,
    evicted: u64,
}

/// The client and the address.
type Key = (Addr, Addr);

struct Entry {
    key: Key,
    answer: Arc<Answer>,
    until: Timestamp,
    turn: u64,
}

impl Answers {
    /// No answers. At most `limit` are held, at least one; `seed` is that of the hashes, which do not show.
    pub fn new(limit: usize, seed: u64) -> Self {
        Self {
            index: HashTable::new(),
            turns: VecDeque::new(),
            turn: 0,
            limit: limit.max(1),
            seed,
            shared_seed: SharedSeed::from_u64(seed),
            evicted: 0,
        }
    }

    /// Enters what a response to `client` binds.
    pub fn learn(&mut self, client: Addr, response: &Response, time: Timestamp) {
        let Some(name) = &response.question else { return };
        let binding = response.binding();
        if binding.addresses.is_empty() {
            return;
        }
        let answer = Arc::new(Answer { name: name.clone(), aliases: binding.aliases.into() });
        for (address, ttl) in binding.addresses {
            let holds = u64::from(ttl.min(MAX_TTL)) * Timestamp::SECOND + GRACE;
            self.enter((client, address), &answer, Timestamp(time.0.saturating_add(holds)), time);
        }
    }

    /// The answer that held at `time`.
    pub fn get(&self, client: Addr, address: Addr, time: Timestamp) -> Option<&Answer> {
        if self.index.is_empty() {
            return None;
        }
        let key = (client, address);
        let entry = self.index.find(self.hash(&key), |entry| entry.key == key)?;
        (time <= entry.until).then_some(&*entry.answer)
    }

    /// How many answers are held.
    pub fn len(&self) -> usize {
        self.index.len()
    }

    /// Whether no answer is held.
    pub fn is_empty(&self) -> bool {
        self.index.is_empty()
    }

    /// How many answers were given up before their time, for want of room.
    pub const fn evicted(&self) -> u64 {
        self.evicted
    }

    fn enter(&mut self, key: Key, answer: &Arc<Answer>, until: Timestamp, now: Timestamp) {
        let hash = self.hash(&key);
        self.turn += 1;
        let turn = self.turn;
        if let Some(entry) = self.index.find_mut(hash, |entry| entry.key == key) {
            // The same name again may hold longer for the first time that it was told.
            let until = if entry.answer == *answer { until.max(entry.until) } else { until };
            (entry.answer, entry.until, entry.turn) = (Arc::clone(answer), until, turn);
        } else {
            while self.index.len() >= self.limit {
                self.drop_oldest(now);
            }
            let (seed, shared) = (self.seed, self.shared_seed.clone());
            let entry = Entry { key, answer: Arc::clone(answer), until, turn };
            self.index.insert_unique(hash, entry, |entry| hash_of(&entry.key, seed, &shared));
        }
        self.turns.push_back((key, turn));
        if self.turns.len() > 2 * self.limit {
            self.forget_turns();
        }
    }

    /// Drops the answer that was entered first.
    fn drop_oldest(&mut self, now: Timestamp) {
        while let Some((key, turn)) = self.turns.pop_front() {
            let hash = self.hash(&key);
            if let Ok(entry) = self.index.find_entry(hash, |entry| entry.key == key && entry.turn == turn) {
                let (entry, _) = entry.remove();
                self.evicted += u64::from(entry.until >= now);
                return;
            }
        }
    }

    /// Drops turns that were followed by a later one of the same key.
    fn forget_turns(&mut self) {
        let mut turns = std::mem::take(&mut self.turns);
        turns.retain(|(key, turn)| {
            self.index.find(self.hash(key), |entry| entry.key == *key && entry.turn == *turn).is_some()
        });
        self.turns = turns;
    }

    fn hash(&self, key: &Key) -> u64 {
        hash_of(key, self.seed, &self.shared_seed)
    }
}

fn hash_of(key: &Key, seed: u64, shared_seed: &SharedSeed) -> u64 {
    let mut hasher = FoldHasher::with_seed(seed, shared_seed);
    key.hash(&mut hasher);
    hasher.finish()
}

impl std::fmt::Debug for Answers {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Answers").field("len", &self.len()).field("evicted", &self.evicted).finish_non_exhaustive()
    }
}
