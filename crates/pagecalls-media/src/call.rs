//! One call: its legs, its routing table, and what goes from one leg to another.
//!
//! The routing table names tracks; `Link`s are the same table resolved to places, made anew whenever legs or tracks change, so
//! that a packet finds its way without looking at names. RTCP crosses in [`crate::reports`] and [`crate::congestion`].

use std::time::Instant;

use crate::demux::Protocol;
use crate::dtls;
use crate::fresh::Fresh;
use crate::leg::Leg;
use crate::outbox::Outbox;
use crate::outlet::{Incoming, Outlet, Plan};
use crate::path::Path;
use crate::protocol::{
    CallRoute, Code, Kind, LegApply, LegDtmf, LegFailed, LegStats, OutputRef, Refusal, Route,
    TrackRef,
};
use crate::quality;
use crate::translate::{ExtensionMap, PayloadMap};
use crate::transport::{Checked, Failure};

/// Legs of one call that may exist at the same time.
const MAX_LEGS: usize = 16;

/// A call of this name panics on its first RTP packet, so that a test can see what a fault does to a whole process. Only where
/// debug assertions are on.
#[cfg(any(test, debug_assertions))]
const FAULTY: &str = "a call with a fault, for tests";

/// A route with its ends resolved.
pub(crate) struct Link {
    pub(crate) from_leg: usize,
    pub(crate) inlet: usize,
    pub(crate) to_leg: usize,
    pub(crate) outlet: usize,
    pub(crate) on: bool,
    plan: Plan,
}

/// A call.
pub struct Call {
    id: String,
    pub(crate) legs: Vec<Option<Box<Leg>>>,
    pub(crate) links: Vec<Link>,
    routes: Vec<Route>,
    route_rev: Option<u64>,
    /// Where a test wants a fault. There is none of it in a release build.
    #[cfg(any(test, debug_assertions))]
    pub(crate) faults_at: &'static str,
    #[cfg(test)]
    pub(crate) is_always_due: bool,
}

impl Call {
    /// A call without legs.
    #[must_use]
    pub fn new(id: String) -> Self {
        Self {
            #[cfg(any(test, debug_assertions))]
            faults_at: if id == FAULTY { "rtp" } else { "" },
            id,
            legs: Vec::new(),
            links: Vec::new(),
            routes: Vec::new(),
            route_rev: None,
            #[cfg(test)]
            is_always_due: false,
        }
    }

    /// The call's id.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The places of the legs that exist, with their ids.
    pub fn legs(&self) -> impl Iterator<Item = (usize, &Leg)> {
        self.legs
            .iter()
            .enumerate()
            .filter_map(|(place, leg)| Some((place, leg.as_deref()?)))
    }

    // --- commands --------------------------------------------------------------------------------------------------

    /// Takes in a leg and returns its place, which stays the same for the leg's life.
    pub fn add_leg(&mut self, leg: Leg) -> Result<usize, Refusal> {
        let place = self
            .legs
            .iter()
            .position(Option::is_none)
            .unwrap_or(self.legs.len());
        if place == MAX_LEGS {
            return Err(Refusal::new(Code::Full, "too many legs in this call"));
        }
        if place == self.legs.len() {
            self.legs.push(None);
        }
        self.legs[place] = Some(Box::new(leg));
        self.relink();
        Ok(place)
    }

    /// Gives a leg its desired state; returns the revision in force.
    pub fn apply(
        &mut self,
        place: usize,
        desired: LegApply,
        context: &dtls::Context,
        fresh: &mut Fresh,
        now: Instant,
        outbox: &mut Outbox,
    ) -> Result<u64, Refusal> {
        let leg = self.legs[place]
            .as_mut()
            .ok_or_else(|| Refusal::new(Code::UnknownLeg, &*desired.leg))?;
        let rev = leg.apply(desired, context, fresh, now)?;
        let started = leg.start_dtls(now, outbox);
        self.relink();
        self.settle(place, started, now, outbox);
        self.ask_key_frames(now, outbox);
        Ok(rev)
    }

    /// Gives a leg new ICE credentials; returns a user fragment that is no longer valid.
    pub fn restart(
        &mut self,
        place: usize,
        ufrag: String,
        pwd: &str,
    ) -> Result<Option<String>, Refusal> {
        let leg = self.legs[place].as_mut();
        let leg = leg.ok_or_else(|| Refusal::new(Code::UnknownLeg, "the leg is gone"))?;
        Ok(leg.restart(ufrag, pwd))
    }

