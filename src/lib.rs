//! # landfall
//!
//! Tells the owners of a network in which jurisdictions their traffic makes landfall, and whether their residency policy
//! allows it. This page is the floor plan.
//!
//! ```text
//!         frames             headers            biflows              uniflows             decisions
//! capture ---------> wire ------------> meter -----------+
//! flow logs ---------------------------------------------+--> Source --> Auditor --------> Audit --> Report --> text json html
//!                                                         FlowRecord    |   |               ^ merge
//!                             databases + feeds + zones --> Gazetteer --+   |               |
//!                                          rules/*.toml --> Policy ---------+         threads, windows
//! ```
//!
//! **Layer 0, the nouns**: [`model`], plain data; [`diag`], what is said of a text that a user wrote.
//!
//! **Layer 1, the instruments**: [`wire`], octets to headers; [`meter`], packets to biflows; [`source`], every input as a
//! stream of flow records; [`locate`], claims about networks in one frozen table, and
//! what light can reach; [`policy`], a text to sets.
//!
//! **Layer 2, the auditor**: [`audit`] judges flow records and folds them; [`report`] writes what came of it.
//!
//! **Layer 3, the drivers**: [`run`], a batch of files or a live capture; [`fetch`], location data from outside, verified and
//! kept; [`cli`], what was typed.
//!
//! Use goes down only, and `tests/it/layers.rs` enforces it: `model` and `diag` use nothing, and every
//! room uses `model`; `meter` uses `wire`, `source` uses both; `locate` and `policy` know no other instrument.
//!
//! ## Invariants
//!
//! - Below layer 3 nothing reads a clock, an environment variable or the network. Everything can be replayed.
//! - [`audit::Audit`] has no order: nothing in it depends on which record came first other than by comparing the records.
//!   Any split of the input, in any order, gives the same bytes.
//! - A location is a set, a policy is a set, a decision is two masks. Unknown is the full set and never passes silently.
//! - Policy is never translated into another language. There is one evaluator.
//! - A capture file is the unit of metering: flows are not joined across files.
//! - A report can be rendered again from its JSON, by a later version, without the inputs.
//! - A round-trip time only ever excludes. What depends on all of them waits until all was seen ([`audit::Cases`]).
//! - An audit never touches the network: a residency tool that sends addresses to a look-up service would itself be a
//!   transfer.
//! - Payload never enters a report or a log.
//! - What was not seen is in the report, by reason ([`model::Coverage`]).

pub mod audit;
pub mod cli;
pub mod diag;
pub mod fetch;
pub mod locate;
pub mod meter;
pub mod model;
pub mod policy;
pub mod report;
pub mod run;
pub mod source;
pub mod wire;
