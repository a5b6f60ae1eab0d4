//! Handshake datagrams that wait for their turn, so that a storm of handshakes does not hold up media.
//!
//! They are bounded, and each path has its share; DTLS sends again what finds no room.

use std::collections::VecDeque;

use crate::path::Path;

/// Datagrams that may wait.
const MAX_WAITING: usize = 512;

/// Of these from one path.
const MAX_WAITING_PER_PATH: usize = 8;

/// Datagrams and the paths on which they came, in that order.
#[derive(Default)]
pub struct Waiting(VecDeque<(Path, Vec<u8>)>);

impl Waiting {
    /// Keeps a datagram; false if there is no room for it.
    pub fn keep(&mut self, from: Path, datagram: &[u8]) -> bool {
        let alike = self.0.iter().filter(|(path, _)| *path == from);
        if self.0.len() >= MAX_WAITING || alike.count() >= MAX_WAITING_PER_PATH {
            return false;
        }
        self.0.push_back((from, datagram.to_vec()));
        true
    }

    /// Takes out the one that has waited longest.
    pub fn take(&mut self) -> Option<(Path, Vec<u8>)> {
        self.0.pop_front()
    }

    /// Whether none waits.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}
