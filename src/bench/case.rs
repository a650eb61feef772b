//! Contenders that do the same work, in turn.

use std::time::Instant;

use super::outcome::Outcome;
use super::quiet::until_quiet;
use super::{BenchError, SEQUENTIAL, Setting};

/// One thing that is measured, with all who take part.
///
/// Each contender gets the same input of type `I` and gives an output of type `O`.
pub struct Case<I, O> {
    name: String,
    figures: Vec<Figure>,
    /// What a timed run is divided by.
    count: f64,
    over_sequential: bool,
    input: I,
    answer: Answer<I, O>,
    contenders: Vec<Contender<I, O>>,
}

/// What came of a run as one number. It leaves the input as it was before the run.
type Answer<I, O> = fn(&mut I, O) -> u64;

type Run<I, O> = Box<dyn FnMut(&mut I) -> (O, Vec<Cost>)>;

struct Contender<I, O> {
    name: String,
    run: Run<I, O>,
    /// What each round cost.
    rounds: Vec<Vec<Cost>>,
}

/// What a run cost by one figure: seconds, or cores; infinite for what it has not got to. Nothing
/// where a contender has no such figure.
pub type Cost = Option<f64>;

/// What is measured of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Figure {
    /// What is counted, such as `per join`.
    pub name: &'static str,
    /// How it is shown.
    pub unit: Unit,
}

/// What a cost is shown in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// 10^-9 s.
    Nanoseconds,
    /// 10^-6 s.
    Microseconds,
    /// 10^-3 s.
    Milliseconds,
    /// Processor time over wall time.
    Cores,
}

impl<I, O> Case<I, O> {
    /// A case whose runs are timed as a whole: a cost is the wall time over `count`.
    pub fn timed(
        name: impl Into<String>,
        figure: Figure,
        count: f64,
        input: I,
        answer: Answer<I, O>,
    ) -> Case<I, O> {
        Case { count, ..Case::sampled(name, vec![figure], input, answer) }
    }

    /// A case whose contenders measure themselves, and give a cost for each of `figures`.
    pub fn sampled(
        name: impl Into<String>,
        figures: Vec<Figure>,
        input: I,
        answer: Answer<I, O>,
    ) -> Case<I, O> {
        Case {
            name: name.into(),
            figures,
            count: 1.0,
            over_sequential: false,
            input,
            answer,
            contenders: Vec::new(),
        }
    }

    /// Takes for the cost of each contender what it costs more than the sequential one in the
    /// same round.
    #[must_use]
    pub fn over_sequential(self) -> Case<I, O> {
        Case { over_sequential: true, ..self }
    }

    /// Adds a contender to a case that is timed. The first of a case is the sequential one.
    #[must_use]
    pub fn with(
        self,
        name: impl Into<String>,
        mut run: impl FnMut(&mut I) -> O + 'static,
    ) -> Case<I, O> {
        let count = self.count;
        self.with_costs(name, move |input| {
            let start = Instant::now();
            let output = run(input);
            let cost = start.elapsed().as_secs_f64() / count;
            (output, vec![Some(cost)])
        })
    }

    /// Adds a contender that measures itself.
    #[must_use]
    pub fn with_costs(
        mut self,
        name: impl Into<String>,
        run: impl FnMut(&mut I) -> (O, Vec<Cost>) + 'static,
    ) -> Case<I, O> {
        let run = Box::new(run);
        self.contenders.push(Contender { name: name.into(), run, rounds: Vec::new() });
        self
    }

    /// Lets all contenders run, in each round in another order, and sums up what it cost.
    ///
    /// # Errors
    /// If a contender does not come to the answer of the sequential one.
    ///
    /// # Panics
    /// If the first contender is not the sequential one.
    pub fn measure(mut self, setting: &Setting) -> Result<Outcome, BenchError> {
        let first = self.contenders.first().map(|contender| contender.name.as_str());
        assert_eq!(first, Some(SEQUENTIAL), "what is right is said by the sequential twin");
        let (expected, _) = self.run(0);
        for at in 1..self.contenders.len() {
            self.run_checked(at, expected)?;
        }
        for round in 0..setting.rounds as usize {
            for turn in 0..self.contenders.len() {
                let at = (round + turn) % self.contenders.len();
                let costs = self.run_checked(at, expected)?;
                self.contenders[at].rounds.push(costs);
            }
        }
        if self.over_sequential {
            self.subtract_sequential();
        }
        let contenders = self.contenders.into_iter().map(|one| (one.name, one.rounds));
        Ok(Outcome::new(self.name, &self.figures, contenders.collect()))
    }

