//! The role that runs tasks: it owns the cores of its process and starts what it is granted.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use rustc_hash::FxHashMap;

use super::curfew::Curfew;
use super::lease::{Attachment, Due};
use super::lots::{Filling, Kernel, Lots};
use super::message::{Address, Completion, Dispatch, Held, HelloNumber, Member, Message, Role};
use super::ready::{Head, Ready, Urgency};
use super::slots::{Grant, Slots};
use super::{Action, Context, Seat};
use crate::model::{
    AttemptKey, CoreId, Exit, Finish, Launch, PeerId, Request, ResourceId, Resources, Shared, Span,
    Time, Work,
};

/// A node.
#[derive(Debug)]
pub(super) struct Node {
    seat: Seat,
    parent: Attachment,
    slots: Slots,
    queue: Ready<Dispatch>,
    running: FxHashMap<AttemptKey, Running>,
    lots: Lots,
    drain: Drain,
    curfew: Curfew,
    /// There is no time left for what it is given.
    is_late: bool,
    /// It was seen that its time is up.
    leaves: bool,
    /// How often it has said hello.
    hellos: u32,
}

/// How far the node has come in leaving.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Drain {
    /// It stays.
    No,
    /// It starts nothing more, and has asked its parent to be drained.
    Asked,
    /// Its parent knows, so that nothing more is on its way here.
    Agreed,
    /// The same, but the wish is its parent's alone: another may want it to stay.
    Told,
}

#[derive(Debug)]
struct Running {
    /// With which others it shares its grant.
    lot: u64,
    work: Arc<Work>,
    urgency: Urgency,
    kernel: Option<Kernel>,
    /// Its parent is gone: nobody wants to know how it ends, but its cores are not free before.
    abandoned: bool,
    /// It was called off.
    stopped: bool,
    grace: Span,
    /// If it has less time than its limit, since the run has: when it hears of that first.
    cut_short: Option<Time>,
}

impl Node {
    pub(super) fn new(seat: &Seat) -> Node {
        let parent = match seat.has_sub_master() {
            true => Attachment::local(seat.peer),
            false => Attachment::new(seat.parents(), seat.lease),
        };
        Node {
            slots: Slots::new(&seat.topology, &seat.capacity),
            seat: seat.clone(),
            parent,
            queue: Ready::default(),
            running: FxHashMap::default(),
            lots: Lots::default(),
            drain: Drain::No,
            curfew: Curfew::new(seat.time_left),
            is_late: false,
            leaves: false,
            hellos: 0,
        }
    }

    pub(super) fn parent(&self) -> Address {
        Address { peer: self.parent.parent(), role: Role::SubMaster }
    }

    pub(super) fn seeking_since(&self) -> Option<Time> {
        self.parent.seeking_since()
    }

    pub(super) fn deadline(&self) -> Option<Time> {
        let out = if self.is_late { Some(Time::ZERO) } else { self.curfew.drain_at() };
        let leaves = out.filter(|_| self.drain == Drain::No && !self.leaves);
        [self.parent.deadline(), self.lots.deadline(), leaves].into_iter().flatten().min()
    }

    fn tell(&self, cx: &mut Context<'_>, message: Message) {
        cx.send(Role::Node, self.parent(), message);
    }

    /// Says hello.
    pub(super) fn start(&mut self, cx: &mut Context<'_>) {
        self.leaves = false;
        self.curfew.begin(cx.now);
        self.parent.greet(cx.now);
        self.greet(cx, Vec::new());
    }

    fn greet(&mut self, cx: &mut Context<'_>, holding: Vec<Held>) {
        self.hellos += 1;
        let seat = &self.seat;
        let me = Member {
            node: seat.peer,
            hello: HelloNumber { incarnation: cx.incarnation, number: self.hellos, carried: 0 },
            subcluster: seat.subcluster,
            host: seat.host.clone(),
            capacity: seat.capacity.clone(),
            apart: seat.apart,
            standby: seat.standby,
        };
        self.tell(cx, Message::Hello { asked: cx.now, members: vec![me], holding });
        if self.drain != Drain::No {
            self.ask_to_drain(cx);
        }
    }

