//! An independent WebRTC stack on both sides of the engine: full ICE, DTLS client, its own SRTP and RTCP.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use serde_json::json;
use str0m::format::{Codec, FormatParams};
use str0m::ice::IceCreds;
use str0m::media::{Frequency, MediaKind};
use str0m::net::{Protocol, Receive};
use str0m::rtp::{Extension, ExtensionValues, RtpPacket, RtpWrite};
use str0m::{Candidate, Event, Input, Output, Rtc, RtcConfig};

use pagecalls_media::dtls::{Certificate, Context};
use pagecalls_media::fresh::Fresh;
use pagecalls_media::outbox::Outbox;
use pagecalls_media::path::Path;
use pagecalls_media::protocol::{self, AcceptedBy, Command, Reply};
use pagecalls_media::shard::Shard;

const STEP: Duration = Duration::from_millis(5);

struct Peer {
    rtc: Rtc,
    address: SocketAddr,
    pt: u8,
    mid_ext: u8,
    level_ext: u8,
    ssrc: u32,
    heard: Vec<RtpPacket>,
    /// Losses that the other side's reports tell.
    reports: usize,
}

impl Peer {
    fn new(now: Instant, last: u8, pt: u8, mid_ext: u8, level_ext: u8, ssrc: u32) -> Self {
        let mut config = RtcConfig::new()
            .clear_codecs()
            .clear_extension_map()
            .set_rtp_mode(true);
        let opus = (
            Codec::Opus,
            Frequency::FORTY_EIGHT_KHZ,
            Some(2),
            FormatParams::default(),
        );
        config
            .codec_config()
            .add_config(pt.into(), None, opus.0, opus.1, opus.2, opus.3);
        let config = config
            .set_extension(mid_ext, Extension::RtpMid)
            .set_extension(level_ext, Extension::AudioLevel)
            .set_stats_interval(Some(Duration::from_secs(1)));
        let mut rtc = config.build(now);
        let address = SocketAddr::from(([192, 0, 2, last], 4_000));
        rtc.add_local_candidate(Candidate::host(address, "udp").unwrap());
        Self {
            rtc,
            address,
            pt,
            mid_ext,
            level_ext,
            ssrc,
            heard: Vec::new(),
            reports: 0,
        }
    }

    /// What the control plane would read in its SDP.
    fn apply(&mut self, leg: &str, outputs: &[(u32, &str)]) -> Command {
        let direct = self.rtc.direct_api();
        let (credentials, fingerprint) = (
            direct.local_ice_credentials(),
            direct.local_dtls_fingerprint().clone(),
        );
        let hex: Vec<String> = fingerprint
            .bytes
            .iter()
            .map(|byte| format!("{byte:02X}"))
            .collect();
        let codecs = json!([{"key": "opus/48000/2", "pt": self.pt}]);
        let ext = json!({"mid": self.mid_ext, "level": self.level_ext});
        let outputs: Vec<_> = outputs
            .iter()
            .map(|(ssrc, mid)| json!({"ssrc": ssrc, "mid": mid}))
            .collect();
        serde_json::from_value(json!({
            "op": "leg.apply", "leg": leg, "rev": 1, "timers": {},
            "remote": {
                "ufrag": credentials.ufrag, "pwd": credentials.pass,
                "fingerprints": [{"alg": fingerprint.hash_func, "value": hex.join(":")}],
            },
            "recv": [{"track": "in", "mid": "0", "kind": "audio", "codecs": codecs, "ext": ext}],
            "send": [{"track": "out", "kind": "audio", "cname": "far", "codecs": codecs, "ext": ext, "outputs": outputs}],
        }))
        .unwrap()
    }

