//! Makes the country shapes that the program carries: `cargo run --release --example shapes -- COUNTRIES-10M.json OUTDIR`.
//!
//! The source is the npm package `world-atlas` (file `countries-10m.json`), unpacked: Natural Earth, 1:10 million, in the
//! public domain, as `TopoJSON`; its `package.json` beside the file tells the version. The same source gives the same
//! octets.
//!
//! Outlines are simplified until no corner of the source is further than [`TOLERANCE_KM`] from what is left, and islands
//! that near to a greater part of the same country are left out. Natural Earth's units become ISO 3166-1 codes: overseas
//! parts with a code of their own are split from the country they belong to, and disputed territory is a part of every
//! country that claims it, because a database may place its addresses in any of them.

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a program run by hand talks to its user")]

use std::collections::BTreeMap;
use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use landfall::locate::horizon::shapes::{self, Atlas, Corner, Disc, Polygon, Shape};
use landfall::model::Country;
use serde_json::Value;
use sha2::{Digest as _, Sha256};

/// How far a corner of the source may be from the simplified outline.
const TOLERANCE_KM: f64 = 4.0;
/// Kilometres in a degree of latitude.
const DEGREE_KM: f64 = 111.2;

/// ISO 3166-1: numeric code and alpha-2 code.
const NUMERIC: &str = "\
    004AF 008AL 010AQ 012DZ 016AS 020AD 024AO 028AG 031AZ 032AR 036AU 040AT 044BS 048BH 050BD 051AM 052BB 056BE \
    060BM 064BT 068BO 070BA 072BW 074BV 076BR 084BZ 086IO 090SB 092VG 096BN 100BG 104MM 108BI 112BY 116KH 120CM \
    124CA 132CV 136KY 140CF 144LK 148TD 152CL 156CN 158TW 162CX 166CC 170CO 174KM 175YT 178CG 180CD 184CK 188CR \
    191HR 192CU 196CY 203CZ 204BJ 208DK 212DM 214DO 218EC 222SV 226GQ 231ET 232ER 233EE 234FO 238FK 239GS 242FJ \
    246FI 248AX 250FR 254GF 258PF 260TF 262DJ 266GA 268GE 270GM 275PS 276DE 288GH 292GI 296KI 300GR 304GL 308GD \
    312GP 316GU 320GT 324GN 328GY 332HT 334HM 336VA 340HN 344HK 348HU 352IS 356IN 360ID 364IR 368IQ 372IE 376IL \
    380IT 384CI 388JM 392JP 398KZ 400JO 404KE 408KP 410KR 414KW 417KG 418LA 422LB 426LS 428LV 430LR 434LY 438LI \
    440LT 442LU 446MO 450MG 454MW 458MY 462MV 466ML 470MT 474MQ 478MR 480MU 484MX 492MC 496MN 498MD 499ME 500MS \
    504MA 508MZ 512OM 516NA 520NR 524NP 528NL 531CW 533AW 534SX 535BQ 540NC 548VU 554NZ 558NI 562NE 566NG 570NU \
    574NF 578NO 580MP 581UM 583FM 584MH 585PW 586PK 591PA 598PG 600PY 604PE 608PH 612PN 616PL 620PT 624GW 626TL \
    630PR 634QA 638RE 642RO 643RU 646RW 652BL 654SH 659KN 660AI 662LC 663MF 666PM 670VC 674SM 678ST 682SA 686SN \
    688RS 690SC 694SL 702SG 703SK 704VN 705SI 706SO 710ZA 716ZW 724ES 728SS 729SD 732EH 740SR 744SJ 748SZ 752SE \
    756CH 760SY 762TJ 764TH 768TG 772TK 776TO 780TT 784AE 788TN 792TR 795TM 796TC 798TV 800UG 804UA 807MK 818EG \
    826GB 831GG 832JE 833IM 834TZ 840US 850VI 854BF 858UY 860UZ 862VE 876WF 882WS 887YE 894ZM";

