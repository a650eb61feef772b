//! Subclusters by the groups of a hostfile, which the launcher reads as well.

use crate::hosts::Hosts;
use crate::jobs;
use crate::launcher::{EVENKEEL, Launcher};
use crate::random::Random;
use crate::ranks;
use crate::records;
use crate::scratch::Scratch;

const RACKS: &str = "# group front\nh0 N\nh2 N   # in the other rack\n# group back\nh1 N\n";

#[test]
fn hosts_of_a_group_are_a_subcluster() {
    let Some(launcher) = Launcher::linked() else { return };
    let scratch = Scratch::new();
    let Some(hosts) = Hosts::new(3) else { return };
    let slots = if launcher == Launcher::OpenMpi { " slots=2" } else { ":2" };
    scratch.write("racks", &RACKS.replace(" N", slots));
    let (text, job) = jobs::random_graph(&mut Random::new(), 60);
    scratch.write("job.toml", &text);
    let launch = ["run", "h0", EVENKEEL, "launch", "-n", "6", "--hostfile", "racks", "run"];
    let run = ["job.toml", "--run-dir", "run", "--subclusters", "racks"];
    let args = [&launch[..], &run].concat();
    scratch.start_command(hosts.command(&scratch, &args)).wait().expect(0);
    records::expect_all_done(&scratch.path("run"), &job);
    let ranks = ranks::ranks(&scratch);
    assert_eq!(ranks.len(), 6);
    for rank in &ranks {
        assert_eq!(rank.subcluster, u64::from(rank.host == "h1"), "{rank:?}");
    }
    for line in records::lines(&scratch.path("run")) {
        let subcluster = u64::from(line.json["host"] == "h1");
        assert_eq!(line.json["subcluster"], subcluster, "{}", line.json);
    }
}

#[test]
fn a_host_that_no_group_has_ends_all_ranks_before_anything_starts() {
    let Some(launcher) = Launcher::linked() else { return };
    let scratch = Scratch::new();
    let Some(hosts) = Hosts::new(2) else { return };
    scratch.write("racks", "# group front\nh0\n# group back\nh7\n");
    scratch.write("job.toml", "name = \"j\"\n[[task]]\nname = \"a\"\ncommand = [\"true\"]\n");
    let launch = ["run", "h0", EVENKEEL, "launch", "-n", "2", "--hosts", "h0:1,h1:1", "run"];
    let run = ["job.toml", "--run-dir", "run", "--subclusters", "racks"];
    let args = [&launch[..], &run].concat();
    let finished = scratch.start_command(hosts.command(&scratch, &args)).wait();
    let code = finished.status.code();
    assert_eq!(code, Some(2), "{launcher:?}: {finished:#?}");
    assert!(finished.stderr.contains("racks: no group has h1:"), "{finished:#?}");
    assert!(!scratch.path("run/nodes.json").exists());
}
