//! A worker: one thread with one port, one poll loop and one mailbox. Both legs of a call live on one worker.
//!
//! The loop owns the drain: after each batch of datagrams, each command and each timer it sends what the outbox holds and hands
//! the events on. The time is read once per turn.

use std::io;
use std::sync::Arc;
use std::sync::mpsc::{Receiver as MailReceiver, Sender as MailSender, channel};
use std::thread::JoinHandle;
use std::time::Instant;

use crate::outbox::Outbox;
use crate::path::Path;
use crate::protocol::{Candidate, Command, Event, Outcome};
use crate::shard::Shard;
use crate::sys::{Epoll, Waker};
use crate::udp::{Port, Receiver, Sender};

/// Batches that are received before something else gets its turn.
const BATCHES_PER_TURN: usize = 8;

/// Datagrams that may wait before they are sent, within one turn.
const FLUSH_AT: usize = 64;

const MAILBOX: u64 = 63;

/// What a worker is told.
pub enum Order {
    /// Carry out a command and report the outcome under this number.
    Command(u64, Box<Command>),
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
        let engine = Turn::new(port, shard, mailbox, Arc::clone(&waker), reports)?;
        let thread = std::thread::Builder::new()
            .name(format!("media-{index}"))
            .spawn(move || engine.run())?;
        Ok(Self {
            orders,
            waker,
            thread: Some(thread),
            candidates,
        })
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

/// Reports the end of a worker, also when it ends by a panic.
struct LastWord(Reports);

impl Drop for LastWord {
    fn drop(&mut self) {
        self.0.tell(Report::Closed);
    }
}

struct Turn {
    port: Port,
    shard: Shard,
    mailbox: MailReceiver<Order>,
    waker: Arc<Waker>,
    reports: Reports,
    epoll: Epoll,
    receiver: Receiver,
    sender: Sender,
    outbox: Outbox,
}

impl Turn {
    fn new(
        port: Port,
        shard: Shard,
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
        let (receiver, sender, outbox) = (Receiver::new(), Sender::new(), Outbox::new());
        Ok(Self {
            port,
            shard,
            mailbox,
            waker,
            reports,
            epoll,
            receiver,
            sender,
            outbox,
        })
    }

    fn run(mut self) {
        let _last_word = LastWord(self.reports.clone());
        match self.serve() {
            Ok(()) => tracing::debug!(unsent = self.sender.dropped, "worker ends"),
            Err(error) => tracing::error!(%error, "worker fails"),
        }
    }

    fn serve(&mut self) -> io::Result<()> {
        loop {
            let ready = self.epoll.wait(
                self.shard
                    .next_due()
                    .saturating_duration_since(Instant::now()),
            )?;
            let now = Instant::now();
            self.receive(ready, now)?;
            if ready & 1 << MAILBOX != 0 {
                self.waker.drain();
                if !self.obey(now) {
                    return Ok(());
                }
            }
            if now >= self.shard.next_due() {
                self.shard.on_time(now, &mut self.outbox);
            }
            self.flush();
        }
    }

    fn receive(&mut self, ready: u64, now: Instant) -> io::Result<()> {
        let Self {
            port,
            shard,
            receiver,
            sender,
            outbox,
            ..
        } = self;
        for (socket, fd) in port.fds() {
            let mut batches = if ready & 1 << socket == 0 {
                0
            } else {
                BATCHES_PER_TURN
            };
            while batches > 0
                && receiver.receive(fd, |datagram, from| {
                    shard.datagram(datagram, Path::udp(socket, from), now, outbox);
                })?
            {
                batches -= 1;
                if outbox.len() >= FLUSH_AT {
                    sender.send(port, outbox);
                }
            }
        }
        Ok(())
    }

    /// Works through the mailbox; false when it is time to end.
    fn obey(&mut self, now: Instant) -> bool {
        while let Ok(order) = self.mailbox.try_recv() {
            match order {
                Order::Command(number, command) => {
                    let outcome = self.shard.command(*command, now, &mut self.outbox);
                    // Events that came before the outcome are told before it.
                    self.flush();
                    self.reports.tell(Report::Outcome(number, outcome));
                }
                Order::Close => {
                    self.shard.close(now, &mut self.outbox);
                    self.flush();
                    return false;
                }
            }
        }
        true
    }

    fn flush(&mut self) {
        if !self.outbox.is_empty() {
            self.sender.send(&self.port, &mut self.outbox);
        }
        for event in self.outbox.events.drain(..) {
            self.reports.tell(Report::Event(event));
        }
    }
}
