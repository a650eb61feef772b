//! The parameters of a sweep: the product or the zip of named lists and ranges.

use std::ops::Range;

use toml::de::{DeTable, DeValue};

use super::error::{Report, counted, quote};
use super::fields::{Entry, Fields, Key, in_order};
use super::values::Number;
use crate::model::{Combine, Sweep, Value, placeholder};

/// The keys read here.
pub(super) const KEYS: [&str; 2] = ["product", "zip"];

const HELP: &str = "write product = { n = { from = 0, to = 10, step = 2 }, mode = [\"a\", \"b\"] } \
                    for each with each, or zip = { … } for the first of each, the second of each …";

/// The sweep of `fields`, if it has at most `limit` combinations.
pub(super) fn read<'a>(
    report: &mut Report<'a>,
    fields: &Fields<'_, 'a>,
    limit: u64,
) -> Option<(Sweep, u64)> {
    let (key, value, combine) = match (fields.get("product"), fields.get("zip")) {
        (Some(value), None) => ("product", value, Combine::Product),
        (None, Some(value)) => ("zip", value, Combine::Zip),
        (Some(product), Some(zip)) => {
            let marks = [(zip.span(), ""), (product.span(), "the product is here")];
            report.marked(&marks, "both `product` and `zip` are given", "keep one of the two");
            return None;
        }
        (None, None) => {
            let what = "a sweep without parameters: neither `product` nor `zip` is given";
            fields.missing(report, what, HELP);
            return None;
        }
    };
    let table = report.table(value, key, HELP)?;
    let parameters = parameters(report, table, &value.span(), limit)?;
    if combine == Combine::Zip {
        same_length(report, table, &parameters)?;
    }
    let sweep = Sweep { parameters, combine };
    match sweep.len() {
        Some(n) if n <= limit => Some((sweep, n)),
        n => {
            let n = n.map_or_else(|| "more than 2^64".to_owned(), |n| n.to_string());
            too_many(report, &value.span(), &n, limit);
            None
        }
    }
}

/// Says that a sweep has `n` tasks or values, which is over the limit.
fn too_many(report: &mut Report<'_>, span: &Range<usize>, n: &str, limit: u64) {
    let what = format!("{n} combinations, where a job has room for {limit} more");
    report.error(span, what, "sweep over fewer values, or split the job");
}

fn parameters<'a>(
    report: &mut Report<'a>,
    table: &DeTable<'a>,
    span: &Range<usize>,
    limit: u64,
) -> Option<Vec<(String, Vec<Value>)>> {
    if table.is_empty() {
        report.error(span, "a sweep over no parameter", HELP);
        return None;
    }
    let mut parameters = Vec::with_capacity(table.len());
    for (key, value) in in_order(table) {
        check_name(report, key)?;
        let values = values(report, key, value, limit)?;
        parameters.push((key.get_ref().to_string(), values));
    }
    Some(parameters)
}

/// Parameters become placeholders and variables.
fn check_name(report: &mut Report<'_>, key: Key<'_, '_>) -> Option<()> {
    let name = key.get_ref();
    let letters = |c: char| c.is_ascii_alphanumeric() || c == '_';
    if name.is_empty()
        || name.starts_with(|c: char| c.is_ascii_digit())
        || !name.chars().all(letters)
    {
        let what = format!("{} cannot be the name of a parameter", quote(name));
        let help = "it becomes a variable too: letters, digits and `_`, no digit in front";
        report.error(&key.span(), what, help);
        return None;
    }
    if placeholder::AT_RUN.contains(&name.as_ref()) {
        let what = format!("parameter {} hides what is known of every task", quote(name));
        report.error(&key.span(), what, "choose another name for the parameter");
        return None;
    }
    Some(())
}

fn values<'a>(
    report: &mut Report<'a>,
    key: Key<'_, 'a>,
    value: Entry<'_, 'a>,
    limit: u64,
) -> Option<Vec<Value>> {
    let name = key.get_ref();
    let help = format!("write {name} = [1, 2, 3], or {name} = {{ from = 0, to = 10, step = 2 }}");
    if let DeValue::Table(range) = value.get_ref() {
        let known = ["from", "to", "step"];
        let fields = Fields::open(report, range, value.span(), &known);
        return range_values(report, &fields, limit);
    }
    let list = report.list(value, name, &help)?;
    let mut values = Vec::with_capacity(list.len());
    for item in list.iter() {
        match report.value(item, name)? {
            found @ (Value::List(_) | Value::Map(_)) => {
                let what = format!("a value of parameter {} is {}", quote(name), found.kind());
                report.error(&item.span(), what, "values are text, numbers, true or false");
                return None;
            }
            Value::Text(text) if text.contains(char::is_control) => {
                let what =
                    format!("a value of parameter {} holds a control character", quote(name));
                report.error(&item.span(), what, "values become parts of names: printable text");
                return None;
            }
            scalar => values.push(scalar),
        }
    }
    if values.is_empty() {
        report.error(&value.span(), format!("parameter {} has no value", quote(name)), help);
        return None;
    }
    Some(values)
}

