//! All calls of one worker: finds the call for a datagram or a command, keeps the timers, and contains faults.
//!
//! STUN is led to its leg by the user fragment that we gave out; everything else by the path on which it came, which only an authentic
//! STUN request can enter. What comes on an unknown path and names no leg of ours costs one look-up and is not answered; what names
//! one and may be false is bounded ([`crate::limit`]). A panic while one call is handled ends that call's legs and nothing else. No sockets, no clock.

mod commands;
mod waiting;

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, Instant};

use rustc_hash::FxHashMap;

use crate::call::Call;
use crate::demux::{Protocol, classify};
use crate::dtls;
use crate::fresh::Fresh;
use crate::ice::SILENCE;
use crate::limit::{Bucket, Gate};
use crate::outbox::Outbox;
use crate::path::{Path, Via};
use crate::protocol::{Candidate, Code, LegStats, Refusal, Stats};
use crate::stun;
use waiting::Waiting;

/// Calls that one worker takes.
pub const MAX_CALLS: usize = 2_000;

/// Slow timers are looked at this often.
const SWEEP: Duration = Duration::from_secs(1);

/// A call's figures are told in every so many sweeps. Each sweep tells those of some calls, so that no packet waits for all.
const STATS_SWEEPS: usize = 5;

/// More legs than this do not share one `stats` event: a frame holds 1 MiB, and a leg takes about 1.5 KiB of it.
const LEGS_PER_STATS: usize = 200;

/// Steps of handshakes that one turn of the worker takes: a step that signs or derives keys takes up to a millisecond, and media
/// comes in between.
const HANDSHAKES_PER_TURN: usize = 1;

/// What a call still wants done when its timer has just run waits for so long, so that a turn ends whatever a call wants.
const REST: Duration = Duration::from_millis(1);

/// Where a leg is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct LegAt {
    call: usize,
    place: usize,
}

/// A leg as a check finds it, and the false checks that have named it.
struct Door {
    at: LegAt,
    charged: Bucket,
}

/// Datagrams that were not looked at, or answered nobody.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TurnedAway {
    /// On a path of no leg, and no check that names one.
    pub strangers: u64,
    /// Checks beyond what strangers may cause.
    pub limited: u64,
    /// Checks on a path on which another leg hears its peer.
    pub on_others_paths: u64,
    /// Handshake datagrams beyond what may wait.
    pub handshakes: u64,
}

/// A call with the time for which its timer is set.
struct Entry {
    call: Call,
    scheduled: Option<Instant>,
}

/// The calls of one worker.
pub struct Shard {
    worker: u32,
    context: dtls::Context,
    candidates: Vec<Candidate>,
    fresh: Fresh,
    calls: Vec<Option<Entry>>,
    calls_by_id: HashMap<String, usize>,
    legs_by_id: HashMap<String, LegAt>,
    legs_by_ufrag: HashMap<String, Door>,
    legs_by_path: FxHashMap<Path, LegAt>,
    gate: Gate,
    turned_away: TurnedAway,
    defers_handshakes: bool,
    waiting: Waiting,
    timers: BinaryHeap<Reverse<(Instant, usize)>>,
    next_sweep: Instant,
    sweeps: usize,
}

impl Shard {
    /// A shard without calls, which tells its legs' peers to come to `candidates`.
    #[must_use]
    pub fn new(
        worker: u32,
        context: dtls::Context,
        candidates: Vec<Candidate>,
        mut fresh: Fresh,
        now: Instant,
    ) -> Self {
        let mut key = || u64::from(fresh.number()) << 32 | u64::from(fresh.number());
        let gate = Gate::new((key(), key()));
        Self {
            worker,
            context,
            candidates,
            fresh,
            calls: Vec::new(),
            calls_by_id: HashMap::new(),
            legs_by_id: HashMap::new(),
            legs_by_ufrag: HashMap::new(),
            legs_by_path: FxHashMap::default(),
            gate,
            turned_away: TurnedAway::default(),
            defers_handshakes: false,
            waiting: Waiting::default(),
            timers: BinaryHeap::new(),
            next_sweep: now + SWEEP,
            sweeps: 0,
        }
    }

