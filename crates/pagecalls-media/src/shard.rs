//! All calls of one worker: finds the call for a datagram or a command, keeps the timers, and contains faults.
//!
//! STUN is led to its leg by the user fragment that we gave out; everything else by the path on which it came, which only an authentic
//! STUN request can enter. What comes on an unknown path and names no leg of ours costs one look-up and is not answered; what names
//! one and may be false is bounded ([`crate::limit`]). A panic while one call is handled ends that call's legs and nothing else. No sockets, no clock.

mod commands;
mod doors;
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
use crate::limit::Gate;
use crate::outbox::Outbox;
use crate::path::{Path, Via};
use crate::protocol::{Candidate, Code, LegFailed, LegStats, Refusal, Stats, Why};
use crate::stun;
pub use doors::Known;

use doors::Doors;
use waiting::Waiting;

/// Calls that one worker takes unless it is told otherwise: what a core carries with sound, with room to spare (docs/bench.md).
pub const DEFAULT_CALLS: usize = 800;

/// Calls that one worker can hold.
pub const MAX_CALLS: usize = 2_000;

/// A call's slow timers are looked at this often.
const ROUND: Duration = Duration::from_secs(1);

/// Calls that are looked at in one go, a few tenths of a millisecond: no packet waits for all of them. Where there are more, the round has
/// as many goes as it takes.
const CALLS_PER_SWEEP: usize = 50;

/// A call's figures are told in every so many rounds.
const STATS_ROUNDS: usize = 5;

