//! The examples that the papers work out by hand.

use evenkeel::model::{Cost, Link, Platform, Span, TaskId};
use evenkeel::policy::{lower_bound, priorities, schedule, upward_ranks, validate};

use crate::{job, one_core_each};

const TOPCUOGLU_COSTS: [[u64; 3]; 10] = [
    [14, 16, 9],
    [13, 19, 18],
    [11, 13, 19],
    [13, 8, 17],
    [12, 13, 10],
    [13, 16, 9],
    [7, 15, 11],
    [5, 11, 14],
    [18, 12, 20],
    [21, 7, 16],
];
const TOPCUOGLU_EDGES: [(usize, usize, u64); 15] = [
    (1, 2, 18),
    (1, 3, 12),
    (1, 4, 9),
    (1, 5, 11),
    (1, 6, 14),
    (2, 8, 19),
    (2, 9, 16),
    (3, 7, 23),
    (4, 8, 27),
    (4, 9, 23),
    (5, 9, 13),
    (6, 8, 15),
    (7, 10, 17),
    (8, 10, 11),
    (9, 10, 13),
];
const ARABNEJAD_COSTS: [[u64; 3]; 10] = [
    [22, 21, 36],
    [22, 18, 18],
    [32, 27, 43],
    [7, 10, 4],
    [29, 27, 35],
    [26, 17, 24],
    [14, 25, 30],
    [29, 23, 36],
    [15, 21, 8],
    [13, 16, 33],
];
const ARABNEJAD_EDGES: [(usize, usize, u64); 15] = [
    (1, 2, 17),
    (1, 3, 31),
    (1, 4, 29),
    (1, 5, 13),
    (1, 6, 7),
    (2, 8, 3),
    (2, 9, 30),
    (3, 7, 16),
    (4, 8, 11),
    (4, 9, 7),
    (5, 9, 57),
    (6, 8, 5),
    (7, 10, 9),
    (8, 10, 42),
    (9, 10, 7),
];

fn costs(rows: &[[u64; 3]]) -> Vec<Vec<u64>> {
    rows.iter().map(|row| row.to_vec()).collect()
}

/// The papers count tasks from 1.
fn from_zero(edges: &[(usize, usize, u64)]) -> Vec<(usize, usize, u64)> {
    edges.iter().map(|(from, to, bytes)| (from - 1, to - 1, *bytes)).collect()
}

#[test]
fn topcuoglu_2002_has_the_published_ranks_and_plan() {
    let (job, graph) = job(&costs(&TOPCUOGLU_COSTS), &from_zero(&TOPCUOGLU_EDGES));
    let platform = one_core_each(3);
    let ranks = upward_ranks(&job, &graph, &platform);
    let shown: Vec<String> = ranks.iter().map(|rank| format!("{:.3}", rank.as_secs())).collect();
    let published = [
        "108.000", "77.000", "80.000", "80.000", "69.000", "63.333", "42.667", "35.667", "44.333",
        "14.667",
    ];
    assert_eq!(shown, published);
    assert_eq!(ranks[2], ranks[3], "what is equal on paper is equal to the nanosecond");

    let plan = schedule(&job, &graph, &platform).unwrap();
    assert_eq!(plan.makespan(), Span::from_secs(80));
    assert_eq!(validate(&job, &graph, &platform, &plan), Ok(()));
    // Figure 3 (a) of the paper: task, processor, start, end.
    let published = [
        (1, 3, 0, 9),
        (2, 1, 27, 40),
        (3, 3, 9, 28),
        (4, 2, 18, 26),
        (5, 3, 28, 38),
        (6, 2, 26, 42),
        (7, 3, 38, 49),
        (8, 1, 57, 62),
        (9, 2, 56, 68),
        (10, 2, 73, 80),
    ];
    let second = 1_000_000_000;
    for (assignment, (task, processor, start, end)) in plan.assignments.iter().zip(published) {
        assert_eq!(assignment.task, TaskId(task - 1));
        assert_eq!(assignment.processors, [processor - 1], "task {task}");
        assert_eq!((assignment.start.0, assignment.end.0), (start * second, end * second));
    }
    assert!(lower_bound(&job, &graph, &platform) <= Span::from_secs(80));
}

#[test]
fn arabnejad_2014_has_the_published_makespan() {
    let (job, graph) = job(&costs(&ARABNEJAD_COSTS), &from_zero(&ARABNEJAD_EDGES));
    let platform = one_core_each(3);
    let plan = schedule(&job, &graph, &platform).unwrap();
    assert_eq!(validate(&job, &graph, &platform, &plan), Ok(()));
    assert_eq!(plan.makespan(), Span::from_secs(133));
    let best_known = Span::from_secs(122);
    assert!(lower_bound(&job, &graph, &platform) <= best_known);
}

#[test]
fn without_a_platform_the_rank_is_the_mean_work_still_to_come() {
    let edges = [(0, 1, 1_000_000), (1, 2, 0)];
    let (mut job, graph) = job(&[vec![1], vec![2, 4], vec![5]], &edges);
    assert_eq!(priorities(&job, &graph), [9, 8, 5].map(Span::from_secs));
    for task in &mut job.tasks {
        task.cost = Cost::Unknown;
    }
    assert_eq!(priorities(&job, &graph), [3, 2, 1].map(Span::from_secs), "depth alone");
}

#[test]
fn the_mean_communication_is_over_all_pairs_of_cores() {
    let (job, graph) = job(&[vec![1], vec![1]], &[(0, 1, 12)]);
    let mut platform = Platform::uniform(2, 2, 2);
    for subcluster in &mut platform.subclusters {
        subcluster.link = Link { latency: Span::from_secs(2), bandwidth: 12.0 };
    }
    platform.link = Link { latency: Span::from_secs(1), bandwidth: 2.0 };
    // Of each core's seven pairs one is in its node, two go to the other node of its
    // subcluster (3 s each) and four beyond it (7 s each).
    let mean = Span::from_secs(2 * 3 + 4 * 7).scale(1.0 / 7.0);
    let rank = upward_ranks(&job, &graph, &platform)[0];
    assert_eq!(rank, Span::from_secs(2) + mean);
}

#[test]
fn the_mean_cost_is_over_the_cores_that_can_run_the_task() {
    let (mut job, graph) = job(&[vec![6], vec![6]], &[]);
    job.tasks[1] = job.tasks[1].clone().cores(4);
    let mut platform = Platform::uniform(1, 1, 2);
    let mut fast = Platform::uniform(1, 1, 4).subclusters[0].nodes[0].clone();
    fast.speed = 2.0;
    platform.subclusters[0].nodes.push(fast);
    let ranks = upward_ranks(&job, &graph, &platform);
    assert_eq!(ranks, [4, 3].map(Span::from_secs), "(2 x 6 + 4 x 3) / 6, and 3 alone");
}
