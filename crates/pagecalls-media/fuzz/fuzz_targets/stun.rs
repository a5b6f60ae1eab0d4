//! An ICE-lite agent through a row of steps: checks on many paths, signed or not, media, paths that go, restarts, and time. No panic, no
//! unproven source, paths within their bounds, the selected one among them, and every answer is a message that parses and is signed as
//! the request was.
//!
//! A step is an octet for what, one for the path, one for how long, and the bytes. Every input has an agent and a time of its own.

#![no_main]

use std::time::{Duration, Instant};

use libfuzzer_sys::fuzz_target;
use pagecalls_media::ice::{Agent, MAX_SOURCES, MAX_STREAMS, Outcome};
use pagecalls_media::path::{Path, Via};
use pagecalls_media::stun::{Builder, Class, Key, Message, is_stun, peek_local_ufrag};

const REMOTE_UFRAG: &str = "them";
const PASSWORD: &str = "ourpasswordourpassword";
/// What one octet of a step in time stands for.
const TICK: Duration = Duration::from_millis(250);

/// Our credentials after so many restarts.
fn credentials(restarts: u8) -> (String, String) {
    match restarts {
        0 => ("ours".to_owned(), PASSWORD.to_owned()),
        _ => (format!("ours{restarts}"), format!("{PASSWORD}{restarts}")),
    }
}

/// UDP ports and TCP connections, more of each than an agent remembers.
fn path(number: u8) -> Path {
    let port = 5_000 + u16::from(number & 0x1f);
    if number & 0x80 == 0 {
        Path::udp(0, ([192, 0, 2, 1], port).into())
    } else {
        Path::tcp(u32::from(number & 0x1f), ([192, 0, 2, 2], port).into())
    }
}

struct Scene {
    agent: Agent,
    restarts: u8,
    now: Instant,
    answer: Vec<u8>,
}

impl Scene {
    fn new() -> Self {
        let (ufrag, pwd) = credentials(0);
        Self {
            agent: Agent::new(ufrag, pwd),
            restarts: 0,
            now: Instant::now(),
            answer: Vec::new(),
        }
    }

    /// The lowest three bits of `what` are the step; the others say more of a check.
    fn step(&mut self, what: u8, from: Path, bytes: &[u8]) {
        let first = bytes.first().copied().unwrap_or_default();
        match what & 7 {
            0 => self.receive(bytes, from),
            1 | 2 => {
                let check = self.check(what, bytes);
                self.receive(&check, from);
            }
            3 => self.hear(from),
            4 => {
                let moved = self.agent.forget(from, self.now);
                assert!(self.agent.sources().all(|source| source != from));
                assert!(moved.is_none() || moved == self.agent.selected());
            }
            5 => self.restart(),
            6 => self.now += TICK * u32::from(first),
            _ => {
                self.agent
                    .set_remote(REMOTE_UFRAG, "theirpasswordtheirpass");
                let idle = self.agent.idle_streams(TICK * u32::from(first), self.now);
                let idle: Vec<_> = idle.collect();
                assert!(idle.iter().all(|path| self.agent.heard_on(*path).is_some()));
            }
        }
    }

    /// A message of attributes, each with two octets of kind and one of length, signed unless bit 6 says otherwise.
    fn check(&self, what: u8, mut bytes: &[u8]) -> Vec<u8> {
        let restarts = self.restarts - u8::from(what & 8 != 0 && self.restarts > 0);
        let (ufrag, pwd) = credentials(restarts);
        let class = if what & 0xa0 == 0xa0 {
            Class::Indication
        } else {
            Class::Request
        };
        let mut message = Vec::new();
        let mut builder = Builder::new(&mut message, class, *b"transaction!");
        if what & 7 == 1 {
            builder = builder
                .username(&format!("{ufrag}:{REMOTE_UFRAG}"))
                .priority(0x6e00_01ff)
                .controlling(7);
        }
        if what & 0x10 != 0 {
            builder = builder.use_candidate();
        }
        while let Some((&[high, low, len], rest)) = bytes.split_first_chunk() {
            let (value, rest) = rest.split_at(rest.len().min(len.into()));
            builder = builder.attribute(u16::from_be_bytes([high, low]), value);
            bytes = rest;
        }
        let key = Key::new(&pwd);
        builder.finish((what & 0x40 == 0).then_some(&key));
        message
    }