/// Units of Natural Earth that have no code of their own, with the codes that claim them.
const CLAIMED: &[(&str, &[&str])] = &[
    ("Akrotiri", &["CY", "GB"]),
    ("Baikonur", &["KZ", "RU"]),
    ("Bajo Nuevo Bank", &["CO", "JM", "US"]),
    ("Clipperton I.", &["FR"]),
    ("Coral Sea Is.", &["AU"]),
    ("Cyprus U.N. Buffer Zone", &["CY", "TR"]),
    ("Dhekelia", &["CY", "GB"]),
    ("Kosovo", &["RS", "XK"]),
    ("N. Cyprus", &["CY", "TR"]),
    ("Palestine", &["IL", "PS"]),
    ("Scarborough Reef", &["CN", "PH", "TW"]),
    ("Serranilla Bank", &["CO", "HN", "US"]),
    ("Siachen Glacier", &["CN", "IN", "PK"]),
    ("Somaliland", &["SO"]),
    ("Spratly Is.", &["BN", "CN", "MY", "PH", "TW", "VN"]),
    ("USNB Guantanamo Bay", &["CU", "US"]),
    ("W. Sahara", &["EH", "MA"]),
];

/// Parts that lie in a box (south, west, north, east) and have other codes than the unit they belong to.
const SPLIT: &[(&str, [f64; 4], &[&str])] = &[
    ("France", [2.0, -55.0, 6.0, -51.0], &["GF"]),
    ("France", [14.3, -61.3, 15.0, -60.7], &["MQ"]),
    ("France", [15.8, -61.9, 16.6, -60.9], &["GP"]),
    ("France", [-21.5, 55.1, -20.8, 56.0], &["RE"]),
    ("France", [-13.1, 44.9, -12.5, 45.4], &["YT"]),
    ("Netherlands", [12.0, -68.6, 12.4, -68.1], &["BQ"]),
    ("Netherlands", [17.4, -63.3, 17.7, -62.9], &["BQ"]),
    ("Norway", [74.0, 10.0, 81.0, 34.0], &["SJ"]),
    ("Norway", [70.7, -9.2, 71.3, -7.8], &["SJ"]),
    ("Indian Ocean Ter.", [-13.0, 96.0, -11.0, 98.0], &["CC"]),
    ("Indian Ocean Ter.", [-11.0, 105.0, -10.0, 106.0], &["CX"]),
    // Crimea.
    ("Russia", [44.3, 32.4, 46.3, 36.7], &["RU", "UA"]),
];

/// What Natural Earth has no outline of at this scale: the middle in degrees and a radius in kilometres that holds all of
/// it, from the coordinates of public gazetteers.
const DISCS: &[(&str, f64, f64, u32)] = &[
    ("AU", -23.25, 155.53, 25),  // Cato Reef
    ("AU", -16.29, 149.96, 25),  // Willis
    ("BR", -3.87, -33.81, 15),   // Rocas
    ("BV", -54.42, 3.36, 10),    // Bouvet
    ("CK", -13.29, -163.11, 20), // Suwarrow
    ("CL", -56.51, -68.72, 15),  // Diego Ramirez
    ("DK", 55.32, 15.19, 10),    // Christianso
    ("ES", 35.94, -3.04, 10),    // Alboran
    ("FM", 8.45, 137.5, 25),     // Ngulu
    ("GB", 59.08, -4.41, 10),    // Sule Skerry
    ("GR", 36.15, 29.59, 15),    // Kastellorizo
    ("JP", 20.42, 136.09, 10),   // Okinotorishima
    ("MH", 11.5, 162.2, 35),     // Enewetak
    ("MU", -16.58, 59.62, 40),   // Saint Brandon
    ("NC", -22.4, 172.09, 15),   // Hunter
    ("NC", -22.6, 168.95, 15),   // Walpole
    ("NC", -19.88, 158.31, 90),  // Chesterfield
    ("NC", -18.03, 162.96, 45),  // Huon and Surprise
    ("NZ", -47.75, 179.05, 15),  // Bounty
    ("PF", -27.92, -143.43, 15), // Marotiri
    ("PF", -21.8, -154.69, 15),  // Maria
    ("SB", -11.61, 169.85, 15),  // Anuta
    ("SB", -8.4, 162.95, 20),    // Sikaiana
    ("SB", -5.27, 159.35, 45),   // Ontong Java
    ("SC", -10.18, 51.1, 25),    // Farquhar
    ("TK", -9.0, -171.85, 110),  // Tokelau, from Atafu to Fakaofo
    ("TO", -23.63, -178.9, 45),  // Minerva
    ("TV", -10.79, 179.47, 15),  // Niulakita
    ("TW", 20.7, 116.72, 20),    // Pratas
    ("TW", 26.16, 119.93, 45),   // Matsu
    ("VU", -14.45, 168.05, 15),  // Mere Lava
];

