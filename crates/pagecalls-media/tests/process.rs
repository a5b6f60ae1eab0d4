//! The engine as a process: its Unix socket, its UDP and TCP ports, and how it ends.

use std::fs;
use std::io::{BufRead, BufReader, ErrorKind, Read, Write};
use std::net::{IpAddr, SocketAddr, TcpStream, UdpSocket};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use pagecalls_media::dtls::{Certificate, Context, Fingerprint, Progress, Role, Session};
use pagecalls_media::rtp::{Fields, Header, write_header};
use pagecalls_media::srtp::{Inbound, Outbound};
use pagecalls_media::stun::{Builder, Class, Key};

const BINARY: &str = env!("CARGO_BIN_EXE_pagecalls-media");
const PATIENCE: Duration = Duration::from_secs(10);

/// A running engine with a folder of its own; it is killed when dropped.
struct Engine {
    child: Child,
    folder: PathBuf,
}

fn folder() -> PathBuf {
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
    fn start(grace_s: u32) -> Self {
        Self::start_in(folder(), grace_s)
    }

    fn start_with(arguments: &[&str]) -> Self {
        let folder = folder();
        let mut command = Self::command(&folder, 30);
        command.args(arguments);
        Self::spawn(command, folder)
    }

    fn start_in(folder: PathBuf, grace_s: u32) -> Self {
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

    fn command(folder: &std::path::Path, grace_s: u32) -> Command {
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

    fn signal(&self, signal: libc::c_int) {
        let pid = libc::pid_t::try_from(self.child.id()).unwrap();
        // SAFETY: sends a signal to a child of ours that has not been waited for.
        assert_eq!(unsafe { libc::kill(pid, signal) }, 0);
    }

    fn connect(&self) -> Client {
        let stream = UnixStream::connect(self.folder.join("media.sock")).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        Client {
            stream,
            next: 0,
            events: Vec::new(),
        }
    }

    /// A client that owns the engine.
    fn own(&self) -> Client {
        let mut client = self.connect();
        client.ok(json!({"op": "hello", "proto": 3, "data_dir": "0123456789abcdef"}));
        client
    }

    fn wait(mut self) -> ExitStatus {
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
struct Client {
    stream: UnixStream,
    next: u64,
    events: Vec<Value>,
}

impl Client {
    fn send(&mut self, frame: &[u8]) {
        self.stream
            .write_all(&(frame.len() as u32).to_be_bytes())
            .unwrap();
        self.stream.write_all(frame).unwrap();
    }

    fn receive(&mut self) -> Value {
        let mut head = [0; 4];
        self.stream.read_exact(&mut head).unwrap();
        let mut frame = vec![0; u32::from_be_bytes(head) as usize];
        self.stream.read_exact(&mut frame).unwrap();
        serde_json::from_slice(&frame).unwrap()
    }

    fn ask(&mut self, mut command: Value) -> Value {
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

    fn ok(&mut self, command: Value) -> Value {
        let reply = self.ask(command);
        assert!(reply["err"].is_null(), "{reply}");
        reply["ok"].clone()
    }

    fn code(&mut self, command: Value) -> String {
        self.ask(command)["err"]["code"]
            .as_str()
            .expect("a refusal")
            .to_owned()
    }

    /// Returns once the engine takes no new calls.
    fn drains(&mut self) {
        for number in 0.. {
            let call = format!("late {number}");
            let reply = self.ask(json!({"op": "call.create", "call": call}));
            if reply["err"]["code"] == "ending" {
                return;
            }
            self.ok(json!({"op": "call.close", "call": call}));
        }
    }

    fn is_closed(&mut self) -> bool {
        match self.stream.read(&mut [0; 1]) {
            Ok(count) => count == 0,
            Err(error) => error.kind() == ErrorKind::ConnectionReset,
        }
    }

    fn event(&mut self, name: &str) -> Value {
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

#[test]
fn a_server_finds_what_it_said_at_the_start_and_a_sign_of_life() {
    let engine = Engine::start_with(&["--settings", "port 0, two \"hosts\""]);
    let mut client = engine.connect();
    let hello = client.ok(json!({"op": "hello", "proto": 3, "data_dir": "0123456789abcdef"}));
    assert_eq!(hello["settings"], "port 0, two \"hosts\"");
    assert_eq!(client.ok(json!({"op": "ping"})), json!({}));
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

/// What carries a peer's datagrams.
enum Wire {
    Udp(UdpSocket),
    /// Framed (RFC 4571); `split` writes each frame in two parts.
    Tcp {
        stream: TcpStream,
        split: bool,
    },
}

impl Wire {
    fn udp(engine: SocketAddr) -> Self {
        let any: IpAddr = match engine {
            SocketAddr::V4(_) => "0.0.0.0".parse().unwrap(),
            SocketAddr::V6(_) => "::".parse().unwrap(),
        };
        let socket = UdpSocket::bind((any, 0)).unwrap();
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        // From now on only what leaves from this very address is received.
        socket.connect(engine).unwrap();
        Self::Udp(socket)
    }

    fn tcp(engine: SocketAddr, split: bool) -> Self {
        let stream = TcpStream::connect(engine).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.set_nodelay(true).unwrap();
        Self::Tcp { stream, split }
    }

    fn send(&mut self, datagram: &[u8]) {
        self.send_all(&[datagram]);
    }

    /// On a stream, all of them in one piece.
    fn send_all(&mut self, datagrams: &[&[u8]]) {
        match self {
            Self::Udp(socket) => {
                for datagram in datagrams {
                    socket.send(datagram).unwrap();
                }
            }
            Self::Tcp { stream, split } => {
                let framed = |datagram: &&[u8]| {
                    let head = (datagram.len() as u16).to_be_bytes();
                    [&head, *datagram].concat()
                };
                let bytes: Vec<u8> = datagrams.iter().flat_map(framed).collect();
                let cut = if *split { bytes.len() / 2 } else { 0 };
                stream.write_all(&bytes[..cut]).unwrap();
                stream.write_all(&bytes[cut..]).unwrap();
            }
        }
    }

    fn receive(&mut self) -> Vec<u8> {
        let mut bytes = vec![0; 2_000];
        let len = match self {
            Self::Udp(socket) => socket.recv(&mut bytes).unwrap(),
            Self::Tcp { stream, .. } => {
                let mut head = [0; 2];
                stream.read_exact(&mut head).unwrap();
                let len = usize::from(u16::from_be_bytes(head));
                stream.read_exact(&mut bytes[..len]).unwrap();
                len
            }
        };
        bytes.truncate(len);
        bytes
    }

    fn is_closed(&mut self) -> bool {
        let Self::Tcp { stream, .. } = self else {
            return false;
        };
        match stream.read(&mut [0; 4_096]) {
            Ok(count) => count == 0,
            Err(error) => error.kind() == ErrorKind::ConnectionReset,
        }
    }
}

/// Where an engine listens for a protocol, of what `leg.create` said.
fn candidate(offer: &Value, proto: &str, is_v6: bool) -> SocketAddr {
    let mut candidates = offer["candidates"].as_array().unwrap().iter();
    let found = candidates.find(|candidate| {
        candidate["proto"] == proto && candidate["ip"].as_str().unwrap().contains(':') == is_v6
    });
    let found = found.unwrap_or_else(|| panic!("no {proto} in {offer}"));
    let ip: IpAddr = found["ip"].as_str().unwrap().parse().unwrap();
    (ip, found["port"].as_u64().unwrap() as u16).into()
}

/// A peer on a real socket.
struct Peer {
    wire: Wire,
    offer: Value,
    session: Session,
    keys: Option<(Inbound, Outbound)>,
    is_closed: bool,
}

impl Peer {
    /// Creates the leg, tells it of a peer, and connects that over UDP and IPv4.
    fn connect(client: &mut Client, leg: &str, pt: u8, fingerprint: &Value) -> Self {
        let wire = |offer: &Value| Wire::udp(candidate(offer, "udp", false));
        Self::connect_over(client, "c", leg, pt, fingerprint, wire)
    }

    fn connect_over(
        client: &mut Client,
        call: &str,
        leg: &str,
        pt: u8,
        fingerprint: &Value,
        wire: impl FnOnce(&Value) -> Wire,
    ) -> Self {
        let certificate = Certificate::generate().unwrap();
        let offer = client.ok(json!({"op": "leg.create", "call": call, "leg": leg}));
        let codecs = json!([{"key": "opus/48000/2", "pt": pt}]);
        client.ok(json!({
            "op": "leg.apply", "leg": leg, "rev": 1, "timers": {},
            "remote": {
                "ufrag": "peer", "pwd": "a password of their own",
                "fingerprints": [{"alg": "sha-256", "value": certificate.fingerprint_sha256()}],
            },
            "recv": [{"track": "in", "mid": "0", "kind": "audio", "codecs": codecs, "ext": {}}],
            "send": [{"track": "out", "kind": "audio", "cname": "n", "codecs": codecs, "ext": {}, "outputs": [{"ssrc": 7, "mid": "0"}]}],
        }));
        let mut session = Session::new(&Context::new(&certificate).unwrap(), Role::Active).unwrap();
        session.set_expected(&[Fingerprint::parse(
            "sha-256",
            fingerprint["value"].as_str().unwrap(),
        )
        .unwrap()]);
        let mut peer = Self {
            wire: wire(&offer),
            offer,
            session,
            keys: None,
            is_closed: false,
        };
        peer.check();
        let progress = peer.session.start(Instant::now());
        peer.note(progress.unwrap());
        while peer.keys.is_none() {
            peer.receive();
        }
        peer
    }

    fn check(&mut self) {
        self.wire.send(&check(&self.offer, &self.offer["pwd"]));
        while self.wire.receive()[..2] != [1, 1] {}
    }

    /// Takes one datagram; returns the payload of a media packet.
    fn receive(&mut self) -> Option<Vec<u8>> {
        let mut bytes = self.wire.receive();
        if (20..64).contains(&bytes[0]) {
            let progress = self.session.receive(&bytes, Instant::now()).unwrap();
            self.note(progress);
            return None;
        }
        let header_len = Header::parse(&bytes)?.len;
        if (192..224).contains(&bytes[1]) {
            return None;
        }
        let len = self
            .keys
            .as_mut()?
            .0
            .unprotect_rtp(&mut bytes, header_len)
            .unwrap();
        Some(bytes[header_len..len].to_vec())
    }

    fn note(&mut self, progress: Progress) {
        match progress {
            Progress::Nothing => {}
            Progress::Connected {
                profile,
                local,
                remote,
            } => {
                let inbound = Inbound::new(profile, &remote.0, &remote.1).unwrap();
                self.keys = Some((inbound, Outbound::new(profile, &local.0, &local.1).unwrap()));
            }
            Progress::PeerClosed => self.is_closed = true,
        }
        let mut datagram = Vec::new();
        while self.session.poll_transmit(&mut datagram).is_some() {
            self.wire.send(&datagram);
        }
    }

    /// The next media packet.
    fn hear(&mut self) -> Vec<u8> {
        loop {
            if let Some(payload) = self.receive() {
                return payload;
            }
        }
    }

    fn speak(&mut self, pt: u8, seq: u16, payload: &[u8]) {
        let packet = self.packet(pt, seq, payload);
        self.wire.send(&packet);
    }

    fn packet(&mut self, pt: u8, seq: u16, payload: &[u8]) -> Vec<u8> {
        let mut bytes = vec![0; 300];
        let fields = Fields {
            pt,
            marker: false,
            padding: false,
            seq,
            ts: u32::from(seq) * 960,
            ssrc: 9,
        };
        let header_len = write_header(&mut bytes, &fields, std::iter::empty()).unwrap();
        let len = header_len + payload.len();
        bytes[header_len..len].copy_from_slice(payload);
        let len = self
            .keys
            .as_mut()
            .unwrap()
            .1
            .protect_rtp(&mut bytes, header_len, len)
            .unwrap();
        bytes.truncate(len);
        bytes
    }
}

fn check(offer: &Value, pwd: &Value) -> Vec<u8> {
    let mut bytes = Vec::new();
    Builder::new(&mut bytes, Class::Request, *b"twelve bytes")
        .username(&format!("{}:peer", offer["ufrag"].as_str().unwrap()))
        .controlling(1)
        .use_candidate()
        .finish(Some(&Key::new(pwd.as_str().unwrap())));
    bytes
}

/// Both directions between the legs.
fn route(client: &mut Client, call: &str, one: &str, other: &str) {
    let end = |leg: &str, track: &str| json!({"leg": leg, "track": track});
    client.ok(
        json!({"op": "call.route", "call": call, "rev": 1, "routes": [
            {"from": end(one, "in"), "to": end(other, "out")},
            {"from": end(other, "in"), "to": end(one, "out")},
        ]}),
    );
}

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

/// A client that owns the engine, and the engine's hello.
fn greeted(engine: &Engine) -> (Client, Value) {
    let mut client = engine.connect();
    let hello = client.ok(json!({"op": "hello", "proto": 3, "data_dir": "0123456789abcdef"}));
    (client, hello)
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
    client.ok(json!({"op": "call.close", "call": "c"}));
    while !consumer.is_closed {
        consumer.receive();
    }
    assert!(consumer.wire.is_closed());
    let remotes = ["127.0.0.1:", "127.0.0.1:", "[::1]:"];
    for remote in ["[::1]:"].into_iter().chain(remotes) {
        let told = client.event("leg.ice");
        assert!(
            told["remote"].as_str().unwrap().starts_with(remote),
            "{told}"
        );
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
    for _ in 0..20 {
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
