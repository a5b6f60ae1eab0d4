//! The ICE-lite agent of one leg (RFC 8445 2.5, 7.3): it answers checks and learns from them where its peer is.
//!
//! It sends no checks, knows no candidates and no sockets. Consent (RFC 7675) is the time of the last check that was authentic.
//!
//! # Which path
//!
//! 1. The first path on which an authentic check comes is selected; after that, the newest with USE-CANDIDATE.
//! 2. A peer whose address changed under it (a NAT that forgot it) does not always nominate again. So where the selected path has
//!    been silent, a path that has proved itself by a check takes over: by authentic media when no media came on the selected one
//!    for a second, by a check when nothing at all came for seven.
//! 3. A captured check can be sent again from elsewhere, and is authentic: it moves the media away. SRTP cannot be repeated, so the
//!    peer's own media brings it back after a second by rule 2; and then, for half a minute, a nomination moves media that flows
//!    only to a path that has carried media itself.
//!
//! Bytes that prove nothing change nothing.
//!
//! # Restart
//!
//! A restart (RFC 8445 9) gives new credentials. Those before stay valid until the first authentic check with the new ones, for the peer
//! learns of these later than we do; from then on checks with the old ones are ignored. Paths are kept, and media goes on where it goes.

use std::time::{Duration, Instant};

use crate::path::{Path, Via};
use crate::stun::{Builder, Class, Key, Message};

/// Paths of one peer that are remembered; further ones push out the one that was silent longest.
pub const MAX_SOURCES: usize = 16;

/// TCP connections among them.
pub const MAX_STREAMS: usize = 4;

/// Media that comes on another path than the selected one, which has brought none for so long, shows where the peer is. Longer
/// than packets are late or out of order.
const MEDIA_SILENCE: Duration = Duration::from_secs(1);

/// A check on another path than the selected one, on which nothing has come for so long, shows the same. Longer than the
/// distance of two consent checks (RFC 7675 5.1: at most 6 s).
pub const SILENCE: Duration = Duration::from_secs(7);

/// After a nomination that the peer's media disproved, new paths have to prove themselves for so long.
const DOUBT: Duration = Duration::from_secs(30);

/// What came of a datagram.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Outcome {
    /// Nothing to send and nothing learnt.
    Ignored,
    /// An error response was written. The request proved nothing, or asked for what we do not do.
    Refused,
    /// An authentic check was answered.
    Checked {
        /// Its path is new to this agent.
        new_source: bool,
        /// A path that gave way to it, because there were too many.
        removed: Option<Path>,
        /// Where to send media from now on, if that is another path than before.
        selected_changed: Option<Path>,
        /// It was the first one with new credentials, and the old ones are no longer valid.
        is_restarted: bool,
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
    /// When something authentic came on it.
    heard: Instant,
    /// When media did.
    media: Option<Instant>,
}

/// What a check is signed with, and by whom.
struct Credentials {
    ufrag: String,
    key: Key,
    remote_ufrag: Option<String>,
}

impl Credentials {
    fn new(ufrag: String, pwd: &str) -> Self {
        Self {
            ufrag,
            key: Key::new(pwd),
            remote_ufrag: None,
        }
    }

    /// USERNAME is `ours:theirs` (RFC 8445 7.2.2).
    fn fits(&self, username: &str) -> bool {
        let Some((local, remote)) = username.split_once(':') else {
            return false;
        };
        let known = self.remote_ufrag.as_deref();
        local == self.ufrag && known.is_none_or(|ufrag| ufrag == remote)
    }
}

/// One leg's agent.
pub struct Agent {
    own: Credentials,
    /// Those before a restart, as long as no check has come with the new ones.
    before: Option<Credentials>,
    /// The first one is the selected one.
    sources: Vec<Source>,
    selected_at: Option<Instant>,
    doubted_at: Option<Instant>,
    last_heard: Option<Instant>,
}

