//! Key frames: when the engine asks a sender for one by itself, and how often.
//!
//! It asks when somebody begins to see a stream who has not seen it before: a video route turns on, a new output starts or is
//! acknowledged, a sent track has another source, or when a receiver's own request may have been passed over. At most once in
//! half a second for each source, what receivers ask themselves included, and again while nothing comes of it. With a PLI, or a
//! FIR where only that was agreed on.

use std::time::{Duration, Instant};

use crate::call::Call;
use crate::leg::{Leg, RTCP_BYTES};
use crate::outbox::Outbox;
use crate::protocol::RecvTrack;
use crate::rtcp::{Writer, feedback, packet_type};

/// A source is asked no more often.
const LEAST: Duration = Duration::from_millis(500);

/// A key frame that was asked for so short a time ago is still to come.
const UNDER_WAY: Duration = Duration::from_millis(100);

/// A source from which nothing comes is asked so many times.
const ATTEMPTS: u8 = 20;

/// What one source was asked for.
#[derive(Clone, Copy, Debug, Default)]
pub struct Ask {
    is_wanted: bool,
    /// Attempts that are left, while nothing has come since the last one.
    left: u8,
    asked: Option<Instant>,
    /// The number of the last FIR that it got from us (RFC 5104 4.3.1.2), and the receiver's number that this stood for.
    fir: Option<(u8, Option<u8>)>,
}

impl Ask {
    /// Somebody needs a key frame.
    pub fn want(&mut self, now: Instant) {
        let is_under_way = self.asked.is_some_and(|asked| now < asked + UNDER_WAY);
        self.is_wanted |= !is_under_way;
    }

    /// A packet has come.
    pub fn answered(&mut self) {
        self.left = 0;
    }

    /// A receiver has asked, and its request is passed on. A sender may pass over a request that comes soon after another
    /// (Chromium does for 300 ms), and a receiver may ask only once: such a request is made again, by us.
    pub fn passed_on(&mut self, now: Instant) {
        self.is_wanted = self.asked.is_some_and(|asked| now < asked + LEAST);
        self.asked = Some(now);
    }

    /// The source cannot be asked.
    fn give_up(&mut self) {
        self.is_wanted = false;
        self.left = 0;
    }

    /// When the source is to be asked.
    fn due(&self) -> Option<Due> {
        let is_open = self.is_wanted || self.left > 0;
        is_open.then(|| self.asked.map_or(Due::Now, |asked| Due::At(asked + LEAST)))
    }

    fn ask(&mut self, now: Instant) {
        self.left = if self.is_wanted {
            ATTEMPTS
        } else {
            self.left.saturating_sub(1)
        };
        self.is_wanted = false;
        self.asked = Some(now);
    }

    /// The number for a FIR of ours, or for one that a receiver has numbered `theirs`: a repeat of the same request keeps its number.
    pub fn fir_number(&mut self, theirs: Option<u8>) -> u8 {
        let number = match (self.fir, theirs) {
            (Some((ours, Some(before))), Some(theirs)) if before == theirs => ours,
            (Some((ours, _)), _) => ours.wrapping_add(1),
            (None, theirs) => theirs.unwrap_or_default(),
        };
        let theirs = theirs.or(self.fir.and_then(|(_, before)| before));
        self.fir = Some((number, theirs));
        number
    }
}

/// When something is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Due {
    Now,
    At(Instant),
}

/// How a sender can be asked for a key frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Means {
    /// Picture loss indication (RFC 4585 6.3.1).
    Pli,
    /// Full intra request (RFC 5104 4.3.1).
    Fir,
}

/// The means that was agreed on for a track; `None` for none.
#[must_use]
pub fn means(track: &RecvTrack) -> Option<Means> {
    let has = |name: &str| track.fb.iter().any(|fb| fb == name);
    if has("nack pli") {
        Some(Means::Pli)
    } else {
        has("ccm fir").then_some(Means::Fir)
    }
}

impl Call {
    /// Asks for the key frames that sent tracks have begun to need.
    pub(crate) fn ask_key_frames(&mut self, now: Instant, outbox: &mut Outbox) {
        for link in &self.links {
            let Some(target) = self.legs[link.to_leg].as_mut().filter(|_| link.on) else {
                continue;
            };
            let outlet = &mut target.outlets[link.outlet];
            let (needs, current) = (std::mem::take(&mut outlet.needs_key_frame), outlet.current);
            // Who is not up yet needs one when its first packet goes out.
            if !needs || !target.is_up() {
                continue;
            }
            if let Some(source) = self.legs[link.from_leg].as_mut() {
                source.want_key_frame(link.inlet, current, now);
                source.ask_key_frames(now, outbox);
            }
        }
    }
}

