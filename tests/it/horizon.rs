//! Distances to countries, and what a round-trip time refutes.

use landfall::locate::horizon::{self, Horizon, LEAST_US, MARGIN_KM, MIN_SAMPLES, Medium};
use landfall::model::{Country, CountrySet, Point, RoundTrip, Vantage};

fn country(code: &str) -> Country {
    Country::from_code(code).unwrap_or_else(|| panic!("{code}"))
}

fn at(latitude: f64, longitude: f64) -> Point {
    Point::new(latitude, longitude).expect("on the map")
}

/// North and east.
type Degrees = (f64, f64);

const FRANKFURT: Degrees = (50.11, 8.68);

/// The great circle on the sphere of the mean radius of the earth (IUGG, 6371.0088 km), by the haversine formula.
fn haversine((lat1, lon1): (f64, f64), (lat2, lon2): (f64, f64)) -> f64 {
    let (p1, p2) = (lat1.to_radians(), lat2.to_radians());
    let (dp, dl) = ((lat2 - lat1).to_radians(), (lon2 - lon1).to_radians());
    let a = (dp / 2.0).sin().powi(2) + p1.cos() * p2.cos() * (dl / 2.0).sin().powi(2);
    2.0 * 6371.0088 * a.sqrt().asin()
}

/// From a place to a country, with the nearest point of that country as an atlas has it: capes, extreme points, border
/// towns.
const PAIRS: &[(&str, Degrees, &str, Degrees)] = &[
    ("Frankfurt to Oberbargen, the northernmost point of Switzerland", FRANKFURT, "CH", (47.808, 8.568)),
    ("Frankfurt to North Foreland, Kent", FRANKFURT, "GB", (51.375, 1.445)),
    ("Frankfurt to the Vistula Spit in Kaliningrad", FRANKFURT, "RU", (54.44, 19.63)),
    ("Frankfurt to Alert, not to Newfoundland", FRANKFURT, "CA", (82.5, -61.2)),
    ("Frankfurt to Van Buren, Maine", FRANKFURT, "US", (47.2, -67.8)),
    ("Frankfurt to the westernmost point of China, in the Pamirs", FRANKFURT, "CN", (39.7, 73.6)),
    ("Frankfurt to Qaraqosh on the Golan, northernmost Israel", FRANKFURT, "IL", (33.33, 35.78)),
    ("Frankfurt to Gozo", FRANKFURT, "MT", (36.08, 14.22)),
    ("Singapore to Batam", (1.35, 103.82), "ID", (1.187, 104.0)),
    ("Singapore to the Mekong's mouth and Ca Mau", (1.35, 103.82), "VN", (8.56, 104.83)),
    ("Auckland to Lord Howe Island", (-36.85, 174.76), "AU", (-31.55, 159.08)),
    ("Auckland to Norfolk Island", (-36.85, 174.76), "NF", (-29.06, 167.96)),
    ("Auckland to Ceva-i-Ra", (-36.85, 174.76), "FJ", (-21.77, 174.5)),
    ("Suva to Futuna, over the antimeridian", (-18.14, 178.44), "WF", (-14.31, -178.16)),
    ("Suva to Savai'i, over the antimeridian", (-18.14, 178.44), "WS", (-13.51, -172.8)),
    ("Anadyr to St Lawrence Island, over the antimeridian", (64.73, 177.5), "US", (63.77, -171.74)),
    ("Rome to San Marino", (41.9, 12.5), "SM", (43.893, 12.46)),
    ("Zurich to Balzers", (47.37, 8.54), "LI", (47.07, 9.485)),
    ("Cayenne to Clipperton: Guiana is not France", (4.92, -52.33), "FR", (10.3, -109.2)),
    ("Saint-Denis to Corsica: Reunion is not France", (-20.88, 55.45), "FR", (41.37, 9.22)),
    ("Hong Kong to Pingtan, not to Kinmen", (22.28, 114.16), "PH", (18.6, 120.6)),
    ("The north pole to Kaffeklubben", (90.0, 0.0), "GL", (83.66, -29.87)),
    ("The south pole to Diego Ramirez", (-90.0, 0.0), "CL", (-56.53, -68.71)),
    ("Honolulu to Johnston Atoll", (21.31, -157.86), "UM", (16.73, -169.52)),
    ("Reykjavik to the Blosseville Coast", (64.15, -21.94), "GL", (68.45, -26.6)),
    ("Bouvet to South Georgia's islands", (-54.42, 3.36), "GS", (-57.08, -26.6)),
];

