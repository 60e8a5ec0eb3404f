//! What is said of a policy and what is not: lints against what they speak of, bounds, and values of the wrong kind.

use landfall::diag::{Code, Diagnostic};
use landfall::policy::{Library, Policy};

use crate::policy::{with, with_rule};
use crate::policy_mistakes::{forbidding, limited, waiver};

fn said(text: &str) -> Vec<Diagnostic> {
    Policy::parse("test.toml", text, Library::embedded()).diagnostics
}

/// What is at a bound is within it.
#[test]
fn the_most_that_is_read_is_read() {
    let services = |count: usize| {
        with(&(0..count).map(|n| format!("[service.s{n}]\nports = [\"tcp/{n}\"]\n")).collect::<Vec<_>>().concat())
    };
    let ports = |count: usize| {
        let ports = (0..count).map(|port| format!("\"tcp/{port}\",")).collect::<Vec<_>>().concat();
        with(&format!("[service.s]\nports = [{ports}]"))
    };
    let sets = |count: usize| {
        with(&format!("[sets]\n{}", (0..count).map(|n| format!("s{n} = [\"DE\"]\n")).collect::<Vec<_>>().concat()))
    };
    let name = |length: usize| with(&format!("[party.{}]\nmatch = [{{ asn = [1] }}]", "a".repeat(length)));
    for (what, text) in [
        ("services", services(128)),
        ("ports", ports(1024)),
        ("sets", sets(1024)),
        ("name", name(64)),
        ("limits", limited(64)),
    ] {
        let parsed = Policy::parse("test.toml", &text, Library::embedded());
        assert!(parsed.policy.is_some(), "{what}: {:?}", parsed.diagnostics.first());
    }
}

#[test]
fn a_network_twice_is_told_with_whose_it_is() {
    let message = |text: String| {
        let parsed = Policy::parse("test.toml", &text, Library::embedded());
        parsed.diagnostics.into_iter().find(|said| said.code == Code::SameNetwork).map(|said| said.message)
    };
    assert_eq!(
        message(with("[zone.y]\nnetworks = [\"192.0.2.0/24\", \"192.0.2.0/24\"]")).as_deref(),
        Some("the zone `y` has the network `192.0.2.0/24` twice")
    );
    assert_eq!(
        message(with("[zone.y]\nnetworks = [\"10.0.0.0/8\"]")).as_deref(),
        Some("the zones `y` and `z` have the same network")
    );
}

/// Sentence 7: a waiver marks findings. Where there can be some, nothing is said of it.
#[test]
fn waivers_are_told_only_where_no_finding_can_fit() {
    let said = |text: &str| {
        let parsed = Policy::parse("test.toml", text, Library::embedded());
        let said = parsed.diagnostics.into_iter().find(|said| said.code == Code::NeverMatches);
        said.map(|said| (said.labels[0].text.clone(), said.help))
    };
    assert_eq!(said(&forbidding("z", "s")), None);
    assert_eq!(said(&forbidding("*", "s")), None);
    assert_eq!(said(&forbidding("z", "default")), None, "the default forbids");
    let (why, help) = said(&forbidding("y", "s")).unwrap();
    assert_eq!((why.as_str(), help), ("the rule does not speak of its zones", None));
    let (why, help) = said(&forbidding("z", "default").replacen("\"forbid\"", "\"permit\"", 1)).unwrap();
    assert_eq!((why.as_str(), help), ("the default permits: it gives no findings", None));
    let (why, help) = said(&waiver(&[])).unwrap();
    assert_eq!(why, "the rule permits: it gives no findings");
    assert!(help.unwrap().contains("`rule = \"default\"`"));
    // By country, where the rule forbids another; by network, what is in it can be anywhere; and whom the rule forbids to
    // answer to says nothing of where they are.
    let elsewhere = forbidding("z", "s").replace("to = \"CN\" }", "to = \"DE\" }");
    assert_eq!(said(&elsewhere).unwrap().0, "the rule forbids none of its countries, on any day");
    assert_eq!(said(&elsewhere.replace("to = \"DE\" }", "to = \"198.51.100.0/24\" }")), None);
    assert_eq!(said(&elsewhere.replace("to = [\"CN\"]", "to-control = [\"CN\"]")), None);
    let both = elsewhere.replace("to = \"DE\" }", "to = [\"DE\", \"198.51.100.0/24\"] }");
    assert_eq!(said(&both), None, "the network alone is enough");
    // A waiver of a party, of a rule about that and others, and about others alone.
    let of_party = |parties: &str| {
        let text = forbidding("z", "s")
            .replace("to = [\"CN\"]", &format!("to = [\"CN\"]\nparty = {parties}"))
            .replace("to = \"CN\" }", "to = \"CN\", party = \"a\" }");
        said(&(text + "\n[party.a]\nmatch = [{ asn = [1] }]\n[party.b]\nmatch = [{ asn = [2] }]\n"))
    };
    assert_eq!(
        (of_party("[\"a\"]"), of_party("[\"a\", \"unlisted\"]"), of_party("[\"a\", \"b\"]")),
        (None, None, None)
    );
    for others in ["[\"b\"]", "[\"unlisted\"]", "[\"b\", \"unlisted\"]"] {
        assert_eq!(of_party(others).expect(others).0, "the rule does not speak of its party");
    }
}

