//! Parties: whose machine the far end is.
//!
//! Between the tables of a party's `match` any will do; inside a table all must fit. Where several parties fit, the most
//! specific match wins: a longer network before a shorter one, a network before a name, a longer name before a shorter
//! one, a name before a provider's region, a region before an autonomous system, which holds all of the provider's
//! regions. A network says who runs a machine, while a name is chosen by whoever asks for
//! it: that is why networks come first. Regions are those of the providers' own feeds. Parties that fit equally well are a lint, and the first by name wins.

use std::collections::BTreeMap;

use foldhash::fast::FixedState;
use hashbrown::HashMap;
use ipnet::IpNet;
use toml::Spanned;

use super::meant::meant_word;
use super::networks::NetworkTable;
use super::syntax::Sink;
use crate::diag::{Code, Diagnostic, quoted};
use crate::model::{Addr, Asn, PartyId};

/// The most labels of a host name that are looked at: RFC 1035 allows 127.
const MAX_LABELS: usize = 127;

/// A pattern of host names: a name, or everything below one.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct HostPattern {
    /// The name without `*.`, in lower case.
    pub(super) suffix: String,
    /// Whether it is for names below the suffix rather than for the suffix itself.
    pub(super) below: bool,
}

/// A pattern of providers' regions: `oci:us-ashburn-1`, or `oci:us-*` for all that begin so.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct RegionPattern {
    /// The label without `*`, in lower case.
    pub(super) start: String,
    /// Whether more may follow.
    pub(super) open: bool,
}

/// A table of a party's `match`, resolved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Match {
    pub(super) party: PartyId,
    pub(super) asn: Vec<u32>,
    pub(super) names: Vec<HostPattern>,
    pub(super) networks: Vec<IpNet>,
    pub(super) regions: Vec<RegionPattern>,
}

/// How specific a match is beside its networks: its name, its region, whether it has a number.
type Specific = (usize, usize, usize);

/// Looked up and never walked, so that the order of a hash means nothing; the hasher is fixed.
type ByName = HashMap<String, [Vec<u32>; 2], FixedState>;
type ByNumber = HashMap<u32, PartyId, FixedState>;

/// Far ends to parties.
#[derive(Clone, Debug)]
pub(super) struct PartyIndex {
    matches: Vec<Match>,
    /// Addresses to the chain of matches with networks around them, by position in `chains`.
    networks: NetworkTable<u32>,
    /// For each network of a match: its prefix length, the match, and the next network around it.
    chains: Vec<Link>,
    /// Name suffixes to matches without networks, those for names below apart from those for the name itself.
    names: ByName,
    /// Matches with regions, and neither networks nor names.
    regions: Vec<u32>,
    /// Whether any match has regions.
    asks_for_regions: bool,
    /// Numbers to parties, for matches with nothing else.
    numbers: ByNumber,
}

#[derive(Clone, Debug)]
struct Link {
    length: u8,
    of: u32,
    around: Option<u32>,
}

impl PartyIndex {
    pub(super) fn new(matches: Vec<Match>) -> Self {
        let (mut names, mut numbers) = (ByName::default(), ByNumber::default());
        let mut claims: Vec<(IpNet, u32)> = Vec::new();
        let mut regions = Vec::new();
        for (index, one) in matches.iter().enumerate() {
            let index = index as u32;
            if !one.networks.is_empty() {
                claims.extend(one.networks.iter().map(|network| (*network, index)));
            } else if !one.names.is_empty() {
                for pattern in &one.names {
                    let entry = names.entry(pattern.suffix.clone()).or_default();
                    let [exact, below] = entry;
                    if pattern.below { below.push(index) } else { exact.push(index) }
                }
            } else if !one.regions.is_empty() {
                regions.push(index);
            } else {
                for number in &one.asn {
                    let party = numbers.entry(*number).or_insert(one.party);
                    *party = (*party).min(one.party);
                }
            }
        }
        let (networks, chains) = chain(claims);
        let asks_for_regions = matches.iter().any(|one| !one.regions.is_empty());
        Self { matches, networks, chains, names, regions, asks_for_regions, numbers }
    }

