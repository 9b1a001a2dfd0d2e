//! System calls that no crate wraps: the only unsafe code of this library.
//!
//! Only [`poll`] blocks, and for no longer than its timeout.

use std::ffi::CStr;
use std::fs::File;
use std::io;
use std::mem::{self, MaybeUninit};
use std::net::{Ipv4Addr, SocketAddr};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::time::Duration;

use libc::{c_int, c_ulong, c_void};
use socket2::{SockAddr, Socket};

/// Fills `buffer` with random octets from the kernel. False if `getrandom(2)` fails or would block.
pub(crate) fn random(buffer: &mut [u8]) -> bool {
    // SAFETY: the pointer and the length are those of `buffer`.
    let filled = unsafe { libc::getrandom(buffer.as_mut_ptr().cast(), buffer.len(), libc::GRND_NONBLOCK) };
    usize::try_from(filled).is_ok_and(|filled| filled == buffer.len())
}

/// The sixteen random octets that the kernel provides to each process at its start (`AT_RANDOM`, `getauxval(3)`). Zeros
/// if there are none.
pub(crate) fn random_at_start() -> [u8; 16] {
    // SAFETY: getauxval only reads the auxiliary vector of the process.
    let address = unsafe { libc::getauxval(libc::AT_RANDOM) } as *const [u8; 16];
    if address.is_null() {
        return [0; 16];
    }
    // SAFETY: AT_RANDOM, if present, is the address of sixteen octets that remain valid for the life of the process.
    unsafe { address.read_unaligned() }
}

/// The machine's host name, in `buffer`. Empty if it is unavailable.
pub(crate) fn host_name(buffer: &mut [u8; 65]) -> &[u8] {
    // SAFETY: the pointer and the length are those of `buffer`.
    let failed = unsafe { libc::gethostname(buffer.as_mut_ptr().cast(), buffer.len()) } != 0;
    let end = buffer.iter().position(|&octet| octet == 0).unwrap_or(0);
    if failed { &[] } else { buffer.get(..end).unwrap_or_default() }
}