    /// Takes a routing table; returns the revision in force.
    pub fn route(
        &mut self,
        command: CallRoute,
        now: Instant,
        outbox: &mut Outbox,
    ) -> Result<u64, Refusal> {
        if let Some(rev) = self.route_rev.filter(|rev| command.rev <= *rev) {
            return Ok(rev);
        }
        for end in command
            .routes
            .iter()
            .flat_map(|route| [&route.from, &route.to])
        {
            if !self.legs().any(|(_, leg)| leg.id() == end.leg) {
                return Err(Refusal::new(Code::UnknownLeg, &*end.leg));
            }
        }
        self.routes = command.routes;
        self.route_rev = Some(command.rev);
        self.relink();
        self.ask_key_frames(now, outbox);
        Ok(command.rev)
    }

    /// Queues digits on a sent track; returns how many wait.
    pub fn dtmf(
        &mut self,
        place: usize,
        command: &LegDtmf,
        now: Instant,
        outbox: &mut Outbox,
    ) -> Result<u32, Refusal> {
        use crate::dtmf::Refused;
        let leg = self.legs[place]
            .as_mut()
            .ok_or_else(|| Refusal::new(Code::UnknownLeg, &*command.leg))?;
        let outlet = leg
            .outlets
            .iter_mut()
            .find(|outlet| outlet.track() == command.track);
        let outlet = outlet.ok_or_else(|| Refusal::new(Code::UnknownTrack, &*command.track))?;
        let pushed = outlet.push_digits(&command.digits, command.tone_ms, command.gap_ms, now);
        let pushed = pushed.ok_or_else(|| {
            Refusal::new(
                Code::NoTelephoneEvent,
                "the receiver takes no telephone events",
            )
        })?;
        let waiting = pushed.map_err(|refused| match refused {
            Refused::BadDigits => Refusal::new(Code::BadDigits, &*command.digits),
            Refused::QueueFull => Refusal::new(Code::QueueFull, "too many digits wait"),
        })?;
        leg.send_digits(now, outbox);
        Ok(waiting as u32)
    }

    /// Says goodbye to a leg's peer and drops the leg; returns its last figures.
    pub fn close_leg(
        &mut self,
        place: usize,
        now: Instant,
        outbox: &mut Outbox,
    ) -> Option<LegStats> {
        let figures = self.leg_stats(place, now);
        self.drop_leg(place, outbox);
        figures
    }

    /// Closes every leg; returns their last figures.
    pub fn close(&mut self, now: Instant, outbox: &mut Outbox) -> Vec<LegStats> {
        // All are taken before the first leg goes: a score needs both ends of the way.
        let figures = self.stats(now).collect();
        for place in 0..self.legs.len() {
            self.drop_leg(place, outbox);
        }
        figures
    }

    fn drop_leg(&mut self, place: usize, outbox: &mut Outbox) {
        if let Some(mut leg) = self.legs[place].take() {
            self.may_fault("close");
            leg.close(outbox);
            outbox.gone.push(leg.gone());
            self.relink();
        }
    }

    /// Forgets a path of a leg: what carried it is gone.
    pub fn forget(&mut self, place: usize, path: Path, now: Instant, outbox: &mut Outbox) {
        if let Some(leg) = self.legs[place].as_mut() {
            leg.forget(path, now, outbox);
        }
    }

    /// Whether the leg at this place has finished its handshake.
    #[must_use]
    pub fn is_up(&self, place: usize) -> bool {
        self.may_fault("up");
        self.legs[place]
            .as_ref()
            .is_some_and(|leg| leg.has_been_up())
    }

    /// When the leg at this place heard something authentic on this path last; `None` if it does not have it.
    #[must_use]
    pub fn heard_on(&self, place: usize, path: Path) -> Option<Instant> {
        self.legs.get(place)?.as_ref()?.heard_on(path)
    }

    /// Whether the peer of the leg at this place has said goodbye.
    #[must_use]
    pub fn has_left(&self, place: usize) -> bool {
        self.may_fault("heard");
        let leg = self.legs.get(place).and_then(Option::as_ref);
        leg.is_some_and(|leg| leg.has_left())
    }

    // --- datagrams -------------------------------------------------------------------------------------------------