impl Leg {
    /// The stream `ssrc` of the track at `place`, or the one heard last, is to send a key frame.
    fn want_key_frame(&mut self, place: usize, ssrc: Option<u32>, now: Instant) {
        let latest = self.inlets.latest(place).map(|source| source.ssrc);
        if let Some(source) = ssrc
            .or(latest)
            .and_then(|ssrc| self.inlets.source_mut(ssrc))
        {
            source.ask.want(now);
            self.asks = true;
        }
    }

    /// When [`Self::ask_key_frames`] is due.
    pub(crate) fn key_frame_due(&self, now: Instant) -> Option<Instant> {
        let dues = || {
            let sources = self.inlets.sources.iter();
            sources.filter_map(|source| source.ask.due())
        };
        let times = || {
            dues().map(|due| match due {
                Due::Now => now,
                Due::At(at) => at,
            })
        };
        (self.asks && self.is_up())
            .then(times)
            .and_then(Iterator::min)
    }

    /// Asks those sources that are to be asked by now.
    pub(crate) fn ask_key_frames(&mut self, now: Instant, outbox: &mut Outbox) {
        if !self.asks || !self.is_up() {
            return;
        }
        let sender = self.report_ssrc();
        let mut writer = Writer::new(&mut outbox.slot()[..RTCP_BYTES]);
        writer.receiver_report(sender, std::iter::empty());
        let preamble = writer.len();
        let mut is_open = false;
        for source in &mut self.inlets.sources {
            let is_due = match source.ask.due() {
                None => continue,
                Some(Due::Now) => true,
                Some(Due::At(at)) => at <= now,
            };
            let inlet = &mut self.inlets.tracks[source.inlet];
            let Some(means) = means(&inlet.desired) else {
                source.ask.give_up();
                continue;
            };
            is_open = true;
            if !is_due {
                continue;
            }
            let fir = source.ask.fir_number(None);
            write(&mut writer, means, sender, source.ssrc, fir);
            source.ask.ask(now);
            match means {
                Means::Pli => inlet.requests.plis += 1,
                Means::Fir => inlet.requests.firs += 1,
            }
        }
        self.asks = is_open;
        let len = writer.len();
        if len > preamble {
            self.send_rtcp(len, outbox);
        }
    }
}

/// Writes a request; `fir` is its number if it is a FIR.
pub fn write(writer: &mut Writer<'_>, means: Means, sender: u32, media: u32, fir: u8) {
    let (sender, media) = (sender.to_be_bytes(), media.to_be_bytes());
    match means {
        Means::Pli => writer.packet(packet_type::PSFB, feedback::PLI, &[&sender, &media]),
        Means::Fir => {
            let parts: [&[u8]; 4] = [&sender, &[0; 4], &media, &[fir, 0, 0, 0]];
            writer.packet(packet_type::PSFB, feedback::FIR, &parts);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_source_is_asked_once_in_half_a_second_and_again_while_it_is_silent() {
        let start = Instant::now();
        let after = |ms| start + Duration::from_millis(ms);
        let mut ask = Ask::default();
        assert_eq!(ask.due(), None);
        ask.want(start);
        assert_eq!(ask.due(), Some(Due::Now));
        ask.ask(start);
        assert_eq!(ask.due(), Some(Due::At(after(500))));
        ask.answered();
        assert_eq!(ask.due(), None);
        ask.want(after(99));
        assert_eq!(ask.due(), None, "the key frame is still to come");
        ask.want(after(100));
        assert_eq!(ask.due(), Some(Due::At(after(500))));
        ask.passed_on(after(500));
        assert_eq!(ask.due(), None, "the receiver has asked itself");
        ask.passed_on(after(700));
        assert_eq!(ask.due(), Some(Due::At(after(1_200))), "too soon");
        let mut asked = 0;
        let mut now = after(1_200);
        while let Some(Due::At(due)) = ask.due() {
            now = now.max(due);
            ask.ask(now);
            asked += 1;
        }
        assert_eq!(asked, 1 + u32::from(ATTEMPTS));
    }

    #[test]
    fn requests_are_numbered_and_their_repeats_are_not() {
        let mut ask = Ask::default();
        let numbers = [Some(9), Some(9), Some(10), None, Some(10), None, Some(3)];
        let numbers = numbers.map(|theirs| ask.fir_number(theirs));
        assert_eq!(numbers, [9, 9, 10, 11, 11, 12, 13]);
        assert_eq!(Ask::default().fir_number(None), 0);
    }
}
