//! DTMF as RFC 4733 events: the queue of digits and the pacing of one digit's packets.
//!
//! A digit is a row of packets 20 ms apart that share one timestamp: the first with the marker, each with the duration so far,
//! the last with the end bit and sent three times. While the sender's own audio flows, each of its packets is *replaced* by the
//! next of the row ([`Dtmf::replace`]); where it is silent, packets are *put in* ([`Dtmf::due`]). This module owns that
//! schedule. It is driven by handed-in time, and knows no sequence numbers: [`crate::outlet`] gives it those.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// At most so many digits and pauses wait (messenger-calling 10).
pub const QUEUE_DIGITS: usize = 32;

const STEP: Duration = Duration::from_millis(20);
const PAUSE: Duration = Duration::from_secs(1);
/// The last packet goes out so many times (RFC 4733 2.5.1.4).
const END_PACKETS: u32 = 3;
/// -10 dBm0 (messenger-calling 10).
const VOLUME: u8 = 10;
/// Audio that came within this time is taken to go on: it is waited for, to be replaced.
const FLOW: Duration = Duration::from_millis(60);
/// How long a packet of flowing audio may be late before an event packet is put in without it.
const SLACK: Duration = Duration::from_millis(30);
/// Audio that comes earlier than this before the next step repeats the step before.
const EARLY: Duration = Duration::from_millis(10);
/// Lengths that a digit may have; the longer bound keeps the duration within 16 bits at 48 kHz.
const TONE_MS: std::ops::RangeInclusive<u32> = 60..=1_300;
const GAP_MS: std::ops::RangeInclusive<u32> = 60..=10_000;

/// A telephone-event payload type and its clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EventCodec {
    /// The payload type.
    pub pt: u8,
    /// The clock of timestamps and durations.
    pub clock_hz: u32,
}

/// One packet of a digit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EventPacket {
    /// The payload type.
    pub pt: u8,
    /// Set on the first packet.
    pub marker: bool,
    /// The digit's timestamp.
    pub ts: u32,
    /// The payload (RFC 4733 2.3).
    pub payload: [u8; 4],
    /// The digit, when this packet is its very last.
    pub done: Option<char>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Item {
    Digit {
        digit: char,
        tone_ms: u32,
        gap_ms: u32,
    },
    Pause,
}

#[derive(Clone, Debug)]
struct Tone {
    digit: char,
    event: u8,
    codec: EventCodec,
    ts: u32,
    started: Instant,
    /// Steps of 20 ms up to the end bit.
    steps: u32,
    /// The step that goes out next.
    next: u32,
    rest_until: Instant,
}

/// Why digits were refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refused {
    /// Something in the text is no digit.
    BadDigits,
    /// More than [`QUEUE_DIGITS`] would wait.
    QueueFull,
}

/// The digits of one sent track.
#[derive(Clone, Debug)]
pub struct Dtmf {
    queue: VecDeque<Item>,
    tone: Option<Tone>,
    not_before: Instant,
    last_audio: Option<Instant>,
}

impl Dtmf {
    /// Nothing to send yet, on a track whose audio was last heard at `last_audio`.
    #[must_use]
    pub fn new(now: Instant, last_audio: Option<Instant>) -> Self {
        Self {
            queue: VecDeque::new(),
            tone: None,
            not_before: now,
            last_audio,
        }
    }

    /// Queues all of `digits` or none of them, and returns how many wait. Lengths are bounded to what the payload can say.
    pub fn push(
        &mut self,
        digits: &str,
        tone_ms: u32,
        gap_ms: u32,
        now: Instant,
    ) -> Result<usize, Refused> {
        let tone_ms = tone_ms.clamp(*TONE_MS.start(), *TONE_MS.end());
        let gap_ms = gap_ms.clamp(*GAP_MS.start(), *GAP_MS.end());
        let items: Option<Vec<Item>> = digits
            .chars()
            .map(|digit| match digit {
                ',' => Some(Item::Pause),
                _ => event_of(digit).map(|_| Item::Digit {
                    digit: digit.to_ascii_uppercase(),
                    tone_ms,
                    gap_ms,
                }),
            })
            .collect();
        let items = items
            .filter(|items| !items.is_empty())
            .ok_or(Refused::BadDigits)?;
        if self.queue.len() + items.len() > QUEUE_DIGITS {
            return Err(Refused::QueueFull);
        }
        if self.queue.is_empty() && self.tone.is_none() {
            self.not_before = self.not_before.max(now);
        }
        self.queue.extend(items);
        Ok(self.queue.len())
    }

