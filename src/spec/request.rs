//! What a task needs and a node has: `cores`, `memory`, `gpus`, `resources`.

use super::error::{Report, quote};
use super::fields::{Entry, Fields, in_order};
use crate::model::{Amount, Request, ResourceId, ResourceNames, Resources, Variant};

/// The keys of one variant.
pub(super) const VARIANT_KEYS: [&str; 5] = ["cores", "memory", "gpus", "resources", "nodes"];
/// The keys by which a task says what it needs.
pub(super) const KEYS: [&str; 6] = ["cores", "memory", "gpus", "resources", "nodes", "request"];

/// The most whole units that an [`Amount`] can hold.
const MOST: i128 = (u64::MAX / Amount::UNIT) as i128;

/// What the task of `fields` needs, over the request of the defaults: amounts that it does
/// not name stay, unless the one or the other is a list of variants.
pub(super) fn read<'a>(
    report: &mut Report<'a>,
    fields: &Fields<'_, 'a>,
    names: &mut ResourceNames,
    base: &Request,
) -> Option<Request> {
    let Some(request) = fields.get("request") else {
        let base = match base.variants.as_slice() {
            [only] => only.clone(),
            _ => one_core(),
        };
        return Some(Request { variants: vec![variant(report, fields, names, base)] });
    };
    if let Some(other) = VARIANT_KEYS.iter().find_map(|key| fields.key(key)) {
        let marks = [(other.span(), ""), (request.span(), "the variants are here")];
        let what = format!("`{}` beside `request`", other.get_ref());
        report.marked(&marks, what, "put it into each variant of `request`");
        return None;
    }
    variants(report, request, names)
}

fn variants<'a>(
    report: &mut Report<'a>,
    request: Entry<'_, 'a>,
    names: &mut ResourceNames,
) -> Option<Request> {
    let help =
        "write request = [ { cores = 8 }, { cores = 2, gpus = 1 } ], the preferred one first";
    let list = report.list(request, "request", help)?;
    if list.is_empty() {
        report.error(&request.span(), "`request` has no variant", help);
        return None;
    }
    let mut variants = Vec::with_capacity(list.len());
    for item in list.iter() {
        let table = report.table(item, "request", help)?;
        let fields = Fields::open(report, table, item.span(), &VARIANT_KEYS);
        variants.push(variant(report, &fields, names, one_core()));
    }
    Some(Request { variants })
}

fn one_core() -> Variant {
    Variant { nodes: 1, resources: Resources::cores(1) }
}

fn variant<'a>(
    report: &mut Report<'a>,
    fields: &Fields<'_, 'a>,
    names: &mut ResourceNames,
    base: Variant,
) -> Variant {
    let nodes = match fields.get("nodes") {
        Some(value) => report.whole(value, "nodes", 1..=i128::from(u32::MAX)).unwrap_or(1) as u32,
        None => base.nodes,
    };
    Variant { nodes, resources: amounts(report, fields, names, base.resources) }
}

/// The amounts of `fields` over those of `base`.
pub(super) fn amounts<'a>(
    report: &mut Report<'a>,
    fields: &Fields<'_, 'a>,
    names: &mut ResourceNames,
    base: Resources,
) -> Resources {
    let mut amounts = base;
    if let Some(value) = fields.get("cores") {
        let cores = report.whole(value, "cores", 1..=i128::from(u32::MAX)).unwrap_or(1);
        amounts.set(ResourceId::CORES, Amount::whole(cores as u64));
    }
    if let Some(value) = fields.get("memory") {
        amounts.set(ResourceId::MEMORY, bytes(report, value, "memory").unwrap_or_default());
    }
    if let Some(value) = fields.get("gpus") {
        amounts.set(ResourceId::GPUS, amount(report, value, "gpus").unwrap_or_default());
    }
    if let Some(value) = fields.get("resources") {
        let table = report.table(value, "resources", "write resources = { licence = 1 }");
        for (key, value) in table.map(in_order).unwrap_or_default() {
            let name = key.get_ref();
            if ["cores", "memory", "gpus"].contains(&name.as_ref()) {
                let what = format!("`{name}` inside `resources`");
                report.error(&key.span(), what, format!("it is a key of its own: {name} = …"));
                continue;
            }
            let Some(id) = names.intern(name) else {
                let what = format!("resource {} is one too many", quote(name));
                report.error(&key.span(), what, "a job names at most 65 536 resources");
                break;
            };
            amounts.set(id, amount(report, value, name).unwrap_or_default());
        }
    }
    amounts
}

/// A number to four places, or a size as text.
fn amount<'a>(report: &mut Report<'a>, value: Entry<'_, 'a>, key: &str) -> Option<Amount> {
    if matches!(value.get_ref(), toml::de::DeValue::String(_)) {
        return bytes(report, value, key);
    }
    let number = report.amount(value, key)?;
    if number > MOST as f64 {
        report.out_of_range(value, key, &number.to_string(), format!("at most {MOST}"));
        return None;
    }
    Some(Amount::from_f64(number))
}

fn bytes<'a>(report: &mut Report<'a>, value: Entry<'_, 'a>, key: &str) -> Option<Amount> {
    let size = report.size(value, key)?;
    if i128::from(size) > MOST {
        report.out_of_range(value, key, &size.to_string(), "at most 1.8 PB");
        return None;
    }
    Some(Amount::whole(size))
}
