//! Runs one task: a program through the guard, or a kernel on the pool.
