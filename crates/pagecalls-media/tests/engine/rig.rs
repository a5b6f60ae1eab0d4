//! Peers around a shard, without sockets: what the shard sends is delivered at once, and the time moves when a test says so.

use std::collections::{HashMap, VecDeque};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use pagecalls_media::dtls::{Certificate, Context, Fingerprint, Progress, Role, Session};
use pagecalls_media::fresh::Fresh;
use pagecalls_media::outbox::Outbox;
use pagecalls_media::path::Path;
use pagecalls_media::protocol::{
    self, CallCreate, CallRoute, Candidate, Codec, Command, Event, Extensions, HashName, Kind,
    LegApply, LegCreate, LegCreateOk, LegStats, Outcome, Output, Proto, RecvTrack, Remote, Reply,
    Route, SendTrack, Snapshot, Timers, TrackRef,
};
use pagecalls_media::rtcp;
use pagecalls_media::rtp::{Fields, Header, write_header};
use pagecalls_media::shard::Shard;
use pagecalls_media::srtp::{Inbound, Outbound, Profile, SrtpError};
use pagecalls_media::stun::{Builder, Class, Key};

pub const OPUS: &str = "opus/48000/2";
pub const WIDE_EVENT: &str = "telephone-event/48000";
pub const NARROW_EVENT: &str = "telephone-event/8000";

/// The extension ids that the peers of these tests negotiate, each its own.
pub const BUSINESS_EXT: Extensions = Extensions {
    mid: Some(4),
    level: Some(1),
    twcc: Some(3),
    ast: None,
    rot: None,
    ctype: None,
};
pub const CONSUMER_EXT: Extensions = Extensions {
    mid: Some(3),
    level: Some(7),
    twcc: None,
    ast: None,
    rot: None,
    ctype: None,
};

pub fn codec(key: &str, pt: u8) -> Codec {
    Codec {
        key: key.into(),
        pt,
        rtx_pt: None,
    }
}

pub fn recv(
    track: &str,
    mid: &str,
    ssrcs: &[u32],
    codecs: &[Codec],
    ext: &Extensions,
) -> RecvTrack {
    RecvTrack {
        track: track.into(),
        mid: mid.into(),
        kind: Kind::Audio,
        ssrcs: ssrcs.into(),
        rtx_ssrcs: vec![],
        codecs: codecs.into(),
        ext: ext.clone(),
        fb: vec![],
    }
}

pub fn send(track: &str, outputs: &[(u32, &str)], codecs: &[Codec], ext: &Extensions) -> SendTrack {
    SendTrack {
        track: track.into(),
        kind: Kind::Audio,
        cname: format!("cname-{track}"),
        codecs: codecs.into(),
        ext: ext.clone(),
        fb: vec![],
        outputs: outputs
            .iter()
            .map(|(ssrc, mid)| Output {
                ssrc: *ssrc,
                mid: (*mid).into(),
                rtx_ssrc: None,
            })
            .collect(),
    }
}

pub fn route(from: (&str, &str), to: (&str, &str), on: bool) -> Route {
    let end = |(leg, track): (&str, &str)| TrackRef {
        leg: leg.into(),
        track: track.into(),
    };
    Route {
        from: end(from),
        to: end(to),
        on,
    }
}

/// An RTP packet as a peer sends or receives it, decrypted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Packet {
    pub pt: u8,
    pub marker: bool,
    pub padding: bool,
    pub seq: u16,
    pub ts: u32,
    pub ssrc: u32,
    pub extensions: Vec<(u8, Vec<u8>)>,
    pub payload: Vec<u8>,
}

impl Packet {
    pub fn audio(pt: u8, ssrc: u32, seq: u16, ts: u32) -> Self {
        Self {
            pt,
            marker: false,
            padding: false,
            seq,
            ts,
            ssrc,
            extensions: vec![],
            payload: format!("sound {seq}").into_bytes(),
        }
    }

    pub fn with_extension(mut self, id: u8, value: &[u8]) -> Self {
        self.extensions.push((id, value.to_vec()));
        self
    }

    pub fn with_payload(mut self, payload: &[u8]) -> Self {
        self.payload = payload.to_vec();
        self
    }

