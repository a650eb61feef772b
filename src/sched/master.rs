//! The role that holds the job: it gives ready tasks to sub-masters, records what became of
//! them, and says when the run is over.
//!
//! Here is what it keeps, and how it talks to sub-masters.

mod adoption;
mod attempts;
mod caution;
mod closing;
mod door;
mod night;
mod quarantine;
mod recovery;
mod silence;
mod standby;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use super::curfew::Curfew;
use super::dispatcher::Dispatcher;
use super::event::{Conclusion, Entry, Former};
use super::lease::Leases;
use super::ledger::Ledger;
use super::message::{Address, Held, HelloNumber, Member, Message, Renewal, Role, RunId};
use super::outlook::Outlook;
use super::{Action, Context, Seat};
use crate::model::{AttemptKey, Epoch, PeerId, Span, SubclusterId, TaskId, Time, Verdict};
use quarantine::Quarantine;
use silence::Adrift;
use standby::Watch;

/// What a subcluster finishes in this time it is sent ahead.
const HORIZON: Span = Span::from_millis(20);

/// The master of a run.
#[derive(Debug)]
pub(super) struct Master {
    run: RunId,
    epoch: Epoch,
    lease: Span,
    wait_for_nodes: Span,
    ledger: Ledger,
    work: Dispatcher<TaskId>,
    leases: Leases,
    /// Every node that was ever a member, for the records.
    roster: BTreeMap<PeerId, Enrolled>,
    /// Tasks that are out and not wanted any more.
    unwanted: BTreeSet<TaskId>,
    /// What sub-masters held that went before their lease was over: their nodes may still run it
    /// until then, and nobody else may.
    limbo: BTreeMap<(Time, PeerId), Adrift>,
    /// How many entries were appended, and how many of them are durable.
    appended: u64,
    durable: u64,
    /// The last entry that holds tasks: nothing is given out before it is durable, so that
    /// whatever runs can be taken up again.
    told: u64,
    /// What has ended in this step and is not written down yet.
    endings: Vec<Conclusion>,
    /// What is written down, with the entry that has to be durable first.
    unpublished: VecDeque<(u64, Arc<Vec<Conclusion>>)>,
    /// Since when there is work but no node that could ever do it.
    stuck: Option<Time>,
    interrupted: bool,
    /// How long others go on without this master, or may have gone on without those before.
    outlived_for: Span,
    /// Whether other processes were started with this one.
    apart: bool,
    /// What is known of the processes of the last epoch, and which that was.
    former: (Former, Epoch),
    /// What may go on without a master, of what was out when the last one ended.
    outlived: BTreeMap<TaskId, AttemptKey>,
    /// What sub-masters are to be given when an entry is on disk, by that and by whom.
    withheld: BTreeMap<(u64, PeerId), Vec<AttemptKey>>,
    quarantine: Quarantine,
    curfew: Curfew,
    outlook: Outlook,
    watch: Watch,
    /// By when tasks have to start that may.
    latest_starts: BTreeSet<(Time, TaskId)>,
    /// How many of them did not.
    parked: u64,
    /// It is interrupted since its time is up.
    timed_out: bool,
    /// The verdict, and the entry that holds it.
    closing: Option<(u64, Verdict)>,
    finished: bool,
    began: Time,
}

/// A node that was a member.
#[derive(Debug)]
struct Enrolled {
    host: Arc<str>,
    subcluster: SubclusterId,
    /// The last that came of it.
    hello: HelloNumber,
}

