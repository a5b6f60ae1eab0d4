//! The program itself: what it says on its lines, and how it ends.

use std::io::Write;
use std::process::{Command, Output, Stdio};

use serde_json::{Value, json};

fn program(arguments: &[&str], input: &str) -> (Output, Vec<Value>) {
    let mut child = Command::new(env!("CARGO_BIN_EXE_pagecalls-load"))
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child
        .stdin
        .take()
        .unwrap()
        .write_all(input.as_bytes())
        .unwrap();
    let output = child.wait_with_output().unwrap();
    let text = String::from_utf8(output.stdout.clone()).unwrap();
    let lines = text
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    (output, lines)
}

#[test]
fn a_run_tells_its_phases_and_ends_with_its_input() {
    let input = r#"{"pairs": {"profile": "SRTP_AEAD_AES_128_GCM", "count": 1}}
{"step": {"warm_up_ms": 0, "window_ms": 100}}
"#;
    let (output, lines) = program(&["run"], input);
    assert!(output.status.success());
    let phases: Vec<&Value> = lines.iter().map(|line| &line["phase"]).collect();
    assert_eq!(phases, ["hello", "connected", "window", "over", "result"]);
    assert_eq!(lines[0]["first"], "127.1.0.0");
    assert_eq!(
        (&lines[1]["up"], &lines[1]["failed"]),
        (&json!(2), &json!([]))
    );
    assert_eq!(lines[4]["sent"], lines[4]["received"]);
}

#[test]
fn a_run_ends_with_what_it_does_not_understand() {
    for line in [
        "{",
        r#"{"step": {"window_s": 1}}"#,
        r#"{"pairs": {"profile": "X", "count": 1}}"#,
    ] {
        let (output, lines) = program(&["run"], line);
        assert!(!output.status.success(), "{line}");
        assert_eq!(lines.len(), 1);
        assert!(output.stderr.starts_with(b"pagecalls-load: "));
    }
}

#[test]
fn peers_refuse_one_order_and_go_on() {
    let input = r#"{"id": 1, "op": "new", "peer": "ann"}
{"id": 2, "op": "sing", "peer": "ann"}
nonsense
{"id": 3, "op": "send", "peer": "ann", "on": true, "stream": {"ssrc": 1, "octets": 9000}}
{"id": 4, "op": "new", "peer": "bob", "profiles": ["AEAD_AES_256_GCM"]}
{"id": 5, "op": "new", "peer": "eve", "profiles": ["ROT13"]}
{"id": 6, "op": "stats"}"#;
    let (output, lines) = program(&["peers"], input);
    assert!(output.status.success());
    assert_eq!(lines[0]["event"], "hello");
    assert_eq!(lines[1]["ok"]["address"], "127.1.0.0");
    assert_eq!(lines[1]["ok"]["pwd"].as_str().unwrap().len(), 24);
    for (at, id) in [
        (2, json!(2)),
        (3, json!(null)),
        (4, json!(3)),
        (6, json!(5)),
    ] {
        assert_eq!(lines[at]["id"], id);
        assert!(lines[at]["err"].is_string(), "{}", lines[at]);
    }
    let names: Vec<&String> = lines[7]["ok"].as_object().unwrap().keys().collect();
    assert_eq!(names, ["ann", "bob"]);
    assert_eq!(lines.len(), 8);
}

#[test]
fn the_load_tells_its_own_ceiling() {
    let (output, lines) = program(&["loop", "2", "1", "AEAD_AES_128_GCM"], "");
    assert!(output.status.success());
    let flat_out: Vec<&Value> = lines.iter().map(|line| &line["flat_out"]).collect();
    assert_eq!(flat_out, [&json!(true), &json!(false)]);
    let rate = |line: &Value| line["packets_per_s"].as_f64().unwrap();
    assert!(rate(&lines[0]) > rate(&lines[1]), "{lines:?}");
}

#[test]
fn wrong_words_get_the_usage() {
    for words in [&["play"][..], &[], &["loop", "1", "2", "3", "4"]] {
        let (output, _) = program(words, "");
        assert_eq!(output.status.code(), Some(2));
        assert!(output.stderr.starts_with(b"usage: "));
    }
}
