//! Peers around a shard, without sockets: what the shard sends is delivered at once, and the time moves when a test says so.

mod packet;
mod peer;
mod tracks;

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::{Duration, Instant};

use pagecalls_media::dtls::{Certificate, Context, Fingerprint, Role, Session};
use pagecalls_media::fresh::Fresh;
use pagecalls_media::outbox::Outbox;
use pagecalls_media::path::Path;
use pagecalls_media::protocol::{
    self, CallCreate, CallRoute, Candidate, Codec, Command, Event, LegApply, LegCreate, LegStats,
    Outcome, Proto, RecvTrack, Reply, Route, SendTrack, Snapshot, Timers,
};
use pagecalls_media::shard::Shard;
use pagecalls_media::srtp::Profile;

pub use packet::Packet;
pub use peer::Peer;
pub use tracks::{
    BUSINESS_EXT, CONSUMER_EXT, NARROW_EVENT, OPUS, WIDE_EVENT, codec, recv, route, send,
};

/// A shard with its peers, the time, and what has happened.
pub struct Rig {
    pub shard: Shard,
    pub now: Instant,
    pub events: Vec<Event>,
    pub peers: Vec<Peer>,
    pub certificate: Rc<Certificate>,
    /// While it is there, what the shard sends goes here, with the peer that it is for, and to nobody else.
    pub caught: Option<Vec<(usize, Vec<u8>)>>,
    /// TCP connections that the shard gave up.
    pub unused: Vec<u32>,
    /// Those that their leg gave up while it went on.
    pub cut: Vec<u32>,
    pub outbox: Outbox,
    /// What peers offer that come from now on.
    pub profiles: Vec<Profile>,
    /// What peers show and offer that come from now on; each makes its own where there is none.
    pub shown: Option<(Rc<Certificate>, Context)>,
}

pub const BUSINESS: usize = 0;
pub const CONSUMER: usize = 1;

impl Rig {
    pub fn new() -> Self {
        let certificate = Certificate::generate().unwrap();
        let context = Context::new(&certificate).unwrap();
        Self::showing(certificate.into(), context)
    }

    /// One whose engine shows this certificate.
    pub fn showing(certificate: Rc<Certificate>, context: Context) -> Self {
        let now = Instant::now();
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
            cut: Vec::new(),
            outbox: Outbox::new(),
            profiles: Profile::OFFER_ORDER.into(),
            shown: None,
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

    /// Makes the legs of [`Self::unrouted`].
    pub fn connect_both(&mut self) {
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
        self.add_peer_to("c", leg)
    }

    pub fn add_peer_to(&mut self, call: &str, leg: &str) -> usize {
        let created = self.command(LegCreate {
            call: call.into(),
            leg: leg.into(),
        });
        let Ok(Reply::LegCreateOk(offer)) = created else {
            panic!("no leg: {created:?}")
        };
        let (certificate, context) = self.shown.clone().unwrap_or_else(|| {
            let certificate = Certificate::generate().unwrap();
            let context = Context::offering(&certificate, &self.profiles).unwrap();
            (certificate.into(), context)
        });
        let mut session = Session::new(&context, Role::Active).unwrap();
        let ours = Fingerprint::parse("sha-256", &self.certificate.fingerprint_sha256()).unwrap();
        session.set_expected(&[ours]);
        let path = Path::udp(
            0,
            SocketAddr::from(([198, 51, 100, 1], 5_000 + self.peers.len() as u16)),
        );
        self.peers
            .push(Peer::new(leg, path, certificate, session, offer));
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
            self.cut.append(&mut self.outbox.cut);
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
