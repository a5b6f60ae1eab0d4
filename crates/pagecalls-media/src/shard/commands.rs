//! Commands that concern calls and legs: what cannot be is refused, the rest is handed to its call and answered.
//!
//! Ids are the control plane's and must be new; credentials are made here, and none leads to two legs.

use std::time::Instant;

use super::{Entry, LegAt, MAX_CALLS, Shard};
use crate::call::Call;
use crate::fresh::worker_char;
use crate::leg::Leg;
use crate::outbox::Outbox;
use crate::protocol::{
    CallCloseOk, CallCreate, CallCreateOk, CallRouteOk, Code, Command, LegApplyOk, LegCloseOk,
    LegCreate, LegCreateOk, LegDtmfOk, LegRestartOk, Outcome, Refusal, SnapshotOk,
};

const UFRAG_CHARS: usize = 8;
const PWD_CHARS: usize = 24;

impl Shard {
    /// Carries out a command that concerns calls and legs.
    pub fn command(&mut self, command: Command, now: Instant, outbox: &mut Outbox) -> Outcome {
        match command {
            Command::CallCreate(command) => self.create_call(command),
            Command::LegCreate(command) => self.create_leg(command, now, outbox),
            Command::LegRestart(command) => self.restart_leg(&command.leg, now, outbox),
            Command::LegApply(command) => {
                let at = self.leg_at(&command.leg)?;
                let rev = self.with_call(at.call, now, outbox, |shared, call, outbox| {
                    call.apply(at.place, command, shared.context, shared.fresh, now, outbox)
                })??;
                Ok(LegApplyOk { rev }.into())
            }
            Command::CallRoute(command) => {
                let at = self.call_at(&command.call)?;
                let rev = self.with_call(at, now, outbox, |_, call, outbox| {
                    call.route(command, now, outbox)
                })??;
                Ok(CallRouteOk { rev }.into())
            }
            Command::LegDtmf(command) => {
                let at = self.leg_at(&command.leg)?;
                let queued = self.with_call(at.call, now, outbox, |_, call, outbox| {
                    call.dtmf(at.place, &command, now, outbox)
                })??;
                Ok(LegDtmfOk { queued }.into())
            }
            Command::LegClose(command) => {
                let at = self.leg_at(&command.leg)?;
                let stats = self.with_call(at.call, now, outbox, |_, call, outbox| {
                    call.close_leg(at.place, now, outbox)
                })?;
                let stats = stats.ok_or_else(|| Refusal::new(Code::UnknownLeg, command.leg))?;
                Ok(LegCloseOk { stats }.into())
            }
            Command::CallClose(command) => {
                let at = self.call_at(&command.call)?;
                let closed =
                    self.with_call(at, now, outbox, |_, call, outbox| call.close(now, outbox));
                self.calls[at] = None;
                self.calls_by_id.remove(&command.call);
                closed.map(|legs| CallCloseOk { legs }.into())
            }
            Command::Snapshot(command) => {
                Ok(self.snapshot(command.call.as_deref(), now, outbox).into())
            }
            Command::Hello(_) | Command::Ping(_) | Command::Exit(_) => {
                Err(Refusal::new(Code::BadCommand, "not for a call"))
            }
        }
    }

    fn create_call(&mut self, command: CallCreate) -> Outcome {
        if self.calls_by_id.contains_key(&command.call) {
            return Err(Refusal::new(Code::Exists, command.call));
        }
        if self.calls_by_id.len() >= MAX_CALLS {
            return Err(Refusal::new(
                Code::Full,
                format!("{MAX_CALLS} calls are up"),
            ));
        }
        let at = self
            .calls
            .iter()
            .position(Option::is_none)
            .unwrap_or(self.calls.len());
        if at == self.calls.len() {
            self.calls.push(None);
        }
        self.calls[at] = Some(Entry {
            call: Call::new(command.call.clone()),
            scheduled: None,
        });
        self.calls_by_id.insert(command.call, at);
        Ok(CallCreateOk {
            worker: self.worker,
        }
        .into())
    }

    fn create_leg(&mut self, command: LegCreate, now: Instant, outbox: &mut Outbox) -> Outcome {
        let call = self.call_at(&command.call)?;
        if self.legs_by_id.contains_key(&command.leg) {
            return Err(Refusal::new(Code::Exists, command.leg));
        }
        let (ufrag, pwd) = self.new_credentials();
        let leg = Leg::new(
            command.call,
            command.leg.clone(),
            ufrag.clone(),
            &pwd,
            self.fresh.number(),
        );
        let place = self.with_call(call, now, outbox, |_, call, _| call.add_leg(leg))??;
        let at = LegAt { call, place };
        self.legs_by_id.insert(command.leg, at);
        self.doors.open(ufrag.clone(), at);
        Ok(LegCreateOk {
            ufrag,
            pwd,
            candidates: self.candidates.clone(),
        }
        .into())
    }

    /// An ICE restart: the new credentials lead to the leg beside the old ones, until the peer uses them.
    fn restart_leg(&mut self, leg: &str, now: Instant, outbox: &mut Outbox) -> Outcome {
        let at = self.leg_at(leg)?;
        let (ufrag, pwd) = self.new_credentials();
        let retired = self.with_call(at.call, now, outbox, |_, call, _| {
            call.restart(at.place, ufrag.clone(), &pwd)
        })??;
        if let Some(retired) = retired {
            self.doors.close(&retired);
        }
        self.doors.open(ufrag.clone(), at);
        Ok(LegRestartOk { ufrag, pwd }.into())
    }

    /// A user fragment that no leg has, and a password.
    fn new_credentials(&mut self) -> (String, String) {
        let ufrag = loop {
            let mut ufrag = self.fresh.ice_text(UFRAG_CHARS - 1);
            ufrag.insert(0, worker_char(self.worker));
            if !self.doors.has(&ufrag) {
                break ufrag;
            }
        };
        (ufrag, self.fresh.ice_text(PWD_CHARS))
    }

    /// One call or all of them. Events are numbered, and pages made, where replies are sent. A call that cannot tell its state has
    /// failed, and is there without legs.
    fn snapshot(&mut self, only: Option<&str>, now: Instant, outbox: &mut Outbox) -> SnapshotOk {
        let mut told = SnapshotOk {
            seq: 0,
            legs: Vec::new(),
            calls: Vec::new(),
            accepted: Vec::new(),
            next: None,
        };
        let places = match only {
            Some(id) => self.calls_by_id.get(id).map_or(0..0, |at| *at..at + 1),
            None => 0..self.calls.len(),
        };
        for at in places {
            let Some(entry) = &self.calls[at] else {
                continue;
            };
            told.calls.push(entry.call.id().to_owned());
            let state = self.with_call(at, now, outbox, |_, call, _| {
                let (legs, accepted) = (call.stats(now), call.accepted());
                (legs.collect::<Vec<_>>(), accepted.collect::<Vec<_>>())
            });
            if let Ok((legs, accepted)) = state {
                told.legs.extend(legs);
                told.accepted.extend(accepted);
            }
        }
        told
    }
}
