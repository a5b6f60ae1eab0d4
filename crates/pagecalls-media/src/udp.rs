//! One worker's UDP port: a socket for each address, all with the same number, and datagrams in batches.
//!
//! Each address has a socket of its own, so that an answer leaves from the address that was asked, whatever the routing table would
//! choose. Receiving never blocks; sending never does either: what the kernel does not take at once is dropped and counted, as a
//! router would do. The slabs are made once.

use std::io;
use std::mem::{size_of, zeroed};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4, SocketAddrV6, UdpSocket};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, RawFd};

use crate::outbox::Outbox;
use crate::path::Via;
use crate::sys::checked;

/// The longest datagram that is received; longer ones are dropped.
pub const DATAGRAM_BYTES: usize = 2_048;

/// Datagrams per system call.
const BATCH: usize = 64;

/// Addresses that one port may have.
pub const MAX_HOSTS: usize = 32;

/// Kernel buffers, as far as the system's limits allow: a burst of all calls must fit.
const BUFFER_BYTES: libc::c_int = 4 * 1024 * 1024;

/// How often several sockets try to get the same free port number.
pub const PORT_TRIES: usize = 16;

/// The sockets of one port.
pub struct Port {
    sockets: Vec<UdpSocket>,
    number: u16,
}

impl Port {
    /// Binds the port number (0: one that is free on all of them) on these addresses, at most [`MAX_HOSTS`].
    pub fn bind(hosts: &[IpAddr], number: u16) -> io::Result<Self> {
        let sockets = on_all(hosts, number, |address| {
            let socket = open(address)?;
            let number = socket.local_addr()?.port();
            Ok((socket, number))
        })?;
        let (sockets, numbers): (Vec<_>, Vec<_>) = sockets.into_iter().unzip();
        Ok(Self {
            sockets,
            number: numbers[0],
        })
    }

    /// The smaller of what the kernel gave for receiving and for sending, if that is less than we asked for.
    pub fn missing_buffer(&self) -> io::Result<Option<usize>> {
        let mut least = BUFFER_BYTES;
        for socket in &self.sockets {
            for option in [libc::SO_RCVBUF, libc::SO_SNDBUF] {
                // The kernel doubles what it is asked for, to have room for its own books (socket(7)).
                least = least.min(get_option(socket, libc::SOL_SOCKET, option)? / 2);
            }
        }
        Ok((least < BUFFER_BYTES).then_some(least.unsigned_abs() as usize))
    }

    /// Datagrams that found a receive buffer full. The kernel counts them anyway, so nothing is asked of it for a packet.
    pub fn overflowed(&self) -> io::Result<u64> {
        let dropped = self.sockets.iter().map(dropped);
        dropped.sum()
    }

    /// The port number.
    #[must_use]
    pub fn number(&self) -> u16 {
        self.number
    }

    /// The sockets' descriptors with their places, for polling.
    pub fn fds(&self) -> impl Iterator<Item = (u8, BorrowedFd<'_>)> {
        (0..).zip(self.sockets.iter().map(AsFd::as_fd))
    }
}

/// Opens something on each address with one port number; with number 0 the first one finds a free one for all.
pub(crate) fn on_all<T>(
    hosts: &[IpAddr],
    number: u16,
    open: impl Fn(SocketAddr) -> io::Result<(T, u16)>,
) -> io::Result<Vec<(T, u16)>> {
    if hosts.is_empty() || hosts.len() > MAX_HOSTS {
        return Err(io::Error::new(
            io::ErrorKind::InvalidInput,
            format!("between one and {MAX_HOSTS} addresses"),
        ));
    }
    let mut tries = if number == 0 { PORT_TRIES } else { 1 };
    loop {
        tries -= 1;
        let (mut opened, mut chosen) = (Vec::new(), number);
        let result = hosts.iter().try_for_each(|host| {
            let (one, number) = open(SocketAddr::new(*host, chosen))?;
            chosen = number;
            opened.push((one, number));
            Ok::<_, io::Error>(())
        });
        match result {
            Ok(()) => return Ok(opened),
            Err(error) if error.kind() == io::ErrorKind::AddrInUse && tries > 0 => {}
            Err(error) => return Err(error),
        }
    }
}

