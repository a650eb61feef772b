//! The names of all tasks of a job, those of sweeps included, without a string for each.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, DefaultHasher, Hash, Hasher};

use crate::model::{Combine, Job, TaskId, Template, placeholder};

/// Which task has which name. Names are kept as hashes and compared in full where hashes
/// meet, so that it is exact.
#[derive(Default)]
pub(super) struct Names {
    tasks: HashMap<u64, TaskId, BuildHasherDefault<HashOfHash>>,
}

/// The keys are hashes already.
#[derive(Default)]
struct HashOfHash(u64);

impl Hasher for HashOfHash {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        bytes.iter().for_each(|b| self.0 = self.0.rotate_left(8) ^ u64::from(*b));
    }

    fn write_u64(&mut self, n: u64) {
        self.0 = n;
    }
}

fn hash(name: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    name.hash(&mut hasher);
    hasher.finish()
}

impl Names {
    /// Takes in the name of `id`, a task of `job`; the one that has it already, if one has.
    pub(super) fn insert(&mut self, job: &Job, name: &str, id: TaskId) -> Result<(), TaskId> {
        let mut place = hash(name);
        loop {
            match self.tasks.get(&place) {
                None => break,
                Some(other) if job.task_name(*other) == name => return Err(*other),
                Some(_) => place = place.wrapping_add(1),
            }
        }
        self.tasks.insert(place, id);
        Ok(())
    }

    /// The task of `job` that is called `name`.
    pub(super) fn find(&self, job: &Job, name: &str) -> Option<TaskId> {
        let mut place = hash(name);
        loop {
            let id = *self.tasks.get(&place)?;
            if job.task_name(id) == name {
                return Some(id);
            }
            place = place.wrapping_add(1);
        }
    }
}

/// Writes the names of a sweep's tasks one after the other into the same string.
pub(super) struct SweepNames {
    /// Fixed text and parameters in turn, text first.
    pieces: Vec<Piece>,
    /// For each parameter how many points share one value in a row, and its values as text.
    columns: Vec<(u64, Vec<String>)>,
    name: String,
}

enum Piece {
    Text(String),
    Column(usize),
}

impl SweepNames {
    /// The names of the tasks of `template`, whose pattern holds no zero byte.
    pub(super) fn new(template: &Template) -> SweepNames {
        let sweep = &template.sweep;
        let mut columns: Vec<(u64, Vec<String>)> = Vec::with_capacity(sweep.parameters.len());
        let mut stride = 1;
        for (_, values) in sweep.parameters.iter().rev() {
            columns.push((stride, values.iter().map(ToString::to_string).collect()));
            if sweep.combine == Combine::Product {
                stride *= values.len() as u64;
            }
        }
        columns.reverse();
        // The holes are filled with marks, so that it is `placeholder` alone that says where
        // they are.
        let marks = sweep.parameters.iter().enumerate();
        let marks: Vec<_> =
            marks.map(|(i, (name, _))| (name.clone(), format!("\0{i}\0").into())).collect();
        let marked = placeholder::fill(&template.name, &marks);
        let pieces = marked.split('\0').enumerate().map(|(i, piece)| match piece.parse() {
            Ok(column) if i % 2 == 1 => Piece::Column(column),
            _ => Piece::Text(piece.to_owned()),
        });
        SweepNames { pieces: pieces.collect(), columns, name: String::new() }
    }

    /// The name of point `index`.
    pub(super) fn name(&mut self, index: u64) -> &str {
        self.name.clear();
        for piece in &self.pieces {
            match piece {
                Piece::Text(text) => self.name.push_str(text),
                Piece::Column(column) => {
                    let (stride, texts) = &self.columns[*column];
                    let at = index / stride % texts.len() as u64;
                    self.name.push_str(&texts[at as usize]);
                }
            }
        }
        &self.name
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Body, Sweep, Task, Value};

    #[test]
    fn sweep_names_are_those_that_the_model_gives() {
        let values = |n: i64| (0..n).map(Value::Int).collect::<Vec<_>>();
        for (combine, n) in [(Combine::Product, 12), (Combine::Zip, 3)] {
            let b = if n == 3 { 3 } else { 4 };
            let template = Template {
                name: "é%{b}-%%{a}%{a}%{b}x%{c}".into(),
                body: Body::Command(vec!["x".into()]).into(),
                sweep: Sweep {
                    parameters: vec![("a".into(), values(3)), ("b".into(), values(b))],
                    combine,
                },
            };
            let mut names = SweepNames::new(&template);
            for i in 0..n {
                let expected = placeholder::fill(&template.name, &template.sweep.point(i));
                assert_eq!(names.name(i), expected);
            }
        }
    }

    #[test]
    fn names_whose_hashes_meet_are_told_apart() {
        let mut job = Job::new("test");
        let mut names = Names::default();
        let first = job.add(Task::command("first", ["x"]));
        let second = job.add(Task::command("second", ["x"]));
        // As if "second" had hashed to where "first" is.
        names.tasks.insert(hash("second"), first);
        names.insert(&job, "second", second).unwrap();
        assert_eq!(names.find(&job, "second"), Some(second));
        assert_eq!(names.insert(&job, "second", TaskId(7)), Err(second));
        assert_eq!(names.find(&job, "third"), None);
    }
}
