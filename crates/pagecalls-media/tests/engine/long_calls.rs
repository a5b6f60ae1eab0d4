//! Sequence numbers come round after 65,536 packets, 22 minutes of sound. Who joins later starts with a rollover counter of 0
//! (RFC 3711 3.3.1) and must hear the first packet all the same: libsrtp2 hears with them, so that the engine's own SRTP is not the
//! only judge. Loss around the wrap must not confuse anybody's counter.

use std::collections::BTreeSet;

use crate::libsrtp2::Oracle;
use crate::rig::{BUSINESS, CONSUMER, Packet, Rig, route};

/// More than one round of sequence numbers.
const LONG: u32 = 70_000;
/// Where the senders of these tests begin.
const FIRST_SEQ: u16 = 60_000;

/// The `count`-th packet of the business; its payload says which it is.
fn sound(count: u32) -> Packet {
    let seq = FIRST_SEQ.wrapping_add(count as u16);
    Packet::audio(111, 100, seq, count.wrapping_mul(960)).with_payload(&count.to_be_bytes())
}

fn count_of(packet: &Packet) -> u32 {
    u32::from_be_bytes(packet.payload.as_slice().try_into().unwrap())
}

/// Lets the business speak, a packet at a time so that nothing piles up; returns what the consumer heard.
fn speak(rig: &mut Rig, counts: std::ops::Range<u32>) -> Vec<Packet> {
    let mut heard = Vec::new();
    for count in counts {
        rig.send(BUSINESS, &sound(count));
        heard.append(&mut rig.peers[CONSUMER].take());
    }
    heard
}

/// libsrtp2 with the keys of this peer, which is up.
fn oracle(rig: &Rig, peer: usize) -> Oracle {
    let (profile, (key, salt)) = rig.peers[peer].inbound.as_ref().expect("the peer is up");
    Oracle::inbound(*profile, key, salt)
}

/// Sends one packet after the other. What goes to the other peer is opened by libsrtp2 and by the peer itself, whose SRTP is the
/// engine's; both must find the same in it.
fn opened_by_both(
    rig: &mut Rig,
    oracle: &mut Oracle,
    (from, to): (usize, usize),
    packets: impl Iterator<Item = Packet>,
) -> Vec<Packet> {
    let mut opened = Vec::new();
    for packet in packets {
        rig.caught = Some(Vec::new());
        rig.send(from, &packet);
        for (peer, datagram) in rig.caught.take().unwrap() {
            assert_eq!(peer, to);
            let plain = oracle.unprotect(&datagram);
            opened.push(Packet::parse(&plain.expect("libsrtp2 opens it")));
            rig.peers[to].take_in(&datagram, rig.now);
        }
    }
    assert_eq!(opened, rig.peers[to].take());
    opened
}

/// All of `counts`, each once and in order, under numbers without a gap.
fn check_whole(heard: &[Packet], counts: std::ops::Range<u32>) {
    assert!(heard.iter().map(count_of).eq(counts));
    let first = heard[0].seq;
    for (place, packet) in heard.iter().enumerate() {
        assert_eq!(packet.seq, first.wrapping_add(place as u16));
    }
}

/// A call whose business leg alone is up; the consumer's leg is routed and waits for its peer.
fn half_a_call() -> Rig {
    let mut rig = Rig::new();
    rig.command(pagecalls_media::protocol::CallCreate { call: "c".into() })
        .unwrap();
    rig.add_peer("b");
    rig.add_peer("k");
    rig.apply(
        BUSINESS,
        1,
        Rig::business_recv(),
        vec![Rig::business_send(&[(1000, "0")])],
    );
    rig.apply(
        CONSUMER,
        1,
        Rig::consumer_recv(),
        vec![Rig::consumer_send()],
    );
    rig.route(1, &[route(("b", "in"), ("k", "out"), true)]);
    rig.connect(BUSINESS);
    rig
}

#[test]
fn a_leg_that_comes_up_after_a_wrap_hears_from_its_first_packet() {
    let mut rig = half_a_call();
    assert!(speak(&mut rig, 0..LONG).is_empty());
    rig.connect(CONSUMER);
    let (mut oracle, after) = (oracle(&rig, CONSUMER), LONG..LONG + 200);
    let sounds = after.clone().map(sound);
    let heard = opened_by_both(&mut rig, &mut oracle, (BUSINESS, CONSUMER), sounds);
    check_whole(&heard, after);
    assert!(
        heard[0].seq < 0x8000,
        "its numbering starts anew, far from the wrap"
    );
}

#[test]
fn a_route_that_opens_after_a_wrap_is_heard_from_its_first_packet() {
    let mut rig = Rig::call();
    let tables = |on| [route(("b", "in"), ("k", "out"), on)];
    let (mut oracle, way) = (oracle(&rig, CONSUMER), (BUSINESS, CONSUMER));
    let before = opened_by_both(&mut rig, &mut oracle, way, (0..10).map(sound));
    rig.route(2, &tables(false));
    assert!(speak(&mut rig, 10..LONG).is_empty());
    rig.route(3, &tables(true));
    let after = LONG..LONG + 200;
    let heard = opened_by_both(&mut rig, &mut oracle, way, after.clone().map(sound));
    check_whole(&heard, after);
    assert_eq!(heard[0].seq, before[9].seq.wrapping_add(1));
}