/// A permit is told to change nothing where a forbid speaks of all that it speaks of, and only there.
#[test]
fn a_permit_is_shadowed_by_what_covers_all_of_it() {
    let shadowed = |permit: &str, forbid: &str| {
        let text = with(&format!(
            "[zone.y]\nnetworks = [\"192.0.2.0/24\"]\n[party.a]\nmatch = [{{ asn = [1] }}]\n[party.b]\nmatch = [{{ asn = [2] }}]\n\
             [service.s]\nports = [\"tcp/1\"]\n[service.t]\nports = [\"tcp/2\"]\n\
             [[rule]]\nid = \"p\"\neffect = \"permit\"\nbasis = [\"x\"]\n{permit}\n[[rule]]\nid = \"f\"\neffect = \"forbid\"\n{forbid}\n"
        ));
        let parsed = Policy::parse("test.toml", &text, Library::embedded());
        assert!(parsed.policy.is_some(), "{text}\n{:?}", parsed.diagnostics);
        parsed.diagnostics.iter().any(|said| said.code == Code::Shadowed)
    };
    let permit = |more: &str| format!("from = [\"z\"]\nto = [\"US\"]\nmovement = \"out\"\n{more}");
    let forbid = |more: &str| format!("from = [\"z\"]\nto = [\"US\"]\nmovement = \"out\"\n{more}");
    let both = |more: &str, over: &str| shadowed(&permit(more), &forbid(over));
    assert!(both("", ""));
    // Zones, places and movement.
    let plain = forbid("");
    assert!(shadowed(&permit(""), &plain.replace("\"z\"", "\"z\", \"y\"")));
    assert!(!shadowed(&permit("").replace("\"z\"", "\"z\", \"y\""), &plain));
    assert!(shadowed(&permit(""), &plain.replace("\"US\"", "\"US\", \"CN\"")));
    assert!(!shadowed(&permit("").replace("\"US\"", "\"US\", \"CN\""), &plain));
    assert!(shadowed(&permit(""), &plain.replace("\"out\"", "\"either\"")));
    assert!(!shadowed(&permit(""), &plain.replace("\"out\"", "\"in\"")));
    assert!(!shadowed(&permit("").replace("\"out\"", "\"either\""), &plain));
    assert!(!shadowed(&permit(""), &plain.replace("to =", "to-control =")));
    // Parties: a forbid of none is a forbid of all.
    assert!(both("party = [\"a\"]", "") && both("party = [\"a\"]", "party = [\"a\", \"b\"]"));
    assert!(!both("", "party = [\"a\", \"b\", \"unlisted\"]") && !both("party = [\"a\", \"b\"]", "party = [\"a\"]"));
    assert!(both("party = [\"unlisted\"]", "party = [\"unlisted\", \"a\"]"));
    assert!(!both("party = [\"a\", \"unlisted\"]", "party = [\"a\", \"b\"]"));
    assert!(!both("party = [\"a\", \"unlisted\"]", "party = [\"unlisted\"]"));
    // Services.
    assert!(both("service = [\"s\"]", "") && both("service = [\"s\"]", "service = [\"s\", \"t\"]"));
    assert!(!both("", "service = [\"s\", \"t\"]") && !both("service = [\"s\", \"t\"]", "service = [\"t\"]"));
    // Who opened it, and contact.
    assert!(both("initiator = \"local\"", "") && both("initiator = \"local\"", "initiator = \"local\""));
    assert!(!both("", "initiator = \"local\"") && !both("initiator = \"remote\"", "initiator = \"local\""));
    assert!(both("contact = true", "contact = true") && both("", "contact = true") && !both("contact = true", ""));
    // Time: half-open spans of days.
    let period = |from: &str, until: &str| {
        let (from, until) = (from.replace("from", "from = "), until.replace("until", "until = "));
        format!("in-force = {{ {from}{}{until} }}", if from.is_empty() || until.is_empty() { "" } else { ", " })
    };
    let within =
        |permit: (&str, &str), forbid: (&str, &str)| both(&period(permit.0, permit.1), &period(forbid.0, forbid.1));
    let year = ("from2020-01-01", "until2021-01-01");
    assert!(within(year, year) && both(&period(year.0, year.1), ""));
    assert!(within(year, ("from2020-01-01", "")) && within(year, ("", "until2021-01-01")));
    assert!(within(year, ("from2019-12-31", "until2021-01-02")));
    assert!(
        !within(year, ("from2020-01-02", "until2021-01-01")) && !within(year, ("from2020-01-01", "until2020-12-31"))
    );
    assert!(!within(year, ("from2020-01-02", "")) && !within(year, ("", "until2020-12-31")));
    assert!(!both("", &period(year.0, year.1)));
    assert!(!both(&period(year.0, ""), &period(year.0, year.1)) && !both(&period("", year.1), &period(year.0, year.1)));
}