fn open(address: SocketAddr) -> io::Result<UdpSocket> {
    let is_v4 = address.is_ipv4();
    let family = if is_v4 { libc::AF_INET } else { libc::AF_INET6 };
    let kind = libc::SOCK_DGRAM | libc::SOCK_CLOEXEC | libc::SOCK_NONBLOCK;
    // SAFETY: takes no pointers; the descriptor is ours alone.
    let socket = unsafe { UdpSocket::from_raw_fd(checked(libc::socket(family, kind, 0))?) };
    // The interface's MTU counts, and no ICMP message, which anybody can forge, makes it smaller: nothing of ours is longer than
    // every path carries.
    let (level, option, value) = if is_v4 {
        (
            libc::IPPROTO_IP,
            libc::IP_MTU_DISCOVER,
            libc::IP_PMTUDISC_INTERFACE,
        )
    } else {
        set_option(&socket, libc::IPPROTO_IPV6, libc::IPV6_V6ONLY, 1)?;
        (
            libc::IPPROTO_IPV6,
            libc::IPV6_MTU_DISCOVER,
            libc::IPV6_PMTUDISC_INTERFACE,
        )
    };
    set_option(&socket, level, option, value)?;
    for (forced, asked) in [
        (libc::SO_RCVBUFFORCE, libc::SO_RCVBUF),
        (libc::SO_SNDBUFFORCE, libc::SO_SNDBUF),
    ] {
        // Beyond the system's limit only an administrator may go; the kernel cuts what others ask for.
        set_option(&socket, libc::SOL_SOCKET, forced, BUFFER_BYTES)
            .or_else(|_| set_option(&socket, libc::SOL_SOCKET, asked, BUFFER_BYTES))?;
    }
    let (storage, len) = to_storage(&address);
    // SAFETY: the address lives through the call, and its length is given.
    checked(unsafe { libc::bind(socket.as_raw_fd(), (&raw const storage).cast(), len) })?;
    Ok(socket)
}

fn set_option(
    socket: &UdpSocket,
    level: libc::c_int,
    option: libc::c_int,
    value: libc::c_int,
) -> io::Result<()> {
    let len = size_of::<libc::c_int>() as libc::socklen_t;
    // SAFETY: the value lives through the call, and its length is given.
    checked(unsafe {
        libc::setsockopt(
            socket.as_raw_fd(),
            level,
            option,
            (&raw const value).cast(),
            len,
        )
    })
    .map(drop)
}

fn get_option(
    socket: &UdpSocket,
    level: libc::c_int,
    option: libc::c_int,
) -> io::Result<libc::c_int> {
    let mut value: libc::c_int = 0;
    let mut len = size_of::<libc::c_int>() as libc::socklen_t;
    // SAFETY: value and length live through the call and fit each other.
    checked(unsafe {
        libc::getsockopt(
            socket.as_raw_fd(),
            level,
            option,
            (&raw mut value).cast(),
            &raw mut len,
        )
    })?;
    Ok(value)
}

/// What the kernel has thrown away that came to this socket (`SO_MEMINFO`, since Linux 4.12; the column `drops` of proc(5)).
fn dropped(socket: &UdpSocket) -> io::Result<u64> {
    let mut figures = [0u32; MEMINFO_FIGURES];
    let mut len = size_of_val(&figures) as libc::socklen_t;
    // SAFETY: figures and length live through the call and fit each other.
    checked(unsafe {
        libc::getsockopt(
            socket.as_raw_fd(),
            libc::SOL_SOCKET,
            SO_MEMINFO,
            figures.as_mut_ptr().cast(),
            &raw mut len,
        )
    })?;
    let known = len as usize / size_of::<u32>();
    let dropped = figures[..known.min(MEMINFO_FIGURES)].get(libc::SK_MEMINFO_DROPS as usize);
    let dropped = dropped.ok_or_else(|| io::Error::from(io::ErrorKind::Unsupported))?;
    Ok(u64::from(*dropped))
}

/// As in `asm-generic/socket.h`, which every processor that this is built for follows.
const SO_MEMINFO: libc::c_int = 55;

