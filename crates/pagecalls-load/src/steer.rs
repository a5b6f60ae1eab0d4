//! Peers that are told one by one what to do, for tests of a whole server.
//!
//! Orders are lines of JSON, `{"id": 1, "op": "new", "peer": "ann"}`, see [`Op`]; each is answered with `{"id": 1, "ok": {...}}` or
//! `{"id": 1, "err": "..."}`. Lines with an `event` come by themselves: `hello` first, then `up`, `failed`, `bye` (a source ended) and
//! `closed` (`close_notify`), each with its `peer`. What goes wrong with one peer is told of that peer and ends nothing else.

use std::collections::HashMap;
use std::net::SocketAddrV4;
use std::time::Duration;

use pagecalls_media::srtp::Profile;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::Outcome;
use crate::crowd::{Crowd, credentials};
use crate::dtls::Role;
use crate::lines::{Lines, say};
use crate::measure::now_ns;
use crate::peer::{Notice, Peer, Remote};
use crate::stream::Shape;

/// Packets leave at whole multiples of this: they take fewer system calls, and a test hears no difference.
const TICK_NS: u64 = 2_000_000;
/// The longest time without a look at what has arrived, while nobody connects.
const LOOK: Duration = Duration::from_millis(5);

#[derive(Deserialize)]
struct Line {
    id: u64,
    #[serde(flatten)]
    op: Op,
}

/// What can be asked for. `peer` is a name that the parent chooses.
#[derive(Deserialize)]
#[serde(tag = "op", rename_all = "snake_case")]
pub enum Op {
    /// A peer; answers with what its SDP needs: `ufrag`, `pwd`, `fingerprint`, `address`, `port`.
    New {
        /// Its name.
        peer: String,
        /// SRTP profiles to offer, by either of their names, the best first; without it all three.
        profiles: Option<Vec<String>>,
    },
    /// To the other side; `up` or `failed` follows.
    Connect {
        /// Who.
        peer: String,
        /// Candidates of the other side.
        to: Vec<SocketAddrV4>,
        /// The other side's user fragment.
        ufrag: String,
        /// The other side's password.
        pwd: String,
        /// SHA-256 of its certificate; without it any is taken.
        fingerprint: Option<String>,
        /// `client` unless said otherwise.
        #[serde(default)]
        role: Role,
        /// How long it may take.
        within_ms: Option<u64>,
    },
    /// Starts a stream, stops it, or gives the one of that SSRC another shape.
    Send {
        /// Who.
        peer: String,
        /// Whether it sends from now on.
        on: bool,
        /// How it looks.
        stream: Shape,
    },
    /// What a peer, or each, has sent and received.
    Stats {
        /// Who; all without it.
        peer: Option<String>,
    },
    /// Begins a new interval of the statistics.
    Mark {
        /// Who; all without it.
        peer: Option<String>,
    },
    /// Gives the peer another address, as a NAT does, and sends a check from there.
    Move {
        /// Who.
        peer: String,
    },
    /// Sends these bytes from the peer's own address, as somebody does who can write any sender's address.
    Inject {
        /// Whose.
        peer: String,
        /// Datagrams in hex.
        hex: Vec<String>,
    },
    /// Keeps the next datagrams that the peer sends; answers with those that were kept before, in hex.
    Tap {
        /// Who.
        peer: String,
        /// How many; 0 to keep no more.
        room: usize,
    },
    /// Ends the peer with BYE and `close_notify`; its statistics stay.
    Close {
        /// Who.
        peer: String,
    },
    /// Ends the peer without a word; its statistics stay.
    Drop {
        /// Who.
        peer: String,
    },
}

