//! Which column of an AWS flow log holds what.

use super::fields::{Fields, MAX_COLUMNS, address, number};

/// A field that is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Column {
    Version,
    Src,
    Dst,
    PktSrc,
    PktDst,
    SrcPort,
    DstPort,
    Protocol,
    Packets,
    Bytes,
    Start,
    End,
    Action,
    Status,
    TcpFlags,
    Interface,
    Direction,
    Path,
    Encryption,
}

impl Column {
    const COUNT: usize = Self::Encryption as usize + 1;

    pub(super) fn of_name(name: &[u8]) -> Option<Self> {
        Some(match name {
            b"version" => Self::Version,
            b"srcaddr" => Self::Src,
            b"dstaddr" => Self::Dst,
            b"pkt-srcaddr" => Self::PktSrc,
            b"pkt-dstaddr" => Self::PktDst,
            b"srcport" => Self::SrcPort,
            b"dstport" => Self::DstPort,
            b"protocol" => Self::Protocol,
            b"packets" => Self::Packets,
            b"bytes" => Self::Bytes,
            b"start" => Self::Start,
            b"end" => Self::End,
            b"action" => Self::Action,
            b"log-status" => Self::Status,
            b"tcp-flags" => Self::TcpFlags,
            // A transit gateway reports at attachments.
            b"interface-id" | b"tgw-attachment-id" => Self::Interface,
            b"flow-direction" => Self::Direction,
            b"traffic-path" => Self::Path,
            b"encryption-status" => Self::Encryption,
            _ => return None,
        })
    }
}

/// The default format, version 2, in its order.
const DEFAULT: [&[u8]; 14] = [
    b"version",
    b"account-id",
    b"interface-id",
    b"srcaddr",
    b"dstaddr",
    b"srcport",
    b"dstport",
    b"protocol",
    b"packets",
    b"bytes",
    b"start",
    b"end",
    b"action",
    b"log-status",
];

/// The other fields of versions 2 to 11 that are known and not needed.
const IGNORED: &[&[u8]] = &[
    b"account-id",
    b"interface-id",
    b"vpc-id",
    b"subnet-id",
    b"instance-id",
    b"type",
    b"region",
    b"az-id",
    b"sublocation-type",
    b"sublocation-id",
    b"pkt-src-aws-service",
    b"pkt-dst-aws-service",
    b"ecs-cluster-arn",
    b"ecs-cluster-name",
    b"ecs-container-instance-arn",
    b"ecs-container-instance-id",
    b"ecs-container-id",
    b"ecs-second-container-id",
    b"ecs-service-name",
    b"ecs-task-definition-arn",
    b"ecs-task-arn",
    b"ecs-task-id",
    b"reject-reason",
    b"resource-id",
    b"instance-tag",
    b"instance-tag-2",
    b"interface-tag",
    b"interface-tag-2",
    b"asg-tag",
    b"asg-tag-2",
    b"interface-type",
    b"next-hop-interface-id",
    b"next-hop-subnet-id",
    b"next-hop-az-id",
    b"next-hop-vpc-id",
    b"next-hop-interface-type",
];

/// Fields that only transit gateway flow logs (version 6) have: they report a flow at each attachment, and no action.
const TRANSIT_GATEWAY: &[&[u8]] = &[
    b"resource-type",
    b"tgw-id",
    b"tgw-attachment-id",
    b"tgw-src-vpc-account-id",
    b"tgw-dst-vpc-account-id",
    b"tgw-src-vpc-id",
    b"tgw-dst-vpc-id",
    b"tgw-src-subnet-id",
    b"tgw-dst-subnet-id",
    b"tgw-src-eni",
    b"tgw-dst-eni",
    b"tgw-src-az-id",
    b"tgw-dst-az-id",
    b"tgw-pair-attachment-id",
    b"packets-lost-no-route",
    b"packets-lost-blackhole",
    b"packets-lost-mtu-exceeded",
    b"packets-lost-ttl-expired",
];

/// The most octets of an unknown field's name that are shown.
const MAX_NAME: usize = 64;

/// The most unknown fields of a header line that are named.
const MAX_UNKNOWN: usize = 16;

/// The fewest fields that make a header line.
const MIN_HEADER: usize = 3;

/// Where the fields stand.
#[derive(Debug)]
pub(super) struct Layout {
    places: [Option<u8>; Column::COUNT],
    columns: Columns,
    unknown: Vec<String>,
    obstacle: Option<&'static str>,
    service: Service,
}

/// What writes the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Service {
    NetworkInterface,
    TransitGateway,
}

/// How many columns a line has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Columns {
    /// As many as a header line named, or more: what follows is ignored.
    AtLeast(usize),
    /// Those of the default format, which nothing but their number and version tells.
    Default,
}

impl Layout {
    /// The default format, for lines that no header line precedes.
    pub(super) fn default_format() -> Self {
        let mut layout = Self::of_names(DEFAULT.into_iter());
        layout.columns = Columns::Default;
        layout
    }

    /// As a header line says. Of a name that is there twice the first counts.
    pub(super) fn of_header(line: &[u8], fields: &Fields) -> Self {
        Self::of_names(names(line, fields))
    }

