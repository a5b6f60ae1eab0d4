//! One worker's TCP connections: RFC 4571 frames over streams that a peer opened (ICE-TCP passive, RFC 6544).
//!
//! Nothing blocks. What a peer does not read waits in a bounded queue, and what does not fit there is dropped whole, as UDP would. A
//! connection whose leg is gone is shut down for writing and read out for a moment, so that the goodbye arrives and is not
//! swallowed by a reset. Which leg a connection serves is the shard's to know; how it got here is [`crate::acceptor`]'s.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::os::fd::AsFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use rustc_hash::FxHashMap;

use crate::framing::{Deframer, Queue};
use crate::path::Path;
use crate::sys::Epoll;

/// Tokens of connections: this bit, and the connection's number.
const TOKEN: u64 = 1 << 32;

/// What one connection may bring before another one gets its turn.
const READ_BYTES: usize = 64 * 1024;

/// How long a connection that was shut down may take to end.
const LEAVING: Duration = Duration::from_secs(2);

/// A bounded number of things, counted across threads.
#[derive(Clone)]
pub struct Slots {
    taken: Arc<AtomicUsize>,
    limit: usize,
}

impl Slots {
    /// So many.
    #[must_use]
    pub fn new(limit: usize) -> Self {
        let taken = Arc::default();
        Self { taken, limit }
    }

    /// Takes one, if one is left; it is given back when it is dropped.
    #[must_use]
    pub fn take(&self) -> Option<Slot> {
        let limit = self.limit;
        let more = |taken: usize| (taken < limit).then_some(taken + 1);
        let (order, read) = (Ordering::Relaxed, Ordering::Relaxed);
        let taken = self.taken.fetch_update(order, read, more);
        taken.ok().map(|_| Slot(Arc::clone(&self.taken)))
    }

    /// How many are taken.
    #[must_use]
    pub fn taken(&self) -> usize {
        self.taken.load(Ordering::Relaxed)
    }
}

/// One of [`Slots`].
pub struct Slot(Arc<AtomicUsize>);

impl Drop for Slot {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// A connection that has said for which worker it is.
pub struct Handed {
    /// Non-blocking.
    pub stream: TcpStream,
    /// The peer's address.
    pub remote: SocketAddr,
    /// What was read: a whole frame, and perhaps more.
    pub bytes: Vec<u8>,
    /// Its place among the worker's connections.
    pub slot: Slot,
}

struct Connection {
    stream: TcpStream,
    remote: SocketAddr,
    deframer: Deframer,
    queue: Queue,
    is_dirty: bool,
    wants_write: bool,
    leaving_since: Option<Instant>,
    _slot: Slot,
}

/// The connections of one worker.
pub struct Connections {
    open: FxHashMap<u32, Connection>,
    last: u32,
    /// Connections with something to write that was not tried yet.
    dirty: Vec<u32>,
    buffer: Box<[u8]>,
}

impl Default for Connections {
    fn default() -> Self {
        Self::new()
    }
}

impl Connections {
    /// None yet.
    #[must_use]
    pub fn new() -> Self {
        Self {
            open: FxHashMap::default(),
            last: 0,
            dirty: Vec::new(),
            buffer: vec![0; READ_BYTES].into(),
        }
    }

    /// The connection that a token of ours names.
    #[must_use]
    pub fn of_token(token: u64) -> Option<u32> {
        (token & !u64::from(u32::MAX) == TOKEN).then_some(token as u32)
    }

    /// Takes a connection in; returns its path, and what has been read of it already.
    pub fn adopt(&mut self, handed: Handed, epoll: &Epoll) -> io::Result<(Path, Vec<u8>)> {
        let number = loop {
            self.last = self.last.wrapping_add(1);
            if !self.open.contains_key(&self.last) {
                break self.last;
            }
        };
        epoll.add(handed.stream.as_fd(), TOKEN | u64::from(number))?;
        let connection = Connection {
            stream: handed.stream,
            remote: handed.remote,
            deframer: Deframer::new(),
            queue: Queue::new(),
            is_dirty: false,
            wants_write: false,
            leaving_since: None,
            _slot: handed.slot,
        };
        self.open.insert(number, connection);
        Ok((Path::tcp(number, handed.remote), handed.bytes))
    }

