//! What `landfall policy show` lists: everything that a reviewer signs, line by line.

use jiff::civil::date;
use landfall::policy::{Library, Policy, library_listing};

const LIBRARY: &str = r#"
[[set]]
name = "far"
alias = "away"
title = "Far away"
authority = "A test"
citation = "Art. 1"
note = "A note."
reviewed-on = 2020-01-01
review-due = 2021-01-01
beyond-codes = ["Crimea"]
sources = [{ url = "https://law.example/1", seen = "2019-12-31" }]
members = [
    "BR",
    { codes = ["CN", "JP"], from = 2010-01-01, until = 2025-01-01, condition = "certified", citation = "Art. 2" },
    { codes = ["DE"], until = 2015-01-01 },
    { codes = ["FR"], from = 2016-01-01 },
    { codes = ["IT"], general-knowledge = true },
]
"#;

const POLICY: &str = r#"
[policy]
id = "p"
version = "7"
title = "A title"
owner = "o@example.org"
default = "forbid"
in-force = { from = 2019-01-01 }
max-age = "30d"
[sets]
own = ["US", "@far"]
[zone.z]
networks = ["10.0.0.0/8", "192.0.2.0/24"]
country = "CA"
holds = ["keys", "mail"]
[zone.y]
networks = ["198.51.100.0/24"]
[party.a]
name = "A, Inc."
controlled-from = ["US"]
match = [{ asn = [1] }]
[party.b]
match = [{ asn = [2] }]
[service.s]
ports = ["tcp/1", "udp/2-3"]
[service.t]
ports = ["tcp/4"]
[[rule]]
id = "first"
title = "The first"
effect = "permit"
from = ["z", "y"]
to = ["@own"]
party = ["a", "unlisted"]
service = ["t"]
movement = "out"
initiator = "remote"
contact = true
limit = { octets = "2 kB", per = "1h" }
in-force = { from = 2019-06-01, until = 2030-01-01 }
basis = ["Art. 5", "Art. 6"]
why = "Because."
owner = "dpo@example.org"
document = { ref = "SCC-1", sha256 = "00" }
severity = "high"
[[rule]]
id = "second"
effect = "permit"
from = ["z"]
to = ["@far"]
movement = "in"
limit = { octets = "1", per = "1d" }
in-force = { from = 2029-01-01 }
[[rule]]
id = "third"
effect = "forbid"
from = ["y"]
to-control = ["*"]
movement = "either"
[[waiver]]
finding = { rule = "third", from = "y", to = ["CN", "192.0.2.0/24"], party = "a" }
owner = "ciso@example.org"
reason = "until the move"
expires = 2026-06-01
"#;

fn library() -> Library {
    let (library, said) = Library::parse(&[("l.toml", LIBRARY)]);
    assert_eq!(said, []);
    library
}

/// The lines from one that begins so to the next empty one.
fn part<'t>(text: &'t str, head: &str) -> Vec<&'t str> {
    let lines = text.lines().skip_while(|line| !line.starts_with(head));
    lines.take_while(|line| !line.is_empty()).map(str::trim_end).collect()
}

/// The part as it is expected, with digests of documents left to whoever checks those.
fn holds(text: &str, expected: &[&str]) {
    let part = part(text, expected[0]);
    for line in expected {
        assert!(part.contains(line), "`{line}` is not in\n{}\nof\n{text}", part.join("\n"));
    }
}

