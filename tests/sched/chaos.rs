//! Random events: what makes no sense must do no harm, and whatever happens a run ends whole.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use evenkeel::model::*;
use evenkeel::sched::*;
use proptest::prelude::*;

use crate::story::*;

fn key() -> impl Strategy<Value = AttemptKey> {
    (0u32..2, 0u32..6, 0u16..4).prop_map(|(job, task, attempt)| AttemptKey {
        job: JobId(job / 2),
        task: TaskId(task),
        attempt: Attempt(attempt),
        epoch: Epoch(1),
    })
}

fn peer() -> impl Strategy<Value = PeerId> {
    (0u32..5).prop_map(PeerId)
}

fn hello(n: u32) -> HelloNumber {
    HelloNumber { incarnation: Incarnation(n), number: 1, carried: u64::from(n) }
}

fn span() -> impl Strategy<Value = Span> {
    prop_oneof![(0u64..9_000).prop_map(Span::from_millis), Just(Span(u64::MAX))]
}

fn time() -> impl Strategy<Value = Time> {
    span().prop_map(|span| Time(span.0))
}

fn capacity() -> impl Strategy<Value = Resources> {
    prop_oneof![(0u64..5).prop_map(Resources::cores), Just(Resources::cores(u64::MAX))]
}

fn member() -> impl Strategy<Value = Member> {
    let standby = prop_oneof![3 => Just(None), 1 => time().prop_map(Some)];
    (peer(), 0u32..3, capacity(), standby).prop_map(|(node, incarnation, capacity, standby)| {
        Member {
            node,
            hello: hello(incarnation),
            subcluster: SubclusterId(incarnation),
            host: "h".into(),
            capacity,
            apart: true,
            standby,
        }
    })
}

fn addition() -> impl Strategy<Value = Addition> {
    (0u32..9, 0u32..3, 0u64..3).prop_map(|(after, sibling, cores)| Addition {
        task: task("added").after([TaskId(after)]).cores(cores),
        siblings: vec![sibling],
    })
}

fn ending() -> impl Strategy<Value = Ending> {
    (0i32..2, prop::collection::vec(addition(), 0..3))
        .prop_map(|(code, added)| Ending { added, ..Ending::new(Exit::Code(code), None) })
}

fn noop(cores: u64) -> Arc<Work> {
    let body = Body::Kernel { name: "noop".into(), args: Value::Unit };
    let request = Arc::new(Request::of(Resources::cores(cores)));
    Arc::new(Work { request, ..Work::new("noop", body) })
}

fn dispatch() -> impl Strategy<Value = Dispatch> {
    (key(), 0u64..6, 0u64..3).prop_map(|(key, cores, rank)| Dispatch {
        key,
        urgency: Urgency::new(0, rank, key.job, key.task),
        work: noop(cores),
    })
}

fn completion() -> impl Strategy<Value = Completion> {
    (key(), peer(), time(), ending()).prop_map(|(key, node, at, ending)| Completion {
        key,
        node,
        cores: [CoreId(0)].into(),
        start: at,
        end: at,
        clock: Span::ZERO,
        ending,
        recalled: false,
    })
}

fn message() -> impl Strategy<Value = Message> {
    let keys = || prop::collection::vec(key(), 0..4);
    let renewal = || {
        (time(), time(), span(), span()).prop_map(|(asked, now, error, lease)| Renewal {
            asked,
            now,
            error,
            lease,
        })
    };
    let held = || {
        (key(), 0u64..6, prop::option::of(peer())).prop_map(|(key, cores, by)| Held {
            key,
            request: Arc::new(Request::of(Resources::cores(cores))),
            by,
        })
    };
    let holding = move || prop::collection::vec(held(), 0..4);
    let nodes = || prop::collection::vec(peer(), 0..3);
    prop_oneof![
        (time(), prop::collection::vec(member(), 0..3), holding())
            .prop_map(|(asked, members, holding)| { Message::Hello { asked, members, holding } }),
        time().prop_map(|asked| Message::Renew { asked }),
        (prop::collection::vec(member(), 0..3), nodes(), holding())
            .prop_map(|(joined, left, holding)| Message::Members { joined, left, holding }),
        (nodes(), keys()).prop_map(|(nodes, refused)| Message::Accepted { nodes, refused }),
        (peer(), 0u32..3, keys())
            .prop_map(|(node, n, holding)| { Message::Moved { node, hello: hello(n), holding } }),
        prop::collection::vec(completion(), 0..4).prop_map(Message::Done),
        (keys(), peer(), any::<bool>()).prop_map(|(keys, node, silent)| {
            Message::Lost(keys.into_iter().map(|key| Lost { key, node, silent }).collect())
        }),
        (keys(), span(), nodes()).prop_map(|(keys, until, nodes)| Message::Adrift {
            keys,
            until,
            nodes
        }),
        prop::collection::vec(dispatch(), 0..4).prop_map(Message::Returned),
        Just(Message::Goodbye),
        renewal().prop_map(Message::Welcome),
        renewal().prop_map(Message::Renewed),
        prop::collection::vec(dispatch(), 0..6).prop_map(Message::Grant),
        (any::<u32>(), prop::collection::vec(capacity(), 0..3))
            .prop_map(|(count, shapes)| Message::Recall { count, shapes }),
        keys().prop_map(|keys| Message::Cancel { keys, grace: None }),
        Just(Message::Drain),
        prop::collection::vec(peer(), 0..3).prop_map(Message::BringIn),
        peer().prop_map(Message::DrainNode),
        Just(Message::Dismiss),
        Just(Message::Farewell),
    ]
}

