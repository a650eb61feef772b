//! A run on the ranks of an MPI world. The first has the master and speaks for all; the others
//! serve it.

use std::path::Path;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

#[cfg(feature = "link")]
use super::Joining;
use super::crew::{self, Posting};
use super::layout::{Layout, Numbers, Site};
use super::links::{self, Watch};
use super::live::{Fleet, NodeHandle, Run};
use super::{Options, RunError};
use crate::comm::mpi::{self, Farewell, MpiTransport};
use crate::comm::{Incoming, Transport};
use crate::exec::Registry;
use crate::host;
use crate::live::{Control, Driver, Ended, Input, Notice};
use crate::model::wire::Wire;
use crate::model::{ExitCode, Job, NodeInfo, PeerId, ResourceNames};
use crate::sched::Event;
use crate::store::RunFolder;

const FIRST: PeerId = PeerId(0);
/// How long the first rank waits for all others to say where they are.
const GATHERING: Duration = Duration::from_secs(60);
/// How long the others wait for the first to read the job.
const READING: Duration = Duration::from_secs(600);

/// The processes that a launcher started together, this one among them.
///
/// Every one of them gets its own by [`of_launcher`](Self::of_launcher), then the first starts
/// or resumes a run and the others [`serve`](Self::serve):
///
/// ```no_run
/// use evenkeel::exec::Registry;
/// use evenkeel::model::{Job, Task};
/// use evenkeel::run::{Options, Run, World};
///
/// let registry = Registry::default();
/// let options = Options::default();
/// let mut job = Job::new("one");
/// job.add(Task::kernel("task", "noop", ()));
/// let run = match World::of_launcher()? {
///     Some(world) if world.is_first() => world.start(job, &registry, &options, |_| ())?,
///     Some(world) => return world.serve(&registry, |_| (), |_| ()),
///     None => Run::start(job, &registry, &options, |_| ())?,
/// };
/// println!("{:?}", run.wait()?.verdict);
/// # Ok::<(), evenkeel::run::RunError>(())
/// ```
pub struct World {
    transport: MpiTransport,
    /// Where each rank is; the first alone knows.
    sites: Vec<Site>,
}

impl World {
    /// Initialises MPI if a launcher started this process, and finds the others; nothing if it
    /// was started alone. To be called once, before any other thread is started.
    ///
    /// # Errors
    /// [`RunError::WrongLauncher`] if a launcher started several processes and MPI sees this one
    /// alone; [`RunError::Mpi`] if MPI fails, or a rank says nothing.
    pub fn of_launcher() -> Result<Option<World>, RunError> {
        let Some(launcher) = host::launcher(|name| std::env::var(name).ok()) else {
            return Ok(None);
        };
        let transport = mpi::start()?;
        if transport.size() == 1 && launcher.size != Some(1) {
            return Err(RunError::WrongLauncher { launcher, linked: Some(mpi::library()) });
        }
        let mut world = World { transport, sites: Vec::new() };
        if world.is_first() {
            world.gather()?;
        } else {
            let site = Site::here()?.to_bytes();
            world.transport.send(FIRST, site);
        }
        Ok(Some(world))
    }

    /// What the MPI library that this program is linked with calls itself; nothing if there is
    /// none.
    #[must_use]
    pub fn library() -> Option<String> {
        Some(mpi::library())
    }

    /// Whether this is the process that starts the run.
    #[must_use]
    pub fn is_first(&self) -> bool {
        self.transport.id() == FIRST
    }

    /// The nodes that a run on these ranks has. Resources by name are in the terms of `names`.
    ///
    /// # Errors
    /// If the options contradict each other.
    pub fn nodes(
        &self,
        options: &Options,
        names: &ResourceNames,
    ) -> Result<Vec<NodeInfo>, RunError> {
        Ok(Layout::of_run(&self.sites, options, names, Numbers::default())?.into_nodes())
    }

    /// Starts `job` on all ranks, as [`Run::start`] does on threads. To be called by the first.
    ///
    /// # Errors
    /// As [`Run::start`]. The other ranks end then.
    pub fn start(
        self,
        job: Job,
        registry: &Registry,
        options: &Options,
        watch: impl Fn(&Notice) + Send + Sync + 'static,
    ) -> Result<Run, RunError> {
        Run::start_on(Fleet::Ranks(Box::new(self)), job, registry, options, watch)
    }

    /// Goes on with a run on all ranks, as [`Run::resume`] does on threads. To be called by the
    /// first.
    ///
    /// # Errors
    /// As [`Run::resume`]. The other ranks end then.
    pub fn resume(
        self,
        folder: &Path,
        registry: &Registry,
        options: &Options,
        watch: impl Fn(&Notice) + Send + Sync + 'static,
    ) -> Result<Run, RunError> {
        self.resume_in(RunFolder::open(folder)?, registry, options, watch)
    }

    /// The same for a folder that this process owns already.
    ///
    /// # Errors
    /// As [`Run::resume`]. The other ranks end then.
    pub fn resume_in(
        self,
        folder: RunFolder,
        registry: &Registry,
        options: &Options,
        watch: impl Fn(&Notice) + Send + Sync + 'static,
    ) -> Result<Run, RunError> {
        Run::resume_on(Fleet::Ranks(Box::new(self)), folder, registry, options, watch)
    }

