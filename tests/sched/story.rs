//! A run told as a story: processes that talk over instant wires, with time, endings, deaths and
//! the disk in the teller's hands.
//!
//! Whatever is told, these hold after every step: no core runs two attempts, nothing starts
//! before its predecessors are done, no attempt is published twice, no task ends twice.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use evenkeel::model::wire::Wire;
use evenkeel::model::*;
use evenkeel::sched::{
    Action, Batch, Conclusion, Entry, Event, Forecast, Former, Frame, Machine, Process, Seat,
};

pub use crate::cast::*;

/// How long an attempt takes.
pub const TAKES: Span = Span::from_millis(1);

type Behaviour = Box<dyn FnMut(&Launch) -> Ending>;

pub struct Story {
    pub now: Time,
    seats: Vec<Seat>,
    processes: BTreeMap<PeerId, Process>,
    hung: BTreeMap<PeerId, Vec<Event>>,
    cut: BTreeSet<PeerId>,
    post: VecDeque<(PeerId, Event)>,
    behaviour: Behaviour,
    tasks: Vec<Task>,
    done: BTreeSet<TaskId>,
    appended: u64,
    turn: PeerId,
    successions: u32,
    pub slow_disk: bool,
    /// How long attempts say that they took.
    pub takes: Span,
    pub running: BTreeMap<(PeerId, AttemptKey), Launch>,
    pub launched: Vec<Launch>,
    pub stopped: Vec<AttemptKey>,
    pub journal: Vec<Entry>,
    pub published: Vec<Record>,
    /// Who has looked for a way to whom.
    pub wanted: Vec<(PeerId, PeerId)>,
    pub notes: Vec<String>,
    /// What the master says of the end, as it said it last.
    pub forecast: Forecast,
    pub left: BTreeSet<PeerId>,
    pub verdict: Option<Verdict>,
    /// Frames carried from one process to another.
    pub frames: Vec<Frame>,
}

impl Story {
    /// Subclusters of nodes with so many cores each.
    pub fn of(subclusters: &[&[u64]]) -> Story {
        Story::of_levels(&[], subclusters)
    }

    /// The same, with sub-masters above them as `sched::ancestry` tells.
    pub fn of_levels(fans: &[u32], subclusters: &[&[u64]]) -> Story {
        let nodes: Vec<Vec<Resources>> =
            subclusters.iter().map(|s| s.iter().map(|n| Resources::cores(*n)).collect()).collect();
        Story::begun(fans, &nodes.iter().map(Vec::as_slice).collect::<Vec<_>>())
    }

    /// The same, for a run that has only so much time.
    pub fn with_time(subclusters: &[&[u64]], left: Span) -> Story {
        Story::with_times(subclusters, |_| Some(left))
    }

    /// The same, where each process has a time of its own.
    pub fn with_times(subclusters: &[&[u64]], left: impl Fn(PeerId) -> Option<Span>) -> Story {
        Story::seated(subclusters, |seat| seat.time_left = left(seat.peer))
    }

    /// The same, where some stand by as long as the run may end by a time.
    pub fn with_standbys(subclusters: &[&[u64]], by: impl Fn(PeerId) -> Option<Time>) -> Story {
        Story::seated(subclusters, |seat| seat.standby = by(seat.peer))
    }

    fn seated(subclusters: &[&[u64]], change: impl FnMut(&mut Seat)) -> Story {
        let nodes: Vec<Vec<Resources>> =
            subclusters.iter().map(|s| s.iter().map(|n| Resources::cores(*n)).collect()).collect();
        let nodes: Vec<&[Resources]> = nodes.iter().map(Vec::as_slice).collect();
        let mut seats = seats(&nodes, &[], Epoch(1));
        seats.iter_mut().for_each(change);
        let mut story = Story::at(seats, Time(1_000), Vec::new());
        story.begin();
        story
    }

    /// Whoever begins now has so much time.
    pub fn allot(&mut self, left: Option<Span>) {
        self.seats.iter_mut().for_each(|seat| seat.time_left = left);
        self.processes = self.seats.iter().map(|seat| (seat.peer, Process::new(seat))).collect();
    }

    /// Subclusters of nodes with such capacities.
    pub fn with(subclusters: &[&[Resources]]) -> Story {
        Story::begun(&[], subclusters)
    }

