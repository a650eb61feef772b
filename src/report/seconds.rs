//! Times and spans as seconds in JSON. A double holds nanoseconds exactly up to 100 days.

use serde::{Deserialize, Deserializer, Serializer};

use crate::model::Span;

pub(super) fn serialize<S: Serializer>(span: &Span, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_f64(span.as_secs())
}

pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Span, D::Error> {
    f64::deserialize(deserializer).map(Span::from_secs_f64)
}

/// Times that may be missing.
pub(super) mod time {
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    use crate::model::{Span, Time};

    pub(in crate::report) fn serialize<S: Serializer>(
        time: &Option<Time>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        time.map(Time::as_secs).serialize(serializer)
    }

    pub(in crate::report) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Option<Time>, D::Error> {
        let seconds = Option::<f64>::deserialize(deserializer)?;
        Ok(seconds.map(|s| Time::ZERO + Span::from_secs_f64(s)))
    }
}
