//! Hashes to places: open addressing with linear probing, a word for each flow.
//!
//! A word has the hash and the place side by side, so that a look-up touches one line of memory before the flow itself,
//! and the index grows without touching the flows.

/// A word that no flow has: the place is [`super::table`]'s for "none".
const EMPTY: u64 = u64::MAX;

/// The least capacity; a power of two.
const LEAST: usize = 16;

pub(super) struct Index {
    /// A power of two of words, of which at most three quarters are in use.
    words: Vec<u64>,
    used: usize,
}

impl Index {
    pub(super) fn new() -> Self {
        Self { words: vec![EMPTY; LEAST], used: 0 }
    }

    pub(super) fn len(&self) -> usize {
        self.used
    }

    /// The place under `hash` that is the right one.
    #[inline]
    pub(super) fn find(&self, hash: u32, mut is_right: impl FnMut(u32) -> bool) -> Option<u32> {
        let mask = self.words.len() - 1;
        let mut at = hash as usize & mask;
        loop {
            let word = self.words[at];
            if word == EMPTY {
                return None;
            }
            let (known, place) = parts(word);
            if known == hash && is_right(place) {
                return Some(place);
            }
            at = (at + 1) & mask;
        }
    }

    /// The word where a look-up for `hash` begins.
    #[inline]
    pub(super) fn glance(&self, hash: u32) -> u64 {
        self.words[hash as usize & (self.words.len() - 1)]
    }

    /// Adds a place that is not in the index.
    pub(super) fn insert(&mut self, hash: u32, place: u32) {
        if (self.used + 1) * 4 > self.words.len() * 3 {
            let larger = vec![EMPTY; self.words.len() * 2];
            for word in std::mem::replace(&mut self.words, larger).into_iter().filter(|word| *word != EMPTY) {
                self.put(word);
            }
        }
        self.put(u64::from(hash) << 32 | u64::from(place));
        self.used += 1;
    }

    fn put(&mut self, word: u64) {
        let mask = self.words.len() - 1;
        let mut at = parts(word).0 as usize & mask;
        while self.words[at] != EMPTY {
            at = (at + 1) & mask;
        }
        self.words[at] = word;
    }

    /// Takes a place out. What stands after it moves up, so that no trace is left.
    pub(super) fn remove(&mut self, hash: u32, place: u32) {
        let mask = self.words.len() - 1;
        let mut hole = hash as usize & mask;
        while parts(self.words[hole]) != (hash, place) {
            if self.words[hole] == EMPTY {
                return;
            }
            hole = (hole + 1) & mask;
        }
        let mut at = hole;
        loop {
            at = (at + 1) & mask;
            let word = self.words[at];
            if word == EMPTY {
                break;
            }
            // It may move up to the hole where that is not before its own first place.
            let first = parts(word).0 as usize & mask;
            if at.wrapping_sub(first) & mask >= at.wrapping_sub(hole) & mask {
                self.words[hole] = word;
                hole = at;
            }
        }
        self.words[hole] = EMPTY;
        self.used -= 1;
    }
}

#[inline]
fn parts(word: u64) -> (u32, u32) {
    ((word >> 32) as u32, word as u32)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_found_after_their_neighbours_go() {
        // Hashes that all begin at the last word, so that the probe goes round the end.
        let mut index = Index::new();
        let hashes = [15, 31, 47, 0, 63, 1];
        for (place, hash) in (0..).zip(hashes) {
            index.insert(hash, place);
        }
        for gone in 0..hashes.len() {
            index.remove(hashes[gone], gone as u32);
            for (place, hash) in (0..).zip(hashes) {
                let expected = (place as usize > gone).then_some(place);
                assert_eq!(index.find(hash, |found| found == place), expected, "{place} after {gone}");
            }
        }
        assert_eq!(index.len(), 0);
        assert!(index.words.iter().all(|word| *word == EMPTY));
    }

    #[test]
    fn it_grows() {
        let mut index = Index::new();
        (0..10_000).for_each(|place| index.insert(place / 3, place));
        assert!((0..10_000).all(|place| index.find(place / 3, |found| found == place) == Some(place)));
        assert_eq!((index.len(), index.words.len()), (10_000, 16_384));
    }
}
