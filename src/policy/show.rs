//! Policies and the library as a reader wants to see them.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use ipnet::IpNet;
use jiff::civil::Date;

use super::Policy;
use super::library::{Library, LibrarySet, Member};
use super::measure::spell;
use super::places::Conditional;
use super::terms::{Effect, Initiator, Movement, Period};
use super::tripwire::{Edge, Tripwire, Watch};
use super::zone::{PartySelection, Rule};
use crate::model::{Axis, CountrySet, LimitedTo, RuleSummary, ZoneId};

/// The widest line of a listing.
const WIDTH: usize = 100;

impl Policy {
    /// The policy in full: zones, parties, services, rules with their places on a day, and the sets of the library with the
    /// days on which they were reviewed.
    pub fn listing(&self, day: Date) -> String {
        let day = self.law.unwrap_or(day);
        let mut out = String::new();
        let mut line = |text: String| {
            // Writing to a string does not fail.
            let _ = writeln!(out, "{}", text.trim_end());
        };
        line(format!("policy {} {}", self.id, self.version));
        let mut field = |key: &str, value: &str| {
            if !value.is_empty() {
                line(format!("  {key:<10}{value}"));
            }
        };
        field("title", &self.title);
        field("owner", &self.owner);
        field("origin", &self.origin);
        field("sha-256", &self.digest);
        field("default", self.default.name());
        field("in force", &period(&self.in_force));
        let law = self.law.map_or("as on the day of each flow".to_owned(), |law| format!("as on {law}"));
        field("law", &law);
        if let Some(days) = self.max_age {
            field("max-age", &format!("{days} days between a flow and its provider's word"));
        }
        if let Some(vantage) = self.vantage() {
            field("vantage", &vantage.to_string());
        }
        field("shown for", &day.to_string());
        for zone in &self.zones {
            line(String::new());
            line(format!("zone {}", zone.name));
            let networks: Vec<String> = zone.networks.iter().map(ToString::to_string).collect();
            wrapped("networks", &networks, &mut line);
            let country = zone.country.map_or("not stated".to_owned(), |set| set.to_string());
            line(format!("  country   {country}"));
            wrapped("holds", &zone.holds, &mut line);
        }
        for party in &self.parties {
            line(String::new());
            let title = Some(format!("  {}", party.title)).filter(|_| party.title != party.name);
            line(format!("party {}{}", party.name, title.unwrap_or_default()));
            let control = party.controlled_from.map_or("not stated".to_owned(), |set| set.to_string());
            line(format!("  answers to {control}"));
            for way in &party.recognised {
                line(format!("  match     {way}"));
            }
        }
        for (name, ports) in &self.service_names {
            line(String::new());
            line(format!("service {name}"));
            wrapped("ports", ports, &mut line);
        }
        for (name, set) in &self.own_sets {
            line(String::new());
            line(format!("set @{name}"));
            wrapped("written", &set.written, &mut line);
            wrapped("members", &codes(set.places.at(day, Conditional::Include)), &mut line);
        }
        self.list_waivers(&mut line);
        for (summary, rule) in self.summaries.iter().zip(&self.rules) {
            line(String::new());
            self.list_rule(summary, rule, day, &mut line);
        }
        for tripwire in &self.tripwires {
            line(String::new());
            self.list_tripwire(tripwire, &mut line);
        }
        for (set, _) in self.library_sets.values() {
            line(String::new());
            list_set(set, None, Some(day), &mut line);
        }
        line(String::new());
        line(format!(
            "{}: `landfall policy test` runs {}, with `--mutate` it says what {}",
            if self.tests.len() == 1 { "1 test".to_owned() } else { format!("{} tests", self.tests.len()) },
            if self.tests.len() == 1 { "it" } else { "them" },
            if self.tests.len() == 1 { "it misses" } else { "they miss" },
        ));
        out
    }

    fn list_waivers(&self, line: &mut impl FnMut(String)) {
        for (_, waiver) in self.waivers() {
            line(String::new());
            line(format!("waiver of {} until before {}", waiver.rule, waiver.expires));
            wrapped("from", &waiver.from, line);
            wrapped("to", &waiver.to, line);
            wrapped("party", waiver.party.as_slice(), line);
            line(format!("  owner     {}", waiver.owner));
            line(format!("  reason    {}", waiver.reason));
        }
    }

    fn list_tripwire(&self, tripwire: &Tripwire, line: &mut impl FnMut(String)) {
        line(format!("tripwire {}: {} [{}]", tripwire.id, tripwire.kind(), tripwire.severity.name()));
        if tripwire.title != tripwire.id {
            line(format!("  title     {}", tripwire.title));
        }
        wrapped("from", &self.zone_names(&tripwire.zones), line);
        if let Some(parties) = &tripwire.parties {
            wrapped("party", &self.party_names(parties), line);
        }
        let words: Vec<String> = condition(&tripwire.watch).split(' ').map(str::to_owned).collect();
        folded("trips if", &words, " ", line);
        for basis in &tripwire.basis {
            line(format!("  basis     {basis}"));
        }
        if !tripwire.why.is_empty() {
            line(format!("  why       {}", tripwire.why));
        }
    }

