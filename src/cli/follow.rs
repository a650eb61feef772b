//! Reads the records of a run while it goes on, from outside.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use crate::model::Record;
use crate::report;
use crate::run::RECORDS;

/// How many records are handed over at once, at most.
const BATCH: usize = 10_000;

/// Follows `records.jsonl` in the folder of a run.
pub(super) struct Follower {
    path: PathBuf,
    /// How much of it was read: whole lines.
    read: u64,
}

/// What a look brought.
#[derive(Debug, Default, PartialEq)]
pub(super) struct News {
    /// The file was begun anew, by a run that was resumed: all that was told before is void.
    pub(super) anew: bool,
    /// The records that came.
    pub(super) records: Vec<Record>,
}

impl Follower {
    /// From the start of the run in `folder`. Neither need be there yet.
    pub(super) fn new(folder: &Path) -> Follower {
        Follower { path: folder.join(RECORDS), read: 0 }
    }

    /// What came since the last look, or the first part of it if that is much. What cannot be
    /// read now may be the next time.
    pub(super) fn next(&mut self) -> News {
        let mut news = News::default();
        // Whatever was read until then holds.
        let _ = self.look(&mut news);
        news
    }

    fn look(&mut self, news: &mut News) -> io::Result<()> {
        // Opened each time: what NFS shows of a file that stays open can be old.
        let mut file = File::open(&self.path)?;
        // A run that is resumed tells the same records again, in the same order. If it has
        // written more than was read here, there is no harm in not seeing that it began anew.
        if file.metadata()?.len() < self.read {
            (news.anew, self.read) = (true, 0);
        }
        file.seek(SeekFrom::Start(self.read))?;
        let mut file = BufReader::new(file);
        let mut line = Vec::new();
        while news.records.len() < BATCH {
            line.clear();
            file.read_until(b'\n', &mut line)?;
            // The last line may not be whole yet.
            let Some(text) = line.strip_suffix(b"\n") else { break };
            self.read += line.len() as u64;
            let text = String::from_utf8_lossy(text);
            news.records.extend(report::record_from_json(&text).ok());
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::model::{Attempt, AttemptKey, JobId, State, TaskId};

    fn line(task: u32) -> String {
        let key = AttemptKey {
            job: JobId(0),
            task: TaskId(task),
            attempt: Attempt(1),
            epoch: crate::model::Epoch(1),
        };
        report::record_to_json(&Record::new(key, State::Done)) + "\n"
    }

    fn tasks(news: &News) -> Vec<u32> {
        news.records.iter().map(|record| record.task.0).collect()
    }

    #[test]
    fn records_come_once_and_whole() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(RECORDS);
        let mut follower = Follower::new(folder.path());
        assert_eq!(follower.next(), News::default(), "no file yet");
        let (whole, half) = (line(0) + &line(1), line(2));
        fs::write(&path, format!("{whole}{}", &half[..9])).unwrap();
        assert_eq!(tasks(&follower.next()), [0, 1]);
        assert_eq!(follower.next(), News::default(), "a line that is half there");
        fs::write(&path, format!("{whole}{half}not a record\n{}", line(3))).unwrap();
        assert_eq!(tasks(&follower.next()), [2, 3]);
    }

    #[test]
    fn a_file_that_was_begun_anew_is_read_from_its_start() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(RECORDS);
        let mut follower = Follower::new(folder.path());
        fs::write(&path, line(0) + &line(1)).unwrap();
        follower.next();
        fs::write(&path, line(0)).unwrap();
        let news = follower.next();
        assert!(news.anew);
        assert_eq!(tasks(&news), [0]);
        fs::write(&path, line(0) + &line(1)).unwrap();
        let news = follower.next();
        assert!(!news.anew);
        assert_eq!(tasks(&news), [1]);
    }

    #[test]
    fn much_comes_in_parts() {
        let folder = tempfile::tempdir().unwrap();
        let all: String = (0..BATCH as u32 + 3).map(line).collect();
        fs::write(folder.path().join(RECORDS), all).unwrap();
        let mut follower = Follower::new(folder.path());
        assert_eq!(follower.next().records.len(), BATCH);
        assert_eq!(tasks(&follower.next()).len(), 3);
    }
}