    /// Goes to the next parent that can be reached, with what is in hand, and `done`: what ended
    /// and may not have come further than to the last one. Whether there is such a parent.
    pub(super) fn change_parent(
        &mut self,
        cx: &mut Context<'_>,
        is_up: impl Fn(PeerId) -> bool,
        done: Vec<Completion>,
    ) -> bool {
        let changed = self.parent.change(is_up);
        if changed {
            self.bring(cx, done);
        }
        changed
    }

    /// The parent is dead or silent, and no other can be reached yet.
    pub(super) fn doubt(&mut self) {
        self.parent.doubt();
    }

    /// Whether it would change its parent if it could.
    pub(super) fn is_in_doubt(&self) -> bool {
        self.parent.is_doubted()
    }

    /// The master is dead, which was this node's parent: nobody gives away what is held here, for
    /// as long as it is to go on without one.
    pub(super) fn orphan(&mut self) -> bool {
        self.parent.orphan(self.seat.reattach)
    }

    /// The master is in another process than it was. A node that was with the old one goes over
    /// to the new one as [`change_parent`](Self::change_parent) does.
    pub(super) fn follow(
        &mut self,
        cx: &mut Context<'_>,
        former: PeerId,
        master: PeerId,
        done: Vec<Completion>,
    ) {
        if self.parent.parent() != former {
            self.parent.know(former, master);
        } else if self.parent.follow(former, master, cx.now) {
            self.bring(cx, done);
        } else {
            self.greet(cx, Vec::new());
        }
    }

    /// Says hello with all that is in hand, and what has ended.
    fn bring(&mut self, cx: &mut Context<'_>, done: Vec<Completion>) {
        let holding = self.holding(&done);
        self.greet(cx, holding);
        if !done.is_empty() {
            self.tell(cx, Message::Done(done));
        }
    }

    fn holding(&self, done: &[Completion]) -> Vec<Held> {
        let running = self.running.iter().filter(|(_, running)| !running.abandoned);
        let running = running.map(|(key, r)| (*key, Arc::clone(&r.work.request)));
        let waiting = self.queue.items().map(|d| (d.key, Arc::clone(&d.work.request)));
        // What has ended needs nothing more.
        let ended = done.iter().map(|completion| (completion.key, Request::shared()));
        let all = running.chain(waiting).chain(ended);
        let by = Some(self.seat.peer);
        all.map(|(key, request)| Held { key, request, by }).collect()
    }

    /// Chooses the parent to greet, as [`Attachment::turn`] does.
    pub(super) fn turn(&mut self, is_up: impl Fn(PeerId) -> bool) {
        self.parent.turn(is_up);
    }

    /// Stops everything, as if the process had just begun. A node that wants to leave has nothing
    /// more to say but goodbye.
    pub(super) fn restart(&mut self, cx: &mut Context<'_>) {
        self.queue = Ready::default();
        if !self.running.is_empty() {
            self.running.values_mut().for_each(|running| running.abandoned = true);
            cx.actions.push(Action::StopAll);
        }
        match self.drain {
            Drain::No | Drain::Told => {
                self.drain = Drain::No;
                self.start(cx);
            }
            Drain::Asked | Drain::Agreed => {
                self.drain = Drain::Agreed;
                self.parent.detach();
                self.leave_if_idle(cx);
            }
        }
    }

    /// What is due; a renewal is asked for here.
    pub(super) fn tick(&mut self, cx: &mut Context<'_>) -> Due {
        let overdue = self.lots.overdue(cx.now);
        if !overdue.is_empty() {
            let of_those =
                self.running.iter().filter(|(_, running)| overdue.contains(&running.lot));
            let mut keys: Vec<AttemptKey> = of_those.map(|(key, _)| *key).collect();
            keys.sort_unstable();
            cx.actions.push(Action::Withdraw(keys));
        }
        let due = self.parent.due(cx.now);
        if due == Due::Renew {
            self.tell(cx, Message::Renew { asked: cx.now });
        }
        due
    }

