//! Costs of many rounds as a few figures.

use serde::{Serialize, Serializer};

use super::case::{Cost, Figure, Unit};
use super::{RAYON, SEQUENTIAL};

/// What came of a [`Case`](super::Case).
#[derive(Debug, Serialize)]
pub struct Outcome {
    /// What was measured.
    pub case: String,
    /// For each figure all contenders that have it, in the order in which they were added.
    pub lines: Vec<Line>,
}

/// One figure of one contender over all rounds. JSON shows an infinite cost as `null`.
#[derive(Debug, Serialize)]
pub struct Line {
    /// What is counted.
    pub figure: &'static str,
    /// What costs are shown in.
    pub unit: Unit,
    /// Whose figure it is.
    pub contender: String,
    /// The middle of all costs.
    pub median: f64,
    /// The least of them.
    pub least: f64,
    /// The greatest.
    pub most: f64,
    /// How many times as fast as the sequential twin it is: the middle of what the rounds say
    /// each for itself.
    pub to_sequential: Option<f64>,
    /// How many times as fast as rayon it is, likewise.
    pub to_rayon: Option<f64>,
}

impl Outcome {
    /// From the costs of each contender, by round and figure.
    pub(super) fn new(
        case: String,
        figures: &[Figure],
        contenders: Vec<(String, Vec<Vec<Cost>>)>,
    ) -> Outcome {
        let mut lines = Vec::new();
        for (at, figure) in figures.iter().enumerate() {
            let costs = |rounds: &[Vec<Cost>]| -> Vec<Cost> {
                rounds.iter().map(|round| round[at]).collect()
            };
            let of = |name: &str| {
                let found = contenders.iter().find(|(contender, _)| contender == name);
                found.map(|(_, rounds)| costs(rounds))
            };
            let (sequential, rayon) = (of(SEQUENTIAL), of(RAYON));
            for (contender, rounds) in &contenders {
                let own = costs(rounds);
                let ratio = |other: &Option<Vec<Cost>>| ratio(other.as_ref()?, &own);
                let ratios = (ratio(&sequential), ratio(&rayon));
                lines.extend(Line::new(*figure, contender, &own, ratios));
            }
        }
        Outcome { case, lines }
    }
}

impl Line {
    /// Nothing if the contender has no such figure.
    fn new(
        figure: Figure,
        contender: &str,
        costs: &[Cost],
        (to_sequential, to_rayon): (Option<f64>, Option<f64>),
    ) -> Option<Line> {
        let in_order = in_order(costs.iter().copied().flatten());
        let shown = |cost: f64| cost / figure.unit.size();
        Some(Line {
            figure: figure.name,
            unit: figure.unit,
            contender: contender.to_owned(),
            median: shown(median(&in_order)?),
            least: shown(*in_order.first()?),
            most: shown(*in_order.last()?),
            to_sequential,
            to_rayon,
        })
    }
}

impl Unit {
    /// What one of it is in seconds, or in cores.
    fn size(self) -> f64 {
        match self {
            Unit::Nanoseconds => 1e-9,
            Unit::Microseconds => 1e-6,
            Unit::Milliseconds => 1e-3,
            Unit::Cores => 1.0,
        }
    }

    /// How it is written.
    pub(super) fn symbol(self) -> &'static str {
        match self {
            Unit::Nanoseconds => "ns",
            Unit::Microseconds => "µs",
            Unit::Milliseconds => "ms",
            Unit::Cores => "cores",
        }
    }
}

impl Serialize for Unit {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.symbol())
    }
}

/// How many times as fast as `other` something is, in the middle of the rounds that both have
/// got through at some cost.
fn ratio(other: &[Cost], own: &[Cost]) -> Option<f64> {
    let both = other.iter().zip(own).filter_map(|(other, own)| other.zip(*own));
    let ratios = both.filter(|(other, own)| other.is_finite() && own.is_normal());
    median(&in_order(ratios.map(|(other, own)| other / own)))
}

fn in_order(numbers: impl Iterator<Item = f64>) -> Vec<f64> {
    let mut numbers: Vec<f64> = numbers.collect();
    numbers.sort_by(f64::total_cmp);
    numbers
}

/// The middle one, of an even number the mean of the two in the middle; nothing of nothing.
fn median(in_order: &[f64]) -> Option<f64> {
    let middle = in_order.len() / 2;
    let upper = *in_order.get(middle)?;
    let is_even = in_order.len().is_multiple_of(2);
    Some(if is_even { f64::midpoint(in_order[middle - 1], upper) } else { upper })
}

#[cfg(test)]
mod tests {
    use super::*;

    const FIGURE: Figure = Figure { name: "per join", unit: Unit::Nanoseconds };

    fn outcome(contenders: &[(&str, &[Cost])]) -> Outcome {
        let contenders = contenders.iter().map(|(name, costs)| {
            ((*name).to_owned(), costs.iter().map(|cost| vec![*cost]).collect())
        });
        Outcome::new("case".to_owned(), &[FIGURE], contenders.collect())
    }

    #[track_caller]
    fn assert_near(found: Option<f64>, wanted: f64) {
        assert!(found.is_some_and(|found| (found / wanted - 1.0).abs() < 1e-9), "{found:?}");
    }

    #[test]
    fn a_line_has_the_middle_the_least_and_the_most() {
        let found = outcome(&[(SEQUENTIAL, &[Some(3e-9), Some(1e-9), Some(8e-9)])]);
        let line = &found.lines[0];
        assert_near(Some(line.median), 3.0);
        assert_near(Some(line.least), 1.0);
        assert_near(Some(line.most), 8.0);
        assert_near(line.to_sequential, 1.0);
        assert_eq!(line.to_rayon, None);
        assert_eq!(median(&[1.0, 2.0, 4.0, 9.0]), Some(3.0));
    }

    #[test]
    fn ratios_compare_what_ran_in_the_same_round() {
        // The machine is ten times as slow in the last round, for all.
        let sequential = [Some(4.0), Some(4.0), Some(40.0)];
        let rayon = [Some(8.0), Some(8.0), Some(80.0)];
        let found = outcome(&[(SEQUENTIAL, &sequential), (RAYON, &rayon)]);
        assert_near(found.lines[1].to_sequential, 0.5);
        assert_near(found.lines[0].to_rayon, 2.0);
    }

    #[test]
    fn what_is_not_there_is_left_out_and_what_is_not_reached_is_infinite() {
        let found = outcome(&[
            (SEQUENTIAL, &[None, None, None]),
            ("a", &[Some(f64::INFINITY), Some(1.0), Some(f64::INFINITY)]),
            (RAYON, &[Some(f64::INFINITY), Some(1.0), Some(2.0)]),
        ]);
        let names: Vec<&str> = found.lines.iter().map(|line| line.contender.as_str()).collect();
        assert_eq!(names, ["a", RAYON]);
        assert_eq!(found.lines[0].median, f64::INFINITY);
        assert_near(Some(found.lines[1].median), 2e9);
        assert_eq!(found.lines[0].to_rayon, Some(1.0), "in the one round that can tell");
        assert_eq!(found.lines[1].to_sequential, None);
    }
}
