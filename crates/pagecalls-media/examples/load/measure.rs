//! Clocks, and a count of many short times.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};

use crate::peer::Heard;

/// Times from here on are counted as this one.
const LONGEST_US: usize = 1_000_000;

/// The system's clock, which is also the one that the kernel stamps arrivals with.
pub fn now_ns() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    now.unwrap_or_default().as_nanos() as u64
}

/// A time of the kernel's on that clock.
pub fn to_ns(time: &libc::timespec) -> u64 {
    let part = |value| u64::try_from(value).unwrap_or_default();
    part(time.tv_sec) * 1_000_000_000 + part(time.tv_nsec)
}

/// User and system CPU of this process so far.
pub fn cpu_time() -> Duration {
    // SAFETY: plain C data for which zero is valid.
    let mut usage: libc::rusage = unsafe { std::mem::zeroed() };
    // SAFETY: the struct lives through the call.
    unsafe { libc::getrusage(libc::RUSAGE_SELF, &raw mut usage) };
    let part = |value| u64::try_from(value).unwrap_or_default();
    let time = |time: libc::timeval| {
        Duration::from_micros(part(time.tv_sec) * 1_000_000 + part(time.tv_usec))
    };
    time(usage.ru_utime) + time(usage.ru_stime)
}

/// How many times were how long, to the microsecond.
#[derive(Default)]
pub struct Tally {
    counts: Vec<u64>,
    total: u64,
}

impl Tally {
    /// Adds one time.
    pub fn add(&mut self, ns: u64) {
        if self.counts.is_empty() {
            self.counts = vec![0; LONGEST_US + 1];
        }
        self.counts[((ns / 1_000) as usize).min(LONGEST_US)] += 1;
        self.total += 1;
    }

    /// Adds how long a packet was under way, if it is one that left between these two times.
    pub fn add_sound(&mut self, heard: &Heard, arrived_ns: u64, opens_ns: u64, closes_ns: u64) {
        if let Heard::Sound { sent_ns } = heard
            && (opens_ns..closes_ns).contains(sent_ns)
        {
            self.add(arrived_ns.saturating_sub(*sent_ns));
        }
    }

    /// How many times were added.
    pub fn count(&self) -> u64 {
        self.total
    }

    /// Median, 99th percentile and the longest, in microseconds.
    pub fn summary(&self) -> Value {
        json!({"p50": self.below(500), "p99": self.below(990), "max": self.below(1_000)})
    }

    /// What this many of a thousand times did not exceed.
    fn below(&self, permille: u64) -> usize {
        let wanted = (self.total * permille).div_ceil(1_000);
        let mut seen = 0;
        let reaches = |count: &u64| {
            seen += count;
            seen >= wanted
        };
        self.counts.iter().position(reaches).unwrap_or_default()
    }
}
