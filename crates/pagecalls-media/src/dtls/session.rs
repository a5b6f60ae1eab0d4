//! One peer's session: the handshake, the check of the certificate, and what follows.

use std::fmt;
use std::time::Instant;

use super::Fingerprint;
use super::alerts::{Alerts, Heard};
use super::context::Context;
use super::handshake::Handshake;
use super::record::is_plausible;
use crate::error::{DtlsError, Error};
use crate::srtp::{Keys, MasterKey, Profile};

/// RFC 5764 4.2.
const EXPORTER_LABEL: &str = "EXTRACTOR-dtls_srtp";

/// Who begins.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Role {
    /// The peer does; we are the server.
    Passive,
    /// We do; we are the client.
    Active,
}

/// What a session has to say.
pub enum Progress {
    /// Nothing new.
    Nothing,
    /// The handshake is done and the peer's certificate is the announced one. It is said once.
    Connected {
        /// What both agreed on.
        profile: Profile,
        /// Key and salt that we protect with.
        local: MasterKey,
        /// Key and salt that the peer protects with.
        remote: MasterKey,
    },
    /// The peer said goodbye with `close_notify`. It is said once.
    PeerClosed,
}

impl fmt::Debug for Progress {
    /// Says nothing of the keys.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Nothing => f.write_str("Nothing"),
            Self::Connected { profile, .. } => f
                .debug_struct("Connected")
                .field("profile", profile)
                .finish_non_exhaustive(),
            Self::PeerClosed => f.write_str("PeerClosed"),
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum State {
    /// Before and in the handshake.
    Handshaking,
    /// The handshake is done; the certificate was not compared yet.
    Unchecked,
    /// Keys were handed out.
    Connected,
    /// Over, by either side or by an error.
    Over,
}

/// Who holds the connection.
pub(super) enum Line {
    /// OpenSSL, with some 41 KB.
    OpenSsl(Handshake),
    /// We, with the two keys that are still needed.
    Settled(Box<Alerts>),
}

/// One peer's session. Dropping it tells the peer nothing; [`close`](Self::close) does.
///
/// After every call that may write, drain [`poll_transmit`](Self::poll_transmit). An error is said once; then the session is over and
/// ignores what it gets.
pub struct Session {
    line: Line,
    role: Role,
    state: State,
    expected: Vec<Fingerprint>,
    /// `close_notify` came and was not reported yet.
    peer_closed: bool,
    /// The profile of a handshake that is supposed, until its keys are handed out.
    #[cfg(fuzzing)]
    pub(super) supposed: Option<Profile>,
}

impl Session {
    /// A session that has sent nothing yet.
    pub fn new(context: &Context, role: Role) -> Result<Self, Error> {
        #[cfg(fuzzing)]
        if let Some(profile) = context.supposed {
            return Ok(Self::supposing(profile, role));
        }
        Ok(Self::on(
            Line::OpenSsl(Handshake::new(context, role)?),
            role,
        ))
    }

    pub(super) fn on(line: Line, role: Role) -> Self {
        Self {
            line,
            role,
            state: State::Handshaking,
            expected: Vec::new(),
            peer_closed: false,
            #[cfg(fuzzing)]
            supposed: None,
        }
    }

    /// Who begins.
    #[must_use]
    pub fn role(&self) -> Role {
        self.role
    }

    /// Sets the fingerprints of which the peer's certificate must match one.
    ///
    /// While there are none, a handshake runs but no keys come of it. If it may have been done before, [`poll`](Self::poll) after this.
    pub fn set_expected(&mut self, fingerprints: &[Fingerprint]) {
        fingerprints.clone_into(&mut self.expected);
    }

    /// Begins the handshake of an active session; a passive one waits for its peer.
    pub fn start(&mut self, _now: Instant) -> Result<Progress, DtlsError> {
        match &mut self.line {
            Line::OpenSsl(handshake)
                if self.role == Role::Active && self.state == State::Handshaking =>
            {
                let heard = handshake.begin();
                self.note(heard)
            }
            _ => self.poll(),
        }
    }

    /// Takes a datagram. What is no DTLS record, or not one for this moment, is ignored.
    pub fn receive(&mut self, datagram: &[u8], _now: Instant) -> Result<Progress, DtlsError> {
        if self.state == State::Over || !is_plausible(datagram) {
            return Ok(Progress::Nothing);
        }
        let heard = match &mut self.line {
            Line::OpenSsl(handshake) => handshake.receive(datagram),
            Line::Settled(alerts) => alerts.receive(datagram),
        };
        self.note(heard)
    }

    /// What became ready: keys once both handshake and fingerprints are there, or the peer's goodbye.
    pub fn poll(&mut self) -> Result<Progress, DtlsError> {
        #[cfg(fuzzing)]
        if let Some(profile) = self.supposed.take() {
            self.state = State::Connected;
            return Ok(super::supposed::connected(profile, self.role));
        }
        if self.state == State::Unchecked && !self.expected.is_empty() {
            return self.check();
        }
        if self.peer_closed && self.state != State::Unchecked {
            self.peer_closed = false;
            self.state = State::Over;
            return Ok(Progress::PeerClosed);
        }
        Ok(Progress::Nothing)
    }

