//! One control connection: frames in, frames out, never blocking.
//!
//! A frame is a big-endian `u32` length and that many bytes. What is in it is not known here.

use std::io::{self, ErrorKind, Read, Write};
use std::os::fd::{AsRawFd, RawFd};
use std::os::unix::net::UnixStream;

use crate::protocol::MAX_FRAME_BYTES;

/// A peer that lets so much lie unread has stopped reading.
const MAX_UNSENT_BYTES: usize = 16 * MAX_FRAME_BYTES;

/// Bytes that are read at once.
const CHUNK_BYTES: usize = 16 * 1024;

/// A connection.
pub struct Connection {
    stream: UnixStream,
    received: Vec<u8>,
    unsent: Vec<u8>,
}

impl Connection {
    /// Takes over a connected socket.
    pub fn new(stream: UnixStream) -> io::Result<Self> {
        stream.set_nonblocking(true)?;
        Ok(Self {
            stream,
            received: Vec::new(),
            unsent: Vec::new(),
        })
    }

    /// The descriptor, for polling.
    #[must_use]
    pub fn fd(&self) -> RawFd {
        self.stream.as_raw_fd()
    }

    /// Whether something waits to be sent.
    #[must_use]
    pub fn wants_write(&self) -> bool {
        !self.unsent.is_empty()
    }

    /// Reads what is there and returns the whole frames in it. An error ends the connection: the peer is gone, or a frame is
    /// longer than [`MAX_FRAME_BYTES`].
    pub fn read(&mut self) -> io::Result<Vec<Vec<u8>>> {
        let mut chunk = [0; CHUNK_BYTES];
        match self.stream.read(&mut chunk) {
            Ok(0) => return Err(ErrorKind::UnexpectedEof.into()),
            Ok(count) => self.received.extend_from_slice(&chunk[..count]),
            Err(error)
                if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => {}
            Err(error) => return Err(error),
        }
        let (frames, used) = split(&self.received)?;
        self.received.drain(..used);
        Ok(frames)
    }

    /// Queues a frame, which carries its length already.
    pub fn queue(&mut self, frame: &[u8]) {
        self.unsent.extend_from_slice(frame);
    }

    /// Sends what the socket takes. An error ends the connection: the peer is gone or does not read.
    pub fn flush(&mut self) -> io::Result<()> {
        let mut sent = 0;
        let result = loop {
            match self.stream.write(&self.unsent[sent..]) {
                Ok(0) => break Ok(()),
                Ok(count) => sent += count,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => break Ok(()),
                Err(error) => break Err(error),
            }
        };
        self.unsent.drain(..sent);
        if self.unsent.len() > MAX_UNSENT_BYTES {
            Err(ErrorKind::TimedOut.into())
        } else {
            result
        }
    }
}

/// Cuts whole frames from the front; returns them and how many bytes they took. An error is a frame longer than [`MAX_FRAME_BYTES`].
pub fn split(received: &[u8]) -> io::Result<(Vec<Vec<u8>>, usize)> {
    let mut frames = Vec::new();
    let mut used = 0;
    while let Some(head) = received.get(used..used + 4) {
        let length = u32::from_be_bytes([head[0], head[1], head[2], head[3]]) as usize;
        if length > MAX_FRAME_BYTES {
            return Err(ErrorKind::InvalidData.into());
        }
        let Some(frame) = received.get(used + 4..used + 4 + length) else {
            break;
        };
        frames.push(frame.to_vec());
        used += 4 + length;
    }
    Ok((frames, used))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_are_cut_wherever_the_bytes_break() {
        let (mut near, far) = UnixStream::pair().unwrap();
        let mut connection = Connection::new(far).unwrap();
        let mut got = Vec::new();
        for byte in [0, 0, 0, 2, b'h', b'i', 0, 0, 0, 0, 0, 0, 0, 1, b'x'] {
            near.write_all(&[byte]).unwrap();
            got.extend(connection.read().unwrap());
        }
        assert_eq!(got, [b"hi".to_vec(), vec![], b"x".to_vec()]);
        drop(near);
        assert!(connection.read().is_err());
    }

    #[test]
    fn a_frame_of_the_largest_size_is_taken_and_one_byte_more_is_not() {
        let head = |length: usize| (length as u32).to_be_bytes();
        let mut bytes = head(MAX_FRAME_BYTES).to_vec();
        bytes.resize(4 + MAX_FRAME_BYTES, b' ');
        assert_eq!(split(&bytes).unwrap().1, 4 + MAX_FRAME_BYTES);
        assert!(split(&head(MAX_FRAME_BYTES + 1)).is_err());
    }

    #[test]
    fn a_peer_that_does_not_read_is_given_up() {
        let (_near, far) = UnixStream::pair().unwrap();
        let mut connection = Connection::new(far).unwrap();
        connection.queue(&vec![0; MAX_UNSENT_BYTES]);
        assert!(
            connection.flush().is_ok(),
            "the socket's own buffer took some of it"
        );
        assert!(connection.wants_write());
        connection.queue(&vec![0; MAX_UNSENT_BYTES]);
        assert!(connection.flush().is_err());
    }
}
