//! An independent reading of what a run leaves behind: no code of the scheduler's is used.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use serde_json::Value;

/// The tasks of a job by name, each with those that it waits for.
pub(crate) type Parents = BTreeMap<String, Vec<String>>;

/// A line of `records.jsonl`.
#[derive(Clone, Debug)]
pub(crate) struct Line {
    pub(crate) task: String,
    pub(crate) attempt: u64,
    pub(crate) state: String,
    pub(crate) json: Value,
    node: Option<u64>,
    cores: Vec<u64>,
    start: f64,
    end: f64,
    clock: f64,
}

/// Reads `records.jsonl` of the run in `folder`.
#[track_caller]
pub(crate) fn lines(folder: &Path) -> Vec<Line> {
    let text = fs::read_to_string(folder.join("records.jsonl")).unwrap();
    assert!(text.is_empty() || text.ends_with('\n'), "the last line is not whole");
    text.lines().map(|line| parse(serde_json::from_str(line).unwrap())).collect()
}

fn parse(json: Value) -> Line {
    let text = |key: &str| json[key].as_str().unwrap().to_owned();
    let seconds = |key: &str| json[key].as_f64().unwrap_or(f64::NAN);
    Line {
        task: text("task"),
        attempt: json["attempt"].as_u64().unwrap(),
        state: text("state"),
        node: json["node"].as_u64(),
        cores: json["cores"].as_array().unwrap().iter().filter_map(Value::as_u64).collect(),
        start: seconds("start"),
        end: seconds("end"),
        clock: seconds("clock"),
        json,
    }
}

/// Reads `verdict.json` of the run in `folder`.
#[track_caller]
pub(crate) fn verdict(folder: &Path) -> Value {
    let text = fs::read_to_string(folder.join("verdict.json")).unwrap();
    serde_json::from_str(&text).unwrap()
}

/// The tasks of a WfFormat file.
pub(crate) fn wfformat(path: &Path) -> Parents {
    let file: Value = serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap();
    let tasks = file["workflow"]["specification"]["tasks"].as_array().unwrap();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let parents = |task: &Value| task["parents"].as_array().unwrap().iter().map(text).collect();
    let all: Parents = tasks.iter().map(|task| (text(&task["id"]), parents(task))).collect();
    assert_eq!(all.len(), tasks.len(), "ids are unique");
    all
}

/// Sees that all of `job` was done as it was to be: each task exactly once, after its parents,
/// never two on a core, and the verdict says so.
#[track_caller]
pub(crate) fn expect_all_done(folder: &Path, job: &Parents) {
    let lines = lines(folder);
    let done = expect_each_done_once(&lines, job);
    for (task, parents) in job {
        let child = done[task.as_str()];
        for parent in parents {
            let parent = done[parent.as_str()];
            // Two clocks, each off by so much at most.
            let slack = child.clock + parent.clock + 1e-9;
            assert!(
                child.start + slack >= parent.end,
                "{task} started before {} ended:\n{}\n{}",
                parent.task,
                child.json,
                parent.json
            );
        }
    }
    expect_cores_held_by_one(&lines);
    let verdict = verdict(folder);
    assert_eq!(verdict["exit_code"], 0, "{verdict}");
    assert_eq!(verdict["counts"]["tasks"], job.len(), "{verdict}");
    assert_eq!(verdict["counts"]["done"], job.len(), "{verdict}");
    let lost = lines.iter().filter(|line| line.state == "lost").count();
    assert_eq!(verdict["counts"]["lost"], lost, "{verdict}");
}

/// Sees that each task has exactly one line that says `done`, that what came before it was
/// lost or failed, and that there is nothing else.
#[track_caller]
pub(crate) fn expect_each_done_once<'a>(
    lines: &'a [Line],
    job: &Parents,
) -> BTreeMap<&'a str, &'a Line> {
    let mut done: BTreeMap<&str, &Line> = BTreeMap::new();
    let mut attempts = BTreeSet::new();
    for line in lines {
        assert!(job.contains_key(&line.task), "a task that the job does not have: {}", line.json);
        assert!(attempts.insert((&line.task, line.attempt)), "told twice: {}", line.json);
        if line.state == "done" {
            assert!(line.start <= line.end && !line.cores.is_empty(), "{}", line.json);
            let other = done.insert(&line.task, line);
            assert!(other.is_none(), "done twice: {other:?} and {}", line.json);
        }
    }
    for task in job.keys() {
        let line = done.get(task.as_str()).unwrap_or_else(|| panic!("{task} is not done"));
        // A try after the first has a reason, and the reason is on record.
        for earlier in 1..line.attempt {
            assert!(attempts.contains(&(task, earlier)), "try {earlier} of {task} is not told");
        }
        let later = lines.iter().find(|l| l.task == *task && l.attempt > line.attempt);
        assert!(later.is_none(), "tried again after it was done: {later:?}");
    }
    done
}

/// Sees that no core of a node was given to two attempts at a time.
#[track_caller]
fn expect_cores_held_by_one(lines: &[Line]) {
    let mut by_core: BTreeMap<(u64, u64), Vec<&Line>> = BTreeMap::new();
    for line in lines.iter().filter(|line| line.state == "done") {
        for core in &line.cores {
            by_core.entry((line.node.unwrap(), *core)).or_default().push(line);
        }
    }
    for mut held in by_core.into_values() {
        held.sort_by(|a, b| a.start.total_cmp(&b.start));
        for pair in held.windows(2) {
            // The same clock for both, so that its offset does not matter; but it may have
            // been corrected between the two.
            let slack = pair[0].clock.max(pair[1].clock) + 1e-9;
            // Short ones may seem to begin in the other order for that.
            let is_before = |a: &Line, b: &Line| a.end <= b.start + slack;
            assert!(
                is_before(pair[0], pair[1]) || is_before(pair[1], pair[0]),
                "on one core at a time:\n{}\n{}",
                pair[0].json,
                pair[1].json
            );
        }
    }
}
