//! Reports, in every format, from reports made by hand.

mod fixture;
mod schema;

use landfall::diag::Colour;
use landfall::model::{Count, Doubt, DoubtKind, Inner, Outcome, Outer, Reading, Report, Tunnel};
use landfall::report::{Format, ReadError, SCHEMA_JSON, Style, octets, read_json, write};
use unicode_width::UnicodeWidthStr;

use fixture::ATTACK;

fn rendered(report: &Report, format: Format, style: Style) -> String {
    let mut out = Vec::new();
    write(report, format, style, &mut out).expect("a vector takes everything");
    String::from_utf8(out).expect("reports are UTF-8")
}

fn text(report: &Report, width: usize) -> String {
    rendered(report, Format::Text, Style { width, colour: Colour::Never })
}

fn json(report: &Report) -> String {
    rendered(report, Format::Json, Style::default())
}

fn html(report: &Report) -> String {
    rendered(report, Format::Html, Style::default())
}

/// A text without its line breaks, so that a sentence can be found in it wherever it wraps.
fn joined(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// What a reader of the page sees: no markup, entities resolved.
fn seen(page: &str) -> String {
    let body = page.split_once("<body>").expect("a body").1;
    let mut text = String::new();
    let mut inside = false;
    for c in body.chars() {
        match c {
            '<' => inside = true,
            '>' => {
                inside = false;
                text.push(' ');
            }
            c if !inside => text.push(c),
            _ => {}
        }
    }
    let entities = [("&#60;", "<"), ("&#62;", ">"), ("&#34;", "\""), ("&#39;", "'"), ("&#38;", "&")];
    let text = entities.iter().fold(text, |text, (entity, c)| text.replace(entity, c));
    joined(&text)
}

fn all() -> [(&'static str, Report); 9] {
    [
        ("zoom", fixture::zoom()),
        ("inventory", fixture::inventory_only()),
        ("empty", fixture::empty()),
        ("many", fixture::many(600)),
        ("hostile", fixture::hostile()),
        ("measured", fixture::measured(None)),
        ("proxy", fixture::measured(Some(Doubt { kind: DoubtKind::Proxy, networks: 12, of: 14, least_us: Some(300) }))),
        (
            "contradicted",
            fixture::measured(Some(Doubt { kind: DoubtKind::Contradicted, networks: 9, of: 9, least_us: None })),
        ),
        ("waived", fixture::waived()),
    ]
}

#[test]
fn the_first_line_is_the_result() {
    let first = |report: &Report| text(report, 200).lines().next().unwrap_or_default().to_owned();
    assert_eq!(
        first(&fixture::zoom()),
        "2 findings: payload moved both ways between zone `meeting-clients` and China (CN), which rule `no-china` forbids"
    );
    let mut outward = fixture::zoom();
    outward.findings.truncate(1);
    assert_eq!(
        first(&outward),
        "1 finding: payload left zone `meeting-clients` for China (CN), which rule `no-china` forbids"
    );
    let mut undecided = fixture::zoom();
    undecided.findings.drain(..2);
    undecided.outcome = Outcome::Incomplete;
    assert_eq!(
        first(&undecided),
        "Nothing forbidden was found, but 1 of 2 inputs could not be read in full, and 1 finding could not be decided"
    );
    undecided.outcome = Outcome::Indeterminate;
    assert_eq!(first(&undecided), "Nothing forbidden was found, but 1 finding could not be decided");
    // US, CA, CN and DE; a set of two and the two that could be anywhere are no country.
    assert_eq!(
        first(&fixture::inventory_only()),
        "1,245 flows went to or came from 4 countries; no policy was given, so nothing was judged"
    );
    assert_eq!(first(&fixture::empty()), "Nothing to judge: there was no input");
}

#[test]
fn text_and_page_hold_the_facts() {
    let facts = [
        "meeting-clients",
        "Canada (CA)",
        "10.20.1.9",
        "China (CN)",
        "52.81.151.250",
        "AS55960 Beijing Guanghuan Xinwang Digital Technology co.Ltd., party zoom",
        "us04web.zoom.us (TLS server name)",
        "2.1 kB",
        "5.2 kB",
        "opened by the zone",
        "no-china",
        "Meeting keys never come from or go to China",
        "contract: MSA s.7",
        "dbip-country-lite 2026-06-01 says CN for 52.81.151.250 (52.81.0.0/16)",
        "captures/toronto.pcapng frame 12: 10.20.1.9:50123 and 52.81.151.250:443, tcp",
        "0badcafe0001",
        "undetermined (anycast)",
        "10.20.1.9 and others, 4 in all",
        "104.16.1.1 and others, ~40 in all",
        "the provider's evidence for a regional service",
        "anywhere (unknown)",
        "AS680 DFN-Verein",
        // 1,100 + 80 + 20 + 40 + 1 + 3 + 1 flows, 41 of them to nowhere that is known.
        "1,245",
        "Of the flows 3.3 %, and of the octets 2.9 %, had a far end whose place no source tells.",
        "5,000 packets read (4.2 MB) = 4,966 in flows + 34 skipped",
        "link-layer traffic that is not IP (ARP, spanning tree and the like), first at frame 3, 9, 12",
        "the input breaks off in the middle of a record, at offset 9,876",
        "lost before it was written: 17 packets by the capture's buffers, 0 by the interface",
        "reading ended early: captures/cut.pcap: the record at offset 9876 is cut",
        "not understood: ethernet type 0x88cc",
        "flows whose beginning was not seen",
        "IP Geolocation by DB-IP (https://db-ip.com)",
        "CC BY 4.0",
        "10.20.0.0/16, 2001:db8:20::/48",
        "rules/acme-meetings.toml",
        "version 2026.11.1",
        "privacy@acme.example",
        "@us-doj.china",
        "2027-01-01",
        "Only what passed the observation points is here.",
    ];
    for width in [80, 100, 200] {
        let shown = joined(&text(&fixture::zoom(), width));
        for fact in facts {
            assert!(shown.contains(fact), "the text in {width} columns lacks: {fact}");
        }
    }
    let page = seen(&html(&fixture::zoom()));
    for fact in facts {
        assert!(page.contains(fact), "the page lacks: {fact}");
    }
    // In a cell of a table a sentence wraps among its neighbours.
    let wide = [text(&fixture::zoom(), 200), page.clone()];
    assert!(wide.iter().all(|shown| shown.contains("Canada (CA) or United States (US) (sources differ)")));
    for fact in ["What a human must still decide.", "candidate transfer", "Zone meeting-clients is in Canada (CA)."] {
        assert!(page.contains(fact), "the page lacks: {fact}");
    }
}

#[test]
fn nothing_says_more_than_was_seen() {
    for (name, report) in all() {
        for shown in [text(&report, 100), html(&report)] {
            let shown = shown.to_lowercase();
            for word in ["breach", "illegal", "violation", "guilty"] {
                assert!(!shown.contains(word), "{name}: {word}");
            }
        }
    }
}

#[test]
fn payload_that_was_not_counted_is_not_nothing() {
    let mut report = fixture::zoom();
    report.findings[0].sent.payload = 0;
    assert!(
        joined(&text(&report, 100)).contains("2.9 kB with headers in 18 packets (payload is not counted by the input)")
    );
    assert!(seen(&html(&report)).contains("not counted"));
}

#[test]
fn a_control_total_that_does_not_add_up_is_told() {
    let mut report = fixture::zoom();
    report.inputs[0].used.count -= 1;
    let sentence = "5,000 packets read (4.2 MB) = 4,965 in flows + 34 skipped: this does not add up";
    assert!(joined(&text(&report, 100)).contains(sentence));
    assert!(seen(&html(&report)).contains(sentence));
}

#[test]
fn a_thousand_findings_do_not_flood() {
    let report = fixture::many(1000);
    let shown = text(&report, 100);
    assert!(shown.lines().count() < 250, "{} lines", shown.lines().count());
    assert!(shown.contains("and 990 more findings in 990 groups, see --format json"));
    // The gravest first, then the largest.
    let place = |who: &str| shown.find(who).unwrap_or_else(|| panic!("{who} is not shown"));
    assert!(place("AS100000 Network 0") < place("AS100999 Network 999"));
    assert!(place("AS100999 Network 999") < place("AS100998 Network 998"));
    let page = html(&report);
    assert_eq!(page.matches("<article").count(), 500);
    assert!(page.contains("500 more findings in the JSON report"));
}

#[test]
fn lines_keep_to_the_width() {
    for (name, report) in all() {
        for width in [80, 81, 100, 120, 200] {
            for line in text(&report, width).lines() {
                assert!(line.width() <= width, "{name} at {width}: {} columns: {line}", line.width());
            }
        }
        // What is asked for beyond the widths that the text is laid out for is moved to the nearer end.
        assert_eq!(text(&report, 0), text(&report, 80));
        assert_eq!(text(&report, 5000), text(&report, 200));
    }
}

#[test]
fn colours_only_where_they_are_asked_for() {
    for (name, report) in all() {
        let plain = text(&report, 100);
        assert!(!plain.contains('\u{1b}'), "{name}");
        let coloured = rendered(&report, Format::Text, Style { width: 100, colour: Colour::Always });
        let mut stripped = String::new();
        let mut pieces = coloured.split("\u{1b}[");
        stripped.push_str(pieces.next().unwrap_or_default());
        for piece in pieces {
            let (codes, rest) = piece.split_once('m').expect("a colour sequence ends with m");
            assert!(codes.bytes().all(|byte| byte.is_ascii_digit() || byte == b';'), "{name}: {codes}");
            stripped.push_str(rest);
        }
        assert_eq!(stripped, plain, "{name}: colours change nothing but colours");
    }
    let coloured = rendered(&fixture::zoom(), Format::Text, Style { width: 100, colour: Colour::Always });
    assert!(coloured.contains("\u{1b}[1m\u{1b}[31mforbidden\u{1b}[0m\n"));
}

#[test]
fn names_from_strangers_cannot_act() {
    let report = fixture::hostile();
    let harmless =
        |c: char| c == '\n' || !(c.is_control() || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'));
    for shown in [text(&report, 100), html(&report), json(&report)] {
        assert!(shown.chars().all(harmless));
        assert!(shown.contains("u202e") || shown.contains("\\u{202e}"), "what was there is shown");
    }
    let page = html(&report);
    assert!(!page.contains("<script"));
    assert!(page.contains("&#60;script&#62;alert(1)&#60;/script&#62;\\u{1b}[2J"));
    assert!(
        !page.contains("href=\"http")
            || page.matches("href=\"http").count() == page.matches("href=\"https://db-ip.com\"").count()
    );
    // Every attribute is ours: no value closes its quotation marks and opens another.
    assert!(!page.contains("onmouseover=\"x"));
    assert_eq!(read_json(json(&report).as_bytes()).expect("it reads"), report, "the names are as they were");
    assert!(json(&report).contains("\\u202egnp.exe\\u200b"));
    assert_eq!(report.limits, [ATTACK]);
}

#[test]
fn the_page_needs_nothing_else() {
    for (name, report) in all() {
        let page = html(&report);
        for fetch in ["src=", "<link", "@import", "url(", "<script", "<iframe", "<img", "http-equiv=\"refresh\""] {
            assert!(!page.contains(fetch), "{name}: {fetch}");
        }
        assert!(page.contains("default-src 'none'"), "{name}");
        let opened = |tag: &str| page.matches(&format!("<{tag}>")).count() + page.matches(&format!("<{tag} ")).count();
        for tag in
            ["section", "article", "table", "tr", "td", "th", "div", "ul", "li", "dl", "p", "svg", "bdi", "small", "h2"]
        {
            assert_eq!(opened(tag), page.matches(&format!("</{tag}>")).count(), "{name}: {tag}");
        }
        assert_eq!(opened("table"), page.matches("<caption>").count(), "{name}: every table has a caption");
    }
    assert!(html(&fixture::zoom()).contains("<a href=\"https://db-ip.com\""), "CC BY 4.0 of DB-IP asks for a link");
}

#[test]
fn json_comes_back_as_it_was() {
    for (name, report) in all() {
        let first = json(&report);
        assert!(first.ends_with("}\n"), "{name}");
        assert_eq!(read_json(first.as_bytes()).expect("it reads"), report, "{name}");
        assert_eq!(json(&report), first, "{name}: the same bytes");
    }
}

/// 2,995 packets: `1 - (1 - 1/1000)^2995` is 95.0 %.
#[test]
fn what_sampling_and_loss_left_out_is_told() {
    let report = text(&fixture::telemetry(), 100);
    let report = report.split_whitespace().collect::<Vec<_>>().join(" ");
    for words in [
        "packets were sampled, so that not everything was seen",
        "packets were sampled, 1 packet in 1,000: 40 records (4.0 MB) are estimates; an exchange of fewer than 2,995 packets",
        "by the exporters' sequence numbers: 3 datagrams of unknown content, 1 flow record",
        "by the routes of those who report: AS64501 (2.0 MB), AS64500 (1.0 kB)",
        "first at frame 7",
    ] {
        assert!(report.contains(words), "{words}: {report}");
    }
}

#[test]
fn json_keeps_to_its_schema_and_the_schema_to_it() {
    let mut schema = schema::Schema::new(SCHEMA_JSON);
    let mut stated = fixture::empty();
    stated.findings = fixture::zoom().findings;
    stated.findings[0].evidence[0].note = Some(Reading::OwnCode.told().to_owned());
    let outer = Outer { kind: Tunnel::Gre, inside: Inner::Counted };
    stated.findings[0].tunnel = Some(outer);
    stated.inventory = fixture::zoom().inventory;
    stated.inventory[0].tunnel = Some(outer);
    stated.counted_inside.forbid = Count { count: 1, octets: 5_981 };
    stated.inputs = fixture::zoom().inputs;
    stated.inputs[0].tcp_flows = 7;
    stated.inputs[0].lacks.extend(landfall::model::Lack::ALL);
    stated.inputs[0].marks.insert(landfall::model::Mark::Egress, Count { count: 1, octets: 5 });
    stated.inputs[0].longest_window = 60;
    stated.inputs[0].digest = Some(landfall::model::FileDigest { octets: 238_178, sha256: "9c".repeat(32) });
    stated.findings[0].limits = vec![landfall::model::ExceededLimit {
        rule: "dpf".into(),
        octets: 1000,
        per: 3600,
        party: Some("zoom".into()),
        windows: vec![landfall::model::SpentWindow { from: stated.findings[0].first, moved: 1001 }],
        more: 1,
    }];
    let telemetry = fixture::telemetry();
    for (name, report) in all().into_iter().chain([("stated", stated), ("telemetry", telemetry)]) {
        let value = serde_json::from_str(&json(&report)).expect("it is JSON");
        if let Err(error) = schema.check(&value) {
            panic!("{name}: {error}");
        }
    }
    assert_eq!(schema.never_met(), [""; 0], "the schema names what no report has");
    let mut extra: serde_json::Value = serde_json::from_str(&json(&fixture::zoom())).expect("it is JSON");
    extra["findings"][0]["evil"] = true.into();
    assert!(schema.check(&extra).is_err(), "the validator sees a key that the schema does not name");
}

#[test]
fn reports_of_another_kind_are_refused() {
    let error = |text: &str| read_json(text.as_bytes()).expect_err("it is refused");
    let report = json(&fixture::zoom());
    let other = error(&report.replace("landfall.report", "landfall.ledger"));
    assert_eq!(
        other.to_string(),
        "this is not a landfall report: its `schema` is `landfall.ledger`, not `landfall.report`"
    );
    let later = error(&report.replace("\"version\": 1,", "\"version\": 2,"));
    assert_eq!(
        later.to_string(),
        "the report has version 2 of its schema, and this program reads version 1: use the landfall that wrote it, or a later one"
    );
    assert!(matches!(error("{}"), ReadError::Schema { found: None }));
    assert!(matches!(error("[1, 2]"), ReadError::Schema { .. }));
    assert!(matches!(error("7"), ReadError::Schema { .. }));
    assert!(matches!(error("{\"schema\": 7}"), ReadError::Schema { found: Some(_) }));
    assert!(matches!(error(""), ReadError::Json(_)));
    assert!(matches!(error(&report[..report.len() / 2]), ReadError::Json(_)));
    assert!(matches!(error(&report.replace("\"totals\"", "\"sums\"")), ReadError::Field(_)));
    assert!(matches!(error(&"[".repeat(100_000)), ReadError::Json(_)), "depth is bounded");
    // A field that a later program of the same version added is no hindrance.
    let added = report.replace("\"version\": 1,", "\"version\": 1, \"later\": [1],");
    assert_eq!(read_json(added.as_bytes()).expect("it reads"), fixture::zoom());
}

#[test]
fn formats_have_names() {
    for (name, format) in Format::ALL {
        assert_eq!(Format::from_name(name), Some(format));
        assert_eq!(format.name(), name);
    }
    assert_eq!(Format::from_name("pdf"), None);
    assert_eq!(octets(5_249), "5.2 kB");
}

/// The text as a person reads it, kept beside the test so that a change of layout is seen in review. `UPDATE=1` writes it.
#[test]
fn the_text_is_as_it_was_reviewed() {
    for (width, name) in [(80, "zoom-80.txt"), (120, "zoom-120.txt")] {
        let path = format!("{}/tests/it/golden/report/{name}", env!("CARGO_MANIFEST_DIR"));
        let shown = text(&fixture::zoom(), width);
        if std::env::var_os("UPDATE").is_some() {
            std::fs::create_dir_all(std::path::Path::new(&path).parent().expect("a folder")).expect("the folder");
            std::fs::write(&path, &shown).expect("the golden file is written");
        }
        let golden = std::fs::read_to_string(&path).unwrap_or_default();
        assert_eq!(shown, golden, "{name} differs; look at it, then UPDATE=1");
    }
}

/// An outer header whose inside is in rows of its own is shown, and its octets are in no sum.
#[test]
fn octets_in_tunnels_are_counted_once() {
    let plain = fixture::inventory_only();
    let mut report = plain.clone();
    let mut outer = report.inventory[0].clone();
    (outer.sent.octets, outer.received.octets) = (7_000_000_000, 0);
    outer.tunnel = Some(Outer { kind: Tunnel::Gre, inside: Inner::Counted });
    report.inventory.insert(0, outer);
    report.counted_inside.unjudged = Count { count: 1, octets: 7_000_000_000 };
    let row = |text: &str| text.lines().find(|line| line.starts_with("Total")).unwrap().to_owned();
    let octets = |line: &str| line.split_whitespace().skip(1).take(4).collect::<Vec<_>>().join(" ");
    let shown = text(&report, 120);
    assert_eq!(octets(&row(&shown)), octets(&row(&text(&plain, 120))));
    assert!(joined(&shown).contains("tunnel: GRE, its inside is counted in rows of its own"), "{shown}");
    assert!(joined(&shown).contains("Of these, 1 flow (7.0 GB) carried others"), "{shown}");
    let page = seen(&html(&report));
    assert!(page.contains("tunnel: GRE, its inside is counted in rows of its own"));
    // What was not read is in no other row, so that it counts.
    report.inventory[0].tunnel = Some(Outer { kind: Tunnel::Esp, inside: Inner::Unread });
    let shown = text(&report, 120);
    assert!(joined(&shown).contains("tunnel: ESP, its inside was not read"), "{shown}");
    assert!(row(&shown).contains("7.0 GB"), "{shown}");
}