fn role() -> impl Strategy<Value = Role> {
    prop_oneof![Just(Role::Master), Just(Role::SubMaster), Just(Role::Node)]
}

fn entry() -> impl Strategy<Value = Entry> {
    let record = (key(), 0usize..4).prop_map(|(key, state)| {
        let states = [State::Done, State::Failed, State::Lost, State::Cancelled];
        Record::new(key, states[state])
    });
    let ended = (record, prop::collection::vec(addition(), 0..2))
        .prop_map(|(record, added)| Conclusion { record, added });
    let keys = || prop::collection::vec(key(), 0..4);
    prop_oneof![
        batch().prop_map(|batch| Entry::Submitted(batch.into())),
        Just(Entry::Sealed),
        (keys(), any::<bool>()).prop_map(|(keys, outlive)| Entry::Granted { keys, outlive }),
        keys().prop_map(Entry::Returned),
        prop::collection::vec((0u32..6).prop_map(TaskId), 0..4).prop_map(Entry::Unwanted),
        prop::collection::vec(ended, 0..3).prop_map(|endings| Entry::Ended(endings.into())),
    ]
}

fn batch() -> impl Strategy<Value = Batch> {
    let one = (prop::option::of(0u32..6), 0u64..5, 0u16..2);
    (prop::collection::vec(one, 0..5), 0usize..20).prop_map(|(tasks, wrong)| Batch {
        ranks: vec![1; tasks.len() + usize::from(wrong == 0)],
        tasks: tasks
            .into_iter()
            .map(|(after, cores, retries)| {
                with_retries(task("t"), retries).after(after.map(TaskId)).cores(cores)
            })
            .collect(),
        ..Batch::default()
    })
}

#[derive(Clone, Debug)]
enum Move {
    /// An event as it is.
    Event(Event),
    /// The next frame of a session that the peer keeps well, from its incarnation 1 or 2.
    Says(PeerId, Incarnation, Vec<Envelope>),
    /// One of the attempts that run ends.
    Ends(usize, Ending),
    /// So many more of the entries that were appended are on disk.
    Synced(u64),
    /// Time passes.
    Passes(Span),
}

fn envelopes() -> impl Strategy<Value = Vec<Envelope>> {
    let one = (role(), role(), message());
    let one = one.prop_map(|(from, to, message)| Envelope { from, to, message });
    prop::collection::vec(one, 0..4)
}

fn frame() -> impl Strategy<Value = Frame> {
    let head = (6u64..8, 0u32..3, 0u32..4, 0u32..3, any::<bool>(), 0u64..4, 0u64..4);
    (head, envelopes()).prop_map(|((run, epoch, from, to, refused, seq, ack), envelopes)| Frame {
        run: RunId(run),
        epoch: Epoch(epoch),
        from: Incarnation(from),
        to: Incarnation(to),
        refused,
        seq,
        ack,
        envelopes: envelopes.into(),
    })
}

fn ended(key: AttemptKey, at: Time, ending: Ending) -> Event {
    Event::Ended(vec![Finish { key, start: at, end: at, ending }])
}

fn one_move() -> impl Strategy<Value = Move> {
    let plain = prop_oneof![
        Just(Event::Start),
        Just(Event::Seal),
        Just(Event::Interrupt),
        Just(Event::Drain),
        Just(Event::Flush),
        Just(Event::Tick),
        peer().prop_map(Event::Up),
        peer().prop_map(Event::Down),
        peer().prop_map(Event::Dead),
        (peer(), 0u32..4).prop_map(|(peer, epoch)| Event::Master(peer, Epoch(epoch))),
        prop::collection::vec(0u32..8, 0..4)
            .prop_map(|ids| Event::Cancel(ids.into_iter().map(TaskId).collect())),
        (key(), time(), ending()).prop_map(|(key, at, ending)| ended(key, at, ending)),
        (peer(), frame()).prop_map(|(from, frame)| Event::Frame { from, frame }),
    ];
    prop_oneof![
        4 => plain.prop_map(Move::Event),
        3 => batch().prop_map(|b| Move::Event(Event::Submit(Box::new(b)))),
        8 => (peer(), 1u32..3, envelopes()).prop_map(|(p, i, e)| Move::Says(p, Incarnation(i), e)),
        4 => (any::<usize>(), ending()).prop_map(|(which, ending)| Move::Ends(which, ending)),
        2 => (0u64..4).prop_map(Move::Synced),
        2 => span().prop_map(|s| Move::Passes(Span(s.0.min(20_000_000_000)))),
    ]
}

