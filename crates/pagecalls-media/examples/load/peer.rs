//! One peer: a check that nominates, a handshake, and sound both ways.

use std::io;

use pagecalls_media::rtp::{Fields, Header, write_header};
use pagecalls_media::srtp::{Inbound, Keys, Outbound};
use pagecalls_media::stun::{Builder, Class, Key};
use serde::Deserialize;

use crate::Outcome;
use crate::dtls::{Context, Handshake};
use crate::measure::now_ns;
use crate::net::Sender;

/// Octets of sound in a packet: Opus at 32 kbit/s.
const SOUND_LEN: usize = 80;
/// Samples in a packet at 48 kHz.
const SOUND_TS: u32 = 960;
/// Packets between two consent checks: 5 s (RFC 7675 5.1).
const CHECK_EVERY: usize = 250;
/// A voice, 25 dB below full scale (RFC 6464).
const LEVEL: [u8; 1] = [0x80 + 25];
/// Type preference of a host candidate, and all preferences below it (RFC 8445 5.1.2).
const PRIORITY: u32 = (126 << 24) | (65_535 << 8) | 255;

/// A peer's side of one leg of the engine.
#[derive(Deserialize)]
pub struct Leg {
    /// The engine's user fragment.
    ufrag: String,
    /// The engine's password.
    pwd: String,
    /// The peer's own user fragment.
    own_ufrag: String,
    /// What the peer sends with.
    ssrc: u32,
    /// The payload type of its sound.
    pt: u8,
    /// The id of the audio level in its header extension.
    level_id: u8,
}

/// What came of a datagram.
pub enum Heard {
    /// Nothing that counts here: answers to checks, parts of a handshake, RTCP.
    Other,
    /// The peer is up.
    Up,
    /// A packet of sound.
    Sound {
        /// When it left its peer.
        sent_ns: u64,
    },
}

enum State {
    Checking,
    Handshaking(Handshake),
    Up(Box<(Inbound, Outbound)>),
}

/// One peer.
pub struct Peer {
    at: usize,
    leg: Leg,
    username: String,
    key: Key,
    state: State,
    /// Packets of sound so far.
    sent: usize,
}

impl Peer {
    /// A peer that has sent nothing yet; `at` is its place in the network.
    pub fn new(leg: Leg, at: usize) -> Self {
        Self {
            at,
            username: format!("{}:{}", leg.ufrag, leg.own_ufrag),
            key: Key::new(&leg.pwd),
            leg,
            state: State::Checking,
            sent: 0,
        }
    }

    /// Sends a check, which nominates at once.
    pub fn check(&self, sender: &mut Sender) -> io::Result<()> {
        let mut transaction = [0; 12];
        transaction[..8].copy_from_slice(&now_ns().to_be_bytes());
        transaction[8..].copy_from_slice(&(self.at as u32).to_be_bytes());
        let mut bytes = Vec::with_capacity(128);
        Builder::new(&mut bytes, Class::Request, transaction)
            .username(&self.username)
            .priority(PRIORITY)
            .controlling(1)
            .use_candidate()
            .finish(Some(&self.key));
        sender.queue(self.at, |slot| put(slot, &bytes))
    }

    /// Takes a datagram, which is decrypted in place, and answers it.
    pub fn take(
        &mut self,
        datagram: &mut [u8],
        context: &Context,
        sender: &mut Sender,
    ) -> Outcome<Heard> {
        match (&mut self.state, datagram) {
            // A success response; the engine's other answers make us try no further.
            (State::Checking, [1, 1, ..]) => {
                let mut handshake = Handshake::new(context)?;
                handshake.step(None)?;
                flush(self.at, &mut handshake, sender)?;
                self.state = State::Handshaking(handshake);
                Ok(Heard::Other)
            }
            (State::Handshaking(handshake), datagram @ [20..=63, ..]) => {
                let done = handshake.step(Some(datagram))?;
                flush(self.at, handshake, sender)?;
                let Some((profile, Keys { client, server })) = done else {
                    return Ok(Heard::Other);
                };
                let inbound = Inbound::new(profile, &server.0, &server.1)?;
                let outbound = Outbound::new(profile, &client.0, &client.1)?;
                self.state = State::Up(Box::new((inbound, outbound)));
                Ok(Heard::Up)
            }
            (State::Up(srtp), datagram @ [128..=191, 0..=191 | 224.., ..]) => {
                open(&mut srtp.0, datagram)
            }
            _ => Ok(Heard::Other),
        }
    }

    /// Sends the next packet of sound, and now and then a check; returns when it left.
    pub fn send_sound(&mut self, sender: &mut Sender) -> Outcome<u64> {
        self.sent += 1;
        if (self.sent + self.at) % CHECK_EVERY == 0 {
            self.check(sender)?;
        }
        let State::Up(srtp) = &mut self.state else {
            return Err("sound from a peer that is not up".into());
        };
        let fields = Fields {
            pt: self.leg.pt,
            marker: self.sent == 1,
            padding: false,
            seq: self.sent as u16,
            ts: (self.sent as u32).wrapping_mul(SOUND_TS),
            ssrc: self.leg.ssrc,
        };
        let sent_ns = now_ns();
        let level = [(self.leg.level_id, &LEVEL[..])];
        sender.queue(self.at, |slot| {
            let header_len = write_header(slot, &fields, level.into_iter()).unwrap_or_default();
            let len = header_len + SOUND_LEN;
            slot[header_len..len].fill(0x55);
            slot[header_len..header_len + 8].copy_from_slice(&sent_ns.to_be_bytes());
            // A slot has room for every packet, and a packet of nothing is dropped.
            srtp.1
                .protect_rtp(slot, header_len, len)
                .unwrap_or_default()
        })?;
        Ok(sent_ns)
    }
}

/// Reads a packet of sound. One that does not open is the engine's fault, and the end of the measurement.
fn open(inbound: &mut Inbound, datagram: &mut [u8]) -> Outcome<Heard> {
    let header = Header::parse(datagram).ok_or("the engine sent what is no RTP")?;
    let len = inbound.unprotect_rtp(datagram, header.len)?;
    let stamp = datagram[..len].get(header.len..header.len + 8);
    let stamp = stamp.ok_or("the engine sent a packet without sound")?;
    Ok(Heard::Sound {
        sent_ns: u64::from_be_bytes(stamp.try_into()?),
    })
}

fn flush(at: usize, handshake: &mut Handshake, sender: &mut Sender) -> io::Result<()> {
    while let Some(datagram) = handshake.outgoing() {
        sender.queue(at, |slot| put(slot, &datagram))?;
    }
    Ok(())
}

fn put(slot: &mut [u8], bytes: &[u8]) -> usize {
    slot[..bytes.len()].copy_from_slice(bytes);
    bytes.len()
}
