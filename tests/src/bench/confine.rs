//! Seccomp filters that kill the process at a system call that the measured call must not make.

use std::io;

/// Loads the number of the system call, which is the first field of `struct seccomp_data`.
const LOAD: (u32, u8, u8, u32) = (libc::BPF_LD | libc::BPF_W | libc::BPF_ABS, 0, 0, 0);

/// Forbids system calls that open or use a socket.
pub(super) fn without_network() -> io::Result<()> {
    let forbidden = [
        libc::SYS_socket,
        libc::SYS_connect,
        libc::SYS_bind,
        libc::SYS_sendto,
        libc::SYS_sendmsg,
        libc::SYS_recvfrom,
        libc::SYS_recvmsg,
        libc::SYS_setsockopt,
        // Newer architectures have only the second one.
        #[cfg(not(any(target_arch = "aarch64", target_arch = "riscv64", target_arch = "loongarch64")))]
        libc::SYS_poll,
        libc::SYS_ppoll,
    ];
    install(&forbidden, libc::SECCOMP_RET_KILL_PROCESS, libc::SECCOMP_RET_ALLOW)
}

/// Forbids all system calls except those that print the result and end the process.
pub(super) fn without_system_calls() -> io::Result<()> {
    let allowed = [libc::SYS_write, libc::SYS_exit_group, libc::SYS_munmap, libc::SYS_sigaltstack, libc::SYS_brk];
    install(&allowed, libc::SECCOMP_RET_ALLOW, libc::SECCOMP_RET_KILL_PROCESS)
}

/// Installs a filter with the action `action` for these system calls, and `default` for all others.
fn install(calls: &[libc::c_long], action: u32, default: u32) -> io::Result<()> {
    let mut program = vec![LOAD];
    for &call in calls {
        let call = u32::try_from(call).unwrap_or(u32::MAX);
        program.push((libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K, 0, 1, call));
        program.push((libc::BPF_RET | libc::BPF_K, 0, 0, action));
    }
    program.push((libc::BPF_RET | libc::BPF_K, 0, 0, default));
    let mut filter: Vec<libc::sock_filter> = program
        .into_iter()
        .map(|(code, jt, jf, k)| libc::sock_filter { code: u16::try_from(code).unwrap_or(0), jt, jf, k })
        .collect();
    let length = u16::try_from(filter.len()).unwrap_or(0);
    let filter = libc::sock_fprog { len: length, filter: filter.as_mut_ptr() };
    // SAFETY: takes numbers. This allows an ordinary user to install a filter.
    let denied = unsafe { libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) };
    // SAFETY: the kernel copies the program during the call.
    let failed = unsafe { libc::prctl(libc::PR_SET_SECCOMP, libc::SECCOMP_MODE_FILTER, &raw const filter) };
    if denied == 0 && failed == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}
