//! `pagecalls-media`: the arguments, and the start of everything.

use std::fmt::Display;
use std::io::ErrorKind;
use std::net::IpAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::str::FromStr;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use pagecalls_media::acceptor::{self, Acceptor, Listeners};
use pagecalls_media::control::{Control, Listener, Patience};
use pagecalls_media::dtls::{Certificate, Context};
use pagecalls_media::fresh::{Fresh, MAX_WORKERS};
use pagecalls_media::hosts::{Hosts, is_usable};
use pagecalls_media::ice::MAX_STREAMS;
use pagecalls_media::log::Log;
use pagecalls_media::protocol::{self, Candidate, Fingerprint, HashName, HelloOk, Proto};
use pagecalls_media::shard::{DEFAULT_CALLS, MAX_CALLS, Shard};
use pagecalls_media::sys::{Signals, interface_addresses, raise_descriptor_limit};
use pagecalls_media::tcp::Slots;
use pagecalls_media::udp::{MAX_HOSTS, PORT_TRIES, Port};
use pagecalls_media::worker::{Reports, Worker};

const USAGE: &str = "\
usage: pagecalls-media --socket PATH --data-dir DIR --data-dir-id HEX [options]

  --socket PATH         Unix socket to listen on for the control plane
  --data-dir DIR        where the certificate is kept
  --data-dir-id HEX     what `hello` must name
  --host IP[,IP]        addresses to bind; 0.0.0.0 all of IPv4, :: all there are (127.0.0.1)
  --udp-port N          port of the first worker, the next ones follow; 0 takes any (0)
  --tcp-port N|off      port for media over TCP, of all workers; 0 takes any (off)
  --workers N           threads that carry media, at most 64 (1)
  --max-calls N         calls that may be up at the same time (800 for each worker, which can hold 2000)
  --public-ip IP        address to tell to peers instead; may be given several times
  --engine-grace-s N    how long media goes on without a server (30)
  --drain-s N           how long calls may go on after SIGTERM (600)
  --settings TEXT       what `hello` tells again, for a server to know its own engine by
  --log LEVEL           error, warn, info, debug or trace (info)
  --protocol            print the control protocol as JSON and end
  --version             print the version and end
";

/// Descriptors that are not those of media connections: sockets of all addresses, half-open connections, control, files.
const OTHER_DESCRIPTORS: usize = 512;

/// What the arguments say.
struct Arguments {
    socket: PathBuf,
    data_dir: PathBuf,
    data_dir_id: String,
    hosts: Vec<IpAddr>,
    udp_port: u16,
    tcp_port: Option<u16>,
    workers: u16,
    max_calls: Option<u32>,
    public_ips: Vec<IpAddr>,
    patience: Patience,
    settings: String,
    log: tracing::Level,
}

/// What the process is asked to do.
enum Task {
    Serve(Arguments),
    Print(String),
}

fn main() -> ExitCode {
    let task = match parse(std::env::args().skip(1)) {
        Ok(task) => task,
        Err(message) => {
            eprint!("pagecalls-media: {message}\n\n{USAGE}");
            return ExitCode::from(2);
        }
    };
    let result = match task {
        Task::Print(text) => {
            println!("{text}");
            return ExitCode::SUCCESS;
        }
        Task::Serve(arguments) => serve(arguments),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            tracing::error!("{message}");
            ExitCode::FAILURE
        }
    }
}

