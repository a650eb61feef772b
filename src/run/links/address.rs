//! The file by which others find a run: `address`, in its folder, for the user alone.

use std::fmt::Write as _;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use crate::comm::link::{Destination, Secret};
use crate::host::Clock;
use crate::model::{Epoch, Time};
use crate::sched::RunId;
use crate::store::{RunFolder, StoreError};

/// Its name in the run folder.
const FILE: &str = "address";
/// The first word in it, and the version of what follows.
const HEAD: &str = "evenkeel-address 1";

/// Where the master of a run listens, and what those have to know who come.
#[derive(Clone, Debug)]
pub(in crate::run) struct Address {
    pub(super) run: RunId,
    pub(super) epoch: Epoch,
    /// `host:port` each.
    pub(super) at: Vec<String>,
    pub(super) secret: Secret,
    /// What was asked to be listened on.
    pub(super) listen: String,
    /// When the clock of the run stood at zero.
    pub(super) zero: SystemTime,
}

impl Address {
    /// Reads that of the run in `folder`; nothing if it has none.
    pub(in crate::run) fn of(folder: &Path) -> io::Result<Option<Address>> {
        match Address::read(&folder.join(FILE)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            other => other.map(Some),
        }
    }

    fn read(path: &Path) -> io::Result<Address> {
        let text = fs::read_to_string(path).map_err(|error| {
            io::Error::new(error.kind(), format!("{}: {error}", path.display()))
        })?;
        Address::parse(&text).ok_or_else(|| {
            let problem = "this is not the address of a run, or of another version of evenkeel";
            io::Error::new(io::ErrorKind::InvalidData, format!("{}: {problem}", path.display()))
        })
    }

    pub(super) fn publish(&self, folder: &RunFolder) -> Result<(), StoreError> {
        folder.publish_privately(FILE, self.text().as_bytes())
    }

    /// Takes it back: nobody is to come any more.
    pub(in crate::run) fn retract(folder: &RunFolder) -> Result<(), StoreError> {
        folder.retract(FILE)
    }

    /// A clock that goes on where the one stands that this tells of, and no earlier than `least`.
    pub(in crate::run) fn clock(&self, least: Time) -> Clock {
        Clock::since(self.zero, least)
    }

    fn text(&self) -> String {
        let mut text = format!("{HEAD}\nrun {:016x}\nepoch {}\n", self.run.0, self.epoch.0);
        for at in &self.at {
            let _ = writeln!(text, "at {at}");
        }
        let zero = self.zero.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        let _ = writeln!(text, "secret {}", self.secret.to_hex());
        let _ = writeln!(text, "listen {}\nzero {}", self.listen, zero.as_nanos());
        text
    }

    fn parse(text: &str) -> Option<Address> {
        let text = text.strip_prefix(HEAD)?.strip_prefix('\n')?;
        let (mut run, mut epoch, mut secret, mut listen, mut zero) = (None, None, None, None, None);
        let mut at = Vec::new();
        for line in text.lines() {
            let (word, rest) = line.split_once(' ')?;
            match word {
                "run" => run = u64::from_str_radix(rest, 16).ok(),
                "epoch" => epoch = rest.parse().ok(),
                "at" => at.push(rest.to_owned()),
                "secret" => secret = rest.parse().ok(),
                "listen" => listen = Some(rest.to_owned()),
                "zero" => zero = rest.parse().ok(),
                // A later version may say more.
                _ => {}
            }
        }
        let zero = SystemTime::UNIX_EPOCH.checked_add(Duration::from_nanos(zero?))?;
        let (run, epoch) = (RunId(run?), Epoch(epoch?));
        Some(Address { run, epoch, at, secret: secret?, listen: listen?, zero })
    }
}

/// Where a run is to be found: its folder, a copy of the file `address` in it, or `HOST:PORT` and
/// the secret.
#[derive(Clone, Debug)]
pub struct Meeting(Kind);

#[derive(Clone, Debug)]
enum Kind {
    Path(PathBuf),
    Fixed(Destination),
}

