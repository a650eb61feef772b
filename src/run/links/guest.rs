//! Who comes to a run, and who looks for its master again.

use std::io;
use std::ops::ControlFlow;
#[cfg(feature = "mpi")]
use std::ops::Range;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Instant;

use parking_lot::Mutex;

use super::address::Meeting;
use super::words::{Ask, Berth};
use super::{Watch, bridge};
use crate::comm::Transport;
use crate::comm::link::{Destination, Dial, Links, Trouble};
#[cfg(feature = "mpi")]
use crate::live::Reach;
use crate::live::{Control, Driver, Inbox, Input, Notice};
use crate::model::wire::Wire;
use crate::model::{PeerId, ResourceNames};
use crate::run::crew::Posting;
use crate::run::division::Division;
use crate::run::layout::{Layout, Numbers, Site};
use crate::run::{Joining, RunError};
use crate::sched::{Event, Seat};

/// A world that has come to a run.
pub(in crate::run) struct Guest {
    pub(in crate::run) transport: Box<dyn Transport>,
    pub(in crate::run) reached: (Control, Inbox),
    /// What each of its processes is to do, the one that dialled first.
    pub(in crate::run) postings: Vec<Posting>,
    /// What people should know of it.
    pub(in crate::run) notes: Vec<String>,
}

impl Guest {
    /// Comes to a run with the processes of `world`, which are at `sites`; this is the first.
    pub(in crate::run) fn come<T: Transport + 'static>(
        world: T,
        sites: &[Site],
        joining: &Joining,
        watch: &Watch,
    ) -> Result<Guest, RunError> {
        let n = sites.len() as u32;
        // Without numbers as yet: nothing is received before it has them.
        let transport = bridge(world, (PeerId(0), n), watch.clone())?;
        let reached = Driver::control(&transport);
        let layout = |names: &ResourceNames, numbers| {
            Layout::new(sites, Division::Number(1), (&joining.resources, names), numbers)
        };
        let nodes = layout(&ResourceNames::default(), Numbers::default())?.into_nodes();
        let (resources, standby) = (joining.resources.clone(), joining.standby);
        let ask = Ask::Join { run: None, nodes, resources, standby };
        let (told, berth) = channel();
        let line = Line {
            meeting: joining.meeting.clone(),
            ask: Arc::new(Mutex::new(ask)),
            waits: Some((told, Instant::now() + joining.patience.as_duration())),
            control: reached.0.clone(),
            watch: watch.clone(),
        };
        line.dial(&transport.links());
        let berth = wait(&berth)?;
        let mut layout = layout(&berth.names, berth.numbers())?;
        if berth.crowded {
            layout.unpin();
            layout.notes.push(
                "the run has nodes on these cores already: workers are not pinned".to_owned(),
            );
        }
        let posting = |i| Posting {
            seat: Seat {
                time_left: joining.time_left,
                standby: berth.standby,
                ..layout.seat(i, &berth.terms)
            },
            pinned: layout.nodes()[i].pinned,
            recorded_in: berth.recorded_in.clone(),
            first: berth.first,
            meeting: Some(joining.meeting.told()),
        };
        let postings = (0..sites.len()).map(posting).collect();
        let transport = Box::new(transport.renumbered(berth.first));
        Ok(Guest { transport, reached, postings, notes: layout.notes })
    }
}

/// Waits for the first answer.
pub(super) fn wait<T>(answer: &Receiver<Result<T, RunError>>) -> Result<T, RunError> {
    let lost = || RunError::Join("the thread of links has ended".to_owned());
    answer.recv().unwrap_or_else(|_| Err(lost()))
}

#[cfg(feature = "mpi")]
/// What a process that has no link to the master finds one by, should it come to need one.
pub(in crate::run) struct Lifeline {
    links: Links,
    world: Range<u32>,
    meeting: Meeting,
    watch: Watch,
}

