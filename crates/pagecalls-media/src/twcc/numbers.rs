//! The numbers of one outgoing leg, and whose packets they were.

use crate::bits::distance16;

use super::REMEMBERED;

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
    came: Box<[Option<Came>]>,
}

impl Default for Numbers {
    fn default() -> Self {
        Self {
            next: 1,
            came: vec![None; REMEMBERED as usize].into(),
        }
    }
}

impl Numbers {
    /// The number of the next packet; it is used up by [`Self::used`].
    #[must_use]
    pub fn next(&self) -> u16 {
        self.next as u16
    }

    /// Notes that the next number went out with this packet; `None` for one whose sender does not number.
    pub fn used(&mut self, came: Option<Came>) {
        self.came[place(self.next)] = came;
        self.next += 1;
    }

    /// The packet that went out under this number, if it is one of the last.
    #[must_use]
    pub fn came(&self, number: u16) -> Option<Came> {
        let ahead = i64::from(distance16(self.next as u16, number));
        let number = self.next.checked_add_signed(ahead)?;
        let is_known = number < self.next && self.next - number <= REMEMBERED;
        self.came[place(number)].filter(|_| is_known)
    }
}

fn place(number: u64) -> usize {
    (number % REMEMBERED) as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_numbers_are_known_over_the_wrap_and_no_others() {
        let mut numbers = Numbers::default();
        for count in 0..70_000u32 {
            assert_eq!(numbers.next(), (count + 1) as u16);
            numbers.used((count % 3 > 0).then_some(Came {
                from: 7,
                number: (count * 5) as u16,
            }));
        }
        for count in 70_000 - 2_048..70_000u32 {
            let came = numbers.came((count + 1) as u16);
            assert_eq!(
                came.map(|came| came.number),
                (count % 3 > 0).then_some((count * 5) as u16)
            );
        }
        let (older, newer) = (70_000u32 - 2_048, 70_001u32);
        assert_eq!(
            (numbers.came(older as u16), numbers.came(newer as u16)),
            (None, None)
        );
        assert_eq!(Numbers::default().came(0), None, "nothing was sent yet");
        assert_eq!(Numbers::default().came(65_535), None);
    }
}
