//! All peers with their network: what is due is done, what arrives is handed out. A peer that fails takes nobody with it.

use std::collections::HashMap;
use std::io;
use std::net::{Ipv4Addr, SocketAddrV4};
use std::time::Duration;

use openssl::rand::rand_bytes;
use openssl::ssl::SslContext;
use pagecalls_media::srtp::Profile;

use crate::Outcome;
use crate::agenda::{Agenda, Entry, Task};
use crate::dtls::Identity;
use crate::measure::{Tally, now_ns};
use crate::net::{self, Receiver, Sender, address, place};
use crate::peer::{Credentials, Notice, Peer, Reach, Remote, Taken};
use crate::stream::{Shape, Stream};

/// A stream that is behind by more goes on from now.
const BEHIND_NS: u64 = 1_000_000_000;
/// Letters of a random name, all of which ICE allows.
const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
/// No peer has this place.
const NOBODY: u32 = u32::MAX;

/// Packets that leave between two times: how long they take, and how late they leave.
#[derive(Default)]
pub struct Window {
    /// From when.
    pub opens_ns: u64,
    /// Until when.
    pub closes_ns: u64,
    /// Of each packet that arrived.
    pub latency: Tally,
    /// Of each burst that left.
    pub lag: Tally,
    /// Packets that left.
    pub sent: u64,
}

impl Window {
    fn has(&self, ns: u64) -> bool {
        (self.opens_ns..self.closes_ns).contains(&ns)
    }
}

/// The peers.
pub struct Crowd {
    /// In the order of their making.
    pub peers: Vec<Peer>,
    /// What is measured of all peers together.
    pub window: Window,
    /// What has become of peers, by number; for whoever steers to take.
    pub notices: Vec<(u32, Notice)>,
    /// The certificate of all peers.
    pub identity: Identity,
    contexts: Vec<(Vec<Profile>, SslContext)>,
    shared: Option<Ipv4Addr>,
    /// Which peer has which place.
    places: Vec<u32>,
    /// Which peer has its other side where, of those that share an address.
    by_server: HashMap<SocketAddrV4, u32>,
    agenda: Agenda,
    sender: Sender,
    receiver: Receiver,
    token: u64,
}

impl Crowd {
    /// Nobody yet, with an open socket. Each peer gets a loopback address of its own, or all share this address of the machine: then
    /// each needs another place to connect to.
    pub fn open(shared: Option<Ipv4Addr>) -> Outcome<Self> {
        let (sender, receiver) = net::open(shared)?;
        let mut token = [0; 8];
        rand_bytes(&mut token)?;
        Ok(Self {
            peers: Vec::new(),
            window: Window::default(),
            notices: Vec::new(),
            identity: Identity::generate()?,
            contexts: Vec::new(),
            shared,
            places: Vec::new(),
            by_server: HashMap::new(),
            agenda: Agenda::default(),
            sender,
            receiver,
            token: u64::from_be_bytes(token),
        })
    }

    /// The port of all peers.
    pub fn port(&self) -> io::Result<u16> {
        self.sender.port()
    }

    /// From now on everything happens at whole multiples of this; 0 for every moment.
    pub fn set_tick(&mut self, tick_ns: u64) {
        self.agenda.set_tick(tick_ns);
    }

    /// Datagrams that the kernel refused to send.
    #[must_use]
    pub fn refused(&self) -> u64 {
        self.sender.refused()
    }

    /// A new peer that offers these profiles; returns its number.
    pub fn add(
        &mut self,
        own: Credentials,
        profiles: &[Profile],
        keeps_session: bool,
    ) -> Outcome<u32> {
        let known = self.contexts.iter().find(|(of, _)| of == profiles);
        let context = if let Some((_, context)) = known {
            context.clone()
        } else {
            let context = self.identity.context(profiles)?;
            self.contexts.push((profiles.to_vec(), context.clone()));
            context
        };
        let index = self.peers.len() as u32;
        let own_address = self.shared.unwrap_or_else(|| address(self.places.len()));
        self.places.push(index);
        self.peers
            .push(Peer::new(index, own_address, own, context, keeps_session));
        Ok(index)
    }

