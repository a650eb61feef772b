//! Plans by HEFT and the bounds under them, and the chunks of schedules.

mod chunks;
mod properties;
mod published;
mod worked;

use std::path::PathBuf;

use evenkeel::model::{
    Cost, Dependency, Graph, Job, Link, Platform, PlatformNode, PlatformSubcluster, Resources,
    Span, Task, TaskId,
};

/// A folder of published data, if there is one.
#[expect(clippy::print_stderr, reason = "a test that is skipped says so")]
fn data(folder: &str) -> Option<PathBuf> {
    let path = std::env::var_os("EVENKEEL_DATA").map(|root| PathBuf::from(root).join(folder));
    let found = path.filter(|path| path.is_dir());
    if found.is_none() {
        eprintln!("skipped: EVENKEEL_DATA names no folder with {folder}/");
    }
    found
}

/// A job of tasks with these costs in seconds, each for all processors or one per class, and
/// edges between them that carry bytes.
fn job(costs: &[Vec<u64>], edges: &[(usize, usize, u64)]) -> (Job, Graph) {
    let mut job = Job::new("example");
    for (i, cost) in costs.iter().enumerate() {
        let mut task = Task::kernel(i.to_string(), "noop", ());
        let spans: Vec<Span> = cost.iter().map(|s| Span::from_secs(*s)).collect();
        task.cost = match spans[..] {
            [span] => Cost::Uniform(span),
            _ => Cost::PerClass(spans.into()),
        };
        job.add(task);
    }
    for (from, to, bytes) in edges {
        let edge = Dependency { task: TaskId(*from as u32), bytes: *bytes };
        job.tasks[*to].after.push(edge);
    }
    let graph = Graph::new(&job).expect("an example has no cycle");
    (job, graph)
}

/// Nodes of one core, each a class of its own, that send a byte a second to each other.
fn one_core_each(nodes: usize) -> Platform {
    let node = |class: usize| PlatformNode {
        name: format!("p{class}"),
        class,
        speed: 1.0,
        domains: 1,
        capacity: Resources::cores(1),
    };
    let link = Link { latency: Span::ZERO, bandwidth: 1.0 };
    let nodes = (0..nodes).map(node).collect();
    Platform {
        subclusters: vec![PlatformSubcluster { name: "s".into(), nodes, link }],
        ..Platform::default()
    }
}