/// Room for the figures that `SO_MEMINFO` has, and a few more.
const MEMINFO_FIGURES: usize = 16;

const ADDRESS_ROOM: libc::socklen_t = size_of::<libc::sockaddr_storage>() as libc::socklen_t;

/// Memory for one batch of datagrams. The headers point into the other boxes, which never move.
struct Slab {
    headers: Box<[libc::mmsghdr]>,
    parts: Box<[libc::iovec]>,
    addresses: Box<[libc::sockaddr_storage]>,
}

impl Slab {
    fn new() -> Self {
        // SAFETY: all three are plain C data for which zero is valid.
        let (header, part, address) = unsafe {
            (
                zeroed::<libc::mmsghdr>(),
                zeroed::<libc::iovec>(),
                zeroed::<libc::sockaddr_storage>(),
            )
        };
        let mut slab = Self {
            headers: vec![header; BATCH].into(),
            parts: vec![part; BATCH].into(),
            addresses: vec![address; BATCH].into(),
        };
        for place in 0..BATCH {
            let header = &mut slab.headers[place].msg_hdr;
            header.msg_iov = &raw mut slab.parts[place];
            header.msg_iovlen = 1;
            header.msg_name = (&raw mut slab.addresses[place]).cast();
        }
        slab
    }
}

/// Receives in batches.
pub struct Receiver {
    slab: Slab,
    bytes: Box<[[u8; DATAGRAM_BYTES]]>,
}

// SAFETY: the raw pointers lead into boxes that the struct owns; nothing is tied to a thread.
unsafe impl Send for Receiver {}

impl Default for Receiver {
    fn default() -> Self {
        Self::new()
    }
}

impl Receiver {
    /// Makes the slab.
    #[must_use]
    pub fn new() -> Self {
        let mut receiver = Self {
            slab: Slab::new(),
            bytes: vec![[0; DATAGRAM_BYTES]; BATCH].into(),
        };
        for (part, bytes) in receiver.slab.parts.iter_mut().zip(&mut receiver.bytes) {
            part.iov_base = bytes.as_mut_ptr().cast();
            part.iov_len = bytes.len();
        }
        for header in &mut receiver.slab.headers {
            header.msg_hdr.msg_namelen = ADDRESS_ROOM;
        }
        receiver
    }

    /// Receives one batch and hands each datagram to `take`; returns whether there may be more.
    pub fn receive(
        &mut self,
        socket: BorrowedFd<'_>,
        mut take: impl FnMut(&mut [u8], SocketAddr),
    ) -> io::Result<bool> {
        let headers = self.slab.headers.as_mut_ptr();
        // SAFETY: the headers point to buffers and addresses of the given lengths, all owned by self.
        let result = unsafe {
            libc::recvmmsg(
                socket.as_raw_fd(),
                headers,
                BATCH as u32,
                libc::MSG_DONTWAIT,
                std::ptr::null_mut(),
            )
        };
        let count = match checked(result) {
            Ok(count) => count.unsigned_abs() as usize,
            // An ICMP error about an earlier datagram of ours is reported here; it says nothing about this socket.
            Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => return Ok(true),
            Err(error)
                if matches!(
                    error.kind(),
                    io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted
                ) =>
            {
                return Ok(false);
            }
            Err(error) => return Err(error),
        };
        for place in 0..count {
            let header = &mut self.slab.headers[place];
            // The kernel has written how long the address is. Those that it did not use still have room.
            header.msg_hdr.msg_namelen = ADDRESS_ROOM;
            let Some(from) = from_storage(&self.slab.addresses[place]) else {
                continue;
            };
            if header.msg_hdr.msg_flags & libc::MSG_TRUNC == 0 {
                take(&mut self.bytes[place][..header.msg_len as usize], from);
            }
        }
        Ok(count == BATCH)
    }
}

/// Sends in batches.
pub struct Sender {
    slab: Slab,
    /// Datagrams that the kernel did not take.
    pub dropped: u64,
}

// SAFETY: as for the receiver; the parts are pointed anew before each use.
unsafe impl Send for Sender {}

impl Default for Sender {
    fn default() -> Self {
        Self::new()
    }
}

