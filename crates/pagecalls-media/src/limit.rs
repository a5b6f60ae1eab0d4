//! How much work strangers can cause: token buckets in a fixed place, for checks that may turn out to be false.
//!
//! A check from a path that is not known costs an HMAC and, when it is false, an answer. Only false ones are charged: to the leg
//! that they name, to the prefix that they come from, and to the whole worker. The leg comes first: who floods one leg under made-up
//! addresses empties that leg's bucket and touches the others only at its rate. What others have used up of the prefix and of the
//! worker leaves each leg a few checks of its own, so that no flood that names one leg keeps another one's peer out. Peers whose path
//! is known are never asked.
//! The time is handed in, nothing is allocated later, and nothing here knows sockets or calls.

use std::net::IpAddr;
use std::time::{Duration, Instant};

/// False checks that may name one leg.
pub const PER_LEG: Rate = Rate::per_second(200);

/// False checks that may name one leg when its prefix or its worker has nothing left: nobody uses them up who does not name it.
pub const OWN_OF_LEG: Rate = Rate::per_second(10);

/// False checks from one prefix: an IPv4 address, or an IPv6 /64, which is one subscriber.
pub const PER_PREFIX: Rate = Rate::per_second(50);

/// False checks that a worker looks at: some milliseconds of CPU in a second.
pub const PER_WORKER: Rate = Rate::per_second(5_000);

/// TCP connections that may name one leg: a peer opens a few, one for each pair of addresses.
pub const CONNECTIONS_PER_LEG: Rate = Rate::per_second(20);

const PREFIX_BITS: u32 = 12;

/// So many in a second, and as many at once.
#[derive(Clone, Copy, Debug)]
pub struct Rate {
    interval: Duration,
    burst: u32,
}

impl Rate {
    /// `count` in a second, and as many at once after a pause.
    #[must_use]
    pub const fn per_second(count: u32) -> Self {
        Self {
            interval: Duration::from_nanos(1_000_000_000 / count as u64),
            burst: count,
        }
    }
}

/// What is left of a rate, as the time at which the bucket would be full again.
#[derive(Clone, Copy, Debug, Default)]
pub struct Bucket(Option<Instant>);

impl Bucket {
    /// Whether there is something left.
    #[must_use]
    pub fn has_room(&self, rate: Rate, now: Instant) -> bool {
        self.0.is_none_or(|full| {
            full.saturating_duration_since(now) + rate.interval <= rate.interval * rate.burst
        })
    }

    /// Takes one out.
    pub fn take(&mut self, rate: Rate, now: Instant) {
        let full = self.0.map_or(now, |full| full.max(now));
        self.0 = Some(full + rate.interval);
    }
}

/// What false checks have taken from one leg.
#[derive(Clone, Copy, Debug, Default)]
pub struct Charged {
    named: Bucket,
    own: Bucket,
}

/// The buckets of one worker.
pub struct Gate {
    prefixes: Box<[Bucket]>,
    total: Bucket,
    key: (u64, u64),
}

impl Gate {
    /// All buckets full. `key` spreads prefixes over the table; it must not be guessable.
    #[must_use]
    pub fn new(key: (u64, u64)) -> Self {
        Self {
            prefixes: vec![Bucket::default(); 1 << PREFIX_BITS].into(),
            total: Bucket::default(),
            key: (key.0 | 1, key.1),
        }
    }

    /// Whether a check from `ip` that names the leg with these buckets may be looked at.
    #[must_use]
    pub fn admits(&self, leg: &Charged, ip: IpAddr, now: Instant) -> bool {
        self.has_room(leg, ip, now) || leg.own.has_room(OWN_OF_LEG, now)
    }

    /// Charges a check that was false.
    pub fn charge(&mut self, leg: &mut Charged, ip: IpAddr, now: Instant) {
        if self.has_room(leg, ip, now) {
            leg.named.take(PER_LEG, now);
            self.prefixes[self.place(ip)].take(PER_PREFIX, now);
            self.total.take(PER_WORKER, now);
        } else {
            leg.own.take(OWN_OF_LEG, now);
        }
    }

    fn has_room(&self, leg: &Charged, ip: IpAddr, now: Instant) -> bool {
        leg.named.has_room(PER_LEG, now)
            && self.prefixes[self.place(ip)].has_room(PER_PREFIX, now)
            && self.total.has_room(PER_WORKER, now)
    }

    /// Multiply-shift hashing: without the key nobody can choose who shares a bucket.
    fn place(&self, ip: IpAddr) -> usize {
        let spread = self.key.0.wrapping_mul(prefix(ip)).wrapping_add(self.key.1);
        (spread >> (64 - PREFIX_BITS)) as usize
    }
}

