//! Job and platform files, turned into the nouns of [`model`](crate::model).
#![forbid(unsafe_code)]
