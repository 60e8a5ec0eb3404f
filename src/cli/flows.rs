//! `landfall flows`: the flow records themselves, for pipes and for comparison with other tools.

use std::io::{BufWriter, Write};
use std::sync::Arc;

use serde::Serialize;

use super::args::{FlowFormat, FlowsArgs};
use super::{Exit, Stop, plan, tell};
use crate::audit::Grounds;
use crate::model::{
    Addr, Asn, Batch, BiflowDirection, CountrySet, FlowFlags, FlowRecord, NameSource, Protocol, Standing, Timestamp,
};
use crate::run::batch::{self, Advance};

/// A flow record as it is printed. The keys are stable.
///
/// `places`, `standing`, `asn`, `org` and `party` are those of the far end: the end that is not ours, or the destination
/// where that is not known. They are null where both ends are ours. `rtt_us` is the least round-trip time from the
/// observation point to the source, `rrtt_us` to the destination; the samples say of how many it is the least.
#[derive(Serialize)]
struct Row<'a> {
    start: Timestamp,
    end: Timestamp,
    src: Addr,
    sport: u16,
    dst: Addr,
    dport: u16,
    #[serde(serialize_with = "as_text")]
    proto: Protocol,
    initiator: Option<&'static str>,
    packets: u64,
    octets: u64,
    rpackets: u64,
    roctets: u64,
    payload: Option<u64>,
    rpayload: Option<u64>,
    end_reason: &'static str,
    name: Option<&'a str>,
    name_from: Option<NameSource>,
    rtt_us: Option<u32>,
    rtt_samples: u8,
    rrtt_us: Option<u32>,
    rrtt_samples: u8,
    places: Option<CountrySet>,
    standing: Option<Standing>,
    asn: Option<Asn>,
    org: Option<&'a str>,
    party: Option<&'a str>,
    tunnel: Option<&'static str>,
    input: &'a str,
    position: u64,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks for this signature")]
fn as_text<S: serde::Serializer>(protocol: &Protocol, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(protocol)
}

impl<'a> Row<'a> {
    fn of(record: &'a FlowRecord, batch: &'a Batch, input: &'a str, grounds: &'a Grounds) -> Self {
        let far = grounds.far_end(record);
        let place = far.map(|far| grounds.atlas.at(record.start).locate(far));
        let name = record.name.and_then(|id| batch.name(id));
        let operator = place.and_then(|place| place.operator);
        let policy = grounds.policy.as_ref();
        let asked = name.filter(|_| far == Some(record.dst)).map(|name| &*name.text);
        let party = policy.zip(far).and_then(|(policy, far)| {
            let regions = grounds.regions(policy, far, record.start);
            Some(policy.party_name(policy.party_of(far, operator, asked, regions)?))
        });
        let counted = |octets| (!record.flags.has(FlowFlags::PAYLOAD_UNKNOWN)).then_some(octets);
        Self {
            start: record.start,
            end: record.end,
            src: record.src,
            sport: record.sport,
            dst: record.dst,
            dport: record.dport,
            proto: record.protocol,
            initiator: match record.direction {
                BiflowDirection::Initiator => Some("src"),
                BiflowDirection::ReverseInitiator => Some("dst"),
                BiflowDirection::Arbitrary | BiflowDirection::Perimeter => None,
            },
            packets: record.forward.packets,
            octets: record.forward.octets,
            rpackets: record.reverse.packets,
            roctets: record.reverse.octets,
            payload: counted(record.forward.payload),
            rpayload: counted(record.reverse.payload),
            end_reason: record.end_reason.name(),
            name: name.map(|name| &*name.text),
            name_from: name.map(|name| name.from),
            rtt_us: record.src_rtt.least_us(),
            rtt_samples: record.src_rtt.samples(),
            rrtt_us: record.dst_rtt.least_us(),
            rrtt_samples: record.dst_rtt.samples(),
            places: place.map(|place| place.location.possible()),
            standing: place.map(|place| place.location.standing()),
            asn: operator,
            org: operator.and_then(|asn| grounds.atlas.organisation(asn, record.start)),
            party,
            tunnel: record.tunnel.name(),
            input,
            position: record.provenance.position(),
        }
    }
}

