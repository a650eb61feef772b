//! A word that work need not go on.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Tells work that nobody needs its result any more. Its clones are one and the same.
///
/// Nothing is interrupted: loops begin no more chunks, and work that may take long looks now and
/// then whether it [`is_cancelled`](Cancellation::is_cancelled).
///
/// ```
/// use evenkeel::pool::{self, Cancellation, Pool};
///
/// let pool = Pool::builder().threads(2).build()?;
/// let found = Cancellation::new();
/// pool.install(|| {
///     pool::scope(|s| {
///         for haystack in [[1, 2, 3], [4, 5, 6], [7, 8, 9]] {
///             let found = &found;
///             s.spawn_unless(found, move || {
///                 if haystack.contains(&5) {
///                     found.cancel(); // What has not begun need not begin.
///                 }
///             });
///         }
///     });
/// });
/// assert!(found.is_cancelled());
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct Cancellation(Arc<AtomicBool>);

impl Cancellation {
    /// One that is not cancelled.
    #[must_use]
    pub fn new() -> Cancellation {
        Cancellation::default()
    }

    /// Cancels it, for ever.
    pub fn cancel(&self) {
        // Release: partner is `is_cancelled`. Who cancels since he has found something wants it
        // to be seen.
        self.0.store(true, Ordering::Release);
    }

    /// Whether it is cancelled.
    #[must_use]
    pub fn is_cancelled(&self) -> bool {
        self.0.load(Ordering::Acquire)
    }
}