    /// Takes a STUN datagram for a leg.
    pub fn stun(
        &mut self,
        place: usize,
        datagram: &[u8],
        from: Path,
        now: Instant,
        outbox: &mut Outbox,
    ) -> Checked {
        let Some(leg) = self.legs[place].as_mut() else {
            return Checked::default();
        };
        let checked = leg.stun(datagram, from, now, outbox);
        let started = leg.start_dtls(now, outbox);
        self.settle(place, started, now, outbox);
        checked
    }

    /// Takes any other datagram on a path that has proved itself. It is decrypted in place.
    pub fn datagram(
        &mut self,
        place: usize,
        protocol: Protocol,
        datagram: &mut [u8],
        from: Path,
        now: Instant,
        outbox: &mut Outbox,
    ) {
        match protocol {
            Protocol::Rtp => self.rtp(place, datagram, from, now, outbox),
            Protocol::Rtcp => self.rtcp(place, datagram, from, now, outbox),
            Protocol::Dtls => {
                let Some(leg) = self.legs[place].as_mut() else {
                    return;
                };
                let result = leg.dtls(datagram, from, now, outbox);
                self.settle(place, result, now, outbox);
            }
            Protocol::Stun => {}
        }
    }

    fn rtp(
        &mut self,
        place: usize,
        packet: &mut [u8],
        from: Path,
        now: Instant,
        outbox: &mut Outbox,
    ) {
        self.may_fault("rtp");
        let Some(leg) = self.legs[place].as_mut() else {
            return;
        };
        let Some((header, len, received, came)) = leg.receive_rtp(packet, from, now, outbox) else {
            return;
        };
        let incoming = Incoming {
            header,
            packet: &packet[..len],
            part: received.part,
            came,
        };
        let (mut is_numbered, mut needs_key_frame) = (false, false);
        for link in self
            .links
            .iter()
            .filter(|link| link.on && link.from_leg == place && link.inlet == received.inlet)
        {
            if let Some(to) = self.legs[link.to_leg].as_mut() {
                is_numbered |= to.forward(link.outlet, &incoming, &link.plan, now, outbox);
                needs_key_frame |= to.outlets[link.outlet].needs_key_frame;
            }
        }
        if let Some(came) = came.filter(|_| is_numbered) {
            let leg = self.legs[place].as_mut();
            if let Some(ledger) = leg.and_then(|leg| leg.ledger.as_mut()) {
                ledger.sent(came.number, now);
            }
        }
        if needs_key_frame {
            self.ask_key_frames(now, outbox);
        }
    }

    // --- time ------------------------------------------------------------------------------------------------------

    /// When [`Self::on_time`] is due.
    #[must_use]
    pub fn next_due(&self, now: Instant) -> Option<Instant> {
        self.may_fault("due");
        #[cfg(test)]
        if self.is_always_due {
            return Some(now);
        }
        self.legs().filter_map(|(_, leg)| leg.next_due(now)).min()
    }

    /// Does what is due by now: DTLS repeats, digits.
    pub fn on_time(&mut self, now: Instant, outbox: &mut Outbox) {
        for place in 0..self.legs.len() {
            let Some(leg) = self.legs[place].as_mut() else {
                continue;
            };
            let result = leg.on_time(now, outbox);
            self.settle(place, result, now, outbox);
        }
    }

    /// Looks at all slow timers, once a second.
    pub fn sweep(&mut self, now: Instant, outbox: &mut Outbox) {
        for place in 0..self.legs.len() {
            let Some(leg) = self.legs[place].as_mut() else {
                continue;
            };
            let result = leg.sweep(now, outbox);
            self.settle(place, result, now, outbox);
            self.report(place, now, outbox);
        }
    }

    /// State and counters of every leg.
    pub fn stats(&self, now: Instant) -> impl Iterator<Item = LegStats> {
        (0..self.legs.len()).filter_map(move |place| self.leg_stats(place, now))
    }

    /// The figures have been told: bit rates begin a new interval.
    pub fn next_interval(&mut self, now: Instant) {
        for leg in self.legs.iter_mut().flatten() {
            leg.next_interval(now);
        }
    }

    fn leg_stats(&self, place: usize, now: Instant) -> Option<LegStats> {
        self.may_fault("stats");
        let leg = self.legs[place].as_deref()?;
        Some(LegStats {
            mos: self.score(place, now),
            ..leg.stats(now)
        })
    }

