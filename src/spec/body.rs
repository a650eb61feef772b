//! What a task runs: `command`, or `kernel` and `args`.

use std::ops::Range;

use super::error::{Report, quote};
use super::fields::{Entry, Fields};
use super::nearest::nearest;
use crate::model::{Body, Value, placeholder};

/// The keys read here.
pub(super) const KEYS: [&str; 3] = ["command", "kernel", "args"];

const COMMAND_HELP: &str = "write command = [\"program\", \"argument\"], \
                            or command = \"a line for the shell\"";

/// Which placeholders may be used.
#[derive(Clone, Copy)]
pub(super) struct Holes<'p> {
    /// The parameters of the sweep that this belongs to.
    pub(super) parameters: &'p [(String, Vec<Value>)],
    /// Whether what is known where a task runs is known here.
    pub(super) at_run: bool,
}

impl Holes<'_> {
    /// Where there is no sweep.
    pub(super) const AT_RUN: Holes<'static> = Holes { parameters: &[], at_run: true };

    fn names(&self) -> impl Iterator<Item = &str> + Clone {
        let at_run: &[&str] = if self.at_run { &placeholder::AT_RUN } else { &[] };
        self.parameters.iter().map(|(name, _)| name.as_str()).chain(at_run.iter().copied())
    }

    /// Reports placeholders of `text`, which stands at `span`, that nothing will fill in.
    pub(super) fn check(&self, report: &mut Report<'_>, text: &str, span: &Range<usize>) {
        for name in placeholder::names(text).filter(|name| self.names().all(|n| n != *name)) {
            if report.is_full() {
                report.error(span, "", "");
                continue;
            }
            let written = format!("%{{{name}}}");
            let inside = report.source.text.get(span.clone()).and_then(|t| t.find(&written));
            let span = match inside {
                Some(at) => span.start + at..span.start + at + written.len(),
                None => span.clone(),
            };
            let what = format!("unknown placeholder {}", quote(&written));
            report.error(&span, what, self.help(name));
        }
    }

    fn help(&self, name: &str) -> String {
        let known: Vec<String> = self.names().map(|n| format!("`%{{{n}}}`")).collect();
        let mend = match nearest(name, self.names()) {
            Some(near) => format!("did you mean `%{{{near}}}`?"),
            None if known.is_empty() => {
                return "nothing is filled in here; a [[sweep]] makes one task for each value"
                    .into();
            }
            None => format!("known here: {}", known.join(", ")),
        };
        let escaped: String = name.chars().take(40).collect();
        format!("{mend} (the characters themselves: {})", quote(&format!("%%{{{escaped}}}")))
    }

    pub(super) fn check_value(&self, report: &mut Report<'_>, value: &Value, span: &Range<usize>) {
        match value {
            Value::Text(text) => self.check(report, text, span),
            Value::List(items) => items.iter().for_each(|v| self.check_value(report, v, span)),
            Value::Map(entries) => {
                entries.iter().for_each(|(_, v)| self.check_value(report, v, span));
            }
            _ => {}
        }
    }
}

/// What the task or sweep of `fields` runs; text goes to `shell`.
pub(super) fn read<'a>(
    report: &mut Report<'a>,
    fields: &Fields<'_, 'a>,
    shell: &[String],
    holes: Holes<'_>,
) -> Option<Body> {
    match (fields.get("command"), fields.get("kernel")) {
        (Some(command), None) => {
            if let Some(args) = fields.key("args") {
                let help = "put the arguments into the list: command = [\"program\", \"argument\"]";
                report.error(&args.span(), "`args` goes with `kernel`, not with `command`", help);
            }
            command_line(report, command, shell, holes).map(Body::Command)
        }
        (None, Some(kernel)) => {
            let name = report.name(kernel, "kernel")?.into_owned();
            let args = match fields.get("args") {
                Some(args) => {
                    let value = report.value(args, "args")?;
                    holes.check_value(report, &value, &args.span());
                    value
                }
                None => Value::Unit,
            };
            Some(Body::Kernel { name, args })
        }
        (Some(command), Some(kernel)) => {
            let marks = [(kernel.span(), ""), (command.span(), "the command is here")];
            let what = "both `command` and `kernel` are given";
            report.marked(&marks, what, "a task runs one thing: remove one of the two");
            None
        }
        (None, None) => {
            let what = "nothing to run: neither `command` nor `kernel` is given";
            fields.missing(report, what, format!("{COMMAND_HELP}, or kernel = \"name\""));
            None
        }
    }
}

fn command_line<'a>(
    report: &mut Report<'a>,
    command: Entry<'_, 'a>,
    shell: &[String],
    holes: Holes<'_>,
) -> Option<Vec<String>> {
    if matches!(command.get_ref(), toml::de::DeValue::Array(_)) {
        return arguments(report, command, "command", COMMAND_HELP, holes);
    }
    let line = report.text(command, "command", COMMAND_HELP)?;
    if line.trim().is_empty() {
        report.error(&command.span(), "`command` is empty", COMMAND_HELP);
        return None;
    }
    holes.check(report, line, &command.span());
    Some(shell.iter().cloned().chain([line.to_owned()]).collect())
}

/// A program and its arguments; the list is not empty.
pub(super) fn arguments<'a>(
    report: &mut Report<'a>,
    value: Entry<'_, 'a>,
    key: &str,
    help: &str,
    holes: Holes<'_>,
) -> Option<Vec<String>> {
    let list = report.list(value, key, help)?;
    let mut words = Vec::with_capacity(list.len());
    for item in list.iter() {
        let help = "each argument is text: put it in quotes";
        let word = report.text(item, key, help)?;
        holes.check(report, word, &item.span());
        words.push(word.to_owned());
    }
    if words.first().is_none_or(String::is_empty) {
        report.error(&value.span(), format!("`{key}` names no program"), help);
        return None;
    }
    Some(words)
}
