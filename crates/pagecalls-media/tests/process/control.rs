//! The control connection: who may speak and who owns the engine, what garbage costs, and what is told of calls.

use std::fs;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;

use serde_json::{Value, json};

use crate::program::Engine;

#[test]
fn hello_comes_first_and_describes_the_engine() {
    let engine = Engine::start(30);
    let mode = fs::metadata(engine.folder.join("media.sock"))
        .unwrap()
        .permissions()
        .mode();
    assert_eq!(mode & 0o777, 0o600);
    let mut client = engine.connect();
    assert_eq!(client.code(json!({"op": "snapshot"})), "bad_command");
    assert_eq!(
        client.code(json!({"op": "hello", "proto": 1, "data_dir": "0123456789abcdef"})),
        "proto_mismatch"
    );
    assert_eq!(
        client.code(json!({"op": "hello", "proto": 3, "data_dir": "another"})),
        "data_dir_mismatch"
    );
    let hello = client.ok(json!({"op": "hello", "proto": 3, "data_dir": "0123456789abcdef"}));
    assert_eq!(hello["pid"], engine.child.id());
    assert_eq!(hello["candidates"][0][0]["ip"], "127.0.0.1");
    assert_eq!(hello["candidates"].as_array().unwrap().len(), 1);
    assert_eq!(hello["fingerprint"]["alg"], "sha-256");
    assert_eq!(
        client.ok(json!({"op": "snapshot"})),
        json!({"seq": 0, "legs": [], "calls": [], "accepted": [], "next": null})
    );
}

#[test]
fn a_server_finds_what_it_said_at_the_start_and_a_sign_of_life() {
    let engine = Engine::start_with(&["--settings", "port 0, two \"hosts\""]);
    let mut client = engine.connect();
    let hello = client.ok(json!({"op": "hello", "proto": 3, "data_dir": "0123456789abcdef"}));
    assert_eq!(hello["settings"], "port 0, two \"hosts\"");
    let sign = client.ok(json!({"op": "ping"}));
    assert_eq!(sign["workers"][0]["worker"], 0);
}

#[test]
fn a_sign_of_life_has_what_each_worker_refused() {
    let engine = Engine::start_with(&["--workers", "2"]);
    let mut client = engine.connect();
    let hello = client.ok(json!({"op": "hello", "proto": 3, "data_dir": "0123456789abcdef"}));
    let candidate = &hello["candidates"][1][0];
    let to = format!(
        "{}:{}",
        candidate["ip"].as_str().unwrap(),
        candidate["port"]
    );
    let stranger = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    for _ in 0..3 {
        stranger.send_to(&[0x80; 20], &to).unwrap();
    }
    let nothing = |worker: u32, strangers: u32| {
        json!({
            "worker": worker, "unsent": 0, "overflowed": 0,
            "strangers": strangers, "limited": 0, "on_others_paths": 0, "handshakes": 0
        })
    };
    // Loopback has delivered them; the worker comes round to them in its time.
    let mut sign = client.ok(json!({"op": "ping"}));
    while sign["workers"][1]["strangers"] != 3 {
        sign = client.ok(json!({"op": "ping"}));
    }
    assert_eq!(sign, json!({"workers": [nothing(0, 0), nothing(1, 3)]}));
}

#[test]
fn garbage_closes_its_connection_and_nothing_else() {
    let engine = Engine::start(30);
    let mut owner = engine.own();
    for garbage in [&b"not json"[..], b"", b"\xff\xfe", b"{\"op\":\"exit\"}"] {
        let mut client = engine.connect();
        client.send(garbage);
        assert!(client.is_closed(), "{garbage:?}");
    }
    let mut client = engine.connect();
    client
        .stream
        .write_all(&(1024 * 1024 + 1u32).to_be_bytes())
        .unwrap();
    assert!(client.is_closed());
    assert_eq!(owner.code(json!({"op": "leg.fly"})), "bad_command");
    assert_eq!(
        owner.code(json!({"op": "leg.close", "leg": 7})),
        "bad_command"
    );
    assert_eq!(
        owner.code(json!({"op": "leg.close", "leg": "x"})),
        "unknown_leg"
    );
    owner.ok(json!({"op": "snapshot"}));
}

#[test]
fn without_a_free_descriptor_a_connection_is_refused_and_the_owner_stays() {
    let engine = Engine::start(30);
    let mut owner = engine.own();
    let before = engine.limit_descriptors(engine.free_descriptor());
    for _ in 0..3 {
        assert!(engine.connect().is_closed());
    }
    owner.ok(json!({"op": "ping"}));
    engine.limit_descriptors(before);
    engine.own();
}

#[test]
fn the_newest_owner_wins_and_finds_everything() {
    let engine = Engine::start(30);
    let mut first = engine.own();
    first.ok(json!({"op": "call.create", "call": "c"}));
    first.ok(json!({"op": "leg.create", "call": "c", "leg": "l"}));
    let mut second = engine.own();
    assert!(first.is_closed());
    let snapshot = second.ok(json!({"op": "snapshot"}));
    assert_eq!(
        (&snapshot["calls"], &snapshot["legs"][0]["leg"]),
        (&json!(["c"]), &json!("l"))
    );
    assert_eq!(
        second.code(json!({"op": "call.create", "call": "c"})),
        "exists"
    );
    second.ok(json!({"op": "call.close", "call": "c"}));
    assert_eq!(
        second.code(json!({"op": "call.close", "call": "c"})),
        "unknown_call"
    );
}

#[test]
fn a_snapshot_of_many_calls_comes_in_pages() {
    let engine = Engine::start(30);
    let mut client = engine.own();
    for number in 0..400 {
        let call = format!("c{number:03}");
        client.ok(json!({"op": "call.create", "call": call}));
        for leg in ["b", "k"] {
            client.ok(json!({"op": "leg.create", "call": call, "leg": format!("{call}-{leg}")}));
        }
    }
    let (mut calls, mut legs, mut pages) = (Vec::new(), Vec::new(), 0);
    let mut next = Value::Null;
    while pages == 0 || !next.is_null() {
        let page = client.ok(json!({"op": "snapshot", "after": next}));
        calls.extend(page["calls"].as_array().unwrap().clone());
        legs.extend(page["legs"].as_array().unwrap().clone());
        next = page["next"].clone();
        pages += 1;
        // One that comes and goes between two pages, in front of them and behind.
        for call in [format!("a{pages}"), format!("z{pages}")] {
            client.ok(json!({"op": "call.create", "call": call}));
            client.ok(json!({"op": "call.close", "call": call}));
        }
    }
    let wanted: Vec<Value> = (0..400)
        .map(|number| format!("c{number:03}").into())
        .collect();
    assert_eq!(calls, wanted);
    assert_eq!(legs.len(), 800);
    assert!(pages >= 3, "{pages} pages");
}
