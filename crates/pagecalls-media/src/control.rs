//! The control plane's side: the Unix socket, who owns the engine, commands to workers, replies and events back, and the end.
//!
//! One connection owns the engine: the newest that passed `hello`. When the owner is lost, media goes on for the grace time, so
//! that another server can take over; then all peers are told goodbye and the process ends. SIGTERM takes no new calls and ends
//! with the last one; `exit`, SIGINT and a second SIGTERM end at once. An event without an owner is counted and dropped. This
//! module knows frames, ids and workers, and nothing of what a command does.

mod commands;
mod listener;

use std::collections::{BTreeMap, HashMap};
use std::io::{self, ErrorKind};
use std::os::fd::{AsFd, AsRawFd};
use std::sync::Arc;
use std::sync::mpsc::Receiver;
use std::time::{Duration, Instant};

pub use listener::Listener;

use commands::Pending;

use crate::frames::Connection;
use crate::protocol::{
    self, Code, Command, Done, Event, FrameError, Hello, HelloOk, Numbered, Outcome,
    PROTOCOL_VERSION, Refusal,
};
use crate::spare::Spare;
use crate::sys::{self, Signal, Signals, Waker};
use crate::tidy::Tidy;
use crate::worker::{Order, Report, Worker};

/// How long the workers may take to say goodbye.
const CLOSING: Duration = Duration::from_secs(2);

/// Connections that may be open at the same time, the owner's included.
const MAX_CONNECTIONS: usize = 16;

/// The longest wait without looking at the clock.
const LONG: Duration = Duration::from_secs(3_600);

/// How long the engine goes on by itself.
#[derive(Clone, Copy, Debug)]
pub struct Patience {
    /// Without a server.
    pub grace: Duration,
    /// For its calls to end, after SIGTERM.
    pub drain: Duration,
}

/// The control side of the engine.
pub struct Control {
    listener: Listener,
    signals: Signals,
    hello: HelloOk,
    workers: Vec<Worker>,
    reports: Receiver<Report>,
    waker: Arc<Waker>,
    patience: Patience,
    connections: HashMap<u64, Connection>,
    owner: Option<u64>,
    unowned_since: Option<Instant>,
    /// Since SIGTERM.
    draining_since: Option<Instant>,
    /// The workers are saying goodbye.
    is_closing: bool,
    next_connection: u64,
    next_pending: u64,
    pending: HashMap<u64, Pending>,
    /// Events so far: the number of the last one.
    seq: u64,
    /// Which worker has a call.
    calls: BTreeMap<String, usize>,
    /// Which call has a leg.
    legs: HashMap<String, String>,
    closed: usize,
    /// Nobody accepts TCP connections any more, though peers are told to come there.
    are_doors_closed: bool,
    tidy: Tidy,
    spare: Spare,
}

impl Control {
    /// Everything is there and nobody has connected yet: the grace time runs.
    #[must_use]
    pub fn new(
        listener: Listener,
        signals: Signals,
        hello: HelloOk,
        workers: Vec<Worker>,
        reports: (Receiver<Report>, Arc<Waker>),
        patience: Patience,
    ) -> Self {
        Self {
            listener,
            signals,
            hello,
            workers,
            reports: reports.0,
            waker: reports.1,
            patience,
            connections: HashMap::new(),
            owner: None,
            unowned_since: Some(Instant::now()),
            draining_since: None,
            is_closing: false,
            next_connection: 0,
            next_pending: 0,
            pending: HashMap::new(),
            seq: 0,
            calls: BTreeMap::new(),
            legs: HashMap::new(),
            closed: 0,
            are_doors_closed: false,
            tidy: Tidy::default(),
            spare: Spare::new(),
        }
    }

