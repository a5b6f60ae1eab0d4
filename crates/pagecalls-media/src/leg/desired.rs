//! A leg's desired state: what cannot be is refused, the rest is made so.

use std::time::Instant;

use super::Leg;
use crate::dtls;
use crate::fresh::Fresh;
use crate::inlet::Inlet;
use crate::inlets;
use crate::outlet::Outlet;
use crate::protocol::{Code, LegApply, Refusal, SendTrack};
use crate::twcc::{Ledger, Numbers};

impl Leg {
    /// Makes the desired state so, and returns the revision in force. A refused state changes nothing.
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
        check(&desired)?;
        self.check_outputs(&desired.send)?;
        if let Some(remote) = &desired.remote {
            self.transport.meet(remote, context)?;
        }
        self.rev = Some(desired.rev);
        self.applied_at.get_or_insert(now);
        self.timers = desired.timers;
        self.conn_since = self.timers.conn_ms.map(|_| self.conn_since.unwrap_or(now));
        self.inlets.apply(desired.recv, now, || fresh.serial());
        self.apply_outlets(desired.send, fresh, now);
        self.apply_numbers(now);
        Ok(desired.rev)
    }

    /// Transport-wide numbers take memory, so only legs that have them keep count. A count that has begun goes on.
    fn apply_numbers(&mut self, now: Instant) {
        let mut tracks = self.inlets.tracks.iter();
        if self.ledger.is_none() && tracks.any(|inlet| Inlet::numbers_id(inlet).is_some()) {
            self.ledger = Some(Box::new(Ledger::new(now)));
        }
        let mut tracks = self.outlets.iter();
        if self.numbers.is_none() && tracks.any(|outlet| outlet.numbers_id().is_some()) {
            self.numbers = Some(Box::new(Numbers::new(now)));
        }
    }

    /// An SSRC belongs to one sent track for ever: a second numbering under it would break the encryption.
    fn check_outputs(&self, desired: &[SendTrack]) -> Result<(), Refusal> {
        for track in desired {
            for (ssrc, is_rtx) in ssrcs(track) {
                let has_moved = self.outlets.iter().any(|outlet| {
                    let is_other = !outlet.is_same(track) || outlet.has_output(ssrc) == is_rtx;
                    outlet.ssrcs().any(|other| other == ssrc) && is_other
                });
                if has_moved || self.retired.contains(&ssrc) {
                    let message = format!("output ssrc {ssrc} was used for another stream");
                    return Err(Refusal::new(Code::BadState, message));
                }
            }
        }
        Ok(())
    }

    fn apply_outlets(&mut self, desired: Vec<SendTrack>, fresh: &mut Fresh, now: Instant) {
        let mut before = std::mem::take(&mut self.outlets);
        let ssrcs: Vec<u32> = before.iter().flat_map(Outlet::ssrcs).collect();
        for track in desired {
            let old = before.iter().position(|outlet| outlet.is_same(&track));
            let outlet = match old {
                Some(place) => {
                    let mut outlet = before.swap_remove(place);
                    outlet.apply(track);
                    outlet
                }
                None => self.new_outlet(track, fresh, now),
            };
            self.outlets.push(outlet);
        }
        for ssrc in ssrcs {
            let mut left = self.outlets.iter().flat_map(Outlet::ssrcs);
            if !left.any(|other| other == ssrc) {
                self.retired.push(ssrc);
                self.transport.forget_ssrc(ssrc);
            }
        }
        let flowed = before
            .into_iter()
            .filter(|outlet| outlet.sending.first.is_some());
        self.gone_outlets.extend(flowed.map(Outlet::ended));
        inlets::forget_oldest(&mut self.gone_outlets);
    }

    /// A track that was not there before, or that comes back.
    fn new_outlet(&mut self, desired: SendTrack, fresh: &mut Fresh, now: Instant) -> Outlet {
        let mut gone = self.gone_outlets.iter();
        let gone = gone.position(|outlet| outlet.is_same(&desired));
        let (seq, ts) = (fresh.number() as u16, fresh.number());
        let outlet = Outlet::new(fresh.serial(), desired, seq, ts, now);
        match gone.map(|place| self.gone_outlets.remove(place)) {
            Some(gone) => outlet.going_on_from(&gone),
            None => outlet,
        }
    }
}

/// Refuses a desired state that cannot be, whatever the leg was before.
fn check(desired: &LegApply) -> Result<(), Refusal> {
    let bad = |message: String| Err(Refusal::new(Code::BadState, message));
    let recv = desired
        .recv
        .iter()
        .map(|track| (&track.track, &track.codecs, &track.ext));
    let send = desired
        .send
        .iter()
        .map(|track| (&track.track, &track.codecs, &track.ext));
    for (track, codecs, ext) in recv.chain(send) {
        if codecs
            .iter()
            .any(|codec| codec.pt > 127 || codec.rtx_pt.is_some_and(|pt| pt > 127))
        {
            return bad(format!(
                "a payload type of track {track} has more than 7 bits"
            ));
        }
        if [ext.mid, ext.level, ext.twcc, ext.ast, ext.rot, ext.ctype].contains(&Some(0)) {
            return bad(format!("an extension id of track {track} is 0"));
        }
    }
    if has_twin(desired.recv.iter().map(|track| &track.track))
        || has_twin(desired.send.iter().map(|track| &track.track))
    {
        return bad("a track is listed twice".into());
    }
    if has_twin(desired.send.iter().flat_map(ssrcs).map(|(ssrc, _)| ssrc)) {
        return bad("an output ssrc is listed twice".into());
    }
    Ok(())
}

/// The SSRCs of a sent track, each with whether it carries repeats.
fn ssrcs(track: &SendTrack) -> impl Iterator<Item = (u32, bool)> {
    track.outputs.iter().flat_map(|output| {
        let rtx = output.rtx_ssrc.map(|ssrc| (ssrc, true));
        std::iter::once((output.ssrc, false)).chain(rtx)
    })
}

fn has_twin<T: Ord>(items: impl Iterator<Item = T>) -> bool {
    let mut items: Vec<T> = items.collect();
    items.sort_unstable();
    items.windows(2).any(|pair| pair[0] == pair[1])
}
