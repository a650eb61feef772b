//! `evenkeel join` and `evenkeel drain`.

use std::env;

use super::args::{DrainArgs, JoinArgs, TimeLeft};
use super::run::{allotted, on_signal, serve, tell, told_once};
use super::{Failure, terminal};
use crate::exec::Registry;
use crate::model::{ExitCode, PeerId, SubclusterId};
use crate::run::{self, Joining, Meeting, NodeHandle, World};
use crate::sched::Part;

/// Where the secret of a run is that is joined by its address alone; arguments are seen by all.
const SECRET: &str = "EVENKEEL_SECRET";

pub(super) fn join(args: &JoinArgs, registry: &Registry) -> Result<ExitCode, Failure> {
    let world = if args.single { Ok(None) } else { World::of_launcher() };
    let world = match world.map_err(told_once)? {
        Some(world) if !world.is_first() => return serve(world, registry),
        world => world,
    };
    let meeting = meeting(&args.run)?;
    let (resources, patience) = (args.resources.clone(), args.patience);
    let time_left = args.time_left.map_or_else(allotted, |TimeLeft(asked)| asked);
    let standby = args.standby;
    let joining = Joining { meeting, resources, patience, time_left, standby };
    let mut signals = None;
    let begun = |node: NodeHandle| {
        let what = if standby.is_some() { "stands by for" } else { "takes part in" };
        terminal::say(&format!("note: {what} the run at {}", args.run));
        signals = Some(on_signal(move |_| node.drain()));
    };
    match world {
        Some(world) => world.join(&joining, registry, tell, begun)?,
        None => run::join(&joining, registry, tell, begun)?,
    }
    Ok(ExitCode::Done)
}

pub(super) fn drain(args: &DrainArgs) -> Result<ExitCode, Failure> {
    let nodes = args.nodes.iter().map(|node| Part::Node(PeerId(*node)));
    let subclusters = args.subclusters.iter().map(|n| Part::Subcluster(SubclusterId(*n)));
    let parts: Vec<Part> = nodes.chain(subclusters).collect();
    run::drain(&meeting(&args.run)?, &parts, args.patience)?;
    Ok(ExitCode::Done)
}

fn meeting(said: &str) -> Result<Meeting, Failure> {
    let secret = env::var(SECRET).ok();
    Meeting::of(said, secret.as_deref()).map_err(|problem| {
        Failure::bad_input(format!("{problem}; it is given in the variable {SECRET}"))
    })
}
