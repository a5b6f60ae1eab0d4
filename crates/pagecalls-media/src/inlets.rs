//! The received tracks of a leg and the streams that carry them: which packet belongs to which track.
//!
//! Streams of repeats (RTX, RFC 4588) are found as those of media are.

use std::time::{Duration, Instant};

use crate::inlet::{Inlet, Source, Totals};
use crate::keyframes::Ask;
use crate::protocol::RecvTrack;
use crate::rtp::{self, Header};
use crate::stats::Reception;

/// A peer may open so many streams. A further one takes the place of one that is over, or is dropped.
const MAX_SOURCES: usize = 64;

/// A stream that has been silent for this long, and that another one has followed on its track, is over.
const OVER: Duration = Duration::from_secs(30);

/// So many tracks of a leg that are gone stay counted, in each direction: more than the control plane has names for.
pub const MAX_GONE: usize = 8;

/// The received tracks of one leg with their streams.
#[derive(Default)]
pub struct Inlets {
    /// The tracks, in the desired order.
    pub tracks: Vec<Inlet>,
    /// Tracks that had flowed and are no longer desired, without streams, the longest gone first. One whose name comes back goes on.
    pub gone: Vec<Inlet>,
    /// The streams, oldest first.
    pub sources: Vec<Source>,
}

/// What a packet is to its track.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// A packet of it.
    Media,
    /// A repeat, on a stream of its own, of a packet of the stream `media`.
    Rtx {
        /// `None` as long as no media has come.
        media: Option<u32>,
    },
    /// A packet of it that came before.
    Again,
}

/// Where a packet went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Received {
    /// The track's place.
    pub inlet: usize,
    /// What it is there.
    pub part: Part,
    /// Whether it is the first of its stream.
    pub is_first: bool,
}

impl Inlets {
    /// Takes over the desired tracks. Streams stay with their tracks, unless another track now names their SSRC: what was counted stays
    /// where it was heard, and the stream begins anew in its next packet, as does one that turns out to be of the other kind.
    pub fn apply(
        &mut self,
        desired: Vec<RecvTrack>,
        now: Instant,
        mut serial: impl FnMut() -> u32,
    ) {
        let before = std::mem::take(&mut self.tracks);
        let moved_to: Vec<Option<usize>> = before
            .iter()
            .map(|inlet| {
                desired
                    .iter()
                    .position(|track| track.track == inlet.desired.track)
            })
            .collect();
        let mut before: Vec<Option<Inlet>> = before.into_iter().map(Some).collect();
        for (place, track) in desired.into_iter().enumerate() {
            let old = moved_to.iter().position(|moved| *moved == Some(place));
            let inlet = if let Some(mut inlet) = old.and_then(|old| before[old].take()) {
                inlet.take_over(track);
                inlet
            } else {
                self.come(serial(), track, now)
            };
            self.tracks.push(inlet);
        }
        let tracks = &mut self.tracks;
        self.sources.retain_mut(|source| {
            let stays = moved_to.get(source.inlet).copied().flatten();
            let is_elsewhere = named(tracks, source.ssrc)
                .is_some_and(|(place, is_rtx)| stays != Some(place) || is_rtx != source.is_rtx);
            match (stays, before.get_mut(source.inlet)) {
                (Some(place), _) if !is_elsewhere => source.inlet = place,
                (Some(place), _) => tracks[place].keep(source),
                (None, Some(Some(gone))) => gone.keep(source),
                (None, _) => {}
            }
            stays.is_some() && !is_elsewhere
        });
        let flowed = before
            .into_iter()
            .flatten()
            .filter(|inlet| inlet.first.is_some());
        self.gone.extend(flowed);
        forget_oldest(&mut self.gone);
    }

    /// A track that was not there before, or that comes back.
    fn come(&mut self, uid: u32, desired: RecvTrack, now: Instant) -> Inlet {
        let mut gone = self.gone.iter();
        match gone.position(|inlet| inlet.desired.track == desired.track) {
            Some(place) => {
                let mut inlet = self.gone.remove(place);
                inlet.come_back(uid, desired);
                inlet
            }
            None => Inlet::new(uid, desired, now),
        }
    }

