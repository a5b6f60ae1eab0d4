//! Received tracks and the streams that carry them: which packet belongs to which track.

use std::time::{Duration, Instant};

use crate::protocol::RecvTrack;
use crate::quality::Rate;
use crate::rtp::Header;
use crate::stats::Reception;
use crate::translate::{clock_hz, is_event};

/// A peer may open so many streams; more are dropped.
const MAX_SOURCES: usize = 64;

/// A track that had flowed and is silent for this long has stalled.
const STALLED: Duration = Duration::from_secs(5);

/// A received track.
pub struct Inlet {
    /// Tells this track from every other of the call, also from an earlier one of the same name.
    pub uid: u32,
    /// Its desired state.
    pub desired: RecvTrack,
    /// When the first packet came, on whichever stream.
    pub first: Option<Instant>,
    /// Packets that came twice.
    pub duplicates: u64,
    /// Packets that came so late that they cannot be told from repeats.
    pub late: u64,
    /// The bit rate of the payload.
    pub rate: Rate,
    /// Payload types with their clocks; `None` for telephone events.
    clocks: Vec<(u8, Option<u32>)>,
    stall_told: bool,
}

impl Inlet {
    fn new(uid: u32, desired: RecvTrack) -> Self {
        let mut inlet = Self {
            uid,
            desired,
            first: None,
            duplicates: 0,
            late: 0,
            rate: Rate::default(),
            clocks: Vec::new(),
            stall_told: false,
        };
        inlet.read_clocks();
        inlet
    }

    fn read_clocks(&mut self) {
        let codecs = self.desired.codecs.iter();
        let clock = |codec| (!is_event(codec)).then(|| clock_hz(&codec.key));
        self.clocks = codecs.map(|codec| (codec.pt, clock(codec))).collect();
    }

    /// The clock of this payload type's timestamps; `None` for telephone events and what was not agreed on.
    fn clock(&self, pt: u8) -> Option<u32> {
        let mut clocks = self.clocks.iter();
        clocks.find(|(known, _)| *known == pt)?.1
    }
}

/// A stream (SSRC) that carries a received track.
pub struct Source {
    /// Its SSRC.
    pub ssrc: u32,
    /// The track's place among the leg's.
    pub inlet: usize,
    /// What has arrived.
    pub reception: Reception,
    /// When the last packet came.
    pub heard: Instant,
    /// When a report about it last went to its sender, ours or one passed back; at first when the stream began.
    pub reported: Instant,
    /// Whether any report went.
    pub was_reported: bool,
}

/// The received tracks of one leg with their streams.
#[derive(Default)]
pub struct Inlets {
    /// The tracks, in the desired order.
    pub tracks: Vec<Inlet>,
    /// The streams, oldest first.
    pub sources: Vec<Source>,
}

/// Where a packet went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Received {
    /// The track's place.
    pub inlet: usize,
    /// Whether it is the first of its stream.
    pub is_first: bool,
}