/// Parties that the same table of a match fits are told with what both are; parties that one condition sets apart are not.
#[test]
fn parties_that_are_one_are_told_with_what_they_are() {
    let both = |one: &str, other: &str| {
        let text = with_rule(&format!(
            "to = [\"US\"]\nparty = [\"x\", \"y\"]\n[party.x]\nmatch = [{{ {one} }}]\n[party.y]\nmatch = [{{ {other} }}]\n"
        ));
        let told = said(&text).into_iter().find(|one| one.code == Code::AmbiguousParties);
        told.map(|one| one.message)
    };
    let (name, region, net) =
        ("names = [\"a.example\"]", "region = [\"oci:us-*\"]", "networks = [\"198.51.100.0/24\"]");
    for (table, what) in [
        ("asn = [7]", "AS7"),
        (region, "oci:us-*"),
        ("region = [\"oci:us-1\"]", "oci:us-1"),
        (name, "a.example"),
        ("names = [\"*.a.example\"]", "*.a.example"),
        (net, "198.51.100.0/24"),
    ] {
        let expected = format!("the parties `x` and `y` are both `{what}`");
        assert_eq!(both(table, table).as_deref(), Some(expected.as_str()));
        if !table.contains("asn") {
            // The same with the same number, and another number.
            assert_eq!(both(&format!("{table}, asn = [7, 8]"), &format!("{table}, asn = [8, 7]")), Some(expected));
            assert_eq!(both(&format!("{table}, asn = [7]"), &format!("{table}, asn = [8]")), None);
        }
    }
    let other = "names = [\"b.example\"]";
    assert_eq!(both(&format!("{name}, {region}"), &format!("{other}, {region}")), None);
    assert!(both(&format!("{name}, {region}"), &format!("{name}, {region}")).is_some());
    assert_eq!(both(&format!("{name}, {region}"), &format!("{name}, region = [\"aws:*\"]")), None);
    assert_eq!(both(&format!("{name}, {net}"), &format!("{other}, {net}")), None);
    assert_eq!(both(name, "names = [\"*.a.example\"]"), None);
}

