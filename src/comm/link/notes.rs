//! What people are told, at most one thing a second: a thousand strangers are one line.

use std::time::{Duration, Instant};

const PAUSE: Duration = Duration::from_secs(1);

/// Tells the first of many things at once, and then how many there were in the second after it.
pub(super) struct Notes {
    tell: Box<dyn Fn(String) + Send>,
    quiet_until: Option<Instant>,
    /// What was not told yet: how many, and the last of them.
    more: Option<(usize, String)>,
}

impl Notes {
    pub(super) fn new(tell: Box<dyn Fn(String) + Send>) -> Notes {
        Notes { tell, quiet_until: None, more: None }
    }

    /// Takes a note; if it is to be told later, when to look again.
    pub(super) fn take(&mut self, text: String, now: Instant) -> Option<Instant> {
        match self.quiet_until {
            Some(until) if now < until => {
                let before = self.more.take().map_or(0, |(count, _)| count);
                self.more = Some((before + 1, text));
                Some(until)
            }
            _ => {
                self.quiet_until = Some(now + PAUSE);
                (self.tell)(text);
                None
            }
        }
    }

    /// Tells what was not told yet, if it is time or `at_last`.
    pub(super) fn look(&mut self, now: Instant, at_last: bool) {
        if !at_last && self.quiet_until.is_some_and(|until| now < until) {
            return;
        }
        let Some((count, last)) = self.more.take() else { return };
        self.quiet_until = Some(now + PAUSE);
        (self.tell)(match count {
            1 => last,
            _ => format!("{count} more such within a second, the last: {last}"),
        });
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use super::*;

    #[test]
    fn a_thousand_are_one_line() {
        let told = Arc::new(Mutex::new(Vec::new()));
        let sink = told.clone();
        let mut notes = Notes::new(Box::new(move |text| sink.lock().unwrap().push(text)));
        let start = Instant::now();
        assert_eq!(notes.take("0".to_owned(), start), None);
        for n in 1..1000 {
            assert_eq!(notes.take(n.to_string(), start), Some(start + PAUSE));
        }
        notes.look(start, false);
        assert_eq!(told.lock().unwrap().len(), 1);
        notes.look(start + PAUSE, false);
        assert_eq!(notes.take("1000".to_owned(), start + PAUSE), Some(start + 2 * PAUSE));
        notes.look(start + PAUSE, true);
        notes.look(start + PAUSE, true);
        let expected = ["0", "999 more such within a second, the last: 999", "1000"];
        assert_eq!(*told.lock().unwrap(), expected);
    }
}
