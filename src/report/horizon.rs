//! What round-trip times showed, in sentences: the same sum in every format.

use super::words;
use crate::model::{CountrySet, DoubtKind, HorizonSummary, Proof, Report, Standing};

/// Milliseconds with as many decimals as there are: `4 ms`, `0.35 ms`.
fn milliseconds(us: u32) -> String {
    format!("{} ms", f64::from(us) / 1000.0)
}

/// Where the observation point stands, inside a sentence.
fn vantage(summary: &HorizonSummary) -> String {
    match summary.vantage.parse::<crate::model::Vantage>() {
        Ok(crate::model::Vantage::Country(country)) => format!("somewhere in {}", words::country(country)),
        _ => summary.vantage.clone(),
    }
}

/// Where the claims put an address.
fn claimed(set: &CountrySet, standing: Standing) -> String {
    match (standing, set.is_anywhere()) {
        (Standing::Anycast, true) => "announced from many sites".to_owned(),
        (_, true) => "no source places it".to_owned(),
        (Standing::Disputed, _) => format!("claimed in {} (sources differ)", words::countries(set)),
        _ => format!("claimed in {}", words::countries(set)),
    }
}

/// One proof: time, samples, distance, what was claimed, what is left.
pub(super) fn proof(report: &Report, proof: &Proof) -> String {
    let samples = match proof.samples {
        u8::MAX => "255 samples or more".to_owned(),
        samples => words::several(u64::from(samples), "sample", "samples"),
    };
    let time = milliseconds(proof.rtt_us);
    let measured = match proof.flows {
        None => format!("{} answered within {time}, the least of {samples}", proof.address),
        Some(1) => format!("{} answered this flow within {time}, the least of {samples}", proof.address),
        Some(flows) => format!(
            "{} answered each of {} flows alone within {time}, of {samples} at least",
            proof.address,
            words::number(flows)
        ),
    };
    let (from, through) = match &report.horizon {
        Some(summary) => (format!(" of {}", vantage(summary)), format!(" through {}", summary.medium)),
        None => (String::new(), String::new()),
    };
    let verb = match (proof.standing, proof.claimed_standing) {
        (Standing::Refuted, _) => "which is refuted; it is in",
        (_, Standing::Unknown | Standing::Anycast) => "but it is in",
        _ => "of which is left",
    };
    format!(
        "{measured}: it stands within {} km{from}{through}. {}, {verb} {}",
        words::number(u64::from(proof.km)),
        sentence(&claimed(&proof.claimed, proof.claimed_standing)),
        words::countries(&proof.left),
    )
}

fn sentence(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}

/// What the horizon rests on, and what came of it, a sentence each.
pub(super) fn summary(summary: &HorizonSummary) -> Vec<String> {
    let mut lines = vec![format!(
        "Measured at {}. Light in {} goes {} km there and back in a millisecond. Times of fewer than {} samples or below {} \
         microseconds are no evidence. Distances are those to the nearest point of a country, less {} km for the coarseness \
         of its shape.",
        vantage(summary),
        if summary.medium == "vacuum" { "empty space" } else { "fibre" },
        summary.km_per_ms,
        summary.min_samples,
        summary.least_us,
        summary.margin_km,
    )];
    if let Some(doubt) = &summary.doubt {
        let share = format!("{} of {} far networks", words::number(doubt.networks), words::number(doubt.of));
        lines.push(match doubt.kind {
            DoubtKind::Proxy => format!(
                "No time was used: {share} share one least time of {}, which is the mark of a local proxy.",
                milliseconds(doubt.least_us.unwrap_or_default()),
            ),
            DoubtKind::Contradicted => format!(
                "No time was used: they refute what is claimed of {share}, which puts the vantage or the clock in doubt."
            ),
        });
    } else {
        lines.push(format!(
            "Of {}, the time says more than the claims for {}, and refutes every claim for {}.",
            words::several(summary.measured, "far address that was measured", "far addresses that were measured"),
            words::number(summary.changed),
            words::number(summary.refuted),
        ));
    }
    lines
}
