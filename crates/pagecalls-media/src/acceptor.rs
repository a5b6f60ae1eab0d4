//! The TCP port that all workers share: a thread that accepts connections, reads their first frame, and hands them on.
//!
//! A connection must open with a STUN binding request for one of our legs (RFC 6544 4.1, RFC 4571), soon, and in little; the first
//! character of the user fragment says which worker has the leg. Nothing is verified here: the worker does that, and closes what does
//! not prove itself. But who names no leg of ours does not get that far, and of connections that name one leg only so many do in a
//! second, so that nobody fills the worker's places with what proves nothing. So that nobody is kept out by connections that say
//! nothing, there is a bound for each source, and the oldest silent one gives way to a new one.

use std::collections::{HashMap, VecDeque};
use std::io::{self, ErrorKind, Read};
use std::net::{IpAddr, SocketAddr, TcpListener, TcpStream};
use std::os::fd::AsFd;
use std::sync::Arc;
use std::sync::mpsc::Sender;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crate::framing::{FRAME_BYTES, HEAD_BYTES, frame_bytes};
use crate::fresh::worker_of;
use crate::limit::prefix;
use crate::shard::Known;
use crate::spare::Spare;
use crate::stun::{Class, Message, peek_local_ufrag};
use crate::sys::{Epoll, Waker};
use crate::tcp::{Handed, Slots};
use crate::udp::on_all;
use crate::worker::{LastWord, Order, Report, Reports};

/// How long a connection may take to say its first frame.
pub const PATIENCE: Duration = Duration::from_secs(4);

/// Connections that have not said it yet.
pub const MAX_HALF_OPEN: usize = 256;

/// Of these, from one IPv4 address or IPv6 /64.
pub const MAX_HALF_OPEN_PER_PREFIX: usize = 32;

/// Connections that are accepted before those that are there get their turn.
const ACCEPTS_PER_TURN: usize = 64;

/// Tokens of half-open connections: this bit, and a number.
const TOKEN: u64 = 1 << 32;

const STOP: u64 = u64::MAX;

/// One worker, as the acceptor sees it.
pub struct Door {
    /// Takes [`Order::Adopt`].
    pub orders: Sender<Order>,
    /// Rings when there is an order.
    pub waker: Arc<Waker>,
    /// The worker's connections.
    pub slots: Slots,
    /// The user fragments of the worker's legs.
    pub known: Known,
}

/// Listens on each address with one port number; 0 takes one that is free on all.
pub fn listen(hosts: &[IpAddr], number: u16) -> io::Result<Listeners> {
    let opened = on_all(hosts, number, |address| {
        let listener = TcpListener::bind(address)?;
        listener.set_nonblocking(true)?;
        let number = listener.local_addr()?.port();
        Ok((listener, number))
    })?;
    let number = opened[0].1;
    let sockets = opened.into_iter().map(|(listener, _)| listener).collect();
    Ok(Listeners { sockets, number })
}

/// The listening sockets.
pub struct Listeners {
    sockets: Vec<TcpListener>,
    number: u16,
}

impl Listeners {
    /// The port number.
    #[must_use]
    pub fn number(&self) -> u16 {
        self.number
    }
}

/// The running thread; it ends when this is dropped.
pub struct Acceptor {
    waker: Arc<Waker>,
    thread: Option<JoinHandle<()>>,
}

impl Acceptor {
    /// Accepts for these workers; the place of a door is its worker's number. The thread's end is reported, whatever ends it.
    pub fn start(
        listeners: Listeners,
        doors: Vec<Door>,
        patience: Duration,
        reports: Reports,
    ) -> io::Result<Self> {
        let waker = Arc::new(Waker::new()?);
        let mut lobby = Lobby {
            epoll: Epoll::new()?,
            listeners: listeners.sockets,
            doors,
            patience,
            waiting: HashMap::new(),
            arrivals: VecDeque::new(),
            last: 0,
            spare: Spare::new(),
        };
        lobby.epoll.add(waker.as_fd(), STOP)?;
        for (token, listener) in (0..).zip(&lobby.listeners) {
            lobby.epoll.add(listener.as_fd(), token)?;
        }
        let thread = std::thread::Builder::new()
            .name("media-tcp".into())
            .spawn(move || {
                let _last_word = LastWord(reports, || Report::DoorsClosed);
                lobby.run();
            })?;
        let thread = Some(thread);
        Ok(Self { waker, thread })
    }
}

