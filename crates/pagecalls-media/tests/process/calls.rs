//! Calls over real sockets: media both ways, connections that break, workers that share a port, and strangers at the door.

use std::collections::HashSet;
use std::fs;
use std::io::Write;
use std::time::Instant;

use serde_json::json;

use crate::peer::{Peer, Wire, candidate, check, route};
use crate::program::{Engine, PATIENCE, greeted};

#[test]
fn a_call_over_real_sockets_up_to_the_goodbye() {
    let engine = Engine::start(1);
    let mut client = engine.connect();
    let hello = client.ok(json!({"op": "hello", "proto": 3, "data_dir": "0123456789abcdef"}));
    client.ok(json!({"op": "call.create", "call": "c"}));
    let mut business = Peer::connect(&mut client, "b", 111, &hello["fingerprint"]);
    let mut consumer = Peer::connect(&mut client, "k", 109, &hello["fingerprint"]);
    let end = |leg: &str, track: &str| json!({"leg": leg, "track": track});
    client.ok(
        json!({"op": "call.route", "call": "c", "rev": 1, "routes": [
            {"from": end("b", "in"), "to": end("k", "out")},
            {"from": end("k", "in"), "to": end("b", "out"), "on": true},
        ]}),
    );
    business.speak(111, 1, b"is there anybody");
    assert_eq!(
        consumer.receive().as_deref(),
        Some(&b"is there anybody"[..])
    );
    consumer.speak(109, 1, b"yes");
    assert_eq!(business.receive().as_deref(), Some(&b"yes"[..]));
    let events: Vec<u64> = [
        "leg.ice",
        "leg.dtls",
        "leg.ice",
        "leg.dtls",
        "track.first_rtp",
        "track.first_rtp",
    ]
    .into_iter()
    .map(|name| client.event(name)["seq"].as_u64().unwrap())
    .collect();
    assert_eq!(events, [1, 2, 3, 4, 5, 6]);
    let snapshot = client.ok(json!({"op": "snapshot", "call": "c"}));
    assert_eq!(snapshot["legs"][0]["tracks"][0]["packets"], 1);

    // The server goes away: media flows on until the grace time is over, then both are told goodbye.
    drop(client);
    business.speak(111, 2, b"still here");
    assert_eq!(consumer.receive().as_deref(), Some(&b"still here"[..]));
    for peer in [&mut business, &mut consumer] {
        while !peer.is_closed {
            peer.receive();
        }
    }
    assert!(engine.wait().success());
}

#[test]
fn a_call_over_tcp_and_ipv6_that_loses_its_connection() {
    let engine = Engine::start_with(&["--host", "127.0.0.1,::1", "--tcp-port", "0"]);
    let (mut client, hello) = greeted(&engine);
    let print = &hello["fingerprint"];
    client.ok(json!({"op": "call.create", "call": "c"}));
    let mut business = Peer::connect_over(&mut client, "c", "b", 111, print, |offer| {
        Wire::udp(candidate(offer, "udp", true))
    });
    let mut consumer = Peer::connect_over(&mut client, "c", "k", 109, print, |offer| {
        Wire::tcp(candidate(offer, "tcp", false), true)
    });
    route(&mut client, "c", "b", "k");
    business.speak(111, 1, b"is there anybody");
    assert_eq!(consumer.hear(), b"is there anybody");
    let merged = [
        consumer.packet(109, 1, b"yes"),
        consumer.packet(109, 2, b"yes!"),
    ];
    consumer.wire.send_all(&[&merged[0], &merged[1]]);
    assert_eq!(
        (business.hear(), business.hear()),
        (b"yes".to_vec(), b"yes!".to_vec())
    );

    // The connection breaks; the peer goes on over UDP.
    consumer.wire = Wire::udp(candidate(&consumer.offer, "udp", false));
    consumer.check();
    business.speak(111, 2, b"still here");
    assert_eq!(consumer.hear(), b"still here");
    consumer.speak(109, 3, b"me too");
    assert_eq!(business.hear(), b"me too");

    // And back to TCP, over IPv6, where it is told goodbye and the connection ends.
    consumer.wire = Wire::tcp(candidate(&consumer.offer, "tcp", true), false);
    consumer.check();
    business.speak(111, 3, b"again");
    assert_eq!(consumer.hear(), b"again");
    let remotes = ["127.0.0.1:", "127.0.0.1:", "[::1]:"];
    for remote in ["[::1]:"].into_iter().chain(remotes) {
        let told = client.event("leg.ice");
        assert!(
            told["remote"].as_str().unwrap().starts_with(remote),
            "{told}"
        );
    }
    client.ok(json!({"op": "call.close", "call": "c"}));
    while !consumer.is_closed {
        consumer.receive();
    }
    assert!(consumer.wire.is_closed());
}