    fn begun(fans: &[u32], subclusters: &[&[Resources]]) -> Story {
        let mut story = Story::at(seats(subclusters, fans, Epoch(1)), Time(1_000), Vec::new());
        story.begin();
        story
    }

    fn at(seats: Vec<Seat>, now: Time, journal: Vec<Entry>) -> Story {
        let processes = seats.iter().map(|seat| (seat.peer, Process::new(seat))).collect();
        Story {
            now,
            seats,
            processes,
            hung: BTreeMap::new(),
            cut: BTreeSet::new(),
            post: VecDeque::new(),
            behaviour: Box::new(|_| well()),
            tasks: Vec::new(),
            done: BTreeSet::new(),
            appended: 0,
            turn: PeerId(0),
            successions: 0,
            slow_disk: false,
            takes: TAKES,
            running: BTreeMap::new(),
            launched: Vec::new(),
            stopped: Vec::new(),
            journal,
            published: Vec::new(),
            wanted: Vec::new(),
            notes: Vec::new(),
            forecast: Forecast::default(),
            left: BTreeSet::new(),
            verdict: None,
            frames: Vec::new(),
        }
    }

    fn begin(&mut self) {
        for entry in self.journal.clone() {
            self.know(&entry);
            self.step(PeerId(0), Event::Replay(Box::new(entry)));
        }
        let peers: Vec<PeerId> = self.processes.keys().copied().collect();
        for a in &peers {
            for b in peers.iter().filter(|b| *b != a) {
                self.step(*a, Event::Up(*b));
            }
        }
        for peer in peers {
            self.step(peer, Event::Start);
        }
        self.settle();
    }

    /// A new master and new nodes that go on from the first `entries` of the journal.
    pub fn resume_after(&self, entries: usize) -> Story {
        self.resume_knowing(Former::Ended, entries)
    }

    /// The same, where that is what is known of those of the first life.
    pub fn resume_knowing(&self, former: Former, entries: usize) -> Story {
        let mut seats = self.seats.clone();
        seats.iter_mut().for_each(|seat| seat.epoch.0 += 1);
        seats.iter_mut().for_each(|seat| seat.former = former);
        let journal = self.journal[..entries].iter();
        // What is on disk is bytes.
        let reread = journal.map(|e| Entry::from_bytes(&e.to_bytes()).unwrap()).collect();
        let mut story = Story::at(seats, self.now, reread);
        story.begin();
        story
    }

    pub fn resume(&self) -> Story {
        self.resume_after(self.journal.len())
    }

    // ---- what the teller does -------------------------------------------------------------

    /// How attempts end, instead of well.
    pub fn ending(mut self, behaviour: impl FnMut(&Launch) -> Ending + 'static) -> Story {
        self.behaviour = Box::new(behaviour);
        self
    }

    /// Submits a job and says that it is whole.
    pub fn job(mut self, tasks: Vec<Task>) -> Story {
        self.submit(tasks);
        self.tell(PeerId(0), Event::Seal);
        self
    }

    pub fn submit(&mut self, tasks: Vec<Task>) {
        let ranks = vec![0; tasks.len()];
        let batch = Batch { name: "story".into(), tasks, ranks, ..Batch::default() };
        self.tell(PeerId(0), Event::Submit(Box::new(batch)));
    }

    pub fn tell(&mut self, peer: PeerId, event: Event) {
        self.post.push_back((peer, event));
        self.settle();
    }

    /// Ends one running attempt; which one must be clear from the task's name.
    pub fn end(&mut self, name: &str, ending: Ending) {
        let which = self.running.iter().find(|(_, launch)| launch.work.name == name);
        let (peer, key) = *which.unwrap_or_else(|| panic!("{name} does not run")).0;
        self.end_attempt(peer, key, ending);
        self.settle();
    }

    fn end_attempt(&mut self, peer: PeerId, key: AttemptKey, ending: Ending) {
        if self.running.remove(&(peer, key)).is_some() {
            let start = Time(self.now.0 - self.takes.0.min(self.now.0));
            let finish = Finish { key, start, end: self.now, ending };
            self.post.push_back((peer, Event::Ended(vec![finish])));
        }
    }

    /// A process and all that it runs is gone.
    pub fn kill(&mut self, peer: PeerId) {
        self.remove(peer);
        self.settle();
    }