/// `from`, `from + step`, … up to and including `to`.
fn range_values<'a>(
    report: &mut Report<'a>,
    fields: &Fields<'_, 'a>,
    limit: u64,
) -> Option<Vec<Value>> {
    let from = bound(report, fields, "from")?;
    let to = bound(report, fields, "to")?;
    let step = match fields.get("step") {
        Some(_) => bound(report, fields, "step")?,
        None => Number::Whole(1),
    };
    if step.as_f64() == 0.0 {
        let span = fields.get("step").map_or(fields.span.clone(), |step| step.span());
        report.error(&span, "`step` is zero: the range never ends", "leave it out for steps of 1");
        return None;
    }
    if (to.as_f64() - from.as_f64()) * step.as_f64() < 0.0 {
        let what = "an empty range: `step` leads away from `to`";
        let help = "exchange `from` and `to`, or change the sign of `step`";
        report.error(&fields.span, what, help);
        return None;
    }
    let steps = match (&from, &to, &step) {
        // All are within 64 bits, so that differences fit.
        (Number::Whole(from), Number::Whole(to), Number::Whole(step)) => {
            ((to - from) / step) as f64
        }
        // A bound that is missed by rounding alone is met.
        _ => ((to.as_f64() - from.as_f64()) / step.as_f64() + 1e-9).floor(),
    };
    if steps + 1.0 > limit as f64 {
        too_many(report, &fields.span, &format!("{}", steps + 1.0), limit);
        return None;
    }
    Some((0..=steps as u64).map(|i| range_value(&from, &step, i)).collect())
}

fn range_value(from: &Number, step: &Number, i: u64) -> Value {
    if let (Number::Whole(from), Number::Whole(step)) = (from, step) {
        // Between `from` and `to`, which are within 64 bits.
        return Value::Int((from + step * i128::from(i)) as i64);
    }
    let x = from.as_f64() + step.as_f64() * i as f64;
    let digits = |number: &Number| match number {
        Number::Whole(_) => Some(0),
        Number::Fraction { digits, .. } => *digits,
    };
    // 0.1 three times is 0.3: no more digits than were written.
    let digits = digits(from).zip(digits(step)).map(|(a, b)| a.max(b)).filter(|n| *n <= 15);
    let rounded = digits.and_then(|digits| format!("{x:.digits$}").parse().ok());
    Value::Float(rounded.unwrap_or(x))
}

fn bound<'a>(report: &mut Report<'a>, fields: &Fields<'_, 'a>, key: &str) -> Option<Number> {
    let help = "write { from = 0, to = 10, step = 2 }; `to` is included";
    let Some(value) = fields.get(key) else {
        fields.missing(report, format!("a range without `{key}`"), help);
        return None;
    };
    let Some(number) = Number::of(value.get_ref()) else {
        report.error(&value.span(), format!("`{key}` of a range is not a number"), help);
        return None;
    };
    let fits = match number {
        Number::Whole(n) => i64::try_from(n).is_ok(),
        Number::Fraction { value, .. } => value.is_finite(),
    };
    if !fits {
        report.error(&value.span(), format!("`{key}` of a range is out of range"), help);
    }
    fits.then_some(number)
}

fn same_length(
    report: &mut Report<'_>,
    table: &DeTable<'_>,
    parameters: &[(String, Vec<Value>)],
) -> Option<()> {
    let (first, values) = parameters.first()?;
    let Some((other, others)) = parameters.iter().find(|(_, v)| v.len() != values.len()) else {
        return Some(());
    };
    let span = |name: &str| table.get(name).map_or(0..0, |value| value.span());
    let count = |values: &[Value]| counted(values.len() as u64, "value");
    let (here, there) = (count(others), count(values));
    let marks = [(span(other), here.as_str()), (span(first), there.as_str())];
    let what =
        format!("`zip` of lists of different lengths: {} and {}", quote(first), quote(other));
    report.marked(&marks, what, "make them equally long, or use `product`");
    None
}
