//! What holds for every job and platform.

use std::sync::Arc;

use evenkeel::model::{
    Amount, Cost, Dependency, Graph, Job, Link, Platform, PlatformNode, PlatformSubcluster, Record,
    Request, ResourceId, Resources, Schedule, Span, State, Task, TaskId, Time, Variant,
};
use evenkeel::policy::{
    Unmet, Violation, lower_bound, measured_lower_bound, priorities, schedule, upward_ranks,
    validate,
};
use proptest::prelude::*;

use crate::{job, one_core_each};

fn cost() -> impl Strategy<Value = Cost> {
    let span = || prop_oneof![Just(Span::ZERO), (1..50_000u64).prop_map(Span)];
    prop_oneof![
        Just(Cost::Unknown),
        span().prop_map(Cost::Uniform),
        [span(), span()].prop_map(|spans| Cost::PerClass(spans.into())),
    ]
}

/// Needs that the first node of every platform here can meet.
fn request() -> impl Strategy<Value = Request> {
    let resources = (0..=4u64, 0..=2u64, 0..=3u64).prop_map(|(cores, gpus, memory)| {
        Resources::cores(cores)
            .with(ResourceId::GPUS, Amount(gpus * Amount::UNIT / 2))
            .with(ResourceId::MEMORY, Amount::whole(memory))
    });
    let variant = resources.prop_map(|resources| Variant { nodes: 1, resources });
    prop::collection::vec(variant, 1..3).prop_map(|variants| Request { variants })
}

fn jobs() -> impl Strategy<Value = Job> {
    let edges = prop::collection::vec((any::<prop::sample::Index>(), 0..20_000u64), 0..3);
    let tasks = prop::collection::vec((cost(), request(), edges), 0..24);
    tasks.prop_map(|tasks| {
        let mut job = Job::new("random");
        for (i, (cost, request, edges)) in tasks.into_iter().enumerate() {
            let mut task = Task::kernel(i.to_string(), "noop", ());
            task.cost = cost;
            task.request = Arc::new(request);
            for (from, bytes) in edges {
                if i > 0 {
                    let task_id = TaskId(from.index(i) as u32);
                    task.after.push(Dependency { task: task_id, bytes });
                }
            }
            job.add(task);
        }
        job
    })
}

fn link() -> impl Strategy<Value = Link> {
    (0..5_000u64, prop_oneof![Just(f64::INFINITY), 1e9..1e12])
        .prop_map(|(latency, bandwidth)| Link { latency: Span(latency), bandwidth })
}

fn platforms() -> impl Strategy<Value = Platform> {
    let node = (0..2usize, prop_oneof![Just(1.0), 0.3..3.0], 1..6u64, 0..3u64, 0..5u64);
    let subcluster = (prop::collection::vec(node, 1..4), link());
    (prop::collection::vec(subcluster, 1..3), link()).prop_map(|(subclusters, link)| {
        let mut platform = Platform { link, ..Platform::default() };
        for (nodes, link) in subclusters {
            let nodes = nodes.into_iter().map(|(class, speed, cores, gpus, memory)| {
                let capacity = Resources::cores(cores)
                    .with(ResourceId::GPUS, Amount::whole(gpus))
                    .with(ResourceId::MEMORY, Amount::whole(memory));
                PlatformNode { name: String::new(), class, speed, domains: 1, capacity }
            });
            let nodes = nodes.collect();
            let subcluster = PlatformSubcluster { name: String::new(), nodes, link };
            platform.subclusters.push(subcluster);
        }
        platform.subclusters[0].nodes[0].capacity = Resources::cores(4)
            .with(ResourceId::GPUS, Amount::whole(1))
            .with(ResourceId::MEMORY, Amount::whole(3));
        platform
    })
}