    fn bytes(&self) -> (Vec<u8>, usize) {
        let mut bytes = vec![0; 2_000];
        let fields = Fields {
            pt: self.pt,
            marker: self.marker,
            padding: self.padding,
            seq: self.seq,
            ts: self.ts,
            ssrc: self.ssrc,
        };
        let elements = self
            .extensions
            .iter()
            .map(|(id, value)| (*id, value.as_slice()));
        let header_len = write_header(&mut bytes, &fields, elements).unwrap();
        bytes.truncate(header_len);
        bytes.extend_from_slice(&self.payload);
        (bytes, header_len)
    }

    fn parse(bytes: &[u8]) -> Self {
        let header = Header::parse(bytes).unwrap();
        Self {
            pt: header.pt,
            marker: header.marker,
            padding: header.padding,
            seq: header.seq,
            ts: header.ts,
            ssrc: header.ssrc,
            extensions: header
                .extensions(bytes)
                .map(|(id, value)| (id, value.to_vec()))
                .collect(),
            payload: bytes[header.len..].to_vec(),
        }
    }
}

/// A full ICE agent's checks, a DTLS end and SRTP: what a browser's transport does, as far as the engine sees it.
pub struct Peer {
    pub leg: String,
    pub path: Path,
    pub certificate: Certificate,
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
}

impl Peer {
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
            }
            Ok(Progress::PeerClosed) => self.is_closed = true,
            Err(error) => self.dtls_error = Some(error.to_string()),
        }
    }
}

/// A shard with its peers, the time, and what has happened.
pub struct Rig {
    pub shard: Shard,
    pub now: Instant,
    pub events: Vec<Event>,
    pub peers: Vec<Peer>,
    pub certificate: Certificate,
    /// While it is there, what the shard sends goes here, with the peer that it is for, and to nobody else.
    pub caught: Option<Vec<(usize, Vec<u8>)>>,
    /// TCP connections that the shard gave up.
    pub unused: Vec<u32>,
    pub outbox: Outbox,
    /// What peers offer that come from now on.
    pub profiles: Vec<Profile>,
}

pub const BUSINESS: usize = 0;
pub const CONSUMER: usize = 1;

impl Rig {
    pub fn new() -> Self {
        let now = Instant::now();
        let certificate = Certificate::generate().unwrap();
        let context = Context::new(&certificate).unwrap();
        let candidate = Candidate {
            proto: Proto::Udp,
            ip: "192.0.2.1".into(),
            port: 3478,
        };
        let mut state = 1u32;
        let fill = Box::new(move |bytes: &mut [u8]| {
            for byte in bytes {
                state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                *byte = (state >> 24) as u8;
            }
        });
        Self {
            shard: Shard::new(0, context, vec![candidate], Fresh::new(fill), now),
            now,
            events: Vec::new(),
            peers: Vec::new(),
            certificate,
            caught: None,
            unused: Vec::new(),
            outbox: Outbox::new(),
            profiles: Profile::OFFER_ORDER.into(),
        }
    }

    /// A call with a connected business leg `b` and a connected consumer leg `k`, routed both ways: what the business sends on
    /// `in` goes to the consumer's `out`, and the other way round. Sources are 100 and 200, outputs 1000 (mid 0) and 2000 (mid a).
    pub fn call() -> Self {
        Self::call_with(&Profile::OFFER_ORDER)
    }

    /// The same with peers that offer these SRTP profiles alone.
    pub fn call_with(profiles: &[Profile]) -> Self {
        let mut rig = Self::unrouted_with(profiles);
        rig.route(
            1,
            &[
                route(("b", "in"), ("k", "out"), true),
                route(("k", "in"), ("b", "out"), true),
            ],
        );
        rig
    }

    /// The same without routes.
    pub fn unrouted() -> Self {
        Self::unrouted_with(&Profile::OFFER_ORDER)
    }

    /// The same with peers that offer these SRTP profiles alone.
    pub fn unrouted_with(profiles: &[Profile]) -> Self {
        let mut rig = Self::new();
        rig.profiles = profiles.into();
        rig.connect_both();
        rig
    }

    fn connect_both(&mut self) {
        self.command(CallCreate { call: "c".into() }).unwrap();
        for leg in ["b", "k"] {
            self.add_peer(leg);
        }
        self.apply(
            BUSINESS,
            1,
            Rig::business_recv(),
            vec![Rig::business_send(&[(1000, "0")])],
        );
        self.apply(
            CONSUMER,
            1,
            Rig::consumer_recv(),
            vec![Rig::consumer_send()],
        );
        self.connect(BUSINESS);
        self.connect(CONSUMER);
    }

