//! Drives the same processes under a virtual clock.
#![forbid(unsafe_code)]