impl Meeting {
    /// What a person says: a path, or `HOST:PORT` together with the `secret` (the 64 digits of the
    /// line `secret` in the file `address`).
    ///
    /// # Errors
    /// What is wrong with it, for people.
    pub fn of(text: &str, secret: Option<&str>) -> Result<Meeting, String> {
        let path = Path::new(text);
        let is_port = |port: &str| port.parse::<u16>().is_ok();
        let is_address = text.rsplit_once(':').is_some_and(|(_, port)| is_port(port));
        if !is_address || path.exists() {
            return Ok(Meeting(Kind::Path(path.to_owned())));
        }
        let Some(secret) = secret else {
            return Err(format!(
                "to join the run at {text} its secret is needed: the line `secret` of the file \
                 `address` in its folder"
            ));
        };
        let secret = secret.parse().map_err(|error| format!("{error}"))?;
        Ok(Meeting(Kind::Fixed(Destination { addresses: vec![text.to_owned()], secret })))
    }

    /// Where to dial, as of now, and which run that is, if it is known.
    pub(super) fn destination(&self) -> io::Result<(Destination, Option<RunId>)> {
        match &self.0 {
            Kind::Fixed(destination) => Ok((destination.clone(), None)),
            Kind::Path(path) => {
                let file = if path.is_dir() { path.join(FILE) } else { path.clone() };
                let Address { run, at, secret, .. } = Address::read(&file)?;
                Ok((Destination { addresses: at, secret }, Some(run)))
            }
        }
    }

    /// What says the same on another host, or in another process.
    pub(super) fn told(&self) -> (String, String) {
        match &self.0 {
            Kind::Path(path) => {
                let path = path.canonicalize().unwrap_or_else(|_| path.clone());
                (path.display().to_string(), String::new())
            }
            Kind::Fixed(to) => (to.addresses.join(" "), to.secret.to_hex()),
        }
    }

    /// What was [told](Self::told).
    #[cfg(any(test, feature = "mpi"))]
    pub(super) fn heard((place, secret): &(String, String)) -> Meeting {
        match secret.parse() {
            Ok(secret) => {
                let addresses = place.split(' ').map(str::to_owned).collect();
                Meeting(Kind::Fixed(Destination { addresses, secret }))
            }
            Err(_) => Meeting(Kind::Path(place.into())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Span;

    fn address() -> Address {
        Address {
            run: RunId(0xfeed),
            epoch: Epoch(3),
            at: vec!["10.0.0.7:4000".to_owned(), "[::1]:4000".to_owned()],
            secret: Secret::random().unwrap(),
            listen: "eth0:4000".to_owned(),
            zero: SystemTime::UNIX_EPOCH + Duration::from_nanos(1_700_000_000_123_456_789),
        }
    }

    #[test]
    fn an_address_is_read_as_it_was_written() {
        let text = address().text() + "later words\n";
        let again = Address::parse(&text).unwrap();
        assert_eq!(again.text() + "later words\n", text);
        assert!(Address::parse(&text.replace("address 1", "address 2")).is_none());
        for line in ["run ", "epoch ", "secret ", "listen ", "zero "] {
            let without: Vec<&str> = text.lines().filter(|l| !l.starts_with(line)).collect();
            assert!(Address::parse(&(without.join("\n") + "\n")).is_none(), "{line}");
        }
    }

    #[test]
    fn a_clock_goes_on_through_the_time_in_which_there_was_no_master() {
        let hour = Duration::from_secs(3600);
        let earlier = Address { zero: SystemTime::now() - hour, ..address() };
        let now = earlier.clock(Time::ZERO).now();
        assert!(now >= Time::ZERO + Span::from(hour) && now < Time::ZERO + Span::from(2 * hour));
        let least = Time::ZERO + Span::from(3 * hour);
        assert!(earlier.clock(least).now() >= least);
    }

    #[test]
    fn a_run_is_met_at_a_path_or_at_an_address_with_its_secret() {
        let secret = address().secret.to_hex();
        let told = |text: &str| Meeting::of(text, Some(&secret)).unwrap().told();
        assert_eq!(told("host:4000"), ("host:4000".to_owned(), secret.clone()));
        assert_eq!(told("runs/one-1"), ("runs/one-1".to_owned(), String::new()));
        for said in [told("host:4000"), told("runs/one-1")] {
            assert_eq!(Meeting::heard(&said).told(), said);
        }
        assert!(Meeting::of("host:4000", None).unwrap_err().contains("secret"));
        assert!(Meeting::of("host:4000", Some("12")).unwrap_err().contains("64"));
    }
}