/// Waits until one of `descriptors` is ready or `timeout`, rounded up to a millisecond, has passed.
///
/// # Errors
/// Those of `poll(2)`, including `EINTR`.
pub(crate) fn poll(descriptors: &mut [libc::pollfd], timeout: Duration) -> io::Result<()> {
    let timeout = c_int::try_from(timeout.as_nanos().div_ceil(1_000_000)).unwrap_or(c_int::MAX);
    // SAFETY: the pointer and the count are those of `descriptors`.
    let ready = unsafe { libc::poll(descriptors.as_mut_ptr(), descriptors.len() as libc::nfds_t, timeout) };
    if ready < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

/// A set of signals.
pub(crate) type SignalMask = libc::sigset_t;

/// Signals that report a fault of the thread itself. If they were blocked, the kernel would end the process.
const FAULTS: [c_int; 7] =
    [libc::SIGSEGV, libc::SIGBUS, libc::SIGFPE, libc::SIGILL, libc::SIGTRAP, libc::SIGSYS, libc::SIGABRT];

/// Signals whose handlers often jump out of a call or fork, or run very often.
const LIKELY_TO_JUMP: [c_int; 12] = [
    libc::SIGALRM,
    libc::SIGVTALRM,
    libc::SIGPIPE,
    libc::SIGCHLD,
    libc::SIGTSTP,
    libc::SIGIO,
    libc::SIGHUP,
    libc::SIGUSR1,
    libc::SIGUSR2,
    libc::SIGPROF,
    libc::SIGURG,
    libc::SIGWINCH,
];

unsafe extern "C-unwind" {
    // The libc crate declares that it does not unwind. But a handler that runs in it may end the thread.
    fn pthread_sigmask(how: c_int, set: *const SignalMask, before: *mut SignalMask) -> c_int;
}

/// Blocks all signals of this thread but [`FAULTS`]. Returns the mask before; None if `sigprocmask(2)` fails.
pub(crate) fn block_signals() -> Option<SignalMask> {
    let (mut blocked, mut before) = (MaybeUninit::uninit(), MaybeUninit::uninit());
    // SAFETY: sigfillset initialises the set that the others use. `before` is read only if pthread_sigmask filled it.
    unsafe {
        libc::sigfillset(blocked.as_mut_ptr());
        for signal in FAULTS {
            libc::sigdelset(blocked.as_mut_ptr(), signal);
        }
        let failed = pthread_sigmask(libc::SIG_BLOCK, blocked.as_ptr(), before.as_mut_ptr()) != 0;
        (!failed).then(|| before.assume_init())
    }
}

/// Sets the mask of this thread. If it cannot be set, it stays as it is.
pub(crate) fn set_signal_mask(mask: &SignalMask) {
    // SAFETY: the pointer is to an initialised set.
    unsafe { pthread_sigmask(libc::SIG_SETMASK, mask, std::ptr::null_mut()) };
}

/// Sets the mask of this thread to `before` and the signals that are [`LIKELY_TO_JUMP`].
pub(crate) fn block_fewer_signals(before: &SignalMask) {
    let mut mask = *before;
    for signal in LIKELY_TO_JUMP {
        // SAFETY: the pointer is to an initialised set.
        unsafe { libc::sigaddset(&raw mut mask, signal) };
    }
    set_signal_mask(&mask);
}

/// A descriptor that is readable while a signal that is not in `before` is pending for this thread or the process.
///
/// # Errors
/// Those of `signalfd(2)` and `fcntl(2)`.
pub(crate) fn signal_descriptor(before: &SignalMask) -> io::Result<OwnedFd> {
    let descriptor = signalfd(-1, before);
    if descriptor < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the descriptor is new, and nothing else owns it.
    above_stdio(unsafe { OwnedFd::from_raw_fd(descriptor) })
}

/// True if `descriptor`, which came from [`signal_descriptor`] with the same `before`, still refers to such a file. Its
/// [`FileId`] does not tell: all signalfds, and several other kinds of files, have the same inode.
pub(crate) fn is_signal_descriptor(descriptor: &OwnedFd, before: &SignalMask) -> bool {
    // For another kind of file this fails with EINVAL. gVisor returns 0 instead of the descriptor.
    signalfd(descriptor.as_raw_fd(), before) >= 0
}

/// `signalfd(2)` for all signals that are not in `before`.
fn signalfd(descriptor: RawFd, before: &SignalMask) -> RawFd {
    let mut watched = MaybeUninit::<SignalMask>::uninit();
    // SAFETY: sigfillset initialises the set that the others use.
    unsafe {
        libc::sigfillset(watched.as_mut_ptr());
        for signal in (1..=libc::SIGRTMAX()).filter(|&signal| libc::sigismember(before, signal) == 1) {
            libc::sigdelset(watched.as_mut_ptr(), signal);
        }
        libc::signalfd(descriptor, watched.as_ptr(), libc::SFD_NONBLOCK | libc::SFD_CLOEXEC)
    }
}

/// Sets a socket option whose value is an int.
///
/// # Errors
/// Those of `setsockopt(2)`.
pub(crate) fn set_option(socket: &Socket, level: c_int, option: c_int, value: c_int) -> io::Result<()> {
    const LENGTH: libc::socklen_t = 4;
    // SAFETY: the pointer and the length are those of `value`.
    let failed = unsafe { libc::setsockopt(socket.as_raw_fd(), level, option, (&raw const value).cast(), LENGTH) } != 0;
    if failed { Err(io::Error::last_os_error()) } else { Ok(()) }
}

/// The maximum number that [`is_descriptor_allowed`] compares with the limit. The list that it needs for this has 32 KiB.
const MAX_COMPARED: usize = 4096;

/// False if the process may not open this descriptor, because its number exceeds the soft limit `RLIMIT_NOFILE`. True for
/// numbers of [`MAX_COMPARED`] and above, which are not compared.
///
/// `poll(2)` fails for a list that is longer than the limit. Unlike `getrlimit(2)`, it is a system call that every
/// sandbox admits in which a lookup is possible.
pub(crate) fn is_descriptor_allowed(number: RawFd) -> bool {
    let Ok(length) = usize::try_from(number).map(|number| number + 1) else { return false };
    let mut list: Vec<libc::pollfd> = Vec::new();
    if length > MAX_COMPARED || list.try_reserve_exact(length).is_err() {
        return true;
    }
    // The kernel ignores negative descriptors.
    list.resize(length, libc::pollfd { fd: -1, events: 0, revents: 0 });
    let is_too_long = |error: io::Error| error.raw_os_error() == Some(libc::EINVAL);
    !poll(&mut list, Duration::ZERO).is_err_and(is_too_long)
}

/// Removes the interface that a UDP socket is bound to. Its address and port remain.
///
/// # Errors
/// Those of `connect(2)`.
pub(crate) fn unbind_interface(socket: &Socket) -> io::Result<()> {
    const LENGTH: libc::socklen_t = 16;
    // AF_UNSPEC is 0.
    let unspecified = libc::sockaddr { sa_family: 0, sa_data: [0; 14] };
    // SAFETY: the pointer and the length are those of `unspecified`.
    let failed = unsafe { libc::connect(socket.as_raw_fd(), &raw const unspecified, LENGTH) } != 0;
    if failed { Err(io::Error::last_os_error()) } else { Ok(()) }
}

/// Moves a file to a descriptor above 2. A host process that has closed its standard streams may still write to the
/// descriptors 0 to 2, or open them again.
///
/// # Errors
/// Those of `fcntl(2)`.
pub(crate) fn above_stdio<T: AsRawFd + From<OwnedFd>>(file: T) -> io::Result<T> {
    const FIRST: RawFd = 3;
    if file.as_raw_fd() >= FIRST {
        return Ok(file);
    }
    // SAFETY: F_DUPFD_CLOEXEC takes an int and touches no memory.
    let copy = unsafe { libc::fcntl(file.as_raw_fd(), libc::F_DUPFD_CLOEXEC, FIRST) };
    if copy < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the descriptor is new, and nothing else owns it.
    Ok(T::from(unsafe { OwnedFd::from_raw_fd(copy) }))
}

/// Identifies a version of a file by its metadata. (Two changes that keep the size can have the same stamp if the file
/// system gives both the same time.)
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stamp(Status);

impl Stamp {
    /// None for anything but a regular file.
    fn of(status: Status) -> Option<Self> {
        (status.mode & libc::S_IFMT == libc::S_IFREG).then_some(Self(status))
    }

    /// True if every user may read the file.
    pub fn is_world_readable(&self) -> bool {
        self.0.mode & libc::S_IROTH != 0
    }

    /// The file's size, in octets.
    pub fn size(&self) -> usize {
        usize::try_from(self.0.size).unwrap_or(0)
    }
}

/// The stamp of the regular file at `path`; None if there is none.
pub(crate) fn stamp(path: &CStr) -> Option<Stamp> {
    Status::of_path(path).ok().and_then(Stamp::of)
}

/// Opens a regular file for reading, and returns its stamp too. Never blocks, whatever type of file is at `path`.
///
/// # Errors
/// Those of `open(2)`, `fcntl(2)` and `fstat(2)`; `EINVAL` for anything but a regular file.
pub(crate) fn open(path: &CStr) -> io::Result<(File, Stamp)> {
    const FLAGS: c_int = libc::O_RDONLY | libc::O_CLOEXEC | libc::O_NONBLOCK | libc::O_NOCTTY;
    // SAFETY: the path ends in NUL.
    let descriptor = unsafe { libc::open(path.as_ptr(), FLAGS) };
    if descriptor < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the descriptor is new, and nothing else owns it.
    let file = above_stdio(unsafe { File::from_raw_fd(descriptor) })?;
    let stamp = Stamp::of(Status::of_file(&file)?).ok_or_else(|| io::Error::from_raw_os_error(libc::EINVAL))?;
    Ok((file, stamp))
}

/// The metadata of a file. The times are in seconds and nanoseconds since 1970.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Status {
    device: u64,
    inode: u64,
    mode: libc::mode_t,
    size: i64,
    modified: (i64, i64),
    changed: (i64, i64),
}