#[test]
fn calls_go_to_the_worker_with_the_fewest_and_share_the_tcp_port() {
    let engine = Engine::start_with(&["--workers", "2", "--tcp-port", "0", "--max-calls", "4"]);
    let (mut client, hello) = greeted(&engine);
    assert_eq!(hello["capacity"], 4);
    let port = |worker: usize, proto: &str| {
        let candidates = json!({"candidates": hello["candidates"][worker]});
        candidate(&candidates, proto, false).port()
    };
    assert_ne!(port(0, "udp"), port(1, "udp"));
    assert_eq!(port(0, "tcp"), port(1, "tcp"));
    let mut place = |call: &str| {
        let worker = client.ok(json!({"op": "call.create", "call": call}))["worker"].clone();
        worker.as_u64().unwrap()
    };
    let (one, two) = (place("one"), place("two"));
    assert_ne!(one, two);
    place("three");
    place("four");
    assert_eq!(
        client.code(json!({"op": "call.create", "call": "five"})),
        "full"
    );
    // Two calls end on the same worker: the next two go there.
    let mut ended = 0;
    for call in ["one", "two", "three", "four"] {
        if ended < 1 || call == "three" {
            client.ok(json!({"op": "call.close", "call": call}));
            ended += 1;
        }
    }
    for call in ["five", "six"] {
        let placed = client.ok(json!({"op": "call.create", "call": call}));
        assert_eq!(placed["worker"], one);
    }
    // Each worker serves its own legs over the one TCP port.
    for (call, leg) in [("five", "a"), ("two", "b")] {
        let mut peer = Peer::connect_over(
            &mut client,
            call,
            leg,
            111,
            &hello["fingerprint"],
            |offer| Wire::tcp(candidate(offer, "tcp", false), false),
        );
        let legs = client.ok(json!({"op": "snapshot", "call": call}))["legs"].clone();
        assert_eq!(legs[0]["dtls"], "connected");
        client.ok(json!({"op": "call.close", "call": call}));
        while !peer.is_closed {
            peer.receive();
        }
    }
}

#[test]
fn each_worker_forwards_the_calls_that_are_at_its_port() {
    let engine = Engine::start_with(&["--workers", "3", "--tcp-port", "0"]);
    let (mut client, hello) = greeted(&engine);
    let mut ports = HashSet::new();
    let mut calls = Vec::new();
    for call in ["one", "two", "three"] {
        let worker = client.ok(json!({"op": "call.create", "call": call}))["worker"].clone();
        let told = &hello["candidates"][worker.as_u64().unwrap() as usize];
        let [mut business, mut consumer] = [("b", 111), ("k", 109)].map(|(side, pt)| {
            let leg = format!("{side} of {call}");
            let print = &hello["fingerprint"];
            let peer = Peer::connect_over(&mut client, call, &leg, pt, print, |offer| {
                Wire::udp(candidate(offer, "udp", false))
            });
            assert_eq!(&peer.offer["candidates"], told, "{leg}");
            peer
        });
        route(
            &mut client,
            call,
            &format!("b of {call}"),
            &format!("k of {call}"),
        );
        ports.insert(candidate(&business.offer, "udp", false).port());
        // All calls are up while each of them is heard.
        business.speak(111, 1, call.as_bytes());
        assert_eq!(consumer.hear(), call.as_bytes());
        calls.push((call, business, consumer));
    }
    assert_eq!(ports.len(), 3, "each call has a worker to itself");
    for (call, business, consumer) in &mut calls {
        business.speak(111, 2, format!("{call} again").as_bytes());
        consumer.speak(109, 1, format!("yes, {call}").as_bytes());
        assert_eq!(consumer.hear(), format!("{call} again").as_bytes());
        assert_eq!(business.hear(), format!("yes, {call}").as_bytes());
        // One leg goes over to the TCP port, which all workers share.
        consumer.wire = Wire::tcp(candidate(&consumer.offer, "tcp", false), false);
        consumer.check();
        consumer.speak(109, 2, b"over TCP");
        assert_eq!(business.hear(), b"over TCP");
        business.speak(111, 3, b"to TCP");
        assert_eq!(consumer.hear(), b"to TCP");
    }
}

