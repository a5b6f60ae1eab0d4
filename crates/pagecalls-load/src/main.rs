//! `pagecalls-load`: many light peers, for tests and benches of Page Calls.

use std::process::ExitCode;

use pagecalls_load::run::{Load, Pairs, Step, run};
use pagecalls_load::steer::steer;
use pagecalls_load::{Outcome, lines::say};
use serde_json::{Value, json};

const USAGE: &str = "\
usage: pagecalls-load run [ADDRESS]                    a load in steps, told in lines of JSON on standard input
       pagecalls-load peers                            peers told one by one, in lines of JSON on standard input
       pagecalls-load loop [PAIRS [SECONDS [PROFILE]]] what the load can do by itself: peers in pairs, without a server

Each peer has a loopback address of its own, 127.1.0.0 and up; all share one port. With ADDRESS
all peers of a load share that one instead. What the lines hold: rustdoc of pagecalls_load.";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let outcome = match words[..] {
        ["run"] => run(None),
        ["run", address] => address
            .parse()
            .map_err(Into::into)
            .and_then(|at| run(Some(at))),
        ["peers"] => steer(),
        ["loop", ref options @ ..] if options.len() <= 3 => ceiling(options),
        ["--help"] => {
            println!("{USAGE}");
            return ExitCode::SUCCESS;
        }
        _ => {
            eprintln!("{USAGE}");
            return ExitCode::from(2);
        }
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("pagecalls-load: {error}");
            ExitCode::FAILURE
        }
    }
}

/// The load as fast as it can, and at the pace of sound.
fn ceiling(options: &[&str]) -> Outcome<()> {
    let pairs = Pairs {
        count: options.first().map_or(Ok(200), |text| text.parse())?,
        profile: (*options.get(2).unwrap_or(&"SRTP_AES128_CM_SHA1_80")).to_owned(),
        stream: pagecalls_load::stream::Shape::default(),
    };
    let seconds: u32 = options.get(1).map_or(Ok(3), |text| text.parse())?;
    let mut load = Load::new(None)?;
    let connected = load.pair(&pairs)?;
    if connected["failed"] != json!([]) {
        return Err(format!("peers do not connect: {}", connected["failed"]).into());
    }
    for flat_out in [true, false] {
        let step = Step {
            warm_up_ms: 200,
            window_ms: u64::from(seconds) * 1_000,
            flat_out,
            ..Step::default()
        };
        let result = load.step(&step, |_| Ok(()))?;
        say(&told(&pairs, flat_out, seconds, &result))?;
    }
    Ok(())
}

fn told(pairs: &Pairs, flat_out: bool, seconds: u32, result: &Value) -> Value {
    let number = |name: &str| result[name].as_f64().unwrap_or_default();
    let (sent, received, cpu_s) = (number("sent"), number("received"), number("cpu_s"));
    json!({
        "pairs": pairs.count, "profile": pairs.profile, "flat_out": flat_out,
        "packets_per_s": received / f64::from(seconds), "us_cpu_per_packet": cpu_s / received * 1e6,
        "packets_per_s_and_core": received / cpu_s, "loss_percent": 100.0 * (1.0 - received / sent),
        "latency_us": result["latency_us"], "lag_us": result["lag_us"],
    })
}