impl Inlets {
    /// Takes over the desired tracks. Streams stay with their tracks, unless another track now names their SSRC.
    pub fn apply(&mut self, desired: Vec<RecvTrack>, mut serial: impl FnMut() -> u32) {
        let moved_to: Vec<Option<usize>> = self
            .tracks
            .iter()
            .map(|inlet| {
                desired
                    .iter()
                    .position(|track| track.track == inlet.desired.track)
            })
            .collect();
        let mut before = std::mem::take(&mut self.tracks);
        for track in desired {
            let old = before
                .iter()
                .position(|inlet| inlet.desired.track == track.track);
            let inlet = if let Some(place) = old {
                let mut inlet = before.swap_remove(place);
                inlet.desired = track;
                inlet.read_clocks();
                inlet
            } else {
                Inlet::new(serial(), track)
            };
            self.tracks.push(inlet);
        }
        let tracks = &self.tracks;
        self.sources.retain_mut(|source| {
            let named = tracks
                .iter()
                .position(|inlet| inlet.desired.ssrcs.contains(&source.ssrc));
            let place = named.or_else(|| moved_to.get(source.inlet).copied().flatten());
            source.inlet = place.unwrap_or_default();
            place.is_some()
        });
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
            let clock = inlet.clock(header.pt);
            source
                .reception
                .receive(clock, header.seq, header.ts, payload_len, now);
            source.heard = now;
            inlet.stall_told = false;
            return Some(Received {
                inlet: source.inlet,
                is_first: false,
            });
        }
        let inlet = self.find(header, packet)?;
        if self.sources.len() == MAX_SOURCES {
            return None;
        }
        let clock = self.tracks[inlet].clock(header.pt);
        let reception = Reception::start(clock, header.seq, header.ts, payload_len, now);
        self.sources.push(Source {
            ssrc: header.ssrc,
            inlet,
            reception,
            heard: now,
            reported: now,
            was_reported: false,
        });
        let track = &mut self.tracks[inlet];
        track.stall_told = false;
        if track.first.is_none() {
            track.first = Some(now);
            track.rate.begin(payload_len as u64, now);
        }
        Some(Received {
            inlet,
            is_first: true,
        })
    }

    /// Counts a packet of the stream `ssrc` that SRTP refused because it came before, or so late that this cannot be known.
    pub fn repeated(&mut self, ssrc: u32, is_late: bool) {
        let place = self.source(ssrc).map(|source| source.inlet);
        if let Some(inlet) = place.map(|place| &mut self.tracks[place]) {
            inlet.late += u64::from(is_late);
            inlet.duplicates += u64::from(!is_late);
        }
    }

    /// The streams of the track at `place`, oldest first.
    pub fn sources_of(&self, place: usize) -> impl Iterator<Item = &Source> {
        self.sources
            .iter()
            .filter(move |source| source.inlet == place)
    }

    /// Payload bytes that the track at `place` has received.
    #[must_use]
    pub fn bytes_of(&self, place: usize) -> u64 {
        let bytes = |source: &Source| source.reception.bytes();
        self.sources_of(place).map(bytes).sum()
    }

    /// Ends the intervals of all bit rates.
    pub fn next_interval(&mut self, now: Instant) {
        for place in 0..self.tracks.len() {
            let bytes = self.bytes_of(place);
            self.tracks[place].rate.next_interval(bytes, now);
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

    /// The tracks that have stalled since the last call, with how long they have been silent.
    pub fn stalled(&mut self, now: Instant) -> Vec<(String, Duration)> {
        let mut stalled = Vec::new();
        for (place, inlet) in self.tracks.iter_mut().enumerate() {
            let heard = self
                .sources
                .iter()
                .filter(|source| source.inlet == place)
                .map(|source| source.heard)
                .max();
            let silence =
                heard.map_or(Duration::ZERO, |heard| now.saturating_duration_since(heard));
            if silence >= STALLED && !inlet.stall_told {
                inlet.stall_told = true;
                stalled.push((inlet.desired.track.clone(), silence));
            }
        }
        stalled
    }

    /// The track of a new stream: the one that names its SSRC, then by MID, then the only one that has its payload type, then the
    /// first of those without a stream.
    fn find(&self, header: &Header, packet: &[u8]) -> Option<usize> {
        let named = self
            .tracks
            .iter()
            .position(|inlet| inlet.desired.ssrcs.contains(&header.ssrc));
        let by_mid = |inlet: &Inlet| {
            let mid = inlet
                .desired
                .ext
                .mid
                .and_then(|id| header.extension(packet, id));
            mid == Some(inlet.desired.mid.as_bytes())
        };
        if let Some(place) = named.or_else(|| self.tracks.iter().position(by_mid)) {
            return self.tracks[place]
                .desired
                .codecs
                .iter()
                .any(|codec| codec.pt == header.pt)
                .then_some(place);
        }
        let has_pt = |inlet: &Inlet| {
            inlet
                .desired
                .codecs
                .iter()
                .any(|codec| codec.pt == header.pt)
        };
        let mut with_pt = self
            .tracks
            .iter()
            .enumerate()
            .filter(|(_, inlet)| has_pt(inlet))
            .map(|(place, _)| place);
        let first = with_pt.next()?;
        if with_pt.next().is_none() {
            return Some(first);
        }
        let is_unclaimed = |place: usize| self.sources.iter().all(|source| source.inlet != place);
        (0..self.tracks.len()).find(|place| has_pt(&self.tracks[*place]) && is_unclaimed(*place))
    }
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
            .receive(&header, &packet, Instant::now())
            .map(|received| received.inlet)
    }

    fn inlets(tracks: &[RecvTrack]) -> Inlets {
        let mut inlets = Inlets::default();
        let mut serial = 0;
        inlets.apply(tracks.to_vec(), || {
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
            || 100,
        );
        assert_eq!(
            inlets.sources[0].inlet, 1,
            "a track that names the stream takes it"
        );
    }

    #[test]
    fn streams_are_bounded() {
        let mut inlets = inlets(&[track("a", "0", 111, &[])]);
        let found = (0..1_000)
            .filter(|ssrc| receive(&mut inlets, 111, *ssrc, None).is_some())
            .count();
        assert_eq!(found, MAX_SOURCES);
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