    pub(super) fn matches(&self) -> &[Match] {
        &self.matches
    }

    pub(super) fn asks_for_regions(&self) -> bool {
        self.asks_for_regions
    }

    pub(super) fn get(
        &self,
        far: Addr,
        operator: Option<Asn>,
        name: Option<&str>,
        regions: &[String],
    ) -> Option<PartyId> {
        if self.matches.is_empty() {
            return None;
        }
        self.by_network(far, operator, name, regions)
            .or_else(|| name.and_then(|name| self.by_name(operator, name, regions)))
            .or_else(|| self.by_region(operator, regions))
            .or_else(|| operator.and_then(|asn| self.numbers.get(&asn.0).copied()))
    }

    fn by_network(&self, far: Addr, operator: Option<Asn>, name: Option<&str>, regions: &[String]) -> Option<PartyId> {
        let mut at = self.networks.get(far);
        // The best so far: how specific it is, and whose it is; of equals the smaller party.
        let mut best: Option<((u8, Specific), std::cmp::Reverse<PartyId>)> = None;
        while let Some(link) = at.and_then(|index| self.chains.get(index as usize)) {
            if best.is_some_and(|((length, ..), _)| length > link.length) {
                break;
            }
            if let Some(one) = self.matches.get(link.of as usize)
                && let Some(specific) = one.fits(operator, name, regions)
            {
                let score = ((link.length, specific), std::cmp::Reverse(one.party));
                best = best.max(Some(score));
            }
            at = link.around;
        }
        best.map(|(_, std::cmp::Reverse(party))| party)
    }

    fn by_name(&self, operator: Option<Asn>, name: &str, regions: &[String]) -> Option<PartyId> {
        let name = name.strip_suffix('.').unwrap_or(name);
        let lower = if name.bytes().any(|byte| byte.is_ascii_uppercase()) {
            std::borrow::Cow::Owned(name.to_ascii_lowercase())
        } else {
            std::borrow::Cow::Borrowed(name)
        };
        let suffixes = std::iter::successors(Some(&*lower), |rest| rest.split_once('.').map(|(_, parent)| parent));
        for (depth, suffix) in suffixes.take(MAX_LABELS).enumerate() {
            let Some([exact, below]) = self.names.get(suffix) else { continue };
            let fitting = (if depth == 0 { exact } else { below })
                .iter()
                .filter_map(|index| self.matches.get(*index as usize))
                .filter_map(|one| {
                    let (_, region, number) = one.fits(operator, Some(&lower), regions)?;
                    Some((region, number, std::cmp::Reverse(one.party)))
                });
            if let Some((.., std::cmp::Reverse(party))) = fitting.max() {
                return Some(party);
            }
        }
        None
    }

    fn by_region(&self, operator: Option<Asn>, regions: &[String]) -> Option<PartyId> {
        if regions.is_empty() {
            return None;
        }
        let matches = self.regions.iter().filter_map(|index| self.matches.get(*index as usize));
        let fitting =
            matches.filter_map(|one| Some((one.fits(operator, None, regions)?, std::cmp::Reverse(one.party))));
        fitting.max().map(|(_, std::cmp::Reverse(party))| party)
    }
}

impl Match {
    /// Whether everything but the networks fits, and how specifically: the length of the longest pattern of a name and of a
    /// region, and whether an autonomous system is named.
    fn fits(&self, operator: Option<Asn>, name: Option<&str>, regions: &[String]) -> Option<Specific> {
        if !self.asn.is_empty() && !self.asn.contains(&operator?.0) {
            return None;
        }
        let number_score = usize::from(!self.asn.is_empty());
        let name_score = if self.names.is_empty() {
            0
        } else {
            let name = name?;
            let fitting = self.names.iter().filter(|pattern| pattern.fits(name));
            fitting.map(|pattern| pattern.suffix.len()).max()?
        };
        let region_score = if self.regions.is_empty() {
            0
        } else {
            let fitting = self.regions.iter().filter(|pattern| regions.iter().any(|region| pattern.fits(region)));
            // A whole label is more specific than all that begin with it.
            fitting.map(|pattern| pattern.start.len() + usize::from(!pattern.open)).max()?
        };
        Some((name_score, region_score, number_score))
    }
}

