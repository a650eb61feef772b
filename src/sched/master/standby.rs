//! Nodes that stand by: they take part and are given nothing, until the run needs them.
//!
//! Those that came together are brought in together, and stay in.

use std::collections::{BTreeMap, BTreeSet};

use super::Master;
use crate::model::{PeerId, Resources, Span, TaskId, Time};
use crate::sched::event::Forecast;
use crate::sched::message::{Member, Message};
use crate::sched::{Action, Context};

/// Whoever watches the run is told no more often how it looks.
const PAUSE: Span = Span::from_secs(1);

/// What is known of those who stand by, and what was told of it.
#[derive(Debug, Default)]
pub(super) struct Watch {
    /// Those that were brought in. Word of that may not have come to one that says hello.
    brought_in: BTreeSet<PeerId>,
    /// When it is to be seen next whether the run is late.
    next: Option<Time>,
    told: (Time, Forecast),
}

impl Watch {
    /// When [`look_ahead`](Master::look_ahead) is to be called next.
    pub(super) fn next(&self) -> Option<Time> {
        self.next
    }
}

impl Master {
    /// Tasks from `first` on have come.
    pub(super) fn expect(&mut self, first: usize) {
        for id in first..self.ledger.len() {
            self.outlook.expect(self.ledger.task(TaskId(id as u32)));
        }
    }

    /// Sees how it looks for the run, and brings in those who stand by if they are needed. At the end
    /// of each step.
    pub(super) fn look_ahead(&mut self, cx: &mut Context<'_>) {
        self.watch.next = None;
        if self.is_closed() {
            return;
        }
        self.outlook.crew(cx.now, self.work.crew());
        // Nobody is needed where all are to leave.
        while !self.interrupted
            && let Some((nodes, why)) = self.needed(cx.now)
        {
            self.bring_in(cx, &nodes, why);
            self.outlook.crew(cx.now, self.work.crew());
        }
        self.foretell(cx);
    }

    /// Who has to be brought in now, if anyone: those that came together, which are those that were told
    /// the same time. And why, if they have not been brought in before.
    fn needed(&mut self, now: Time) -> Option<(Vec<PeerId>, Option<String>)> {
        let mut worlds: BTreeMap<Time, (Vec<PeerId>, BTreeSet<&Resources>)> = BTreeMap::new();
        let leaves = |m: &Member| self.quarantine.is_leaving(m.node, m.hello.incarnation);
        for member in self.work.standing_by().filter(|member| !leaves(member)) {
            let Some(by) = member.standby else { continue };
            let (nodes, shapes) = worlds.entry(by).or_default();
            nodes.push(member.node);
            shapes.insert(&member.capacity);
        }
        let known = |node: &PeerId| self.watch.brought_in.contains(node);
        for (nodes, shapes) in worlds.values() {
            if nodes.iter().any(known) {
                return Some((nodes.clone(), None));
            }
            // As long as some are awaited with what they had in hand, they may be the ones.
            if self.limbo.is_empty() && self.work.could_alone(shapes) {
                let why = "no other node that is left can run what waits".to_owned();
                return Some((nodes.clone(), Some(why)));
            }
        }
        for (by, (nodes, shapes)) in worlds {
            let late = self.outlook.misses(by);
            if late > now {
                self.watch.next = Some(late);
                break;
            }
            if self.work.could_use(&shapes) {
                return Some((nodes, Some(self.lateness(by, now))));
            }
        }
        None
    }

    fn lateness(&self, by: Time, now: Time) -> String {
        match self.outlook.left(now).filter(|_| now < by) {
            Some(left) => {
                let time = by.since(now);
                format!("the run will take about {left} more, and should end in {time}")
            }
            None => "the run should have ended by now".to_owned(),
        }
    }

    fn bring_in(&mut self, cx: &mut Context<'_>, nodes: &[PeerId], why: Option<String>) {
        for (child, nodes) in self.work.bring_in(nodes) {
            Self::down(cx, child, Message::BringIn(nodes));
        }
        self.watch.brought_in.extend(nodes);
        if let Some(why) = why {
            let which: Vec<String> = nodes.iter().map(|node| node.0.to_string()).collect();
            let (s, are) = if which.len() == 1 { ("", "is") } else { ("s", "are") };
            cx.note(format!("node{s} {} that stood by {are} brought in: {why}", which.join(", ")));
        }
    }

    /// Tells whoever watches how it looks, now and then and when somebody comes to stand by, or does
    /// so no more.
    fn foretell(&mut self, cx: &mut Context<'_>) {
        let standing_by = self.work.standing_by().map(|member| member.node);
        let (at, told) = &self.watch.told;
        if cx.now < *at + PAUSE && standing_by.eq(told.standing_by.iter().copied()) {
            return;
        }
        let standing_by = self.work.standing_by().map(|member| member.node).collect();
        let brought_in = self.watch.brought_in.iter().copied().collect();
        let forecast = Forecast { left: self.outlook.left(cx.now), standing_by, brought_in };
        if forecast != *told {
            cx.actions.push(Action::Foretell(forecast.clone()));
        }
        self.watch.told = (cx.now, forecast);
    }
}
