//! What wrong policies are told, and what policies are told that say what was probably not meant.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use landfall::cli::policy::STARTER;
use landfall::diag::{Code, Colour, Diagnostic, place, render_text};
use landfall::policy::{Library, Policy};

use crate::policy::{with, with_rule};

/// What is wrong, the text, and the code, line and column, and a word of the help that are expected.
type Mistake = (&'static str, String, Code, (usize, usize), &'static str);

/// A rule and a waiver of it, with some of the texts changed. The waiver begins in line 11.
pub(crate) fn waiver(changes: &[(&str, &str)]) -> String {
    let text = "[[waiver]]\nfinding = { rule = \"r\", from = \"z\", to = \"192.0.2.0/24\" }\nowner = \"o\"\nreason = \"why\"\nexpires = 2026-06-01";
    let text = changes.iter().fold(text.to_owned(), |text, (from, to)| text.replacen(from, to, 1));
    with_rule(&format!("to = [\"US\"]\n{text}"))
}

/// A policy with so many rules that have a limit.
pub(crate) fn limited(rules: usize) -> String {
    let rule = |n| {
        format!(
            "[[rule]]\nid = \"r{n}\"\neffect = \"permit\"\nfrom = [\"z\"]\nto = [\"US\"]\nlimit = {{ octets = \"1\", per = \"1d\" }}\n"
        )
    };
    with(&(0..rules).map(rule).collect::<Vec<_>>().concat())
}

