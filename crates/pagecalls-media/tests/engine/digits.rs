//! Digits towards the business, and digits that a browser sends itself (messenger-calling 10).

use std::time::Duration;

use pagecalls_media::path::Path;
use pagecalls_media::protocol::{Code, Event, LegDtmf, LegDtmfOk, Outcome};

use crate::rig::{
    BUSINESS, BUSINESS_EXT, CONSUMER, CONSUMER_EXT, NARROW_EVENT, OPUS, Packet, Rig, WIDE_EVENT,
    codec, recv, send,
};

fn dial(rig: &mut Rig, digits: &str) -> Outcome {
    rig.command(LegDtmf {
        leg: "b".into(),
        track: "out".into(),
        digits: digits.into(),
        tone_ms: 500,
        gap_ms: 100,
    })
}

/// A call in which the business takes these codecs, on two outputs.
fn call(codecs: &[(&str, u8)]) -> Rig {
    let mut rig = Rig::call();
    let codecs: Vec<_> = codecs.iter().map(|(key, pt)| codec(key, *pt)).collect();
    let track = send("out", &[(1000, "0"), (1001, "1")], &codecs, &BUSINESS_EXT);
    rig.apply(BUSINESS, 2, Rig::business_recv(), vec![track]);
    rig
}

fn speak(rig: &mut Rig, seq: u16) {
    rig.send(
        CONSUMER,
        &Packet::audio(109, 200, seq, u32::from(seq) * 960),
    );
}

/// Lets the consumer speak for so many packets of 20 ms.
fn speak_on(rig: &mut Rig, seqs: std::ops::Range<u16>) {
    for seq in seqs {
        speak(rig, seq);
        rig.advance_ms(20);
    }
}

/// What came on the first output, after proof that both outputs carry the same.
fn take(rig: &mut Rig) -> Vec<Packet> {
    let got = rig.peers[BUSINESS].take();
    let of = |ssrc: u32| {
        let mine = got.iter().filter(|packet| packet.ssrc == ssrc);
        mine.map(|packet| {
            (
                packet.pt,
                packet.marker,
                packet.seq,
                packet.ts,
                packet.payload.clone(),
            )
        })
        .collect::<Vec<_>>()
    };
    assert_eq!(of(1000), of(1001));
    got.into_iter()
        .filter(|packet| packet.ssrc == 1000)
        .collect()
}

fn duration(packet: &Packet) -> u16 {
    u16::from_be_bytes([packet.payload[2], packet.payload[3]])
}

fn done(rig: &mut Rig) -> Vec<String> {
    rig.take_events()
        .into_iter()
        .filter_map(|event| match event {
            Event::LegDtmfDone(done) => Some(done.digit),
            _ => None,
        })
        .collect()
}

fn assert_contiguous(packets: &[Packet]) {
    for pair in packets.windows(2) {
        assert_eq!(pair[1].seq.wrapping_sub(pair[0].seq), 1);
    }
}

#[test]
fn in_speech_packets_are_replaced_one_for_one_on_the_audios_clock() {
    let mut rig = call(&[(OPUS, 111), (NARROW_EVENT, 126), (WIDE_EVENT, 110)]);
    speak_on(&mut rig, 0..10);
    assert_eq!(dial(&mut rig, "5"), Ok(LegDtmfOk { queued: 1 }.into()));
    speak_on(&mut rig, 10..60);
    let got = take(&mut rig);
    assert_eq!(got.len(), 60, "nothing is put in");
    assert_contiguous(&got);
    let events: Vec<_> = got.iter().filter(|packet| packet.pt == 110).collect();
    assert_eq!(events.len(), 27);
    assert_eq!(
        events
            .iter()
            .map(|packet| duration(packet))
            .collect::<Vec<_>>(),
        (1..=25)
            .chain([25, 25])
            .map(|step| step * 960)
            .collect::<Vec<_>>()
    );
    assert!(
        events
            .iter()
            .all(|packet| packet.ts == events[0].ts && packet.payload[0] == 5)
    );
    assert_eq!(
        events
            .iter()
            .map(|packet| packet.payload[1])
            .collect::<Vec<_>>(),
        [vec![10; 24], vec![0x8a; 3]].concat()
    );
    assert_eq!(
        events
            .iter()
            .map(|packet| packet.marker)
            .collect::<Vec<_>>(),
        [vec![true], vec![false; 26]].concat()
    );
    // It stands where the sound stood: at the timestamp of the first packet that it took the place of.
    assert_eq!(events[0].ts.wrapping_sub(got[0].ts), 10 * 960);
    assert_eq!(got[10].pt, 110);
    assert_eq!(
        got[59].ts.wrapping_sub(got[0].ts),
        59 * 960,
        "the sound's time base is untouched"
    );
    assert!(
        got.iter()
            .all(|packet| packet.extensions == [(4, b"0".to_vec())])
    );
    assert_eq!(done(&mut rig), ["5"]);
}

