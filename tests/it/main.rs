//! What the program promises, tested from outside, one file a subject: fast, and without network, clock or sleep.

#![cfg(test)]

#[cfg(feature = "parquet")]
mod archive;
mod atlas;
mod audit_corpus;
mod aws;
mod capture;
mod capture_corpus;
mod capture_file;
mod capture_source;
mod caveats;
mod certificates;
mod cli;
mod cloud;
#[cfg(feature = "parquet")]
mod cloud_parquet;
#[cfg(all(feature = "live", target_os = "linux"))]
mod collect;
mod collectors;
mod corpus;
mod db_store;
#[cfg(feature = "fetch")]
mod db_update;
mod evidence;
mod evidence_inputs;
mod feeds;
mod feeds_corpus;
mod fixtures;
mod follow;
mod fuzz;
mod horizon;
mod horizon_audit;
mod horizon_cli;
mod input_digests;
mod judged;
mod laws;
mod layers;
mod limits;
mod locate;
mod log_hostile;
mod log_scenario;
mod meter;
mod meter_names;
mod meter_twin;
mod mutants;
mod names;
mod names_corpus;
mod policy;
mod policy_cli;
mod policy_explain;
mod policy_laws;
mod policy_lints;
mod policy_listing;
mod policy_mistakes;
mod policy_pages;
mod policy_schema;
mod policy_sentences;
mod policy_slips;
mod policy_together;
mod policy_waivers;
mod quality;
mod readme;
mod report;
mod rtt;
mod samples;
mod scenario;
mod suricata;
mod telemetry;
mod telemetry_corpus;
mod tripwires;
#[cfg(all(feature = "live", target_os = "linux"))]
mod watch;
mod weigh;
mod wire;
mod wire_links;
mod wire_tunnels;
mod zeek;