    /// Counts an authentic packet and says to which track it belongs; `None` when no track wants it.
    pub fn receive(&mut self, header: &Header, packet: &[u8], now: Instant) -> Option<Received> {
        let payload_len = packet.len() - header.len;
        if let Some(source) = self
            .sources
            .iter_mut()
            .find(|source| source.ssrc == header.ssrc)
        {
            let inlet = &mut self.tracks[source.inlet];
            if source.is_rtx {
                let place = source.inlet;
                source
                    .reception
                    .receive(None, header.seq, header.ts, payload_len, now);
                source.heard = now;
                return self.repeat(place, header, packet, false);
            }
            let clock = inlet.clock(header.pt);
            source
                .reception
                .receive(clock, header.seq, header.ts, payload_len, now);
            source.heard = now;
            source.ask.answered();
            inlet.flows(payload_len, now);
            return Some(Received {
                inlet: source.inlet,
                part: Part::Media,
                is_first: false,
            });
        }
        let (inlet, is_rtx) = self.find(header, packet)?;
        if self.sources.len() == MAX_SOURCES && !self.make_room(now) {
            return None;
        }
        let clock = self.tracks[inlet].clock(header.pt);
        let reception = Reception::start(clock, header.seq, header.ts, payload_len, now);
        self.sources.push(Source {
            ssrc: header.ssrc,
            inlet,
            is_rtx,
            ask: Ask::default(),
            reception,
            heard: now,
            reported: now,
            was_reported: false,
        });
        if is_rtx {
            return self.repeat(inlet, header, packet, true);
        }
        self.tracks[inlet].flows(payload_len, now);
        Some(Received {
            inlet,
            part: Part::Media,
            is_first: true,
        })
    }

    /// Forgets the stream that has been over for longest; false if none is. What it brought stays counted.
    fn make_room(&mut self, now: Instant) -> bool {
        let over = (0..self.sources.len()).filter(|&place| self.is_over(place, now));
        let Some(oldest) = over.min_by_key(|&place| self.sources[place].heard) else {
            return false;
        };
        let gone = self.sources.remove(oldest);
        self.tracks[gone.inlet].keep(&gone);
        true
    }

    /// Whether a stream is over. The last one of a track never is: its receivers see it, and it may go on after a long silence.
    fn is_over(&self, place: usize, now: Instant) -> bool {
        let source = &self.sources[place];
        let follows = |other: &Source| {
            (other.inlet, other.is_rtx) == (source.inlet, source.is_rtx)
                && other.heard > source.heard
        };
        source.heard + OVER <= now && self.sources.iter().any(follows)
    }

    /// Counts a packet of a stream of repeats.
    fn repeat(
        &mut self,
        place: usize,
        header: &Header,
        packet: &[u8],
        is_first: bool,
    ) -> Option<Received> {
        let inlet = &mut self.tracks[place];
        if !inlet.takes(header.pt, true) {
            return None;
        }
        let payload = rtp::without_padding(&packet[header.len..], header.padding);
        inlet.rtx_packets += u64::from(!payload.is_empty());
        let media = self.media_of(place, header.ssrc);
        Some(Received {
            inlet: place,
            part: Part::Rtx { media },
            is_first,
        })
    }

    /// The stream whose packets a stream of repeats carries: the one that stands in the same place, else the one heard last.
    fn media_of(&self, place: usize, rtx: u32) -> Option<u32> {
        let desired = &self.tracks[place].desired;
        let named = desired.rtx_ssrcs.iter().position(|ssrc| *ssrc == rtx);
        let is_paired = desired.ssrcs.len() == desired.rtx_ssrcs.len();
        let named = named.filter(|_| is_paired).map(|at| desired.ssrcs[at]);
        named.or_else(|| self.latest(place).map(|source| source.ssrc))
    }

    /// The stream of the track at `place` that was heard last.
    #[must_use]
    pub fn latest(&self, place: usize) -> Option<&Source> {
        self.sources_of(place).max_by_key(|source| source.heard)
    }

    /// The track of the stream `ssrc`, if its packets may come again and be wanted: those of video.
    #[must_use]
    pub fn repeatable(&self, ssrc: u32) -> Option<usize> {
        let source = self.source(ssrc).filter(|source| !source.is_rtx)?;
        let inlet = &self.tracks[source.inlet];
        inlet.is_video().then_some(source.inlet)
    }

