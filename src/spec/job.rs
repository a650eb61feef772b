//! Job files in TOML.

use std::collections::HashMap;
use std::ops::Range;

use toml::de::DeTable;

use super::after::{self, Known};
use super::body::{self, Holes};
use super::entries::{Listed, Reader, SHARED_KEYS};
use super::error::{Errors, Report, Source, quote};
use super::fields::Fields;
use super::{JobFile, Limits, Locations, request, settings};

const KEYS: [&str; 6] = ["name", "platform", "shell", "defaults", "task", "sweep"];

/// Reads a job file.
pub(super) fn read<'a>(source: Source<'a>, limits: Limits) -> Result<JobFile<'a>, Errors> {
    let mut report = Report::new(source);
    let Some(document) = report.parse_toml() else { return Err(report.errors()) };
    let mut reader = Reader::new(report, limits);
    let fields = Fields::open(&mut reader.report, document.table(), 0..0, &KEYS);
    reader.head(&fields);
    let platform = fields.get("platform").and_then(|value| {
        let help = "name a platform file beside this one, or describe one: \"4 nodes x core:8\"";
        reader.report.text(value, "platform", help).map(str::to_owned)
    });
    reader.entries(&fields);
    let Reader { mut report, mut job, names, listed, .. } = reader;
    let sweeps = sweeps(&mut report, &listed, |name| names.find(&job, name).map(|id| id.0));
    let known = Known { names: &names, listed: &listed, sweeps };
    after::resolve(&mut report, &mut job, &known, limits.dependencies);
    if report.is_clean() {
        after::check_rings(&mut report, &job, &listed);
    }
    let places = listed.iter().map(|l| (l.tasks.start, l.span.clone())).collect();
    let locations = Locations::new(source, places);
    report.finish(JobFile { job, platform, locations })
}

impl<'t, 'a> Reader<'t, 'a> {
    /// Reads what stands above the tasks.
    fn head(&mut self, fields: &Fields<'t, 'a>) {
        let report = &mut self.report;
        let name = fields.get("name").and_then(|value| report.name(value, "name"));
        self.job.name = name.map_or_else(|| stem(report.source.name), |name| name.into_owned());
        if let Some(value) = fields.get("shell") {
            let help = "write shell = [\"bash\", \"-c\"]; the command line is added at the end";
            let shell = body::arguments(report, value, "shell", help, Holes::AT_RUN);
            self.shell = shell.unwrap_or_default();
        }
        let Some(value) = fields.get("defaults") else { return };
        let help = "write [defaults] with the keys below it";
        let Some(table) = report.table(value, "defaults", help) else { return };
        let known = [&SHARED_KEYS[..], &request::KEYS, &settings::KEYS].concat();
        let fields = Fields::open(report, table, value.span(), &known);
        self.defaults = self.overlay(&fields, Holes::AT_RUN);
    }

    /// Reads tasks and sweeps in the order of the file.
    fn entries(&mut self, fields: &Fields<'t, 'a>) {
        type Read<'t, 'a> = fn(&mut Reader<'t, 'a>, &'t DeTable<'a>, Range<usize>);
        let mut entries: Vec<(&DeTable<'_>, Range<usize>, Read<'t, 'a>)> = Vec::new();
        let kinds: [(&str, Read<'t, 'a>); 2] = [("task", Reader::task), ("sweep", Reader::sweep)];
        for (key, read) in kinds {
            let tables = self.report.tables(fields, key);
            entries.extend(tables.into_iter().map(|(table, span)| (table, span, read)));
        }
        // One mistake, one message: `[[tasks]]` has been told of already.
        if entries.is_empty() && !fields.any(&["task", "sweep"]) && self.report.is_clean() {
            let what = "a job without tasks";
            let help = "add one: the line [[task]], below it command = [\"program\", \"argument\"]";
            self.report.error(&(0..0), what, help);
        }
        entries.sort_by_key(|(_, span, _)| span.start);
        for (table, span, read) in entries {
            read(self, table, span);
        }
    }
}

/// The sweeps by name; two with the same name, or one with the name of a task, are reported.
fn sweeps<'k>(
    report: &mut Report<'_>,
    listed: &'k [Listed<'_, '_>],
    task: impl Fn(&str) -> Option<u32>,
) -> HashMap<&'k str, usize> {
    let mut sweeps = HashMap::new();
    for (i, sweep) in listed.iter().enumerate().filter(|(_, listed)| listed.is_sweep) {
        let name = sweep.name.as_str();
        let task = task(name).map(|id| listed.partition_point(|l| l.tasks.end <= id));
        let Some(other) = sweeps.insert(name, i).or(task) else { continue };
        let marks = [(sweep.span.clone(), ""), (listed[other].span.clone(), "first used here")];
        let what = format!("sweep {} has a name that is taken", quote(name));
        report.marked(&marks, what, "`after` refers to sweeps and tasks alike: rename one");
    }
    sweeps
}

/// The name of a file without its folder and its ending.
pub(super) fn stem(path: &str) -> String {
    let file = path.rsplit(['/', '\\']).next().unwrap_or(path);
    let stem = file.rsplit_once('.').map_or(file, |(stem, _)| stem);
    if stem.is_empty() { file.to_owned() } else { stem.to_owned() }
}
