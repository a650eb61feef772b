//! Instances whose optimum is published, from the folder that `EVENKEEL_DATA` names; skipped
//! where it names none.

use std::fs;

use evenkeel::model::{Graph, Job, Platform, Span};
use evenkeel::policy::{lower_bound, schedule, validate};

use crate::{data, job};

fn numbers(text: &str) -> impl Iterator<Item = u64> {
    text.split_ascii_whitespace().map(|word| word.parse().expect("a number"))
}

/// The plan is valid, and bound, optimum and plan are in this order.
fn check(name: &str, job: &Job, graph: &Graph, cores: u64, optimum: Span) -> f64 {
    let platform = Platform::uniform(1, 1, cores);
    let plan = schedule(job, graph, &platform).unwrap();
    assert_eq!(validate(job, graph, &platform, &plan), Ok(()), "{name}");
    let bound = lower_bound(job, graph, &platform);
    assert!(bound <= optimum, "{name}: the bound {bound} is above {optimum}");
    assert!(plan.makespan() >= optimum, "{name}: {} beats {optimum}", plan.makespan());
    plan.makespan().as_secs() / optimum.as_secs()
}

#[test]
fn standard_task_graphs() {
    let Some(folder) = data("stg50") else { return };
    let refs = fs::read_to_string(folder.join("refs.csv")).unwrap();
    let mut checked = 0;
    for line in refs.lines().skip(1) {
        let fields: Vec<&str> = line.split(',').collect();
        let [graph, cores, _, _, lb, ub, ..] = fields[..] else { panic!("{line}") };
        if lb != ub {
            continue;
        }
        let text = fs::read_to_string(folder.join(graph)).unwrap();
        let text = text.split('#').next().unwrap();
        let mut words = numbers(text);
        let n = words.next().unwrap() as usize + 2;
        let (mut costs, mut edges) = (Vec::new(), Vec::new());
        for to in 0..n {
            assert_eq!(words.next(), Some(to as u64));
            costs.push(vec![words.next().unwrap()]);
            let count = words.next().unwrap();
            edges.extend((0..count).map(|_| (words.next().unwrap() as usize, to, 0)));
        }
        let (job, rows) = job(&costs, &edges);
        let optimum = Span::from_secs(lb.parse().unwrap());
        check(line, &job, &rows, cores.parse().unwrap(), optimum);
        checked += 1;
    }
    assert!(checked > 100, "only {checked} instances were read");
}

#[test]
fn graphs_with_a_planted_optimum() {
    let Some(folder) = data("rgpos") else { return };
    let mut worst = 0.0f64;
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let text = fs::read_to_string(&path).unwrap();
        let mut words = numbers(&text).map(|n| n as usize);
        let [n, e, cores] = [(); 3].map(|()| words.next().unwrap());
        let costs: Vec<Vec<u64>> = (0..n).map(|_| vec![words.next().unwrap() as u64]).collect();
        let pair = || Some((words.next()?, words.next()?, 0));
        let edges: Vec<_> = std::iter::from_fn(pair).collect();
        assert_eq!(edges.len(), e);
        let (job, graph) = job(&costs, &edges);
        let name = path.display().to_string();
        worst = worst.max(check(&name, &job, &graph, cores as u64, Span::from_secs(1000)));
    }
    assert!(worst < 1.5, "a plan is {worst} times the optimum");
}

#[cfg(feature = "files")]
#[test]
fn worked_examples() {
    use crate::one_core_each;
    use evenkeel::policy::upward_ranks;
    use serde_json::Value;

    let Some(folder) = data("worked") else { return };
    for file in ["topcuoglu2002.json", "arabnejad2014.json"] {
        let text = fs::read_to_string(folder.join(file)).unwrap();
        let example: Value = serde_json::from_str(&text).unwrap();
        let rows = |key: &str| -> Vec<Vec<u64>> {
            let rows = example[key].as_array().unwrap().iter();
            rows.map(|row| row.as_array().unwrap().iter().map(|x| x.as_u64().unwrap()).collect())
                .collect()
        };
        let edge = |e: &Vec<u64>| (e[0] as usize - 1, e[1] as usize - 1, e[2]);
        let edges: Vec<_> = rows("edges").iter().map(edge).collect();
        let (job, graph) = job(&rows("cost"), &edges);
        let platform = one_core_each(3);
        let plan = schedule(&job, &graph, &platform).unwrap();
        assert_eq!(validate(&job, &graph, &platform, &plan), Ok(()), "{file}");
        let published = &example["published"];
        assert_eq!(Some(plan.makespan().as_secs()), published["HEFT"].as_f64(), "{file}");
        let Some(ranks) = published["rank_u"].as_array() else { continue };
        let ours = upward_ranks(&job, &graph, &platform);
        for (ours, theirs) in ours.iter().zip(ranks) {
            assert!((ours.as_secs() - theirs.as_f64().unwrap()).abs() < 5e-4 + 1e-9);
        }
    }
}