#[test]
fn a_copy_that_starts_after_a_wrap_is_heard_from_its_first_packet() {
    let mut rig = Rig::call();
    let mut oracle = oracle(&rig, BUSINESS);
    let mut speak = |rig: &mut Rig, counts: std::ops::Range<u32>| {
        let sounds = counts.map(|count| Packet {
            pt: 109,
            ssrc: 200,
            ..sound(count)
        });
        opened_by_both(rig, &mut oracle, (CONSUMER, BUSINESS), sounds)
    };
    check_whole(&speak(&mut rig, 0..LONG), 0..LONG);
    let both = vec![Rig::business_send(&[(1000, "0"), (1001, "1")])];
    rig.apply(BUSINESS, 2, Rig::business_recv(), both);
    let heard = speak(&mut rig, LONG..LONG + 200);
    for ssrc in [1000, 1001] {
        let mut copy = heard.clone();
        copy.retain(|packet| packet.ssrc == ssrc);
        check_whole(&copy, LONG..LONG + 200);
    }
}

/// A way that loses 5 %, doubles 2 % and holds back 10 % until up to 20 others have passed. It is good for its first packets, as
/// nobody can know of what came before the first.
struct Hop {
    state: u64,
    seen: u32,
    held: Vec<(u32, Vec<u8>)>,
}

impl Hop {
    const GOOD: u32 = 50;

    fn new(seed: u64) -> Self {
        Self {
            state: seed,
            seen: 0,
            held: Vec::new(),
        }
    }

    /// A number below 100 (splitmix64).
    fn chance(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.state;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % 100
    }

    /// What comes out when this goes in.
    fn pass(&mut self, datagram: Vec<u8>) -> Vec<Vec<u8>> {
        self.seen += 1;
        let mut out = Vec::new();
        let (loss, hold, double, depth) =
            (self.chance(), self.chance(), self.chance(), self.chance());
        let is_good = self.seen <= Self::GOOD;
        if is_good || loss >= 5 {
            if !is_good && double < 2 {
                out.push(datagram.clone());
            }
            if !is_good && hold < 10 {
                self.held.push((1 + depth as u32 % 20, datagram));
            } else {
                out.push(datagram);
            }
        }
        for (left, _) in &mut self.held {
            *left -= 1;
        }
        let (due, waiting) = self.held.drain(..).partition(|(left, _)| *left == 0);
        self.held = waiting;
        out.extend(Vec::into_iter(due).map(|(_, datagram)| datagram));
        out
    }
}

#[test]
fn nothing_but_what_was_lost_is_missing_around_a_wrap() {
    let mut rig = Rig::call();
    rig.caught = Some(Vec::new());
    let (mut before, mut behind) = (Hop::new(1), Hop::new(2));
    let (mut entered, mut left, mut arrived) = (BTreeSet::new(), BTreeSet::new(), BTreeSet::new());
    let mut heard = Vec::new();
    for count in 0..2 * LONG {
        let datagram = rig.peers[BUSINESS].encrypt(&sound(count));
        for datagram in before.pass(datagram) {
            entered.insert(datagram.clone());
            rig.datagram(BUSINESS, &datagram);
        }
        for (peer, datagram) in rig.caught.replace(Vec::new()).unwrap() {
            assert_eq!(peer, CONSUMER);
            assert!(left.insert(datagram.clone()), "sent twice");
            for datagram in behind.pass(datagram) {
                // A copy is a replay, which the rig's peer would not forgive.
                if arrived.insert(datagram.clone()) {
                    rig.peers[CONSUMER].take_in(&datagram, rig.now);
                }
            }
        }
        heard.append(&mut rig.peers[CONSUMER].take());
    }
    let percent = |part: usize, whole: usize| part * 100 / whole;
    assert!((94..=95).contains(&percent(entered.len(), 2 * LONG as usize)));
    assert_eq!(left.len(), entered.len(), "all that came in went out, once");
    assert!((94..=95).contains(&percent(arrived.len(), left.len())));
    assert_eq!(heard.len(), arrived.len(), "and all of that was believed");

    // Both hops have wrapped at least twice, and each packet still has the number that its place gives it.
    let first = heard[0].seq;
    for packet in &heard {
        assert_eq!(packet.seq, first.wrapping_add(count_of(packet) as u16));
    }
    assert!(
        heard
            .windows(2)
            .any(|pair| count_of(&pair[0]) > count_of(&pair[1]))
    );
    let stats = rig.stats();
    let track = &stats.iter().find(|leg| leg.leg == "b").unwrap().tracks[0];
    assert_eq!(track.packets, entered.len() as u64);
    let lost = 2 * u64::from(LONG) - entered.len() as u64;
    let counted = u64::try_from(track.lost.unwrap()).unwrap();
    assert!(
        counted.abs_diff(lost) <= 20,
        "{counted} and not {lost}: all but what is still held back"
    );
}
