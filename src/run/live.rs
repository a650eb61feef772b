//! A run in real time: its nodes are threads of this process, or ranks of which it is the first.

use std::path::Path;
use std::sync::Arc;
use std::thread::{self, JoinHandle};

use super::collect::Collector;
use super::crew::{Crew, Posting};
use super::files::{self, RecordFile};
use super::layout::{Layout, Site};
use super::past::{self, Past};
use super::ranks::World;
use super::{Options, Outcome, RunError, check, outcome};
use crate::comm::{Transport, channel};
use crate::exec::Registry;
use crate::host::Clock;
use crate::live::{Control, Driver, Ended, Input, Notice};
use crate::model::wire::Wire;
use crate::model::{Epoch, Graph, Job, NodeInfo, PeerId, TaskId};
use crate::policy;
use crate::sched::{self, Batch, Entry, Event, RunId, Seat};
use crate::store::{Journal, Recovered, RunFolder, StoreError};

/// A run that goes on. Dropping it kills it, as a crash would.
pub struct Run {
    controls: Vec<Control>,
    threads: Vec<JoinHandle<Left>>,
    collector: Arc<Collector>,
    nodes: Vec<NodeInfo>,
    name: String,
    graph: Graph,
    folder: Option<RunFolder>,
}

/// What a process leaves when it has ended: how it did, and, if it had the verdict, its end of the
/// network. Leaving that may take a while, and comes after the verdict is written down.
type Left = (Ended, Option<Box<dyn Transport>>);

/// Reaches a run from other threads, a signal handler's among them. After the run has ended it
/// does nothing. Single nodes are reached where they are threads of this process.
#[derive(Clone)]
pub struct RunHandle {
    controls: Arc<[Control]>,
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

    /// A node gives back what it has not started, finishes the rest, and leaves.
    pub fn drain(&self, node: PeerId) {
        self.post(node, Input::Event(Event::Drain));
    }

    /// Ends a node as if its process had been killed: its tasks with it, without a word to
    /// anyone.
    pub fn kill(&self, node: PeerId) {
        self.post(node, Input::Kill);
    }