/// A process, and what it has said so far.
struct Watched {
    process: Process,
    now: Time,
    seqs: BTreeMap<(PeerId, Incarnation, Incarnation), u64>,
    running: BTreeMap<AttemptKey, Arc<[CoreId]>>,
    published: BTreeSet<(TaskId, Attempt)>,
    appended: u64,
    synced: u64,
    finished: bool,
    replayed: bool,
}

const CORES: u32 = 3;

impl Watched {
    fn new(me: u32, sub_master: u32, master: u32) -> Watched {
        let seat = Seat {
            run: RunId(7),
            peer: PeerId(me),
            incarnation: Incarnation(1),
            epoch: Epoch(1),
            subcluster: SubclusterId(0),
            ancestors: vec![PeerId(sub_master)],
            master: PeerId(master),
            host: "h".into(),
            topology: Topology::flat(CORES),
            capacity: Resources::cores(u64::from(CORES)),
            lease: LEASE,
            wait_for_nodes: PATIENCE,
            reattach: REATTACH,
            time_left: None,
            apart: true,
            standby: None,
            former: Former::Silent,
        };
        Watched {
            process: Process::new(&seat),
            now: Time(1),
            seqs: BTreeMap::new(),
            running: BTreeMap::new(),
            published: BTreeSet::new(),
            appended: 0,
            synced: 0,
            finished: false,
            replayed: false,
        }
    }

    fn make(&mut self, one: Move) {
        let event = match one {
            Move::Event(event) => event,
            Move::Says(from, incarnation, envelopes) => self.said(from, incarnation, envelopes),
            Move::Ends(which, ending) => {
                let n = self.running.len().max(1);
                let Some(key) = self.running.keys().nth(which % n).copied() else { return };
                ended(key, self.now, ending)
            }
            Move::Synced(n) => {
                self.synced = (self.synced + n).min(self.appended);
                Event::Durable(self.synced)
            }
            Move::Passes(span) => {
                self.now += span;
                Event::Tick
            }
        };
        if let Event::Ended(finishes) = &event {
            finishes.iter().for_each(|finish| _ = self.running.remove(&finish.key));
        }
        let mut actions = Vec::new();
        self.process.step(self.now, event, &mut actions);
        actions.into_iter().for_each(|action| self.watch(action));
    }

    fn said(&mut self, from: PeerId, incarnation: Incarnation, said: Vec<Envelope>) -> Event {
        let to = self.process.incarnation();
        let seq = self.seqs.entry((from, incarnation, to)).or_default();
        *seq += 1;
        let frame = Frame {
            run: RunId(7),
            epoch: Epoch(1),
            from: incarnation,
            to,
            refused: false,
            seq: *seq,
            ack: 0,
            envelopes: said.into(),
        };
        Event::Frame { from, frame }
    }

    fn launch(&mut self, launch: Launch) {
        assert!(!launch.cores.is_empty());
        assert!(launch.cores.iter().all(|core| core.0 < CORES), "no such core");
        // Short ones come after each other on the same cores.
        let others = self.running.values().filter(|cores| **cores != launch.cores);
        let taken: Vec<CoreId> = others.flat_map(|cores| cores.iter().copied()).collect();
        assert!(launch.cores.iter().all(|core| !taken.contains(core)), "granted twice");
        let before = self.running.insert(launch.key, launch.cores);
        assert!(before.is_none(), "{} runs already", launch.key);
    }