    /// A process dies with all that it runs, and is there again at once, as another.
    pub fn restart(&mut self, peer: PeerId) {
        let mut seat = self.seats[peer.index()].clone();
        seat.incarnation.0 = self.processes[&peer].incarnation().0 + 1;
        self.remove(peer);
        self.settle();
        self.processes.insert(peer, Process::new(&seat));
        self.link(peer, Event::Up);
        self.tell(peer, Event::Start);
    }

    /// A process that has left comes again, as another.
    pub fn come_back(&mut self, peer: PeerId) {
        assert!(self.left.remove(&peer), "it has left");
        let seat = &mut self.seats[peer.index()];
        seat.incarnation.0 += 1;
        self.processes.insert(peer, Process::new(seat));
        self.link(peer, Event::Up);
        self.tell(peer, Event::Start);
    }

    /// Another process takes the run up as its master, from what was appended so far. All others
    /// learn of it.
    pub fn succeed(&mut self) -> PeerId {
        let peer = PeerId(self.seats.len() as u32);
        let mut seat = self.seats[0].clone();
        (seat.peer, seat.ancestors, seat.master) = (peer, vec![peer], peer);
        seat.subcluster = SubclusterId(peer.0);
        seat.former = Former::Orphaned;
        seat.epoch.0 += self.successions + 1;
        self.successions += 1;
        self.seats.push(seat.clone());
        // Its records are written anew.
        self.published.clear();
        self.appended = 0;
        self.processes.insert(peer, Process::new(&seat));
        for entry in self.journal.clone() {
            self.step(peer, Event::Replay(Box::new(entry)));
        }
        self.link(peer, Event::Up);
        self.tell(peer, Event::Start);
        let others: Vec<PeerId> = self.processes.keys().copied().filter(|p| *p != peer).collect();
        others.into_iter().for_each(|other| self.tell(other, Event::Master(peer, seat.epoch)));
        peer
    }

    fn remove(&mut self, peer: PeerId) {
        self.processes.remove(&peer);
        self.hung.remove(&peer);
        self.running.retain(|(at, _), _| *at != peer);
        self.post.retain(|(to, _)| *to != peer);
        for other in self.processes.keys() {
            self.post.push_back((*other, Event::Down(peer)));
        }
    }

    /// A process stands still; what is sent to it waits.
    pub fn hang(&mut self, peer: PeerId) {
        self.hung.insert(peer, Vec::new());
    }

    pub fn wake(&mut self, peer: PeerId) {
        let missed = self.hung.remove(&peer).expect("it hangs");
        self.post.extend(missed.into_iter().map(|event| (peer, event)));
        self.settle();
    }

    /// Nobody reaches the process and it reaches nobody; what is on its way is lost.
    pub fn cut(&mut self, peer: PeerId) {
        self.cut.insert(peer);
        let crosses = |to: PeerId, event: &Event| match event {
            Event::Frame { from, .. } => *from == peer || to == peer,
            _ => false,
        };
        self.post.retain(|(to, event)| !crosses(*to, event));
        self.link(peer, Event::Down);
    }

    pub fn mend(&mut self, peer: PeerId) {
        self.cut.remove(&peer);
        self.link(peer, Event::Up);
    }

    pub fn mend_all(&mut self) {
        self.wake_all();
        self.cut.clone().into_iter().for_each(|peer| self.mend(peer));
    }

    pub fn wake_all(&mut self) {
        let hung: Vec<PeerId> = self.hung.keys().copied().collect();
        hung.into_iter().for_each(|peer| self.wake(peer));
    }

    /// Whether a process lives, is awake and can be reached.
    pub fn is_there(&self, peer: PeerId) -> bool {
        self.processes.contains_key(&peer)
            && !self.hung.contains_key(&peer)
            && !self.cut.contains(&peer)
    }

    fn link(&mut self, peer: PeerId, event: impl Fn(PeerId) -> Event) {
        for other in self.processes.keys().filter(|other| **other != peer) {
            self.post.push_back((*other, event(peer)));
            self.post.push_back((peer, event(*other)));
        }
        self.settle();
    }

