//! By what a process shows on its own machine which instance it is: whoever sees a connection of a process that it has
//! started knows whose that is.

use std::os::unix::net::UnixDatagram;

/// What the names of signs begin with.
const PREFIX: &str = "phasegate/";

/// Shown as long as this value is kept, and to no other machine. Nothing is ever sent to it, and what this process starts
/// does not inherit it.
#[derive(Debug)]
pub struct Sign {
    _socket: Option<UnixDatagram>,
}

impl Sign {
    /// Of a lease that no database knows.
    #[cfg(feature = "test")]
    pub(crate) const fn none() -> Self {
        Self { _socket: None }
    }

    /// Shows that this process, and what it starts, is the instance that calls its sessions so. Where that cannot be shown,
    /// its sessions are accounted for in another way, or not.
    #[must_use]
    pub fn put_up(session_name: &str) -> Self {
        let name = format!("{PREFIX}{session_name}/{}", std::process::id());
        Self {
            _socket: bind(&name),
        }
    }
}

#[cfg(target_os = "linux")]
fn bind(name: &str) -> Option<UnixDatagram> {
    use std::os::linux::net::SocketAddrExt as _;
    use std::os::unix::net::SocketAddr;
    let address = SocketAddr::from_abstract_name(name).ok()?;
    UnixDatagram::bind_addr(&address).ok()
}

#[cfg(not(target_os = "linux"))]
fn bind(_name: &str) -> Option<UnixDatagram> {
    None
}

/// The name of the sessions in a line of `/proc/net/unix`, and the number of the socket; none of another one.
#[cfg_attr(
    not(target_os = "linux"),
    allow(dead_code, reason = "nobody looks there")
)]
pub(super) fn read(line: &str) -> Option<(u64, &str)> {
    let mut fields = line.split_ascii_whitespace();
    let number = fields.nth(6)?.parse().ok()?;
    let name = fields.next()?.strip_prefix('@')?.strip_prefix(PREFIX)?;
    let (name, _process) = name.rsplit_once('/')?;
    Some((number, name))
}

/// A process is one instance in practice and shows one sign; tests share theirs, so those that put one up take turns, and so do
/// those that split a process off, which would hold it as well.
#[cfg(test)]
pub(crate) static ONE_SIGN: std::sync::Mutex<()> = std::sync::Mutex::new(());

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signs_are_told_from_other_sockets() {
        let line = "0000000000000000: 00000002 00000000 00000000 0002 01 40512 @phasegate/lease:web/1.2.0/web-1/4711";
        assert_eq!(read(line), Some((40512, "lease:web/1.2.0/web-1")));
        for other in [
            "Num       RefCount Protocol Flags    Type St Inode Path",
            "0000000000000000: 00000002 00000000 00000000 0002 01 40512",
            "0000000000000000: 00000002 00000000 00000000 0002 01 40512 /run/phasegate/lease:web/1.2.0/web-1/4711",
            "0000000000000000: 00000002 00000000 00000000 0002 01 40512 @phasegate/4711",
        ] {
            assert_eq!(read(other), None, "{other}");
        }
    }
}
