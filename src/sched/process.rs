//! One process of a run: the roles that it holds, and its sessions with other processes.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use super::lease::Due;
use super::master::Master;
use super::message::{Address, Completion, Envelope, Frame, Message, Role};
use super::node::Node;
use super::submaster::SubMaster;
use super::uplink::{Header, Need, Uplink};
use super::{Action, Context, Event, Machine, Mail, Seat};
use crate::model::{Epoch, Incarnation, PeerId, Time};

/// A process: always a node, of each subcluster one also its sub-master, and one of all also
/// the master.
///
/// Messages between roles of the same process are delivered here, before the step ends; those
/// for other processes wait for [`Event::Flush`] and travel together.
#[derive(Debug)]
pub struct Process {
    seat: Seat,
    incarnation: Incarnation,
    sessions: BTreeMap<PeerId, Uplink>,
    /// Who is sent something with the next flush.
    unsent: BTreeSet<PeerId>,
    /// Whose frames were taken in with this step.
    heard: BTreeSet<PeerId>,
    /// Another parent was told in this step what the last one may not have heard.
    parent_changed: bool,
    master: Option<Box<Master>>,
    sub_master: Option<SubMaster>,
    node: Node,
}

impl Process {
    /// The process that sits at `seat`. It does nothing before it is stepped.
    #[must_use]
    pub fn new(seat: &Seat) -> Process {
        Process {
            incarnation: seat.incarnation,
            sessions: BTreeMap::new(),
            unsent: BTreeSet::new(),
            heard: BTreeSet::new(),
            parent_changed: false,
            master: (seat.master == seat.peer).then(|| Box::new(Master::new(seat))),
            sub_master: seat.has_sub_master().then(|| SubMaster::new(seat)),
            node: Node::new(seat),
            seat: seat.clone(),
        }
    }

    /// How often it has started afresh, the first time counted.
    #[must_use]
    pub fn incarnation(&self) -> Incarnation {
        self.incarnation
    }

    /// Whether anything waits for a flush.
    #[must_use]
    pub fn has_mail(&self) -> bool {
        !self.unsent.is_empty()
    }

    fn header(&self) -> Header {
        Header { run: self.seat.run, epoch: self.seat.epoch, me: self.incarnation }
    }

    /// The process that this one belongs to; none for the master's.
    fn parent(&self) -> Option<PeerId> {
        match (&self.master, &self.sub_master) {
            (Some(_), _) => None,
            (None, Some(sub_master)) => Some(sub_master.parent().peer),
            (None, None) => Some(self.node.parent().peer),
        }
    }

    /// What is overdue comes before anything else: a process that was stopped for a while must
    /// not act on a lease that has ended meanwhile.
    fn tick(&mut self, cx: &mut Context<'_>) {
        let due = self.node.tick(cx);
        if due == Due::Move {
            self.move_node(cx);
        }
        if self.node.is_out_of_time(cx.now) {
            cx.note(format!("the time of {} is up: it leaves", cx.me));
            self.drain(cx);
        }
        let mut lapsed = due == Due::Lapsed;
        let mut silent = Vec::new();
        if let Some(sub_master) = &mut self.sub_master {
            let (due, children) = sub_master.tick(cx);
            lapsed |= due == Due::Lapsed;
            silent.extend(children);
            if due == Due::Move {
                self.move_sub_master(cx);
            }
        }
        if let Some(master) = &mut self.master {
            silent.extend(master.tick(cx));
        }
        for peer in silent {
            self.sessions.entry(peer).or_default().fence();
        }
        if lapsed && self.is_forsaken(cx.now) {
            let wait = self.seat.wait_for_nodes;
            cx.note(format!("{} has found no master for {wait} and leaves", self.seat.peer));
            cx.actions.push(Action::Leave);
        } else if lapsed {
            cx.note(format!("{} has lost its parent and starts afresh", self.seat.peer));
            let sessions = &self.sessions;
            let is_up = |peer: PeerId| sessions.get(&peer).is_some_and(Uplink::is_up);
            match &mut self.sub_master {
                Some(sub_master) => sub_master.turn(is_up),
                None => self.node.turn(is_up),
            }
            self.restart(cx);
            self.reach(cx, self.parent().unwrap_or(cx.me));
        }
    }

    /// The node goes to another parent with all that it holds, if there is one that can be
    /// reached.
    fn move_node(&mut self, cx: &mut Context<'_>) {
        let old = self.node.parent().peer;
        let done = self.sessions.get(&old).map(unacknowledged_endings).unwrap_or_default();
        let sessions = &self.sessions;
        let is_up = |peer: PeerId| sessions.get(&peer).is_some_and(Uplink::is_up);
        if self.node.change_parent(cx, is_up, done) {
            let (me, new) = (cx.me, self.node.parent().peer);
            cx.note(format!("{me} hears nothing from {old} and goes to {new} with what it runs"));
        } else {
            self.node.doubt();
            self.reach(cx, self.seat.master);
        }
    }

