//! Platforms in a line: `4 nodes x numa:2 core:8`.

use std::ops::Range;

use super::error::{Errors, Report, Source, quote};
use super::nearest::suggest;
use super::platform::MOST_NODES;
use super::units::parse_size;
use crate::model::{Amount, Platform, ResourceId, Resources};

const HELP: &str = "write \"4 nodes x numa:2 core:8\", or \"2 subclusters x 4 nodes x core:8\"";
const PARTS: [&str; 5] = ["numa", "core", "memory", "gpu", "speed"];

/// Reads a platform from a line: perhaps `N subclusters x`, perhaps `N nodes x` (of each
/// subcluster), and what a node is made of: `numa:N` domains (1 if left out) of `core:N` cores
/// each, `memory:SIZE`, `gpu:N` and `speed:X` for the whole node. All links cost nothing.
///
/// # Errors
/// All that is wrong with it.
pub fn parse_platform_string(text: &str) -> Result<Platform, Errors> {
    let mut report = Report::new(Source { name: "platform", text });
    let mut counts = Counts::default();
    let mut node = None;
    for (i, span) in terms(text).enumerate() {
        let term = &text[span.clone()];
        if term.is_empty() {
            // All but an empty line: that one has no node.
            if !text.trim().is_empty() {
                report.error(&span, "nothing stands on this side of an `x`", HELP);
            }
        } else if term.contains(':') {
            if let Some(Node { span: first, .. }) = &node {
                let marks = [(span, ""), (Range::clone(first), "the first is here")];
                report.marked(&marks, "nodes of two kinds", "use a platform file for those");
                continue;
            }
            node = Node::read(&mut report, span);
        } else if node.is_some() {
            let what = format!("{} behind the node", quote(term));
            report.error(&span, what, HELP);
        } else {
            counts.read(&mut report, i, &span);
        }
    }
    if node.is_none() && report.is_clean() {
        report.error(&(0..text.len()), "no node is described", HELP);
    }
    let Some(node) = node.filter(|_| report.is_clean()) else {
        return Err(report.errors());
    };
    let (subclusters, nodes) = (counts.subclusters.unwrap_or(1), counts.nodes.unwrap_or(1));
    if u64::from(subclusters) * u64::from(nodes) > MOST_NODES as u64 {
        let what = format!("more than {MOST_NODES} nodes");
        report.error(&(0..text.len()), what, "plan for a part of the machine");
        return report.finish(Platform::default());
    }
    let mut platform = Platform::uniform(subclusters, nodes, 1);
    platform.name = text.trim().to_owned();
    for node_of in platform.subclusters.iter_mut().flat_map(|s| &mut s.nodes) {
        node_of.domains = node.domains;
        node_of.speed = node.speed;
        node_of.capacity = node.capacity.clone();
    }
    report.finish(platform)
}

/// The parts between the `x`, trimmed.
fn terms(text: &str) -> impl Iterator<Item = Range<usize>> {
    let mut start = 0;
    let ends = words(text, 0..text.len()).filter(|w| &text[w.clone()] == "x");
    let ends: Vec<Range<usize>> = ends.chain(std::iter::once(text.len()..text.len())).collect();
    ends.into_iter().map(move |end| {
        let term = start..end.start;
        start = end.end;
        let trimmed = text[term.clone()].trim();
        let front = term.len() - text[term.clone()].trim_start().len();
        term.start + front..term.start + front + trimmed.len()
    })
}

/// The words of `text[within]`, by their places.
pub(super) fn words(text: &str, within: Range<usize>) -> impl Iterator<Item = Range<usize>> {
    let part = &text[within.clone()];
    part.split_whitespace().map(move |word| {
        let start = within.start + (word.as_ptr() as usize - part.as_ptr() as usize);
        start..start + word.len()
    })
}

#[derive(Default)]
struct Counts {
    subclusters: Option<u32>,
    nodes: Option<u32>,
}

impl Counts {
    /// `4 nodes`, `1 subcluster`.
    fn read(&mut self, report: &mut Report<'_>, place: usize, span: &Range<usize>) {
        let term = &report.source.text[span.clone()];
        let mut words = term.split_whitespace();
        let (number, noun) = (words.next().unwrap_or(""), words.next().unwrap_or(""));
        let count = match noun {
            "node" | "nodes" => &mut self.nodes,
            "subcluster" | "subclusters" if place == 0 => &mut self.subclusters,
            _ => return report.error(span, format!("{} is not understood", quote(term)), HELP),
        };
        match number.parse() {
            Ok(n) if n > 0 && words.next().is_none() && count.is_none() => *count = Some(n),
            _ => report.error(span, format!("{} is not understood", quote(term)), HELP),
        }
    }
}

struct Node {
    span: Range<usize>,
    domains: u32,
    speed: f64,
    capacity: Resources,
}

impl Node {
    /// `numa:2 core:8 memory:64GiB`.
    fn read(report: &mut Report<'_>, span: Range<usize>) -> Option<Node> {
        let text = report.source.text;
        let mut values: [Option<f64>; PARTS.len()] = [None; PARTS.len()];
        for word in words(text, span.clone()) {
            let (key, value) =
                text[word.clone()].split_once(':').unwrap_or((&text[word.clone()], ""));
            let Some(place) = PARTS.iter().position(|part| part.trim_end_matches('s') == key)
            else {
                let what = format!("unknown part {}", quote(key));
                report.error(&word, what, suggest(key, &PARTS));
                return None;
            };
            if values[place].is_some() {
                report.error(&word, format!("`{key}` is given twice"), "give each part once");
                return None;
            }
            values[place] = Some(part(report, key, value, &word)?);
        }
        let [numa, core, memory, gpu, speed] = values;
        let Some(core) = core else {
            report.error(&span, "a node without cores", HELP);
            return None;
        };
        let domains = numa.unwrap_or(1.0);
        let capacity = Resources::default()
            .with(ResourceId::CORES, Amount::whole((domains * core) as u64))
            .with(ResourceId::MEMORY, Amount::whole(memory.unwrap_or(0.0) as u64))
            .with(ResourceId::GPUS, Amount::whole(gpu.unwrap_or(0.0) as u64));
        Some(Node { span, domains: domains as u32, speed: speed.unwrap_or(1.0), capacity })
    }
}

/// The number behind a part of a node.
fn part(report: &mut Report<'_>, key: &str, value: &str, word: &Range<usize>) -> Option<f64> {
    let number = match key {
        "memory" => parse_size(value).ok().map(|bytes| bytes as f64),
        "speed" => value.parse().ok().filter(|speed: &f64| speed.is_finite() && *speed > 0.0),
        // Counts beyond a million are typing errors.
        _ => value.parse::<u32>().ok().filter(|n| (1..=1_000_000).contains(n)).map(f64::from),
    };
    if number.is_none() {
        let help = match key {
            "memory" => super::units::SIZE_HELP,
            "speed" => "give a number above zero",
            _ => "give a whole number from 1 to 1000000",
        };
        report.error(word, format!("`{key}` is {}", quote(value)), help);
    }
    number
}
