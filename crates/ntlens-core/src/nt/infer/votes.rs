//! How sure a finding is: what speaks for it, and what against.

/// A finding that is less sure than this is not used.
pub(super) const THRESHOLD: f32 = 0.85;

/// How much one witness proves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Weight {
    /// The value could be that of another field: small numbers, zeros, shapes of addresses.
    Shape,
    /// The value is what it should be to the last bit, which no accident makes.
    Exact,
}

/// Witnesses for and against a finding. What is not in the dump is neither.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Votes {
    pub(super) good: u32,
    pub(super) bad: u32,
}

impl Votes {
    /// Counts opinions; `None` is no opinion.
    pub(super) fn count(opinions: impl IntoIterator<Item = Option<bool>>) -> Self {
        let mut votes = Self::default();
        for opinion in opinions.into_iter().flatten() {
            if opinion {
                votes.good += 1;
            } else {
                votes.bad += 1;
            }
        }
        votes
    }

    pub(super) const fn all(self) -> u32 {
        self.good.saturating_add(self.bad)
    }

    /// Damage spoils a few witnesses of a right finding; more than one in ten speak against it.
    pub(super) const fn hold(self) -> bool {
        self.good > 0 && self.bad.saturating_mul(10) <= self.all()
    }

    /// From 0 to 1. Five witnesses of a shape, or one of an exact value, are needed to reach the threshold.
    #[expect(clippy::cast_precision_loss, reason = "counts of processes")]
    pub(super) fn confidence(self, weight: Weight) -> f32 {
        if !self.hold() {
            return 0.0;
        }
        let each = match weight {
            Weight::Shape => 1.0,
            Weight::Exact => 8.0,
        };
        let good = self.good as f32;
        good / self.all() as f32 * (1.0 - 1.0 / (2.0 + each * good))
    }

    /// Whether the finding may be used.
    pub(super) fn convince(self, weight: Weight) -> bool {
        self.confidence(weight) >= THRESHOLD
    }
}

/// The one candidate that convinces; none if a second one has half as many witnesses: it may be the truth, damaged.
pub(super) fn only<T>(candidates: impl IntoIterator<Item = (T, Votes)>, weight: Weight) -> Option<(T, Votes)> {
    let mut best: Option<(T, Votes)> = None;
    let mut second = 0;
    for (candidate, votes) in candidates {
        let most = best.as_ref().map_or(0, |(_, best)| best.good);
        if votes.good > most {
            second = most;
            best = Some((candidate, votes));
        } else {
            second = second.max(votes.good);
        }
    }
    best.filter(|(_, votes)| votes.convince(weight) && second.saturating_mul(2) < votes.good)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn few_witnesses_of_a_shape_and_many_contradictions_do_not_convince() {
        let votes = |good, bad| Votes { good, bad };
        assert!(!votes(4, 0).convince(Weight::Shape));
        assert!(votes(5, 0).convince(Weight::Shape));
        assert!(votes(1, 0).convince(Weight::Exact));
        assert!(!votes(0, 0).convince(Weight::Exact));
        assert!(!votes(8, 1).convince(Weight::Exact));
        assert!(votes(95, 5).convince(Weight::Shape));
        assert!(votes(1, 0).confidence(Weight::Exact) < 1.0);
    }

    #[test]
    fn two_candidates_that_convince_are_none() {
        let sure = Votes { good: 20, bad: 0 };
        let unsure = Votes { good: 1, bad: 3 };
        assert_eq!(only([(1, sure), (2, unsure)], Weight::Shape), Some((1, sure)));
        assert_eq!(only([(1, sure), (2, sure)], Weight::Shape), None);
        assert_eq!(only([(2, unsure)], Weight::Shape), None);
        // Of two copies, the one with fewer contradictions is not the truth for that.
        let damaged = Votes { good: 15, bad: 5 };
        assert_eq!(only([(1, sure), (2, damaged)], Weight::Shape), None);
        assert_eq!(only([(2, damaged), (1, sure)], Weight::Shape), None);
    }
}
