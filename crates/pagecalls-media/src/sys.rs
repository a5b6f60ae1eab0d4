//! The few system calls that the standard library does not have: eventfd, epoll, signalfd, peer credentials, interface addresses.
//!
//! Each is wrapped so that the rest of the engine stays safe code. Nothing here knows what it is used for.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};
use std::time::Duration;

/// Turns a system call's -1 into the error.
pub(crate) fn checked(result: libc::c_int) -> io::Result<libc::c_int> {
    if result < 0 {
        Err(io::Error::last_os_error())
    } else {
        Ok(result)
    }
}

fn owned(result: libc::c_int) -> io::Result<OwnedFd> {
    let fd = checked(result)?;
    // SAFETY: the call has just returned this descriptor to us, and nobody else has it.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

/// Wakes a thread that polls.
pub struct Waker(OwnedFd);

impl Waker {
    /// A waker that has not been rung.
    pub fn new() -> io::Result<Self> {
        // SAFETY: takes no pointers.
        owned(unsafe { libc::eventfd(0, libc::EFD_CLOEXEC | libc::EFD_NONBLOCK) }).map(Self)
    }

    /// Rings it; many rings may come as one.
    pub fn wake(&self) {
        let one = 1u64.to_ne_bytes();
        // A full counter means that it has been rung already, which is all we want.
        // SAFETY: the buffer lives through the call and is eight bytes long.
        let _ = unsafe { libc::write(self.0.as_raw_fd(), one.as_ptr().cast(), one.len()) };
    }

    /// Forgets the rings so far.
    pub fn drain(&self) {
        let mut count = [0u8; 8];
        // SAFETY: the buffer lives through the call and is eight bytes long.
        let _ = unsafe { libc::read(self.0.as_raw_fd(), count.as_mut_ptr().cast(), count.len()) };
    }
}

impl AsFd for Waker {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

/// A worker polls two sockets and its mailbox.
const MAX_EVENTS: libc::c_int = 8;

/// Waits for several descriptors to become readable.
pub struct Epoll(OwnedFd);

impl Epoll {
    /// Waits for nothing yet.
    pub fn new() -> io::Result<Self> {
        // SAFETY: takes no pointers.
        owned(unsafe { libc::epoll_create1(libc::EPOLL_CLOEXEC) }).map(Self)
    }

    /// Waits for `fd` too; `token` tells it from the others.
    pub fn add(&self, fd: BorrowedFd<'_>, token: u64) -> io::Result<()> {
        let mut event = libc::epoll_event {
            events: libc::EPOLLIN as u32,
            u64: token,
        };
        // SAFETY: both descriptors are open, and the event lives through the call.
        checked(unsafe {
            libc::epoll_ctl(
                self.0.as_raw_fd(),
                libc::EPOLL_CTL_ADD,
                fd.as_raw_fd(),
                &raw mut event,
            )
        })
        .map(drop)
    }

    /// Waits until something is readable or `timeout` is over, and returns the tokens as a set of bits; tokens are below 64.
    pub fn wait(&self, timeout: Duration) -> io::Result<u64> {
        let mut events = [libc::epoll_event { events: 0, u64: 0 }; MAX_EVENTS as usize];
        // Rounded up, so that a timer is really due when the wait is over.
        let timeout =
            libc::c_int::try_from(timeout.as_micros().div_ceil(1_000)).unwrap_or(libc::c_int::MAX);
        // SAFETY: the array lives through the call, and its length is given.
        let result = unsafe {
            libc::epoll_wait(self.0.as_raw_fd(), events.as_mut_ptr(), MAX_EVENTS, timeout)
        };
        match checked(result) {
            Ok(count) => Ok(events[..count.unsigned_abs() as usize]
                .iter()
                .fold(0, |bits, event| bits | 1 << { event.u64 })),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => Ok(0),
            Err(error) => Err(error),
        }
    }
}

/// SIGTERM and SIGINT as a descriptor. Must be made before any thread is started, so that all of them inherit the mask.
pub struct Signals(OwnedFd);

impl Signals {
    /// Blocks the signals and opens the descriptor.
    pub fn new() -> io::Result<Self> {
        // SAFETY: a signal set is plain data, and sigemptyset makes it valid; it lives through all calls.
        unsafe {
            let mut set: libc::sigset_t = std::mem::zeroed();
            libc::sigemptyset(&raw mut set);
            libc::sigaddset(&raw mut set, libc::SIGTERM);
            libc::sigaddset(&raw mut set, libc::SIGINT);
            checked(libc::pthread_sigmask(
                libc::SIG_BLOCK,
                &raw const set,
                std::ptr::null_mut(),
            ))?;
            owned(libc::signalfd(
                -1,
                &raw const set,
                libc::SFD_CLOEXEC | libc::SFD_NONBLOCK,
            ))
            .map(Self)
        }
    }
}

impl Signals {
    /// The next signal that has come, if there is one.
    pub fn take(&self) -> io::Result<Option<Signal>> {
        let mut info: std::mem::MaybeUninit<libc::signalfd_siginfo> =
            std::mem::MaybeUninit::uninit();
        let size = size_of::<libc::signalfd_siginfo>();
        // SAFETY: the buffer holds what is asked for, and lives through the call.
        let read = unsafe { libc::read(self.0.as_raw_fd(), info.as_mut_ptr().cast(), size) };
        if read < 0 {
            let error = io::Error::last_os_error();
            return match error.kind() {
                io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted => Ok(None),
                _ => Err(error),
            };
        }
        // SAFETY: signalfd(2) gives whole records only.
        let number = unsafe { info.assume_init() }.ssi_signo;
        let is_terminate = libc::c_int::try_from(number).is_ok_and(|it| it == libc::SIGTERM);
        Ok(Some(if is_terminate {
            Signal::Terminate
        } else {
            Signal::Interrupt
        }))
    }
}

/// What [`Signals`] lets through.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signal {
    /// SIGTERM.
    Terminate,
    /// SIGINT.
    Interrupt,
}

impl AsFd for Signals {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

/// Which of `fds` are readable (or closed, or broken), after at most `timeout`.
pub fn poll(fds: &[(RawFd, bool)], timeout: Duration) -> io::Result<Vec<Readiness>> {
    let entry = |&(fd, wants_write)| libc::pollfd {
        fd,
        events: libc::POLLIN | if wants_write { libc::POLLOUT } else { 0 },
        revents: 0,
    };
    let mut entries: Vec<libc::pollfd> = fds.iter().map(entry).collect();
    let timeout =
        libc::c_int::try_from(timeout.as_micros().div_ceil(1_000)).unwrap_or(libc::c_int::MAX);
    // SAFETY: the array lives through the call, and its length is given.
    match checked(unsafe {
        libc::poll(entries.as_mut_ptr(), entries.len() as libc::nfds_t, timeout)
    }) {
        Err(error) if error.kind() != io::ErrorKind::Interrupted => return Err(error),
        _ => {}
    }
    let readiness = |entry: &libc::pollfd| Readiness {
        reads: entry.revents & !libc::POLLOUT != 0,
        writes: entry.revents & libc::POLLOUT != 0,
    };
    Ok(entries.iter().map(readiness).collect())
}

/// What [`poll`] found out about one descriptor.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Readiness {
    /// A read would return at once, be it with an error.
    pub reads: bool,
    /// A write would take something.
    pub writes: bool,
}

/// The user who is at the other end of a Unix socket.
pub fn peer_uid(socket: BorrowedFd<'_>) -> io::Result<u32> {
    let mut credentials = libc::ucred {
        pid: 0,
        uid: 0,
        gid: 0,
    };
    let mut len = size_of::<libc::ucred>() as libc::socklen_t;
    let value = (&raw mut credentials).cast();
    // SAFETY: value and length live through the call and fit each other.
    checked(unsafe {
        libc::getsockopt(
            socket.as_raw_fd(),
            libc::SOL_SOCKET,
            libc::SO_PEERCRED,
            value,
            &raw mut len,
        )
    })?;
    Ok(credentials.uid)
}

/// The user who runs this process.
#[must_use]
pub fn own_uid() -> u32 {
    // SAFETY: takes nothing and cannot fail.
    unsafe { libc::getuid() }
}

/// All addresses of this machine's interfaces that are up, but link-local ones.
pub fn interface_addresses() -> io::Result<Vec<IpAddr>> {
    let mut list: *mut libc::ifaddrs = std::ptr::null_mut();
    // SAFETY: the pointer is written by the call, and freed below.
    checked(unsafe { libc::getifaddrs(&raw mut list) })?;
    let mut addresses = Vec::new();
    let mut next = list;
    while !next.is_null() {
        // SAFETY: the list holds valid entries up to the null pointer, until it is freed.
        let entry = unsafe { &*next };
        next = entry.ifa_next;
        if entry.ifa_flags & libc::IFF_UP as u32 != 0 && !entry.ifa_addr.is_null() {
            // SAFETY: a non-null address of an entry is valid, and its family says how long it is.
            addresses.extend(unsafe { ip_of(entry.ifa_addr) });
        }
    }
    // SAFETY: the list came from getifaddrs and is not used any more.
    unsafe { libc::freeifaddrs(list) };
    addresses.retain(|address| match address {
        IpAddr::V4(address) => !address.is_link_local(),
        IpAddr::V6(address) => !address.is_unicast_link_local(),
    });
    Ok(addresses)
}

/// # Safety
/// The pointer must be to a socket address that is as long as its family says.
unsafe fn ip_of(address: *const libc::sockaddr) -> Option<IpAddr> {
    // SAFETY: see above; reads are unaligned, since nothing promises more.
    unsafe {
        match libc::c_int::from((*address).sa_family) {
            libc::AF_INET => {
                let address = address.cast::<libc::sockaddr_in>().read_unaligned();
                Some(Ipv4Addr::from(u32::from_be(address.sin_addr.s_addr)).into())
            }
            libc::AF_INET6 => {
                let address = address.cast::<libc::sockaddr_in6>().read_unaligned();
                Some(Ipv6Addr::from(address.sin6_addr.s6_addr).into())
            }
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::net::UnixStream;

    #[test]
    fn a_waker_wakes_once_for_many_rings() {
        let (waker, epoll) = (Waker::new().unwrap(), Epoll::new().unwrap());
        epoll.add(waker.as_fd(), 5).unwrap();
        assert_eq!(epoll.wait(Duration::ZERO).unwrap(), 0);
        waker.wake();
        waker.wake();
        assert_eq!(epoll.wait(Duration::from_secs(5)).unwrap(), 1 << 5);
        waker.drain();
        assert_eq!(epoll.wait(Duration::ZERO).unwrap(), 0);
    }

    #[test]
    fn the_peer_of_a_socket_pair_is_ourselves() {
        let (one, _two) = UnixStream::pair().unwrap();
        assert_eq!(peer_uid(one.as_fd()).unwrap(), own_uid());
    }

    #[test]
    fn a_closed_peer_counts_as_readable() {
        let (one, two) = UnixStream::pair().unwrap();
        let fds = [(one.as_raw_fd(), false)];
        assert!(!poll(&fds, Duration::ZERO).unwrap()[0].reads);
        drop(two);
        assert!(poll(&fds, Duration::from_secs(5)).unwrap()[0].reads);
    }

    #[test]
    fn this_machine_has_a_loopback_address() {
        assert!(
            interface_addresses()
                .unwrap()
                .iter()
                .any(IpAddr::is_loopback)
        );
    }
}
