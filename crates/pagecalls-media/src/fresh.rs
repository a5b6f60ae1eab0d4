//! Where everything that must be new comes from: random numbers, credentials, serial numbers.
//!
//! The randomness is handed in, so that a test can repeat a run.

/// Characters of ICE credentials (RFC 8445 5.3 allows more; these are safe everywhere). There are 64 of them.
const ICE_CHARS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// As many workers can be told apart by the first character of a user fragment.
pub const MAX_WORKERS: usize = ICE_CHARS.len();

/// The first character of every user fragment that this worker gives out; workers are counted from 0 to [`MAX_WORKERS`].
#[must_use]
pub fn worker_char(worker: u32) -> char {
    char::from(ICE_CHARS[worker as usize % MAX_WORKERS])
}

/// The worker that gave out this user fragment, if it is one of ours.
#[must_use]
pub fn worker_of(ufrag: &str) -> Option<usize> {
    let first = ufrag.bytes().next()?;
    ICE_CHARS.iter().position(|other| *other == first)
}

/// Fills a buffer with random bytes.
pub type Fill = Box<dyn FnMut(&mut [u8]) + Send>;

/// Makes new things.
pub struct Fresh {
    fill: Fill,
    serial: u32,
}

impl Fresh {
    /// Takes its randomness from `fill`, which must not be guessable: ICE passwords are made of it.
    #[must_use]
    pub fn new(fill: Fill) -> Self {
        Self { fill, serial: 0 }
    }

    /// A number that this object has not given before.
    pub fn serial(&mut self) -> u32 {
        self.serial = self.serial.wrapping_add(1);
        self.serial
    }

    /// A random number.
    pub fn number(&mut self) -> u32 {
        let mut bytes = [0; 4];
        (self.fill)(&mut bytes);
        u32::from_be_bytes(bytes)
    }

    /// A random text of ICE characters, six bits each.
    pub fn ice_text(&mut self, len: usize) -> String {
        let mut bytes = vec![0; len];
        (self.fill)(&mut bytes);
        bytes
            .into_iter()
            .map(|byte| char::from(ICE_CHARS[usize::from(byte & 63)]))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_character_of_a_ufrag_names_its_worker() {
        for worker in 0..MAX_WORKERS as u32 {
            let ufrag = format!("{}rest", worker_char(worker));
            assert_eq!(worker_of(&ufrag), Some(worker as usize));
        }
        assert_eq!(
            (worker_of(""), worker_of("-"), worker_of("é")),
            (None, None, None)
        );
    }

    #[test]
    fn texts_are_made_of_ice_characters_and_serials_never_repeat() {
        let mut next = 0u8;
        let mut fresh = Fresh::new(Box::new(move |bytes| {
            for byte in bytes {
                next = next.wrapping_add(7);
                *byte = next;
            }
        }));
        let text = fresh.ice_text(24);
        assert_eq!(text.len(), 24);
        assert!(text.bytes().all(|byte| ICE_CHARS.contains(&byte)));
        assert_ne!(text, fresh.ice_text(24));
        assert_ne!(fresh.serial(), fresh.serial());
        assert_ne!(fresh.number(), fresh.number());
    }
}