#[cfg(feature = "mpi")]
impl Lifeline {
    /// One beside a world of `n` processes. `meeting`: where the master is to be found.
    pub(in crate::run) fn beside<T: Transport + 'static>(
        world: T,
        (first, n): (PeerId, u32),
        meeting: &(String, String),
        watch: &Watch,
    ) -> Result<(Box<dyn Transport>, Lifeline), RunError> {
        let bridge = bridge(world, (first, n), watch.clone())?;
        let (links, world) = (bridge.links(), first.0..first.0 + n);
        let (meeting, watch) = (Meeting::heard(meeting), watch.clone());
        Ok((Box::new(bridge), Lifeline { links, world, meeting, watch }))
    }

    /// What looks for the master, once, when it is not of this world, or the first is `gone` from it.
    pub(in crate::run) fn reach(
        self,
        posting: &Posting,
        gone: Arc<dyn Fn() -> bool + Send + Sync>,
        control: Control,
    ) -> Reach {
        let Lifeline { links, world, meeting, watch } = self;
        let (run, nodes) = (posting.seat.run, vec![posting.node()]);
        let ask = Arc::new(Mutex::new(Ask::Back { run, nodes }));
        let mut line = Some(Line { meeting, ask, waits: None, control, watch });
        Box::new(move |peer| {
            if !world.contains(&peer.0) || gone() {
                line.take().into_iter().for_each(|line| line.dial(&links));
            }
        })
    }
}

/// A link that is looked for as long as there is a run.
struct Line {
    meeting: Meeting,
    /// What to say.
    ask: Arc<Mutex<Ask>>,
    /// Who waits for the first answer, and until when.
    waits: Option<(Sender<Result<Berth, RunError>>, Instant)>,
    control: Control,
    watch: Watch,
}

impl Line {
    fn dial(self, links: &Links) {
        let Line { meeting, ask, waits, control, watch } = self;
        let (said, learnt) = (ask.clone(), ask.clone());
        let waits = Arc::new(Mutex::new(waits));
        let waited = waits.clone();
        let end = control.clone();
        links.dial(Dial {
            whereto: Box::new(move || whereto(&meeting, &mut learnt.lock())),
            hello: Box::new(move || said.lock().to_bytes()),
            welcomed: Box::new(move |answer| {
                let berth = Berth::from_bytes(&answer).ok()?;
                let (master, epoch) = (berth.terms.master, berth.terms.epoch);
                if let Some((told, _)) = waits.lock().take() {
                    settle(&mut ask.lock(), &berth);
                    let _ = told.send(Ok(berth));
                } else {
                    control.post(Input::Event(Event::Master(master, epoch)));
                }
                Some(master)
            }),
            trouble: Box::new(move |trouble| {
                let mut waits = waited.lock();
                let Some((told, until)) = &*waits else { return go_on(&trouble, &end, &watch) };
                if is_final(&trouble) || *until <= Instant::now() {
                    let _ = told.send(Err(RunError::Join(explain(&trouble))));
                    *waits = None;
                    return ControlFlow::Break(());
                }
                ControlFlow::Continue(())
            }),
        });
    }
}

/// Where to dial now. Who knows no more than a path learns from it which run is there.
fn whereto(meeting: &Meeting, ask: &mut Ask) -> io::Result<Destination> {
    let (destination, there) = meeting.destination()?;
    if let Ask::Join { run, .. } = ask {
        *run = there;
    }
    Ok(destination)
}

/// Who came as a newcomer comes back as who it is now.
fn settle(ask: &mut Ask, berth: &Berth) {
    if let Ask::Join { nodes, .. } = ask {
        let nodes = berth.numbers().give(std::mem::take(nodes));
        *ask = Ask::Back { run: berth.terms.run, nodes };
    }
}

/// What trouble means to who has been in the run: it is over, or the next try may do.
fn go_on(trouble: &Trouble, end: &Control, watch: &Watch) -> ControlFlow<()> {
    let over = match trouble {
        Trouble::Nowhere(error) if error.kind() == io::ErrorKind::NotFound => {
            "the run is over".to_owned()
        }
        Trouble::Refused { .. } | Trouble::OtherVersion { .. } => trouble.to_string(),
        _ => return ControlFlow::Continue(()),
    };
    watch(&Notice::Note(format!("{over}; this process ends")));
    end.post(Input::Kill);
    ControlFlow::Break(())
}

/// Whether another try would end the same.
pub(super) fn is_final(trouble: &Trouble) -> bool {
    match trouble {
        Trouble::Refused { .. } | Trouble::OtherVersion { .. } => true,
        Trouble::Nowhere(error) => error.kind() != io::ErrorKind::NotFound,
        _ => false,
    }
}

pub(super) fn explain(trouble: &Trouble) -> String {
    match trouble {
        Trouble::Nowhere(error) if error.kind() == io::ErrorKind::NotFound => format!(
            "there is no run that others can join there, or it was started without --listen, or has \
             ended ({error})"
        ),
        _ => trouble.to_string(),
    }
}
