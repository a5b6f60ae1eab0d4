//! The two queues between OpenSSL and the network. A read takes one datagram, a write makes one.

use std::collections::VecDeque;
use std::io::{self, ErrorKind, Read, Write};

use super::alerts::Written;
use super::record::set_version;

/// What OpenSSL takes for its socket.
#[derive(Default)]
pub struct Wire {
    /// The datagram that is being received.
    inbound: Option<Vec<u8>>,
    outbound: VecDeque<Vec<u8>>,
    written: Option<Written>,
}

impl Wire {
    /// Lays a datagram of plausible records ready to be read.
    pub fn put(&mut self, datagram: &[u8]) {
        let mut datagram = datagram.to_vec();
        set_version(&mut datagram);
        self.inbound = Some(datagram);
    }

    /// Takes back what was not read.
    pub fn clear(&mut self) {
        self.inbound = None;
    }

    /// Whether nothing waits to be sent.
    pub fn is_empty(&self) -> bool {
        self.outbound.is_empty()
    }

    /// The last encrypted record that OpenSSL wrote.
    pub fn written(&self) -> Option<Written> {
        self.written
    }

    /// The next datagram to send.
    pub fn take(&mut self) -> Option<Vec<u8>> {
        let next = self.outbound.pop_front();
        if self.outbound.is_empty() {
            self.outbound = VecDeque::new(); // gives its memory back: most sessions are idle
        }
        next
    }
}

impl Read for Wire {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let Some(datagram) = self.inbound.take() else {
            return Err(ErrorKind::WouldBlock.into());
        };
        // As a socket does, cut what is longer than the buffer; OpenSSL's holds the longest record there is.
        let len = datagram.len().min(buffer.len());
        buffer[..len].copy_from_slice(&datagram[..len]);
        Ok(len)
    }
}

impl Write for Wire {
    fn write(&mut self, datagram: &[u8]) -> io::Result<usize> {
        self.written = Written::last_of(datagram).or(self.written);
        self.outbound.push_back(datagram.to_vec());
        Ok(datagram.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
