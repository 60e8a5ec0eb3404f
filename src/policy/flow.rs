//! Flows as tests of a policy state them.

use std::net::IpAddr;

use toml::Spanned;

use super::document::Texts;
use super::names::Names;
use super::networks::{is_private, parse_network};
use super::party::region_pattern;
use super::places::countries;
use super::syntax::{Fields, Sink};
use super::{Policy, Selector, Spent, service};
use crate::diag::{Code, Diagnostic, quoted};
use crate::model::{Addr, Asn, CountrySet, Location, Opener, PartyId, Protocol, Timestamp, ZoneId};

#[derive(Clone, Debug)]
pub(super) struct FlowText {
    pub(super) at: Option<Spanned<Timestamp>>,
    pub(super) from: Option<Spanned<String>>,
    pub(super) to: Option<Spanned<String>>,
    pub(super) places: Texts,
    pub(super) asn: Option<Spanned<u64>>,
    pub(super) region: Texts,
    pub(super) name: Option<Spanned<String>>,
    pub(super) service: Option<Spanned<String>>,
    pub(super) initiator: Option<Spanned<Opener>>,
    pub(super) sent: u64,
    pub(super) received: u64,
}

/// A flow as a test states it: what an audit would find out for itself is said.
#[derive(Clone, Debug)]
pub struct StatedFlow {
    /// When it began.
    pub at: Timestamp,
    /// Our address, which is in a zone.
    pub near: Addr,
    /// The far address.
    pub far: Addr,
    /// The protocol and port of the side that was called.
    pub service: Option<(Protocol, u16)>,
    /// Who opened the conversation.
    pub opener: Opener,
    /// The octets of payload that we sent.
    pub sent: u64,
    /// The octets of payload that we received.
    pub received: u64,
    /// Where the far end can be; of one in a zone, where that zone is.
    pub location: Location,
    /// The far end's autonomous system.
    pub asn: Option<Asn>,
    /// The name by which the far end was asked for.
    pub name: Option<String>,
    /// The regions that providers name for the far address.
    pub regions: Vec<String>,
    pub(super) zone: ZoneId,
    pub(super) to_zone: Option<ZoneId>,
    pub(super) party: Option<PartyId>,
    pub(super) class: u16,
}

impl StatedFlow {
    pub(super) fn selector(&self, epoch: u16, outward: bool, spent: Spent) -> Selector {
        Selector {
            zone: self.zone,
            epoch,
            outward,
            moved: if outward { self.sent > 0 } else { self.received > 0 },
            opened_by: self.opener,
            party: self.party,
            service: self.class,
            spent,
        }
    }
}

pub(super) fn read_flow(mut fields: Fields<'_, '_>, sink: &mut Sink) -> FlowText {
    let openers = [("local", Opener::Local), ("remote", Opener::Remote)];
    let flow = FlowText {
        at: fields.time("at", sink),
        from: fields.text("from", sink),
        to: fields.text("to", sink),
        places: fields.text_or_texts("in", sink),
        asn: fields.integer("asn", sink),
        region: fields.text_or_texts("region", sink),
        name: fields.text("name", sink),
        service: fields.text("service", sink),
        initiator: fields.word("initiator", &openers, sink),
        sent: fields.integer("sent", sink).map_or(0, Spanned::into_inner),
        received: fields.integer("received", sink).map_or(0, Spanned::into_inner),
    };
    for (key, help) in [
        ("at", "say when: `at = 2020-03-30T15:00:00Z`"),
        ("from", "name an address of a zone: `from = \"10.20.1.9\"`"),
        ("to", "name the far address: `to = \"203.0.113.7\"`"),
    ] {
        if !fields.has(key) {
            fields.missing(key, help, sink);
        }
    }
    fields.finish(sink);
    flow
}

