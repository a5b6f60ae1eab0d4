//! One peer: its transport (ICE, DTLS, SRTP), its received and sent tracks, its desired state and its timers.
//!
//! Bytes and times come in, datagrams and events go to the [`Outbox`]. A leg knows nothing of the other legs of its call: what
//! goes across is decided in [`crate::call`] and [`crate::reports`].

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use crate::dtls;
use crate::error::DtlsError;
use crate::fresh::Fresh;
use crate::ice::{Agent, MAX_SOURCES, Outcome};
use crate::inlet::{Inlets, Received};
use crate::outbox::{Gone, Outbox};
use crate::outlet::{Forwarded, Incoming, Outlet, Plan, Wire};
use crate::protocol::{
    AcceptedBy, Code, Direction, DtlsState, HashName, IceState, LegApply, LegBye, LegConsentLost,
    LegDtls, LegDtmfDone, LegIce, LegStats, Refusal, Remote, Role, SendTrack, Timers,
    TrackAccepted, TrackCounters, TrackFirstRtp, TrackStalled, Why,
};
use crate::rtcp;
use crate::rtp::{self, Header};
use crate::srtp::{Inbound, Outbound, Profile};
use crate::stats::Reception;

/// Silence after which the control plane is warned.
const CONSENT_LOST: Duration = Duration::from_secs(15);

