//! A peer of a leg, and all that it got. It sends nothing by itself: what it makes are bytes, and the rig carries them.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::rc::Rc;
use std::time::Instant;

use pagecalls_media::dtls::{Certificate, Progress, Session};
use pagecalls_media::path::Path;
use pagecalls_media::protocol::{self, HashName, LegCreateOk, Remote};
use pagecalls_media::rtcp;
use pagecalls_media::rtp::Header;
use pagecalls_media::srtp::{Inbound, MasterKey, Outbound, Profile, SrtpError};
use pagecalls_media::stun::{Builder, Class, Key};

use super::Packet;

/// A full ICE agent's checks, a DTLS end and SRTP: what a browser's transport does, as far as the engine sees it.
pub struct Peer {
    pub leg: String,
    pub path: Path,
    pub certificate: Rc<Certificate>,
    pub session: Session,
    pub offer: LegCreateOk,
    pub rtp: Vec<Packet>,
    pub rtcp: Vec<Vec<u8>>,
    pub is_closed: bool,
    pub dtls_error: Option<String>,
    /// Answers to STUN requests: success or not.
    pub answers: Vec<bool>,
    /// Packets that came once more, exactly as before.
    pub again: usize,
    /// What came under each number, as it was on the wire.
    on_the_wire: HashMap<(u32, u16), u64>,
    keys: Option<(Inbound, Outbound)>,
    /// What opens all that the engine sends, for another receiver.
    pub inbound: Option<(Profile, MasterKey)>,
}

impl Peer {
    /// A peer that has sent nothing yet.
    pub fn new(
        leg: &str,
        path: Path,
        certificate: Rc<Certificate>,
        session: Session,
        offer: LegCreateOk,
    ) -> Self {
        Self {
            leg: leg.into(),
            path,
            certificate,
            session,
            offer,
            rtp: vec![],
            rtcp: vec![],
            is_closed: false,
            dtls_error: None,
            answers: vec![],
            again: 0,
            on_the_wire: HashMap::new(),
            keys: None,
            inbound: None,
        }
    }

    pub fn is_up(&self) -> bool {
        self.keys.is_some()
    }

    pub fn encrypt(&mut self, packet: &Packet) -> Vec<u8> {
        let (mut bytes, header_len) = packet.bytes();
        let len = bytes.len();
        bytes.resize(len + 64, 0);
        let keys = self.keys.as_mut().expect("the peer is up");
        let len = keys.1.protect_rtp(&mut bytes, header_len, len).unwrap();
        bytes.truncate(len);
        bytes
    }

    /// Any bytes as an authentic RTP packet, if they have an RTP header and SRTP has a number for them.
    pub fn encrypt_bytes(&mut self, bytes: &[u8]) -> Option<Vec<u8>> {
        let header_len = Header::parse(bytes)?.len;
        let mut packet = bytes.to_vec();
        packet.resize(bytes.len() + 64, 0);
        let srtp = &mut self.keys.as_mut()?.1;
        let len = srtp.protect_rtp(&mut packet, header_len, bytes.len());
        packet.truncate(len.ok()?);
        Some(packet)
    }

    pub fn encrypt_rtcp(&mut self, compound: &[u8]) -> Vec<u8> {
        let mut bytes = compound.to_vec();
        bytes.resize(compound.len() + 64, 0);
        let keys = self.keys.as_mut().expect("the peer is up");
        let len = keys.1.protect_rtcp(&mut bytes, compound.len()).unwrap();
        bytes.truncate(len);
        bytes
    }

    pub fn take(&mut self) -> Vec<Packet> {
        std::mem::take(&mut self.rtp)
    }

    /// The RTCP that came since the last call, as one list of (type, count, body).
    pub fn take_rtcp(&mut self) -> Vec<(u8, u8, Vec<u8>)> {
        let compounds = std::mem::take(&mut self.rtcp);
        let all = compounds
            .iter()
            .flat_map(|compound| rtcp::packets(compound));
        all.map(|packet| (packet.kind, packet.count, packet.body.to_vec()))
            .collect()
    }

    pub fn fingerprint(&self) -> protocol::Fingerprint {
        protocol::Fingerprint {
            alg: HashName::Sha256,
            value: self.certificate.fingerprint_sha256(),
        }
    }

    pub fn remote(&self, role: protocol::Role) -> Remote {
        Remote {
            ufrag: format!("peer{}", self.leg),
            pwd: "a password of their own".into(),
            fingerprints: vec![self.fingerprint()],
            role,
        }
    }

    pub fn check(&self, nominate: bool) -> Vec<u8> {
        let mut bytes = Vec::new();
        let username = format!("{}:peer{}", self.offer.ufrag, self.leg);
        let mut builder = Builder::new(&mut bytes, Class::Request, *b"twelve bytes")
            .username(&username)
            .priority(1)
            .controlling(7);
        if nominate {
            builder = builder.use_candidate();
        }
        builder.finish(Some(&Key::new(&self.offer.pwd)));
        bytes
    }

    pub fn take_in(&mut self, datagram: &[u8], now: Instant) {
        match datagram[0] {
            0..=3 => self.answers.push(datagram[..2] == [1, 1]),
            20..=63 => {
                let progress = self.session.receive(datagram, now);
                self.note(progress);
            }
            _ if (192..=223).contains(&datagram[1]) => {
                let mut bytes = datagram.to_vec();
                let keys = self.keys.as_mut().expect("nothing comes before the keys");
                let len = keys.0.unprotect_rtcp(&mut bytes).unwrap();
                self.rtcp.push(bytes[..len].to_vec());
            }
            _ => {
                let mut bytes = datagram.to_vec();
                let header = Header::parse(&bytes).unwrap();
                let mut hasher = DefaultHasher::new();
                bytes.hash(&mut hasher);
                let (number, hash) = ((header.ssrc, header.seq), hasher.finish());
                let keys = self.keys.as_mut().expect("nothing comes before the keys");
                match keys.0.unprotect_rtp(&mut bytes, header.len) {
                    Ok(len) => {
                        self.on_the_wire.insert(number, hash);
                        self.rtp.push(Packet::parse(&bytes[..len]));
                    }
                    // Two packets under one number would give the key stream away (RFC 3711 9.1).
                    Err(SrtpError::Replayed) => {
                        assert_eq!(self.on_the_wire.get(&number), Some(&hash), "another packet");
                        self.again += 1;
                    }
                    // So late that no receiver can tell it from a replay.
                    Err(SrtpError::TooOld) => {}
                    Err(error) => panic!("the engine sent what cannot be decrypted: {error}"),
                }
            }
        }
    }

    pub fn note(&mut self, progress: Result<Progress, pagecalls_media::error::DtlsError>) {
        match progress {
            Ok(Progress::Nothing) => {}
            Ok(Progress::Connected {
                profile,
                local,
                remote,
            }) => {
                let inbound = Inbound::new(profile, &remote.0, &remote.1).unwrap();
                let outbound = Outbound::new(profile, &local.0, &local.1).unwrap();
                self.keys = Some((inbound, outbound));
                self.inbound = Some((profile, remote));
            }
            Ok(Progress::PeerClosed) => self.is_closed = true,
            Err(error) => self.dtls_error = Some(error.to_string()),
        }
    }
}