/// Where a policy changes on more days than lints look at, that is said, and nothing is said of what was not looked at.
#[test]
fn what_lints_did_not_look_at_is_not_told() {
    let policy = |rules: i64| {
        let day = |number: i64| jiff::civil::date(2000, 1, 1).saturating_add(jiff::Span::new().days(number));
        let rule = |n: i64| {
            format!(
                "[[rule]]\nid = \"r{n}\"\neffect = \"permit\"\nfrom = [\"z\"]\nto = [\"US\"]\nparty = [\"x\"]\nmovement = \"out\"\nbasis = [\"x\"]\nin-force = {{ from = {}, until = {} }}\n",
                day(n),
                day(n + 5000)
            )
        };
        let rules = (0..rules).map(rule).collect::<Vec<_>>().concat();
        with(&format!(
            "[party.x]\nmatch = [{{ asn = [1] }}]\n{rules}[[rule]]\nid = \"f\"\neffect = \"forbid\"\nfrom = [\"z\"]\nto = [\"US\"]\n\
             [[waiver]]\nfinding = {{ rule = \"f\", from = \"z\", to = \"US\" }}\nowner = \"o\"\nreason = \"why\"\nexpires = 2026-06-01\n"
        ))
    };
    let told = |rules: i64| {
        let codes: Vec<Code> = said(&policy(rules)).into_iter().map(|one| one.code).collect();
        [Code::TooLarge, Code::NeverMatches, Code::Shadowed].map(|code| codes.contains(&code))
    };
    // 3 permits on 6 days, and 800 on 1600: more than the 2^20 days that are looked at.
    assert_eq!(told(3), [false, false, true]);
    assert_eq!(told(800), [true, false, false]);
}

/// Under `law = DATE` the sets are those of that day, whatever the policy's own days are.
#[test]
fn a_fixed_law_is_the_only_day_that_lints_look_at() {
    let text = with_rule("to = [\"@eu.adequate\"]\nparty = [\"unlisted\"]\n")
        .replace("default =", "law = 1999-01-01\nin-force = { from = 2026-01-01 }\ndefault =");
    let told = said(&text).into_iter().find(|one| one.code == Code::NeverMatches).expect("no decision is that old");
    assert!(told.labels[0].text.contains("on every day"), "{:?}", told.labels);
}

#[test]
fn the_largest_text_is_read() {
    let text = |octets: usize| {
        let policy = with("");
        let filler = "#".repeat(octets - policy.len());
        said(&(policy + &filler)).iter().any(|one| one.code == Code::TooLarge)
    };
    assert!(!text(4 << 20) && text((4 << 20) + 1));
}

#[test]
fn a_vantage_says_where_it_stands() {
    let vantage = |value: &str| {
        let text = with("").replace("default =", &format!("vantage = {{ {value} }}\ndefault ="));
        let parsed = Policy::parse("test.toml", &text, Library::embedded());
        let code = parsed.diagnostics.iter().find(|one| one.is_error()).map(|one| one.code);
        parsed.policy.and_then(|policy| policy.vantage()).map(|one| one.to_string()).ok_or(code)
    };
    assert_eq!(vantage("lat = 50, lon = 8.5"), Ok("50,8.5".to_owned()));
    assert_eq!(vantage("lat = -90.0, lon = 180, country = \"DE\""), Ok("-90,180".to_owned()));
    assert_eq!(vantage("country = \"DE\""), Ok("DE".to_owned()));
    for half in ["lat = 50", "lon = 8", "", "country = \"DE\", lat = 50", "country = \"DE\", lon = 8"] {
        assert_eq!(vantage(half), Err(Some(Code::MissingKey)), "{half}");
    }
    assert_eq!(vantage("lat = 90.1, lon = 8"), Err(Some(Code::BadValue)));
    assert_eq!(vantage("lat = 0x32, lon = 8"), Err(Some(Code::WrongType)));
}

