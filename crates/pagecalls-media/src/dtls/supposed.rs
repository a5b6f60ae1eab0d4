//! Handshakes that are supposed and not made, for fuzz targets alone: a call then costs microseconds, and each input can have its own.
//!
//! No program that carries calls has this: it is compiled under `--cfg fuzzing` only. Such a session is connected by the first
//! record that comes, whatever that is, and is settled from the start; its keys are known to all.

use super::alerts::{Alerts, Written};
use super::context::Context;
use super::keys::{RecordKey, Suite};
use super::session::{Line, Progress, Role, Session};
use crate::srtp::{MasterKey, Profile};

impl Context {
    /// The same context for sessions that suppose to have agreed on this profile.
    #[must_use]
    pub fn supposing(mut self, profile: Profile) -> Self {
        self.supposed = Some(profile);
        self
    }
}

impl Session {
    pub(super) fn supposing(profile: Profile, role: Role) -> Self {
        let key = |fill| RecordKey::new(Suite::Aes128Gcm, &[fill; 16], [fill; 4]);
        let key = |fill| key(fill).expect("a key of this length");
        let (read, write) = match role {
            Role::Passive => (key(1), key(2)),
            Role::Active => (key(2), key(1)),
        };
        let alerts = Alerts::new(read, write, Written { seq: 1, nonce: 0 });
        let mut session = Self::on(Line::Settled(Box::new(alerts)), role);
        session.supposed = Some(profile);
        session
    }
}

/// What the handshake came to.
pub(super) fn connected(profile: Profile, role: Role) -> Progress {
    let key = |fill| -> MasterKey {
        (
            vec![fill; profile.key_len()],
            vec![fill; profile.salt_len()],
        )
    };
    let (local, remote) = match role {
        Role::Passive => (key(2), key(1)),
        Role::Active => (key(1), key(2)),
    };
    Progress::Connected {
        profile,
        local,
        remote,
    }
}
