//! Packet indices: estimated from 16-bit sequence numbers, remembered in a window (RFC 3711 3.3.1 and 3.3.2).

use crate::error::SrtpError;

/// Newest indices of which it is known whether each was accepted.
const WINDOW: u64 = 128;

/// The 48-bit index of a packet: 32 bits rollover counter, 16 bits sequence number.
///
/// `highest` is the highest index so far, `None` at the start. Where the rule of RFC 3711 gives a counter below zero it stays zero, so
/// a leap of more than half the numbers in the first round counts as forward; libsrtp does the same.
pub fn estimate(highest: Option<u64>, seq: u16) -> Result<u64, SrtpError> {
    const HALF: i32 = 1 << 15;
    let Some(highest) = highest else {
        return Ok(u64::from(seq));
    };
    let roc = (highest >> 16) as u32;
    let distance = i32::from(seq) - (highest & 0xffff) as i32;
    let roc = if distance > HALF {
        roc.saturating_sub(1)
    } else if distance < -HALF {
        roc.checked_add(1).ok_or(SrtpError::Exhausted)?
    } else {
        roc
    };
    Ok(u64::from(roc) << 16 | u64::from(seq))
}

/// Which of the newest indices were accepted.
#[derive(Clone, Copy, Default, Debug)]
pub struct Window {
    highest: Option<u64>,
    /// Bit n stands for `highest - n`.
    seen: u128,
}

impl Window {
    /// The highest accepted index.
    pub fn highest(&self) -> Option<u64> {
        self.highest
    }

    /// Whether `index` may be new; to be asked before the packet is authenticated.
    pub fn check(&self, index: u64) -> Result<(), SrtpError> {
        let Some(highest) = self.highest else {
            return Ok(());
        };
        let Some(behind) = highest.checked_sub(index) else {
            return Ok(());
        };
        if behind >= WINDOW {
            return Err(SrtpError::TooOld);
        }
        if self.seen >> behind & 1 == 1 {
            return Err(SrtpError::Replayed);
        }
        Ok(())
    }

    /// Moves on to `index` if it is the newest; what is older is for others to remember.
    pub fn advance(&mut self, index: u64) {
        if self.highest.is_none_or(|highest| index > highest) {
            self.accept(index);
        }
    }

    /// Remembers `index`; only for a packet that was checked and is authentic.
    pub fn accept(&mut self, index: u64) {
        match self.highest {
            Some(highest) if index <= highest => {
                let behind = highest - index;
                debug_assert!(behind < WINDOW, "check() lets no older index through");
                self.seen |= 1 << behind;
            }
            Some(highest) => {
                let ahead = index - highest;
                self.seen = if ahead < WINDOW {
                    self.seen << ahead | 1
                } else {
                    1
                };
                self.highest = Some(index);
            }
            None => {
                self.seen = 1;
                self.highest = Some(index);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_counter_follows_wraps_both_ways() {
        assert_eq!(estimate(None, 65_535), Ok(65_535));
        assert_eq!(estimate(Some(65_535), 0), Ok(65_536));
        assert_eq!(estimate(Some(65_536), 65_535), Ok(65_535));
        assert_eq!(estimate(Some(3 << 16 | 0xfff0), 0x10), Ok(4 << 16 | 0x10));
        assert_eq!(estimate(Some(4 << 16 | 0x10), 0xfff0), Ok(3 << 16 | 0xfff0));
    }

    #[test]
    fn there_is_no_round_before_the_first() {
        assert_eq!(estimate(Some(10), 60_000), Ok(60_000));
    }

    #[test]
    fn the_last_round_does_not_wrap_to_the_first() {
        assert_eq!(estimate(Some((1 << 48) - 1), 0), Err(SrtpError::Exhausted));
    }

    #[test]
    fn the_window_ends_at_128() {
        let mut window = Window::default();
        window.accept(1000);
        assert_eq!(window.check(1000 - 127), Ok(()));
        assert_eq!(window.check(1000 - 128), Err(SrtpError::TooOld));
        assert_eq!(window.check(1000), Err(SrtpError::Replayed));
        window.accept(1000 + 128);
        assert_eq!(window.check(1001), Ok(()));
        assert_eq!(window.check(1000), Err(SrtpError::TooOld));
    }

    proptest! {
        /// The estimate is exact while no packet is half a round from the newest.
        #[test]
        fn indices_are_found_again(start in 0u64..1 << 40, steps in prop::collection::vec(-200i64..32_000, 1..200)) {
            let mut highest = start;
            for step in steps {
                let index = highest.saturating_add_signed(step);
                prop_assert_eq!(estimate(Some(highest), index as u16), Ok(index));
                highest = highest.max(index);
            }
        }

        /// The window agrees with a set of all accepted indices.
        #[test]
        fn the_window_agrees_with_a_set(steps in prop::collection::vec(-140i64..140, 1..400)) {
            let mut window = Window::default();
            let mut model = HashSet::new();
            let mut highest: Option<u64> = None;
            for step in steps {
                let index = highest.unwrap_or(1 << 20).saturating_add_signed(step);
                let expected = match highest {
                    Some(highest) if index + WINDOW <= highest => Err(SrtpError::TooOld),
                    _ if model.contains(&index) => Err(SrtpError::Replayed),
                    _ => Ok(()),
                };
                prop_assert_eq!(window.check(index), expected);
                if expected.is_ok() {
                    window.accept(index);
                    model.insert(index);
                    highest = Some(highest.unwrap_or(index).max(index));
                }
            }
        }
    }
}