    /// From now on handshakes wait for [`Self::handshakes`], so that a storm of them does not hold up media.
    pub fn defer_handshakes(&mut self) {
        self.defers_handshakes = true;
    }

    /// The number of the worker whose calls these are.
    #[must_use]
    pub fn worker(&self) -> u32 {
        self.worker
    }

    /// What was refused so far.
    #[must_use]
    pub fn turned_away(&self) -> TurnedAway {
        self.turned_away
    }

    /// Whether a leg has this path.
    #[must_use]
    pub fn knows(&self, path: Path) -> bool {
        self.legs_by_path.contains_key(&path)
    }

    /// Says goodbye to every peer and forgets all calls.
    pub fn close(&mut self, now: Instant, outbox: &mut Outbox) {
        for at in 0..self.calls.len() {
            let _ = self.with_call(at, now, outbox, |_, call, outbox| call.close(now, outbox));
        }
        self.calls.clear();
        self.calls_by_id.clear();
    }

    // --- datagrams -------------------------------------------------------------------------------------------------

    /// Takes a datagram. It is decrypted in place.
    pub fn datagram(&mut self, datagram: &mut [u8], from: Path, now: Instant, outbox: &mut Outbox) {
        match classify(datagram) {
            Some(Protocol::Stun) => self.stun(datagram, from, now, outbox),
            Some(protocol) => {
                let Some(at) = self.legs_by_path.get(&from).copied() else {
                    self.turned_away.strangers += 1;
                    return;
                };
                if protocol == Protocol::Dtls && self.defers_handshakes && !self.is_up(at) {
                    if !self.waiting.keep(from, datagram) {
                        self.turned_away.handshakes += 1;
                    }
                    return;
                }
                let _ = self.with_call(at.call, now, outbox, |_, call, outbox| {
                    call.datagram(at.place, protocol, datagram, from, now, outbox);
                });
            }
            None => self.turned_away.strangers += 1,
        }
    }

    /// Goes on with the handshakes that wait, as far as one turn allows. True if some still wait.
    pub fn handshakes(&mut self, now: Instant, outbox: &mut Outbox) -> bool {
        for _ in 0..HANDSHAKES_PER_TURN {
            let Some((from, mut datagram)) = self.waiting.take() else {
                break;
            };
            let Some(at) = self.legs_by_path.get(&from).copied() else {
                continue;
            };
            let _ = self.with_call(at.call, now, outbox, |_, call, outbox| {
                call.datagram(at.place, Protocol::Dtls, &mut datagram, from, now, outbox);
            });
        }
        !self.waiting.is_empty()
    }

    /// Forgets a path: what carried it is gone.
    pub fn forget(&mut self, path: Path, now: Instant, outbox: &mut Outbox) {
        if let Some(at) = self.legs_by_path.remove(&path) {
            let _ = self.with_call(at.call, now, outbox, |_, call, outbox| {
                call.forget(at.place, path, now, outbox);
            });
        }
    }

    fn is_up(&self, at: LegAt) -> bool {
        let entry = self.calls.get(at.call).and_then(Option::as_ref);
        entry.is_some_and(|entry| entry.call.is_up(at.place))
    }

    fn stun(&mut self, datagram: &[u8], from: Path, now: Instant, outbox: &mut Outbox) {
        let Some((ufrag, door)) = stun::peek_local_ufrag(datagram)
            .and_then(|ufrag| Some((ufrag, self.legs_by_ufrag.get(ufrag)?)))
        else {
            self.turned_away.strangers += 1;
            return;
        };
        let at = door.at;
        let owner = self.legs_by_path.get(&from).copied();
        let is_known = owner == Some(at);
        if owner.is_some_and(|owner| owner != at && self.is_heard(owner, from, now)) {
            self.turned_away.on_others_paths += 1;
            return;
        }
        let ip = from.remote.ip();
        if !is_known && !self.gate.admits(&door.charged, ip, now) {
            self.turned_away.limited += 1;
            return;
        }
        let checked = self.with_call(at.call, now, outbox, |_, call, outbox| {
            call.stun(at.place, datagram, from, now, outbox)
        });
        let Ok(checked) = checked else { return };
        if checked.is_refused && !is_known {
            if let Some(door) = self.legs_by_ufrag.get_mut(ufrag) {
                self.gate.charge(&mut door.charged, ip, now);
            }
        }
        if let Some(retired) = &checked.retired_ufrag {
            self.legs_by_ufrag.remove(retired);
        }
        // The leg may just have failed; then its paths are forgotten already.
        if let Some(added) = checked.added.filter(|_| self.holds(at)) {
            let before = self.legs_by_path.insert(added, at);
            // A path has one leg. The one before would take its next check there for nothing new.
            if let Some(before) = before.filter(|before| *before != at) {
                let _ = self.with_call(before.call, now, outbox, |_, call, outbox| {
                    call.forget(before.place, added, now, outbox);
                });
            }
        }
    }

