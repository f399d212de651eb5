//! Which process of this machine is at the other end of a database session.
//!
//! A server names a client by its address and its port. Where the client is on this machine, and we may look, the kernel
//! tells whose port that is, and what has started that process. Nothing is guessed: what does not show stays open.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use super::sign;

/// What stands behind a session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Behind {
    /// Processes of an instance, which calls its sessions so.
    Instance(String),
    /// Processes of this machine that belong to no instance.
    Stranger,
    /// Nothing that can be seen from here.
    Unknown,
}

/// One end of a connection, as the server sees it; an empty address is that of the server's own machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct End {
    pub address: String,
    pub port: u16,
}

/// What stands behind each of these clients of the server at this port. `own` is a connection of this process to it, none
/// where that is a local socket: if it is not found here, the server sees others than this machine does (a tunnel, a
/// gateway, a container), and its ports say nothing.
#[must_use]
pub fn behind(own: Option<&End>, server: u16, clients: &[End]) -> Vec<Behind> {
    look(own, server, clients).unwrap_or_else(|| vec![Behind::Unknown; clients.len()])
}

#[cfg(not(target_os = "linux"))]
fn look(_own: Option<&End>, _server: u16, _clients: &[End]) -> Option<Vec<Behind>> {
    None
}

#[cfg(target_os = "linux")]
fn look(own: Option<&End>, server: u16, clients: &[End]) -> Option<Vec<Behind>> {
    let text = |path: &str| std::fs::read_to_string(path).unwrap_or_default();
    let tables = [text("/proc/net/tcp"), text("/proc/net/tcp6")];
    let mut sockets = Vec::new();
    for table in &tables {
        sockets.extend(table.lines().filter_map(Socket::read));
    }
    let own = own.map(|own| numbers(&sockets, own, server));
    let wanted: Vec<BTreeSet<u64>> = clients
        .iter()
        .map(|client| numbers(&sockets, client, server))
        .collect();
    let listed = text("/proc/net/unix");
    let signs: BTreeMap<u64, &str> = listed.lines().filter_map(sign::read).collect();
    let processes = Processes::look(|number| {
        signs.contains_key(&number)
            || wanted
                .iter()
                .chain(&own)
                .any(|numbers| numbers.contains(&number))
    })?;
    if let Some(own) = own
        && !own.iter().any(|number| {
            processes
                .holders(*number)
                .any(|holder| holder == std::process::id())
        })
    {
        return None;
    }
    let answers = wanted.iter().map(|numbers| {
        let holders: BTreeSet<u32> = numbers
            .iter()
            .flat_map(|number| processes.holders(*number))
            .collect();
        let mut instances = BTreeSet::new();
        for holder in &holders {
            match processes.instance(*holder, &signs) {
                Behind::Instance(name) => instances.insert(name),
                other => return other,
            };
        }
        // Several share a connection only where one has started the other.
        match (instances.pop_first(), instances.is_empty()) {
            (Some(name), true) => Behind::Instance(name),
            _ => Behind::Unknown,
        }
    });
    Some(answers.collect())
}

/// The numbers of the sockets at this end of a connection to the server.
#[cfg_attr(
    not(target_os = "linux"),
    allow(dead_code, reason = "nobody looks there")
)]
fn numbers(sockets: &[Socket], end: &End, server: u16) -> BTreeSet<u64> {
    let address: Option<IpAddr> = end.address.parse().ok();
    let fits = |socket: &&Socket| {
        socket.port == end.port
            && socket.peer == server
            && match address {
                Some(address) => socket.address == address.to_canonical(),
                None => end.address.is_empty() && socket.address.is_loopback(),
            }
    };
    sockets
        .iter()
        .filter(fits)
        .map(|socket| socket.number)
        .collect()
}

/// A TCP socket of this machine.
#[derive(Debug, PartialEq, Eq)]
struct Socket {
    address: IpAddr,
    port: u16,
    /// The port at the other end.
    peer: u16,
    number: u64,
}

impl Socket {
    /// A line of `/proc/net/tcp` or `/proc/net/tcp6`.
    #[cfg_attr(
        not(target_os = "linux"),
        allow(dead_code, reason = "nobody looks there")
    )]
    fn read(line: &str) -> Option<Self> {
        let mut fields = line.split_ascii_whitespace().skip(1);
        let (address, port) = fields.next()?.split_once(':')?;
        let (_, peer) = fields.next()?.split_once(':')?;
        let number = fields.nth(6)?.parse().ok()?;
        Some(Self {
            address: address_of(address)?,
            port: u16::from_str_radix(port, 16).ok()?,
            peer: u16::from_str_radix(peer, 16).ok()?,
            number,
        })
    }
}

/// An address as the kernel writes it: words of four bytes, each in the order of the machine.
#[cfg_attr(
    not(target_os = "linux"),
    allow(dead_code, reason = "nobody looks there")
)]
fn address_of(hex: &str) -> Option<IpAddr> {
    let mut bytes = Vec::with_capacity(16);
    let mut rest = hex;
    while !rest.is_empty() {
        let (word, after) = rest.split_at_checked(8)?;
        bytes.extend(u32::from_str_radix(word, 16).ok()?.to_ne_bytes());
        rest = after;
    }
    if let Ok(four) = <[u8; 4]>::try_from(bytes.as_slice()) {
        return Some(IpAddr::from(four));
    }
    let sixteen = <[u8; 16]>::try_from(bytes.as_slice()).ok()?;
    Some(IpAddr::from(sixteen).to_canonical())
}

