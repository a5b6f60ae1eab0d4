//! One peer's transport: ICE-lite, DTLS and SRTP put together.
//!
//! It answers checks, runs the handshake with whoever proved to know our password, compares the certificate with the announced
//! one, and then encrypts and decrypts. It knows no tracks, no timers of the control plane, and reports nothing itself: what
//! has changed is returned.

use std::time::{Duration, Instant};

use crate::dtls::{Context, Fingerprint, Progress, Role, Session};
use crate::error::{DtlsError, Error, SrtpError};
use crate::ice::{Agent, Outcome};
use crate::outbox::Outbox;
use crate::outlet::Wire;
use crate::path::Path;
use crate::protocol::{self, Code, DtlsState, HashName, Refusal, Remote, Why};
use crate::srtp::{Inbound, Outbound, Profile};

/// A peer that sends media has finished its handshake, unless its keys are out before their time. So much later no repeat comes any more.
const SETTLED_WITH_MEDIA: Duration = Duration::from_secs(5);
/// Of a peer that sends none, twice the longest life of a segment (RFC 6347 4.2.4, RFC 793 3.3).
const SETTLED_IN_SILENCE: Duration = Duration::from_secs(240);

/// Why a leg is over.
#[derive(Debug, PartialEq, Eq)]
pub struct Failure {
    /// The reason, as the event names it.
    pub why: Why,
    /// The reason, in words.
    pub detail: String,
}

impl From<DtlsError> for Failure {
    fn from(error: DtlsError) -> Self {
        let is_mismatch = error == DtlsError::FingerprintMismatch;
        let why = if is_mismatch {
            Why::Fingerprint
        } else {
            Why::Dtls
        };
        Self {
            why,
            detail: error.to_string(),
        }
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self {
            why: Why::Internal,
            detail: error.to_string(),
        }
    }
}

/// What a STUN datagram has changed.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Checked {
    /// A path on which the peer has now proved itself for the first time.
    pub added: Option<Path>,
    /// A path that gave way to it, because there were too many.
    pub removed: Option<Path>,
    /// Where media goes from now on, if that is new.
    pub selected: Option<Path>,
    /// It was no authentic check, and an error was answered.
    pub is_refused: bool,
    /// A user fragment that is no longer valid.
    pub retired_ufrag: Option<String>,
}

/// The handshake is done, and the certificate is the announced one.
#[derive(Debug, PartialEq, Eq)]
pub struct Connected {
    /// What both sides agreed on.
    pub profile: Profile,
    /// Time since the first record.
    pub handshake: Duration,
}

/// One peer's transport.
pub struct Transport {
    agent: Agent,
    session: Option<Session>,
    state: DtlsState,
    keys: Option<(Inbound, Outbound)>,
    profile: Option<Profile>,
    handshake_began: Option<Instant>,
    /// When the handshake was done, while the session still could repeat it.
    unsettled_since: Option<Instant>,
    /// Whether authentic media has come.
    has_heard_media: bool,
    /// When the peer's `close_notify` came.
    pub closed_at: Option<Instant>,
    /// Packets that STUN or SRTP refused.
    pub auth_failures: u64,
}

impl Transport {
    /// Listens for checks under these credentials.
    #[must_use]
    pub fn new(ufrag: String, pwd: &str) -> Self {
        Self {
            agent: Agent::new(ufrag, pwd),
            session: None,
            state: DtlsState::New,
            keys: None,
            profile: None,
            handshake_began: None,
            unsettled_since: None,
            has_heard_media: false,
            closed_at: None,
            auth_failures: 0,
        }
    }

    /// Our user fragments that are valid.
    pub fn ufrags(&self) -> impl Iterator<Item = &str> {
        self.agent.local_ufrags()
    }

    /// Takes new credentials; those before stay valid until the peer uses the new ones. Returns a user fragment that is no longer
    /// valid.
    pub fn restart(&mut self, ufrag: String, pwd: &str) -> Option<String> {
        self.agent.restart(ufrag, pwd)
    }

