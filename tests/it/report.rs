//! Reports, in every format, from reports made by hand.

mod fixture;

use landfall::diag::Colour;
use landfall::model::Report;
use landfall::report::{Format, Style, write};

fn rendered(report: &Report, format: Format, style: Style) -> String {
    let mut out = Vec::new();
    write(report, format, style, &mut out).expect("a vector takes everything");
    String::from_utf8(out).expect("reports are UTF-8")
}

fn text(report: &Report, width: usize) -> String {
    rendered(report, Format::Text, Style { width, colour: Colour::Never })
}

#[test]
#[ignore = "for looking"]
fn look() {
    let width = std::env::var("WIDTH").ok().and_then(|w| w.parse().ok()).unwrap_or(100);
    for (name, report) in [
        ("zoom", fixture::zoom()),
        ("inventory", fixture::inventory_only()),
        ("empty", fixture::empty()),
        ("many", fixture::many(700)),
        ("hostile", fixture::hostile()),
    ] {
        std::fs::write(format!("/tmp/look-{name}.txt"), text(&report, width)).unwrap();
        std::fs::write(format!("/tmp/look-{name}.html"), rendered(&report, Format::Html, Style::default())).unwrap();
        std::fs::write(format!("/tmp/look-{name}.json"), rendered(&report, Format::Json, Style::default())).unwrap();
    }
}
