//! What a peer receives, source by source: how much, when, what is missing, how long it took.

use std::time::Duration;

use serde_json::{Value, json};

use crate::measure::Tally;

/// One received packet.
#[derive(Clone, Copy, Debug)]
pub struct Heard {
    /// Its source.
    pub ssrc: u32,
    /// Its payload type.
    pub pt: u8,
    /// Its number.
    pub seq: u16,
    /// When it arrived.
    pub arrived_ns: u64,
    /// When it left and from which peer, if that is one of this process.
    pub sent: Option<(u64, u32)>,
}

/// One received source, since the last mark; the times of the very first packet and the last are of all.
///
/// Packets count, and are missed, in the interval in which they left, so that what is heard can be held against what was sent.
/// Gaps and latencies are of what arrives in it.
#[derive(Clone, Debug, Default)]
pub struct Source {
    ssrc: u32,
    pt: u8,
    from: Option<u32>,
    packets: u64,
    /// When the first and the last packet of all came; 0 for never.
    first_ns: u64,
    last_ns: u64,
    mark_ns: u64,
    /// The first arrival of the interval.
    since_ns: u64,
    longest_gap_ns: u64,
    /// The highest number, counted on over the wraps, and the highest that left before the mark.
    highest: u64,
    marked: u64,
    reordered: u64,
    holes: u64,
    bye_ns: Option<u64>,
    latency: Option<Tally>,
}

impl Source {
    fn new(ssrc: u32, is_timed: bool, mark_ns: u64) -> Self {
        Self {
            ssrc,
            mark_ns,
            latency: is_timed.then(Tally::default),
            ..Self::default()
        }
    }

    fn take(&mut self, heard: &Heard) {
        if self.first_ns == 0 {
            self.first_ns = heard.arrived_ns;
            // As if the one before it had been the last.
            self.highest = u64::from(heard.seq) + 0xffff;
            self.marked = self.highest;
        }
        self.pt = heard.pt;
        if self.since_ns == 0 {
            self.since_ns = heard.arrived_ns;
        }
        self.longest_gap_ns = self.gap_ns(heard.arrived_ns);
        self.last_ns = heard.arrived_ns;
        match heard.seq.wrapping_sub(self.highest as u16) {
            ahead @ 1..0x8000 => {
                self.highest += u64::from(ahead);
                self.holes += u64::from(ahead > 1);
            }
            _ => self.reordered += 1,
        }
        match heard.sent {
            Some((sent_ns, _)) if sent_ns < self.mark_ns => self.marked = self.highest,
            _ => self.packets += 1,
        }
        if let Some((sent_ns, peer)) = heard.sent {
            self.from = Some(peer);
            if let Some(latency) = &mut self.latency {
                latency.add(heard.arrived_ns.saturating_sub(sent_ns));
            }
        }
    }

    fn mark(&mut self, now_ns: u64) {
        self.mark_ns = now_ns;
        self.packets = 0;
        self.since_ns = 0;
        self.longest_gap_ns = 0;
        self.marked = self.highest;
        self.reordered = 0;
        self.holes = 0;
        self.latency = self.latency.take().map(|_| Tally::default());
    }

    fn lost(&self) -> u64 {
        (self.highest - self.marked).saturating_sub(self.packets)
    }

    /// The longest time without a packet up to this moment, whether or not one comes then.
    fn gap_ns(&self, now_ns: u64) -> u64 {
        let open = match self.last_ns {
            0 => 0,
            last => now_ns.saturating_sub(last),
        };
        self.longest_gap_ns.max(open)
    }

    /// For whoever steers. Times are seconds since 1970, durations milliseconds, latencies microseconds. What has arrived by now must
    /// have been taken, else a source seems silent that is not.
    pub fn told<'a>(&self, now_ns: u64, name: impl Fn(u32) -> Option<&'a str>) -> Value {
        let seconds = |ns: u64| (ns > 0).then(|| Duration::from_nanos(ns).as_secs_f64());
        json!({
            "ssrc": self.ssrc, "pt": self.pt, "from": self.from.and_then(name),
            "packets": self.packets, "lost": self.lost(), "holes": self.holes, "reordered": self.reordered,
            "first_at": seconds(self.first_ns), "since_at": seconds(self.since_ns), "last_at": seconds(self.last_ns),
            "longest_gap_ms": Duration::from_nanos(self.gap_ns(now_ns)).as_secs_f64() * 1e3,
            "bye_at": self.bye_ns.and_then(seconds),
            "latency_us": self.latency.as_ref().filter(|all| all.count() > 0).map(Tally::summary),
        })
    }
}

/// All sources of one peer.
#[derive(Debug, Default)]
pub struct Sources {
    all: Vec<Source>,
    mark_ns: u64,
    /// Whether latencies are kept for each.
    pub is_timed: bool,
}

impl Sources {
    /// Counts a packet.
    pub fn take(&mut self, heard: &Heard) {
        self.of(heard.ssrc).take(heard);
    }