    /// Whether nothing is being sent and nothing waits.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        self.tone.is_none() && self.queue.is_empty()
    }

    /// When [`Self::due`] has something to say, unless audio comes first.
    #[must_use]
    pub fn next_due(&self) -> Option<Instant> {
        let due = match (&self.tone, self.queue.front()) {
            (Some(tone), _) => tone.started + STEP * tone.next,
            (None, Some(Item::Digit { .. })) => self.not_before,
            (None, Some(Item::Pause)) => return Some(self.not_before),
            (None, None) => return None,
        };
        let flows = self.last_audio.is_some_and(|last| last + FLOW >= due);
        Some(if flows { due + SLACK } else { due })
    }

    /// A packet of audio is there: returns the event packet that goes out in its place, if a digit is on.
    ///
    /// `ts` gives a new digit its timestamp.
    pub fn replace(
        &mut self,
        now: Instant,
        codec: EventCodec,
        ts: impl FnOnce() -> u32,
    ) -> Option<EventPacket> {
        self.last_audio = Some(now);
        self.start(now, codec, ts);
        let tone = self.tone.as_ref()?;
        // An end packet is never repeated: there are three, however fast the sound comes.
        let may_repeat = (1..tone.steps).contains(&tone.next);
        if may_repeat && tone.started + STEP * tone.next > now + EARLY {
            return Some(tone.packet(tone.next - 1, true));
        }
        self.step(now)
    }

    /// An event packet to put in at `now`, where no audio came to be replaced. Ask again until there is none.
    pub fn due(
        &mut self,
        now: Instant,
        codec: EventCodec,
        ts: impl FnOnce() -> u32,
    ) -> Option<EventPacket> {
        self.skip_pauses(now);
        if self.next_due().is_none_or(|due| due > now) {
            return None;
        }
        self.start(now, codec, ts);
        self.step(now)
    }

    fn skip_pauses(&mut self, now: Instant) {
        while self.tone.is_none()
            && self.not_before <= now
            && self.queue.front() == Some(&Item::Pause)
        {
            self.queue.pop_front();
            self.not_before += PAUSE;
        }
    }

    fn start(&mut self, now: Instant, codec: EventCodec, ts: impl FnOnce() -> u32) {
        self.skip_pauses(now);
        if self.tone.is_some() || self.not_before > now {
            return;
        }
        let Some(Item::Digit {
            digit,
            tone_ms,
            gap_ms,
        }) = self.queue.pop_front()
        else {
            return;
        };
        let Some(event) = event_of(digit) else { return };
        let rest_until = now + Duration::from_millis(u64::from(tone_ms + gap_ms));
        self.tone = Some(Tone {
            digit,
            event,
            codec,
            ts: ts(),
            started: now,
            steps: tone_ms / 20,
            next: 0,
            rest_until,
        });
    }

    fn step(&mut self, now: Instant) -> Option<EventPacket> {
        let tone = self.tone.as_mut()?;
        let packet = tone.packet(tone.next, false);
        tone.next += 1;
        if packet.done.is_some() {
            self.not_before = tone.rest_until.max(now + STEP);
            self.tone = None;
        }
        Some(packet)
    }
}

impl Tone {
    fn packet(&self, step: u32, repeated: bool) -> EventPacket {
        let ends = step + 1 >= self.steps;
        let duration = (step + 1).min(self.steps) * self.codec.clock_hz / 50;
        let duration = u16::try_from(duration).unwrap_or(u16::MAX).to_be_bytes();
        let last = step + 1 == self.steps + END_PACKETS - 1;
        EventPacket {
            pt: self.codec.pt,
            marker: step == 0 && !repeated,
            ts: self.ts,
            payload: [
                self.event,
                u8::from(ends) << 7 | VOLUME,
                duration[0],
                duration[1],
            ],
            done: (last && !repeated).then_some(self.digit),
        }
    }
}

