//! What became of a policy's tripwires, as the report has it.

use serde::{Deserialize, Serialize};

use super::finding::Severity;
use super::report::{Endpoint, ExampleFlow, Volume};
use super::time::Timestamp;

/// A tripwire of the policy, and what tripped it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct TripwireResult {
    /// Its identifier.
    pub id: String,
    /// What kind it is: `failover`, `new-edge`, `volume`, `schedule`, `choke-point`, `undeclared`.
    pub kind: String,
    /// Its title.
    pub title: String,
    /// How grave it is when it trips.
    pub severity: Severity,
    /// What it rests on.
    pub basis: Vec<String>,
    /// Why it is there.
    pub why: String,
    /// What tripped it, earliest first; empty where nothing did.
    pub tripped: Vec<Tripped>,
    /// What it saw beside, that trips nothing: a sentence each.
    pub remarks: Vec<String>,
}

/// One thing that tripped a tripwire.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Tripped {
    /// What was seen, in a sentence.
    pub sentence: String,
    /// Since when.
    pub since: Timestamp,
    /// The last packet of what was counted.
    pub last: Timestamp,
    /// Our side.
    pub zone: String,
    /// The far end, where it is one kind of far end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<Endpoint>,
    /// How many flow records were counted.
    pub flows: u64,
    /// What the counted directions carried.
    pub sent: Volume,
    /// Flows that show it.
    pub examples: Vec<ExampleFlow>,
}
