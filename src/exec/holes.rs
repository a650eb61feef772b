//! What fills the placeholders of one attempt.

#![forbid(unsafe_code)]

use std::borrow::Cow;
use std::cell::OnceCell;

use crate::model::{Launch, Value, Work, placeholder};

/// The values of an attempt's placeholders, put together only if there is one to fill.
pub(super) struct Holes<'a> {
    launch: &'a Launch,
    values: OnceCell<Vec<(String, Value)>>,
}

impl<'a> Holes<'a> {
    pub(super) fn new(launch: &'a Launch) -> Holes<'a> {
        Holes { launch, values: OnceCell::new() }
    }

    /// `text` with its placeholders filled in.
    pub(super) fn text<'t>(&self, text: &'t str) -> Cow<'t, str> {
        if text.contains("%{") {
            Cow::Owned(placeholder::fill(text, self.values()))
        } else {
            Cow::Borrowed(text)
        }
    }

    /// `value` with the placeholders of its texts filled in.
    pub(super) fn value(&self, value: &Value) -> Value {
        match value {
            Value::Text(_) | Value::List(_) | Value::Map(_) => {
                placeholder::fill_value(value, self.values())
            }
            other => other.clone(),
        }
    }

    fn values(&self) -> &[(String, Value)] {
        self.values.get_or_init(|| {
            let Launch { key, node, work, .. } = self.launch;
            let Work { name, parameters, .. } = &**work;
            let mut values = parameters.clone();
            let at_run = [
                key.job.0.into(),
                key.task.0.into(),
                name.as_str().into(),
                u32::from(key.attempt.0).into(),
                node.0.into(),
            ];
            let names = placeholder::AT_RUN.map(str::to_owned);
            values.extend(names.into_iter().zip(at_run));
            values
        })
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::model::{Attempt, AttemptKey, Body, CoreId, JobId, PeerId, TaskId};

    #[test]
    fn each_placeholder_has_its_own_value() {
        let mut work = Work::new("five", Body::Command(Vec::new()));
        work.parameters = vec![("n".into(), 6.into())];
        let launch = Launch {
            key: AttemptKey {
                job: JobId(1),
                task: TaskId(2),
                attempt: Attempt(3),
                epoch: crate::model::Epoch(1),
            },
            node: PeerId(4),
            work: Arc::new(work),
            cores: [CoreId(0)].into(),
            gpus: Vec::new(),
            time_left: None,
        };
        let holes = Holes::new(&launch);
        let text = "%{JOB_ID} %{TASK_ID} %{TASK_NAME} %{ATTEMPT} %{NODE} %{n} %%{n}";
        assert_eq!(holes.text(text), "1 2 five 3 4 6 %{n}");
        assert_eq!(holes.value(&"%{n}".into()), Value::Int(6));
        assert_eq!(holes.text("100%"), "100%");
    }
}
