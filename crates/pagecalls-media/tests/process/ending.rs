//! How it ends: without a server, on request, at once by a signal, or with its last call.

use std::time::{Duration, Instant};

use serde_json::json;

use crate::program::Engine;

#[test]
fn without_an_owner_it_ends_after_the_grace_time() {
    let engine = Engine::start(1);
    let mut client = engine.own();
    client.ok(json!({"op": "snapshot"}));
    drop(client);
    let start = Instant::now();
    assert!(engine.wait().success());
    assert!(start.elapsed() >= Duration::from_millis(900));
}

#[test]
fn a_server_that_never_comes_is_waited_for_no_longer() {
    assert!(Engine::start(1).wait().success());
}

#[test]
fn exit_and_sigterm_end_it_at_once() {
    let engine = Engine::start(30);
    let mut client = engine.own();
    client.ok(json!({"op": "exit"}));
    assert!(client.is_closed());
    assert!(engine.wait().success());

    for signal in [libc::SIGTERM, libc::SIGINT] {
        let engine = Engine::start(30);
        engine.signal(signal);
        assert!(engine.wait().success());
    }
}

#[test]
fn sigterm_takes_no_new_calls_and_ends_with_the_last_one() {
    let engine = Engine::start(30);
    let mut client = engine.own();
    for call in ["c1", "c2"] {
        client.ok(json!({"op": "call.create", "call": call}));
    }
    engine.signal(libc::SIGTERM);
    client.drains();
    client.ok(json!({"op": "leg.create", "call": "c1", "leg": "l"}));
    client.ok(json!({"op": "call.close", "call": "c1"}));
    client.ok(json!({"op": "ping"}));
    client.ok(json!({"op": "call.close", "call": "c2"}));
    assert!(client.is_closed());
    assert!(engine.wait().success());
}

#[test]
fn a_second_sigterm_and_the_end_of_its_time_end_a_drain() {
    let engine = Engine::start(30);
    let mut client = engine.own();
    client.ok(json!({"op": "call.create", "call": "c"}));
    engine.signal(libc::SIGTERM);
    client.drains();
    engine.signal(libc::SIGTERM);
    assert!(client.is_closed());
    assert!(engine.wait().success());

    let engine = Engine::start_with(&["--drain-s", "1"]);
    let mut client = engine.own();
    client.ok(json!({"op": "call.create", "call": "c"}));
    let start = Instant::now();
    engine.signal(libc::SIGTERM);
    assert!(client.is_closed());
    assert!(engine.wait().success());
    assert!(start.elapsed() >= Duration::from_secs(1));
}
