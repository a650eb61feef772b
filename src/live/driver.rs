//! The loop, and what feeds it.

use std::sync::Arc;
use std::time::Instant;

use crossbeam::channel::{self, Receiver, Sender};

use super::Recorder;
use super::doubts::Doubts;
use super::log::{Entries, Log};
use crate::comm::{Incoming, Transport, Waker};
use crate::exec::{Executor, Report};
use crate::host::{Clock, Preference};
use crate::model::wire::Wire;
use crate::model::{PeerId, Record, Span, Time, Verdict};
use crate::sched::{Action, Event, Forecast, Frame, Machine, Process, Seat};
use crate::store::{Commit, Journal, StoreError};

/// So many events are taken in before what they caused is sent, at most.
const BURST: usize = 256;

/// Who has stood still for so long may have been taken for dead: well before a standby does that.
const DOUBT: Span = Span::from_secs(10);

/// What comes in from the threads of this process.
#[derive(Debug)]
pub enum Input {
    /// For the protocol.
    Event(Event),
    /// The journal has trouble, and keeps trying unless it was taken over.
    Trouble(StoreError),
    /// Stop at once and say goodbye to nobody, as if the process had been killed.
    Kill,
}

/// What a run tells whoever watches it, as it happens.
#[derive(Debug)]
pub enum Notice {
    /// Attempts ended, or tasks were cancelled. They are durable.
    Records(Vec<Record>),
    /// The records that became final together have all been told.
    Told,
    /// A sentence for the user.
    Note(String),
    /// How it looks, now and then, and whenever somebody comes to stand by or does so no more.
    Forecast(Forecast),
}

/// How the loop ended.
#[derive(Clone, Debug, PartialEq)]
pub enum Ended {
    /// The run is over; the process that holds the master says how.
    Finished(Verdict),
    /// This process was not needed any more.
    Left,
    /// It was killed by [`Input::Kill`].
    Killed,
    /// The folder of its journal was taken over: another process goes on with the run.
    TakenOver,
}

/// Reaches the loop from other threads.
#[derive(Clone, Debug)]
pub struct Control {
    inputs: Sender<Input>,
    waker: Waker,
}

impl Control {
    /// Hands in an input. After the loop has ended this does nothing.
    pub fn post(&self, input: Input) {
        if self.inputs.send(input).is_ok() {
            self.waker.wake();
        }
    }

    /// What an executor's reports become.
    pub fn report(&self, report: Report) {
        self.post(Input::Event(match report {
            Report::Started { .. } => return,
            Report::Ended(finishes) => Event::Ended(finishes),
            Report::Withdrawn(launches) => Event::Withdrawn(launches),
        }));
    }

    /// What a journal's commits become.
    pub fn commit(&self, commit: Commit) {
        self.post(match commit {
            Commit::Durable(upto) => Input::Event(Event::Durable(upto)),
            Commit::Failed { error } => Input::Trouble(error),
        });
    }
}

/// Looks for a way to a peer.
pub type Reach = Box<dyn FnMut(PeerId) + Send>;

/// One process of a run, with all that it acts through.
pub struct Driver<T> {
    process: Process,
    transport: T,
    clock: Clock,
    inputs: Receiver<Input>,
    executor: Executor,
    journal: Option<Log>,
    recorder: Option<Recorder>,
    notify: Arc<dyn Fn(Notice) + Send + Sync>,
    reach: Option<Reach>,
    /// Entries appended while there is no journal: they count as durable at once.
    appended: u64,
    /// When it last did something.
    acted: Time,
    /// What keeps the journal from being written, as it was told last.
    trouble: Option<String>,
    doubts: Doubts,
    actions: Vec<Action>,
    ended: Option<Ended>,
}

/// The inputs of a driver, before it exists: executor and journal have to be given the
/// [`Control`] first.
#[derive(Debug)]
pub struct Inbox {
    inputs: Receiver<Input>,
}