impl Drop for Acceptor {
    fn drop(&mut self) {
        self.waker.wake();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// What the first bytes of a connection say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict<'a> {
    /// The first frame is not whole yet.
    More,
    /// It opens with something else than a check for one of our workers.
    Refused,
    /// It is for this worker, and names the leg with this user fragment.
    For(usize, &'a str),
}

/// Looks at the first bytes of a connection.
#[must_use]
pub fn examine(bytes: &[u8], workers: usize) -> Verdict<'_> {
    let whole = match frame_bytes(bytes) {
        Err(_) => return Verdict::Refused,
        // Every STUN message begins with two bits of 0: what does not is known at once.
        Ok(_) if bytes.get(HEAD_BYTES).is_some_and(|first| *first > 3) => return Verdict::Refused,
        Ok(whole) if bytes.len() < HEAD_BYTES || bytes.len() < whole => return Verdict::More,
        Ok(whole) => whole,
    };
    let frame = &bytes[HEAD_BYTES..whole];
    let is_request = Message::parse(frame).is_ok_and(|message| message.class == Class::Request);
    let named = peek_local_ufrag(frame).filter(|_| is_request);
    let named = named.and_then(|ufrag| Some((worker_of(ufrag)?, ufrag)));
    match named {
        Some((worker, ufrag)) if worker < workers => Verdict::For(worker, ufrag),
        _ => Verdict::Refused,
    }
}

struct HalfOpen {
    stream: TcpStream,
    remote: SocketAddr,
    bytes: Vec<u8>,
}

struct Lobby {
    epoll: Epoll,
    listeners: Vec<TcpListener>,
    doors: Vec<Door>,
    patience: Duration,
    waiting: HashMap<u32, HalfOpen>,
    /// Who came when, oldest first; some of them have been handed on.
    arrivals: VecDeque<(Instant, u32)>,
    last: u32,
    /// Given up to be able to accept, and so refuse, when there is no other descriptor left.
    spare: Spare,
}

impl Lobby {
    fn run(&mut self) {
        loop {
            let wait = self.arrivals.front().map_or(PATIENCE, |(since, _)| {
                (*since + self.patience).saturating_duration_since(Instant::now())
            });
            let count = match self.epoll.wait(wait) {
                Ok(count) => count,
                Err(error) => {
                    tracing::error!(%error, "no media over TCP any more");
                    return;
                }
            };
            let now = Instant::now();
            for place in 0..count {
                match self.epoll.ready(place).token {
                    STOP => return,
                    token if token & TOKEN != 0 => self.read(token as u32, now),
                    listener => self.accept(listener as usize, now),
                }
            }
            self.expire(now);
        }
    }

    fn accept(&mut self, listener: usize, now: Instant) {
        for _ in 0..ACCEPTS_PER_TURN {
            match self.listeners[listener].accept() {
                Ok((stream, remote)) => self.welcome(stream, remote, now),
                Err(error) if error.kind() == ErrorKind::WouldBlock => return,
                Err(error) if Spare::is_wanted(&error) => {
                    tracing::warn!(%error, "a TCP connection is refused");
                    let listener = &self.listeners[listener];
                    self.spare.refuse(|| listener.accept());
                    return;
                }
                // This one is gone already.
                Err(_) => {}
            }
        }
    }

    fn welcome(&mut self, stream: TcpStream, remote: SocketAddr, now: Instant) {
        let source = prefix(remote.ip());
        let alike = self.waiting.values();
        let alike = alike.filter(|other| prefix(other.remote.ip()) == source);
        if alike.count() >= MAX_HALF_OPEN_PER_PREFIX {
            return;
        }
        if stream.set_nonblocking(true).is_err() || stream.set_nodelay(true).is_err() {
            return;
        }
        while self.waiting.len() >= MAX_HALF_OPEN {
            let Some((_, oldest)) = self.arrivals.pop_front() else {
                break;
            };
            self.waiting.remove(&oldest);
        }
        self.last = self.last.wrapping_add(1);
        let token = TOKEN | u64::from(self.last);
        if self.epoll.add(stream.as_fd(), token).is_err() {
            return;
        }
        let bytes = Vec::new();
        let half_open = HalfOpen {
            stream,
            remote,
            bytes,
        };
        self.waiting.insert(self.last, half_open);
        self.arrivals.push_back((now, self.last));
    }

