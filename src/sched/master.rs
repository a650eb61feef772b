//! The role that holds the job: it gives ready tasks to sub-masters, records what became of
//! them, and says when the run is over.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use super::dispatcher::Dispatcher;
use super::event::{Batch, Entry};
use super::lease::Leases;
use super::ledger::{Ledger, Stage};
use super::message::{Address, Completion, Dispatch, Lost, Member, Message, Renewal, Role, RunId};
use super::{Action, Context, Seat};
use crate::model::{
    Addition, Attempt, AttemptKey, Epoch, ExitCode, PeerId, Place, Record, Span, State,
    SubclusterId, TaskId, Time, Usage, Value, Verdict,
};

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
    roster: BTreeMap<PeerId, (String, SubclusterId)>,
    /// Tasks that are out and not wanted any more.
    unwanted: BTreeSet<TaskId>,
    /// How many entries were appended, and records that wait for theirs to be durable.
    appended: u64,
    /// How many of them are durable, and up to which one the job is only told: nothing is given
    /// out before that is durable, so that whatever runs can be taken up again.
    durable: u64,
    told: u64,
    unpublished: VecDeque<(u64, Box<Record>)>,
    /// Since when there is work but no node that could ever do it.
    stuck: Option<Time>,
    interrupted: bool,
    /// The verdict, and the entry that holds it.
    closing: Option<(u64, Verdict)>,
    finished: bool,
    began: Time,
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
            appended: 0,
            durable: 0,
            told: 0,
            unpublished: VecDeque::new(),
            stuck: None,
            interrupted: false,
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
        [self.leases.next(), self.work.next_recall(), stuck].into_iter().flatten().min()
    }

    fn append(&mut self, cx: &mut Context<'_>, entry: Entry) -> u64 {
        self.appended += 1;
        cx.actions.push(Action::Append(entry));
        self.appended
    }

    fn down(cx: &mut Context<'_>, peer: PeerId, message: Message) {
        cx.send(Role::Master, Address { peer, role: Role::SubMaster }, message);
    }

    // ---- the journal of an earlier epoch -------------------------------------------------

    /// Takes in an entry of the journal of a run that goes on.
    pub(super) fn replay(&mut self, cx: &mut Context<'_>, entry: Entry) {
        match entry {
            Entry::Opened { .. } | Entry::Closed(_) => {}
            Entry::Submitted(batch) => {
                if let Err(why) = self.ledger.submit(batch, cx.now) {
                    cx.note(format!("the journal holds a batch that cannot be: {why}"));
                }
            }
            Entry::Sealed => self.ledger.seal(),
            Entry::Granted(keys) => {
                keys.into_iter().for_each(|key| self.ledger.replay_granted(key));
            }
            Entry::Returned(keys) => {
                let out = keys.into_iter().filter(|key| self.ledger.is_out(*key));
                let out: Vec<AttemptKey> = out.collect();
                out.into_iter().for_each(|key| self.ledger.returned(key.task));
            }
            Entry::Ended { record, added } => self.replay_ended(cx, *record, added),
        }
    }

    fn replay_ended(&mut self, cx: &mut Context<'_>, mut record: Record, added: Vec<Addition>) {
        if self.ledger.is_open(record.task) {
            self.settle(&record, added, cx.now);
            self.ledger.describe(&mut record);
            cx.actions.push(Action::Publish(Box::new(record)));
        }
    }

    /// Begins. Whatever the journal left unfinished is finished first: attempts that were out
    /// are lost, and what waits for a task that failed is cancelled.
    pub(super) fn start(&mut self, cx: &mut Context<'_>) {
        self.began = cx.now;
        self.append(cx, Entry::Opened { run: self.run, epoch: self.epoch });
        for id in self.ledger.in_stage(Stage::Granted) {
            let reason = "it was out when the run was interrupted";
            let record = self.record(self.ledger.key(id), State::Lost, Some(reason.to_owned()));
            self.conclude(cx, record, Vec::new());
        }
        for stage in [Stage::Failed, Stage::Cancelled] {
            self.ledger.in_stage(stage).into_iter().for_each(|id| self.cancel_stranded(cx, id));
        }
        self.queue(self.ledger.in_stage(Stage::Ready));
        self.close_if_over(cx);
    }

    // ---- the door ------------------------------------------------------------------------

    pub(super) fn submit(&mut self, cx: &mut Context<'_>, batch: Batch) {
        let first = self.ledger.len();
        match self.ledger.submit(batch.clone(), cx.now) {
            Ok(ready) => {
                self.told = self.append(cx, Entry::Submitted(batch));
                self.queue(ready);
                self.cancel_barred(cx, first);
            }
            Err(why) => self.close(cx, ExitCode::BadInput, why),
        }
    }

    pub(super) fn seal(&mut self, cx: &mut Context<'_>) {
        self.append(cx, Entry::Sealed);
        self.ledger.seal();
        self.close_if_over(cx);
    }

    /// Tasks are not wanted any more: those that are out are called off, others never start.
    pub(super) fn cancel(&mut self, cx: &mut Context<'_>, ids: Vec<TaskId>) {
        if self.is_closed() {
            return;
        }
        let mut out: BTreeMap<PeerId, Vec<AttemptKey>> = BTreeMap::new();
        for id in ids.into_iter().filter(|id| self.ledger.knows(*id)).collect::<Vec<_>>() {
            match self.ledger.stage(id) {
                Stage::Waiting | Stage::Ready => self.cancel_now(cx, id, "cancelled by the user"),
                Stage::Granted => {
                    self.unwanted.insert(id);
                    let key = self.ledger.key(id);
                    if let Some(peer) = self.work.holder(key) {
                        out.entry(peer).or_default().push(key);
                    }
                }
                Stage::Done | Stage::Failed | Stage::Cancelled => {}
            }
        }
        for (peer, keys) in out {
            Self::down(cx, peer, Message::Cancel { keys, grace: None });
        }
        self.close_if_over(cx);
    }

    /// Starts nothing more, waits for what runs, and ends resumable. Asked again, it does not
    /// wait.
    pub(super) fn interrupt(&mut self, cx: &mut Context<'_>) {
        if self.interrupted {
            let reason = "interrupted; attempts that ran were stopped".to_owned();
            return self.close(cx, ExitCode::Interrupted, reason);
        }
        self.interrupted = true;
        for peer in self.peers() {
            self.work.drain(peer);
            Self::down(cx, peer, Message::Drain);
        }
        self.close_if_over(cx);
    }

    // ---- children ------------------------------------------------------------------------

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
        self.give_up_if_stuck(cx);
        silent
    }

    /// A sub-master is gone, and what its nodes held with it.
    pub(super) fn child_lost(&mut self, cx: &mut Context<'_>, peer: PeerId) {
        self.leases.forget(peer);
        let lost = self.work.leave(peer);
        if !lost.is_empty() {
            cx.note(format!("{} attempts were lost with sub-master {peer}", lost.len()));
        }
        for key in lost {
            self.lost(cx, key, None, format!("sub-master {peer} was lost"));
        }
        self.close_if_over(cx);
    }

    pub(super) fn receive(&mut self, cx: &mut Context<'_>, from: Address, message: Message) {
        if from.role != Role::SubMaster {
            return;
        }
        let peer = from.peer;
        match message {
            Message::Hello { asked, subcluster, members } => {
                self.join(cx, peer, asked, subcluster, members);
            }
            Message::Renew { asked } => {
                if self.work.child(peer).is_some() {
                    self.leases.renew(peer, cx.now + self.lease);
                    Self::down(cx, peer, Message::Renewed(self.renewal(cx.now, asked)));
                }
            }
            Message::Members { joined, left } => {
                if let Some(child) = self.work.child(peer) {
                    let subcluster = child.subcluster;
                    self.enroll(&joined, subcluster);
                    self.work.change(peer, joined, &left);
                }
            }
            Message::Done(completions) => {
                for completion in completions {
                    if self.work.done(peer, completion.key, cx.now) {
                        self.complete(cx, completion);
                    }
                }
            }
            Message::Lost(lost) => {
                cx.note(format!("{} attempts were lost with a node of {peer}", lost.len()));
                for Lost { key, node } in lost {
                    if self.work.release(peer, key) {
                        self.lost(cx, key, Some(node), format!("node {node} was lost"));
                    }
                }
            }
            Message::Returned(dispatches) => self.returned(cx, peer, &dispatches),
            Message::Goodbye => self.child_lost(cx, peer),
            // What parents say is not for the master.
            Message::Welcome(_)
            | Message::Renewed(_)
            | Message::Grant(_)
            | Message::Recall { .. }
            | Message::Cancel { .. }
            | Message::Drain
            | Message::Farewell => {}
        }
        self.close_if_over(cx);
    }

    fn join(
        &mut self,
        cx: &mut Context<'_>,
        peer: PeerId,
        asked: Time,
        subcluster: SubclusterId,
        members: Vec<Member>,
    ) {
        self.child_lost(cx, peer);
        self.enroll(&members, subcluster);
        self.work.join(peer, subcluster, members, cx.now);
        if peer != cx.me {
            self.leases.renew(peer, cx.now + self.lease);
        }
        Self::down(cx, peer, Message::Welcome(self.renewal(cx.now, asked)));
        if self.finished {
            Self::down(cx, peer, Message::Farewell);
        } else if self.interrupted {
            self.work.drain(peer);
            Self::down(cx, peer, Message::Drain);
        }
    }

    fn enroll(&mut self, members: &[Member], subcluster: SubclusterId) {
        for member in members {
            self.roster.insert(member.node, (member.host.clone(), subcluster));
        }
    }

    fn renewal(&self, now: Time, asked: Time) -> Renewal {
        Renewal { asked, now, error: Span::ZERO, lease: self.lease }
    }

    // ---- attempts ------------------------------------------------------------------------

    fn queue(&mut self, ready: Vec<TaskId>) {
        for id in ready {
            let request = self.ledger.request(id);
            self.work.queue().push(request, self.ledger.urgency(id), id);
        }
    }

    /// Whether what becomes of an attempt still counts: it is out, and the verdict, which counts
    /// all there is, is not written yet.
    fn awaits(&self, key: AttemptKey) -> bool {
        !self.is_closed() && self.ledger.is_out(key)
    }

    /// An attempt has ended on a node. One that was given up before is dropped.
    fn complete(&mut self, cx: &mut Context<'_>, completion: Completion) {
        let Completion { key, node, cores, start, end, clock, mut ending } = completion;
        if !self.awaits(key) {
            return;
        }
        if let Err(why) = self.ledger.check_additions(&ending.added) {
            ending.exit = crate::model::Exit::Code(1);
            ending.reason = Some(format!("it added tasks that cannot be: {why}"));
        }
        let state = match ending.exit.is_success() {
            _ if self.unwanted.contains(&key.task) => State::Cancelled,
            true => State::Done,
            false => State::Failed,
        };
        let reason = match state {
            State::Done => None,
            State::Cancelled => Some("cancelled by the user".to_owned()),
            State::Failed | State::Lost => ending.reason.or(Some(ending.exit.to_string())),
        };
        let mut record = self.record(key, state, reason);
        record.exit = Some(ending.exit);
        record.place = self.place(node).map(|place| Place { cores, ..place });
        (record.start, record.end, record.clock) = (Some(start), Some(end), clock);
        (record.usage, record.tail, record.value) = (ending.usage, ending.tail, ending.value);
        let added = if state == State::Done { ending.added } else { Vec::new() };
        self.conclude(cx, record, added);
    }

    fn lost(&mut self, cx: &mut Context<'_>, key: AttemptKey, node: Option<PeerId>, why: String) {
        if self.awaits(key) {
            let state =
                if self.unwanted.contains(&key.task) { State::Cancelled } else { State::Lost };
            let mut record = self.record(key, state, Some(why));
            record.place = node.and_then(|node| self.place(node));
            record.end = Some(cx.now);
            self.conclude(cx, record, Vec::new());
        }
    }

    fn returned(&mut self, cx: &mut Context<'_>, peer: PeerId, dispatches: &[Dispatch]) {
        let mut back: Vec<AttemptKey> = dispatches.iter().map(|d| d.key).collect();
        back.retain(|key| self.work.release(peer, *key) && self.awaits(*key));
        if back.is_empty() {
            return;
        }
        self.append(cx, Entry::Returned(back.clone()));
        for AttemptKey { task, .. } in back {
            self.ledger.returned(task);
            if self.unwanted.contains(&task) {
                self.cancel_now(cx, task, "cancelled by the user");
            } else {
                self.queue(vec![task]);
            }
        }
    }

    /// Cancels a task that is not out, and all that wait for it.
    fn cancel_now(&mut self, cx: &mut Context<'_>, id: TaskId, why: &str) {
        let request = std::sync::Arc::clone(self.ledger.request(id));
        self.work.queue().remove(&request, &self.ledger.urgency(id));
        let key = AttemptKey { attempt: Attempt(0), ..self.ledger.key(id) };
        let record = self.record(key, State::Cancelled, Some(why.to_owned()));
        self.conclude(cx, record, Vec::new());
    }

    fn cancel_stranded(&mut self, cx: &mut Context<'_>, id: TaskId) {
        let why = format!("task `{}`, which it waits for, was not done", self.ledger.name(id));
        for next in self.ledger.stranded_by(id) {
            let key = AttemptKey { attempt: Attempt(0), ..self.ledger.key(next) };
            let record = self.record(key, State::Cancelled, Some(why.clone()));
            self.settle(&record, Vec::new(), cx.now);
            self.keep(cx, record, Vec::new());
        }
    }

    /// Makes an ending part of the job's state and of the journal, and draws its consequences.
    fn conclude(&mut self, cx: &mut Context<'_>, record: Record, added: Vec<Addition>) {
        self.unwanted.remove(&record.task);
        let first = self.ledger.len();
        let ready = self.settle(&record, added.clone(), cx.now);
        self.queue(ready);
        let id = record.task;
        self.keep(cx, record, added);
        if matches!(self.ledger.stage(id), Stage::Failed | Stage::Cancelled) {
            self.cancel_stranded(cx, id);
        }
        self.cancel_barred(cx, first);
    }

    /// Cancels those of the tasks from `first` on that came too late to start ever.
    fn cancel_barred(&mut self, cx: &mut Context<'_>, first: usize) {
        self.ledger.bars(first).into_iter().for_each(|id| self.cancel_stranded(cx, id));
    }

    /// The one place where an ending changes the state of the job, whether it happens now or is
    /// read from the journal. Tasks that may start come back.
    fn settle(&mut self, record: &Record, added: Vec<Addition>, now: Time) -> Vec<TaskId> {
        let id = record.task;
        match record.state {
            State::Done => {
                // Added first, so that the value is kept for those that want it. They were
                // checked before the record was written.
                let mut ready = self.ledger.add(added, now).unwrap_or_default();
                ready.extend(self.ledger.done(id, record.value.clone(), now));
                ready
            }
            State::Failed => {
                let again = self.ledger.failed(id);
                if again { vec![id] } else { Vec::new() }
            }
            State::Lost => {
                self.ledger.lost(id);
                vec![id]
            }
            State::Cancelled => {
                self.ledger.cancel(id);
                Vec::new()
            }
        }
    }

    fn keep(&mut self, cx: &mut Context<'_>, mut record: Record, added: Vec<Addition>) {
        let at = self.append(cx, Entry::Ended { record: Box::new(record.clone()), added });
        self.ledger.describe(&mut record);
        self.unpublished.push_back((at, Box::new(record)));
    }

    fn record(&self, key: AttemptKey, state: State, reason: Option<String>) -> Record {
        let ready =
            (self.ledger.stage(key.task) != Stage::Waiting).then(|| self.ledger.ready_at(key.task));
        Record {
            job: key.job,
            task: key.task,
            name: String::new(),
            attempt: key.attempt,
            state,
            reason,
            exit: None,
            place: None,
            ready,
            start: None,
            end: None,
            clock: Span::ZERO,
            usage: Usage::default(),
            tail: String::new(),
            kind: String::new(),
            meta: Vec::new(),
            value: Value::Unit,
        }
    }

    fn place(&self, node: PeerId) -> Option<Place> {
        let (host, subcluster) = self.roster.get(&node)?;
        Some(Place { subcluster: *subcluster, node, host: host.clone(), cores: Vec::new() })
    }

    // ---- the end -------------------------------------------------------------------------

    /// The first so many entries are on disk: their records are final.
    pub(super) fn durable(&mut self, cx: &mut Context<'_>, upto: u64) {
        self.durable = self.durable.max(upto);
        while self.unpublished.front().is_some_and(|(at, _)| *at <= upto) {
            cx.actions.extend(self.unpublished.pop_front().map(|(_, r)| Action::Publish(r)));
        }
        if let Some((_, verdict)) = self.closing.take_if(|(at, _)| *at <= upto) {
            self.finished = true;
            for peer in self.peers() {
                Self::down(cx, peer, Message::Farewell);
            }
            cx.actions.push(Action::Finish(verdict));
        }
    }

    fn is_closed(&self) -> bool {
        self.closing.is_some() || self.finished
    }

    fn close(&mut self, cx: &mut Context<'_>, code: ExitCode, reason: String) {
        if !self.is_closed() {
            let elapsed = cx.now.since(self.began);
            let verdict = Verdict { code, reason, counts: self.ledger.counts(), elapsed };
            let at = self.append(cx, Entry::Closed(verdict.clone()));
            self.closing = Some((at, verdict));
        }
    }

    fn close_if_over(&mut self, cx: &mut Context<'_>) {
        let counts = self.ledger.counts();
        if self.ledger.is_over() {
            let (code, reason) = match counts.failed + counts.cancelled {
                0 => (ExitCode::Done, format!("all {} tasks are done", counts.done)),
                _ => (
                    ExitCode::TaskFailed,
                    format!("{} tasks failed, {} were cancelled", counts.failed, counts.cancelled),
                ),
            };
            self.close(cx, code, reason);
        } else if self.interrupted && self.work.nothing_held() {
            let reason = format!("interrupted with {} tasks still to do", counts.open());
            self.close(cx, ExitCode::Interrupted, reason);
        }
    }

    /// There is work, none of it is out, and no node that is there could ever do it.
    fn give_up_if_stuck(&mut self, cx: &mut Context<'_>) {
        let waiting = self.work.queue().len();
        let stuck = waiting > 0 && !self.interrupted && self.work.nothing_held();
        let blocked = if stuck { self.work.unmeetable() } else { None };
        let (Some(urgency), false) = (blocked, self.is_closed()) else {
            self.stuck = None;
            return;
        };
        let since = *self.stuck.get_or_insert(cx.now);
        if since + self.wait_for_nodes <= cx.now {
            let task = self.ledger.name(urgency.task());
            let wait = self.wait_for_nodes;
            let reason = if self.peers().is_empty() {
                format!("no node for {wait}, with {waiting} tasks ready to run")
            } else {
                format!("no node for {wait} that has what task `{task}` asks for")
            };
            self.close(cx, ExitCode::Infrastructure, reason);
        }
    }

    /// Gives out what there is room for, at the end of each step.
    pub(super) fn deal(&mut self, cx: &mut Context<'_>) {
        if self.is_closed() || self.told > self.durable {
            return;
        }
        let ledger = &mut self.ledger;
        let dealt = self.work.deal(|_, id| ledger.grant(*id));
        let granted = dealt.values().flatten().map(|id| self.ledger.key(*id));
        let granted: Vec<AttemptKey> = granted.collect();
        if !granted.is_empty() {
            self.append(cx, Entry::Granted(granted));
        }
        for (peer, ids) in dealt {
            let dispatches = ids.into_iter().map(|id| self.ledger.dispatch(id)).collect();
            Self::down(cx, peer, Message::Grant(dispatches));
        }
        for recall in self.work.recalls(cx.now) {
            let message = Message::Recall { count: recall.count, shapes: recall.shapes };
            Self::down(cx, recall.child, message);
        }
        self.give_up_if_stuck(cx);
    }
}