/// The event number of a digit (RFC 4733 3.2).
#[must_use]
pub fn event_of(digit: char) -> Option<u8> {
    match digit.to_ascii_uppercase() {
        digit @ '0'..='9' => Some(digit as u8 - b'0'),
        '*' => Some(10),
        '#' => Some(11),
        digit @ 'A'..='D' => Some(digit as u8 - b'A' + 12),
        _ => None,
    }
}

/// The digit of an event number; `None` for events that are no DTMF.
#[must_use]
pub fn digit_of(event: u8) -> Option<char> {
    "0123456789*#ABCD".chars().nth(usize::from(event))
}

#[cfg(test)]
mod tests {
    use super::*;

    const WIDE: EventCodec = EventCodec {
        pt: 110,
        clock_hz: 48_000,
    };
    const NARROW: EventCodec = EventCodec {
        pt: 101,
        clock_hz: 8_000,
    };

    fn duration(packet: &EventPacket) -> u16 {
        u16::from_be_bytes([packet.payload[2], packet.payload[3]])
    }

    /// Lets silence run from `start` for `ms` and returns what was put in, with its time.
    fn silence(
        dtmf: &mut Dtmf,
        codec: EventCodec,
        start: Instant,
        ms: u64,
    ) -> Vec<(u64, EventPacket)> {
        let mut packets = Vec::new();
        for ms in 0..=ms {
            let now = start + Duration::from_millis(ms);
            while let Some(packet) = dtmf.due(now, codec, || 77) {
                packets.push((ms, packet));
            }
        }
        packets
    }

    #[test]
    fn a_digit_in_silence_is_a_row_of_packets_20_ms_apart() {
        for (codec, unit) in [(WIDE, 960), (NARROW, 160)] {
            let start = Instant::now();
            let mut dtmf = Dtmf::new(start, None);
            assert_eq!(dtmf.push("5", 500, 100, start), Ok(1));
            let packets = silence(&mut dtmf, codec, start, 2_000);
            assert_eq!(
                packets.iter().map(|(ms, _)| *ms).collect::<Vec<_>>(),
                (0..27).map(|step| step * 20).collect::<Vec<_>>()
            );
            let durations: Vec<_> = packets.iter().map(|(_, packet)| duration(packet)).collect();
            assert_eq!(
                durations,
                (1..=25)
                    .chain([25, 25])
                    .map(|step| step * unit)
                    .collect::<Vec<_>>()
            );
            assert_eq!(
                packets.iter().filter(|(_, packet)| packet.marker).count(),
                1
            );
            assert!(packets[0].1.marker);
            let ends: Vec<_> = packets
                .iter()
                .map(|(_, packet)| packet.payload[1])
                .collect();
            assert_eq!(ends[..24], [10; 24]);
            assert_eq!(ends[24..], [0x8a; 3]);
            assert_eq!(
                packets
                    .iter()
                    .filter_map(|(_, packet)| packet.done)
                    .collect::<Vec<_>>(),
                ['5']
            );
            assert!(packets.iter().all(|(_, packet)| packet.ts == 77
                && packet.payload[0] == 5
                && packet.pt == codec.pt));
            assert!(dtmf.is_idle());
        }
    }

    #[test]
    fn the_next_digit_starts_600_ms_later_and_a_pause_adds_a_second() {
        let start = Instant::now();
        let mut dtmf = Dtmf::new(start, None);
        dtmf.push("1,2#", 500, 100, start).unwrap();
        let starts: Vec<_> = silence(&mut dtmf, WIDE, start, 4_000)
            .into_iter()
            .filter(|(_, packet)| packet.marker)
            .map(|(ms, packet)| (ms, packet.payload[0]))
            .collect();
        assert_eq!(starts, [(0, 1), (1_600, 2), (2_200, 11)]);
    }

