//! The two directions of one peer: which index a packet has, whether it is new, and what is remembered of each SSRC.

use std::fmt;

use super::cipher::{Cipher, Direction, E_FLAG, rtcp_ssrc, rtp_ssrc};
use super::kdf::SessionKeys;
use super::memory::{Memory, TAG_LEN, Tag};
use super::replay::{Window, estimate};
use super::{Profile, RTCP_HEADER_LEN, RTP_HEADER_LEN};
use crate::error::{Error, SrtpError};

/// SSRCs that one peer may have in use at a time, each for RTP and for RTCP.
///
/// A peer that authenticates more of them pushes out those that were silent longest. Whoever floods loses the rollover counters of its
/// own idle streams, and memory stays bounded.
pub const MAX_INBOUND_SSRCS: usize = 64;

/// Everything from one peer: authenticates, refuses what came before, decrypts in place.
///
/// After an error the packet's octets may be changed and are of no use; the context is as it was.
pub struct Inbound {
    rtp: Cipher,
    rtcp: Cipher,
    rtp_seen: Sources,
    rtcp_seen: Sources,
}

impl Inbound {
    /// A context for the peer's master key and salt. Fails when their lengths are not the profile's.
    pub fn new(profile: Profile, key: &[u8], salt: &[u8]) -> Result<Self, Error> {
        let media = SessionKeys::rtp(profile, key, salt)?;
        let control = SessionKeys::rtcp(profile, key, salt)?;
        Self::from_session_keys(profile, &media, &control)
    }

    /// A context for session keys that were derived elsewhere, as published test vectors have them.
    pub fn from_session_keys(
        profile: Profile,
        media: &SessionKeys,
        control: &SessionKeys,
    ) -> Result<Self, Error> {
        Ok(Self {
            rtp: Cipher::new(profile, media, Direction::Unprotect)?,
            rtcp: Cipher::new(profile, control, Direction::Unprotect)?,
            rtp_seen: Sources::default(),
            rtcp_seen: Sources::default(),
        })
    }

    /// Unprotects an SRTP packet. `header_len` is the length of the RTP header with its CSRCs and extension.
    ///
    /// Returns the length of the plain packet, which starts where the protected one did.
    pub fn unprotect_rtp(
        &mut self,
        packet: &mut [u8],
        header_len: usize,
    ) -> Result<usize, SrtpError> {
        if packet.len() < RTP_HEADER_LEN {
            return Err(SrtpError::TooShort);
        }
        let ssrc = rtp_ssrc(packet);
        let known = self.rtp_seen.find(ssrc);
        let window = known.map(|at| self.rtp_seen.window(at)).unwrap_or_default();
        let index = estimate(window.highest(), rtp_seq(packet))?;
        window.check(index)?;
        let len = self.rtp.unprotect_rtp(packet, header_len, index)?;
        self.rtp_seen.accept(known, ssrc, index);
        Ok(len)
    }

    /// Unprotects an SRTP packet that was accepted before, or that is too old for that to be known: its sender repeats it, or the
    /// network does. It says whether what [`Self::unprotect_rtp`] refused as such is the peer's. Nothing is noted.
    pub fn unprotect_again(
        &mut self,
        packet: &mut [u8],
        header_len: usize,
    ) -> Result<usize, SrtpError> {
        if packet.len() < RTP_HEADER_LEN {
            return Err(SrtpError::TooShort);
        }
        let known = self.rtp_seen.find(rtp_ssrc(packet));
        let window = known.map(|at| self.rtp_seen.window(at)).unwrap_or_default();
        let index = estimate(window.highest(), rtp_seq(packet))?;
        match window.check(index) {
            Err(_) => self.rtp.unprotect_rtp(packet, header_len, index),
            Ok(()) => Err(SrtpError::TooOld),
        }
    }

    /// Unprotects an SRTCP packet. Returns the length of the plain compound packet.
    ///
    /// A packet that the peer authenticated and left in clear (E flag 0, RFC 3711 3.4) is accepted.
    pub fn unprotect_rtcp(&mut self, packet: &mut [u8]) -> Result<usize, SrtpError> {
        let word = self.rtcp.rtcp_index_word(packet)?;
        let index = u64::from(word & !E_FLAG);
        let ssrc = rtcp_ssrc(packet);
        let known = self.rtcp_seen.find(ssrc);
        known.map_or(Ok(()), |at| self.rtcp_seen.window(at).check(index))?;
        let len = self.rtcp.unprotect_rtcp(packet, word)?;
        self.rtcp_seen.accept(known, ssrc, index);
        Ok(len)
    }
}

