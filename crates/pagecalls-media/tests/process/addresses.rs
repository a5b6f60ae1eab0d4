//! Where peers are told to come, and who answers there: wildcards, NATs, and ports that are taken.

use std::fs;
use std::net::IpAddr;

use serde_json::json;

use crate::peer::{Wire, candidate, check};
use crate::program::{Engine, folder, greeted};

#[test]
fn behind_a_wildcard_every_address_answers_for_itself() {
    let engine = Engine::start_with(&["--host", "::", "--tcp-port", "0"]);
    let (mut client, _) = greeted(&engine);
    client.ok(json!({"op": "call.create", "call": "c"}));
    let offer = client.ok(json!({"op": "leg.create", "call": "c", "leg": "l"}));
    let port = offer["candidates"][0]["port"].as_u64().unwrap() as u16;
    let addresses = pagecalls_media::sys::interface_addresses().unwrap();
    for address in &addresses {
        // Connected: an answer from another address would not arrive.
        let mut wire = Wire::udp((*address, port).into());
        wire.send(&check(&offer, &offer["pwd"]));
        assert_eq!(wire.receive()[..2], [1, 1], "{address}");
    }
    let told: Vec<IpAddr> = offer["candidates"]
        .as_array()
        .unwrap()
        .iter()
        .map(|candidate| candidate["ip"].as_str().unwrap().parse().unwrap())
        .collect();
    let only_loopback = addresses.iter().all(IpAddr::is_loopback);
    assert!(
        told.iter().all(|ip| only_loopback || !ip.is_loopback()),
        "{told:?}"
    );
}

#[test]
fn behind_a_nat_peers_are_told_the_public_addresses() {
    let public = ["--public-ip", "203.0.113.7", "--public-ip", "2001:db8::7"];
    let arguments = [&["--host", "127.0.0.1,::1", "--tcp-port", "0"][..], &public].concat();
    let engine = Engine::start_with(&arguments);
    let (mut client, _) = greeted(&engine);
    client.ok(json!({"op": "call.create", "call": "c"}));
    let offer = client.ok(json!({"op": "leg.create", "call": "c", "leg": "l"}));
    let told: Vec<_> = offer["candidates"]
        .as_array()
        .unwrap()
        .iter()
        .map(|candidate| {
            (
                candidate["proto"].as_str().unwrap(),
                candidate["ip"].as_str().unwrap(),
            )
        })
        .collect();
    assert_eq!(
        told,
        [
            ("udp", "203.0.113.7"),
            ("udp", "2001:db8::7"),
            ("tcp", "203.0.113.7"),
            ("tcp", "2001:db8::7")
        ]
    );
}

#[test]
fn ports_that_are_taken_are_named() {
    let engine = Engine::start_with(&["--tcp-port", "0"]);
    let (mut client, _) = greeted(&engine);
    client.ok(json!({"op": "call.create", "call": "c"}));
    let offer = client.ok(json!({"op": "leg.create", "call": "c", "leg": "l"}));
    for (proto, option, says) in [
        ("tcp", "--tcp-port", "TCP port"),
        ("udp", "--udp-port", "UDP port"),
    ] {
        let folder = folder();
        let port = candidate(&offer, proto, false).port().to_string();
        let output = Engine::command(&folder, 30)
            .args([option, &port])
            .output()
            .unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        fs::remove_dir_all(folder).unwrap();
        assert_eq!(output.status.code(), Some(1));
        assert!(
            said.contains(&format!("{says} {port}")) && said.contains("Address already in use"),
            "{said}"
        );
    }
}