    pub(super) fn receive(&mut self, cx: &mut Context<'_>, from: Address, message: Message) {
        if from != self.parent() {
            return;
        }
        match message {
            Message::Welcome(renewal) => {
                self.parent.renewed(renewal, cx.now);
                // Its parent gives nothing to who does not answer.
                self.tell(cx, Message::Renew { asked: cx.now });
            }
            Message::Renewed(renewal) => {
                self.parent.renewed(renewal, cx.now);
                // What came when there was no time left may start now.
                self.fill(cx);
            }
            Message::Grant(dispatches) => {
                self.enqueue(dispatches);
                self.fill(cx);
            }
            Message::Recall { count, shapes } => {
                let suits = |r: &Request| shapes.iter().any(|shape| r.met_by(shape).is_some());
                let back = self.queue.take_least(count as usize, suits);
                self.tell(cx, Message::Returned(back));
            }
            Message::Cancel { keys, grace } => self.cancel(cx, &keys, grace),
            Message::Drain => self.drain(cx),
            Message::BringIn(_) => self.serve(cx),
            Message::Farewell => cx.actions.push(Action::Leave),
            // Said by children only, or of the nodes of a sub-master.
            Message::Accepted { .. }
            | Message::Moved { .. }
            | Message::DrainNode(_)
            | Message::Dismiss
            | Message::Hello { .. }
            | Message::Renew { .. }
            | Message::Members { .. }
            | Message::Done(_)
            | Message::Lost(_)
            | Message::Adrift { .. }
            | Message::Returned(_)
            | Message::Goodbye => {}
        }
    }

    /// Stands by no longer. Whoever is its parent next hears that with its hello.
    fn serve(&mut self, cx: &mut Context<'_>) {
        if self.seat.standby.take().is_some() {
            cx.note(format!("{} is brought in: it stands by no longer", cx.me));
        }
    }

    fn enqueue(&mut self, mut dispatches: Vec<Dispatch>) {
        dispatches.retain(|dispatch| !self.running.contains_key(&dispatch.key));
        self.queue.push_all(dispatches);
    }

    fn cancel(&mut self, cx: &mut Context<'_>, keys: &[AttemptKey], grace: Option<Span>) {
        let unwanted: BTreeSet<&AttemptKey> = keys.iter().collect();
        let back = self.queue.take(|dispatch| unwanted.contains(&dispatch.key));
        if !back.is_empty() {
            self.tell(cx, Message::Returned(back));
        }
        for key in keys {
            if let Some(running) = self.running.get_mut(key) {
                running.stopped = true;
                let grace = grace.unwrap_or(running.grace);
                cx.actions.push(Action::Stop { key: *key, grace });
            }
        }
    }

    /// Starts nothing more. The parent answers with a drain, after which no grant can follow
    /// that it sent before it knew.
    pub(super) fn ask_to_drain(&mut self, cx: &mut Context<'_>) {
        self.drain = Drain::Asked;
        self.tell(cx, Message::Drain);
    }

    /// Gives back what has not started; says goodbye once nothing runs.
    fn drain(&mut self, cx: &mut Context<'_>) {
        self.drain = match self.drain {
            Drain::No | Drain::Told => Drain::Told,
            Drain::Asked | Drain::Agreed => Drain::Agreed,
        };
        let back: Vec<Dispatch> = self.queue.drain().collect();
        self.tell(cx, Message::Returned(back));
        self.leave_if_idle(cx);
    }

    fn leave_if_idle(&mut self, cx: &mut Context<'_>) {
        let may_leave = matches!(self.drain, Drain::Agreed | Drain::Told);
        if may_leave && self.running.is_empty() {
            self.tell(cx, Message::Goodbye);
        }
    }

    /// Attempts have ended: their cores are free, the parent is told, the next ones start.
    pub(super) fn ended(&mut self, cx: &mut Context<'_>, finishes: Vec<Finish>) {
        let mut done = Vec::with_capacity(finishes.len());
        let mut lengths: BTreeMap<Kernel, (Span, u32)> = BTreeMap::new();
        for finish in finishes {
            let Some((running, cores)) = self.take_out(&finish.key) else {
                continue;
            };
            // What failed or was stopped may have been cut short.
            let recalled = self.is_recalled(&running, &finish);
            if let Some(kernel) = running.kernel.filter(|_| finish.ending.exit.is_success()) {
                let (span, count) = lengths.entry(kernel).or_default();
                *span += finish.end.since(finish.start);
                *count += 1;
            }
            if !running.abandoned {
                done.push(self.completion(finish, cores, recalled));
            }
        }
        for (kernel, (span, count)) in lengths {
            self.lots.learn(kernel, span, count);
        }
        if !done.is_empty() {
            self.tell(cx, Message::Done(done));
        }
        self.fill(cx);
        self.leave_if_idle(cx);
    }