/// Every mistake has its code, its place and the right word. Places are counted by hand: `with` has five lines, the rule of
/// `with_rule` four more, so that its own lines begin at 10.
fn mistakes() -> Vec<Mistake> {
    vec![
        ("not TOML", with("x ="), Code::Syntax, (6, 3), ""),
        ("no policy", "[zone.z]\nnetworks = [\"10.0.0.0/8\"]\n".into(), Code::MissingKey, (0, 0), "[policy]"),
        (
            "no default",
            "[policy]\nid = \"p\"\n[zone.z]\nnetworks = [\"10.0.0.0/8\"]\n".into(),
            Code::MissingKey,
            (1, 1),
            "default = \"forbid\"",
        ),
        ("no zone", "[policy]\nid = \"p\"\ndefault = \"permit\"\n".into(), Code::MissingKey, (0, 0), "[zone.NAME]"),
        ("unknown table", with("[zones.a]\n"), Code::UnknownKey, (6, 2), "`zone`"),
        ("unknown key", with_rule("tos = [\"US\"]\nto = [\"US\"]"), Code::UnknownKey, (10, 1), "`to`"),
        (
            "key of another tool",
            with_rule("to = [\"US\"]\ndirection = \"out\""),
            Code::UnknownKey,
            (11, 1),
            "`movement`",
        ),
        (
            "default of another tool",
            "[policy]\nid = \"p\"\ndefault = \"deny\"\n[zone.z]\nnetworks = [\"10.0.0.0/8\"]\n".into(),
            Code::UnknownWord,
            (3, 11),
            "`forbid`",
        ),
        ("wrong word", with_rule("to = [\"US\"]\nseverity = \"sever\""), Code::UnknownWord, (11, 12), "`critical`"),
        ("text for list", with_rule("to = \"US\""), Code::WrongType, (10, 6), "[\"US\"]"),
        (
            "number for text",
            "[policy]\nid = 7\ndefault = \"permit\"\n[zone.z]\nnetworks = [\"10.0.0.0/8\"]\n".into(),
            Code::WrongType,
            (2, 6),
            "quotation",
        ),
        (
            "date in quotes",
            with_rule("to = [\"US\"]\nin-force = { from = \"2020-01-01\" }"),
            Code::WrongType,
            (11, 21),
            "without quotation",
        ),
        ("list of zones", with("[[party]]\nname = \"x\""), Code::WrongType, (6, 1), "[party.NAME]"),
        ("UK", with_rule("to = [\"DE\", \"UK\"]"), Code::UnknownCountry, (10, 13), "`GB`"),
        ("NK", with_rule("to = [\"NK\"]"), Code::UnknownCountry, (10, 7), "`KP`"),
        ("lower case", with_rule("to = [\"de\"]"), Code::UnknownCountry, (10, 7), "`DE`"),
        ("name of a country", with_rule("to = [\"Norway\"]"), Code::UnknownCountry, (10, 7), "`NO`"),
        ("set without @", with_rule("to = [\"eea.members\"]"), Code::UnknownCountry, (10, 7), "`@eea.members`"),
        ("EU", with_rule("to = [\"EU\"]"), Code::PseudoCountry, (10, 7), "`@eu.members`"),
        ("A1", with_rule("to = [\"A1\"]"), Code::PseudoCountry, (10, 7), "unknown"),
        ("retired", with_rule("to = [\"YU\"]"), Code::RetiredCountry, (10, 7), "RS, ME"),
        ("AN", with_rule("to = [\"AN\"]"), Code::RetiredCountry, (10, 7), "CW, SX, BQ"),
        ("unknown set", with_rule("to = [\"@eu.menbers\"]"), Code::UnknownSet, (10, 7), "`@eu.members`"),
        ("half a set", with_rule("to = [\"@gdpr-area\"]"), Code::UnknownSet, (10, 7), "`@eu.gdpr-area`"),
        (
            "own set misspelt",
            with(
                "[sets]\nnorth = [\"US\"]\n[[rule]]\nid = \"r\"\neffect = \"permit\"\nfrom = [\"z\"]\nto = [\"@nroth\"]",
            ),
            Code::UnknownSet,
            (12, 7),
            "`@north`",
        ),
        ("set in a circle", with("[sets]\na = [\"@b\"]\nb = [\"US\", \"@a\"]"), Code::SetCycle, (8, 12), ""),
        ("set of the library", with("[sets]\neea = [\"US\"]"), Code::DuplicateName, (7, 1), "another name"),
        (
            "unknown zone",
            with("[[rule]]\nid = \"r\"\neffect = \"permit\"\nfrom = [\"zz\"]\nto = [\"US\"]"),
            Code::UnknownZone,
            (9, 9),
            "`z`",
        ),
        (
            "unknown party",
            with_rule("to = [\"US\"]\nparty = [\"unlistd\"]"),
            Code::UnknownParty,
            (11, 10),
            "`unlisted`",
        ),
        (
            "unknown service",
            with_rule("to = [\"US\"]\nservice = [\"web\"]"),
            Code::UnknownService,
            (11, 12),
            "no service at all",
        ),
        ("no place", with_rule("party = [\"unlisted\"]"), Code::Destination, (7, 6), "`to = [\"*\"]`"),
        ("two axes", with_rule("to = [\"US\"]\nto-control = [\"US\"]"), Code::Destination, (11, 14), "rule for each"),
        (
            "no effect",
            with("[[rule]]\nid = \"r\"\nfrom = [\"z\"]\nto = [\"US\"]"),
            Code::MissingKey,
            (6, 1),
            "effect = \"permit\"",
        ),
        ("empty list", with_rule("to = []"), Code::EmptyList, (10, 6), "leave `to` out"),
        (
            "backwards",
            with_rule("to = [\"US\"]\nin-force = { from = 2021-01-01, until = 2021-01-01 }"),
            Code::EmptyPeriod,
            (11, 41),
            "first day",
        ),
        ("host bits", with("[zone.y]\nnetworks = [\"192.0.2.1/24\"]"), Code::BadNetwork, (7, 13), "`192.0.2.0/24`"),
        ("no network", with("[zone.y]\nnetworks = [\"office\"]"), Code::BadNetwork, (7, 13), "10.20.0.0/16"),
        ("same network", with("[zone.y]\nnetworks = [\"10.0.0.0/8\"]"), Code::SameNetwork, (5, 13), ""),
        ("bad port", with("[service.s]\nports = [\"443\"]"), Code::BadPort, (7, 10), "`tcp/443`"),
        (
            "bad name",
            with("[party.x]\nmatch = [{ names = [\"https://a.example/\"] }]"),
            Code::BadHostName,
            (7, 21),
            "host name alone",
        ),
        (
            "star inside",
            with("[party.x]\nmatch = [{ names = [\"a.*.example\"] }]"),
            Code::BadHostName,
            (7, 21),
            "at the front",
        ),
        ("match of nothing", with("[party.x]\nmatch = [{ }]"), Code::MissingKey, (7, 10), "any will do"),
        (
            "region alone",
            with("[party.x]\nmatch = [{ region = [\"us-*\"] }]"),
            Code::BadRegion,
            (7, 22),
            "`oci:us-ashburn-1`",
        ),
        ("provider alone", with("[party.x]\nmatch = [{ region = \"OCI\" }]"), Code::BadRegion, (7, 21), "`oci:*`"),
        (
            "provider misspelt",
            with("[party.x]\nmatch = [{ region = [\"asw:us-*\"] }]"),
            Code::BadRegion,
            (7, 22),
            "`aws:`",
        ),
        (
            "star in a region",
            with("[party.x]\nmatch = [{ region = [\"oci:*-1\"] }]"),
            Code::BadRegion,
            (7, 22),
            "at the end",
        ),
        (
            "limit without a time",
            with_rule("to = [\"US\"]\nlimit = { octets = \"1 GiB\" }"),
            Code::MissingKey,
            (11, 9),
            "per = ",
        ),
        (
            "limit with a wrong key",
            with_rule("to = [\"US\"]\nlimit = { octet = \"1 GiB\", per = \"1d\" }"),
            Code::UnknownKey,
            (11, 11),
            "`octets`",
        ),
        (
            "limit in parsecs",
            with_rule("to = [\"US\"]\nlimit = { octets = \"1 parsec\", per = \"1d\" }"),
            Code::BadValue,
            (11, 20),
            "GiB",
        ),
        (
            "limit of nothing",
            with_rule("to = [\"US\"]\nlimit = { octets = \"0\", per = \"1d\" }"),
            Code::BadValue,
            (11, 20),
            "take it out",
        ),
        (
            "limit of a forbid",
            with(
                "[[rule]]\nid = \"r\"\neffect = \"forbid\"\nfrom = [\"z\"]\nto = [\"US\"]\nlimit = { octets = \"1\", per = \"1d\" }",
            ),
            Code::BadValue,
            (11, 9),
            "on a permit",
        ),
        (
            "tripwire",
            with("[[tripwire]]\nid = \"x\"\nfrom = [\"z\"]"),
            Code::MissingKey,
            (6, 1),
            "say what it watches for",
        ),
        (
            "waiver of nothing",
            waiver(&[("finding = { rule = \"r\", from = \"z\", to = \"192.0.2.0/24\" }\n", "")]),
            Code::MissingKey,
            (11, 1),
            "what is waived",
        ),
        ("waiver for ever", waiver(&[("expires = 2026-06-01", "")]), Code::MissingKey, (11, 1), "at most a year"),
        ("waiver without owner", waiver(&[("owner = \"o\"", "")]), Code::MissingKey, (11, 1), "who answers"),
        ("waiver without reason", waiver(&[("reason = \"why\"", "reason = \" \"")]), Code::BadValue, (14, 10), ""),
        ("waiver of all", waiver(&[("from = \"z\", ", "")]), Code::MissingKey, (12, 11), "zones"),
        ("waiver of an unknown rule", waiver(&[("rule = \"r\"", "rule = \"rr\"")]), Code::UnknownRule, (12, 20), "`r`"),
        ("waiver of an unknown zone", waiver(&[("from = \"z\"", "from = \"zz\"")]), Code::UnknownZone, (12, 32), "`z`"),
        (
            "waiver of an unknown party",
            waiver(&[("to = ", "party = \"p\", to = ")]),
            Code::UnknownParty,
            (12, 45),
            "`unlisted`",
        ),
        (
            "waiver of host bits",
            waiver(&[("192.0.2.0/24", "192.0.2.1/24")]),
            Code::BadNetwork,
            (12, 42),
            "`192.0.2.0/24`",
        ),
        ("waiver of a set", waiver(&[("192.0.2.0/24", "@eea")]), Code::BadValue, (12, 42), "one by one"),
        ("waiver of UK", waiver(&[("192.0.2.0/24", "UK")]), Code::UnknownCountry, (12, 42), "`GB`"),
        (
            "waiver in quotes",
            waiver(&[("2026-06-01", "\"2026-06-01\"")]),
            Code::WrongType,
            (15, 11),
            "without quotation",
        ),
        (
            "waiver with another key",
            waiver(&[("owner", "until = 2026-06-01\nowner")]),
            Code::UnknownKey,
            (13, 1),
            "keys",
        ),
        (
            "region of a test",
            with(
                "[[test]]\nname = \"t\"\nflow = { at = 2020-01-01T00:00:00Z, from = \"10.0.0.1\", to = \"192.0.2.1\", region = \"oci:us-*\" }\nexpect = { decision = \"forbid\" }",
            ),
            Code::BadRegion,
            (8, 83),
            "",
        ),
        ("reserved name", with("[party.unlisted]\nmatch = [{ asn = [1] }]"), Code::BadName, (6, 8), "another name"),
        (
            "two rules",
            with_rule("to = [\"US\"]\n[[rule]]\nid = \"r\"\neffect = \"permit\"\nfrom = [\"z\"]\nto = [\"CA\"]"),
            Code::DuplicateName,
            (12, 6),
            "",
        ),
        (
            "test outside",
            with(
                "[[test]]\nname = \"t\"\nflow = { at = 2020-01-01T00:00:00Z, from = \"192.0.2.1\", to = \"10.0.0.1\" }\nexpect = { decision = \"forbid\" }",
            ),
            Code::TestOutsideZones,
            (8, 44),
            "exchange them",
        ),
        (
            "test without time",
            with(
                "[[test]]\nname = \"t\"\nflow = { at = 2020-01-01T00:00:00, from = \"10.0.0.1\", to = \"192.0.2.1\" }\nexpect = { decision = \"forbid\" }",
            ),
            Code::BadDate,
            (8, 15),
            "UTC",
        ),
        (
            "test of no rule",
            with(
                "[[test]]\nname = \"t\"\nflow = { at = 2020-01-01T00:00:00Z, from = \"10.0.0.1\", to = \"192.0.2.1\" }\nexpect = { decision = \"forbid\", rule = \"rr\" }",
            ),
            Code::UnknownRule,
            (9, 40),
            "no rule at all",
        ),
        (
            "rule of a contact",
            with_rule(
                "to = [\"US\"]\n[[test]]\nname = \"t\"\nflow = { at = 2020-01-01T00:00:00Z, from = \"10.0.0.1\", to = \"192.0.2.1\" }\nexpect = { decision = \"contact\", rule = \"r\" }",
            ),
            Code::BadExpectation,
            (14, 41),
            "",
        ),
        (
            "wrong law",
            "[policy]\nid = \"p\"\ndefault = \"permit\"\nlaw = \"flowtime\"\n[zone.z]\nnetworks = [\"10.0.0.0/8\"]\n"
                .into(),
            Code::UnknownWord,
            (4, 7),
            "`flow-time`",
        ),
        (
            "no address",
            with(
                "[[test]]\nname = \"t\"\nflow = { at = 2020-01-01T00:00:00Z, from = \"10.0.0.0/8\", to = \"192.0.2.1\" }\nexpect = { decision = \"forbid\" }",
            ),
            Code::BadAddress,
            (8, 44),
            "one address",
        ),
        ("set of a zone", with("[zone.y]\nnetworks = [\"192.0.2.0/24\"]\ncountry = \"@eea\""), Code::BadValue, (8, 11), ""),
        ("zone of all", with("[zone.y]\nnetworks = [\"192.0.2.0/24\"]\ncountry = \"*\""), Code::BadValue, (8, 11), ""),
        ("the other half of a set", with_rule("to = [\"@us-doj\"]"), Code::UnknownSet, (10, 7), "`@us-doj."),
        ("short set without @", with_rule("to = [\"eea\"]"), Code::UnknownCountry, (10, 7), "`@eea`"),
        ("name with a space", with("[party.\"a b\"]\nmatch = [{ asn = [1] }]"), Code::BadName, (6, 8), "letters"),
        ("name with a dash before it", with("[party.-a]\nmatch = [{ asn = [1] }]"), Code::BadName, (6, 8), "begin"),
        (
            "long name",
            with(&format!("[party.{}]\nmatch = [{{ asn = [1] }}]", "a".repeat(65))),
            Code::BadName,
            (6, 8),
            "at most 64",
        ),
        (
            "two tripwires, with another between them",
            with(&["x", "y", "x"].map(|id| format!(
                "[[tripwire]]\nid = \"{id}\"\nkind = \"failover\"\nfrom = [\"z\"]\ninside = [\"US\"]\nattempts = 2\nwithin = \"60s\"\n"
            )).concat()),
            Code::DuplicateName,
            (21, 6),
            "",
        ),
        (
            "too many ports",
            with(&format!(
                "[service.s]\nports = [{}]",
                (0..1025).map(|port| format!("\"tcp/{port}\",")).collect::<Vec<_>>().concat()
            )),
            Code::TooLarge,
            (0, 0),
            "",
        ),
        (
            "too many sets",
            with(&format!("[sets]\n{}", (0..1025).map(|n| format!("s{n} = [\"DE\"]\n")).collect::<Vec<_>>().concat())),
            Code::TooLarge,
            (0, 0),
            "",
        ),
        ("too many limits", limited(65), Code::TooLarge, (0, 0), ""),
        ("large number", with("[party.x]\nmatch = [{ asn = [4294967296] }]"), Code::BadValue, (7, 19), ""),
        (
            "too many services",
            with(&(0..200).map(|n| format!("[service.s{n}]\nports = [\"tcp/{n}\"]\n")).collect::<Vec<_>>().concat()),
            Code::TooLarge,
            (0, 0),
            "",
        ),
    ]
}

