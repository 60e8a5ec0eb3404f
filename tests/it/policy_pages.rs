//! The pages of `tests/policy`: what a policy means, in prose, with policies, tables of flows and what comes of each, and
//! what is said of mistakes.
//!
//! A fence marked `toml` holds a policy. The tables after it, up to the next policy, are flows that it judges. A fence
//! marked `diagnostics` holds word for word what is said of the policy before it; without one, nothing may be said. `UPDATE=1`
//! rewrites the diagnostics; decisions are never written, since they are what the pages promise.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use landfall::audit::rehearse;
use landfall::diag::{Colour, render_text};
use landfall::policy::{Library, Policy};

/// The columns of a table of flows: what stands above them, and the key of a test's flow.
const COLUMNS: [(&str, &str); 11] = [
    ("at", "at"),
    ("from", "from"),
    ("to", "to"),
    ("in", "in"),
    ("who", "asn"),
    ("region", "region"),
    ("name", "name"),
    ("service", "service"),
    ("opened by", "initiator"),
    ("we send", "sent"),
    ("we receive", "received"),
];

/// A policy of a page, and what the page says of it.
#[derive(Default)]
struct Case {
    line: usize,
    policy: String,
    /// The lines of the page between which the diagnostics stand.
    diagnostics: Option<(usize, usize)>,
    flows: Vec<Flow>,
}

struct Flow {
    line: usize,
    /// As a test of the flow by itself.
    alone: String,
    /// As a test of what an audit of it comes to.
    seen: String,
}

fn pages() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/policy");
    let entries = fs::read_dir(folder).expect("the folder of pages");
    let mut pages: Vec<PathBuf> = entries.map(|entry| entry.expect("an entry").path()).collect();
    pages.retain(|path| path.extension().is_some_and(|extension| extension == "md"));
    pages.sort();
    pages
}

/// The policies of a page with their tables, in its order.
fn cases(page: &str) -> Vec<Case> {
    let mut cases: Vec<Case> = Vec::new();
    let mut header: Option<Vec<String>> = None;
    let mut lines = page.lines().enumerate();
    while let Some((number, line)) = lines.next() {
        if let Some(info) = line.strip_prefix("```") {
            let begin = number + 1;
            let body: Vec<&str> = lines.by_ref().map(|(_, line)| line).take_while(|line| *line != "```").collect();
            match info {
                "toml" => cases.push(Case { line: begin, policy: body.join("\n") + "\n", ..Case::default() }),
                "diagnostics" => {
                    let case = cases.last_mut().expect("a policy before its diagnostics");
                    case.diagnostics = Some((begin, begin + body.len()));
                }
                other => panic!("line {begin}: a fence marked `{other}`"),
            }
            header = None;
        } else if line.starts_with('|') {
            let cells: Vec<String> =
                line.trim_matches('|').split('|').map(|cell| cell.trim().replace('`', "")).collect();
            match &header {
                None => header = Some(cells),
                Some(_) if cells.iter().all(|cell| cell.chars().all(|c| c == '-')) => {}
                Some(header) => {
                    let case = cases.last_mut().expect("a policy before a table of flows");
                    case.flows.push(flow(number + 1, header, &cells));
                }
            }
        } else {
            header = None;
        }
    }
    cases
}