    fn of(&mut self, ssrc: u32) -> &mut Source {
        let known = self.all.iter().position(|one| one.ssrc == ssrc);
        let at = known.unwrap_or_else(|| {
            let source = Source::new(ssrc, self.is_timed, self.mark_ns);
            self.all.push(source);
            self.all.len() - 1
        });
        &mut self.all[at]
    }

    /// Notes that a source has said BYE. One that was never heard is kept too.
    pub fn bye(&mut self, ssrc: u32, at_ns: u64) {
        let source = self.of(ssrc);
        source.bye_ns = source.bye_ns.or(Some(at_ns));
    }

    /// Begins a new interval.
    pub fn mark(&mut self, now_ns: u64) {
        self.mark_ns = now_ns;
        self.all.iter_mut().for_each(|one| one.mark(now_ns));
    }

    /// Each of them.
    pub fn iter(&self) -> impl Iterator<Item = &Source> {
        self.all.iter()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: u64 = 1_000_000;

    fn heard(seq: u16, arrived_ms: u64) -> Heard {
        Heard {
            ssrc: 7,
            pt: 111,
            seq,
            arrived_ns: arrived_ms * MS,
            sent: Some(((arrived_ms - 1) * MS, 3)),
        }
    }

    fn told(sources: &Sources, at_ms: u64) -> Value {
        sources
            .iter()
            .next()
            .unwrap()
            .told(at_ms * MS, |peer| (peer == 3).then_some("far"))
    }

    #[test]
    fn a_source_is_counted_over_the_wrap() {
        let mut sources = Sources {
            is_timed: true,
            ..Sources::default()
        };
        for (seq, at) in [
            (65_534, 1_000),
            (65_535, 1_020),
            (1, 1_060),
            (2, 1_080),
            (0, 1_081),
        ] {
            sources.take(&heard(seq, at));
        }
        let told = told(&sources, 1_090);
        assert_eq!(told["from"], "far");
        assert_eq!(
            (&told["packets"], &told["lost"]),
            (&json!(5), &json!(0)),
            "{told}"
        );
        assert_eq!((&told["holes"], &told["reordered"]), (&json!(1), &json!(1)));
        assert_eq!(told["longest_gap_ms"], 40.0);
        assert_eq!(
            (&told["first_at"], &told["last_at"]),
            (&json!(1.0), &json!(1.081))
        );
        assert!(told["latency_us"]["p99"].as_u64().unwrap().abs_diff(1_000) <= 16);
    }

    #[test]
    fn a_mark_begins_anew_and_a_gap_across_it_counts() {
        let mut sources = Sources::default();
        (0..10).for_each(|seq| sources.take(&heard(seq, 100 + 20 * u64::from(seq))));
        sources.mark(290 * MS);
        sources.take(&heard(15, 1_280));
        let told = told(&sources, 1_300);
        assert_eq!((&told["packets"], &told["lost"]), (&json!(1), &json!(5)));
        assert_eq!(told["longest_gap_ms"], 1_000.0);
        assert_eq!(told["since_at"], 1.28);
        assert_eq!(told["latency_us"], Value::Null);
    }

    #[test]
    fn a_source_that_is_silent_has_a_gap_up_to_now() {
        let mut sources = Sources::default();
        (0..3).for_each(|seq| sources.take(&heard(seq, 100 + 20 * u64::from(seq))));
        assert_eq!(told(&sources, 500)["longest_gap_ms"], 360.0);
        sources.mark(500 * MS);
        sources.bye(7, 500 * MS);
        let silent = told(&sources, 900);
        assert_eq!(
            (&silent["packets"], &silent["lost"]),
            (&json!(0), &json!(0))
        );
        assert_eq!(silent["longest_gap_ms"], 760.0);
        sources.take(&heard(3, 1_000));
        assert_eq!(told(&sources, 1_010)["longest_gap_ms"], 860.0);
    }

    #[test]
    fn a_packet_counts_in_the_interval_in_which_it_left() {
        let mut sources = Sources {
            is_timed: true,
            ..Sources::default()
        };
        sources.take(&heard(1, 100));
        sources.mark(121 * MS);
        // They left at 120 and 119 ms, so they were under way at the mark.
        sources.take(&heard(3, 121));
        sources.take(&heard(2, 120));
        assert_eq!(told(&sources, 130)["packets"], 0);
        for (seq, at) in [(4, 140), (6, 180)] {
            sources.take(&heard(seq, at));
        }
        let told = told(&sources, 180);
        assert_eq!(
            (&told["packets"], &told["lost"], &told["reordered"]),
            (&json!(2), &json!(1), &json!(1))
        );
        assert_eq!(told["longest_gap_ms"], 40.0);
        assert_eq!(told["since_at"], 0.121);
    }

    #[test]
    fn the_first_bye_counts() {
        let mut sources = Sources::default();
        sources.take(&heard(0, 10));
        for (ssrc, at_ms) in [(7, 20), (7, 30), (8, 40)] {
            sources.bye(ssrc, at_ms * MS);
        }
        let byes: Vec<Value> = sources
            .iter()
            .map(|one| one.told(50 * MS, |_| None)["bye_at"].clone())
            .collect();
        assert_eq!(byes, [json!(0.02), json!(0.04)]);
    }
}
