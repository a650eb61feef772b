//! The closing table: a summary in plain text, and the page that tables are written on.

use std::fmt::{self, Write};

use super::{FailedTask, NodeShare, Summary};
use crate::model::{Attempt, Counts, Span};

/// How many nodes and failed tasks are shown, and lines of a task's output.
const NODES: usize = 16;
const FAILED: usize = 10;
const TAIL_LINES: usize = 8;

/// The width where none is known.
const WIDTH: usize = 80;

impl Summary {
    /// The summary as lines of at most `width` characters, with a little colour if asked for
    /// (not where `NO_COLOR` is set, or where the output is not a terminal).
    #[must_use]
    pub fn table(&self, width: usize, color: bool) -> String {
        let mut page = Page::new(width, color);
        self.head(&mut page);
        self.nodes(&mut page);
        self.slowest(&mut page);
        self.failed(&mut page);
        page.text
    }

    fn head(&self, page: &mut Page) {
        let Counts { tasks, done, failed, cancelled, lost_for_good, lost } = self.counts;
        let mut line = format!("{}: {done} of {tasks} tasks done", self.name);
        let others = [
            (failed, "failed"),
            (lost_for_good, "lost for good"),
            (cancelled, "cancelled"),
            (lost.saturating_sub(lost_for_good), "lost and repeated"),
        ];
        for (n, word) in others.into_iter().filter(|(n, _)| *n > 0) {
            line += &format!(", {n} {word}");
        }
        page.line(Style::Heading, &line);
        let mut makespan = format!("  makespan    {}", self.makespan);
        if let Some(bound) = self.lower_bound {
            makespan += &format!(", lower bound {bound}{}", ratio(self.makespan, bound));
        }
        page.line(Style::Plain, &makespan);
        let plural = if self.cores == 1 { "" } else { "s" };
        let efficiency =
            format!("  efficiency  {} of {} core{plural}", percent(self.efficiency), self.cores);
        page.line(Style::Plain, &efficiency);
        if self.stood_by > 0 {
            let nodes = if self.stood_by == 1 { "node was" } else { "nodes were" };
            page.line(Style::Plain, &format!("  standby     {} {nodes} not needed", self.stood_by));
        }
        if self.overlaps > 0 {
            let (n, plural) = (self.overlaps, if self.overlaps == 1 { "" } else { "s" });
            let line =
                format!("  overlap     {n} attempt{plural} may have overlapped with the next one");
            page.line(Style::Plain, &line);
        }
    }

    /// The nodes by id; of many, those that were least busy.
    fn nodes(&self, page: &mut Page) {
        let mut nodes: Vec<&NodeShare> = self.nodes.iter().collect();
        if nodes.is_empty() {
            return;
        }
        if nodes.len() > NODES {
            nodes.sort_by(|a, b| a.busy.total_cmp(&b.busy));
            nodes.truncate(NODES);
        }
        let host = nodes.iter().map(|n| printable(&n.host).chars().count()).max().unwrap_or(0);
        let host = host.clamp(4, 24);
        let title = format!("node  {:<host$}  cores  attempts     busy", "host");
        page.line(Style::Heading, &title);
        for node in &nodes {
            let name = clip(&node.host, host);
            let (id, busy) = (node.node.0, percent(node.busy));
            let (cores, attempts) = (node.cores, node.attempts);
            let line = format!("{id:>4}  {name:<host$}  {cores:>5}  {attempts:>8}  {busy:>7}");
            page.line(Style::Plain, &line);
        }
        if self.nodes.len() > nodes.len() {
            let more = self.nodes.len() - nodes.len();
            page.line(Style::Plain, &format!("and {more} nodes that were as busy or busier"));
        }
    }

    fn slowest(&self, page: &mut Page) {
        if self.slowest.is_empty() {
            return;
        }
        page.line(Style::Heading, "slowest tasks");
        for slow in &self.slowest {
            let took = slow.took.to_string();
            let on = self.on(Some(&slow.host));
            let room = page.width.saturating_sub(13 + on.chars().count());
            let task = clip_middle(&slow.task, room);
            page.line(Style::Plain, &format!("  {took:>9}  {task}{on}"));
        }
    }

