//! One peer: its transport, its received and sent tracks, its desired state and its timers.
//!
//! Bytes and times come in, datagrams and events go to the [`Outbox`]. A leg knows nothing of the other legs of its call: what
//! goes across is decided in [`crate::call`] and [`crate::reports`].

mod desired;
mod telling;

use std::time::{Duration, Instant};

use crate::error::SrtpError;
use crate::inlet::Requests;
use crate::inlets::{Inlets, Part, Received};
use crate::outbox::{Gone, Outbox};
use crate::outlet::{Forwarded, Incoming, Outlet, Plan};
use crate::path::Path;
use crate::protocol::{
    AcceptedBy, LegBye, LegConsentLost, LegDtls, LegDtmfDone, Timers, TrackAccepted, TrackFirstRtp,
    TrackStalled, Why,
};
use crate::quality::{self, RoundTrip};
use crate::rtcp::{self, ReportBlock};
use crate::rtp::{self, Header};
use crate::transport::{Checked, Connected, Failure, Transport};
use crate::twcc::{Came, Ledger, Numbers};

/// Silence after which the control plane is warned.
const CONSENT_LOST: Duration = Duration::from_secs(15);

/// A compound of ours is kept well below any path's MTU.
pub const RTCP_BYTES: usize = 1_200;

/// One peer of a call.
pub struct Leg {
    call: String,
    id: String,
    transport: Transport,
    rev: Option<u64>,
    timers: Timers,
    conn_since: Option<Instant>,
    bye_told: bool,
    consent_told: bool,
    /// SSRCs of outputs that are gone; their numbers must not be used again with these keys.
    retired: Vec<u32>,
    own_ssrc: u32,
    dropped: u64,
    applied_at: Option<Instant>,
    paired_at: Option<Instant>,
    handshake: Option<Duration>,
    path_changes: u64,
    /// Where media goes, as it was told last, and when a move was.
    told_path: Option<Path>,
    move_told_at: Option<Instant>,
    /// The time to the peer and back.
    pub round_trip: RoundTrip,
    /// What the peer sends us.
    pub inlets: Inlets,
    /// What we send to the peer.
    pub outlets: Vec<Outlet>,
    /// Tracks that we no longer send, for their figures, the longest gone first.
    gone_outlets: Vec<Outlet>,
    /// The SSRC by which the peer signed its last RTCP.
    pub peer_ssrc: Option<u32>,
    /// What became of the packets that the peer numbers.
    pub(crate) ledger: Option<Box<Ledger>>,
    /// The numbers of the packets that go to the peer.
    pub(crate) numbers: Option<Box<Numbers>>,
    /// Whether a source is to be asked for a key frame, now or again.
    pub(crate) asks: bool,
}

impl Leg {
    /// A leg that listens under these ICE credentials. `own_ssrc` signs our RTCP while nothing is sent.
    #[must_use]
    pub fn new(call: String, id: String, ufrag: String, pwd: &str, own_ssrc: u32) -> Self {
        Self {
            call,
            id,
            transport: Transport::new(ufrag, pwd),
            rev: None,
            timers: Timers {
                conn_ms: None,
                dead_ms: Some(30_000),
                bye_ms: Some(5_000),
            },
            conn_since: None,
            bye_told: false,
            consent_told: false,
            retired: Vec::new(),
            own_ssrc,
            dropped: 0,
            applied_at: None,
            paired_at: None,
            handshake: None,
            path_changes: 0,
            told_path: None,
            move_told_at: None,
            round_trip: RoundTrip::default(),
            inlets: Inlets::default(),
            outlets: Vec::new(),
            gone_outlets: Vec::new(),
            peer_ssrc: None,
            ledger: None,
            numbers: None,
            asks: false,
        }
    }

    /// The leg's id.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Call and leg, for an event.
    #[must_use]
    pub fn names(&self) -> (String, String) {
        (self.call.clone(), self.id.clone())
    }

    /// Whether media can flow.
    #[must_use]
    pub fn is_up(&self) -> bool {
        self.transport.is_up()
    }

    /// Whether the handshake was once finished.
    #[must_use]
    pub fn has_been_up(&self) -> bool {
        self.transport.profile().is_some()
    }

