//! Planted bugs: at one place of the sources an ordering, a fence or a comparison is left out.
//!
//! A place is where the pool calls an atomic; the models' `sync` asks here at each call.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::panic::Location;
use std::sync::LazyLock;
use std::sync::atomic::Ordering;

/// The environment variable that names what to leave out, as `list` prints it.
pub(crate) const WEAKEN: &str = "EVENKEEL_WEAKEN";

/// The environment variable that has a model print all that could be left out.
pub(crate) const LIST: &str = "EVENKEEL_LIST_WEAKENINGS";

/// What comes before each line of that list.
pub(crate) const LISTED: &str = "could be weakened: ";

static WEAKENED: LazyLock<Option<String>> = LazyLock::new(|| std::env::var(WEAKEN).ok());
static LISTING: LazyLock<bool> = LazyLock::new(|| std::env::var_os(LIST).is_some());

type Weakening = (&'static Location<'static>, &'static str);

thread_local! {
    static SEEN: RefCell<BTreeSet<Weakening>> = const { RefCell::new(BTreeSet::new()) };
}

/// The file, the line and the column of the place, and what is left out there.
fn name((place, what): &Weakening) -> String {
    let file = place.file().rsplit('/').next().unwrap_or_default();
    format!("{file}:{}:{} {what}", place.line(), place.column())
}

/// Whether `what` is left out at this place; never in what the models do themselves.
pub(crate) fn left_out(place: &'static Location<'static>, what: &'static str) -> bool {
    if !place.file().contains("src/pool/") {
        return false;
    }
    if *LISTING {
        SEEN.with_borrow_mut(|seen| seen.insert((place, what)));
    }
    // Names are made for the one kind that is asked for.
    WEAKENED
        .as_ref()
        .is_some_and(|weakened| weakened.ends_with(what) && *weakened == name(&(place, what)))
}

/// Prints what could have been left out in the model that has just been checked.
pub(crate) fn list() {
    SEEN.with_borrow(|seen| seen.iter().for_each(|seen| println!("{LISTED}{}", name(seen))));
}

/// The ordering, as it is at this place.
pub(crate) fn weakened(place: &'static Location<'static>, order: Ordering) -> Ordering {
    let acquires = matches!(order, Ordering::Acquire | Ordering::AcqRel);
    let releases = matches!(order, Ordering::Release | Ordering::AcqRel);
    match (acquires && !left_out(place, "acquire"), releases && !left_out(place, "release")) {
        (true, true) => Ordering::AcqRel,
        (true, false) => Ordering::Acquire,
        (false, true) => Ordering::Release,
        (false, false) => Ordering::Relaxed,
    }
}