    /// The sub-master goes to another parent with all that is held below it, likewise.
    fn move_sub_master(&mut self, cx: &mut Context<'_>) {
        let Some(sub_master) = &mut self.sub_master else { return };
        let old = sub_master.parent().peer;
        let why = if sub_master.was_dismissed() { "is sent on by" } else { "hears nothing from" };
        let unheard = self.sessions.get(&old).map(unacknowledged_reports).unwrap_or_default();
        let sessions = &self.sessions;
        let is_up = |peer: PeerId| sessions.get(&peer).is_some_and(Uplink::is_up);
        if sub_master.change_parent(cx, is_up, unheard) {
            let (me, new) = (cx.me, sub_master.parent().peer);
            cx.note(format!("{me} {why} {old} and goes to {new} with all below it"));
            self.parent_changed = true;
        } else {
            sub_master.doubt();
            self.reach(cx, self.seat.master);
        }
    }

    /// Has a way looked for to a peer of which something is wanted.
    fn reach(&self, cx: &mut Context<'_>, peer: PeerId) {
        let is_up = self.sessions.get(&peer).is_some_and(Uplink::is_up);
        if !is_up && peer != cx.me {
            cx.actions.push(Action::Reach(peer));
        }
    }

    /// It is known that a process has ended, and not only that it is silent.
    fn ended(&mut self, cx: &mut Context<'_>, peer: PeerId) {
        self.sessions.entry(peer).or_default().down();
        if let Some(sub_master) = &mut self.sub_master {
            sub_master.child_ended(cx, peer);
        }
        if let Some(master) = &mut self.master {
            master.child_ended(cx, peer);
        }
        if self.parent() != Some(peer) {
            return;
        }
        let orphan = match &mut self.sub_master {
            Some(_) if peer != self.seat.master => return self.move_sub_master(cx),
            None if peer != self.seat.master => return self.move_node(cx),
            Some(sub_master) => sub_master.orphan(self.seat.reattach),
            None => self.node.orphan(),
        };
        if orphan {
            let (me, wait) = (cx.me, self.seat.reattach);
            cx.note(format!("the master is dead; {me} goes on and waits for another for {wait}"));
            self.reach(cx, peer);
        }
    }

    /// The run has a master in another process.
    fn follow(&mut self, cx: &mut Context<'_>, master: PeerId, epoch: Epoch) {
        if epoch < self.seat.epoch || master == self.seat.master {
            return;
        }
        if self.master.is_some() {
            return self.step_down(cx, epoch);
        }
        cx.note(format!("{} goes over to the master of epoch {}, {master}", cx.me, epoch.0));
        let former = std::mem::replace(&mut self.seat.master, master);
        self.seat.epoch = epoch;
        let parent = self.parent().and_then(|parent| self.sessions.get(&parent));
        match &mut self.sub_master {
            Some(sub_master) => {
                let unheard = parent.map(unacknowledged_reports).unwrap_or_default();
                sub_master.follow(cx, former, master, unheard);
            }
            None => {
                let done = parent.map(unacknowledged_endings).unwrap_or_default();
                self.node.follow(cx, former, master, done);
            }
        }
        self.parent_changed = true;
    }

    /// There is a later master: this one has nothing more to say.
    fn step_down(&mut self, cx: &mut Context<'_>, epoch: Epoch) {
        cx.note(format!("epoch {} has a master of its own: this one ends", epoch.0));
        cx.actions.push(Action::StopAll);
        cx.actions.push(Action::Leave);
    }

    /// Whether it has looked for a parent for as long as the master would wait for nodes: whoever
    /// takes the run up again starts processes anew.
    fn is_forsaken(&self, now: Time) -> bool {
        let of_sub_master = self.sub_master.as_ref().and_then(SubMaster::seeking_since);
        let since = of_sub_master.or(self.node.seeking_since());
        since.is_some_and(|since| since + self.seat.wait_for_nodes <= now)
    }

    /// Becomes a new incarnation: whatever it did, and whatever others sent to the old one, is
    /// void.
    fn restart(&mut self, cx: &mut Context<'_>) {
        self.incarnation.0 += 1;
        cx.incarnation = self.incarnation;
        self.sessions.values_mut().for_each(Uplink::reset);
        cx.mail.clear();
        if let Some(sub_master) = &mut self.sub_master {
            if sub_master.is_to_leave() {
                // There is nobody to say goodbye to.
                cx.actions.push(Action::Leave);
            }
            sub_master.restart(cx);
        }
        self.node.restart(cx);
    }