pub(super) fn lower_flow(written: &FlowText, policy: &Policy, names: &Names, sink: &mut Sink) -> Option<StatedFlow> {
    let address = |text: &Option<Spanned<String>>, sink: &mut Sink| {
        let text = text.as_ref()?;
        let parsed = text.get_ref().parse::<IpAddr>().ok();
        if parsed.is_none() {
            let message = format!("{} is not an IP address", quoted(text.get_ref()));
            let help = parse_network(text.get_ref())
                .map_or("write for example `10.20.1.9` or `2001:db8::1`", |_| "a flow has one address on each side");
            sink.push(Diagnostic::error(Code::BadAddress, message).at(text.span(), "").help(help));
        }
        Some((Addr::from(parsed?), text.span()))
    };
    let from = address(&written.from, sink);
    let to = address(&written.to, sink);
    let zone = from.clone().and_then(|(addr, span)| {
        let zone = policy.zone_of(addr);
        // Where a network cannot be read, the address may be in it.
        if zone.is_none() && !names.lacks_networks(sink) {
            let message = format!("`{addr}` is in no zone");
            let help = to.as_ref().filter(|(to, _)| policy.zone_of(*to).is_some()).map_or(
                "`from` is our side: an address of a zone",
                |_| "`from` is our side and `to` the far end, whoever opened the conversation: exchange them",
            );
            sink.push(Diagnostic::error(Code::TestOutsideZones, message).at(span, "our side").help(help));
        }
        zone
    });
    let places = written.places.as_ref().map(|list| {
        if list.get_ref().iter().any(|code| code.get_ref() == "*") {
            CountrySet::ANYWHERE
        } else {
            countries(list.get_ref(), "the place of a flow's far end", sink)
        }
    });
    let service = written.service.as_ref().and_then(|text| {
        let range = service::ports(text, sink)?;
        if range.protocol.has_ports() && range.first != range.last {
            let message = format!("{} is more than one port", quoted(text.get_ref()));
            sink.error(Code::BadPort, message, text.span(), "a flow has one service port");
            return None;
        }
        Some((range.protocol, range.first))
    });
    let asn = written.asn.as_ref().and_then(|number| {
        let parsed = u32::try_from(*number.get_ref()).ok();
        if parsed.is_none() {
            let message = format!("`{}` is not the number of an autonomous system", number.get_ref());
            sink.error(Code::BadValue, message, number.span(), "expected a number of 32 bits");
        }
        parsed.map(Asn)
    });
    let regions: Vec<String> =
        written.region.iter().flat_map(Spanned::get_ref).map(|one| one.get_ref().clone()).collect();
    for region in written.region.iter().flat_map(Spanned::get_ref) {
        if region_pattern(region, sink).is_some() && region.get_ref().ends_with('*') {
            let message = format!("{} is more than one region", quoted(region.get_ref()));
            sink.error(Code::BadRegion, message, region.span(), "an address is in one region");
        }
    }
    let (to, to_span) = to?;
    let to_zone = policy.zone_of(to);
    if to_zone.is_none() && parse_network(&to.to_string()).is_ok_and(|network| is_private(&network)) {
        sink.push(
            Diagnostic::warning(Code::PrivateNetwork, format!("`{to}` is a private address in no zone"))
                .at(to_span, "no machine of the Internet has it")
                .help("test with the address that the far end has outside, or add its network to a zone"),
        );
    }
    let location = match (places, to_zone) {
        (Some(places), _) => Location::stated(places),
        (None, Some(zone)) => policy.zone_country(zone).map_or(Location::UNKNOWN, Location::stated),
        (None, None) => Location::UNKNOWN,
    };
    let name = written.name.as_ref().map(|name| name.get_ref().clone());
    Some(StatedFlow {
        at: *written.at.as_ref()?.get_ref(),
        zone: zone?,
        near: from?.0,
        far: to,
        to_zone,
        location,
        party: policy.party_of(to, asn, name.as_deref(), &regions),
        class: service.map_or(0, |(protocol, port)| policy.service_class(protocol, &[port])),
        service,
        asn,
        name,
        regions,
        opener: written.initiator.as_ref().map_or(Opener::Unknown, |opener| *opener.get_ref()),
        sent: written.sent,
        received: written.received,
    })
}
