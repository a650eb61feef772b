//! Durations and sizes as people write them: `1h30m`, `2-12:00:00`, `4GiB`.

use std::fmt;

use super::nearest::nearest;
use crate::model::Span;

/// A text that is no duration or no size.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnitError {
    what: String,
    help: &'static str,
}

impl UnitError {
    /// What is wrong.
    #[must_use]
    pub fn what(&self) -> &str {
        &self.what
    }

    /// How to write it.
    #[must_use]
    pub fn help(&self) -> &str {
        self.help
    }
}

impl fmt::Display for UnitError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}; {}", self.what, self.help)
    }
}

impl std::error::Error for UnitError {}

/// How durations are written.
pub(super) const DURATION_HELP: &str =
    "write seconds as a number, or `90s`, `1h30m`, `250ms`, `HH:MM:SS` or `D-HH:MM:SS`";
/// How sizes are written.
pub(super) const SIZE_HELP: &str =
    "write bytes as a number, or with a unit: `512MB` (powers of 1000), `4GiB` (powers of 1024)";

/// Units of time in nanoseconds, the longest first.
const TIMES: [(&str, u128); 9] = [
    ("d", 86_400_000_000_000),
    ("h", 3_600_000_000_000),
    ("min", 60_000_000_000),
    ("m", 60_000_000_000),
    ("s", SECOND),
    ("ms", 1_000_000),
    ("us", 1_000),
    ("µs", 1_000),
    ("ns", 1),
];
const SECOND: u128 = 1_000_000_000;

/// Units of size in bytes.
const SIZES: [(&str, u128); 12] = [
    ("B", 1),
    ("kB", 1_000),
    ("KB", 1_000),
    ("MB", 1_000_000),
    ("GB", 1_000_000_000),
    ("TB", 1_000_000_000_000),
    ("PB", 1_000_000_000_000_000),
    ("KiB", 1 << 10),
    ("MiB", 1 << 20),
    ("GiB", 1 << 30),
    ("TiB", 1 << 40),
    ("PiB", 1 << 50),
];

/// Reads a duration: seconds as a bare number, numbers with units from the longest to the
/// shortest (`1h30m`, `1.5s`; d, h, m or min, s, ms, us, ns), `HH:MM:SS` or `D-HH:MM:SS`.
/// Underscores between digits are allowed.
///
/// # Errors
/// If `text` is none of these, or longer than 584 years.
pub fn parse_duration(text: &str) -> Result<Span, UnitError> {
    let wrong = |why: String| UnitError { what: why, help: DURATION_HELP };
    let shown = super::error::quote(text);
    let nanos = if text.contains(':') {
        clock(text).ok_or_else(|| wrong(format!("{shown} is not a time of the form HH:MM:SS")))?
    } else if let Some(seconds) = scaled(text.trim(), SECOND) {
        seconds
    } else {
        compound(text.trim()).map_err(|why| wrong(format!("{shown} is not a duration{why}")))?
    };
    u64::try_from(nanos).map(Span).map_err(|_| wrong(format!("{shown} is longer than 584 years")))
}

/// Reads a size in bytes: a bare number, or a number with one of the units B, kB, MB, GB, TB,
/// PB (powers of 1000) and KiB, MiB, GiB, TiB, PiB (powers of 1024). Underscores between
/// digits are allowed; parts of a byte are rounded.
///
/// # Errors
/// If `text` is neither, or is 2^64 bytes or more.
pub fn parse_size(text: &str) -> Result<u64, UnitError> {
    let wrong = |why: String| UnitError { what: why, help: SIZE_HELP };
    let shown = super::error::quote(text);
    let (number, unit) = split_number(text.trim());
    let unit = unit.trim();
    let Some((_, factor)) = SIZES.iter().find(|(name, _)| *name == unit || unit.is_empty()) else {
        let why = match nearest(unit, SIZES.map(|(name, _)| name)) {
            Some(near) if !number.is_empty() => {
                format!(": no unit is called `{unit}`; did you mean `{near}`?")
            }
            _ => String::new(),
        };
        return Err(wrong(format!("{shown} is not a size{why}")));
    };
    let bytes = scaled(number, *factor).ok_or_else(|| wrong(format!("{shown} is not a size")))?;
    u64::try_from(bytes).map_err(|_| wrong(format!("{shown} is 2^64 bytes or more")))
}

/// The longest prefix that may be a number, and the rest.
fn split_number(text: &str) -> (&str, &str) {
    let end = text.find(|c: char| !c.is_ascii_digit() && c != '_' && c != '.');
    text.split_at(end.unwrap_or(text.len()))
}

/// `number` (digits, underscores between them, perhaps a fraction) times `unit`, rounded to
/// the nearest whole; exact, so that what is written is what is meant.
fn scaled(number: &str, unit: u128) -> Option<u128> {
    let (whole, fraction) = number.split_once('.').unwrap_or((number, "0"));
    let digits = |part: &str| -> Option<String> {
        let ends = |c: char| c.is_ascii_digit();
        let plain = part.starts_with(ends) && part.ends_with(ends);
        let digits: String = part.chars().filter(|c| *c != '_').collect();
        (plain && digits.bytes().all(|b| b.is_ascii_digit())).then_some(digits)
    };
    let (whole, mut fraction) = (digits(whole)?, digits(fraction)?);
    // No unit has more than 16 digits: what stands further behind the point rounds away.
    fraction.truncate(18);
    let power = 10u128.pow(fraction.len() as u32);
    let parts = fraction.parse::<u128>().ok()?.checked_mul(unit)?;
    let whole = whole.parse::<u128>().ok()?.checked_mul(unit)?;
    whole.checked_add((parts + power / 2) / power)
}

