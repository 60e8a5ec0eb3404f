//! Least distances between shapes on the globe, never too great.
//!
//! Points are unit vectors, and edges the straight lines between them through the globe: a line is shorter than the way
//! over the ground, so that a distance over it is too small and not too great. Edges are cut at one degree, where the line
//! lies a quarter of a kilometre under the ground at its deepest. A geodetic degree on the ellipsoid of WGS 84 is nowhere
//! shorter than on a sphere of [`EARTH_KM`], its least radius of curvature, so that distances on that sphere are lower
//! bounds for those on the ellipsoid too.

use super::shapes::{Atlas, Corner, Shape};
use crate::model::Point;

/// The least radius of curvature of the ellipsoid of WGS 84, a(1 - e²), that of the meridian at the equator, in kilometres.
const EARTH_KM: f64 = 6335.4;
/// How many edges are looked at together.
const EDGES: usize = 24;
/// The longest edge, in degrees of latitude or longitude.
const LONGEST: f64 = 1.0;

type Vector = [f64; 3];

/// A few edges side by side, and a ball that they are in.
#[derive(Debug)]
struct Stretch {
    /// One more than there are edges.
    points: Vec<Vector>,
    middle: Vector,
    radius: f64,
    /// How far around the edges the shape reaches, in kilometres.
    around: f64,
}

/// A point or a shape, made ready to be measured.
#[derive(Debug)]
pub(super) struct Body {
    stretches: Vec<Stretch>,
    /// Each polygon's rings, in degrees, for what is inside of them.
    polygons: Vec<Vec<Vec<(f64, f64)>>>,
}

impl Body {
    pub(super) fn of_point(point: Point) -> Self {
        let vector = vector((point.latitude(), point.longitude()));
        Self {
            stretches: vec![Stretch::new(vec![vector, vector], 0.0)],
            polygons: vec![vec![vec![(point.latitude(), point.longitude())]]],
        }
    }

    pub(super) fn of_shape(atlas: &Atlas, shape: &Shape) -> Self {
        let degrees = |(latitude, longitude): Corner| (f64::from(latitude) / 1e3, f64::from(longitude) / 1e3);
        let mut body = Self { stretches: Vec::new(), polygons: Vec::new() };
        for polygon in shape.parts.iter().filter_map(|part| atlas.polygons.get(*part as usize)) {
            let rings: Vec<Vec<(f64, f64)>> =
                polygon.iter().map(|ring| ring.iter().copied().map(degrees).collect()).collect();
            for ring in &rings {
                let points = outline(ring);
                let mut from = 0;
                while from + 1 < points.len() {
                    let to = (from + EDGES).min(points.len() - 1);
                    body.stretches.push(Stretch::new(points.get(from..=to).unwrap_or_default().to_vec(), 0.0));
                    from = to;
                }
            }
            body.polygons.push(rings);
        }
        for disc in &shape.discs {
            let middle = vector(degrees(disc.middle));
            body.stretches.push(Stretch::new(vec![middle, middle], f64::from(disc.km)));
        }
        body
    }

    /// The least distance to another body in kilometres; zero where one is in the other.
    pub(super) fn km_to(&self, other: &Self) -> f64 {
        if self.holds_part_of(other) || other.holds_part_of(self) {
            return 0.0;
        }
        // Balls first: what cannot be nearest is not measured.
        let mut least = f64::INFINITY;
        for mine in &self.stretches {
            for theirs in &other.stretches {
                let apart = length(sub(mine.middle, theirs.middle)) + mine.radius + theirs.radius;
                least = least.min(km(apart) - mine.around - theirs.around);
            }
        }
        for mine in &self.stretches {
            for theirs in &other.stretches {
                let (around, radii) = (mine.around + theirs.around, mine.radius + theirs.radius);
                let apart = length(sub(mine.middle, theirs.middle)) - radii;
                if km(apart.max(0.0)) - around < least {
                    least = least.min(km(mine.apart(theirs)) - around);
                }
            }
        }
        least.max(0.0)
    }

