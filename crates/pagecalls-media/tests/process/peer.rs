//! A peer on a real socket, UDP or TCP, with a DTLS end and SRTP; and what a test tells the engine of it.

use std::io::{ErrorKind, Read, Write};
use std::net::{IpAddr, SocketAddr, TcpStream, UdpSocket};
use std::time::Instant;

use serde_json::{Value, json};

use pagecalls_media::dtls::{Certificate, Context, Fingerprint, Progress, Role, Session};
use pagecalls_media::rtp::{Fields, Header, write_header};
use pagecalls_media::srtp::{Inbound, Outbound};
use pagecalls_media::stun::{Builder, Class, Key};

use crate::program::{Client, PATIENCE};

/// What carries a peer's datagrams.
pub enum Wire {
    Udp(UdpSocket),
    /// Framed (RFC 4571); `split` writes each frame in two parts.
    Tcp {
        stream: TcpStream,
        split: bool,
    },
}

impl Wire {
    pub fn udp(engine: SocketAddr) -> Self {
        let any: IpAddr = match engine {
            SocketAddr::V4(_) => "0.0.0.0".parse().unwrap(),
            SocketAddr::V6(_) => "::".parse().unwrap(),
        };
        let socket = UdpSocket::bind((any, 0)).unwrap();
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        // From now on only what leaves from this very address is received.
        socket.connect(engine).unwrap();
        Self::Udp(socket)
    }

    pub fn tcp(engine: SocketAddr, split: bool) -> Self {
        let stream = TcpStream::connect(engine).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.set_nodelay(true).unwrap();
        Self::Tcp { stream, split }
    }

    pub fn send(&mut self, datagram: &[u8]) {
        self.send_all(&[datagram]);
    }

    /// On a stream, all of them in one piece.
    pub fn send_all(&mut self, datagrams: &[&[u8]]) {
        match self {
            Self::Udp(socket) => {
                for datagram in datagrams {
                    socket.send(datagram).unwrap();
                }
            }
            Self::Tcp { stream, split } => {
                let framed = |datagram: &&[u8]| {
                    let head = (datagram.len() as u16).to_be_bytes();
                    [&head, *datagram].concat()
                };
                let bytes: Vec<u8> = datagrams.iter().flat_map(framed).collect();
                let cut = if *split { bytes.len() / 2 } else { 0 };
                stream.write_all(&bytes[..cut]).unwrap();
                stream.write_all(&bytes[cut..]).unwrap();
            }
        }
    }

    pub fn receive(&mut self) -> Vec<u8> {
        let mut bytes = vec![0; 2_000];
        let len = match self {
            Self::Udp(socket) => socket.recv(&mut bytes).unwrap(),
            Self::Tcp { stream, .. } => {
                let mut head = [0; 2];
                stream.read_exact(&mut head).unwrap();
                let len = usize::from(u16::from_be_bytes(head));
                stream.read_exact(&mut bytes[..len]).unwrap();
                len
            }
        };
        bytes.truncate(len);
        bytes
    }

    pub fn is_closed(&mut self) -> bool {
        let Self::Tcp { stream, .. } = self else {
            return false;
        };
        match stream.read(&mut [0; 4_096]) {
            Ok(count) => count == 0,
            Err(error) => error.kind() == ErrorKind::ConnectionReset,
        }
    }
}

/// Where an engine listens for a protocol, of what `leg.create` said.
pub fn candidate(offer: &Value, proto: &str, is_v6: bool) -> SocketAddr {
    let mut candidates = offer["candidates"].as_array().unwrap().iter();
    let found = candidates.find(|candidate| {
        candidate["proto"] == proto && candidate["ip"].as_str().unwrap().contains(':') == is_v6
    });
    let found = found.unwrap_or_else(|| panic!("no {proto} in {offer}"));
    let ip: IpAddr = found["ip"].as_str().unwrap().parse().unwrap();
    (ip, found["port"].as_u64().unwrap() as u16).into()
}

/// A peer on a real socket.
pub struct Peer {
    pub wire: Wire,
    pub offer: Value,
    session: Session,
    keys: Option<(Inbound, Outbound)>,
    pub is_closed: bool,
}

impl Peer {
    /// Creates the leg, tells it of a peer, and connects that over UDP and IPv4.
    pub fn connect(client: &mut Client, leg: &str, pt: u8, fingerprint: &Value) -> Self {
        let wire = |offer: &Value| Wire::udp(candidate(offer, "udp", false));
        Self::connect_over(client, "c", leg, pt, fingerprint, wire)
    }