#[test]
fn in_silence_packets_are_put_in_and_the_shift_stays() {
    let mut rig = call(&[(OPUS, 111), (WIDE_EVENT, 110)]);
    speak_on(&mut rig, 0..5);
    rig.advance_ms(900);
    dial(&mut rig, "#").unwrap();
    rig.advance_ms(1_000);
    // 100 ms of sound, 900 of silence, a second with the digit: the sender's clock has gone on.
    rig.send(CONSUMER, &Packet::audio(109, 200, 5, 100 * 960));
    rig.send(CONSUMER, &Packet::audio(109, 200, 7, 102 * 960));
    rig.send(CONSUMER, &Packet::audio(109, 200, 6, 101 * 960));
    let got = take(&mut rig);
    assert_eq!(got.len(), 5 + 27 + 3);
    assert_contiguous(&got[..33]);
    let events = &got[5..32];
    assert!(
        events
            .iter()
            .all(|packet| packet.pt == 110 && packet.ts.wrapping_sub(got[0].ts) == 50 * 960)
    );
    let first = got[0].seq;
    assert_eq!(
        got[32..]
            .iter()
            .map(|packet| packet.seq - first)
            .collect::<Vec<_>>(),
        [32, 34, 33]
    );
    assert_eq!(got[32].ts.wrapping_sub(got[0].ts), 100 * 960);
    assert_eq!(done(&mut rig), ["#"]);
}

#[test]
fn at_8_khz_the_digits_keep_the_time_base_of_the_sound() {
    let mut rig = call(&[(OPUS, 111), (NARROW_EVENT, 126)]);
    speak_on(&mut rig, 0..50);
    dial(&mut rig, "12").unwrap();
    speak_on(&mut rig, 50..120);
    let got = take(&mut rig);
    assert_eq!(got.len(), 120);
    assert_contiguous(&got);
    let events: Vec<_> = got.iter().filter(|packet| packet.pt == 126).collect();
    assert_eq!(events.len(), 54);
    for (digit, events) in [1, 2].into_iter().zip(events.chunks(27)) {
        assert_eq!(
            events
                .iter()
                .map(|packet| duration(packet))
                .collect::<Vec<_>>(),
            (1..=25)
                .chain([25, 25])
                .map(|step| step * 160)
                .collect::<Vec<_>>()
        );
        assert!(
            events
                .iter()
                .all(|packet| packet.payload[0] == digit && packet.ts == events[0].ts)
        );
    }
    // One second after the stream's first packet, and 600 ms later, on the clock of Opus; durations count in 8 kHz.
    assert_eq!(events[0].ts.wrapping_sub(got[0].ts), 48_000);
    assert_eq!(events[27].ts.wrapping_sub(events[0].ts), 28_800);
    assert_eq!(got[119].ts.wrapping_sub(got[0].ts), 119 * 960);
}

#[test]
fn digits_work_before_the_consumer_has_made_a_sound() {
    for (key, step) in [(WIDE_EVENT, 960), (NARROW_EVENT, 160)] {
        let mut rig = call(&[(OPUS, 111), (key, 110)]);
        dial(&mut rig, "1,2").unwrap();
        rig.advance_ms(3_000);
        speak(&mut rig, 30_000);
        speak(&mut rig, 30_001);
        let got = take(&mut rig);
        assert_eq!(got.len(), 27 + 27 + 2);
        assert_contiguous(&got);
        assert_eq!(duration(&got[26]), 25 * step);
        assert_eq!(got[55].ts.wrapping_sub(got[54].ts), 960);
        assert!(got[0].seq < 0x8000);
        assert_eq!(done(&mut rig), ["1", "2"]);
    }
}

#[test]
fn digits_wait_until_the_leg_is_up() {
    let mut rig = Rig::call();
    let other = rig.add_peer("other");
    rig.apply(other, 1, vec![], vec![Rig::business_send(&[(3000, "0")])]);
    rig.command(LegDtmf {
        leg: "other".into(),
        track: "out".into(),
        digits: "7".into(),
        tone_ms: 500,
        gap_ms: 100,
    })
    .unwrap();
    rig.advance_ms(2_000);
    rig.connect(other);
    rig.advance_ms(1_000);
    let got = rig.peers[other].take();
    assert_eq!(got.len(), 27);
    assert_eq!(got.iter().filter(|packet| packet.marker).count(), 1);
}

#[test]
fn what_cannot_be_sent_is_refused() {
    let mut rig = call(&[(OPUS, 111)]);
    assert_eq!(
        dial(&mut rig, "1").unwrap_err().code,
        Code::NoTelephoneEvent
    );
    let mut rig = call(&[(OPUS, 111), (WIDE_EVENT, 110)]);
    assert_eq!(dial(&mut rig, "1z").unwrap_err().code, Code::BadDigits);
    assert_eq!(
        dial(&mut rig, &"1".repeat(33)).unwrap_err().code,
        Code::QueueFull
    );
    let unknown = LegDtmf {
        leg: "b".into(),
        track: "no".into(),
        digits: "1".into(),
        tone_ms: 500,
        gap_ms: 100,
    };
    assert_eq!(rig.command(unknown).unwrap_err().code, Code::UnknownTrack);
}