    /// Time passes; nobody ends anything, but what is due happens.
    pub fn pass(&mut self, span: Span) {
        let end = self.now + span;
        for _ in 0..100_000 {
            let awake = self.processes.iter().filter(|(peer, _)| !self.hung.contains_key(peer));
            let next = awake.filter_map(|(peer, p)| Some((p.deadline()?, *peer))).min();
            let Some((at, peer)) = next.filter(|(at, _)| *at <= end) else {
                self.now = end;
                return;
            };
            self.now = self.now.max(at);
            self.tell(peer, Event::Tick);
        }
        panic!("time does not pass: {:?}", self.notes);
    }

    /// Ends one attempt after the other until `enough`.
    pub fn run_until(&mut self, enough: impl Fn(&Story) -> bool) {
        if !self.run_for(100_000, enough) {
            panic!("the story does not come to its end: {:?} {:?}", self.states(), self.notes);
        }
    }

    /// The same, for so many turns at most. Whether it was enough.
    pub fn run_for(&mut self, turns: u32, enough: impl Fn(&Story) -> bool) -> bool {
        for _ in 0..turns {
            if enough(self) {
                return true;
            }
            self.pass(TAKES);
            let awake = |peer: &PeerId| !self.hung.contains_key(peer);
            let mut busy = self.running.keys().filter(|(peer, _)| awake(peer)).copied();
            let first = busy.clone().next();
            // Each node in turn.
            let next = busy.find(|(peer, _)| *peer > self.turn).or(first);
            if let Some((peer, key)) = next {
                self.turn = peer;
                let launch = self.running[&(peer, key)].clone();
                let ending = (self.behaviour)(&launch);
                self.end_attempt(peer, key, ending);
                self.settle();
            } else {
                self.pass(Span::from_millis(100));
            }
        }
        enough(self)
    }

    /// Until the master has spoken.
    pub fn finish(&mut self) -> ExitCode {
        self.run_until(|story| story.verdict.is_some());
        self.verdict.as_ref().map(|v| v.code).expect("it was waited for")
    }

    // ---- what the listener asks -----------------------------------------------------------

    /// Task, attempt and state of each published record, in order of task and attempt.
    pub fn states(&self) -> Vec<(u32, u16, State)> {
        let row = |r: &Record| (r.task.0, r.attempt.0, r.state);
        let mut rows: Vec<_> = self.published.iter().map(row).collect();
        rows.sort();
        rows
    }

    pub fn count(&self, state: State) -> usize {
        self.published.iter().filter(|r| r.state == state).count()
    }

    pub fn record(&self, name: &str) -> &Record {
        let found = self.published.iter().rev().find(|r| r.name == name);
        found.unwrap_or_else(|| panic!("no record of {name}: {:?}", self.states()))
    }

    /// The names of what runs, in order.
    pub fn busy(&self) -> Vec<&str> {
        let mut names: Vec<&str> = self.running.values().map(|l| l.work.name.as_str()).collect();
        names.sort_unstable();
        names
    }

    pub fn runs_on(&self, peer: PeerId) -> usize {
        self.running.keys().filter(|(at, _)| *at == peer).count()
    }

    pub fn seat(&self, n: usize) -> &Seat {
        &self.seats[n]
    }

    pub fn process(&self, peer: PeerId) -> &Process {
        &self.processes[&peer]
    }

    /// Every task has one final record, and there is one record an attempt.
    pub fn assert_whole(&self) {
        let mut ended: Vec<TaskId> = Vec::new();
        for record in &self.published {
            let again = with_another_try(record, &self.published);
            ended.extend((!again).then_some(record.task));
        }
        ended.sort();
        let all: Vec<TaskId> = (0..self.tasks.len() as u32).map(TaskId).collect();
        assert_eq!(ended, all, "each task ends once: {:?}", self.states());
    }

    // ---- the machinery --------------------------------------------------------------------

    /// Delivers until nothing is on its way.
    pub fn settle(&mut self) {
        for _ in 0..1_000_000 {
            let Some((peer, event)) = self.post.pop_front() else { return };
            match self.hung.get_mut(&peer) {
                Some(missed) => missed.push(event),
                None => self.step(peer, event),
            }
        }
        panic!("the processes talk without end: {:?}", self.notes);
    }

    fn step(&mut self, peer: PeerId, event: Event) {
        let Some(process) = self.processes.get_mut(&peer) else { return };
        let mut actions = Vec::new();
        process.step(self.now, event, &mut actions);
        process.step(self.now, Event::Flush, &mut actions);
        actions.into_iter().for_each(|action| self.act(peer, action));
        if self.left.contains(&peer) && (peer != PeerId(0) || self.successions > 0) {
            self.remove(peer);
        }
    }

