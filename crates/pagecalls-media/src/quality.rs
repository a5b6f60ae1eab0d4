//! How well a call goes: bit rates, round trips, and an estimate of what a listener thinks of it.
//!
//! Pure arithmetic; each figure is `None` until it is known. The formulas are chosen in docs/decisions/0020-mos.md.

use std::time::{Duration, Instant};

/// A bit rate is told for no shorter time than this.
const SHORTEST: Duration = Duration::from_secs(1);

/// The bit rate of a growing count of bytes.
#[derive(Clone, Copy, Debug, Default)]
pub struct Rate {
    /// When the present interval began, and the count by then.
    began: Option<(Instant, u64)>,
    /// The rate of the interval before.
    last_bps: Option<u64>,
}

impl Rate {
    /// The first bytes have come: the first interval begins, if none has.
    pub fn begin(&mut self, bytes: u64, now: Instant) {
        self.began.get_or_insert((now, bytes));
    }

    /// Bits per second since the interval began, or in the interval before while this one is shorter than a second.
    #[must_use]
    pub fn bps(&self, bytes: u64, now: Instant) -> Option<u64> {
        let (began, before) = self.began?;
        let time = now.saturating_duration_since(began);
        if time < SHORTEST {
            return self.last_bps;
        }
        let bits = u128::from(bytes.saturating_sub(before)) * 8;
        u64::try_from(bits * 1_000_000 / time.as_micros()).ok()
    }

    /// Ends the interval and begins the next.
    pub fn next_interval(&mut self, bytes: u64, now: Instant) {
        self.last_bps = self.bps(bytes, now);
        if let Some(began) = &mut self.began {
            *began = (now, bytes);
        }
    }
}

/// The time to one peer and back.
#[derive(Clone, Copy, Debug, Default)]
pub struct RoundTrip {
    last: Option<Duration>,
    smoothed: Option<Duration>,
    measurements: u64,
}

impl RoundTrip {
    /// Takes a measurement; an eighth of it goes into the smoothed value (as RFC 6298 2.3 does).
    pub fn measured(&mut self, sample: Duration) {
        self.measurements += 1;
        self.last = Some(sample);
        self.smoothed = Some(
            self.smoothed
                .map_or(sample, |before| before * 7 / 8 + sample / 8),
        );
    }

    /// Measurements so far.
    #[must_use]
    pub fn measurements(&self) -> u64 {
        self.measurements
    }

    /// The last measurement.
    #[must_use]
    pub fn last(&self) -> Option<Duration> {
        self.last
    }

    /// The smoothed value.
    #[must_use]
    pub fn smoothed(&self) -> Option<Duration> {
        self.smoothed
    }
}

/// Milliseconds, to a thousandth.
#[must_use]
pub fn ms(duration: Duration) -> f64 {
    rounded(duration.as_secs_f64() * 1_000.0)
}

/// To a thousandth: more digits cost room in every frame and mean nothing.
#[must_use]
pub fn rounded(value: f64) -> f64 {
    (value * 1_000.0).round() / 1_000.0
}

/// Playing out and coding take so long besides the way and the jitter buffer.
const FIXED_DELAY_MS: f64 = 40.0;

/// How well Opus stands loss, in the E-model's terms.
const LOSS_ROBUSTNESS: f64 = 20.0;

/// Mean opinion score, 1 to 4.5, after the E-model of ITU-T G.107 in short form.
///
/// `way` is the time from mouth to ear without buffers, `loss` a fraction from 0 to 1, both of the whole way.
#[must_use]
pub fn mos(way: Duration, jitter_ms: f64, loss: f64) -> f64 {
    let delay = way.as_secs_f64() * 1_000.0 + 2.0 * jitter_ms + FIXED_DELAY_MS;
    let by_delay = 0.024 * delay + 0.11 * (delay - 177.3).max(0.0);
    let percent = loss * 100.0;
    let by_loss = 95.0 * percent / (percent + LOSS_ROBUSTNESS);
    let r = (93.2 - by_delay - by_loss).clamp(0.0, 100.0);
    let score = 1.0 + 0.035 * r + r * (r - 60.0) * (100.0 - r) * 7e-6;
    rounded(score.clamp(1.0, 4.5))
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn millis(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    #[test]
    fn the_score_follows_the_model() {
        // Worked out by hand: R is 92.24, 88.58, 73.24, 44.74 and 53.74.
        for (way, jitter_ms, loss, score) in [
            (millis(0), 0.0, 0.0, 4.390),
            (millis(100), 20.0, 0.0, 4.303),
            (millis(0), 0.0, 0.05, 3.745),
            (millis(0), 0.0, 0.2, 2.302),
            (millis(400), 0.0, 0.0, 2.772),
        ] {
            let got = mos(way, jitter_ms, loss);
            assert!((got - score).abs() < 0.001, "{got} instead of {score}");
        }
    }

    #[test]
    fn the_score_stays_in_its_bounds_and_falls_with_everything_that_hurts() {
        assert!((mos(Duration::from_secs(5), 500.0, 1.0) - 1.0).abs() < 1e-9);
        let mut before = 4.5;
        for step in 0..100u32 {
            let share = f64::from(step);
            let now = mos(millis(10) * step, share, share / 100.0);
            assert!(now <= before && now >= 1.0);
            before = now;
        }
    }

    #[test]
    fn a_rate_is_that_of_the_interval() {
        let start = Instant::now();
        let mut rate = Rate::default();
        assert_eq!(rate.bps(0, start), None);
        rate.begin(80, start);
        assert_eq!(rate.bps(800, start + millis(999)), None);
        assert_eq!(rate.bps(1_080, start + millis(2_000)), Some(4_000));
        rate.next_interval(2_580, start + millis(5_000));
        assert_eq!(
            rate.bps(9_999, start + millis(5_500)),
            Some(4_000),
            "too short for a rate of its own"
        );
        assert_eq!(rate.bps(2_580, start + millis(6_000)), Some(0));
        rate.begin(0, start + millis(7_000));
        assert_eq!(rate.bps(3_580, start + millis(7_000)), Some(4_000));
    }

    #[test]
    fn a_round_trip_is_smoothed() {
        let mut trip = RoundTrip::default();
        assert_eq!((trip.last(), trip.smoothed()), (None, None));
        assert_eq!(trip.measurements(), 0);
        trip.measured(millis(80));
        assert_eq!(
            (trip.last(), trip.smoothed()),
            (Some(millis(80)), Some(millis(80)))
        );
        trip.measured(millis(160));
        assert_eq!(
            (trip.last(), trip.smoothed()),
            (Some(millis(160)), Some(millis(90)))
        );
        assert_eq!(trip.measurements(), 2);
    }
}
