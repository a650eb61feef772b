//! What the demo says at its end.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

use super::proof::Proof;
use crate::model::{PeerId, Record, Span, State, TaskId};

/// What came of a run, and where it is.
pub(super) struct Closing<'a> {
    pub(super) records: &'a [Record],
    pub(super) makespan: Span,
    pub(super) lower_bound: Span,
    pub(super) foretold: Span,
    /// The node that was killed on purpose.
    pub(super) killed: Option<Killed>,
    pub(super) proof: &'a Proof,
    /// How this program is called, the folder of the run, and its job file, as one would type them.
    pub(super) program: &'a str,
    pub(super) folder: &'a str,
    pub(super) job: &'a str,
}

/// A node that was killed.
#[derive(Clone, Copy)]
pub(super) struct Killed {
    pub(super) node: PeerId,
    pub(super) pid: u32,
    /// How many records had been read then.
    pub(super) after: usize,
}

impl Closing<'_> {
    /// All of it, a line for each thing.
    pub(super) fn text(&self) -> String {
        let mut text = String::new();
        let mut line = |what: &str, rest: &str| {
            writeln!(text, "{what:<10} {rest}").expect("writing to a string does not fail");
        };
        let Closing { makespan, lower_bound, program, folder, job, .. } = self;
        let ratio = makespan.as_secs() / lower_bound.as_secs();
        line("makespan", &format!("{makespan}, {ratio:.2} times the lower bound of {lower_bound}"));
        line("foretold", &self.foretold());
        line("tasks", &self.tasks());
        if let Some(killed) = self.killed {
            line("killed", &self.killed(killed));
        }
        line("checksum", &self.checksum());
        line("records", &self.faults());
        line("", &format!("{folder}/records.jsonl"));
        line("picture", &format!("{folder}/demo.png"));
        line("try next", &format!("{program} topo --nodes 4"));
        line("", &format!("{program} simulate {job} -p '8 nodes x core:16'"));
        line("", &format!("{program} run {job}"));
        text
    }

    fn faults(&self) -> String {
        match self.proof.faults.as_slice() {
            [] => "hold: each task done once, after its parents, repeated only if lost".to_owned(),
            [fault] => fault.clone(),
            [fault, more @ ..] => format!("{fault}, and {} faults more", more.len()),
        }
    }

    fn foretold(&self) -> String {
        let off = self.makespan.as_secs() / self.foretold.as_secs() - 1.0;
        let way = if off < 0.0 { "less" } else { "more" };
        format!("{} by the simulator; it took {:.1} % {way}", self.foretold, off.abs() * 100.0)
    }

    /// How many tasks each node did.
    fn tasks(&self) -> String {
        let mut tasks: BTreeMap<PeerId, u64> = BTreeMap::new();
        let done = self.records.iter().filter(|record| record.state == State::Done);
        done.filter_map(node).for_each(|node| *tasks.entry(node).or_default() += 1);
        let each = tasks.iter().map(|(node, n)| format!("{n} on node {}", node.0));
        listed(&each.collect::<Vec<_>>())
    }

    /// What a node that was killed cost.
    fn killed(&self, killed: Killed) -> String {
        let later = &self.records[killed.after.min(self.records.len())..];
        let is_lost = |r: &&Record| r.state == State::Lost && node(r) == Some(killed.node);
        let lost: BTreeSet<TaskId> = later.iter().filter(is_lost).map(|r| r.task).collect();
        let again = later.iter().filter(|r| r.state == State::Done && lost.contains(&r.task));
        let by: BTreeSet<PeerId> = again.filter_map(node).collect();
        let by: Vec<String> = by.iter().map(|node| node.0.to_string()).collect();
        let what = match lost.len() {
            0 => "it held no task then".to_owned(),
            1 => format!("the task it held was done again by {}", listed(&by)),
            n => format!("the {n} tasks it held were done again by {}", listed(&by)),
        };
        format!("node {}, process {}: {what}", killed.node.0, killed.pid)
    }

    fn checksum(&self) -> String {
        let Proof { told, recorded, again, took, .. } = self.proof;
        if self.proof.is_same() {
            let longer = took.as_secs() / self.makespan.as_secs();
            return format!(
                "{again:08x}, as on one core, which took {took} ({longer:.1} times as long)"
            );
        }
        let word = |sum: &Option<u32>| sum.map_or("none".to_owned(), |sum| format!("{sum:08x}"));
        let (told, recorded) = (word(told), word(recorded));
        format!("{told}, of the rows in the records {recorded}, and on one core {again:08x}")
    }
}

fn node(record: &Record) -> Option<PeerId> {
    record.place.as_ref().map(|place| place.node)
}

/// `0, 1 and 2`.
fn listed(words: &[String]) -> String {
    match words {
        [all @ .., last] if !all.is_empty() => format!("{} and {last}", all.join(", ")),
        _ => words.concat(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Attempt, AttemptKey, JobId, Place, SubclusterId};

    fn record(task: u32, attempt: u16, state: State, node: u32) -> Record {
        let key = AttemptKey {
            job: JobId(0),
            task: TaskId(task),
            attempt: Attempt(attempt),
            epoch: crate::model::Epoch(1),
        };
        let (subcluster, node) = (SubclusterId(0), PeerId(node));
        let place = Place { subcluster, node, host: "alpha".into(), cores: [].into() };
        Record { place: Some(place), ..Record::new(key, state) }
    }

    fn text(records: &[Record], killed: Option<Killed>, proof: &Proof) -> String {
        let closing = Closing {
            records,
            makespan: Span::from_millis(5_300),
            lower_bound: Span::from_secs(5),
            foretold: Span::from_millis(5_000),
            killed,
            proof,
            program: "target/release/evenkeel",
            folder: "evenkeel-runs/demo-1",
            job: "evenkeel-runs/demo-1.toml",
        };
        closing.text()
    }

    fn proof(told: Option<u32>, recorded: Option<u32>, faults: &[&str]) -> Proof {
        let faults = faults.iter().map(|fault| (*fault).to_owned()).collect();
        Proof { told, recorded, again: 0xc0ffee, took: Span::from_millis(9_540), faults }
    }

    #[test]
    fn what_a_node_cost_that_was_killed() {
        let records = [
            record(0, 1, State::Lost, 3),
            record(0, 2, State::Done, 3),
            record(1, 1, State::Done, 0),
            record(2, 1, State::Lost, 3),
            record(3, 1, State::Lost, 3),
            record(4, 1, State::Lost, 1),
            record(4, 2, State::Done, 2),
            record(3, 2, State::Done, 0),
            record(2, 2, State::Done, 1),
        ];
        let killed = Some(Killed { node: PeerId(3), pid: 4711, after: 3 });
        let proof = proof(Some(0xc0ffee), Some(0xc0ffee), &[]);
        insta::assert_snapshot!("closing", text(&records, killed, &proof));
    }

    #[test]
    fn what_does_not_hold_is_told() {
        let wrong = proof(Some(7), None, &["task `a` is done twice", "task `b` is not done", "c"]);
        insta::assert_snapshot!("faults", text(&[record(0, 1, State::Done, 0)], None, &wrong));
    }
}