    pub fn business_codecs() -> Vec<Codec> {
        vec![codec(OPUS, 111), codec(WIDE_EVENT, 110)]
    }

    pub fn consumer_codecs() -> Vec<Codec> {
        vec![codec(OPUS, 109), codec(NARROW_EVENT, 101)]
    }

    pub fn business_recv() -> Vec<RecvTrack> {
        vec![recv(
            "in",
            "0",
            &[100],
            &Rig::business_codecs(),
            &BUSINESS_EXT,
        )]
    }

    pub fn business_send(outputs: &[(u32, &str)]) -> SendTrack {
        send("out", outputs, &Rig::business_codecs(), &BUSINESS_EXT)
    }

    pub fn consumer_recv() -> Vec<RecvTrack> {
        vec![recv("in", "a", &[], &Rig::consumer_codecs(), &CONSUMER_EXT)]
    }

    pub fn consumer_send() -> SendTrack {
        send(
            "out",
            &[(2000, "a")],
            &Rig::consumer_codecs(),
            &CONSUMER_EXT,
        )
    }

    // --- commands --------------------------------------------------------------------------------------------------

    pub fn command(&mut self, command: impl Into<Command>) -> Outcome {
        let outcome = self
            .shard
            .command(command.into(), self.now, &mut self.outbox);
        self.deliver();
        outcome
    }

    pub fn add_peer(&mut self, leg: &str) -> usize {
        let created = self.command(LegCreate {
            call: "c".into(),
            leg: leg.into(),
        });
        let Ok(Reply::LegCreateOk(offer)) = created else {
            panic!("no leg: {created:?}")
        };
        let certificate = Certificate::generate().unwrap();
        let context = Context::offering(&certificate, &self.profiles).unwrap();
        let mut session = Session::new(&context, Role::Active).unwrap();
        let ours = Fingerprint::parse("sha-256", &self.certificate.fingerprint_sha256()).unwrap();
        session.set_expected(&[ours]);
        self.peers.push(Peer {
            leg: leg.into(),
            path: Path::udp(
                0,
                SocketAddr::from(([198, 51, 100, 1], 5_000 + self.peers.len() as u16)),
            ),
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
        });
        self.peers.len() - 1
    }

    pub fn desired(
        &self,
        peer: usize,
        rev: u64,
        received: Vec<RecvTrack>,
        sent: Vec<SendTrack>,
    ) -> LegApply {
        let peer = &self.peers[peer];
        LegApply {
            leg: peer.leg.clone(),
            rev,
            remote: Some(peer.remote(protocol::Role::Passive)),
            timers: Timers {
                conn_ms: None,
                dead_ms: Some(30_000),
                bye_ms: Some(5_000),
            },
            recv: received,
            send: sent,
        }
    }

    pub fn apply(&mut self, peer: usize, rev: u64, received: Vec<RecvTrack>, sent: Vec<SendTrack>) {
        let desired = self.desired(peer, rev, received, sent);
        self.command(desired).unwrap();
    }

    pub fn route(&mut self, rev: u64, routes: &[Route]) {
        let routes = routes.to_vec();
        let call = "c".into();
        self.command(CallRoute { call, rev, routes }).unwrap();
    }

    pub fn stats(&mut self) -> Vec<LegStats> {
        let Ok(Reply::SnapshotOk(snapshot)) = self.command(Snapshot {
            call: None,
            after: None,
        }) else {
            panic!("a snapshot never fails")
        };
        snapshot.legs
    }

    // --- the network -----------------------------------------------------------------------------------------------

    /// An ICE check with nomination on the peer's path.
    pub fn check(&mut self, peer: usize) {
        let check = self.peers[peer].check(true);
        self.datagram(peer, &check);
    }

    pub fn check_without_nomination(&mut self, peer: usize) {
        let check = self.peers[peer].check(false);
        self.datagram(peer, &check);
    }

    /// Brings a peer up: check, then handshake.
    pub fn connect(&mut self, peer: usize) {
        self.check(peer);
        self.handshake(peer);
        assert!(self.peers[peer].is_up(), "peer {peer} did not come up");
    }

