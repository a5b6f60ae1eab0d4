//! Where the packet logic puts what leaves it: datagrams to send, events to report, and legs that are gone.
//!
//! The buffer grows to the largest burst once and is used again, so that sending allocates nothing per packet. Nothing here
//! knows sockets; [`crate::udp`] empties it.

use crate::path::Path;
use crate::protocol::Event;

/// Room for one datagram: the largest that is received, plus the extensions and the tag that translation may add.
pub const SLOT_BYTES: usize = 2_048 + 256;

/// One datagram in the buffer.
#[derive(Clone, Copy, Debug)]
struct Datagram {
    start: usize,
    len: usize,
    to: Path,
    yields: bool,
}

/// A leg that has ended: what its worker must forget.
#[derive(Debug, PartialEq, Eq)]
pub struct Gone {
    /// The leg's id.
    pub leg: String,
    /// The user fragments that led STUN to it.
    pub ufrags: Vec<String>,
    /// The paths that led everything else to it.
    pub sources: Vec<Path>,
}

/// Collects datagrams and events until the worker takes them.
#[derive(Default)]
pub struct Outbox {
    bytes: Vec<u8>,
    used: usize,
    datagrams: Vec<Datagram>,
    /// Events in the order in which they happened.
    pub events: Vec<Event>,
    /// Legs that ended.
    pub gone: Vec<Gone>,
    /// Paths that their leg has given up.
    pub lost: Vec<Path>,
    /// TCP connections that no leg uses any more: the last that was said to their peers is still on its way.
    pub unused: Vec<u32>,
    /// TCP connections that their leg has given up while it goes on: nothing more is to be said there.
    pub cut: Vec<u32>,
    /// Takes what a part writes before it becomes a datagram.
    scratch: Vec<u8>,
}

impl Outbox {
    /// An empty outbox.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Free space for the next datagram, [`SLOT_BYTES`] long. Its content is arbitrary.
    pub fn slot(&mut self) -> &mut [u8] {
        let end = self.used + SLOT_BYTES;
        if self.bytes.len() < end {
            self.bytes.resize(end, 0);
        }
        &mut self.bytes[self.used..end]
    }

    /// Makes the first `len` bytes of the slot a datagram to `to`.
    pub fn commit(&mut self, len: usize, to: Path) {
        self.queue(len, to, false);
    }

    /// The same for a datagram that is the first to go where not all have room: video, beside sound and control.
    pub fn commit_yielding(&mut self, len: usize, to: Path) {
        self.queue(len, to, true);
    }

    fn queue(&mut self, len: usize, to: Path, yields: bool) {
        self.datagrams.push(Datagram {
            start: self.used,
            len,
            to,
            yields,
        });
        self.used += len;
    }

    /// Makes what `write` leaves in a scratch buffer a datagram to `to`, unless it is nothing or too long; returns what `write`
    /// returned. For the parts that write into a vector of their own making: STUN and DTLS.
    pub fn written<T>(&mut self, to: Path, write: impl FnOnce(&mut Vec<u8>) -> T) -> T {
        let mut scratch = std::mem::take(&mut self.scratch);
        scratch.clear();
        let result = write(&mut scratch);
        if !scratch.is_empty() && scratch.len() <= SLOT_BYTES {
            self.slot()[..scratch.len()].copy_from_slice(&scratch);
            self.commit(scratch.len(), to);
        }
        self.scratch = scratch;
        result
    }

    /// How many datagrams wait.
    #[must_use]
    pub fn len(&self) -> usize {
        self.datagrams.len()
    }

    /// Whether no datagram waits.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.datagrams.is_empty()
    }

    /// The waiting datagrams, oldest first.
    #[must_use]
    pub fn datagrams(&self) -> impl ExactSizeIterator<Item = (Path, &[u8])> {
        self.datagrams.iter().map(|datagram| {
            (
                datagram.to,
                &self.bytes[datagram.start..datagram.start + datagram.len],
            )
        })
    }

    /// Whether the datagram at this place is one that yields.
    #[must_use]
    pub fn yields(&self, place: usize) -> bool {
        self.datagrams
            .get(place)
            .is_some_and(|datagram| datagram.yields)
    }

    /// Takes back all datagrams but the first `len`.
    pub fn truncate(&mut self, len: usize) {
        self.datagrams.truncate(len);
        self.used = self
            .datagrams
            .last()
            .map_or(0, |last| last.start + last.len);
    }

    /// Forgets the datagrams; events and gone legs stay.
    pub fn clear_datagrams(&mut self) {
        self.datagrams.clear();
        self.used = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn datagrams_lie_one_behind_the_other() {
        let to = Path::udp(0, "127.0.0.1:9".parse().unwrap());
        let mut outbox = Outbox::new();
        for text in [&b"one"[..], b"three"] {
            outbox.slot()[..text.len()].copy_from_slice(text);
            outbox.commit(text.len(), to);
        }
        assert_eq!(
            outbox
                .datagrams()
                .map(|(_, bytes)| bytes.to_vec())
                .collect::<Vec<_>>(),
            [&b"one"[..], b"three"]
        );
        outbox.commit_yielding(1, to);
        let yields: Vec<_> = (0..4).map(|place| outbox.yields(place)).collect();
        assert_eq!(yields, [false, false, true, false]);
        outbox.clear_datagrams();
        assert!(outbox.is_empty());
        assert_eq!(outbox.slot().len(), SLOT_BYTES);
    }
}