#[cfg(target_pointer_width = "64")]
impl Status {
    /// The status of the file at `path`, after symbolic links have been followed.
    ///
    /// # Errors
    /// Those of `stat(2)`.
    fn of_path(path: &CStr) -> io::Result<Self> {
        // SAFETY: the path ends in NUL.
        Self::fill(|status| unsafe { libc::stat64(path.as_ptr(), status) })
    }

    /// The status of an open file.
    ///
    /// # Errors
    /// Those of `fstat(2)`.
    fn of_file(file: &impl AsRawFd) -> io::Result<Self> {
        // SAFETY: fstat64 only writes the status.
        Self::fill(|status| unsafe { libc::fstat64(file.as_raw_fd(), status) })
    }

    fn fill(call: impl FnOnce(*mut libc::stat64) -> c_int) -> io::Result<Self> {
        let mut status = MaybeUninit::uninit();
        if call(status.as_mut_ptr()) != 0 {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: the call succeeded, so it filled the status.
        let status = unsafe { status.assume_init() };
        Ok(Self {
            device: status.st_dev,
            inode: status.st_ino,
            mode: status.st_mode,
            size: status.st_size,
            modified: (status.st_mtime, status.st_mtime_nsec),
            changed: (status.st_ctime, status.st_ctime_nsec),
        })
    }
}

/// On 32-bit architectures, `stat64` has 32-bit times, and fails with `EOVERFLOW` for files that are dated after January
/// 2038. `statx` has 64-bit times everywhere. glibc's `stat64` makes the same system call there.
#[cfg(target_pointer_width = "32")]
impl Status {
    /// The status of the file at `path`, after symbolic links have been followed.
    ///
    /// # Errors
    /// Those of `statx(2)`.
    fn of_path(path: &CStr) -> io::Result<Self> {
        Self::statx(libc::AT_FDCWD, path, 0)
    }

