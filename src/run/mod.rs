//! The library's one entry: job, registry and options in, outcome out.
#![forbid(unsafe_code)]
