//! A load generator for the media engine: many peers in one process, each with ICE, DTLS and SRTP of its own and a stream of sound.
//!
//! It talks to its parent in lines of JSON. It says `hello` with its certificate's fingerprint, reads one [`Job`], and then says
//! `connected` when all peers are, `window` when the measured time begins, `over` when it ends, and `result`. Between these lines the
//! parent looks at the engine. It knows nothing of calls: it has peers, and what one sends should arrive at another.
//!
//! All peers share one UDP socket and so one system call sends for many of them; each has a loopback address of its own, by which the
//! engine tells them apart. Only sound is sent.

mod clock;
mod dtls;
mod net;
mod peer;
mod tally;

use std::error::Error;
use std::io::Write;
use std::net::SocketAddrV4;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use pagecalls_media::srtp::Profile;
use serde::Deserialize;

use clock::{cpu_time, now_ns};
use net::Net;
use peer::{Input, Peer};
use tally::Tally;

type Outcome<T> = Result<T, Box<dyn Error>>;

/// Time between two packets of one peer.
const PACKET_NS: u64 = 20_000_000;
/// Packets between two consent checks of one peer: 5 s (RFC 7675 5.1).
const CHECK_EVERY: u64 = 250;
/// Peers whose handshakes run at the same time.
const CONNECTING: usize = 16;
/// How long all peers together may stay without progress while they connect.
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
    warm_up_s: f64,
    /// The measured time.
    window_s: f64,
    /// Packets leave at whole multiples of this; 0 sends each at its own moment.
    tick_us: u64,
    /// One per peer.
    legs: Vec<Leg>,
}

/// One peer, and the engine's leg that it belongs to.
#[derive(Deserialize)]
struct Leg {
    /// The engine's user fragment.
    ufrag: String,
    /// The engine's password.
    pwd: String,
    /// The peer's own user fragment.
    own_ufrag: String,
    /// The SSRC that the peer sends with.
    ssrc: u32,
    /// The payload type of its sound.
    pt: u8,
    /// The id of the audio level in its header extension.
    level_id: u8,
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
    say(&serde_json::json!({"phase": "hello", "fingerprint": identity.fingerprint()?}))?;
    let mut line = String::new();
    std::io::stdin().read_line(&mut line)?;
    let job: Job = serde_json::from_str(&line)?;
    let profile = Profile::from_name(&job.profile).ok_or("unknown SRTP profile")?;
    let context = dtls::context(&identity, profile)?;
    let mut peers: Vec<Peer> = job
        .legs
        .iter()
        .zip(0..)
        .map(|(leg, index)| Peer::new(leg, index))
        .collect();
    let mut net = Net::open(job.engine)?;
    let began = Instant::now();
    connect(&mut net, &mut peers, &context)?;
    say(
        &serde_json::json!({"phase": "connected", "peers": peers.len(), "wall_s": began.elapsed().as_secs_f64()}),
    )?;
    say(&play(&job, &mut net, &mut peers)?)
}

/// Tells the parent something, at once.
fn say(what: &serde_json::Value) -> Outcome<()> {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{what}")?;
    Ok(out.flush()?)
}

/// Brings all peers up, some at a time.
fn connect(net: &mut Net, peers: &mut [Peer], context: &dtls::Context) -> Outcome<()> {
    let (mut begun, mut up) = (0, 0);
    let mut progress = Instant::now();
    while up < peers.len() {
        while begun < peers.len() && begun - up < CONNECTING {
            peers[begun].check(net)?;
            begun += 1;
        }
        net.flush()?;
        net.wait(Duration::from_millis(100))?;
        let before = up;
        while let Some(batch) = net.receive()? {
            for arrival in batch {
                let Some(peer) = peers.get_mut(arrival.peer) else {
                    continue;
                };
                if let Input::Up = peer.take(arrival, context)? {
                    up += 1;
                }
            }
            for peer in &mut peers[..begun] {
                peer.say_handshake(net)?;
            }
        }
        if up > before {
            progress = Instant::now();
        } else if progress.elapsed() > STUCK {
            return Err(format!("{} of {} peers do not connect", peers.len() - up, peers.len()).into());
        }
    }
    Ok(())
}