impl fmt::Debug for Inbound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Inbound").finish_non_exhaustive()
    }
}

/// Replay state of one SSRC.
struct Source {
    ssrc: u32,
    window: Window,
    /// [`Sources::clock`] when it last was heard.
    heard: u64,
}

/// Replay state by SSRC, bounded.
#[derive(Default)]
struct Sources {
    list: Vec<Source>,
    /// Packets accepted so far.
    clock: u64,
}

impl Sources {
    fn find(&self, ssrc: u32) -> Option<usize> {
        self.list.iter().position(|source| source.ssrc == ssrc)
    }

    fn window(&self, at: usize) -> Window {
        self.list[at].window
    }

    /// Remembers an authentic packet of `ssrc`; `known` is what `find` said of it.
    fn accept(&mut self, known: Option<usize>, ssrc: u32, index: u64) {
        self.clock += 1;
        let at = known.unwrap_or_else(|| self.add(ssrc));
        let source = &mut self.list[at];
        source.window.accept(index);
        source.heard = self.clock;
    }

    fn add(&mut self, ssrc: u32) -> usize {
        let fresh = Source {
            ssrc,
            window: Window::default(),
            heard: 0,
        };
        if self.list.len() < MAX_INBOUND_SSRCS {
            self.list.push(fresh);
            return self.list.len() - 1;
        }
        let oldest = (0..self.list.len())
            .min_by_key(|&at| self.list[at].heard)
            .expect("the list is full, so it is not empty");
        self.list[oldest] = fresh;
        oldest
    }
}

/// Everything to one peer: protects in place.
pub struct Outbound {
    rtp: Cipher,
    rtcp: Cipher,
    sent: Vec<Sent>,
    /// SSRCs that were given up. They are few, and each costs 4 octets.
    retired: Vec<u32>,
    /// The next SRTCP index, one count for all SSRCs: what was given up can never come again.
    next_rtcp: u32,
}

/// Which indices of one outgoing SSRC are used.
struct Sent {
    ssrc: u32,
    window: Window,
    /// Where packets may be repeated, this knows instead of the window.
    memory: Option<Memory>,
}

impl Sent {
    fn new(ssrc: u32) -> Self {
        Self {
            ssrc,
            window: Window::default(),
            memory: None,
        }
    }

    fn check(&self, index: u64) -> Result<(), SrtpError> {
        match &self.memory {
            Some(memory) => memory.check(index, self.window.highest()),
            None => self.window.check(index),
        }
    }

    fn accept(&mut self, index: u64, tag: &[u8]) {
        match &mut self.memory {
            Some(memory) => {
                memory.accept(index, padded(tag));
                self.window.advance(index);
            }
            None => self.window.accept(index),
        }
    }
}

fn padded(tag: &[u8]) -> Tag {
    let mut padded = [0; TAG_LEN];
    padded[..tag.len()].copy_from_slice(tag);
    padded
}

impl Outbound {
    /// A context for our own master key and salt. Fails when their lengths are not the profile's.
    pub fn new(profile: Profile, key: &[u8], salt: &[u8]) -> Result<Self, Error> {
        let media = SessionKeys::rtp(profile, key, salt)?;
        let control = SessionKeys::rtcp(profile, key, salt)?;
        Self::from_session_keys(profile, &media, &control)
    }

    /// A context for session keys that were derived elsewhere, as published test vectors have them.
    pub fn from_session_keys(
        profile: Profile,
        media: &SessionKeys,
        control: &SessionKeys,
    ) -> Result<Self, Error> {
        Ok(Self {
            rtp: Cipher::new(profile, media, Direction::Protect)?,
            rtcp: Cipher::new(profile, control, Direction::Protect)?,
            sent: Vec::new(),
            retired: Vec::new(),
            next_rtcp: 0,
        })
    }