    /// Whether a leg has heard its peer on this path, and not too long ago. One whose peer has left needs no path: the same client may
    /// be at its next call there.
    fn is_heard(&self, at: LegAt, path: Path, now: Instant) -> bool {
        let entry = self.calls.get(at.call).and_then(Option::as_ref);
        let call = entry.map(|entry| &entry.call);
        let heard = call
            .filter(|call| !call.has_left(at.place))
            .and_then(|call| call.heard_on(at.place, path));
        heard.is_some_and(|heard| now < heard + SILENCE)
    }

    fn holds(&self, at: LegAt) -> bool {
        self.calls[at.call]
            .as_ref()
            .is_some_and(|entry| entry.call.legs().any(|(place, _)| place == at.place))
    }

    // --- time ------------------------------------------------------------------------------------------------------

    /// When [`Self::on_time`] is due next.
    #[must_use]
    pub fn next_due(&self) -> Instant {
        self.timers
            .peek()
            .map_or(self.next_sweep, |Reverse((due, _))| {
                self.next_sweep.min(*due)
            })
    }

    /// Does what is due by `now`.
    pub fn on_time(&mut self, now: Instant, outbox: &mut Outbox) {
        while let Some(Reverse((due, at))) = self
            .timers
            .peek()
            .copied()
            .filter(|Reverse((due, _))| *due <= now)
        {
            self.timers.pop();
            let Some(entry) = self.calls.get_mut(at).and_then(Option::as_mut) else {
                continue;
            };
            if entry.scheduled != Some(due) {
                continue;
            }
            entry.scheduled = None;
            let _ = self.with_call(at, now, outbox, |_, call, outbox| call.on_time(now, outbox));
            self.put_off(at, now);
        }
        if now >= self.next_sweep {
            self.next_sweep = now + SWEEP;
            self.sweep(now, outbox);
        }
    }

    /// Lets a call rest that wants to be woken by `now` again.
    fn put_off(&mut self, at: usize, now: Instant) {
        let entry = self.calls.get_mut(at).and_then(Option::as_mut);
        let wants_more = |entry: &&mut Entry| entry.scheduled.is_some_and(|due| due <= now);
        if let Some(entry) = entry.filter(wants_more) {
            entry.scheduled = Some(now + REST);
            self.timers.push(Reverse((now + REST, at)));
        }
    }

    fn sweep(&mut self, now: Instant, outbox: &mut Outbox) {
        for at in 0..self.calls.len() {
            let _ = self.with_call(at, now, outbox, |_, call, outbox| call.sweep(now, outbox));
        }
        self.tell_figures(now, outbox);
    }

    /// Tells the figures of those calls whose turn it is.
    fn tell_figures(&mut self, now: Instant, outbox: &mut Outbox) {
        self.sweeps += 1;
        let mut legs: Vec<LegStats> = Vec::new();
        let turn = (self.sweeps % STATS_SWEEPS..self.calls.len()).step_by(STATS_SWEEPS);
        for at in turn {
            let told = self.with_call(at, now, outbox, |_, call, _| {
                let legs: Vec<LegStats> = call.stats(now).collect();
                call.next_interval(now);
                legs
            });
            legs.extend(told.into_iter().flatten());
            if legs.len() >= LEGS_PER_STATS {
                let legs = std::mem::take(&mut legs);
                outbox.events.push(Stats { legs }.into());
            }
        }
        if !legs.is_empty() {
            outbox.events.push(Stats { legs }.into());
        }
    }

