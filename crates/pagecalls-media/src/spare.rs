//! A descriptor that is kept for the moment when there is no other one left.
//!
//! A connection that cannot be accepted stays in the listener's queue, and the wait for the listener returns again at once, for ever.
//! Giving up the spare descriptor makes room to accept the connection and close it. What listens, the caller knows.

use std::fs::File;
use std::io;
use std::time::Duration;

/// How long nothing is accepted when not even the spare descriptor is left.
const PAUSE: Duration = Duration::from_millis(100);

/// The spare descriptor.
pub struct Spare(Option<File>);

impl Default for Spare {
    fn default() -> Self {
        Self::new()
    }
}

impl Spare {
    /// Takes one, if one is to be had.
    #[must_use]
    pub fn new() -> Self {
        Self(File::open("/dev/null").ok())
    }

    /// Whether an attempt to accept failed because something has run out.
    #[must_use]
    pub fn is_wanted(error: &io::Error) -> bool {
        matches!(
            error.raw_os_error(),
            Some(libc::EMFILE | libc::ENFILE | libc::ENOBUFS | libc::ENOMEM)
        )
    }

    /// Accepts with the spare descriptor, and closes what was accepted.
    pub fn refuse<T>(&mut self, accept: impl FnOnce() -> io::Result<T>) {
        let had_one = self.0.take().is_some();
        let refused = accept();
        if !had_one || refused.is_err() {
            std::thread::sleep(PAUSE);
        }
        drop(refused);
        *self = Self::new();
    }
}