    #[test]
    fn sound_in_bursts_repeats_packets_but_never_an_end() {
        let start = Instant::now();
        let mut dtmf = Dtmf::new(start, Some(start));
        dtmf.push("5", 500, 100, start).unwrap();
        let mut packets = Vec::new();
        for burst in 0..7 {
            let now = start + Duration::from_millis(burst * 100);
            packets.extend((0..6).filter_map(|_| dtmf.replace(now, WIDE, || 77)));
        }
        assert!(
            packets
                .windows(2)
                .all(|pair| duration(&pair[0]) <= duration(&pair[1]))
        );
        assert_eq!(packets.iter().filter(|packet| packet.marker).count(), 1);
        assert_eq!(
            packets
                .iter()
                .filter(|packet| packet.payload[1] == 0x8a)
                .count(),
            3
        );
        assert_eq!(packets.last().and_then(|packet| packet.done), Some('5'));
    }

    #[test]
    fn flowing_audio_is_replaced_one_for_one() {
        let start = Instant::now();
        let mut dtmf = Dtmf::new(start, None);
        let mut replaced = Vec::new();
        for ms in 0..1_000 {
            let now = start + Duration::from_millis(ms);
            if ms == 45 {
                dtmf.push("9", 500, 100, now).unwrap();
            }
            // Audio every 20 ms, up to 6 ms late.
            if ms % 20 == ms / 20 % 3 * 3 {
                replaced.extend(
                    dtmf.replace(now, WIDE, || 0)
                        .map(|packet| duration(&packet)),
                );
            }
            assert_eq!(
                dtmf.due(now, WIDE, || 0),
                None,
                "nothing is put in at {ms} ms"
            );
        }
        assert_eq!(
            replaced,
            (1..=25)
                .chain([25, 25])
                .map(|step| step * 960)
                .collect::<Vec<_>>()
        );
    }

    #[test]
    fn audio_in_a_burst_repeats_the_last_packet_and_does_not_hurry() {
        let start = Instant::now();
        let mut dtmf = Dtmf::new(start, None);
        dtmf.push("9", 500, 100, start).unwrap();
        let burst: Vec<_> = (0..4)
            .map(|_| dtmf.replace(start, WIDE, || 0).unwrap())
            .collect();
        assert_eq!(
            burst.iter().map(duration).collect::<Vec<_>>(),
            [960, 960, 960, 960]
        );
        assert_eq!(burst.iter().filter(|packet| packet.marker).count(), 1);
    }

    #[test]
    fn audio_that_stops_in_a_digit_is_not_waited_for_long() {
        let start = Instant::now();
        let mut dtmf = Dtmf::new(start, None);
        dtmf.push("9", 500, 100, start).unwrap();
        assert!(dtmf.replace(start, WIDE, || 0).is_some());
        let packets = silence(&mut dtmf, WIDE, start, 2_000);
        assert_eq!(packets.len(), 26);
        assert!(packets.windows(2).all(|pair| pair[1].0 - pair[0].0 <= 20));
        assert_eq!(packets[25].1.done, Some('9'));
    }

    #[test]
    fn the_queue_takes_32_or_refuses_all() {
        let start = Instant::now();
        let mut dtmf = Dtmf::new(start, None);
        assert_eq!(dtmf.push(&"1".repeat(30), 500, 100, start), Ok(30));
        assert_eq!(dtmf.push("123", 500, 100, start), Err(Refused::QueueFull));
        assert_eq!(dtmf.push("a,", 500, 100, start), Ok(32));
        for bad in ["", "x", "1 2", "1e"] {
            assert_eq!(
                dtmf.push(bad, 500, 100, start),
                Err(Refused::BadDigits),
                "{bad:?}"
            );
        }
    }

    #[test]
    fn events_and_digits_pair() {
        for (event, digit) in (0..16).zip("0123456789*#ABCD".chars()) {
            assert_eq!(
                (event_of(digit), digit_of(event)),
                (Some(event), Some(digit))
            );
        }
        assert_eq!((event_of('d'), digit_of(16)), (Some(15), None));
    }

    #[test]
    fn odd_lengths_are_bounded() {
        let start = Instant::now();
        let mut dtmf = Dtmf::new(start, None);
        dtmf.push("1", u32::MAX, u32::MAX, start).unwrap();
        let packets = silence(&mut dtmf, WIDE, start, 2_000);
        assert_eq!(
            packets.last().map(|(_, packet)| duration(packet)),
            Some(62_400)
        );
    }
}