    fn run_checked(&mut self, at: usize, expected: u64) -> Result<Vec<Cost>, BenchError> {
        let (found, costs) = self.run(at);
        if found == expected {
            return Ok(costs);
        }
        let (case, contender) = (self.name.clone(), self.contenders[at].name.clone());
        Err(BenchError::Wrong { case, contender, found, expected })
    }

    fn run(&mut self, at: usize) -> (u64, Vec<Cost>) {
        until_quiet();
        let (output, costs) = (self.contenders[at].run)(&mut self.input);
        ((self.answer)(&mut self.input, output), costs)
    }

    fn subtract_sequential(&mut self) {
        let sequential = self.contenders.remove(0).rounds;
        for contender in &mut self.contenders {
            for (costs, base) in contender.rounds.iter_mut().zip(&sequential) {
                for (cost, base) in costs.iter_mut().zip(base) {
                    *cost = cost.zip(*base).map(|(cost, base)| cost - base);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;
    use std::rc::Rc;

    use super::*;

    const FIGURE: Figure = Figure { name: "of it", unit: Unit::Cores };

    fn setting(rounds: u32) -> Setting {
        Setting { size: 1, tree: None, threads: 1, rounds }
    }

    /// A case whose contenders add one to the input, each at the cost that it is given.
    fn case(costs: &[(&'static str, f64)], calls: &Rc<RefCell<String>>) -> Case<u64, u64> {
        let answer = |input: &mut u64, output: u64| output - std::mem::take(input);
        let mut case = Case::sampled("sum", vec![FIGURE], 0, answer);
        for (name, cost) in costs.iter().copied() {
            let calls = Rc::clone(calls);
            case = case.with_costs(name, move |input| {
                *calls.borrow_mut() += &name[..1];
                *input += 1;
                (*input + 1, vec![Some(cost)])
            });
        }
        case
    }

    #[test]
    fn contenders_take_turns_and_begin_in_turn() {
        let calls = Rc::default();
        let case = case(&[(SEQUENTIAL, 1.0), ("a", 1.0), ("b", 1.0)], &calls);
        case.measure(&setting(4)).unwrap();
        assert_eq!(*calls.borrow(), ["sab", "sab", "abs", "bsa", "sab"].concat());
    }

    #[test]
    fn who_is_wrong_is_named() {
        let case = case(&[(SEQUENTIAL, 1.0), ("a", 1.0)], &Rc::default());
        let wrong = case.with("lazy", |input| *input);
        let error = wrong.measure(&setting(1)).unwrap_err();
        let text = error.to_string();
        assert!(
            text.starts_with("lazy was wrong in \"sum\": its check sum is 0x0, that"),
            "{text}"
        );
    }

    #[test]
    fn who_becomes_wrong_later_is_named_too() {
        let mut runs = 0;
        let case = case(&[(SEQUENTIAL, 1.0)], &Rc::default()).with("fickle", move |_| {
            runs += 1;
            if runs < 3 { 1 } else { 2 }
        });
        let error = case.measure(&setting(5)).unwrap_err();
        assert!(matches!(error, BenchError::Wrong { found: 2, expected: 1, .. }), "{error}");
    }

    #[test]
    fn the_sequential_cost_can_be_taken_off() {
        let case = case(&[(SEQUENTIAL, 1.5), ("a", 4.0), ("b", 1.0)], &Rc::default());
        let outcome = case.over_sequential().measure(&setting(3)).unwrap();
        let costs: Vec<(&str, f64)> =
            outcome.lines.iter().map(|line| (line.contender.as_str(), line.median)).collect();
        assert_eq!(costs, [("a", 2.5), ("b", -0.5)]);
    }
}
