//! Platform files: the machine for planning and simulation.

use std::collections::HashSet;
use std::ops::Range;

use toml::de::{DeTable, DeValue};

use super::error::{Errors, Report, Source, quote};
use super::fields::{Entry, Fields};
use super::job::stem;
use super::nearest::{list, nearest};
use super::values::Number;
use super::{request, units};
use crate::model::{Link, Platform, PlatformNode, PlatformSubcluster, ResourceId, Resources, Span};

const KEYS: [&str; 4] = ["name", "classes", "link", "subcluster"];
const SUBCLUSTER_KEYS: [&str; 4] = ["name", "count", "link", "node"];
const NODE_KEYS: [&str; 9] =
    ["name", "count", "class", "speed", "numa", "cores", "memory", "gpus", "resources"];

/// The most nodes, and the most subclusters, that a platform may have.
pub(super) const MOST_NODES: usize = 1_000_000;

/// Reads a platform file.
///
/// # Errors
/// All that is wrong with it, as far as one pass can tell.
pub fn read_platform(source: Source<'_>) -> Result<Platform, Errors> {
    let text = source.text.strip_prefix('\u{feff}').unwrap_or(source.text);
    let mut report = Report::new(Source { text, ..source });
    let Some(document) = report.parse_toml() else { return Err(report.errors()) };
    let mut reader =
        Reader { report, platform: Platform::default(), names: HashSet::new(), count: 0 };
    reader.document(document.table());
    reader.report.finish(reader.platform)
}

struct Reader<'a> {
    report: Report<'a>,
    platform: Platform,
    /// Those that are taken.
    names: HashSet<(Kind, String)>,
    /// Nodes so far.
    count: usize,
}

/// Equal nodes; the one that is here has no name yet.
struct Group<'t, 'a> {
    fields: Fields<'t, 'a>,
    count: usize,
    node: PlatformNode,
}

#[derive(Clone, Copy, PartialEq, Eq, Hash)]
enum Kind {
    Subcluster,
    Node,
}

impl<'a> Reader<'a> {
    fn document(&mut self, table: &DeTable<'a>) {
        let fields = Fields::open(&mut self.report, table, 0..0, &KEYS);
        let name = fields.get("name").and_then(|value| self.report.name(value, "name"));
        self.platform.name =
            name.map_or_else(|| stem(self.report.source.name), |name| name.into_owned());
        self.platform.classes = self.classes(&fields).unwrap_or_default();
        self.platform.link = self.link(&fields).unwrap_or_default();
        let subclusters = self.report.tables(&fields, "subcluster");
        if subclusters.is_empty() && fields.get("subcluster").is_none() {
            let what = "a platform without subclusters";
            let help = "add one: the line [[subcluster]], below it \
                        node = [ { count = 4, cores = 8 } ]";
            self.report.error(&(0..0), what, help);
        }
        for (table, span) in subclusters {
            // What is wrong has been reported; the next one may be wrong as well.
            let _ = self.subcluster(table, span);
        }
    }

    fn classes(&mut self, fields: &Fields<'_, 'a>) -> Option<Vec<String>> {
        let Some(value) = fields.get("classes") else { return Some(vec!["core".to_owned()]) };
        let help = "write classes = [\"fast\", \"slow\"], in the order of the tasks' costs";
        let list = self.report.list(value, "classes", help)?;
        let mut classes: Vec<String> = Vec::with_capacity(list.len());
        for (i, item) in list.iter().enumerate() {
            let name = self.report.name(item, "classes")?;
            if let Some(first) = classes.iter().position(|class| *class == name) {
                let marks = [(item.span(), ""), (list[first].span(), "first named here")];
                let what = format!("class {} is named twice", quote(&name));
                self.report.marked(&marks, what, "give each class a name of its own");
                return None;
            }
            if i >= 4096 {
                let help = "a class is a kind of processor: use `speed` for finer differences";
                self.report.error(&value.span(), "more than 4096 classes", help);
                return None;
            }
            classes.push(name.into_owned());
        }
        if classes.is_empty() {
            self.report.error(&value.span(), "`classes` is empty", help);
        }
        Some(classes)
    }

    fn link(&mut self, fields: &Fields<'_, 'a>) -> Option<Link> {
        let Some(value) = fields.get("link") else { return Some(Link::default()) };
        let help = "write link = { latency = \"1us\", bandwidth = \"12GB/s\" }";
        let table = self.report.table(value, "link", help)?;
        let fields = Fields::open(&mut self.report, table, value.span(), &["latency", "bandwidth"]);
        let latency = match fields.get("latency") {
            Some(value) => self.report.duration(value, "latency"),
            None => Some(Span::ZERO),
        };
        let bandwidth = match fields.get("bandwidth") {
            Some(value) => self.bandwidth(value),
            None => Some(f64::INFINITY),
        };
        Some(Link { latency: latency?, bandwidth: bandwidth? })
    }

    /// Bytes per second; `inf` is allowed.
    fn bandwidth(&mut self, value: Entry<'_, 'a>) -> Option<f64> {
        let found = match value.get_ref() {
            DeValue::String(text) => {
                let size = text.trim().strip_suffix("/s").unwrap_or(text);
                match units::parse_size(size) {
                    Ok(bytes) => bytes as f64,
                    Err(error) => {
                        let what = format!("`bandwidth`: {}", error.what());
                        self.report.error(&value.span(), what, error.help());
                        return None;
                    }
                }
            }
            other => match Number::of(other) {
                Some(number) => number.as_f64(),
                None => {
                    self.report.size(value, "bandwidth");
                    return None;
                }
            },
        };
        if found > 0.0 {
            return Some(found);
        }
        let what = format!("`bandwidth` is {found}, out of range");
        let help = "give bytes per second above zero; leave it out where transfers cost nothing";
        self.report.error(&value.span(), what, help);
        None
    }