/// `1h30m`: each unit at most once, longer ones first. The error says why not, after a colon.
fn compound(text: &str) -> Result<u128, String> {
    let mut rest = text;
    let mut total: u128 = 0;
    let mut below = u128::MAX;
    while !rest.is_empty() {
        let (number, after) = split_number(rest);
        if number.is_empty() {
            return Err(String::new());
        }
        let after = after.trim_start();
        let end = after.find(|c: char| !c.is_alphabetic()).unwrap_or(after.len());
        let (unit, after) = after.split_at(end);
        let Some((_, factor)) = TIMES.iter().find(|(name, _)| *name == unit) else {
            let near = nearest(unit, TIMES.map(|(name, _)| name)).filter(|_| unit.len() > 1);
            let mean = near.map(|near| format!("; did you mean `{near}`?")).unwrap_or_default();
            let unit = super::error::quote(unit);
            return Err(match unit.as_str() {
                "``" => ": its last number has no unit".to_owned(),
                _ => format!(": no unit of time is called {unit}{mean}"),
            });
        };
        if *factor >= below {
            return Err(": units go from the longest to the shortest, each once".to_owned());
        }
        below = *factor;
        let part = scaled(number, *factor);
        total = part.and_then(|part| total.checked_add(part)).ok_or_else(String::new)?;
        rest = after.trim_start();
    }
    if below == u128::MAX { Err(String::new()) } else { Ok(total) }
}

/// `HH:MM:SS` or `D-HH:MM:SS`, in nanoseconds.
fn clock(text: &str) -> Option<u128> {
    let (days, time) = match text.trim().split_once('-') {
        Some((days, time)) => (Some(days), time),
        None => (None, text.trim()),
    };
    let whole = |part: &str| -> Option<u64> {
        let digits = !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
        part.parse().ok().filter(|_| digits)
    };
    let mut parts = time.split(':');
    let (hours, minutes) = (whole(parts.next()?)?, whole(parts.next()?)?);
    let seconds = scaled(parts.next()?, SECOND)?;
    let days = days.map(whole);
    let hour_fits = days.is_none() || hours < 24;
    if parts.next().is_some() || !hour_fits || minutes >= 60 || seconds >= 60 * SECOND {
        return None;
    }
    let hours = u128::from(hours) + 24 * u128::from(days.unwrap_or(Some(0))?);
    Some((hours * 60 + u128::from(minutes)) * 60 * SECOND + seconds)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_in_every_form() {
        let second = 1_000_000_000;
        for (text, nanos) in [
            ("90", 90 * second),
            ("0", 0),
            ("1_000", 1000 * second),
            ("1.5", 1_500_000_000),
            ("90s", 90 * second),
            ("1h30m", 5400 * second),
            ("1h 30min", 5400 * second),
            ("2d", 172_800 * second),
            ("1.5ms", 1_500_000),
            ("3us", 3_000),
            ("3µs", 3_000),
            ("0.1s", 100_000_000),
            ("01:30:00", 5400 * second),
            ("100:00:01", 360_001 * second),
            ("2-12:00:00", 216_000 * second),
            ("00:00:00.5", 500_000_000),
        ] {
            assert_eq!(parse_duration(text), Ok(Span(nanos)), "{text}");
        }
    }

    #[test]
    fn what_is_no_duration_is_refused() {
        for text in [
            "",
            " ",
            "s",
            "1x",
            "1h1h",
            "1s1h",
            "-1",
            "1h30",
            "10:30",
            "1:60:00",
            "1-24:00:00",
            "1:2:3:4",
            "-00:00:01",
            "1e3",
            "_1",
            "1_",
            ".5",
            "5.",
            "1..2s",
            "600y",
            "20000000000",
            "99999999999999999999999999999999999999999",
            "١s",
        ] {
            assert!(parse_duration(text).is_err(), "{text}");
        }
        let hint = parse_duration("5mins").unwrap_err().to_string();
        assert!(hint.contains("did you mean `min`?"), "{hint}");
    }

    #[test]
    fn sizes_in_every_form() {
        for (text, bytes) in [
            ("0", 0),
            ("1_000_000", 1_000_000),
            ("512MB", 512_000_000),
            ("4GiB", 4 << 30),
            ("1.5 KiB", 1536),
            ("7B", 7),
            ("18446744073709551615", u64::MAX),
        ] {
            assert_eq!(parse_size(text), Ok(bytes), "{text}");
        }
        for text in ["", "GiB", "-1", "4Gb ram", "1e9", "18446744073709551616", "16384PiB", "4 G"] {
            assert!(parse_size(text).is_err(), "{text}");
        }
        let hint = parse_size("4gib").unwrap_err().to_string();
        assert!(hint.contains("did you mean `GiB`?"), "{hint}");
    }
}
