//! A policy from the command line: `--allow`, `--deny`, `--local`.
//!
//! The flags become the text of a policy, so that what judged can be shown, digested and kept like any other:
//!
//! - `--allow X` forbids by default and permits every exchange with X. Flags judge what leaves: what anyone sends us is
//!   permitted.
//! - `--deny X` permits by default and forbids sending to X.
//! - Both forbid by default, permit exchanges with what is allowed, and forbid sending to what is denied, which overrides.
//!
//! The one zone is `local`.

use std::fmt::Write as _;
use std::ops::Range;

use toml::Spanned;

use super::library::Library;
use super::lint::Lints;
use super::networks::network;
use super::places::Sets;
use super::syntax::Sink;
use super::{Policy, lower};
use crate::diag::{Code, Diagnostic};

/// The most entries of a flag.
const MAX_ENTRIES: usize = 4096;

/// What flags gave.
#[derive(Debug)]
pub struct FromFlags {
    /// The policy, where no diagnostic is an error.
    pub policy: Option<Policy>,
    /// Everything that is to be said. Places are in [`FromFlags::command`].
    pub diagnostics: Vec<Diagnostic>,
    /// The flags as they were understood: `--allow @eea,CH`.
    pub command: String,
    /// The policy's text; empty where the flags have mistakes.
    pub text: String,
}

impl Policy {
    /// Makes a policy of `--allow`, `--deny` and `--local`: each value is codes and sets, or networks, with commas between
    /// them. `local` without an entry is an error: the caller knows which networks are ours where nobody says.
    pub fn from_flags(allow: &[String], deny: &[String], local: &[String], library: &Library) -> FromFlags {
        let mut command = String::new();
        let allow = write_flag("--allow", allow, &mut command);
        let deny = write_flag("--deny", deny, &mut command);
        let networks = write_flag("--local", local, &mut command);
        let mut sink = Sink::default();
        let mut sets = Sets::resolve(&[], library, &mut sink);
        for list in [&allow, &deny] {
            sets.places(list, &mut sink);
        }
        for written in &networks {
            network(written, &mut sink);
        }
        if allow.len() + deny.len() + networks.len() > MAX_ENTRIES {
            sink.push(Diagnostic::error(Code::TooLarge, format!("the flags have more than {MAX_ENTRIES} entries")));
        }
        if allow.is_empty() && deny.is_empty() {
            sink.push(Diagnostic::error(Code::BadFlag, "neither `--allow` nor `--deny` names a place"));
        }
        if networks.is_empty() {
            sink.push(Diagnostic::error(Code::BadFlag, "no network is named as ours"));
        }
        if sink.has_errors() {
            return FromFlags { policy: None, diagnostics: sink.finish(&command), command, text: String::new() };
        }
        let text = text(&allow, &deny, &networks);
        let parsed = lower::parse("flags", &text, library, Lints::Meaning);
        let whole = 0..command.len();
        let relabelled = parsed.diagnostics.into_iter().map(|mut diagnostic| {
            // The place is in a text that the user did not write.
            for label in &mut diagnostic.labels {
                label.span = whole.clone();
                label.text.clear();
            }
            diagnostic.labels.truncate(1);
            diagnostic
        });
        let diagnostics = Diagnostic::in_order(relabelled.collect());
        FromFlags { policy: parsed.policy.map(|policy| policy.called(&command)), diagnostics, command, text }
    }

    /// The same policy, read from flags.
    fn called(mut self, command: &str) -> Self {
        command.clone_into(&mut self.origin);
        self
    }
}

/// Writes a flag out and gives its entries with their places in what was written.
fn write_flag(name: &str, values: &[String], command: &mut String) -> Vec<Spanned<String>> {
    let mut entries = Vec::new();
    for entry in values.iter().flat_map(|value| value.split(',')).map(str::trim).filter(|entry| !entry.is_empty()) {
        if entries.is_empty() {
            if !command.is_empty() {
                command.push(' ');
            }
            command.push_str(name);
            command.push(' ');
        } else {
            command.push(',');
        }
        let span: Range<usize> = command.len()..command.len() + entry.len();
        command.push_str(entry);
        entries.push(Spanned::new(span, entry.to_owned()));
    }
    entries
}

fn text(allow: &[Spanned<String>], deny: &[Spanned<String>], networks: &[Spanned<String>]) -> String {
    // Everything that is quoted was checked: codes, names of sets and networks have no quotation marks.
    let list = |entries: &[Spanned<String>]| {
        let mut quoted: Vec<String> = entries.iter().map(|entry| format!("\"{}\"", entry.get_ref())).collect();
        quoted.sort();
        quoted.dedup();
        quoted.join(", ")
    };
    let default = if allow.is_empty() { "permit" } else { "forbid" };
    let mut text = format!(
        "[policy]\nid = \"flags\"\ntitle = \"Policy from the command line\"\ndefault = \"{default}\"\n\n\
         [zone.local]\nnetworks = [{}]\n",
        list(networks)
    );
    let mut rule = |id: &str, title: &str, effect: &str, to: &str, movement: &str| {
        // Writing to a string does not fail.
        let _ = text.write_fmt(format_args!(
            "\n[[rule]]\nid = \"{id}\"\ntitle = \"{title}\"\neffect = \"{effect}\"\nfrom = [\"local\"]\nto = [{to}]\n\
             movement = \"{movement}\"\n"
        ));
    };
    if !allow.is_empty() {
        rule("allow", "Named by --allow", "permit", &list(allow), "either");
        rule("received", "Flags judge what leaves", "permit", "\"*\"", "in");
    }
    if !deny.is_empty() {
        rule("deny", "Named by --deny", "forbid", &list(deny), "out");
    }
    text
}
