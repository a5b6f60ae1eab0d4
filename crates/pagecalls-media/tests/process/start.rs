//! How it starts: its options, its place beside another engine, and where its log goes when nobody reads it.

use std::fs;
use std::process::{Command, Stdio};

use serde_json::{Value, json};

use crate::program::{BINARY, Engine, greeted};

#[test]
fn it_prints_what_it_is_asked_to() {
    let run = |arguments: &[&str]| Command::new(BINARY).args(arguments).output().unwrap();
    let version = run(&["--version"]);
    assert_eq!(
        String::from_utf8(version.stdout).unwrap().trim(),
        concat!("pagecalls-media ", env!("CARGO_PKG_VERSION"))
    );
    let protocol: Value = serde_json::from_slice(&run(&["--protocol"]).stdout).unwrap();
    assert_eq!(protocol, pagecalls_media::protocol::description());
    for wrong in [
        &["--nonsense"][..],
        &["--socket"],
        &["--udp-port", "70000"],
        &[],
    ] {
        assert_eq!(run(wrong).status.code(), Some(2), "{wrong:?}");
    }
}

#[test]
fn a_second_engine_is_refused_and_a_dead_ones_socket_replaced() {
    let engine = Engine::start(30);
    let second = Engine::command(&engine.folder, 30)
        .stderr(Stdio::null())
        .status()
        .unwrap();
    assert_eq!(second.code(), Some(1));
    engine.own().ok(json!({"op": "snapshot"}));

    let mut engine = Engine::start(30);
    engine.child.kill().unwrap();
    engine.child.wait().unwrap();
    assert!(engine.folder.join("media.sock").exists());
    let folder = engine.folder.clone();
    let again = Engine::start_in(folder, 30);
    again.own().ok(json!({"op": "snapshot"}));
    // Both share the folder; the second one removes it.
    std::mem::forget(engine);
}

#[test]
fn log_lines_that_nobody_reads_are_kept_in_the_data_folder() {
    // The reading end of its standard error is closed once it is ready.
    let engine = Engine::start(30);
    let mut client = engine.own();
    drop(client.stream);
    client = engine.own();
    client.ok(json!({"op": "exit"}));
    let path = engine.folder.join("engine.log");
    let (folder, mut engine) = (engine.folder.clone(), engine);
    assert!(engine.child.wait().unwrap().success());
    let log = fs::read_to_string(path).unwrap();
    assert!(
        log.contains("the server is gone") && log.contains("ends on request"),
        "{log}"
    );
    assert!(folder.exists());
}

#[test]
fn it_takes_what_a_core_carries_unless_it_is_told_otherwise_and_no_more_than_it_can_hold() {
    for (asked, capacity) in [(None, 1_600), (Some("7"), 7), (Some("4001"), 4_000)] {
        let mut arguments = vec!["--workers", "2"];
        arguments.extend(asked.iter().flat_map(|calls| ["--max-calls", calls]));
        let engine = Engine::start_with(&arguments);
        let (_client, hello) = greeted(&engine);
        assert_eq!(hello["capacity"], capacity);
    }
}