/// One thing changed that no valid plan survives.
fn spoilt(plan: &Schedule, task: usize, how: usize) -> Schedule {
    let mut plan = plan.clone();
    let assignment = &mut plan.assignments[task];
    match how {
        0 => assignment.end += Span(1),
        1 => assignment.processors.clear(),
        2 => assignment.processors.push(1_000_000),
        3 => assignment.processors.push(assignment.processors[0]),
        4 => assignment.task = TaskId(1_000_000),
        5 => drop(plan.assignments.pop()),
        _ => plan.assignments.push(plan.assignments[task].clone()),
    }
    plan
}

proptest! {
    #[test]
    fn every_plan_is_valid_and_none_beats_the_bound(job in jobs(), platform in platforms()) {
        let graph = Graph::new(&job).unwrap();
        let plan = schedule(&job, &graph, &platform).unwrap();
        prop_assert_eq!(validate(&job, &graph, &platform, &plan), Ok(()));
        prop_assert!(lower_bound(&job, &graph, &platform) <= plan.makespan());
        prop_assert_eq!(&schedule(&job, &graph, &platform).unwrap(), &plan);
    }

    #[test]
    fn a_spoilt_plan_is_found_out(
        job in jobs(), platform in platforms(), task: prop::sample::Index, how in 0..7usize,
    ) {
        prop_assume!(!job.tasks.is_empty());
        let graph = Graph::new(&job).unwrap();
        let plan = schedule(&job, &graph, &platform).unwrap();
        let spoilt = spoilt(&plan, task.index(job.tasks.len()), how);
        prop_assert!(validate(&job, &graph, &platform, &spoilt).is_err());
    }

    #[test]
    fn a_task_ranks_no_lower_than_what_waits_for_it(job in jobs(), platform in platforms()) {
        let graph = Graph::new(&job).unwrap();
        for ranks in [upward_ranks(&job, &graph, &platform), priorities(&job, &graph)] {
            for id in graph.order() {
                for edge in graph.predecessors(*id) {
                    prop_assert!(ranks[edge.task.index()] >= ranks[id.index()]);
                }
            }
        }
    }

    /// Independent tasks on three processors of different speed: all ways to share them out.
    #[test]
    fn the_bound_is_below_the_optimum(
        costs in prop::collection::vec(1..100u64, 1..6), speeds in [0.5..4.0, 0.5..4.0, 0.5..4.0],
    ) {
        let rows: Vec<Vec<u64>> = costs.iter().map(|c| vec![*c]).collect();
        let (job, graph) = job(&rows, &[]);
        let mut platform = one_core_each(3);
        for (node, speed) in platform.subclusters[0].nodes.iter_mut().zip(speeds) {
            node.speed = speed;
        }
        let load = |mut code: usize| {
            let mut load = [Span::ZERO; 3];
            for cost in &costs {
                load[code % 3] += Span::from_secs(*cost).scale(1.0 / speeds[code % 3]);
                code /= 3;
            }
            load.into_iter().max().unwrap()
        };
        let optimum = (0..3usize.pow(costs.len() as u32)).map(load).min().unwrap();
        prop_assert!(lower_bound(&job, &graph, &platform) <= optimum);
        prop_assert!(optimum <= schedule(&job, &graph, &platform).unwrap().makespan());
    }
}

