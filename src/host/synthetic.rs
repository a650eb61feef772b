//! A machine described in hwloc's synthetic notation: `package:2 numa:2 l3:1 core:4 pu:2`.

use super::error::HostError;
use super::unit::{Unit, assemble, default_distance};
use crate::model::Topology;

/// No machine has more units than this; a description of a larger one is a slip of the pen.
const MOST_UNITS: u32 = 1 << 20;

/// A level: what, and how many of it in each of the level above.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Level {
    Package,
    Numa,
    Cache(u8),
    Core,
    Unit,
    /// A die or a group: it multiplies what is below it, and that is all.
    Other,
}

/// The topology that `text` describes, units numbered from 0 in the order of the tree.
///
/// Levels are separated by spaces, from the outermost inwards: `package`, `die`, `group`,
/// `numa`, `l2` … `l5`, `core`, `pu`, each with `:count` in each of the level above. Without
/// `pu` a core has one unit; without `core` each unit is one; without `numa` there is one
/// domain. What hwloc understands beyond that (attributes, levels in brackets) is refused.
///
/// # Errors
/// [`HostError::Synthetic`] with what is wrong.
///
/// # Examples
/// ```
/// let host = evenkeel::host::synthetic::topology("numa:2 core:8")?;
/// assert_eq!(host.to_string(), "2 domains, 16 cores");
/// # Ok::<(), evenkeel::host::HostError>(())
/// ```
pub fn topology(text: &str) -> Result<Topology, HostError> {
    let fail = |reason| HostError::Synthetic { text: text.to_owned(), reason };
    let levels = parse(text).map_err(fail)?;
    let total = levels.iter().try_fold(1_u32, |total, (_, count)| {
        total.checked_mul(*count).filter(|total| *total <= MOST_UNITS)
    });
    let total = total.ok_or_else(|| fail(format!("it has more than {MOST_UNITS} units")))?;
    // How many units are below one object of a level: the `i`-th unit is in object `i / below`.
    let below = |wanted: &dyn Fn(Level) -> bool| {
        let place = levels.iter().position(|(level, _)| wanted(*level))?;
        Some(levels[place + 1..].iter().map(|(_, count)| count).product::<u32>())
    };
    let core = below(&|l| l == Level::Core).unwrap_or(1);
    let package = below(&|l| l == Level::Package).unwrap_or(total);
    let numa = below(&|l| l == Level::Numa).unwrap_or(total);
    let last_level = levels.iter().filter_map(|(level, _)| cache_level(*level)).max();
    let cache = last_level.and_then(|last| below(&|l| l == Level::Cache(last)));
    let unit = |id: u32| Unit {
        id,
        core: id / core * core,
        package: id / package,
        cache: cache.map(|cache| id / cache * cache),
        domain: id / numa,
    };
    Ok(assemble((0..total).map(unit).collect(), |_| 0, default_distance))
}

const fn cache_level(level: Level) -> Option<u8> {
    match level {
        Level::Cache(n) => Some(n),
        _ => None,
    }
}

fn parse(text: &str) -> Result<Vec<(Level, u32)>, String> {
    let levels = text.split_whitespace().map(parse_level).collect::<Result<Vec<_>, _>>()?;
    if levels.is_empty() {
        return Err("it is empty; a machine is written like `package:2 numa:2 core:8`".to_owned());
    }
    for (i, (level, _)) in levels.iter().enumerate() {
        let inner = &levels[i + 1..];
        if *level != Level::Other && inner.iter().any(|(other, _)| other == level) {
            return Err(format!("{} is there twice", name(*level)));
        }
        if let Some((other, _)) = inner.iter().find(|(other, _)| !may_hold(*level, *other)) {
            return Err(format!("{} cannot be inside {}", name(*other), name(*level)));
        }
    }
    Ok(levels)
}

fn parse_level(word: &str) -> Result<(Level, u32), String> {
    let (kind, count) =
        word.split_once(':').ok_or_else(|| format!("`{word}` lacks its `:count`"))?;
    let level = match kind.to_ascii_lowercase().as_str() {
        "package" | "pack" | "socket" => Level::Package,
        "numanode" | "numa" | "node" => Level::Numa,
        "l2" | "l2cache" => Level::Cache(2),
        "l3" | "l3cache" => Level::Cache(3),
        "l4" | "l4cache" => Level::Cache(4),
        "l5" | "l5cache" => Level::Cache(5),
        "l1" | "l1d" | "l1cache" => Level::Cache(1),
        "die" | "group" => Level::Other,
        "core" => Level::Core,
        "pu" => Level::Unit,
        _ => {
            return Err(format!(
                "`{kind}` is none of package, die, group, numa, l1, l2, l3, l4, l5, core, pu; \
                 for more than that, write it as XML by `lstopo -i \"…\" host.xml` and set \
                 HWLOC_XMLFILE"
            ));
        }
    };
    match count.parse() {
        Ok(count) if count > 0 => Ok((level, count)),
        _ => Err(format!("`{count}` in `{word}` is not a count of at least 1")),
    }
}

/// Whether a level may be somewhere inside another.
const fn may_hold(outer: Level, inner: Level) -> bool {
    match (outer, inner) {
        (Level::Unit, _) => false,
        (Level::Core, inner) => matches!(inner, Level::Unit | Level::Cache(1)),
        (Level::Cache(outer), Level::Cache(inner)) => inner < outer,
        (Level::Cache(_), Level::Package) => false,
        _ => true,
    }
}

fn name(level: Level) -> String {
    match level {
        Level::Package => "package".to_owned(),
        Level::Numa => "numa".to_owned(),
        Level::Cache(n) => format!("l{n}"),
        Level::Core => "core".to_owned(),
        Level::Unit => "pu".to_owned(),
        Level::Other => "group".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_nest_from_the_outside_in() {
        let host = topology("package:2 numa:2 l3:2 core:2 pu:2").unwrap();
        assert_eq!(host.domains.len(), 4);
        assert_eq!(host.core_count(), 16);
        let last = host.cores().last().unwrap();
        assert_eq!((last.id.0, last.package, last.cache), (30, 1, 7));
        assert_eq!(last.units, [30, 31]);
        assert_eq!(host.distances[0], [10, 20, 20, 20]);
    }

    #[test]
    fn what_is_left_out_is_one() {
        let host = topology("numa:2 core:8").unwrap();
        assert!(host.cores().all(|c| c.units.len() == 1 && c.package == 0));
        assert_eq!(topology("package:2 core:2 pu:1").unwrap().domains.len(), 1);
        assert_eq!(topology("pu:3").unwrap().core_count(), 3);
        assert_eq!(topology("core:3").unwrap(), Topology::flat(3));
    }

    #[test]
    fn each_mistake_is_named() {
        let reason = |text| match topology(text) {
            Err(HostError::Synthetic { reason, .. }) => reason,
            other => panic!("{text:?} gave {other:?}"),
        };
        assert!(reason("").contains("empty"));
        assert!(reason("core").contains("`core` lacks its `:count`"));
        assert!(reason("core:0").contains("`0` in `core:0`"));
        assert!(reason("core:-1").contains("`-1`"));
        assert!(reason("cores:4").contains("`cores` is none of package"));
        assert!(reason("core:2 core:2").contains("core is there twice"));
        assert!(reason("core:2 numa:2").contains("numa cannot be inside core"));
        assert!(reason("l2:2 l3:2").contains("l3 cannot be inside l2"));
        assert!(reason("core:65536 pu:65536").contains("more than"));
        assert!(reason("numa:2(memory=1GB) core:2").contains("count of at least 1"));
    }
}
