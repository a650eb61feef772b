//! The kernel's lists of numbers: `0-3,8,10-11`.

use std::collections::BTreeSet;

/// No kernel numbers processing units or NUMA domains as high as this, so that a range that ends
/// above it is a mistake and not a request for memory.
const END: u32 = 1 << 20;

/// The numbers in `text`; nothing if it is not such a list. An empty text is an empty list.
pub(super) fn parse(text: &str) -> Option<BTreeSet<u32>> {
    let mut numbers = BTreeSet::new();
    let text = text.trim();
    if text.is_empty() {
        return Some(numbers);
    }
    for part in text.split(',') {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        let (first, last): (u32, u32) = (first.parse().ok()?, last.parse().ok()?);
        if first > last || last >= END {
            return None;
        }
        numbers.extend(first..=last);
    }
    Some(numbers)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_and_single_numbers_mix() {
        let read = |text| parse(text).map(Vec::from_iter);
        assert_eq!(read("0-2,8,10-11\n"), Some(vec![0, 1, 2, 8, 10, 11]));
        assert_eq!(read("\n"), Some(vec![]));
    }

    #[test]
    fn what_is_not_a_list_is_refused() {
        for text in ["a", "1-", "-1", "3-1", "0,,1", "0-4294967295", "1 2", "0-3-4"] {
            assert_eq!(parse(text), None, "{text:?}");
        }
    }
}