impl RegionPattern {
    fn fits(&self, region: &str) -> bool {
        let (region, start) = (region.as_bytes(), self.start.as_bytes());
        match region.get(..start.len()) {
            Some(beginning) => beginning.eq_ignore_ascii_case(start) && (self.open || region.len() == start.len()),
            None => false,
        }
    }
}

impl HostPattern {
    fn fits(&self, name: &str) -> bool {
        let name = name.strip_suffix('.').unwrap_or(name).as_bytes();
        let suffix = self.suffix.as_bytes();
        if !self.below {
            return name.eq_ignore_ascii_case(suffix);
        }
        let Some(at) = name.len().checked_sub(suffix.len()) else { return false };
        let (head, tail) = name.split_at(at);
        head.len() > 1 && head.ends_with(b".") && tail.eq_ignore_ascii_case(suffix)
    }
}

/// Networks to chains: each to the one around it, and the table to the innermost.
fn chain(mut claims: Vec<(IpNet, u32)>) -> (NetworkTable<u32>, Vec<Link>) {
    let key = |net: &IpNet| match net {
        IpNet::V4(v4) => (0, u128::from(u32::from(v4.network())), v4.prefix_len()),
        IpNet::V6(v6) => (1, u128::from(v6.network()), v6.prefix_len()),
    };
    claims.sort_by_key(|(network, of)| (key(network), *of));
    let mut links: Vec<Link> = Vec::new();
    let mut open: Vec<(IpNet, u32)> = Vec::new();
    let mut innermost: BTreeMap<IpNet, u32> = BTreeMap::new();
    for (network, of) in claims {
        while open.last().is_some_and(|(outer, _)| !outer.contains(&network)) {
            open.pop();
        }
        let link = links.len() as u32;
        links.push(Link { length: network.prefix_len(), of, around: open.last().map(|(_, around)| *around) });
        open.push((network, link));
        innermost.insert(network, link);
    }
    (NetworkTable::new(innermost), links)
}

/// Reads `zoom.us`, or `*.zoom.us` for everything below it.
pub(super) fn host_pattern(written: &Spanned<String>, sink: &mut Sink) -> Option<HostPattern> {
    let text = written.get_ref();
    let (below, suffix) = text.strip_prefix("*.").map_or((false, text.as_str()), |suffix| (true, suffix));
    let suffix = suffix.strip_suffix('.').unwrap_or(suffix);
    let help = if suffix.contains('*') || (text.starts_with('*') && !below) {
        Some("`*` stands for whole labels, at the front alone: `*.example.com`")
    } else if !text.is_ascii() {
        Some("write the name as it is on the wire, in A-labels: `xn--…` (RFC 5890)")
    } else if text.contains('/') {
        Some("write the host name alone, without `https://` and without a path")
    } else if suffix.is_empty()
        || suffix.len() > 253
        || suffix.split('.').any(|label| label.is_empty() || label.len() > 63)
        || !suffix.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte))
    {
        Some("write a host name, `example.com`, or `*.example.com` for everything below it")
    } else {
        None
    };
    if let Some(help) = help {
        let message = format!("no host name fits {}", quoted(text));
        sink.push(Diagnostic::error(Code::BadHostName, message).at(written.span(), "").help(help));
        return None;
    }
    Some(HostPattern { suffix: suffix.to_ascii_lowercase(), below })
}

/// The providers whose feeds of regions are read, as their labels begin.
const PROVIDERS: [&str; 4] = ["aws", "azure", "gcp", "oci"];

