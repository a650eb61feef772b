//! The run folder: journal and published files.
#![forbid(unsafe_code)]