fn main() -> ExitCode {
    let arguments: Vec<PathBuf> = std::env::args_os().skip(1).map(PathBuf::from).collect();
    let [countries, folder] = arguments.as_slice() else {
        eprintln!("usage: shapes COUNTRIES-10M.json OUTDIR");
        return ExitCode::from(2);
    };
    match generate(countries, folder) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("shapes: {error}");
            ExitCode::from(2)
        }
    }
}

fn generate(countries: &Path, folder: &Path) -> Result<(), Box<dyn Error>> {
    let text = fs::read(countries)?;
    let topology: Value = serde_json::from_slice(&text)?;
    let arcs = arcs(&topology).ok_or("no arcs")?;
    let units = topology["objects"]["countries"]["geometries"].as_array().ok_or("no countries")?;
    let mut outlines: BTreeMap<Vec<Country>, Vec<Polygon>> = BTreeMap::new();
    for unit in units {
        let name = unit["properties"]["name"].as_str().unwrap_or_default();
        let polygons = match unit["type"].as_str() {
            Some("Polygon") => vec![unit["arcs"].clone()],
            Some("MultiPolygon") => unit["arcs"].as_array().cloned().unwrap_or_default(),
            _ => return Err(format!("{name}: no polygon").into()),
        };
        for polygon in polygons {
            let rings: Option<Vec<Vec<[f64; 2]>>> =
                polygon.as_array().and_then(|rings| rings.iter().map(|ring| join(ring, &arcs)).collect());
            let rings = rings.ok_or_else(|| format!("{name}: a ring is broken"))?;
            let codes = codes(name, unit["id"].as_str(), &rings)?;
            outlines.entry(codes).or_default().push(rings.iter().map(|ring| simplified(ring)).collect());
        }
    }

    let mut atlas = Atlas::default();
    let mut shapes: BTreeMap<Country, Shape> = BTreeMap::new();
    let of = |code: Country| -> Shape { Shape { country: code, parts: Vec::new(), discs: Vec::new() } };
    for (codes, mut polygons) in outlines {
        polygons.sort_by_key(|polygon| std::cmp::Reverse(polygon.iter().map(Vec::len).sum::<usize>()));
        let mut kept: Vec<Polygon> = Vec::new();
        for mut polygon in polygons {
            let near = |corner: &Corner| kept.iter().flatten().any(|ring| distance(ring, *corner) <= TOLERANCE_KM);
            if polygon.first().is_some_and(|ring| ring.iter().all(near)) {
                continue;
            }
            // A hole of one or two corners is nowhere wider than the tolerance.
            let mut outer = true;
            polygon.retain(|ring| std::mem::take(&mut outer) || ring.len() > 2);
            kept.push(polygon);
        }
        for polygon in kept {
            let part = u32::try_from(atlas.polygons.len())?;
            atlas.polygons.push(polygon);
            for code in &codes {
                shapes.entry(*code).or_insert_with(|| of(*code)).parts.push(part);
            }
        }
    }
    for (code, latitude, longitude, km) in DISCS {
        let middle = corner([*longitude, *latitude]);
        let code = country(code)?;
        shapes.entry(code).or_insert_with(|| of(code)).discs.push(Disc { middle, km: *km });
    }
    atlas.shapes = shapes.into_values().collect();

    let packed = shapes::encode(&atlas)?;
    if shapes::decode(&packed)? != atlas {
        return Err("the packed shapes do not come back".into());
    }
    fs::write(folder.join("shapes.bin"), &packed)?;
    let package: Value = serde_json::from_slice(&fs::read(countries.with_file_name("package.json"))?)?;
    let (Some(title), Some(version)) = (package["name"].as_str(), package["version"].as_str()) else {
        return Err("package.json has no name or version".into());
    };
    let corners: usize = atlas.polygons.iter().flatten().map(Vec::len).sum();
    let vintage = format!(
        "# Where the country shapes come from. Written by the generator (`shapes`): do not edit.\n\n\
         name = \"natural-earth-10m\"\npackage = \"npm {title} {version}\"\nlicence = \"public domain; the package is ISC\"\n\
         input = \"{}\"\npacked = \"{}\"\ncountries = {}\npolygons = {}\ncorners = {corners}\n",
        hex(&text),
        hex(&packed),
        atlas.shapes.len(),
        atlas.polygons.len(),
    );
    fs::write(folder.join("VINTAGE.toml"), vintage)?;
    println!(
        "{} countries, {} polygons, {corners} corners, {} octets",
        atlas.shapes.len(),
        atlas.polygons.len(),
        packed.len()
    );
    let without: Vec<&str> = Country::all()
        .filter(|country| atlas.shapes.iter().all(|shape| shape.country != *country))
        .map(Country::code)
        .collect();
    if without.is_empty() { Ok(()) } else { Err(format!("without a shape: {}", without.join(" ")).into()) }
}