    /// Counts a packet of the stream `ssrc` that SRTP refused because it came before, or so late that this cannot be known.
    pub fn repeated(&mut self, ssrc: u32, is_late: bool) {
        let source = self.source(ssrc).filter(|source| !source.is_rtx);
        let place = source.map(|source| source.inlet);
        if let Some(inlet) = place.map(|place| &mut self.tracks[place]) {
            inlet.late += u64::from(is_late);
            inlet.duplicates += u64::from(!is_late);
        }
    }

    /// The streams of the track at `place`, oldest first, without those of repeats.
    pub fn sources_of(&self, place: usize) -> impl Iterator<Item = &Source> {
        self.sources
            .iter()
            .filter(move |source| source.inlet == place && !source.is_rtx)
    }

    /// What was counted of the track at `place`, without streams of repeats.
    #[must_use]
    pub fn totals_of(&self, place: usize) -> Totals {
        let receptions = self.sources_of(place).map(|source| &source.reception);
        receptions.fold(self.tracks[place].totals_before(), Totals::with)
    }

    /// The jitter of the stream of the track at `place` that was heard last.
    #[must_use]
    pub fn jitter_ms_of(&self, place: usize) -> Option<f64> {
        match self.latest(place) {
            Some(source) => source.reception.jitter_ms(),
            None => self.tracks[place].jitter_ms_before(),
        }
    }

    /// Ends the intervals of all bit rates.
    pub fn next_interval(&mut self, now: Instant) {
        for place in 0..self.tracks.len() {
            let bytes = self.totals_of(place).bytes;
            self.tracks[place].rate.next_interval(bytes, now);
        }
        for gone in &mut self.gone {
            let bytes = gone.totals_before().bytes;
            gone.rate.next_interval(bytes, now);
        }
    }

    /// The stream with this SSRC.
    #[must_use]
    pub fn source(&self, ssrc: u32) -> Option<&Source> {
        self.sources.iter().find(|source| source.ssrc == ssrc)
    }

    /// The stream with this SSRC.
    pub fn source_mut(&mut self, ssrc: u32) -> Option<&mut Source> {
        self.sources.iter_mut().find(|source| source.ssrc == ssrc)
    }

    /// The stream with this SSRC, and its track.
    pub fn source_and_track_mut(&mut self, ssrc: u32) -> Option<(&mut Source, &mut Inlet)> {
        let source = self.sources.iter_mut().find(|source| source.ssrc == ssrc)?;
        let track = &mut self.tracks[source.inlet];
        Some((source, track))
    }

    /// The tracks that have stalled since the last call, with how long they have been silent.
    pub fn stalled(&mut self, now: Instant) -> Vec<(String, Duration)> {
        let mut stalled = Vec::new();
        for (place, inlet) in self.tracks.iter_mut().enumerate() {
            let heard = self
                .sources
                .iter()
                .filter(|source| source.inlet == place && !source.is_rtx)
                .map(|source| source.heard)
                .max();
            let silence =
                heard.map_or(Duration::ZERO, |heard| now.saturating_duration_since(heard));
            if inlet.stalls(silence) {
                stalled.push((inlet.desired.track.clone(), silence));
            }
        }
        stalled
    }

    /// The track of a new stream, and whether it carries repeats: the track that names its SSRC, then by MID, then the only one that
    /// has its payload type, then the first of those without such a stream.
    fn find(&self, header: &Header, packet: &[u8]) -> Option<(usize, bool)> {
        if let Some((place, is_rtx)) = named(&self.tracks, header.ssrc) {
            return self.tracks[place]
                .takes(header.pt, is_rtx)
                .then_some((place, is_rtx));
        }
        let by_mid = |inlet: &Inlet| {
            let mid = inlet
                .desired
                .ext
                .mid
                .and_then(|id| header.extension(packet, id));
            mid == Some(inlet.desired.mid.as_bytes())
        };
        if let Some(place) = self.tracks.iter().position(by_mid) {
            let is_rtx = self.tracks[place].role(header.pt)?;
            return Some((place, is_rtx));
        }
        let with_pt = || {
            let tracks = self.tracks.iter().enumerate();
            tracks.filter_map(|(place, inlet)| Some((place, inlet.role(header.pt)?)))
        };
        let mut found = with_pt();
        let first = found.next()?;
        if found.next().is_none() {
            return Some(first);
        }
        let is_unclaimed = |(place, is_rtx): &(usize, bool)| {
            let mut sources = self.sources.iter();
            sources.all(|source| (source.inlet, source.is_rtx) != (*place, *is_rtx))
        };
        with_pt().find(is_unclaimed)
    }
}

