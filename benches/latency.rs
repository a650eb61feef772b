//! How long a rank waits for another one's answer, and what waiting costs, beside bare MPI in the
//! same run.
//!
//! ```text
//! cargo bench --features full --bench latency
//! ```
//!
//! Two ranks on this host. Rank 0 sends 64 bytes and waits for the answer, 5 000 times, while as
//! many threads as there are cores compute; then once more while nothing else runs. Bare MPI is
//! `MPI_Send` and `MPI_Recv` without anything around: it spins, and takes a core for that.
//! Then both ranks wait for two seconds, and say what part of a core their waiting thread used.
//! No figure is asserted.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "printing is what it is for")]

use std::env;
use std::error::Error;
use std::hint::black_box;
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use ::mpi::ffi;
use evenkeel::comm::mpi::{self, MpiTransport};
use evenkeel::comm::{Incoming, Transport};
use evenkeel::host::Preference;
use evenkeel::model::PeerId;
use rustix::time::{ClockId, clock_gettime};

type Failure = Box<dyn Error>;

const ROUNDS: usize = 5_000;
const BYTES: usize = 64;
const IDLE: Duration = Duration::from_secs(2);
/// That this process is one of the ranks.
const PART: &str = "EVENKEEL_LATENCY_PART";
const LIMIT: Duration = Duration::from_secs(60);

fn main() -> Result<(), Failure> {
    if env::var_os(PART).is_some() { measure() } else { launch() }
}

/// Starts this program again as two ranks.
fn launch() -> Result<(), Failure> {
    let library = mpi::library();
    let (program, args): (&str, &[&str]) = if library.starts_with("Open MPI") {
        ("mpirun.openmpi", &["--oversubscribe", "--bind-to", "none"])
    } else {
        ("mpiexec.mpich", &[])
    };
    let mut command = Command::new(program);
    command.args(["-n", "2"]).args(args).arg(env::current_exe()?).env(PART, "1");
    command.env("OMPI_ALLOW_RUN_AS_ROOT", "1").env("OMPI_ALLOW_RUN_AS_ROOT_CONFIRM", "1");
    let status = command.status().map_err(|error| format!("{program}: {error}"))?;
    if !status.success() {
        return Err(format!("{program}: {status}").into());
    }
    Ok(())
}

fn measure() -> Result<(), Failure> {
    let mut transport = mpi::start()?;
    let first = transport.id() == PeerId(0);
    if first {
        println!("{}, {} cores", mpi::library(), thread::available_parallelism()?);
        println!("{:<34} {:>9} {:>9} {:>9}", "request to answer", "p50 µs", "p99 µs", "most µs");
    }
    let print = |name: &str, mut times: Vec<Duration>| {
        if first {
            times.sort_unstable();
            let at = |share: f64| times[((times.len() - 1) as f64 * share) as usize];
            let [p50, p99, most] = [0.5, 0.99, 1.0].map(|s| at(s).as_secs_f64() * 1e6);
            println!("{name:<34} {p50:>9.1} {p99:>9.1} {most:>9.1}");
        }
    };
    for busy in [true, false] {
        let state = if busy { "all cores computing" } else { "cores idle" };
        let times = with_load(busy, || ours(&mut transport));
        print(&format!("evenkeel, {state}"), times);
        let times = with_load(busy, || bare(first));
        print(&format!("bare MPI, {state}"), times);
    }
    let used = with_load(true, || idle(&mut transport));
    eprintln!("rank {} waits with {:.2} % of a core", transport.id(), used * 100.0);
    Ok(())
}

/// What `act` gives while this rank's half of the cores computes.
fn with_load<T>(busy: bool, act: impl FnOnce() -> T) -> T {
    let over = AtomicBool::new(false);
    let cores = thread::available_parallelism().map_or(1, usize::from);
    thread::scope(|scope| {
        for _ in 0..if busy { cores.div_ceil(2) } else { 0 } {
            scope.spawn(|| {
                let mut x = 1.0f64;
                while !over.load(Ordering::Relaxed) {
                    (0..1000).for_each(|_| x = black_box(x * 1.000_001));
                }
            });
        }
        // As the threads have it that carry the messages of a run.
        let _preference = Preference::of_this_thread();
        let result = act();
        over.store(true, Ordering::Relaxed);
        result
    })
}

/// Rank 0 asks and measures, rank 1 answers.
fn ours(transport: &mut MpiTransport) -> Vec<Duration> {
    let first = transport.id() == PeerId(0);
    let other = PeerId(u32::from(first));
    let mut times = Vec::new();
    for _ in 0..ROUNDS {
        let start = Instant::now();
        if first {
            transport.send(other, vec![0; BYTES]);
            frame(transport);
            times.push(start.elapsed());
        } else {
            let bytes = frame(transport);
            transport.send(other, bytes);
        }
    }
    // The last answer leaves when MPI is called again.
    transport.receive(Some(Instant::now() + Duration::from_millis(20)));
    times
}

fn frame(transport: &mut MpiTransport) -> Vec<u8> {
    loop {
        match transport.receive(Some(Instant::now() + LIMIT)) {
            Some(Incoming::Frame { bytes, .. }) => return bytes,
            Some(_) => {}
            None => panic!("no answer in {LIMIT:?}"),
        }
    }
}

fn bare(first: bool) -> Vec<Duration> {
    let mut buffer = [0u8; BYTES];
    let (pointer, other) = (buffer.as_mut_ptr().cast(), i32::from(first));
    let send = || {
        // SAFETY: MPI is initialised, and the buffer is of this size.
        unsafe {
            ffi::MPI_Send(
                pointer,
                BYTES as i32,
                ffi::RSMPI_UINT8_T,
                other,
                9,
                ffi::RSMPI_COMM_WORLD,
            );
        }
    };
    let receive = || {
        // SAFETY: as above; no status is wanted.
        unsafe {
            let ignored = ffi::RSMPI_STATUS_IGNORE;
            let world = ffi::RSMPI_COMM_WORLD;
            ffi::MPI_Recv(pointer, BYTES as i32, ffi::RSMPI_UINT8_T, other, 9, world, ignored);
        }
    };
    let mut times = Vec::new();
    for _ in 0..ROUNDS {
        let start = Instant::now();
        if first {
            send();
            receive();
            times.push(start.elapsed());
        } else {
            receive();
            send();
        }
    }
    times
}

/// The share of a core that a wait takes.
fn idle(transport: &mut MpiTransport) -> f64 {
    let spent = || {
        let time = clock_gettime(ClockId::ThreadCPUTime);
        Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
    };
    let (before, until) = (spent(), Instant::now() + IDLE);
    while transport.receive(Some(until)).is_some() {}
    (spent() - before).as_secs_f64() / IDLE.as_secs_f64()
}