#[test]
fn a_policy_is_listed_as_it_is_judged() {
    let parsed = Policy::parse("p.toml", POLICY, &library());
    let policy = parsed.policy.unwrap_or_else(|| panic!("{:?}", parsed.diagnostics));
    let text = policy.listing(date(2026, 1, 1));
    holds(
        &text,
        &[
            "policy p 7",
            "  title     A title",
            "  owner     o@example.org",
            "  origin    p.toml",
            "  default   forbid",
            "  in force  from 2019-01-01",
            "  law       as on the day of each flow",
            "  max-age   30 days between a flow and its provider's word",
            "  shown for 2026-01-01",
        ],
    );
    assert!(!text.contains("vantage"), "what is not written is not listed");
    holds(&text, &["zone z", "  networks  10.0.0.0/8, 192.0.2.0/24", "  country   CA", "  holds     keys, mail"]);
    assert_eq!(part(&text, "zone y"), ["zone y", "  networks  198.51.100.0/24", "  country   not stated"]);
    holds(&text, &["party a  A, Inc.", "  answers to US", "  match     AS1"]);
    holds(&text, &["party b", "  answers to not stated", "  match     AS2"]);
    holds(&text, &["service s", "  ports     tcp/1, udp/2-3"]);
    // On 2026-01-01: Brazil always, France since 2016, Italy; the condition of China and Japan ended in 2025.
    holds(&text, &["set @own", "  written   US, @far", "  members   BR, FR, IT, US"]);
    holds(
        &text,
        &[
            "rule first: permit [high]",
            "  title     The first",
            "  from      y, z",
            "  to        @own",
            "  that is   BR, FR, IT, US",
            "  party     a, unlisted",
            "  service   t",
            "  movement  out: what the zone sends, and contact",
            "  initiator remote",
            "  limit     2000 octets in every hour, for each zone and party",
            "  in force  from 2019-06-01 until before 2030-01-01",
            "  basis     Art. 5",
            "  basis     Art. 6",
            "  why       Because.",
        ],
    );
    let first = part(&text, "rule first").join("\n");
    assert!(first.contains("owner     dpo@example.org") && first.contains("document  SCC-1, sha-256 00"), "{first}");
    assert!(!first.contains("but not") && !first.contains("basis     none"), "{first}");
    let second = part(&text, "rule second");
    holds(
        &text,
        &[
            "rule second: permit [medium]  (not in force on this day)",
            "  movement  in: what the zone receives",
            "  limit     1 octets in every day, for each zone",
            "  in force  from 2029-01-01",
            "  basis     none",
        ],
    );
    for key in ["title", "party", "service", "initiator", "why", "owner", "document", "but not"] {
        assert!(!second.iter().any(|line| line.trim_start().starts_with(key)), "{key}: {second:?}");
    }
    holds(
        &text,
        &[
            "rule third: forbid [medium]",
            "  to-control *",
            "  that is   anywhere",
            "  movement  either: what the zone sends and receives",
        ],
    );
    let third = part(&text, "rule third").join("\n");
    assert!(!third.contains("basis") && !third.contains("in force") && !third.contains("limit"), "{third}");
    holds(
        &text,
        &[
            "waiver of third until before 2026-06-01",
            "  from      y",
            "  to        192.0.2.0/24, CN",
            "  party     a",
            "  owner     ciso@example.org",
            "  reason    until the move",
        ],
    );
    holds(&text, &["library set @far (also @away)", "  members   BR, FR, IT"]);
    assert!(text.lines().any(|line| line.starts_with("0 tests: ")));
    // In 2014 China and Japan are members under a condition that a permit without a party cannot use.
    let then = policy.listing(date(2014, 1, 1));
    holds(&then, &["rule second: permit [medium]  (not in force on this day)", "  but not   CN, JP"]);
    assert!(!part(&then, "rule first").iter().any(|line| line.contains("but not")), "it names its parties");
    // Where the law is that of a date, that day is shown.
    let fixed = POLICY.replace("default =", "law = 2014-01-01\ndefault =");
    let fixed = Policy::parse("p.toml", &fixed, &library()).policy.expect("a policy").listing(date(2026, 1, 1));
    holds(&fixed, &["policy p 7", "  law       as on 2014-01-01", "  shown for 2014-01-01"]);
}

#[test]
fn the_library_is_listed_with_dates_and_age() {
    let listed = |today, day| library_listing(&library(), today, day);
    let text = listed(date(2021, 1, 1), None);
    assert_eq!(
        part(&text, "library set"),
        [
            "library set @far (also @away)",
            "  title     Far away",
            "  authority A test",
            "  citation  Art. 1",
            "  members   BR",
            "  dated     CN, JP",
            "            from 2010-01-01 until before 2025-01-01, if certified (Art. 2)",
            "  dated     DE",
            "            until before 2015-01-01",
            "  dated     FR",
            "            from 2016-01-01",
            "  dated     IT",
            "            always, from general knowledge",
            "  beyond    Crimea",
            "  note      A note.",
            "  reviewed  2020-01-01, due again 2021-01-01, 366 days old",
            "  source    https://law.example/1 (2019-12-31)",
        ]
    );
    let late = listed(date(2021, 1, 2), Some(date(2014, 1, 1)));
    holds(
        &late,
        &[
            "library set @far (also @away)",
            "  members   BR, CN, DE, IT, JP",
            "  reviewed  2020-01-01, due again 2021-01-01, 367 days old, PAST ITS REVIEW",
        ],
    );
}

