//! What is held of flows without a name, and a limit to it.

use std::collections::VecDeque;

use super::reader::Reader;

/// Readers of flows, each under a number that its flow keeps.
#[derive(Debug)]
pub(super) struct Slots {
    all: Vec<Slot>,
    free: Vec<u32>,
    /// Slots in the order in which they were taken, with the turn; where a slot has another turn, it was taken again.
    turns: VecDeque<(u32, u64)>,
    turn: u64,
    held: usize,
    limit: usize,
}

#[derive(Debug, Default)]
struct Slot {
    /// `None` where the slot is free, or was taken away from its flow for want of room.
    reader: Option<Box<Reader>>,
    looks: u32,
    held: usize,
    turn: u64,
}

impl Slots {
    /// The most slots.
    const MAX: u32 = 1 << 31;

    /// None taken; `limit` octets can be held.
    pub(super) const fn new(limit: usize) -> Self {
        Self { all: Vec::new(), free: Vec::new(), turns: VecDeque::new(), turn: 0, held: 0, limit }
    }

    /// Octets that are held.
    pub(super) const fn held(&self) -> usize {
        self.held
    }

    /// Takes out the reader of a slot, and how many looks there were; `None` where it was taken away.
    pub(super) fn take(&mut self, at: u32) -> Option<(Reader, u32)> {
        let slot = self.all.get_mut(at as usize)?;
        self.held -= std::mem::take(&mut slot.held);
        slot.reader.take().map(|reader| (*reader, slot.looks))
    }

    /// The reader of a slot.
    pub(super) fn reader(&self, at: u32) -> Option<&Reader> {
        self.all.get(at as usize)?.reader.as_deref()
    }

    /// Gives a slot back whose reader was taken out.
    pub(super) fn give_back(&mut self, at: u32) {
        if let Some(slot) = self.all.get_mut(at as usize) {
            slot.turn = 0;
            self.free.push(at);
        }
    }

    /// Puts a reader into the slot that its flow has, or into a new one, and says which; `None` where there are no more.
    pub(super) fn put(&mut self, at: Option<u32>, reader: Reader, looks: u32) -> Option<u32> {
        let at = at.or_else(|| self.new_slot())?;
        let slot = self.all.get_mut(at as usize)?;
        let held = reader.held();
        (slot.looks, slot.held, slot.reader) = (looks, held, Some(Box::new(reader)));
        self.held += held;
        Some(at)
    }

    /// Takes the reader away that was begun first, where more is held than may be.
    pub(super) fn crowded_out(&mut self) -> Option<Reader> {
        while self.held > self.limit {
            let (at, turn) = self.turns.pop_front()?;
            if let Some(slot) = self.all.get_mut(at as usize)
                && slot.turn == turn
                && let Some(reader) = slot.reader.take()
            {
                self.held -= std::mem::take(&mut slot.held);
                return Some(*reader);
            }
        }
        None
    }

    fn new_slot(&mut self) -> Option<u32> {
        let at = if let Some(at) = self.free.pop() {
            at
        } else {
            let at = u32::try_from(self.all.len()).ok().filter(|at| *at < Self::MAX)?;
            self.all.push(Slot::default());
            at
        };
        self.turn += 1;
        self.all.get_mut(at as usize)?.turn = self.turn;
        self.turns.push_back((at, self.turn));
        // Turns of slots that were given back are dropped once they are the most.
        if self.turns.len() > 2 * (self.all.len() - self.free.len()) + 64 {
            let all = &self.all;
            self.turns.retain(|(at, turn)| all.get(*at as usize).is_some_and(|slot| slot.turn == *turn));
        }
        Some(at)
    }
}