    /// The status of an open file.
    ///
    /// # Errors
    /// Those of `statx(2)`.
    fn of_file(file: &impl AsRawFd) -> io::Result<Self> {
        Self::statx(file.as_raw_fd(), c"", libc::AT_EMPTY_PATH)
    }

    fn statx(directory: RawFd, path: &CStr, flags: c_int) -> io::Result<Self> {
        let mut status = MaybeUninit::<libc::statx>::uninit();
        // SAFETY: the path ends in NUL, and `status` is large enough. It is only read if it was filled.
        let status = unsafe {
            if libc::statx(directory, path.as_ptr(), flags, libc::STATX_BASIC_STATS, status.as_mut_ptr()) != 0 {
                return Err(io::Error::last_os_error());
            }
            status.assume_init()
        };
        let time = |time: libc::statx_timestamp| (time.tv_sec, i64::from(time.tv_nsec));
        Ok(Self {
            device: u64::from(status.stx_dev_major) << 32 | u64::from(status.stx_dev_minor),
            inode: status.stx_ino,
            mode: status.stx_mode.into(),
            size: i64::try_from(status.stx_size).unwrap_or(i64::MAX),
            modified: time(status.stx_mtime),
            changed: time(status.stx_ctime),
        })
    }
}

/// What `recvmsg(2)` returned for one datagram.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ReceivedMessage {
    /// The number of octets in the buffer.
    pub(crate) length: usize,
    /// The sender's address and port.
    pub(crate) source: SocketAddr,
    /// The size of the control messages, in octets.
    pub(crate) control_length: usize,
}

/// Receives a datagram, if one has arrived, and its control messages.
///
/// # Errors
/// Those of `recvmsg(2)`; [`io::ErrorKind::WouldBlock`] if none has arrived, [`io::ErrorKind::InvalidData`] if its
/// source is not an IP address.
pub(crate) fn receive_message(socket: &Socket, buffer: &mut [u8], control: &mut [u8]) -> io::Result<ReceivedMessage> {
    let mut vector = libc::iovec { iov_base: buffer.as_mut_ptr().cast(), iov_len: buffer.len() };
    // SAFETY: all zeroes are a valid msghdr.
    let mut header: libc::msghdr = unsafe { mem::zeroed() };
    header.msg_iov = &raw mut vector;
    header.msg_iovlen = 1;
    header.msg_control = control.as_mut_ptr().cast::<c_void>();
    header.msg_controllen = control.len() as _;
    // SAFETY: recvmsg writes the source address to the storage that try_init provides, and the closure stores its
    // length.
    let (length, source) = unsafe {
        SockAddr::try_init(|storage, storage_length| {
            header.msg_name = storage.cast();
            header.msg_namelen = *storage_length;
            // SAFETY: every pointer in the header points to memory of the stated length that outlives the call.
            let length = libc::recvmsg(socket.as_raw_fd(), &raw mut header, libc::MSG_DONTWAIT);
            *storage_length = header.msg_namelen;
            usize::try_from(length).map_err(|_| io::Error::last_os_error())
        })
    }?;
    Ok(ReceivedMessage {
        length,
        source: source.as_socket().ok_or(io::ErrorKind::InvalidData)?,
        control_length: (header.msg_controllen as usize).min(control.len()),
    })
}

