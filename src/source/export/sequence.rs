//! Sequence numbers: what was sent and never came.

/// A jump that is larger is not loss: the exporter has begun again.
const MAX_GAP: u32 = 1 << 24;

/// What a sequence number says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// So many before it have not come.
    Gap(u32),
    /// It comes after later ones: so many were taken for lost and were not.
    Late(u32),
    /// The exporter counts from somewhere else.
    Restarted,
}

/// Follows the sequence numbers of an observation domain.
#[derive(Debug, Default)]
pub(super) struct Sequence {
    expected: Option<u32>,
}

impl Sequence {
    /// Takes the number of a message, and by how many the next is higher; `None` where that cannot be told.
    pub(super) fn step(&mut self, number: u32, units: Option<u32>) -> Step {
        let next = units.map(|units| number.wrapping_add(units));
        let Some(expected) = std::mem::replace(&mut self.expected, next) else { return Step::Gap(0) };
        let ahead = number.wrapping_sub(expected);
        if ahead <= MAX_GAP {
            return Step::Gap(ahead);
        }
        if expected.wrapping_sub(number) <= MAX_GAP / 256 {
            self.expected = Some(expected);
            return Step::Late(units.unwrap_or(0));
        }
        Step::Restarted
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gaps_are_what_did_not_come() {
        let mut sequence = Sequence::default();
        assert_eq!(sequence.step(u32::MAX - 4, Some(5)), Step::Gap(0), "where it begins nothing is known to be lost");
        assert_eq!(sequence.step(0, Some(30)), Step::Gap(0));
        assert_eq!(sequence.step(60, Some(30)), Step::Gap(30));
        assert_eq!(sequence.step(30, Some(30)), Step::Late(30));
        assert_eq!(sequence.step(90, None), Step::Gap(0));
        assert_eq!(sequence.step(500, Some(1)), Step::Gap(0), "how many there were was not known");
        assert_eq!(sequence.step(1 << 31, Some(1)), Step::Restarted);
        assert_eq!(sequence.step((1 << 31) + 1, Some(1)), Step::Gap(0));
    }
}