/// Reads `oci:us-ashburn-1`, or `oci:us-*` for every region that begins so.
pub(super) fn region_pattern(written: &Spanned<String>, sink: &mut Sink) -> Option<RegionPattern> {
    let text = written.get_ref();
    let (start, open) = text.strip_suffix('*').map_or((text.as_str(), false), |start| (start, true));
    let help = match start.split_once(':') {
        _ if start.contains('*') => "`*` stands at the end alone: `oci:us-*`".to_owned(),
        None => {
            let example = "a region has its provider before it: `oci:us-ashburn-1`, `aws:eu-central-1`";
            match PROVIDERS.iter().find(|provider| text.eq_ignore_ascii_case(provider)) {
                Some(provider) => format!("did you mean `{provider}:*`? {example}"),
                None => example.to_owned(),
            }
        }
        Some((provider, _)) if !PROVIDERS.contains(&provider) => meant_word(provider, &PROVIDERS.into_iter())
            .map_or_else(
                || format!("the providers are {}", PROVIDERS.map(|one| format!("`{one}`")).join(", ")),
                |meant| format!("did you mean `{meant}:`?"),
            ),
        Some((_, region)) => {
            let bytes_fit = region.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte));
            if bytes_fit && (open || !region.is_empty()) && text.len() <= 128 {
                return Some(RegionPattern { start: start.to_ascii_lowercase(), open });
            }
            "regions are letters, digits and `-`, as the provider writes them: `gcp:europe-west3`".to_owned()
        }
    };
    let message = format!("no region of a provider fits {}", quoted(text));
    sink.push(Diagnostic::error(Code::BadRegion, message).at(written.span(), "").help(help));
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn host(text: &str) -> Option<HostPattern> {
        host_pattern(&Spanned::new(0..text.len(), text.to_owned()), &mut Sink::default())
    }

    #[test]
    fn host_names_have_the_lengths_of_the_wire() {
        let label = |length: usize| "a".repeat(length);
        // RFC 1035: labels of 63 octets, names of 253 characters as they are written.
        let longest = [label(63), label(63), label(63), label(61)].join(".");
        assert_eq!((longest.len(), host(&longest).is_some()), (253, true));
        assert!(host(&format!("{}.b", label(63))).is_some() && host(&format!("{}.b", label(64))).is_none());
        assert!(host(&[label(63), label(63), label(63), label(62)].join(".")).is_none());
        let short = ["a"; 200].join(".");
        assert!(host(&short).is_none(), "399 characters in short labels");
        for wrong in
            ["", ".", "*", "*.", "a..b", ".a", "a b.example", "a.example/x", "*a.example", "a.*", "\u{e9}.example"]
        {
            assert_eq!(host(wrong), None, "{wrong}");
        }
        let below = HostPattern { suffix: "zoom.us".to_owned(), below: true };
        assert_eq!(host("*.Zoom.US."), Some(below.clone()));
        assert!(below.fits("a.zoom.us") && below.fits("A.B.ZOOM.us.") && below.fits("x.zoom.us"));
        assert!(!below.fits("zoom.us") && !below.fits(".zoom.us") && !below.fits("azoom.us") && !below.fits("us"));
    }

    #[test]
    fn regions_have_a_provider_and_a_label() {
        let region = |text: &str| region_pattern(&Spanned::new(0..text.len(), text.to_owned()), &mut Sink::default());
        let whole = RegionPattern { start: "oci:us-ashburn-1".to_owned(), open: false };
        assert_eq!(region("oci:us-Ashburn-1"), Some(whole.clone()));
        assert_eq!(region("oci:*"), Some(RegionPattern { start: "oci:".to_owned(), open: true }));
        for wrong in ["oci:", "oci:us ashburn", "oci:us/1*", "us-ashburn-1", "oracle:us-1", "oci:*-1"] {
            assert_eq!(region(wrong), None, "{wrong}");
        }
        assert!(region(&format!("oci:{}", "a".repeat(124))).is_some(), "128 octets");
        assert!(region(&format!("oci:{}", "a".repeat(125))).is_none());
        assert!(whole.fits("OCI:us-ashburn-1") && !whole.fits("oci:us-ashburn-11") && !whole.fits("oci:us-ashburn"));
    }
}