/// A row of a table as tests of a policy.
fn flow(line: usize, header: &[String], cells: &[String]) -> Flow {
    assert_eq!(header.len(), cells.len(), "line {line}: as many cells as the table has columns");
    let (mut flow, mut decision, mut by, mut waived) = (Vec::new(), String::new(), Vec::new(), "");
    for (column, cell) in header.iter().zip(cells) {
        if column == "comes to" {
            decision = cell.replace(' ', "-");
        } else if column == "waived" {
            waived = match cell.as_str() {
                "yes" => ", waived = true",
                "no" => ", waived = false",
                other => panic!("line {line}: waived is yes or no, not `{other}`"),
            };
        } else if column == "by" {
            by = cell.split(", ").filter(|rule| !rule.is_empty()).map(|rule| format!("\"{rule}\"")).collect();
        } else {
            let key = COLUMNS.iter().find(|(above, _)| above == column);
            let (_, key) = key.unwrap_or_else(|| panic!("line {line}: a column `{column}`"));
            let value = match (*key, cell.as_str()) {
                (_, "") | ("in", "anywhere") => continue,
                ("at", day) if day.len() == 10 => format!("{day}T12:00:00Z"),
                ("at", time) => time.to_owned(),
                ("asn", number) => number.trim_start_matches("AS").to_owned(),
                ("in", places) => {
                    let codes: Vec<String> = places.split(", ").map(|code| format!("\"{code}\"")).collect();
                    format!("[{}]", codes.join(", "))
                }
                ("initiator", "us") => "\"local\"".to_owned(),
                ("initiator", "them") => "\"remote\"".to_owned(),
                ("sent" | "received", octets) => octets.replace(' ', ""),
                (_, text) => format!("\"{text}\""),
            };
            flow.push(format!("{key} = {value}"));
        }
    }
    let rules = if by.is_empty() { String::new() } else { format!(", rules = [{}]", by.join(", ")) };
    let flow = flow.join(", ");
    let alone = format!(
        "[[test]]\nname = \"line {line}\"\nflow = {{ {flow} }}\nexpect = {{ decision = \"{decision}\"{rules}{waived} }}\n"
    );
    let seen =
        format!("[[test]]\nname = \"line {line}\"\nflows = [{{ {flow} }}]\nexpect = {{ decision = \"{decision}\" }}\n");
    Flow { line, alone, seen }
}

#[test]
fn every_page_holds() {
    let update = std::env::var_os("UPDATE").is_some_and(|value| value == "1");
    let (mut policies, mut flows, mut wrong) = (0, 0, String::new());
    for path in pages() {
        let page = fs::read_to_string(&path).expect("a page");
        let name = path.file_name().expect("a name").to_string_lossy().into_owned();
        let mut lines: Vec<String> = page.lines().map(str::to_owned).collect();
        for case in cases(&page).into_iter().rev() {
            policies += 1;
            let tests: String = case.flows.iter().map(|flow| flow.alone.as_str()).collect();
            let text = format!("{}{tests}", case.policy);
            let parsed = Policy::parse("policy.toml", &text, Library::embedded());
            let said = render_text("policy.toml", &text, &parsed.diagnostics, Colour::Never);
            let promised = case.diagnostics.map(|(begin, end)| (begin, end, lines[begin..end].join("\n")));
            match promised {
                None if parsed.diagnostics.is_empty() => {}
                None => {
                    let _ = writeln!(wrong, "{name} line {}: nothing should be said, but:\n{said}", case.line);
                }
                Some((begin, end, _)) if update => {
                    lines.splice(begin..end, said.trim_end().lines().map(|line| line.trim_end().to_owned()));
                }
                Some((_, _, text)) => {
                    let said: Vec<&str> = said.trim_end().lines().map(str::trim_end).collect();
                    if text != said.join("\n") {
                        let _ = writeln!(wrong, "{name} line {}: what is said is\n{}", case.line, said.join("\n"));
                    }
                }
            }
            let Some(policy) = parsed.policy else {
                assert!(
                    case.flows.is_empty(),
                    "{name} line {}: a policy that cannot be used judges nothing",
                    case.line
                );
                continue;
            };
            let seen: String = case.flows.iter().map(|flow| flow.seen.as_str()).collect();
            let seen_text = format!("{}{seen}", case.policy);
            let seen = Policy::parse("policy.toml", &seen_text, Library::embedded()).policy.expect("the same policy");
            for (text, policy) in [(&text, &policy), (&seen_text, &seen)] {
                let runs = rehearse(policy);
                // The policy's own tests come first.
                let own = runs.len() - case.flows.len();
                flows += case.flows.len();
                for (run, flow) in runs[own..].iter().zip(&case.flows) {
                    if let Some(failure) = &run.failure {
                        let drawn = render_text("policy.toml", text, std::slice::from_ref(failure), Colour::Never);
                        let _ = writeln!(wrong, "{name} line {}:\n{drawn}", flow.line);
                    }
                }
            }
        }
        if update {
            fs::write(&path, lines.join("\n") + "\n").expect("a page is written");
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
    assert!(policies >= 10 && flows >= 50, "{policies} policies and {flows} flows: the pages are not read");
}