/// Receives octets that have arrived on a connected socket, and returns their number. 0 if the peer has closed the
/// connection, or if `buffer` is empty.
///
/// # Errors
/// Those of `recv(2)`; [`io::ErrorKind::WouldBlock`] if nothing has arrived.
pub(crate) fn receive(socket: &Socket, buffer: &mut [u8]) -> io::Result<usize> {
    // SAFETY: the pointer and the length are those of `buffer`.
    let length =
        unsafe { libc::recv(socket.as_raw_fd(), buffer.as_mut_ptr().cast(), buffer.len(), libc::MSG_DONTWAIT) };
    usize::try_from(length).map_err(|_| io::Error::last_os_error())
}

/// Identifies an open socket. It tells apart two sockets that had the same descriptor, one after the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct FileId {
    device: u64,
    inode: u64,
}

/// The id of the file that this descriptor refers to now.
///
/// # Errors
/// Those of `fstat(2)`; `EBADF` if it refers to none.
pub(crate) fn file_id(file: &impl AsRawFd) -> io::Result<FileId> {
    let status = Status::of_file(file)?;
    Ok(FileId { device: status.device, inode: status.inode })
}

/// The name of an interface, padded with NULs, as in an ifreq (`netdevice(7)`).
pub(crate) type InterfaceName = [libc::c_char; libc::IFNAMSIZ];

/// Passes the name and the address of each interface with an IPv4 address to `each` (`SIOCGIFCONF`), once for each
/// address. Reads at most 256.
///
/// # Errors
/// Those of `ioctl(2)`.
pub(crate) fn ipv4_interfaces(socket: &Socket, mut each: impl FnMut(InterfaceName, Ipv4Addr)) -> io::Result<()> {
    const MAX_INTERFACES: usize = 256;
    let mut requests: Vec<MaybeUninit<libc::ifreq>> = Vec::new();
    requests.try_reserve_exact(MAX_INTERFACES).map_err(|_| io::Error::from_raw_os_error(libc::ENOMEM))?;
    requests.resize_with(MAX_INTERFACES, MaybeUninit::zeroed);
    let capacity = MAX_INTERFACES * mem::size_of::<libc::ifreq>();
    // SAFETY: all zeroes are a valid ifconf.
    let mut list: libc::ifconf = unsafe { mem::zeroed() };
    list.ifc_len = c_int::try_from(capacity).unwrap_or(0);
    list.ifc_ifcu.ifcu_req = requests.as_mut_ptr().cast();
    // SAFETY: `list` holds the address and the size of the memory that the kernel may fill.
    if unsafe { libc::ioctl(socket.as_raw_fd(), libc::SIOCGIFCONF as _, &raw mut list) } != 0 {
        return Err(io::Error::last_os_error());
    }
    let count = usize::try_from(list.ifc_len).unwrap_or(0) / mem::size_of::<libc::ifreq>();
    for request in requests.iter().take(count) {
        // SAFETY: it was initialised with zeroes, which are a valid ifreq, and then filled by the kernel.
        let request = unsafe { request.assume_init_ref() };
        each(request.ifr_name, ipv4_of(request));
    }
    Ok(())
}

/// A property of an interface that a `SIOCGIF…` request reads.
pub(crate) enum InterfaceProperty {
    /// `SIOCGIFINDEX`.
    Index,
    /// `SIOCGIFFLAGS`.
    Flags,
    /// `SIOCGIFNETMASK`, of this address of the interface.
    Netmask(Ipv4Addr),
    /// `SIOCGIFDSTADDR`, of this address of the interface: the address of the peer. If the address has no peer, it is the
    /// address itself.
    Destination(Ipv4Addr),
}

