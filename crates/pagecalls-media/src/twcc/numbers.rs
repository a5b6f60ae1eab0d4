//! The numbers of one outgoing leg, and whose packets they were.

use std::time::Instant;

use crate::bits::distance16;

use super::ring::Ring;

/// Which packet of which sender it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Came {
    /// Tells the sender's leg from all others of the call.
    pub from: u32,
    /// The sender's own number.
    pub number: u16,
}

/// The numbers that go out on one leg: contiguous, one for each packet, over all streams that carry numbers.
pub struct Numbers {
    next: u64,
    /// The senders that have numbered anything; a call has few.
    senders: Vec<u32>,
    packets: Ring<Packet>,
}

/// A packet by its sender's place and number.
#[derive(Clone, Copy)]
struct Packet {
    /// [`NOBODY`] for a packet whose sender does not number.
    sender: u8,
    number: u16,
}

const NOBODY: u8 = u8::MAX;

impl Default for Packet {
    fn default() -> Self {
        Self {
            sender: NOBODY,
            number: 0,
        }
    }
}

impl Numbers {
    /// No number was used.
    #[must_use]
    pub fn new(now: Instant) -> Self {
        Self {
            next: 1,
            senders: Vec::new(),
            packets: Ring::new(0, now),
        }
    }

    /// The number of the next packet; it is used up by [`Self::used`].
    #[must_use]
    pub fn next(&self) -> u16 {
        self.next as u16
    }

    /// Notes that the next number went out with this packet; `None` for one whose sender does not number.
    pub fn used(&mut self, came: Option<Came>, now: Instant) {
        self.packets.advance(self.next - 1, self.next, now);
        *self.packets.at(self.next) = Packet {
            sender: came.map_or(NOBODY, |came| self.sender(came.from)),
            number: came.map_or(0, |came| came.number),
        };
        self.next += 1;
    }

    /// The place of a sender. After 255 of them no new one is told, which no call comes near.
    fn sender(&mut self, from: u32) -> u8 {
        let known = self.senders.iter().position(|sender| *sender == from);
        let place = known.unwrap_or_else(|| {
            if self.senders.len() < usize::from(NOBODY) {
                self.senders.push(from);
            }
            self.senders.len() - 1
        });
        if self.senders[place] == from {
            place as u8
        } else {
            NOBODY
        }
    }

    /// The packet that went out under this number, if it is one of the last.
    #[must_use]
    pub fn came(&self, number: u16) -> Option<Came> {
        let ahead = i64::from(distance16(self.next as u16, number));
        let number = self.next.checked_add_signed(ahead)?;
        let is_known = number < self.next && number >= self.packets.oldest(self.next - 1);
        let packet = self.packets.get(number);
        let from = self.senders.get(usize::from(packet.sender)).copied();
        from.filter(|_| is_known).map(|from| Came {
            from,
            number: packet.number,
        })
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    /// The numbers that are known after 70,000 packets at this pace are those of a second and a half, over the wrap too, and no others.
    fn check(per_s: u32, known: u32) {
        let start = Instant::now();
        let mut numbers = Numbers::new(start);
        for count in 0..70_000u32 {
            assert_eq!(numbers.next(), (count + 1) as u16);
            let came = (count % 3 > 0).then_some(Came {
                from: 7,
                number: (count * 5) as u16,
            });
            numbers.used(came, start + Duration::from_secs(1) * count / per_s);
        }
        for count in 70_000 - known..70_000u32 {
            let came = numbers.came((count + 1) as u16);
            assert_eq!(
                came.map(|came| came.number),
                (count % 3 > 0).then_some((count * 5) as u16)
            );
        }
        let (older, newer) = (70_000u32 - known, 70_001u32);
        assert_eq!(
            (numbers.came(older as u16), numbers.came(newer as u16)),
            (None, None)
        );
    }

    #[test]
    fn the_last_numbers_are_known_over_the_wrap_and_no_others() {
        check(5_000, 2_048);
        check(100, 256);
        let fresh = Numbers::new(Instant::now());
        assert_eq!(fresh.came(0), None, "nothing was sent yet");
        assert_eq!(fresh.came(65_535), None);
    }
}