    /// Serves until the process is to end: by `exit`, by a signal, or because no server came within the grace time. Fails when a
    /// worker has failed.
    pub fn run(mut self) -> io::Result<()> {
        loop {
            let due = self.ends_at().into_iter().chain(self.tidy.due()).min();
            let wait = due.map_or(LONG, |due| due.saturating_duration_since(Instant::now()));
            if self.turn(wait)? {
                tracing::info!("ends on request");
                break;
            }
            if self.tidy.take(Instant::now()) {
                sys::give_memory_back();
            }
            if self.closed > 0 || self.are_doors_closed {
                let part = if self.closed > 0 {
                    "a worker"
                } else {
                    "media over TCP"
                };
                self.close()?;
                return Err(io::Error::other(format!("{part} failed")));
            }
            if self.draining_since.is_some() && self.calls.is_empty() {
                tracing::info!("ends: the last call is over");
                break;
            }
            if self.ends_at().is_some_and(|at| at <= Instant::now()) {
                tracing::info!(calls = self.calls.len(), "ends: its time is over");
                break;
            }
        }
        self.close()
    }

    /// When it ends by itself: without a server, or draining.
    fn ends_at(&self) -> Option<Instant> {
        let alone = self.unowned_since.map(|since| since + self.patience.grace);
        let drained = self.draining_since.map(|since| since + self.patience.drain);
        alone.into_iter().chain(drained).min()
    }

    /// Tells every peer goodbye and sends what is still to be sent. Fails when a worker does not end: nobody waits for it then, and
    /// the process is to end all the same.
    fn close(&mut self) -> io::Result<()> {
        self.is_closing = true;
        self.workers
            .iter()
            .for_each(|worker| worker.order(Order::Close));
        let until = Instant::now() + CLOSING;
        while self.closed < self.workers.len() && Instant::now() < until {
            self.turn(until.saturating_duration_since(Instant::now()))?;
        }
        if self.closed < self.workers.len() {
            self.workers.drain(..).for_each(Worker::give_up);
            return Err(io::Error::other("a worker hangs"));
        }
        Ok(())
    }

    /// Waits, and does what there is to do; true when the process shall end.
    fn turn(&mut self, wait: Duration) -> io::Result<bool> {
        let fixed = [
            self.listener.socket.as_raw_fd(),
            self.signals.as_fd().as_raw_fd(),
            self.waker.as_fd().as_raw_fd(),
        ];
        let mut fds: Vec<_> = fixed.iter().map(|fd| (*fd, false)).collect();
        let keys: Vec<u64> = self.connections.keys().copied().collect();
        fds.extend(keys.iter().map(|key| {
            (
                self.connections[key].fd(),
                self.connections[key].wants_write(),
            )
        }));
        let ready = sys::poll(&fds, wait)?;
        if ready[2].reads {
            self.waker.drain();
            self.take_reports();
        }
        let mut ends = ready[1].reads && self.obey_signals()?;
        for (key, ready) in keys.iter().zip(&ready[3..]) {
            if ready.reads {
                ends |= self.read(*key);
            }
        }
        if ready[0].reads {
            self.accept()?;
        }
        let failed: Vec<u64> = self
            .connections
            .iter_mut()
            .filter_map(|(key, connection)| connection.flush().is_err().then_some(*key))
            .collect();
        for key in failed {
            self.lose(key);
        }
        Ok(ends)
    }

    /// Takes the signals that have come; true when the process shall end at once.
    fn obey_signals(&mut self) -> io::Result<bool> {
        while let Some(signal) = self.signals.take()? {
            if signal == Signal::Interrupt || self.draining_since.is_some() {
                return Ok(true);
            }
            tracing::info!(calls = self.calls.len(), "takes no new calls");
            self.draining_since = Some(Instant::now());
        }
        Ok(false)
    }

    // --- connections -----------------------------------------------------------------------------------------------

    fn accept(&mut self) -> io::Result<()> {
        let stream = match self.listener.socket.accept() {
            Ok((stream, _)) => stream,
            Err(error)
                if matches!(
                    error.kind(),
                    ErrorKind::WouldBlock | ErrorKind::Interrupted | ErrorKind::ConnectionAborted
                ) =>
            {
                return Ok(());
            }
            Err(error) if Spare::is_wanted(&error) => {
                tracing::warn!(%error, "a control connection is refused");
                self.spare.refuse(|| self.listener.socket.accept());
                return Ok(());
            }
            Err(error) => return Err(error),
        };
        let is_ours = sys::peer_uid(stream.as_fd()).is_ok_and(|uid| uid == sys::own_uid());
        if !is_ours || self.connections.len() >= MAX_CONNECTIONS {
            tracing::warn!(is_ours, "a control connection is refused");
            return Ok(());
        }
        self.next_connection += 1;
        self.connections
            .insert(self.next_connection, Connection::new(stream)?);
        Ok(())
    }

