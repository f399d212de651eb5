//! An HTTP client that hides nothing: no retries, and whatever is not a whole answer is an error.

use std::io::{BufRead as _, BufReader, Error, ErrorKind, Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

/// Far longer than any answer takes, so that a server that hangs is an error and not a hanging test.
const PATIENCE: Duration = Duration::from_secs(30);

pub struct Client {
    address: String,
    /// Kept from request to request, as browsers do.
    connection: Option<BufReader<TcpStream>>,
}

pub struct Answer {
    pub status: u16,
    pub body: String,
}

enum Length {
    Bytes(usize),
    Chunks,
}

impl Client {
    pub fn new(address: &str) -> Self {
        Self {
            address: address.to_owned(),
            connection: None,
        }
    }

    /// Sends a request and reads the whole answer. `part` is called with each part of its body that comes by itself.
    pub fn request(
        &mut self,
        method: &str,
        path: &str,
        body: &str,
        part: &mut dyn FnMut(&str),
    ) -> Result<Answer, Error> {
        let mut connection = match self.connection.take() {
            Some(connection) => connection,
            None => {
                let stream = TcpStream::connect(&self.address)?;
                stream.set_nodelay(true)?;
                stream.set_read_timeout(Some(PATIENCE))?;
                BufReader::new(stream)
            }
        };
        let request = format!(
            "{method} {path} HTTP/1.1\r\nHost: shop\r\nContent-Type: application/json\r\n\
             Content-Length: {}\r\n\r\n{body}",
            body.len()
        );
        connection.get_mut().write_all(request.as_bytes())?;
        let answer = read(&mut connection, part)?;
        self.connection = Some(connection);
        Ok(answer)
    }
}

fn read(
    connection: &mut BufReader<TcpStream>,
    part: &mut dyn FnMut(&str),
) -> Result<Answer, Error> {
    let first = line(connection)?;
    let status = first.split(' ').nth(1).and_then(|code| code.parse().ok());
    let status = status.ok_or_else(|| broken(&format!("no status in {first:?}")))?;
    let mut length = Length::Bytes(0);
    loop {
        let header = line(connection)?.to_ascii_lowercase();
        match header.split_once(": ") {
            None => break,
            Some(("content-length", bytes)) => {
                length = Length::Bytes(bytes.parse().map_err(|_| broken(&header))?);
            }
            Some(("transfer-encoding", "chunked")) => length = Length::Chunks,
            Some(_) => {}
        }
    }
    let body = match length {
        Length::Bytes(bytes) => exactly(connection, bytes)?,
        Length::Chunks => chunks(connection, part)?,
    };
    Ok(Answer { status, body })
}

fn chunks(
    connection: &mut BufReader<TcpStream>,
    part: &mut dyn FnMut(&str),
) -> Result<String, Error> {
    let mut body = String::new();
    loop {
        let size = line(connection)?;
        let bytes = usize::from_str_radix(&size, 16).map_err(|_| broken(&size))?;
        let chunk = exactly(connection, bytes)?;
        line(connection)?;
        if bytes == 0 {
            return Ok(body);
        }
        part(&chunk);
        body.push_str(&chunk);
    }
}

fn exactly(connection: &mut BufReader<TcpStream>, bytes: usize) -> Result<String, Error> {
    let mut body = vec![0; bytes];
    connection.read_exact(&mut body)?;
    String::from_utf8(body).map_err(|_| broken("a body that is no text"))
}

fn line(connection: &mut BufReader<TcpStream>) -> Result<String, Error> {
    let mut line = String::new();
    connection.read_line(&mut line)?;
    match line.strip_suffix("\r\n") {
        Some(text) => Ok(text.to_owned()),
        None => Err(Error::new(
            ErrorKind::UnexpectedEof,
            "the connection was closed in the middle of an answer",
        )),
    }
}

fn broken(what: &str) -> Error {
    Error::new(ErrorKind::InvalidData, what.to_owned())
}