impl Agent {
    /// An agent with our credentials, which the peer gets in SDP.
    #[must_use]
    pub fn new(local_ufrag: String, local_pwd: impl AsRef<str>) -> Self {
        Self {
            own: Credentials::new(local_ufrag, local_pwd.as_ref()),
            before: None,
            sources: Vec::new(),
            selected_at: None,
            doubted_at: None,
            last_heard: None,
        }
    }

    /// Sets the peer's credentials. From then on its ufrag is compared; until then any is taken, for the password is ours.
    ///
    /// The peer's password would sign checks of ours. A lite agent sends none.
    pub fn set_remote(&mut self, ufrag: &str, _pwd: &str) {
        self.own.remote_ufrag = Some(ufrag.to_owned());
    }

    /// Takes new credentials of ours. Returns a ufrag that is no longer valid: of new ones that nobody had used.
    pub fn restart(&mut self, ufrag: String, pwd: &str) -> Option<String> {
        let last = std::mem::replace(&mut self.own, Credentials::new(ufrag, pwd));
        if self.before.is_some() {
            return Some(last.ufrag);
        }
        self.before = Some(last);
        None
    }

    /// Our ufrags that are valid: the present one, and for a while after a restart the one before.
    pub fn local_ufrags(&self) -> impl Iterator<Item = &str> {
        let before = self.before.iter();
        std::iter::once(&self.own)
            .chain(before)
            .map(|credentials| credentials.ufrag.as_str())
    }

    /// Where to send. The rules stand at the head of this module.
    #[must_use]
    pub fn selected(&self) -> Option<Path> {
        self.sources.first().map(|source| source.path)
    }

    /// When something authentic came last.
    #[must_use]
    pub fn last_heard(&self) -> Option<Instant> {
        self.last_heard
    }

    /// Paths on which authentic checks came and that are remembered, at most [`MAX_SOURCES`].
    pub fn sources(&self) -> impl Iterator<Item = Path> {
        self.sources.iter().map(|source| source.path)
    }

    /// When something authentic came last on this path; `None` if it is none of ours.
    #[must_use]
    pub fn heard_on(&self, path: Path) -> Option<Instant> {
        self.place(path).map(|place| self.sources[place].heard)
    }

    /// TCP connections on which nothing authentic came for `limit`.
    pub fn idle_streams(&self, limit: Duration, now: Instant) -> impl Iterator<Item = Path> {
        self.sources
            .iter()
            .filter(move |source| is_stream(source.path) && source.heard + limit <= now)
            .map(|source| source.path)
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
        let is_old = self.is_old(&message);
        let credentials = match &self.before {
            Some(before) if is_old => before,
            _ => &self.own,
        };
        if let Err(refusal) = examine(credentials, &message) {
            refuse(credentials, &message, refusal, out);
            return Outcome::Refused;
        }
        Builder::new(out, Class::Success, message.transaction)
            .xor_mapped(from.remote)
            .finish(Some(&credentials.key));
        let is_restarted = !is_old && self.before.take().is_some();
        if is_restarted {
            // Whoever has the new password is no echo of an old check.
            self.doubted_at = None;
        }
        self.learn(from, message.use_candidate, is_restarted, now)
    }

    /// Whether a request names the credentials from before a restart.
    fn is_old(&self, message: &Message) -> bool {
        let names = |before: &Credentials| {
            let username = message.username.and_then(|name| name.split_once(':'));
            username.is_some_and(|(local, _)| local == before.ufrag)
        };
        self.before.as_ref().is_some_and(names)
    }

    /// Notes authentic media on a path; returns the path to send to from now on, if that is another than before.
    pub fn hear(&mut self, path: Path, now: Instant) -> Option<Path> {
        self.last_heard = Some(now);
        let place = self.place(path)?;
        let source = &mut self.sources[place];
        (source.heard, source.media) = (now, Some(now));
        if place == 0 || self.has_media(now) {
            return None;
        }
        if self.sources[0].media.is_none() {
            self.doubted_at = Some(now);
        }
        self.select(place, now);
        Some(path)
    }

