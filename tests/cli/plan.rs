//! `evenkeel plan` against a published example, with the answer written out here.

use std::path::Path;

use serde_json::Value;

use crate::scratch::Scratch;

/// The costs of the ten tasks on the three processors, from the paper.
const COST: [[f64; 3]; 10] = [
    [14.0, 16.0, 9.0],
    [13.0, 19.0, 18.0],
    [11.0, 13.0, 19.0],
    [13.0, 8.0, 17.0],
    [12.0, 13.0, 10.0],
    [13.0, 16.0, 9.0],
    [7.0, 15.0, 11.0],
    [5.0, 11.0, 14.0],
    [18.0, 12.0, 20.0],
    [21.0, 7.0, 16.0],
];

/// Its edges with what they carry, from the paper; tasks from 1.
const EDGES: [(usize, usize, f64); 15] = [
    (1, 2, 18.0),
    (1, 3, 12.0),
    (1, 4, 9.0),
    (1, 5, 11.0),
    (1, 6, 14.0),
    (2, 8, 19.0),
    (2, 9, 16.0),
    (3, 7, 23.0),
    (4, 8, 27.0),
    (4, 9, 23.0),
    (5, 9, 13.0),
    (6, 8, 15.0),
    (7, 10, 17.0),
    (8, 10, 11.0),
    (9, 10, 13.0),
];

const UPWARD_RANKS: [f64; 10] =
    [108.0, 77.0, 80.0, 80.0, 69.0, 63.333, 42.667, 35.667, 44.333, 14.667];

#[test]
fn the_example_of_the_heft_paper_ends_at_80() {
    let jobs = Path::new(env!("CARGO_MANIFEST_DIR")).join("jobs");
    let (job, platform) = (jobs.join("heft-example.toml"), jobs.join("heft-platform.toml"));
    let (job, platform) = (job.to_str().unwrap(), platform.to_str().unwrap());
    let scratch = Scratch::new();
    let planned = scratch.run(&["plan", job, "--json", "--platform", platform]).expect(0);
    let plan: Value = serde_json::from_str(&planned.stdout).unwrap();
    assert_eq!(plan["makespan"].as_f64(), Some(80.0));

    let ranks = plan["upward_ranks"].as_array().unwrap();
    assert_eq!(ranks.len(), 10);
    for (i, wanted) in UPWARD_RANKS.iter().enumerate() {
        let rank = ranks[i].as_f64().unwrap();
        assert!((rank - wanted).abs() < 5e-4, "t{}: {rank} for {wanted}", i + 1);
    }

    let assignments = plan["assignments"].as_array().unwrap();
    assert_eq!(assignments.len(), 10);
    let of = |task: usize| {
        let name = format!("t{task}");
        let one = assignments.iter().find(|a| a["task"] == name.as_str()).unwrap();
        let seconds = |key: &str| one[key].as_f64().unwrap();
        let processor = one["processor"].as_u64().unwrap() as usize;
        (processor, seconds("start"), seconds("end"))
    };
    for task in 1..=10 {
        let (processor, start, end) = of(task);
        assert_eq!(end - start, COST[task - 1][processor], "t{task}");
        for other in (1..task).filter(|other| of(*other).0 == processor) {
            assert!(of(other).1 >= end || of(other).2 <= start, "t{task} overlaps t{other}");
        }
    }
    for (from, to, bytes) in EDGES {
        let ((sender, _, sent), (receiver, start, _)) = (of(from), of(to));
        let needed = if sender == receiver { 0.0 } else { bytes };
        assert!(start >= sent + needed, "t{to} starts before what t{from} sends is there");
    }

    let named_by_the_job = scratch.run(&["plan", job, "--json"]).expect(0);
    assert_eq!(named_by_the_job.stdout, planned.stdout);
}

#[test]
fn named_resources_are_matched_by_name() {
    let scratch = Scratch::new();
    scratch.write(
        "job.toml",
        "[[task]]\nname = \"a\"\ncommand = [\"true\"]\ncost = 1\nresources = { licence = 1 }\n",
    );
    let node = "[[subcluster]]\nnode = [\n{ cores = 1, resources = { fpga = 1 } },\n";
    let second = "{ cores = 1, resources = { fpga = 1, licence = 1 } }]\n";
    scratch.write("platform.toml", &format!("{node}{second}"));
    let plan = scratch.run(&["plan", "job.toml", "-p", "platform.toml", "--json"]).expect(0);
    let plan: serde_json::Value = serde_json::from_str(&plan.stdout).unwrap();
    assert_eq!(plan["assignments"][0]["processor"], 1);
    scratch.run(&["simulate", "job.toml", "-p", "platform.toml"]).expect(0);
}
