//! By what a process shows on its own machine which instance it is: whoever sees a connection of a process that it has
//! started knows whose that is.

use std::collections::HashMap;
use std::os::unix::net::UnixDatagram;
use std::sync::{Arc, Mutex, PoisonError, Weak};

/// What the names of signs begin with.
const PREFIX: &str = "phasegate/";

/// Shown as long as this value is kept, and to no other machine. Nothing is ever sent to it, and what this process starts
/// does not inherit it.
#[derive(Debug)]
pub struct Sign {
    _socket: Option<Arc<UnixDatagram>>,
}

/// What this process shows. An instance that is known in several databases has one name in all of them, which the kernel gives
/// to one socket only: its leases share that, and it stays until the last of them is released.
static SHOWN: Mutex<Option<HashMap<String, Weak<UnixDatagram>>>> = Mutex::new(None);

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
        let mut shown = SHOWN.lock().unwrap_or_else(PoisonError::into_inner);
        let shown = shown.get_or_insert_default();
        shown.retain(|_, socket| socket.strong_count() > 0);
        let socket = shown.get(&name).and_then(Weak::upgrade).or_else(|| {
            let socket = Arc::new(bind(&name)?);
            shown.insert(name, Arc::downgrade(&socket));
            Some(socket)
        });
        Self { _socket: socket }
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

    #[cfg(target_os = "linux")]
    #[test]
    fn leases_of_one_name_share_a_sign_until_the_last_is_released() {
        let _alone = ONE_SIGN.lock().unwrap_or_else(PoisonError::into_inner);
        let name = "lease:shared/1.2.0/one";
        let ours = format!("@{PREFIX}{name}/{}", std::process::id());
        // The kernel tells of its sockets in pieces, between which others come and go: only what several looks agree on holds.
        let is_shown = || {
            (0..50).any(|_| {
                let sockets = std::fs::read_to_string("/proc/net/unix").unwrap_or_default();
                sockets.lines().any(|line| line.ends_with(&ours))
            })
        };
        let (first, second) = (Sign::put_up(name), Sign::put_up(name));
        drop(first);
        assert!(is_shown());
        drop(second);
        assert!(!is_shown());
        let again = Sign::put_up(name);
        assert!(is_shown());
        drop(again);
    }

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