    pub fn handshake(&mut self, peer: usize) {
        let progress = self.peers[peer].session.start(self.now);
        self.peers[peer].note(progress);
        self.pump(peer);
    }

    /// Sends what the peer's DTLS has to send.
    pub fn pump(&mut self, peer: usize) {
        let mut datagram = Vec::new();
        while self.peers[peer]
            .session
            .poll_transmit(&mut datagram)
            .is_some()
        {
            self.datagram(peer, &datagram.clone());
        }
    }

    /// Gives the shard a datagram from the peer, and delivers what comes of it.
    pub fn datagram(&mut self, peer: usize, bytes: &[u8]) {
        self.datagram_from(self.peers[peer].path, bytes);
    }

    /// How many datagrams the shard sends back to where this one comes from.
    pub fn answers_to(&mut self, from: Path, bytes: &[u8]) -> usize {
        let mut bytes = bytes.to_vec();
        self.shard
            .datagram(&mut bytes, from, self.now, &mut self.outbox);
        let answers = self.outbox.datagrams().filter(|(to, _)| *to == from);
        let count = answers.count();
        self.deliver();
        count
    }

    pub fn datagram_from(&mut self, from: Path, bytes: &[u8]) {
        let mut bytes = bytes.to_vec();
        self.shard
            .datagram(&mut bytes, from, self.now, &mut self.outbox);
        self.deliver();
    }

    /// What carried this path is gone.
    pub fn lose(&mut self, path: Path) {
        self.shard.forget(path, self.now, &mut self.outbox);
        self.deliver();
    }

    /// One turn's share of the handshakes that wait, where they do; whether more wait.
    pub fn handshakes(&mut self) -> bool {
        let more = self.shard.handshakes(self.now, &mut self.outbox);
        self.deliver();
        more
    }

    pub fn send(&mut self, peer: usize, packet: &Packet) {
        let bytes = self.peers[peer].encrypt(packet);
        self.datagram(peer, &bytes);
    }

    /// The same, unless SRTP refuses the number, as it does with one that was sent or is too old.
    pub fn send_if_new(&mut self, peer: usize, packet: &Packet) {
        if let Some(bytes) = self.peers[peer].encrypt_bytes(&packet.bytes().0) {
            self.datagram(peer, &bytes);
        }
    }

    pub fn send_rtcp(&mut self, peer: usize, compound: &[u8]) {
        let bytes = self.peers[peer].encrypt_rtcp(compound);
        self.datagram(peer, &bytes);
    }

    /// Lets the time pass, with all timers on the way.
    pub fn advance(&mut self, time: Duration) {
        let end = self.now + time;
        while self.shard.next_due() <= end {
            self.now = self.now.max(self.shard.next_due());
            self.shard.on_time(self.now, &mut self.outbox);
            self.deliver();
        }
        self.now = end;
    }

    pub fn advance_ms(&mut self, ms: u64) {
        self.advance(Duration::from_millis(ms));
    }

    /// Lets the time pass second by second, with a check of these peers in each.
    pub fn advance_alive(&mut self, seconds: u64, peers: &[usize]) {
        for _ in 0..seconds {
            self.advance_ms(1_000);
            for peer in peers {
                self.check(*peer);
            }
        }
    }

    /// The events since the last call.
    pub fn take_events(&mut self) -> Vec<Event> {
        std::mem::take(&mut self.events)
    }

    fn deliver(&mut self) {
        loop {
            self.events.append(&mut self.outbox.events);
            self.unused.append(&mut self.outbox.unused);
            let datagrams: VecDeque<_> = self
                .outbox
                .datagrams()
                .map(|(to, bytes)| (to, bytes.to_vec()))
                .collect();
            self.outbox.clear_datagrams();
            if datagrams.is_empty() {
                return;
            }
            for (to, bytes) in datagrams {
                let Some(peer) = self.peers.iter().position(|peer| peer.path == to) else {
                    continue;
                };
                if let Some(caught) = &mut self.caught {
                    caught.push((peer, bytes));
                    continue;
                }
                self.peers[peer].take_in(&bytes, self.now);
                let mut answer = Vec::new();
                while self.peers[peer]
                    .session
                    .poll_transmit(&mut answer)
                    .is_some()
                {
                    let mut answer = answer.clone();
                    self.shard
                        .datagram(&mut answer, to, self.now, &mut self.outbox);
                }
            }
        }
    }
}