    /// Takes the engine's answer.
    fn connect(
        &mut self,
        offer: &protocol::LegCreateOk,
        certificate: &Certificate,
        engine: SocketAddr,
        mids: &[&str],
    ) {
        let fingerprint = format!("sha-256 {}", certificate.fingerprint_sha256());
        let mut direct = self.rtc.direct_api();
        direct.set_ice_controlling(true);
        direct.set_remote_ice_credentials(IceCreds {
            ufrag: offer.ufrag.clone(),
            pass: offer.pwd.clone(),
        });
        direct.set_remote_fingerprint(fingerprint.parse().unwrap());
        direct.start_dtls(true).unwrap();
        for mid in mids {
            direct.declare_media((*mid).into(), MediaKind::Audio);
        }
        direct.declare_stream_tx(self.ssrc.into(), None, "0".into(), None);
        self.rtc
            .add_remote_candidate(Candidate::host(engine, "udp").unwrap());
    }

    fn speak(&mut self, count: u32, now: Instant) {
        let (ssrc, pt) = (self.ssrc.into(), self.pt.into());
        let level = ExtensionValues {
            audio_level: Some(-30),
            voice_activity: Some(true),
            ..Default::default()
        };
        let payload = format!("from {} number {count}", self.ssrc).into_bytes();
        let write = RtpWrite::new(
            pt,
            (60_000 + u64::from(count)).into(),
            count * 960,
            now,
            payload,
        )
        .ext_vals(level);
        self.rtc
            .direct_api()
            .stream_tx(&ssrc)
            .unwrap()
            .write_rtp(write);
    }

    /// Drains what it has to say; returns its datagrams.
    fn poll(&mut self) -> Vec<Vec<u8>> {
        let mut datagrams = Vec::new();
        loop {
            match self.rtc.poll_output().unwrap() {
                Output::Timeout(_) => return datagrams,
                Output::Transmit(transmit) => datagrams.push(transmit.contents.to_vec()),
                Output::Event(Event::RtpPacket(packet)) => self.heard.push(packet),
                Output::Event(Event::MediaEgressStats(stats)) => {
                    self.reports += usize::from(stats.remote.is_some());
                }
                Output::Event(_) => {}
            }
        }
    }
}

struct World {
    shard: Shard,
    outbox: Outbox,
    engine: SocketAddr,
    now: Instant,
    peers: Vec<Peer>,
    events: Vec<protocol::Event>,
}

impl World {
    fn new() -> Self {
        let now = Instant::now();
        let certificate = Certificate::generate().unwrap();
        let fill = |bytes: &mut [u8]| openssl::rand::rand_bytes(bytes).unwrap();
        let context = Context::new(&certificate).unwrap();
        let shard = Shard::new(0, context, vec![], Fresh::new(Box::new(fill)), now);
        let peers = vec![
            Peer::new(now, 11, 111, 4, 1, 1_111),
            Peer::new(now, 12, 109, 3, 7, 2_222),
        ];
        let engine = SocketAddr::from(([192, 0, 2, 1], 3_478));
        let mut world = Self {
            shard,
            outbox: Outbox::new(),
            engine,
            now,
            peers,
            events: Vec::new(),
        };
        world.command(json!({"op": "call.create", "call": "c"}));
        let outputs: [&[(u32, &str)]; 2] = [&[(5_000, "0"), (5_001, "1")], &[(6_000, "0")]];
        for (place, leg) in ["b", "k"].into_iter().enumerate() {
            let Reply::LegCreateOk(offer) =
                world.command(json!({"op": "leg.create", "call": "c", "leg": leg}))
            else {
                panic!()
            };
            let apply = world.peers[place].apply(leg, outputs[place]);
            world.shard.command(apply, now, &mut world.outbox).unwrap();
            world.peers[place].connect(
                &offer,
                &certificate,
                engine,
                [&["0", "1"][..], &["0"]][place],
            );
        }
        let end = |leg: &str, track: &str| json!({"leg": leg, "track": track});
        world.command(
            json!({"op": "call.route", "call": "c", "rev": 1, "routes": [
                {"from": end("b", "in"), "to": end("k", "out")},
                {"from": end("k", "in"), "to": end("b", "out")},
            ]}),
        );
        world
    }

    fn command(&mut self, command: serde_json::Value) -> Reply {
        let command = serde_json::from_value(command).unwrap();
        self.shard
            .command(command, self.now, &mut self.outbox)
            .unwrap()
    }