/// Does what the lines of the standard input say, until they end.
pub fn steer() -> Outcome<()> {
    let mut stage = Stage {
        crowd: Crowd::open(None)?,
        names: HashMap::new(),
        by_index: Vec::new(),
    };
    stage.crowd.set_tick(TICK_NS);
    let fingerprint = stage.crowd.identity.fingerprint()?;
    say(&json!({"event": "hello", "fingerprint": fingerprint, "port": stage.crowd.port()?}))?;
    let mut lines = Lines::default();
    while !lines.is_over() {
        stage.wait(&lines)?;
        stage.crowd.receive()?;
        lines.read()?;
        while let Some(line) = lines.next_line() {
            say(&stage.answer(&line))?;
        }
        stage.crowd.advance();
        stage.tell()?;
    }
    Ok(())
}

/// The peers and their names.
struct Stage {
    crowd: Crowd,
    names: HashMap<String, u32>,
    by_index: Vec<String>,
}

impl Stage {
    fn wait(&self, lines: &Lines) -> Outcome<()> {
        let timeout = self.crowd.idle(LOOK);
        if self.crowd.peers.iter().any(Peer::is_connecting) {
            self.crowd.wait(lines.fd(), timeout)?;
        } else {
            // What arrives is stamped by the kernel and may wait.
            crate::net::wait(&[lines.fd(), None], timeout)?;
        }
        Ok(())
    }

    fn answer(&mut self, line: &str) -> Value {
        let order: Line = match serde_json::from_str(line) {
            Ok(order) => order,
            Err(error) => {
                let whole: Value = serde_json::from_str(line).unwrap_or_default();
                return json!({"id": whole["id"], "err": error.to_string()});
            }
        };
        match self.follow(order.op) {
            Ok(value) => json!({"id": order.id, "ok": value}),
            Err(error) => json!({"id": order.id, "err": error.to_string()}),
        }
    }

    fn follow(&mut self, op: Op) -> Outcome<Value> {
        match op {
            Op::New { peer, profiles } => return self.create(peer, profiles),
            Op::Connect {
                peer,
                to,
                ufrag,
                pwd,
                fingerprint,
                role,
                within_ms,
            } => {
                let remote = Remote {
                    to,
                    ufrag,
                    pwd,
                    fingerprint: fingerprint.map(|one| one.to_ascii_uppercase()),
                    role,
                    within_ns: within_ms.unwrap_or(10_000) * 1_000_000,
                };
                self.crowd.connect(self.index(&peer)?, remote)?;
            }
            Op::Send { peer, on, stream } => {
                let index = self.index(&peer)?;
                let number = self.crowd.shape(index, stream)?;
                self.crowd.switch(index, number, on.then(now_ns));
            }
            Op::Stats { peer } => return self.stats(peer.as_deref()),
            Op::Mark { peer } => {
                let now_ns = now_ns();
                for index in self.chosen(peer.as_deref())? {
                    let peer = &mut self.crowd.peers[index as usize];
                    peer.sources.mark(now_ns);
                    peer.streams.iter_mut().for_each(|one| one.sent = 0);
                }
            }
            Op::Move { peer } => {
                let index = self.index(&peer)?;
                self.crowd.relocate(index);
                let now = self.crowd.peers[index as usize].address;
                return Ok(json!({"address": now.to_string()}));
            }
            Op::Inject { peer, hex } => {
                let datagrams: Outcome<Vec<_>> = hex.iter().map(|text| from_hex(text)).collect();
                self.crowd.inject(self.index(&peer)?, &datagrams?)?;
            }
            Op::Tap { peer, room } => {
                let kept = self.crowd.tap(self.index(&peer)?, room);
                return Ok(kept.iter().map(|bytes| to_hex(bytes)).collect());
            }
            Op::Close { peer } => self.crowd.end(self.index(&peer)?, true),
            Op::Drop { peer } => self.crowd.end(self.index(&peer)?, false),
        }
        Ok(json!({}))
    }

