//! The words of a report: the same fact reads the same in every format.

use crate::model::{
    Authority, Axis, Contact, Count, Country, CountrySet, Decision, ExceededLimit, FindingWaiver, Inner, NameSource,
    Opener, Outcome, Outer, SetSummary, Severity, Standing, Timestamp, Totals, Tunnel, Volume, WaiverSummary,
};

/// A number of octets for people, in SI units with one decimal: `999 B`, `5.2 kB`, `1.0 MB`.
///
/// 1 kB is 1000 octets, as in link speeds and invoices. JSON carries the exact number.
pub fn octets(n: u64) -> String {
    const UNITS: [&str; 6] = ["kB", "MB", "GB", "TB", "PB", "EB"];
    if n < 1000 {
        return format!("{n} B");
    }
    let mut unit = 1000_u128;
    for (place, name) in UNITS.iter().enumerate() {
        let tenths = (u128::from(n) * 10 + unit / 2) / unit;
        if tenths < 10_000 || place + 1 == UNITS.len() {
            return format!("{}.{} {name}", tenths / 10, tenths % 10);
        }
        unit *= 1000;
    }
    format!("{n} B")
}

/// A number with commas between thousands.
pub(super) fn number(n: u64) -> String {
    let digits = n.to_string();
    let mut text = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A number of things: `1 flow`, `2 flows`.
pub(super) fn several(n: u64, one: &str, many: &str) -> String {
    format!("{} {}", number(n), if n == 1 { one } else { many })
}

/// A number that can be an estimate.
pub(super) fn about((n, exact): (u64, bool)) -> String {
    format!("{}{}", if exact { "" } else { "~" }, number(n))
}

/// A share in percent with one decimal. What is not nothing is never `0.0 %`.
pub(super) fn percent(part: u64, whole: u64) -> String {
    if whole == 0 || part == 0 {
        return "0 %".to_owned();
    }
    let tenths = (u128::from(part) * 1000 + u128::from(whole) / 2) / u128::from(whole);
    match tenths {
        0 => "less than 0.1 %".to_owned(),
        1000 if part < whole => "more than 99.9 %".to_owned(),
        1000 => "100 %".to_owned(),
        _ => format!("{}.{} %", tenths / 10, tenths % 10),
    }
}

/// What a direction carried: payload first, since payload is what a policy speaks of.
pub(super) fn volume(sent: Volume, contact: Contact) -> String {
    let packets = several(sent.packets, "packet", "packets");
    match (contact.moved(), sent.payload) {
        (false, _) => format!("no payload, {} of headers in {packets}", octets(sent.octets)),
        (true, 0) => format!("{} with headers in {packets} (payload is not counted by the input)", octets(sent.octets)),
        (true, payload) => format!("{} payload, {} with headers, in {packets}", octets(payload), octets(sent.octets)),
    }
}

/// ISO 8601 in UTC, to the second.
pub(super) fn time(at: Timestamp) -> String {
    Timestamp(at.0 - at.0 % Timestamp::SECOND).to_string()
}

/// The same for reading: `2020-03-30 15:00:00 UTC`.
pub(super) fn civil(at: Timestamp) -> String {
    match time(at).strip_suffix('Z') {
        Some(text) => format!("{} UTC", text.replacen('T', " ", 1)),
        None => time(at),
    }
}

/// From when to when.
pub(super) fn span(first: Timestamp, last: Timestamp) -> String {
    let (first, last) = (time(first), time(last));
    if first == last { first } else { format!("{first} to {last}") }
}

/// Name and code: `China (CN)`.
pub(super) fn country(country: Country) -> String {
    format!("{} ({})", country.name(), country.code())
}

/// The countries of a set in words; of a large one, its codes.
pub(super) fn countries(set: &CountrySet) -> String {
    const NAMED: usize = 4;
    const LISTED: usize = 32;
    if set.is_anywhere() {
        return "anywhere".to_owned();
    }
    let left_out = set.complement();
    match set.len() {
        0 => "nowhere".to_owned(),
        1..=NAMED => set.iter().map(country).collect::<Vec<_>>().join(" or "),
        n if left_out.len() <= NAMED => {
            format!("any of {n} countries, not {}", left_out.iter().map(country).collect::<Vec<_>>().join(" nor "))
        }
        n if n <= LISTED => format!("one of {n} countries ({})", set.to_string().replace(',', " ")),
        n => format!("one of {n} countries"),
    }
}

/// Where an endpoint can be, with what the claims say of each other where that matters.
pub(super) fn places(set: &CountrySet, standing: Standing) -> String {
    match (standing, set.is_anywhere()) {
        (Standing::Anycast, true) => "undetermined (anycast)".to_owned(),
        (_, true) => "anywhere (unknown)".to_owned(),
        (Standing::Anycast, false) => format!("{} (anycast, cut down by round-trip time)", countries(set)),
        (Standing::Disputed, false) => format!("{} (sources differ)", countries(set)),
        (Standing::Refuted, false) => format!("{} (claims refuted by round-trip time)", countries(set)),
        (Standing::Unknown, false) => format!("{} (by round-trip time alone)", countries(set)),
        (Standing::Agreed, false) => countries(set),
    }
}

/// The same inside a sentence.
pub(super) fn places_in_sentence(set: &CountrySet, standing: Standing) -> String {
    match (standing, set.is_anywhere()) {
        (Standing::Anycast, true) => "a place that an anycast address does not tell".to_owned(),
        (_, true) => "a place that no source knows".to_owned(),
        (_, false) => countries(set),
    }
}

/// What is said by one source, as codes.
pub(super) fn codes(set: &CountrySet) -> String {
    if set.is_anywhere() || set.is_empty() { "no country".to_owned() } else { set.to_string().replace(',', " or ") }
}

/// How a far end was named.
pub(super) const fn name_source(from: NameSource) -> &'static str {
    match from {
        NameSource::Sni => "TLS server name",
        NameSource::Quic => "QUIC server name",
        NameSource::Dns => "DNS answer",
        NameSource::Host => "HTTP Host",
        NameSource::OuterSni => "TLS outer server name: an encrypted one may follow",
        NameSource::OuterQuic => "QUIC outer server name: an encrypted one may follow",
        NameSource::Certificate => "TLS certificate of the server",
    }
}

