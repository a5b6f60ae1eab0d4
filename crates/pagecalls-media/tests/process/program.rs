//! The engine as a child of the test, and a control connection to it.

use std::fs;
use std::io::{BufRead, BufReader, ErrorKind, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::ptr;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use serde_json::{Value, json};

pub const BINARY: &str = env!("CARGO_BIN_EXE_pagecalls-media");
pub const PATIENCE: Duration = Duration::from_secs(10);

/// A running engine with a folder of its own; it is killed when dropped.
pub struct Engine {
    pub child: Child,
    pub folder: PathBuf,
}

pub fn folder() -> PathBuf {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let name = format!(
        "pagecalls-media-{}-{}",
        std::process::id(),
        COUNT.fetch_add(1, Ordering::Relaxed)
    );
    let folder = std::env::temp_dir().join(name);
    fs::create_dir(&folder).unwrap();
    folder
}

impl Engine {
    pub fn start(grace_s: u32) -> Self {
        Self::start_in(folder(), grace_s)
    }

    pub fn start_with(arguments: &[&str]) -> Self {
        let folder = folder();
        let mut command = Self::command(&folder, 30);
        command.args(arguments);
        Self::spawn(command, folder)
    }

    pub fn start_in(folder: PathBuf, grace_s: u32) -> Self {
        Self::spawn(Self::command(&folder, grace_s), folder)
    }

    fn spawn(mut command: Command, folder: PathBuf) -> Self {
        let mut child = command.stderr(Stdio::piped()).spawn().unwrap();
        // It says when it is ready. From then on nobody reads what it says, as when its parent is gone.
        let lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let is_ready = lines
            .map_while(Result::ok)
            .any(|line| line.contains("ready"));
        assert!(is_ready, "the engine did not start");
        Self { child, folder }
    }

    pub fn command(folder: &std::path::Path, grace_s: u32) -> Command {
        let mut command = Command::new(BINARY);
        command
            .arg("--socket")
            .arg(folder.join("media.sock"))
            .arg("--data-dir")
            .arg(folder);
        command.args([
            "--data-dir-id",
            "0123456789abcdef",
            "--engine-grace-s",
            &grace_s.to_string(),
        ]);
        command
    }

    pub fn signal(&self, signal: libc::c_int) {
        let pid = libc::pid_t::try_from(self.child.id()).unwrap();
        // SAFETY: sends a signal to a child of ours that has not been waited for.
        assert_eq!(unsafe { libc::kill(pid, signal) }, 0);
    }

    /// The lowest number of a descriptor that it does not have.
    pub fn free_descriptor(&self) -> u64 {
        let folder = PathBuf::from(format!("/proc/{}/fd", self.child.id()));
        let has = |number: &u64| fs::symlink_metadata(folder.join(number.to_string())).is_ok();
        (0..1_000_000).find(|number| !has(number)).unwrap()
    }

    /// From now on it opens descriptors below this number alone; returns the limit before.
    pub fn limit_descriptors(&self, count: u64) -> u64 {
        let pid = libc::pid_t::try_from(self.child.id()).unwrap();
        let mut limit = libc::rlimit {
            rlim_cur: 0,
            rlim_max: 0,
        };
        // SAFETY: the struct lives through the call, and nothing is set.
        let got = unsafe { libc::prlimit(pid, libc::RLIMIT_NOFILE, ptr::null(), &raw mut limit) };
        let before = std::mem::replace(&mut limit.rlim_cur, count);
        // SAFETY: the struct lives through the call, and nothing is written back.
        let set =
            unsafe { libc::prlimit(pid, libc::RLIMIT_NOFILE, &raw const limit, ptr::null_mut()) };
        assert_eq!((got, set), (0, 0));
        before
    }

    pub fn connect(&self) -> Client {
        let stream = UnixStream::connect(self.folder.join("media.sock")).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        Client {
            stream,
            next: 0,
            events: Vec::new(),
        }
    }

    /// A client that owns the engine.
    pub fn own(&self) -> Client {
        let mut client = self.connect();
        client.ok(json!({"op": "hello", "proto": 3, "data_dir": "0123456789abcdef"}));
        client
    }

    pub fn wait(mut self) -> ExitStatus {
        let status = self.child.wait().unwrap();
        assert!(
            !self.folder.join("media.sock").exists(),
            "the socket is taken away"
        );
        status
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = fs::remove_dir_all(&self.folder);
    }
}

/// A control connection.
pub struct Client {
    pub stream: UnixStream,
    next: u64,
    events: Vec<Value>,
}

impl Client {
    pub fn send(&mut self, frame: &[u8]) {
        self.stream
            .write_all(&(frame.len() as u32).to_be_bytes())
            .unwrap();
        self.stream.write_all(frame).unwrap();
    }

    pub fn receive(&mut self) -> Value {
        let mut head = [0; 4];
        self.stream.read_exact(&mut head).unwrap();
        let mut frame = vec![0; u32::from_be_bytes(head) as usize];
        self.stream.read_exact(&mut frame).unwrap();
        serde_json::from_slice(&frame).unwrap()
    }

    pub fn ask(&mut self, mut command: Value) -> Value {
        self.next += 1;
        command["id"] = self.next.into();
        self.send(command.to_string().as_bytes());
        loop {
            let frame = self.receive();
            if frame["id"] == self.next {
                return frame;
            }
            self.events.push(frame);
        }
    }

    pub fn ok(&mut self, command: Value) -> Value {
        let reply = self.ask(command);
        assert!(reply["err"].is_null(), "{reply}");
        reply["ok"].clone()
    }

    pub fn code(&mut self, command: Value) -> String {
        self.ask(command)["err"]["code"]
            .as_str()
            .expect("a refusal")
            .to_owned()
    }

    /// Returns once the engine takes no new calls.
    pub fn drains(&mut self) {
        for number in 0.. {
            let call = format!("late {number}");
            let reply = self.ask(json!({"op": "call.create", "call": call}));
            if reply["err"]["code"] == "ending" {
                return;
            }
            self.ok(json!({"op": "call.close", "call": call}));
        }
    }

    pub fn is_closed(&mut self) -> bool {
        match self.stream.read(&mut [0; 1]) {
            Ok(count) => count == 0,
            Err(error) => error.kind() == ErrorKind::ConnectionReset,
        }
    }

    pub fn event(&mut self, name: &str) -> Value {
        loop {
            let event = if self.events.is_empty() {
                self.receive()
            } else {
                self.events.remove(0)
            };
            if event["ev"] == name {
                return event;
            }
        }
    }
}

/// A client that owns the engine, and the engine's hello.
pub fn greeted(engine: &Engine) -> (Client, Value) {
    let mut client = engine.connect();
    let hello = client.ok(json!({"op": "hello", "proto": 3, "data_dir": "0123456789abcdef"}));
    (client, hello)
}