impl Sender {
    /// Makes the slab.
    #[must_use]
    pub fn new() -> Self {
        Self {
            slab: Slab::new(),
            dropped: 0,
        }
    }

    /// Sends all waiting datagrams and forgets them. Those for TCP connections go to `stream`, with whether they yield to others; it
    /// says whether it took them.
    pub fn send(
        &mut self,
        port: &Port,
        outbox: &mut Outbox,
        mut stream: impl FnMut(u32, &[u8], bool) -> bool,
    ) {
        let mut count = 0;
        let mut socket: Option<RawFd> = None;
        for (number, (to, bytes)) in outbox.datagrams().enumerate() {
            let place = match to.via {
                Via::Udp(place) => usize::from(place),
                Via::Tcp(connection) => {
                    self.dropped += u64::from(!stream(connection, bytes, outbox.yields(number)));
                    continue;
                }
            };
            let Some(fd) = port.sockets.get(place).map(AsRawFd::as_raw_fd) else {
                self.dropped += 1;
                continue;
            };
            if count == BATCH || socket.is_some_and(|other| other != fd) {
                self.flush(socket, count);
                count = 0;
            }
            socket = Some(fd);
            let (storage, len) = to_storage(&to.remote);
            self.slab.addresses[count] = storage;
            self.slab.headers[count].msg_hdr.msg_namelen = len;
            // The kernel only reads what is sent, though the C type does not say so.
            self.slab.parts[count] = libc::iovec {
                iov_base: bytes.as_ptr().cast_mut().cast(),
                iov_len: bytes.len(),
            };
            count += 1;
        }
        self.flush(socket, count);
        outbox.clear_datagrams();
    }

    fn flush(&mut self, socket: Option<RawFd>, count: usize) {
        let Some(socket) = socket else { return };
        let mut sent = 0;
        while sent < count {
            let headers = self.slab.headers[sent..].as_mut_ptr();
            // SAFETY: the headers point to addresses owned by self and to bytes that the outbox holds through this call.
            let result = unsafe {
                libc::sendmmsg(socket, headers, (count - sent) as u32, libc::MSG_DONTWAIT)
            };
            match checked(result) {
                Ok(more) => sent += more.unsigned_abs() as usize,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    self.dropped += (count - sent) as u64;
                    return;
                }
                // The first of the rest cannot be sent (no route, an ICMP error); the others may.
                Err(_) => {
                    self.dropped += 1;
                    sent += 1;
                }
            }
        }
    }
}

fn to_storage(address: &SocketAddr) -> (libc::sockaddr_storage, libc::socklen_t) {
    // SAFETY: plain C data for which zero is valid.
    let mut storage: libc::sockaddr_storage = unsafe { zeroed() };
    let place = &raw mut storage;
    let len = match address {
        SocketAddr::V4(address) => {
            let raw = libc::sockaddr_in {
                sin_family: libc::AF_INET as libc::sa_family_t,
                sin_port: address.port().to_be(),
                sin_addr: libc::in_addr {
                    s_addr: u32::from(*address.ip()).to_be(),
                },
                sin_zero: [0; 8],
            };
            // SAFETY: the storage is large enough and aligned for every address.
            unsafe { place.cast::<libc::sockaddr_in>().write(raw) };
            size_of::<libc::sockaddr_in>()
        }
        SocketAddr::V6(address) => {
            let raw = libc::sockaddr_in6 {
                sin6_family: libc::AF_INET6 as libc::sa_family_t,
                sin6_port: address.port().to_be(),
                sin6_flowinfo: 0,
                sin6_addr: libc::in6_addr {
                    s6_addr: address.ip().octets(),
                },
                sin6_scope_id: address.scope_id(),
            };
            // SAFETY: as above.
            unsafe { place.cast::<libc::sockaddr_in6>().write(raw) };
            size_of::<libc::sockaddr_in6>()
        }
    };
    (storage, len as libc::socklen_t)
}

