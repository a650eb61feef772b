//! Outcomes as a table and as JSON.

use std::fmt;

use serde::Serialize;

use super::{Line, Outcome, Setting, Workload};

/// What came of a workload. Shown, it is a table.
#[derive(Debug, Serialize)]
pub struct Report {
    /// Its name.
    pub workload: &'static str,
    /// How many threads the contenders had.
    pub threads: usize,
    /// How often each of them ran.
    pub rounds: u32,
    /// Its cases.
    pub cases: Vec<Outcome>,
}

impl Report {
    /// What came of the cases of `workload`.
    #[must_use]
    pub fn new(workload: &Workload, setting: &Setting, cases: Vec<Outcome>) -> Report {
        let Setting { threads, rounds, .. } = *setting;
        Report { workload: workload.name, threads, rounds, cases }
    }
}

/// The reports as one JSON object, `version` 1: in `workloads` one for each. Costs are in the
/// unit that stands beside them, ratios say how many times as fast something is.
#[must_use]
pub fn json(reports: &[Report]) -> String {
    let all = serde_json::json!({ "version": 1, "workloads": reports });
    format!("{all:#}")
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Report { workload, threads, rounds, cases } = self;
        let plural = |n: u64| if n == 1 { "" } else { "s" };
        let (s, each) = (plural(*threads as u64), plural(u64::from(*rounds)));
        writeln!(f, "{workload}: {threads} thread{s}, {rounds} round{each}")?;
        let lines = cases.iter().flat_map(|case| &case.lines);
        let width = lines.map(|line| line.contender.chars().count()).max().unwrap_or(0);
        for case in cases {
            let mut figure = None;
            for line in &case.lines {
                if figure != Some(line.figure) {
                    figure = Some(line.figure);
                    heading(f, &case.case, line, width)?;
                }
                row(f, line, width)?;
            }
        }
        Ok(())
    }
}

fn heading(f: &mut fmt::Formatter<'_>, case: &str, line: &Line, width: usize) -> fmt::Result {
    writeln!(f, "  {case}: {}, {}", line.figure, line.unit.symbol())?;
    let [a, b, c, d, e] = ["median", "least", "most", "x sequential", "x rayon"];
    writeln!(f, "    {:width$} {a:>9} {b:>9} {c:>9} {d:>13} {e:>8}", "")
}

fn row(f: &mut fmt::Formatter<'_>, line: &Line, width: usize) -> fmt::Result {
    let Line { contender, .. } = line;
    let [median, least, most] = [line.median, line.least, line.most].map(digits);
    let ratio = |ratio: Option<f64>| ratio.map_or_else(String::new, digits);
    let (to_sequential, to_rayon) = (ratio(line.to_sequential), ratio(line.to_rayon));
    let line = format!(
        "    {contender:width$} {median:>9} {least:>9} {most:>9} {to_sequential:>13} {to_rayon:>8}"
    );
    writeln!(f, "{}", line.trim_end())
}

/// Three digits that count, and at most six after the point; a dash for what is not reached.
fn digits(x: f64) -> String {
    if !x.is_finite() {
        return "-".to_owned();
    }
    let magnitude = if x == 0.0 { 0.0 } else { x.abs().log10().floor() };
    let decimals = (2.0 - magnitude).clamp(0.0, 6.0) as usize;
    format!("{x:.decimals$}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::Unit;

    fn line(figure: &'static str, contender: &str, median: f64, ratio: Option<f64>) -> Line {
        Line {
            figure,
            unit: Unit::Microseconds,
            contender: contender.to_owned(),
            median,
            least: median / 2.0,
            most: f64::INFINITY,
            to_sequential: ratio,
            to_rayon: None,
        }
    }

    fn report() -> Report {
        let lines =
            vec![line("p50", "evenkeel", 12.344, Some(0.5)), line("p99", "rayon", 0.5, None)];
        let cases = vec![Outcome { case: "a case".to_owned(), lines }];
        Report { workload: "inject", threads: 2, rounds: 1, cases }
    }

    #[test]
    fn a_table_has_a_part_for_each_figure() {
        let wanted = "\
inject: 2 threads, 1 round
  a case: p50, µs
                median     least      most  x sequential  x rayon
    evenkeel      12.3      6.17         -         0.500
  a case: p99, µs
                median     least      most  x sequential  x rayon
    rayon        0.500     0.250         -
";
        assert_eq!(report().to_string(), wanted);
    }

    #[test]
    fn json_has_null_for_what_is_not_there() {
        let json: serde_json::Value = serde_json::from_str(&json(&[report()])).unwrap();
        let line = &json["workloads"][0]["cases"][0]["lines"][0];
        assert_eq!((&line["unit"], &line["to_sequential"]), (&"µs".into(), &0.5.into()));
        assert!(line["most"].is_null() && line["to_rayon"].is_null(), "{line}");
    }

    #[test]
    fn three_digits_count() {
        let shown = [0.0, 1.0, 99.94, 1234.5, -0.75, 0.000_012].map(digits);
        assert_eq!(shown, ["0.00", "1.00", "99.9", "1234", "-0.750", "0.000012"]);
    }
}