/// Lists are folded at a hundred characters, a comma more where the list goes on, and lose nothing.
#[test]
fn long_lists_are_folded() {
    // The key takes twelve characters. Eight words of nine with commas make 12 + 8 * 9 + 7 * 2 = 98; one of eleven at the end, 100.
    let words = |last: usize| -> Vec<String> {
        let mut words: Vec<String> = (0..7).map(|n| format!("word-{n}-ab")).collect();
        words.push("x".repeat(last));
        words.push("y".to_owned());
        words
    };
    let listed = |holds: &[String]| {
        let list = holds.iter().map(|word| format!("\"{word}\"")).collect::<Vec<_>>().join(", ");
        let text = format!(
            "[policy]\nid = \"p\"\ndefault = \"permit\"\n[zone.z]\nnetworks = [\"10.0.0.0/8\"]\nholds = [{list}]\n"
        );
        let policy = Policy::parse("p.toml", &text, Library::embedded()).policy.expect("a policy");
        let text = policy.listing(date(2026, 1, 1));
        let lines = text.lines().skip_while(|line| !line.starts_with("  holds")).take_while(|line| !line.is_empty());
        lines.map(str::to_owned).collect::<Vec<_>>()
    };
    let head = format!("  holds     {}", words(11)[..7].join(", "));
    assert_eq!(head.len(), 12 + 7 * 9 + 6 * 2);
    // 87 characters; with two more and eleven of the next word there are a hundred.
    assert_eq!(listed(&words(11)), [format!("{head}, {},", "x".repeat(11)), format!("{}y", " ".repeat(12))]);
    assert_eq!(listed(&words(12)), [format!("{head},"), format!("{}{}, y", " ".repeat(12), "x".repeat(12))]);
}

/// A tripwire is listed with all that it says of itself, and with nothing else.
#[test]
fn tripwires_are_listed() {
    let text = r#"
[policy]
id = "p"
default = "permit"
[zone.z]
networks = ["10.0.0.0/8"]
[party.a]
match = [{ asn = [1] }]
[[tripwire]]
id = "edge"
title = "A new country"
kind = "new-edge"
from = ["z"]
by = "country"
baseline = 2026-02-01
party = ["a"]
why = "Somebody moved."
basis = ["contract"]
severity = "low"
[[tripwire]]
id = "recipient"
kind = "new-edge"
from = ["z"]
by = "party"
baseline = 2026-02-01
"#;
    let parsed = Policy::parse("p.toml", text, Library::embedded());
    let text = parsed.policy.unwrap_or_else(|| panic!("{:?}", parsed.diagnostics)).listing(date(2026, 1, 1));
    let whole = |head: &str| part(&text, head).iter().map(|line| line.trim()).collect::<Vec<_>>().join(" ");
    let from = "from z";
    let trips = |what: &str| {
        format!("trips if packets are exchanged with a {what} with which none were before 2026-02-01T00:00:00Z")
    };
    let squeezed = |text: String| text.split_whitespace().collect::<Vec<_>>().join(" ");
    assert_eq!(
        squeezed(whole("tripwire edge")),
        format!(
            "tripwire edge: new-edge [low] title A new country {from} party a {} basis contract why Somebody moved.",
            trips("country")
        )
    );
    assert_eq!(
        squeezed(whole("tripwire recipient")),
        format!("tripwire recipient: new-edge [medium] {from} {}", trips("party"))
    );
}

/// Services are listed by name, whichever of them a rule names.
#[test]
fn a_rule_lists_the_services_that_it_names() {
    let names = ["a", "b", "c", "d"];
    let services = (1..)
        .zip(names)
        .map(|(port, name)| format!("[service.{name}]\nports = [\"tcp/{port}\"]\n"))
        .collect::<Vec<_>>()
        .concat();
    for named in [&["b", "c"][..], &["a"], &["d"], &["a", "c", "d"]] {
        let text = format!(
            "[policy]\nid = \"p\"\ndefault = \"permit\"\n[zone.z]\nnetworks = [\"10.0.0.0/8\"]\n{services}\
             [[rule]]\nid = \"r\"\neffect = \"forbid\"\nfrom = [\"z\"]\nto = [\"CN\"]\nservice = {named:?}\n"
        );
        let listing =
            Policy::parse("p.toml", &text, Library::embedded()).policy.expect("a policy").listing(date(2026, 1, 1));
        let line = part(&listing, "rule r").into_iter().find(|line| line.trim_start().starts_with("service"));
        assert_eq!(line.map(|line| line.trim().trim_start_matches("service").trim()), Some(named.join(", ").as_str()));
    }
}
