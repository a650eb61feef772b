//! A lane for each node: when it was busy, how many tiles it made, and how it ended.

use super::colour::{Colours, Line, RED, of_node};
use crate::model::{NodeInfo, PeerId, Record, Span, State, SubclusterId, Time};

/// What stands for how busy a node was in the time of one character.
const BUSY: [&str; 5] = [" ", "░", "▒", "▓", "█"];

/// What follows the bar of a node that was killed.
const KILLED: &str = " ✗ killed";

/// A node and what it did.
#[derive(Clone, Debug)]
pub(super) struct Lane {
    pub(super) node: PeerId,
    pub(super) subcluster: SubclusterId,
    cores: usize,
    /// When attempts ran on it.
    spells: Vec<(Time, Time)>,
    pub(super) tiles: u64,
    pub(super) killed: bool,
}

/// What surrounds the bars of all lanes.
pub(super) struct Frame {
    pub(super) colours: Colours,
    pub(super) width: usize,
    /// How much time the whole length of a bar is.
    pub(super) span: Span,
}

impl Lane {
    pub(super) fn new(info: &NodeInfo) -> Lane {
        Lane {
            node: info.node,
            subcluster: info.subcluster,
            cores: info.cores.len().max(1),
            spells: Vec::new(),
            tiles: 0,
            killed: false,
        }
    }

    pub(super) fn hear(&mut self, record: &Record, is_tile: bool) {
        if record.state == State::Done {
            self.tiles += u64::from(is_tile);
            self.spells.extend(record.start.zip(record.end));
        }
    }

    /// The lane as a line, in the colour of its `place`; `branch` ties it to its subcluster.
    pub(super) fn line(&self, frame: &Frame, place: usize, branch: &str) -> String {
        let mut line = Line::new(frame.colours, frame.width);
        let ink = Some(of_node(place));
        line.plain(branch);
        line.put(&format!(" node {:<3} ", self.node.0), ink, None);
        let tail = format!("{:>5} tiles", self.tiles);
        // As long in all lanes, as they show the same time.
        let room = line.room().saturating_sub(KILLED.chars().count() + tail.len());
        line.put(&self.bar(room, frame.span), ink, None);
        if self.killed {
            line.put(KILLED, Some(RED), None);
        }
        let gap = line.room().saturating_sub(tail.len());
        line.plain(&" ".repeat(gap));
        line.plain(&tail);
        line.finish()
    }

    /// Up to when the node is known to have been busy, a character for each part of the time.
    fn bar(&self, room: usize, span: Span) -> String {
        let Some(until) = self.spells.iter().map(|(_, end)| *end).max() else {
            return String::new();
        };
        let slice = (span.0 / room.max(1) as u64).max(1);
        let length = usize::try_from(until.0.div_ceil(slice)).unwrap_or(room).min(room);
        let mut busy = vec![0; length];
        for (start, end) in &self.spells {
            for (i, busy) in
                (start.0 / slice..).zip(busy.iter_mut().skip((start.0 / slice) as usize))
            {
                let (from, to) = (i * slice, (i + 1) * slice);
                if from >= end.0 {
                    break;
                }
                *busy += to.min(end.0) - from.max(start.0);
            }
        }
        let level = |(i, busy): (usize, &u64)| {
            // The last part has not passed yet.
            let passed = slice.min(until.0 - (i as u64 * slice).min(until.0)).max(1);
            let share = *busy as f64 / (passed as f64 * self.cores as f64);
            BUSY[((share * 4.0).round() as usize).min(4)]
        };
        busy.iter().enumerate().map(level).collect()
    }
}
