//! What the program promises, tested from outside, one file a subject: fast, and without network, clock or sleep.

#![cfg(test)]

mod audit_corpus;
mod aws;
mod capture;
mod capture_corpus;
mod capture_file;
mod capture_source;
mod certificates;
mod cli;
#[cfg(all(feature = "live", target_os = "linux"))]
mod collect;
mod corpus;
mod feeds;
mod feeds_corpus;
mod fixtures;
mod horizon;
mod horizon_audit;
mod horizon_cli;
mod laws;
mod layers;
mod locate;
mod meter;
mod meter_names;
mod meter_twin;
mod names;
mod names_corpus;
mod policy;
mod policy_laws;
mod policy_mistakes;
mod policy_pages;
mod quality;
mod readme;
mod report;
mod rtt;
mod samples;
mod tripwires;
mod telemetry;
mod telemetry_corpus;
#[cfg(all(feature = "live", target_os = "linux"))]
mod watch;
mod wire;
mod wire_links;
mod wire_tunnels;
