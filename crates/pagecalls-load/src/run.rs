//! A load in steps, for benches.
//!
//! The parent says in lines of JSON who connects and what is played, and looks at the server meanwhile:
//!
//! | line in | lines out |
//! |---|---|
//! | (none) | `hello`: the peers' certificate, their port, the first one's address |
//! | `{"connect": ...}`, see [`Connect`] | `connected`, when all these peers are up or have failed |
//! | `{"pairs": ...}`, see [`Pairs`] | the same; peers that are each other's other side |
//! | `{"step": ...}`, see [`Step`] | `window` when the measured time begins, `over` when it ends, `result` |
//!
//! The end of the input is the end of the load. It knows nothing of calls: what one peer sends should arrive at another, whichever.

use std::net::{Ipv4Addr, SocketAddrV4};
use std::time::{Duration, Instant};

use pagecalls_media::srtp::Profile;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::Outcome;
use crate::crowd::{Crowd, Window, credentials};
use crate::dtls::Role;
use crate::lines::{Lines, say};
use crate::measure::{cpu_time, now_ns};
use crate::net::address;
use crate::peer::{Credentials, Notice, Remote};
use crate::stream::Shape;

/// Peers whose handshakes run at the same time.
const CONNECTING: usize = 16;
/// How long one peer may take to connect.
const WITHIN_NS: u64 = 10_000_000_000;
/// How long packets may still arrive after the last was sent.
const DRAIN_NS: u64 = 300_000_000;
/// The load looks at least this often whether something arrived. It is not woken by it: the kernel stamps what arrives, and to wake
/// the receiver is the sender's work on loopback, so the server would be charged for it.
const LOOK: Duration = Duration::from_millis(2);
/// Packets between two looks when they leave as fast as they can.
const FLAT_OUT: usize = 64;

#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum Line {
    Connect(Connect),
    Pairs(Pairs),
    Step(Step),
}

/// More peers.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Connect {
    /// The SRTP profile to offer, by either of its names.
    pub profile: String,
    /// Where those go that say nothing else.
    pub server: Option<SocketAddrV4>,
    /// The peers.
    pub peers: Vec<Leg>,
}

/// A peer's side of one leg of the server.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Leg {
    /// The server's user fragment.
    pub ufrag: String,
    /// The server's password.
    pub pwd: String,
    /// The peer's own user fragment.
    pub own_ufrag: String,
    /// The peer's own password; only a server that sends checks itself needs it.
    #[serde(default)]
    pub own_pwd: String,
    /// Where the server listens for this peer.
    pub server: Option<SocketAddrV4>,
    /// What the peer sends.
    pub streams: Vec<Shape>,
}

/// Peers that talk to each other, so that nothing is measured but the load.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pairs {
    /// The SRTP profile to offer.
    pub profile: String,
    /// How many.
    pub count: u32,
    /// What each peer sends; SSRCs are given to them.
    #[serde(default)]
    pub stream: Shape,
}

/// Some time with traffic or without.
#[derive(Clone, Copy, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Step {
    /// Traffic before the measured time.
    pub warm_up_ms: u64,
    /// The measured time.
    pub window_ms: u64,
    /// Packets leave at whole multiples of this; 0 sends each at its own moment.
    pub tick_us: u64,
    /// How many streams play, the first ones; all without a number, 0 for an idle time.
    pub streams: Option<usize>,
    /// Send as fast as the load can, instead of at the streams' pace.
    pub flat_out: bool,
}

impl Default for Step {
    fn default() -> Self {
        Self {
            warm_up_ms: 1_000,
            window_ms: 8_000,
            tick_us: 0,
            streams: None,
            flat_out: false,
        }
    }
}

/// The load: peers, and all their streams in the order of their making.
pub struct Load {
    crowd: Crowd,
    streams: Vec<(u32, u16)>,
}

/// Does what the lines of the standard input say. With an address of the machine all peers share it, for servers that do not answer
/// to loopback addresses; each peer then needs another place to go to.
pub fn run(shared: Option<Ipv4Addr>) -> Outcome<()> {
    let mut load = Load::new(shared)?;
    say(&load.hello()?)?;
    let mut lines = Lines::default();
    while !lines.is_over() {
        load.attend(lines.fd())?;
        lines.read()?;
        while let Some(line) = lines.next_line() {
            load.follow(&line)?;
        }
    }
    Ok(())
}