    /// Peer and what it needs to act; the number is one that [`Crowd::add`] gave.
    fn with(&mut self, index: u32) -> (&mut Peer, Reach<'_>) {
        let reach = Reach {
            sender: &mut self.sender,
            agenda: &mut self.agenda,
            now_ns: now_ns(),
            token: self.token,
        };
        (&mut self.peers[index as usize], reach)
    }

    /// Sends a peer to its other side.
    pub fn connect(&mut self, index: u32, remote: Remote) -> Outcome<()> {
        if self.shared.is_some() {
            let servers = remote.to.iter().map(|to| (*to, index));
            self.by_server.extend(servers);
        }
        let (peer, mut reach) = self.with(index);
        peer.connect(remote, &mut reach)
    }

    /// Gives a peer another address, as a NAT does that forgot the old one; what still comes to that is lost.
    pub fn relocate(&mut self, index: u32) {
        let next = address(self.places.len());
        let old = std::mem::replace(&mut self.peers[index as usize].address, next);
        if let Some(owner) = self.places.get_mut(place(old)) {
            *owner = NOBODY;
        }
        self.places.push(index);
        let (peer, mut reach) = self.with(index);
        if peer.state() == "up" {
            peer.check(&mut reach);
        }
    }

    /// Ends a peer, with a goodbye or without.
    pub fn end(&mut self, index: u32, is_polite: bool) {
        let (peer, mut reach) = self.with(index);
        if is_polite {
            peer.close(&mut reach);
        } else {
            peer.vanish();
        }
    }

    /// Sends these bytes from a peer's own address to where its media goes, whatever they are.
    pub fn inject(&mut self, index: u32, datagrams: &[Vec<u8>]) -> Outcome<()> {
        let peer = &self.peers[index as usize];
        let (from, to) = (peer.address, peer.to().ok_or("the peer has no other side")?);
        for bytes in datagrams {
            self.sender.send_raw(from, to, bytes)?;
        }
        Ok(())
    }

    /// Keeps the next `room` datagrams that a peer sends; returns those that were kept before.
    pub fn tap(&mut self, index: u32, room: usize) -> Vec<Vec<u8>> {
        self.sender.tap(self.peers[index as usize].address, room)
    }

    /// Gives a peer a stream, or the one of that SSRC another shape; returns its number.
    pub fn shape(&mut self, index: u32, shape: Shape) -> Outcome<u16> {
        shape.check()?;
        let streams = &mut self.peers[index as usize].streams;
        if let Some(at) = streams.iter().position(|one| one.shape.ssrc == shape.ssrc) {
            streams[at].shape = shape;
            return Ok(at as u16);
        }
        let mut seed = [0; 4];
        rand_bytes(&mut seed)?;
        streams.push(Stream::new(shape, u32::from_be_bytes(seed)));
        Ok(u16::try_from(streams.len() - 1)?)
    }

    /// Starts a stream, whose first packet is due at that time, or stops it.
    pub fn switch(&mut self, index: u32, number: u16, first_ns: Option<u64>) {
        let stream = &mut self.peers[index as usize].streams[usize::from(number)];
        stream.epoch += 1;
        stream.on = first_ns.is_some();
        if let Some(due_ns) = first_ns {
            self.agenda.add(Entry {
                due_ns,
                peer: index,
                task: Task::Stream(number),
                epoch: stream.epoch,
            });
        }
    }

