//! Sessions that others have open.

/// A session that somebody else has open.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Session {
    pub id: i64,
    /// As the application called itself; may be empty.
    pub application: String,
    pub user: String,
    /// Where the client is, as the server sees it; empty on the same machine, `None` if we may not see it.
    pub address: Option<String>,
    /// The port of the client, where it came over the network.
    pub port: Option<u16>,
    /// When it began, in milliseconds since the epoch, where the database tells.
    pub since: Option<i64>,
    /// When the server was started, where it does not tell that.
    pub server_since: Option<i64>,
    pub whose: Whose,
    pub reach: Reach,
}

/// The connection of a session of ours as the server sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wire {
    /// Address and port of this client; none over a local socket.
    pub client: Option<(String, u16)>,
    /// The port of the server, where it says so.
    pub server: Option<u16>,
}

impl Wire {
    pub(super) fn read(address: Option<&str>, client: Option<i64>, server: Option<i64>) -> Self {
        let port = |number: Option<i64>| number.and_then(|number| u16::try_from(number).ok());
        Self {
            client: address.map(ToOwned::to_owned).zip(port(client)),
            server: port(server),
        }
    }
}

/// Whose a session is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Whose {
    #[default]
    Others,
    /// Of this program: of this process or another one.
    Ours,
}

/// How a session comes to the tables of this database. A server may have several, and a statement may name one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Reach {
    /// It is in this database.
    #[default]
    Within,
    /// It is in another one, or in none, and its user has rights in this one.
    Granted { database: Option<String> },
    /// As before, and what rights its user has cannot be seen.
    Unseen { database: Option<String> },
}