/// Keeps the newest [`MAX_GONE`].
pub fn forget_oldest<T>(gone: &mut Vec<T>) {
    gone.drain(..gone.len().saturating_sub(MAX_GONE));
}

/// The track that names this SSRC, and whether it does so for its repeats.
fn named(tracks: &[Inlet], ssrc: u32) -> Option<(usize, bool)> {
    let media = tracks
        .iter()
        .position(|inlet| inlet.desired.ssrcs.contains(&ssrc));
    let rtx = || {
        tracks
            .iter()
            .position(|inlet| inlet.desired.rtx_ssrcs.contains(&ssrc))
    };
    media
        .map(|place| (place, false))
        .or_else(|| Some((rtx()?, true)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::{Codec, Extensions, Kind};
    use crate::rtp::{Fields, write_header};

    fn track(name: &str, mid: &str, pt: u8, ssrcs: &[u32]) -> RecvTrack {
        RecvTrack {
            track: name.into(),
            mid: mid.into(),
            kind: Kind::Audio,
            ssrcs: ssrcs.into(),
            rtx_ssrcs: vec![],
            codecs: vec![Codec {
                key: "opus/48000/2".into(),
                pt,
                rtx_pt: None,
            }],
            ext: Extensions {
                mid: Some(4),
                ..Extensions::default()
            },
            fb: vec![],
        }
    }

    fn receive(inlets: &mut Inlets, pt: u8, ssrc: u32, mid: Option<&str>) -> Option<usize> {
        receive_at(inlets, pt, ssrc, mid, Instant::now())
    }

    fn receive_at(
        inlets: &mut Inlets,
        pt: u8,
        ssrc: u32,
        mid: Option<&str>,
        now: Instant,
    ) -> Option<usize> {
        let mut packet = [0; 100];
        let fields = Fields {
            pt,
            marker: false,
            padding: false,
            seq: 1,
            ts: 0,
            ssrc,
        };
        write_header(
            &mut packet,
            &fields,
            mid.into_iter().map(|mid| (4, mid.as_bytes())),
        )
        .unwrap();
        let header = Header::parse(&packet).unwrap();
        inlets
            .receive(&header, &packet, now)
            .map(|received| received.inlet)
    }

    fn inlets(tracks: &[RecvTrack]) -> Inlets {
        let mut inlets = Inlets::default();
        let mut serial = 0;
        inlets.apply(tracks.to_vec(), Instant::now(), || {
            serial += 1;
            serial
        });
        inlets
    }

    #[test]
    fn ssrc_goes_before_mid_and_mid_before_payload_type() {
        let mut inlets = inlets(&[
            track("a", "0", 111, &[]),
            track("b", "1", 111, &[7]),
            track("c", "2", 111, &[]),
        ]);
        assert_eq!(receive(&mut inlets, 111, 7, Some("0")), Some(1));
        assert_eq!(receive(&mut inlets, 111, 8, Some("2")), Some(2));
        assert_eq!(receive(&mut inlets, 111, 9, None), Some(0));
        assert_eq!(receive(&mut inlets, 111, 10, None), None);
        assert_eq!(
            receive(&mut inlets, 111, 8, None),
            Some(2),
            "a stream stays where it is"
        );
    }

    #[test]
    fn a_payload_type_of_one_track_is_enough() {
        let mut inlets = inlets(&[track("a", "0", 111, &[]), track("b", "1", 96, &[])]);
        assert_eq!(receive(&mut inlets, 96, 1, None), Some(1));
        assert_eq!(
            receive(&mut inlets, 96, 2, None),
            Some(1),
            "a new stream of the same track"
        );
        assert_eq!(receive(&mut inlets, 5, 3, None), None);
    }

    #[test]
    fn streams_follow_their_track_through_a_new_state() {
        let mut inlets = inlets(&[track("a", "0", 111, &[]), track("b", "1", 96, &[])]);
        receive(&mut inlets, 96, 1, None);
        receive(&mut inlets, 111, 2, None);
        let uid = inlets.tracks[1].uid;
        inlets.apply(
            vec![track("b", "1", 96, &[]), track("c", "2", 111, &[])],
            Instant::now(),
            || 99,
        );
        assert_eq!(inlets.tracks[0].uid, uid);
        assert_eq!(inlets.tracks[1].uid, 99);
        assert_eq!(
            inlets
                .sources
                .iter()
                .map(|source| (source.ssrc, source.inlet))
                .collect::<Vec<_>>(),
            [(1, 0)]
        );
        inlets.apply(
            vec![track("b", "1", 96, &[]), track("c", "2", 96, &[1])],
            Instant::now(),
            || 100,
        );
        assert_eq!(
            receive(&mut inlets, 96, 1, None),
            Some(1),
            "a track that names the stream takes it"
        );
    }

    #[test]
    fn a_stream_that_another_track_takes_stays_counted_where_it_was() {
        let (a, b) = (track("a", "0", 111, &[]), track("b", "1", 111, &[]));
        let mut inlets = inlets(&[a.clone(), b]);
        receive(&mut inlets, 111, 1, Some("0"));
        receive(&mut inlets, 111, 2, Some("0"));
        let now = Instant::now();
        inlets.apply(vec![a, track("b", "1", 111, &[2])], now, || 9);
        assert_eq!(inlets.totals_of(0).packets, 2);
        assert_eq!(inlets.totals_of(1).packets, 0);
        receive(&mut inlets, 111, 2, None);
        assert_eq!(inlets.totals_of(0).packets, 2);
        assert_eq!(inlets.totals_of(1).packets, 1);
        assert!(inlets.tracks[1].first.is_some());
        inlets.apply(vec![track("c", "2", 111, &[1, 2])], now, || 10);
        assert_eq!(inlets.totals_of(0).packets, 0);
        let gone = inlets.gone.iter();
        let gone: Vec<_> = gone.map(|inlet| inlet.totals_before().packets).collect();
        assert_eq!(gone, [2, 1]);
    }

    #[test]
    fn what_was_counted_of_a_stream_stays_though_it_turns_out_to_be_repeats() {
        let mut inlets = inlets(&[video("a", "0", &[], &[])]);
        receive(&mut inlets, 96, 7, None);
        inlets.apply(vec![video("a", "0", &[], &[7])], Instant::now(), || 9);
        assert_eq!(inlets.totals_of(0).packets, 1);
    }

    fn video(name: &str, mid: &str, ssrcs: &[u32], rtx_ssrcs: &[u32]) -> RecvTrack {
        let mut track = track(name, mid, 96, ssrcs);
        track.kind = Kind::Video;
        track.codecs[0].rtx_pt = Some(97);
        track.rtx_ssrcs = rtx_ssrcs.into();
        track
    }

    fn part(inlets: &mut Inlets, pt: u8, ssrc: u32, mid: Option<&str>) -> Option<(usize, Part)> {
        let place = receive(inlets, pt, ssrc, mid)?;
        let source = inlets.source(ssrc).unwrap();
        let media = source.is_rtx.then(|| inlets.media_of(place, ssrc));
        Some((
            place,
            media.map_or(Part::Media, |media| Part::Rtx { media }),
        ))
    }

    #[test]
    fn repeats_are_found_by_name_by_mid_and_by_payload_type() {
        let mut inlets = inlets(&[
            video("a", "0", &[1, 2], &[11, 12]),
            video("b", "1", &[], &[]),
        ]);
        let rtx = |media: u32| Part::Rtx { media: Some(media) };
        assert_eq!(part(&mut inlets, 97, 12, None), Some((0, rtx(2))));
        assert_eq!(part(&mut inlets, 96, 12, None), None, "it carries repeats");
        assert_eq!(part(&mut inlets, 96, 11, None), None);
        let early = Some((1, Part::Rtx { media: None }));
        assert_eq!(part(&mut inlets, 97, 30, Some("1")), early);
        assert_eq!(part(&mut inlets, 96, 20, Some("1")), Some((1, Part::Media)));
        assert_eq!(part(&mut inlets, 97, 30, None), Some((1, rtx(20))));
        let ssrcs = |place| {
            let sources = inlets.sources_of(place);
            sources.map(|source| source.ssrc).collect::<Vec<_>>()
        };
        assert_eq!((ssrcs(0), ssrcs(1)), (vec![], vec![20]));
        assert_eq!(inlets.repeatable(20), Some(1));
        assert_eq!(inlets.repeatable(30), None);
    }

    #[test]
    fn a_stream_that_turns_out_to_carry_repeats_begins_anew() {
        let mut inlets = inlets(&[video("a", "0", &[], &[])]);
        assert_eq!(part(&mut inlets, 96, 5, None), Some((0, Part::Media)));
        let desired = vec![video("a", "0", &[4], &[5])];
        inlets.apply(desired, Instant::now(), || 9);
        assert!(inlets.source(5).is_none());
        assert_eq!(part(&mut inlets, 96, 5, None), None);
    }

    #[test]
    fn streams_are_bounded() {
        let mut inlets = inlets(&[track("a", "0", 111, &[])]);
        let found = (0..1_000)
            .filter(|ssrc| receive(&mut inlets, 111, *ssrc, None).is_some())
            .count();
        assert_eq!(found, MAX_SOURCES);
    }

    /// A peer that takes a new SSRC at every hold is heard for as long as it calls.
    #[test]
    fn a_new_stream_takes_the_place_of_one_that_is_over() {
        let mut inlets = inlets(&[track("a", "0", 111, &[]), track("b", "1", 96, &[])]);
        let start = Instant::now();
        assert_eq!(receive_at(&mut inlets, 96, 7, None, start), Some(1));
        for ssrc in 100..300 {
            let now = start + Duration::from_secs(u64::from(ssrc));
            assert_eq!(receive_at(&mut inlets, 111, ssrc, None, now), Some(0));
            assert_eq!(receive_at(&mut inlets, 111, ssrc, None, now), Some(0));
        }
        assert_eq!(inlets.sources.len(), MAX_SOURCES);
        let kept: Vec<u32> = inlets.sources.iter().map(|source| source.ssrc).collect();
        let newest: Vec<u32> = (300 - (MAX_SOURCES as u32 - 1)..300).collect();
        assert_eq!(
            kept,
            [&[7][..], &newest].concat(),
            "the last one of a track stays, however long it is silent"
        );
        let totals = inlets.totals_of(0);
        assert_eq!(
            (totals.packets, totals.reordered),
            (400, 200),
            "what it brought stays counted"
        );
        assert_eq!(totals.lost, -200);
        let in_place: u64 = inlets
            .sources_of(0)
            .map(|source| source.reception.bytes())
            .sum();
        assert_eq!(totals.bytes * (MAX_SOURCES as u64 - 1), in_place * 200);
    }

    #[test]
    fn a_stream_that_may_go_on_keeps_its_place() {
        let mut inlets = inlets(&[track("a", "0", 111, &[])]);
        let start = Instant::now();
        for ssrc in 0..MAX_SOURCES as u32 {
            receive_at(&mut inlets, 111, ssrc, None, start);
        }
        let soon = start + OVER.saturating_sub(Duration::from_millis(1));
        assert_eq!(receive_at(&mut inlets, 111, 1_000, None, soon), None);
        assert_eq!(receive_at(&mut inlets, 111, 0, None, soon), Some(0));
        let later = start + OVER;
        assert_eq!(receive_at(&mut inlets, 111, 1_000, None, later), Some(0));
        assert!(inlets.source(0).is_some() && inlets.source(1).is_none());
    }

    #[test]
    fn a_stall_is_told_once_until_the_track_flows_again() {
        let mut inlets = inlets(&[track("a", "0", 111, &[])]);
        let start = Instant::now();
        assert!(
            inlets.stalled(start + Duration::from_secs(60)).is_empty(),
            "a track that never flowed cannot stall"
        );
        receive(&mut inlets, 111, 1, None);
        let later = Instant::now() + Duration::from_secs(6);
        assert_eq!(inlets.stalled(later).len(), 1);
        assert!(inlets.stalled(later).is_empty());
        receive(&mut inlets, 111, 1, None);
        assert_eq!(inlets.stalled(later + Duration::from_secs(6)).len(), 1);
    }
}