/// What went which way, in a word.
pub(super) const fn contact(contact: Contact) -> &'static str {
    match contact {
        Contact::Sent => "sent",
        Contact::Received => "received",
        Contact::SentNothing => "contact out",
        Contact::ReceivedNothing => "contact in",
    }
}

/// Who opened the conversation.
pub(super) const fn opener(opener: Opener) -> &'static str {
    match opener {
        Opener::Local => "opened by the zone",
        Opener::Remote => "opened by the far end",
        Opener::Unknown => "opener not known",
    }
}

/// What a report came to, in a word.
pub(super) const fn outcome(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Clean => "clean",
        Outcome::Indeterminate => "indeterminate",
        Outcome::Incomplete => "incomplete",
        Outcome::Forbidden => "forbidden",
    }
}

/// A decision as an adjective.
pub(super) const fn decision(decision: Option<Decision>) -> &'static str {
    match decision {
        Some(Decision::Permit) => "permitted",
        Some(Decision::Indeterminate) => "indeterminate",
        Some(Decision::Forbid) => "forbidden",
        None => "not judged",
    }
}

/// The name of a total of [`crate::model::Totals`], in a phrase after a number of flows.
pub(super) fn total(name: &str) -> &str {
    match name {
        "permit" => "permitted",
        "forbid" => "forbidden",
        "contact" => "contact only, no payload",
        "not-in-force" => "outside the policy's validity",
        "internal" => "inside one zone",
        "outside" => "outside every zone",
        "local-only" => "multicast, broadcast or link-local",
        "unjudged" => "not judged",
        other => other,
    }
}

/// A severity for a label.
pub(super) const fn severity(severity: Severity) -> &'static str {
    severity.name()
}

/// How much a source's claims count.
pub(super) const fn authority(authority: Authority) -> &'static str {
    match authority {
        Authority::Registry => "registry: where a network is registered, not where it is",
        Authority::Indicative => "geolocation database: indicative",
        Authority::Provider => "the provider's own statement",
        Authority::Operator => "stated by the policy",
    }
}

/// How the claims became one answer, in a sentence.
pub(super) const fn weighed(standing: Standing) -> &'static str {
    match standing {
        Standing::Agreed => "The claims of the highest authority agree.",
        Standing::Disputed => "The claims of the highest authority differ: all that they say is possible.",
        Standing::Refuted => "Every claim was refuted by the round-trip time: what is in reach is what is left.",
        Standing::Anycast => "The address is announced from many sites: no place follows from it.",
        Standing::Unknown => "No claim says where it is: by the claims it could be anywhere.",
    }
}

