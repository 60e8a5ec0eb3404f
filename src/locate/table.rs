//! Runs with an index that goes as deep as they lie close together, so that a look-up compares a handful of addresses.

use super::runs::{Key, Runs};

/// An address family's part of the index.
pub(super) trait Slotted: Key {
    /// How many slots the index has.
    const SLOTS: usize;
    /// The slot of an address; `None` outside the part that is indexed.
    fn slot(self) -> Option<usize>;
    /// The first address of a slot; the slot after the last gives the first address after all slots, or the highest.
    fn slot_start(slot: usize) -> Self;
    /// Bits below those that choose the slot.
    const BELOW: u32;
    /// The [`PART_BITS`] bits of an address above so many.
    fn part(self, above: u32) -> usize;
    /// The first address of a part that begins so many bits above another address.
    fn plus(self, part: usize, above: u32) -> Self;
}

/// How many parts what is crowded has.
const PARTS: usize = 1 << PART_BITS;
const PART_BITS: u32 = 8;
/// A slot or part with more runs than these is crowded: its parts are indexed too.
const CROWD: u32 = 16;
/// The most nodes of an index, of 2 KiB each: beyond them what is crowded is searched.
const MAX_NODES: usize = 1 << 15;

/// The parts of what is crowded.
#[derive(Debug)]
struct Node {
    /// For the first address of each part, and of the one after the last: the run that it is in.
    runs: [u32; PARTS + 1],
    /// For each part that is crowded itself the place of its node plus one, and zero for each that is not.
    deeper: [u32; PARTS],
}

impl Slotted for u32 {
    const SLOTS: usize = 1 << 16;

    #[inline]
    fn slot(self) -> Option<usize> {
        Some((self >> 16) as usize)
    }

    fn slot_start(slot: usize) -> Self {
        u32::try_from(slot << 16).unwrap_or(u32::MAX)
    }

    const BELOW: u32 = 16;

    #[inline]
    fn part(self, above: u32) -> usize {
        (self >> above) as usize & (PARTS - 1)
    }

    fn plus(self, part: usize, above: u32) -> Self {
        self.saturating_add((part as u32) << above)
    }
}

/// Bits of an IPv6 address behind `2000::/4` that choose a slot: every address that is given out today is in there, and
/// registries hand out networks of 29 to 32 bits.
const V6_BITS: u32 = 18;

impl Slotted for u128 {
    const SLOTS: usize = 1 << V6_BITS;

    #[inline]
    fn slot(self) -> Option<usize> {
        (self >> 124 == 2).then_some((self >> (124 - V6_BITS)) as usize & (Self::SLOTS - 1))
    }

    fn slot_start(slot: usize) -> Self {
        (2 << 124) + ((slot as u128) << (124 - V6_BITS))
    }

    const BELOW: u32 = 124 - V6_BITS;

    #[inline]
    fn part(self, above: u32) -> usize {
        (self >> above) as usize & (PARTS - 1)
    }

    fn plus(self, part: usize, above: u32) -> Self {
        self.saturating_add((part as u128) << above)
    }
}

/// Runs with an index.
#[derive(Debug)]
pub(super) struct Table<K, V> {
    runs: Runs<K, V>,
    /// For the first address of each slot, and of the one after the last: the run that it is in.
    index: Vec<u32>,
    /// For each crowded slot the place of its node plus one, and zero for each that is not.
    crowded: Vec<u32>,
    nodes: Vec<Node>,
}

impl<K: Slotted, V: Copy + Default + PartialEq> Table<K, V> {
    pub(super) fn new(runs: Runs<K, V>) -> Self {
        let starts = runs.starts();
        let mut index = Vec::with_capacity(K::SLOTS + 1);
        let mut at = 0;
        let mut reach = |first: K| {
            while starts.get(at + 1).is_some_and(|start| *start <= first) {
                at += 1;
            }
            at as u32
        };
        for slot in 0..=K::SLOTS {
            index.push(reach(K::slot_start(slot)));
        }
        let (mut crowded, mut nodes) = (vec![0; K::SLOTS], Vec::new());
        for (slot, (pair, place)) in index.windows(2).zip(&mut crowded).enumerate() {
            let [low, high] = *pair else { continue };
            *place = node(starts, (low, high), K::slot_start(slot), K::BELOW, &mut nodes);
        }
        Self { runs, index, crowded, nodes }
    }

    /// The run that an address is in.
    #[inline]
    pub(super) fn position(&self, key: K) -> usize {
        let starts = self.runs.starts();
        let slot = key.slot();
        let mut bounds = slot.and_then(|slot| self.index.get(slot..slot + 2));
        let mut place = slot.and_then(|slot| self.crowded.get(slot)).copied().unwrap_or_default();
        let mut above = K::BELOW;
        while let Some(node) = (place as usize).checked_sub(1).and_then(|at| self.nodes.get(at)) {
            above -= PART_BITS;
            let part = key.part(above);
            bounds = node.runs.get(part..part + 2);
            place = node.deeper.get(part).copied().unwrap_or_default();
        }
        let (low, high) = match bounds {
            Some([low, high]) => (*low as usize, *high as usize),
            _ => (0, starts.len() - 1),
        };
        // The run at `low` starts at or before the slot, the one at `high` is the last that can start in it.
        let between = starts.get(low + 1..=high).unwrap_or_default();
        low + between.partition_point(|start| *start <= key)
    }

