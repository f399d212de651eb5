//! The servers that a URL names: one, or several of which the first that serves is taken.

use std::fmt;
use std::net::Ipv6Addr;

use super::percent::{ENCODE, decoded};

/// One server.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Host {
    /// A name or an address, or the path of a socket or of its directory.
    pub name: Option<String>,
    pub port: Option<u16>,
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = self.name.as_deref().unwrap_or_default();
        if name.contains(':') {
            write!(f, "[{name}]")?;
        } else {
            f.write_str(name)?;
        }
        match self.port {
            Some(port) => write!(f, ":{port}"),
            None => Ok(()),
        }
    }
}

/// Names and ports, as far as they are read; a parameter takes the place of what stands before it.
pub(super) struct Hosts {
    pub names: Vec<Option<String>>,
    pub ports: Vec<Option<u16>>,
}

impl Hosts {
    /// `HOST:PORT,HOST:PORT`; a percent-encoded path is a socket.
    ///
    /// # Errors
    /// Why it cannot be read; repeats nothing of it.
    pub(super) fn read(place: &str) -> Result<Self, String> {
        let each: Result<Vec<Host>, String> = place.split(',').map(read_place).collect();
        let (names, ports) = each?.into_iter().map(|host| (host.name, host.port)).unzip();
        Ok(Self { names, ports })
    }

    /// Each name with its port. One port is that of all.
    ///
    /// # Errors
    /// More of the one than of the other.
    pub(super) fn listed(self) -> Result<Vec<Host>, String> {
        let (names, ports) = (self.names.len(), self.ports.len());
        let ports = match self.ports.as_slice() {
            all if all.iter().all(Option::is_none) => vec![None; names],
            [port] => vec![*port; names],
            all if all.len() == names => self.ports,
            _ => {
                return Err(format!(
                    "the URL names {names} hosts and {ports} ports: name one port for all of them, or one for each"
                ));
            }
        };
        let each = self.names.into_iter().zip(ports);
        Ok(each.map(|(name, port)| Host { name, port }).collect())
    }
}

/// What the parameter of hosts says.
///
/// # Errors
/// As [`Hosts::read`].
pub(super) fn names(value: &str) -> Result<Vec<Option<String>>, String> {
    let each = value.split(',').map(|name| match name {
        "" => Ok(None),
        name => checked_host(name).map(Some),
    });
    each.collect()
}

/// What the parameter of ports says.
///
/// # Errors
/// As [`Hosts::read`].
pub(super) fn ports(value: &str) -> Result<Vec<Option<u16>>, String> {
    let each = value.split(',').map(|port| match port.trim() {
        "" => Ok(None),
        port => read_port(port).map(Some),
    });
    each.collect()
}

fn read_place(place: &str) -> Result<Host, String> {
    let (host, port) = if let Some(rest) = place.strip_prefix('[') {
        let Some((address, port)) = rest.split_once(']') else {
            return Err(ADDRESS.to_owned());
        };
        let scopeless = address.split('%').next().unwrap_or_default();
        if scopeless.parse::<Ipv6Addr>().is_err() {
            return Err(ADDRESS.to_owned());
        }
        let port = match port.strip_prefix(':') {
            None if port.is_empty() => None,
            None => return Err(ADDRESS.to_owned()),
            port => port,
        };
        let address = decoded(address).ok_or_else(|| ADDRESS.to_owned())?;
        return Ok(Host {
            name: Some(address),
            port: port
                .filter(|port| !port.is_empty())
                .map(read_port)
                .transpose()?,
        });
    } else {
        match place.split_once(':') {
            None => (place, None),
            Some((_, port)) if port.contains(':') => return Err(ADDRESS.to_owned()),
            Some((host, port)) => (host, Some(port).filter(|port| !port.is_empty())),
        }
    };
    let host = decoded(host).ok_or_else(|| BAD_HOST.to_owned())?;
    let name = if host.is_empty() {
        None
    } else {
        Some(checked_host(&host)?)
    };
    Ok(Host {
        name,
        port: port.map(read_port).transpose()?,
    })
}

const ADDRESS: &str = "an IPv6 address is written in brackets, `[::1]:5432`; and in a password `:` as %3A, `[` as %5B";
const BAD_HOST: &str = "its host has a character that no host has; in user and password write `/` as %2F, `?` as %3F, `#` as \
                        %23, `@` as %40, and the path of a socket as `?host=/var/run/postgresql` or `?socket=/run/mysqld/mysqld.sock`";

/// Nothing but names and addresses may get as far as the DNS.
fn checked_host(host: &str) -> Result<String, String> {
    let is_name = |host: &str| {
        let is_part = |c: char| c.is_alphanumeric() || matches!(c, '.' | '-' | '_');
        host.chars().all(is_part)
    };
    let is_address = host
        .split('%')
        .next()
        .is_some_and(|host| host.parse::<Ipv6Addr>().is_ok());
    if host.starts_with('/') || is_name(host) || is_address {
        Ok(host.to_owned())
    } else {
        Err(BAD_HOST.to_owned())
    }
}

fn read_port(text: &str) -> Result<u16, String> {
    let port = text.parse::<u16>().ok().filter(|port| *port > 0);
    port.ok_or_else(|| format!("its port is no number from 1 to 65535; {ENCODE}"))
}
