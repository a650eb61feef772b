//! `evenkeel journal`.

mod entry;

use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::Path;

use super::args::{JournalCommand, JournalExportArgs, JournalShowArgs, JournalVerifyArgs};
use super::{Failure, terminal};
use crate::model::{ExitCode, Record};
use crate::report;
use crate::run::{self, Inspection, RunError};
use crate::store::StoreError;
use entry::Teller;

pub(super) fn journal(command: &JournalCommand) -> Result<ExitCode, Failure> {
    match command {
        JournalCommand::Show(args) => show(args),
        JournalCommand::Verify(args) => verify(args),
        JournalCommand::Export(args) => export(args),
    }
}

// ---- show --------------------------------------------------------------------------------

fn show(args: &JournalShowArgs) -> Result<ExitCode, Failure> {
    let mut teller = Teller::new(args.task.as_deref(), args.json);
    let mut out = Output::new(io::stdout());
    let mut last = VecDeque::new();
    run::entries(&args.run_dir, |number, entry| {
        let lines = teller.tell(number, entry);
        match args.tail {
            None => lines.iter().for_each(|line| out.line(line)),
            Some(most) => {
                last.extend(lines);
                drop(last.drain(..last.len().saturating_sub(most)));
            }
        }
    })?;
    last.iter().for_each(|line| out.line(line));
    if let Some(task) = args.task.as_deref().filter(|_| !teller.found()) {
        return Err(Failure::bad_input(format!("the job has no task `{task}`")));
    }
    out.end(|error| format!("cannot print the journal: {error}"))
}

// ---- verify ------------------------------------------------------------------------------

fn verify(args: &JournalVerifyArgs) -> Result<ExitCode, Failure> {
    let found = match run::inspect(&args.run_dir) {
        Ok(found) => found,
        Err(error) => {
            if args.json && damage(&error).is_some() {
                terminal::print(&format!("{:#}", unread(&error)));
            }
            return Err(error.into());
        }
    };
    terminal::print(&match args.json {
        true => format!("{:#}", json(&found)),
        false => text(&found),
    });
    Ok(if found.problems.is_empty() { ExitCode::Done } else { ExitCode::Infrastructure })
}

fn text(found: &Inspection) -> String {
    let mut text = format!(
        "{}: {} bytes, {} entries, of which {} are known to be durable\n",
        found.volume.name(),
        found.bytes,
        found.entries,
        found.durable
    );
    let epochs: Vec<String> = found.epochs.iter().map(|epoch| epoch.0.to_string()).collect();
    text += &format!("run {:016x}, epochs {}\n", found.run.0, epochs.join(" "));
    if let Some(origin) = found.origin {
        text += &format!(
            "goes on from byte {} of {}: of its {} entries {} are kept\n",
            origin.bytes,
            origin.volume.name(),
            origin.records,
            found.kept
        );
    }
    if let Some(torn) = found.torn {
        text += &format!(
            "the last {} bytes, from byte {} on, are torn: they do not count, and never did\n",
            torn.bytes, torn.offset
        );
    }
    for (entry, problem) in &found.problems {
        text += &format!("entry {entry}: {problem}\n");
    }
    text += if found.problems.is_empty() { "sound" } else { "damaged" };
    text
}

fn json(found: &Inspection) -> serde_json::Value {
    let origin = found.origin.map(|origin| {
        serde_json::json!({
            "file": origin.volume.name(), "bytes": origin.bytes, "entries": origin.records,
        })
    });
    let torn = found.torn.map(|t| serde_json::json!({ "offset": t.offset, "bytes": t.bytes }));
    let problem = |(entry, problem): &(u64, String)| serde_json::json!({ "file": found.volume.name(), "entry": entry, "problem": problem });
    serde_json::json!({
        "version": 1,
        "sound": found.problems.is_empty(),
        "run": format!("{:016x}", found.run.0),
        "file": found.volume.name(),
        "bytes": found.bytes,
        "entries": found.entries,
        "durable": found.durable,
        "kept": found.kept,
        "origin": origin,
        "epochs": found.epochs.iter().map(|epoch| epoch.0).collect::<Vec<_>>(),
        "torn": torn,
        "problems": found.problems.iter().map(problem).collect::<Vec<_>>(),
    })
}

/// The file that is damaged, and the byte or the entry, as far as that can be said.
fn damage(error: &RunError) -> Option<(&Path, Option<u64>, Option<u64>)> {
    match error {
        RunError::Store(StoreError::Damaged { path, offset }) => Some((path, Some(*offset), None)),
        RunError::Store(StoreError::NotAJournal(path)) => Some((path, None, None)),
        RunError::Garbled { folder, entry, .. } => Some((folder, None, Some(*entry))),
        _ => None,
    }
}

/// What is said of a journal that cannot be read to its end.
fn unread(error: &RunError) -> serde_json::Value {
    let problem = damage(error).map(|(path, offset, entry)| {
        serde_json::json!({
            "file": path.file_name().map(|name| name.to_string_lossy()),
            "offset": offset, "entry": entry, "problem": error.to_string(),
        })
    });
    serde_json::json!({ "version": 1, "sound": false, "problems": [problem] })
}

// ---- export ------------------------------------------------------------------------------

fn export(args: &JournalExportArgs) -> Result<ExitCode, Failure> {
    let Some(path) = &args.output else {
        let mut out = Output::new(io::stdout());
        run::records(&args.run_dir, |record| out.line(&line(record)))?;
        return out.end(|error| format!("cannot print the records: {error}"));
    };
    // A file that is there already is not touched before there is something to write.
    run::inspect(&args.run_dir)?;
    let failed = |error: io::Error| format!("cannot write {}: {error}", path.display());
    let file = File::create(path)
        .map_err(|error| Failure::new(ExitCode::Infrastructure, failed(error)))?;
    let mut out = Output::new(file);
    run::records(&args.run_dir, |record| out.line(&line(record)))?;
    out.end(failed)
}

fn line(record: &Record) -> String {
    report::record_to_json(record)
}

/// Writes lines until that fails.
struct Output<W: Write> {
    writer: BufWriter<W>,
    written: io::Result<()>,
}

impl<W: Write> Output<W> {
    fn new(writer: W) -> Output<W> {
        Output { writer: BufWriter::with_capacity(1 << 16, writer), written: Ok(()) }
    }

    fn line(&mut self, line: &str) {
        if self.written.is_ok() {
            self.written = writeln!(self.writer, "{line}");
        }
    }

    /// A reader that has gone away is no error.
    fn end(mut self, words: impl FnOnce(io::Error) -> String) -> Result<ExitCode, Failure> {
        match self.written.and_then(|()| self.writer.flush()) {
            Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
                Err(Failure::new(ExitCode::Infrastructure, words(error)))
            }
            _ => Ok(ExitCode::Done),
        }
    }
}