#[test]
fn mistakes_are_told_with_place_and_word() {
    let mut wrong = String::new();
    for (what, text, code, at, word) in &mistakes() {
        let parsed = Policy::parse("test.toml", text, Library::embedded());
        let fits = |diagnostic: &&Diagnostic| {
            let found = diagnostic.span().map_or((0, 0), |span| place(text, span.start));
            diagnostic.code == *code && found == *at && diagnostic.is_error()
        };
        let found = parsed.diagnostics.iter().find(fits);
        let help = found.and_then(|diagnostic| diagnostic.help.as_deref()).unwrap_or("");
        if parsed.policy.is_some() || found.is_none() || !help.contains(word) {
            let drawn = render_text("test.toml", text, &parsed.diagnostics, Colour::Never);
            let _ = write!(wrong, "== {what}: expected {code} at {at:?} with {word}\n{drawn}\n");
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
}

#[test]
fn all_mistakes_are_told_in_one_run_in_the_order_of_the_text() {
    let text =
        with_rule("to = [\"UK\", \"US\"]\nparty = [\"x\"]\nmovment = \"out\"\nlimit = 1\n[zone.y]\nnetworks = [\"a\"]");
    let parsed = Policy::parse("test.toml", &text, Library::embedded());
    let codes: Vec<Code> = parsed.diagnostics.iter().map(|diagnostic| diagnostic.code).collect();
    assert_eq!(codes, [Code::UnknownCountry, Code::UnknownParty, Code::UnknownKey, Code::WrongType, Code::BadNetwork]);
}

const GOOD: &str = "to = [\"US\"]\nbasis = [\"x\"]\n";
const TEST: &str = "[[test]]\nname = \"t\"\nflow = { at = 2020-01-01T00:00:00Z, from = \"10.0.0.1\", to = \"192.0.2.1\", in = [\"US\"], sent = 1 }\nexpect = { decision = \"permit\", rule = \"r\" }\n";

/// Each lint, a policy that it speaks of, and the place of what it says.
fn lints() -> Vec<(Code, String, (usize, usize))> {
    let (good, test) = (GOOD, TEST);
    vec![
        (Code::NoTests, with_rule(good), (0, 0)),
        (Code::NoBasis, with_rule(&format!("to = [\"US\"]\n{test}")), (7, 6)),
        (
            Code::UntestedRule,
            with_rule(&format!("{good}{test}[[rule]]\nid = \"s\"\neffect = \"forbid\"\nfrom = [\"z\"]\nto = [\"CN\"]")),
            (17, 6),
        ),
        (
            Code::NeverMatches,
            with_rule(&format!(
                "{good}[[rule]]\nid = \"s\"\neffect = \"permit\"\nfrom = [\"z\"]\nto = [\"@eu.adequate\"]\nin-force = {{ until = 2000-01-01 }}"
            )),
            (13, 6),
        ),
        (
            Code::Shadowed,
            with_rule(&format!(
                "{good}[[rule]]\nid = \"s\"\neffect = \"forbid\"\nfrom = [\"*\"]\nto = [\"US\", \"CN\"]\nmovement = \"either\""
            )),
            (7, 6),
        ),
        (
            Code::UnusedSet,
            with(&format!("[sets]\nx = [\"US\"]\n[[rule]]\nid = \"r\"\neffect = \"permit\"\nfrom = [\"z\"]\n{good}")),
            (7, 1),
        ),
        (Code::UnusedZone, with_rule(&format!("{good}[zone.y]\nnetworks = [\"192.0.2.0/24\"]")), (12, 7)),
        (Code::UnusedParty, with_rule(&format!("{good}[party.y]\nmatch = [{{ asn = [1] }}]")), (12, 8)),
        (Code::UnusedService, with_rule(&format!("{good}[service.y]\nports = [\"tcp/1\"]")), (12, 10)),
        (
            Code::ZonesOverlap,
            with_rule(&format!(
                "{good}[zone.a]\nnetworks = [\"192.0.2.0/24\"]\ncountry = \"DE\"\n[zone.b]\nnetworks = [\"192.0.2.0/25\"]\ncountry = \"FR\""
            )),
            (16, 13),
        ),
        (Code::WideZone, with_rule(&format!("{good}[zone.y]\nnetworks = [\"0.0.0.0/0\"]")), (13, 13)),
        (Code::WideZone, with_rule(&format!("{good}[zone.y]\nnetworks = [\"::/0\"]")), (13, 13)),
        (Code::WideZone, with_rule(&format!("{good}[zone.y]\nnetworks = [\"172.0.0.0/8\"]")), (13, 13)),
        (
            Code::PrivateNetwork,
            with_rule(&format!("{good}party = [\"y\"]\n[party.y]\nmatch = [{{ networks = [\"192.168.0.0/16\"] }}]")),
            (14, 24),
        ),
        (Code::PrivateNetwork, with_rule(&format!("{good}{}", test.replace("192.0.2.1", "192.168.0.1"))), (14, 61)),
        (
            Code::AmbiguousParties,
            with_rule(&format!(
                "{good}party = [\"x\", \"y\"]\n[party.x]\nmatch = [{{ asn = [7] }}]\n[party.y]\nmatch = [{{ asn = [7] }}]"
            )),
            (15, 8),
        ),
        (Code::NeverMatches, waiver(&[]), (11, 1)),
        (Code::NeverMatches, forbidding("y", "s"), (13, 1)),
        (Code::NeverMatches, forbidding("z", "default").replacen("\"forbid\"", "\"permit\"", 1), (13, 1)),
        (
            Code::NoEnd,
            with_rule(&format!(
                "{GOOD}party = [\"x\"]\ndocument = {{ ref = \"SCC-1\" }}\n[party.x]\nmatch = [{{ asn = [7] }}]"
            )),
            (7, 6),
        ),
        (
            Code::AmbiguousParties,
            with_rule(&format!(
                "{good}party = [\"x\", \"y\"]\n[party.x]\nmatch = [{{ region = \"oci:us-*\" }}]\n[party.y]\nmatch = [{{ region = \"oci:us-*\" }}]"
            )),
            (15, 8),
        ),
        (Code::ConditionalMembers, with_rule("to = [\"@eu.adequate\"]\nbasis = [\"GDPR Art. 45\"]"), (7, 6)),
        (
            Code::BeyondCodes,
            with("[[rule]]\nid = \"r\"\neffect = \"forbid\"\nfrom = [\"z\"]\nto = [\"@us-ofac.comprehensive\"]"),
            (7, 6),
        ),
    ]
}

/// A rule that forbids to a zone what it sends to China, and a waiver of a rule for `z`, in line 13.
pub(crate) fn forbidding(zone: &str, waived: &str) -> String {
    with(&format!(
        "[zone.y]\nnetworks = [\"192.0.2.0/24\"]\n[[rule]]\nid = \"s\"\neffect = \"forbid\"\nfrom = [\"{zone}\"]\nto = [\"CN\"]\n\
         [[waiver]]\nfinding = {{ rule = \"{waived}\", from = \"z\", to = \"CN\" }}\nowner = \"o\"\nreason = \"why\"\nexpires = 2026-06-01"
    ))
}

#[test]
fn lints_say_what_was_probably_not_meant() {
    let mut wrong = String::new();
    for (code, text, at) in &lints() {
        let parsed = Policy::parse("test.toml", text, Library::embedded());
        let found = parsed.diagnostics.iter().any(|diagnostic| {
            diagnostic.code == *code && diagnostic.span().map_or((0, 0), |span| place(text, span.start)) == *at
        });
        if parsed.policy.is_none() || !found {
            let drawn = render_text("test.toml", text, &parsed.diagnostics, Colour::Never);
            let _ = write!(wrong, "== expected {code} at {at:?}\n{drawn}\n");
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
    let clean = Policy::parse("test.toml", &with_rule(&format!("{GOOD}{TEST}")), Library::embedded());
    assert_eq!(clean.diagnostics, []);
}

#[test]
fn strangers_texts_neither_panic_nor_hang() {
    let deep = format!("x = {}", "[".repeat(10_000));
    let chain = (0..1000)
        .map(|n| format!("s{n} = [\"@s{}\", \"@s{}\", \"DE\"]\n", n + 1, n + 2))
        .collect::<Vec<String>>()
        .concat();
    let sets = with(&format!("[sets]\n{chain}"));
    let many = (0..3000).map(|n| format!("[[rule]]\nid = \"r{n}\"\n")).collect::<Vec<String>>().concat();
    let wide = with_rule(&format!("to = [{}]", "\"Q\u{1b}[31m\", ".repeat(5000)));
    let ports = (0..2000).map(|n| format!("\"tcp/{n}\",")).collect::<Vec<String>>().concat();
    let services = with(&format!("[service.s]\nports = [{ports}]"));
    let cases = [
        String::new(),
        "\0".to_owned(),
        "[[[".to_owned(),
        "=".repeat(1000),
        "[policy]\nid = \"\u{202e}\"\n".to_owned(),
        "a.b.c.d = 1\n".repeat(2000),
        deep,
        sets,
        with(&many),
        wide,
        services,
        with("[zone.y]\nnetworks = [\"0.0.0.0/0\", \"::/0\", \"255.255.255.255/32\", \"ffff::/16\"]"),
    ];
    for text in &cases {
        let parsed = Policy::parse("wild.toml", text, Library::embedded());
        assert!(parsed.diagnostics.len() <= Diagnostic::MAX + 1);
        let drawn = render_text("wild.toml", text, &parsed.diagnostics, Colour::Never);
        assert!(!drawn.contains('\u{1b}') && !drawn.contains('\u{202e}'));
        // Every beginning of a good policy is a bad one or a good one, and never a crash.
    }
    for end in (0..STARTER.len()).step_by(97).filter(|end| STARTER.is_char_boundary(*end)) {
        let cut = &STARTER[..end];
        let parsed = Policy::parse("cut.toml", cut, Library::embedded());
        let _ = render_text("cut.toml", cut, &parsed.diagnostics, Colour::Never);
    }
}

#[test]
fn every_code_is_said_in_a_test() {
    let texts = mistakes().into_iter().map(|mistake| mistake.1).chain(lints().into_iter().map(|lint| lint.1));
    let mut said: BTreeSet<Code> = texts
        .flat_map(|text| Policy::parse("test.toml", &text, Library::embedded()).diagnostics)
        .map(|diagnostic| diagnostic.code)
        .collect();
    said.extend(Policy::from_flags(&[], &[], &[], Library::embedded()).diagnostics.iter().map(|one| one.code));
    let many = (0..=Diagnostic::MAX).map(|at| Diagnostic::note(Code::Syntax, "x").at(at..at, ""));
    said.extend(Diagnostic::in_order(many.collect()).iter().map(|one| one.code));
    // These need a run, a day or a map, and have tests of their own.
    said.extend([Code::TestFailed, Code::LibraryStale, Code::VantageAbroad]);
    said.extend([
        Code::WaiverExpired,
        Code::WaiverTooLong,
        Code::TestSurvivor,
        Code::UnknownTripwire,
        Code::BadRegister,
    ]);
    let unsaid: Vec<&Code> = Code::ALL.iter().filter(|code| !said.contains(code)).collect();
    assert!(unsaid.is_empty(), "{unsaid:?}");
}
