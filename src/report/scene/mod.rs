//! A run as people watch it: a lane for each node, and the picture that its tasks compute.
//!
//! All of it is drawn from the table of nodes and from records, whether they come one by one
//! while the run goes on, or are read when it is long over.

mod colour;
mod lanes;
mod mosaic;
#[cfg(test)]
mod tests;

pub use colour::Colours;
pub use mosaic::Mosaic;

use super::table::clip;
use crate::model::{Counts, NodeInfo, PeerId, Record, Span, State, Time};
use lanes::{Frame, Lane};

/// What is to be seen of a run.
#[derive(Clone, Debug)]
pub struct Scene {
    title: String,
    lanes: Vec<Lane>,
    mosaic: Mosaic,
    counts: Counts,
    /// How long the run was thought to take: how long a lane is, until it turns out longer.
    foretold: Span,
    now: Time,
}

impl Scene {
    /// The scene before a run of so many `tasks`, which is foretold to take so long.
    #[must_use]
    pub fn new(
        title: &str,
        nodes: &[NodeInfo],
        mosaic: Mosaic,
        tasks: u64,
        foretold: Span,
    ) -> Scene {
        Scene {
            title: title.to_owned(),
            lanes: nodes.iter().map(Lane::new).collect(),
            mosaic,
            counts: Counts { tasks, ..Counts::default() },
            foretold,
            now: Time::ZERO,
        }
    }

    /// A record was written.
    pub fn hear(&mut self, record: &Record) {
        match record.state {
            State::Done => self.counts.done += 1,
            State::Failed => self.counts.failed += 1,
            State::Cancelled => self.counts.cancelled += 1,
            State::Lost => {
                self.counts.lost += 1;
                self.counts.lost_for_good += u64::from(record.is_lost_for_good());
            }
        }
        self.now = self.now.max(record.end.unwrap_or_default());
        let node = record.place.as_ref().map(|place| place.node);
        if let Some(lane) = self.lanes.iter_mut().find(|lane| Some(lane.node) == node) {
            lane.hear(record, self.mosaic.has(record.task));
        }
        self.mosaic.hear(record);
    }

    /// A node was killed on purpose.
    pub fn killed(&mut self, node: PeerId) {
        self.lanes.iter_mut().filter(|lane| lane.node == node).for_each(|lane| lane.killed = true);
    }

    /// What became of the tasks so far.
    #[must_use]
    pub fn counts(&self) -> Counts {
        self.counts
    }

    /// The scene in at most so many columns and lines of a terminal.
    #[must_use]
    pub fn lines(&self, width: usize, height: usize, colours: Colours) -> Vec<String> {
        let mut lines = vec![clip(&self.title, width)];
        // The picture has what is left, and at least half.
        let shown = self.lanes.len().min((height / 2).saturating_sub(2));
        lines.extend(self.lanes(width, shown, colours));
        let room = height.saturating_sub(lines.len() + 1);
        let place = |node| self.lanes.iter().position(|lane| lane.node == node).unwrap_or(0);
        lines.extend(self.mosaic.lines(width, room, colours, place));
        lines.push(clip(&self.progress(), width));
        lines.truncate(height);
        lines
    }

    /// How far it is. How much is left cannot be told from how much is done: the tasks that
    /// take longest come first.
    fn progress(&self) -> String {
        let Counts { tasks, done, lost, .. } = self.counts;
        let elapsed = self.now.since(Time::ZERO);
        let lost = if lost > 0 { format!(", {lost} lost and repeated") } else { String::new() };
        format!("{done} of {tasks} tasks done{lost}, {elapsed} of {} foretold", self.foretold)
    }

    /// The first `shown` lanes.
    fn lanes(&self, width: usize, shown: usize, colours: Colours) -> Vec<String> {
        let span = self.foretold.scale(1.15).max(self.now.since(Time::ZERO)).max(Span(1));
        let frame = Frame { colours, width, span };
        let lane = |place: usize| {
            let lane = &self.lanes[place];
            let same = |other: Option<usize>| {
                let other = other.and_then(|other| self.lanes.get(other));
                other.is_some_and(|other| other.subcluster == lane.subcluster)
            };
            let branch = match (same(place.checked_sub(1)), same(Some(place + 1))) {
                (false, true) => format!("subcluster {} ┬", lane.subcluster.0),
                (false, false) => format!("subcluster {} ─", lane.subcluster.0),
                (true, true) => "             ├".to_owned(),
                (true, false) => "             └".to_owned(),
            };
            lane.line(&frame, place, &branch)
        };
        let mut lines: Vec<String> = (0..shown).map(lane).collect();
        if shown < self.lanes.len() {
            let more = format!("and {} nodes more", self.lanes.len() - shown);
            lines.push(clip(&more, width));
        }
        lines
    }
}