    fn lose(&mut self, key: u64) {
        self.connections.remove(&key);
        self.expect_no_more_for(key);
        if self.owner == Some(key) {
            tracing::warn!(
                grace_s = self.patience.grace.as_secs(),
                "the server is gone"
            );
            self.owner = None;
            self.unowned_since = Some(Instant::now());
        }
    }

    /// Reads from a connection; true when the process shall end.
    fn read(&mut self, key: u64) -> bool {
        let Some(connection) = self.connections.get_mut(&key) else {
            return false;
        };
        let Ok(frames) = connection.read() else {
            self.lose(key);
            return false;
        };
        let mut ends = false;
        for frame in frames {
            match protocol::decode_command(&frame) {
                Ok((id, command)) => ends |= self.command(key, id, command),
                Err(FrameError::BadCommand { id, message }) => {
                    self.reply(key, id, &Err(Refusal::new(Code::BadCommand, message)));
                }
                Err(FrameError::Undecodable) => {
                    tracing::warn!("a control connection sends garbage and is closed");
                    self.lose(key);
                    break;
                }
            }
        }
        ends
    }

    fn reply(&mut self, key: u64, id: u64, outcome: &Outcome) {
        if let Some(connection) = self.connections.get_mut(&key) {
            connection.queue(&protocol::encode_reply(id, outcome));
        }
    }

    // --- commands --------------------------------------------------------------------------------------------------

    /// Answers a command or hands it on; true when the process shall end.
    fn command(&mut self, key: u64, id: u64, command: Command) -> bool {
        let outcome = match command {
            Command::Hello(hello) => Some(self.hello(key, &hello)),
            Command::Exit(_) => {
                self.reply(key, id, &Ok(Done {}.into()));
                // Nobody is missed any more: its connection may go first.
                self.owner = None;
                return true;
            }
            _ if self.owner != Some(key) => {
                Some(Err(Refusal::new(Code::BadCommand, "say hello first")))
            }
            command => self.hand_on(key, id, command).err().map(Err),
        };
        if let Some(outcome) = outcome {
            self.reply(key, id, &outcome);
        }
        false
    }

    fn hello(&mut self, key: u64, hello: &Hello) -> Outcome {
        if hello.proto != PROTOCOL_VERSION {
            return Err(Refusal::new(
                Code::ProtoMismatch,
                format!("this engine speaks {PROTOCOL_VERSION}"),
            ));
        }
        if hello.data_dir != self.hello.data_dir {
            return Err(Refusal::new(
                Code::DataDirMismatch,
                "this engine belongs to another data folder",
            ));
        }
        if self.is_closing {
            return Err(Refusal::new(Code::Ending, "this engine says goodbye"));
        }
        if let Some(before) = self.owner.replace(key).filter(|before| *before != key) {
            self.connections.remove(&before);
        }
        self.unowned_since = None;
        Ok(self.hello.clone().into())
    }

    // --- reports ---------------------------------------------------------------------------------------------------

    fn take_reports(&mut self) {
        while let Ok(report) = self.reports.try_recv() {
            match report {
                Report::Event(event) => self.event(event),
                Report::Outcome(number, outcome) => self.outcome(number, outcome),
                Report::Closed => self.closed += 1,
                Report::DoorsClosed => self.are_doors_closed = true,
            }
        }
    }