fn parse(mut words: impl Iterator<Item = String>) -> Result<Task, String> {
    let (mut socket, mut data_dir, mut data_dir_id) = (None, None, None);
    let mut hosts = vec![IpAddr::from([127, 0, 0, 1])];
    let (mut udp_port, mut workers, mut log) = (0, 1, tracing::Level::INFO);
    let (mut grace_s, mut drain_s, mut settings) = (30, 600, String::new());
    let (mut tcp_port, mut max_calls) = (None, None);
    let mut public_ips = Vec::new();
    while let Some(word) = words.next() {
        let mut value = || words.next().ok_or_else(|| format!("{word} needs a value"));
        match word.as_str() {
            "--version" => {
                return Ok(Task::Print(format!(
                    "pagecalls-media {}",
                    env!("CARGO_PKG_VERSION")
                )));
            }
            "--protocol" => return Ok(Task::Print(protocol::description().to_string())),
            "--help" => return Ok(Task::Print(USAGE.into())),
            "--socket" => socket = Some(value()?.into()),
            "--data-dir" => data_dir = Some(value()?.into()),
            "--data-dir-id" => data_dir_id = Some(value()?),
            "--host" => {
                hosts = value()?
                    .split(',')
                    .map(|text| read(&word, text))
                    .collect::<Result<_, _>>()?;
            }
            "--udp-port" => udp_port = read(&word, &value()?)?,
            "--tcp-port" => {
                let text = value()?;
                tcp_port = (text != "off").then(|| read(&word, &text)).transpose()?;
            }
            "--max-calls" => max_calls = Some(read(&word, &value()?)?),
            "--workers" => workers = read(&word, &value()?)?,
            "--public-ip" => public_ips.push(read(&word, &value()?)?),
            "--engine-grace-s" => grace_s = read(&word, &value()?)?,
            "--drain-s" => drain_s = read(&word, &value()?)?,
            "--settings" => settings = value()?,
            "--log" => log = read(&word, &value()?)?,
            _ => return Err(format!("unknown argument {word}")),
        }
    }
    if !(1..=MAX_WORKERS).contains(&usize::from(workers)) {
        return Err(format!("--workers must be between 1 and {MAX_WORKERS}"));
    }
    Ok(Task::Serve(Arguments {
        socket: socket.ok_or("--socket is missing")?,
        data_dir: data_dir.ok_or("--data-dir is missing")?,
        data_dir_id: data_dir_id.ok_or("--data-dir-id is missing")?,
        hosts,
        udp_port,
        tcp_port,
        workers,
        max_calls,
        public_ips,
        patience: Patience {
            grace: Duration::from_secs(grace_s),
            drain: Duration::from_secs(drain_s),
        },
        settings,
        log,
    }))
}

fn read<T: FromStr<Err: Display>>(name: &str, text: &str) -> Result<T, String> {
    text.parse()
        .map_err(|error| format!("{name} {text}: {error}"))
}

fn serve(arguments: Arguments) -> Result<(), String> {
    let said = |what: &'static str| move |error: &dyn Display| format!("{what}: {error}");
    tracing_subscriber::fmt()
        .with_max_level(arguments.log)
        .with_writer(Mutex::new(Log::new(
            std::io::stderr(),
            arguments.data_dir.join("engine.log"),
        )))
        .with_ansi(false)
        .log_internal_errors(false)
        .init();
    // A panic must be seen where all else is seen, also when nobody reads standard error any more.
    std::panic::set_hook(Box::new(|panic| tracing::error!("{panic}")));
    // Before any thread: all of them must inherit the mask.
    let signals = Signals::new().map_err(|error| said("signals")(&error))?;
    let certificate = Certificate::load_or_create(&arguments.data_dir)
        .map_err(|error| said("certificate")(&error))?;
    let context = Context::new(&certificate).map_err(|error| said("DTLS")(&error))?;
    let (reports, receiver, waker) = Reports::channel().map_err(|error| said("eventfd")(&error))?;
    let descriptors = raise_descriptor_limit().map_err(|error| said("descriptors")(&error))?;
    let hosts = find_hosts(&arguments).map_err(|error| said("interfaces")(&error))?;
    let tcp = match arguments.tcp_port {
        Some(number) => Some(
            acceptor::listen(&hosts.bound, number)
                .map_err(|error| format!("TCP port {number}: {error}"))?,
        ),
        None => None,
    };
    let tcp_port = tcp.as_ref().map(Listeners::number);
    let ports = bind_ports(&hosts.bound, arguments.udp_port, arguments.workers)?;
    let mut workers = Vec::new();
    for (index, port) in (0u32..).zip(ports) {
        if let Ok(Some(bytes)) = port.missing_buffer() {
            tracing::info!(
                bytes,
                "the kernel gave smaller socket buffers (net.core.rmem_max, wmem_max)"
            );
        }
        let candidates = candidates(&hosts.told, port.number(), tcp_port);
        tracing::info!(port = port.number(), tcp_port, addresses = ?hosts.told, "worker {index} listens");
        let shard = Shard::new(
            index,
            context.clone(),
            candidates.clone(),
            Fresh::new(Box::new(fill)),
            Instant::now(),
        );
        let worker = Worker::start(index, port, shard, candidates, reports.clone())
            .map_err(|error| said("worker")(&error))?;
        workers.push(worker);
    }
    // What it hands to a worker that has ended is closed.
    let _acceptor = match tcp {
        Some(listeners) => {
            let limit = connections_per_worker(descriptors, workers.len());
            let doors = workers.iter().map(|worker| worker.door(Slots::new(limit)));
            let (doors, patience) = (doors.collect(), acceptor::PATIENCE);
            let acceptor = Acceptor::start(listeners, doors, patience, reports);
            Some(acceptor.map_err(|error| said("TCP")(&error))?)
        }
        None => None,
    };
    let hello = HelloOk {
        proto: protocol::PROTOCOL_VERSION,
        node: format!(
            "m-{}",
            arguments.data_dir_id.chars().take(8).collect::<String>()
        ),
        data_dir: arguments.data_dir_id,
        pid: std::process::id(),
        fingerprint: Fingerprint {
            alg: HashName::Sha256,
            value: certificate.fingerprint_sha256(),
        },
        candidates: workers
            .iter()
            .map(|worker| worker.candidates.clone())
            .collect(),
        capacity: capacity(arguments.max_calls, workers.len()),
        settings: arguments.settings,
    };
    let listener = Listener::bind(&arguments.socket)
        .map_err(|error| format!("{}: {error}", arguments.socket.display()))?;
    tracing::info!(socket = %arguments.socket.display(), "ready");
    Control::new(
        listener,
        signals,
        hello,
        workers,
        (receiver, waker),
        arguments.patience,
    )
    .run()
    .map_err(|error| said("control")(&error))
}

