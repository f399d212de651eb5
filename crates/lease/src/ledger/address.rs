//! Where a client comes from, as the server sees it.

use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::time::Duration;

use super::{Ledger, LedgerError, first};

/// Whether an address that the server sees is one of this machine, and not that of a pooler, a proxy or a gateway between.
///
/// A socket can be bound to no other, and nothing is sent. What is shared with others (loopback) is nobody's own. A name is no
/// address: see [`Ledger::find_out_where_from`].
pub(super) fn is_own(address: &str) -> bool {
    address.parse().is_ok_and(is_own_address)
}

fn is_own_address(address: IpAddr) -> bool {
    !address.is_loopback()
        && !address.is_unspecified()
        && UdpSocket::bind(SocketAddr::new(address, 0)).is_ok()
}

/// Whether a name that leads to these addresses is that of this machine alone: one that leads elsewhere as well is shared.
fn is_own_name(addresses: &[IpAddr], is_own: impl Fn(IpAddr) -> bool) -> bool {
    // What a machine calls itself may lead to itself by loopback.
    let mut outward = addresses
        .iter()
        .filter(|address| !address.is_loopback())
        .peekable();
    outward.peek().is_some() && outward.all(|address| is_own(*address))
}

/// The addresses that a name leads to, as far as that is told in time.
async fn look_up(name: &str) -> Vec<IpAddr> {
    const PATIENCE: Duration = Duration::from_secs(2);
    let looking = tokio::net::lookup_host((name, 0));
    match tokio::time::timeout(PATIENCE, looking).await {
        Ok(Ok(found)) => found.map(|address| address.ip()).collect(),
        Ok(Err(error)) => {
            tracing::debug!("`{name}`, as the server calls this machine, leads nowhere: {error}");
            Vec::new()
        }
        Err(_) => Vec::new(),
    }
}

impl Ledger<'_> {
    /// Finds out whether the server calls this machine by a name that is its own. It takes its time, and so comes before
    /// anything is locked.
    ///
    /// # Errors
    /// A database error.
    pub async fn find_out_where_from(&mut self) -> Result<(), LedgerError> {
        if !self.capabilities().looks_names_up {
            return Ok(());
        }
        let rows = self.query("SELECT {client_address}", &[]).await?;
        let name = first(&rows)?.text(0)?;
        if !name.is_empty() && name.parse::<IpAddr>().is_err() {
            let addresses = look_up(name).await;
            self.own_name = is_own_name(&addresses, is_own_address).then(|| name.to_owned());
        }
        Ok(())
    }

    /// Whether what the server calls the client is this machine.
    pub(super) fn is_from_here(&self, address: &str) -> bool {
        is_own(address) || self.own_name.as_deref() == Some(address)
    }
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

    #[test]
    fn a_name_is_of_this_machine_where_it_leads_nowhere_else() {
        let here: IpAddr = "192.0.2.7".parse().unwrap();
        let here_too: IpAddr = "2001:db8::7".parse().unwrap();
        let elsewhere: IpAddr = "192.0.2.8".parse().unwrap();
        let loopback: IpAddr = "127.0.1.1".parse().unwrap();
        let is_own = |address| address == here || address == here_too;
        for (addresses, own) in [
            (&[here][..], true),
            (&[here, here_too], true),
            (&[loopback, here], true),
            // Several machines share it, or a gateway has it.
            (&[here, elsewhere], false),
            (&[elsewhere], false),
            (&[loopback], false),
            (&[], false),
        ] {
            assert_eq!(is_own_name(addresses, is_own), own, "{addresses:?}");
        }
    }
}