    fn zone_names(&self, zones: &BTreeSet<ZoneId>) -> Vec<String> {
        zones.iter().map(|zone| self.zone_name(*zone).to_owned()).collect()
    }

    fn party_names(&self, parties: &PartySelection) -> Vec<String> {
        let listed = parties.listed.iter().map(|party| self.party_name(*party).to_owned());
        listed.chain(parties.unlisted.then(|| "unlisted".to_owned())).collect()
    }

    fn list_rule(&self, summary: &RuleSummary, rule: &Rule, day: Date, line: &mut impl FnMut(String)) {
        let speaks = if rule.in_force.contains(day) { "" } else { "  (not in force on this day)" };
        line(format!("rule {}: {} [{}]{speaks}", summary.id, summary.effect, summary.severity.name()));
        if summary.title != summary.id {
            line(format!("  title     {}", summary.title));
        }
        wrapped("from", &self.zone_names(&rule.zones), line);
        let axis = if rule.axis == Axis::Place { "to" } else { "to-control" };
        wrapped(axis, &rule.written, line);
        let resolved = rule.places_on(day);
        let resolved = if resolved.is_anywhere() { vec!["anywhere".to_owned()] } else { codes(resolved) };
        wrapped("that is", &resolved, line);
        let left_out = rule.places.at(day, Conditional::Include).difference(rule.places_on(day));
        wrapped("but not", &codes(left_out), line);
        if let Some(parties) = &rule.parties {
            wrapped("party", &self.party_names(parties), line);
        }
        if let Some(services) = rule.services {
            let named = (0u32..).zip(&self.service_names).filter(|(index, _)| services >> index & 1 == 1);
            wrapped("service", &named.map(|(_, (name, _))| name.clone()).collect::<Vec<_>>(), line);
        }
        let movement = match rule.movement {
            Movement::Out => "out: what the zone sends",
            Movement::In => "in: what the zone receives",
            Movement::Either => "either: what the zone sends and receives",
        };
        line(format!("  movement  {movement}{}", if rule.contact { ", and contact" } else { "" }));
        if rule.initiator != Initiator::Any {
            line(format!("  initiator {}", rule.initiator.name()));
        }
        if let Some(limit) = rule.limit.and_then(|limit| self.limit(limit)) {
            let each = if limit.each == LimitedTo::EachParty { "zone and party" } else { "zone" };
            line(format!("  limit     {} octets in every {}, for each {each}", limit.octets, spell(limit.per)));
        }
        if rule.in_force != Period::default() {
            line(format!("  in force  {}", period(&rule.in_force)));
        }
        for basis in &summary.basis {
            line(format!("  basis     {basis}"));
        }
        if !summary.why.is_empty() {
            line(format!("  why       {}", summary.why));
        }
        if let Some(owner) = &rule.owner {
            line(format!("  owner     {owner}"));
        }
        if let Some((reference, digest)) = &rule.document {
            let digest = digest.as_ref().map_or(String::new(), |digest| format!(", sha-256 {digest}"));
            line(format!("  document  {reference}{digest} (nobody looks whether it is there)"));
        }
        if rule.effect == Effect::Permit && summary.basis.is_empty() {
            line("  basis     none".to_owned());
        }
    }
}

/// When it trips, in words that go on from "trips if".
fn condition(watch: &Watch) -> String {
    let way = |movement: Movement| match movement {
        Movement::Out => "go out",
        Movement::In => "come in",
        Movement::Either => "go out and come in",
    };
    match watch {
        Watch::Failover { inside, attempts, within } => format!(
            "{attempts} attempts of a host to reach a party in {} go unanswered and, within {} of the first, somebody outside answers",
            inside.written,
            spell(*within)
        ),
        Watch::NewEdge { by, baseline } => {
            let what = if *by == Edge::Country { "country" } else { "party" };
            format!("packets are exchanged with a {what} with which none were before {baseline}")
        }
        Watch::Volume { movement, per, budget, times_tenths, trailing } => {
            let budget = budget.map(|budget| format!("more than {budget} octets"));
            let times = times_tenths.map(|tenths| {
                let times = format!("{}.{}", tenths / 10, tenths % 10);
                let times = times.trim_end_matches(".0");
                format!("more than {times} times the median of the {trailing} periods before")
            });
            let more = [budget, times].into_iter().flatten().collect::<Vec<_>>().join(", or ");
            // A span of one is spelt without its number.
            let per = spell(*per);
            let one = if per.starts_with(|c: char| c.is_ascii_digit()) { "" } else { "1 " };
            format!("{more} {} in {one}{per}, with one party", way(*movement))
        }
        Watch::Schedule { movement, quiet, budget } => {
            format!("more than {budget} octets in all {} in the hours {}", way(*movement), quiet.written)
        }
        Watch::ChokePoint { gateways } => {
            let gateways: Vec<String> = gateways.iter().map(IpNet::to_string).collect();
            format!("something leaves the zone and does not go to {}", gateways.join(", "))
        }
        Watch::Undeclared { path, .. } => {
            format!("somebody who gets data, or the country where, is not as `{path}` declares")
        }
    }
}