    /// Whether the peer has said goodbye, under its keys.
    #[must_use]
    pub fn has_left(&self) -> bool {
        self.has_been_up() && self.transport.closed_at.is_some()
    }

    /// The SSRC that signs our RTCP to the peer: that of the first running output, else one of our own.
    #[must_use]
    pub fn report_ssrc(&self) -> u32 {
        let mut running = self.outlets.iter().flat_map(Outlet::started);
        running.next().map_or(self.own_ssrc, |(ssrc, _)| ssrc)
    }

    /// Whether this SSRC is one that we sign RTCP to the peer with.
    #[must_use]
    pub fn is_report_ssrc(&self, ssrc: u32) -> bool {
        ssrc == self.own_ssrc || self.outlets.iter().any(|outlet| outlet.has_output(ssrc))
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
            ufrags: self.transport.ufrags().map(str::to_owned).collect(),
            sources: self.transport.sources().collect(),
        }
    }

    /// Tells this leg from all others of its call.
    #[must_use]
    pub fn uid(&self) -> u32 {
        self.own_ssrc
    }

    // --- transport -------------------------------------------------------------------------------------------------

    /// Takes new ICE credentials. Returns a user fragment that is no longer valid.
    pub fn restart(&mut self, ufrag: String, pwd: &str) -> Option<String> {
        self.transport.restart(ufrag, pwd)
    }

    /// When something authentic came last on this path; `None` if it is none of this leg's.
    #[must_use]
    pub fn heard_on(&self, path: Path) -> Option<Instant> {
        self.transport.heard_on(path)
    }

    /// Takes a STUN datagram.
    pub fn stun(
        &mut self,
        datagram: &[u8],
        from: Path,
        now: Instant,
        outbox: &mut Outbox,
    ) -> Checked {
        let checked = self.transport.stun(datagram, from, now, outbox);
        outbox.lost.extend(checked.removed);
        self.tell_moved(checked.selected, now, outbox);
        checked
    }

    /// Forgets a path that is gone.
    pub fn forget(&mut self, path: Path, now: Instant, outbox: &mut Outbox) {
        let moved = self.transport.forget(path, now);
        self.tell_moved(moved, now, outbox);
    }

    /// Begins the handshake if that is ours to do and the peer's address is known.
    pub fn start_dtls(&mut self, now: Instant, outbox: &mut Outbox) -> Result<(), Failure> {
        let connected = self.transport.start(now, outbox)?;
        self.tell_connected(connected.as_ref(), outbox);
        Ok(())
    }

    /// Takes a DTLS datagram.
    pub fn dtls(
        &mut self,
        datagram: &[u8],
        from: Path,
        now: Instant,
        outbox: &mut Outbox,
    ) -> Result<(), Failure> {
        let connected = self.transport.dtls(datagram, from, now, outbox)?;
        self.tell_connected(connected.as_ref(), outbox);
        Ok(())
    }

    fn tell_connected(&mut self, connected: Option<&Connected>, outbox: &mut Outbox) {
        if let Some(connected) = connected {
            self.handshake = Some(connected.handshake);
            let (call, leg) = self.names();
            let handshake_ms = quality::ms(connected.handshake);
            outbox.events.push(
                LegDtls {
                    call,
                    leg,
                    profile: connected.profile.iana_name().into(),
                    handshake_ms,
                }
                .into(),
            );
        }
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
        if len > before {
            self.transport.send_rtcp(len, outbox);
        }
        self.transport.close(outbox);
    }

    // --- media -----------------------------------------------------------------------------------------------------

    /// Decrypts and counts an RTP packet; returns its header, its length, its track and its transport-wide number.
    pub fn receive_rtp(
        &mut self,
        packet: &mut [u8],
        from: Path,
        now: Instant,
        outbox: &mut Outbox,
    ) -> Option<(Header, usize, Received, Option<Came>)> {
        let Some(header) = Header::parse(packet) else {
            self.dropped += 1;
            return None;
        };
        let len = match self.transport.open_rtp(packet, header.len)? {
            Ok(len) => len,
            Err(why) => return self.receive_again(why, &header, packet, now),
        };
        let moved = self.transport.hear(from, now);
        self.tell_moved(moved, now, outbox);
        let packet = &packet[..len];
        let is_sound = !header.padding || rtp::padding_fits(&packet[header.len..]);
        let received = if is_sound {
            self.inlets.receive(&header, packet, now)
        } else {
            None
        };
        let Some(received) = received else {
            self.dropped += 1;
            return None;
        };
        if received.is_first && received.part == Part::Media {
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
        let came = self.note_number(&header, packet, received, now);
        Some((header, len, received, came))
    }

    /// Takes a packet that SRTP refused. A repeat of the peer's is counted, and goes on if its receiver may have asked for it: on video.
    fn receive_again(
        &mut self,
        why: SrtpError,
        header: &Header,
        packet: &mut [u8],
        now: Instant,
    ) -> Option<(Header, usize, Received, Option<Came>)> {
        if !why.is_repeat() {
            return None;
        }
        // Its number was asked before its tag: only the tag says that it is the peer's.
        let len = self.transport.open_again(packet, header.len)?;
        let is_late = why == SrtpError::TooOld;
        self.inlets.repeated(header.ssrc, is_late);
        let inlet = self.inlets.repeatable(header.ssrc).filter(|_| !is_late)?;
        let packet = &packet[..len];
        if header.padding && !rtp::padding_fits(&packet[header.len..]) {
            return None;
        }
        let received = Received {
            inlet,
            part: Part::Again,
            is_first: false,
        };
        let came = self.note_number(header, packet, received, now);
        Some((*header, len, received, came))
    }

    /// Notes the transport-wide number of a packet, if it has one.
    fn note_number(
        &mut self,
        header: &Header,
        packet: &[u8],
        received: Received,
        now: Instant,
    ) -> Option<Came> {
        let id = self.inlets.tracks[received.inlet].numbers_id()?;
        let number = header.extension(packet, id)?.first_chunk()?;
        let number = u16::from_be_bytes(*number);
        let media = match received.part {
            Part::Rtx { media } => media.unwrap_or(header.ssrc),
            Part::Media | Part::Again => header.ssrc,
        };
        self.ledger.as_mut()?.arrived(number, media, now);
        let from = self.uid();
        Some(Came { from, number })
    }

    /// Decrypts an RTCP packet; returns its length.
    pub fn receive_rtcp(
        &mut self,
        packet: &mut [u8],
        from: Path,
        now: Instant,
        outbox: &mut Outbox,
    ) -> Option<usize> {
        let len = self.transport.open_rtcp(packet)?;
        let moved = self.transport.hear(from, now);
        self.tell_moved(moved, now, outbox);
        Some(len)
    }

    /// Sends a received packet on one of our tracks, if this leg is up. True if it went out under a transport-wide number.
    pub fn forward(
        &mut self,
        outlet: usize,
        incoming: &Incoming<'_>,
        plan: &Plan,
        now: Instant,
        outbox: &mut Outbox,
    ) -> bool {
        let Some(mut wire) = self.transport.wire(outbox) else {
            return false;
        };
        wire.numbers = self.numbers.as_deref_mut().map(|numbers| (numbers, now));
        wire.came = incoming.came;
        let outlet = &mut self.outlets[outlet];
        let forwarded = outlet.forward(incoming, plan, now, &mut wire);
        let is_numbered = wire.is_numbered;
        match forwarded {
            Forwarded::Sent(None) | Forwarded::Filler => {}
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
        is_numbered
    }

    /// Sends what the digits of our tracks owe by now.
    pub fn send_digits(&mut self, now: Instant, outbox: &mut Outbox) {
        for place in 0..self.outlets.len() {
            while let Some(mut wire) = self.transport.wire(outbox) {
                let outlet = &mut self.outlets[place];
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
        self.transport.send_rtcp(len, outbox);
    }

    /// Notes that feedback names an output; the first time it is an event.
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

    /// Counts a request of the peer about one of our outputs.
    pub fn requested(&mut self, ssrc: u32, count: impl FnOnce(&mut Requests) -> &mut u64) {
        let mut outlets = self.outlets.iter_mut();
        if let Some(outlet) = outlets.find(|outlet| outlet.has_output(ssrc)) {
            *count(&mut outlet.requests) += 1;
        }
    }

    /// Takes what the peer reports of one of our outputs.
    pub fn reported(&mut self, block: &ReportBlock, now: Instant) {
        let mut outlets = self.outlets.iter_mut();
        if let Some(outlet) = outlets.find(|outlet| outlet.has_output(block.ssrc)) {
            outlet.reported(block, now);
            if let Some(trip) = outlet.sending.round_trip(block, now) {
                self.round_trip.measured(trip);
            }
        }
    }

    // --- time ------------------------------------------------------------------------------------------------------

    /// When [`Self::on_time`] is due.
    #[must_use]
    pub fn next_due(&self, now: Instant) -> Option<Instant> {
        // This is asked after every packet.
        let mut due = self.transport.next_due(now);
        let digits = self.outlets.iter().filter_map(Outlet::next_due).min();
        // Without a path nothing can be sent, however late it is; the next check asks again.
        if digits.is_some() && self.is_up() && self.transport.selected().is_some() {
            due = earlier(due, digits);
        }
        if let Some(ledger) = &self.ledger {
            due = earlier(due, ledger.next_due());
        }
        if self.asks {
            due = earlier(due, self.key_frame_due(now));
        }
        due
    }

    /// Does what is due by now: DTLS repeats, digits, answers to transport-wide numbers, requests for key frames.
    pub fn on_time(&mut self, now: Instant, outbox: &mut Outbox) -> Result<(), Failure> {
        self.send_digits(now, outbox);
        self.answer_numbers(now, outbox);
        self.ask_key_frames(now, outbox);
        self.transport.on_time(now, outbox)
    }

    /// Looks at all slow timers, once a second.
    pub fn sweep(&mut self, now: Instant, outbox: &mut Outbox) -> Result<(), Failure> {
        let is_over = |since: Option<Instant>, ms: Option<u64>| {
            since
                .zip(ms)
                .is_some_and(|(since, ms)| since + Duration::from_millis(ms) <= now)
        };
        if self.transport.profile().is_none() && is_over(self.conn_since, self.timers.conn_ms) {
            return Err(Failure {
                why: Why::ConnTimeout,
                detail: "not connected in time".into(),
            });
        }
        let silence = self.silence(now).unwrap_or_default();
        if is_over(self.transport.heard(), self.timers.dead_ms) {
            return Err(Failure {
                why: Why::Dead,
                detail: format!("silent for {} ms", silence.as_millis()),
            });
        }
        if let Some(ms) = self.timers.dead_ms {
            for path in self.transport.idle_streams(Duration::from_millis(ms), now) {
                self.forget(path, now, outbox);
                outbox.lost.push(path);
            }
        }
        self.tell_path(now, outbox);
        let is_lost = silence >= CONSENT_LOST;
        if is_lost && !self.consent_told {
            let (call, leg) = self.names();
            let silent_ms = silence.as_millis() as u64;
            outbox.events.push(
                LegConsentLost {
                    call,
                    leg,
                    silent_ms,
                }
                .into(),
            );
        }
        self.consent_told = is_lost;
        if !self.bye_told && is_over(self.transport.closed_at, self.timers.bye_ms) {
            self.bye_told = true;
            let (call, leg) = self.names();
            outbox.events.push(LegBye { call, leg }.into());
        }
        for (track, silence) in self.inlets.stalled(now) {
            let (call, leg) = self.names();
            let silent_ms = silence.as_millis() as u64;
            outbox.events.push(
                TrackStalled {
                    call,
                    leg,
                    track,
                    silent_ms,
                }
                .into(),
            );
        }
        Ok(())
    }

    fn silence(&self, now: Instant) -> Option<Duration> {
        self.transport
            .heard()
            .map(|heard| now.saturating_duration_since(heard))
    }
}

fn earlier(one: Option<Instant>, other: Option<Instant>) -> Option<Instant> {
    match (one, other) {
        (Some(one), Some(other)) => Some(one.min(other)),
        (one, other) => one.or(other),
    }
}
