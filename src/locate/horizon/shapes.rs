//! The shapes of countries and their packed form.
//!
//! ```text
//! file     = "LFH1" raw-length(u32, little endian) zstd-frame(raw)
//! raw      = count polygon* count shape*
//! polygon  = count ring*
//! ring     = count point*
//! point    = latitude and longitude in thousandths of a degree, each as difference to the point before, zigzag
//! shape    = two letters, count polygon-number*, count disc*
//! disc     = latitude, longitude (thousandths of a degree, zigzag), radius in kilometres
//! ```
//!
//! All numbers are variable-length: seven bits an octet, lowest first. A ring does not repeat its first point. Its edges are
//! straight in latitude and longitude, by the shorter way around the globe; inside of a polygon is what an odd number of
//! its edges lies north of. No polygon holds the north pole.

use std::collections::BTreeSet;

use super::super::embedded::codec::{CodecError, Reader, pack, put, unpack};
use crate::model::Country;

const MAGIC: [u8; 4] = *b"LFH1";

/// Latitude and longitude in thousandths of a degree; a longitude can lie beyond 180 degrees, so that a ring over the
/// antimeridian goes on.
pub type Corner = (i32, i32);

/// The outline of a part of a country, and the outlines of what is not of it inside.
pub type Polygon = Vec<Vec<Corner>>;

/// What is within so many kilometres of a point: for territories that the source of the outlines leaves out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Disc {
    /// The middle.
    pub middle: Corner,
    /// The radius in kilometres, chosen so that all of the territory is inside.
    pub km: u32,
}

/// Where a country is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shape {
    /// The country.
    pub country: Country,
    /// Its parts, by their numbers among the polygons. Territory that two countries claim is a part of both.
    pub parts: Vec<u32>,
    /// What has no outline.
    pub discs: Vec<Disc>,
}

/// Every country's shape.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Atlas {
    /// Outlines.
    pub polygons: Vec<Polygon>,
    /// Shapes, sorted by country.
    pub shapes: Vec<Shape>,
}

/// Packs shapes, always to the same octets.
pub fn encode(atlas: &Atlas) -> Result<Vec<u8>, CodecError> {
    let mut raw = Vec::new();
    let zigzag = |number: i32| u128::from((number << 1 ^ number >> 31).cast_unsigned());
    put(&mut raw, atlas.polygons.len() as u128);
    for polygon in &atlas.polygons {
        put(&mut raw, polygon.len() as u128);
        for ring in polygon {
            put(&mut raw, ring.len() as u128);
            let mut before = (0, 0);
            for (latitude, longitude) in ring {
                put(&mut raw, zigzag(latitude - before.0));
                put(&mut raw, zigzag(longitude - before.1));
                before = (*latitude, *longitude);
            }
        }
    }
    put(&mut raw, atlas.shapes.len() as u128);
    for shape in &atlas.shapes {
        raw.extend_from_slice(shape.country.code().as_bytes());
        put(&mut raw, shape.parts.len() as u128);
        for part in &shape.parts {
            put(&mut raw, u128::from(*part));
        }
        put(&mut raw, shape.discs.len() as u128);
        for Disc { middle: (latitude, longitude), km } in &shape.discs {
            put(&mut raw, zigzag(*latitude));
            put(&mut raw, zigzag(*longitude));
            put(&mut raw, u128::from(*km));
        }
    }
    pack(MAGIC, &raw)
}

/// Unpacks shapes. A damaged file is an error, never a panic.
pub fn decode(file: &[u8]) -> Result<Atlas, CodecError> {
    let raw = unpack(MAGIC, file)?;
    let mut reader = Reader { rest: &raw };
    let mut polygons = Vec::new();
    for _ in 0..reader.count()? {
        let mut polygon = Polygon::new();
        for _ in 0..reader.count()? {
            let mut ring = Vec::new();
            let mut at = (0_i32, 0_i32);
            for _ in 0..reader.count()? {
                let (latitude, longitude) = (signed(&mut reader)?, signed(&mut reader)?);
                let add = |to: i32, number: i32| to.checked_add(number).ok_or(CodecError::Range);
                at = (add(at.0, latitude)?, add(at.1, longitude)?);
                ring.push(at);
            }
            polygon.push(ring);
        }
        polygons.push(polygon);
    }
    let (mut shapes, mut seen) = (Vec::new(), BTreeSet::new());
    for _ in 0..reader.count()? {
        let code = std::str::from_utf8(reader.octets(2)?).map_err(|_| CodecError::Text)?;
        let country = Country::from_code(code).filter(|country| seen.insert(*country)).ok_or(CodecError::Range)?;
        let mut shape = Shape { country, parts: Vec::new(), discs: Vec::new() };
        for _ in 0..reader.count()? {
            let part = unsigned(&mut reader)?;
            polygons.get(part as usize).ok_or(CodecError::Range)?;
            shape.parts.push(part);
        }
        for _ in 0..reader.count()? {
            let middle = (signed(&mut reader)?, signed(&mut reader)?);
            shape.discs.push(Disc { middle, km: unsigned(&mut reader)? });
        }
        shapes.push(shape);
    }
    if reader.rest.is_empty() { Ok(Atlas { polygons, shapes }) } else { Err(CodecError::Range) }
}

fn unsigned(reader: &mut Reader<'_>) -> Result<u32, CodecError> {
    u32::try_from(reader.number()?).map_err(|_| CodecError::Range)
}

fn signed(reader: &mut Reader<'_>) -> Result<i32, CodecError> {
    let number = unsigned(reader)?;
    Ok((number >> 1).cast_signed() ^ -(number & 1).cast_signed())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shapes_come_back_and_damage_is_an_error() {
        let country = |code| Country::from_code(code).unwrap();
        let disc = Disc { middle: (-54_420, 3_360), km: 10 };
        let atlas = Atlas {
            polygons: vec![vec![vec![(1000, 179_000), (2000, 181_000), (-3000, 180_500)], vec![(0, 0)]]],
            shapes: vec![
                Shape { country: country("BV"), parts: vec![], discs: vec![disc] },
                Shape { country: country("FJ"), parts: vec![0], discs: vec![] },
            ],
        };
        let file = encode(&atlas).unwrap();
        assert_eq!(decode(&file), Ok(atlas));
        for cut in 0..file.len() {
            assert!(decode(&file[..cut]).is_err(), "cut at {cut}");
        }
    }
}
