//! Datagrams on a byte stream, as RFC 4571 frames them: two bytes of length, then the datagram.
//!
//! Both directions as plain values: what was read goes in and datagrams come out, datagrams go in and what is to be written comes
//! out. Nothing here knows sockets, or what the datagrams are.

use std::mem::take;

/// The length in front of a datagram.
pub const HEAD_BYTES: usize = 2;

/// The longest datagram that is taken; a longer one ends its connection, since nothing of ours is so long.
pub const FRAME_BYTES: usize = 2_048;

/// What may wait for a slow receiver. Audio fills it in about 20 s; what is older than that nobody wants to hear.
pub const QUEUE_BYTES: usize = 256 * 1024;

/// What yields (video) may fill so much of it; the rest is for sound and control.
pub const YIELDING_BYTES: usize = QUEUE_BYTES / 2;

/// An empty queue keeps no more memory than this.
const KEPT_BYTES: usize = 16 * 1024;

/// A frame is longer than [`FRAME_BYTES`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TooLong(pub usize);

/// The bytes of the frame that starts with `start`, its length included; those of the length alone as long as it is not known.
pub fn frame_bytes(start: &[u8]) -> Result<usize, TooLong> {
    let &[high, low, ..] = start else {
        return Ok(HEAD_BYTES);
    };
    let len = usize::from(u16::from_be_bytes([high, low]));
    if len > FRAME_BYTES {
        Err(TooLong(len))
    } else {
        Ok(HEAD_BYTES + len)
    }
}

/// Takes a stream apart.
#[derive(Default)]
pub struct Deframer {
    /// The part of a frame that has come.
    rest: Vec<u8>,
}

impl Deframer {
    /// Nothing has come yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Gives every datagram that is whole now to `take`, and keeps the rest. After an error the stream makes no sense any more.
    pub fn feed(
        &mut self,
        mut bytes: &mut [u8],
        mut datagram: impl FnMut(&mut [u8]),
    ) -> Result<(), TooLong> {
        while !self.rest.is_empty() {
            let whole = frame_bytes(&self.rest)?;
            if self.rest.len() >= HEAD_BYTES && self.rest.len() == whole {
                datagram(&mut self.rest[HEAD_BYTES..]);
                self.rest.clear();
            } else if bytes.is_empty() {
                return Ok(());
            } else {
                let missing = (whole - self.rest.len()).min(bytes.len());
                let (more, left) = take(&mut bytes).split_at_mut(missing);
                self.rest.extend_from_slice(more);
                bytes = left;
            }
        }
        loop {
            let whole = frame_bytes(bytes)?;
            if bytes.len() < whole {
                break;
            }
            let (frame, left) = take(&mut bytes).split_at_mut(whole);
            datagram(&mut frame[HEAD_BYTES..]);
            bytes = left;
        }
        self.rest.extend_from_slice(bytes);
        Ok(())
    }
}

/// Frames that wait to be written. A frame that does not fit is left out whole.
#[derive(Default)]
pub struct Queue {
    bytes: Vec<u8>,
    written: usize,
}

impl Queue {
    /// Nothing waits.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Frames a datagram; false if it was left out because too much waits. One that yields is left out earlier, so that what does
    /// not yield still has room.
    pub fn push(&mut self, datagram: &[u8], yields: bool) -> bool {
        let Ok(len) = u16::try_from(datagram.len()) else {
            return false;
        };
        let room = if yields { YIELDING_BYTES } else { QUEUE_BYTES };
        if self.waiting().len() + HEAD_BYTES + datagram.len() > room {
            return false;
        }
        if self.written > QUEUE_BYTES / 2 {
            self.bytes.drain(..self.written);
            self.written = 0;
        }
        self.bytes.extend_from_slice(&len.to_be_bytes());
        self.bytes.extend_from_slice(datagram);
        true
    }

    /// What is to be written.
    #[must_use]
    pub fn waiting(&self) -> &[u8] {
        &self.bytes[self.written..]
    }