    fn handle(&mut self, cx: &mut Context<'_>, event: Event) {
        match event {
            Event::Start => self.start(cx),
            Event::Up(peer) => {
                let header = self.header();
                let again = self.sessions.entry(peer).or_default().up(header);
                let send = again.into_iter().map(|frame| Action::Send { to: peer, frame });
                cx.actions.extend(send);
                if self.node.is_in_doubt() {
                    self.move_node(cx);
                }
                if self.sub_master.as_ref().is_some_and(SubMaster::is_in_doubt) {
                    self.move_sub_master(cx);
                }
            }
            Event::Down(peer) => self.sessions.entry(peer).or_default().down(),
            Event::Dead(peer) => self.ended(cx, peer),
            Event::Master(peer, epoch) => self.follow(cx, peer, epoch),
            Event::Frame { from, frame } => self.frame(cx, from, frame),
            Event::Ended(finishes) => self.node.ended(cx, finishes),
            Event::Withdrawn(launches) => self.node.withdrawn(cx, launches),
            Event::Drain => self.drain(cx),
            Event::Flush | Event::Tick => {}
            Event::Durable(_)
            | Event::Replay(_)
            | Event::Submit(_)
            | Event::Seal
            | Event::Cancel(_)
            | Event::DrainPart(_)
            | Event::Interrupt => {
                if let Some(master) = &mut self.master {
                    tell_master(master, cx, event);
                }
            }
        }
    }

    /// This process is to leave, with the nodes of its subcluster; that with the master stays.
    fn drain(&mut self, cx: &mut Context<'_>) {
        match &mut self.sub_master {
            Some(sub_master) if self.master.is_none() => sub_master.ask_to_leave(cx),
            _ => self.node.ask_to_drain(cx),
        }
    }

    fn start(&mut self, cx: &mut Context<'_>) {
        if let Some(master) = &mut self.master {
            master.start(cx);
        }
        if let Some(sub_master) = &mut self.sub_master {
            sub_master.start(cx);
        }
        self.node.start(cx);
    }

    fn frame(&mut self, cx: &mut Context<'_>, from: PeerId, frame: Frame) {
        // A frame of another run concerns nobody here, and one that is for a former master not the
        // present one; one from here was forged.
        let late = self.master.is_some() && frame.epoch < self.seat.epoch;
        if frame.run != self.seat.run || late || from == self.seat.peer {
            return;
        }
        if frame.epoch > self.seat.epoch {
            if self.master.is_some() {
                return self.step_down(cx, frame.epoch);
            }
            self.seat.epoch = frame.epoch;
        }
        let header = self.header();
        self.heard.insert(from);
        let receipt = self.sessions.entry(from).or_default().receive(frame, header);
        if let Some(frame) = receipt.answer {
            cx.actions.push(Action::Send { to: from, frame });
        }
        if self.parent() == Some(from) && (receipt.restarted || receipt.refused) {
            cx.note(format!("{} is not known to {from} any more and starts afresh", cx.me));
            return self.restart(cx);
        }
        if receipt.restarted {
            self.child_restarted(cx, from);
        }
        for Envelope { from: role, to, message } in receipt.envelopes {
            self.deliver(cx, Address { peer: from, role }, to, message);
        }
    }

    fn child_restarted(&mut self, cx: &mut Context<'_>, peer: PeerId) {
        if let Some(sub_master) = &mut self.sub_master {
            sub_master.child_restarted(cx, peer);
        }
        if let Some(master) = &mut self.master {
            master.child_restarted(cx, peer);
        }
    }

    fn deliver(&mut self, cx: &mut Context<'_>, from: Address, to: Role, message: Message) {
        match (to, &mut self.master, &mut self.sub_master) {
            (Role::Master, Some(master), _) => master.receive(cx, from, message),
            (Role::SubMaster, _, Some(sub_master)) => sub_master.receive(cx, from, message),
            (Role::Node, ..) => self.node.receive(cx, from, message),
            // For a role that is not here: a peer that is mistaken.
            _ => {}
        }
    }

    /// Delivers what the roles here say to each other, posts the rest, and lets them deal out
    /// work when all is said.
    fn settle(&mut self, now: Time, actions: &mut Vec<Action>, mut mail: VecDeque<Mail>) {
        let (me, incarnation) = (self.seat.peer, self.incarnation);
        loop {
            while let Some(Mail { from, to, message }) = mail.pop_front() {
                if to.peer != me {
                    self.post(actions, from, to, message);
                    continue;
                }
                let mut more = Vec::new();
                let mut cx = Context { now, me, incarnation, actions, mail: &mut more };
                self.deliver(&mut cx, Address { peer: me, role: from }, to.role, message);
                mail.extend(more);
            }
            let mut more = Vec::new();
            let mut cx = Context { now, me, incarnation, actions, mail: &mut more };
            if let Some(master) = &mut self.master {
                master.deal(&mut cx);
            }
            if let Some(sub_master) = &mut self.sub_master {
                sub_master.deal(&mut cx);
            }
            if more.is_empty() {
                return;
            }
            mail.extend(more);
        }
    }