    /// In the order of these names. Of a name that is there twice the first counts.
    pub(super) fn of_names<'a>(names: impl Iterator<Item = &'a [u8]>) -> Self {
        let mut layout = Self {
            places: [None; Column::COUNT],
            columns: Columns::AtLeast(0),
            unknown: Vec::new(),
            obstacle: None,
            service: Service::NetworkInterface,
        };
        let mut count = 0;
        for (place, name) in (0u8..).zip(names) {
            count += 1;
            if TRANSIT_GATEWAY.contains(&name) {
                layout.service = Service::TransitGateway;
            }
            if let Some(column) = Column::of_name(name) {
                if let Some(slot) = layout.places.get_mut(column as usize) {
                    slot.get_or_insert(place);
                }
            } else if !TRANSIT_GATEWAY.contains(&name) && !IGNORED.contains(&name) && layout.unknown.len() < MAX_UNKNOWN
            {
                layout.unknown.push(shown(name));
            }
        }
        layout.columns = Columns::AtLeast(count);
        let has = |column: Column| layout.places.get(column as usize).is_some_and(Option::is_some);
        if !(has(Column::Src) || has(Column::PktSrc)) || !(has(Column::Dst) || has(Column::PktDst)) {
            layout.obstacle = Some("a header line without `srcaddr` or `dstaddr`");
        } else if !has(Column::Protocol) {
            layout.obstacle = Some("a header line without `protocol`");
        }
        layout
    }

    /// The same, of lines that have no more than the first columns.
    #[cfg(feature = "parquet")]
    #[must_use]
    pub(super) fn with_columns(self, count: usize) -> Self {
        Self { columns: Columns::AtLeast(count), ..self }
    }

    /// What writes lines of this layout.
    pub(super) fn service(&self) -> Service {
        self.service
    }

    /// Why lines of this layout cannot be read.
    pub(super) fn obstacle(&self) -> Option<&'static str> {
        self.obstacle
    }

    /// Whether lines of this layout can be read.
    pub(super) fn is_readable(&self) -> bool {
        self.obstacle.is_none()
    }

    /// The fields that are not known, as they can be shown.
    pub(super) fn unknown(&self) -> &[String] {
        &self.unknown
    }

    /// Whether a line has the columns of the layout.
    pub(super) fn fits(&self, line: &[u8], fields: &Fields) -> bool {
        self.is_readable()
            && match self.columns {
                Columns::AtLeast(count) => fields.count() >= count,
                Columns::Default => fields.count() == DEFAULT.len() && fields.get(line, 0) == Some(b"2"),
            }
    }

    /// A field of a line; `None` where the layout has none or the line says that it does not apply (`-`).
    pub(super) fn get<'a>(&self, column: Column, line: &'a [u8], fields: &Fields) -> Option<&'a [u8]> {
        let place = (*self.places.get(column as usize)?)?;
        fields.get(line, usize::from(place)).filter(|text| *text != b"-")
    }
}

fn names<'a>(line: &'a [u8], fields: &Fields) -> impl Iterator<Item = &'a [u8]> {
    let count = fields.count().min(MAX_COLUMNS);
    (0..count).filter_map(|column| fields.get(line, column))
}

/// A name from a log, as far as a report shows it.
fn shown(name: &[u8]) -> String {
    let text = String::from_utf8_lossy(name);
    text.chars().take(MAX_NAME).map(|letter| if letter.is_control() { '\u{fffd}' } else { letter }).collect()
}

/// Whether a field is known, needed or not.
pub(super) fn is_known(name: &[u8]) -> bool {
    Column::of_name(name).is_some() || IGNORED.contains(&name) || TRANSIT_GATEWAY.contains(&name)
}

/// Whether a line names fields: it begins with a known one and knows more than half.
pub(super) fn is_header(line: &[u8], fields: &Fields) -> bool {
    let count = fields.count();
    (MIN_HEADER..=MAX_COLUMNS).contains(&count)
        && fields.get(line, 0).is_some_and(is_known)
        && names(line, fields).filter(|name| is_known(name)).count() * 2 > count
}

/// Whether a line without a header before it is of the default format. Every field is held against what it can be, since
/// the lines of other logs (those of transit gateways above all) have numbers and addresses too.
pub(super) fn is_default_record(line: &[u8], fields: &Fields) -> bool {
    let layout = Layout::default_format();
    let get = |place| fields.get(line, place).unwrap_or_default();
    let number_or_dash = |place| get(place) == b"-" || number(get(place)).is_some();
    let address_or_dash = |place| get(place) == b"-" || address(get(place)).is_some();
    let account = get(1);
    layout.fits(line, fields)
        && (account == b"unknown" || account == b"-" || (account.len() == 12 && number(account).is_some()))
        && (get(2).starts_with(b"eni-") || get(2) == b"-")
        && (3..5).all(address_or_dash)
        && (5..10).all(number_or_dash)
        // In the other order of the two, packets would outnumber octets.
        && number(get(8)).unwrap_or(0) <= number(get(9)).unwrap_or(u64::MAX)
        && (10..12).all(|place| number(get(place)).is_some())
        && [&b"ACCEPT"[..], b"REJECT", b"-"].contains(&get(12))
        && [&b"OK"[..], b"NODATA", b"SKIPDATA"].contains(&get(13))
}
