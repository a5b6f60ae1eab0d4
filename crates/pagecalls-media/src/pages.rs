//! `snapshot` in pages: which calls the next page asks for, and one page put together from the workers' parts.
//!
//! A control frame holds 1 MiB and all calls at once may not fit. A page goes through the calls in the order of their ids, so a
//! call that is there from the first page to the last is in exactly one of them, whatever comes and goes meanwhile. No sockets, no
//! workers.

use std::collections::BTreeMap;
use std::ops::Bound;

use crate::protocol::{MAX_FRAME_BYTES, Snapshot, SnapshotOk, encoded_len};

/// Calls that one page asks for.
const PAGE_CALLS: usize = 100;

/// A page ends before the call that would bring it over this; a leg takes one or two KiB, at most 16.
const PAGE_BYTES: usize = MAX_FRAME_BYTES / 2;

/// A page that is being put together.
#[derive(Debug)]
pub struct Page {
    asked: Vec<String>,
    has_more: bool,
    parts: BTreeMap<String, SnapshotOk>,
    missing: usize,
}

impl Page {
    /// Asks for the calls that `command` means, of all that there are.
    #[must_use]
    pub fn new<T>(command: &Snapshot, all: &BTreeMap<String, T>) -> Self {
        let mut asked: Vec<String> = match (&command.call, &command.after) {
            (Some(call), _) => all
                .get_key_value(call)
                .map(|(id, _)| id.clone())
                .into_iter()
                .collect(),
            (None, after) => {
                let from = after.as_deref().map_or(Bound::Unbounded, Bound::Excluded);
                let ids = all.range::<str, _>((from, Bound::Unbounded));
                ids.take(PAGE_CALLS + 1).map(|(id, _)| id.clone()).collect()
            }
        };
        let has_more = asked.len() > PAGE_CALLS;
        asked.truncate(PAGE_CALLS);
        Self {
            missing: asked.len(),
            asked,
            has_more,
            parts: BTreeMap::new(),
        }
    }

    /// The calls to ask their workers for, each by itself.
    #[must_use]
    pub fn asked(&self) -> &[String] {
        &self.asked
    }

    /// Takes what a worker says of one call; nothing if the call is gone.
    pub fn take(&mut self, part: Option<SnapshotOk>) {
        self.missing -= 1;
        if let Some(part) = part {
            if let Some(call) = part.calls.first() {
                self.parts.insert(call.clone(), part);
            }
        }
    }

