//! The ICE-lite agent of one leg (RFC 8445 2.5, 7.3): it answers checks and learns from them where its peer is.
//!
//! It sends no checks, knows no candidates and no sockets. Consent (RFC 7675) is the time of the last check that was authentic.

use std::time::Instant;

use crate::path::Path;
use crate::stun::{Builder, Class, Key, Message};

/// Paths of one peer that are remembered; further ones push out the one that was silent longest.
pub const MAX_SOURCES: usize = 16;

/// What came of a datagram.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Outcome {
    /// Nothing to send and nothing learnt.
    Ignored,
    /// An error response was written. The request proved nothing, or asked for what we do not do.
    Refused,
    /// An authentic check was answered.
    Checked {
        /// Its source is new to this agent.
        new_source: bool,
        /// Where to send media from now on, if that is another path than before.
        selected_changed: Option<Path>,
    },
}

/// Why a request is refused (RFC 8489 9.1.3 and 6.3.1, RFC 8445 7.3.1.1).
#[derive(Clone, Copy, PartialEq, Eq)]
enum Refusal {
    BadRequest,
    Unauthenticated,
    UnknownAttribute,
    RoleConflict,
}

impl Refusal {
    const fn code_and_reason(self) -> (u16, &'static str) {
        match self {
            Self::BadRequest => (400, "Bad Request"),
            Self::Unauthenticated => (401, "Unauthenticated"),
            Self::UnknownAttribute => (420, "Unknown Attribute"),
            Self::RoleConflict => (487, "Role Conflict"),
        }
    }

    /// Whether the request was authentic, so that the answer is signed.
    const fn is_signed(self) -> bool {
        matches!(self, Self::UnknownAttribute | Self::RoleConflict)
    }
}

/// A path on which an authentic check came.
struct Source {
    path: Path,
    heard: Instant,
}

/// One leg's agent.
pub struct Agent {
    local_ufrag: String,
    local_key: Key,
    remote_ufrag: Option<String>,
    sources: Vec<Source>,
    selected: Option<Path>,
    last_heard: Option<Instant>,
}

impl Agent {
    /// An agent with our credentials, which the peer gets in SDP.
    #[must_use]
    pub fn new(local_ufrag: String, local_pwd: impl AsRef<str>) -> Self {
        Self {
            local_ufrag,
            local_key: Key::new(local_pwd.as_ref()),
            remote_ufrag: None,
            sources: Vec::new(),
            selected: None,
            last_heard: None,
        }
    }

    /// Sets the peer's credentials. From then on its ufrag is compared; until then any is taken, for the password is ours.
    ///
    /// The peer's password would sign checks of ours. A lite agent sends none.
    pub fn set_remote(&mut self, ufrag: &str, _pwd: &str) {
        self.remote_ufrag = Some(ufrag.to_owned());
    }

    /// Our ufrag.
    #[must_use]
    pub fn local_ufrag(&self) -> &str {
        &self.local_ufrag
    }

    /// Where to send: the source of the latest authentic check with USE-CANDIDATE, before that of the first authentic check.
    #[must_use]
    pub fn selected(&self) -> Option<Path> {
        self.selected
    }

    /// When the last authentic check came.
    #[must_use]
    pub fn last_heard(&self) -> Option<Instant> {
        self.last_heard
    }

    /// Paths on which authentic checks came and that are remembered, at most [`MAX_SOURCES`].
    pub fn sources(&self) -> impl Iterator<Item = Path> {
        self.sources.iter().map(|source| source.path)
    }

    /// Takes a datagram that came on `from`, writes the answer, if there is one, into `out`, and says what it means.
    ///
    /// Only requests get answers. Indications are keepalives without credentials and prove nothing; responses answer nobody.
    pub fn handle(
        &mut self,
        datagram: &[u8],
        from: Path,
        now: Instant,
        out: &mut Vec<u8>,
    ) -> Outcome {
        out.clear();
        let Ok(message) = Message::parse(datagram) else {
            return Outcome::Ignored;
        };
        if message.class != Class::Request {
            return Outcome::Ignored;
        }
        if let Err(refusal) = self.examine(&message) {
            self.refuse(&message, refusal, out);
            return Outcome::Refused;
        }
        Builder::new(out, Class::Success, message.transaction)
            .xor_mapped(from.remote)
            .finish(Some(&self.local_key));
        self.learn(from, message.use_candidate, now)
    }

    fn examine(&self, message: &Message) -> Result<(), Refusal> {
        let Some(username) = message.username.filter(|_| message.has_integrity()) else {
            return Err(Refusal::BadRequest);
        };
        if !self.is_for_us(username) || !message.verify(&self.local_key) {
            return Err(Refusal::Unauthenticated);
        }
        if !message.unknown_required().is_empty() {
            return Err(Refusal::UnknownAttribute);
        }
        // A lite agent is controlled, always (RFC 8445 6.1.1); it cannot give way.
        if message.controlled.is_some() {
            return Err(Refusal::RoleConflict);
        }
        Ok(())
    }

    /// USERNAME is `ours:theirs` (RFC 8445 7.2.2).
    fn is_for_us(&self, username: &str) -> bool {
        let Some((local, remote)) = username.split_once(':') else {
            return false;
        };
        let remote_fits = self
            .remote_ufrag
            .as_deref()
            .is_none_or(|ufrag| ufrag == remote);
        local == self.local_ufrag && remote_fits
    }

    fn refuse(&self, message: &Message, refusal: Refusal, out: &mut Vec<u8>) {
        let (code, reason) = refusal.code_and_reason();
        let mut answer = Builder::new(out, Class::Error, message.transaction).error(code, reason);
        if refusal == Refusal::UnknownAttribute {
            answer = answer.unknown(message.unknown_required());
        }
        answer.finish(refusal.is_signed().then_some(&self.local_key));
    }

    fn learn(&mut self, from: Path, nominated: bool, now: Instant) -> Outcome {
        self.last_heard = Some(now);
        let new_source = self.remember(from, now);
        let choose = nominated || self.selected.is_none();
        let selected_changed = (choose && self.selected != Some(from)).then_some(from);
        if selected_changed.is_some() {
            self.selected = selected_changed;
        }
        Outcome::Checked {
            new_source,
            selected_changed,
        }
    }

    /// Notes the source; says whether it is new.
    fn remember(&mut self, path: Path, now: Instant) -> bool {
        if let Some(source) = self.sources.iter_mut().find(|source| source.path == path) {
            source.heard = now;
            return false;
        }
        if self.sources.len() == MAX_SOURCES {
            let oldest = (0..MAX_SOURCES)
                .filter(|&at| Some(self.sources[at].path) != self.selected)
                .min_by_key(|&at| self.sources[at].heard)
                .expect("one of sixteen at most is selected");
            self.sources.swap_remove(oldest);
        }
        self.sources.push(Source { path, heard: now });
        true
    }
}