    pub fn connect_over(
        client: &mut Client,
        call: &str,
        leg: &str,
        pt: u8,
        fingerprint: &Value,
        wire: impl FnOnce(&Value) -> Wire,
    ) -> Self {
        let certificate = Certificate::generate().unwrap();
        let offer = client.ok(json!({"op": "leg.create", "call": call, "leg": leg}));
        let codecs = json!([{"key": "opus/48000/2", "pt": pt}]);
        client.ok(json!({
            "op": "leg.apply", "leg": leg, "rev": 1, "timers": {},
            "remote": {
                "ufrag": "peer", "pwd": "a password of their own",
                "fingerprints": [{"alg": "sha-256", "value": certificate.fingerprint_sha256()}],
            },
            "recv": [{"track": "in", "mid": "0", "kind": "audio", "codecs": codecs, "ext": {}}],
            "send": [{"track": "out", "kind": "audio", "cname": "n", "codecs": codecs, "ext": {}, "outputs": [{"ssrc": 7, "mid": "0"}]}],
        }));
        let mut session = Session::new(&Context::new(&certificate).unwrap(), Role::Active).unwrap();
        session.set_expected(&[Fingerprint::parse(
            "sha-256",
            fingerprint["value"].as_str().unwrap(),
        )
        .unwrap()]);
        let mut peer = Self {
            wire: wire(&offer),
            offer,
            session,
            keys: None,
            is_closed: false,
        };
        peer.check();
        let progress = peer.session.start(Instant::now());
        peer.note(progress.unwrap());
        while peer.keys.is_none() {
            peer.receive();
        }
        peer
    }

    pub fn check(&mut self) {
        self.wire.send(&check(&self.offer, &self.offer["pwd"]));
        while self.wire.receive()[..2] != [1, 1] {}
    }

    /// Takes one datagram; returns the payload of a media packet.
    pub fn receive(&mut self) -> Option<Vec<u8>> {
        let mut bytes = self.wire.receive();
        if (20..64).contains(&bytes[0]) {
            let progress = self.session.receive(&bytes, Instant::now()).unwrap();
            self.note(progress);
            return None;
        }
        let header_len = Header::parse(&bytes)?.len;
        if (192..224).contains(&bytes[1]) {
            return None;
        }
        let len = self
            .keys
            .as_mut()?
            .0
            .unprotect_rtp(&mut bytes, header_len)
            .unwrap();
        Some(bytes[header_len..len].to_vec())
    }

    fn note(&mut self, progress: Progress) {
        match progress {
            Progress::Nothing => {}
            Progress::Connected {
                profile,
                local,
                remote,
            } => {
                let inbound = Inbound::new(profile, &remote.0, &remote.1).unwrap();
                self.keys = Some((inbound, Outbound::new(profile, &local.0, &local.1).unwrap()));
            }
            Progress::PeerClosed => self.is_closed = true,
        }
        let mut datagram = Vec::new();
        while self.session.poll_transmit(&mut datagram).is_some() {
            self.wire.send(&datagram);
        }
    }

    /// The next media packet.
    pub fn hear(&mut self) -> Vec<u8> {
        loop {
            if let Some(payload) = self.receive() {
                return payload;
            }
        }
    }

    pub fn speak(&mut self, pt: u8, seq: u16, payload: &[u8]) {
        let packet = self.packet(pt, seq, payload);
        self.wire.send(&packet);
    }

    pub fn packet(&mut self, pt: u8, seq: u16, payload: &[u8]) -> Vec<u8> {
        let mut bytes = vec![0; 300];
        let fields = Fields {
            pt,
            marker: false,
            padding: false,
            seq,
            ts: u32::from(seq) * 960,
            ssrc: 9,
        };
        let header_len = write_header(&mut bytes, &fields, std::iter::empty()).unwrap();
        let len = header_len + payload.len();
        bytes[header_len..len].copy_from_slice(payload);
        let len = self
            .keys
            .as_mut()
            .unwrap()
            .1
            .protect_rtp(&mut bytes, header_len, len)
            .unwrap();
        bytes.truncate(len);
        bytes
    }
}

pub fn check(offer: &Value, pwd: &Value) -> Vec<u8> {
    let mut bytes = Vec::new();
    Builder::new(&mut bytes, Class::Request, *b"twelve bytes")
        .username(&format!("{}:peer", offer["ufrag"].as_str().unwrap()))
        .controlling(1)
        .use_candidate()
        .finish(Some(&Key::new(pwd.as_str().unwrap())));
    bytes
}

/// Both directions between the legs.
pub fn route(client: &mut Client, call: &str, one: &str, other: &str) {
    let end = |leg: &str, track: &str| json!({"leg": leg, "track": track});
    client.ok(
        json!({"op": "call.route", "call": call, "rev": 1, "routes": [
            {"from": end(one, "in"), "to": end(other, "out")},
            {"from": end(other, "in"), "to": end(one, "out")},
        ]}),
    );
}