    fn post(&self, node: PeerId, input: Input) {
        if let Some(control) = self.controls.get(node.index()) {
            control.post(input);
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
    #[cfg_attr(not(feature = "mpi"), expect(dead_code, reason = "only ranks serve"))]
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
        let layout = Layout::new(&fleet.sites(options)?, options, &job.resources)?;
        let (batch, graph) = check::prepare(job, registry, layout.nodes())?;
        let name = batch.name.clone();
        let id = RunId(random());
        let folder = options.folder.as_ref().map(RunFolder::create).transpose()?;
        let clock = Clock::start();
        let starting =
            Starting { fleet, layout, id, clock, folder, registry, options, name, graph };
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
        Run::resume_on(Fleet::Threads, folder, registry, options, watch)
    }

    pub(super) fn resume_on(
        fleet: Fleet,
        folder: &Path,
        registry: &Registry,
        options: &Options,
        watch: impl Fn(&Notice) + Send + Sync + 'static,
    ) -> Result<Run, RunError> {
        let folder = RunFolder::open(folder)?;
        let read = Journal::read(folder.path())?;
        let entries = past::decode(folder.path(), &read).collect::<Result<_, _>>()?;
        let entries = sched::compact(entries);
        let Some(past) = Past::of(&entries) else {
            return Err(RunError::NothingSubmitted(folder.path().to_owned()));
        };
        let mut layout = Layout::new(&fleet.sites(options)?, options, &past.job.resources)?;
        layout.notes.extend(read.torn.map(|torn| {
            format!("the last {} bytes of the journal were torn and are cut off", torn.bytes)
        }));
        // A program that lacks a kernel must not fail the tasks that call it.
        check::tasks(&past.job, registry, layout.nodes(), |id| !past.done.contains(&id))?;
        let graph = Graph::new(&past.job).unwrap_or_default();
        let (id, name) = (past.run, past.job.name);
        // One axis of time for all records of a run, however often it is taken up.
        let clock = Clock::start_at(past.until);
        let folder = Some(folder);
        let starting =
            Starting { fleet, layout, id, clock, folder, registry, options, name, graph };
        let sealed = past.sealed;
        starting.go(Beginning::Resumed { read, entries, sealed }, watch)
    }

    /// What other threads reach the run by.
    #[must_use]
    pub fn handle(&self) -> RunHandle {
        RunHandle { controls: self.controls.as_slice().into() }
    }

    /// The nodes.
    #[must_use]
    pub fn nodes(&self) -> &[NodeInfo] {
        &self.nodes
    }

    /// Waits for the end, and then, where the disk is full, for room for what is to be written
    /// down of it.
    ///
    /// # Errors
    /// If the master was killed, its folder was taken over by another process, or the verdict
    /// cannot be written.
    pub fn wait(mut self) -> Result<Outcome, RunError> {
        let mut threads = std::mem::take(&mut self.threads).into_iter();
        let (ended, _network) = threads.next().map(join).unzip();
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
        let records = self.collector.finish(self.folder.as_ref());
        if let Some(folder) = &self.folder {
            self.collector.once_there_is_room(|| files::publish_verdict(folder, &verdict))?;
        }
        let folder = self.folder.as_ref().map(|folder| folder.path().to_owned());
        // Where nodes share a core, that they took longer for it is in what was measured: each
        // counts as one that ran at once.
        let cores = self.nodes.iter().map(NodeInfo::core_count).sum();
        Ok(Outcome {
            lower_bound: policy::measured_lower_bound(&self.graph, &records, cores),
            name: std::mem::take(&mut self.name),
            nodes: std::mem::take(&mut self.nodes),
            done: outcome::done(&records),
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
    id: RunId,
    clock: Clock,
    folder: Option<RunFolder>,
    registry: &'a Registry,
    options: &'a Options,
    name: String,
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
        let collector = Collector::new(watch)?;
        self.layout.notes.iter().for_each(|note| collector.note(note.clone()));
        let mut local = Vec::new();
        match std::mem::replace(&mut self.fleet, Fleet::Threads) {
            Fleet::Threads => {
                let transports = channel::network(self.layout.nodes().len() as u32);
                for (i, transport) in transports.into_iter().enumerate() {
                    local.push(self.process(i, transport, &beginning, &collector)?);
                }
            }
            Fleet::Ranks(world) => {
                let mut transport = world.into_transport();
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
        let mut run = Run {
            controls,
            threads: Vec::new(),
            collector,
            nodes: self.layout.into_nodes(),
            name: self.name,
            graph: self.graph,
            folder: self.folder,
        };
        for (i, process) in processes.into_iter().enumerate() {
            let thread = thread::Builder::new().name(format!("evenkeel-node{i}")).spawn(process);
            let failed = |error| RunError::Io { what: "start a thread for a node", error };
            run.threads.push(thread.map_err(failed)?);
        }
        Ok(run)
    }

    /// Tells the other ranks who they are.
    fn seat_others(&self, transport: &mut impl Transport) {
        let folder = self.folder.as_ref().filter(|_| self.options.record);
        let folder = folder.map(|folder| folder.path().display().to_string());
        for (i, node) in self.layout.nodes().iter().enumerate().skip(1) {
            let posting =
                Posting { seat: self.seat(i), pinned: node.pinned, recorded_in: folder.clone() };
            transport.send(node.node, posting.to_bytes());
        }
    }

    /// Process `i`, at the end of `transport`.
    fn process<T: Transport + 'static>(
        &self,
        i: usize,
        transport: T,
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
            recorded_in: self.folder.as_ref().filter(|_| self.options.record).map(RunFolder::path),
        };
        let listener = Arc::clone(collector);
        let notify = Arc::new(move |notice| listener.hear(notice));
        let driver = crew.driver(transport, (control.clone(), inbox), notify)?;
        let driver = driver.with_journal(journal);
        let ready = move || {
            let (ended, transport) = driver.drive();
            let is_verdict = matches!(ended, Ended::Finished(_));
            (ended, is_verdict.then(|| Box::new(transport) as Box<dyn Transport>))
        };
        Ok((control, Box::new(ready)))
    }

    fn journal(
        &self,
        folder: &RunFolder,
        beginning: &Beginning,
        control: Control,
    ) -> Result<Journal, StoreError> {
        let (window, commit) = (self.options.commit_window, move |commit| control.commit(commit));
        match beginning {
            Beginning::New(_) => Journal::create(folder, self.id.0, window, commit),
            Beginning::Resumed { read, entries, .. } => {
                let kept = entries.iter().map(Wire::to_bytes);
                Journal::go_on(folder, read, kept, window, commit)
            }
        }
    }

    fn seat(&self, i: usize) -> Seat {
        let epoch = self.folder.as_ref().map_or(Epoch(1), RunFolder::epoch);
        self.layout.seat(i, self.id, epoch, self.options)
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