impl<T: Transport> Driver<T> {
    /// What other threads reach a driver by that will use `transport`.
    #[must_use]
    pub fn control(transport: &T) -> (Control, Inbox) {
        let (sender, inputs) = channel::unbounded();
        (Control { inputs: sender, waker: transport.waker() }, Inbox { inputs })
    }

    /// The process at `seat`, acting through `executor` and `transport`; the `clock` must be the
    /// one of the executor. Without a `journal` nothing is durable, and nothing waits for it.
    pub fn new(
        seat: &Seat,
        transport: T,
        inbox: Inbox,
        clock: Clock,
        executor: Executor,
        notify: Arc<dyn Fn(Notice) + Send + Sync>,
    ) -> Driver<T> {
        Driver {
            process: Process::new(seat),
            transport,
            clock,
            inputs: inbox.inputs,
            executor,
            journal: None,
            recorder: None,
            notify,
            reach: None,
            appended: 0,
            acted: clock.now(),
            trouble: None,
            doubts: Doubts::default(),
            actions: Vec::new(),
            ended: None,
        }
    }

    /// The same, with a journal.
    #[must_use]
    pub fn with_journal(mut self, journal: Option<Journal<Entries>>) -> Self {
        self.journal = journal.map(Log::new);
        self
    }

    /// The same, with something that finds ways to peers that the transport does not reach by itself.
    #[must_use]
    pub fn with_reach(mut self, reach: Option<Reach>) -> Self {
        self.reach = reach;
        self
    }

    /// The same, with all that goes in and comes out written down.
    #[must_use]
    pub fn with_recorder(mut self, recorder: Option<Recorder>) -> Self {
        self.recorder = recorder;
        self
    }

    /// Runs until the process is not needed any more. Everything that it runs is ended then. The
    /// transport comes back: dropping it is the last that others hear of this process.
    pub fn drive(mut self) -> (Ended, T) {
        let _preference = Preference::of_this_thread();
        while self.ended.is_none() {
            self.take_what_is_there();
            if self.ended.is_none() {
                self.step(Event::Flush);
            }
            if self.ended.is_none() {
                self.wait();
            }
        }
        if !matches!(self.ended, Some(Ended::Killed | Ended::TakenOver)) {
            self.step(Event::Flush);
        }
        self.executor.abort();
        let closed = self.journal.take().map_or(Ok(()), Log::close);
        if let (Err(error), false) = (closed, self.ended == Some(Ended::TakenOver)) {
            (self.notify)(Notice::Note(format!("the journal: {error}")));
        }
        (self.ended.unwrap_or(Ended::Left), self.transport)
    }

    /// Takes in what is at hand, up to a burst, so that what it causes is sent together.
    fn take_what_is_there(&mut self) {
        if self.doubts.next().is_some() {
            let settled = self.doubts.settled(Instant::now());
            settled.into_iter().for_each(|event| self.take_event(event));
        }
        for _ in 0..BURST {
            if self.ended.is_some() {
                return;
            }
            if let Ok(input) = self.inputs.try_recv() {
                self.take(input);
            } else if let Some(incoming) = self.transport.receive(Some(Instant::now())) {
                self.hear(incoming);
            } else {
                return;
            }
        }
    }

    fn wait(&mut self) {
        // More than a burst came in, perhaps with a single word that something did.
        if !self.inputs.is_empty() {
            return;
        }
        let until = self.process.deadline().map(|deadline| self.clock.instant(deadline));
        let until = until.into_iter().chain(self.doubts.next()).min();
        match self.transport.receive(until) {
            Some(incoming) => self.hear(incoming),
            None => self.step(Event::Tick),
        }
    }

