//! A network of the ranks of one MPI world.
//!
//! After the start only point-to-point messages are used, and none of them is waited for: MPI
//! says nothing of a rank that died, and a call that waits for one waits for ever. One thread
//! makes all calls. It sleeps in a single `poll`, since a thread that spins takes a core from
//! the tasks; who sends to it rings a doorbell.

mod call;
mod connection;
mod doorbell;
mod outbox;
mod part;
mod patience;
mod start;
mod transport;
mod whereabouts;

pub use call::MpiError;
pub use part::leave;
pub use start::start;
pub use transport::{Farewell, MpiTransport};

/// The name and version of the MPI library that this program is linked with, such as `Open MPI
/// v4.1.4`. It may be asked without MPI being initialised.
#[must_use]
pub fn library() -> String {
    short(&call::library_version())
}

/// The beginning of what a library calls itself, which goes on with how it was built.
fn short(version: &str) -> String {
    let line = version.lines().next().unwrap_or_default();
    let name = line.split(',').next().unwrap_or_default();
    name.replace("Version:", "").split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_library_is_named_in_a_few_words() {
        let open_mpi = "Open MPI v4.1.4, package: Debian OpenMPI, ident: 4.1.4, May 26, 2022";
        assert_eq!(short(open_mpi), "Open MPI v4.1.4");
        let mpich = "MPICH Version:\t4.0.2\nMPICH Release date:\tThu Apr  7 12:34:45 CDT 2022\n";
        assert_eq!(short(mpich), "MPICH 4.0.2");
    }
}