/// A set is used where a rule names it, itself or through another.
#[test]
fn a_set_that_another_names_is_used_with_it() {
    let text = with(
        "[sets]\ninner = [\"US\", \"@eea\"]\nmiddle = [\"@inner\", \"CA\"]\nouter = [\"@middle\"]\nidle = [\"@inner\"]\n\
         [[rule]]\nid = \"r\"\neffect = \"permit\"\nfrom = [\"z\"]\nto = [\"@outer\"]\nbasis = [\"x\"]\n",
    );
    let parsed = Policy::parse("test.toml", &text, Library::embedded());
    let unused: Vec<&str> = parsed
        .diagnostics
        .iter()
        .filter(|said| said.code == Code::UnusedSet)
        .map(|said| said.message.as_str())
        .collect();
    assert_eq!(unused, ["the set `idle` is not used"]);
    let sets: Vec<String> = parsed.policy.unwrap().summary(None).sets.into_iter().map(|set| set.name).collect();
    assert_eq!(sets, ["eea"], "what rests on the library says so");
}

/// Every kind of value where another belongs, and what to write instead.
#[test]
fn values_of_another_kind_are_named() {
    let first = |lines: &str| {
        let text = with_rule(&format!("to = [\"US\"]\n{lines}"));
        let one = said(&text).into_iter().find(Diagnostic::is_error).unwrap_or_else(|| panic!("{lines}"));
        (one.code, one.message, one.help.unwrap_or_default())
    };
    for (value, kind, help) in [
        ("7", "a number", "write it in quotation marks"),
        ("7.5", "a number", "write it in quotation marks"),
        ("true", "`true` or `false`", "write it in quotation marks"),
        ("2020-01-01", "a date or time", "write it in quotation marks"),
        ("[\"a\"]", "a list", ""),
        ("{ a = 1 }", "a table", ""),
    ] {
        let expected = (Code::WrongType, format!("`why` is a text, not {kind}"), help.to_owned());
        assert_eq!(first(&format!("why = {value}")), expected);
    }
    let wrong = |lines: &str| {
        let (code, message, help) = first(lines);
        (code, format!("{message}; {help}"))
    };
    let party = |value: &str| wrong(&format!("[party.x]\nmatch = [{{ asn = [{value}] }}]"));
    let kind = |text: &str| (Code::WrongType, text.to_owned());
    assert_eq!(wrong("contact = \"yes\""), kind("`contact` is `true` or `false`, not a text; "));
    assert_eq!(party("\"7\""), kind("`asn` is a whole number, not a text; write the number alone: `7`"));
    assert_eq!(party("-1"), (Code::BadValue, "`asn` is out of range; ".to_owned()));
    let from = |date: &str| {
        let text = with_rule(&format!("to = [\"US\"]\nin-force = {{ from = {date} }}"));
        said(&text).into_iter().find(Diagnostic::is_error).map(|one| one.code)
    };
    // Flows are dated from 1970 to 2554; a date is a day without a time.
    assert_eq!((from("1900-01-01"), from("2500-12-31")), (None, None));
    let bad = Some(Code::BadDate);
    assert_eq!((from("1899-12-31"), from("2501-01-01")), (bad, bad));
    assert_eq!((from("2020-01-01T00:00:00Z"), from("10:00:00"), from("2020-02-30")), (bad, bad, Some(Code::Syntax)));
    let time = |at: &str| {
        let text = with_rule(&format!(
            "to = [\"US\"]\n[[test]]\nname = \"t\"\nflow = {{ at = {at}, from = \"10.0.0.1\", to = \"192.0.2.1\", sent = 1 }}\nexpect = {{ decision = \"indeterminate\" }}"
        ));
        said(&text).into_iter().find(Diagnostic::is_error).map(|one| (one.code, one.help.unwrap_or_default()))
    };
    assert_eq!(
        (time("2020-01-01T00:00:00Z"), time("2020-01-01T01:00:00+01:00"), time("2020-01-01")),
        (None, None, None)
    );
    let in_utc = "write a time in UTC: `2020-03-30T15:00:00Z`".to_owned();
    assert_eq!(time("2020-01-01T00:00:00"), Some((Code::BadDate, in_utc.clone())));
    assert_eq!(time("10:00:00"), Some((Code::BadDate, in_utc)));
    let quoted = "write times without quotation marks: `2020-03-30T15:00:00Z`".to_owned();
    assert_eq!(time("\"2020-01-01T00:00:00Z\""), Some((Code::WrongType, quoted)));
    // Whatever is no number has no number to write alone.
    for value in ["\"AS\"", "\"ASX\"", "\"A1S\"", "\"\""] {
        assert_eq!(
            party(value),
            kind("`asn` is a whole number, not a text; write it without quotation marks"),
            "{value}"
        );
    }
    let attempts = "[[tripwire]]\nid = \"w\"\nkind = \"failover\"\nfrom = [\"z\"]\ninside = [\"US\"]\nwithin = \"1m\"\nattempts = \"3\"";
    assert_eq!(wrong(attempts), kind("`attempts` is a whole number, not a text; write it without quotation marks"));
    assert_eq!(
        wrong("limit = \"50 GiB\""),
        kind("a limit is a table, not a text; write `{ octets = \"50 GiB\", per = \"24h\" }`")
    );
    assert_eq!(
        wrong("in-force = 2026"),
        kind(
            "a period is a table, not a number; write `{ from = 2026-01-01, until = 2027-01-01 }`; one of the two is enough"
        )
    );
    assert_eq!(
        wrong("[party.x]\nmatch = [\"a\"]"),
        kind("a way to recognise the party is a table, not a text; write its keys between braces: `{ key = value }`")
    );
}

