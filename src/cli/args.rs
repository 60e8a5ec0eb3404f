//! What was typed.

use std::path::PathBuf;

use clap::{ArgAction, Parser, Subcommand, ValueEnum};
use ipnet::IpNet;

use crate::source::InputFormat;
use crate::source::cloud::aws::FieldOrder;

/// Where does your network's traffic make landfall, and does your residency policy allow it?
#[derive(Debug, Parser)]
#[command(name = "landfall", version, long_version = long_version(), max_term_width = 120, after_help = AFTER_HELP)]
pub struct Args {
    /// What to do
    #[command(subcommand)]
    pub command: Command,
}

const AFTER_HELP: &str = "\
Exit codes: 0 nothing forbidden and everything was seen; 1 something forbidden was found; 2 the run did not happen; \
3 nothing forbidden was found, but the audit is incomplete or indeterminate.";

fn long_version() -> &'static str {
    concat!(
        env!("CARGO_PKG_VERSION"),
        "\nLicence: MIT OR Apache-2.0",
        "\nEmbedded location data: IP Geolocation by DB-IP (https://db-ip.com), CC BY 4.0; \
         AS numbers by ip-location-db from RouteViews, DB-IP and the NRO, CC BY 4.0; \
         delegations of the registries by the NRO, CC BY 4.0",
    )
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Judge captures and flow logs; without a policy, say where the traffic landed
    Audit(AuditArgs),
    /// Print the flow records themselves
    Flows(FlowsArgs),
    /// Judge what goes over interfaces, until a signal comes
    #[cfg(feature = "live")]
    Watch(super::watch::WatchArgs),
    /// Say where addresses are, by which claims, and which source the answer rests on
    Locate(super::locate::LocateArgs),
    /// Derive a finding of a report, or say what a code of `policy check` means and how to mend it
    Explain(super::explain::ExplainArgs),
    /// Fetch, import, list and verify location data
    #[command(subcommand)]
    Db(super::db::DbCommand),
    /// Write, lint, list and test policies
    #[command(subcommand)]
    Policy(super::policy::PolicyCommand),
}

/// What to read.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Inputs")]
pub struct InputArgs {
    /// Captures and flow logs (also .gz, .zst), folders of them, or `-` for standard input
    #[arg(value_name = "INPUT")]
    inputs: Vec<PathBuf>,
    /// The same as INPUT
    #[arg(short = 'r', long = "read", value_name = "INPUT", action = ArgAction::Append)]
    read: Vec<PathBuf>,
    /// The most octets that a compressed input may grow to, such as 64GiB
    #[arg(long, value_name = "SIZE", default_value = "1TiB", value_parser = size)]
    pub max_inflate: u64,
    /// Read every input as this format, instead of telling it by content
    #[arg(long, value_name = "FORMAT", value_parser = input_format)]
    pub format_in: Option<InputFormat>,
    /// The fields of AWS flow logs without a header line, in their order, such as "srcaddr dstaddr protocol bytes"
    #[arg(long, value_name = "NAMES", value_parser = FieldOrder::new)]
    pub fields: Option<FieldOrder>,
    /// How packets become flows.
    #[command(flatten)]
    pub meter: MeterArgs,
}

/// How packets become flows.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Metering")]
pub struct MeterArgs {
    /// The most flows that are held at once; beyond it the flow that has been idle longest is cut
    #[arg(long, value_name = "N", default_value_t = 4_000_000, value_parser = clap::value_parser!(u32).range(1..=100_000_000))]
    pub max_flows: u32,
    /// Seconds without a packet after which a flow has ended
    #[arg(long, value_name = "SECONDS", default_value_t = 120, value_parser = clap::value_parser!(u32).range(1..))]
    pub idle_timeout: u32,
    /// Seconds after which a flow that goes on is reported
    #[arg(long, value_name = "SECONDS", default_value_t = 1800, value_parser = clap::value_parser!(u32).range(1..))]
    pub active_timeout: u32,
}

impl InputArgs {
    /// Everything that was named as an input.
    pub fn paths(&self) -> Vec<PathBuf> {
        self.inputs.iter().chain(&self.read).cloned().collect()
    }
}

/// What to judge by.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Policy and locations")]
pub struct GroundsArgs {
    /// The policy file
    #[arg(short, long, value_name = "FILE", conflicts_with_all = ["allow", "deny"])]
    pub policy: Option<PathBuf>,
    /// Where traffic may go: country codes and sets, such as `@eu.gdpr-area,CH`; everywhere else is forbidden
    #[arg(long, value_name = "PLACES", value_delimiter = ',', action = ArgAction::Append)]
    pub allow: Vec<String>,
    /// Where traffic must not go: country codes and sets, such as `CN,RU`
    #[arg(long, value_name = "PLACES", value_delimiter = ',', action = ArgAction::Append)]
    pub deny: Vec<String>,
    /// Judge as if a set of the library did not exist, or what it says of one country: `eu.adequate:US`. A supposition, and the
    /// report says so
    #[arg(long, value_name = "SET", value_delimiter = ',', action = ArgAction::Append)]
    pub law_without: Vec<String>,
    /// Our networks, in CIDR form [default: private networks, else the side that opened the flow]
    #[arg(long, value_name = "NET", value_delimiter = ',', action = ArgAction::Append, conflicts_with = "policy", value_parser = network)]
    pub local: Vec<IpNet>,
    /// Location data, told apart by content: MMDB databases, region feeds of AWS, Google Cloud, Azure and Oracle, geofeeds,
    /// anycast lists, registries' delegations, overrides, folders of them; or `embedded` [default: the store of `db update`
    /// and databases in the usual folders, else embedded]
    #[arg(long, value_name = "PATH", action = ArgAction::Append)]
    pub db: Vec<PathBuf>,
}