    /// Five milliseconds of everything.
    fn step(&mut self) {
        self.now += STEP;
        if self.shard.next_due() <= self.now {
            self.shard.on_time(self.now, &mut self.outbox);
        }
        let mut said = VecDeque::new();
        for peer in &mut self.peers {
            peer.rtc.handle_input(Input::Timeout(self.now)).unwrap();
            said.extend(
                peer.poll()
                    .into_iter()
                    .map(|datagram| (peer.address, datagram)),
            );
        }
        self.deliver(&mut said);
        while let Some((from, mut datagram)) = said.pop_front() {
            self.shard.datagram(
                &mut datagram,
                Path::udp(0, from),
                self.now,
                &mut self.outbox,
            );
            self.deliver(&mut said);
        }
        self.events.append(&mut self.outbox.events);
    }

    /// Gives the peers what the shard sends. This stack wants to be drained after every single input.
    fn deliver(&mut self, said: &mut VecDeque<(SocketAddr, Vec<u8>)>) {
        for (to, bytes) in self.outbox.datagrams() {
            let peer = self
                .peers
                .iter_mut()
                .find(|peer| peer.address == to.remote)
                .unwrap();
            let contents = bytes.try_into().unwrap();
            let receive = Receive {
                proto: Protocol::Udp,
                source: self.engine,
                destination: to.remote,
                contents,
            };
            peer.rtc
                .handle_input(Input::Receive(self.now, receive))
                .unwrap();
            said.extend(
                peer.poll()
                    .into_iter()
                    .map(|datagram| (to.remote, datagram)),
            );
        }
        self.outbox.clear_datagrams();
    }

    fn legs_up(&self) -> usize {
        self.events
            .iter()
            .filter(|event| matches!(event, protocol::Event::LegDtls(_)))
            .count()
    }
}

fn payloads(packets: &[RtpPacket], ssrc: u32) -> Vec<String> {
    let mine = packets.iter().filter(|packet| *packet.header.ssrc == ssrc);
    mine.map(|packet| String::from_utf8(packet.payload.to_vec()).unwrap())
        .collect()
}

#[test]
fn two_peers_of_another_make_hear_each_other() {
    let mut world = World::new();
    let mut steps = 0;
    while world.legs_up() < 2 {
        world.step();
        steps += 1;
        assert!(
            steps < 2_000,
            "not up after ten seconds: {:?}",
            world.events
        );
    }
    for count in 0..500 {
        let now = world.now;
        world
            .peers
            .iter_mut()
            .for_each(|peer| peer.speak(count, now));
        (0..4).for_each(|_| world.step());
    }
    let said = |ssrc: u32| {
        (0..500)
            .map(|count| format!("from {ssrc} number {count}"))
            .collect::<Vec<_>>()
    };
    let (business, consumer) = (&world.peers[0], &world.peers[1]);
    assert_eq!(payloads(&consumer.heard, 6_000), said(1_111));
    assert_eq!(payloads(&business.heard, 5_000), said(2_222));
    assert_eq!(
        payloads(&business.heard, 5_001),
        said(2_222),
        "the copy is found by its own MID"
    );
    let levels = consumer
        .heard
        .iter()
        .map(|packet| packet.header.ext_vals.audio_level);
    assert!(levels.into_iter().all(|level| level == Some(-30)));

    // Reports crossed: each side's outputs were acknowledged, and each sender heard from its receiver.
    let mut accepted: Vec<_> = world
        .events
        .iter()
        .filter_map(|event| match event {
            protocol::Event::TrackAccepted(accepted) => Some((accepted.ssrc, accepted.by)),
            _ => None,
        })
        .collect();
    accepted.sort_by_key(|(ssrc, _)| *ssrc);
    assert_eq!(
        accepted,
        [
            (5_000, AcceptedBy::Rr),
            (5_001, AcceptedBy::Rr),
            (6_000, AcceptedBy::Rr)
        ]
    );
    assert!(world.peers.iter().all(|peer| peer.reports > 0));
}