    fn subcluster(&mut self, table: &DeTable<'a>, span: Range<usize>) -> Option<()> {
        let fields = Fields::open(&mut self.report, table, span, &SUBCLUSTER_KEYS);
        let count = self.how_many(&fields)?;
        let link = self.link(&fields)?;
        let nodes = self.report.tables(&fields, "node");
        if nodes.is_empty() {
            if fields.get("node").is_none() {
                let help = "add them: node = [ { count = 4, cores = 8 } ]";
                fields.missing(&mut self.report, "a subcluster without nodes", help);
            }
            return None;
        }
        let groups: Vec<Group<'_, 'a>> = nodes
            .into_iter()
            .map(|(table, span)| self.group(table, span))
            .collect::<Option<_>>()?;
        let nodes = groups.iter().map(|group| group.count as u64).sum::<u64>() * count as u64;
        if self.count as u64 + nodes > MOST_NODES as u64 {
            let what = format!("more than {MOST_NODES} nodes");
            self.report.error(&fields.span, what, "plan for a part of the machine");
            return None;
        }
        for i in 0..count {
            let number = self.platform.subclusters.len();
            let name = self.numbered(&fields, Kind::Subcluster, i, count, number)?;
            self.platform.subclusters.push(PlatformSubcluster { name, nodes: Vec::new(), link });
            for group in &groups {
                self.nodes(group)?;
            }
        }
        Some(())
    }

    fn nodes(&mut self, group: &Group<'_, 'a>) -> Option<()> {
        for i in 0..group.count {
            let name = self.numbered(&group.fields, Kind::Node, i, group.count, self.count)?;
            self.count += 1;
            let node = PlatformNode { name, ..group.node.clone() };
            self.platform.subclusters.last_mut()?.nodes.push(node);
        }
        Some(())
    }

    fn group<'t>(&mut self, table: &'t DeTable<'a>, span: Range<usize>) -> Option<Group<'t, 'a>> {
        let fields = Fields::open(&mut self.report, table, span, &NODE_KEYS);
        let (count, class, speed) =
            (self.how_many(&fields), self.class(&fields), self.speed(&fields));
        let names = &mut self.platform.resources;
        let base = Resources::cores(1);
        let capacity = request::amounts(&mut self.report, &fields, names, base);
        let cores = capacity.get(ResourceId::CORES).ceil();
        let domains = match fields.get("numa") {
            Some(value) => {
                let most = cores.min(u32::MAX.into());
                self.report.whole(value, "numa", 1..=most.into())? as u32
            }
            None => 1,
        };
        let name = String::new();
        let node = PlatformNode { name, class: class?, speed: speed?, domains, capacity };
        Some(Group { fields, count: count?, node })
    }

    fn class(&mut self, fields: &Fields<'_, 'a>) -> Option<usize> {
        let Some(value) = fields.get("class") else { return Some(0) };
        let name = self.report.name(value, "class")?;
        let classes: Vec<&str> = self.platform.classes.iter().map(String::as_str).collect();
        let found = classes.iter().position(|class| *class == name);
        if found.is_none() {
            let help = match nearest(&name, classes.iter().copied()) {
                Some(near) => format!("did you mean `{near}`?"),
                None if fields.get("class").is_some() && classes == ["core"] => {
                    "name the classes at the head of the file: classes = [\"fast\", \"slow\"]"
                        .to_owned()
                }
                None => format!("the classes of this platform are {}", list(&classes)),
            };
            self.report.error(&value.span(), format!("unknown class {}", quote(&name)), help);
        }
        found
    }

    fn speed(&mut self, fields: &Fields<'_, 'a>) -> Option<f64> {
        let Some(value) = fields.get("speed") else { return Some(1.0) };
        let speed = self.report.amount(value, "speed")?;
        if speed == 0.0 {
            let help = "1 is the speed at which costs are given, 2 is twice as fast";
            self.report.error(&value.span(), "`speed` is zero: nothing would ever end", help);
            return None;
        }
        Some(speed)
    }

    /// `count`, 1 if not said.
    fn how_many(&mut self, fields: &Fields<'_, 'a>) -> Option<usize> {
        let Some(value) = fields.get("count") else { return Some(1) };
        self.report.whole(value, "count", 1..=MOST_NODES as i128).map(|n| n as usize)
    }

    /// The name of one of `count` equal ones; if they have none, from their `number` among all.
    fn numbered(
        &mut self,
        fields: &Fields<'_, 'a>,
        kind: Kind,
        i: usize,
        count: usize,
        number: usize,
    ) -> Option<String> {
        let (word, span) = match fields.get("name") {
            Some(value) => (Some(self.report.name(value, "name")?), value.span()),
            None => (None, fields.span.clone()),
        };
        let default = if kind == Kind::Node { "node" } else { "sub" };
        let within = self.platform.subclusters.last().map_or("", |s| s.name.as_str());
        let mut name = match &word {
            None => format!("{default}{number}"),
            Some(word) if count == 1 => word.to_string(),
            Some(word) => format!("{word}{i}"),
        };
        // The nodes of equal subclusters are told apart by where they are.
        if kind == Kind::Node && word.is_some() && self.names.contains(&(kind, name.clone())) {
            name = format!("{within}.{name}");
        }
        if !self.names.insert((kind, name.clone())) {
            let what = format!(
                "two {}s are called {}",
                default.replace("sub", "subcluster"),
                quote(&name)
            );
            self.report.error(&span, what, "give each a name of its own, or leave the name out");
            return None;
        }
        Some(name)
    }
}
