//! A function from addresses to small values, kept as the places where it changes.

use std::ops::{Shl, Shr};

/// An address as a number: `u32` for IPv4, `u128` for IPv6.
pub trait Key: Copy + Ord + Shl<u32, Output = Self> + Shr<u32, Output = Self> + std::fmt::Debug {
    /// The width in bits.
    const BITS: u32;
    /// The lowest address.
    const ZERO: Self;
    /// The highest address.
    const MAX: Self;
    /// The next address; `None` after the highest.
    fn next(self) -> Option<Self>;
    /// The address before; zero stays zero.
    #[must_use]
    fn before(self) -> Self;
    /// As 128 bits.
    fn wide(self) -> u128;
    /// From 128 bits, where they fit.
    fn narrow(wide: u128) -> Option<Self>;
    /// How many low bits are zero.
    fn zeros(self) -> u32;
    /// How many high bits two addresses share.
    fn shared(self, other: Self) -> u32;
}

macro_rules! key {
    ($number:ty) => {
        impl Key for $number {
            const BITS: u32 = <$number>::BITS;
            const ZERO: Self = 0;
            const MAX: Self = <$number>::MAX;

            fn next(self) -> Option<Self> {
                self.checked_add(1)
            }

            fn before(self) -> Self {
                self.saturating_sub(1)
            }

            fn wide(self) -> u128 {
                u128::from(self)
            }

            fn narrow(wide: u128) -> Option<Self> {
                Self::try_from(wide).ok()
            }

            fn zeros(self) -> u32 {
                self.trailing_zeros()
            }

            fn shared(self, other: Self) -> u32 {
                (self ^ other).leading_zeros()
            }
        }
    };
}

key!(u32);
key!(u128);

/// Ranges that were not in ascending order, or lay over each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("ranges are not in ascending order")]
pub struct Disorder;

/// Every address and what is said of it, as runs of equal values.
///
/// Invariants: both lists are equally long and not empty; the first start is zero; starts ascend strictly; neighbours
/// differ. The default value says nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Runs<K, V> {
    starts: Vec<K>,
    values: Vec<V>,
}

impl<K: Key, V: Copy + Default + PartialEq> Default for Runs<K, V> {
    fn default() -> Self {
        Self { starts: vec![K::ZERO], values: vec![V::default()] }
    }
}

impl<K: Key, V: Copy + Default + PartialEq> Runs<K, V> {
    /// From ranges in ascending order, ends included; what lies between them has the default value.
    pub fn from_ranges(ranges: impl IntoIterator<Item = (K, K, V)>) -> Result<Self, Disorder> {
        let mut writer = Writer::default();
        for (first, last, value) in ranges {
            writer.range(first, last, value)?;
        }
        Ok(writer.finish())
    }

    /// From starts and values as they are stored; `None` where they break the invariants.
    pub fn from_parts(starts: Vec<K>, values: Vec<V>) -> Option<Self> {
        let ascending = starts.is_sorted_by(|a, b| a < b) && values.is_sorted_by(|a, b| a != b);
        (starts.len() == values.len() && starts.first() == Some(&K::ZERO) && ascending)
            .then_some(Self { starts, values })
    }

    /// Where each run starts.
    pub fn starts(&self) -> &[K] {
        &self.starts
    }

    /// What is said of each run.
    pub fn values(&self) -> &[V] {
        &self.values
    }

    /// How many runs say something.
    pub fn said(&self) -> usize {
        self.values.iter().filter(|value| **value != V::default()).count()
    }