/// What counts as one source: an IPv4 address, or the first half of an IPv6 address.
#[must_use]
pub fn prefix(ip: IpAddr) -> u64 {
    match ip.to_canonical() {
        IpAddr::V4(ip) => u64::from(u32::from(ip)),
        IpAddr::V6(ip) => (u128::from(ip) >> 64) as u64,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gate() -> Gate {
        Gate::new((0x9e37_79b9_7f4a_7c15, 7))
    }

    fn spend(gate: &mut Gate, leg: &mut Charged, ip: IpAddr, now: Instant) -> u32 {
        let mut count = 0;
        while gate.admits(leg, ip, now) {
            gate.charge(leg, ip, now);
            count += 1;
            assert!(count < 10_000);
        }
        count
    }

    #[test]
    fn a_bucket_gives_its_burst_and_then_its_rate() {
        let (rate, start) = (Rate::per_second(10), Instant::now());
        let mut bucket = Bucket::default();
        let count = |bucket: &mut Bucket, now| {
            let mut count = 0;
            while bucket.has_room(rate, now) {
                bucket.take(rate, now);
                count += 1;
            }
            count
        };
        assert_eq!(count(&mut bucket, start), 10);
        assert_eq!(count(&mut bucket, start + Duration::from_millis(99)), 0);
        assert_eq!(count(&mut bucket, start + Duration::from_millis(300)), 3);
        assert_eq!(count(&mut bucket, start + Duration::from_secs(60)), 10);
    }

    #[test]
    fn a_prefix_is_an_ipv4_address_or_an_ipv6_network() {
        let of = |text: &str| prefix(text.parse().unwrap());
        assert_ne!(of("192.0.2.1"), of("192.0.2.2"));
        assert_eq!(of("192.0.2.1"), of("::ffff:192.0.2.1"));
        assert_eq!(of("2001:db8::1"), of("2001:db8::ffff:0:0:9"));
        assert_ne!(of("2001:db8::1"), of("2001:db8:0:1::1"));
    }

    #[test]
    fn one_source_cannot_use_up_what_others_need() {
        let (mut gate, now) = (gate(), Instant::now());
        let mut leg = Charged::default();
        let attacker = "203.0.113.66".parse().unwrap();
        assert_eq!(spend(&mut gate, &mut leg, attacker, now), 50 + 10);
        assert!(gate.admits(&leg, "198.51.100.1".parse().unwrap(), now));
    }

    #[test]
    fn a_flood_at_one_leg_under_made_up_addresses_leaves_the_other_legs_open() {
        let (mut gate, now) = (gate(), Instant::now());
        let mut flooded = Charged::default();
        for last in 0..100_000u32 {
            let ip = IpAddr::from((last | 0x0a00_0000).to_be_bytes());
            if gate.admits(&flooded, ip, now) {
                gate.charge(&mut flooded, ip, now);
            }
        }
        let other = Charged::default();
        let refused = (0..1_000u32)
            .filter(|last| {
                !gate.admits(
                    &other,
                    IpAddr::from((last | 0xc000_0000).to_be_bytes()),
                    now,
                )
            })
            .count();
        assert_eq!(refused, 0);
    }

    #[test]
    fn who_floods_one_leg_keeps_nobody_out_of_another_one() {
        let (mut gate, now) = (gate(), Instant::now());
        let (mut own, mut others) = (Charged::default(), Charged::default());
        let shared = "203.0.113.66".parse().unwrap();
        for tenth in 0..100 {
            let now = now + Duration::from_millis(100) * tenth;
            spend(&mut gate, &mut own, shared, now);
            assert!(!gate.admits(&own, shared, now));
            assert!(gate.admits(&others, shared, now), "behind the same NAT");
        }
        // What names that leg is bounded all the same.
        assert_eq!(spend(&mut gate, &mut others, shared, now), 10);
    }

    #[test]
    fn the_whole_worker_is_bounded_too() {
        let (mut gate, now) = (gate(), Instant::now());
        let mut legs = [Charged::default(); 100];
        let mut looked_at = 0;
        for number in 0..20_000u32 {
            let leg = &mut legs[number as usize % 100];
            let ip = IpAddr::from(number.to_be_bytes());
            if gate.admits(leg, ip, now) {
                gate.charge(leg, ip, now);
                looked_at += 1;
            }
        }
        assert_eq!(looked_at, 5_000 + 100 * 10, "and a few for each leg");
    }
}