    /// The paths on which the peer has proved itself.
    pub fn sources(&self) -> impl Iterator<Item = Path> {
        self.agent.sources()
    }

    /// Where media goes.
    #[must_use]
    pub fn selected(&self) -> Option<Path> {
        self.agent.selected()
    }

    /// How far DTLS has come.
    #[must_use]
    pub fn state(&self) -> DtlsState {
        self.state
    }

    /// Whether media can flow.
    #[must_use]
    pub fn is_up(&self) -> bool {
        self.state == DtlsState::Connected
    }

    /// What was agreed on; it stays when the connection is over.
    #[must_use]
    pub fn profile(&self) -> Option<Profile> {
        self.profile
    }

    /// When something authentic came last.
    #[must_use]
    pub fn heard(&self) -> Option<Instant> {
        self.agent.last_heard()
    }

    /// When something authentic came last on this path; `None` if it is none of this peer's.
    #[must_use]
    pub fn heard_on(&self, path: Path) -> Option<Instant> {
        self.agent.heard_on(path)
    }

    /// Learns who the peer is. The role counts the first time; fingerprints count until the handshake is done.
    pub fn meet(&mut self, remote: &Remote, context: &Context) -> Result<(), Refusal> {
        let fingerprints: Vec<Fingerprint> = remote
            .fingerprints
            .iter()
            .map(parse)
            .collect::<Result<_, _>>()?;
        if fingerprints.is_empty() {
            return Err(Refusal::new(Code::BadState, "no fingerprint"));
        }
        if self.session.is_none() {
            let role = match remote.role {
                protocol::Role::Passive => Role::Passive,
                protocol::Role::Active => Role::Active,
            };
            let session = Session::new(context, role);
            self.session =
                Some(session.map_err(|error| Refusal::new(Code::Internal, error.to_string()))?);
        }
        if let Some(session) = self
            .session
            .as_mut()
            .filter(|session| !session.is_connected())
        {
            session.set_expected(&fingerprints);
        }
        self.agent.set_remote(&remote.ufrag, &remote.pwd);
        Ok(())
    }

    /// Takes a STUN datagram and answers it.
    pub fn stun(
        &mut self,
        datagram: &[u8],
        from: Path,
        now: Instant,
        outbox: &mut Outbox,
    ) -> Checked {
        let before = self.agent.local_ufrags().nth(1).map(str::to_owned);
        let outcome = outbox.written(from, |answer| {
            self.agent.handle(datagram, from, now, answer)
        });
        match outcome {
            Outcome::Checked {
                new_source,
                removed,
                selected_changed,
                is_restarted,
            } => Checked {
                added: new_source.then_some(from),
                removed,
                selected: selected_changed,
                is_refused: false,
                retired_ufrag: before.filter(|_| is_restarted),
            },
            Outcome::Ignored => Checked::default(),
            Outcome::Refused => {
                self.auth_failures += 1;
                Checked {
                    is_refused: true,
                    ..Checked::default()
                }
            }
        }
    }

    /// Notes that authentic media came on this path; returns where media goes from now on, if that is new.
    pub fn hear(&mut self, from: Path, now: Instant) -> Option<Path> {
        self.agent.hear(from, now)
    }

    /// Forgets a path that is gone; returns where media goes from now on, if that is new.
    pub fn forget(&mut self, path: Path, now: Instant) -> Option<Path> {
        self.agent.forget(path, now)
    }

    /// TCP connections on which nothing authentic came for `limit`.
    #[must_use]
    pub fn idle_streams(&self, limit: Duration, now: Instant) -> Vec<Path> {
        self.agent.idle_streams(limit, now).collect()
    }