/// A compound of ours is kept well below any path's MTU.
pub const RTCP_BYTES: usize = 1_200;

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
        let why = if error == DtlsError::FingerprintMismatch {
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

/// One peer of a call.
pub struct Leg {
    call: String,
    id: String,
    agent: Agent,
    sources: Vec<SocketAddr>,
    session: Option<dtls::Session>,
    dtls: DtlsState,
    profile: Option<Profile>,
    inbound: Option<Inbound>,
    outbound: Option<Outbound>,
    handshake_began: Option<Instant>,
    rev: Option<u64>,
    timers: Timers,
    conn_since: Option<Instant>,
    closed_at: Option<Instant>,
    bye_told: bool,
    consent_told: bool,
    media_heard: Option<Instant>,
    /// SSRCs of outputs that are gone; their numbers must not be used again with these keys.
    retired: Vec<u32>,
    own_ssrc: u32,
    auth_failures: u64,
    dropped: u64,
    /// What the peer sends us.
    pub inlets: Inlets,
    /// What we send to the peer.
    pub outlets: Vec<Outlet>,
    /// The SSRC by which the peer signed its last RTCP.
    pub peer_ssrc: Option<u32>,
}

impl Leg {
    /// A leg that listens under these ICE credentials. `own_ssrc` signs our RTCP while nothing is sent.
    #[must_use]
    pub fn new(call: String, id: String, ufrag: String, pwd: &str, own_ssrc: u32) -> Self {
        Self {
            call,
            id,
            agent: Agent::new(ufrag, pwd),
            sources: Vec::new(),
            session: None,
            dtls: DtlsState::New,
            profile: None,
            inbound: None,
            outbound: None,
            handshake_began: None,
            rev: None,
            timers: Timers {
                conn_ms: None,
                dead_ms: Some(30_000),
                bye_ms: Some(5_000),
            },
            conn_since: None,
            closed_at: None,
            bye_told: false,
            consent_told: false,
            media_heard: None,
            retired: Vec::new(),
            own_ssrc,
            auth_failures: 0,
            dropped: 0,
            inlets: Inlets::default(),
            outlets: Vec::new(),
            peer_ssrc: None,
        }
    }

    /// The leg's id.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Whether media can flow.
    #[must_use]
    pub fn is_up(&self) -> bool {
        self.dtls == DtlsState::Connected
    }

    /// The SSRC that signs our RTCP to the peer: that of the first running output, else one of our own.
    #[must_use]
    pub fn report_ssrc(&self) -> u32 {
        self.outlets
            .iter()
            .find_map(|outlet| outlet.started().next())
            .map_or(self.own_ssrc, |(ssrc, _)| ssrc)
    }

    /// Whether this SSRC is one that we sign RTCP to the peer with.
    #[must_use]
    pub fn is_report_ssrc(&self, ssrc: u32) -> bool {
        ssrc == self.own_ssrc
            || self
                .outlets
                .iter()
                .any(|outlet| outlet.copies().iter().any(|copy| copy.ssrc == ssrc))
    }

    /// The place of a received track.
    #[must_use]
    pub fn inlet(&self, track: &str) -> Option<usize> {
        self.inlets
            .tracks
            .iter()
            .position(|inlet| inlet.desired.track == track)
    }

    /// The place of a sent track.
    #[must_use]
    pub fn outlet(&self, track: &str) -> Option<usize> {
        self.outlets
            .iter()
            .position(|outlet| outlet.track() == track)
    }

    /// What the worker must forget when the leg is gone.
    #[must_use]
    pub fn gone(&self) -> Gone {
        Gone {
            leg: self.id.clone(),
            ufrag: self.agent.local_ufrag().to_owned(),
            sources: self.sources.clone(),
        }
    }

    // --- desired state ---------------------------------------------------------------------------------------------

    /// Makes the desired state so, and returns the revision in force.
    pub fn apply(
        &mut self,
        desired: LegApply,
        context: &dtls::Context,
        fresh: &mut Fresh,
        now: Instant,
    ) -> Result<u64, Refusal> {
        if let Some(rev) = self.rev.filter(|rev| desired.rev <= *rev) {
            return Ok(rev);
        }
        self.check(&desired)?;
        if let Some(remote) = &desired.remote {
            self.meet(remote, context)?;
        }
        self.rev = Some(desired.rev);
        self.timers = desired.timers;
        self.conn_since = if self.timers.conn_ms.is_some() {
            self.conn_since.or(Some(now))
        } else {
            None
        };
        self.inlets.apply(desired.recv, || fresh.serial());
        self.apply_outlets(desired.send, fresh);
        Ok(desired.rev)
    }

    fn check(&self, desired: &LegApply) -> Result<(), Refusal> {
        let bad = |message: String| Err(Refusal::new(Code::BadState, message));
        let outputs = || {
            desired.send.iter().flat_map(|track| {
                track
                    .outputs
                    .iter()
                    .map(move |output| (output.ssrc, &track.track))
            })
        };
        for (place, (ssrc, track)) in outputs().enumerate() {
            let before = self
                .outlets
                .iter()
                .find(|outlet| outlet.copies().iter().any(|copy| copy.ssrc == ssrc));
            let moved = before.is_some_and(|outlet| outlet.track() != track);
            if self.retired.contains(&ssrc)
                || moved
                || outputs().take(place).any(|(other, _)| other == ssrc)
            {
                return bad(format!(
                    "output ssrc {ssrc} was or is used for another stream"
                ));
            }
        }
        let recv = desired
            .recv
            .iter()
            .map(|track| (&track.track, &track.codecs, &track.ext));
        let send = desired
            .send
            .iter()
            .map(|track| (&track.track, &track.codecs, &track.ext));
        for (track, codecs, ext) in recv.clone().chain(send.clone()) {
            if let Some(codec) = codecs.iter().find(|codec| codec.pt > 127) {
                return bad(format!("payload type {} of track {track}", codec.pt));
            }
            if [ext.mid, ext.level, ext.twcc, ext.ast, ext.rot, ext.ctype].contains(&Some(0)) {
                return bad(format!("extension id 0 of track {track}"));
            }
        }
        let repeats =
            |names: Vec<&String>| (1..names.len()).any(|at| names[..at].contains(&names[at]));
        if repeats(recv.map(|track| track.0).collect())
            || repeats(send.map(|track| track.0).collect())
        {
            return bad("a track is listed twice".into());
        }
        Ok(())
    }

    fn meet(&mut self, remote: &Remote, context: &dtls::Context) -> Result<(), Refusal> {
        let parse = |fingerprint: &crate::protocol::Fingerprint| {
            dtls::Fingerprint::parse(hash_name(fingerprint.alg), &fingerprint.value).ok_or_else(
                || Refusal::new(Code::BadState, format!("fingerprint {}", fingerprint.value)),
            )
        };
        let fingerprints: Vec<_> = remote
            .fingerprints
            .iter()
            .map(parse)
            .collect::<Result<_, _>>()?;
        if fingerprints.is_empty() {
            return Err(Refusal::new(Code::BadState, "no fingerprint"));
        }
        if self.session.is_none() {
            let role = match remote.role {
                Role::Passive => dtls::Role::Passive,
                Role::Active => dtls::Role::Active,
            };
            let session = dtls::Session::new(context, role)
                .map_err(|error| Refusal::new(Code::Internal, error.to_string()))?;
            self.session = Some(session);
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

    fn apply_outlets(&mut self, desired: Vec<SendTrack>, fresh: &mut Fresh) {
        let mut before = std::mem::take(&mut self.outlets);
        let ssrcs: Vec<u32> = before
            .iter()
            .flat_map(|outlet| outlet.copies().iter().map(|copy| copy.ssrc))
            .collect();
        for track in desired {
            let old = before.iter().position(|outlet| {
                outlet.track() == track.track && outlet.desired().kind == track.kind
            });
            let outlet = match old {
                Some(place) => {
                    let mut outlet = before.swap_remove(place);
                    outlet.apply(track);
                    outlet
                }
                None => Outlet::new(fresh.serial(), track, fresh.number() as u16, fresh.number()),
            };
            self.outlets.push(outlet);
        }
        let still = |ssrc: &u32| {
            self.outlets
                .iter()
                .any(|outlet| outlet.copies().iter().any(|copy| copy.ssrc == *ssrc))
        };
        for ssrc in ssrcs.into_iter().filter(|ssrc| !still(ssrc)) {
            self.retired.push(ssrc);
            if let Some(outbound) = &mut self.outbound {
                outbound.forget_ssrc(ssrc);
            }
        }
    }

    // --- transport -------------------------------------------------------------------------------------------------

    /// Takes a STUN datagram. Returns the address that is new, if one is, and the one that gives way to it.
    pub fn stun(
        &mut self,
        datagram: &[u8],
        from: SocketAddr,
        now: Instant,
        outbox: &mut Outbox,
    ) -> (Option<SocketAddr>, Option<SocketAddr>) {
        let outcome = outbox.written(from, |answer| {
            self.agent.handle(datagram, from, now, answer)
        });
        match outcome {
            Outcome::Ignored => (None, None),
            Outcome::Refused => {
                self.auth_failures += 1;
                (None, None)
            }
            Outcome::Checked {
                selected_changed, ..
            } => {
                if let Some(remote) = selected_changed {
                    let (call, leg) = self.names();
                    outbox.events.push(
                        LegIce {
                            call,
                            leg,
                            remote: remote.to_string(),
                        }
                        .into(),
                    );
                }
                if self.sources.contains(&from) {
                    return (None, None);
                }
                let full = self.sources.len() >= MAX_SOURCES;
                let oldest = self
                    .sources
                    .iter()
                    .position(|source| Some(*source) != self.agent.selected())
                    .filter(|_| full);
                let replaced = oldest.map(|place| self.sources.remove(place));
                self.sources.push(from);
                (Some(from), replaced)
            }
        }
    }

    /// Begins the handshake if that is ours to do and the peer's address is known.
    pub fn start_dtls(&mut self, now: Instant, outbox: &mut Outbox) -> Result<(), Failure> {
        let Some(to) = self.agent.selected() else {
            return Ok(());
        };
        let Some(session) = self
            .session
            .as_mut()
            .filter(|session| session.role() == dtls::Role::Active)
        else {
            return Ok(());
        };
        if self.handshake_began.is_some() {
            return Ok(());
        }
        self.handshake_began = Some(now);
        self.dtls = DtlsState::Connecting;
        let progress = session.start(now);
        self.after_dtls(progress, to, now, outbox)
    }

    /// Takes a DTLS datagram. Before the peer is known it is ignored: the peer repeats it.
    pub fn dtls(
        &mut self,
        datagram: &[u8],
        from: SocketAddr,
        now: Instant,
        outbox: &mut Outbox,
    ) -> Result<(), Failure> {
        let Some(session) = &mut self.session else {
            return Ok(());
        };
        if self.handshake_began.is_none() {
            if session.role() == dtls::Role::Active {
                return Ok(());
            }
            self.handshake_began = Some(now);
            self.dtls = DtlsState::Connecting;
        }
        let progress = session.receive(datagram, now);
        self.after_dtls(progress, self.agent.selected().unwrap_or(from), now, outbox)
    }

    /// Repeats what DTLS lost, if it is time to.
    pub fn dtls_timeout(&mut self, now: Instant, outbox: &mut Outbox) -> Result<(), Failure> {
        let Some(to) = self.agent.selected() else {
            return Ok(());
        };
        let Some(session) = self.session.as_mut() else {
            return Ok(());
        };
        if session.next_timeout(now).is_none_or(|due| due > now) {
            return Ok(());
        }
        let progress = session
            .handle_timeout(now)
            .map(|()| dtls::Progress::Nothing);
        self.after_dtls(progress, to, now, outbox)
    }

    fn after_dtls(
        &mut self,
        progress: Result<dtls::Progress, DtlsError>,
        to: SocketAddr,
        now: Instant,
        outbox: &mut Outbox,
    ) -> Result<(), Failure> {
        self.send_dtls(to, outbox);
        match progress {
            Ok(dtls::Progress::Nothing) => Ok(()),
            Ok(dtls::Progress::Connected {
                profile,
                local,
                remote,
            }) => {
                let broken = |error: crate::error::Error| Failure {
                    why: Why::Internal,
                    detail: error.to_string(),
                };
                self.outbound = Some(Outbound::new(profile, &local.0, &local.1).map_err(broken)?);
                self.inbound = Some(Inbound::new(profile, &remote.0, &remote.1).map_err(broken)?);
                self.profile = Some(profile);
                self.dtls = DtlsState::Connected;
                let (call, leg) = self.names();
                let handshake = self
                    .handshake_began
                    .map_or(Duration::ZERO, |began| now.saturating_duration_since(began));
                let handshake_ms = handshake.as_secs_f64() * 1_000.0;
                outbox.events.push(
                    LegDtls {
                        call,
                        leg,
                        profile: profile.iana_name().into(),
                        handshake_ms,
                    }
                    .into(),
                );
                // The same datagram may hold more.
                let Some(session) = self.session.as_mut() else {
                    return Ok(());
                };
                let progress = session.poll();
                self.after_dtls(progress, to, now, outbox)
            }
            Ok(dtls::Progress::PeerClosed) => {
                self.dtls = DtlsState::Closed;
                self.closed_at = Some(now);
                Ok(())
            }
            Err(error) => {
                self.dtls = DtlsState::Failed;
                Err(error.into())
            }
        }
    }

    fn send_dtls(&mut self, to: SocketAddr, outbox: &mut Outbox) {
        let Some(session) = &mut self.session else {
            return;
        };
        while outbox
            .written(to, |out| session.poll_transmit(out))
            .is_some()
        {}
    }

    // --- media -----------------------------------------------------------------------------------------------------

    /// Decrypts and counts an RTP packet; returns its header, its length and its track.
    pub fn receive_rtp(
        &mut self,
        packet: &mut [u8],
        now: Instant,
        outbox: &mut Outbox,
    ) -> Option<(Header, usize, Received)> {
        let inbound = self.inbound.as_mut()?;
        let Some(header) = Header::parse(packet) else {
            self.dropped += 1;
            return None;
        };
        let Ok(len) = inbound.unprotect_rtp(packet, header.len) else {
            self.auth_failures += 1;
            return None;
        };
        self.media_heard = Some(now);
        let packet = &packet[..len];
        let received = if header.padding && !rtp::padding_fits(&packet[header.len..]) {
            None
        } else {
            self.inlets.receive(&header, packet, now)
        };
        let Some(received) = received else {
            self.dropped += 1;
            return None;
        };
        if received.is_first {
            let (call, leg) = self.names();
            let track = self.inlets.tracks[received.inlet].desired.track.clone();
            outbox.events.push(
                TrackFirstRtp {
                    call,
                    leg,
                    track,
                    ssrc: header.ssrc,
                }
                .into(),
            );
        }
        Some((header, len, received))
    }

    /// Decrypts an RTCP packet; returns its length.
    pub fn receive_rtcp(&mut self, packet: &mut [u8], now: Instant) -> Option<usize> {
        let inbound = self.inbound.as_mut()?;
        let Ok(len) = inbound.unprotect_rtcp(packet) else {
            self.auth_failures += 1;
            return None;
        };
        self.media_heard = Some(now);
        Some(len)
    }

    /// Sends a received packet on one of our tracks, if this leg is up.
    pub fn forward(
        &mut self,
        outlet: usize,
        incoming: &Incoming<'_>,
        plan: &Plan,
        now: Instant,
        outbox: &mut Outbox,
    ) {
        let Some((mut wire, outlets)) = wire(
            self.dtls,
            &self.agent,
            &mut self.outbound,
            outbox,
            &mut self.outlets,
        ) else {
            return;
        };
        let outlet = &mut outlets[outlet];
        match outlet.forward(incoming, plan, now, &mut wire) {
            Forwarded::Sent(None) => {}
            Forwarded::Sent(Some(digit)) => {
                let track = outlet.track().to_owned();
                self.tell_digit(track, digit, outbox);
            }
            Forwarded::Dropped => self.dropped += 1,
            Forwarded::DigitLost => {
                self.dropped += 1;
                tracing::debug!(
                    call = self.call,
                    leg = self.id,
                    "a telephone event is lost: the receiver takes none"
                );
            }
        }
    }

    /// Sends what the digits of our tracks owe by now.
    pub fn send_digits(&mut self, now: Instant, outbox: &mut Outbox) {
        for place in 0..self.outlets.len() {
            loop {
                let Some((mut wire, outlets)) = wire(
                    self.dtls,
                    &self.agent,
                    &mut self.outbound,
                    outbox,
                    &mut self.outlets,
                ) else {
                    return;
                };
                let outlet = &mut outlets[place];
                let Some(done) = outlet.tick(now, &mut wire) else {
                    break;
                };
                if let Some(digit) = done {
                    let track = outlet.track().to_owned();
                    self.tell_digit(track, digit, outbox);
                }
            }
        }
    }

    fn tell_digit(&self, track: String, digit: char, outbox: &mut Outbox) {
        let (call, leg) = self.names();
        outbox.events.push(
            LegDtmfDone {
                call,
                leg,
                track,
                digit: digit.to_string(),
            }
            .into(),
        );
    }

    /// Encrypts the first `len` bytes of the outbox's slot as RTCP and sends them.
    pub fn send_rtcp(&mut self, len: usize, outbox: &mut Outbox) {
        let (Some(outbound), Some(to)) = (self.outbound.as_mut(), self.agent.selected()) else {
            return;
        };
        if let Ok(len) = outbound.protect_rtcp(outbox.slot(), len) {
            outbox.commit(len, to);
        }
    }

    // --- time ------------------------------------------------------------------------------------------------------

    /// When [`Self::dtls_timeout`] or [`Self::send_digits`] is due.
    #[must_use]
    pub fn next_due(&self, now: Instant) -> Option<Instant> {
        let handshake = self
            .session
            .as_ref()
            .and_then(|session| session.next_timeout(now))
            .filter(|_| self.agent.selected().is_some());
        let digits = self
            .outlets
            .iter()
            .filter_map(Outlet::next_due)
            .min()
            .filter(|_| self.is_up());
        handshake.into_iter().chain(digits).min()
    }

    /// Whether digits are being sent or have been: then [`Self::next_due`] moves with every packet.
    #[must_use]
    pub fn has_digits(&self) -> bool {
        self.outlets
            .iter()
            .any(|outlet| outlet.next_due().is_some())
    }

    /// Looks at all slow timers, once a second.
    pub fn sweep(&mut self, now: Instant, outbox: &mut Outbox) -> Result<(), Failure> {
        let (call, leg) = self.names();
        let conn = self
            .conn_since
            .zip(self.timers.conn_ms)
            .map(|(since, ms)| since + Duration::from_millis(ms));
        if self.profile.is_none() && conn.is_some_and(|due| due <= now) {
            return Err(Failure {
                why: Why::ConnTimeout,
                detail: "not connected in time".into(),
            });
        }
        let silence = self.silence(now).unwrap_or_default();
        if self
            .timers
            .dead_ms
            .is_some_and(|ms| silence >= Duration::from_millis(ms))
        {
            return Err(Failure {
                why: Why::Dead,
                detail: format!("silent for {} ms", silence.as_millis()),
            });
        }
        let lost = silence >= CONSENT_LOST;
        if lost && !self.consent_told {
            outbox.events.push(
                LegConsentLost {
                    call: call.clone(),
                    leg: leg.clone(),
                    silent_ms: silence.as_millis() as u64,
                }
                .into(),
            );
        }
        self.consent_told = lost;
        let bye = self
            .closed_at
            .zip(self.timers.bye_ms)
            .map(|(at, ms)| at + Duration::from_millis(ms));
        if !self.bye_told && bye.is_some_and(|due| due <= now) {
            self.bye_told = true;
            outbox.events.push(
                LegBye {
                    call: call.clone(),
                    leg: leg.clone(),
                }
                .into(),
            );
        }
        for (track, silence) in self.inlets.stalled(now) {
            let silent_ms = silence.as_millis() as u64;
            outbox.events.push(
                TrackStalled {
                    call: call.clone(),
                    leg: leg.clone(),
                    track,
                    silent_ms,
                }
                .into(),
            );
        }
        Ok(())
    }

    /// Says goodbye: a BYE for every running output, and `close_notify`.
    pub fn close(&mut self, outbox: &mut Outbox) {
        let mut writer = rtcp::Writer::new(&mut outbox.slot()[..RTCP_BYTES]);
        writer.receiver_report(self.report_ssrc(), std::iter::empty());
        let before = writer.len();
        for (ssrc, _) in self.outlets.iter().flat_map(Outlet::started) {
            writer.bye(ssrc);
        }
        let len = writer.len();
        if len > before && self.is_up() {
            self.send_rtcp(len, outbox);
        }
        if let Some(session) = &mut self.session {
            session.close();
        }
        if let Some(to) = self.agent.selected() {
            self.send_dtls(to, outbox);
        }
    }

    /// How long nothing authentic came; `None` before the first.
    #[must_use]
    pub fn silence(&self, now: Instant) -> Option<Duration> {
        let heard = self.media_heard.max(self.agent.last_heard())?;
        Some(now.saturating_duration_since(heard))
    }

    // --- telling ---------------------------------------------------------------------------------------------------

    /// State and counters.
    #[must_use]
    pub fn stats(&self, now: Instant) -> LegStats {
        let (call, leg) = self.names();
        let received = self.inlets.tracks.iter().enumerate().map(|(place, inlet)| {
            let sources = || {
                self.inlets
                    .sources
                    .iter()
                    .filter(|source| source.inlet == place)
                    .map(|source| &source.reception)
            };
            TrackCounters {
                track: inlet.desired.track.clone(),
                direction: Direction::Recv,
                packets: sources().map(Reception::packets).sum(),
                bytes: sources().map(Reception::bytes).sum(),
                lost: sources().map(Reception::lost).sum(),
                jitter_ms: sources().next_back().map_or(0.0, Reception::jitter_ms),
            }
        });
        let sent = self.outlets.iter().map(|outlet| TrackCounters {
            track: outlet.track().to_owned(),
            direction: Direction::Send,
            packets: outlet.copies().iter().map(|copy| copy.packets).sum(),
            bytes: outlet.copies().iter().map(|copy| copy.octets).sum(),
            lost: 0,
            jitter_ms: 0.0,
        });
        LegStats {
            call,
            leg,
            rev: self.rev.unwrap_or_default(),
            ice: if self.agent.selected().is_some() {
                IceState::Connected
            } else {
                IceState::New
            },
            dtls: self.dtls,
            profile: self.profile.map(|profile| profile.iana_name().to_owned()),
            remote: self.agent.selected().map(|remote| remote.to_string()),
            silent_ms: self.silence(now).map(|silence| silence.as_millis() as u64),
            auth_failures: self.auth_failures,
            dropped: self.dropped,
            tracks: received.chain(sent).collect(),
        }
    }

    /// Call and leg, for an event.
    #[must_use]
    pub fn names(&self) -> (String, String) {
        (self.call.clone(), self.id.clone())
    }

    /// An event for each output that feedback named for the first time.
    pub fn accept(&mut self, ssrc: u32, by: AcceptedBy, outbox: &mut Outbox) {
        let mut outlets = self.outlets.iter_mut();
        let track =
            outlets.find_map(|outlet| outlet.accept(ssrc).then(|| outlet.track().to_owned()));
        if let Some(track) = track {
            let (call, leg) = self.names();
            outbox.events.push(
                TrackAccepted {
                    call,
                    leg,
                    track,
                    ssrc,
                    by,
                }
                .into(),
            );
        }
    }
}

/// The parts of a leg that sending needs, borrowed side by side.
fn wire<'a>(
    dtls: DtlsState,
    agent: &Agent,
    outbound: &'a mut Option<Outbound>,
    outbox: &'a mut Outbox,
    outlets: &'a mut [Outlet],
) -> Option<(Wire<'a>, &'a mut [Outlet])> {
    let to = agent.selected().filter(|_| dtls == DtlsState::Connected)?;
    let srtp = outbound.as_mut()?;
    Some((Wire { srtp, to, outbox }, outlets))
}

fn hash_name(alg: HashName) -> &'static str {
    match alg {
        HashName::Sha1 => "sha-1",
        HashName::Sha256 => "sha-256",
        HashName::Sha384 => "sha-384",
        HashName::Sha512 => "sha-512",
    }
}
