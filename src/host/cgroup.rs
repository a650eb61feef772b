//! What control groups (v1, v2, or both at once) allow this process.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Component, Path, PathBuf};

use super::list;

/// The tightest limits on the way from the group of this process up to the root.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Limits {
    /// Processor time per time that passes: 2.5 is two and a half CPUs.
    pub cpu_quota: Option<f64>,
    /// Bytes.
    pub memory: Option<u64>,
    /// The processing units that may be used.
    pub units: Option<BTreeSet<u32>>,
}

/// The limits of this process, by `proc/self/cgroup` and `proc/self/mountinfo` below `root` (`/`,
/// or the folder of a recorded tree).
///
/// What is not there, cannot be read or makes no sense limits nothing: a limit is enforced by
/// the kernel whether it is seen here or not.
#[must_use]
pub fn limits(root: &Path) -> Limits {
    let read = |path| fs::read_to_string(root.join(path)).unwrap_or_default();
    let mounts: Vec<Mount> = read("proc/self/mountinfo").lines().filter_map(mount).collect();
    let mut limits = Limits::default();
    for line in read("proc/self/cgroup").lines() {
        // `7:cpu,cpuacct:/user.slice`, or `0::/user.slice` for version 2.
        let mut fields = line.splitn(3, ':');
        let (Some(_), Some(controllers), Some(group)) =
            (fields.next(), fields.next(), fields.next())
        else {
            continue;
        };
        let wanted: Vec<&str> = controllers.split(',').filter(|name| !name.is_empty()).collect();
        for mount in mounts.iter().filter(|mount| mount.serves(&wanted)) {
            for folder in mount.groups(Path::new(group)) {
                limits.tighten(&mount.version, &root.join(folder));
            }
        }
    }
    limits
}

impl Limits {
    /// Adds what the group at `folder` says.
    fn tighten(&mut self, version: &Version, folder: &Path) {
        let read = |name: &str| fs::read_to_string(folder.join(name)).ok();
        let (quota, memory, units) = match version {
            Version::One(_) => (
                read("cpu.cfs_quota_us")
                    .zip(read("cpu.cfs_period_us"))
                    .and_then(|(q, p)| ratio(&q, &p)),
                read("memory.limit_in_bytes"),
                read("cpuset.effective_cpus").or_else(|| read("cpuset.cpus")),
            ),
            Version::Two => (
                read("cpu.max").and_then(|max| {
                    let (quota, period) = max.trim().split_once(' ')?;
                    ratio(quota, period)
                }),
                read("memory.max"),
                read("cpuset.cpus.effective"),
            ),
        };
        if let Some(quota) = quota {
            self.cpu_quota = Some(self.cpu_quota.map_or(quota, |least| least.min(quota)));
        }
        // Version 1 says "no limit" by the highest number of pages, version 2 by `max`.
        let memory = memory.and_then(|text| text.trim().parse::<u64>().ok());
        if let Some(bytes) = memory.filter(|bytes| *bytes < 1 << 60) {
            self.memory = Some(self.memory.map_or(bytes, |least| least.min(bytes)));
        }
        let units = units.and_then(|text| list::parse(&text)).filter(|units| !units.is_empty());
        if let Some(units) = units {
            self.units = Some(match &self.units {
                Some(least) => least & &units,
                None => units,
            });
        }
    }
}

/// `quota` over `period`, both in microseconds; nothing for `-1` and `max`.
fn ratio(quota: &str, period: &str) -> Option<f64> {
    let number = |text: &str| text.trim().parse::<f64>().ok().filter(|n| *n > 0.0);
    Some(number(quota)? / number(period)?)
}

enum Version {
    /// With the controllers that are mounted there.
    One(Vec<String>),
    Two,
}

/// Where a hierarchy of groups is to be seen.
struct Mount {
    version: Version,
    /// The group that shows at `point`; not the root of the hierarchy in a container.
    top: PathBuf,
    /// Relative to the root of the file system.
    point: PathBuf,
}

impl Mount {
    /// Whether it shows the hierarchy of these controllers; none stands for version 2.
    fn serves(&self, controllers: &[&str]) -> bool {
        match &self.version {
            Version::One(mounted) => {
                controllers.iter().any(|name| mounted.iter().any(|m| m == name))
            }
            Version::Two => controllers.is_empty(),
        }
    }

    /// The folders of `group` and all that it is in, from the inside out.
    fn groups(&self, group: &Path) -> Vec<PathBuf> {
        // In a container without a name space of its own for groups, `group` may lie outside of
        // what is mounted; then what is mounted is the group.
        let below = group.strip_prefix(&self.top).unwrap_or(Path::new(""));
        let inside = |part: &Component| matches!(part, Component::Normal(_));
        let below: PathBuf = if below.components().all(|part| inside(&part)) {
            below.to_owned()
        } else {
            PathBuf::new()
        };
        below.ancestors().map(|part| self.point.join(part)).collect()
    }
}

/// The mount that a line of `mountinfo` tells of, if it is of groups.
fn mount(line: &str) -> Option<Mount> {
    // `36 31 0:33 / /sys/fs/cgroup/memory rw,relatime shared:9 - cgroup cgroup rw,memory`
    let (left, right) = line.split_once(" - ")?;
    let mut right = right.split(' ');
    let version = match right.next()? {
        "cgroup" => Version::One(right.next_back()?.split(',').map(str::to_owned).collect()),
        "cgroup2" => Version::Two,
        _ => return None,
    };
    let mut left = left.split(' ').skip(3).map(unescape);
    let top = PathBuf::from(left.next()?);
    let point = left.next()?;
    Some(Mount { version, top, point: PathBuf::from(point.trim_start_matches('/')) })
}

/// Undoes the kernel's way of writing blanks in paths.
fn unescape(field: &str) -> String {
    let mut plain = field.to_owned();
    for (code, character) in [("\\040", " "), ("\\011", "\t"), ("\\012", "\n"), ("\\134", "\\")] {
        plain = plain.replace(code, character);
    }
    plain
}
