//! A run in real time: its nodes are threads of this process, or ranks of which it is the first.

use std::path::Path;
use std::sync::Arc;
use std::thread::{self, JoinHandle};

use super::collect::Collector;
use super::crew::{Crew, Posting};
use super::files::{self, RecordFile};
use super::former;
use super::layout::{Layout, Numbers, Site, Terms};
use super::links::{self, Before, Gate, Watch};
use super::outcome::Done;
use super::past::{self, Past};
use super::ranks::World;
use super::roster::{Reception, Roster};
use super::{Options, Outcome, RunError, check};
use crate::comm::{Renumbered, Transport, channel};
use crate::exec::Registry;
use crate::host::Clock;
use crate::live::{Control, Driver, Ended, Entries, Input, Notice};
use crate::model::wire::Wire;
use crate::model::{
    Epoch, Graph, Job, NodeInfo, PeerId, ResourceNames, Span, SubclusterId, TaskId,
};
use crate::policy;
use crate::sched::{self, Batch, Entry, Event, Former, Part, RunId, Seat};
use crate::store::{Journal, Recovered, RunFolder, StoreError};

/// A run that goes on. Dropping it kills it, as a crash would.
pub struct Run {
    controls: Vec<Control>,
    threads: Vec<JoinHandle<Left>>,
    collector: Arc<Collector>,
    /// The number of the first node, which is that of the master.
    first: PeerId,
    roster: Arc<Roster>,
    name: String,
    graph: Graph,
    folder: Option<Arc<RunFolder>>,
    /// What writes down who came to the run.
    clerk: Option<JoinHandle<()>>,
}

/// What a process leaves when it has ended: how it did, and, if it had the verdict, its end of the
/// network. Leaving that may take a while, and comes after the verdict is written down.
type Left = (Ended, Option<Box<dyn Transport>>);

/// Reaches a run from other threads, a signal handler's among them. After the run has ended it
/// does nothing.
#[derive(Clone)]
pub struct RunHandle {
    controls: Arc<[Control]>,
    first: PeerId,
}

impl RunHandle {
    fn master(&self, event: Event) {
        self.controls[0].post(Input::Event(event));
    }

    /// Ends the run in an orderly way: nothing is started, what runs is finished, and the run
    /// can be resumed. A second call does not wait for what runs.
    pub fn interrupt(&self) {
        self.master(Event::Interrupt);
    }

    /// Cancels tasks that have not ended, and all that wait for them.
    pub fn cancel(&self, tasks: Vec<TaskId>) {
        self.master(Event::Cancel(tasks));
    }

    /// A node, or a whole subcluster, gives back what it has not started, finishes the rest, and
    /// leaves, wherever it is. The process with the master stays.
    pub fn drain(&self, part: Part) {
        self.master(Event::DrainPart(part));
    }

    /// Ends a node as if its process had been killed: its tasks with it, without a word to
    /// anyone. Nodes elsewhere are not reached.
    pub fn kill(&self, node: PeerId) {
        let place = node.0.checked_sub(self.first.0);
        if let Some(control) = place.and_then(|place| self.controls.get(place as usize)) {
            control.post(Input::Kill);
        }
    }
}

/// Reaches a node that serves a run elsewhere from other threads. After it has ended it does
/// nothing.
#[derive(Clone)]
pub struct NodeHandle {
    control: Control,
}

impl NodeHandle {
    #[cfg(any(feature = "link", feature = "mpi"))]
    pub(super) fn new(control: Control) -> NodeHandle {
        NodeHandle { control }
    }

    /// The node gives back what it has not started, finishes the rest, and leaves.
    pub fn drain(&self) {
        self.control.post(Input::Event(Event::Drain));
    }
}

/// The processes of a run.
pub(super) enum Fleet {
    /// Threads of this one, as many as the options say.
    Threads,
    /// Ranks, of which this is the first.
    #[cfg_attr(not(feature = "mpi"), expect(dead_code, reason = "there is no world"))]
    Ranks(Box<World>),
}