/// Reads one property of an interface as a number. A netmask and an address are in host byte order.
///
/// # Errors
/// Those of `ioctl(2)`.
pub(crate) fn interface_property(
    socket: &Socket,
    name: InterfaceName,
    property: &InterfaceProperty,
) -> io::Result<c_int> {
    // SAFETY: all zeroes are a valid ifreq.
    let mut request: libc::ifreq = unsafe { mem::zeroed() };
    request.ifr_name = name;
    let number: c_ulong = match *property {
        InterfaceProperty::Index => libc::SIOCGIFINDEX as _,
        InterfaceProperty::Flags => libc::SIOCGIFFLAGS as _,
        InterfaceProperty::Netmask(ip) => {
            set_ipv4(&mut request, ip);
            libc::SIOCGIFNETMASK as _
        }
        InterfaceProperty::Destination(ip) => {
            set_ipv4(&mut request, ip);
            libc::SIOCGIFDSTADDR as _
        }
    };
    // SAFETY: these requests read the name and the address in the ifreq, and write to the ifreq only.
    if unsafe { libc::ioctl(socket.as_raw_fd(), number as _, &raw mut request) } != 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(match property {
        // SAFETY: SIOCGIFINDEX filled this member of the union.
        InterfaceProperty::Index => unsafe { request.ifr_ifru.ifru_ifindex },
        // SAFETY: SIOCGIFFLAGS filled this member of the union.
        InterfaceProperty::Flags => c_int::from(unsafe { request.ifr_ifru.ifru_flags }),
        InterfaceProperty::Netmask(_) | InterfaceProperty::Destination(_) => {
            c_int::from_ne_bytes(ipv4_of(&request).to_bits().to_ne_bytes())
        }
    })
}

/// Selects one of several addresses with the same label: without this, the kernel describes the first of them.
fn set_ipv4(request: &mut libc::ifreq, ip: Ipv4Addr) {
    let [a, b, c, d] = ip.octets().map(|octet| libc::c_char::from_ne_bytes([octet]));
    let sa_family = libc::sa_family_t::try_from(libc::AF_INET).unwrap_or_default();
    let mut address = libc::sockaddr { sa_family, sa_data: [0; 14] };
    if let Some(place) = address.sa_data.get_mut(2..6) {
        place.copy_from_slice(&[a, b, c, d]);
    }
    request.ifr_ifru.ifru_addr = address;
}

/// The IPv4 address in an ifreq that contains a socket address.
fn ipv4_of(request: &libc::ifreq) -> Ipv4Addr {
    // SAFETY: the requests before each call fill this member of the union, and any octets are valid in it.
    let [_, _, a, b, c, d, ..] = unsafe { request.ifr_ifru.ifru_addr.sa_data };
    Ipv4Addr::from([a, b, c, d].map(|octet| u8::from_ne_bytes(octet.to_ne_bytes())))
}

#[cfg(test)]
pub(crate) mod tests {
    use std::sync::atomic::{AtomicI32, Ordering};

    use super::*;
    use socket2::{Domain, Type};

    /// The same socket on a descriptor of 500 or above, which no other test in this process uses.
    pub(crate) fn set_apart(socket: &Socket) -> Socket {
        // Ten apart, so that no test receives a descriptor that another has closed.
        static FIRST: AtomicI32 = AtomicI32::new(500);
        let first = FIRST.fetch_add(10, Ordering::Relaxed);
        // SAFETY: F_DUPFD_CLOEXEC touches no memory. The descriptor is new, and nothing else owns it.
        unsafe { Socket::from_raw_fd(libc::fcntl(socket.as_raw_fd(), libc::F_DUPFD_CLOEXEC, first)) }
    }

    /// Runs `test` in a thread without root's file access.
    pub(crate) fn without_privileges<T: Send>(test: impl FnOnce() -> T + Send) -> T {
        const NOBODY: libc::uid_t = 65534;
        let run = || {
            // SAFETY: touches no memory. Changes this thread alone, and fails for an ordinary user.
            unsafe { libc::setfsuid(NOBODY) };
            test()
        };
        std::thread::scope(|scope| scope.spawn(run).join().unwrap())
    }

    /// Makes the descriptor `number` refer to `file`, as if the host process had closed it and opened another file.
    pub(crate) fn replace(number: RawFd, file: &impl AsRawFd) {
        // SAFETY: dup2 touches no memory, and the test owns the file that it closes.
        assert_eq!(unsafe { libc::dup2(file.as_raw_fd(), number) }, number);
    }

    pub(crate) fn close(number: RawFd) {
        // SAFETY: close touches no memory, and the test owns the file.
        assert_eq!(unsafe { libc::close(number) }, 0);
    }

    pub(crate) fn is_open(number: RawFd) -> bool {
        // SAFETY: F_GETFD touches no memory.
        unsafe { libc::fcntl(number, libc::F_GETFD) >= 0 }
    }

