//! Slips of the pen in policies, and registers as offices keep them: what people write who never read a grammar.

use landfall::diag::{Code, Diagnostic, place};
use landfall::policy::register::Register;
use landfall::policy::{Library, Policy};

use crate::policy::with_rule;

/// A policy with a slip, and behind it, in the same rule and in the next one, a mistake each.
fn slipped(line: &str) -> String {
    with_rule(&format!("to = [\"UK\"]\n{line}\n[[rule]]\nid = \"s\"\neffect = \"deny\"\nfrom = [\"z\"]\nto = [\"US\"]"))
}

/// The rule of `with_rule` begins in line 6: its own lines are 10, with `UK` at (10, 7), and 11, with the slip; `deny` is at
/// (14, 10). Columns are counted by hand.
#[test]
fn a_slip_hides_no_other_mistake() {
    let mut wrong = Vec::new();
    for (line, column, word) in [
        ("title: \"a colon\"", 6, "`title = …`"),
        ("limit = { octets: \"1 GB\", per = \"24h\" }", 17, "`octets = …`"),
        ("title \"no sign at all\"", 6, "`title = …`"),
        ("title = \"a semicolon\";", 22, "take it out"),
        ("title =\u{a0}\"a no-break space\"", 8, "space bar"),
        ("// a remark of another language", 1, "`#`"),
        ("contact = True", 11, "`true`"),
        ("contact = FALSE # remark", 11, "`false`"),
    ] {
        let text = slipped(line);
        let parsed = Policy::parse("test.toml", &text, Library::embedded());
        let said: Vec<(Code, (usize, usize))> = parsed
            .diagnostics
            .iter()
            .map(|said| (said.code, said.span().map_or((0, 0), |span| place(&text, span.start))))
            .collect();
        let expected = [(Code::UnknownCountry, (10, 7)), (Code::Syntax, (11, column)), (Code::UnknownWord, (14, 10))];
        let help = parsed.diagnostics.iter().find(|said| said.code == Code::Syntax).and_then(|said| said.help.clone());
        if parsed.policy.is_some() || said != expected || !help.is_some_and(|help| help.contains(word)) {
            wrong.push(format!("{line}: {:#?}", parsed.diagnostics));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Colons, semicolons and the like in texts and remarks are none of ours.
#[test]
fn what_stands_in_quotation_marks_is_no_slip() {
    let text = with_rule("to = [\"US\"]\ntitle = \"a: b; // True\" # c: d;\nwhy = 'e: f;'\nbasis: \"x: y\"");
    let parsed = Policy::parse("test.toml", &text, Library::embedded());
    let places: Vec<_> =
        parsed.diagnostics.iter().filter_map(Diagnostic::span).map(|span| place(&text, span.start)).collect();
    assert_eq!(places, [(13, 6)], "{:#?}", parsed.diagnostics);
}

/// The mistakes of a text, with the line of each.
fn told(text: &str) -> Vec<(usize, String)> {
    let said = Policy::parse("test.toml", text, Library::embedded()).diagnostics;
    said.iter().map(|one| (one.span().map_or(0, |span| place(text, span.start).0), one.message.clone())).collect()
}

const COLON: &str = "a value stands behind `=`, not behind a colon";
const SIGN: &str = "`=` is missing before a value";
const SMALL: &str = "`true` and `false` are written small";

/// Keys of every kind, at the beginning of a line and in braces.
#[test]
fn every_key_can_be_behind_its_sign() {
    for (line, message) in [
        ("in-force: { from = 2026-01-01 }", COLON),
        ("in-force {from = 2026-01-01}", SIGN),
        ("to-control [\"CN\"]", SIGN),
        ("  why 'because'", SIGN),
        ("in-force = { from = 2026-01-01, until: 2027-01-01 }", COLON),
        ("in-force = { from: 2026-01-01, until = 2027-01-01 }", COLON),
        ("limit = { octets = \"True\", per = True }", SMALL),
    ] {
        let said = told(&with_rule(&format!("to = [\"US\"]\n{line}")));
        assert!(said.contains(&(11, message.to_owned())), "{line}: {said:?}");
    }
    let header = "[policy]\nid = \"p\"\nmax_age: \"3d\"\ndefault = \"permit\"\n[zone.z]\nnetworks = [\"10.0.0.0/8\"]\n";
    assert!(told(header).contains(&(3, COLON.to_owned())), "{:?}", told(header));
}

/// Where another sign was not meant, none is said to be missing.
#[test]
fn what_is_no_slip_is_not_said_to_be_one() {
    for line in [
        "party = [ a \"b\" ]",
        "party = [\"a\", b \"c\"]",
        "severity = # x, b: c",
        "severity = # y;",
        "party = [True, \"b\"]",
        "severity = high:low",
        "severity = # a remark, with b: c; and d: e",
        "severity = high # True",
        "party = { a = b c: \"d\" }",
    ] {
        let said = told(&with_rule(&format!("to = [\"US\"]\n{line}")));
        assert!(said.iter().any(|(at, _)| *at == 11), "{line} is a mistake: {said:?}");
        let slips = said
            .iter()
            .filter(|(_, message)| [COLON, SIGN, SMALL].contains(&message.as_str()) || message.contains("semicolon"));
        assert_eq!(slips.count(), 0, "{line}: {said:?}");
    }
    // A block of YAML is no line of TOML with another sign.
    assert_eq!(
        told("[policy]\nid = \"p\"\nowner:\n  default = \"permit\"\n"),
        [(1, "a policy is a TOML file, and this is none".to_owned())]
    );
}

/// What is in quotation marks is read as it stands, on a line that is mended too.
#[test]
fn a_mended_line_keeps_its_texts() {
    for text in ["X, y: Z", "X', y: Z", "True, y: Z # w: v;"] {
        let said = told(&with_rule(&format!("to: [\"{text}\"]")));
        assert!(said.iter().any(|(_, message)| message.contains(&format!("`{text}`"))), "{text}: {said:?}");
    }
    let said = told(&with_rule("to: [\"X\\\", y: Z\"]"));
    assert!(said.iter().any(|(_, message)| message.contains("`X\", y: Z`")), "an escaped mark ends nothing: {said:?}");
    let said = told(&with_rule("to: ['X\\', 'y: Z']"));
    assert!(said.iter().any(|(_, message)| message.contains("`y: Z`")), "in single marks nothing is escaped: {said:?}");
}

/// As many lines are mended as there are mistakes to tell.
#[test]
fn slips_are_mended_up_to_a_number_of_lines() {
    let colons = |lines: usize| {
        let each = |show: &dyn Fn(usize) -> String| (0..lines).map(show).collect::<Vec<_>>().concat();
        let sets = each(&|n| format!("s{n}: [\"US\"]\n"));
        let used = each(&|n| format!("\"@s{n}\", "));
        let text = with_rule(&format!("to = [{used}]\n[sets]\n{sets}"));
        told(&text).iter().filter(|(_, message)| message == COLON).count()
    };
    assert_eq!((colons(1), colons(200)), (1, 200));
    assert_eq!(colons(201), 0, "what is not mended is told in the parser's own words");
}

/// What is more than anybody reads is counted.
#[test]
fn mistakes_beyond_those_that_are_told_are_counted() {
    let codes = (0..300).map(|n| format!("\"Q{n}\"")).collect::<Vec<_>>().join(", ");
    let said = Policy::parse("test.toml", &with_rule(&format!("to = [{codes}]")), Library::embedded()).diagnostics;
    assert_eq!(said.len(), 201);
    assert_eq!(said.last().unwrap().message, "and 100 more; mend these first");
}

/// Of two tables without a key, one of which has it misspelt, the other one is told that it has none.
#[test]
fn a_key_is_missing_where_it_is_not_misspelt() {
    let text = "[policy]\nid = \"p\"\ndefault = \"permit\"\n[zone.a]\nnetwork = [\"10.0.0.0/8\"]\n[zone.b]\nholds = [\"keys\"]\n";
    let missing = |text: &str| {
        told(text).into_iter().filter(|(_, message)| message == "a zone has no `networks`").collect::<Vec<_>>()
    };
    assert_eq!(missing(text).iter().map(|(line, _)| *line).collect::<Vec<_>>(), [6]);
    assert_eq!(missing(&text.replace("network =", "holds =")).len(), 2);
    // And a misspelt key takes back nothing else that is missing.
    let said = told(
        "[policy]\nid = \"p\"\ndefault = \"permit\"\n[zone.a]\nnetworks = [\"10.0.0.0/8\"]\n[[rule]]\nidd = \"r\"\nfrom = [\"a\"]\nto = [\"CN\"]\n",
    );
    assert!(said.iter().any(|(_, message)| message == "a rule has no `effect`"), "{said:?}");
    assert!(!said.iter().any(|(_, message)| message == "a rule has no `id`"), "{said:?}");
}

/// A rule that seems to say where in a misspelt key is not told that it says nowhere.
#[test]
fn a_misspelt_key_is_one_mistake() {
    for (line, help) in [
        ("to_control = [\"RU\"]", "`to-control`"),
        ("to = [\"US\"]\nlimit = { bytes = \"1 GB\", per = \"24h\" }", "`octets`"),
        ("to = [\"US\"]\nin-force = { from = 2026-01-01, to = 2027-01-01 }", "`until`"),
    ] {
        let parsed = Policy::parse("test.toml", &with_rule(line), Library::embedded());
        let errors: Vec<_> = parsed.diagnostics.iter().filter(|said| said.is_error()).collect();
        assert_eq!(errors.iter().map(|said| said.code).collect::<Vec<_>>(), [Code::UnknownKey], "{line}");
        assert!(errors[0].help.as_deref().is_some_and(|said| said.contains(help)), "{line}: {errors:?}");
    }
}

#[test]
fn another_format_is_told_once() {
    let text = "# rules\npolicy:\n  id: x\n  default: forbid\nzones:\n  - hq\n";
    let parsed = Policy::parse("test.yaml", text, Library::embedded());
    let said: Vec<&str> = parsed.diagnostics.iter().map(|said| said.message.as_str()).collect();
    assert_eq!(said, ["a policy is a TOML file, and this is none"]);
}

#[test]
fn codes_that_are_not_quite_codes_are_told_what_was_meant() {
    for (written, word) in [
        ("fra", "`FR`"),
        ("DE, FR", "[\"DE\", \"FR\"]"),
        ("DE/FR", "[\"DE\", \"FR\"]"),
        ("!CN", "forbid"),
        ("not CN", "forbid"),
    ] {
        let parsed = Policy::parse("t.toml", &with_rule(&format!("to = [\"{written}\"]")), Library::embedded());
        let first = parsed.diagnostics.first().expect("a mistake");
        assert_eq!(first.code, Code::UnknownCountry, "{written}");
        assert!(first.help.as_deref().is_some_and(|help| help.contains(word)), "{written}: {first:?}");
    }
}

#[test]
fn a_digest_that_is_none_is_told() {
    let said = |digest: &str| {
        let rule = format!("to = [\"US\"]\nbasis = [\"x\"]\ndocument = {{ ref = \"D\", sha256 = \"{digest}\" }}");
        let parsed = Policy::parse("t.toml", &with_rule(&rule), Library::embedded());
        assert!(parsed.policy.is_some(), "it is a warning");
        parsed.diagnostics.iter().filter(|said| said.code == Code::BadValue).count()
    };
    assert_eq!(said("…"), 1);
    assert_eq!(said(&"a".repeat(63)), 1);
    assert_eq!(said(&"aF".repeat(32)), 0);
}

fn register(octets: &[u8], columns: [&str; 2]) -> Vec<(String, String)> {
    let register = Register::read(octets, &columns.map(str::to_owned)).expect("a register");
    register.recipients().map(|(name, countries)| (name.to_owned(), countries.to_string())).collect()
}

fn utf16(text: &str, unit: fn(u16) -> [u8; 2]) -> Vec<u8> {
    std::iter::once(0xfeff).chain(text.encode_utf16()).flat_map(unit).collect()
}

/// One register, as spreadsheets of different countries and ages save it.
#[test]
fn a_register_reads_the_same_however_it_was_saved() {
    let comma = "Empfänger,Länder,Zweck\nMüller GmbH,\"DE, FR\",Druck\n";
    let other = |delimiter: &str| comma.replace("\"DE, FR\"", "DE/FR").replace(',', delimiter);
    let latin: Vec<u8> = other(";").chars().map(|c| u8::try_from(u32::from(c)).unwrap()).collect();
    let said = format!("sep=;\r\n{}", other(";").replace('\n', "\r\n"));
    let quoted = "\"Empfänger\";\"Länder\";\"Zweck, Anlass, Grund, Recht\"\n\"Müller GmbH\";\"DE\nFR\";\"Druck\"\n";
    let marked = [&b"\xef\xbb\xbf"[..], comma.as_bytes()].concat();
    for (how, octets) in [
        ("UTF-8, commas", comma.as_bytes().to_vec()),
        ("UTF-8 with its mark", marked),
        ("semicolons", other(";").into_bytes()),
        ("tabs", other("\t").into_bytes()),
        ("Windows-1252, semicolons", latin),
        ("a line that says the delimiter", said.into_bytes()),
        ("quotation marks, lines in a cell, commas in a head", quoted.as_bytes().to_vec()),
        ("UTF-16 little-endian, tabs", utf16(&other("\t"), u16::to_le_bytes)),
        ("UTF-16 big-endian, semicolons", utf16(&other(";"), u16::to_be_bytes)),
        (
            "spaces around everything",
            comma.replace("Länder", " Länder ").replace("Müller GmbH", " Müller\u{a0} GmbH ").into_bytes(),
        ),
    ] {
        let read = register(&octets, ["EMPFÄNGER", "länder"]);
        assert_eq!(read, [("Müller GmbH".to_owned(), "DE,FR".to_owned())], "{how}");
    }
}

/// The euro sign is 0x80 in Windows-1252 and nothing in Latin-1 (WHATWG Encoding Standard, index windows-1252).
#[test]
fn what_windows_1252_has_beyond_latin_1_is_read() {
    let read = register(b"recipient;countries\n\x80uro \x96 Caf\xe9;FR\n", ["recipient", "countries"]);
    assert_eq!(read, [("€uro – Café".to_owned(), "FR".to_owned())]);
}

/// Countries by the names that registers have: those of ISO 3166-1 in their long and inverted forms among them.
#[test]
fn a_register_names_countries_as_people_do() {
    let rows = "a,\"Korea, Republic of\"\nb,the Netherlands\nc,Viet Nam | Czech Republic\nd,Türkiye / TURKEY\ne,\"United States of America\nUnited Kingdom\"\nf,\n";
    let read = register(format!("recipient,countries\n{rows}").as_bytes(), ["recipient", "countries"]);
    let countries: Vec<&str> = read.iter().map(|(_, countries)| countries.as_str()).collect();
    assert_eq!(countries, ["KR", "NL", "CZ,VN", "TR", "GB,US", ""]);
    let error = Register::read(b"recipient,countries\nx,DE\ny,UK\n", &["recipient", "countries"].map(str::to_owned));
    assert_eq!(
        error.expect_err("no code").to_string(),
        "line 3: `UK` is neither the code nor the English name of a country; did you mean `GB` (United Kingdom)?"
    );
}

/// What stands between the cells is told by the line of heads, which can have line ends in quotation marks, and by no other.
#[test]
fn the_heads_say_what_stands_between_cells() {
    let one = [("Example, B, C Ltd".to_owned(), "DE".to_owned())];
    let heads = ["recipient", "countries"];
    assert_eq!(register(b"recipient;countries\nExample, B, C Ltd;DE\n", heads), one);
    assert_eq!(register(b"\"of, our, own\nlist\";recipient;countries\n1;Example, B, C Ltd;DE\n", heads), one);
    assert_eq!(register(b"\"a;b;c\nd\",recipient,countries\n1,\"Example, B, C Ltd\",DE\n", heads), one);
}

/// A header in single brackets where there can be several, and a name that is taken: told once, and not of every key behind it.
#[test]
fn a_table_that_stands_twice_is_told_once() {
    let twice = |header: &str, keys: &str| {
        let text = with_rule(&format!(
            "to = [\"US\"]\n{header}\n{keys}\n{header}\n{keys}\n[sets]\ns = [\"UK\"]\ns = [\"US\"]"
        ));
        let said = Policy::parse("test.toml", &text, Library::embedded()).diagnostics;
        let line = |one: &Diagnostic| place(&text, one.span().unwrap().start).0;
        let mut of_syntax: Vec<_> = said
            .iter()
            .filter(|one| one.code == Code::Syntax)
            .map(|one| (line(one), one.message.clone(), one.help.clone().unwrap_or_default()))
            .collect();
        assert!(said.iter().any(|one| one.code == Code::UnknownCountry), "what follows is read: {said:?}");
        let (last, message, _) = of_syntax.pop().unwrap();
        assert_eq!((last, message.as_str()), (text.lines().count(), "duplicate key"), "so is what stands twice there");
        of_syntax
    };
    let named = "give one of them another name, or write all of it under one".to_owned();
    for (header, name, help) in [
        ("[party.x]", "party.x", named.clone()),
        ("[service.x]", "service.x", named),
        ("[waiver]", "waiver", "write `[[waiver]]` above each waiver, in double brackets".to_owned()),
        ("[test]", "test", "write `[[test]]` above each test, in double brackets".to_owned()),
    ] {
        // The rule's three lines end with line 10, the first table with 13.
        let message = format!("the table `{name}` stands twice");
        assert_eq!(twice(header, "a = 1\nb = 2"), [(14, message, help)], "{header}");
    }
    // A mistake of another kind in it is told, and so is a key that stands twice anywhere else.
    let said = twice("[tripwire]", "a = 1\nb =");
    let lines: Vec<usize> = said.iter().map(|(line, ..)| *line).collect();
    assert_eq!(lines, [13, 14, 16], "{said:?}");
    let said = told(&with_rule("to = [\"US\"]\nto = [\"CA\"]\nwhy = \"a\"\nwhy = \"b\""));
    let again: Vec<usize> =
        said.iter().filter(|(_, message)| message == "duplicate key").map(|(line, _)| *line).collect();
    assert_eq!(again, [11, 13], "{said:?}");
}
