//! Which numbers of an outgoing stream were used, and with which tag, so that the very same packet can go out again.
//!
//! A tag is a keyed hash over a packet's whole header and payload, made with the index of the packet. Whoever repeats a packet
//! encrypts it under its old index once more, and only if the tag comes out the same was it the same packet
//! (docs/decisions/0036-plain-repeats.md).

use crate::error::SrtpError;

/// So many of the last numbers are known.
pub const REMEMBERED: u64 = 1_024;

/// The longest tag.
pub const TAG_LEN: usize = 16;

/// A tag with zeroes behind it if it is shorter.
pub type Tag = [u8; TAG_LEN];

#[derive(Clone, Copy)]
struct Used {
    index: u64,
    tag: Tag,
}

/// The last packets of one stream.
pub struct Memory {
    /// Numbers below were used before this began.
    from: u64,
    used: Box<[Option<Used>]>,
}

impl Memory {
    /// Remembers from here on; of numbers up to `highest` nothing is known.
    pub fn new(highest: Option<u64>) -> Self {
        Self {
            from: highest.map_or(0, |highest| highest + 1),
            used: vec![None; REMEMBERED as usize].into(),
        }
    }

    /// Whether `index` is certainly unused.
    pub fn check(&self, index: u64, highest: Option<u64>) -> Result<(), SrtpError> {
        let is_old = highest.is_some_and(|highest| index + REMEMBERED <= highest);
        if is_old || index < self.from {
            Err(SrtpError::TooOld)
        } else if self.tag(index).is_some() {
            Err(SrtpError::Replayed)
        } else {
            Ok(())
        }
    }

    /// Notes that `index` is used.
    pub fn accept(&mut self, index: u64, tag: Tag) {
        self.used[place(index)] = Some(Used { index, tag });
    }

    /// The tag of the packet with this index.
    pub fn tag(&self, index: u64) -> Option<Tag> {
        let used = self.used[place(index)].filter(|used| used.index == index);
        used.map(|used| used.tag)
    }
}

fn place(index: u64) -> usize {
    (index % REMEMBERED) as usize
}
