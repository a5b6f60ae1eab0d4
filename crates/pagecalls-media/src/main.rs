//! `pagecalls-media`: the arguments, and the start of everything.

use std::fmt::Display;
use std::net::IpAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::str::FromStr;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use pagecalls_media::control::{Control, Listener, Patience};
use pagecalls_media::dtls::{Certificate, Context};
use pagecalls_media::fresh::Fresh;
use pagecalls_media::log::Log;
use pagecalls_media::protocol::{self, Candidate, Fingerprint, HashName, HelloOk, Proto};
use pagecalls_media::shard::{MAX_CALLS, Shard};
use pagecalls_media::sys::{Signals, interface_addresses};
use pagecalls_media::udp::Port;
use pagecalls_media::worker::{Reports, Worker};

const USAGE: &str = "\
usage: pagecalls-media --socket PATH --data-dir DIR --data-dir-id HEX [options]

  --socket PATH         Unix socket to listen on for the control plane
  --data-dir DIR        where the certificate is kept
  --data-dir-id HEX     what `hello` must name
  --host IP[,IP]        addresses to bind, at most one IPv4 and one IPv6 (127.0.0.1)
  --udp-port N          port of the first worker, the next ones follow; 0 takes any (0)
  --workers N           threads that carry media (1)
  --public-ip IP        address to tell to peers instead; may be given several times
  --engine-grace-s N    how long media goes on without a server (30)
  --drain-s N           how long calls may go on after SIGTERM (600)
  --settings TEXT       what `hello` tells again, for a server to know its own engine by
  --log LEVEL           error, warn, info, debug or trace (info)
  --protocol            print the control protocol as JSON and end
  --version             print the version and end
";

/// What the arguments say.
struct Arguments {
    socket: PathBuf,
    data_dir: PathBuf,
    data_dir_id: String,
    hosts: Vec<IpAddr>,
    udp_port: u16,
    workers: u16,
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
            "--workers" => workers = read(&word, &value()?)?,
            "--public-ip" => public_ips.push(read(&word, &value()?)?),
            "--engine-grace-s" => grace_s = read(&word, &value()?)?,
            "--drain-s" => drain_s = read(&word, &value()?)?,
            "--settings" => settings = value()?,
            "--log" => log = read(&word, &value()?)?,
            _ => return Err(format!("unknown argument {word}")),
        }
    }
    if workers == 0 {
        return Err("--workers must be at least 1".into());
    }
    Ok(Task::Serve(Arguments {
        socket: socket.ok_or("--socket is missing")?,
        data_dir: data_dir.ok_or("--data-dir is missing")?,
        data_dir_id: data_dir_id.ok_or("--data-dir-id is missing")?,
        hosts,
        udp_port,
        workers,
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
    let told = told_addresses(&arguments).map_err(|error| said("interfaces")(&error))?;
    let mut workers = Vec::new();
    for index in 0..arguments.workers {
        let number = if arguments.udp_port == 0 {
            0
        } else {
            arguments.udp_port.saturating_add(index)
        };
        let port = Port::bind(&arguments.hosts, number)
            .map_err(|error| format!("UDP port {number}: {error}"))?;
        let candidate = |ip: &IpAddr| Candidate {
            proto: Proto::Udp,
            ip: ip.to_string(),
            port: port.number(),
        };
        let candidates: Vec<Candidate> = told.iter().map(candidate).collect();
        tracing::info!(port = port.number(), addresses = ?told, "worker {index} listens");
        let shard = Shard::new(
            index.into(),
            context.clone(),
            candidates.clone(),
            Fresh::new(Box::new(fill)),
            Instant::now(),
        );
        let worker = Worker::start(index.into(), port, shard, candidates, reports.clone())
            .map_err(|error| said("worker")(&error))?;
        workers.push(worker);
    }
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
        capacity: (MAX_CALLS * workers.len()) as u32,
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

/// The addresses that peers are told: the public ones, else those that are bound; for a wildcard, those of all interfaces, with
/// loopback only where there is nothing else.
fn told_addresses(arguments: &Arguments) -> std::io::Result<Vec<IpAddr>> {
    if !arguments.public_ips.is_empty() {
        return Ok(arguments.public_ips.clone());
    }
    let mut told = Vec::new();
    for host in &arguments.hosts {
        if !host.is_unspecified() {
            told.push(*host);
            continue;
        }
        let (loopback, others): (Vec<IpAddr>, Vec<IpAddr>) = interface_addresses()?
            .into_iter()
            .filter(|address| address.is_ipv4() == host.is_ipv4())
            .partition(IpAddr::is_loopback);
        told.extend(if others.is_empty() { loopback } else { others });
    }
    Ok(told)
}

/// Random bytes that nobody can guess.
fn fill(bytes: &mut [u8]) {
    // It fails only where OpenSSL has no source of entropy at all, and then nothing that needs secrets may go on.
    openssl::rand::rand_bytes(bytes).expect("OpenSSL has entropy");
}