/// What is no network, and what was probably meant by it: nothing where nobody can know.
#[test]
fn networks_are_guessed_only_where_one_is_meant() {
    let help = |network: &str| {
        let text = with(&format!("[zone.y]\nnetworks = [\"{network}\"]"));
        let one = said(&text).into_iter().find(|one| one.code == Code::BadNetwork).expect("no network");
        one.help.expect("an example")
    };
    let example = "write for example `10.20.0.0/16` or `2001:db8:20::/48`";
    for unknown in ["hello", "010/8", "10.1.x.x/16", "10.20.*", "10.1.a.b", "*.*.*.*", "10.1.*.*.*"] {
        assert_eq!(help(unknown), example, "{unknown}");
    }
    assert_eq!(help("10.1.*.*"), "did you mean `10.1.0.0/16`?");
    assert_eq!(help("192.0.2.x"), "did you mean `192.0.2.0/24`?");
    assert_eq!(help("010.1.0.0/16"), "numbers have no leading zeros; did you mean `10.1.0.0/16`?");
    assert!(help("10.0.0.1-10.0.0.9").starts_with("a range is written as one network or several"));
}

/// Where a zone or its networks could not be read, an address can be in it: that is said once.
#[test]
fn an_address_is_outside_every_zone_only_where_all_are_known() {
    let test = "[[test]]\nname = \"t\"\nflow = { at = 2026-01-01T00:00:00Z, from = \"192.0.2.1\", to = \"198.51.100.1\", sent = 1 }\n\
                expect = { decision = \"forbid\" }\n";
    let outside = |rest: &str| {
        let codes: Vec<Code> = said(&with(&format!("{rest}\n{test}"))).into_iter().map(|one| one.code).collect();
        (codes.contains(&Code::TestOutsideZones), codes)
    };
    assert!(outside("").0, "10.0.0.0/8 is all there is");
    assert!(outside("[zone.y]\nnetworks = [\"198.51.100.0/24\"]").0);
    for unreadable in [
        "[zone.y]\nnetworks = [\"192.0.2.0\", \"192.0.2.x.y\"]",
        "[zone.y]\ncountry = \"DE\"",
        "[zone.y]\nnetworks = 7",
        "[[zone.y]]\nnetworks = [\"192.0.2.0/24\"]",
    ] {
        let (told, codes) = outside(unreadable);
        assert!(!told, "{unreadable}: {codes:?}");
    }
    // Another mistake has nothing to do with it.
    let (told, codes) = outside("[sets]\ns = [\"UK\"]");
    assert!(told && codes.contains(&Code::UnknownCountry), "{codes:?}");
}