    /// Whether a corner of each of the other's polygons is inside: enough where no edges cross, and where they do, the
    /// distance of edges is nothing.
    fn holds_part_of(&self, other: &Self) -> bool {
        let corners = other.polygons.iter().filter_map(|rings| rings.first()?.first());
        corners.into_iter().any(|corner| self.polygons.iter().any(|rings| inside(rings, *corner)))
    }
}

impl Stretch {
    fn new(points: Vec<Vector>, around: f64) -> Self {
        let sum = points.iter().fold([0.0; 3], |sum, point| add(sum, *point));
        let middle = sum.map(|axis| axis / points.len() as f64);
        let radius = points.iter().map(|point| length(sub(*point, middle))).fold(0.0, f64::max);
        Self { points, middle, radius, around }
    }

    fn edges(&self) -> impl Iterator<Item = (Vector, Vector)> + '_ {
        self.points.iter().copied().zip(self.points.iter().copied().skip(1))
    }

    /// The least length of a straight line between two stretches.
    fn apart(&self, other: &Self) -> f64 {
        let mut least = f64::INFINITY;
        for mine in self.edges() {
            for theirs in other.edges() {
                least = least.min(squared(mine, theirs));
            }
        }
        least.sqrt()
    }
}

/// From the length of a straight line through the unit globe to kilometres over the ground.
fn km(chord: f64) -> f64 {
    2.0 * EARTH_KM * (chord / 2.0).min(1.0).asin()
}

fn vector((latitude, longitude): (f64, f64)) -> Vector {
    let (sin_lat, cos_lat) = latitude.to_radians().sin_cos();
    let (sin_lon, cos_lon) = longitude.to_radians().sin_cos();
    [cos_lat * cos_lon, cos_lat * sin_lon, sin_lat]
}

/// A ring as points no further apart than [`LONGEST`], closed.
fn outline(ring: &[(f64, f64)]) -> Vec<Vector> {
    let mut points = Vec::with_capacity(ring.len() + 1);
    for ((latitude, longitude), to) in ring.iter().zip(ring.iter().skip(1).chain(ring.first())) {
        let (north, east) = (to.0 - latitude, shorter_way(to.1 - longitude));
        let pieces = (north.abs().max(east.abs()) / LONGEST).ceil().max(1.0);
        points.extend((0..pieces as u32).map(|piece| {
            let share = f64::from(piece) / pieces;
            vector((latitude + north * share, longitude + east * share))
        }));
    }
    points.extend(points.first().copied());
    points
}

/// A difference of longitudes by the shorter way around the globe.
fn shorter_way(east: f64) -> f64 {
    east - 360.0 * (east / 360.0).round()
}

/// Whether a point is inside of rings: whether an odd number of edges lies due north of it.
fn inside(rings: &[Vec<(f64, f64)>], (latitude, longitude): (f64, f64)) -> bool {
    let mut odd = false;
    for ring in rings {
        for (from, to) in ring.iter().zip(ring.iter().skip(1).chain(ring.first())) {
            // Longitudes with the point as zero; the second by the shorter way from the first.
            let a = shorter_way(from.1 - longitude);
            let b = a + shorter_way(to.1 - from.1);
            if (a > 0.0) != (b > 0.0) && from.0 + (to.0 - from.0) * a / (a - b) > latitude {
                odd = !odd;
            }
        }
    }
    odd
}

fn add(a: Vector, b: Vector) -> Vector {
    [a[0] + b[0], a[1] + b[1], a[2] + b[2]]
}

fn sub(a: Vector, b: Vector) -> Vector {
    [a[0] - b[0], a[1] - b[1], a[2] - b[2]]
}

fn dot(a: Vector, b: Vector) -> f64 {
    a[0] * b[0] + a[1] * b[1] + a[2] * b[2]
}

fn length(a: Vector) -> f64 {
    dot(a, a).sqrt()
}

