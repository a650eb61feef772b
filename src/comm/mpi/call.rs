//! The calls of MPI that are used, as functions that cannot be used wrongly.
//!
//! The library is asked for `MPI_THREAD_SERIALIZED`: calls may come from any thread, but only
//! one at a time. [`Communicator`] is neither `Sync` nor `Clone`, and every call takes it.

use std::ffi::{c_char, c_int};
use std::fmt;
use std::marker::PhantomData;
use std::mem::{MaybeUninit, forget, take};
use std::ptr::null_mut;

use mpi::ffi;

/// Why MPI did not do what it was asked to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MpiError {
    call: &'static str,
    text: String,
}

impl MpiError {
    pub(super) fn new(call: &'static str, text: impl Into<String>) -> MpiError {
        MpiError { call, text: text.into() }
    }
}

impl fmt::Display for MpiError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.call, self.text)
    }
}

impl std::error::Error for MpiError {}

/// Text that MPI writes into a buffer of at most this size.
const TEXT: usize = 16 << 10;

fn text(write: impl FnOnce(*mut c_char, *mut c_int)) -> String {
    let mut buffer = vec![0u8; TEXT];
    let mut length: c_int = 0;
    write(buffer.as_mut_ptr().cast(), &raw mut length);
    buffer.truncate(usize::try_from(length).unwrap_or(0));
    String::from_utf8_lossy(&buffer).trim_end_matches(['\0', '\n']).to_owned()
}

fn check(call: &'static str, code: c_int) -> Result<(), MpiError> {
    if code == ffi::MPI_SUCCESS as c_int {
        return Ok(());
    }
    // SAFETY: the buffer is larger than MPI_MAX_ERROR_STRING of any implementation.
    let text = text(|buffer, length| unsafe {
        ffi::MPI_Error_string(code, buffer, length);
    });
    Err(MpiError { call, text })
}

/// What the MPI library calls itself. It may be asked at any time.
pub(super) fn library_version() -> String {
    // SAFETY: the buffer is larger than MPI_MAX_LIBRARY_VERSION_STRING (8192 in MPICH).
    text(|buffer, length| unsafe {
        ffi::MPI_Get_library_version(buffer, length);
    })
}

/// Whose calls of `MPI_Init` and `MPI_Finalize` they are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Initialised {
    /// This library's.
    Here,
    /// The program's: it did so before, and finalises.
    ByProgram,
}

/// Initialises MPI, if the program has not done so.
pub(super) fn initialise() -> Result<Initialised, MpiError> {
    let mut flag: c_int = 0;
    let mut granted: c_int = 0;
    // SAFETY: these may be called at any time, and write to the locals alone.
    unsafe {
        check("MPI_Initialized", ffi::MPI_Initialized(&raw mut flag))?;
        let by = if flag == 0 {
            let wanted = ffi::RSMPI_THREAD_SERIALIZED;
            let code = ffi::MPI_Init_thread(null_mut(), null_mut(), wanted, &raw mut granted);
            check("MPI_Init_thread", code)?;
            Initialised::Here
        } else {
            check("MPI_Query_thread", ffi::MPI_Query_thread(&raw mut granted))?;
            Initialised::ByProgram
        };
        if granted < ffi::RSMPI_THREAD_SERIALIZED {
            let text = "the thread level MPI_THREAD_SERIALIZED is needed, and MPI was initialised \
                        for less";
            return Err(MpiError::new("MPI_Init_thread", text));
        }
        Ok(by)
    }
}

/// Ends MPI: nothing can be called after it.
pub(super) fn finalise(_: Communicator) -> Result<(), MpiError> {
    // SAFETY: the only communicator of this library is consumed.
    check("MPI_Finalize", unsafe { ffi::MPI_Finalize() })
}

/// Has MPI end all processes of the world; this one with `code`. No other call may be made
/// meanwhile.
pub(super) fn abort(code: u8) {
    // SAFETY: MPI is initialised and not finalised, as `part` keeps track of.
    unsafe { ffi::MPI_Abort(ffi::RSMPI_COMM_WORLD, c_int::from(code)) };
}

/// A copy of `MPI_COMM_WORLD` that only this library uses, and that gives errors back.
#[derive(Debug)]
pub(super) struct Communicator {
    raw: ffi::MPI_Comm,
    /// Calls are made by one thread at a time: it may be sent, but not shared.
    alone: PhantomData<std::cell::Cell<()>>,
}

// SAFETY: a handle, valid on every thread at the thread level that `initialise` makes sure of.
unsafe impl Send for Communicator {}

/// A message that has come and is not received yet.
pub(super) struct Matched {
    pub(super) source: usize,
    pub(super) tag: c_int,
    message: ffi::MPI_Message,
    length: c_int,
}

impl Communicator {
    /// Collective: all ranks of the world call it once.
    pub(super) fn of_world() -> Result<Communicator, MpiError> {
        let mut raw = MaybeUninit::uninit();
        // SAFETY: MPI is initialised; `raw` is written where the call succeeds.
        unsafe {
            let code = ffi::MPI_Comm_dup(ffi::RSMPI_COMM_WORLD, raw.as_mut_ptr());
            check("MPI_Comm_dup", code)?;
            let raw = raw.assume_init();
            let code = ffi::MPI_Comm_set_errhandler(raw, ffi::RSMPI_ERRORS_RETURN);
            check("MPI_Comm_set_errhandler", code)?;
            Ok(Communicator { raw, alone: PhantomData })
        }
    }