/// A port for each worker, one number after the other; from 0 on any that are free.
fn bind_ports(hosts: &[IpAddr], first: u16, workers: u16) -> Result<Vec<Port>, String> {
    let mut tries = if first == 0 { PORT_TRIES } else { 1 };
    loop {
        tries -= 1;
        let mut ports: Vec<Port> = Vec::new();
        let mut taken = None;
        for index in 0..workers {
            let number = match ports.first() {
                None => first,
                Some(port) => port.number().saturating_add(index),
            };
            match Port::bind(hosts, number) {
                Ok(port) => ports.push(port),
                Err(error) => {
                    taken = Some((error.kind(), format!("UDP port {number}: {error}")));
                    break;
                }
            }
        }
        match taken {
            None => return Ok(ports),
            Some((ErrorKind::AddrInUse, _)) if tries > 0 => {}
            Some((_, message)) => return Err(message),
        }
    }
}

/// Each leg may have as many connections as it may have TCP paths, as far as there are descriptors.
fn connections_per_worker(descriptors: u64, workers: usize) -> usize {
    let most = MAX_CALLS * 2 * MAX_STREAMS;
    let left = usize::try_from(descriptors)
        .unwrap_or(usize::MAX)
        .saturating_sub(OTHER_DESCRIPTORS);
    most.min(left / workers)
}

/// What peers are told of a worker.
fn candidates(told: &[IpAddr], udp_port: u16, tcp_port: Option<u16>) -> Vec<Candidate> {
    let all = |proto: Proto, port: u16| {
        told.iter().map(move |ip| Candidate {
            proto,
            ip: ip.to_string(),
            port,
        })
    };
    all(Proto::Udp, udp_port)
        .chain(tcp_port.into_iter().flat_map(|port| all(Proto::Tcp, port)))
        .collect()
}

/// The addresses of this start.
fn find_hosts(arguments: &Arguments) -> std::io::Result<Hosts> {
    let interfaces = interface_addresses()?;
    let Arguments {
        hosts, public_ips, ..
    } = arguments;
    let found = Hosts::choose(hosts, public_ips, &interfaces, is_usable);
    if !found.left_out.is_empty() {
        tracing::warn!(
            addresses = ?found.left_out,
            "not listened on: they cannot be used now, or are more than {MAX_HOSTS}"
        );
    }
    Ok(found)
}

/// Calls that the engine takes. More than its workers can hold is not to be had.
fn capacity(asked: Option<u32>, workers: usize) -> u32 {
    let most = (MAX_CALLS * workers) as u32;
    let asked = asked.unwrap_or((DEFAULT_CALLS * workers) as u32);
    if asked > most {
        tracing::warn!(asked, most, "max-calls is more than these workers can hold");
    }
    asked.min(most)
}

/// Random bytes that nobody can guess.
fn fill(bytes: &mut [u8]) {
    // It fails only where OpenSSL has no source of entropy at all, and then nothing that needs secrets may go on.
    openssl::rand::rand_bytes(bytes).expect("OpenSSL has entropy");
}