/// An event `stats` ends with the call that brings it to so many legs: a frame holds 1 MiB, and a leg takes 1.5 KiB of it, at most 16.
const LEGS_PER_STATS: usize = 48;

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
    doors: Doors,
    legs_by_path: FxHashMap<Path, LegAt>,
    gate: Gate,
    turned_away: TurnedAway,
    defers_handshakes: bool,
    waiting: Waiting,
    timers: BinaryHeap<Reverse<(Instant, usize)>>,
    next_sweep: Instant,
    /// The call with which the next sweep begins.
    sweep_from: usize,
    rounds: usize,
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
            doors: Doors::default(),
            legs_by_path: FxHashMap::default(),
            gate,
            turned_away: TurnedAway::default(),
            defers_handshakes: false,
            waiting: Waiting::default(),
            timers: BinaryHeap::new(),
            next_sweep: now + ROUND,
            sweep_from: 0,
            rounds: 1,
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

    /// The user fragments that lead here, for another thread to ask.
    #[must_use]
    pub fn known(&self) -> Known {
        self.doors.known()
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
                if protocol == Protocol::Dtls && self.defers_handshakes {
                    let is_up =
                        self.with_call(at.call, now, outbox, |_, call, _| call.is_up(at.place));
                    if is_up == Ok(false) && !self.waiting.keep(from, datagram) {
                        self.turned_away.handshakes += 1;
                    }
                    if is_up != Ok(true) {
                        return;
                    }
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

    fn stun(&mut self, datagram: &[u8], from: Path, now: Instant, outbox: &mut Outbox) {
        let Some((ufrag, door)) = stun::peek_local_ufrag(datagram)
            .and_then(|ufrag| Some((ufrag, self.doors.get(ufrag)?)))
        else {
            self.turned_away.strangers += 1;
            return;
        };
        let (at, charged) = (door.at, door.charged);
        let owner = self.legs_by_path.get(&from).copied();
        let is_known = owner == Some(at);
        if owner.is_some_and(|owner| owner != at && self.is_heard(owner, from, now, outbox)) {
            self.turned_away.on_others_paths += 1;
            return;
        }
        let ip = from.remote.ip();
        if !is_known && !self.gate.admits(&charged, ip, now) {
            self.turned_away.limited += 1;
            return;
        }
        let checked = self.with_call(at.call, now, outbox, |_, call, outbox| {
            call.stun(at.place, datagram, from, now, outbox)
        });
        let Ok(checked) = checked else { return };
        if checked.is_refused && !is_known {
            if let Some(door) = self.doors.get_mut(ufrag) {
                self.gate.charge(&mut door.charged, ip, now);
            }
        }
        if let Some(retired) = &checked.retired_ufrag {
            self.doors.close(retired);
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
    fn is_heard(&mut self, at: LegAt, path: Path, now: Instant, outbox: &mut Outbox) -> bool {
        let heard = self.with_call(at.call, now, outbox, |_, call, _| {
            let is_there = !call.has_left(at.place);
            is_there.then(|| call.heard_on(at.place, path)).flatten()
        });
        matches!(heard, Ok(Some(heard)) if now < heard + SILENCE)
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
            self.sweep(now, outbox);
            let goes = self.calls_by_id.len().div_ceil(CALLS_PER_SWEEP).max(1);
            self.next_sweep = now.max(self.next_sweep + ROUND / goes as u32);
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

    /// Looks at the next calls of the round, and tells the figures of those among them whose turn it is.
    fn sweep(&mut self, now: Instant, outbox: &mut Outbox) {
        let places = self.sweep_from..self.calls.len();
        let mut there = places.filter(|at| self.calls[*at].is_some());
        let calls: Vec<usize> = there.by_ref().take(CALLS_PER_SWEEP).collect();
        self.sweep_from = there.next().unwrap_or_default();
        for at in &calls {
            let _ = self.with_call(*at, now, outbox, |_, call, outbox| call.sweep(now, outbox));
        }
        let turn = |at: &&usize| *at % STATS_ROUNDS == self.rounds % STATS_ROUNDS;
        let turn: Vec<usize> = calls.iter().filter(turn).copied().collect();
        self.tell_figures(&turn, now, outbox);
        self.rounds += usize::from(self.sweep_from == 0);
    }

    fn tell_figures(&mut self, calls: &[usize], now: Instant, outbox: &mut Outbox) {
        let mut legs: Vec<LegStats> = Vec::new();
        for at in calls {
            let told = self.with_call(*at, now, outbox, |_, call, _| {
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
        // When it is due is the call's to say as well, and so may fail with it.
        let done = catch_unwind(AssertUnwindSafe(|| {
            let result = work(shared, &mut entry.call, outbox);
            (result, entry.call.next_due(now))
        }));
        if let Ok((_, due)) = &done {
            schedule(&mut self.timers, entry, *due, at);
        }
        self.take_leave(at, outbox);
        match done {
            Ok((result, _)) => Ok(result),
            Err(panic) => {
                outbox.truncate(before);
                Err(self.fail(at, panic_text(panic.as_ref()), outbox))
            }
        }
    }

    /// Forgets what a call has given up: legs that ended, and paths of legs that go on. Only what ended has something to say before
    /// its connections close.
    fn take_leave(&mut self, at: usize, outbox: &mut Outbox) {
        let Some(entry) = self.calls[at].as_ref() else {
            return;
        };
        let (by_path, unused, cut) = (&mut self.legs_by_path, &mut outbox.unused, &mut outbox.cut);
        let mut forget = |path: Path, connections: &mut Vec<u32>| {
            let found = by_path.get(&path);
            // It may be another leg's by now, of this call or of another one.
            let is_over = |found: &LegAt| {
                found.call == at && entry.call.heard_on(found.place, path).is_none()
            };
            if found.is_some_and(is_over) {
                by_path.remove(&path);
                if let Via::Tcp(connection) = path.via {
                    connections.push(connection);
                }
            }
        };
        for gone in outbox.gone.drain(..) {
            self.legs_by_id.remove(&gone.leg);
            for ufrag in &gone.ufrags {
                self.doors.close(ufrag);
            }
            for path in gone.sources {
                forget(path, unused);
            }
        }
        for path in outbox.lost.drain(..) {
            forget(path, cut);
        }
    }

    /// Ends the legs of a call whose state may be broken. Our own books say which these are: the call is asked nothing any more.
    fn fail(&mut self, at: usize, what: &str, outbox: &mut Outbox) -> Refusal {
        if let Some(entry) = self.calls[at].as_mut() {
            let call = entry.call.id().to_owned();
            tracing::error!(call, what, "a fault ends this call's legs");
            let broken = std::mem::replace(&mut entry.call, Call::new(call.clone()));
            // It may fail once more when it is given up.
            let _ = catch_unwind(AssertUnwindSafe(|| drop(broken)));
            let mut legs = Vec::new();
            self.legs_by_id.retain(|leg, of| {
                if of.call == at {
                    legs.push((of.place, leg.clone()));
                }
                of.call != at
            });
            legs.sort_unstable();
            outbox.events.extend(legs.into_iter().map(|(_, leg)| {
                let (call, why, detail) = (call.clone(), Why::Internal, what.to_owned());
                let stats = None;
                LegFailed {
                    call,
                    leg,
                    why,
                    detail,
                    stats,
                }
                .into()
            }));
            self.doors.close_all_of(at);
            self.legs_by_path.retain(|path, of| {
                if let (true, Via::Tcp(connection)) = (of.call == at, path.via) {
                    outbox.unused.push(connection);
                }
                of.call != at
            });
        }
        Refusal::new(Code::Internal, what)
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
    due: Option<Instant>,
    at: usize,
) {
    if let Some(due) = due.filter(|due| entry.scheduled.is_none_or(|scheduled| *due < scheduled)) {
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
    use crate::protocol::{CallClose, CallCreate, Event, LegClose, LegCreate, Reply, Snapshot};

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

    /// What failed, as it was told.
    fn failed(outbox: &mut Outbox) -> Vec<(String, Why, String)> {
        let failed = outbox.events.drain(..).filter_map(|event| match event {
            Event::LegFailed(failed) => Some((failed.leg, failed.why, failed.detail)),
            _ => None,
        });
        failed.collect()
    }

    fn snapshot(
        shard: &mut Shard,
        now: Instant,
        outbox: &mut Outbox,
    ) -> (Vec<String>, Vec<String>) {
        let all = Snapshot {
            call: None,
            after: None,
        };
        let Ok(Reply::SnapshotOk(told)) = shard.command(all.into(), now, outbox) else {
            panic!("no snapshot")
        };
        let legs = told.legs.into_iter().map(|leg| leg.leg);
        (told.calls, legs.collect())
    }

    /// Two calls, of which the first fails at `fault` when `provoke` is done; what is left then.
    fn assert_contained(
        fault: &'static str,
        provoke: impl FnOnce(&mut Shard, Instant, &mut Outbox),
    ) {
        let now = Instant::now();
        let (mut shard, mut outbox) = (shard(now), Outbox::new());
        with_leg(&mut shard, "broken", "b", path(1), now, &mut outbox);
        with_leg(&mut shard, "whole", "w", path(2), now, &mut outbox);
        let at = shard.call_at("broken").unwrap();
        shard.calls[at].as_mut().unwrap().call.faults_at = fault;
        provoke(&mut shard, now, &mut outbox);
        let why = (Why::Internal, "a test asked for this".to_owned());
        assert_eq!(failed(&mut outbox), [("b".into(), why.0, why.1)], "{fault}");
        let left = |shard: &Shard| {
            let ids = shard.legs_by_id.keys().cloned().collect::<Vec<_>>();
            (
                ids,
                shard.doors.len(),
                shard.knows(path(1)),
                shard.knows(path(2)),
            )
        };
        assert_eq!(
            left(&shard),
            (vec!["w".to_owned()], 1, false, true),
            "{fault}"
        );
        let (_, legs) = snapshot(&mut shard, now, &mut outbox);
        assert_eq!(legs, ["w"], "{fault}");
        assert_eq!(failed(&mut outbox), [], "it is told once");
    }

    fn path(last: u8) -> Path {
        Path::udp(0, ([192, 0, 2, last], 1).into())
    }

    #[test]
    fn a_fault_ends_the_legs_of_its_call_and_no_others_wherever_it_is() {
        assert_contained("rtp", |shard, now, outbox| {
            for last in [1, 2] {
                shard.datagram(&mut [0x80; 40], path(last), now, outbox);
            }
        });
        assert_contained("due", |shard, now, outbox| {
            shard.datagram(&mut [0x80; 40], path(1), now, outbox);
        });
        assert_contained("stats", |shard, now, outbox| {
            let (calls, legs) = snapshot(shard, now, outbox);
            assert_eq!(
                (calls, legs),
                (vec!["broken".into(), "whole".into()], vec!["w".into()])
            );
        });
        assert_contained("up", |shard, now, outbox| {
            shard.defer_handshakes();
            shard.datagram(&mut [22; 40], path(1), now, outbox);
            assert!(!shard.handshakes(now, outbox));
        });
        assert_contained("heard", |shard, now, outbox| {
            let mut check = Vec::new();
            let ufrag = shard.doors.of_leg(shard.leg_at("w").unwrap()).unwrap();
            crate::stun::Builder::new(&mut check, stun::Class::Request, [7; 12])
                .username(&format!("{ufrag}:x"))
                .finish(None);
            shard.datagram(&mut check, path(1), now, outbox);
        });
        assert_contained("close", |shard, now, outbox| {
            let refused = shard.command(LegClose { leg: "b".into() }.into(), now, outbox);
            assert_eq!(refused.unwrap_err().code, Code::Internal);
        });
    }

    #[test]
    fn a_call_that_failed_is_the_control_planes_to_close() {
        let now = Instant::now();
        let (mut shard, mut outbox) = (shard(now), Outbox::new());
        with_leg(&mut shard, "broken", "b", path(1), now, &mut outbox);
        let at = shard.call_at("broken").unwrap();
        shard.calls[at].as_mut().unwrap().call.faults_at = "rtp";
        shard.datagram(&mut [0x80; 40], path(1), now, &mut outbox);
        assert_eq!(snapshot(&mut shard, now, &mut outbox).0, ["broken"]);
        let leg = LegClose { leg: "b".into() };
        let refusal = shard.command(leg.into(), now, &mut outbox).unwrap_err();
        assert_eq!(refusal.code, Code::UnknownLeg);
        let call = "broken".into();
        let closed = shard.command(CallClose { call }.into(), now, &mut outbox);
        assert!(closed.is_ok());
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
            shard.legs_by_id.is_empty() && shard.doors.len() == 0 && shard.calls_by_id.is_empty()
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
