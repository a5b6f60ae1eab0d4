//! One peer: checks that nominate, a handshake, media both ways, an end.
//!
//! It answers checks, so that the other side may be a full ICE agent, and begins none that it need not. It reports nothing.

use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4};

use openssl::ssl::SslContext;
use pagecalls_media::demux::{Protocol, classify};
use pagecalls_media::rtcp::{Writer, bye_ssrcs, packet_type, packets};
use pagecalls_media::rtp::Header;
use pagecalls_media::srtp::{Inbound, Outbound, Profile, SrtpError};
use pagecalls_media::stun::{Builder, Class, Key, Message};

use crate::Outcome;
use crate::agenda::{Agenda, Entry, Task};
use crate::dtls::{Role, Secured, Session};
use crate::net::{Arrival, Sender};
use crate::source::{Heard, Sources};
use crate::stream::{Stamp, Stream};

/// Between the first two checks; each further wait is twice as long, up to [`CHECK_LONGEST_NS`].
const CHECK_FIRST_NS: u64 = 50_000_000;
const CHECK_LONGEST_NS: u64 = 800_000_000;
/// Between two checks for consent: 5 s at most (RFC 7675 5.1), spread so that peers do not check all at once.
const CONSENT_LEAST_NS: u64 = 2_500_000_000;
const CONSENT_SPREAD_NS: u64 = 2_500_000_000;
/// Type preference of a host candidate, and all preferences below it (RFC 8445 5.1.2).
const PRIORITY: u32 = (126 << 24) | (65_535 << 8) | 255;

/// Where the other side is and how it is known.
pub struct Remote {
    /// Its candidates. Checks go to all of them; the first that answers is taken.
    pub to: Vec<SocketAddrV4>,
    /// Its user fragment.
    pub ufrag: String,
    /// Its password.
    pub pwd: String,
    /// The SHA-256 hash of its certificate, upper-case hex with colons; `None` takes any.
    pub fingerprint: Option<String>,
    /// The peer's own role in the handshake. A server waits for a check or for the handshake to begin.
    pub role: Role,
    /// How long checks and handshake may take.
    pub within_ns: u64,
}

/// What others are told of a peer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Notice {
    /// Media can go both ways, under this profile.
    Up(Profile),
    /// It cannot, or no longer.
    Failed(String),
    /// A source has ended.
    Bye(u32),
    /// The other side has closed.
    Closed,
}

/// What a peer needs to act.
pub struct Reach<'a> {
    /// The way out.
    pub sender: &'a mut Sender,
    /// For what is to be done later.
    pub agenda: &'a mut Agenda,
    /// The time.
    pub now_ns: u64,
    /// Of this process, in every stamp.
    pub token: u64,
}

/// Datagrams that came to nothing, and checks.
#[derive(Clone, Copy, Debug, Default)]
pub struct Counts {
    /// Checks that the other side answered.
    pub answered: u64,
    /// Packets that came a second time.
    pub replayed: u64,
    /// Packets that did not open.
    pub unreadable: u64,
    /// Compound RTCP packets.
    pub rtcp: u64,
}

enum State {
    New,
    Checking { attempt: u32, error: Option<u16> },
    Waiting,
    Handshaking(Box<Session>),
    Up(Box<Up>),
    Closed,
    Dropped,
    Failed,
}

struct Up {
    inbound: Inbound,
    outbound: Outbound,
    /// Packets that carried a transport-wide number.
    numbered: u16,
    /// Kept where the end of the session is of interest.
    session: Option<Box<Session>>,
}

/// A peer's own credentials.
pub struct Credentials {
    /// Its user fragment.
    pub ufrag: String,
    /// Its password.
    pub pwd: String,
}

/// One peer.
pub struct Peer {
    /// Its number.
    index: u32,
    /// Its address.
    pub address: Ipv4Addr,
    own: Credentials,
    own_key: Key,
    context: SslContext,
    keeps_session: bool,
    remote: Remote,
    username: String,
    key: Key,
    /// Where the other side answers from.
    to: SocketAddrV4,
    state: State,
    epoch: u32,
    has_timer: bool,
    checks: u32,
    began_ns: u64,
    /// When it came up.
    pub up_ns: Option<u64>,
    /// What it sends.
    pub streams: Vec<Stream>,
    /// What it receives.
    pub sources: Sources,
    /// What else came.
    pub counts: Counts,
    scratch: Vec<u8>,
}

