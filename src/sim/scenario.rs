//! Runs drawn from a seed: a platform, a job, how its tasks go, and what goes wrong.

mod wide;

use std::sync::Arc;

use super::fault::{Fault, FaultPlan};
use super::rng::Rng;
use super::{SimConfig, as_foretold};
use crate::model::{
    Addition, Amount, Body, Dependency, Ending, Exit, Job, Launch, Link, PeerId, Platform,
    PlatformNode, PlatformSubcluster, Request, Rerun, ResourceId, Resources, Settings, Span, Task,
    TaskId, Time, Value,
};

/// Draws a run from a seed.
#[derive(Clone, Copy, Debug)]
pub struct Scenario {
    /// The seed.
    pub seed: u64,
    /// From what it draws.
    pub kind: Kind,
}

/// What a seed draws from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Runs whose processes all begin with it, and the faults of single processes and links. What
    /// a seed gives stays as it is, so that those keep their worth that once found something.
    Plain,
    /// All that there is, mostly in small runs.
    Wide,
}

impl Scenario {
    /// The run of this seed.
    #[must_use]
    pub fn config(self) -> SimConfig {
        let mut rng = Rng::new(self.seed);
        let rng = &mut rng;
        let wide = self.kind == Kind::Wide;
        let platform = if wide { wide::platform(rng) } else { platform(rng, 4, 6) };
        let (platform, fans) =
            if wide { wide::levels(self.seed, platform) } else { (platform, vec![]) };
        let largest = platform.nodes().map(|(_, node)| cores(node)).max().unwrap_or(1);
        let first = platform.nodes().next().map_or(1, |(_, node)| cores(node));
        // Mostly what the master's own node can run, so that there is always one that can.
        let most = if rng.chance(85) { first } else { largest };
        let job = if wide { wide::job(rng, most) } else { job(rng, most, 80) };
        let ranks = job.tasks.iter().map(|task| task.cost.mean().0).collect();
        let mut lease = rng.span(Span::from_millis(200), Span::from_secs(2));
        if wide {
            lease = lease.max(wide::shortest_lease(&platform, &fans));
        }
        let faults = match wide {
            true => wide::faults(rng, &platform, &job, lease),
            false => faults(rng, &platform, &job, lease),
        };
        let reattach = if rng.chance(60) { rng.span(lease, Span(lease.0 * 6)) } else { Span::ZERO };
        let about = about(&platform, &job);
        let time_left = rng.chance(10).then(|| rng.span(about.scale(0.5), about.scale(2.0)));
        let traits = (self.seed, rng.chance(40), job.tasks.len());
        let failing = failing(&job);
        SimConfig {
            seed: self.seed,
            fans,
            faults,
            lease,
            behaviour: Arc::new(move |launch, task, node| {
                behave(traits, &failing, launch, task, node)
            }),
            deviation: 0.5,
            wait_for_nodes: Span(lease.0 * 12),
            reattach,
            time_left,
            commit: rng.span(Span::from_millis(1), Span::from_millis(200)),
            disorder: true,
            ..SimConfig::new(platform, job, ranks)
        }
    }
}

fn cores(node: &PlatformNode) -> u64 {
    node.capacity.get(ResourceId::CORES).ceil()
}

fn link(rng: &mut Rng) -> Link {
    let latency = match rng.below(3) {
        0 => Span::from_micros(rng.within(1, 50)),
        1 => Span::from_micros(rng.within(50, 1000)),
        _ => Span::from_millis(rng.within(1, 30)),
    };
    let bandwidth = if rng.chance(30) { 1e6 } else { f64::INFINITY };
    Link { latency, bandwidth }
}

/// Up to `most` subclusters of up to `largest` nodes.
fn platform(rng: &mut Rng, most: u64, largest: u64) -> Platform {
    let node = |rng: &mut Rng| PlatformNode {
        name: "node".to_owned(),
        class: 0,
        speed: 0.5 + 1.5 * rng.unit(),
        domains: rng.within(1, 2) as u32,
        capacity: Resources::cores(rng.within(1, 4))
            .with(ResourceId::MEMORY, Amount::whole(rng.within(4, 8))),
    };
    let subcluster = |rng: &mut Rng| {
        let n = rng.within(1, largest);
        PlatformSubcluster {
            name: "sub".to_owned(),
            nodes: (0..n).map(|_| node(rng)).collect(),
            link: link(rng),
        }
    };
    let n = rng.within(1, most);
    Platform {
        name: "drawn".to_owned(),
        subclusters: (0..n).map(|_| subcluster(rng)).collect(),
        link: link(rng),
        classes: vec!["core".to_owned()],
        ..Platform::default()
    }
}