impl Master {
    pub(super) fn new(seat: &Seat) -> Master {
        Master {
            run: seat.run,
            epoch: seat.epoch,
            lease: seat.lease,
            wait_for_nodes: seat.wait_for_nodes,
            ledger: Ledger::default(),
            work: Dispatcher::new(HORIZON),
            leases: Leases::default(),
            roster: BTreeMap::new(),
            unwanted: BTreeSet::new(),
            limbo: BTreeMap::new(),
            appended: 0,
            durable: 0,
            told: 0,
            endings: Vec::new(),
            unpublished: VecDeque::new(),
            stuck: None,
            interrupted: false,
            outlived_for: seat.lease.max(seat.reattach),
            apart: seat.apart,
            former: (seat.former, Epoch(0)),
            outlived: BTreeMap::new(),
            withheld: BTreeMap::new(),
            quarantine: Quarantine::default(),
            curfew: Curfew::new(seat.time_left),
            outlook: Outlook::default(),
            watch: Watch::default(),
            latest_starts: BTreeSet::new(),
            parked: 0,
            timed_out: false,
            closing: None,
            finished: false,
            began: Time::ZERO,
        }
    }

    pub(super) fn deadline(&self) -> Option<Time> {
        if self.is_closed() {
            return self.leases.next();
        }
        let stuck = self.stuck.map(|since| since + self.wait_for_nodes);
        let limbo = self.limbo.keys().next().map(|(until, _)| *until);
        let times = [self.leases.next(), self.work.next_recall(), limbo, stuck, self.next_hour()];
        times.into_iter().chain([self.watch.next()]).flatten().min()
    }

    /// How many entries it has written, and how many of them are on disk.
    pub(super) fn written(&self) -> (u64, u64) {
        (self.appended, self.durable)
    }

    /// Writes an entry down, after what has ended before it.
    fn append(&mut self, cx: &mut Context<'_>, entry: Entry) -> u64 {
        self.write_endings(cx);
        self.appended += 1;
        cx.actions.push(Action::Append(entry));
        self.appended
    }

    fn down(cx: &mut Context<'_>, peer: PeerId, message: Message) {
        cx.send(Role::Master, Address { peer, role: Role::SubMaster }, message);
    }

    /// Gives out what there is room for, and writes down what has ended, at the end of each step.
    pub(super) fn deal(&mut self, cx: &mut Context<'_>) {
        self.give_out(cx);
        self.write_endings(cx);
    }

    fn give_out(&mut self, cx: &mut Context<'_>) {
        if self.is_closed() {
            return;
        }
        self.look_ahead(cx);
        if self.told > self.durable {
            return;
        }
        self.mind_the_time(cx);
        let ledger = &mut self.ledger;
        let dealt = self.work.deal(|_, id| ledger.grant(*id));
        let (mut with_us, mut apart) = (Vec::new(), Vec::new());
        for (peer, ids) in &dealt {
            let keys = if self.outlives(cx.me, *peer) { &mut apart } else { &mut with_us };
            keys.extend(ids.iter().map(|id| self.ledger.key(*id)));
        }
        for (keys, outlive) in [(with_us, false), (apart, true)] {
            if !keys.is_empty() {
                self.append(cx, Entry::Granted { keys, outlive });
            }
        }
        for (peer, ids) in dealt {
            self.hand_out(cx, peer, ids);
        }
        for recall in self.work.recalls(cx.now) {
            let message = Message::Recall { count: recall.count, shapes: recall.shapes };
            Self::down(cx, recall.child, message);
        }
        self.give_up_if_stuck(cx);
    }

    /// Whether what `child` is given may go on when this process has died.
    fn outlives(&self, me: PeerId, child: PeerId) -> bool {
        // What this process gives its own node may go on to others, and nobody says so.
        let elsewhere = |member: &Member| member.apart && (self.apart || member.node != me);
        self.work.child(child).is_some_and(|child| child.members.values().any(elsewhere))
    }

    fn peers(&self) -> Vec<PeerId> {
        self.work.children().map(|(peer, _)| peer).collect()
    }

