//! Where a client comes from, as the server sees it.

use std::net::{IpAddr, SocketAddr, UdpSocket};

/// Whether an address that the server sees is one of this machine, and not that of a pooler, a proxy or a gateway between.
///
/// A socket can be bound to no other, and nothing is sent. What is shared with others (loopback) is nobody's own. A name is
/// taken for no address: servers that look names up may find one for several machines.
pub(super) fn is_own(address: &str) -> bool {
    let Ok(address) = address.parse::<IpAddr>() else {
        return false;
    };
    !address.is_loopback()
        && !address.is_unspecified()
        && UdpSocket::bind(SocketAddr::new(address, 0)).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loopback_and_what_is_elsewhere_are_nobodys_own() {
        // 192.0.2.0/24 is reserved for documentation.
        for address in [
            "",
            "localhost",
            "127.0.0.1",
            "::1",
            "0.0.0.0",
            "192.0.2.7",
            "server-1",
        ] {
            assert!(!is_own(address), "{address}");
        }
    }
}
