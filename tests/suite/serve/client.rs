//! A server that a test started, and a client that does what it is told.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};

use serde_json::Value;

use crate::support::project::{Output, Process, Project, Signal};
use crate::support::wait::{GENEROUS, eventually};

pub struct Server {
    pub process: Process,
    pub address: SocketAddr,
}

/// An answer, as it came.
pub struct Answer {
    pub status: u16,
    pub head: String,
    pub body: String,
}

impl Answer {
    #[track_caller]
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {}", self.body))
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        let lines = self.head.lines().filter_map(|line| line.split_once(": "));
        let mut found = lines.filter(|(known, _)| known.eq_ignore_ascii_case(name));
        found.next().map(|(_, value)| value)
    }
}

impl Server {
    #[track_caller]
    pub fn start(project: &Project, arguments: &[&str]) -> Self {
        let listen: &[&str] = if arguments.contains(&"--listen") {
            &[]
        } else {
            &["--listen", "127.0.0.1:0"]
        };
        let arguments = [&["serve"], listen, arguments].concat();
        let mut process = project.spawn(&arguments);
        let line = process.wait_for_line("listening on ", GENEROUS);
        let (_, rest) = line.split_once("://").expect("an address");
        let address = rest.trim().trim_end_matches('/');
        let address: SocketAddr = address.parse().expect("an address");
        Self {
            process,
            address: SocketAddr::from(([127, 0, 0, 1], address.port())),
        }
    }

    /// A connection on which nothing was said yet.
    pub fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(self.address).expect("it listens");
        let limit = Some(GENEROUS);
        stream.set_read_timeout(limit).expect("a limit");
        stream
    }

    #[track_caller]
    pub fn get(&self, path: &str) -> Answer {
        self.ask("GET", path, "", "")
    }

    #[track_caller]
    pub fn get_with(&self, path: &str, headers: &str) -> Answer {
        self.ask("GET", path, headers, "")
    }

    #[track_caller]
    pub fn post(&self, path: &str, body: &str) -> Answer {
        self.ask("POST", path, "", body)
    }

    #[track_caller]
    fn ask(&self, method: &str, path: &str, headers: &str, body: &str) -> Answer {
        let mut stream = self.connect();
        let host = match headers.contains("Host:") {
            true => String::new(),
            false => format!("Host: {}\r\n", self.address),
        };
        let length = body.len();
        let request = format!(
            "{method} {path} HTTP/1.1\r\n{host}{headers}Content-Length: {length}\r\nConnection: close\r\n\r\n{body}"
        );
        // A server that has heard enough may have closed.
        let _ = stream.write_all(request.as_bytes());
        read(&mut stream)
    }

    /// Asks until the answer contains this text, and answers it.
    #[track_caller]
    pub fn eventually(&self, path: &str, text: &str) -> String {
        eventually(GENEROUS, || {
            let body = self.get(path).body;
            body.contains(text).then_some(body)
        })
    }

    /// Ends it as whoever started it would.
    #[track_caller]
    pub fn stop(self) -> Output {
        self.process.signal(Signal::TERM);
        self.process.wait().expect_code(0)
    }
}

#[track_caller]
pub fn read(stream: &mut TcpStream) -> Answer {
    let mut bytes = Vec::new();
    // What came before a connection was reset is an answer.
    let _ = stream.read_to_end(&mut bytes);
    let text = String::from_utf8(bytes).expect("an answer in UTF-8");
    let (head, body) = text.split_once("\r\n\r\n").unwrap_or((&text, ""));
    let status = head
        .split(' ')
        .nth(1)
        .and_then(|status| status.parse().ok());
    Answer {
        status: status.unwrap_or(0),
        head: head.to_owned(),
        body: body.to_owned(),
    }
}

/// Without what is different each time.
pub fn without_ages(mut json: Value) -> Value {
    json["checked_at"] = Value::Null;
    for list in ["sources", "fleet", "blockers"] {
        for row in json[list].as_array_mut().into_iter().flatten() {
            for field in ["age_ms", "seen_at"] {
                row[field] = Value::Null;
            }
        }
    }
    for migration in json["migrations"].as_array_mut().into_iter().flatten() {
        for blocker in migration["next"]["blockers"]
            .as_array_mut()
            .into_iter()
            .flatten()
        {
            blocker["seen_at"] = Value::Null;
        }
    }
    json
}