/// The square of the least distance between two straight lines that end (Ericson, Real-Time Collision Detection, 2005,
/// section 5.1.9).
fn squared((from1, to1): (Vector, Vector), (from2, to2): (Vector, Vector)) -> f64 {
    const NOTHING: f64 = 1e-18;
    let (along1, along2, apart) = (sub(to1, from1), sub(to2, from2), sub(from1, from2));
    let (square1, square2, apart2) = (dot(along1, along1), dot(along2, along2), dot(along2, apart));
    let (share1, share2) = if square1 <= NOTHING && square2 <= NOTHING {
        (0.0, 0.0)
    } else if square1 <= NOTHING {
        (0.0, (apart2 / square2).clamp(0.0, 1.0))
    } else {
        let apart1 = dot(along1, apart);
        if square2 <= NOTHING {
            ((-apart1 / square1).clamp(0.0, 1.0), 0.0)
        } else {
            let both = dot(along1, along2);
            let skew = square1 * square2 - both * both;
            // Of parallel lines any point does for a start.
            let share = if skew > NOTHING { ((both * apart2 - apart1 * square2) / skew).clamp(0.0, 1.0) } else { 0.0 };
            match (both * share + apart2) / square2 {
                beyond if beyond < 0.0 => ((-apart1 / square1).clamp(0.0, 1.0), 0.0),
                beyond if beyond > 1.0 => (((both - apart1) / square1).clamp(0.0, 1.0), 1.0),
                other => (share, other),
            }
        }
    };
    let at = |from: Vector, along: Vector, share: f64| add(from, along.map(|axis| axis * share));
    let between = sub(at(from1, along1, share1), at(from2, along2, share2));
    dot(between, between)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An edge, not its ends, is nearest; over the antimeridian; around the pole.
    #[test]
    fn edges_count_and_longitudes_go_around() {
        let square = |rings: Vec<Vec<Corner>>| {
            let atlas = Atlas { polygons: vec![rings], shapes: vec![] };
            let country = crate::model::Country::from_code("FJ").unwrap();
            Body::of_shape(&atlas, &Shape { country, parts: vec![0], discs: vec![] })
        };
        let point = |latitude, longitude| Body::of_point(Point::new(latitude, longitude).unwrap());
        let box_ = square(vec![vec![(-10_000, 170_000), (10_000, 170_000), (10_000, 190_000), (-10_000, 190_000)]]);
        let degree = EARTH_KM.to_radians();
        let near = |found: f64, degrees: f64| (found - degrees * degree).abs() < 0.5;
        assert!(near(box_.km_to(&point(0.0, 160.0)), 10.0), "{}", box_.km_to(&point(0.0, 160.0)));
        assert!(near(box_.km_to(&point(0.0, -165.0)), 5.0));
        for (latitude, longitude) in [(0.0, 180.0), (0.0, -180.0), (5.0, -175.0), (-9.0, 171.0)] {
            assert!(box_.km_to(&point(latitude, longitude)).abs() < 1e-9, "{latitude} {longitude}");
        }
        assert!(near(box_.km_to(&square(vec![vec![(0, -165_000), (1_000, -160_000), (-1_000, -160_000)]])), 5.0));
        // A cap around the south pole, all around the globe.
        let cap = square(vec![(0..36).map(|step| (-70_000, step * 10_000)).collect()]);
        assert!(cap.km_to(&point(-90.0, 0.0)).abs() < 1e-9 && cap.km_to(&point(-75.0, 123.0)).abs() < 1e-9);
        assert!(near(cap.km_to(&point(-60.0, 45.0)), 10.0));
        // A hole is not inside.
        let holed = square(vec![
            vec![(0, 0), (0, 20_000), (20_000, 20_000), (20_000, 0)],
            vec![(5_000, 5_000), (5_000, 15_000), (15_000, 15_000), (15_000, 5_000)],
        ]);
        assert!(holed.km_to(&point(10.0, 10.0)) > 400.0 && holed.km_to(&point(2.0, 2.0)).abs() < 1e-9);
    }
}
