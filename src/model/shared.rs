//! Defaults that are held once.

use std::sync::{Arc, LazyLock};

use super::{Request, Settings};

/// What most that hold one leave as it is.
pub trait Shared {
    /// The default, one for all.
    fn shared() -> Arc<Self>;
}

static REQUEST: LazyLock<Arc<Request>> = LazyLock::new(Arc::default);
static SETTINGS: LazyLock<Arc<Settings>> = LazyLock::new(Arc::default);

impl Shared for Request {
    fn shared() -> Arc<Request> {
        Arc::clone(&REQUEST)
    }
}

impl Shared for Settings {
    fn shared() -> Arc<Settings> {
        Arc::clone(&SETTINGS)
    }
}