    // --- inside ----------------------------------------------------------------------------------------------------

    fn call_at(&self, id: &str) -> Result<usize, Refusal> {
        self.calls_by_id
            .get(id)
            .copied()
            .ok_or_else(|| Refusal::new(Code::UnknownCall, id))
    }

    fn leg_at(&self, id: &str) -> Result<LegAt, Refusal> {
        self.legs_by_id
            .get(id)
            .copied()
            .ok_or_else(|| Refusal::new(Code::UnknownLeg, id))
    }

    /// Runs `work` on a call, ends the call's legs if it panics, and puts maps and timers right afterwards.
    fn with_call<T>(
        &mut self,
        at: usize,
        now: Instant,
        outbox: &mut Outbox,
        work: impl FnOnce(Shared<'_>, &mut Call, &mut Outbox) -> T,
    ) -> Result<T, Refusal> {
        let Some(entry) = self.calls.get_mut(at).and_then(Option::as_mut) else {
            return Err(Refusal::new(Code::UnknownCall, "no such call"));
        };
        let shared = Shared {
            context: &self.context,
            fresh: &mut self.fresh,
        };
        let before = outbox.len();
        let result = catch_unwind(AssertUnwindSafe(|| work(shared, &mut entry.call, outbox)));
        let result = result.map_err(|panic| {
            let what = panic_text(panic.as_ref());
            tracing::error!(
                call = entry.call.id(),
                what,
                "a fault ends this call's legs"
            );
            outbox.truncate(before);
            entry.call.fail_all(what, outbox);
            Refusal::new(Code::Internal, what)
        });
        schedule(&mut self.timers, entry, at, now);
        for gone in outbox.gone.drain(..) {
            self.legs_by_id.remove(&gone.leg);
            for ufrag in &gone.ufrags {
                self.legs_by_ufrag.remove(ufrag);
            }
            outbox.lost.extend(gone.sources);
        }
        for path in outbox.lost.drain(..) {
            let found = self.legs_by_path.get(&path);
            // It may be another leg's by now, of this call or of another one.
            let is_over = |found: &LegAt| {
                found.call == at && entry.call.heard_on(found.place, path).is_none()
            };
            if found.is_some_and(is_over) {
                self.legs_by_path.remove(&path);
                if let Via::Tcp(connection) = path.via {
                    outbox.unused.push(connection);
                }
            }
        }
        result
    }
}

/// What calls need of their worker.
struct Shared<'a> {
    context: &'a dtls::Context,
    fresh: &'a mut Fresh,
}

/// Sets the call's timer, unless one is set that fires early enough.
fn schedule(
    timers: &mut BinaryHeap<Reverse<(Instant, usize)>>,
    entry: &mut Entry,
    at: usize,
    now: Instant,
) {
    if let Some(due) = entry
        .call
        .next_due(now)
        .filter(|due| entry.scheduled.is_none_or(|scheduled| *due < scheduled))
    {
        entry.scheduled = Some(due);
        timers.push(Reverse((due, at)));
    }
}