/// A call in which the consumer sends events itself, on this clock.
fn browser_call(consumer_event: &str, business: &[(&str, u8)]) -> Rig {
    let mut rig = call(business);
    let tracks = vec![recv(
        "in",
        "a",
        &[],
        &[codec(OPUS, 109), codec(consumer_event, 101)],
        &CONSUMER_EXT,
    )];
    rig.apply(CONSUMER, 2, tracks, vec![Rig::consumer_send()]);
    rig
}

/// The row of a digit as a browser sends it in its own numbers: 20 ms steps, the last one three times.
fn browser_digit(rig: &mut Rig, event: u8, first_seq: u16, steps: u16) {
    for step in 0..steps + 2 {
        let end = if step + 1 >= steps { 0x80 } else { 0 };
        let duration = ((step + 1).min(steps) * 160).to_be_bytes();
        let mut packet = Packet::audio(101, 200, first_seq + step, u32::from(first_seq) * 960);
        packet = packet.with_payload(&[event, end + 10, duration[0], duration[1]]);
        packet.marker = step == 0;
        rig.send(CONSUMER, &packet);
        rig.advance_ms(20);
    }
}

#[test]
fn a_browsers_events_pass_where_the_clocks_are_equal() {
    let mut rig = browser_call(
        NARROW_EVENT,
        &[(OPUS, 111), (WIDE_EVENT, 110), (NARROW_EVENT, 126)],
    );
    speak_on(&mut rig, 0..5);
    browser_digit(&mut rig, 3, 5, 5);
    speak_on(&mut rig, 12..15);
    let got = take(&mut rig);
    assert_eq!(
        got.iter().map(|packet| packet.pt).collect::<Vec<_>>(),
        [vec![111; 5], vec![126; 7], vec![111; 3]].concat()
    );
    assert_contiguous(&got);
    assert_eq!(got[11].payload, [3, 0x8a, 3, 0x20]);
    assert_eq!(done(&mut rig), Vec::<String>::new(), "it was not ours");
}

#[test]
fn a_browsers_events_on_another_clock_are_made_anew() {
    let mut rig = browser_call(NARROW_EVENT, &[(OPUS, 111), (WIDE_EVENT, 110)]);
    speak_on(&mut rig, 0..5);
    browser_digit(&mut rig, 3, 5, 5);
    browser_digit(&mut rig, 3, 12, 5);
    speak_on(&mut rig, 19..100);
    let got = take(&mut rig);
    assert_contiguous(&got);
    let events: Vec<_> = got.iter().filter(|packet| packet.pt == 110).collect();
    assert_eq!(events.len(), 54, "twice the same digit is two digits");
    assert_eq!(events.iter().filter(|packet| packet.marker).count(), 2);
    assert_eq!(duration(events[53]), 24_000);
    assert!(got.iter().all(|packet| packet.pt != 101));
    assert_eq!(done(&mut rig), ["3", "3"]);
}

#[test]
fn a_browsers_events_without_a_taker_leave_no_gap() {
    let mut rig = browser_call(NARROW_EVENT, &[(OPUS, 111)]);
    speak_on(&mut rig, 0..5);
    browser_digit(&mut rig, 3, 5, 5);
    speak_on(&mut rig, 12..15);
    let got = take(&mut rig);
    assert_eq!(got.len(), 8);
    assert_contiguous(&got);
}

#[test]
fn a_digit_waits_without_work_while_its_leg_has_no_path() {
    let mut rig = call(&[(OPUS, 111), (WIDE_EVENT, 110)]);
    speak_on(&mut rig, 0..5);
    let udp = rig.peers[BUSINESS].path;
    let stream = |number| Path::tcp(number, "198.51.100.1:40000".parse().unwrap());
    rig.peers[BUSINESS].path = stream(7);
    rig.check(BUSINESS);
    rig.lose(udp);
    dial(&mut rig, "5").unwrap();
    rig.advance_ms(100);
    rig.lose(stream(7));
    rig.advance_ms(2_000);
    assert!(
        rig.shard.next_due() > rig.now + Duration::from_millis(100),
        "nothing is due before the next sweep"
    );
    assert_eq!(done(&mut rig), Vec::<String>::new());
    rig.peers[BUSINESS].path = stream(8);
    rig.check(BUSINESS);
    rig.advance_ms(1);
    assert_eq!(done(&mut rig), ["5"], "the next path brings it to its end");
    assert_contiguous(&take(&mut rig));
}
