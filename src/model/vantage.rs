//! Where an observation point stands.

use std::fmt;
use std::str::FromStr;

use super::country::{Country, CountryError};

/// A point of the earth in geographic coordinates (WGS 84), kept in millionths of a degree so that it is a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Point {
    latitude: i32,
    longitude: i32,
}

impl Point {
    const SCALE: f64 = 1e6;

    /// A point, in degrees north and east; `None` for what is on no map.
    pub fn new(latitude: f64, longitude: f64) -> Option<Self> {
        let on_the_map = (-90.0..=90.0).contains(&latitude) && (-180.0..=180.0).contains(&longitude);
        let scaled = |degrees: f64| (degrees * Self::SCALE).round() as i32;
        on_the_map.then(|| Self { latitude: scaled(latitude), longitude: scaled(longitude) })
    }

    /// Degrees north.
    pub fn latitude(self) -> f64 {
        f64::from(self.latitude) / Self::SCALE
    }

    /// Degrees east.
    pub fn longitude(self) -> f64 {
        f64::from(self.longitude) / Self::SCALE
    }
}

impl fmt::Display for Point {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{},{}", self.latitude(), self.longitude())
    }
}

/// Where an observation point stands: the place that round-trip times are measured from.
///
/// Where only the country is known, the point may be anywhere in it, and every distance is the least from all of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Vantage {
    /// At a point.
    Point(Point),
    /// Somewhere in a country.
    Country(Country),
}

/// Why a text is no vantage.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum VantageError {
    /// Two numbers that are no coordinates.
    #[error("`{0}` are not degrees north and east, such as 50.11,8.68: latitude is -90 to 90, longitude -180 to 180")]
    Coordinates(String),
    /// Neither coordinates nor a country.
    #[error(transparent)]
    Country(#[from] CountryError),
}

impl VantageError {
    /// The country that was probably meant.
    pub fn suggestion(&self) -> Option<Country> {
        match self {
            Self::Country(CountryError::Unknown { suggestion, .. }) => *suggestion,
            Self::Country(CountryError::Pseudo { .. }) | Self::Coordinates(_) => None,
        }
    }
}

impl FromStr for Vantage {
    type Err = VantageError;

    /// `50.11,8.68` in degrees north and east, or a country code.
    fn from_str(text: &str) -> Result<Self, VantageError> {
        let Some((latitude, longitude)) = text.split_once(',') else {
            return Ok(Self::Country(text.trim().parse()?));
        };
        let degrees = |text: &str| text.trim().parse::<f64>().ok();
        let point = degrees(latitude).zip(degrees(longitude)).and_then(|(lat, lon)| Point::new(lat, lon));
        point.map(Self::Point).ok_or_else(|| VantageError::Coordinates(text.to_owned()))
    }
}

impl fmt::Display for Vantage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Point(point) => point.fmt(f),
            Self::Country(country) => country.fmt(f),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn vantages_are_points_or_countries() {
        let text = |text: &str| text.parse::<Vantage>().map(|vantage| vantage.to_string());
        assert_eq!(text("50.11, 8.68").as_deref(), Ok("50.11,8.68"));
        assert_eq!(text("-36.85,174.76").as_deref(), Ok("-36.85,174.76"));
        assert_eq!(text("DE").as_deref(), Ok("DE"));
        for wrong in ["91,0", "0,180.5", "50.11,", "x,y", "NaN,0", "inf,0"] {
            assert_eq!(text(wrong), Err(VantageError::Coordinates(wrong.to_owned())), "{wrong}");
        }
        assert!(matches!(text("UK"), Err(VantageError::Country(CountryError::Unknown { suggestion: Some(_), .. }))));
    }
}
