//! What one forwarded packet costs the engine itself, without sockets and system calls: a shard with one call, whose two peers have
//! really shaken hands, gets packets one after the other.
//!
//! Prints one line of JSON. For a count of instructions, which does not depend on what else the machine does, `bench/bench_relay.py`
//! runs it under callgrind.

#[allow(
    dead_code,
    reason = "the rig of the engine's tests, of which this needs a part"
)]
#[path = "../tests/engine/rig/mod.rs"]
mod rig;

#[allow(dead_code, reason = "as above")]
#[path = "../tests/engine/video_rig.rs"]
mod video_rig;

use std::time::Instant;

use pagecalls_media::outbox::Outbox;
use pagecalls_media::path::Path;
use pagecalls_media::shard::Shard;
use pagecalls_media::srtp::Profile;

use rig::{BUSINESS, Packet, Rig};
use video_rig::{FULL, Side, numbered, picture};

/// Packets that go before those that count: buffers grow, caches fill.
const WARM_UP: u16 = 100;
/// Packets between two times that the outbox is emptied, as a worker does it.
const BATCH: usize = 16;

/// One run.
struct Job {
    profile: Profile,
    payload_bytes: usize,
    packets: u16,
    kind: Kind,
}

/// What is forwarded.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Audio,
    /// With RTX and transport-wide numbers on both sides.
    Video,
    /// The same towards a receiver without RTX, for which packets are remembered.
    VideoToPlain,
}

impl Kind {
    fn call(self, profile: Profile) -> Rig {
        let without_rtx = Side {
            has_rtx: false,
            ..FULL
        };
        match self {
            Self::Audio => Rig::call_with(&[profile]),
            Self::Video => video_rig::call_with(&[profile], FULL, FULL),
            Self::VideoToPlain => video_rig::call_with(&[profile], FULL, without_rtx),
        }
    }

    fn packet(self, seq: u16) -> Packet {
        match self {
            Self::Audio => {
                Packet::audio(111, 100, seq, 960 * u32::from(seq)).with_extension(1, &[0x30])
            }
            Self::Video | Self::VideoToPlain => {
                numbered(picture(BUSINESS, 500, seq), BUSINESS, seq)
            }
        }
    }
}

fn main() {
    let Some(job) = parse(std::env::args().skip(1)) else {
        eprintln!("usage: relay PROFILE PAYLOAD-BYTES PACKETS audio|video|video-to-plain");
        std::process::exit(2);
    };
    let mut rig = job.kind.call(job.profile);
    let mut encrypted: Vec<Vec<u8>> = (0..WARM_UP + job.packets)
        .map(|seq| {
            let packet = job.kind.packet(seq);
            let packet = packet.with_payload(&vec![0xa5; job.payload_bytes]);
            rig.peers[BUSINESS].encrypt(&packet)
        })
        .collect();
    let from = rig.peers[BUSINESS].path;
    let (warm_up, counted) = encrypted.split_at_mut(WARM_UP.into());
    let mut warm = 0;
    for packet in warm_up {
        rig.shard.datagram(packet, from, rig.now, &mut rig.outbox);
        warm += rig.outbox.len();
        rig.outbox.clear_datagrams();
    }
    // The first picture is asked for.
    let asked = usize::from(job.kind != Kind::Audio);
    assert_eq!(
        warm,
        usize::from(WARM_UP) + asked,
        "all of the warm-up goes through"
    );

    let began = Instant::now();
    let forwarded = relay_packets(&mut rig.shard, counted, from, rig.now, &mut rig.outbox);
    let took = began.elapsed();
    println!(
        r#"{{"forwarded": {forwarded}, "packet_us": {:.3}}}"#,
        took.as_secs_f64() * 1e6 / f64::from(job.packets)
    );
}

/// What is counted: from the datagram to the encrypted datagrams in the outbox. Returns how many of those there were.
#[inline(never)]
fn relay_packets(
    shard: &mut Shard,
    packets: &mut [Vec<u8>],
    from: Path,
    now: Instant,
    outbox: &mut Outbox,
) -> usize {
    let mut forwarded = 0;
    for batch in packets.chunks_mut(BATCH) {
        for packet in batch {
            shard.datagram(packet, from, now, outbox);
        }
        forwarded += outbox.len();
        outbox.clear_datagrams();
    }
    forwarded
}

fn parse(words: impl Iterator<Item = String>) -> Option<Job> {
    let words: Vec<String> = words.collect();
    let [profile, payload_bytes, packets, kind] = words.as_slice() else {
        return None;
    };
    let kind = match kind.as_str() {
        "audio" => Kind::Audio,
        "video" => Kind::Video,
        "video-to-plain" => Kind::VideoToPlain,
        _ => return None,
    };
    Some(Job {
        profile: Profile::from_name(profile)?,
        payload_bytes: payload_bytes.parse().ok()?,
        packets: packets.parse().ok()?,
        kind,
    })
}