    /// Whether every worker has answered.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        self.missing == 0
    }

    /// The reply, after the event `seq`.
    #[must_use]
    pub fn finish(mut self, seq: u64) -> SnapshotOk {
        let mut page = SnapshotOk {
            seq,
            legs: Vec::new(),
            calls: Vec::new(),
            accepted: Vec::new(),
            next: None,
        };
        let mut before: Option<String> = None;
        let mut bytes = 0;
        for call in self.asked {
            let Some(part) = self.parts.remove(&call) else {
                before = Some(call);
                continue;
            };
            bytes += encoded_len(&part);
            if bytes > PAGE_BYTES && !page.calls.is_empty() {
                page.next = before;
                return page;
            }
            page.legs.extend(part.legs);
            page.calls.extend(part.calls);
            page.accepted.extend(part.accepted);
            before = Some(call);
        }
        page.next = before.filter(|_| self.has_more);
        page
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::inlets::MAX_GONE;
    use crate::protocol::{Direction, DtlsState, IceState, LegStats, TrackCounters, encode_reply};

    fn leg(call: &str, number: usize) -> LegStats {
        let text = format!(
            r#"{{"call":"{call}","leg":"{call}-{number}","rev":1,"ice":"new","dtls":"new"}}"#
        );
        let leg: LegStats = serde_json::from_str(&text).unwrap();
        assert_eq!((leg.ice, leg.dtls), (IceState::New, DtlsState::New));
        leg
    }

    fn part(call: &str, legs: usize) -> SnapshotOk {
        SnapshotOk {
            seq: 0,
            legs: (0..legs).map(|number| leg(call, number)).collect(),
            calls: vec![call.to_owned()],
            accepted: Vec::new(),
            next: None,
        }
    }

    fn ask(after: Option<String>) -> Snapshot {
        Snapshot { call: None, after }
    }

    /// Reads all pages of calls with so many legs each; what happens between two pages is up to `between`.
    fn read_all(
        calls: &mut BTreeMap<String, usize>,
        mut between: impl FnMut(&mut BTreeMap<String, usize>),
    ) -> Vec<SnapshotOk> {
        let (mut pages, mut after) = (Vec::new(), None);
        loop {
            let mut page = Page::new(&ask(after.take()), calls);
            // Workers answer in any order.
            for call in page.asked().to_vec().iter().rev() {
                page.take(Some(part(call, calls[call])));
            }
            assert!(page.is_whole());
            let page = page.finish(7);
            after.clone_from(&page.next);
            pages.push(page);
            if after.is_none() {
                return pages;
            }
            between(calls);
        }
    }

    fn many(count: usize, legs: usize) -> BTreeMap<String, usize> {
        (0..count)
            .map(|number| (format!("c{number:04}"), legs))
            .collect()
    }

    #[test]
    fn every_call_is_in_one_page_and_no_page_is_too_big() {
        for legs in [0, 1, 2, 3, 16, 201] {
            let mut calls = many(400, legs);
            let pages = read_all(&mut calls, |_| {});
            let got: Vec<&String> = pages.iter().flat_map(|page| &page.calls).collect();
            assert_eq!(got, calls.keys().collect::<Vec<_>>(), "{legs} legs");
            for page in &pages {
                assert!(encoded_len(page) <= PAGE_BYTES || page.calls.len() == 1);
                assert!(page.calls.len() <= PAGE_CALLS);
                assert_eq!(page.seq, 7);
            }
        }
    }

    /// A leg with more tracks than the control plane has names for and as many streams as a peer may open; the figures of its tracks are
    /// at their longest.
    fn talkative_leg(call: &str, number: usize) -> LegStats {
        let track = |place: usize, direction, streams| TrackCounters {
            track: format!("consumer-video-{place}"),
            direction,
            ssrcs: vec![u32::MAX; streams],
            packets: u64::MAX,
            bytes: u64::MAX,
            bitrate_bps: Some(u64::MAX),
            first_rtp_ms: Some(f64::MAX),
            lost: Some(i64::MIN),
            jitter_ms: Some(f64::MAX),
            reordered: Some(u64::MAX),
            duplicates: Some(u64::MAX),
            late: Some(u64::MAX),
            remote_lost: Some(i64::MIN),
            remote_fraction_lost: Some(f64::MAX),
            remote_jitter_ms: Some(f64::MAX),
            remote_reports: Some(u64::MAX),
            nacks: Some(u64::MAX),
            plis: Some(u64::MAX),
            firs: Some(u64::MAX),
            rtx_packets: Some(u64::MAX),
        };
        let live = (0..4).flat_map(|place| {
            [
                track(place, Direction::Recv, 16),
                track(place, Direction::Send, 2),
            ]
        });
        let gone = (4..4 + MAX_GONE).flat_map(|place| {
            [
                track(place, Direction::Recv, 0),
                track(place, Direction::Send, 0),
            ]
        });
        LegStats {
            tracks: live.chain(gone).collect(),
            ..leg(call, number)
        }
    }

    #[test]
    fn a_page_of_talkative_legs_fits_a_frame_and_leaves_no_call_out() {
        let calls = many(250, 2);
        let (mut got, mut after) = (Vec::new(), None);
        loop {
            let mut page = Page::new(&ask(after), &calls);
            for call in page.asked().to_vec() {
                let legs = (0..2).map(|number| talkative_leg(&call, number)).collect();
                page.take(Some(SnapshotOk {
                    legs,
                    ..part(&call, 0)
                }));
            }
            let page = page.finish(7);
            let frame = encode_reply(u64::MAX, &Ok(page.clone().into()));
            assert!(frame.len() <= MAX_FRAME_BYTES, "{} bytes", frame.len());
            got.extend(page.calls);
            after = page.next;
            if after.is_none() {
                break;
            }
        }
        assert!(got.iter().eq(calls.keys()));
    }

    #[test]
    fn calls_that_come_and_go_between_pages_disturb_no_others() {
        let mut calls = many(600, 2);
        let mut round = 0;
        let pages = read_all(&mut calls, |calls| {
            for number in 0..600 {
                if number % 3 == round % 3 {
                    calls.remove(&format!("c{number:04}"));
                    calls.insert(format!("c{number:04}-{round}"), 1);
                }
            }
            round += 3;
        });
        let got: Vec<&String> = pages.iter().flat_map(|page| &page.calls).collect();
        let stayed = (0..600)
            .filter(|number| number % 3 != 0)
            .map(|number| format!("c{number:04}"));
        for call in stayed {
            assert_eq!(got.iter().filter(|one| ***one == call).count(), 1, "{call}");
        }
    }

    #[test]
    fn a_call_that_closes_while_it_is_asked_for_is_left_out_and_the_rest_goes_on() {
        let calls = many(PAGE_CALLS + 1, 1);
        let mut page = Page::new(&ask(None), &calls);
        let asked = page.asked().to_vec();
        for call in &asked[..PAGE_CALLS - 1] {
            page.take(Some(part(call, 1)));
        }
        page.take(None);
        let page = page.finish(0);
        assert_eq!(page.calls.len(), PAGE_CALLS - 1);
        assert_eq!(page.next.as_ref(), asked.last());
    }

    #[test]
    fn one_call_is_a_page_of_its_own() {
        let calls = many(3, 2);
        let one = |call: &str| Snapshot {
            call: Some(call.into()),
            after: None,
        };
        assert_eq!(Page::new(&one("c0001"), &calls).asked(), ["c0001"]);
        let nobody = Page::new(&one("else"), &calls);
        assert!(nobody.is_whole());
        assert_eq!(nobody.finish(3).next, None);
    }
}