    /// Takes datagrams out of bytes that were read earlier. False if they make no sense, and the connection is closed.
    pub fn feed(&mut self, number: u32, bytes: &mut [u8], take: impl FnMut(&mut [u8])) -> bool {
        let Some(connection) = self.open.get_mut(&number) else {
            return true;
        };
        let is_sound = connection.deframer.feed(bytes, take).is_ok();
        if !is_sound {
            self.open.remove(&number);
        }
        is_sound
    }

    /// Reads once, and gives each datagram to `take`. Returns the path of a connection that is over.
    pub fn read(&mut self, number: u32, mut take: impl FnMut(&mut [u8], Path)) -> Option<Path> {
        let connection = self.open.get_mut(&number)?;
        let path = Path::tcp(number, connection.remote);
        let is_open = match connection.stream.read(&mut self.buffer) {
            Ok(0) => false,
            Ok(_) if connection.leaving_since.is_some() => true,
            Ok(count) => connection
                .deframer
                .feed(&mut self.buffer[..count], |datagram| take(datagram, path))
                .is_ok(),
            Err(error) => matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted),
        };
        if is_open {
            return None;
        }
        self.open.remove(&number);
        Some(path)
    }

    /// Queues a datagram, one that yields only while there is much room; false if it was dropped.
    pub fn push(&mut self, number: u32, datagram: &[u8], yields: bool) -> bool {
        let Some(connection) = self.open.get_mut(&number) else {
            return false;
        };
        if connection.leaving_since.is_some() || !connection.queue.push(datagram, yields) {
            return false;
        }
        if !connection.is_dirty && !connection.wants_write {
            connection.is_dirty = true;
            self.dirty.push(number);
        }
        true
    }

    /// Writes what was queued since the last call. Paths of connections that are broken go to `broken`.
    pub fn flush(&mut self, epoll: &Epoll, broken: &mut Vec<Path>) {
        while let Some(number) = self.dirty.pop() {
            broken.extend(self.write(number, epoll));
        }
    }

    /// Writes as much as the kernel takes. Returns the path of a connection that is broken.
    pub fn write(&mut self, number: u32, epoll: &Epoll) -> Option<Path> {
        let connection = self.open.get_mut(&number)?;
        connection.is_dirty = false;
        if connection.write(number, epoll).is_ok() {
            return None;
        }
        let path = Path::tcp(number, connection.remote);
        self.open.remove(&number);
        Some(path)
    }

    /// Says the last of a connection that no leg uses any more.
    pub fn leave(&mut self, number: u32, epoll: &Epoll, now: Instant) {
        let _ = self.write(number, epoll);
        if let Some(connection) = self.open.get_mut(&number) {
            connection.leaving_since = Some(now);
            let _ = connection.stream.shutdown(Shutdown::Write);
        }
    }

    /// Drops a connection that has proved nothing, or that its leg has given up. The kernel still delivers what was written.
    pub fn cut(&mut self, number: u32) {
        self.open.remove(&number);
    }

    /// Closes connections that did not end by themselves.
    pub fn sweep(&mut self, now: Instant) {
        let stays = |connection: &Connection| {
            connection
                .leaving_since
                .is_none_or(|since| now < since + LEAVING)
        };
        self.open.retain(|_, connection| stays(connection));
    }

    /// How many are open.
    #[must_use]
    pub fn len(&self) -> usize {
        self.open.len()
    }

    /// Whether none is open.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.open.is_empty()
    }
}