    /// What the person at this leg may think of the sound: its receiver's report on loss and jitter of the whole way, and the
    /// delay of both hops. `None` while any of them is not known or too old.
    fn score(&self, place: usize, now: Instant) -> Option<f64> {
        let leg = self.legs[place].as_deref()?;
        let fed = self
            .links
            .iter()
            .filter(|link| link.on && link.to_leg == place);
        let mut ways = fed.filter_map(|link| {
            let (outlet, source) = (
                &leg.outlets[link.outlet],
                self.legs[link.from_leg].as_deref()?,
            );
            let report = outlet
                .sending
                .last_report()
                .filter(|report| report.is_fresh(now))?;
            let is_sound = outlet.desired().kind == Kind::Audio;
            let trips = leg.round_trip.smoothed()? + source.round_trip.smoothed()?;
            let jitter_ms = report.jitter_ms(outlet.clock_hz());
            is_sound.then(|| quality::mos(trips / 2, jitter_ms, report.fraction_lost()))
        });
        ways.next()
    }

    /// The outputs that the far side was seen to receive.
    pub fn accepted(&self) -> impl Iterator<Item = OutputRef> {
        self.legs().flat_map(|(_, leg)| {
            let copies = leg.outlets.iter().flat_map(Outlet::copies);
            copies
                .filter(|copy| copy.is_accepted)
                .map(|copy| OutputRef {
                    leg: leg.id().to_owned(),
                    ssrc: copy.ssrc,
                })
        })
    }

    // --- inside ----------------------------------------------------------------------------------------------------

    /// Panics here if a test asked for it.
    #[cfg(any(test, debug_assertions))]
    fn may_fault(&self, here: &str) {
        assert!(self.faults_at != here, "a test asked for this");
    }

    #[cfg(not(any(test, debug_assertions)))]
    #[expect(clippy::unused_self, reason = "nothing faults in a release build")]
    #[inline]
    fn may_fault(&self, _here: &str) {}

    /// Drops a leg that failed, and reports it.
    fn settle(
        &mut self,
        place: usize,
        result: Result<(), Failure>,
        now: Instant,
        outbox: &mut Outbox,
    ) {
        let Err(Failure { why, detail }) = result else {
            return;
        };
        let stats = self.leg_stats(place, now).map(Box::new);
        let Some(mut leg) = self.legs[place].take() else {
            return;
        };
        leg.close(outbox);
        let (call, id) = leg.names();
        outbox.events.push(
            LegFailed {
                call,
                leg: id,
                why,
                detail,
                stats,
            }
            .into(),
        );
        outbox.gone.push(leg.gone());
        self.relink();
    }

    /// Resolves the routing table. Of several routes to one sent track, the first that is on feeds it.
    fn relink(&mut self) {
        self.links.clear();
        for route in &self.routes {
            let (Some(from), Some(to)) = (
                self.find(&route.from, Leg::inlet),
                self.find(&route.to, Leg::outlet),
            ) else {
                continue;
            };
            let (Some(source), Some(target)) = (&self.legs[from.0], &self.legs[to.0]) else {
                continue;
            };
            let (received, sent) = (
                &source.inlets.tracks[from.1].desired,
                target.outlets[to.1].desired(),
            );
            let is_fed = self
                .links
                .iter()
                .any(|link| link.on && (link.to_leg, link.outlet) == to);
            self.links.push(Link {
                from_leg: from.0,
                inlet: from.1,
                to_leg: to.0,
                outlet: to.1,
                on: route.on && !is_fed,
                plan: Plan {
                    payloads: PayloadMap::new(&received.codecs, &sent.codecs),
                    extensions: ExtensionMap::new(&received.ext, &sent.ext),
                },
            });
        }
        self.refeed();
    }

    /// Tells every sent track what feeds it now.
    fn refeed(&mut self) {
        for to_leg in 0..self.legs.len() {
            let count = self.legs[to_leg]
                .as_ref()
                .map_or(0, |leg| leg.outlets.len());
            for outlet in 0..count {
                let link = self
                    .links
                    .iter()
                    .find(|link| link.on && (link.to_leg, link.outlet) == (to_leg, outlet));
                let feed = link.and_then(|link| {
                    Some(self.legs[link.from_leg].as_ref()?.inlets.tracks[link.inlet].uid)
                });
                if let Some(leg) = self.legs[to_leg].as_mut() {
                    leg.outlets[outlet].feed(feed);
                }
            }
        }
    }

    fn find(
        &self,
        end: &TrackRef,
        track: impl Fn(&Leg, &str) -> Option<usize>,
    ) -> Option<(usize, usize)> {
        let (place, leg) = self.legs().find(|(_, leg)| leg.id() == end.leg)?;
        Some((place, track(leg, &end.track)?))
    }
}
