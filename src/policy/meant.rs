//! The word that was meant by another one.

use crate::diag::did_you_mean;

/// Words of other tools for the same things, with ours: what no edit distance finds.
const OTHER_WORDS: [(&str, &str); 38] = [
    ("allow", "permit"),
    ("accept", "permit"),
    ("pass", "permit"),
    ("deny", "forbid"),
    ("block", "forbid"),
    ("drop", "forbid"),
    ("reject", "forbid"),
    ("action", "effect"),
    ("decision", "effect"),
    ("source", "from"),
    ("src", "from"),
    ("zone", "from"),
    ("destination", "to"),
    ("dst", "to"),
    ("countries", "to"),
    ("direction", "movement"),
    ("outbound", "out"),
    ("egress", "out"),
    ("inbound", "in"),
    ("ingress", "in"),
    ("both", "either"),
    ("reason", "why"),
    ("description", "why"),
    ("cidr", "networks"),
    ("subnets", "networks"),
    ("medium-high", "high"),
    ("parties", "party"),
    ("bytes", "octets"),
    ("severe", "high"),
    ("client", "local"),
    ("server", "remote"),
    ("start", "from"),
    ("to", "until"),
    ("end", "until"),
    ("expires", "until"),
    ("id", "rule"),
    ("sha", "sha256"),
    ("digest", "sha256"),
];

/// The word that was probably meant: by its letters, or because another tool calls it so.
pub(super) fn meant_word<'w>(wrong: &str, words: &(impl Iterator<Item = &'w str> + Clone)) -> Option<&'w str> {
    did_you_mean(wrong, words.clone()).or_else(|| {
        let folded = wrong.to_lowercase();
        let ours = OTHER_WORDS.iter().filter(|(theirs, _)| *theirs == folded).map(|(_, ours)| *ours);
        ours.into_iter().find_map(|ours| words.clone().find(|word| *word == ours))
    })
}
