//! What names stand for while a policy is resolved, and what is said of those that stand for nothing.

use std::collections::{BTreeMap, BTreeSet};

use toml::Spanned;

use super::syntax::Sink;
use crate::diag::{Code, Diagnostic, did_you_mean, quoted};
use crate::model::{PartyId, ZoneId};

/// What names stand for, while rules, waivers and tests are resolved.
pub(super) struct Names {
    pub(super) zones: BTreeMap<String, ZoneId>,
    pub(super) parties: BTreeMap<String, PartyId>,
    pub(super) services: BTreeMap<String, usize>,
    /// The word for a far end that is no party.
    pub(super) unlisted: String,
    /// The identifiers of rules and tripwires as they are written, also of those that cannot be used.
    pub(super) written: BTreeSet<(&'static str, String)>,
    /// Kinds of things that could not be read.
    pub(super) unread: BTreeSet<&'static str>,
    /// Whether there is no zone, or one without networks.
    pub(super) lacks_networks: bool,
}

impl Names {
    /// Whether it would be an echo of another mistake to say that there is no such thing.
    fn is_echo(&self, noun: &'static str, name: &str) -> bool {
        self.unread.contains(noun) || self.written.contains(&(noun, name.to_owned()))
    }

    /// Whether there are zones, or networks of zones, of which it was said that they cannot be read: an address may be in them.
    pub(super) fn lacks_networks(&self, sink: &Sink) -> bool {
        self.unread.contains("zone")
            || self.lacks_networks && sink.has_errors()
            || sink.codes().any(|code| code == Code::BadNetwork)
    }

    /// Says that there is no zone, party, service, rule or tripwire of a name, where nothing else says so already.
    pub(super) fn say_unknown<'n>(
        &self,
        (code, noun): (Code, &'static str),
        name: &Spanned<String>,
        known: &(impl Iterator<Item = &'n String> + Clone),
        sink: &mut Sink,
    ) {
        if !self.is_echo(noun, name.get_ref()) {
            sink.push(unknown(code, noun, name, known));
        }
    }
}

/// That there is no zone, party, service or rule of a name.
fn unknown<'n>(
    code: Code,
    noun: &str,
    name: &Spanned<String>,
    known: &(impl Iterator<Item = &'n String> + Clone),
) -> Diagnostic {
    let meant = did_you_mean(name.get_ref(), known.clone().map(String::as_str));
    let help = meant.map_or_else(
        || {
            // More names than these help nobody.
            let some: Vec<String> = known.clone().take(8).map(|name| quoted(name)).collect();
            let more = if known.clone().nth(8).is_some() { ", …" } else { "" };
            if some.is_empty() {
                format!("the policy has no {noun} at all")
            } else {
                format!("the policy has {}{more}", some.join(", "))
            }
        },
        |meant| format!("did you mean `{meant}`?"),
    );
    let all = noun == "zone" && ["any", "all", "everywhere"].contains(&name.get_ref().to_lowercase().as_str());
    let help = if all { "every zone is `*`".to_owned() } else { help };
    Diagnostic::error(code, format!("there is no {noun} {}", quoted(name.get_ref())))
        .at(name.span(), format!("unknown {noun}"))
        .help(help)
}
