//! Peers as each other's other side: checks, both roles of the handshake, and media under every profile.

use pagecalls_load::run::{Load, Pairs, Step};
use pagecalls_load::stream::Shape;
use pagecalls_media::srtp::Profile;
use serde_json::{Value, json};

const STEP: Step = Step {
    warm_up_ms: 0,
    window_ms: 200,
    tick_us: 1_000,
    streams: None,
    flat_out: false,
};

fn connected(count: u32, profile: Profile, stream: Shape) -> Load {
    let mut load = Load::new(None).unwrap();
    let profile = profile.iana_name().to_owned();
    let pairs = Pairs {
        profile,
        count,
        stream,
    };
    let told = load.pair(&pairs).unwrap();
    assert_eq!(
        (&told["up"], &told["failed"]),
        (&json!(2 * count), &json!([]))
    );
    load
}

fn check_all_arrived(result: &Value, at_least: u64) {
    assert!(result["sent"].as_u64().unwrap() >= at_least, "{result}");
    assert_eq!(result["received"], result["sent"]);
    assert_eq!(
        (&result["unreadable"], &result["refused"]),
        (&json!(0), &json!(0))
    );
    assert_eq!(result["failed"], json!([]));
}

#[test]
fn sound_arrives_under_every_profile() {
    for profile in Profile::OFFER_ORDER {
        let mut load = connected(2, profile, Shape::default());
        let mut edges = Vec::new();
        let note = |edge: &str| {
            edges.push(edge.to_owned());
            Ok(())
        };
        let result = load.step(&STEP, note).unwrap();
        check_all_arrived(&result, 4);
        assert!(
            result["latency_us"]["p50"].as_u64().unwrap() > 0,
            "{result}"
        );
        assert_eq!(edges, ["window", "over"]);
    }
}

#[test]
fn many_pairs_connect_in_whatever_order_they_begin() {
    connected(60, Profile::AeadAes128Gcm, Shape::default());
}

#[test]
fn pictures_come_in_bursts_of_large_packets() {
    let shape = Shape {
        per_s: 30.0,
        burst: 4,
        octets: 1_100,
        clock_hz: 90_000,
        ..Shape::default()
    };
    let mut load = connected(1, Profile::Aes128CmSha1_80, shape);
    let result = load.step(&STEP, |_| Ok(())).unwrap();
    check_all_arrived(&result, 8);
    assert_eq!(result["sent"].as_u64().unwrap() % 4, 0);
}

#[test]
fn fewer_streams_may_play_and_none() {
    let mut load = connected(2, Profile::AeadAes128Gcm, Shape::default());
    let idle = Step {
        streams: Some(0),
        ..STEP
    };
    let result = load.step(&idle, |_| Ok(())).unwrap();
    assert_eq!(
        (&result["sent"], &result["received"]),
        (&json!(0), &json!(0))
    );
    let one = Step {
        streams: Some(1),
        flat_out: true,
        ..STEP
    };
    check_all_arrived(&load.step(&one, |_| Ok(())).unwrap(), 100);
}
