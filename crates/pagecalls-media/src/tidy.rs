//! When memory that was freed goes back to the system.
//!
//! The allocator keeps what handshakes and ended calls have left, in holes between what lives on, and gives none of it back by itself. So
//! some seconds after legs have connected or gone, the control thread tells it to. No system call here, and no clock.

use std::time::{Duration, Instant};

/// Longer than it takes a leg to let go of its handshake ([`crate::transport`]), and seldom enough to cost nothing.
const AFTER: Duration = Duration::from_secs(7);

/// Whether there may be something to give back.
#[derive(Debug, Default)]
pub struct Tidy {
    stirred: Option<Instant>,
    due: Option<Instant>,
}

impl Tidy {
    /// Something has begun or ended, and memory of it becomes free soon.
    pub fn stir(&mut self, now: Instant) {
        self.stirred = Some(now);
        self.due.get_or_insert(now + AFTER);
    }

    /// When [`Self::take`] is due.
    #[must_use]
    pub fn due(&self) -> Option<Instant> {
        self.due
    }

    /// Whether it is time to give memory back; true once.
    pub fn take(&mut self, now: Instant) -> bool {
        if self.due.is_none_or(|due| due > now) {
            return false;
        }
        let last = self.stirred.map(|at| at + AFTER);
        self.due = last.filter(|due| *due > now);
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_goes_back_after_the_last_change_and_within_a_storm() {
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let mut tidy = Tidy::default();
        assert_eq!(tidy.due(), None);
        assert!(!tidy.take(at(1_000)), "nothing has happened");
        for second in 0..=10 {
            tidy.stir(at(second));
            assert_eq!(tidy.take(at(second)), second == 7);
        }
        assert_eq!(tidy.due(), Some(at(14)), "again while it lasts");
        assert!(tidy.take(at(14)));
        assert_eq!(tidy.due(), Some(at(17)), "and after the last");
        assert!(tidy.take(at(20)));
        assert_eq!(tidy.due(), None);
    }
}