impl Peer {
    /// A peer that does nothing yet.
    #[must_use]
    pub fn new(
        index: u32,
        address: Ipv4Addr,
        own: Credentials,
        context: SslContext,
        keeps_session: bool,
    ) -> Self {
        let own_key = Key::new(&own.pwd);
        let nobody = Remote {
            to: Vec::new(),
            ufrag: String::new(),
            pwd: String::new(),
            fingerprint: None,
            role: Role::Client,
            within_ns: 0,
        };
        Self {
            index,
            address,
            key: own_key.clone(),
            own_key,
            own,
            context,
            keeps_session,
            remote: nobody,
            username: String::new(),
            to: SocketAddrV4::new([0, 0, 0, 0].into(), 0),
            state: State::New,
            epoch: 0,
            has_timer: false,
            checks: 0,
            began_ns: 0,
            up_ns: None,
            streams: Vec::new(),
            sources: Sources::default(),
            counts: Counts::default(),
            scratch: Vec::with_capacity(256),
        }
    }

    /// Its credentials.
    #[must_use]
    pub fn own(&self) -> &Credentials {
        &self.own
    }

    /// Where its media goes.
    #[must_use]
    pub fn to(&self) -> Option<SocketAddrV4> {
        (self.to.port() > 0).then_some(self.to)
    }

