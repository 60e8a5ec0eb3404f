//! How many packets one that was counted stands for, as flow exporters tell it.
//!
//! A rate is in the record itself, or in options that were sent before, under the number of a sampler (IE 48, IE 302), of a
//! template (IE 145) or of an interface, or for all that the observation domain sends. Where nobody says, nothing is scaled.

use std::collections::BTreeMap;

use super::element::Slot;
use super::template::Values;
use crate::model::{Count, Counters, SamplingInterval};

/// The most samplers, templates or interfaces of a domain whose rates are kept.
const MAX_RATES: usize = 4096;

/// One packet in `population / size` was counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Rate {
    population: u64,
    size: u64,
}

impl Rate {
    pub(super) const ALL_SEEN: Self = Self { population: 1, size: 1 };

    /// One packet in so many; `None` for zero, which exporters send for "not known".
    pub(super) const fn one_in(interval: u64) -> Option<Self> {
        if interval == 0 { None } else { Some(Self { population: interval, size: 1 }) }
    }

    fn of(population: u64, size: u64) -> Option<Self> {
        match population.checked_rem(size)? {
            0 => Self::one_in(population / size),
            _ if population > size => Some(Self { population, size }),
            _ => None,
        }
    }

    /// A probability (IE 311), as the bits of a float of four or eight octets.
    fn of_probability(bits: u64) -> Option<Self> {
        let probability = match u32::try_from(bits) {
            Ok(single) => f64::from(f32::from_bits(single)),
            Err(_) => f64::from_bits(bits),
        };
        let interval = (1.0 / probability).round();
        (interval.is_finite() && interval >= 1.0).then(|| Self::one_in(interval as u64))?
    }

    /// What was there, by what was counted.
    pub(super) fn scale(self, counted: u64) -> u64 {
        if self.size == 1 {
            return counted.saturating_mul(self.population);
        }
        let scaled = u128::from(counted) * u128::from(self.population) / u128::from(self.size);
        u64::try_from(scaled).unwrap_or(u64::MAX)
    }

    pub(super) fn scale_all(self, counted: Counters) -> Counters {
        let Counters { octets, packets, payload } = counted;
        Counters { octets: self.scale(octets), packets: self.scale(packets), payload: self.scale(payload) }
    }

    /// The interval as a record says it, rounded up.
    pub(super) fn interval(self) -> SamplingInterval {
        let interval = u32::try_from(self.population.div_ceil(self.size)).unwrap_or(SamplingInterval::MAX);
        SamplingInterval::new(interval.clamp(1, SamplingInterval::MAX)).unwrap_or(SamplingInterval::ALL_SEEN)
    }
}

/// The rate that a record or an options record states itself.
#[inline]
fn stated(values: &Values<'_>) -> Option<Rate> {
    let get = |slot| values.get(slot).filter(|value| *value > 0);
    if let Some(interval) = get(Slot::Interval).or_else(|| get(Slot::RandomInterval)) {
        return Rate::one_in(interval);
    }
    if let (Some(taken), Some(space)) = (get(Slot::PacketInterval), values.get(Slot::PacketSpace)) {
        return Rate::of(taken.saturating_add(space), taken);
    }
    if let (Some(size), Some(population)) = (get(Slot::SampleSize), get(Slot::Population)) {
        return Rate::of(population, size);
    }
    get(Slot::Probability).and_then(Rate::of_probability)
}

/// What the options of an observation domain have told.
#[derive(Debug, Default)]
pub(super) struct Samplers {
    of_all: Option<Rate>,
    by_id: BTreeMap<u64, Rate>,
    by_template: BTreeMap<u64, Rate>,
    by_interface: BTreeMap<u64, Rate>,
    /// Flow records whose rate nobody had said, since the last time that somebody said one.
    before: Count,
}

/// What came of an options record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Learned {
    /// Nothing about sampling, or that everything is counted.
    Nothing,
    /// A rate, and the flow records that had come before it.
    Rate(Rate, Count),
    /// There is no room for one more.
    NoRoom,
}

