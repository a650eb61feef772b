//! What the demo says at its end.

use std::collections::BTreeSet;
use std::fmt::Write;

use crate::model::{NodeInfo, PeerId, Record, Span, State, TaskId};

/// What came of a run, and where it is.
pub(super) struct Closing<'a> {
    pub(super) records: &'a [Record],
    pub(super) makespan: Span,
    pub(super) lower_bound: Span,
    pub(super) foretold: Span,
    /// The node that was killed on purpose.
    pub(super) killed: Option<&'a NodeInfo>,
    pub(super) proof: &'a Proof,
    /// How this program is called, the folder of the run, and its job file, as one would type them.
    pub(super) program: &'a str,
    pub(super) folder: &'a str,
    pub(super) job: &'a str,
}

/// What shows that a run was right.
pub(super) struct Proof {
    /// The checksum that the run gave back.
    pub(super) told: Option<u32>,
    /// That of the picture in its records.
    pub(super) recorded: Option<u32>,
    /// That of the picture as it was computed again on one core.
    pub(super) again: u32,
    /// How large that picture is.
    pub(super) bytes: usize,
    /// How long it took.
    pub(super) took: Span,
    /// What is wrong with the records.
    pub(super) faults: Vec<String>,
}

impl Proof {
    /// Whether nothing is wrong.
    pub(super) fn holds(&self) -> bool {
        self.is_same() && self.faults.is_empty()
    }

    fn is_same(&self) -> bool {
        [self.told, self.recorded] == [Some(self.again); 2]
    }
}

impl Closing<'_> {
    /// All of it, a line for each thing.
    pub(super) fn text(&self) -> String {
        let mut text = String::new();
        let mut line = |what: &str, rest: &str| {
            writeln!(text, "{what:<10} {rest}").expect("writing to a string does not fail");
        };
        line("makespan", &self.times());
        if let Some(node) = self.killed {
            line("killed", &self.killed(node));
        }
        line("checksum", &self.checksum());
        match self.proof.faults.as_slice() {
            [] => line(
                "records",
                "hold: each task done once, after its parents, repeated only if lost",
            ),
            faults => faults.iter().for_each(|fault| line("records", fault)),
        }
        line("", &format!("{}/records.jsonl", self.folder));
        line("picture", &format!("{}/demo.png", self.folder));
        let (program, job) = (self.program, self.job);
        line("try next", &format!("{program} topo --nodes 4"));
        line("", &format!("{program} simulate {job} -p '2 subclusters x 8 nodes x core:16'"));
        line("", &format!("{program} run {job}"));
        text
    }

    fn times(&self) -> String {
        let Closing { makespan, lower_bound, foretold, .. } = self;
        let ratio = makespan.as_secs() / lower_bound.as_secs();
        let off = makespan.as_secs() / foretold.as_secs() - 1.0;
        let way = if off < 0.0 { "less" } else { "more" };
        let off = off.abs() * 100.0;
        format!(
            "{makespan}, {ratio:.2} times the lower bound of {lower_bound}; \
             {off:.1} % {way} than the foretold {foretold}"
        )
    }

    /// What a node that was killed cost.
    fn killed(&self, node: &NodeInfo) -> String {
        let lost: BTreeSet<TaskId> = self.tasks(|record| record.state == State::Lost);
        let done = self.records.iter().filter(|r| r.state == State::Done && lost.contains(&r.task));
        let by: BTreeSet<PeerId> = done.filter_map(|r| Some(r.place.as_ref()?.node)).collect();
        let by: Vec<String> = by.into_iter().map(|node| node.0.to_string()).collect();
        let again = match (lost.len(), by.as_slice()) {
            (0, _) => "it held no task at that moment".to_owned(),
            (n, [one]) => format!("the {n} tasks it held were done again by node {one}"),
            (n, [all @ .., last]) => {
                format!(
                    "the {n} tasks it held were done again by nodes {} and {last}",
                    all.join(", ")
                )
            }
            (n, []) => format!("the {n} tasks it held were lost"),
        };
        format!("node {} (process {}) half way; {again}", node.node.0, node.pid)
    }

    fn tasks(&self, which: impl Fn(&Record) -> bool) -> BTreeSet<TaskId> {
        self.records.iter().filter(|record| which(record)).map(|record| record.task).collect()
    }

    fn checksum(&self) -> String {
        let Proof { told, recorded, again, bytes, took, .. } = self.proof;
        if self.proof.is_same() {
            let longer = took.as_secs() / self.makespan.as_secs();
            return format!(
                "{again:08x} of {bytes} bytes, as computed again on one core in {took} \
                 ({longer:.1} times as long)"
            );
        }
        let word = |sum: &Option<u32>| sum.map_or("none".to_owned(), |sum| format!("{sum:08x}"));
        let (told, recorded) = (word(told), word(recorded));
        format!("{told}, {recorded} of the rows in the records, and {again:08x} on one core")
    }
}