    fn create(&mut self, name: String, profiles: Option<Vec<String>>) -> Outcome<Value> {
        if self.names.contains_key(&name) {
            return Err(format!("there is a peer {name} already").into());
        }
        let profiles = match profiles {
            None => Profile::OFFER_ORDER.to_vec(),
            Some(names) => names
                .iter()
                .map(|name| Profile::from_name(name).ok_or(format!("unknown SRTP profile {name}")))
                .collect::<Result<_, _>>()?,
        };
        let index = self.crowd.add(credentials()?, &profiles, true)?;
        let peer = &mut self.crowd.peers[index as usize];
        peer.sources.is_timed = true;
        let told = json!({
            "ufrag": peer.own().ufrag, "pwd": peer.own().pwd,
            "address": peer.address.to_string(), "port": self.crowd.port()?,
            "fingerprint": self.crowd.identity.fingerprint()?,
        });
        self.by_index.push(name.clone());
        self.names.insert(name, index);
        Ok(told)
    }

    fn index(&self, name: &str) -> Outcome<u32> {
        let known = self.names.get(name).copied();
        known.ok_or_else(|| format!("there is no peer {name}").into())
    }

    fn chosen(&self, name: Option<&str>) -> Outcome<Vec<u32>> {
        match name {
            Some(name) => Ok(vec![self.index(name)?]),
            None => Ok((0..self.by_index.len() as u32).collect()),
        }
    }

    fn stats(&mut self, name: Option<&str>) -> Outcome<Value> {
        // What waits in the kernel has arrived.
        let now_ns = now_ns();
        self.crowd.receive()?;
        let chosen = self.chosen(name)?.into_iter();
        Ok(chosen
            .map(|index| {
                let name = self.by_index[index as usize].clone();
                (name, self.told(&self.crowd.peers[index as usize], now_ns))
            })
            .collect())
    }

    fn told(&self, peer: &Peer, now_ns: u64) -> Value {
        let name = |index: u32| self.by_index.get(index as usize).map(String::as_str);
        let sent = peer.streams.iter().map(|one| {
            json!({"ssrc": one.shape.ssrc, "pt": one.shape.pt, "on": one.on, "packets": one.sent})
        });
        json!({
            "state": peer.state(), "up_at": peer.up_ns.map(|ns| Duration::from_nanos(ns).as_secs_f64()),
            "sent": sent.collect::<Vec<_>>(),
            "heard": peer.sources.iter().map(|one| one.told(now_ns, name)).collect::<Vec<_>>(),
            "checks_answered": peer.counts.answered, "replayed": peer.counts.replayed,
            "unreadable": peer.counts.unreadable, "rtcp": peer.counts.rtcp,
        })
    }

    /// Tells what has happened.
    fn tell(&mut self) -> Outcome<()> {
        for (index, notice) in self.crowd.notices.drain(..) {
            let peer = &self.by_index[index as usize];
            say(&match notice {
                Notice::Up(profile) => {
                    json!({"event": "up", "peer": peer, "profile": profile.iana_name()})
                }
                Notice::Failed(why) => json!({"event": "failed", "peer": peer, "why": why}),
                Notice::Bye(ssrc) => json!({"event": "bye", "peer": peer, "ssrc": ssrc}),
                Notice::Closed => json!({"event": "closed", "peer": peer}),
            })?;
        }
        Ok(())
    }
}

fn to_hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    let mut text = String::with_capacity(2 * bytes.len());
    for byte in bytes {
        let _ = write!(text, "{byte:02x}");
    }
    text
}

fn from_hex(text: &str) -> Outcome<Vec<u8>> {
    let digit = |byte: &u8| char::from(*byte).to_digit(16).map(|digit| digit as u8);
    let digits: Option<Vec<u8>> = text.as_bytes().iter().map(digit).collect();
    match digits {
        Some(digits) if digits.len() % 2 == 0 => Ok(digits
            .chunks(2)
            .map(|pair| pair[0] << 4 | pair[1])
            .collect()),
        _ => Err("not hex".into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hex_goes_there_and_back() {
        let bytes: Vec<u8> = (0..=255).collect();
        assert_eq!(from_hex(&to_hex(&bytes)).unwrap(), bytes);
        assert_eq!(from_hex("").unwrap(), Vec::<u8>::new());
        for wrong in ["0", "0g", "\u{e9}"] {
            assert!(from_hex(wrong).is_err(), "{wrong}");
        }
    }
}
