//! The user fragments that lead to a worker's legs, and what the thread that accepts TCP connections may know of them.
//!
//! [`Doors`] is the worker's own. [`Known`] is shared with the acceptor: it tells apart who names a leg from who names none, and bounds
//! the connections that name one leg. It holds no password, so it proves nothing.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use super::LegAt;
use crate::limit::{Bucket, CONNECTIONS_PER_LEG, Charged};

/// A leg as a check finds it, and the false checks that have named it.
pub(super) struct Door {
    pub(super) at: LegAt,
    pub(super) charged: Charged,
}

/// All of one worker.
#[derive(Default)]
pub(super) struct Doors {
    by_ufrag: HashMap<String, Door>,
    known: Known,
}

impl Doors {
    pub(super) fn known(&self) -> Known {
        self.known.clone()
    }

    pub(super) fn has(&self, ufrag: &str) -> bool {
        self.by_ufrag.contains_key(ufrag)
    }

    pub(super) fn get(&self, ufrag: &str) -> Option<&Door> {
        self.by_ufrag.get(ufrag)
    }

    pub(super) fn get_mut(&mut self, ufrag: &str) -> Option<&mut Door> {
        self.by_ufrag.get_mut(ufrag)
    }

    pub(super) fn open(&mut self, ufrag: String, at: LegAt) {
        self.known.add(&ufrag);
        let charged = Charged::default();
        self.by_ufrag.insert(ufrag, Door { at, charged });
    }

    pub(super) fn close(&mut self, ufrag: &str) {
        self.known.remove(ufrag);
        self.by_ufrag.remove(ufrag);
    }

    /// Closes all that lead to the call at this place.
    pub(super) fn close_all_of(&mut self, call: usize) {
        let Self { by_ufrag, known } = self;
        by_ufrag.retain(|ufrag, door| {
            if door.at.call == call {
                known.remove(ufrag);
            }
            door.at.call != call
        });
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        assert_eq!(self.by_ufrag.len(), self.known.lock().len());
        self.by_ufrag.len()
    }

    #[cfg(test)]
    pub(super) fn of_leg(&self, at: LegAt) -> Option<String> {
        let mut doors = self.by_ufrag.iter();
        let found = doors.find(|(_, door)| door.at == at);
        found.map(|(ufrag, _)| ufrag.clone())
    }
}

/// The user fragments that are valid now, each with what is left of its rate of connections.
#[derive(Clone, Default)]
pub struct Known(Arc<Mutex<HashMap<String, Bucket>>>);

impl Known {
    /// From now on this one is known.
    pub fn add(&self, ufrag: &str) {
        self.lock().insert(ufrag.to_owned(), Bucket::default());
    }

    /// From now on it is not.
    pub fn remove(&self, ufrag: &str) {
        self.lock().remove(ufrag);
    }

    /// Whether a connection that names this user fragment may be handed on; then it is counted.
    #[must_use]
    pub fn admits(&self, ufrag: &str, now: Instant) -> bool {
        let mut known = self.lock();
        let bucket = known.get_mut(ufrag);
        let bucket = bucket.filter(|bucket| bucket.has_room(CONNECTIONS_PER_LEG, now));
        bucket.is_some_and(|bucket| {
            bucket.take(CONNECTIONS_PER_LEG, now);
            true
        })
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, Bucket>> {
        // A map is whole after each call, whoever panicked.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