/// Where a line is not TOML, what else is wrong is told, but for what that line may have been.
#[test]
fn beside_a_line_that_is_no_toml_only_what_it_cannot_explain_is_told() {
    let codes = |text: &str| said(text).into_iter().map(|one| one.code).collect::<Vec<_>>();
    assert_eq!(codes(&with_rule("to = [\"UK\"]\nmovement =\n")), [Code::UnknownCountry, Code::Syntax]);
    assert!(codes("\n[policy]\nid =\n").contains(&Code::Syntax), "the first line is empty");
    assert!(codes("\nid =\n[policy]\n").contains(&Code::Syntax), "so is it here");
    // Without the broken line, a key would be missing, and something would be unused.
    let broken =
        "[policy]\nid = \"p\"\ndefault =\n[zone.z]\nnetworks = [\"10.0.0.0/8\"]\n[party.x]\nmatch = [{ asn = [1] }]\n";
    assert_eq!(codes(broken), [Code::Syntax]);
    assert!(codes(&broken.replace("default =\n", "")).contains(&Code::MissingKey));
    assert!(codes(&broken.replace("default =", "default = \"permit\"")).contains(&Code::UnusedParty));
}

/// What a line that is no TOML was meant to be is said where it can be told, and not elsewhere.
#[test]
fn help_with_what_is_no_toml_fits_it() {
    let first = |text: &str| {
        let one = said(text).into_iter().find(|one| one.code == Code::Syntax).unwrap_or_else(|| panic!("{text}"));
        (one.message, one.help.unwrap_or_default())
    };
    let list = |rest: &str| first(&format!("[policy]\nid = \"x\"\n[zone.a]\nnetworks = [\"10.0.0.0/8\"\n{rest}\n")).0;
    let endless = "a list or a table does not end";
    for next in ["country = \"DE\"", "[zone.b]", "[[rule]]", "in-force.from = 2026-01-01"] {
        assert_eq!(list(next), endless, "{next}");
    }
    for entry in [
        "\"192.168.0.0/16\"]",
        "lab]",
        "[\"192.168.0.0/16\"]]",
        "\"192.168.0.0/16\", # the lab = b\n]",
        "\"192.0.2.0/24\"] # x = y",
    ] {
        assert_ne!(list(entry), endless, "{entry} is a network more, and a comma is missing");
    }
    assert_eq!(
        first("{\n  \"policy\": { \"id\": \"x\" }\n}\n"),
        (
            "a policy is a TOML file, and this is none".to_owned(),
            "begin with `[policy]`; `landfall policy init` writes an example".to_owned()
        )
    );
    let date = |value: &str| first(&with(&format!("[[rule]]\nid = \"r\"\nin-force = {{ from = {value} }}"))).1;
    assert_eq!(date("1.2.2026"), "dates begin with the year: `2026-02-01`");
    assert_eq!(date("01/12/2026"), "dates begin with the year: `2026-12-01`");
    assert_eq!(date("1.2.3.2026, until = 31.12.2026"), "dates begin with the year: `2026-12-31`");
    for none in ["123.11.2026", "11.123.2026", "a.b.2026", "1.2.26", "1..2026", "1.2.3.2026", "2026.2.1"] {
        assert!(!date(none).contains("dates begin"), "{none}: {}", date(none));
    }
}