    fn event(&mut self, event: Event) {
        if let Event::LegFailed(failed) = &event {
            self.legs.remove(&failed.leg);
        }
        if let Event::LegDtls(_) | Event::LegFailed(_) = event {
            self.tidy.stir(Instant::now());
        }
        self.seq += 1;
        if let Some(connection) = self.owner.and_then(|key| self.connections.get_mut(&key)) {
            connection.queue(&protocol::encode_event(&Numbered {
                seq: self.seq,
                event,
            }));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::os::unix::net::UnixStream;
    use std::path::PathBuf;

    use super::*;
    use crate::dtls;
    use crate::fresh::Fresh;
    use crate::protocol::{Fingerprint, HashName};
    use crate::shard::Shard;
    use crate::udp::Port;
    use crate::worker::Reports;

    /// A worker that does `fault` outside any call: when a leg asks for its credentials.
    fn broken_worker(reports: &Reports, fault: fn()) -> Worker {
        let certificate = dtls::Certificate::generate().unwrap();
        let fill = move |bytes: &mut [u8]| {
            if bytes.len() != 4 {
                fault();
            }
        };
        let fresh = Fresh::new(Box::new(fill));
        let context = dtls::Context::new(&certificate).unwrap();
        let shard = Shard::new(0, context, vec![], fresh, Instant::now());
        let port = Port::bind(&["127.0.0.1".parse().unwrap()], 0).unwrap();
        Worker::start(0, port, shard, vec![], reports.clone()).unwrap()
    }

    /// An engine with one worker, a server that has said hello, and what reports to the engine.
    fn engine(name: &str, fault: fn()) -> (Control, UnixStream, Reports, PathBuf) {
        let name = format!("pagecalls-{name}-{}", std::process::id());
        let path = std::env::temp_dir().join(name);
        let listener = Listener::bind(&path).unwrap();
        let (reports, receiver, waker) = Reports::channel().unwrap();
        let hello = HelloOk {
            proto: PROTOCOL_VERSION,
            data_dir: "d".into(),
            node: "n".into(),
            pid: 1,
            fingerprint: Fingerprint {
                alg: HashName::Sha256,
                value: String::new(),
            },
            candidates: vec![],
            capacity: 1,
            settings: String::new(),
        };
        let patience = Patience {
            grace: Duration::ZERO,
            drain: LONG,
        };
        let workers = vec![broken_worker(&reports, fault)];
        let signals = Signals::new().unwrap();
        let reported = (receiver, waker);
        let mut control = Control::new(listener, signals, hello, workers, reported, patience);
        let mut client = UnixStream::connect(&path).unwrap();
        ask(
            &mut client,
            r#"{"id":1,"op":"hello","proto":3,"data_dir":"d"}"#,
        );
        while control.owner.is_none() {
            control.turn(LONG).unwrap();
        }
        (control, client, reports, path)
    }

    fn ask(stream: &mut UnixStream, body: &str) {
        let length = (body.len() as u32).to_be_bytes();
        stream.write_all(&length).unwrap();
        stream.write_all(body.as_bytes()).unwrap();
    }

    fn make_leg(client: &mut UnixStream) {
        ask(client, r#"{"id":2,"op":"call.create","call":"c"}"#);
        ask(client, r#"{"id":3,"op":"leg.create","call":"c","leg":"l"}"#);
    }

    #[test]
    fn a_worker_that_fails_ends_the_engine_at_once() {
        let (control, mut client, _, path) = engine("fails", || panic!("a test asked for this"));
        make_leg(&mut client);
        let start = Instant::now();
        let error = control.run().unwrap_err();
        assert_eq!(error.to_string(), "a worker failed");
        assert!(start.elapsed() < Duration::from_secs(1));
        // The server learns of it by the end of its connection.
        let mut rest = Vec::new();
        let _ = client.read_to_end(&mut rest);
        assert!(!path.exists());
    }

    #[test]
    fn a_worker_that_hangs_does_not_keep_an_engine_that_nobody_needs() {
        fn hang() {
            loop {
                std::thread::park();
            }
        }
        let (mut control, mut client, _, path) = engine("hangs", hang);
        make_leg(&mut client);
        while control.legs.is_empty() {
            control.turn(LONG).unwrap();
        }
        drop(client);
        let start = Instant::now();
        let error = control.run().unwrap_err();
        assert_eq!(error.to_string(), "a worker hangs");
        assert!(start.elapsed() >= CLOSING && !path.exists());
    }

    #[test]
    fn without_the_thread_that_accepts_the_engine_ends_too() {
        let (control, _client, reports, _) = engine("doors", || {});
        drop(crate::worker::LastWord(reports, || Report::DoorsClosed));
        let error = control.run().unwrap_err();
        assert_eq!(error.to_string(), "media over TCP failed");
    }
}