/// The processes of this machine, with those of their sockets that somebody wants to know of.
#[cfg(target_os = "linux")]
struct Processes {
    sockets: BTreeMap<u32, BTreeSet<u64>>,
    /// Whose descriptors we may not see.
    closed: BTreeSet<u32>,
}

#[cfg(target_os = "linux")]
impl Processes {
    fn look(is_wanted: impl Fn(u64) -> bool) -> Option<Self> {
        let mut found = Self {
            sockets: BTreeMap::new(),
            closed: BTreeSet::new(),
        };
        for entry in std::fs::read_dir("/proc").ok()?.flatten() {
            let name = entry.file_name();
            let Some(process) = name.to_str().and_then(|name| name.parse().ok()) else {
                continue;
            };
            let Ok(open) = std::fs::read_dir(entry.path().join("fd")) else {
                found.closed.insert(process);
                continue;
            };
            let links = open
                .flatten()
                .filter_map(|file| std::fs::read_link(file.path()).ok());
            let numbers = links.filter_map(|link| {
                let number = link.to_str()?.strip_prefix("socket:[")?.strip_suffix(']')?;
                number.parse().ok().filter(|number| is_wanted(*number))
            });
            found.sockets.insert(process, numbers.collect());
        }
        Some(found)
    }

    fn holders(&self, number: u64) -> impl Iterator<Item = u32> {
        let holding = self.sockets.iter();
        holding
            .filter(move |(_, numbers)| numbers.contains(&number))
            .map(|(process, _)| *process)
    }

    /// The instance that a process is, or was started by.
    fn instance(&self, process: u32, signs: &BTreeMap<u64, &str>) -> Behind {
        /// The first process of a machine has started no instance: a guard is the child of its agent.
        const FIRST: u32 = 1;
        const DEEPEST: usize = 1000;
        let mut at = process;
        let mut is_open = true;
        for _ in 0..DEEPEST {
            let numbers = self.sockets.get(&at).into_iter().flatten();
            let mut names = numbers.filter_map(|number| signs.get(number));
            if let Some(name) = names.next() {
                return Behind::Instance((*name).to_owned());
            }
            is_open &= !self.closed.contains(&at) || at == FIRST;
            match parent(at) {
                Some(0) if is_open => return Behind::Stranger,
                Some(parent) if parent != 0 => at = parent,
                _ => return Behind::Unknown,
            }
        }
        Behind::Unknown
    }
}

/// Who has started a process, or has adopted it since; 0 of the first one.
#[cfg(target_os = "linux")]
fn parent(process: u32) -> Option<u32> {
    let stat = std::fs::read(format!("/proc/{process}/stat")).ok()?;
    let stat = String::from_utf8_lossy(&stat);
    // The name may itself hold parentheses and spaces: the last one ends it.
    let (_, after) = stat.rsplit_once(')')?;
    after.split_ascii_whitespace().nth(1)?.parse().ok()
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use std::net::{TcpListener, TcpStream};
    use std::sync::PoisonError;

    use super::super::{ONE_SIGN, Sign};
    use super::*;

    fn ends(stream: &TcpStream) -> (End, u16) {
        let local = stream.local_addr().unwrap();
        let end = End {
            address: local.ip().to_string(),
            port: local.port(),
        };
        (end, stream.peer_addr().unwrap().port())
    }

    #[test]
    fn addresses_are_read_as_the_kernel_writes_them() {
        assert_eq!(address_of(&hex(&[127, 0, 0, 1])), "127.0.0.1".parse().ok());
        let mapped = [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 255, 255, 10, 0, 0, 7];
        assert_eq!(address_of(&hex(&mapped)), "10.0.0.7".parse().ok());
        for wrong in ["", "0100007", "0100007F0100007F", "é100007F"] {
            assert_eq!(address_of(wrong), None, "{wrong}");
        }
    }

    fn hex(bytes: &[u8]) -> String {
        let words = bytes.chunks(4);
        words
            .map(|word| format!("{:08X}", u32::from_ne_bytes(word.try_into().unwrap())))
            .collect()
    }

    /// What has no sign is a stranger, and what has one is its instance; what the server sees elsewhere stays open.
    #[test]
    fn a_connection_leads_to_a_process_and_to_its_sign() {
        let _alone = ONE_SIGN.lock().unwrap_or_else(PoisonError::into_inner);
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let stream = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (end, server) = ends(&stream);
        let other = End {
            port: 1,
            ..end.clone()
        };
        let clients = [end.clone(), other.clone()];
        let unseen = [Behind::Unknown, Behind::Unknown];
        assert_eq!(behind(Some(&other), server, &clients), unseen);
        assert_eq!(behind(Some(&end), server + 1, &clients), unseen);
        {
            let _sign = Sign::put_up("lease:web/1.2.0/web-1");
            let [first, second] = behind(Some(&end), server, &clients).try_into().unwrap();
            assert_eq!(first, Behind::Instance("lease:web/1.2.0/web-1".into()));
            assert_eq!(second, Behind::Unknown);
        }
        // Where not all of those above it can be seen, it stays open.
        let after = behind(None, server, &clients);
        assert!(
            after
                .iter()
                .all(|behind| !matches!(behind, Behind::Instance(_))),
            "{after:?}"
        );
    }
}