    /// Gives up sub-masters that are silent; they are to be fenced.
    pub(super) fn tick(&mut self, cx: &mut Context<'_>) -> Vec<PeerId> {
        let silent = self.leases.expired(cx.now);
        for peer in &silent {
            cx.note(format!(
                "sub-master {peer} has not been heard of for {}: taken for dead",
                self.lease
            ));
            self.child_lost(cx, *peer);
        }
        self.empty_limbo(cx);
        self.close_if_over(cx);
        // Nobody is missed for whom another stands by.
        self.look_ahead(cx);
        self.give_up_if_stuck(cx);
        self.mind_the_time(cx);
        silent
    }

    /// Whether no attempt is out.
    fn nothing_out(&self) -> bool {
        self.work.nothing_held() && self.limbo.is_empty()
    }

    pub(super) fn receive(&mut self, cx: &mut Context<'_>, from: Address, message: Message) {
        if from.role != Role::SubMaster {
            return;
        }
        let peer = from.peer;
        match message {
            Message::Hello { asked, members, holding } => {
                self.join(cx, peer, asked, members, &holding);
            }
            Message::Renew { asked } => {
                if self.work.child(peer).is_some() {
                    self.work.answered(peer);
                    if peer != cx.me {
                        self.leases.renew(peer, cx.now + self.lease);
                    }
                    Self::down(cx, peer, Message::Renewed(self.renewal(cx.now, asked)));
                }
            }
            Message::Members { joined, left, holding } => {
                self.change(cx, peer, joined, &left, &holding);
            }
            Message::Done(mut completions) => {
                self.work.done(peer, &mut completions, cx.now);
                self.endings.reserve(completions.len());
                completions.into_iter().for_each(|completion| self.complete(cx, completion));
            }
            Message::Lost(lost) => self.lost_with_nodes(cx, peer, lost),
            Message::Adrift { mut keys, until, nodes } => {
                keys.retain(|key| self.work.release(peer, *key));
                let nodes = self.through(peer, nodes);
                self.set_adrift(cx, peer, keys, nodes, cx.now + until);
            }
            Message::Returned(dispatches) => {
                self.back(cx, peer, dispatches.into_iter().map(|dispatch| dispatch.key));
            }
            Message::Drain => self.drain_child(cx, peer),
            Message::Goodbye => self.child_lost(cx, peer),
            // What parents say is not for the master.
            Message::Welcome(_)
            | Message::Renewed(_)
            | Message::Accepted { .. }
            | Message::Moved { .. }
            | Message::Grant(_)
            | Message::Recall { .. }
            | Message::Cancel { .. }
            | Message::DrainNode(_)
            | Message::BringIn(_)
            | Message::Dismiss
            | Message::Farewell => {}
        }
        self.close_if_over(cx);
    }

    fn join(
        &mut self,
        cx: &mut Context<'_>,
        peer: PeerId,
        asked: Time,
        members: Vec<Member>,
        holding: &[Held],
    ) {
        self.child_restarted(cx, peer);
        let (members, from) = self.welcome(cx, peer, members, holding);
        self.work.join(peer, members, cx.now);
        if peer != cx.me {
            self.leases.renew(peer, cx.now + self.lease);
        }
        let keys = self.adopt(cx, peer, &from, holding);
        if !keys.is_empty() {
            Self::down(cx, peer, Message::Cancel { keys, grace: Some(Span::ZERO) });
        }
        Self::down(cx, peer, Message::Welcome(self.renewal(cx.now, asked)));
        if self.finished {
            Self::down(cx, peer, Message::Farewell);
        } else if self.interrupted {
            self.drain_child(cx, peer);
        }
    }

    fn enroll(&mut self, members: &[Member]) {
        for member in members {
            let (host, hello) = (member.host.as_str().into(), member.hello);
            let subcluster = member.subcluster;
            self.roster.insert(member.node, Enrolled { host, subcluster, hello });
        }
    }

    fn renewal(&self, now: Time, asked: Time) -> Renewal {
        Renewal { asked, now, error: Span::ZERO, lease: self.lease }
    }
}