    /// Runs tasks for the first rank until the run is over, or is not to be. To be called by all
    /// others. `begun` is given what reaches this node from other threads.
    ///
    /// # Errors
    /// If this host does not give what a node stands on, or the first rank dies.
    pub fn serve(
        mut self,
        registry: &Registry,
        watch: impl Fn(&Notice) + Send + Sync + 'static,
        begun: impl FnOnce(NodeHandle),
    ) -> Result<(), RunError> {
        let Some(posting) = self.posting()? else { return Ok(()) };
        let watch: Watch = Arc::new(watch);
        let (me, first) = (posting.seat.peer, posting.first);
        // What to do when the first is gone is known only when there is what does it.
        let (went, end) = (Arc::new(OnceLock::new()), Arc::new(OnceLock::<Control>::new()));
        let (farewell, ends) = (Arc::clone(&went), Arc::clone(&end));
        // Who finds a master elsewhere goes on, unless it was the master that said goodbye. Else there
        // is nothing more to do, and nobody to ask.
        let (finds, is_master) = (links::has_lifeline(&posting), posting.seat.master == first);
        let input = move |how| match how {
            Farewell::Said if is_master => Input::Kill,
            _ if finds => Input::Event(Event::Dead(first)),
            _ => Input::Kill,
        };
        self.transport.when_gone(FIRST, move |how| {
            let _ = farewell.set(how);
            ends.get().into_iter().for_each(|control| control.post(input(how)));
        });
        let world = (first, self.transport.size());
        let died = Arc::clone(&went);
        let gone = Arc::new(move || died.get().is_some());
        let (transport, lifeline) = links::lifeline(self.transport, world, &posting, &watch)?;
        let (control, inbox) = Driver::control(&transport);
        let reach = lifeline.map(|line| line.reach(&posting, gone, control.clone()));
        let _ = end.set(control.clone());
        // It may have gone before.
        went.get().into_iter().for_each(|how| control.post(input(*how)));
        begun(NodeHandle::new(control.clone()));
        let ended = crew::serve(posting, registry, transport, (control, inbox), reach, &watch)?;
        match ended {
            Ended::Killed if went.get() == Some(&Farewell::Unsaid) => {
                Err(RunError::MasterDied { node: me })
            }
            Ended::Killed | Ended::TakenOver | Ended::Left | Ended::Finished(_) => Ok(()),
        }
    }

    /// Comes with all ranks to a run that goes on, and serves it until it is over, or this process is
    /// to leave. To be called by the first; the others [`serve`](Self::serve).
    ///
    /// # Errors
    /// As [`join`](super::join). The other ranks end then.
    #[cfg(feature = "link")]
    pub fn join(
        self,
        joining: &Joining,
        registry: &Registry,
        watch: impl Fn(&Notice) + Send + Sync + 'static,
        begun: impl FnOnce(NodeHandle),
    ) -> Result<(), RunError> {
        let World { transport, sites } = self;
        links::join_with(transport, &sites, joining, registry, Arc::new(watch), begun)
    }

    /// Ends this process with `code` at once if a rank has died: what MPI does when a process ends
    /// in the usual way may wait for the dead. To be called at the end of the program.
    pub fn leave(code: ExitCode) {
        mpi::leave(code as u8);
    }

    pub(super) fn sites(&self) -> &[Site] {
        &self.sites
    }

    pub(super) fn into_transport(self) -> MpiTransport {
        self.transport
    }

    /// Hears from all others where they are.
    fn gather(&mut self) -> Result<(), RunError> {
        let size = self.transport.size() as usize;
        let mut sites = vec![None; size];
        sites[0] = Some(Site::here()?);
        let until = Instant::now() + GATHERING;
        let mut early = Vec::new();
        while let Some(silent) = sites.iter().position(Option::is_none) {
            match self.transport.receive(Some(until)) {
                Some(Incoming::Frame { from, bytes }) => {
                    sites[from.index()] = Some(read(&bytes)?);
                }
                Some(Incoming::Down(peer)) if sites[peer.index()].is_none() => {
                    return Err(RunError::Silent { node: peer });
                }
                Some(other) => early.push(other),
                None => return Err(RunError::Silent { node: PeerId(silent as u32) }),
            }
        }
        self.transport.put_back(early);
        self.sites = sites.into_iter().flatten().collect();
        Ok(())
    }

    /// What the first rank has for this one to do; nothing if there is to be no run.
    fn posting(&mut self) -> Result<Option<Posting>, RunError> {
        let until = Instant::now() + READING;
        let mut early = Vec::new();
        loop {
            match self.transport.receive(Some(until)) {
                Some(Incoming::Frame { from: FIRST, bytes }) => {
                    self.transport.put_back(early);
                    return read(&bytes).map(Some);
                }
                Some(Incoming::Down(FIRST)) => return Ok(None),
                // Others may begin before this one does.
                Some(other) => early.push(other),
                None => return Err(RunError::Silent { node: FIRST }),
            }
        }
    }
}

/// What another rank of this program says before the run.
fn read<T: Wire>(bytes: &[u8]) -> Result<T, RunError> {
    T::from_bytes(bytes).map_err(|error| RunError::OtherVersion(error.0))
}

impl From<mpi::MpiError> for RunError {
    fn from(error: mpi::MpiError) -> RunError {
        RunError::Mpi(error.to_string())
    }
}
