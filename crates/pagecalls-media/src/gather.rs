//! How long a busy worker lets datagrams gather before it receives them.
//!
//! A turn of the worker has a price of its own: to wait, to be woken, and a call into the kernel each way. When datagrams come one
//! by one and often, each of them pays it. So while they come often enough that several come within a short window, turns begin
//! at least that window apart, and share the price. When they do not, nothing waits. Pure arithmetic over times and numbers.

use std::time::{Duration, Instant};

/// The longest that a datagram waits for others.
pub const WINDOW: Duration = Duration::from_micros(200);

/// So many datagrams must be expected in a window; otherwise the wait would help none.
const WORTH_DATAGRAMS: u32 = 2;

/// What is left of a window must be so long; a shorter sleep costs more than it saves.
const WORTH_SLEEPING: Duration = Duration::from_micros(50);

/// The rate is measured over this time, so that it follows what begins and ends at once, but not every single datagram.
const MEASURED: Duration = Duration::from_millis(10);

/// When the last turn began, and how often datagrams come.
#[derive(Debug)]
pub struct Gather {
    turn_began: Instant,
    measured_since: Instant,
    datagrams: u32,
    is_worth_it: bool,
}

impl Gather {
    /// Nothing has come yet.
    #[must_use]
    pub fn new(now: Instant) -> Self {
        Self {
            turn_began: now,
            measured_since: now,
            datagrams: 0,
            is_worth_it: false,
        }
    }

    /// Notes a turn that began at `now` and received so many datagrams.
    pub fn turn(&mut self, datagrams: u32, now: Instant) {
        self.turn_began = now;
        self.datagrams = self.datagrams.saturating_add(datagrams);
        let measured = now.saturating_duration_since(self.measured_since);
        if measured >= MEASURED {
            self.is_worth_it = WINDOW * self.datagrams >= measured * WORTH_DATAGRAMS;
            self.measured_since = now;
            self.datagrams = 0;
        }
    }

    /// How long to sleep before the next turn, which has something to do at `due` at the latest.
    #[must_use]
    pub fn pause(&self, due: Instant, now: Instant) -> Duration {
        let until = due.min(self.turn_began + WINDOW);
        let pause = until.saturating_duration_since(now);
        if self.is_worth_it && pause >= WORTH_SLEEPING {
            pause
        } else {
            Duration::ZERO
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FAR: Duration = Duration::from_secs(1);

    /// Turns with this many datagrams each, so far apart, for 50 ms; then the pause right after the last one.
    fn pause_after(datagrams: u32, apart: Duration) -> Duration {
        let mut now = Instant::now();
        let mut gather = Gather::new(now);
        let end = now + Duration::from_millis(50);
        while now < end {
            now += apart;
            gather.turn(datagrams, now);
        }
        gather.pause(now + FAR, now)
    }

    #[test]
    fn datagrams_gather_only_while_several_come_within_a_window() {
        assert_eq!(pause_after(1, Duration::from_micros(50)), WINDOW);
        assert_eq!(pause_after(1, Duration::from_micros(100)), WINDOW);
        assert_eq!(pause_after(5, Duration::from_micros(200)), WINDOW);
        for (datagrams, apart_us) in [(1, 120), (1, 10_000), (0, 50), (40, 20_000)] {
            let pause = pause_after(datagrams, Duration::from_micros(apart_us));
            assert_eq!(pause, Duration::ZERO, "{datagrams} each {apart_us} us");
        }
    }

    #[test]
    fn a_window_counts_from_the_beginning_of_the_turn_and_ends_for_a_timer() {
        let mut now = Instant::now();
        let mut gather = Gather::new(now);
        for _ in 0..300 {
            now += Duration::from_micros(50);
            gather.turn(1, now);
        }
        let after = |us| now + Duration::from_micros(us);
        assert_eq!(
            gather.pause(now + FAR, after(80)),
            Duration::from_micros(120)
        );
        assert_eq!(
            gather.pause(after(150), after(80)),
            Duration::from_micros(70)
        );
        assert_eq!(
            gather.pause(now + FAR, after(170)),
            Duration::ZERO,
            "too short"
        );
        assert_eq!(
            gather.pause(now + FAR, after(900)),
            Duration::ZERO,
            "a long turn"
        );
        assert_eq!(
            gather.pause(now, after(10)),
            Duration::ZERO,
            "a timer is due"
        );
    }

    #[test]
    fn who_comes_after_silence_waits_for_nobody() {
        let mut now = Instant::now();
        let mut gather = Gather::new(now);
        for _ in 0..300 {
            now += Duration::from_micros(50);
            gather.turn(1, now);
        }
        now += Duration::from_millis(40);
        gather.turn(1, now);
        assert_eq!(gather.pause(now + FAR, now), Duration::ZERO);
    }
}
