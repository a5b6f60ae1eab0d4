//! What was counted of one track, as the protocol tells it. What each figure means is said in docs/statistics.md.

use std::time::Instant;

use crate::inlet::{Inlet, Totals};
use crate::inlets::Inlets;
use crate::outlet::Outlet;
use crate::protocol::{Direction, TrackCounters};
use crate::quality::{ms, rounded};
use crate::sending::Reported;

/// Milliseconds from `since` to `then`; `None` while either is to come.
#[must_use]
pub fn after(since: Option<Instant>, then: Option<Instant>) -> Option<f64> {
    let (since, then) = since.zip(then)?;
    Some(ms(then.saturating_duration_since(since)))
}

/// The figures of the received track at `place`, over all its streams.
#[must_use]
pub fn received(inlets: &Inlets, place: usize, now: Instant) -> TrackCounters {
    let ssrcs = inlets.sources_of(place).map(|source| source.ssrc).collect();
    TrackCounters {
        ssrcs,
        ..of_inlet(
            &inlets.tracks[place],
            inlets.totals_of(place),
            inlets.jitter_ms_of(place),
            now,
        )
    }
}

/// The figures of a received track that is gone.
#[must_use]
pub fn received_before(gone: &Inlet, now: Instant) -> TrackCounters {
    of_inlet(gone, gone.totals_before(), gone.jitter_ms_before(), now)
}

fn of_inlet(inlet: &Inlet, totals: Totals, jitter_ms: Option<f64>, now: Instant) -> TrackCounters {
    let has_begun = inlet.first.is_some();
    let video = Some(inlet).filter(|inlet| has_begun && inlet.is_video());
    TrackCounters {
        track: inlet.desired.track.clone(),
        direction: Direction::Recv,
        ssrcs: Vec::new(),
        packets: totals.packets,
        bytes: totals.bytes,
        bitrate_bps: inlet.rate.bps(totals.bytes, now),
        first_rtp_ms: after(Some(inlet.since), inlet.first),
        lost: has_begun.then_some(totals.lost),
        jitter_ms: jitter_ms.map(rounded),
        reordered: has_begun.then_some(totals.reordered),
        duplicates: has_begun.then_some(inlet.duplicates),
        late: has_begun.then_some(inlet.late),
        remote_lost: None,
        remote_fraction_lost: None,
        remote_jitter_ms: None,
        remote_reports: None,
        nacks: video.map(|inlet| inlet.requests.nacks),
        plis: video.map(|inlet| inlet.requests.plis),
        firs: video.map(|inlet| inlet.requests.firs),
        rtx_packets: video.map(|inlet| inlet.rtx_packets),
    }
}

/// The figures of a sent track, each packet counted once however many outputs carry it. A track that is gone has none any more.
#[must_use]
pub fn sent(outlet: &Outlet, now: Instant) -> TrackCounters {
    let sending = &outlet.sending;
    let report = sending.last_report();
    let fresh = report.filter(|report| report.is_fresh(now));
    let video = Some(outlet).filter(|outlet| sending.first.is_some() && outlet.is_video());
    TrackCounters {
        track: outlet.track().to_owned(),
        direction: Direction::Send,
        ssrcs: outlet.copies().iter().map(|copy| copy.ssrc).collect(),
        packets: sending.packets,
        bytes: sending.bytes,
        bitrate_bps: sending.rate.bps(sending.bytes, now),
        first_rtp_ms: after(Some(outlet.since), sending.first),
        lost: report.map(Reported::lost_on_hop),
        jitter_ms: None,
        reordered: None,
        duplicates: None,
        late: None,
        remote_lost: report.map(Reported::lost_on_way),
        remote_fraction_lost: fresh.map(|report| rounded(report.fraction_lost())),
        remote_jitter_ms: fresh.map(|report| rounded(report.jitter_ms(outlet.clock_hz()))),
        remote_reports: report.map(|_| sending.reports()),
        nacks: video.map(|outlet| outlet.requests.nacks),
        plis: video.map(|outlet| outlet.requests.plis),
        firs: video.map(|outlet| outlet.requests.firs),
        rtx_packets: video.map(|outlet| outlet.rtx_packets),
    }
}
