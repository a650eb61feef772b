//! Progress, tables and JSON, from records alone.
#![forbid(unsafe_code)]