#[test]
fn what_does_not_prove_itself_over_tcp_is_closed_and_leaves_nothing_behind() {
    let engine = Engine::start_with(&["--tcp-port", "0", "--workers", "2"]);
    let (mut client, _) = greeted(&engine);
    client.ok(json!({"op": "call.create", "call": "c"}));
    let offer = client.ok(json!({"op": "leg.create", "call": "c", "leg": "l"}));
    let address = candidate(&offer, "tcp", false);
    let folder = format!("/proc/{}/fd", engine.child.id());
    let descriptors = || fs::read_dir(&folder).unwrap().count();
    let before = descriptors();
    let mut elsewhere = offer.clone();
    let ufrag = offer["ufrag"].as_str().unwrap();
    elsewhere["ufrag"] = format!("{}strange", &ufrag[..1]).into();
    for _ in 0..15 {
        let mut stranger = Wire::tcp(address, false);
        stranger.send(&check(&elsewhere, &offer["pwd"]));
        assert!(stranger.is_closed(), "it names no leg");
        let mut rude = Wire::tcp(address, false);
        rude.send(b"GET / HTTP/1.1");
        assert!(rude.is_closed());
        let mut guessing = Wire::tcp(address, false);
        guessing.send(&check(&offer, &json!("a password that is wrong")));
        assert_eq!(
            guessing.receive()[..2],
            [1, 0x11],
            "an error, and then the end"
        );
        assert!(guessing.is_closed());
    }
    let mut good = Wire::tcp(address, false);
    good.send(&check(&offer, &offer["pwd"]));
    assert_eq!(good.receive()[..2], [1, 1]);
    // A frame that no datagram of ours has ends even a good one.
    let Wire::Tcp { stream, .. } = &mut good else {
        panic!()
    };
    stream.write_all(&[255, 255, 0]).unwrap();
    assert!(good.is_closed());
    let until = Instant::now() + PATIENCE;
    while descriptors() > before {
        assert!(Instant::now() < until, "descriptors leak");
        std::thread::yield_now();
    }
}

/// Only a build with debug assertions has a fault to ask for.
#[cfg(debug_assertions)]
#[test]
fn a_panic_in_one_call_ends_that_call_and_the_next_one_goes_on() {
    let engine = Engine::start(30);
    let (mut client, hello) = greeted(&engine);
    client.ok(json!({"op": "call.create", "call": "c"}));
    let mut business = Peer::connect(&mut client, "b", 111, &hello["fingerprint"]);
    let mut consumer = Peer::connect(&mut client, "k", 109, &hello["fingerprint"]);
    route(&mut client, "c", "b", "k");
    let faulty = "a call with a fault, for tests";
    client.ok(json!({"op": "call.create", "call": faulty}));
    let offer = client.ok(json!({"op": "leg.create", "call": faulty, "leg": "f"}));
    let mut wire = Wire::udp(candidate(&offer, "udp", false));
    wire.send(&check(&offer, &offer["pwd"]));
    assert_eq!(wire.receive()[..2], [1, 1]);
    wire.send(&[0x80; 40]);
    let failed = client.event("leg.failed");
    assert_eq!(
        (&failed["leg"], &failed["why"]),
        (&json!("f"), &json!("internal"))
    );
    business.speak(111, 1, b"is there anybody");
    assert_eq!(consumer.hear(), b"is there anybody");
    consumer.speak(109, 1, b"yes");
    assert_eq!(business.hear(), b"yes");
    let told = client.ok(json!({"op": "snapshot"}));
    let legs = told["legs"].as_array().unwrap();
    assert!(legs.iter().all(|leg| leg["call"] == "c") && legs.len() == 2);
    client.ok(json!({"op": "call.close", "call": faulty}));
}