/// Chains, fans, layers and loose tasks, of few or up to `many`, short or long tasks.
fn job(rng: &mut Rng, most: u64, many: u64) -> Job {
    let mut job = Job::new("drawn");
    // Drawn by itself, so that the rest of what a seed gives stays as it is.
    let mut apart = Rng::new(!rng.clone().bits());
    let n = if rng.chance(20) { rng.within(1, 5) } else { rng.within(5, many) };
    let shape = rng.below(4);
    let longest = [Span::from_millis(5), Span::from_millis(800), Span::from_secs(4)][rng.index(3)];
    // Next to nothing now and then, so that they are run in lots.
    let longest = if rng.chance(15) { Span::from_micros(300) } else { longest };
    let failing = if rng.chance(50) { rng.below(15) } else { 0 };
    for i in 0..n {
        let kernel = if rng.chance(failing) { "fail" } else { "noop" };
        let mut task = Task::kernel(format!("task{i}"), kernel, ());
        task.after = predecessors(rng, shape, i).into_iter().map(Dependency::from).collect();
        let cost = if rng.chance(10) { Span::ZERO } else { rng.span(Span::ZERO, longest) };
        // Now and then much longer than those before it.
        let cost = if rng.chance(3) { Span(cost.0 * 50) } else { cost };
        task = task.cost(cost);
        let cores = if rng.chance(70) { 1 } else { rng.within(0, most) };
        let memory = if rng.chance(20) { rng.within(1, 4) } else { 0 };
        let asked = Resources::cores(cores).with(ResourceId::MEMORY, Amount::whole(memory));
        task.request = Arc::new(Request::of(asked));
        task.priority = if rng.chance(10) { rng.below(5) as i32 - 2 } else { 0 };
        let retries = if rng.chance(30) { rng.within(1, 3) as u16 } else { 0 };
        task.settings = Arc::new(Settings {
            retries,
            rerun: if apart.chance(10) { Rerun::Never } else { Rerun::Always },
            grace: rng.span(Span::ZERO, Span::from_secs(1)),
            time_limit: rng.chance(5).then(|| rng.span(Span::ZERO, longest)),
            ..Settings::default()
        });
        job.add(task);
    }
    if longest < Span::from_millis(1) && apart.chance(60) {
        crowd(&mut job, &mut apart, longest);
    }
    job
}

/// Makes the tasks of a job alike, and adds more, so that many come one after the other on the same
/// cores.
fn crowd(job: &mut Job, rng: &mut Rng, longest: Span) {
    job.tasks.iter_mut().for_each(|task| task.request = Arc::default());
    for i in 0..job.tasks.len() * 4 {
        let task = Task::kernel(format!("more{i}"), "noop", ());
        job.add(task.cost(rng.span(Span::ZERO, Span(longest.0 / 4))));
    }
}

fn predecessors(rng: &mut Rng, shape: u64, i: u64) -> Vec<TaskId> {
    let before = |rng: &mut Rng, back: u64| TaskId((i - 1 - rng.below(back.min(i))) as u32);
    let mut after = match (shape, i) {
        (_, 0) | (0, _) => Vec::new(),
        // Some chains side by side.
        (1, i) => {
            if i >= 4 {
                vec![TaskId(i as u32 - 4)]
            } else {
                Vec::new()
            }
        }
        // A fan out and in, again and again.
        (2, i) if i % 8 == 0 => (i - 7..i).map(|j| TaskId(j as u32)).collect(),
        (2, i) => {
            if i >= 8 {
                vec![TaskId((i - i % 8) as u32)]
            } else {
                vec![TaskId(0)]
            }
        }
        _ => (0..rng.below(4)).map(|_| before(rng, 12)).collect(),
    };
    after.sort();
    after.dedup();
    after
}

fn failing(job: &Job) -> Vec<TaskId> {
    let fails = |task: &Task| matches!(task.unresolved_body(&[]), Body::Kernel { name, .. } if name == "fail");
    let tasks = job.tasks.iter().enumerate().filter(|(_, task)| fails(task));
    tasks.map(|(i, _)| TaskId(i as u32)).collect()
}

/// About how long the job takes.
fn about(platform: &Platform, job: &Job) -> Span {
    let work: Span = job.tasks.iter().map(|task| task.cost.mean()).sum();
    let longest = job.tasks.iter().map(|task| task.cost.mean()).max().unwrap_or_default();
    let cores: u64 = platform.nodes().map(|(_, node)| cores(node)).sum();
    work.scale(2.0 / cores.max(1) as f64).max(longest.scale(3.0))
}

/// The first node of each subcluster.
fn heads(platform: &Platform) -> Vec<u64> {
    let sizes = platform.subclusters.iter().map(|s| s.nodes.len() as u64);
    let heads = sizes.scan(0, |first, size| {
        *first += size;
        Some(*first - size)
    });
    heads.collect()
}

