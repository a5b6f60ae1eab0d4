//! A load generator for the media engine: many peers in one process, each with ICE, DTLS and SRTP of its own and a stream of sound.
//!
//! It talks to its parent in lines of JSON. It says `hello` with its certificate's fingerprint, reads one [`Job`], and then says
//! `connected` when all peers are, `window` when the measured time begins, `over` when it ends, and `result`. Between these lines
//! the parent looks at the engine. It knows nothing of calls: what one peer sends should arrive at another, whichever.
//!
//! `bench/bench_engine.py` is the parent; `docs/bench.md` says what the figures mean.

mod dtls;
mod measure;
mod net;
mod peer;

use std::error::Error;
use std::io::Write;
use std::net::SocketAddrV4;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use pagecalls_media::srtp::Profile;
use serde::Deserialize;
use serde_json::{Value, json};

use measure::{Tally, cpu_time, now_ns};
use net::{Receiver, Sender};
use peer::{Heard, Leg, Peer};

type Outcome<T> = Result<T, Box<dyn Error>>;

/// Time between two packets of one peer.
const PACKET_NS: u64 = 20_000_000;
/// Peers whose handshakes run at the same time.
const CONNECTING: usize = 16;
/// How long the peers may make no progress while they connect.
const STUCK: Duration = Duration::from_secs(5);
/// How long packets may still arrive after the last was sent.
const DRAIN_NS: u64 = 300_000_000;

/// What to do.
#[derive(Deserialize)]
struct Job {
    /// Where the engine listens.
    engine: SocketAddrV4,
    /// The SRTP profile to offer, by either of its names.
    profile: String,
    /// Sound before the measured time.
    warm_up_ms: u64,
    /// The measured time.
    window_ms: u64,
    /// Packets leave at whole multiples of this; 0 sends each at its own moment.
    tick_us: u64,
    /// One per peer.
    legs: Vec<Leg>,
}

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("load: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Outcome<()> {
    let identity = dtls::Identity::generate()?;
    say(&json!({"phase": "hello", "fingerprint": identity.fingerprint()?}))?;
    let mut line = String::new();
    std::io::stdin().read_line(&mut line)?;
    let mut job: Job = serde_json::from_str(&line)?;
    let profile = Profile::from_name(&job.profile).ok_or("unknown SRTP profile")?;
    let context = dtls::context(&identity, profile)?;
    let legs = std::mem::take(&mut job.legs).into_iter();
    let mut peers: Vec<Peer> = legs.zip(0..).map(|(leg, at)| Peer::new(leg, at)).collect();
    let (sender, receiver) = net::open(job.engine)?;
    let began = Instant::now();
    let mut load = Load {
        sender,
        receiver,
        peers: &mut peers,
        context,
    };
    load.connect()?;
    say(&json!({"phase": "connected", "wall_s": began.elapsed().as_secs_f64()}))?;
    say(&load.play(&job)?)
}

/// Tells the parent something, at once.
fn say(what: &Value) -> Outcome<()> {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{what}")?;
    Ok(out.flush()?)
}

/// The peers and their network.
struct Load<'a> {
    sender: Sender,
    receiver: Receiver,
    peers: &'a mut [Peer],
    context: dtls::Context,
}

impl Load<'_> {
    /// Brings all peers up, some at a time.
    fn connect(&mut self) -> Outcome<()> {
        let (all, mut begun, mut up) = (self.peers.len(), 0, 0);
        let mut progress = Instant::now();
        while up < all {
            while begun < all && begun - up < CONNECTING {
                self.peers[begun].check(&mut self.sender)?;
                begun += 1;
            }
            self.sender.flush()?;
            self.receiver.wait(Duration::from_millis(100))?;
            let before = up;
            self.receive(|heard, _| up += usize::from(matches!(heard, Heard::Up)))?;
            if up > before {
                progress = Instant::now();
            } else if progress.elapsed() > STUCK {
                return Err(format!("{} of {all} peers do not connect", all - up).into());
            }
        }
        Ok(())
    }

    /// Hands all that has arrived to its peers; `note` gets what came of each datagram, and when it arrived.
    fn receive(&mut self, mut note: impl FnMut(Heard, u64)) -> Outcome<()> {
        let Self {
            sender,
            receiver,
            peers,
            context,
        } = self;
        while receiver.receive(|at, datagram, arrived_ns| {
            if let Some(peer) = peers.get_mut(at) {
                note(peer.take(datagram, context, sender)?, arrived_ns);
            }
            Ok(())
        })? {}
        Ok(())
    }

    /// Plays sound from all peers, evenly over the packet time, and measures what arrives.
    fn play(&mut self, job: &Job) -> Outcome<Value> {
        let start = now_ns();
        let opens = start + job.warm_up_ms * 1_000_000;
        let closes = opens + job.window_ms * 1_000_000;
        let mut schedule = Schedule::new(start, self.peers.len(), job.tick_us);
        let (mut latency, mut lag, mut cpu) = (Tally::default(), Tally::default(), None);
        loop {
            let now = now_ns();
            if now >= closes {
                break;
            }
            if cpu.is_none() && now >= opens {
                cpu = Some(cpu_time());
                say(&json!({"phase": "window"}))?;
            }
            while let Some((at, due)) = schedule.next(now) {
                let sent = self.peers[at].send_sound(&mut self.sender)?;
                if sent >= opens {
                    lag.add(sent.saturating_sub(due));
                }
            }
            self.sender.flush()?;
            self.receive(|heard, arrived| latency.add_sound(&heard, arrived, opens, closes))?;
            // Not woken by what arrives: the kernel has stamped it, and to wake us would be the engine's work on loopback alone.
            std::thread::sleep(schedule.wait(now_ns()));
        }
        let cpu = cpu_time().saturating_sub(cpu.unwrap_or_default());
        say(&json!({"phase": "over"}))?;
        while now_ns() < closes + DRAIN_NS {
            self.receiver.wait(Duration::from_millis(10))?;
            self.receive(|heard, arrived| latency.add_sound(&heard, arrived, opens, closes))?;
        }
        Ok(json!({
            "phase": "result",
            "sent": lag.count(), "received": latency.count(), "cpu_s": cpu.as_secs_f64(),
            "latency_us": latency.summary(), "lag_us": lag.summary(),
        }))
    }
}

/// Which peer sends when: all of them in turn, one packet time for a round.
struct Schedule {
    start: u64,
    peers: u64,
    tick: u64,
    /// Packets so far.
    count: u64,
}

impl Schedule {
    fn new(start: u64, peers: usize, tick_us: u64) -> Self {
        Self {
            start,
            peers: peers as u64,
            tick: (tick_us * 1_000).max(1),
            count: 0,
        }
    }

    /// When the next packet should leave.
    fn due(&self) -> u64 {
        self.start + self.count * PACKET_NS / self.peers
    }

    /// When it does leave at the earliest: at a tick.
    fn leaves(&self) -> u64 {
        self.start + (self.due() - self.start).next_multiple_of(self.tick)
    }

    /// The next peer to send by `now`, and when it should have.
    fn next(&mut self, now: u64) -> Option<(usize, u64)> {
        let (due, at) = (self.due(), self.count % self.peers);
        if now < self.leaves() {
            return None;
        }
        self.count += 1;
        Some((at as usize, due))
    }

    fn wait(&self, now: u64) -> Duration {
        Duration::from_nanos(self.leaves().saturating_sub(now))
    }
}
