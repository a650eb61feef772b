//! What the nodes of the demo are, and the command that starts them.

use std::path::Path;

use crate::cli::args::DemoArgs;
use crate::cli::launcher::Launcher;
use crate::host::{Host, pin_current_thread};
use crate::model::Span;
use crate::run::World;

/// How long a node may be silent: short, so that one that is killed is missed soon.
pub(super) const LEASE: Span = Span::from_secs(1);

/// What the nodes are.
pub(super) enum Means {
    /// Ranks, and why none of them can be killed, if that is so.
    Ranks(Option<String>),
    /// Threads of one process, and why.
    Threads(&'static str),
}

impl Means {
    pub(super) fn find(args: &DemoArgs) -> Means {
        if args.no_launcher {
            return Means::Threads("--no-launcher");
        }
        if World::library().is_none() {
            return Means::Threads("this program was built without MPI");
        }
        match Launcher::find(None) {
            Ok(launcher) if launcher.outlives_ranks() => Means::Ranks(None),
            Ok(launcher) => Means::Ranks(Some(format!("all ranks of {launcher} end with one"))),
            Err(_) => Means::Threads("no MPI launcher is on the search path"),
        }
    }

    /// Why no node can be killed.
    pub(super) fn obstacle(&self) -> Option<String> {
        match self {
            Means::Ranks(why) => why.clone(),
            Means::Threads(why) => Some(format!("all are threads of one process ({why})")),
        }
    }

    /// The arguments of this program that start the run of the job in `file`, in `folder`.
    pub(super) fn command(&self, args: &DemoArgs, file: &Path, folder: &Path) -> Vec<String> {
        let [nodes, subclusters] = [args.nodes, args.subclusters].map(|n| n.to_string());
        let [file, folder] = [file, folder].map(|path| path.display().to_string());
        let lease = format!("{}s", LEASE.as_secs());
        let run = ["run", &file, "--run-dir", &folder, "--lease", &lease];
        let run = [&run[..], &["--subclusters", &subclusters]].concat();
        let all = match self {
            Means::Ranks(_) => [&["launch", "-n", &nodes], &run[..]].concat(),
            Means::Threads(_) => [&run[..], &["--nodes", &nodes]].concat(),
        };
        all.into_iter().map(str::to_owned).collect()
    }
}

/// Leaves this process, and all that it starts, a core for each node and no more: the demo is to
/// be seen for a few seconds also where there are a great many cores, and others may be at work
/// on them.
pub(super) fn confine(host: &Host, nodes: u32) {
    let cores = host.allowed.cores().take(nodes as usize);
    let units: Vec<u32> = cores.flat_map(|core| core.units.clone()).collect();
    if host.real && host.allowed.core_count() > nodes as usize {
        // If it cannot be, the demo has all cores, and is over sooner.
        let _ = pin_current_thread(&units);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn command(means: &Means) -> String {
        let args = DemoArgs {
            nodes: 4,
            subclusters: 2,
            no_kill: false,
            no_launcher: false,
            run_dir: None,
        };
        means.command(&args, Path::new("a.toml"), Path::new("a")).join(" ")
    }

    #[test]
    fn ranks_are_launched_and_threads_are_nodes_of_one_run() {
        let run = "run a.toml --run-dir a --lease 1s --subclusters 2";
        assert_eq!(command(&Means::Ranks(None)), format!("launch -n 4 {run}"));
        assert_eq!(command(&Means::Threads("because")), format!("{run} --nodes 4"));
    }

    #[test]
    fn a_node_is_killed_only_if_the_others_live_on() {
        assert_eq!(Means::Ranks(None).obstacle(), None);
        assert!(Means::Ranks(Some("hydra".into())).obstacle().is_some());
        assert!(Means::Threads("because").obstacle().is_some());
    }
}