impl Fleet {
    fn sites(&self, options: &Options) -> Result<Vec<Site>, RunError> {
        match self {
            Fleet::Threads => Ok(vec![Site::here()?; options.nodes as usize]),
            Fleet::Ranks(world) => Ok(world.sites().to_vec()),
        }
    }
}

/// Where a run begins: with a job, or with the journal of an earlier epoch.
enum Beginning {
    New(Batch),
    Resumed { read: Recovered, entries: Vec<Entry>, sealed: bool },
}

impl Run {
    /// Starts `job`. What happens is told to `watch`, from any thread.
    ///
    /// # Errors
    /// As [`run`](super::run).
    pub fn start(
        job: Job,
        registry: &Registry,
        options: &Options,
        watch: impl Fn(&Notice) + Send + Sync + 'static,
    ) -> Result<Run, RunError> {
        Run::start_on(Fleet::Threads, job, registry, options, watch)
    }

    pub(super) fn start_on(
        fleet: Fleet,
        job: Job,
        registry: &Registry,
        options: &Options,
        watch: impl Fn(&Notice) + Send + Sync + 'static,
    ) -> Result<Run, RunError> {
        let before = Before::default();
        let layout =
            Layout::of_run(&fleet.sites(options)?, options, &job.resources, before.numbers)?;
        let (batch, graph) = check::prepare(job, registry, layout.nodes())?;
        let (name, names) = (batch.name.clone(), batch.resources.clone());
        let id = RunId(random());
        let folder = options.folder.as_ref().map(RunFolder::create).transpose()?;
        let clock = Clock::start();
        let folder = folder.map(Arc::new);
        let job = About { id, name, names, graph };
        let former = Former::Ended;
        let starting =
            Starting { fleet, layout, before, former, job, clock, folder, registry, options };
        starting.go(Beginning::New(batch), watch)
    }

    /// Goes on with the run in `folder` where its journal ends.
    ///
    /// # Errors
    /// As [`run`](super::run); and if there is no run in the folder, its last process still
    /// lives, or the journal is damaged.
    pub fn resume(
        folder: &Path,
        registry: &Registry,
        options: &Options,
        watch: impl Fn(&Notice) + Send + Sync + 'static,
    ) -> Result<Run, RunError> {
        Run::resume_in(RunFolder::open(folder)?, registry, options, watch)
    }

    /// The same for a folder that this process owns already.
    ///
    /// # Errors
    /// As [`resume`](Self::resume).
    pub fn resume_in(
        folder: RunFolder,
        registry: &Registry,
        options: &Options,
        watch: impl Fn(&Notice) + Send + Sync + 'static,
    ) -> Result<Run, RunError> {
        Run::resume_on(Fleet::Threads, folder, registry, options, watch)
    }

    pub(super) fn resume_on(
        fleet: Fleet,
        folder: RunFolder,
        registry: &Registry,
        options: &Options,
        watch: impl Fn(&Notice) + Send + Sync + 'static,
    ) -> Result<Run, RunError> {
        let read = Journal::read(folder.path())?;
        let entries = past::decode(folder.path(), &read).collect::<Result<_, _>>()?;
        let entries = sched::compact(entries);
        let Some(past) = Past::of(&entries) else {
            return Err(RunError::NothingSubmitted(folder.path().to_owned()));
        };
        let before = Before::look(folder.path(), folder.epoch(), options)?;
        let sites = fleet.sites(options)?;
        let mut layout = Layout::of_run(&sites, options, &past.job.resources, before.numbers)?;
        layout.notes.extend(read.torn.map(|torn| {
            format!("the last {} bytes of the journal were torn and are cut off", torn.bytes)
        }));
        // A program that lacks a kernel must not fail the tasks that call it.
        check::tasks(&past.job, registry, layout.nodes(), |id| !past.done.contains(&id))?;
        let graph = Graph::new(&past.job).unwrap_or_default();
        let job = About { id: past.run, name: past.job.name, names: past.job.resources, graph };
        // One axis of time for all records of a run, however often it is taken up.
        let clock = before.clock(past.until);
        let former = former::look(&folder);
        let folder = Some(Arc::new(folder));
        let starting =
            Starting { fleet, layout, before, former, job, clock, folder, registry, options };
        let sealed = past.sealed;
        starting.go(Beginning::Resumed { read, entries, sealed }, watch)
    }