    fn read(&mut self, number: u32, now: Instant) {
        let Some(half_open) = self.waiting.get_mut(&number) else {
            return;
        };
        let mut buffer = [0; HEAD_BYTES + FRAME_BYTES];
        let room = buffer.len() - half_open.bytes.len();
        match half_open.stream.read(&mut buffer[..room]) {
            Ok(count) if count > 0 => half_open.bytes.extend_from_slice(&buffer[..count]),
            Err(error)
                if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) =>
            {
                return;
            }
            _ => {
                self.waiting.remove(&number);
                return;
            }
        }
        match examine(&half_open.bytes, self.doors.len()) {
            Verdict::More => {}
            Verdict::Refused => {
                self.waiting.remove(&number);
            }
            Verdict::For(worker, ufrag) => {
                if self.doors[worker].known.admits(ufrag, now) {
                    self.hand_on(number, worker);
                } else {
                    self.waiting.remove(&number);
                }
            }
        }
    }

    fn hand_on(&mut self, number: u32, worker: usize) {
        let Some(half_open) = self.waiting.remove(&number) else {
            return;
        };
        let door = &self.doors[worker];
        // Without a free slot the connection ends here.
        let Some(slot) = door.slots.take() else {
            return;
        };
        // The worker waits for the same open file under another token, so this wait must end first.
        if self.epoll.remove(half_open.stream.as_fd()).is_err() {
            return;
        }
        let handed = Handed {
            stream: half_open.stream,
            remote: half_open.remote,
            bytes: half_open.bytes,
            slot,
        };
        if door.orders.send(Order::Adopt(Box::new(handed))).is_ok() {
            door.waker.wake();
        }
    }