/// The arcs of a topology in degrees, east first.
fn arcs(topology: &Value) -> Option<Vec<Vec<[f64; 2]>>> {
    let pair = |value: &Value| Some([value.get(0)?.as_f64()?, value.get(1)?.as_f64()?]);
    let (scale, translate) = (pair(&topology["transform"]["scale"])?, pair(&topology["transform"]["translate"])?);
    let arc = |arc: &Value| {
        let mut at = [0.0, 0.0];
        arc.as_array()?
            .iter()
            .map(|step| {
                let step = pair(step)?;
                at = [at[0] + step[0], at[1] + step[1]];
                Some([at[0] * scale[0] + translate[0], at[1] * scale[1] + translate[1]])
            })
            .collect::<Option<Vec<[f64; 2]>>>()
    };
    topology["arcs"].as_array()?.iter().map(arc).collect()
}

/// The arcs of a ring one after the other; a negative number is an arc backwards. The ring does not repeat its first
/// point, and its longitudes go on over the antimeridian.
fn join(ring: &Value, arcs: &[Vec<[f64; 2]>]) -> Option<Vec<[f64; 2]>> {
    let mut points: Vec<[f64; 2]> = Vec::new();
    for number in ring.as_array()? {
        let number = number.as_i64()?;
        let mut arc = arcs.get(usize::try_from(if number < 0 { !number } else { number }).ok()?)?.clone();
        if number < 0 {
            arc.reverse();
        }
        points.pop();
        points.append(&mut arc);
    }
    points.pop();
    let mut before = points.first()?[0];
    for point in &mut points {
        point[0] -= 360.0 * ((point[0] - before) / 360.0).round();
        before = point[0];
    }
    Some(points)
}