    /// Forgets a path that is gone; returns the path to send to from now on, if that is another than before.
    pub fn forget(&mut self, path: Path, now: Instant) -> Option<Path> {
        let place = self.place(path)?;
        self.sources.swap_remove(place);
        if place > 0 {
            return None;
        }
        let newest = (0..self.sources.len()).max_by_key(|&at| self.sources[at].heard)?;
        self.select(newest, now);
        self.selected()
    }

    fn learn(&mut self, from: Path, nominated: bool, is_restarted: bool, now: Instant) -> Outcome {
        self.last_heard = Some(now);
        let is_silent = self
            .sources
            .first()
            .is_some_and(|selected| selected.heard + SILENCE <= now);
        let known = self.place(from);
        let removed = known.is_none().then(|| self.make_room(from)).flatten();
        let place = known.unwrap_or(self.sources.len());
        match known {
            Some(place) => self.sources[place].heard = now,
            None => self.sources.push(Source {
                path: from,
                heard: now,
                media: None,
            }),
        }
        let is_first = self.sources.len() == 1 && known.is_none();
        let moves = place > 0 && (is_silent || nominated && self.trusts(place, now));
        if is_first || moves {
            self.select(place, now);
        }
        Outcome::Checked {
            new_source: known.is_none(),
            removed,
            selected_changed: (is_first || moves).then_some(from),
            is_restarted,
        }
    }

    fn place(&self, path: Path) -> Option<usize> {
        self.sources.iter().position(|source| source.path == path)
    }

    fn select(&mut self, place: usize, now: Instant) {
        self.sources.swap(0, place);
        self.selected_at = Some(now);
    }

    /// Whether media comes on the selected path, or still may, since it was selected just now.
    fn has_media(&self, now: Instant) -> bool {
        let newest = self
            .sources
            .first()
            .and_then(|selected| selected.media)
            .max(self.selected_at);
        newest.is_some_and(|newest| now < newest + MEDIA_SILENCE)
    }

    /// Whether a nomination of this path is to be followed.
    fn trusts(&self, place: usize, now: Instant) -> bool {
        let is_doubtful = self.doubted_at.is_some_and(|since| now < since + DOUBT);
        !is_doubtful || self.sources[place].media.is_some() || !self.has_media(now)
    }

    /// Forgets the path that was silent longest, if one more would be too many; never the selected one.
    fn make_room(&mut self, path: Path) -> Option<Path> {
        let streams = self.sources().filter(|path| is_stream(*path)).count();
        let too_many_streams = is_stream(path) && streams >= MAX_STREAMS;
        if !too_many_streams && self.sources.len() < MAX_SOURCES {
            return None;
        }
        let oldest = (1..self.sources.len())
            .filter(|&at| !too_many_streams || is_stream(self.sources[at].path))
            .min_by_key(|&at| self.sources[at].heard)?;
        Some(self.sources.swap_remove(oldest).path)
    }
}

fn examine(credentials: &Credentials, message: &Message) -> Result<(), Refusal> {
    let Some(username) = message.username.filter(|_| message.has_integrity()) else {
        return Err(Refusal::BadRequest);
    };
    if !credentials.fits(username) || !message.verify(&credentials.key) {
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

fn refuse(credentials: &Credentials, message: &Message, refusal: Refusal, out: &mut Vec<u8>) {
    let (code, reason) = refusal.code_and_reason();
    let mut answer = Builder::new(out, Class::Error, message.transaction).error(code, reason);
    if refusal == Refusal::UnknownAttribute {
        answer = answer.unknown(message.unknown_required());
    }
    answer.finish(refusal.is_signed().then_some(&credentials.key));
}

fn is_stream(path: Path) -> bool {
    matches!(path.via, Via::Tcp(_))
}