/// What goes to a zone does not leave: where every address is in one, nothing is judged as leaving.
#[test]
fn zones_that_hold_the_internet_are_told_once() {
    let told = |text: String| -> Vec<String> {
        said(&text).into_iter().filter(|said| said.code == Code::WideZone).map(|said| said.message).collect()
    };
    let zone = |networks: &[&str]| told(with(&format!("[zone.y]\nnetworks = {networks:?}")));
    let every = |version: &str| vec![format!("every {version} address of the Internet is in a zone")];
    assert_eq!(zone(&["0.0.0.0/0"]), every("IPv4"));
    assert_eq!(zone(&["::/0"]), every("IPv6"));
    assert_eq!(zone(&["0.0.0.0/1", "128.0.0.0/1"]), every("IPv4"), "the two halves, as tunnels are routed");
    // Unicast ends at 223.255.255.255, and 127/8 is nobody's: 1 to 126 and 128 to 223 is all of it.
    let unicast = [
        "1.0.0.0/8",
        "2.0.0.0/7",
        "4.0.0.0/6",
        "8.0.0.0/5",
        "16.0.0.0/4",
        "32.0.0.0/3",
        "64.0.0.0/3",
        "96.0.0.0/4",
        "112.0.0.0/5",
        "120.0.0.0/6",
        "124.0.0.0/7",
        "126.0.0.0/8",
        "128.0.0.0/2",
        "192.0.0.0/3",
    ];
    assert_eq!(zone(&unicast), every("IPv4"));
    let hole: Vec<&str> = unicast.into_iter().filter(|network| *network != "4.0.0.0/6").collect();
    assert!(
        !zone(&hole).is_empty() && !zone(&hole).contains(&every("IPv4")[0]),
        "4.0.0.0 to 7.255.255.255 are missing"
    );
    // One address is missing, the last: of 192.0.0.0/3 the lower half, of the upper half the lower half, and so on to a /32.
    let halves = (4..=32).scan(0xc000_0000_u32, |start, length| {
        let half = format!("{}/{length}", std::net::Ipv4Addr::from(*start));
        *start += 1 << (32 - length);
        Some(half)
    });
    let halves: Vec<String> = halves.collect();
    assert_eq!(halves.last().map(String::as_str), Some("223.255.255.254/32"));
    let but_one: Vec<&str> = unicast
        .into_iter()
        .filter(|network| *network != "192.0.0.0/3")
        .chain(halves.iter().map(String::as_str))
        .collect();
    assert!(!zone(&but_one).contains(&every("IPv4")[0]), "223.255.255.255 is missing");
    assert_eq!(zone(&["2000::/4", "3000::/4"]), every("IPv6"));
    assert_eq!(
        told(with("[zone.x]\nnetworks = [\"0.0.0.0/1\"]\n[zone.y]\nnetworks = [\"128.0.0.0/1\", \"::/0\"]")),
        [every("IPv4"), every("IPv6")].concat(),
        "of several zones together"
    );
    assert_eq!(zone(&["192.168.0.0/15"]), ["`192.168.0.0/15` holds private and public addresses"]);
    assert_eq!(zone(&["0.0.0.0/1"]), ["`0.0.0.0/1` is more than anybody holds"]);
    let label = |network: &str| {
        let text = with(&format!("[zone.y]\nnetworks = [\"{network}\"]"));
        said(&text).into_iter().find(|said| said.code == Code::WideZone).expect("a lint").labels.remove(0).text
    };
    assert_eq!(label("0.0.0.0/1"), "in the zone `y`; the largest blocks that are given out are /8");
    assert_eq!(label("2400::/11"), "in the zone `y`; the largest blocks that are given out are /12");
    assert_eq!(label("172.0.0.0/8"), "in the zone `y`", "as wide as the largest");
    assert_eq!(zone(&["17.0.0.0/8", "172.16.0.0/12", "2001:db8::/32", "fd00::/8"]), Vec::<String>::new());
}

/// `--local 0.0.0.0/0` judges nothing, and an audit says so.
#[test]
fn flags_that_call_everything_ours_are_told() {
    let flag = |local: &str| {
        let one = |text: &str| vec![text.to_owned()];
        let made = Policy::from_flags(&one("DE"), &[], &one(local), Library::embedded());
        assert!(made.policy.is_some());
        made.diagnostics.into_iter().filter(|said| said.code == Code::WideZone).count()
    };
    assert_eq!((flag("0.0.0.0/0"), flag("10.0.0.0/8,fc00::/7")), (1, 0));
}

/// A zone, a party or a service that is no table is told once, wherever its name is used.
#[test]
fn what_is_no_table_has_its_name_all_the_same() {
    for entry in ["[[zone.y]]", "[[party.y]]", "[[service.y]]"] {
        let text = with(&format!(
            "{entry}\n[[rule]]\nid = \"r\"\neffect = \"forbid\"\nfrom = [\"z\"]\nto = [\"CN\"]\n{} = [\"y\"]\n",
            entry.trim_matches(['[', ']']).trim_end_matches(".y").replace("zone", "basis"),
        ));
        let rule = text
            .replace("from = [\"z\"]", if entry.contains("zone") { "from = [\"z\", \"y\"]" } else { "from = [\"z\"]" });
        let errors: Vec<Code> = said(&rule).into_iter().filter(Diagnostic::is_error).map(|one| one.code).collect();
        assert_eq!(errors, [Code::WrongType], "{rule}");
    }
}