    /// What other threads reach the run by.
    #[must_use]
    pub fn handle(&self) -> RunHandle {
        RunHandle { controls: self.controls.as_slice().into(), first: self.first }
    }

    /// The nodes that take part or took part, those among them that came later.
    #[must_use]
    pub fn nodes(&self) -> Vec<NodeInfo> {
        self.roster.nodes()
    }

    /// Waits for the end, and then, where the disk is full, for room for what is to be written
    /// down of it.
    ///
    /// # Errors
    /// If the master was killed, its folder was taken over by another process, or the verdict
    /// cannot be written.
    pub fn wait(mut self) -> Result<Outcome, RunError> {
        let mut threads = std::mem::take(&mut self.threads).into_iter();
        let (ended, network) = threads.next().map(join).unzip();
        // What is left of the others after the master's end has no purpose any more.
        self.kill_all();
        threads.for_each(|thread| drop(join(thread)));
        let verdict = match (ended, &self.folder) {
            (Some(Ended::Finished(verdict)), _) => verdict,
            (Some(Ended::TakenOver), Some(folder)) => {
                return Err(StoreError::TakenOver(folder.path().to_owned()).into());
            }
            _ => return Err(RunError::MasterKilled),
        };
        let records = self.collector.finish(self.folder.as_deref());
        if let Some(folder) = &self.folder {
            self.collector.once_there_is_room(|| files::publish_verdict(folder, &verdict))?;
            // Who was told nothing of the end, since its link was broken, finds it out by this.
            links::close(folder)?;
        }
        drop(network);
        self.clerk.take().into_iter().for_each(|clerk| drop(clerk.join()));
        let folder = self.folder.as_ref().map(|folder| folder.path().to_owned());
        // Where nodes share a core, that they took longer for it is in what was measured: each
        // counts as one that ran at once.
        let nodes = self.roster.nodes();
        let serving = nodes.iter().filter(|node| node.serves());
        let cores = serving.map(NodeInfo::core_count).sum();
        Ok(Outcome {
            lower_bound: policy::measured_lower_bound(&self.graph, &records, cores),
            name: std::mem::take(&mut self.name),
            nodes,
            done: Done::new(&records),
            verdict,
            records,
            folder,
        })
    }

    fn kill_all(&self) {
        self.controls.iter().for_each(|control| control.post(Input::Kill));
    }
}

impl Drop for Run {
    fn drop(&mut self) {
        self.kill_all();
        self.threads.drain(..).for_each(|thread| drop(join(thread)));
    }
}

fn join(thread: JoinHandle<Left>) -> Left {
    // A panic in the loop is a bug of ours: it goes on in who waits.
    thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
}

/// What a run is started from.
struct Starting<'a> {
    fleet: Fleet,
    layout: Layout,
    before: Before,
    former: Former,
    job: About,
    clock: Clock,
    folder: Option<Arc<RunFolder>>,
    registry: &'a Registry,
    options: &'a Options,
}

/// The run and its job, in short.
struct About {
    id: RunId,
    name: String,
    names: ResourceNames,
    graph: Graph,
}

/// A process that is ready to run on a thread of its own.
type Ready = Box<dyn FnOnce() -> Left + Send>;

