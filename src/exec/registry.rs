//! The functions that tasks can name.

#![forbid(unsafe_code)]

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use crate::model::Value;

use super::context::{TaskContext, TaskError};
use super::kernels;

/// A registered function.
pub type Kernel = dyn Fn(&mut TaskContext<'_>) -> Result<Value, TaskError> + Send + Sync;

/// Kernels by name. Copies are cheap and independent.
#[derive(Clone)]
pub struct Registry {
    kernels: BTreeMap<Arc<str>, Arc<Kernel>>,
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
        self.kernels.insert(name.into(), Arc::new(kernel));
        self
    }

    /// The names, in alphabetical order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.kernels.keys().map(|name| &**name)
    }

    /// The kernel that is registered as `name`.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Arc<Kernel>> {
        self.kernels.get(name)
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