/// Never more than it is, and not much less: the margin, and one part in a hundred for the sphere.
#[test]
fn distances_are_rounded_down_and_near_the_truth() {
    let mut wrong = Vec::new();
    for (name, from, code, nearest) in PAIRS {
        let truth = haversine(*from, *nearest);
        let found = f64::from(horizon::distance(at(from.0, from.1), country(code)));
        let least = truth * 0.985 - f64::from(MARGIN_KM) - 25.0;
        if found > truth || found < least {
            wrong.push(format!("{name}: {found} km, the atlas says {truth:.0}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn inside_is_nothing() {
    let capitals = [
        ("DE", FRANKFURT),
        ("CH", (46.95, 7.45)),
        ("VA", (41.903, 12.453)),
        ("MC", (43.74, 7.42)),
        ("SG", (1.35, 103.82)),
        ("MY", (1.35, 103.82)),
        ("FJ", (-16.8, 179.99)),
        ("FJ", (-16.8, -179.99)),
        ("NZ", (-43.95, -176.55)),
        ("RU", (66.0, -172.0)),
        ("US", (51.88, -176.65)),
        ("AQ", (-90.0, 0.0)),
        ("AQ", (-77.85, 166.67)),
        ("LS", (-29.31, 27.48)),
        ("GF", (4.92, -52.33)),
        ("RE", (-20.88, 55.45)),
        ("GP", (16.24, -61.53)),
        ("MQ", (14.6, -61.07)),
        ("YT", (-12.78, 45.23)),
        ("BQ", (12.15, -68.27)),
        ("BQ", (17.48, -62.98)),
        ("SJ", (78.22, 15.65)),
        ("SJ", (70.92, -8.72)),
        ("GI", (36.14, -5.35)),
        ("CX", (-10.42, 105.68)),
        ("CC", (-12.19, 96.83)),
        ("TK", (-9.38, -171.25)),
        ("TK", (-8.55, -172.5)),
        ("UM", (19.28, 166.65)),
        ("BV", (-54.42, 3.36)),
        ("XK", (42.66, 21.17)),
        ("RS", (42.66, 21.17)),
        ("UA", (44.95, 34.1)),
        ("RU", (44.95, 34.1)),
        ("HK", (22.28, 114.16)),
        ("TV", (-8.52, 179.2)),
        ("HM", (-53.1, 73.51)),
        ("KI", (1.87, -157.4)),
    ];
    for (code, (latitude, longitude)) in capitals {
        assert_eq!(horizon::distance(at(latitude, longitude), country(code)), 0, "{code} {latitude} {longitude}");
    }
    // Lesotho is a hole in South Africa, and Maseru lies on its edge: take the middle.
    assert!(horizon::distance(at(-29.55, 28.4), country("ZA")) > 20);
}

/// Islands and exclaves far from the rest of their country, by the coordinates of gazetteers: what a shape leaves out, a
/// horizon would refute.
const OUTLYING: &[(&str, &str, (f64, f64))] = &[
    ("AU", "Cato Reef", (-23.25, 155.53)),
    ("AU", "Lord Howe", (-31.55, 159.08)),
    ("AU", "Macquarie", (-54.5, 158.94)),
    ("AU", "Willis", (-16.29, 149.96)),
    ("BR", "Fernando de Noronha", (-3.85, -32.42)),
    ("BR", "Rocas", (-3.87, -33.81)),
    ("BR", "Saint Peter and Saint Paul", (0.917, -29.346)),
    ("BR", "Trindade", (-20.51, -29.32)),
    ("CA", "Sable", (43.93, -59.91)),
    ("CK", "Penrhyn", (-9.0, -157.97)),
    ("CK", "Pukapuka", (-10.88, -165.85)),
    ("CK", "Suwarrow", (-13.29, -163.11)),
    ("CL", "Diego Ramirez", (-56.51, -68.72)),
    ("CL", "Easter Island", (-27.12, -109.36)),
    ("CL", "Juan Fernandez", (-33.64, -78.84)),
    ("CL", "Sala y Gomez", (-26.47, -105.36)),
    ("CL", "San Felix", (-26.29, -80.1)),
    ("CO", "Malpelo", (4.0, -81.61)),
    ("CO", "San Andres", (12.58, -81.7)),
    ("CR", "Cocos Island", (5.53, -87.06)),
    ("DE", "Busingen", (47.7, 8.69)),
    ("DE", "Heligoland", (54.18, 7.89)),
    ("DK", "Christianso", (55.32, 15.19)),
    ("EC", "Darwin", (1.68, -92.0)),
    ("ES", "Alboran", (35.94, -3.04)),
    ("ES", "Ceuta", (35.89, -5.32)),
    ("ES", "El Hierro", (27.74, -18.02)),
    ("ES", "Melilla", (35.29, -2.94)),
    ("FJ", "Ceva-i-Ra", (-21.74, 174.63)),
    ("FJ", "Ono-i-Lau", (-20.66, -178.72)),
    ("FJ", "Rotuma", (-12.5, 177.07)),
    ("FM", "Kapingamarangi", (1.07, 154.78)),
    ("FM", "Ngulu", (8.45, 137.5)),
    ("FM", "Nukuoro", (3.85, 154.95)),
    ("FR", "Clipperton", (10.3, -109.22)),
    ("GB", "Foula", (60.13, -2.07)),
    ("GB", "Rockall", (57.6, -13.69)),
    ("GB", "St Kilda", (57.81, -8.58)),
    ("GB", "Sule Skerry", (59.08, -4.41)),
    ("GQ", "Annobon", (-1.43, 5.63)),
    ("GR", "Gavdos", (34.84, 24.09)),
    ("GR", "Kastellorizo", (36.15, 29.59)),
    ("ID", "Miangas", (5.56, 126.59)),
    ("IN", "Great Nicobar", (6.8, 93.85)),
    ("IN", "Minicoy", (8.28, 73.05)),
    ("IO", "Diego Garcia", (-7.31, 72.41)),
    ("IO", "Peros Banhos", (-5.33, 71.85)),
    ("IT", "Lampedusa", (35.5, 12.6)),
    ("IT", "Campione", (45.97, 8.97)),
    ("JP", "Minami-Torishima", (24.29, 153.98)),
    ("JP", "Okinotorishima", (20.42, 136.09)),
    ("JP", "Yonaguni", (24.46, 122.98)),
    ("JP", "Iwo Jima", (24.78, 141.32)),
    ("KI", "Banaba", (-0.86, 169.54)),
    ("KI", "Flint", (-11.43, -151.82)),
    ("KI", "Kanton", (-2.81, -171.67)),
    ("KI", "Malden", (-4.02, -154.93)),
    ("KI", "Teraina", (4.69, -160.38)),
    ("MH", "Bokak", (14.6, 169.0)),
    ("MH", "Enewetak", (11.5, 162.2)),
    ("MH", "Ebon", (4.6, 168.7)),
    ("MP", "Farallon de Pajaros", (20.55, 144.89)),
    ("MU", "Agalega", (-10.4, 56.6)),
    ("MU", "Rodrigues", (-19.72, 63.43)),
    ("MU", "Saint Brandon", (-16.58, 59.62)),
    ("MX", "Clarion", (18.36, -114.73)),
    ("MX", "Guadalupe", (29.03, -118.28)),
    ("MX", "Socorro", (18.79, -110.97)),
    ("NC", "Chesterfield", (-19.88, 158.31)),
    ("NC", "Hunter", (-22.4, 172.09)),
    ("NC", "Huon", (-18.03, 162.96)),
    ("NC", "Walpole", (-22.6, 168.95)),
    ("NU", "Niue", (-19.05, -169.92)),
    ("NZ", "Antipodes", (-49.69, 178.77)),
    ("NZ", "Bounty", (-47.75, 179.05)),
    ("NZ", "Campbell", (-52.54, 169.15)),
    ("NZ", "Chatham", (-43.95, -176.55)),
    ("NZ", "Raoul", (-29.27, -177.92)),
    ("OM", "Al-Hallaniyat", (17.5, 56.02)),
    ("OM", "Musandam", (26.2, 56.25)),
    ("PF", "Rapa", (-27.6, -144.33)),
    ("PF", "Marotiri", (-27.92, -143.43)),
    ("PF", "Gambier", (-23.12, -134.97)),
    ("PF", "Maria", (-21.8, -154.69)),
    ("PF", "Motu One", (-15.82, -154.53)),
    ("PF", "Eiao", (-8.0, -140.68)),
    ("PG", "Nuguria", (-3.32, 154.72)),
    ("PG", "Wuvulu", (-1.73, 142.84)),
    ("PH", "Mavulis", (21.12, 121.95)),
    ("PN", "Ducie", (-24.67, -124.79)),
    ("PN", "Henderson", (-24.37, -128.33)),
    ("PN", "Oeno", (-23.93, -130.74)),
    ("PT", "Corvo", (39.7, -31.11)),
    ("PT", "Selvagens", (30.14, -15.87)),
    ("PW", "Helen Reef", (2.97, 131.82)),
    ("PW", "Sonsorol", (5.33, 132.22)),
    ("RU", "Bering Island", (55.0, 166.2)),
    ("RU", "Kaliningrad", (54.71, 20.5)),
    ("RU", "Franz Josef Land", (80.6, 58.0)),
    ("RU", "Victoria Island", (80.15, 36.75)),
    ("SB", "Anuta", (-11.61, 169.85)),
    ("SB", "Ontong Java", (-5.27, 159.35)),
    ("SB", "Sikaiana", (-8.4, 162.95)),
    ("SB", "Tikopia", (-12.3, 168.83)),
    ("SC", "Aldabra", (-9.42, 46.4)),
    ("SC", "Coetivy", (-7.14, 56.27)),
    ("SC", "Farquhar", (-10.18, 51.1)),
    ("SH", "Ascension", (-7.94, -14.36)),
    ("SH", "Gough", (-40.32, -9.94)),
    ("SH", "Tristan da Cunha", (-37.1, -12.28)),
    ("ST", "Principe", (1.61, 7.4)),
    ("TF", "Amsterdam", (-37.83, 77.55)),
    ("TF", "Crozet", (-46.4, 51.75)),
    ("TF", "Europa", (-22.37, 40.36)),
    ("TF", "Glorioso", (-11.55, 47.33)),
    ("TF", "Bassas da India", (-21.47, 39.69)),
    ("TF", "Juan de Nova", (-17.05, 42.72)),
    ("TF", "Tromelin", (-15.89, 54.52)),
    ("TO", "Ata", (-22.34, -176.21)),
    ("TO", "Minerva", (-23.63, -178.9)),
    ("TO", "Niuafo'ou", (-15.6, -175.63)),
    ("TV", "Nanumea", (-5.67, 176.12)),
    ("TV", "Niulakita", (-10.79, 179.47)),
    ("TW", "Kinmen", (24.44, 118.37)),
    ("TW", "Matsu", (26.16, 119.93)),
    ("TW", "Pratas", (20.7, 116.72)),
    ("UM", "Baker", (0.19, -176.48)),
    ("UM", "Jarvis", (-0.37, -159.99)),
    ("UM", "Midway", (28.21, -177.37)),
    ("UM", "Navassa", (18.4, -75.01)),
    ("UM", "Palmyra", (5.88, -162.08)),
    ("US", "Attu", (52.9, 172.9)),
    ("US", "Kure", (28.39, -178.3)),
    ("US", "Pribilof", (57.15, -170.25)),
    ("US", "St Matthew", (60.4, -172.7)),
    ("VC", "Union Island", (12.6, -61.43)),
    ("VE", "Aves", (15.67, -63.62)),
    ("VU", "Mere Lava", (-14.45, 168.05)),
    ("VU", "Torres Islands", (-13.25, 166.6)),
    ("YE", "Abd al Kuri", (12.18, 52.23)),
    ("YE", "Socotra", (12.5, 53.9)),
    ("ZA", "Prince Edward Islands", (-46.9, 37.75)),
];

#[test]
fn what_lies_far_out_belongs_to_its_country() {
    let outside = OUTLYING.iter().filter_map(|(code, name, (latitude, longitude))| {
        let km = horizon::distance(at(*latitude, *longitude), country(code));
        (km > 0).then(|| format!("{code} {name}: {km} km"))
    });
    let outside: Vec<String> = outside.collect();
    assert!(outside.is_empty(), "{}", outside.join("\n"));
}

#[test]
fn every_code_has_a_shape() {
    let atlas = horizon::atlas().as_ref().expect("the embedded shapes are whole");
    let shaped: CountrySet = atlas.shapes.iter().map(|shape| shape.country).collect();
    assert_eq!(shaped, CountrySet::ANYWHERE);
    assert!(atlas.shapes.iter().all(|shape| !shape.parts.is_empty() || !shape.discs.is_empty()));
    let only_discs = atlas.shapes.iter().filter(|shape| shape.parts.is_empty()).map(|shape| shape.country.code());
    assert_eq!(only_discs.collect::<Vec<_>>(), ["BV", "TK"]);
}

fn rtt(us: u32, samples: u8) -> RoundTrip {
    RoundTrip::new(us, samples).unwrap_or(RoundTrip::UNMEASURED)
}

#[test]
fn a_round_trip_time_only_excludes() {
    let vantage = Vantage::Point(at(FRANKFURT.0, FRANKFURT.1));
    let fibre = Horizon::new(vantage, Medium::Fibre);
    let (de, ch, cn) = (country("DE"), country("CH"), country("CN"));
    let four = fibre.reach(rtt(4_000, MIN_SAMPLES));
    assert!(four.contains(de) && four.contains(ch) && !four.contains(cn) && !four.contains(country("US")));
    // No evidence: not measured, too few, too soon.
    for nothing in [RoundTrip::UNMEASURED, rtt(4_000, MIN_SAMPLES - 1), rtt(LEAST_US - 1, 200)] {
        assert!(fibre.reach(nothing).is_anywhere(), "{nothing:?}");
    }
    assert!(!fibre.reach(rtt(LEAST_US, MIN_SAMPLES)).is_anywhere());
    // A high time means nothing.
    assert!(fibre.reach(rtt(250_000, 200)).is_anywhere());
    // The border of Switzerland is 257 km away: out of reach at 2.2 ms of fibre, in reach of light in empty space.
    assert!(!fibre.reach(rtt(2_200, 9)).contains(ch) && fibre.reach(rtt(2_600, 9)).contains(ch));
    assert!(Horizon::new(vantage, Medium::Vacuum).reach(rtt(2_200, 9)).contains(ch));
    assert_eq!((fibre.km(1_000), fibre.km(1_001), fibre.km(1), fibre.km(0)), (100, 101, 1, 0));
}

/// The sorted list against every country one by one.
#[test]
fn reach_is_every_country_near_enough() {
    for vantage in ["50.11,8.68", "-18.14,178.44", "DE", "FJ", "VA"] {
        let horizon = Horizon::new(vantage.parse().unwrap(), Medium::Fibre);
        for km in (0..20_100).step_by(97) {
            let brute: CountrySet = Country::all().filter(|country| horizon.distance(*country) <= km).collect();
            assert_eq!(horizon.within(km), brute, "{vantage} {km} km");
        }
    }
}

/// From anywhere in a country is never further than from a point in it.
#[test]
fn a_whole_country_is_the_nearest_of_its_points() {
    let whole = Horizon::new(Vantage::Country(country("DE")), Medium::Fibre);
    for point in [FRANKFURT, (52.52, 13.4), (48.14, 11.58), (54.78, 9.43)] {
        let there = Horizon::new(Vantage::Point(at(point.0, point.1)), Medium::Fibre);
        for country in Country::all() {
            assert!(whole.distance(country) <= there.distance(country), "{country} from {point:?}");
        }
    }
    for neighbour in ["AT", "BE", "CH", "CZ", "DE", "DK", "FR", "LU", "NL", "PL"] {
        assert_eq!(whole.distance(country(neighbour)), 0, "{neighbour}");
    }
    // Vorarlberg lies between: Balzers is 36 km from Lindau.
    let liechtenstein = whole.distance(country("LI"));
    assert!((10..=36).contains(&liechtenstein), "{liechtenstein}");
    let britain = f64::from(whole.distance(country("GB")));
    // Borkum to Lowestoft.
    let truth = haversine((53.59, 6.67), (52.48, 1.763));
    assert!(britain <= truth && britain > truth * 0.9 - 40.0, "{britain} of {truth}");
}