    fn act(&mut self, peer: PeerId, action: Action) {
        match action {
            Action::Send { to, frame } => {
                if !self.cut.contains(&peer) && !self.cut.contains(&to) {
                    let frame = Frame::from_bytes(&frame.to_bytes()).expect("it was just written");
                    self.frames.push(frame.clone());
                    self.post.push_back((to, Event::Frame { from: peer, frame }));
                }
            }
            Action::Append(entry) => {
                self.know(&entry);
                self.journal.push(entry);
                self.appended += 1;
                if !self.slow_disk {
                    self.post.push_back((peer, Event::Durable(self.appended)));
                }
            }
            Action::Launch(launches) => launches.into_iter().for_each(|l| self.launch(peer, l)),
            Action::Stop { key, .. } => {
                self.stopped.push(key);
                self.end_attempt(peer, key, Ending::new(Exit::Signal(15), None));
            }
            Action::StopAll => {
                let keys: Vec<_> = self.running.keys().filter(|(at, _)| *at == peer).collect();
                for (_, key) in keys.into_iter().copied().collect::<Vec<_>>() {
                    self.end_attempt(peer, key, Ending::new(Exit::Signal(9), None));
                }
            }
            Action::Publish(records) => records.into_iter().for_each(|r| self.publish(r)),
            Action::Note(text) => self.notes.push(text),
            Action::Finish(verdict) => {
                assert!(self.verdict.is_none(), "a run ends once");
                self.verdict = Some(verdict);
            }
            Action::Leave => {
                self.left.insert(peer);
            }
            Action::Reach(other) => self.wanted.push((peer, other)),
            Action::Foretell(forecast) => self.forecast = forecast,
            // All have begun.
            Action::Withdraw(_) => {}
        }
    }

    /// Everything that was appended reaches the disk.
    pub fn sync(&mut self) {
        self.tell(PeerId(0), Event::Durable(self.appended));
    }

    fn know(&mut self, entry: &Entry) {
        match entry {
            Entry::Submitted(batch) => self.tasks.extend(batch.tasks.iter().cloned()),
            Entry::Ended(endings) => endings.iter().for_each(|ended| self.know_end(ended)),
            _ => {}
        }
    }

    fn know_end(&mut self, Conclusion { record, added }: &Conclusion) {
        if record.state == State::Done {
            assert!(self.done.insert(record.task), "{} was done twice", record.task);
        }
        let first = self.tasks.len() as u32;
        for Addition { task, siblings } in added.clone() {
            self.tasks.push(task.after(siblings.iter().map(|n| TaskId(first + n))));
        }
    }

    fn launch(&mut self, peer: PeerId, launch: Launch) {
        let task = &self.tasks[launch.key.task.index()];
        for Dependency { task: before, .. } in &task.after {
            assert!(self.done.contains(before), "{} starts before {before} is done", launch.key);
        }
        let order: Vec<TaskId> = task.after.iter().map(|d| d.task).collect();
        assert_eq!(launch.work.inputs.iter().map(|(id, _)| *id).collect::<Vec<_>>(), order);
        assert!(!launch.cores.is_empty());
        for other in self.running.iter().filter(|((at, _), _)| *at == peer).map(|(_, l)| l) {
            // Short ones come after each other on the same cores.
            let shared = other.cores.iter().any(|core| launch.cores.contains(core));
            assert!(
                !shared || other.cores == launch.cores,
                "{} and {} share a core",
                other.key,
                launch.key
            );
        }
        self.launched.push(launch.clone());
        self.running.insert((peer, launch.key), launch);
    }

    fn publish(&mut self, record: Record) {
        let same = |r: &Record| (r.task, r.attempt) == (record.task, record.attempt);
        assert!(!self.published.iter().any(same), "{} {} twice", record.task, record.attempt);
        self.published.push(record);
    }
}

/// Whether the task of `record` was tried again after it.
fn with_another_try(record: &Record, all: &[Record]) -> bool {
    let later = |r: &Record| r.task == record.task && r.attempt > record.attempt;
    let cancelled = |r: &Record| r.task == record.task && r.attempt.0 == 0;
    record.attempt.0 > 0 && all.iter().any(|r| later(r) || cancelled(r))
}