    fn failed(&self, page: &mut Page) {
        if self.failed.is_empty() {
            return;
        }
        page.line(Style::Bad, "failed tasks");
        for task in self.failed.iter().take(FAILED) {
            let name = clip_middle(&task.task, page.width / 2);
            page.wrapped(&format!("  {name}: {}{}", outcome(task), self.on(task.host.as_deref())));
            let lines: Vec<&str> = task.tail.lines().collect();
            for line in &lines[lines.len().saturating_sub(TAIL_LINES)..] {
                page.line(Style::Dim, &format!("    | {line}"));
            }
        }
        if self.failed.len() > FAILED {
            let more = self.failed.len() - FAILED;
            page.line(Style::Plain, &format!("  and {more} more"));
        }
    }
}

impl Summary {
    /// ` on alpha`, where there is more than one host.
    fn on(&self, host: Option<&str>) -> String {
        let several = self.nodes.iter().any(|node| node.host != self.nodes[0].host);
        host.filter(|_| several).map_or_else(String::new, |host| format!(" on {}", clip(host, 24)))
    }
}

impl fmt::Display for Summary {
    /// The [table](Summary::table) in 80 columns without colour.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.table(WIDTH, false))
    }
}

/// `no such file at attempt 2`: why, or if nobody said, how it ended.
fn outcome(task: &FailedTask) -> String {
    let exit = || task.exit.map_or_else(|| "failed".to_owned(), |exit| exit.to_string());
    let mut text = task.reason.clone().unwrap_or_else(exit);
    if task.attempt > Attempt(1) {
        text += &format!(", at attempt {}", task.attempt.0);
    }
    text
}

/// ` (1.25 x)`: how many times its lower bound a makespan is; nothing over a bound of zero.
pub(super) fn ratio(makespan: Span, bound: Span) -> String {
    if bound == Span::ZERO {
        return String::new();
    }
    format!(" ({:.2} x)", makespan.as_secs() / bound.as_secs())
}

fn percent(share: f64) -> String {
    format!("{:.1} %", share * 100.0)
}

/// `text` on one line of at most `width` characters, with a sign where something was cut off.
pub(super) fn clip(text: &str, width: usize) -> String {
    let text = printable(text);
    if text.chars().count() <= width {
        return text;
    }
    let mut short: String = text.chars().take(width.saturating_sub(1)).collect();
    if width > 0 {
        short.push('…');
    }
    short
}

/// As [`clip`], but what is cut out is in the middle: names of tasks differ at their ends.
pub(super) fn clip_middle(text: &str, width: usize) -> String {
    let text = printable(text);
    let length = text.chars().count();
    if length <= width {
        return text;
    }
    let back = width.saturating_sub(1) / 2;
    let front: String = text.chars().take(width.saturating_sub(1) - back).collect();
    let back: String = text.chars().skip(length - back).collect();
    clip(&format!("{front}…{back}"), width)
}

/// `text` without what would move the cursor or change the terminal: it comes from tasks.
fn printable(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.trim_end().chars() {
        match c {
            '\t' => out.push_str("    "),
            c if c.is_control() => out.push('\u{fffd}'),
            c => out.push(c),
        }
    }
    out
}

/// How a line looks where colour is asked for.
pub(super) enum Style {
    Plain,
    Heading,
    Bad,
    Dim,
}

/// Lines of text in the making.
pub(super) struct Page {
    width: usize,
    color: bool,
    pub(super) text: String,
}

impl Page {
    pub(super) fn new(width: usize, color: bool) -> Page {
        Page { width: width.max(1), color, text: String::new() }
    }

    /// Adds `text` in as many lines as it takes, those after the first set in further.
    pub(super) fn wrapped(&mut self, text: &str) {
        let mut line = String::new();
        for word in printable(text).split(' ') {
            let length = line.chars().count() + 1 + word.chars().count();
            if length > self.width && !line.trim().is_empty() {
                self.line(Style::Plain, &line);
                line = "     ".to_owned();
            }
            line += word;
            line.push(' ');
        }
        self.line(Style::Plain, &line);
    }

    /// Adds `text` as one line, cut off where the page ends.
    pub(super) fn line(&mut self, style: Style, text: &str) {
        let text = clip(text, self.width);
        let code = match style {
            Style::Plain => "",
            Style::Heading => "\x1b[1m",
            Style::Bad => "\x1b[1;31m",
            Style::Dim => "\x1b[2m",
        };
        let written = if self.color && !code.is_empty() {
            writeln!(self.text, "{code}{text}\x1b[0m")
        } else {
            writeln!(self.text, "{text}")
        };
        written.expect("writing to a string does not fail");
    }
}
