//! Runs with all that can go wrong, and mostly small, so that many can be tried.

use super::{about, cancel, heads, while_it_lasts};
use crate::model::{Job, PeerId, Platform, Span, Time};
use crate::sim::fault::{Fault, FaultPlan};
use crate::sim::rng::Rng;

pub(super) fn platform(rng: &mut Rng) -> Platform {
    match rng.below(20) {
        0 => super::platform(rng, 4, 6),
        1..8 => super::platform(rng, 4, 2),
        _ => super::platform(rng, 3, 3),
    }
}

/// Now and then there are sub-masters above others. It is drawn by itself, so that the rest of what a
/// seed gives stays as it is.
pub(super) fn levels(seed: u64, platform: Platform) -> (Platform, Vec<u32>) {
    let mut rng = Rng::new(!seed);
    match rng.below(20) {
        0..5 => (super::platform(&mut rng, 8, 2), vec![2]),
        5 | 6 => (super::platform(&mut rng, 8, 2), vec![2, 2]),
        7 | 8 => (super::platform(&mut rng, 8, 1), vec![3]),
        9 => (platform, vec![2]),
        _ => (platform, Vec::new()),
    }
}

/// Through each level less of a lease is left, and children that are further away than that start
/// afresh again and again. With two levels the bounds above keep far enough from it.
pub(super) fn shortest_lease(platform: &Platform, fans: &[u32]) -> Span {
    let links = platform.subclusters.iter().map(|s| s.link.latency).chain([platform.link.latency]);
    let trip = Span(links.max().unwrap_or_default().0 * 2) + Span::from_millis(5);
    Span(trip.0 * [0, 10, 15][fans.len().min(2)])
}

pub(super) fn job(rng: &mut Rng, most: u64) -> Job {
    let many = if rng.chance(5) { 80 } else { rng.within(5, 24) };
    super::job(rng, most, many)
}

/// Who there is, and how long it all takes.
struct Drawn<'a> {
    platform: &'a Platform,
    job: &'a Job,
    heads: Vec<u64>,
    nodes: u64,
    lease: Span,
    /// How long the run is hit.
    horizon: Span,
}

impl Drawn<'_> {
    /// Often one that others depend on.
    fn peer(&self, rng: &mut Rng) -> PeerId {
        let any = rng.below(self.nodes);
        PeerId(if rng.chance(40) { self.heads[rng.index(self.heads.len())] } else { any } as u32)
    }

    fn subcluster(&self, index: usize) -> Vec<PeerId> {
        let first = self.heads[index];
        let nodes = first..first + self.platform.subclusters[index].nodes.len() as u64;
        nodes.map(|node| PeerId(node as u32)).collect()
    }

    fn at(&self, rng: &mut Rng) -> Time {
        Time::ZERO + rng.span(Span::ZERO, self.horizon)
    }

    fn length(&self, rng: &mut Rng) -> Span {
        while_it_lasts(rng, self.lease)
    }
}

/// Times and places at which a run is hit.
pub(super) fn faults(rng: &mut Rng, platform: &Platform, job: &Job, lease: Span) -> FaultPlan {
    let drawn = Drawn {
        platform,
        job,
        heads: heads(platform),
        nodes: platform.nodes().count() as u64,
        lease,
        horizon: Span::from_millis(300) + about(platform, job).scale(0.3 + rng.unit()),
    };
    let mut plan = Vec::new();
    // Drawn by itself, so that the rest of what a seed gives stays as it is.
    let mut apart = Rng::new(!rng.clone().bits());
    if apart.chance(15) {
        plan.push((drawn.at(&mut apart), Fault::Break { peer: drawn.peer(&mut apart) }));
    }
    if rng.chance(35) {
        plan.extend(joins(rng, &mut apart, &drawn));
    }
    let count = if rng.chance(10) { 0 } else { rng.within(1, 8) };
    // Now and then it is one kind of thing that happens, again and again.
    let only = rng.chance(20).then(|| rng.below(KINDS));
    for _ in 0..count {
        let kind = only.unwrap_or_else(|| rng.below(KINDS));
        let fault = fault(rng, &drawn, kind);
        plan.push((drawn.at(rng), fault));
    }
    FaultPlan(plan)
}

const KINDS: u64 = 24;

fn fault(rng: &mut Rng, drawn: &Drawn<'_>, kind: u64) -> Fault {
    let length = drawn.length(rng);
    let peer = drawn.peer(rng);
    match kind {
        0..5 => Fault::Crash { peer, back: rng.chance(70).then_some(length) },
        5..8 => Fault::Hang { peer, length },
        8..11 => Fault::Cut { a: peer, b: drawn.peer(rng), length },
        11..13 => Fault::Partition { peers: side(rng, drawn), length },
        13..15 => Fault::Slow { peer, length, extra: Span(rng.within(1, drawn.lease.0)) },
        15 => Fault::CrashRun { back: length },
        16 => Fault::Succession { back: length },
        17 | 18 => {
            // Who takes a run up from one that may live has seen no sign of it for longer than that.
            let back = drawn.lease + drawn.length(rng);
            Fault::Superseded { hung: rng.chance(50), back, length: back + length }
        }
        19 => Fault::Interrupt { back: length },
        20 => Fault::DiskFull { length },
        21 | 22 => Fault::Drain { peer },
        _ => cancel(rng, drawn.job),
    }
}

/// One side of a partition: whole subclusters, or just any.
fn side(rng: &mut Rng, drawn: &Drawn<'_>) -> Vec<PeerId> {
    if rng.chance(50) {
        let all = 0..drawn.heads.len();
        let some = all.filter(|_| rng.chance(50)).collect::<Vec<_>>();
        return some.into_iter().flat_map(|index| drawn.subcluster(index)).collect();
    }
    (0..drawn.nodes).filter(|_| rng.chance(40)).map(|node| PeerId(node as u32)).collect()
}

/// Subclusters and single nodes that come later: before there is anything to do, in the course of
/// the run, or about when it ends. Some stand by, which is drawn `apart`.
fn joins(rng: &mut Rng, apart: &mut Rng, drawn: &Drawn<'_>) -> Vec<(Time, Fault)> {
    let mut joins = Vec::new();
    // The process of the master is there from the beginning.
    let mut free: Vec<PeerId> = (1..drawn.nodes).map(|node| PeerId(node as u32)).collect();
    for _ in 0..rng.within(1, 3) {
        let wanted = match rng.chance(50) {
            true => drawn.subcluster(rng.index(drawn.heads.len())),
            false => vec![drawn.peer(rng)],
        };
        let peers: Vec<PeerId> = wanted.into_iter().filter(|peer| free.contains(peer)).collect();
        free.retain(|peer| !peers.contains(peer));
        let end = about(drawn.platform, drawn.job);
        let at = match rng.below(4) {
            0 => Time::ZERO + rng.span(Span::ZERO, Span::from_millis(300)),
            1 => Time::ZERO + end.scale(0.4 + 0.3 * rng.unit()),
            _ => drawn.at(rng),
        };
        if !peers.is_empty() {
            let standby = apart.chance(50).then(|| apart.span(Span::ZERO, end));
            joins.push((at, Fault::Join { peers, standby }));
        }
    }
    joins
}