impl Starting<'_> {
    fn go(
        mut self,
        beginning: Beginning,
        watch: impl Fn(&Notice) + Send + Sync + 'static,
    ) -> Result<Run, RunError> {
        if self.options.record && self.folder.is_none() {
            return Err(RunError::Options("a recording needs a run folder".to_owned()));
        }
        if links::is_open(self.options) && self.folder.is_none() {
            let problem = "that others may join a run takes a run folder, where they find it";
            return Err(RunError::Options(problem.to_owned()));
        }
        let roster = Arc::new(Roster::new(self.layout.nodes().to_vec()));
        let list = Arc::clone(&roster);
        let collector = Collector::new(move |notice| {
            if let Notice::Forecast(forecast) = notice {
                list.hear(forecast);
            }
            watch(notice);
        })?;
        let teller = Arc::clone(&collector);
        // The thread of links, which keeps them alive, does not wait for whoever watches.
        let watch: Watch = Arc::new(move |notice| {
            if let Notice::Note(text) = notice {
                teller.note(text.clone());
            }
        });
        let n = self.layout.nodes().len() as u32;
        let Numbers { node: first, .. } = self.before.numbers;
        self.layout.notes.iter().for_each(|note| collector.note(note.clone()));
        let mut local = Vec::new();
        let gate;
        match std::mem::replace(&mut self.fleet, Fleet::Threads) {
            Fleet::Threads => {
                let mut transports = channel::network(n).into_iter();
                let master = transports.next().expect("a run has a node");
                let (transport, door) = links::gate(master, (first, n), self.options, watch)?;
                gate = door;
                local.push(self.process(0, transport, &beginning, &collector)?);
                for (i, transport) in (1..).zip(transports) {
                    let transport = Box::new(Renumbered::new(transport, first));
                    local.push(self.process(i, transport, &beginning, &collector)?);
                }
            }
            Fleet::Ranks(world) => {
                let world = world.into_transport();
                let (mut transport, door) = links::gate(world, (first, n), self.options, watch)?;
                gate = door;
                self.seat_others(&mut transport);
                local.push(self.process(0, transport, &beginning, &collector)?);
            }
        }
        let (controls, processes): (Vec<Control>, Vec<Ready>) = local.into_iter().unzip();
        // Only now, when there is a journal: what an earlier epoch left holds until then.
        if let Some(folder) = &self.folder {
            files::publish_nodes(folder, self.layout.nodes())?;
            collector.write_to(RecordFile::create(folder)?);
            files::retract_verdict(folder)?;
        }
        begin(&controls, beginning);
        let clerk = self.open(gate, &roster, &controls)?;
        let About { name, graph, .. } = self.job;
        let mut run = Run {
            controls,
            threads: Vec::new(),
            collector,
            first,
            roster,
            name,
            graph,
            folder: self.folder,
            clerk,
        };
        for (i, process) in processes.into_iter().enumerate() {
            let thread = thread::Builder::new().name(format!("evenkeel-node{i}")).spawn(process);
            let failed = |error| RunError::Io { what: "start a thread for a node", error };
            run.threads.push(thread.map_err(failed)?);
        }
        Ok(run)
    }

    /// Opens the door, if there is to be one, or sees that none is looked for.
    fn open(
        &mut self,
        gate: Option<Gate>,
        roster: &Arc<Roster>,
        controls: &[Control],
    ) -> Result<Option<JoinHandle<()>>, RunError> {
        let Some(folder) = &self.folder else { return Ok(None) };
        let Some(gate) = gate else { return Ok(links::close(folder).map(|()| None)?) };
        let Numbers { node: PeerId(first), subcluster: SubclusterId(subcluster) } =
            self.before.numbers;
        let reception = Reception {
            terms: self.terms(),
            world: first..first + self.layout.nodes().len() as u32,
            subclusters: subcluster..subcluster + self.layout.subclusters(),
            names: self.job.names.clone(),
            recorded_in: self.recorded_in(),
            roster: Arc::clone(roster),
            handle: RunHandle { controls: controls.into(), first: PeerId(first) },
        };
        let before = std::mem::take(&mut self.before);
        gate.open(folder, self.clock, before, reception).map(Some)
    }

    /// The folder, if what goes into the machines is to be written down there.
    fn recorded_in(&self) -> Option<String> {
        let folder = self.folder.as_ref().filter(|_| self.options.record);
        folder.map(|folder| folder.path().display().to_string())
    }

    /// Tells the other ranks who they are.
    fn seat_others(&self, transport: &mut impl Transport) {
        let open = self.folder.as_ref().filter(|_| links::is_open(self.options));
        for (i, node) in self.layout.nodes().iter().enumerate().skip(1) {
            let posting = Posting {
                seat: self.seat(i),
                pinned: node.pinned,
                recorded_in: self.recorded_in(),
                first: self.before.numbers.node,
                meeting: open.map(|folder| (folder.path().display().to_string(), String::new())),
            };
            transport.send(node.node, posting.to_bytes());
        }
    }

    /// Process `i`, at the end of `transport`.
    fn process(
        &self,
        i: usize,
        transport: Box<dyn Transport>,
        beginning: &Beginning,
        collector: &Arc<Collector>,
    ) -> Result<(Control, Ready), RunError> {
        let (control, inbox) = Driver::control(&transport);
        let journal = match &self.folder {
            Some(folder) if i == 0 => Some(self.journal(folder, beginning, control.clone())?),
            _ => None,
        };
        let crew = Crew {
            seat: self.seat(i),
            pinned: self.layout.nodes()[i].pinned,
            registry: self.registry,
            clock: self.clock,
            recorded_in: self
                .folder
                .as_deref()
                .filter(|_| self.options.record)
                .map(RunFolder::path),
        };
        let listener = Arc::clone(collector);
        let notify = Arc::new(move |notice| listener.hear(notice));
        let driver = crew.driver(transport, (control.clone(), inbox), notify)?;
        let driver = driver.with_journal(journal);
        let ready = move || {
            let (ended, transport) = driver.drive();
            let is_verdict = matches!(ended, Ended::Finished(_));
            (ended, is_verdict.then_some(transport))
        };
        Ok((control, Box::new(ready)))
    }

    fn journal(
        &self,
        folder: &RunFolder,
        beginning: &Beginning,
        control: Control,
    ) -> Result<Journal<Entries>, StoreError> {
        let (window, commit) = (self.options.commit_window, move |commit| control.commit(commit));
        match beginning {
            Beginning::New(_) => {
                Journal::create(folder, self.job.id.0, window, Entries::after, commit)
            }
            Beginning::Resumed { read, entries, .. } => {
                let kept = entries.iter().map(Wire::to_bytes);
                Journal::go_on(folder, read, kept, window, Entries::after, commit)
            }
        }
    }

    /// Of a process that begins with the run; who comes later has a time of its own.
    fn seat(&self, i: usize) -> Seat {
        let (time_left, former) = (self.options.time_left, self.former);
        Seat { time_left, former, ..self.layout.seat(i, &self.terms()) }
    }

    fn terms(&self) -> Terms {
        let open = links::is_open(self.options);
        Terms {
            run: self.job.id,
            epoch: self.folder.as_deref().map_or(Epoch(1), RunFolder::epoch),
            master: self.before.numbers.node,
            lease: self.options.lease,
            wait_for_nodes: self.options.wait_for_nodes,
            reattach: if open { self.options.reattach } else { Span::ZERO },
        }
    }
}

/// Hands each process what it begins with.
fn begin(controls: &[Control], beginning: Beginning) {
    let master = |event| controls[0].post(Input::Event(event));
    let start = || controls.iter().for_each(|c| c.post(Input::Event(Event::Start)));
    match beginning {
        Beginning::New(batch) => {
            start();
            master(Event::Submit(Box::new(batch)));
            master(Event::Seal);
        }
        Beginning::Resumed { entries, sealed, .. } => {
            entries.into_iter().for_each(|entry| master(Event::Replay(Box::new(entry))));
            start();
            if !sealed {
                master(Event::Seal);
            }
        }
    }
}

/// A number that no other run has.
fn random() -> u64 {
    use std::hash::{BuildHasher, Hasher};
    std::hash::RandomState::new().build_hasher().finish()
}
