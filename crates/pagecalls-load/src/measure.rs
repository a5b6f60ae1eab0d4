//! Clocks, and a count of many short times.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};

/// Steps between two powers of two: times are told apart to 1.6 %.
const STEPS: u64 = 64;
/// Times from here on, 67 s, are counted as this one.
const LONGEST_US: u64 = (1 << 26) - 1;

/// The system's clock, which is also the one that the kernel stamps arrivals with.
#[must_use]
pub fn now_ns() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    now.unwrap_or_default().as_nanos() as u64
}

/// A time of the kernel's on that clock.
#[must_use]
pub fn to_ns(time: &libc::timespec) -> u64 {
    let part = |value| u64::try_from(value).unwrap_or_default();
    part(time.tv_sec) * 1_000_000_000 + part(time.tv_nsec)
}

/// User and system CPU of this process so far.
#[must_use]
pub fn cpu_time() -> Duration {
    let mut time = libc::timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    // SAFETY: the struct lives through the call.
    unsafe { libc::clock_gettime(libc::CLOCK_PROCESS_CPUTIME_ID, &raw mut time) };
    Duration::from_nanos(to_ns(&time))
}

/// How many times were how long: to the microsecond below 64, then ever coarser.
#[derive(Clone, Debug, Default)]
pub struct Tally {
    counts: Vec<u32>,
    total: u64,
}

impl Tally {
    /// Adds one time.
    pub fn add(&mut self, ns: u64) {
        if self.counts.is_empty() {
            self.counts = vec![0; place(LONGEST_US) + 1];
        }
        self.counts[place((ns / 1_000).min(LONGEST_US))] += 1;
        self.total += 1;
    }

    /// How many times were added.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.total
    }

    /// Median, 99th percentile and the longest, in microseconds.
    #[must_use]
    pub fn summary(&self) -> Value {
        json!({"p50": self.below(500), "p99": self.below(990), "max": self.below(1_000)})
    }

    /// What this many of a thousand times did not exceed, in microseconds.
    #[must_use]
    pub fn below(&self, permille: u64) -> u64 {
        let wanted = (self.total * permille).div_ceil(1_000);
        let mut seen = 0;
        let reaches = |count: &u32| {
            seen += u64::from(*count);
            seen >= wanted
        };
        self.counts.iter().position(reaches).map_or(0, value)
    }
}

/// Where times of so many microseconds are counted.
fn place(us: u64) -> usize {
    let octave = u64::from((us | 1).ilog2()).saturating_sub(STEPS.ilog2().into());
    let step = us >> octave;
    (octave * STEPS + step) as usize
}

/// The shortest time that is counted there; the reverse of [`place`].
fn value(place: usize) -> u64 {
    let place = place as u64;
    let octave = (place / STEPS).saturating_sub(1);
    (place - octave * STEPS) << octave
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_stands_for_its_times() {
        for us in (0..2_000).chain([9_999, 123_456, 5_000_000, LONGEST_US]) {
            let told = value(place(us));
            assert!(
                told <= us && us - told <= us / STEPS,
                "{us} is told as {told}"
            );
        }
    }

    #[test]
    fn percentiles_are_of_all_that_was_added() {
        let mut tally = Tally::default();
        assert_eq!(tally.below(990), 0);
        (1..=100).for_each(|ms| tally.add(ms * 1_000_000));
        assert_eq!(tally.count(), 100);
        assert!(
            tally.below(500).abs_diff(50_000) <= 800,
            "{}",
            tally.below(500)
        );
        assert!(
            tally.below(990).abs_diff(99_000) <= 1_600,
            "{}",
            tally.below(990)
        );
    }
}