/// How long something lasts, mostly less than a few leases.
fn while_it_lasts(rng: &mut Rng, lease: Span) -> Span {
    match rng.below(3) {
        0 => rng.span(Span::from_millis(20), Span(lease.0 / 2)),
        1 => rng.span(Span::from_millis(20), Span(lease.0 * 2)),
        _ => rng.span(lease, Span(lease.0 * 4)),
    }
}

/// Times and places at which a run is hit.
fn faults(rng: &mut Rng, platform: &Platform, job: &Job, lease: Span) -> FaultPlan {
    let nodes = platform.nodes().count() as u64;
    let heads = heads(platform);
    let count = if rng.chance(10) { 0 } else { rng.within(1, 12) };
    // Now and then only the user acts, so that it can be told what follows from that alone.
    let gentle = rng.chance(15);
    let horizon = Span::from_millis(300) + about(platform, job).scale(0.3 + rng.unit());
    let peer = |rng: &mut Rng| {
        let any = rng.below(nodes);
        PeerId(if rng.chance(40) { heads[rng.index(heads.len())] } else { any } as u32)
    };
    let fault = |rng: &mut Rng| {
        let length = while_it_lasts(rng, lease);
        let who = peer(rng);
        match if gentle { rng.within(18, 19) } else { rng.below(20) } {
            0..5 => Fault::Crash { peer: who, back: rng.chance(70).then_some(length) },
            5..9 => Fault::Hang { peer: who, length },
            9..13 => Fault::Cut { a: who, b: peer(rng), length },
            13..15 => Fault::Slow { peer: who, length, extra: Span(rng.within(1, lease.0)) },
            15 => Fault::CrashRun { back: length },
            16 => Fault::Succession { back: length },
            17 => Fault::Interrupt { back: length },
            18 => Fault::Drain { peer: who },
            _ => cancel(rng, job),
        }
    };
    let at = |rng: &mut Rng| Time::ZERO + rng.span(Span::ZERO, horizon);
    FaultPlan((0..count).map(|_| (at(rng), fault(rng))).collect())
}

fn cancel(rng: &mut Rng, job: &Job) -> Fault {
    let n = rng.within(1, 5);
    let some = (0..n).map(|_| TaskId(rng.index(job.tasks.len()) as u32));
    Fault::Cancel { tasks: some.collect() }
}

/// Attempts fail now and then where the task may be tried again, give back a value that names
/// them, and some add tasks.
fn behave(
    (seed, additions, tasks): (u64, bool, usize),
    failing: &[TaskId],
    launch: &Launch,
    task: &Task,
    node: &PlatformNode,
) -> (Span, Ending) {
    let (span, mut ending) = as_foretold(launch, task, node);
    let key = launch.key;
    let mut rng = Rng::new(seed ^ u64::from(key.task.0) << 20 ^ u64::from(key.attempt.0));
    if ending.exit.is_success() {
        if task.settings.retries > 0 && rng.chance(40) {
            ending = Ending::new(Exit::Code(3), None);
        } else if !rng.chance(10) {
            ending.value = Value::Int(i64::from(key.task.0) << 16 | i64::from(key.attempt.0));
        }
    }
    let original = matches!(&*launch.work.body, Body::Kernel { name, .. } if name == "noop");
    if additions && original && ending.exit.is_success() && rng.chance(20) {
        ending.added =
            (0..rng.within(1, 4)).map(|n| addition(&mut rng, launch, failing, n)).collect();
        // Now and then behind just any task: what it gave back may be gone.
        if rng.chance(10)
            && let Some(last) = ending.added.last_mut()
        {
            last.task.after.push(TaskId(rng.index(tasks) as u32).into());
        }
    }
    (span, ending)
}

fn addition(rng: &mut Rng, launch: &Launch, failing: &[TaskId], n: u64) -> Addition {
    let mut task = Task::kernel(format!("{}+{n}", launch.work.name), "added", ());
    task = task.cost(rng.span(Span::ZERO, Span::from_millis(300)));
    if rng.chance(50) {
        task.after.push(launch.key.task.into());
    }
    task.after.extend(
        launch.work.inputs.iter().filter(|_| rng.chance(30)).map(|(id, _)| Dependency::from(*id)),
    );
    // Of a task that was done long ago the value is not kept, but one that fails has none.
    if rng.chance(10) && !failing.is_empty() {
        task.after.push(failing[rng.index(failing.len())].into());
    }
    let siblings = (0..n).filter(|_| rng.chance(30)).map(|s| s as u32).collect();
    Addition { task, siblings }
}
