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

/// What one wait reports at most; the rest is reported by the next one.
const MAX_EVENTS: libc::c_int = 256;

const READ: u32 = libc::EPOLLIN as u32;
const WRITE: u32 = libc::EPOLLOUT as u32;

/// One descriptor that is ready.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ready {
    /// What tells it from the others.
    pub token: u64,
    /// What can be done.
    pub readiness: Readiness,
}

/// Waits for many descriptors.
pub struct Epoll {
    fd: OwnedFd,
    events: Box<[libc::epoll_event]>,
    count: usize,
}

impl Epoll {
    /// Waits for nothing yet.
    pub fn new() -> io::Result<Self> {
        // SAFETY: takes no pointers.
        let fd = owned(unsafe { libc::epoll_create1(libc::EPOLL_CLOEXEC) })?;
        let events = vec![libc::epoll_event { events: 0, u64: 0 }; MAX_EVENTS as usize].into();
        Ok(Self {
            fd,
            events,
            count: 0,
        })
    }

    /// Waits for `fd` to become readable too; `token` tells it from the others. It is forgotten when it is closed.
    pub fn add(&self, fd: BorrowedFd<'_>, token: u64) -> io::Result<()> {
        self.control(libc::EPOLL_CTL_ADD, fd, token, READ)
    }

    /// Says whether a descriptor that is waited for already shall be reported as writable, too.
    pub fn set_wants_write(
        &self,
        fd: BorrowedFd<'_>,
        token: u64,
        wants_write: bool,
    ) -> io::Result<()> {
        let write = if wants_write { WRITE } else { 0 };
        self.control(libc::EPOLL_CTL_MOD, fd, token, READ | write)
    }

    /// Does not wait for `fd` any more.
    pub fn remove(&self, fd: BorrowedFd<'_>) -> io::Result<()> {
        self.control(libc::EPOLL_CTL_DEL, fd, 0, 0)
    }

    fn control(
        &self,
        action: libc::c_int,
        fd: BorrowedFd<'_>,
        token: u64,
        events: u32,
    ) -> io::Result<()> {
        let mut event = libc::epoll_event { events, u64: token };
        // SAFETY: both descriptors are open, and the event lives through the call.
        checked(unsafe {
            libc::epoll_ctl(self.fd.as_raw_fd(), action, fd.as_raw_fd(), &raw mut event)
        })
        .map(drop)
    }

    /// Waits until something is ready or `timeout` is over, and returns how many are: [`Self::ready`] tells which.
    pub fn wait(&mut self, timeout: Duration) -> io::Result<usize> {
        // Rounded up, so that a timer is really due when the wait is over.
        let timeout =
            libc::c_int::try_from(timeout.as_micros().div_ceil(1_000)).unwrap_or(libc::c_int::MAX);
        // SAFETY: the array lives through the call, and its length is given.
        let result = unsafe {
            libc::epoll_wait(
                self.fd.as_raw_fd(),
                self.events.as_mut_ptr(),
                MAX_EVENTS,
                timeout,
            )
        };
        self.count = match checked(result) {
            Ok(count) => count.unsigned_abs() as usize,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => 0,
            Err(error) => return Err(error),
        };
        Ok(self.count)
    }

    /// What the last wait found, at a place below its count.
    #[must_use]
    pub fn ready(&self, place: usize) -> Ready {
        let libc::epoll_event { events, u64: token } = self.events[..self.count][place];
        Ready {
            token,
            readiness: Readiness {
                reads: events & !WRITE != 0,
                writes: events & WRITE != 0,
            },
        }
    }
}

/// Raises the number of descriptors that this process may have as far as the system allows, and returns it.
pub fn raise_descriptor_limit() -> io::Result<u64> {
    let mut limit = libc::rlimit {
        rlim_cur: 0,
        rlim_max: 0,
    };
    // SAFETY: the struct lives through the call.
    checked(unsafe { libc::getrlimit(libc::RLIMIT_NOFILE, &raw mut limit) })?;
    limit.rlim_cur = limit.rlim_max;
    // SAFETY: as above.
    checked(unsafe { libc::setrlimit(libc::RLIMIT_NOFILE, &raw const limit) })?;
    Ok(limit.rlim_cur)
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

/// Gives the pages that the allocator holds free back to the system. Others of its callers wait up to some milliseconds meanwhile; the
/// packet path is none of them.
pub fn give_memory_back() {
    // SAFETY: it takes and returns plain numbers.
    #[cfg(target_env = "gnu")]
    unsafe {
        libc::malloc_trim(0);
    }
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
        let (waker, mut epoll) = (Waker::new().unwrap(), Epoll::new().unwrap());
        epoll.add(waker.as_fd(), u64::MAX).unwrap();
        assert_eq!(epoll.wait(Duration::ZERO).unwrap(), 0);
        waker.wake();
        waker.wake();
        assert_eq!(epoll.wait(Duration::from_secs(5)).unwrap(), 1);
        assert_eq!(epoll.ready(0).token, u64::MAX);
        waker.drain();
        assert_eq!(epoll.wait(Duration::ZERO).unwrap(), 0);
    }

    #[test]
    fn many_descriptors_are_told_apart_and_writing_is_reported_on_demand() {
        let pairs: Vec<_> = (0..300).map(|_| UnixStream::pair().unwrap()).collect();
        let mut epoll = Epoll::new().unwrap();
        for (token, (one, _)) in (0..).zip(&pairs) {
            epoll.add(one.as_fd(), 1 << 32 | token).unwrap();
        }
        assert_eq!(epoll.wait(Duration::ZERO).unwrap(), 0);
        let one = pairs[7].0.as_fd();
        epoll.set_wants_write(one, 1 << 32 | 7, true).unwrap();
        assert_eq!(epoll.wait(Duration::ZERO).unwrap(), 1);
        let (reads, writes) = (false, true);
        let readiness = Readiness { reads, writes };
        let token = 1 << 32 | 7;
        assert_eq!(epoll.ready(0), Ready { token, readiness });
        epoll.set_wants_write(one, token, false).unwrap();
        assert_eq!(epoll.wait(Duration::ZERO).unwrap(), 0);
    }

    #[test]
    fn the_descriptor_limit_is_raised() {
        let limit = raise_descriptor_limit().unwrap();
        assert_eq!(raise_descriptor_limit().unwrap(), limit);
        assert!(limit >= 256);
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