fn from_storage(storage: &libc::sockaddr_storage) -> Option<SocketAddr> {
    let place = &raw const *storage;
    match libc::c_int::from(storage.ss_family) {
        libc::AF_INET => {
            // SAFETY: the family says that this is what lies there, and the storage is aligned for it.
            let raw = unsafe { &*place.cast::<libc::sockaddr_in>() };
            Some(
                SocketAddrV4::new(
                    Ipv4Addr::from(u32::from_be(raw.sin_addr.s_addr)),
                    u16::from_be(raw.sin_port),
                )
                .into(),
            )
        }
        libc::AF_INET6 => {
            // SAFETY: as above.
            let raw = unsafe { &*place.cast::<libc::sockaddr_in6>() };
            let ip = Ipv6Addr::from(raw.sin6_addr.s6_addr);
            Some(SocketAddrV6::new(ip, u16::from_be(raw.sin6_port), 0, raw.sin6_scope_id).into())
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::path::Path;

    fn loopback(families: &[&str]) -> Port {
        let hosts: Vec<IpAddr> = families.iter().map(|host| host.parse().unwrap()).collect();
        Port::bind(&hosts, 0).unwrap()
    }

    #[test]
    fn addresses_survive_the_way_through_c() {
        for text in ["192.0.2.7:5000", "[2001:db8::7]:65535", "[fe80::1%3]:9"] {
            let address: SocketAddr = text.parse().unwrap();
            assert_eq!(from_storage(&to_storage(&address).0), Some(address));
        }
    }

    #[test]
    fn a_burst_over_several_batches_arrives_whole() {
        let (one, two) = (loopback(&["127.0.0.1"]), loopback(&["127.0.0.1"]));
        let to: SocketAddr = ([127, 0, 0, 1], two.number()).into();
        let mut outbox = Outbox::new();
        for number in 0..150u8 {
            outbox.slot()[..2].copy_from_slice(&[number, 7]);
            outbox.commit(2, Path::udp(0, to));
        }
        let mut sender = Sender::new();
        sender.send(&one, &mut outbox, |_, _, _| false);
        assert_eq!((sender.dropped, outbox.len()), (0, 0));
        let mut got = Vec::new();
        let mut receiver = Receiver::new();
        let (_, socket) = two.fds().next().unwrap();
        while receiver
            .receive(socket, |bytes, from| got.push((bytes.to_vec(), from)))
            .unwrap()
        {}
        let from: SocketAddr = ([127, 0, 0, 1], one.number()).into();
        assert_eq!(
            got,
            (0..150u8)
                .map(|number| (vec![number, 7], from))
                .collect::<Vec<_>>()
        );
    }

    #[test]
    fn both_families_share_one_number_and_each_sends_its_own() {
        let port = loopback(&["127.0.0.1", "::1"]);
        let peer = loopback(&["::1"]);
        let mut outbox = Outbox::new();
        for to in [
            Path::udp(0, ([127, 0, 0, 1], port.number()).into()),
            Path::udp(1, (Ipv6Addr::LOCALHOST, peer.number()).into()),
        ] {
            outbox.slot()[0] = 1;
            outbox.commit(1, to);
        }
        let mut sender = Sender::new();
        sender.send(&port, &mut outbox, |_, _, _| false);
        assert_eq!(sender.dropped, 0);
        let mut from_v6 = None;
        Receiver::new()
            .receive(peer.fds().next().unwrap().1, |_, from| from_v6 = Some(from))
            .unwrap();
        assert_eq!(from_v6, Some((Ipv6Addr::LOCALHOST, port.number()).into()));
    }

    #[test]
    fn one_receiver_has_room_for_long_addresses_after_short_ones() {
        let port = loopback(&["127.0.0.1", "::1"]);
        let mut receiver = Receiver::new();
        for (place, host) in ["127.0.0.1", "::1"].into_iter().enumerate() {
            let peer = UdpSocket::bind((host, 0)).unwrap();
            peer.send_to(&[1], (host, port.number())).unwrap();
            let mut from = None;
            let (_, fd) = port.fds().nth(place).unwrap();
            receiver.receive(fd, |_, it| from = Some(it)).unwrap();
            assert_eq!(from, Some(peer.local_addr().unwrap()));
        }
    }

    #[test]
    fn a_path_without_a_socket_is_counted() {
        let port = loopback(&["127.0.0.1"]);
        let mut outbox = Outbox::new();
        outbox.slot()[0] = 1;
        outbox.commit(1, Path::udp(1, (Ipv6Addr::LOCALHOST, 9).into()));
        let mut sender = Sender::new();
        sender.send(&port, &mut outbox, |_, _, _| false);
        assert_eq!(sender.dropped, 1);
    }

    #[test]
    fn what_finds_the_buffer_full_is_counted_where_it_was_sent_to() {
        let (port, peer) = (
            loopback(&["127.0.0.1", "::1"]),
            UdpSocket::bind("127.0.0.1:0").unwrap(),
        );
        assert_eq!(port.overflowed().unwrap(), 0);
        let mut sent = 0;
        while port.overflowed().unwrap() < 100 {
            peer.send_to(&[1; 1_400], ("127.0.0.1", port.number()))
                .unwrap();
            sent += 1;
            assert!(sent < 100_000, "no buffer is so large");
        }
        let (mut receiver, mut came) = (Receiver::new(), 0);
        let (_, fd) = port.fds().next().unwrap();
        while receiver.receive(fd, |_, _| came += 1).unwrap() {}
        assert_eq!((port.overflowed().unwrap(), came), (100, sent - 100));
    }

    #[test]
    fn too_long_datagrams_are_dropped() {
        let (one, two) = (
            UdpSocket::bind("127.0.0.1:0").unwrap(),
            loopback(&["127.0.0.1"]),
        );
        let to = ("127.0.0.1", two.number());
        one.send_to(&[1; DATAGRAM_BYTES + 1], to).unwrap();
        one.send_to(&[2; DATAGRAM_BYTES], to).unwrap();
        let mut lengths = Vec::new();
        Receiver::new()
            .receive(two.fds().next().unwrap().1, |bytes, _| {
                lengths.push(bytes.len());
            })
            .unwrap();
        assert_eq!(lengths, [DATAGRAM_BYTES]);
    }

    #[test]
    fn answers_leave_from_the_address_that_was_asked() {
        let port = loopback(&["127.0.0.2", "127.0.0.3", "::1"]);
        let peer = UdpSocket::bind("127.0.0.1:0").unwrap();
        let mut receiver = Receiver::new();
        let mut sender = Sender::new();
        for (asked, host) in [(1, "127.0.0.3"), (0, "127.0.0.2")] {
            peer.send_to(b"?", (host, port.number())).unwrap();
            let mut came = Vec::new();
            for (place, fd) in port.fds() {
                receiver
                    .receive(fd, |_, from| came.push(Path::udp(place, from)))
                    .unwrap();
            }
            assert_eq!(came, [Path::udp(asked, peer.local_addr().unwrap())]);
            let mut outbox = Outbox::new();
            outbox.slot()[0] = 1;
            outbox.commit(1, came[0]);
            sender.send(&port, &mut outbox, |_, _, _| false);
            let (_, from) = peer.recv_from(&mut [0; 8]).unwrap();
            assert_eq!(from.ip().to_string(), host);
        }
    }

    #[test]
    fn datagrams_for_connections_go_there() {
        let port = loopback(&["127.0.0.1"]);
        let mut outbox = Outbox::new();
        for connection in [7, 8] {
            outbox.slot()[0] = connection as u8;
            outbox.commit(1, Path::tcp(connection, "127.0.0.1:9".parse().unwrap()));
        }
        let (mut sender, mut got) = (Sender::new(), Vec::new());
        sender.send(&port, &mut outbox, |connection, bytes, _| {
            got.push((connection, bytes.to_vec()));
            connection == 7
        });
        assert_eq!(got, [(7, vec![7]), (8, vec![8])]);
        assert_eq!(sender.dropped, 1);
    }

    #[test]
    fn addresses_are_bounded_and_a_taken_number_is_said() {
        let host: IpAddr = "127.0.0.1".parse().unwrap();
        for count in [0, MAX_HOSTS + 1] {
            assert!(Port::bind(&vec![host; count], 0).is_err());
        }
        let first = loopback(&["127.0.0.1"]);
        let error = Port::bind(&[host], first.number()).err().unwrap();
        assert_eq!(error.kind(), io::ErrorKind::AddrInUse);
        assert!(
            first
                .missing_buffer()
                .unwrap()
                .is_none_or(|bytes| bytes > 0)
        );
    }
}