    /// Each run with its first and last address.
    pub fn iter(&self) -> impl Iterator<Item = (K, K, V)> + '_ {
        let ends = self.starts.iter().skip(1).map(|start| start.before()).chain([K::MAX]);
        self.starts.iter().zip(ends).zip(&self.values).map(|((start, end), value)| (*start, end, *value))
    }

    /// The same runs with other values, equal neighbours joined.
    #[must_use]
    pub fn map(mut self, mut value: impl FnMut(V) -> V) -> Self {
        let mut kept = 0;
        let mut last = None;
        for at in 0..self.values.len() {
            let new = value(self.values[at]);
            if last != Some(new) {
                self.starts[kept] = self.starts[at];
                self.values[kept] = new;
                kept += 1;
                last = Some(new);
            }
        }
        self.starts.truncate(kept);
        self.values.truncate(kept);
        self
    }

    /// Both functions at once: one pass over two sorted lists, equal neighbours joined.
    pub fn join<W, X>(&self, other: &Runs<K, W>, mut both: impl FnMut(V, W) -> X) -> Runs<K, X>
    where
        W: Copy + Default + PartialEq,
        X: Copy + Default + PartialEq,
    {
        let most = self.starts.len() + other.starts.len();
        let (mut starts, mut values) = (Vec::with_capacity(most), Vec::<X>::with_capacity(most));
        let mut ours = self.starts.iter().copied().zip(self.values.iter().copied()).peekable();
        let mut theirs = other.starts.iter().copied().zip(other.values.iter().copied()).peekable();
        let (mut here, mut there) = (V::default(), W::default());
        loop {
            let at = match (ours.peek(), theirs.peek()) {
                (None, None) => break,
                (Some((at, _)), None) | (None, Some((at, _))) => *at,
                (Some((a, _)), Some((b, _))) => *a.min(b),
            };
            if let Some((_, value)) = ours.next_if(|(start, _)| *start == at) {
                here = value;
            }
            if let Some((_, value)) = theirs.next_if(|(start, _)| *start == at) {
                there = value;
            }
            let value = both(here, there);
            if values.last() != Some(&value) {
                starts.push(at);
                values.push(value);
            }
        }
        starts.shrink_to_fit();
        values.shrink_to_fit();
        Runs { starts, values }
    }
}

/// Writes runs from ranges in ascending order.
#[derive(Debug)]
pub(super) struct Writer<K, V> {
    starts: Vec<K>,
    values: Vec<V>,
    /// The first address of which nothing was written; `None` after the highest.
    next: Option<K>,
}

impl<K: Key, V> Default for Writer<K, V> {
    fn default() -> Self {
        Self { starts: Vec::new(), values: Vec::new(), next: Some(K::ZERO) }
    }
}

impl<K: Key, V: Copy + Default + PartialEq> Writer<K, V> {
    /// Says `value` of the addresses from `first` to `last`.
    pub(super) fn range(&mut self, first: K, last: K, value: V) -> Result<(), Disorder> {
        let next = self.next.filter(|next| *next <= first && first <= last).ok_or(Disorder)?;
        if next < first {
            self.run(next, V::default());
        }
        self.run(first, value);
        self.next = last.next();
        Ok(())
    }

    pub(super) fn finish(mut self) -> Runs<K, V> {
        if let Some(next) = self.next {
            self.run(next, V::default());
        }
        self.starts.shrink_to_fit();
        self.values.shrink_to_fit();
        Runs { starts: self.starts, values: self.values }
    }

    fn run(&mut self, start: K, value: V) {
        if self.values.last() != Some(&value) {
            self.starts.push(start);
            self.values.push(value);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gaps_are_filled_and_neighbours_joined() {
        let runs = Runs::from_ranges([(0_u32, 9, 1), (10, 19, 1), (30, u32::MAX, 2)]).unwrap();
        assert_eq!(runs.iter().collect::<Vec<_>>(), [(0, 19, 1), (20, 29, 0), (30, u32::MAX, 2)]);
        assert_eq!(runs.said(), 2);
        assert_eq!(Runs::from_ranges([(10_u32, 19, 1), (19, 30, 2)]), Err(Disorder));
        assert_eq!(Runs::from_ranges([(10_u32, 9, 1)]), Err(Disorder));
        assert_eq!(Runs::<u32, u32>::from_ranges([]).unwrap(), Runs::default());
    }

    #[test]
    fn joined_runs_say_both() {
        let ours = Runs::from_ranges([(10_u32, 19, 1_u8), (20, 29, 2)]).unwrap();
        let theirs = Runs::from_ranges([(15_u32, 24, 7_u8)]).unwrap();
        let both: Vec<_> = ours.join(&theirs, |a, b| (a, b)).iter().collect();
        let expected = [
            (0, 9, (0, 0)),
            (10, 14, (1, 0)),
            (15, 19, (1, 7)),
            (20, 24, (2, 7)),
            (25, 29, (2, 0)),
            (30, u32::MAX, (0, 0)),
        ];
        assert_eq!(both, expected);
    }
}