    /// Writes the next datagram to send over what is in `out`; returns its length.
    pub fn poll_transmit(&mut self, out: &mut Vec<u8>) -> Option<usize> {
        let datagram = match &mut self.line {
            Line::OpenSsl(handshake) => handshake.take(),
            Line::Settled(alerts) => alerts.take(),
        }?;
        out.clear();
        out.extend_from_slice(&datagram);
        Some(out.len())
    }

    /// When [`handle_timeout`](Self::handle_timeout) is due; `None` while nothing waits for an answer.
    #[must_use]
    pub fn next_timeout(&self, now: Instant) -> Option<Instant> {
        match &self.line {
            Line::OpenSsl(handshake) if self.state == State::Handshaking => {
                handshake.timeout().map(|left| now + left)
            }
            _ => None,
        }
    }

    /// Sends the last flight again if its time has come; early calls do nothing. Fails half a minute after the peer went silent.
    pub fn handle_timeout(&mut self, now: Instant) -> Result<(), DtlsError> {
        match &mut self.line {
            Line::OpenSsl(handshake) if self.state == State::Handshaking => handshake
                .handle_timeout(now)
                .inspect_err(|_| self.state = State::Over),
            _ => Ok(()),
        }
    }

    /// Gives back what only a handshake needs. For a connected session whose peer certainly has our last flight: a repeat of its own is
    /// not answered from now on, and neither is a new handshake, as before. Goodbyes are still said and heard.
    ///
    /// Does nothing before there are keys, and while there is something to send.
    pub fn settle(&mut self) {
        let alerts = match &self.line {
            Line::OpenSsl(handshake) if self.is_connected() => handshake.alerts(self.role),
            _ => None,
        };
        if let Some(alerts) = alerts {
            self.line = Line::Settled(Box::new(alerts));
            self.expected = Vec::new();
        }
    }

    /// Whether [`settle`](Self::settle) has done its work.
    #[must_use]
    pub fn is_settled(&self) -> bool {
        matches!(self.line, Line::Settled(_))
    }

    /// Says goodbye, if there is a connection to end. What is to be sent then lies in [`poll_transmit`](Self::poll_transmit).
    pub fn close(&mut self) {
        let up = matches!(self.state, State::Unchecked | State::Connected);
        self.state = State::Over;
        match &mut self.line {
            Line::OpenSsl(handshake) if up => handshake.say_goodbye(),
            Line::Settled(alerts) if up => alerts.say_goodbye(),
            _ => {}
        }
    }

    /// Whether keys were handed out and neither side has ended it.
    #[must_use]
    pub fn is_connected(&self) -> bool {
        self.state == State::Connected
    }

    /// Works out what a datagram has changed.
    fn note(&mut self, heard: Result<Heard, DtlsError>) -> Result<Progress, DtlsError> {
        match heard.inspect_err(|_| self.state = State::Over)? {
            Heard::Nothing => {}
            Heard::Goodbye => self.peer_closed = true,
        }
        let is_done = matches!(&self.line, Line::OpenSsl(handshake) if handshake.is_done());
        if self.state == State::Handshaking && is_done {
            self.state = State::Unchecked;
        }
        self.poll()
    }

    /// Compares the certificate, and only then asks for keys.
    fn check(&mut self) -> Result<Progress, DtlsError> {
        let Line::OpenSsl(handshake) = &self.line else {
            unreachable!("a session settles after this check");
        };
        let result = export(handshake, self.role, &self.expected);
        match result {
            Ok(_) => self.state = State::Connected,
            Err(_) => self.close(),
        }
        result
    }
}

/// The SRTP keys of a handshake with a peer that showed one of the expected certificates.
fn export(
    handshake: &Handshake,
    role: Role,
    expected: &[Fingerprint],
) -> Result<Progress, DtlsError> {
    let ssl = handshake.ssl();
    let shown = ssl
        .peer_certificate()
        .ok_or(DtlsError::FingerprintMismatch)?;
    if !expected
        .iter()
        .any(|fingerprint| fingerprint.matches(&shown))
    {
        return Err(DtlsError::FingerprintMismatch);
    }
    let profile = ssl
        .selected_srtp_profile()
        .and_then(|selected| Profile::from_openssl_id(selected.id()))
        .ok_or(DtlsError::NoSrtpProfile)?;
    let mut exported = vec![0; Keys::exported_len(profile)];
    ssl.export_keying_material(&mut exported, EXPORTER_LABEL, None)
        .map_err(|stack| DtlsError::Handshake(stack.to_string()))?;
    let keys = Keys::split(profile, &exported).expect("the exporter was asked for this length");
    let (local, remote) = match role {
        Role::Passive => (keys.server, keys.client),
        Role::Active => (keys.client, keys.server),
    };
    Ok(Progress::Connected {
        profile,
        local,
        remote,
    })
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Session")
            .field("role", &self.role)
            .field("state", &self.state)
            .finish_non_exhaustive()
    }
}