    fn take(&mut self, input: Input) {
        match input {
            Input::Event(event) => {
                let certain = self.doubts.sift(event, Instant::now());
                certain.into_iter().for_each(|event| self.take_event(event));
            }
            // It can never again say that something is durable, nor should it run anything.
            Input::Trouble(StoreError::TakenOver(_)) => self.ended = Some(Ended::TakenOver),
            Input::Trouble(error @ StoreError::TooLong { .. }) => {
                self.note(format!("the run cannot go on: {error}"));
                self.ended = Some(Ended::Killed);
            }
            Input::Trouble(error) => {
                // It is tried every second.
                let trouble = Some(error.to_string());
                if self.trouble != trouble {
                    self.note(format!("the run waits for the journal: {error}"));
                    self.trouble = trouble;
                }
            }
            Input::Kill => self.ended = Some(Ended::Killed),
        }
    }

    fn take_event(&mut self, event: Event) {
        match &event {
            Event::Durable(_) if self.trouble.take().is_some() => {
                self.note("the journal is written again, and the run goes on".to_owned());
            }
            _ => {}
        }
        self.step(event);
    }

    fn hear(&mut self, incoming: Incoming) {
        match incoming {
            Incoming::Up(peer) => self.step(Event::Up(peer)),
            Incoming::Down(peer) => self.step(Event::Down(peer)),
            Incoming::Ended(peer) => self.step(Event::Dead(peer)),
            Incoming::Woken => {}
            Incoming::Frame { from, bytes } => match Frame::from_bytes(&bytes) {
                Ok(frame) => self.step(Event::Frame { from, frame }),
                Err(error) => self.note(format!("from {from} came a {error}; it is ignored")),
            },
        }
    }

    fn note(&self, text: String) {
        (self.notify)(Notice::Note(text));
    }

    /// Whether it may still act for its run. One that hung sees that nobody else does before it goes on
    /// as if nothing had happened.
    fn has_mandate(&mut self, now: Time) -> bool {
        let stood_still = now.since(std::mem::replace(&mut self.acted, now)) > DOUBT;
        let lost = stood_still && self.journal.as_ref().is_some_and(|journal| !journal.is_ours());
        if lost {
            self.ended = Some(Ended::TakenOver);
        }
        !lost
    }

    fn step(&mut self, event: Event) {
        let now = self.clock.now();
        if !self.has_mandate(now) {
            return;
        }
        let recorded = self.recorder.is_some().then(|| event.clone());
        self.process.step(now, event, &mut self.actions);
        let mut actions = std::mem::take(&mut self.actions);
        if let (Some(recorder), Some(event)) = (&mut self.recorder, &recorded)
            && let Err(error) = recorder.write(now, event, &actions)
        {
            self.recorder = None;
            self.note(format!("recording ends: {error}"));
        }
        let (mut appended, mut published) = (false, false);
        for action in actions.drain(..) {
            appended |= matches!(action, Action::Append(_));
            published |= matches!(action, Action::Publish(_));
            self.act(action);
        }
        // Empty, but with the memory that it has grown to.
        self.actions = actions;
        if published {
            (self.notify)(Notice::Told);
        }
        if appended && self.journal.is_none() {
            self.step(Event::Durable(self.appended));
        }
    }

    fn act(&mut self, action: Action) {
        match action {
            Action::Send { to, frame } => self.transport.send(to, frame.to_bytes()),
            Action::Append(entry) => {
                self.appended += 1;
                if let Some(journal) = &mut self.journal {
                    journal.append(entry);
                }
            }
            Action::Launch(launches) => self.executor.launch_all(launches),
            Action::Withdraw(keys) => self.executor.withdraw(&keys),
            Action::Stop { key, grace } => {
                self.doubts.stop(key);
                self.executor.stop(key, grace);
            }
            // Nobody wants to know how any of it ends.
            Action::StopAll => self.executor.stop_all(Span::ZERO),
            Action::Publish(records) => (self.notify)(Notice::Records(records)),
            Action::Note(text) => self.note(text),
            Action::Foretell(forecast) => (self.notify)(Notice::Forecast(forecast)),
            Action::Finish(verdict) => self.ended = Some(Ended::Finished(verdict)),
            Action::Reach(peer) => {
                if let Some(reach) = &mut self.reach {
                    reach(peer);
                }
            }
            Action::Leave => {
                self.ended.get_or_insert(Ended::Left);
            }
        }
    }
}