    fn receive(&mut self, datagram: &[u8], from: Path) {
        let before: Vec<_> = self.agent.sources().collect();
        let selected = self.agent.selected();
        let proof = self.proof(datagram);
        let outcome = self
            .agent
            .handle(datagram, from, self.now, &mut self.answer);
        let answer = Message::parse(&self.answer);
        match outcome {
            Outcome::Ignored => assert!(self.answer.is_empty()),
            Outcome::Refused => assert_eq!(answer.expect("an answer").class, Class::Error),
            Outcome::Checked {
                selected_changed, ..
            } => {
                let answer = answer.expect("an answer");
                let key = proof.expect("an unproven check is believed");
                assert!(answer.class == Class::Success && answer.verify(&key));
                assert_eq!(answer.mapped, Some(from.remote));
                assert!(self.agent.sources().any(|source| source == from));
                let changed = selected_changed.or(selected);
                assert_eq!(self.agent.selected(), changed);
            }
        }
        if !matches!(outcome, Outcome::Checked { .. }) {
            assert!(self.agent.sources().eq(before));
        }
        if peek_local_ufrag(datagram).is_some() {
            assert!(is_stun(datagram));
        }
    }

    fn hear(&mut self, from: Path) {
        let before = self.agent.selected();
        let moved = self.agent.hear(from, self.now);
        assert_eq!(self.agent.selected(), moved.or(before));
        assert!(moved.is_none_or(|path| path == from));
    }

    fn restart(&mut self) {
        let Some(restarts) = self.restarts.checked_add(1) else {
            return;
        };
        self.restarts = restarts;
        let (ufrag, pwd) = credentials(restarts);
        self.agent.restart(ufrag, &pwd);
        self.agent
            .set_remote(REMOTE_UFRAG, "theirpasswordtheirpass");
    }

    /// The key of a request that is signed with valid credentials and names them.
    fn proof(&self, datagram: &[u8]) -> Option<Key> {
        let message = Message::parse(datagram).ok()?;
        let (named, _) = message.username?.split_once(':')?;
        let mut all = (0..=self.restarts).map(credentials);
        let (ufrag, pwd) = all.find(|(ufrag, _)| ufrag == named)?;
        let is_valid = self.agent.local_ufrags().any(|valid| valid == ufrag);
        let key = Key::new(&pwd);
        (is_valid && message.class == Class::Request && message.verify(&key)).then_some(key)
    }

    fn judge(&self) {
        let sources: Vec<_> = self.agent.sources().collect();
        let streams = sources
            .iter()
            .filter(|path| matches!(path.via, Via::Tcp(_)));
        assert!(sources.len() <= MAX_SOURCES && streams.count() <= MAX_STREAMS);
        assert_eq!(self.agent.selected(), sources.first().copied());
        assert!(self.agent.local_ufrags().count() <= 2);
    }
}

fn steps(mut input: &[u8]) -> impl Iterator<Item = (u8, Path, &[u8])> {
    std::iter::from_fn(move || {
        let (&[what, number, len], rest) = input.split_first_chunk()?;
        let (bytes, rest) = rest.split_at(rest.len().min(len.into()));
        input = rest;
        Some((what, path(number), bytes))
    })
}

fuzz_target!(|input: &[u8]| {
    let mut scene = Scene::new();
    for (what, from, bytes) in steps(input) {
        scene.step(what, from, bytes);
        scene.judge();
    }
});
