//! What shows that the run was right.

use std::time::Instant;

use indicatif::{ProgressBar, ProgressStyle};

use super::picture::Picture;
use crate::model::{Record, Span};
use crate::report::audit;

/// What is said while the picture is computed again.
pub(super) const AGAIN: &str = "computing it again on one core to compare";

/// Three checksums that are to be one, and what is wrong with the records.
pub(super) struct Proof {
    /// The checksum that the run gave back.
    pub(super) told: Option<u32>,
    /// That of the picture in its records.
    pub(super) recorded: Option<u32>,
    /// That of the picture as it was computed again on one core.
    pub(super) again: u32,
    /// How long that took.
    pub(super) took: Span,
    pub(super) faults: Vec<String>,
}

impl Proof {
    /// Computes the picture again, on this thread and without the scheduler, and looks at the
    /// records; nothing if `go_on`, which is asked now and then, says so.
    pub(super) fn of(
        picture: &Picture,
        records: &[Record],
        go_on: impl Fn() -> bool,
    ) -> Option<Proof> {
        let style = ProgressStyle::with_template(&format!("{AGAIN} [{{bar:24}}] {{percent}} %"));
        let style = style.expect("the template is right").progress_chars("=> ");
        let bar = ProgressBar::new(picture.tiles() as u64).with_style(style);
        let start = Instant::now();
        let again = picture.compute(|| {
            bar.inc(1);
            go_on()
        });
        bar.finish_and_clear();
        let took = Span::from(start.elapsed());
        Some(Proof {
            told: picture.checksum(records),
            recorded: picture.stitched(records).map(|image| crc32fast::hash(&image)),
            again: crc32fast::hash(&again?),
            took,
            faults: audit(&picture.job, records),
        })
    }

    /// Whether nothing is wrong.
    pub(super) fn holds(&self) -> bool {
        self.is_same() && self.faults.is_empty()
    }

    /// Whether the picture is the same, whoever computed it.
    pub(super) fn is_same(&self) -> bool {
        [self.told, self.recorded] == [Some(self.again); 2]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_holds_only_if_all_of_it_does() {
        let proof = |told, recorded, faults: &[&str]| {
            let faults = faults.iter().map(|fault| (*fault).to_owned()).collect();
            Proof { told, recorded, again: 7, took: Span::ZERO, faults }
        };
        assert!(proof(Some(7), Some(7), &[]).holds());
        assert!(!proof(Some(7), Some(7), &["a fault"]).holds());
        assert!(!proof(Some(7), Some(8), &[]).holds());
        assert!(!proof(Some(8), Some(7), &[]).holds());
        assert!(!proof(None, Some(7), &[]).holds());
        assert!(!proof(Some(7), None, &[]).holds());
    }
}