impl Load {
    /// One without peers; each will have an address of its own, or all share this one.
    pub fn new(shared: Option<Ipv4Addr>) -> Outcome<Self> {
        Ok(Self {
            crowd: Crowd::open(shared)?,
            streams: Vec::new(),
        })
    }

    fn hello(&self) -> Outcome<Value> {
        let fingerprint = self.crowd.identity.fingerprint()?;
        let (first, port) = (address(0).to_string(), self.crowd.port()?);
        Ok(json!({"phase": "hello", "fingerprint": fingerprint, "first": first, "port": port}))
    }

    fn follow(&mut self, line: &str) -> Outcome<()> {
        match serde_json::from_str(line)? {
            Line::Connect(connect) => say(&self.connect(connect)?),
            Line::Pairs(pairs) => say(&self.pair(&pairs)?),
            Line::Step(step) => {
                let result = self.step(&step, |phase| say(&json!({"phase": phase})))?;
                say(&result)
            }
        }
    }

    /// Keeps the peers alive until there is something to read, but not for long.
    fn attend(&mut self, also: Option<i32>) -> Outcome<()> {
        let timeout = self.crowd.idle(Duration::from_millis(50));
        self.crowd.wait(also, timeout)?;
        self.crowd.receive()?;
        self.crowd.advance();
        Ok(())
    }

    fn connect(&mut self, connect: Connect) -> Outcome<Value> {
        let profile = profile(&connect.profile)?;
        let mut waiting = Vec::new();
        for leg in connect.peers {
            let server = leg.server.or(connect.server);
            let own = Credentials {
                ufrag: leg.own_ufrag,
                pwd: leg.own_pwd,
            };
            let index = self.crowd.add(own, &[profile], false)?;
            for shape in leg.streams {
                self.streams.push((index, self.crowd.shape(index, shape)?));
            }
            let to = server.ok_or("a peer has no server")?;
            waiting.push((index, remote(to, leg.ufrag, leg.pwd, Role::Client)));
        }
        self.bring_up(waiting)
    }

    /// Makes pairs of peers, the first of each the client of the other.
    pub fn pair(&mut self, pairs: &Pairs) -> Outcome<Value> {
        let profile = profile(&pairs.profile)?;
        let port = self.crowd.port()?;
        let mut waiting = Vec::new();
        for _ in 0..pairs.count {
            let (client, server) = (credentials()?, credentials()?);
            let known = [&server, &client].map(|one| (one.ufrag.clone(), one.pwd.clone()));
            let indexes = [
                self.crowd.add(client, &[profile], false)?,
                self.crowd.add(server, &[profile], false)?,
            ];
            let at = indexes.map(|index| self.crowd.peers[index as usize].address);
            let others = known.into_iter().zip(at.into_iter().rev());
            let roles = [Role::Client, Role::Server];
            for ((index, ((ufrag, pwd), at)), role) in indexes.into_iter().zip(others).zip(roles) {
                let shape = Shape {
                    ssrc: index + 1,
                    ..pairs.stream.clone()
                };
                self.streams.push((index, self.crowd.shape(index, shape)?));
                let to = SocketAddrV4::new(at, port);
                waiting.push((index, remote(to, ufrag, pwd, role)));
            }
        }
        self.bring_up(waiting)
    }

    /// Brings peers up, some at a time.
    fn bring_up(&mut self, waiting: Vec<(u32, Remote)>) -> Outcome<Value> {
        let (all, start) = (waiting.len(), Instant::now());
        let (mut begun, mut up, mut failed) = (0, 0, Vec::new());
        let mut waiting = waiting.into_iter();
        while up + failed.len() < all {
            while begun - up - failed.len() < CONNECTING
                && let Some((index, remote)) = waiting.next()
            {
                self.crowd.connect(index, remote)?;
                begun += 1;
            }
            self.crowd.advance();
            let timeout = self.crowd.idle(Duration::from_millis(50));
            self.crowd.wait(None, timeout)?;
            self.crowd.receive()?;
            for (_, notice) in self.crowd.notices.drain(..) {
                match notice {
                    Notice::Up(_) => up += 1,
                    Notice::Failed(why) => failed.push(why),
                    Notice::Bye(_) | Notice::Closed => {}
                }
            }
        }
        let wall_s = start.elapsed().as_secs_f64();
        Ok(json!({"phase": "connected", "up": up, "failed": failed, "wall_s": wall_s}))
    }

