//! What no plan and no run can beat.

use std::borrow::Borrow;

use crate::model::{Graph, Job, Platform, Record, Span, State};

use super::cost::predict;
use super::processors::{Fit, Kind, Processors};
use super::rank::longest_paths;

/// A time in which `job` cannot be done on `platform` however it is planned: its critical path
/// with each task where it is fastest and no communication, or the work of all its tasks spread
/// over all processors, whichever is longer. Zero for tasks that no node can run.
///
/// Unknown costs are [predicted](predict), as in a [plan](super::schedule).
#[must_use]
pub fn lower_bound(job: &Job, graph: &Graph, platform: &Platform) -> Span {
    let processors = Processors::new(platform);
    let costs = predict(job);
    let mut fastest = Vec::with_capacity(graph.len());
    let mut work = Work::default();
    for (task, cost) in job.tasks.iter().zip(&costs) {
        let fits = processors.fits(task, cost);
        fastest.push(fits.iter().flatten().map(|fit| fit.span).min().unwrap_or_default());
        work.add(&fits, &processors.kinds);
    }
    critical_path(graph, &fastest).max(work.spread(&processors))
}

/// A time in which the tasks of `graph` could not have been done on `cores` cores, given how
/// long they really took: the critical path of the measured times, or their sum over the cores,
/// whichever is longer. Only attempts that ended well count, the last of each task; the records
/// are those of one job.
#[must_use]
pub fn measured_lower_bound(graph: &Graph, records: &[impl Borrow<Record>], cores: u64) -> Span {
    let mut spans = vec![Span::ZERO; graph.len()];
    let mut areas = vec![0u128; graph.len()];
    let records = records.iter().map(Borrow::borrow);
    for record in records.filter(|record: &&Record| record.state == State::Done) {
        let (Some(start), Some(end)) = (record.start, record.end) else { continue };
        let Some(span) = spans.get_mut(record.task.index()) else { continue };
        *span = end.since(start);
        let width = record.place.as_ref().map_or(1, |place| place.cores.len().max(1));
        areas[record.task.index()] = u128::from(span.0) * width as u128;
    }
    let spread = areas.iter().sum::<u128>().div_ceil(u128::from(cores.max(1)));
    critical_path(graph, &spans).max(Span(spread as u64))
}

fn critical_path(graph: &Graph, spans: &[Span]) -> Span {
    let paths = longest_paths(graph, |task| u128::from(spans[task].0), |_| 0);
    let longest = paths.into_iter().max().unwrap_or(0);
    Span(u64::try_from(longest).unwrap_or(u64::MAX))
}

/// The least work that the tasks can be, under two prices of a processor's time.
///
/// Whatever each processor's time is worth, all of it until the makespan is worth at least what
/// the tasks take of it, each where it takes the least. (Weak duality of the linear program
/// that assigns tasks to processors.) At equal prices this suits costs per class; at prices by
/// speed it is the total work over the total speed.
#[derive(Default)]
struct Work {
    equal: u128,
    by_speed: f64,
}

impl Work {
    fn add(&mut self, fits: &[Option<Fit>], kinds: &[Kind<'_>]) {
        let able = || fits.iter().zip(kinds).filter_map(|(fit, kind)| Some((fit.as_ref()?, kind)));
        let area = |fit: &Fit| u128::from(fit.span.0) * fit.cores as u128;
        self.equal += able().map(|(fit, _)| area(fit)).min().unwrap_or(0);
        let worth = able().map(|(fit, kind)| area(fit) as f64 * kind.node.speed);
        self.by_speed += worth.min_by(f64::total_cmp).unwrap_or(0.0);
    }

    fn spread(&self, processors: &Processors<'_>) -> Span {
        let equal = self.equal.div_ceil((processors.count as u128).max(1));
        let speeds = processors.kinds.iter().map(|k| k.node.speed * k.processors as f64);
        // A bound may be too low but never too high: more is taken off than rounding can add.
        let by_speed = self.by_speed / speeds.sum::<f64>() * (1.0 - 1e-9);
        Span(u64::try_from(equal).unwrap_or(u64::MAX)).max(Span(by_speed as u64))
    }
}