    /// Does all that is due.
    pub fn advance(&mut self) {
        let now = now_ns();
        while let Some(entry) = self.agenda.due(now) {
            match entry.task {
                Task::Stream(number) => self.play(&entry, number, now),
                Task::Check | Task::Handshake => {
                    let (peer, mut reach) = self.with(entry.peer);
                    if let Err(error) = peer.act(&entry, &mut reach) {
                        peer.fail();
                        self.notices
                            .push((entry.peer, Notice::Failed(error.to_string())));
                    }
                }
            }
        }
        self.sender.flush();
    }

    fn play(&mut self, entry: &Entry, number: u16, now: u64) {
        let stream = self.peers[entry.peer as usize]
            .streams
            .get(usize::from(number));
        let Some(stream) = stream.filter(|one| one.on && one.epoch == entry.epoch) else {
            return;
        };
        let interval = stream.shape.interval_ns();
        let sent_ns = self.send(entry.peer, number);
        if self.window.has(sent_ns) {
            let due = self.agenda.rounded(entry.due_ns);
            self.window.lag.add(sent_ns.saturating_sub(due));
        }
        let is_behind = now.saturating_sub(entry.due_ns) > BEHIND_NS;
        let base = if is_behind { now } else { entry.due_ns };
        self.agenda.add(Entry {
            due_ns: base + interval,
            ..*entry
        });
    }

    /// Sends the next packets of a stream at once, whatever is due; returns when. They leave with the next [`Crowd::advance`].
    pub fn send(&mut self, index: u32, number: u16) -> u64 {
        let (peer, mut reach) = self.with(index);
        let (sent_ns, count) = peer.send(number, &mut reach);
        if self.window.has(sent_ns) {
            self.window.sent += u64::from(count);
        }
        sent_ns
    }

    /// Hands all that has arrived to its peers.
    pub fn receive(&mut self) -> Outcome<()> {
        let Self {
            sender,
            receiver,
            peers,
            places,
            by_server,
            agenda,
            notices,
            window,
            token,
            ..
        } = self;
        let mut reach = Reach {
            sender,
            agenda,
            now_ns: now_ns(),
            token: *token,
        };
        while receiver.receive(|arrival, datagram| {
            let by_place = places.get(arrival.place).copied();
            let index = by_place
                .or_else(|| by_server.get(&arrival.from).copied())
                .unwrap_or(NOBODY);
            let Some(peer) = peers.get_mut(index as usize) else {
                return;
            };
            match peer.take(datagram, arrival, &mut reach) {
                Ok(Taken::Other) => {}
                Ok(Taken::Notice(notice)) => notices.push((index, notice)),
                Ok(Taken::Heard(heard)) => {
                    if let Some((sent_ns, _)) = heard.sent
                        && window.has(sent_ns)
                    {
                        window.latency.add(heard.arrived_ns.saturating_sub(sent_ns));
                    }
                }
                Err(error) => {
                    peer.fail();
                    notices.push((index, Notice::Failed(error.to_string())));
                }
            }
        })? {}
        self.sender.flush();
        Ok(())
    }

    /// Until something is due, but at most this long.
    #[must_use]
    pub fn idle(&self, longest: Duration) -> Duration {
        let until = self
            .agenda
            .next_ns()
            .map(|due| due.saturating_sub(now_ns()));
        until.map_or(longest, |ns| Duration::from_nanos(ns).min(longest))
    }

    /// Waits until something arrives, or there is something to read from `also`, or the time is over.
    pub fn wait(&self, also: Option<i32>, timeout: Duration) -> io::Result<()> {
        self.receiver.wait(also, timeout)
    }
}

/// Random credentials, as long as browsers make them.
pub fn credentials() -> Outcome<Credentials> {
    let text = |len: usize| -> Outcome<String> {
        let mut bytes = vec![0; len];
        rand_bytes(&mut bytes)?;
        let letter = |byte: u8| char::from(LETTERS[usize::from(byte & 63)]);
        Ok(bytes.into_iter().map(letter).collect())
    };
    Ok(Credentials {
        ufrag: text(8)?,
        pwd: text(24)?,
    })
}