    fn watch(&mut self, action: Action) {
        match action {
            Action::Append(_) => self.appended += 1,
            Action::Launch(launches) => launches.into_iter().for_each(|l| self.launch(l)),
            Action::Publish(records) if !self.replayed => {
                for record in records {
                    let new = self.published.insert((record.task, record.attempt));
                    assert!(new, "{} {} twice", record.task, record.attempt);
                }
            }
            Action::Finish(_) => {
                assert!(!self.finished, "it ends once");
                self.finished = true;
            }
            _ => {}
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn no_event_makes_a_process_panic_or_break_its_word(
        seat in prop::sample::select(vec![(0, 0, 0), (1, 1, 0), (2, 1, 0), (2, 0, 0)]),
        journal in prop::collection::vec(entry(), 0..6),
        moves in prop::collection::vec(one_move(), 1..60),
    ) {
        let (me, sub_master, master) = seat;
        let mut watched = Watched::new(me, sub_master, master);
        watched.replayed = !journal.is_empty();
        for entry in journal {
            watched.make(Move::Event(Event::Replay(Box::new(entry))));
        }
        watched.make(Move::Event(Event::Start));
        moves.into_iter().for_each(|one| watched.make(one));
    }
}

#[test]
fn what_is_granted_twice_with_different_needs_runs_once() {
    let dispatch = |cores| Dispatch {
        key: AttemptKey { job: JobId(0), task: TaskId(0), attempt: Attempt(1), epoch: Epoch(1) },
        urgency: Urgency::new(0, 0, JobId(0), TaskId(0)),
        work: noop(cores),
    };
    let mut watched = Watched::new(1, 1, 0);
    watched.make(Move::Event(Event::Start));
    let said = |message| Envelope { from: Role::Master, to: Role::SubMaster, message };
    let lease = Span::from_secs(3600);
    let renewal = Renewal { asked: Time::ZERO, now: Time::ZERO, error: Span::ZERO, lease };
    let grant = Message::Grant(vec![dispatch(0), dispatch(1)]);
    let welcome = said(Message::Welcome(renewal));
    watched.make(Move::Says(PeerId(0), Incarnation(1), vec![welcome, said(grant)]));
    // The second is looked at when the first has its cores already.
    watched.make(Move::Event(Event::Start));
    assert_eq!(watched.running.len(), 1);
}

#[derive(Clone, Debug)]
pub(crate) enum Fate {
    Runs(usize),
    Passes(u64),
    Kill(u32),
    Hang(u32),
    Wake,
    Cut(u32),
    Mend,
    Cancel(u32),
    Drain(u32),
}

pub(crate) fn fate() -> impl Strategy<Value = Fate> {
    prop_oneof![
        6 => (1usize..6).prop_map(Fate::Runs),
        3 => (1u64..6_000).prop_map(Fate::Passes),
        1 => (1u32..6).prop_map(Fate::Kill),
        2 => (1u32..6).prop_map(Fate::Hang),
        2 => Just(Fate::Wake),
        2 => (1u32..6).prop_map(Fate::Cut),
        2 => Just(Fate::Mend),
        1 => (0u32..40).prop_map(Fate::Cancel),
        1 => (1u32..6).prop_map(Fate::Drain),
    ]
}

/// Layers of four tasks, each waiting for two of the layer before.
pub(crate) fn layers() -> Vec<Task> {
    let before = |i: u32| [i, (i / 4) * 4 + (i + 1) % 4].map(|j| TaskId(j.wrapping_sub(4)));
    let one = |i: u32| {
        let after = if i < 4 { Vec::new() } else { before(i).to_vec() };
        with_retries(task(&i.to_string()), 1).after(after).cores(1 + u64::from(i.is_multiple_of(5)))
    };
    (0..40).map(one).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

    #[test]
    fn whatever_happens_a_run_ends_whole(
        fates in prop::collection::vec(fate(), 1..30),
        interrupted: bool,
        torn in 0usize..5,
    ) {
        let mut story = Story::of(&[&[2, 2], &[2, 2], &[2, 1]]).job(layers());
        for fate in fates {
            story.suffer(fate);
        }
        story.mend_all();
        if interrupted {
            story.tell(node(0), Event::Interrupt);
            let code = story.finish();
            prop_assert!(code <= ExitCode::TaskFailed || code == ExitCode::Interrupted);
            story = story.resume_after(story.journal.len().saturating_sub(torn).max(3));
        }
        let code = story.finish();
        prop_assert!(code <= ExitCode::TaskFailed, "{:?}", story.verdict);
        story.assert_whole();
    }
}

impl Story {
    pub(crate) fn suffer(&mut self, fate: Fate) {
        if self.verdict.is_some() {
            return;
        }
        let there = |story: &Story, n: u32| story.is_there(node(n));
        match fate {
            Fate::Runs(n) => {
                let enough = self.published.len() + n;
                // It may be that nothing can end before time passes.
                self.run_for(50, |s| s.published.len() >= enough || s.verdict.is_some());
            }
            Fate::Passes(millis) => self.pass(Span::from_millis(millis)),
            Fate::Kill(n) if there(self, n) => self.kill(node(n)),
            Fate::Hang(n) if there(self, n) => self.hang(node(n)),
            Fate::Wake => self.wake_all(),
            Fate::Cut(n) if there(self, n) => self.cut(node(n)),
            Fate::Mend => self.mend_all(),
            Fate::Cancel(n) => self.tell(node(0), Event::Cancel(vec![TaskId(n)])),
            Fate::Drain(n) if there(self, n) => self.tell(node(n), Event::Drain),
            _ => {}
        }
    }
}
