//! The functions that tasks can name.

#![forbid(unsafe_code)]

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use crate::model::{Span, Value};

use super::context::{TaskContext, TaskError};
use super::kernels;

/// A registered function.
pub type Kernel = dyn Fn(&mut TaskContext<'_>) -> Result<Value, TaskError> + Send + Sync;

/// Tells beforehand how long a kernel will take on a core of this host, from its arguments;
/// nothing where it cannot say. It is asked once for each task, before any of them starts.
pub type Estimate = dyn Fn(&Value) -> Option<Span> + Send + Sync;

/// Kernels by name. Copies are cheap and independent.
#[derive(Clone)]
pub struct Registry {
    kernels: BTreeMap<Arc<str>, Entry>,
}

#[derive(Clone)]
struct Entry {
    kernel: Arc<Kernel>,
    estimate: Option<Arc<Estimate>>,
}

impl Registry {
    /// A registry without any kernel, not even the built-in ones.
    #[must_use]
    pub fn empty() -> Registry {
        Registry { kernels: BTreeMap::new() }
    }

    /// Registers `kernel` under `name`; one that had the name is replaced.
    ///
    /// ```
    /// use evenkeel::exec::Registry;
    ///
    /// let mut registry = Registry::default();
    /// registry.register("double", |task| {
    ///     let x = task.args().as_f64().ok_or("`double` takes a number")?;
    ///     Ok((2.0 * x).into())
    /// });
    /// assert!(registry.get("double").is_some());
    /// ```
    pub fn register<F>(&mut self, name: &str, kernel: F) -> &mut Registry
    where
        F: Fn(&mut TaskContext<'_>) -> Result<Value, TaskError> + Send + Sync + 'static,
    {
        self.kernels.insert(name.into(), Entry { kernel: Arc::new(kernel), estimate: None });
        self
    }

    /// The same, for a kernel that can tell beforehand how long it will take. What it tells is
    /// the cost of a task that calls it where the job gives none.
    ///
    /// ```
    /// use evenkeel::exec::Registry;
    /// use evenkeel::model::{Span, Value};
    ///
    /// let mut registry = Registry::default();
    /// registry.register_estimated(
    ///     "count",
    ///     |task| Ok((0..task.args().as_i64().unwrap_or(0)).sum::<i64>().into()),
    ///     |args| Some(Span(args.as_i64()?.unsigned_abs())),
    /// );
    /// let estimate = registry.estimate("count").unwrap();
    /// assert_eq!(estimate(&Value::from(1000)), Some(Span::from_micros(1)));
    /// ```
    pub fn register_estimated<F, E>(&mut self, name: &str, kernel: F, estimate: E) -> &mut Registry
    where
        F: Fn(&mut TaskContext<'_>) -> Result<Value, TaskError> + Send + Sync + 'static,
        E: Fn(&Value) -> Option<Span> + Send + Sync + 'static,
    {
        let estimate: Option<Arc<Estimate>> = Some(Arc::new(estimate));
        self.kernels.insert(name.into(), Entry { kernel: Arc::new(kernel), estimate });
        self
    }

    /// The names, in alphabetical order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.kernels.keys().map(|name| &**name)
    }

    /// The kernel that is registered as `name`.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Arc<Kernel>> {
        self.kernels.get(name).map(|entry| &entry.kernel)
    }

    /// What tells how long the kernel that is registered as `name` will take, if anything does.
    #[must_use]
    pub fn estimate(&self, name: &str) -> Option<&Arc<Estimate>> {
        self.kernels.get(name)?.estimate.as_ref()
    }
}

impl Default for Registry {
    /// The built-in kernels.
    fn default() -> Registry {
        let mut registry = Registry::empty();
        kernels::register(&mut registry);
        registry
    }
}

impl fmt::Debug for Registry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.names()).finish()
    }
}