/// Whether a rate was said before.
enum News {
    First,
    Again,
    /// There is no room for one more.
    NoRoom,
}

impl Samplers {
    /// Counts a flow record whose rate nobody has said.
    #[inline]
    pub(super) fn missed(&mut self, octets: u64) {
        self.before.add(octets);
    }

    /// Takes note of an options record.
    pub(super) fn learn(&mut self, values: &Values<'_>) -> Learned {
        let Some(rate) = stated(values) else { return Learned::Nothing };
        match self.keep(rate, values) {
            // Options are said again and again: what has no rate after the first has none by them.
            News::First if self.before.count > 0 && rate.interval() > SamplingInterval::ALL_SEEN => {
                Learned::Rate(rate, std::mem::take(&mut self.before))
            }
            News::First | News::Again => Learned::Nothing,
            News::NoRoom => Learned::NoRoom,
        }
    }

    fn keep(&mut self, rate: Rate, values: &Values<'_>) -> News {
        let news = |known: Option<Rate>| if known.is_some() { News::Again } else { News::First };
        let id = values.get(Slot::SamplerId).or_else(|| values.get(Slot::SelectorId));
        let interface = values.get(Slot::Ingress).or_else(|| values.get(Slot::Egress));
        let (rates, key) = match (id, values.get(Slot::TemplateId), interface) {
            (Some(id), ..) => (&mut self.by_id, id),
            (None, Some(template), _) => (&mut self.by_template, template),
            (None, None, Some(interface)) => (&mut self.by_interface, interface),
            (None, None, None) => {
                return news(self.of_all.replace(rate));
            }
        };
        if rates.len() >= MAX_RATES && !rates.contains_key(&key) {
            return News::NoRoom;
        }
        news(rates.insert(key, rate))
    }

    /// The rate of a record; `None` where nobody has said it.
    #[inline]
    pub(super) fn rate(&self, values: &Values<'_>, template: u16) -> Option<Rate> {
        if let Some(rate) = stated(values) {
            return Some(rate);
        }
        let by_id = || {
            let id = values.get(Slot::SamplerId).or_else(|| values.get(Slot::SelectorId));
            self.by_id.get(&id?).copied()
        };
        let by_interface = || {
            let side = if values.get(Slot::Direction) == Some(1) { Slot::Egress } else { Slot::Ingress };
            self.by_interface.get(&values.get(side)?).copied()
        };
        let by_template = || self.by_template.get(&u64::from(template)).copied();
        let one = || {
            // A record that names no sampler, where there is but one.
            let named = values.get(Slot::SamplerId).is_some() || values.get(Slot::SelectorId).is_some();
            let mut rates = self.by_id.values();
            let first = rates.next().filter(|_| !named)?;
            rates.all(|rate| rate == first).then_some(*first)
        };
        by_id().or_else(by_template).or_else(by_interface).or(self.of_all).or_else(one)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_scale_exactly() {
        assert_eq!(Rate::of(10, 1), Rate::one_in(10));
        assert_eq!(Rate::of(100, 10), Rate::one_in(10));
        let rate = Rate::of(9, 2).unwrap();
        assert_eq!((rate.scale(200), rate.interval().get()), (900, 5));
        assert_eq!(Rate::of(1, 0), None);
        assert_eq!(Rate::of(1, 2), None);
        assert_eq!(Rate::one_in(0), None);
        assert_eq!(Rate::one_in(u64::MAX).unwrap().interval().get(), SamplingInterval::MAX);
        assert_eq!(Rate::one_in(3).unwrap().scale(u64::MAX), u64::MAX);
    }

    #[test]
    fn probabilities_are_floats_of_either_size() {
        assert_eq!(Rate::of_probability(0.001_f64.to_bits()), Rate::one_in(1000));
        assert_eq!(Rate::of_probability(u64::from(0.01_f32.to_bits())), Rate::one_in(100));
        for wrong in [0.0, -1.0, f64::NAN, 3.0] {
            assert_eq!(Rate::of_probability(wrong.to_bits()), None, "{wrong}");
        }
    }
}
