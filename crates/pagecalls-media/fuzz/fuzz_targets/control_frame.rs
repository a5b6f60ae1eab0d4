//! The control connection. Frames are cut from a stream wherever that breaks; anything in one is a command or an error, and a command
//! survives being written and read. Then it is carried out, in a call of its own with media in both directions: nothing of the engine's
//! making fails, no number is used twice under one key, and what is answered and reported fits a frame.
//!
//! An input is a row of frames' contents, one on each line.

#![no_main]

#[allow(dead_code)]
#[path = "../../tests/engine/rig/mod.rs"]
mod rig;

#[allow(dead_code)]
#[path = "../scene.rs"]
mod scene;

#[allow(dead_code)]
#[path = "../../tests/engine/video_rig.rs"]
mod video_rig;

use std::time::Duration;

use libfuzzer_sys::fuzz_target;
use pagecalls_media::frames::split;
use pagecalls_media::protocol::{
    Code, Command, Event, MAX_FRAME_BYTES, Numbered, Why, decode_command, encode_event,
    encode_reply,
};
use rig::{BUSINESS, CONSUMER, Packet, Rig};
use scene::Stage;
use video_rig::{numbered, picture};

/// Commands of one input that are carried out.
const MOST: usize = 32;
/// Timers of tracks and legs run within it.
const AFTERWARDS: Duration = Duration::from_secs(3);

/// What a peer takes for RTCP when it has a marker (RFC 5761 4); the control plane agrees on none of them.
const LIKE_RTCP: std::ops::RangeInclusive<u8> = 64..=95;

fn framed(contents: &[&[u8]]) -> Vec<u8> {
    let mut stream = Vec::new();
    for content in contents {
        stream.extend_from_slice(&(content.len() as u32).to_be_bytes());
        stream.extend_from_slice(content);
    }
    stream
}

/// Cuts a stream that comes in parts of this length; `None` for one that is broken off.
fn cut(stream: &[u8], part: usize) -> Option<Vec<Vec<u8>>> {
    let (mut received, mut frames) = (Vec::new(), Vec::new());
    for part in stream.chunks(part) {
        received.extend_from_slice(part);
        let (more, used) = split(&received).ok()?;
        received.drain(..used);
        frames.extend(more);
    }
    Some(frames)
}

fn survives(id: u64, command: &Command) {
    let mut value = serde_json::to_value(command).expect("commands serialise");
    value["id"] = id.into();
    assert_eq!(
        decode_command(value.to_string().as_bytes()),
        Ok((id, command.clone()))
    );
}

/// Panics unless this is one whole frame.
fn judge_frame(frame: &[u8]) {
    let (frames, used) = split(frame).expect("it is short enough");
    assert_eq!((frames.len(), used), (1, frame.len()));
    assert!(frame.len() <= 4 + MAX_FRAME_BYTES);
}

fn judge_events(rig: &mut Rig) {
    for event in rig.take_events() {
        assert!(
            !matches!(&event, Event::LegFailed(failed) if failed.why == Why::Internal),
            "{event:?}"
        );
        judge_frame(&encode_event(&Numbered { seq: 1, event }));
    }
}

/// A packet of sound and a part of a picture from either peer.
fn talk(rig: &mut Rig, seq: u16) {
    for (peer, pt, sound, camera) in [(BUSINESS, 111, 100, 500), (CONSUMER, 109, 200, 600)] {
        rig.check(peer);
        rig.send_if_new(peer, &Packet::audio(pt, sound, seq, 960 * u32::from(seq)));
        rig.send_if_new(peer, &numbered(picture(peer, camera, seq), peer, seq));
    }
    rig.advance_ms(20);
}

fn carry_out(rig: &mut Rig, id: u64, command: Command) {
    if let Command::LegApply(desired) = &command {
        let mut codecs = desired.send.iter().flat_map(|track| &track.codecs);
        if codecs.any(|codec| {
            LIKE_RTCP.contains(&codec.pt) || codec.rtx_pt.is_some_and(|pt| LIKE_RTCP.contains(&pt))
        }) {
            return;
        }
    }
    let outcome = rig.command(command);
    assert!(
        !matches!(&outcome, Err(refusal) if refusal.code == Code::Internal),
        "{outcome:?}"
    );
    judge_frame(&encode_reply(id, &outcome));
}

thread_local! {
    static STAGE: Stage = Stage::new();
}

fuzz_target!(|input: &[u8]| {
    let whole = cut(input, input.len().max(1));
    assert_eq!(cut(input, 1), whole);
    let contents: Vec<&[u8]> = input.split(|byte| *byte == b'\n').collect();
    let stream = framed(&contents);
    for part in [7, stream.len()] {
        assert!(cut(&stream, part).is_some_and(|frames| frames == contents));
    }

    let commands = contents
        .iter()
        .filter_map(|frame| decode_command(frame).ok());
    let commands: Vec<_> = commands.take(MOST).collect();
    if commands.is_empty() {
        return;
    }
    let mut rig = STAGE.with(Stage::running_call);
    let mut seq = 10;
    for (id, command) in commands {
        survives(id, &command);
        carry_out(&mut rig, id, command);
        for _ in 0..2 {
            seq += 1;
            talk(&mut rig, seq);
        }
        judge_events(&mut rig);
    }
    rig.advance(AFTERWARDS);
    judge_events(&mut rig);
});
