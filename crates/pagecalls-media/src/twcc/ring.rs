//! What is known of the last numbers of a count, by number.

use std::time::{Duration, Instant};

use super::REMEMBERED;

/// So many are remembered at first.
const FIRST: usize = 256;

/// A number is remembered for so long, up to [`REMEMBERED`] of them: a receiver that takes a second to tell of it is not waited for.
const KEPT: Duration = Duration::from_millis(1_500);

/// The last numbers. It begins small, and doubles when numbers come so fast that one would be forgotten too soon.
pub struct Ring<T> {
    slots: Box<[T]>,
    /// Of numbers below nothing is known, although there would be room.
    from: u64,
    /// The number with which the present half of a lap began, and when. After a pause the first half looks slow; what came in it is still
    /// there when the second one is over.
    half: (u64, Instant),
}

impl<T: Copy + Default> Ring<T> {
    /// Nothing is known, of any number up to `number`.
    #[must_use]
    pub fn new(number: u64, now: Instant) -> Self {
        Self {
            slots: vec![T::default(); FIRST].into(),
            from: 0,
            half: (number, now),
        }
    }

    /// The oldest number that is remembered, if `highest` is the newest.
    #[must_use]
    pub fn oldest(&self, highest: u64) -> u64 {
        self.from.max((highest + 1).saturating_sub(self.room()))
    }

    /// Makes room for the numbers behind `highest` up to `next`; of each of them nothing is known.
    pub fn advance(&mut self, highest: u64, next: u64, now: Instant) {
        let (began, since) = self.half;
        if next >= began + self.room() / 2 {
            if now < since + KEPT / 2 && self.room() < REMEMBERED {
                self.grow(highest);
            }
            self.half = (next, now);
        }
        let skipped = (next - highest).min(self.room());
        for number in next + 1 - skipped..=next {
            *self.at(number) = T::default();
        }
    }

    fn grow(&mut self, highest: u64) {
        let oldest = self.oldest(highest);
        let mut larger = Self {
            slots: vec![T::default(); 2 * self.slots.len()].into(),
            from: oldest,
            half: self.half,
        };
        for number in oldest..=highest {
            *larger.at(number) = self.get(number);
        }
        *self = larger;
    }

    /// What is known of a number that is remembered.
    #[must_use]
    pub fn get(&self, number: u64) -> T {
        self.slots[self.place(number)]
    }

    /// The same, to be changed.
    pub fn at(&mut self, number: u64) -> &mut T {
        &mut self.slots[self.place(number)]
    }

    fn room(&self) -> u64 {
        self.slots.len() as u64
    }

    /// The room is a power of two, and division is dear.
    fn place(&self, number: u64) -> usize {
        number as usize & (self.slots.len() - 1)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    /// Numbers at a steady pace, after a pause; how many are remembered in the end.
    fn remembered(per_s: u32) -> u64 {
        let began = Instant::now();
        let start = began + 10 * KEPT;
        let mut ring = Ring::<u32>::new(0, began);
        let highest = 40 * u64::from(per_s);
        for number in 1..=highest {
            let now = start + Duration::from_secs(1) * number as u32 / per_s;
            ring.advance(number - 1, number, now);
        }
        highest + 1 - ring.oldest(highest)
    }

    #[test]
    fn as_many_are_remembered_as_come_in_a_second_and_a_half() {
        let paces = [10, 120, 160, 180, 300, 600, 2_000].map(remembered);
        assert_eq!(paces, [256, 256, 256, 512, 512, 1_024, 2_048]);
    }

    #[test]
    fn what_comes_all_at_once_after_a_pause_is_remembered_from_its_beginning() {
        let start = Instant::now();
        let now = start + 10 * KEPT;
        let mut ring = Ring::<u64>::new(0, start);
        for number in 1..=REMEMBERED {
            ring.advance(number - 1, number, now);
            *ring.at(number) = number;
            assert!(ring.oldest(number) <= 1, "{number}");
        }
        let some = [1, 700, 2_048];
        assert_eq!(some.map(|number| ring.get(number)), some);
    }

    proptest! {
        #[test]
        fn what_is_remembered_is_what_was_noted_last(
            first in 0u64..3_000,
            steps in prop::collection::vec((1u64..40, 0u64..30, prop::option::of(1u64..2_500)), 1..600),
        ) {
            let mut now = Instant::now();
            let mut ring = Ring::<u64>::new(first, now);
            let mut model = BTreeMap::new();
            let mut highest = first;
            for (leap, ms, back) in steps {
                now += Duration::from_millis(ms);
                let before = ring.oldest(highest);
                let next = highest + leap;
                ring.advance(highest, next, now);
                highest = next;
                *ring.at(highest) = highest;
                model.insert(highest, highest);
                let oldest = ring.oldest(highest);
                prop_assert!(oldest >= before && highest - oldest < REMEMBERED);
                prop_assert!(highest < 256 || highest - oldest >= 255 || oldest == before);
                let number = highest.saturating_sub(back.unwrap_or_default()).max(oldest);
                prop_assert_eq!(ring.get(number), model.get(&number).copied().unwrap_or_default());
            }
        }
    }
}
