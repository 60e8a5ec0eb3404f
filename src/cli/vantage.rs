//! `--vantage` and `--horizon`: from where round-trip times were measured, and how fast a signal can be.

use clap::{Args, ValueEnum};

use crate::locate::{Horizon, Medium, horizon, region_country};
use crate::model::Vantage;
use crate::policy::Policy;

/// From where round-trip times were measured.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Horizon")]
pub struct VantageArgs {
    /// Where the capture was taken: `50.11,8.68` (degrees north and east), a country code, or a region of its host such as
    /// `aws:eu-central-1`. Round-trip times then refute what is out of reach [default: the policy's]
    #[arg(long, value_name = "PLACE", allow_hyphen_values = true, value_parser = vantage)]
    vantage: Option<Vantage>,
    /// What limits the speed of a signal: light in fibre (100 km a millisecond there and back), or in empty space (150 km),
    /// which microwave and satellite links come near
    #[arg(long, value_name = "MEDIUM", value_enum, default_value_t = Speed::Fibre)]
    horizon: Speed,
}

/// What limits the speed of a signal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Speed {
    /// Two thirds of the speed of light
    Fibre,
    /// The speed of light
    Vacuum,
}

impl VantageArgs {
    /// The horizon that the arguments name, or else the policy; `None` where neither names a vantage, and where the policy
    /// contradicts itself: from a place that is not known, nothing follows.
    pub(super) fn horizon(&self, policy: Option<&Policy>) -> Option<Horizon> {
        let medium = match self.horizon {
            Speed::Fibre => Medium::Fibre,
            Speed::Vacuum => Medium::Vacuum,
        };
        let stated = || policy.filter(|policy| policy.misplaced_vantage(horizon::distance).is_none())?.vantage();
        let vantage = self.vantage.or_else(stated)?;
        Some(Horizon::new(vantage, medium))
    }
}

fn vantage(text: &str) -> Result<Vantage, String> {
    match text.split_once(':') {
        Some((provider, region)) => {
            region_country(provider, region).map(Vantage::Country).map_err(|error| error.to_string())
        }
        None => text.parse::<Vantage>().map_err(|error| match error.suggestion() {
            Some(country) => format!("{error}: did you mean `{country}` ({})?", country.name()),
            None => format!("{error}; a vantage is 50.11,8.68 or DE or aws:eu-central-1"),
        }),
    }
}
