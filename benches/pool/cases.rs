//! The cases of each workload, with the peers that take part.

use evenkeel::bench::{
    BenchError, Case, Outcome, Report, Setting, Workload, fib, graph, idle, inject, irregular,
    latency, launch, loops, metg, spawn, tree, uts,
};

use crate::joins::{self, CHILI};
use crate::{Native, parked};

type Outcomes = Result<Vec<Outcome>, BenchError>;

/// Measures all cases of `workload`; one that no peer of here takes part in as it is.
pub(crate) fn run(
    workload: &Workload,
    setting: &Setting,
    natives: &[Native],
) -> Result<Report, BenchError> {
    let cases = match workload.name {
        "fib" => fib(setting, natives),
        "tree" => tree(setting, natives),
        "spawn" => spawn(setting, natives),
        "for" => loops(setting, natives),
        "irregular" => irregular(setting, natives),
        "uts" => uts(setting),
        "graph" => graph(setting, natives),
        "inject" => inject(setting, natives),
        "metg" => metg(setting, natives),
        _ => return workload.run(setting),
    };
    Ok(Report::new(workload, setting, cases?))
}

/// Adds what each of the natives has to offer.
fn with_natives<I, O, R: FnMut(&mut I) -> O + 'static>(
    case: Case<I, O>,
    natives: &[Native],
    offer: impl Fn(Native) -> Option<R>,
) -> Case<I, O> {
    natives.iter().fold(case, |case, native| match offer(*native) {
        Some(run) => case.with(native.name, run),
        None => case,
    })
}

/// Peers whose joins cost hundreds of nanoseconds come at a smaller size.
fn fib(setting: &Setting, natives: &[Native]) -> Outcomes {
    let with_chili = |case: Case<u32, u64>, threads| case.with(CHILI, joins::fib_by_chili(threads));
    let with_all = |case, threads| {
        with_natives(with_chili(case, threads), natives, |native| native.fib(threads))
    };
    let threads = setting.threads;
    let small = Setting { size: setting.size.saturating_sub(8).max(1), ..*setting };
    Ok(vec![
        with_chili(fib::overhead(setting)?, 1).measure(setting)?,
        with_chili(fib::wall(setting)?, threads).measure(setting)?,
        with_all(fib::overhead(&small)?, 1).measure(&small)?,
        with_all(fib::wall(&small)?, threads).measure(&small)?,
    ])
}

/// As for `fib`.
fn tree(setting: &Setting, natives: &[Native]) -> Outcomes {
    let threads = setting.threads;
    let with_chili = |case: Case<tree::Tree, u64>| case.with(CHILI, joins::tree_by_chili(threads));
    let small = Setting { size: (setting.size / 10).max(1), ..*setting };
    let with_all = |case| with_natives(with_chili(case), natives, |native| native.tree(threads));
    Ok(vec![
        with_chili(tree::sum(setting)?).measure(setting)?,
        with_all(tree::sum(&small)?).measure(&small)?,
    ])
}

fn spawn(setting: &Setting, natives: &[Native]) -> Outcomes {
    let producer = |native: Native| native.spawn_producer(setting.threads);
    let recursive = |native: Native| native.spawn_recursive(setting.threads);
    Ok(vec![
        with_natives(spawn::producer(setting)?, natives, producer).measure(setting)?,
        with_natives(spawn::recursive(setting)?, natives, recursive).measure(setting)?,
    ])
}

fn loops(setting: &Setting, natives: &[Native]) -> Outcomes {
    let increments = |length| -> Result<Outcome, BenchError> {
        let case = loops::increments(length, setting)?;
        with_natives(case, natives, |native| native.increments(setting.threads)).measure(setting)
    };
    let launches = |case| {
        with_natives(case, natives, |native| native.launches(setting.threads)).measure(setting)
    };
    Ok(vec![
        increments(setting.size)?,
        increments(loops::shorter(setting))?,
        launch::inside(setting)?.measure(setting)?,
        // Natives count the thread that begins a loop among their own.
        launches(launch::outside(setting)?)?,
    ])
}

fn irregular(setting: &Setting, natives: &[Native]) -> Outcomes {
    let with_all = |case: Case<Vec<u32>, u64>| {
        let case = case.with(CHILI, joins::irregular_by_chili(setting.threads));
        with_natives(case, natives, |native| native.irregular(setting.threads)).measure(setting)
    };
    Ok(vec![with_all(irregular::triangular(setting)?)?, with_all(irregular::pareto(setting)?)?])
}

/// The stream of random digests is not there for natives.
fn uts(setting: &Setting) -> Outcomes {
    let measured = |tree| {
        uts::case(tree, setting)?.with(CHILI, joins::uts_by_chili(setting.threads)).measure(setting)
    };
    uts::trees(setting).map(measured).collect()
}

fn graph(setting: &Setting, natives: &[Native]) -> Outcomes {
    let measured = |shape| {
        let case = graph::case(shape, setting)?;
        with_natives(case, natives, |native| native.graph(setting.threads)).measure(setting)
    };
    graph::Shape::ALL.into_iter().map(measured).collect()
}

fn inject(setting: &Setting, natives: &[Native]) -> Outcomes {
    let threads = setting.threads;
    let mut submissions = inject::submissions(setting)?;
    let mut blocking = latency::with(latency::blocking(setting)?, parked::NAME, parked::blocking());
    let mut computing =
        latency::with(latency::computing(setting)?, parked::NAME, parked::computing());
    if let Some(submit) = parked::elsewhere() {
        computing = latency::with(computing, parked::ELSEWHERE, submit);
    }
    let mut burnt = idle::burnt(setting);
    for native in natives {
        if let Some(submit) = native.store(threads) {
            submissions = inject::with(submissions, native.name, submit);
        }
        if let Some(submit) = native.mark_and_wait(threads) {
            blocking = latency::with(blocking, native.name, submit);
        }
        if let Some(submit) = native.mark(threads) {
            computing = latency::with(computing, native.name, submit);
        }
        if let Some(mut fib) = native.fib(threads) {
            burnt = idle::with(burnt, native.name, move |_| Some(((), fib(&mut 2))));
        }
    }
    Ok(vec![
        submissions.measure(setting)?,
        blocking.measure(setting)?,
        computing.measure(setting)?,
        burnt.measure(setting)?,
    ])
}

fn metg(setting: &Setting, natives: &[Native]) -> Outcomes {
    let measured = |width| {
        let case = metg::case(width, setting)?;
        let case =
            natives.iter().fold(case, |case, native| match native.stencil(setting.threads) {
                Some(run) => metg::with(case, native.name, run),
                None => case,
            });
        case.measure(setting)
    };
    metg::WIDTHS.into_iter().map(measured).collect()
}
