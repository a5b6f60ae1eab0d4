//! What a leg tells of itself.

use std::time::{Duration, Instant};

use super::Leg;
use crate::figures;
use crate::outbox::Outbox;
use crate::path::Path;
use crate::protocol::{IceState, LegIce, LegStats};
use crate::quality;

/// Moves are told no more often, since a peer can make as many as it sends checks.
const MOVES_APART: Duration = Duration::from_secs(1);

impl Leg {
    /// Counts a move of the peer, and tells it now or soon.
    pub(super) fn tell_moved(&mut self, moved: Option<Path>, now: Instant, outbox: &mut Outbox) {
        if moved.is_some() {
            self.path_changes += u64::from(self.paired_at.is_some());
            self.paired_at.get_or_insert(now);
            self.tell_path(now, outbox);
        }
    }

    /// Tells where media goes, if that is news and the last move was told long enough ago.
    pub(super) fn tell_path(&mut self, now: Instant, outbox: &mut Outbox) {
        let selected = self.transport.selected();
        let Some(path) = selected.filter(|path| self.told_path != Some(*path)) else {
            return;
        };
        if self.move_told_at.is_some_and(|at| now < at + MOVES_APART) {
            return;
        }
        // The first path is no move.
        self.move_told_at = self.told_path.replace(path).map(|_| now);
        let (call, leg) = self.names();
        let remote = path.remote.to_string();
        outbox.events.push(LegIce { call, leg, remote }.into());
    }

    /// State and counters. The score is the call's to know.
    #[must_use]
    pub fn stats(&self, now: Instant) -> LegStats {
        let (call, leg) = self.names();
        let selected = self.transport.selected();
        let since = self.applied_at;
        let received =
            (0..self.inlets.tracks.len()).map(|place| figures::received(&self.inlets, place, now));
        let gone = self.inlets.gone.iter();
        let gone = gone.map(|inlet| figures::received_before(inlet, now));
        let sent = |outlet| figures::sent(outlet, now);
        LegStats {
            call,
            leg,
            rev: self.rev.unwrap_or_default(),
            ice: if selected.is_some() {
                IceState::Connected
            } else {
                IceState::New
            },
            dtls: self.transport.state(),
            profile: self
                .transport
                .profile()
                .map(|profile| profile.iana_name().to_owned()),
            remote: selected.map(|path| path.remote.to_string()),
            silent_ms: self.silence(now).map(|silence| silence.as_millis() as u64),
            auth_failures: self.transport.auth_failures,
            dropped: self.dropped,
            ice_ms: figures::after(since, self.paired_at),
            dtls_ms: self.handshake.map(quality::ms),
            path_changes: self.path_changes,
            rtt_ms: self.round_trip.last().map(quality::ms),
            srtt_ms: self.round_trip.smoothed().map(quality::ms),
            rtt_measurements: self.round_trip.measurements(),
            mos: None,
            tracks: received
                .chain(self.outlets.iter().map(sent))
                .chain(gone)
                .chain(self.gone_outlets.iter().map(sent))
                .collect(),
        }
    }

    /// Bit rates begin a new interval.
    pub fn next_interval(&mut self, now: Instant) {
        self.inlets.next_interval(now);
        for outlet in self.outlets.iter_mut().chain(&mut self.gone_outlets) {
            let sending = &mut outlet.sending;
            sending.rate.next_interval(sending.bytes, now);
        }
    }
}