/// How many findings someone has accepted, as a part of the first sentence.
pub(super) fn waived(findings: u64) -> String {
    match findings {
        0 => String::new(),
        1 => " beside 1 finding that is waived".to_owned(),
        n => format!(" beside {} findings that are waived", number(n)),
    }
}

/// Who accepted a finding, why and until when.
pub(super) fn waiver(waiver: &FindingWaiver) -> String {
    let FindingWaiver { owner, reason, expires, holds } = waiver;
    let until = if *holds { format!("until before {expires}") } else { format!("EXPIRED on {expires}, fails again") };
    format!("{owner}, {until}: {reason}")
}

/// A limit that was exceeded: `the limit of dpf: 1,001 of 1,000 octets in the 24 hours from 2026-03-01T00:00:00Z`.
pub(super) fn limit(limit: &ExceededLimit) -> String {
    let ExceededLimit { rule, octets, per, party, windows, more } = limit;
    let whom = party.as_ref().map(|party| format!(" with party {party}")).unwrap_or_default();
    let seen: Vec<String> = windows
        .iter()
        .map(|window| format!("{} in the {} from {}", number(window.moved), spell(*per), time(window.from)))
        .collect();
    let more = if *more > 0 { format!(", and in {} more", several(*more, "window", "windows")) } else { String::new() };
    format!("the limit of {rule} is {} octets{whom}: {}{more}", number(*octets), seen.join(", "))
}

/// Seconds in the largest unit that they are a multiple of.
fn spell(seconds: u64) -> String {
    let units = [(86_400, "day", "days"), (3600, "hour", "hours"), (60, "minute", "minutes")];
    let (unit, one, many) =
        units.into_iter().find(|(unit, ..)| seconds.is_multiple_of(*unit)).unwrap_or((1, "second", "seconds"));
    several(seconds / unit, one, many)
}

/// A waiver of the policy, with what it covered.
pub(super) fn waiver_row(waiver: &WaiverSummary) -> [String; 5] {
    let WaiverSummary { rule, from, to, party, expires, owner, reason, waived, lapsed } = waiver;
    let party = party.as_ref().map(|party| format!(", party {party}")).unwrap_or_default();
    let covered = match (waived, lapsed) {
        (0, 0) => "nothing".to_owned(),
        (n, 0) => several(*n, "flow", "flows"),
        (n, lapsed) => format!("{}; {} after it had expired", several(*n, "flow", "flows"), number(*lapsed)),
    };
    [
        format!("{rule}, from {} to {}{party}", from.join(", "), to.join(", ")),
        owner.clone(),
        expires.clone(),
        reason.clone(),
        covered,
    ]
}

/// What of a set of the library was not checked against a public text.
pub(super) fn known_only(set: &SetSummary) -> String {
    match set.general_knowledge.len() {
        0 => String::new(),
        n if n == set.members.len() => "; from general knowledge, not checked against a public text".to_owned(),
        n => format!("; {} of its facts from general knowledge", number(n as u64)),
    }
}

/// What would decide a finding that could not be decided.
pub(super) const fn would_decide(axis: Axis, standing: Standing) -> &'static str {
    match (axis, standing) {
        (Axis::Control, _) => "Whom the operator answers to: name it as a party in the policy, with `controlled-from`.",
        (Axis::Place, Standing::Unknown) => {
            "Where the address is: a location source that knows the network, the provider's own list of regions, or an \
             entry for it in the policy."
        }
        (Axis::Place, Standing::Anycast) => {
            "Which site answers: the provider's evidence for a regional service, or the round-trip time from a vantage \
             point whose place is known."
        }
        (Axis::Place, Standing::Disputed) => {
            "Which source is right: the provider's own list of regions or a geofeed, which count more than databases."
        }
        (Axis::Place, Standing::Refuted) => {
            "Where the address is: every claim was refuted by the round-trip time, and what is in reach does not decide."
        }
        (Axis::Place, Standing::Agreed) => {
            "A place that is one country: the sources agree on several, and the policy does not treat them alike."
        }
    }
}

