//! `evenkeel bench`: what it prints and what it refuses. How fast anything is is not looked at.

use serde_json::Value;

use crate::scratch::Scratch;

/// Each workload with a size for a test, and how many cases it has.
const WORKLOADS: [(&str, [&str; 2], usize); 9] = [
    ("fib", ["--size", "12"], 2),
    ("tree", ["--size", "1000"], 1),
    ("spawn", ["--size", "1000"], 2),
    ("for", ["--size", "1000"], 4),
    ("irregular", ["--size", "50"], 2),
    ("uts", ["--tree", "T1"], 1),
    ("graph", ["--size", "1000"], 3),
    ("inject", ["--size", "1000"], 4),
    ("metg", ["--size", "1"], 2),
];

/// What `bench` prints as JSON for one workload.
fn measured(scratch: &Scratch, name: &str, [option, size]: [&str; 2]) -> Value {
    let args = ["bench", name, option, size, "--threads", "2", "--rounds", "1", "--json"];
    let json: Value = serde_json::from_str(&scratch.run(&args).expect(0).stdout).unwrap();
    assert_eq!(json["version"], 1);
    let workload = json["workloads"][0].clone();
    assert_eq!(json["workloads"].as_array().unwrap().len(), 1);
    assert_eq!((&workload["workload"], &workload["threads"]), (&name.into(), &2.into()));
    workload
}

#[test]
fn each_workload_has_ours_rayon_and_the_sequential_twin() {
    let scratch = Scratch::new();
    for (name, size, cases) in WORKLOADS {
        let workload = measured(&scratch, name, size);
        let found = workload["cases"].as_array().unwrap();
        assert_eq!(found.len(), cases, "{workload:#}");
        for case in found {
            let lines = case["lines"].as_array().unwrap();
            let title = case["case"].as_str().unwrap();
            let other_way = match name {
                "fib" => &["evenkeel, bare"][..],
                "for" if title.ends_with("from outside") => &["evenkeel, handed over"],
                _ => &[],
            };
            let all = [&["sequential", "evenkeel"], other_way, &["rayon"]].concat();
            // An overhead is one over the twin, and no efficiency of many cores comes of one.
            let has_no_twin = name == "metg" || title.ends_with("on 1 thread");
            let wanted = &all[usize::from(has_no_twin)..];
            for (i, line) in lines.iter().enumerate() {
                assert_eq!(line["contender"], wanted[i % wanted.len()], "{case:#}");
            }
            assert!(!lines.is_empty() && lines.len().is_multiple_of(wanted.len()), "{case:#}");
        }
    }
}

#[test]
fn people_get_a_table() {
    let scratch = Scratch::new();
    let shown = scratch.run(&["bench", "tree", "--size", "100", "--threads", "1"]).expect(0);
    let lines: Vec<&str> = shown.stdout.lines().collect();
    assert_eq!(lines[0], "tree: 1 thread, 5 rounds");
    assert_eq!(lines[1], "  sum over 100 nodes: per node, ns");
    let words = |line: &str| line.split_whitespace().map(str::to_owned).collect::<Vec<String>>();
    assert_eq!(words(lines[2])[..4], ["median", "least", "most", "x"]);
    for (line, name) in lines[3..].iter().zip(["sequential", "evenkeel", "rayon"]) {
        let words = words(line);
        assert_eq!((words[0].as_str(), words.len()), (name, 6), "{line}");
        assert!(words[1..].iter().all(|word| word.parse::<f64>().is_ok()), "{line}");
    }
    assert_eq!(lines.len(), 6);
}

#[test]
fn what_cannot_be_measured_is_refused() {
    let scratch = Scratch::new();
    let refused = |args: &[&str], said: &str| {
        let stderr = scratch.run(args).expect(2).stderr;
        assert!(stderr.contains(said), "{args:?}: {stderr}");
    };
    refused(&["bench", "fob"], "[possible values: fib, tree, spawn, for, ");
    refused(&["bench", "--size", "10"], "<WORKLOAD>");
    refused(&["bench", "fib", "--rounds", "0"], "--rounds");
    refused(
        &["bench", "fib", "--size", "51"],
        "error: a size of 51 is too large: fib takes at most 50 (n of fib(n))",
    );
    refused(&["bench", "uts", "--size", "9"], "error: uts has no size: name its tree by --tree");
    refused(&["bench", "fib", "--tree", "T1"], "error: --tree is for uts; fib has none");
    refused(&["bench", "uts", "--tree", "T9"], "[possible values: T1, T2, T3, ");
}