    /// One word for where it stands.
    #[must_use]
    pub fn state(&self) -> &'static str {
        match self.state {
            State::New => "new",
            State::Checking { .. } | State::Waiting => "checking",
            State::Handshaking(_) => "handshaking",
            State::Up(_) => "up",
            State::Closed => "closed",
            State::Dropped => "dropped",
            State::Failed => "failed",
        }
    }

    /// Whether it is on its way up and waits for datagrams.
    #[must_use]
    pub fn is_connecting(&self) -> bool {
        matches!(
            self.state,
            State::Checking { .. } | State::Waiting | State::Handshaking(_)
        )
    }

    /// Goes to the other side. Only a new peer can.
    pub fn connect(&mut self, remote: Remote, reach: &mut Reach) -> Outcome<()> {
        if !matches!(self.state, State::New) {
            return Err(format!("the peer is {}", self.state()).into());
        }
        self.username = format!("{}:{}", remote.ufrag, self.own.ufrag);
        self.key = Key::new(&remote.pwd);
        self.began_ns = reach.now_ns;
        self.state = match remote.role {
            Role::Client if remote.to.is_empty() => {
                return Err("nowhere to connect to".into());
            }
            Role::Client => State::Checking {
                attempt: 0,
                error: None,
            },
            Role::Server => State::Waiting,
        };
        self.remote = remote;
        self.later(Task::Check, 0, reach);
        Ok(())
    }

    /// Sends a check now, besides those that are due: to tell the other side of a new address.
    pub fn check(&mut self, reach: &mut Reach) {
        self.checks += 1;
        let mut transaction = [0; 12];
        transaction[..8].copy_from_slice(&reach.token.to_be_bytes());
        transaction[4..8].copy_from_slice(&self.index.to_be_bytes());
        transaction[8..].copy_from_slice(&self.checks.to_be_bytes());
        Builder::new(&mut self.scratch, Class::Request, transaction)
            .username(&self.username)
            .priority(PRIORITY)
            .controlling(reach.token)
            .use_candidate()
            .finish(Some(&self.key));
        let to = match self.state {
            State::Checking { .. } => &self.remote.to[..],
            _ => std::slice::from_ref(&self.to),
        };
        for to in to {
            reach.sender.queue_bytes(self.address, *to, &self.scratch);
        }
    }

    /// Does what is due.
    pub fn act(&mut self, entry: &Entry, reach: &mut Reach) -> Outcome<()> {
        match entry.task {
            Task::Check if entry.epoch == self.epoch => self.due_check(reach),
            Task::Handshake if entry.epoch == self.epoch => self.due_handshake(reach),
            _ => Ok(()),
        }
    }

    fn due_check(&mut self, reach: &mut Reach) -> Outcome<()> {
        let is_late = reach.now_ns >= self.began_ns + self.remote.within_ns;
        let wait = match &mut self.state {
            State::Checking { error, .. } if is_late => {
                return Err(match error {
                    Some(code) => format!("the checks are answered with error {code}").into(),
                    None => "no answer to the checks".into(),
                });
            }
            State::Waiting | State::Handshaking(_) if is_late => {
                return Err("no handshake in time".into());
            }
            State::Checking { attempt, .. } => {
                let wait = (CHECK_FIRST_NS << (*attempt).min(8)).min(CHECK_LONGEST_NS);
                *attempt += 1;
                self.check(reach);
                wait
            }
            State::Waiting | State::Handshaking(_) => CHECK_LONGEST_NS,
            State::Up(_) => {
                self.check(reach);
                let spread = u64::from(self.index.wrapping_add(self.checks)) * 2_654_435_761;
                CONSENT_LEAST_NS + spread % CONSENT_SPREAD_NS
            }
            _ => return Ok(()),
        };
        self.later(Task::Check, wait, reach);
        Ok(())
    }

    fn due_handshake(&mut self, reach: &mut Reach) -> Outcome<()> {
        self.has_timer = false;
        if let State::Handshaking(session) = &mut self.state {
            if session.timeout().is_some_and(|left| left.is_zero()) {
                session.on_timeout()?;
            }
            self.flush(reach);
        }
        Ok(())
    }

    /// Takes a datagram, which is decrypted in place, and answers it. An error is the end of this peer.
    pub fn take(
        &mut self,
        datagram: &mut [u8],
        arrival: Arrival,
        reach: &mut Reach,
    ) -> Outcome<Taken> {
        match classify(datagram) {
            Some(Protocol::Stun) => self
                .take_stun(datagram, arrival, reach)
                .map(|()| Taken::Other),
            Some(Protocol::Dtls) => self.take_dtls(datagram, arrival.from, reach),
            Some(Protocol::Rtp) => Ok(self.take_rtp(datagram, arrival.at_ns, reach.token)),
            Some(Protocol::Rtcp) => Ok(self.take_rtcp(datagram, arrival.at_ns)),
            None => Ok(Taken::Other),
        }
    }

    fn take_stun(&mut self, datagram: &[u8], arrival: Arrival, reach: &mut Reach) -> Outcome<()> {
        let Ok(message) = Message::parse(datagram) else {
            return Ok(());
        };
        match message.class {
            Class::Request if message.verify(&self.own_key) => {
                self.answer(&message, arrival, reach);
                if matches!(self.state, State::Waiting) {
                    self.begin(arrival.from, reach)?;
                }
            }
            Class::Success if message.verify(&self.key) => {
                self.counts.answered += 1;
                if matches!(self.state, State::Checking { .. }) {
                    self.begin(arrival.from, reach)?;
                }
            }
            Class::Error => {
                if let State::Checking { error, .. } = &mut self.state {
                    *error = message.error;
                }
            }
            _ => {}
        }
        Ok(())
    }

    fn answer(&mut self, request: &Message, arrival: Arrival, reach: &mut Reach) {
        if matches!(self.state, State::Dropped | State::Failed | State::Closed) {
            return;
        }
        Builder::new(&mut self.scratch, Class::Success, request.transaction)
            .xor_mapped(SocketAddr::V4(arrival.from))
            .finish(Some(&self.own_key));
        reach
            .sender
            .queue_bytes(self.address, arrival.from, &self.scratch);
    }

    /// The other side is found at this address: the handshake.
    fn begin(&mut self, to: SocketAddrV4, reach: &mut Reach) -> Outcome<()> {
        self.to = to;
        let mut session = Box::new(Session::new(&self.context, self.remote.role)?);
        if self.remote.role == Role::Client {
            session.step(None)?;
        }
        self.state = State::Handshaking(session);
        self.flush(reach);
        Ok(())
    }

    fn take_dtls(
        &mut self,
        datagram: &[u8],
        from: SocketAddrV4,
        reach: &mut Reach,
    ) -> Outcome<Taken> {
        if matches!(self.state, State::Waiting) {
            // A check was answered before this peer was told to connect, and the client will send no other.
            self.begin(from, reach)?;
        }
        match &mut self.state {
            State::Handshaking(session) => {
                let secured = session.step(Some(datagram))?;
                self.flush(reach);
                match secured {
                    Some(secured) => self.come_up(secured, reach),
                    None => Ok(Taken::Other),
                }
            }
            State::Up(up) => {
                let Some(session) = &mut up.session else {
                    return Ok(Taken::Other);
                };
                if session.read(datagram)? {
                    self.end(State::Closed);
                    return Ok(Taken::Notice(Notice::Closed));
                }
                self.flush(reach);
                Ok(Taken::Other)
            }
            _ => Ok(Taken::Other),
        }
    }

    fn come_up(&mut self, secured: Secured, reach: &mut Reach) -> Outcome<Taken> {
        let State::Handshaking(session) = std::mem::replace(&mut self.state, State::New) else {
            return Err("a handshake ended that never began".into());
        };
        if let Some(expected) = &self.remote.fingerprint
            && session.remote_fingerprint()? != *expected
        {
            return Err("the other side shows another certificate".into());
        }
        let profile = secured.profile;
        self.state = State::Up(Box::new(Up {
            inbound: secured.inbound,
            outbound: secured.outbound,
            numbered: 0,
            session: self.keeps_session.then_some(session),
        }));
        self.up_ns = Some(reach.now_ns);
        // The pending task of the checks goes on as the one for consent.
        Ok(Taken::Notice(Notice::Up(profile)))
    }

    fn take_rtp(&mut self, datagram: &mut [u8], arrived_ns: u64, token: u64) -> Taken {
        let State::Up(up) = &mut self.state else {
            return Taken::Other;
        };
        let Some(header) = Header::parse(datagram) else {
            self.counts.unreadable += 1;
            return Taken::Other;
        };
        match up.inbound.unprotect_rtp(datagram, header.len) {
            Err(SrtpError::Replayed | SrtpError::TooOld) => self.counts.replayed += 1,
            Err(_) => self.counts.unreadable += 1,
            Ok(len) => {
                let stamp =
                    Stamp::read(&datagram[header.len..len]).filter(|one| one.token == token);
                let heard = Heard {
                    ssrc: header.ssrc,
                    pt: header.pt,
                    seq: header.seq,
                    arrived_ns,
                    sent: stamp.map(|one| (one.sent_ns, one.peer)),
                };
                self.sources.take(&heard);
                return Taken::Heard(heard);
            }
        }
        Taken::Other
    }

    fn take_rtcp(&mut self, datagram: &mut [u8], arrived_ns: u64) -> Taken {
        let State::Up(up) = &mut self.state else {
            return Taken::Other;
        };
        let Ok(len) = up.inbound.unprotect_rtcp(datagram) else {
            self.counts.unreadable += 1;
            return Taken::Other;
        };
        self.counts.rtcp += 1;
        let mut ended = None;
        for packet in packets(&datagram[..len]).filter(|one| one.kind == packet_type::BYE) {
            for ssrc in bye_ssrcs(&packet) {
                self.sources.bye(ssrc, arrived_ns);
                ended = Some(ssrc);
            }
        }
        ended.map_or(Taken::Other, |ssrc| Taken::Notice(Notice::Bye(ssrc)))
    }

    /// Sends the packets of a stream that are due together; returns when the first left and how many there were.
    pub fn send(&mut self, number: u16, reach: &mut Reach) -> (u64, u16) {
        let (State::Up(up), Some(stream)) =
            (&mut self.state, self.streams.get_mut(usize::from(number)))
        else {
            return (reach.now_ns, 0);
        };
        let stamp = Stream::stamp(reach.token, self.index);
        stream.next_frame();
        let is_numbered = stream.shape.twcc_id > 0;
        for of_burst in 0..stream.shape.burst {
            let numbers = (of_burst, up.numbered);
            reach.sender.queue(self.address, self.to, |slot| {
                stream.write(slot, numbers, stamp, &mut up.outbound)
            });
            up.numbered = up.numbered.wrapping_add(u16::from(is_numbered));
        }
        (stamp.sent_ns, stream.shape.burst)
    }

    /// Says goodbye: BYE for what it sent, and `close_notify`.
    pub fn close(&mut self, reach: &mut Reach) {
        if let State::Up(up) = &mut self.state {
            for stream in self.streams.iter().filter(|one| one.has_begun()) {
                reach.sender.queue(self.address, self.to, |slot| {
                    let mut writer = Writer::new(slot);
                    writer.receiver_report(stream.shape.ssrc, std::iter::empty());
                    writer.bye(stream.shape.ssrc);
                    let len = writer.len();
                    up.outbound.protect_rtcp(slot, len).unwrap_or_default()
                });
            }
            if let Some(session) = &mut up.session {
                session.close();
            }
        }
        self.flush(reach);
        self.end(State::Closed);
    }

    /// Falls silent, as a peer whose machine is gone.
    pub fn vanish(&mut self) {
        self.end(State::Dropped);
    }

    /// Is over after an error.
    pub fn fail(&mut self) {
        self.end(State::Failed);
    }

    fn end(&mut self, state: State) {
        self.state = state;
        self.epoch += 1;
        self.streams.iter_mut().for_each(|one| one.on = false);
    }

    /// Sends what the session has left, and comes back when it may have to be sent again.
    fn flush(&mut self, reach: &mut Reach) {
        let session = match &mut self.state {
            State::Handshaking(session) => session,
            State::Up(up) => match &mut up.session {
                Some(session) => session,
                None => return,
            },
            _ => return,
        };
        while let Some(datagram) = session.outgoing() {
            reach.sender.queue_bytes(self.address, self.to, &datagram);
        }
        let left = session.timeout().filter(|_| !self.has_timer);
        if let (State::Handshaking(_), Some(left)) = (&self.state, left) {
            self.has_timer = true;
            self.later(Task::Handshake, left.as_nanos() as u64, reach);
        }
    }

    fn later(&self, task: Task, wait_ns: u64, reach: &mut Reach) {
        reach.agenda.add(Entry {
            due_ns: reach.now_ns + wait_ns,
            peer: self.index,
            task,
            epoch: self.epoch,
        });
    }
}

/// What came of a datagram.
pub enum Taken {
    /// Nothing that counts.
    Other,
    /// Something that others are told.
    Notice(Notice),
    /// A packet of media.
    Heard(Heard),
}
