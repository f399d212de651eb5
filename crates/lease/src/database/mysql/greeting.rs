//! How a server of MySQL's protocol wants the password, asked before it is told.
//!
//! The driver answers a greeting that names `mysql_clear_password` with the password as it is, whatever it was told about
//! that method: only a later switch to it is refused.

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::super::tls::clear_text;
use super::super::url::TlsMode;
use super::DatabaseError;
use crate::sql::Dialect;

const OFFERS_TLS: u32 = 0x0800;
const NAMES_METHOD: u32 = 0x0008_0000;
const CLEAR_TEXT: &[u8] = b"mysql_clear_password";
/// Much more than any greeting.
const LONGEST: usize = 16 * 1024;

/// What a greeting says.
#[derive(Debug, PartialEq, Eq)]
struct Greeting<'g> {
    offers_tls: bool,
    method: &'g [u8],
}

impl<'g> Greeting<'g> {
    /// `None` if it is no greeting of the protocol of today, such as an error.
    fn read(payload: &'g [u8]) -> Option<Self> {
        let rest = payload.strip_prefix(&[10])?;
        let end = rest.iter().position(|byte| *byte == 0)?;
        // The number of the session, the first part of the nonce, and a filler.
        let rest = rest.get(end + 1 + 4 + 8 + 1..)?;
        let (low, rest) = rest.split_first_chunk::<2>()?;
        // The character set and the state.
        let rest = rest.get(1 + 2..)?;
        let (high, rest) = rest.split_first_chunk::<2>()?;
        let capabilities =
            u32::from(u16::from_le_bytes(*low)) | u32::from(u16::from_le_bytes(*high)) << 16;
        let (nonce, rest) = rest.split_first()?;
        let second = usize::from(nonce.saturating_sub(8)).max(13);
        let method = rest.get(10 + second..).unwrap_or_default();
        let method = method.split(|byte| *byte == 0).next().unwrap_or_default();
        Some(Self {
            offers_tls: capabilities & OFFERS_TLS != 0,
            method: if capabilities & NAMES_METHOD == 0 {
                &[]
            } else {
                method
            },
        })
    }
}

/// Finds out how the server would ask for the password over a connection without TLS, and says nothing secret to it. Returns
/// the mode to log in with: where TLS is offered, nothing less will do.
pub(super) async fn greet(host: &str, port: u16, mode: TlsMode) -> Result<TlsMode, DatabaseError> {
    let failed = |error: std::io::Error| DatabaseError::unreachable(error.to_string());
    let mut stream = TcpStream::connect((host, port)).await.map_err(failed)?;
    let mut header = [0; 4];
    // What it refuses now it will refuse again, with words that the driver understands.
    if stream.read_exact(&mut header).await.is_err() {
        return Ok(mode);
    }
    let [low, middle, high, _] = header;
    let length = usize::from(low) | usize::from(middle) << 8 | usize::from(high) << 16;
    let mut payload = vec![0; length.min(LONGEST)];
    if stream.read_exact(&mut payload).await.is_err() {
        return Ok(mode);
    }
    let Some(greeting) = Greeting::read(&payload) else {
        return Ok(mode);
    };
    if mode == TlsMode::Prefer && greeting.offers_tls {
        leave(&mut stream).await;
        return Ok(TlsMode::Require);
    }
    if greeting.method == CLEAR_TEXT {
        return Err(clear_text(host, Dialect::Mysql));
    }
    leave(&mut stream).await;
    Ok(mode)
}

/// Logs in as nobody, and is refused: whoever only leaves is counted as a broken connection, and a server shuts out hosts that
/// make many of these.
async fn leave(stream: &mut TcpStream) {
    const CAPABILITIES: u32 = 0x0000_0001 | 0x0200 | 0x8000 | NAMES_METHOD;
    let mut nobody = CAPABILITIES.to_le_bytes().to_vec();
    nobody.extend_from_slice(&[0, 0, 0, 1, 45]);
    nobody.extend_from_slice(&[0; 23]);
    nobody.extend_from_slice(b"phasegate-asks\0\0mysql_native_password\0");
    let length = u8::try_from(nobody.len()).unwrap_or(u8::MAX);
    let packet = [&[length, 0, 0, 1], nobody.as_slice()].concat();
    // Nothing depends on the farewell.
    let _ = stream.write_all(&packet).await;
    let _ = stream.read(&mut [0; 512]).await;
}

#[cfg(test)]
mod tests {
    use super::*;

    fn greeting(capabilities: u32, method: &str) -> Vec<u8> {
        let [a, b, c, d] = capabilities.to_le_bytes();
        let mut made = b"\x0a10.11.0-MariaDB\0\x01\0\0\0abcdefgh\0".to_vec();
        made.extend_from_slice(&[a, b, 45, 2, 0, c, d, 21]);
        made.extend_from_slice(&[0; 10]);
        made.extend_from_slice(b"ijklmnopqrst\0");
        made.extend_from_slice(method.as_bytes());
        made.push(0);
        made
    }

    #[test]
    fn a_greeting_is_read_as_the_driver_reads_it() {
        let all = greeting(NAMES_METHOD | OFFERS_TLS, "mysql_clear_password");
        let read = Greeting::read(&all).unwrap();
        assert_eq!(
            read,
            Greeting {
                offers_tls: true,
                method: CLEAR_TEXT
            }
        );
        let plain = greeting(NAMES_METHOD, "mysql_native_password");
        let read = Greeting::read(&plain).unwrap();
        assert_eq!(
            read,
            Greeting {
                offers_tls: false,
                method: b"mysql_native_password"
            }
        );
        // Cut off anywhere, and not a greeting at all.
        for length in 0..plain.len() {
            let _ = Greeting::read(&plain[..length]);
        }
        assert_eq!(Greeting::read(b"\xff\x10\x04Too many connections"), None);
    }
}