    fn expire(&mut self, now: Instant) {
        while let Some((since, number)) = self.arrivals.front().copied() {
            if self.waiting.contains_key(&number) && now < since + self.patience {
                break;
            }
            self.arrivals.pop_front();
            self.waiting.remove(&number);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::sync::mpsc::{Receiver, channel};

    use super::*;
    use crate::fresh::worker_char;
    use crate::stun::Builder;

    fn check(class: Class, ufrag: &str) -> Vec<u8> {
        let mut message = Vec::new();
        Builder::new(&mut message, class, *b"twelve bytes")
            .username(&format!("{ufrag}:peer"))
            .finish(None);
        let mut bytes = (message.len() as u16).to_be_bytes().to_vec();
        bytes.extend_from_slice(&message);
        bytes
    }

    fn for_worker(worker: u32) -> Vec<u8> {
        check(Class::Request, &format!("{}ours", worker_char(worker)))
    }

    #[test]
    fn a_check_names_its_worker_however_it_is_cut() {
        let bytes = for_worker(1);
        for len in 0..bytes.len() {
            assert_eq!(examine(&bytes[..len], 2), Verdict::More, "{len}");
        }
        assert_eq!(examine(&bytes, 2), Verdict::For(1, "Bours"));
        let two = [bytes.clone(), vec![0, 7, 1]].concat();
        assert_eq!(examine(&two, 2), Verdict::For(1, "Bours"));
    }

    #[test]
    fn everything_else_is_refused_as_soon_as_it_is_known() {
        let no_username = {
            let mut message = Vec::new();
            Builder::new(&mut message, Class::Request, *b"twelve bytes").finish(None);
            [(message.len() as u16).to_be_bytes().to_vec(), message].concat()
        };
        for bytes in [
            for_worker(2),
            check(Class::Success, "Aours"),
            check(Class::Indication, "Aours"),
            check(Class::Request, "-ours"),
            no_username,
            b"GET / HTTP/1.1".to_vec(),
            vec![0, 40, 22, 254, 253],
            vec![8, 1],
            vec![0, 0],
        ] {
            assert_eq!(examine(&bytes, 2), Verdict::Refused, "{bytes:?}");
        }
    }

    fn start(patience: Duration, slots: usize) -> (Acceptor, SocketAddr, Receiver<Order>, Slots) {
        let listeners = listen(&["127.0.0.1".parse().unwrap()], 0).unwrap();
        let address = ([127, 0, 0, 1], listeners.number()).into();
        let (orders, mailbox) = channel();
        let (waker, slots) = (Arc::new(Waker::new().unwrap()), Slots::new(slots));
        let known = Known::default();
        known.add("Aours");
        let door = Door {
            orders,
            waker,
            slots: slots.clone(),
            known,
        };
        let (reports, _, _) = Reports::channel().unwrap();
        let acceptor = Acceptor::start(listeners, vec![door], patience, reports).unwrap();
        (acceptor, address, mailbox, slots)
    }

    fn connect(address: SocketAddr) -> TcpStream {
        let stream = TcpStream::connect(address).unwrap();
        stream
            .set_read_timeout(Some(Duration::from_secs(10)))
            .unwrap();
        stream
    }

    fn is_closed(stream: &mut TcpStream) -> bool {
        match stream.read(&mut [0; 1]) {
            Ok(count) => count == 0,
            Err(error) => error.kind() == ErrorKind::ConnectionReset,
        }
    }

    #[test]
    fn a_connection_is_handed_on_with_all_that_it_said() {
        let (_acceptor, address, mailbox, slots) = start(PATIENCE, 1);
        let mut peer = connect(address);
        let bytes = for_worker(0);
        peer.write_all(&bytes[..9]).unwrap();
        peer.write_all(&bytes[9..]).unwrap();
        let Ok(Order::Adopt(handed)) = mailbox.recv_timeout(Duration::from_secs(10)) else {
            panic!("nothing was handed on")
        };
        assert_eq!(handed.remote, peer.local_addr().unwrap());
        assert_eq!(handed.bytes, bytes);
        assert!(handed.stream.nodelay().unwrap());
        // The worker is full now.
        let mut second = connect(address);
        second.write_all(&bytes).unwrap();
        assert!(is_closed(&mut second));
        drop(handed);
        assert_eq!(slots.taken(), 0);
        assert!(is_closed(&mut peer));
    }

    #[test]
    fn who_names_no_leg_of_ours_is_not_handed_on() {
        let (_acceptor, address, mailbox, slots) = start(PATIENCE, 1);
        for ufrag in ["Atheirs", "A", "Aours2"] {
            let mut stranger = connect(address);
            stranger.write_all(&check(Class::Request, ufrag)).unwrap();
            assert!(is_closed(&mut stranger), "{ufrag}");
        }
        assert!(mailbox.try_recv().is_err() && slots.taken() == 0);
    }

    #[test]
    fn of_many_connections_that_name_one_leg_a_few_are_handed_on() {
        let known = Known::default();
        let now = Instant::now();
        let count = |ufrag: &str, now| (0..100).filter(|_| known.admits(ufrag, now)).count();
        known.add("flooded");
        known.add("quiet");
        assert_eq!([count("flooded", now), count("quiet", now)], [20, 20]);
        assert_eq!(count("flooded", now + Duration::from_millis(100)), 2);
        known.remove("flooded");
        assert_eq!(count("flooded", now + Duration::from_secs(9)), 0);
    }

    #[test]
    fn who_says_nothing_or_nonsense_is_closed() {
        let (_acceptor, address, mailbox, _) = start(Duration::from_millis(60), 9);
        let (mut silent, mut slow, mut rude) =
            (connect(address), connect(address), connect(address));
        slow.write_all(&for_worker(0)[..20]).unwrap();
        rude.write_all(b"GET / HTTP/1.1\r\n\r\n").unwrap();
        assert!(is_closed(&mut rude) && is_closed(&mut silent) && is_closed(&mut slow));
        assert!(mailbox.try_recv().is_err());
    }

    #[test]
    fn one_source_may_have_so_many_silent_connections_only() {
        let (_acceptor, address, mailbox, _) = start(Duration::from_secs(60), 9);
        let mut silent: Vec<_> = (0..MAX_HALF_OPEN_PER_PREFIX)
            .map(|_| connect(address))
            .collect();
        let mut one_more = connect(address);
        assert!(is_closed(&mut one_more));
        silent[0].write_all(&for_worker(0)).unwrap();
        assert!(mailbox.recv_timeout(Duration::from_secs(10)).is_ok());
        let mut next = connect(address);
        next.write_all(&for_worker(0)).unwrap();
        assert!(mailbox.recv_timeout(Duration::from_secs(10)).is_ok());
    }

    #[test]
    fn its_end_is_reported() {
        let listeners = listen(&["127.0.0.1".parse().unwrap()], 0).unwrap();
        let (reports, told, _) = Reports::channel().unwrap();
        let acceptor = Acceptor::start(listeners, vec![], PATIENCE, reports).unwrap();
        assert!(told.try_recv().is_err());
        drop(acceptor);
        assert!(matches!(told.try_recv(), Ok(Report::DoorsClosed)));
    }
}