    /// Whether it ended since the time of the run is up, or by a signal that was to end this node
    /// too: launchers send them to all processes.
    fn is_recalled(&self, running: &Running, finish: &Finish) -> bool {
        let warned = running.cut_short.is_some_and(|at| at <= finish.end);
        match finish.ending.exit {
            Exit::TimeLimit => running.cut_short.is_some(),
            exit => exit.is_by_request() && (warned || self.drain != Drain::No),
        }
    }

    fn completion(&self, finish: Finish, cores: Arc<[CoreId]>, recalled: bool) -> Completion {
        let Finish { key, start, end, ending } = finish;
        let clock = self.parent.clock();
        Completion {
            key,
            node: self.seat.peer,
            cores,
            start: clock.map(start),
            end: clock.map(end),
            clock: clock.error(start).max(clock.error(end)),
            ending,
            recalled,
        }
    }

    /// Attempts had not begun: they wait again, if somebody still wants them.
    pub(super) fn withdrawn(&mut self, cx: &mut Context<'_>, launches: Vec<Launch>) {
        let (mut back, mut again) = (Vec::new(), Vec::new());
        for launch in launches {
            let Some((running, _)) = self.take_out(&launch.key) else { continue };
            if running.abandoned {
                continue;
            }
            let to_parent = running.stopped || matches!(self.drain, Drain::Agreed | Drain::Told);
            let dispatch = as_dispatch(launch.key, running);
            if to_parent { back.push(dispatch) } else { again.push(dispatch) }
        }
        self.enqueue(again);
        if !back.is_empty() {
            self.tell(cx, Message::Returned(back));
        }
        self.fill(cx);
        self.leave_if_idle(cx);
    }

    /// An attempt does not run any more; the last of a lot leaves its cores free.
    fn take_out(&mut self, key: &AttemptKey) -> Option<(Running, Arc<[CoreId]>)> {
        let running = self.running.remove(key)?;
        let cores = self.lots.grant(running.lot).map(|grant| grant.cores.clone());
        if let Some(grant) = self.lots.leave(running.lot) {
            self.slots.give_back(grant, &self.seat.topology);
        }
        Some((running, cores.unwrap_or_default()))
    }

    /// Starts what fits, most urgent first. What does not fit has what it needs set aside, as
    /// far as that is free, so that it is not overtaken for ever by smaller tasks.
    fn fill(&mut self, cx: &mut Context<'_>) {
        if !self.parent.may_act(cx.now) || self.drain != Drain::No || self.curfew.is_over(cx.now) {
            return;
        }
        let mut free = self.slots.free().clone();
        let mut blocked: Vec<Arc<Request>> = Vec::new();
        let mut last = None;
        while free.get(ResourceId::CORES).0 > 0 && !self.is_late {
            // Whatever is more urgent than the last is blocked, or launched.
            let Some(head) = self.queue.head_after(last.as_ref()) else { break };
            let (_, request) = &head;
            let grant = request.met_by(&free).cloned();
            let grant = grant.and_then(|asked| self.slots.grant(request, &asked));
            last = Some(match grant {
                Some(grant) => {
                    // Others with free cores are to have their share.
                    let places = free.get(ResourceId::CORES).ceil();
                    self.launch_lot(cx, head, grant, places)
                }
                None => {
                    blocked.push(Arc::clone(request));
                    head
                }
            });
            free = self.set_aside(&blocked);
        }
        self.line_up(cx);
    }

    /// Gives cores on which what is short runs the next of that kind, to begin when it has ended, if
    /// nothing else is more urgent.
    fn line_up(&mut self, cx: &mut Context<'_>) {
        let leaders: Vec<u64> = self.lots.leaders().collect();
        for (n, leader) in leaders.iter().enumerate() {
            let Some(head) = self.queue.head_after(None).filter(|_| !self.is_late) else { return };
            let Some(grant) = self.lots.grant(*leader).filter(|grant| grant.request == head.1)
            else {
                continue;
            };
            let (cores, gpus) = (Arc::clone(&grant.cores), grant.gpus());
            let filling = Filling::of_short(self.queue.len().div_ceil(leaders.len() - n));
            let (_, out, _) = self.launch_run(cx, head, &cores, &gpus, filling);
            if out > 0 {
                self.lots.follow(*leader, out, cx.now);
            }
        }
    }

