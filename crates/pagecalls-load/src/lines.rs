//! Orders that come in as lines, without waiting for them.

use std::io::{self, Write as _};
use std::os::fd::RawFd;

use serde_json::Value;

use crate::Outcome;

const STDIN: RawFd = 0;

/// Lines from standard input. It is read only when there is something, so that nothing else has to wait.
#[derive(Default)]
pub struct Lines {
    bytes: Vec<u8>,
    is_over: bool,
}

impl Lines {
    /// What to wait for; `None` once there will be no more.
    #[must_use]
    pub fn fd(&self) -> Option<RawFd> {
        (!self.is_over).then_some(STDIN)
    }

    /// Whether the last line has been read.
    #[must_use]
    pub fn is_over(&self) -> bool {
        self.is_over && self.bytes.is_empty()
    }

    /// Reads what is there, and waits for nothing.
    pub fn read(&mut self) -> io::Result<()> {
        while !self.is_over && is_readable()? {
            let mut chunk = [0; 8_192];
            // SAFETY: the buffer lives through the call, and its length is given.
            let got = unsafe { libc::read(STDIN, chunk.as_mut_ptr().cast(), chunk.len()) };
            match usize::try_from(got) {
                Ok(0) => self.is_over = true,
                Ok(len) => self.bytes.extend_from_slice(&chunk[..len]),
                Err(_) => return Err(io::Error::last_os_error()),
            }
        }
        Ok(())
    }

    /// The next whole line; at the end of all also one that has no end of its own.
    pub fn next_line(&mut self) -> Option<String> {
        let end = self.bytes.iter().position(|byte| *byte == b'\n');
        let len = match end {
            Some(at) => at + 1,
            None if self.is_over && !self.bytes.is_empty() => self.bytes.len(),
            None => return None,
        };
        let line: Vec<u8> = self.bytes.drain(..len).collect();
        Some(String::from_utf8_lossy(&line).trim_end().to_owned())
    }
}

fn is_readable() -> io::Result<bool> {
    let mut entry = libc::pollfd {
        fd: STDIN,
        events: libc::POLLIN,
        revents: 0,
    };
    // SAFETY: the entry lives through the call, and there is one.
    match unsafe { libc::poll(&raw mut entry, 1, 0) } {
        ready if ready >= 0 => Ok(entry.revents != 0),
        _ => Err(io::Error::last_os_error()),
    }
}

/// Tells the parent something, at once.
pub fn say(what: &Value) -> Outcome<()> {
    let mut out = io::stdout().lock();
    writeln!(out, "{what}")?;
    Ok(out.flush()?)
}