/// Whose a polygon is.
fn codes(name: &str, id: Option<&str>, rings: &[Vec<[f64; 2]>]) -> Result<Vec<Country>, Box<dyn Error>> {
    let inside = |[south, west, north, east]: &[f64; 4]| {
        rings.iter().flatten().all(|[x, y]| (*south..=*north).contains(y) && (*west..=*east).contains(x))
    };
    let split = SPLIT.iter().find(|(unit, area, _)| *unit == name && inside(area)).map(|(.., codes)| *codes);
    let claimed = || CLAIMED.iter().find(|(unit, _)| *unit == name).map(|(_, codes)| *codes);
    if let Some(codes) = split.or_else(claimed) {
        return codes.iter().map(|code| country(code)).collect();
    }
    let id = id.ok_or_else(|| format!("{name}: neither a code nor a claim"))?;
    let code =
        NUMERIC.split_whitespace().find_map(|row| row.strip_prefix(id)).ok_or_else(|| format!("{name}: {id}"))?;
    Ok(vec![country(code)?])
}

fn country(code: &str) -> Result<Country, Box<dyn Error>> {
    Country::from_code(code).ok_or_else(|| format!("`{code}` is no country").into())
}

fn corner([longitude, latitude]: [f64; 2]) -> Corner {
    ((latitude * 1e3).round() as i32, (longitude * 1e3).round() as i32)
}

/// A ring with as few corners as the tolerance allows (Douglas and Peucker 1973).
fn simplified(ring: &[[f64; 2]]) -> Vec<Corner> {
    let ring: Vec<Corner> = ring.iter().copied().map(corner).collect();
    let Some(first) = ring.first() else { return Vec::new() };
    let far = (0..ring.len()).max_by(|a, b| apart(*first, ring[*a]).total_cmp(&apart(*first, ring[*b]))).unwrap_or(0);
    // Around the pole the ring does not come back to its first longitude.
    let turn = ring.last().map_or(0, |last| 360_000 * (f64::from(last.1 - first.1) / 360_000.0).round() as i32);
    let mut closed = ring.clone();
    closed.push((first.0, first.1 + turn));
    let mut keep = vec![false; closed.len()];
    keep[0] = true;
    keep[far] = true;
    let mut left = vec![(0, far), (far, closed.len() - 1)];
    while let Some((from, to)) = left.pop() {
        let off = |at: &usize| to_edge(closed[from], closed[to], closed[*at]);
        let Some(worst) = (from + 1..to).max_by(|a, b| off(a).total_cmp(&off(b))) else { continue };
        if off(&worst) > TOLERANCE_KM {
            keep[worst] = true;
            left.extend([(from, worst), (worst, to)]);
        }
    }
    ring.into_iter().zip(keep).filter(|(_, keep)| *keep).map(|(corner, _)| corner).collect()
}

/// The least distance of a corner to a ring.
fn distance(ring: &[Corner], to: Corner) -> f64 {
    let edges = ring.iter().zip(ring.iter().skip(1).chain(ring.first()));
    edges.map(|(a, b)| to_edge(*a, *b, to)).fold(f64::INFINITY, f64::min)
}

/// From a corner to an edge, in kilometres, on a plane that touches the globe at the corner: exact enough for the few
/// kilometres that matter here.
fn to_edge(a: Corner, b: Corner, at: Corner) -> f64 {
    let narrow = (f64::from(at.0) / 1e3).to_radians().cos();
    let plane = |corner: Corner| {
        let east = f64::from(corner.1 - at.1) / 1e3;
        let east = east - 360.0 * (east / 360.0).round();
        [east * narrow * DEGREE_KM, f64::from(corner.0 - at.0) / 1e3 * DEGREE_KM]
    };
    let (a, b) = (plane(a), plane(b));
    let along = [b[0] - a[0], b[1] - a[1]];
    let square = along[0] * along[0] + along[1] * along[1];
    let share = if square > 0.0 { (-(a[0] * along[0] + a[1] * along[1]) / square).clamp(0.0, 1.0) } else { 0.0 };
    (a[0] + share * along[0]).hypot(a[1] + share * along[1])
}

fn apart(a: Corner, b: Corner) -> f64 {
    to_edge(b, b, a)
}

fn hex(octets: &[u8]) -> String {
    Sha256::digest(octets).iter().fold(String::new(), |text, octet| format!("{text}{octet:02x}"))
}
