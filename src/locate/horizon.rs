//! What light can reach: a round-trip time refutes what is too far away.
//!
//! A signal that was there and back in a millisecond has gone no further than [`Medium`] lets it, so that whoever answered
//! stands within that distance of the vantage. Distances are those to the nearest point of a country, rounded down and
//! cut by [`MARGIN_KM`], so that no country is refuted that is not.
//!
//! A horizon only ever excludes. A low round-trip time is decisive, a high one means nothing; and what is proven is where
//! the machine is that *answered*: a proxy or a load balancer answers for what is behind it.

pub mod shapes;
mod sphere;

use std::sync::OnceLock;

use sha2::{Digest as _, Sha256};

use self::shapes::Atlas;
use self::sphere::Body;
use super::embedded::codec::CodecError;
use super::mmdb::hex;
use crate::model::{Country, CountrySet, Point, RoundTrip, Vantage};

static SHAPES: &[u8] = include_bytes!("horizon/shapes.bin");

/// How much is taken off every distance, in kilometres: 4 km for our simplification of the shapes, one for rounded
/// coordinates and straight edges, and ten for what Natural Earth leaves out at 1:10 million (rocks, islets, the sea just off
/// the coast) and for a vantage whose coordinates are rounded to a tenth of a degree.
pub const MARGIN_KM: u32 = 15;

/// The least time in microseconds in which something elsewhere can answer: what answers sooner is on the same machine or
/// the same wire, and says nothing of the far end.
pub const LEAST_US: u32 = 50;

/// The fewest clean samples that a horizon is drawn from: the least of few can be an accident of the clock.
pub const MIN_SAMPLES: u8 = 3;

/// What the signal is taken to go through.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Medium {
    /// Fibre, at two thirds of the speed of light: 100 km a millisecond there and back. Nearly all distance on the internet
    /// is fibre.
    #[default]
    Fibre,
    /// Empty space: 150 km a millisecond there and back. No law of nature is broken by microwave links and satellites, which
    /// can be faster than fibre.
    Vacuum,
}

impl Medium {
    /// How far away something is at most that answers within a millisecond, in kilometres: rounded up.
    pub const fn km_per_ms(self) -> u32 {
        match self {
            Self::Fibre => 100,
            Self::Vacuum => 150,
        }
    }

    /// The word in reports and on the command line.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Fibre => "fibre",
            Self::Vacuum => "vacuum",
        }
    }
}

/// A place in the list of distances of a [`Horizon`]: all round-trip times that reach the same countries have the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Step(u16);

/// Which countries lie how near to a vantage.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Horizon {
    vantage: Vantage,
    medium: Medium,
    /// A distance in kilometres, and every country that near: ascending, each set holds those before it.
    near: Vec<(u32, CountrySet)>,
}

impl Horizon {
    /// What is around a vantage.
    pub fn new(vantage: Vantage, medium: Medium) -> Self {
        let mut distances = distances(vantage);
        distances.sort_unstable();
        let mut near: Vec<(u32, CountrySet)> = Vec::new();
        let mut all = CountrySet::NOWHERE;
        for (km, country) in distances {
            all.insert(country);
            match near.last_mut().filter(|(last, _)| *last == km) {
                Some((_, set)) => *set = all,
                None => near.push((km, all)),
            }
        }
        Self { vantage, medium, near }
    }

    /// Where the round-trip times are measured.
    pub fn vantage(&self) -> Vantage {
        self.vantage
    }

    /// What the signal is taken to go through.
    pub fn medium(&self) -> Medium {
        self.medium
    }

    /// How far a signal can have gone in a round-trip time, in kilometres, rounded up.
    pub fn km(&self, least_us: u32) -> u32 {
        let km = (u64::from(least_us) * u64::from(self.medium.km_per_ms())).div_ceil(1000);
        u32::try_from(km).unwrap_or(u32::MAX)
    }

    /// How far around something can be that answered in this time; `None` where the time is no evidence: it was not measured,
    /// rests on fewer than [`MIN_SAMPLES`] or is below [`LEAST_US`].
    pub fn step(&self, round_trip: RoundTrip) -> Option<Step> {
        let least = round_trip.least_us()?;
        let clean = least >= LEAST_US && round_trip.samples() >= MIN_SAMPLES;
        clean.then(|| self.step_within(self.km(least)))
    }

    /// Every country that something can be in which answered in this time; all of them where the time is no evidence.
    pub fn reach(&self, round_trip: RoundTrip) -> CountrySet {
        self.step(round_trip).map_or(CountrySet::ANYWHERE, |step| self.within_step(step))
    }

    /// Every country as near as a step of this horizon.
    pub fn within_step(&self, step: Step) -> CountrySet {
        self.near.get(usize::from(step.0)).map_or(CountrySet::ANYWHERE, |(_, set)| *set)
    }

    fn step_within(&self, km: u32) -> Step {
        let after = self.near.partition_point(|(least, _)| *least <= km);
        Step(after.saturating_sub(1) as u16)
    }

    /// Every country within a distance. Never empty: the nearest country is always in it.
    pub fn within(&self, km: u32) -> CountrySet {
        self.within_step(self.step_within(km))
    }

    /// The distance from the vantage to the nearest point of a country, in kilometres: never more than it is. It is zero
    /// inside, for neighbours within the margin, and for a country whose shape is not known.
    pub fn distance(&self, country: Country) -> u32 {
        self.near.iter().find(|(_, set)| set.contains(country)).map_or(0, |(km, _)| *km)
    }
}

/// The digest of the shapes, which belongs to the basis of an audit with a horizon.
pub fn digest() -> String {
    hex(&Sha256::digest(SHAPES))
}

/// The distance of a point to a country, as [`Horizon::distance`] has it.
pub fn distance(point: Point, country: Country) -> u32 {
    distance_to(&Body::of_point(point), country)
}

fn distances(vantage: Vantage) -> Vec<(u32, Country)> {
    let from = match vantage {
        Vantage::Point(point) => Some(Body::of_point(point)),
        Vantage::Country(country) => body(country),
    };
    let to = |country| (from.as_ref().map_or(0, |from| distance_to(from, country)), country);
    Country::all().map(to).collect()
}

fn distance_to(from: &Body, country: Country) -> u32 {
    let km = body(country).map_or(0.0, |body| from.km_to(&body));
    (km as u32).saturating_sub(MARGIN_KM)
}

/// The shape of a country, ready to be measured; `None` where it is not known: then it is never refuted.
fn body(country: Country) -> Option<Body> {
    let atlas = atlas().as_ref().ok()?;
    let shape = atlas.shapes.iter().find(|shape| shape.country == country)?;
    Some(Body::of_shape(atlas, shape))
}

/// The shapes that the program carries.
pub fn atlas() -> &'static Result<Atlas, CodecError> {
    static ATLAS: OnceLock<Result<Atlas, CodecError>> = OnceLock::new();
    ATLAS.get_or_init(|| shapes::decode(SHAPES))
}