/// Which limits of an audit are accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Accept {
    /// Not everything was seen
    Incomplete,
    /// Not everything could be decided
    Indeterminate,
}

/// What to write.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Output")]
pub struct OutputArgs {
    /// text, json or html [default: by the name of the output file, else text]
    #[arg(long, value_name = "FORMAT", value_parser = format)]
    pub format: Option<crate::report::Format>,
    /// Write to a file
    #[arg(short, long, value_name = "FILE")]
    pub output: Option<PathBuf>,
    /// Exit with 0 although the audit is incomplete or indeterminate
    #[arg(long, value_name = "WHAT", value_delimiter = ',', action = ArgAction::Append)]
    pub accept: Vec<Accept>,
    /// Say in the report when it was written: `now` or a time such as 2026-01-31T12:00:00Z
    #[arg(long, value_name = "TIME")]
    pub stamp: Option<String>,
}

/// Judge captures and flow logs.
#[derive(Debug, clap::Args)]
pub struct AuditArgs {
    /// What to read.
    #[command(flatten)]
    pub input: InputArgs,
    /// What to judge by.
    #[command(flatten)]
    pub grounds: GroundsArgs,
    /// From where round-trip times were measured.
    #[command(flatten)]
    pub vantage: super::vantage::VantageArgs,
    /// What to write.
    #[command(flatten)]
    pub output: OutputArgs,
    /// Write the packets of each finding to a pcapng file in this folder, which must be new or empty: headers only
    #[arg(long, value_name = "DIR", help_heading = "Output")]
    pub evidence: Option<PathBuf>,
    /// Write the packets of findings whole, with what they carry
    #[arg(long, requires = "evidence", help_heading = "Output")]
    pub evidence_payload: bool,
    /// Name in the report the content of every input that is read to its end: its length and SHA-256
    #[arg(long, help_heading = "Output")]
    pub digests: bool,
    /// Keep the flow records as Parquet in a new or empty folder, hour by hour: an input for audits to come
    #[cfg(feature = "parquet")]
    #[arg(long, value_name = "DIR", help_heading = "Output")]
    pub archive: Option<PathBuf>,
    /// Read on as logs of text and JSON grow, through rotation and truncation, until a signal comes; then report. `watch` tells
    /// findings as they come
    #[cfg(feature = "live")]
    #[arg(long, conflicts_with_all = ["evidence", "digests"])]
    pub follow: bool,
    /// Follow for this long, such as 10s, 5m or 1h30m
    #[cfg(feature = "live")]
    #[arg(long = "for", value_name = "DURATION", requires = "follow", value_parser = super::watch::duration)]
    pub limit: Option<std::time::Duration>,
    /// How many inputs are read at once [default: as many as there are processors]
    #[arg(short = 'j', long, value_name = "N")]
    pub threads: Option<usize>,
}

/// How flow records are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum FlowFormat {
    /// One JSON object a line
    Jsonl,
    /// Comma-separated values with a header line
    Csv,
}

/// Print the flow records themselves.
#[derive(Debug, clap::Args)]
pub struct FlowsArgs {
    /// What to read.
    #[command(flatten)]
    pub input: InputArgs,
    /// What to locate by.
    #[command(flatten)]
    pub grounds: GroundsArgs,
    /// How records are written
    #[arg(long, value_name = "FORMAT", value_enum, default_value_t = FlowFormat::Jsonl, help_heading = "Output")]
    pub format: FlowFormat,
    /// Write to a file
    #[arg(short, long, value_name = "FILE", help_heading = "Output")]
    pub output: Option<PathBuf>,
}

fn format(text: &str) -> Result<crate::report::Format, String> {
    crate::report::Format::from_name(text).ok_or_else(|| "the formats are text, json and html".to_owned())
}

fn input_format(text: &str) -> Result<InputFormat, String> {
    InputFormat::from_name(text)
        .ok_or_else(|| format!("the formats are {}", InputFormat::names().collect::<Vec<_>>().join(", ")))
}

fn network(text: &str) -> Result<IpNet, String> {
    let single = || text.parse::<std::net::IpAddr>().ok().map(IpNet::from);
    let network = text.parse::<IpNet>().ok().or_else(single);
    network.map(|network| network.trunc()).ok_or_else(|| "not a network in CIDR form, such as 10.0.0.0/8".to_owned())
}

/// A size: a number with an optional unit, decimal (`kB MB GB TB`) or binary (`KiB MiB GiB TiB`).
pub(super) fn size(text: &str) -> Result<u64, String> {
    crate::policy::measure::octets(text).ok_or_else(|| "not a size, such as 64GiB or 500MB".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arguments_are_consistent() {
        use clap::CommandFactory;
        Args::command().debug_assert();
    }
}