    /// This process's rank and how many there are.
    pub(super) fn rank_and_size(&self) -> Result<(usize, usize), MpiError> {
        let (mut rank, mut size): (c_int, c_int) = (0, 0);
        // SAFETY: a valid communicator; the calls write to the locals.
        unsafe {
            check("MPI_Comm_rank", ffi::MPI_Comm_rank(self.raw, &raw mut rank))?;
            check("MPI_Comm_size", ffi::MPI_Comm_size(self.raw, &raw mut size))?;
        }
        Ok((rank as usize, size as usize))
    }

    /// What each of `size` ranks says, by rank. Collective; all say equally much.
    pub(super) fn all_gather(&self, mine: &[u8], size: usize) -> Result<Vec<u8>, MpiError> {
        let length = count(mine.len())?;
        let mut all = vec![0u8; mine.len() * size];
        // SAFETY: `mine` holds `length` bytes, and `all` that many from each rank.
        let code = unsafe {
            ffi::MPI_Allgather(
                mine.as_ptr().cast(),
                length,
                ffi::RSMPI_UINT8_T,
                all.as_mut_ptr().cast(),
                length,
                ffi::RSMPI_UINT8_T,
                self.raw,
            )
        };
        check("MPI_Allgather", code)?;
        Ok(all)
    }

    /// Begins to send `bytes`, of which there are at most `i32::MAX`.
    pub(super) fn send(&self, to: usize, tag: c_int, bytes: Vec<u8>) -> Result<Transfer, MpiError> {
        let mut request = MaybeUninit::uninit();
        let (length, to) = (count(bytes.len())?, count(to)?);
        // SAFETY: `Transfer` keeps the bytes where they are until the request is complete; if it
        // never is, for good.
        let code = unsafe {
            ffi::MPI_Isend(
                bytes.as_ptr().cast(),
                length,
                ffi::RSMPI_UINT8_T,
                to,
                tag,
                self.raw,
                request.as_mut_ptr(),
            )
        };
        check("MPI_Isend", code)?;
        // SAFETY: the call has succeeded.
        Ok(Transfer { bytes, request: Some(unsafe { request.assume_init() }) })
    }

    /// A message from anyone that is next to be received, if one has come.
    pub(super) fn probe(&self) -> Result<Option<Matched>, MpiError> {
        let mut flag: c_int = 0;
        let mut message = MaybeUninit::uninit();
        let mut status = MaybeUninit::<ffi::MPI_Status>::uninit();
        let mut length: c_int = 0;
        // SAFETY: the call writes message and status if it sets the flag.
        unsafe {
            let code = ffi::MPI_Improbe(
                ffi::RSMPI_ANY_SOURCE,
                ffi::RSMPI_ANY_TAG,
                self.raw,
                &raw mut flag,
                message.as_mut_ptr(),
                status.as_mut_ptr(),
            );
            check("MPI_Improbe", code)?;
            if flag == 0 {
                return Ok(None);
            }
            let code = ffi::MPI_Get_count(status.as_ptr(), ffi::RSMPI_UINT8_T, &raw mut length);
            check("MPI_Get_count", code)?;
            let (status, message) = (status.assume_init(), message.assume_init());
            let source = status.MPI_SOURCE as usize;
            Ok(Some(Matched { source, tag: status.MPI_TAG, message, length }))
        }
    }

    /// Begins to receive what was found by [`probe`](Self::probe).
    pub(super) fn receive(&self, mut matched: Matched) -> Result<Transfer, MpiError> {
        let mut bytes = vec![0u8; usize::try_from(matched.length).unwrap_or(0)];
        let mut request = MaybeUninit::uninit();
        // SAFETY: `bytes` holds as many as the message has, and `Transfer` keeps them in place.
        let code = unsafe {
            ffi::MPI_Imrecv(
                bytes.as_mut_ptr().cast(),
                matched.length,
                ffi::RSMPI_UINT8_T,
                &raw mut matched.message,
                request.as_mut_ptr(),
            )
        };
        check("MPI_Imrecv", code)?;
        // SAFETY: the call has succeeded.
        Ok(Transfer { bytes, request: Some(unsafe { request.assume_init() }) })
    }

    /// Whether a transfer is complete.
    pub(super) fn is_complete(&self, transfer: &mut Transfer) -> Result<bool, MpiError> {
        let Some(request) = &mut transfer.request else { return Ok(true) };
        let mut flag: c_int = 0;
        let mut status = MaybeUninit::<ffi::MPI_Status>::uninit();
        // SAFETY: an active request of this communicator.
        let code = unsafe { ffi::MPI_Test(request, &raw mut flag, status.as_mut_ptr()) };
        check("MPI_Test", code)?;
        if flag != 0 {
            transfer.request = None;
        }
        Ok(flag != 0)
    }
}

/// A number as MPI takes it.
fn count(n: usize) -> Result<c_int, MpiError> {
    c_int::try_from(n).map_err(|_| MpiError::new("MPI", format!("{n} is more than it can count")))
}

/// Bytes that are sent or received. Dropped before that is complete they are never freed: MPI
/// may read or write them at any time.
pub(super) struct Transfer {
    bytes: Vec<u8>,
    request: Option<ffi::MPI_Request>,
}

// SAFETY: the request is a handle, valid on every thread as is the communicator's.
unsafe impl Send for Transfer {}

impl Transfer {
    /// How much it is.
    pub(super) fn len(&self) -> usize {
        self.bytes.len()
    }

    /// What was received by a transfer that is complete.
    pub(super) fn into_bytes(mut self) -> Vec<u8> {
        debug_assert!(self.request.is_none(), "received before it was complete");
        take(&mut self.bytes)
    }
}

impl Drop for Transfer {
    fn drop(&mut self) {
        if self.request.is_some() {
            forget(take(&mut self.bytes));
        }
    }
}
