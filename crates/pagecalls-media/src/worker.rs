//! A worker: one thread with one port, its TCP connections, one poll loop and one mailbox. Both legs of a call live on one worker.
//!
//! The loop owns the drain: after each batch of datagrams, each command and each timer it sends what the outbox holds and hands
//! the events on. The time is read once per turn. In a turn media comes first, then timers, then a bounded part of the handshakes.
//! Between two turns it waits for what is ready next; under load it first lets datagrams gather ([`crate::gather`]).

use std::collections::VecDeque;
use std::io;
use std::mem;
use std::sync::Arc;
use std::sync::mpsc::{Receiver as MailReceiver, Sender as MailSender, channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crate::acceptor::Door;
use crate::gather::Gather;
use crate::outbox::Outbox;
use crate::path::{Path, Via};
use crate::protocol::{Candidate, Command, Event, Outcome, PingOk, WorkerCounters};
use crate::shard::{Known, Shard, TurnedAway};
use crate::sys::{Epoll, Waker};
use crate::tcp::{Connections, Handed, Slots};
use crate::udp::{Port, Receiver, Sender};

/// Batches that are received before something else gets its turn.
const BATCHES_PER_TURN: usize = 8;

/// TCP connections that one turn takes in: media comes in between.
const ADOPTS_PER_TURN: usize = 8;

/// Datagrams that may wait before they are sent, within one turn.
const FLUSH_AT: usize = 64;

const MAILBOX: u64 = u64::MAX;

/// What was refused is told this often, if it was anything.
const TELL_REFUSED: Duration = Duration::from_secs(60);

/// What a worker is told.
pub enum Order {
    /// Carry out a command and report the outcome under this number.
    Command(u64, Box<Command>),
    /// Take over a TCP connection that named one of our legs.
    Adopt(Box<Handed>),
    /// Say goodbye to all peers, and end.
    Close,
}

/// What a worker tells.
pub enum Report {
    /// The outcome of the command with this number.
    Outcome(u64, Outcome),
    /// Something happened.
    Event(Event),
    /// The worker has ended, after [`Order::Close`] or by a fault.
    Closed,
    /// Nobody accepts TCP connections any more.
    DoorsClosed,
}

/// Where all workers' reports come together.
#[derive(Clone)]
pub struct Reports {
    mail: MailSender<Report>,
    waker: Arc<Waker>,
}

impl Reports {
    /// The sending end, the receiving end, and the waker that rings when there is something to receive.
    pub fn channel() -> io::Result<(Self, MailReceiver<Report>, Arc<Waker>)> {
        let (mail, receiver) = channel();
        let waker = Arc::new(Waker::new()?);
        Ok((
            Self {
                mail,
                waker: Arc::clone(&waker),
            },
            receiver,
            waker,
        ))
    }

    fn tell(&self, report: Report) {
        // Nobody listens only when the process is about to end.
        let _ = self.mail.send(report);
        self.waker.wake();
    }
}

/// A running worker, as others see it.
pub struct Worker {
    orders: MailSender<Order>,
    waker: Arc<Waker>,
    known: Known,
    thread: Option<JoinHandle<()>>,
    /// Where peers find it.
    pub candidates: Vec<Candidate>,
}

impl Worker {
    /// Starts a worker on `port`, for the calls of `shard`.
    pub fn start(
        index: u32,
        port: Port,
        shard: Shard,
        candidates: Vec<Candidate>,
        reports: Reports,
    ) -> io::Result<Self> {
        let (orders, mailbox) = channel();
        let waker = Arc::new(Waker::new()?);
        let known = shard.known();
        let engine = Turn::new(port, shard, mailbox, Arc::clone(&waker), reports)?;
        let thread = std::thread::Builder::new()
            .name(format!("media-{index}"))
            .spawn(move || engine.run())?;
        Ok(Self {
            orders,
            waker,
            known,
            thread: Some(thread),
            candidates,
        })
    }

    /// The way in for TCP connections, of which there may be as many as `slots` has.
    #[must_use]
    pub fn door(&self, slots: Slots) -> Door {
        Door {
            orders: self.orders.clone(),
            waker: Arc::clone(&self.waker),
            slots,
            known: self.known.clone(),
        }
    }

    /// Leaves the thread to itself: it does not end, and so must end with the process.
    pub fn give_up(mut self) {
        self.thread = None;
    }

    /// Sends an order. It is lost if the worker has ended, which is reported as [`Report::Closed`].
    pub fn order(&self, order: Order) {
        let _ = self.orders.send(order);
        self.waker.wake();
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        self.order(Order::Close);
        if let Some(thread) = self.thread.take() {
            // A panic in the thread has been reported by then.
            let _ = thread.join();
        }
    }
}

/// Reports the end of a thread, also when it ends by a panic.
pub(crate) struct LastWord(pub(crate) Reports, pub(crate) fn() -> Report);

impl Drop for LastWord {
    fn drop(&mut self) {
        self.0.tell((self.1)());
    }
}

struct Turn {
    port: Port,
    connections: Connections,
    shard: Shard,
    mailbox: MailReceiver<Order>,
    /// Connections that are still to be taken in.
    arrivals: VecDeque<Handed>,
    waker: Arc<Waker>,
    reports: Reports,
    epoll: Epoll,
    receiver: Receiver,
    sender: Sender,
    outbox: Outbox,
    gather: Gather,
    /// Datagrams that this turn has received.
    received: u32,
    /// Connections that broke while we wrote to them.
    broken: Vec<Path>,
    told_refused: (Instant, TurnedAway),
}

impl Turn {
    fn new(
        port: Port,
        mut shard: Shard,
        mailbox: MailReceiver<Order>,
        waker: Arc<Waker>,
        reports: Reports,
    ) -> io::Result<Self> {
        use std::os::fd::AsFd;
        let epoll = Epoll::new()?;
        epoll.add(waker.as_fd(), MAILBOX)?;
        for (socket, fd) in port.fds() {
            epoll.add(fd, socket.into())?;
        }
        shard.defer_handshakes();
        Ok(Self {
            port,
            connections: Connections::new(),
            told_refused: (Instant::now(), shard.turned_away()),
            shard,
            mailbox,
            arrivals: VecDeque::new(),
            waker,
            reports,
            epoll,
            receiver: Receiver::new(),
            sender: Sender::new(),
            outbox: Outbox::new(),
            gather: Gather::new(Instant::now()),
            received: 0,
            broken: Vec::new(),
        })
    }

    fn run(mut self) {
        let _last_word = LastWord(self.reports.clone(), || Report::Closed);
        match self.serve() {
            Ok(()) => {
                let refused = self.shard.turned_away();
                tracing::debug!(unsent = self.sender.dropped, ?refused, "worker ends");
            }
            Err(error) => tracing::error!(%error, "worker fails"),
        }
    }

    fn serve(&mut self) -> io::Result<()> {
        let mut handshakes_wait = false;
        loop {
            let wait = if handshakes_wait || !self.arrivals.is_empty() {
                Duration::ZERO
            } else {
                self.let_gather();
                let due = self.shard.next_due();
                due.saturating_duration_since(Instant::now())
            };
            let count = self.epoll.wait(wait)?;
            let now = Instant::now();
            let mut has_mail = false;
            for place in 0..count {
                let ready = self.epoll.ready(place);
                match Connections::of_token(ready.token) {
                    _ if ready.token == MAILBOX => has_mail = true,
                    None => self.receive(ready.token as u8, now)?,
                    Some(number) => {
                        if ready.readiness.writes {
                            self.broken
                                .extend(self.connections.write(number, &self.epoll));
                        }
                        if ready.readiness.reads {
                            self.read(number, now);
                        }
                    }
                }
            }
            if has_mail {
                self.waker.drain();
                if !self.obey(now) {
                    return Ok(());
                }
            }
            self.take_in(now);
            if now >= self.shard.next_due() {
                self.shard.on_time(now, &mut self.outbox);
                self.connections.sweep(now);
                self.tell_refused(now);
            }
            self.flush(now);
            handshakes_wait = self.shard.handshakes(now, &mut self.outbox);
            self.flush(now);
            self.end(now);
        }
    }

    /// Notes the turn that began at `now`.
    fn end(&mut self, now: Instant) {
        self.gather.turn(mem::take(&mut self.received), now);
    }

    /// Sleeps a moment, if datagrams come so often that the next turn is worth more after it. Everything else that comes meanwhile
    /// waits as long.
    fn let_gather(&self) {
        let pause = self.gather.pause(self.shard.next_due(), Instant::now());
        if !pause.is_zero() {
            std::thread::sleep(pause);
        }
    }

    fn receive(&mut self, socket: u8, now: Instant) -> io::Result<()> {
        let Self {
            shard,
            receiver,
            sender,
            outbox,
            connections,
            port,
            received,
            ..
        } = self;
        let Some((_, fd)) = port.fds().nth(usize::from(socket)) else {
            return Ok(());
        };
        for _ in 0..BATCHES_PER_TURN {
            let may_be_more = receiver.receive(fd, |datagram, from| {
                *received += 1;
                shard.datagram(datagram, Path::udp(socket, from), now, outbox);
            })?;
            if outbox.len() >= FLUSH_AT {
                sender.send(port, outbox, |to, bytes, yields| {
                    connections.push(to, bytes, yields)
                });
            }
            if !may_be_more {
                break;
            }
        }
        Ok(())
    }

    fn read(&mut self, number: u32, now: Instant) {
        let Self {
            shard,
            outbox,
            connections,
            ..
        } = self;
        let over = connections.read(number, |datagram, from| {
            shard.datagram(datagram, from, now, outbox);
        });
        if let Some(path) = over {
            shard.forget(path, now, outbox);
        }
    }

    /// Takes a connection in. It stays only if its first frame was an authentic check: else it gets its answer, if there is one, and
    /// its place is free again at once.
    fn adopt(&mut self, handed: Handed, now: Instant) {
        let (path, mut bytes) = match self.connections.adopt(handed, &self.epoll) {
            Ok(adopted) => adopted,
            Err(error) => {
                tracing::warn!(%error, "a TCP connection is lost");
                return;
            }
        };
        let Via::Tcp(number) = path.via else { return };
        let Self {
            shard,
            outbox,
            connections,
            ..
        } = self;
        let is_sound = connections.feed(number, &mut bytes, |datagram| {
            shard.datagram(datagram, path, now, outbox);
        });
        if !is_sound {
            self.shard.forget(path, now, &mut self.outbox);
        } else if !self.shard.knows(path) {
            self.flush(now);
            self.connections.cut(number);
        }
    }

    /// Takes in some of the connections that wait.
    fn take_in(&mut self, now: Instant) {
        for _ in 0..ADOPTS_PER_TURN {
            let Some(handed) = self.arrivals.pop_front() else {
                break;
            };
            self.adopt(handed, now);
            self.flush(now);
        }
    }

    /// Works through the mailbox; false when it is time to end.
    fn obey(&mut self, now: Instant) -> bool {
        while let Ok(order) = self.mailbox.try_recv() {
            match order {
                Order::Command(number, command) => {
                    let outcome = match *command {
                        Command::Ping(_) => Ok(self.sign_of_life().into()),
                        command => self.shard.command(command, now, &mut self.outbox),
                    };
                    // Events that came before the outcome are told before it.
                    self.flush(now);
                    self.reports.tell(Report::Outcome(number, outcome));
                }
                Order::Adopt(handed) => self.arrivals.push_back(*handed),
                Order::Close => {
                    self.shard.close(now, &mut self.outbox);
                    self.flush(now);
                    return false;
                }
            }
        }
        true
    }

    fn flush(&mut self, now: Instant) {
        let Self {
            connections,
            outbox,
            epoll,
            ..
        } = self;
        if !outbox.is_empty() {
            self.sender.send(&self.port, outbox, |to, bytes, yields| {
                connections.push(to, bytes, yields)
            });
        }
        connections.flush(epoll, &mut self.broken);
        // A leg's peer could else hold as many places as it opens connections.
        for number in outbox.cut.drain(..) {
            connections.cut(number);
        }
        for number in outbox.unused.drain(..) {
            connections.leave(number, epoll, now);
        }
        // The leg chooses another path, if it has one, for what comes next.
        for path in self.broken.drain(..) {
            self.shard.forget(path, now, outbox);
        }
        for event in self.outbox.events.drain(..) {
            self.reports.tell(Report::Event(event));
        }
    }

    /// What was lost and refused here so far.
    fn sign_of_life(&self) -> PingOk {
        let refused = self.shard.turned_away();
        let counters = WorkerCounters {
            worker: self.shard.worker(),
            unsent: self.sender.dropped,
            overflowed: self.port.overflowed().ok(),
            strangers: refused.strangers,
            limited: refused.limited,
            on_others_paths: refused.on_others_paths,
            handshakes: refused.handshakes,
        };
        PingOk {
            workers: vec![counters],
        }
    }

    fn tell_refused(&mut self, now: Instant) {
        let refused = self.shard.turned_away();
        let (told_at, told) = self.told_refused;
        if refused != told && now >= told_at + TELL_REFUSED {
            self.told_refused = (now, refused);
            tracing::warn!(?refused, "datagrams were turned away so far");
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read;
    use std::net::{TcpListener, TcpStream, UdpSocket};

    use super::*;
    use crate::dtls::{Certificate, Context};
    use crate::fresh::Fresh;
    use crate::gather::WINDOW;
    use crate::protocol::{CallCreate, LegCreate, Reply};
    use crate::stun::{Builder, Class, Key};

    fn idle_turn() -> Turn {
        busy_turn().0
    }

    /// A worker's turn, what gives it orders, and what hears of it.
    fn busy_turn() -> (Turn, MailSender<Order>, MailReceiver<Report>) {
        let certificate = Certificate::generate().unwrap();
        let fresh = Fresh::new(Box::new(|bytes: &mut [u8]| bytes.fill(7)));
        let context = Context::new(&certificate).unwrap();
        let shard = Shard::new(0, context, vec![], fresh, Instant::now());
        let port = Port::bind(&["127.0.0.1".parse().unwrap()], 0).unwrap();
        let (reports, told, _) = Reports::channel().unwrap();
        let (orders, mailbox) = channel();
        let waker = Arc::new(Waker::new().unwrap());
        let turn = Turn::new(port, shard, mailbox, waker, reports).unwrap();
        (turn, orders, told)
    }

    #[test]
    fn a_worker_that_receives_much_begins_its_next_turn_a_window_later() {
        let mut turn = idle_turn();
        let now = Instant::now();
        turn.gather = Gather::new(now);
        let (peer, server) = (
            UdpSocket::bind("127.0.0.1:0").unwrap(),
            ("127.0.0.1", turn.port.number()),
        );
        // Twice as often as needed, and no more than an ordinary socket buffer holds.
        for _ in 0..200 {
            peer.send_to(&[0x80], server).unwrap();
        }
        let began = now + Duration::from_millis(10);
        turn.receive(0, began).unwrap();
        assert_eq!(turn.received, 200);
        turn.end(began);
        turn.let_gather();
        assert!(Instant::now() >= began + WINDOW);
    }

    #[test]
    fn a_sign_of_life_tells_what_was_lost_and_refused() {
        let mut turn = idle_turn();
        let now = Instant::now();
        let nobody = Path::udp(9, ([127, 0, 0, 1], 9).into());
        for _ in 0..3 {
            turn.outbox.slot()[0] = 1;
            turn.outbox.commit(1, nobody);
        }
        // The queue of a connection that is gone takes nothing.
        turn.outbox.slot()[0] = 1;
        turn.outbox
            .commit(1, Path::tcp(7, ([127, 0, 0, 1], 9).into()));
        turn.flush(now);
        turn.shard
            .datagram(&mut [0x80; 20], nobody, now, &mut turn.outbox);
        let expected = WorkerCounters {
            worker: 0,
            unsent: 4,
            overflowed: Some(0),
            strangers: 1,
            limited: 0,
            on_others_paths: 0,
            handshakes: 0,
        };
        assert_eq!(turn.sign_of_life().workers, [expected]);
    }

    fn offered(turn: &mut Turn, command: Command) -> Reply {
        let now = Instant::now();
        turn.shard.command(command, now, &mut turn.outbox).unwrap()
    }

    /// A connection that opens with a check, and its far end.
    fn connection(slots: &Slots, ufrag: &str, pwd: &str) -> (Handed, TcpStream) {
        let mut message = Vec::new();
        Builder::new(&mut message, Class::Request, *b"twelve bytes")
            .username(&format!("{ufrag}:x"))
            .finish(Some(&Key::new(pwd)));
        let bytes = [&(message.len() as u16).to_be_bytes(), &message[..]].concat();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let far = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (stream, remote) = listener.accept().unwrap();
        stream.set_nonblocking(true).unwrap();
        let slot = slots.take().expect("a free place");
        let handed = Handed {
            stream,
            remote,
            bytes,
            slot,
        };
        (handed, far)
    }

    /// Hands the worker such a connection; returns its far end.
    fn handed(turn: &mut Turn, slots: &Slots, ufrag: &str, pwd: &str) -> TcpStream {
        let (handed, far) = connection(slots, ufrag, pwd);
        turn.arrivals.push_back(handed);
        turn.take_in(Instant::now());
        far
    }

    #[test]
    fn a_connection_that_proves_nothing_gives_its_place_back_at_once() {
        let (mut turn, slots) = (idle_turn(), Slots::new(1));
        offered(&mut turn, CallCreate { call: "c".into() }.into());
        let (call, leg) = ("c".into(), "l".into());
        let Reply::LegCreateOk(offer) = offered(&mut turn, LegCreate { call, leg }.into()) else {
            panic!("no leg")
        };
        for (ufrag, answer) in [("Astrange", None), (&*offer.ufrag, Some([1, 0x11]))] {
            let mut far = handed(&mut turn, &slots, ufrag, "guessed");
            assert_eq!((slots.taken(), turn.connections.len()), (0, 0));
            let mut said = Vec::new();
            far.read_to_end(&mut said).unwrap();
            assert_eq!(said.get(2..4), answer.as_ref().map(|head| &head[..]));
        }
        let _far = handed(&mut turn, &slots, &offer.ufrag, &offer.pwd);
        assert_eq!(slots.taken(), 1, "who knows the password stays");
    }

    #[test]
    fn a_turn_takes_in_a_few_connections_and_commands_pass_the_others() {
        let (mut turn, orders, told) = busy_turn();
        let (slots, now) = (Slots::new(20), Instant::now());
        let mut far_ends = Vec::new();
        for _ in 0..20 {
            let (handed, far) = connection(&slots, "Astrange", "guessed");
            orders.send(Order::Adopt(Box::new(handed))).unwrap();
            far_ends.push(far);
        }
        let ping = Command::Ping(crate::protocol::Ping {});
        orders.send(Order::Command(7, Box::new(ping))).unwrap();
        assert!(turn.obey(now));
        assert!(matches!(told.try_recv(), Ok(Report::Outcome(7, Ok(_)))));
        for left in [12, 4, 0] {
            turn.take_in(now);
            assert_eq!(slots.taken(), left);
        }
    }
}
