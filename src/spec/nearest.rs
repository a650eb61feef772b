//! The known name that was probably meant.

/// Names longer than this are not compared: a typing error is not what is wrong with them.
const LONGEST: usize = 64;

/// The candidate with the fewest single-character changes from `name`, if they are few enough
/// for a typing error; the first of those equally near.
pub(super) fn nearest<'c>(
    name: &str,
    candidates: impl IntoIterator<Item = &'c str>,
) -> Option<&'c str> {
    let length = name.chars().count();
    if length > LONGEST {
        return None;
    }
    let mut limit = (length / 3).clamp(1, 4);
    let mut best = None;
    for candidate in candidates {
        if let Some(distance) = distance_within(name, candidate, limit) {
            best = Some(candidate);
            if distance == 0 {
                break;
            }
            limit = distance - 1;
        }
    }
    best
}

/// What other tools call what is known here.
const SYNONYMS: [(&str, &str); 24] = [
    ("walltime", "time_limit"),
    ("timeout", "time_limit"),
    ("deps", "after"),
    ("depends", "after"),
    ("depends_on", "after"),
    ("dependencies", "after"),
    ("cpus", "cores"),
    ("threads", "cores"),
    ("ncpus", "cores"),
    ("mem", "memory"),
    ("ram", "memory"),
    ("environment", "env"),
    ("workdir", "cwd"),
    ("dir", "cwd"),
    ("exec", "command"),
    ("cmd", "command"),
    ("run", "command"),
    ("script", "command"),
    ("gpu", "gpus"),
    ("ncores", "cores"),
    ("working_dir", "cwd"),
    ("output", "stdout"),
    ("error", "stderr"),
    ("matrix", "product"),
];

/// The known key that was meant by `name`, or else all that are known.
pub(super) fn suggest(name: &str, known: &[&str]) -> String {
    let synonym = SYNONYMS.iter().find(|(other, key)| *other == name && known.contains(key));
    match synonym.map(|(_, key)| *key).or_else(|| nearest(name, known.iter().copied())) {
        Some(near) => format!("did you mean `{near}`?"),
        None => format!("known here: {}", list(known)),
    }
}

/// `` `a`, `b`, `c` ``.
pub(super) fn list(names: &[&str]) -> String {
    names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}

/// The number of insertions, deletions, replacements and swaps of neighbours (letter case
/// ignored) from `a` to `b`, if it is at most `limit`.
fn distance_within(a: &str, b: &str, limit: usize) -> Option<usize> {
    if a.len().abs_diff(b.len()) > 4 * limit + 4 {
        return None;
    }
    let lower = |s: &str| s.chars().map(|c| c.to_ascii_lowercase()).collect::<Vec<_>>();
    let (a, b) = (lower(a), lower(b));
    if a.len().abs_diff(b.len()) > limit {
        return None;
    }
    let mut before: Vec<usize> = Vec::new();
    let mut last: Vec<usize> = (0..=b.len()).collect();
    for i in 1..=a.len() {
        let mut row = vec![i; b.len() + 1];
        for j in 1..=b.len() {
            let replaced = last[j - 1] + usize::from(a[i - 1] != b[j - 1]);
            row[j] = replaced.min(last[j] + 1).min(row[j - 1] + 1);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                row[j] = row[j].min(before[j - 2] + 1);
            }
        }
        before = std::mem::replace(&mut last, row);
    }
    Some(last[b.len()]).filter(|distance| *distance <= limit)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distances_are_those_of_the_textbook() {
        for (a, b, expected) in
            [("kitten", "sitting", 3), ("abcd", "acbd", 1), ("", "ab", 2), ("A", "a", 0)]
        {
            assert_eq!(distance_within(a, b, 5), Some(expected), "{a} {b}");
            assert_eq!(distance_within(b, a, 5), Some(expected), "{b} {a}");
        }
        assert_eq!(distance_within("kitten", "sitting", 2), None);
    }

    #[test]
    fn what_other_tools_say_comes_before_what_looks_alike() {
        assert_eq!(suggest("cmd", &["cwd", "command"]), "did you mean `command`?");
        assert_eq!(suggest("cmd", &["cwd"]), "did you mean `cwd`?");
    }

    #[test]
    fn only_what_looks_like_a_typing_error_is_suggested() {
        let known = ["command", "kernel", "after"];
        assert_eq!(nearest("comand", known), Some("command"));
        assert_eq!(nearest("aftre", known), Some("after"));
        assert_eq!(nearest("walltime", known), None);
        assert_eq!(nearest(&"x".repeat(1000), known), None);
    }
}