    /// Sends a signal to this thread, which blocks it.
    pub(crate) fn raise_blocked() {
        // SAFETY: touches no memory, and no handler runs.
        assert_eq!(unsafe { libc::raise(libc::SIGUSR1) }, 0);
    }

    /// Takes the signal of [`raise_blocked`].
    pub(crate) fn take_blocked() {
        let (mut signal, mut set) = (0, MaybeUninit::uninit());
        // SAFETY: sigemptyset initialises the set that the others use. The signal is pending.
        unsafe {
            libc::sigemptyset(set.as_mut_ptr());
            libc::sigaddset(set.as_mut_ptr(), libc::SIGUSR1);
            assert_eq!(libc::sigwait(set.as_ptr(), &raw mut signal), 0);
        }
    }

    /// A new file of `eventfd(2)`.
    pub(crate) fn event_counter() -> OwnedFd {
        // SAFETY: the descriptor is new, and nothing else owns it.
        unsafe { OwnedFd::from_raw_fd(libc::eventfd(0, libc::EFD_CLOEXEC)) }
    }

    /// True if the pattern matches according to the C library's `fnmatch(3)`.
    pub(crate) fn fnmatch(pattern: &CStr, name: &CStr) -> bool {
        // SAFETY: both strings end in NUL.
        unsafe { libc::fnmatch(pattern.as_ptr(), name.as_ptr(), libc::FNM_NOESCAPE) == 0 }
    }

    #[test]
    fn random_octets_differ() {
        let (mut one, mut other) = ([0; 16], [0; 16]);
        assert!(random(&mut one) && random(&mut other));
        assert_ne!(one, other);
        assert_eq!(random_at_start(), random_at_start());
        assert_ne!(random_at_start(), [0; 16]);
    }

    #[test]
    fn the_machine_has_a_host_name() {
        let mut buffer = [0xff; 65];
        let name = host_name(&mut buffer);
        assert!(!name.is_empty() && !name.contains(&0));
    }

    #[test]
    fn files_differ_in_their_ids_and_descriptors_of_one_file_do_not() {
        let (one, other) = Socket::pair(Domain::UNIX, Type::STREAM, None).unwrap();
        let again = one.try_clone().unwrap();
        assert_eq!(file_id(&one).unwrap(), file_id(&again).unwrap());
        assert_ne!(file_id(&one).unwrap(), file_id(&other).unwrap());
        let number = set_apart(&one).as_raw_fd();
        assert_eq!(file_id(&number).unwrap_err().raw_os_error(), Some(libc::EBADF));
    }

    /// 32-bit times end in January 2038.
    #[test]
    fn files_of_any_date_have_stamps() {
        let path = std::env::temp_dir().join(format!("nss-mdns-date-{}", std::process::id()));
        let text = std::ffi::CString::new(path.to_str().unwrap()).unwrap();
        let file = File::create(&path).unwrap();
        for seconds in [0, 1 << 30, i32::MAX.unsigned_abs().into(), 1 << 31, 4_000_000_000] {
            file.set_modified(std::time::UNIX_EPOCH + Duration::from_secs(seconds)).unwrap();
            let stamp = stamp(&text).unwrap();
            assert_eq!(stamp.0.modified, (i64::try_from(seconds).unwrap(), 0));
            assert_eq!(open(&text).unwrap().1, stamp);
            assert!(file_id(&file).is_ok());
        }
        std::fs::remove_file(&path).unwrap();
    }

    #[test]
    fn descriptors_are_compared_with_the_limit() {
        let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
        // SAFETY: the pointer is to a valid rlimit.
        assert_eq!(unsafe { libc::getrlimit(libc::RLIMIT_NOFILE, &raw mut limit) }, 0);
        assert!(is_descriptor_allowed(0) && is_descriptor_allowed(3));
        assert!(!is_descriptor_allowed(-1));
        if let Some(limit) = RawFd::try_from(limit.rlim_cur).ok().filter(|&limit| limit < 4096) {
            assert!(is_descriptor_allowed(limit - 1) && !is_descriptor_allowed(limit));
        }
    }

    #[test]
    fn a_descriptor_above_2_is_kept() {
        let socket = Socket::new(Domain::IPV4, Type::DGRAM, None).unwrap();
        let before = socket.as_raw_fd();
        assert_eq!(above_stdio(socket).unwrap().as_raw_fd(), before);
    }
}