    /// Notes that the first `count` waiting bytes are written.
    pub fn advance(&mut self, count: usize) {
        self.written = (self.written + count).min(self.bytes.len());
        if self.written == self.bytes.len() {
            self.bytes.clear();
            self.bytes.shrink_to(KEPT_BYTES);
            self.written = 0;
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn feed(deframer: &mut Deframer, bytes: &[u8]) -> Result<Vec<Vec<u8>>, TooLong> {
        let mut found = Vec::new();
        let mut bytes = bytes.to_vec();
        deframer
            .feed(&mut bytes, |datagram| found.push(datagram.to_vec()))
            .map(|()| found)
    }

    proptest! {
        #[test]
        fn frames_cut_anywhere_come_out_as_they_went_in(
            datagrams in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..300), 0..12),
            cuts in prop::collection::vec(1usize..700, 1..60),
        ) {
            let mut queue = Queue::new();
            for datagram in &datagrams {
                prop_assert!(queue.push(datagram, false));
            }
            let (mut deframer, mut found) = (Deframer::new(), Vec::new());
            for cut in cuts.iter().cycle() {
                let part = queue.waiting();
                if part.is_empty() {
                    break;
                }
                let part = part[..(*cut).min(part.len())].to_vec();
                queue.advance(part.len());
                found.extend(feed(&mut deframer, &part).unwrap());
            }
            prop_assert_eq!(found, datagrams);
        }

        #[test]
        fn any_stream_is_taken_apart_or_refused(parts in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..3_000), 0..6)) {
            let mut deframer = Deframer::new();
            for part in parts {
                match feed(&mut deframer, &part) {
                    Ok(found) => prop_assert!(found.iter().all(|datagram| datagram.len() <= FRAME_BYTES)),
                    Err(TooLong(len)) => {
                        prop_assert!(len > FRAME_BYTES);
                        break;
                    }
                }
                prop_assert!(deframer.rest.len() < HEAD_BYTES + FRAME_BYTES);
            }
        }
    }

    #[test]
    fn a_frame_that_is_too_long_is_known_by_its_length_alone() {
        let mut deframer = Deframer::new();
        assert_eq!(feed(&mut deframer, &[8]), Ok(vec![]));
        assert_eq!(feed(&mut deframer, &[1]), Err(TooLong(2_049)));
        assert_eq!(feed(&mut Deframer::new(), &[8, 0, 7]), Ok(vec![]));
    }

    #[test]
    fn what_yields_leaves_room_for_the_rest() {
        let mut queue = Queue::new();
        let (picture, sound) = ([7; 1_022], [8; 126]);
        let pictures = (0..1_000).filter(|_| queue.push(&picture, true)).count();
        assert_eq!(pictures, YIELDING_BYTES / 1_024);
        let sounds = (0..2_000).filter(|_| queue.push(&sound, false)).count();
        assert_eq!(sounds, (QUEUE_BYTES - YIELDING_BYTES) / 128);
        queue.advance(QUEUE_BYTES / 2 - 1_024);
        assert!(!queue.push(&picture, true), "sound alone takes as much");
        queue.advance(2_048);
        assert!(queue.push(&picture, true));
    }

    #[test]
    fn a_full_queue_leaves_whole_frames_out_and_takes_more_when_it_is_written() {
        let mut queue = Queue::new();
        let datagram = [7; 1_022];
        let fitting = (0..1_000).filter(|_| queue.push(&datagram, false)).count();
        assert_eq!(fitting, QUEUE_BYTES / 1_024);
        assert_eq!(queue.waiting().len(), QUEUE_BYTES);
        queue.advance(QUEUE_BYTES / 2 + 1);
        assert!(queue.push(&datagram, false));
        assert_eq!(queue.waiting().len(), QUEUE_BYTES / 2 - 1 + 1_024);
        queue.advance(usize::MAX / 2);
        assert!(queue.waiting().is_empty() && queue.bytes.capacity() <= KEPT_BYTES);
        assert!(
            !queue.push(&vec![0; 70_000], false),
            "no frame can name its length"
        );
    }
}