    fn post(&mut self, actions: &mut Vec<Action>, from: Role, to: Address, message: Message) {
        if matches!(message, Message::Goodbye) {
            actions.push(Action::Leave);
        }
        self.unsent.insert(to.peer);
        let session = self.sessions.entry(to.peer).or_default();
        session.post(Envelope { from, to: to.role, message });
    }

    fn flush(&mut self, out: &mut Vec<Action>) {
        let header = self.header();
        let (_, safe) = self.safety();
        for peer in std::mem::take(&mut self.unsent) {
            let Some(session) = self.sessions.get_mut(&peer) else { continue };
            session.settle(safe);
            let frame = session.flush(header);
            out.extend(frame.map(|frame| Action::Send { to: peer, frame }));
        }
    }

    /// How much has been said upwards, or written down where the master is, and how much of that
    /// is safe.
    fn safety(&self) -> (Need, Need) {
        match (&self.master, self.parent().and_then(|parent| self.sessions.get(&parent))) {
            (Some(master), _) => master.written(),
            (None, Some(session)) => (session.last(), session.acknowledged()),
            (None, None) => (0, 0),
        }
    }

    /// What was heard in this step may be acknowledged once what came of it is safe; what the
    /// parent said, at once.
    fn owe(&mut self) {
        let (said, _) = self.safety();
        let parent = self.parent();
        if std::mem::take(&mut self.parent_changed) {
            // What the former parent had not acknowledged, the new one has to.
            let others = self.sessions.iter_mut().filter(|(peer, _)| Some(**peer) != parent);
            others.for_each(|(_, session)| session.owe_anew(said));
        }
        for peer in std::mem::take(&mut self.heard) {
            let need = if parent == Some(peer) { 0 } else { said };
            self.sessions.entry(peer).or_default().owe(need);
        }
    }
}

/// What ended on a node and may not have come further than to its parent.
fn unacknowledged_endings(session: &Uplink) -> Vec<Completion> {
    let endings = session.unacknowledged().filter_map(|envelope| match envelope {
        Envelope { from: Role::Node, message: Message::Done(completions), .. } => Some(completions),
        _ => None,
    });
    endings.flatten().cloned().collect()
}

/// What a sub-master reported of attempts and the master may not have heard. What came back
/// unstarted is not among it: that may be given out again already, under the same number.
fn unacknowledged_reports(session: &Uplink) -> Vec<Message> {
    let is_report = |envelope: &&Envelope| {
        envelope.from == Role::SubMaster
            && matches!(
                envelope.message,
                Message::Done(_) | Message::Lost(_) | Message::Adrift { .. }
            )
    };
    session.unacknowledged().filter(is_report).map(|envelope| envelope.message.clone()).collect()
}

fn tell_master(master: &mut Master, cx: &mut Context<'_>, event: Event) {
    match event {
        Event::Durable(upto) => master.durable(cx, upto),
        Event::Replay(entry) => master.replay(cx, *entry),
        Event::Submit(batch) => master.submit(cx, *batch),
        Event::Seal => master.seal(cx),
        Event::Cancel(ids) => master.cancel(cx, ids),
        Event::Interrupt => master.interrupt(cx),
        Event::DrainPart(part) => master.drain_part(cx, part),
        _ => {}
    }
}

impl Machine for Process {
    fn step(&mut self, now: Time, event: Event, out: &mut Vec<Action>) {
        let mut mail = Vec::new();
        let flush = matches!(event, Event::Flush);
        let (me, incarnation) = (self.seat.peer, self.incarnation);
        let mut cx = Context { now, me, incarnation, actions: out, mail: &mut mail };
        if self.deadline().is_some_and(|deadline| deadline <= now) {
            self.tick(&mut cx);
        }
        self.handle(&mut cx, event);
        self.settle(now, out, mail.into());
        self.owe();
        if flush {
            self.flush(out);
        }
    }

    fn deadline(&self) -> Option<Time> {
        let roles = [
            self.node.deadline(),
            self.sub_master.as_ref().and_then(SubMaster::deadline),
            self.master.as_ref().and_then(|master| master.deadline()),
        ];
        roles.into_iter().flatten().min()
    }
}