/// What nobody can read off the wire.
pub(super) const fn human_must_decide(decision: Decision, contact: Contact) -> &'static str {
    match (decision, contact.moved()) {
        (_, false) => {
            "Whether the contact itself matters: no payload was seen. What was attempted, and by whom, has to be asked."
        }
        (Decision::Indeterminate, true) => {
            "Where the far end is, with better evidence. Only then: whether the payload was data that the rule protects, \
             and whether this candidate transfer is one in law."
        }
        (_, true) => {
            "Whether the payload was data that the rule protects, who the data importer is, whether a safeguard or \
             exception covers it, and whether this candidate transfer is one in law."
        }
    }
}

/// A tunnel's outer header, in a row of a table: `tunnel: GRE, its inside is counted in rows of its own`.
pub(super) fn tunnel(outer: Outer) -> String {
    format!("tunnel: {}", inside(outer))
}

/// Of which tunnel an outer header is, and where what is in it was counted.
pub(super) fn inside(outer: Outer) -> String {
    let kind = match outer.kind {
        Tunnel::None => "unknown",
        Tunnel::IpInIp => "IP in IP",
        Tunnel::Gre => "GRE",
        Tunnel::Erspan => "ERSPAN",
        Tunnel::EtherIp => "EtherIP",
        Tunnel::L2tp => "L2TP",
        Tunnel::Vxlan => "VXLAN",
        Tunnel::Geneve => "Geneve",
        Tunnel::GtpU => "GTP-U",
        Tunnel::Teredo => "Teredo",
        Tunnel::Ayiya => "AYIYA",
        Tunnel::Capwap => "CAPWAP",
        Tunnel::Mpls => "MPLS",
        Tunnel::Lisp => "LISP",
        Tunnel::Pim => "PIM",
        Tunnel::IpComp => "IPComp",
        Tunnel::Esp => "ESP",
        Tunnel::WireGuard => "WireGuard",
        Tunnel::OpenVpn => "OpenVPN",
    };
    match outer.inside {
        Inner::Counted => format!("{kind}, its inside is counted in rows of its own"),
        Inner::Unread => format!("{kind}, its inside was not read"),
    }
}

/// How much of the totals is counted in other flows too, in a sentence.
pub(super) fn counted_inside(totals: Totals) -> Option<String> {
    let all = totals.each().into_iter().fold(Count::default(), |mut sum, (_, count)| {
        sum.merge(count);
        sum
    });
    (all.count > 0).then(|| {
        let flows = several(all.count, "flow", "flows");
        format!(
            "Of these, {flows} ({}) carried others, which are flows of their own: sums of rows leave those octets out.",
            octets(all.octets)
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn octets_are_si_with_one_decimal() {
        let shown = |n| octets(n);
        assert_eq!(shown(0), "0 B");
        assert_eq!(shown(999), "999 B");
        assert_eq!(shown(1000), "1.0 kB");
        assert_eq!(shown(5_249), "5.2 kB");
        assert_eq!(shown(5_250), "5.3 kB");
        assert_eq!(shown(999_949), "999.9 kB");
        assert_eq!(shown(999_950), "1.0 MB");
        assert_eq!(shown(u64::MAX), "18.4 EB");
    }

    #[test]
    fn shares_do_not_lie_at_the_ends() {
        assert_eq!(percent(0, 10), "0 %");
        assert_eq!(percent(1, 1_000_000), "less than 0.1 %");
        assert_eq!(percent(999_999, 1_000_000), "more than 99.9 %");
        assert_eq!(percent(1, 3), "33.3 %");
        assert_eq!(percent(3, 3), "100 %");
        assert_eq!(number(1_234_567), "1,234,567");
        assert_eq!(number(123), "123");
    }

    #[test]
    fn places_are_said_as_far_as_they_are_known() {
        let set = |codes: &[&str]| codes.iter().filter_map(|code| Country::from_code(code)).collect::<CountrySet>();
        assert_eq!(places(&set(&["CN"]), Standing::Agreed), "China (CN)");
        assert_eq!(
            places(&set(&["US", "CA"]), Standing::Disputed),
            "Canada (CA) or United States (US) (sources differ)"
        );
        assert_eq!(places(&CountrySet::ANYWHERE, Standing::Unknown), "anywhere (unknown)");
        assert_eq!(places(&CountrySet::ANYWHERE, Standing::Anycast), "undetermined (anycast)");
        assert_eq!(countries(&set(&["CN"]).complement()), "any of 249 countries, not China (CN)");
    }
}