#[test]
fn the_validator_knows_each_kind_of_mistake() {
    let (mut job, graph) = job(&[vec![2], vec![2], vec![2]], &[(0, 1, 3)]);
    let gpu = Resources::cores(1).with(ResourceId::GPUS, Amount::whole(1));
    for task in &mut job.tasks {
        task.request = Arc::new(Request::of(gpu.clone()));
    }
    let mut platform = one_core_each(2);
    for node in &mut platform.subclusters[0].nodes {
        node.capacity = gpu.clone().with(ResourceId::CORES, Amount::whole(2));
    }
    let second = |n: u64| Time::ZERO + Span::from_secs(n);
    let plan = schedule(&job, &graph, &platform).unwrap();
    let check = |task: usize, processor: usize, start: u64| {
        let mut plan = plan.clone();
        plan.assignments[task].processors = vec![processor];
        plan.assignments[task].start = second(start);
        plan.assignments[task].end = second(start + 2);
        validate(&job, &graph, &platform, &plan)
    };
    let [a, b, c] = [0, 1, 2].map(TaskId);
    assert_eq!(check(1, 0, 2), Ok(()));
    let early = |arrives| Violation::TooEarly { task: b, predecessor: a, arrives: second(arrives) };
    assert_eq!(check(1, 0, 1), Err(early(2)));
    assert_eq!(check(1, 2, 4), Err(early(5)), "three bytes to another node");
    assert_eq!(check(2, 0, 1), Err(Violation::Overlap { processor: 0, tasks: [a, c] }));
    let short = Violation::Overcommitted { task: c, resource: ResourceId::GPUS };
    assert_eq!(check(2, 1, 1), Err(short));
}

#[test]
fn a_task_that_fits_nowhere_is_named() {
    let (mut job, graph) = job(&[vec![1], vec![1]], &[]);
    job.tasks[1] = job.tasks[1].clone().cores(2);
    assert_eq!(schedule(&job, &graph, &one_core_each(3)), Err(Unmet(TaskId(1))));
    let nothing = Platform::default();
    assert_eq!(schedule(&job, &graph, &nothing), Err(Unmet(TaskId(0))));
    assert_eq!(lower_bound(&job, &graph, &nothing), Span::ZERO);
}

#[test]
fn an_empty_job_takes_no_time() {
    let (job, graph) = job(&[], &[]);
    let platform = one_core_each(1);
    assert_eq!(schedule(&job, &graph, &platform).unwrap().makespan(), Span::ZERO);
    assert_eq!(lower_bound(&job, &graph, &platform), Span::ZERO);
    assert_eq!(measured_lower_bound(&graph, &[] as &[Record], 1), Span::ZERO);
}

#[test]
fn the_measured_bound_counts_the_attempts_that_ended_well() {
    let (_, graph) = job(&[vec![1], vec![1], vec![1]], &[(0, 1, 0)]);
    let record = |task: u32, state: State, start: u64, end: u64| {
        let (job, attempt) = (evenkeel::model::JobId(0), evenkeel::model::Attempt(1));
        let key = evenkeel::model::AttemptKey {
            job,
            task: TaskId(task),
            attempt,
            epoch: evenkeel::model::Epoch(1),
        };
        Record { start: Some(Time(start)), end: Some(Time(end)), ..Record::new(key, state) }
    };
    let records = [
        record(0, State::Lost, 0, 100),
        record(0, State::Done, 100, 110),
        record(1, State::Done, 110, 117),
        record(2, State::Done, 0, 30),
    ];
    assert_eq!(measured_lower_bound(&graph, &records, 1), Span(47), "all the work");
    assert_eq!(measured_lower_bound(&graph, &records, 4), Span(30), "the longest task");
    assert_eq!(measured_lower_bound(&graph, &records[..3], 4), Span(17), "the path");
}

#[test]
fn a_large_job_is_planned_in_seconds() {
    let mut job = Job::new("large");
    for i in 0..10_000u32 {
        let before = [i.checked_sub(97), i.checked_sub(1009)];
        let cost = Span::from_millis(u64::from(i * 7919 % 1000) + 1);
        let after = before.into_iter().flatten().map(TaskId);
        job.add(Task::kernel(i.to_string(), "noop", ()).cost(cost).after(after));
    }
    let graph = Graph::new(&job).unwrap();
    let platform = Platform::uniform(4, 250, 1);
    let start = std::time::Instant::now();
    let plan = schedule(&job, &graph, &platform).unwrap();
    let took = start.elapsed();
    assert!(took.as_secs() < 30, "{took:?} without optimization");
    assert_eq!(validate(&job, &graph, &platform, &plan), Ok(()));
}