    /// Begins the handshake if that is ours to do and the peer's address is known.
    pub fn start(
        &mut self,
        now: Instant,
        outbox: &mut Outbox,
    ) -> Result<Option<Connected>, Failure> {
        let Some(to) = self
            .agent
            .selected()
            .filter(|_| self.handshake_began.is_none())
        else {
            return Ok(None);
        };
        let Some(session) = self
            .session
            .as_mut()
            .filter(|session| session.role() == Role::Active)
        else {
            return Ok(None);
        };
        self.handshake_began = Some(now);
        self.state = DtlsState::Connecting;
        let progress = session.start(now);
        self.go_on(progress, to, now, outbox)
    }

    /// Takes a DTLS datagram. Before the peer is known it is ignored: the peer repeats it.
    pub fn dtls(
        &mut self,
        datagram: &[u8],
        from: Path,
        now: Instant,
        outbox: &mut Outbox,
    ) -> Result<Option<Connected>, Failure> {
        let Some(session) = &mut self.session else {
            return Ok(None);
        };
        if self.handshake_began.is_none() {
            if session.role() == Role::Active {
                return Ok(None);
            }
            self.handshake_began = Some(now);
            self.state = DtlsState::Connecting;
        }
        let progress = session.receive(datagram, now);
        self.go_on(progress, self.agent.selected().unwrap_or(from), now, outbox)
    }

    /// When [`Self::on_time`] is due.
    #[must_use]
    pub fn next_due(&self, now: Instant) -> Option<Instant> {
        self.repeat_due(now).or(self.settle_due())
    }

    /// When DTLS repeats what was lost.
    fn repeat_due(&self, now: Instant) -> Option<Instant> {
        let session = self
            .session
            .as_ref()
            .filter(|_| self.agent.selected().is_some());
        session.and_then(|session| session.next_timeout(now))
    }

    /// When the peer cannot ask for a repeat of ours any more. Each leg has its own time for it, so that the work is spread.
    fn settle_due(&self) -> Option<Instant> {
        let wait = if self.has_heard_media {
            SETTLED_WITH_MEDIA
        } else {
            SETTLED_IN_SILENCE
        };
        self.unsettled_since.map(|since| since + wait)
    }

    /// Repeats what DTLS lost, and gives back what only a handshake needs, each if it is time to.
    pub fn on_time(&mut self, now: Instant, outbox: &mut Outbox) -> Result<(), Failure> {
        if self.settle_due().is_some_and(|due| due <= now) {
            self.unsettled_since = None;
            if let Some(session) = &mut self.session {
                session.settle();
            }
        }
        if self.repeat_due(now).is_none_or(|due| due > now) {
            return Ok(());
        }
        let (Some(session), Some(to)) = (self.session.as_mut(), self.agent.selected()) else {
            return Ok(());
        };
        let progress = session.handle_timeout(now).map(|()| Progress::Nothing);
        self.go_on(progress, to, now, outbox).map(drop)
    }

    /// Sends `close_notify`.
    pub fn close(&mut self, outbox: &mut Outbox) {
        let (Some(session), Some(to)) = (self.session.as_mut(), self.agent.selected()) else {
            return;
        };
        session.close();
        self.send_records(to, outbox);
    }

    /// Decrypts an RTP packet in place; returns its length, or why SRTP refuses it. `None` before the keys.
    pub fn open_rtp(
        &mut self,
        packet: &mut [u8],
        header_len: usize,
    ) -> Option<Result<usize, SrtpError>> {
        let opened = self.keys.as_mut()?.0.unprotect_rtp(packet, header_len);
        self.count(opened);
        self.has_heard_media |= opened.is_ok();
        Some(opened)
    }

    /// Decrypts an RTP packet in place that came before; returns its length. It says nothing of where the peer is.
    pub fn open_again(&mut self, packet: &mut [u8], header_len: usize) -> Option<usize> {
        let opened = self.keys.as_mut()?.0.unprotect_again(packet, header_len);
        self.count(opened);
        opened.ok()
    }

