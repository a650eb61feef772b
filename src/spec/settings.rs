//! How a task is run: environment, files, limits, what is recorded with it.

use super::body::Holes;
use super::error::{Report, quote};
use super::fields::{Entry, Fields, in_order};
use super::units::parse_duration;
use crate::model::{Rerun, Settings, Span, Value, Warning, WarningSignal};

/// The keys read here.
pub(super) const KEYS: [&str; 12] = [
    "env",
    "cwd",
    "stdin",
    "stdout",
    "stderr",
    "time_limit",
    "warning",
    "grace",
    "retries",
    "rerun",
    "kind",
    "meta",
];

/// The settings of `fields` over `base`. Variables and meta data are merged by name, with
/// those of `fields` over those of `base`.
pub(super) fn read<'a>(
    report: &mut Report<'a>,
    fields: &Fields<'_, 'a>,
    base: &Settings,
    holes: Holes<'_>,
) -> Settings {
    let mut settings = base.clone();
    if let Some(value) = fields.get("env") {
        environment(report, value, &mut settings.env, holes);
    }
    let files = [
        ("cwd", &mut settings.cwd),
        ("stdin", &mut settings.stdin),
        ("stdout", &mut settings.stdout),
        ("stderr", &mut settings.stderr),
    ];
    for (key, path) in files {
        if let Some(value) = fields.get(key) {
            *path = file(report, value, key, holes);
        }
    }
    if let Some(value) = fields.get("time_limit") {
        settings.time_limit = report.duration(value, "time_limit");
        if settings.time_limit == Some(Span::ZERO) {
            let what = "`time_limit` is no time at all";
            report.error(&value.span(), what, "leave it out where there is no limit");
        }
    }
    if let Some(value) = fields.get("warning") {
        settings.warning = warning(report, value);
        if let (Some(warning), Some(limit)) = (settings.warning, settings.time_limit)
            && warning.before >= limit
        {
            let what = format!("`warning` is due {} before a limit of {limit}", warning.before);
            report.error(&value.span(), what, "warn later, or allow more time");
        }
    }
    if let Some(value) = fields.get("grace") {
        settings.grace = report.duration(value, "grace").unwrap_or_default();
    }
    if let Some(value) = fields.get("retries") {
        let retries = report.whole(value, "retries", 0..=i128::from(u16::MAX - 1));
        settings.retries = retries.unwrap_or(0) as u16;
    }
    if let Some(value) = fields.get("rerun") {
        settings.rerun = rerun(report, value).unwrap_or_default();
    }
    if let Some(value) = fields.get("kind") {
        settings.kind = report.name(value, "kind").unwrap_or_default().into_owned();
    }
    if let Some(value) = fields.get("meta") {
        let table = report.table(value, "meta", "write meta = { colour = \"blue\" }");
        for (key, value) in table.map(in_order).unwrap_or_default() {
            if let Some(new) = report.value(value, key.get_ref()) {
                put(&mut settings.meta, key.get_ref(), new);
            }
        }
    }
    settings
}

/// A signal and how long before the end it comes, as Slurm writes it.
fn warning<'a>(report: &mut Report<'a>, value: Entry<'_, 'a>) -> Option<Warning> {
    let help = "write warning = \"USR1@30s\": HUP, INT, TERM, USR1 or USR2, and how long before";
    let text = report.text(value, "warning", help)?;
    let (name, before) = text.split_once('@').unwrap_or((text, ""));
    let plain = name.strip_prefix("SIG").unwrap_or(name);
    let signal = WarningSignal::ALL.into_iter().find(|signal| signal.name() == plain);
    match (signal, parse_duration(before)) {
        (Some(signal), Ok(before)) => Some(Warning { signal, before }),
        (None, _) => {
            let what = format!("`warning` names no signal that warns: {}", quote(name));
            report.error(&value.span(), what, help);
            None
        }
        (Some(_), Err(error)) => {
            report.error(&value.span(), format!("`warning`: {}", error.what()), help);
            None
        }
    }
}

/// Whether a task is run again when an attempt was lost.
fn rerun<'a>(report: &mut Report<'a>, value: Entry<'_, 'a>) -> Option<Rerun> {
    let help = "write rerun = \"never\" for a task that may not be begun twice";
    match report.text(value, "rerun", help)? {
        "always" => Some(Rerun::Always),
        "never" => Some(Rerun::Never),
        other => {
            let what = format!("`rerun` is {}, not `always` or `never`", quote(other));
            report.error(&value.span(), what, help);
            None
        }
    }
}

/// A path with placeholders.
fn file<'a>(
    report: &mut Report<'a>,
    value: Entry<'_, 'a>,
    key: &str,
    holes: Holes<'_>,
) -> Option<String> {
    let path = report.text(value, key, &format!("write a path in quotes: {key} = \"…\""))?;
    if path.is_empty() {
        report.error(&value.span(), format!("`{key}` is empty"), "name a path, or leave it out");
        return None;
    }
    holes.check(report, path, &value.span());
    Some(path.to_owned())
}

fn environment<'a>(
    report: &mut Report<'a>,
    value: Entry<'_, 'a>,
    env: &mut Vec<(String, String)>,
    holes: Holes<'_>,
) {
    let table = report.table(value, "env", "write env = { NAME = \"value\" }");
    for (key, value) in table.map(in_order).unwrap_or_default() {
        let name = key.get_ref();
        if name.is_empty() || name.contains(['=', '\0']) {
            let what = format!("{} cannot be the name of a variable", quote(name));
            report.error(&key.span(), what, "names are not empty and hold no `=`");
        }
        let text = match report.value(value, name) {
            Some(Value::Text(_)) => report.text(value, name, "").unwrap_or_default().to_owned(),
            Some(number @ (Value::Int(_) | Value::Float(_))) => number.to_string(),
            None => continue,
            Some(other) => {
                let what =
                    format!("variable {} is {} where text is expected", quote(name), other.kind());
                report.error(&value.span(), what, "put its value in quotes");
                continue;
            }
        };
        holes.check(report, &text, &value.span());
        put(env, name, text);
    }
}

/// Sets `key`, in its old place if it has one.
fn put<T>(entries: &mut Vec<(String, T)>, key: &str, value: T) {
    match entries.iter_mut().find(|(k, _)| k == key) {
        Some((_, old)) => *old = value,
        None => entries.push((key.to_owned(), value)),
    }
}