    /// What is said of an address.
    #[inline]
    pub(super) fn get(&self, key: K) -> V {
        self.runs.values().get(self.position(key)).copied().unwrap_or_default()
    }

    pub(super) fn runs(&self) -> &Runs<K, V> {
        &self.runs
    }

    /// Octets on the heap.
    pub(super) fn heap(&self) -> usize {
        self.runs.starts().len() * (size_of::<K>() + size_of::<V>())
            + (self.index.len() + self.crowded.len()) * size_of::<u32>()
            + size_of_val(&*self.nodes)
    }
}

/// The node of the runs from one to another, which begin in the `above` bits behind `first`: its place plus one, or zero where
/// they are few, or where there is no room or no bit left.
fn node<K: Slotted>(starts: &[K], (low, high): (u32, u32), first: K, above: u32, nodes: &mut Vec<Node>) -> u32 {
    let Some(above) = above.checked_sub(PART_BITS).filter(|_| high - low > CROWD && nodes.len() < MAX_NODES) else {
        return 0;
    };
    let more = starts.get(low as usize + 1..=high as usize).unwrap_or_default();
    let mut begun = 0;
    let runs = std::array::from_fn(|part| {
        let begins = first.plus(part, above);
        while more.get(begun).is_some_and(|start| *start <= begins) {
            begun += 1;
        }
        low + begun as u32
    });
    let at = nodes.len();
    nodes.push(Node { runs, deeper: [0; PARTS] });
    for part in 0..PARTS {
        let Some([low, high]) = runs.get(part..part + 2) else { continue };
        let deeper = node(starts, (*low, *high), first.plus(part, above), above, nodes);
        if let Some(place) = nodes.get_mut(at).and_then(|node| node.deeper.get_mut(part)) {
            *place = deeper;
        }
    }
    at as u32 + 1
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn scan<K: Key>(runs: &Runs<K, u32>, key: K) -> u32 {
        runs.iter().find(|(first, last, _)| *first <= key && key <= *last).map_or(0, |(_, _, value)| value)
    }

    fn table<K: Slotted>(mut ranges: Vec<(K, K, u32)>) -> Runs<K, u32> {
        ranges.sort_unstable();
        let mut last = None;
        ranges.retain(|(first, end, _)| {
            let fits = first <= end && last.is_none_or(|last| last < *first);
            if fits {
                last = Some(*end);
            }
            fits
        });
        Runs::from_ranges(ranges).unwrap()
    }

    /// Runs of both families so close together that their slots are crowded.
    #[test]
    fn crowded_slots_are_indexed_by_their_parts() {
        let v4: Vec<(u32, u32, u32)> =
            (0..2000).map(|n| (0x0a01_0000 + n * 31, 0x0a01_0000 + n * 31 + 20, n % 7)).collect();
        let table4 = Table::new(table(v4.clone()));
        assert!(!table4.nodes.is_empty());
        for key in v4.iter().flat_map(|(first, last, _)| [first - 1, *first, *last, last + 1]) {
            assert_eq!(table4.get(key), scan(table4.runs(), key), "{key:#x}");
        }
        let high = |n: u32| (0x2001_0db8_u128 << 96) + (u128::from(n) << 70);
        let v6: Vec<(u128, u128, u32)> = (1..2000).map(|n| (high(n), high(n) + (1 << 69), n % 7)).collect();
        let table6 = Table::new(table(v6.clone()));
        assert!(table6.nodes.iter().any(|node| node.deeper.iter().any(|deeper| *deeper > 0)), "two levels");
        for key in v6.iter().flat_map(|(first, last, _)| [first - 1, *first, *last, last + 1]) {
            assert_eq!(table6.get(key), scan(table6.runs(), key), "{key:#x}");
        }
    }

    proptest! {
        #[test]
        fn index_and_scan_agree_on_ipv4(
            ranges in prop::collection::vec((any::<u32>(), 0..0x2_0000_u32, 0..4_u32), 0..60),
            keys in prop::collection::vec(any::<u32>(), 20),
        ) {
            let ranges = ranges.into_iter().map(|(first, more, value)| (first, first.saturating_add(more), value));
            let runs = table(ranges.collect());
            let table = Table::new(runs.clone());
            let edges: Vec<u32> = runs.starts().iter().flat_map(|start| [start.before(), *start]).collect();
            for key in keys.into_iter().chain(edges).chain([0, u32::MAX]) {
                prop_assert_eq!(table.get(key), scan(&runs, key));
            }
        }

        #[test]
        fn index_and_scan_agree_on_ipv6(
            ranges in prop::collection::vec((0..0x4000_0000_u32, any::<u64>(), 0..100_u32, 0..4_u32), 0..60),
            keys in prop::collection::vec(any::<u128>(), 20),
        ) {
            let ranges = ranges.into_iter().map(|(high, low, bits, value)| {
                let first = u128::from(high) << 96 | u128::from(low);
                (first, first.saturating_add(1 << bits), value)
            });
            let runs = table(ranges.collect());
            let table = Table::new(runs.clone());
            let edges: Vec<u128> = runs.starts().iter().flat_map(|start| [start.before(), *start]).collect();
            for key in keys.into_iter().chain(edges).chain([0, u128::MAX]) {
                prop_assert_eq!(table.get(key), scan(&runs, key));
            }
        }
    }
}
