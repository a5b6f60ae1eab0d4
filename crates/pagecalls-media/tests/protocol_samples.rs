//! The sample frames that both sides keep: each is decoded and encoded again without a difference.

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use pagecalls_media::protocol::{
    CallCloseOk, CallCreateOk, CallRouteOk, Code, Command, Done, Event, HelloOk, LegApplyOk,
    LegCloseOk, LegCreateOk, LegDtmfOk, LegRestartOk, Numbered, PingOk, Refusal, SnapshotOk,
    decode_command, encode_event, encode_reply,
};

fn samples() -> Value {
    let path = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../../tests/data/protocol.json"
    );
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

fn unframed(frame: &[u8]) -> Value {
    assert_eq!(frame[..4], ((frame.len() - 4) as u32).to_be_bytes());
    serde_json::from_slice(&frame[4..]).unwrap()
}

/// The tags of a union that the samples lack.
fn missing(table: &[(&str, &[&str])], frames: &[Value], tag: &str) -> Vec<String> {
    let names = table.iter().map(|(name, _)| (*name).to_owned());
    names
        .filter(|name| !frames.iter().any(|frame| frame[tag] == **name))
        .collect()
}

#[test]
fn commands() {
    let samples = samples();
    let frames = samples["commands"].as_array().unwrap();
    for frame in frames {
        let (id, command) = decode_command(frame.to_string().as_bytes()).unwrap();
        let mut again = serde_json::to_value(command).unwrap();
        again["id"] = id.into();
        assert_eq!(&again, frame);
    }
    assert_eq!(missing(Command::TABLE, frames, "op"), Vec::<String>::new());
}

fn assert_reply<T: Serialize + DeserializeOwned>(samples: &Value, op: &str) {
    let sample = &samples["replies"][op];
    let reply: T = serde_json::from_value(sample.clone()).unwrap();
    assert_eq!(&serde_json::to_value(reply).unwrap(), sample, "{op}");
}

#[test]
fn replies() {
    let samples = samples();
    assert_reply::<HelloOk>(&samples, "hello");
    assert_reply::<CallCreateOk>(&samples, "call.create");
    assert_reply::<LegCreateOk>(&samples, "leg.create");
    assert_reply::<LegRestartOk>(&samples, "leg.restart");
    assert_reply::<LegApplyOk>(&samples, "leg.apply");
    assert_reply::<CallRouteOk>(&samples, "call.route");
    assert_reply::<LegDtmfOk>(&samples, "leg.dtmf");
    assert_reply::<LegCloseOk>(&samples, "leg.close");
    assert_reply::<CallCloseOk>(&samples, "call.close");
    assert_reply::<SnapshotOk>(&samples, "snapshot");
    assert_reply::<PingOk>(&samples, "ping");
    assert_reply::<Done>(&samples, "exit");
    assert_eq!(
        samples["replies"].as_object().unwrap().len(),
        Command::TABLE.len()
    );
}

#[test]
fn a_reply_and_a_refusal_as_frames() {
    let samples = samples();
    let hello: HelloOk = serde_json::from_value(samples["replies"]["hello"].clone()).unwrap();
    assert_eq!(
        unframed(&encode_reply(1, &Ok(hello.into()))),
        json!({"id": 1, "ok": samples["replies"]["hello"]})
    );
    let refusal = Refusal::new(Code::UnknownLeg, "c_x1-b");
    assert_eq!(
        unframed(&encode_reply(11, &Err(refusal))),
        samples["refusal"]
    );
}

#[test]
fn events() {
    let samples = samples();
    let frames = samples["events"].as_array().unwrap();
    for frame in frames {
        let event: Numbered = serde_json::from_value(frame.clone()).unwrap();
        assert_eq!(&unframed(&encode_event(&event)), frame);
    }
    assert_eq!(missing(Event::TABLE, frames, "ev"), Vec::<String>::new());
}