    /// Plays for a while and measures what arrives; `note` hears when the measured time begins and ends.
    pub fn step(
        &mut self,
        step: &Step,
        mut note: impl FnMut(&str) -> Outcome<()>,
    ) -> Outcome<Value> {
        let start = now_ns();
        let opens_ns = start + step.warm_up_ms * 1_000_000;
        let closes_ns = opens_ns + step.window_ms * 1_000_000;
        self.crowd.window = Window {
            opens_ns,
            closes_ns,
            ..Window::default()
        };
        self.crowd.set_tick(step.tick_us * 1_000);
        let playing = step
            .streams
            .unwrap_or(self.streams.len())
            .min(self.streams.len());
        if !step.flat_out {
            self.start(playing, start);
        }
        let mut cpu = None;
        loop {
            let now = now_ns();
            if now >= closes_ns {
                break;
            }
            if cpu.is_none() && now >= opens_ns {
                cpu = Some(cpu_time());
                note("window")?;
            }
            if step.flat_out {
                self.play_flat_out(playing)?;
            } else {
                self.crowd.advance();
                self.crowd.receive()?;
                std::thread::sleep(self.crowd.idle(LOOK));
            }
        }
        let cpu = cpu_time().saturating_sub(cpu.unwrap_or_default());
        note("over")?;
        for (index, number) in &self.streams[..playing] {
            self.crowd.switch(*index, *number, None);
        }
        while now_ns() < closes_ns + DRAIN_NS {
            self.crowd.wait(None, Duration::from_millis(10))?;
            self.crowd.receive()?;
            self.crowd.advance();
        }
        Ok(self.result(cpu))
    }

    fn result(&mut self, cpu: Duration) -> Value {
        let window = &self.crowd.window;
        let (mut unreadable, mut failed) = (0, Vec::new());
        for peer in &mut self.crowd.peers {
            unreadable += std::mem::take(&mut peer.counts).unreadable;
        }
        for (_, notice) in self.crowd.notices.drain(..) {
            if let Notice::Failed(why) = notice {
                failed.push(why);
            }
        }
        json!({
            "phase": "result", "sent": window.sent, "received": window.latency.count(),
            "cpu_s": cpu.as_secs_f64(), "latency_us": window.latency.summary(), "lag_us": window.lag.summary(),
            "unreadable": unreadable, "refused": self.crowd.refused(), "failed": failed,
        })
    }

    /// Starts streams, spread evenly over their interval.
    fn start(&mut self, playing: usize, start_ns: u64) {
        for (at, (index, number)) in self.streams[..playing].iter().enumerate() {
            let stream = &self.crowd.peers[*index as usize].streams[usize::from(*number)];
            let offset = stream.shape.interval_ns() * at as u64 / playing as u64;
            self.crowd.switch(*index, *number, Some(start_ns + offset));
        }
    }

    fn play_flat_out(&mut self, playing: usize) -> Outcome<()> {
        for some in self.streams[..playing].chunks(FLAT_OUT) {
            for (index, number) in some {
                self.crowd.send(*index, *number);
            }
            self.crowd.advance();
            self.crowd.receive()?;
        }
        Ok(())
    }
}

fn profile(name: &str) -> Outcome<Profile> {
    Profile::from_name(name).ok_or_else(|| format!("unknown SRTP profile {name}").into())
}

fn remote(to: SocketAddrV4, ufrag: String, pwd: String, role: Role) -> Remote {
    Remote {
        to: vec![to],
        ufrag,
        pwd,
        fingerprint: None,
        role,
        within_ns: WITHIN_NS,
    }
}
