//! Hostfiles, as launchers read them, whose hosts are in groups.

use std::collections::HashMap;
use std::ops::Range;

use super::error::{Errors, Report, Source, quote};
use super::synthetic::words;
use crate::model::{HostGroup, HostGroups, hosts};

const HELP: &str = "write the line \"# group NAME\" above the hosts of each group";

/// Reads a hostfile whose hosts are in groups: a host in a line, with whatever the launcher is to know
/// of it behind, and above those of a group the line `# group NAME`. To launchers that is a comment.
///
/// A host may be named again in its group, as batch systems do, and with its domain or without.
///
/// ```
/// # use evenkeel::spec::{Source, read_hostfile};
/// let text = "
/// ## group left
/// n1 slots=2          # as Open MPI writes it
/// n2:2                # as MPICH does
///
/// ## group right
/// n3
/// ";
/// let groups = read_hostfile(Source { name: "hosts", text })?;
/// assert_eq!(groups.find("n2.cluster.example"), Some(0));
/// assert_eq!(groups.groups[1].name, "right");
/// # Ok::<(), evenkeel::spec::Errors>(())
/// ```
///
/// # Errors
/// All that is wrong with it: hosts in no group or in two, groups without hosts, no groups at all.
pub fn read_hostfile(source: Source<'_>) -> Result<HostGroups, Errors> {
    let text = source.text.strip_prefix('\u{feff}').unwrap_or(source.text);
    let report = Report::new(Source { text, ..source });
    let mut reader = Reader { report, groups: Vec::new(), hosts: HashMap::new() };
    let mut at = 0;
    for line in text.split_inclusive('\n') {
        reader.line(at, line);
        at += line.len();
    }
    reader.finish()
}

/// A group, and where it begins.
struct Group<'a> {
    name: &'a str,
    span: Range<usize>,
    hosts: Vec<&'a str>,
}

struct Reader<'a> {
    report: Report<'a>,
    groups: Vec<Group<'a>>,
    /// Of each short name the hosts: their group, and where they were named first.
    hosts: HashMap<String, Vec<Host<'a>>>,
}

struct Host<'a> {
    name: &'a str,
    group: usize,
    span: Range<usize>,
}

impl<'a> Reader<'a> {
    fn text(&self, span: &Range<usize>) -> &'a str {
        &self.report.source.text[span.clone()]
    }

    /// A line that begins at `at`.
    fn line(&mut self, at: usize, line: &str) {
        let text = self.report.source.text;
        let mut parts = line.split('#');
        let content = parts.next().map_or(0, str::len);
        if let Some(host) = words(text, at..at + content).next() {
            self.host(host);
        } else if let Some(comment) = parts.next() {
            let start = at + content + 1;
            let mut words = words(text, start..start + comment.len());
            let first = words.next().filter(|word| {
                let word = self.text(word);
                word.strip_suffix(':').unwrap_or(word).eq_ignore_ascii_case("group")
            });
            if let Some(first) = first {
                self.group(&first, words.collect());
            }
        }
    }

    fn group(&mut self, word: &Range<usize>, names: Vec<Range<usize>>) {
        let [span] = &names[..] else {
            let what = match names.len() {
                0 => "a group without a name",
                _ => "the name of a group is one word",
            };
            let end = names.last().map_or(word.end, |last| last.end);
            let help = "write \"# group NAME\"; a comment may begin with any other word";
            self.report.error(&(word.start..end), what, help);
            // What follows is of no other group.
            return self.begin("", word.clone());
        };
        let name = self.text(span);
        if let Some(first) = self.groups.iter().find(|group| group.name == name) {
            let marks = [(span.clone(), ""), (first.span.clone(), "the first is here")];
            let what = format!("two groups are called {}", quote(name));
            self.report.marked(&marks, what, "name them apart, or put all hosts below one of them");
        }
        self.begin(name, span.clone());
    }

    fn begin(&mut self, name: &'a str, span: Range<usize>) {
        self.groups.push(Group { name, span, hosts: Vec::new() });
    }

    fn host(&mut self, mut span: Range<usize>) {
        let word = self.text(&span);
        if let Some(name) = word.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
            let help = format!("a group begins with the line \"# group {name}\"");
            self.report.error(&span, format!("{} is no host", quote(word)), help);
            return self.begin(name, span);
        }
        // Whom to be there, and how many slots it has, is the launcher's.
        let user = word.find('@').map_or(0, |at| at + 1);
        let slots = word.rfind(':').filter(|at| {
            let digits = &word[at + 1..];
            !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit())
        });
        span = span.start + user..span.start + slots.unwrap_or(word.len()).max(user);
        let name = self.text(&span);
        let fits = |c: char| c.is_alphanumeric() || "-_.".contains(c);
        if name.is_empty() || name.starts_with('-') || !name.chars().all(fits) {
            let help = "write the name of a host, \"n1 slots=2\" or \"n1:2\"";
            return self.report.error(&span, format!("{} is no host", quote(word)), help);
        }
        let Some(group) = self.groups.len().checked_sub(1) else {
            self.report.error(&span, format!("{} is in no group", quote(name)), HELP);
            // Those that follow it are not named one by one.
            return self.begin("", span);
        };
        let known = self.hosts.entry(hosts::short(name).to_lowercase()).or_default();
        match known.iter().find(|host| hosts::is_same(host.name, name)) {
            Some(host) if host.group == group => {}
            Some(host) => {
                let marks = [(span, ""), (host.span.clone(), "the first is here")];
                let what = format!("{} is in two groups", quote(name));
                self.report.marked(&marks, what, "take it out of one of them");
            }
            None => {
                known.push(Host { name, group, span });
                self.groups[group].hosts.push(name);
            }
        }
    }

    fn finish(mut self) -> Result<HostGroups, Errors> {
        if self.groups.is_empty() && self.report.is_clean() {
            self.report.error(&(0..0), "a hostfile without groups", HELP);
        }
        if self.report.is_clean() {
            for group in self.groups.iter().filter(|group| group.hosts.is_empty()) {
                let what = format!("group {} has no hosts", quote(group.name));
                self.report.error(&group.span, what, "name its hosts below it, a line each");
            }
        }
        let group = |group: &Group<'_>| HostGroup {
            name: group.name.to_owned(),
            hosts: group.hosts.iter().map(|host| (*host).to_owned()).collect(),
        };
        let groups = self.groups.iter().map(group).collect();
        let source = self.report.source.name.to_owned();
        self.report.finish(HostGroups { source, groups })
    }
}