impl Connection {
    fn write(&mut self, number: u32, epoll: &Epoll) -> io::Result<()> {
        while !self.queue.waiting().is_empty() {
            match self.stream.write(self.queue.waiting()) {
                Ok(0) => return Err(ErrorKind::WriteZero.into()),
                Ok(count) => self.queue.advance(count),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) => return Err(error),
            }
        }
        let wants_write = !self.queue.waiting().is_empty();
        if wants_write != self.wants_write {
            self.wants_write = wants_write;
            let token = TOKEN | u64::from(number);
            epoll.set_wants_write(self.stream.as_fd(), token, wants_write)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;
    use crate::framing::QUEUE_BYTES;

    struct Pair {
        connections: Connections,
        epoll: Epoll,
        number: u32,
        far: TcpStream,
        slots: Slots,
    }

    fn pair() -> Pair {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let far = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (stream, remote) = listener.accept().unwrap();
        stream.set_nonblocking(true).unwrap();
        let (mut connections, epoll) = (Connections::new(), Epoll::new().unwrap());
        let slots = Slots::new(1);
        let slot = slots.take().unwrap();
        let handed = Handed {
            stream,
            remote,
            bytes: vec![0, 1, 7],
            slot,
        };
        let (path, bytes) = connections.adopt(handed, &epoll).unwrap();
        assert_eq!(
            (path.remote, bytes),
            (far.local_addr().unwrap(), vec![0, 1, 7])
        );
        let crate::path::Via::Tcp(number) = path.via else {
            panic!()
        };
        Pair {
            connections,
            epoll,
            number,
            far,
            slots,
        }
    }

    impl Pair {
        fn wait(&mut self) -> crate::sys::Ready {
            assert_eq!(self.epoll.wait(Duration::from_secs(5)).unwrap(), 1);
            let ready = self.epoll.ready(0);
            assert_eq!(Connections::of_token(ready.token), Some(self.number));
            ready
        }
    }

    #[test]
    fn datagrams_come_whole_and_go_framed() {
        let mut pair = pair();
        pair.far.write_all(&[0, 2, 1]).unwrap();
        let mut got = Vec::new();
        pair.wait();
        pair.connections
            .read(pair.number, |bytes, _| got.push(bytes.to_vec()));
        assert!(got.is_empty());
        pair.far.write_all(&[2, 0, 1, 3]).unwrap();
        pair.wait();
        pair.connections
            .read(pair.number, |bytes, _| got.push(bytes.to_vec()));
        assert_eq!(got, [vec![1, 2], vec![3]]);
        assert!(pair.connections.push(pair.number, &[9, 9], false));
        let mut broken = Vec::new();
        pair.connections.flush(&pair.epoll, &mut broken);
        let mut bytes = [0; 4];
        pair.far.read_exact(&mut bytes).unwrap();
        assert_eq!((bytes, broken.len()), ([0, 2, 9, 9], 0));
    }

    #[test]
    fn a_peer_that_does_not_read_loses_whole_frames_and_gets_the_rest_later() {
        let mut pair = pair();
        let mut broken = Vec::new();
        let (mut taken, mut dropped) = (0u64, 0);
        // More than the kernel buffers and the queue hold together.
        for _ in 0..64 * 1024 {
            if pair.connections.push(pair.number, &[7; 1_022], false) {
                taken += 1;
            } else {
                dropped += 1;
            }
            pair.connections.flush(&pair.epoll, &mut broken);
        }
        assert!(dropped > 0 && broken.is_empty());
        let held = pair.connections.open[&pair.number].queue.waiting().len();
        assert!(held <= QUEUE_BYTES);
        let mut frames = 0;
        let mut frame = [0; 1_024];
        while frames < taken {
            pair.far.read_exact(&mut frame).unwrap();
            assert_eq!(frame[..3], [3, 254, 7]);
            frames += 1;
            if pair.connections.open[&pair.number].wants_write {
                pair.connections.write(pair.number, &pair.epoll);
            }
        }
        assert!(!pair.connections.open[&pair.number].wants_write);
    }

    #[test]
    fn a_closed_or_senseless_stream_ends_its_connection_and_gives_its_slot_back() {
        for last in [&[][..], &[255, 255, 0]] {
            let mut pair = pair();
            assert!(pair.slots.take().is_none());
            pair.far.write_all(last).unwrap();
            pair.far.shutdown(Shutdown::Write).unwrap();
            pair.wait();
            let mut over = None;
            while over.is_none() {
                over = pair
                    .connections
                    .read(pair.number, |_, _| panic!("no datagram"));
            }
            assert_eq!(
                over,
                Some(Path::tcp(pair.number, pair.far.local_addr().unwrap()))
            );
            assert!(pair.connections.is_empty() && pair.slots.take().is_some());
        }
    }

    #[test]
    fn leaving_says_the_last_word_and_does_not_wait_for_ever() {
        let (mut pair, now) = (pair(), Instant::now());
        pair.far.write_all(&[0, 9, 1]).unwrap();
        pair.wait();
        assert!(pair.connections.push(pair.number, b"bye", false));
        pair.connections.leave(pair.number, &pair.epoll, now);
        assert!(!pair.connections.push(pair.number, b"more", false));
        assert_eq!(
            pair.connections
                .read(pair.number, |_, _| panic!("nobody listens")),
            None
        );
        let mut said = Vec::new();
        pair.far.read_to_end(&mut said).unwrap();
        assert_eq!(said, b"\0\x03bye");
        pair.connections.sweep(now + LEAVING / 2);
        assert_eq!(pair.connections.len(), 1);
        pair.connections.sweep(now + LEAVING);
        assert!(pair.connections.is_empty() && pair.slots.taken() == 0);
    }
}