    /// Decrypts an RTCP packet in place; returns its length.
    pub fn open_rtcp(&mut self, packet: &mut [u8]) -> Option<usize> {
        let opened = self.keys.as_mut()?.0.unprotect_rtcp(packet);
        self.count(opened);
        self.has_heard_media |= opened.is_ok();
        opened.ok()
    }

    /// Encrypts the first `len` bytes of the outbox's slot as RTCP and sends them, if the peer is up.
    pub fn send_rtcp(&mut self, len: usize, outbox: &mut Outbox) {
        let Some(wire) = self.wire(outbox) else {
            return;
        };
        if let Ok(len) = wire.srtp.protect_rtcp(wire.outbox.slot(), len) {
            wire.outbox.commit(len, wire.to);
        }
    }

    /// What sending RTP needs; `None` while the peer is not up.
    pub fn wire<'a>(&'a mut self, outbox: &'a mut Outbox) -> Option<Wire<'a>> {
        let to = self
            .agent
            .selected()
            .filter(|_| self.state == DtlsState::Connected)?;
        let (_, srtp) = self.keys.as_mut()?;
        Some(Wire {
            srtp,
            to,
            outbox,
            numbers: None,
            came: None,
            is_numbered: false,
        })
    }

    /// Gives up an outgoing SSRC for good.
    pub fn forget_ssrc(&mut self, ssrc: u32) {
        if let Some((_, outbound)) = &mut self.keys {
            outbound.forget_ssrc(ssrc);
        }
    }

    fn count(&mut self, opened: Result<usize, SrtpError>) {
        // The network may deliver twice or late; that is no attack.
        let is_false = opened.is_err_and(|why| !why.is_repeat());
        self.auth_failures += u64::from(is_false);
    }

    /// Sends what the session has written, and works out what its progress means.
    fn go_on(
        &mut self,
        progress: Result<Progress, DtlsError>,
        to: Path,
        now: Instant,
        outbox: &mut Outbox,
    ) -> Result<Option<Connected>, Failure> {
        self.send_records(to, outbox);
        match progress {
            Ok(Progress::Nothing) => Ok(None),
            Ok(Progress::Connected {
                profile,
                local,
                remote,
            }) => {
                let outbound = Outbound::new(profile, &local.0, &local.1)?;
                self.keys = Some((Inbound::new(profile, &remote.0, &remote.1)?, outbound));
                self.profile = Some(profile);
                self.state = DtlsState::Connected;
                self.unsettled_since = Some(now);
                // The same datagram may have held a goodbye, too.
                if let Some(session) = &mut self.session {
                    let progress = session.poll();
                    self.go_on(progress, to, now, outbox)?;
                }
                let handshake = self
                    .handshake_began
                    .map_or(Duration::ZERO, |began| now.saturating_duration_since(began));
                Ok(Some(Connected { profile, handshake }))
            }
            Ok(Progress::PeerClosed) => {
                self.state = DtlsState::Closed;
                self.closed_at = Some(now);
                Ok(None)
            }
            Err(error) => {
                self.state = DtlsState::Failed;
                Err(error.into())
            }
        }
    }

    fn send_records(&mut self, to: Path, outbox: &mut Outbox) {
        let Some(session) = &mut self.session else {
            return;
        };
        while outbox
            .written(to, |out| session.poll_transmit(out))
            .is_some()
        {}
    }
}

fn parse(fingerprint: &protocol::Fingerprint) -> Result<Fingerprint, Refusal> {
    let alg = match fingerprint.alg {
        HashName::Sha1 => "sha-1",
        HashName::Sha256 => "sha-256",
        HashName::Sha384 => "sha-384",
        HashName::Sha512 => "sha-512",
    };
    let parsed = Fingerprint::parse(alg, &fingerprint.value);
    parsed.ok_or_else(|| Refusal::new(Code::BadState, format!("fingerprint {}", fingerprint.value)))
}