fn panic_text(panic: &(dyn std::any::Any + Send)) -> &str {
    let text = panic.downcast_ref::<&str>().copied();
    text.or_else(|| panic.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("panic")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::{
        CallClose, CallCreate, Event, LegClose, LegCreate, Reply, Snapshot, Why,
    };

    fn shard(now: Instant) -> Shard {
        let certificate = dtls::Certificate::generate().unwrap();
        let mut state = 0u8;
        let fill = Box::new(move |bytes: &mut [u8]| {
            for byte in bytes {
                state = state.wrapping_mul(5).wrapping_add(17);
                *byte = state;
            }
        });
        Shard::new(
            0,
            dtls::Context::new(&certificate).unwrap(),
            vec![],
            Fresh::new(fill),
            now,
        )
    }

    fn with_leg(
        shard: &mut Shard,
        call: &str,
        leg: &str,
        path: Path,
        now: Instant,
        outbox: &mut Outbox,
    ) {
        shard
            .command(CallCreate { call: call.into() }.into(), now, outbox)
            .unwrap();
        shard
            .command(
                LegCreate {
                    call: call.into(),
                    leg: leg.into(),
                }
                .into(),
                now,
                outbox,
            )
            .unwrap();
        let at = shard.leg_at(leg).unwrap();
        shard.legs_by_path.insert(path, at);
    }

    #[test]
    fn a_panic_ends_the_legs_of_its_call_and_no_others() {
        let now = Instant::now();
        let (mut shard, mut outbox) = (shard(now), Outbox::new());
        let paths = [1, 2].map(|last| Path::udp(0, ([192, 0, 2, last], 1).into()));
        with_leg(&mut shard, "broken", "b", paths[0], now, &mut outbox);
        with_leg(&mut shard, "whole", "w", paths[1], now, &mut outbox);
        let at = shard.call_at("broken").unwrap();
        shard.calls[at].as_mut().unwrap().call.panics_on_rtp = true;
        for path in paths {
            shard.datagram(&mut [0x80; 40], path, now, &mut outbox);
        }
        let failed: Vec<_> = outbox
            .events
            .iter()
            .filter_map(|event| match event {
                Event::LegFailed(failed) => {
                    Some((failed.leg.as_str(), failed.why, failed.detail.as_str()))
                }
                _ => None,
            })
            .collect();
        assert_eq!(failed, [("b", Why::Internal, "a test asked for this")]);
        let Ok(Reply::SnapshotOk(left)) = shard.command(
            Snapshot {
                call: None,
                after: None,
            }
            .into(),
            now,
            &mut outbox,
        ) else {
            panic!()
        };
        assert_eq!(
            left.legs
                .iter()
                .map(|leg| leg.leg.as_str())
                .collect::<Vec<_>>(),
            ["w"]
        );
        assert_eq!(
            left.calls,
            ["broken", "whole"],
            "the call itself is the control plane's to close"
        );
        assert_eq!(
            shard
                .command(LegClose { leg: "b".into() }.into(), now, &mut outbox)
                .unwrap_err()
                .code,
            Code::UnknownLeg
        );
        assert!(
            shard
                .command(
                    CallClose {
                        call: "broken".into()
                    }
                    .into(),
                    now,
                    &mut outbox
                )
                .is_ok()
        );
    }

    #[test]
    fn a_turn_ends_whatever_a_call_wants() {
        let now = Instant::now();
        let (mut shard, mut outbox) = (shard(now), Outbox::new());
        let path = Path::udp(0, ([192, 0, 2, 1], 1).into());
        with_leg(&mut shard, "greedy", "g", path, now, &mut outbox);
        let at = shard.call_at("greedy").unwrap();
        shard.calls[at].as_mut().unwrap().call.is_always_due = true;
        let later = now + Duration::from_millis(10);
        shard.datagram(&mut [0x80; 40], path, now, &mut outbox);
        shard.on_time(later, &mut outbox);
        assert_eq!(shard.next_due(), later + REST, "it is not forgotten");
    }

    #[test]
    fn nothing_is_left_of_a_closed_call() {
        let now = Instant::now();
        let (mut shard, mut outbox) = (shard(now), Outbox::new());
        for round in 0..3 {
            with_leg(
                &mut shard,
                "c",
                "l",
                Path::udp(0, ([192, 0, 2, 1], round).into()),
                now,
                &mut outbox,
            );
            shard
                .command(CallClose { call: "c".into() }.into(), now, &mut outbox)
                .unwrap();
        }
        assert!(
            shard.legs_by_id.is_empty()
                && shard.legs_by_ufrag.is_empty()
                && shard.calls_by_id.is_empty()
        );
        assert_eq!(shard.calls.len(), 1, "places are used again");
    }

    #[test]
    fn calls_are_bounded() {
        let now = Instant::now();
        let (mut shard, mut outbox) = (shard(now), Outbox::new());
        for count in 0..MAX_CALLS {
            shard
                .command(
                    CallCreate {
                        call: count.to_string(),
                    }
                    .into(),
                    now,
                    &mut outbox,
                )
                .unwrap();
        }
        let refusal = shard
            .command(
                CallCreate {
                    call: "one more".into(),
                }
                .into(),
                now,
                &mut outbox,
            )
            .unwrap_err();
        assert_eq!(refusal.code, Code::Full);
    }
}