    /// Whether the time of this process is up, maybe before that of the run: it is to leave. So it is
    /// once, and again if it starts afresh.
    pub(super) fn is_out_of_time(&mut self, now: Time) -> bool {
        let is_out = self.is_late || self.curfew.is_over(now);
        is_out && self.drain == Drain::No && !std::mem::replace(&mut self.leaves, true)
    }

    /// What is free beside what the `blocked` need.
    fn set_aside(&self, blocked: &[Arc<Request>]) -> Resources {
        let mut free = self.slots.free().clone();
        for request in blocked {
            if let Some(asked) = request.met_by(&self.seat.capacity) {
                free.take(asked);
            }
        }
        free
    }

    /// Starts the most urgent on what was granted, and with it what [`launch_run`](Self::launch_run)
    /// takes. The last of them comes back.
    fn launch_lot(&mut self, cx: &mut Context<'_>, first: Head, grant: Grant, places: u64) -> Head {
        let (cores, gpus) = (Arc::clone(&grant.cores), grant.gpus());
        let filling = Filling::new(self.queue.len().div_ceil(places.max(1) as usize));
        let (last, out, is_short) = self.launch_run(cx, first, &cores, &gpus, filling);
        match out {
            0 => self.slots.give_back(grant, &self.seat.topology),
            _ => self.lots.open(grant, out, is_short, cx.now),
        }
        last
    }

    /// Launches the most urgent, and after it on the same cores what comes next and asks for the
    /// same, as far as it has its place in the `filling`. The last of them comes back, how many there
    /// are, and whether they are short.
    fn launch_run(
        &mut self,
        cx: &mut Context<'_>,
        first: Head,
        cores: &Arc<[CoreId]>,
        gpus: &[u32],
        mut filling: Filling,
    ) -> (Head, usize, bool) {
        let lots = &mut self.lots;
        let run = self.queue.take_run(&first, |next| filling.takes(lots, &next.work.body));
        let lot = self.lots.next();
        let (mut last, mut launches, mut late) = (first, Vec::with_capacity(run.len()), Vec::new());
        for (urgency, next) in run {
            last.0 = urgency;
            if self.curfew.allows(cx.now, next.work.settings.grace) == Some(Span::ZERO) {
                // It would be cut off at once, here or whenever it came back here.
                late.push(next);
                self.is_late = true;
                continue;
            }
            // If granted twice, asking for something else each time, its parent is mistaken.
            if !self.running.contains_key(&next.key) {
                launches.push(self.launch(cx.now, next, lot, cores, gpus));
            }
        }
        self.enqueue(late);
        let out = launches.len();
        if out > 0 {
            cx.actions.push(Action::Launch(launches));
        }
        (last, out, filling.is_short())
    }

    /// An attempt is launched as one of a lot.
    fn launch(
        &mut self,
        now: Time,
        dispatch: Dispatch,
        lot: u64,
        cores: &Arc<[CoreId]>,
        gpus: &[u32],
    ) -> Launch {
        let Dispatch { key, urgency, work } = dispatch;
        let kernel = self.lots.kernel(&work.body);
        let settings = &work.settings;
        let grace = settings.grace;
        let allowed = self.curfew.allows(now, grace);
        let cut = allowed.filter(|left| settings.time_limit.is_none_or(|limit| *left < limit));
        let before = settings.warning.map_or(Span::ZERO, |warning| warning.before);
        let launch = Launch {
            key,
            node: self.seat.peer,
            time_left: cut.or(settings.time_limit),
            work: Arc::clone(&work),
            cores: Arc::clone(cores),
            gpus: gpus.to_vec(),
        };
        let cut_short = cut.map(|left| now + (left - before));
        let (abandoned, stopped) = (false, false);
        let running = Running { lot, work, urgency, kernel, abandoned, stopped, grace, cut_short };
        self.running.insert(key, running);
        launch
    }
}

/// What was launched, as it was granted.
fn as_dispatch(key: AttemptKey, Running { work, urgency, .. }: Running) -> Dispatch {
    Dispatch { key, urgency, work }
}