/// The library in full, with its age on `today`; with a day, the members on it.
pub fn library_listing(library: &Library, today: Date, day: Option<Date>) -> String {
    let mut out = String::new();
    for set in library.sets() {
        let mut line = |text: String| {
            let _ = writeln!(out, "{}", text.trim_end());
        };
        list_set(set, Some(today), day, &mut line);
        line(String::new());
    }
    out
}

fn list_set(set: &LibrarySet, today: Option<Date>, day: Option<Date>, line: &mut impl FnMut(String)) {
    let alias = set.alias.as_ref().map_or(String::new(), |alias| format!(" (also @{alias})"));
    line(format!("library set @{}{alias}", set.name));
    line(format!("  title     {}", set.title));
    line(format!("  authority {}", set.authority));
    line(format!("  citation  {}", set.citation));
    if let Some(day) = day {
        wrapped("members", &codes(set.on(day)), line);
    }
    let plain: Vec<String> =
        set.members.iter().filter(|member| is_plain(member)).map(|member| member.country.code().to_owned()).collect();
    if day.is_none() {
        wrapped("members", &plain, line);
    }
    // Members that share dates and conditions share a line.
    let mut groups: Vec<(String, Vec<String>)> = Vec::new();
    for member in set.members.iter().filter(|member| !is_plain(member)) {
        let mut text = period(&member.period);
        if let Some(condition) = &member.condition {
            let _ = write!(text, ", if {condition}");
        }
        if let Some(citation) = &member.citation {
            let _ = write!(text, " ({citation})");
        }
        if member.general_knowledge {
            text.push_str(", from general knowledge");
        }
        let code = member.country.code().to_owned();
        match groups.iter_mut().find(|(known, _)| *known == text) {
            Some((_, codes)) => codes.push(code),
            None => groups.push((text, vec![code])),
        }
    }
    for (text, codes) in groups {
        wrapped("dated", &codes, line);
        line(format!("            {text}"));
    }
    wrapped("beyond", &set.beyond_codes, line);
    if let Some(note) = &set.note {
        let words: Vec<String> = note.split(' ').map(str::to_owned).collect();
        folded("note", &words, " ", line);
    }
    let known = if set.general_knowledge { ", from general knowledge" } else { "" };
    let age = today.map_or_else(String::new, |today| {
        let days = (today - set.reviewed_on).get_days();
        let late = if set.review_due < today { ", PAST ITS REVIEW" } else { "" };
        format!(", {days} days old{late}")
    });
    line(format!("  reviewed  {}, due again {}{age}{known}", set.reviewed_on, set.review_due));
    for source in &set.sources {
        line(format!("  source    {} ({})", source.url, source.seen));
    }
}

fn is_plain(member: &Member) -> bool {
    member.period == Period::default() && member.condition.is_none() && !member.general_knowledge
}

fn codes(set: CountrySet) -> Vec<String> {
    set.iter().map(|country| country.code().to_owned()).collect()
}

fn period(period: &Period) -> String {
    match (period.from, period.until) {
        (None, None) => "always".to_owned(),
        (Some(from), None) => format!("from {from}"),
        (None, Some(until)) => format!("until before {until}"),
        (Some(from), Some(until)) => format!("from {from} until before {until}"),
    }
}

/// A key and a list, folded to the width; nothing where the list is empty.
fn wrapped(key: &str, items: &[String], line: &mut impl FnMut(String)) {
    folded(key, items, ", ", line);
}

fn folded(key: &str, items: &[String], between: &str, line: &mut impl FnMut(String)) {
    let mut text = format!("  {key:<10}");
    if key.len() >= 10 {
        text.push(' ');
    }
    let mut fresh = true;
    for item in items {
        if !fresh && text.chars().count() + between.len() + item.chars().count() > WIDTH {
            text.push_str(between);
            line(std::mem::replace(&mut text, " ".repeat(12)));
            fresh = true;
        }
        if !fresh {
            text.push_str(between);
        }
        text.push_str(item);
        fresh = false;
    }
    if !items.is_empty() {
        line(text);
    }
}