pub(super) fn run(args: &FlowsArgs) -> Result<Exit, Stop> {
    let grounds = plan::grounds(&args.grounds, None, &[]);
    let inputs = plan::inputs(&args.input);
    let (grounds, (inputs, unreadable)) = (grounds?, inputs?);
    let options = plan::options(&args.input);
    let out: Box<dyn Write> = match &args.output {
        Some(path) => Box::new(plan::create(path)?),
        None => Box::new(BufWriter::new(std::io::stdout().lock())),
    };
    let mut printer = Printer::new(args.format, out)?;
    let (mut read, mut complete) = (0, unreadable.is_empty());
    for input in &inputs {
        let mut failure = None;
        let coverage = batch::drain(input, &options, &Arc::new(Advance::default()), &mut |batch| {
            let rows = batch.records.iter().map(|record| {
                let origin = batch.origin(record.provenance.input());
                Row::of(record, batch, origin.unwrap_or(&input.name), &grounds)
            });
            failure = rows.map(|row| printer.print(&row)).find_map(Result::err);
            failure.is_none()
        });
        if let Some(error) = failure {
            return Err(error.into());
        }
        // A file of an archive that has nothing to add was read.
        read += usize::from(coverage.inputs.is_empty());
        for input in coverage.inputs.values() {
            if let Some(error) = &input.error {
                tell(&format!("cannot read `{}`: {error}", input.name));
            }
            if let Some(offset) = input.truncated_at {
                tell(&format!("`{}` is cut short: the record at octet {offset} is incomplete", input.name));
            }
            read += usize::from(input.error.is_none() || input.read.count > 0);
            complete &= input.is_complete();
        }
    }
    printer.finish()?;
    Ok(match (read, complete) {
        (0, _) => Exit::Failed,
        (_, true) => Exit::Clean,
        (_, false) => Exit::Open,
    })
}

enum Printer<'a> {
    Jsonl(Box<dyn Write + 'a>),
    Csv(Box<csv::Writer<Box<dyn Write + 'a>>>),
}

impl<'a> Printer<'a> {
    fn new(format: FlowFormat, out: Box<dyn Write + 'a>) -> Result<Self, Stop> {
        Ok(match format {
            FlowFormat::Jsonl => Self::Jsonl(out),
            FlowFormat::Csv => {
                let mut csv = csv::WriterBuilder::new().has_headers(false).from_writer(out);
                csv.write_record(KEYS).map_err(std::io::Error::other)?;
                Self::Csv(Box::new(csv))
            }
        })
    }

    fn print(&mut self, row: &Row<'_>) -> std::io::Result<()> {
        match self {
            Self::Jsonl(out) => {
                serde_json::to_writer(&mut *out, row)?;
                out.write_all(b"\n")
            }
            Self::Csv(csv) => {
                let value = serde_json::to_value(row)?;
                let fields = KEYS.iter().map(|key| match value.get(key) {
                    None | Some(serde_json::Value::Null) => String::new(),
                    Some(serde_json::Value::String(text)) => text.clone(),
                    Some(serde_json::Value::Array(items)) => {
                        items.iter().filter_map(serde_json::Value::as_str).collect::<Vec<_>>().join("|")
                    }
                    Some(other) => other.to_string(),
                });
                csv.write_record(fields).map_err(|error| match error.into_kind() {
                    csv::ErrorKind::Io(error) => error,
                    other => std::io::Error::other(format!("{other:?}")),
                })
            }
        }
    }

    fn finish(&mut self) -> std::io::Result<()> {
        match self {
            Self::Jsonl(out) => out.flush(),
            Self::Csv(csv) => csv.flush(),
        }
    }
}

/// The keys, in the order of columns.
const KEYS: [&str; 29] = [
    "start",
    "end",
    "src",
    "sport",
    "dst",
    "dport",
    "proto",
    "initiator",
    "packets",
    "octets",
    "rpackets",
    "roctets",
    "payload",
    "rpayload",
    "end_reason",
    "name",
    "name_from",
    "rtt_us",
    "rtt_samples",
    "rrtt_us",
    "rrtt_samples",
    "places",
    "standing",
    "asn",
    "org",
    "party",
    "tunnel",
    "input",
    "position",
];
