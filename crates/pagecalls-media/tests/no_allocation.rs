//! Nothing is allocated for a media packet: not by us, and not by OpenSSL. A program of its own, for it counts every allocation.

#[allow(
    dead_code,
    reason = "the rig of the engine's tests, of which this needs a part"
)]
#[path = "engine/rig/mod.rs"]
mod rig;

#[allow(dead_code, reason = "as above")]
#[path = "engine/video_rig.rs"]
mod video_rig;

use std::alloc::{GlobalAlloc, Layout, System};
use std::ffi::{c_char, c_int, c_void};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use pagecalls_media::rtcp::Writer;
use pagecalls_media::srtp::Profile;
use pagecalls_media::twcc::feedback::Builder;
use rig::{BUSINESS, CONSUMER, Packet, Rig};
use video_rig::{FULL, Side, numbered, picture, repeat};

static OURS: AtomicUsize = AtomicUsize::new(0);
static OPENSSLS: AtomicUsize = AtomicUsize::new(0);

struct Counting;

// SAFETY: all is handed on to the system's allocator.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        OURS.fetch_add(1, Ordering::Relaxed);
        // SAFETY: as the caller promised.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, place: *mut u8, layout: Layout) {
        // SAFETY: as the caller promised.
        unsafe { System.dealloc(place, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

unsafe extern "C" {
    fn CRYPTO_set_mem_functions(
        malloc: extern "C" fn(usize, *const c_char, c_int) -> *mut c_void,
        realloc: extern "C" fn(*mut c_void, usize, *const c_char, c_int) -> *mut c_void,
        free: extern "C" fn(*mut c_void, *const c_char, c_int),
    ) -> c_int;
}

extern "C" fn malloc(len: usize, _file: *const c_char, _line: c_int) -> *mut c_void {
    OPENSSLS.fetch_add(1, Ordering::Relaxed);
    // SAFETY: any length is fine.
    unsafe { libc::malloc(len) }
}

extern "C" fn realloc(
    old: *mut c_void,
    len: usize,
    _file: *const c_char,
    _line: c_int,
) -> *mut c_void {
    OPENSSLS.fetch_add(1, Ordering::Relaxed);
    // SAFETY: OpenSSL gives back what it got from here.
    unsafe { libc::realloc(old, len) }
}

extern "C" fn free(old: *mut c_void, _file: *const c_char, _line: c_int) {
    // SAFETY: OpenSSL gives back what it got from here.
    unsafe { libc::free(old) }
}

fn counted() -> (usize, usize) {
    (
        OURS.load(Ordering::Relaxed),
        OPENSSLS.load(Ordering::Relaxed),
    )
}

#[test]
fn a_forwarded_packet_allocates_nothing() {
    // SAFETY: nothing of OpenSSL has run before, which is when it may be told.
    let told = unsafe { CRYPTO_set_mem_functions(malloc, realloc, free) };
    assert_eq!(told, 1);
    for profile in Profile::OFFER_ORDER {
        sound_and_large_packets(profile);
        let without_rtx = Side {
            has_rtx: false,
            ..FULL
        };
        video_with_repeats_and_feedback(profile, FULL);
        video_with_repeats_and_feedback(profile, without_rtx);
    }
}

/// A camera whose every tenth packet comes again, and whose receiver tells of its packets.
fn video_with_repeats_and_feedback(profile: Profile, receiver: Side) {
    let mut rig = video_rig::call_with(&[profile], FULL, receiver);
    let mut datagrams = Vec::new();
    let (mut number, mut out) = (0, 1);
    for seq in 0..300 {
        let packet = picture(BUSINESS, 500, seq).with_payload(&[7; 1_000]);
        let mut sent = vec![numbered(packet.clone(), BUSINESS, number)];
        number += 1;
        if seq % 10 == 9 {
            sent.push(numbered(
                repeat(BUSINESS, 501, seq, &packet),
                BUSINESS,
                number,
            ));
            number += 1;
        }
        for packet in &sent {
            datagrams.push((BUSINESS, rig.peers[BUSINESS].encrypt(packet)));
        }
        if seq % 20 == 19 {
            let mut buffer = [0; 1_200];
            let mut writer = Writer::new(&mut buffer);
            writer.receiver_report(9, std::iter::empty());
            let mut builder = Builder::new(out);
            assert!((0..20u32).all(|step| builder.push(Some(40 * (u32::from(out) + step)))));
            builder.write(9, 6000, 0, 0, &mut writer);
            let len = writer.len();
            datagrams.push((CONSUMER, rig.peers[CONSUMER].encrypt_rtcp(&buffer[..len])));
            out += 20;
        }
    }
    let mut before = counted();
    let mut sent = 0;
    for (number, (peer, datagram)) in datagrams.iter_mut().enumerate() {
        if number == 100 {
            before = counted();
        }
        let path = rig.peers[*peer].path;
        // Faster than that, the books of numbers would still grow.
        let now = rig.now + Duration::from_millis(8) * number as u32;
        rig.shard.datagram(datagram, path, now, &mut rig.outbox);
        sent += rig.outbox.len();
        rig.outbox.clear_datagrams();
    }
    assert!(
        sent >= 300 + 30 + 14,
        "media, repeats, and feedback to the sender: {sent}"
    );
    assert_eq!(counted(), before, "{profile:?}");
}

fn sound_and_large_packets(profile: Profile) {
    let mut rig = Rig::call_with(&[profile]);
    for (from, pt, ssrc, payload) in [
        (BUSINESS, 111, 100, 80),
        (CONSUMER, 109, 200, 80),
        (BUSINESS, 111, 100, 1_100),
    ] {
        let first = 1_000 * (payload / 1_000) as u16;
        let mut packets: Vec<Vec<u8>> = (first..first + 200)
            .map(|seq| {
                let packet = Packet::audio(pt, ssrc, seq, 960 * u32::from(seq));
                rig.peers[from].encrypt(&packet.with_payload(&vec![7; payload]))
            })
            .collect();
        let path = rig.peers[from].path;
        let mut forwarded = 0;
        let mut before = counted();
        assert!(before.0 > 0 && before.1 > 0, "allocations are counted");
        for (number, packet) in packets.iter_mut().enumerate() {
            if number == 50 {
                before = counted(); // buffers have grown, the stream is known
            }
            rig.shard.datagram(packet, path, rig.now, &mut rig.outbox);
            forwarded += rig.outbox.len();
            rig.outbox.clear_datagrams();
        }
        assert_eq!(forwarded, 200);
        assert_eq!(counted(), before, "{profile:?}, {payload} octets");
    }
}