    /// Protects the RTP packet in `buffer[..len]`; returns its new length.
    ///
    /// The buffer needs [`Profile::rtp_overhead`] more octets. The rollover counter of an SSRC starts at 0 and is estimated from the
    /// highest number sent, so numbers may leave gaps or come late. One that comes again is refused ([`SrtpError::Replayed`]), and so
    /// is one of which that cannot be known any more ([`SrtpError::TooOld`]): two packets under one number give their key stream away,
    /// and under AEAD the authentication key with it (RFC 3711 9.1, RFC 7714 8.1).
    pub fn protect_rtp(
        &mut self,
        buffer: &mut [u8],
        header_len: usize,
        len: usize,
    ) -> Result<usize, SrtpError> {
        if len < RTP_HEADER_LEN {
            return Err(SrtpError::TooShort);
        }
        let header = buffer.get(..RTP_HEADER_LEN).ok_or(SrtpError::NoRoom)?;
        let (ssrc, seq) = (rtp_ssrc(header), rtp_seq(header));
        let known = self.sent.iter().position(|sent| sent.ssrc == ssrc);
        if known.is_none() && self.retired.contains(&ssrc) {
            return Err(SrtpError::Retired);
        }
        let highest = known.and_then(|at| self.sent[at].window.highest());
        let index = estimate(highest, seq)?;
        if let Some(at) = known {
            self.sent[at].check(index)?;
        }
        let protected = self.rtp.protect_rtp(buffer, header_len, len, index)?;
        let at = known.unwrap_or_else(|| {
            self.sent.push(Sent::new(ssrc));
            self.sent.len() - 1
        });
        self.sent[at].accept(index, &buffer[len..protected]);
        Ok(protected)
    }

    /// From now on the last [`super::REMEMBERED`] packets of this SSRC can be repeated. Of those before nothing is known, and none of
    /// their numbers goes out any more.
    pub fn remember(&mut self, ssrc: u32) {
        if self.retired.contains(&ssrc) {
            return;
        }
        let known = self.sent.iter().position(|sent| sent.ssrc == ssrc);
        let at = known.unwrap_or_else(|| {
            self.sent.push(Sent::new(ssrc));
            self.sent.len() - 1
        });
        let sent = &mut self.sent[at];
        if sent.memory.is_none() {
            sent.memory = Some(Memory::new(sent.window.highest()));
        }
    }

    /// Protects a packet a second time, as [`Self::protect_rtp`] did. Refused ([`SrtpError::Replayed`]) unless it is octet for octet
    /// the packet that went out under its number, which is remembered ([`Self::remember`]): then no key stream meets another text.
    pub fn repeat_rtp(
        &mut self,
        buffer: &mut [u8],
        header_len: usize,
        len: usize,
    ) -> Result<usize, SrtpError> {
        if len < RTP_HEADER_LEN {
            return Err(SrtpError::TooShort);
        }
        let header = buffer.get(..RTP_HEADER_LEN).ok_or(SrtpError::NoRoom)?;
        let (ssrc, seq) = (rtp_ssrc(header), rtp_seq(header));
        let sent = self.sent.iter().find(|sent| sent.ssrc == ssrc);
        let sent = sent.ok_or(SrtpError::TooOld)?;
        let highest = sent.window.highest();
        let index = estimate(highest, seq)?;
        let memory = sent.memory.as_ref().ok_or(SrtpError::TooOld)?;
        let is_known = memory.check(index, highest) == Err(SrtpError::Replayed);
        let tag = memory.tag(index).filter(|_| is_known);
        let tag = tag.ok_or(SrtpError::TooOld)?;
        let protected = self.rtp.protect_rtp(buffer, header_len, len, index)?;
        if padded(&buffer[len..protected]) != tag {
            // What was just made must never leave.
            buffer[..protected].fill(0);
            return Err(SrtpError::Replayed);
        }
        Ok(protected)
    }

    /// Protects the compound RTCP packet in `buffer[..len]`; returns its new length.
    ///
    /// The buffer needs [`Profile::rtcp_overhead`] more octets.
    pub fn protect_rtcp(&mut self, buffer: &mut [u8], len: usize) -> Result<usize, SrtpError> {
        if len < RTCP_HEADER_LEN {
            return Err(SrtpError::TooShort);
        }
        let index = self.next_rtcp;
        if index & E_FLAG != 0 {
            return Err(SrtpError::Exhausted);
        }
        let protected = self.rtcp.protect_rtcp(buffer, len, index)?;
        self.next_rtcp += 1;
        Ok(protected)
    }

    /// Gives an outgoing SSRC up for good: its memory is freed, and RTP under it is refused with [`SrtpError::Retired`].
    ///
    /// A new stream that took up the SSRC would start at rollover counter 0 and use indices a second time (RFC 3711 9.1). Take a new
    /// SSRC for it.
    pub fn forget_ssrc(&mut self, ssrc: u32) {
        if let Some(at) = self.sent.iter().position(|sent| sent.ssrc == ssrc) {
            self.sent.swap_remove(at);
            self.retired.push(ssrc);
        }
    }
}

impl fmt::Debug for Outbound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Outbound").finish_non_exhaustive()
    }
}

fn rtp_seq(header: &[u8]) -> u16 {
    u16::from_be_bytes([header[2], header[3]])
}
