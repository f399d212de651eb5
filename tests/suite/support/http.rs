//! A small HTTP(S) server in the process of the tests: what it answers is said by a function.

use std::collections::BTreeMap;
use std::io::{BufReader, Read, Write};
use std::net::TcpListener;
use std::path::PathBuf;
use std::process::Command;
use std::sync::Arc;
use std::sync::mpsc::channel;
use std::thread;
use std::time::Duration;

use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

/// What was asked.
#[derive(Clone, Debug, Default)]
pub struct Request {
    pub method: String,
    pub path: String,
    pub query: BTreeMap<String, String>,
    /// By their names in lower case.
    pub headers: BTreeMap<String, String>,
    pub body: String,
    /// The same as it came.
    pub bytes: Vec<u8>,
}

/// What is answered.
#[derive(Clone, Debug)]
pub struct Answer {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub body: String,
    /// How long it takes.
    pub after: Duration,
}

impl Answer {
    pub fn json(status: u16, body: &serde_json::Value) -> Self {
        Self::text(status, &body.to_string())
    }

    pub fn text(status: u16, body: &str) -> Self {
        Self {
            status,
            headers: Vec::new(),
            body: body.to_owned(),
            after: Duration::ZERO,
        }
    }

    pub fn with(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    pub fn after(mut self, after: Duration) -> Self {
        self.after = after;
        self
    }
}

pub type Handler = Arc<dyn Fn(&Request) -> Answer + Send + Sync>;

/// Starts one and gives its address, `http://127.0.0.1:PORT`. It ends with the process.
pub fn serve(tls: Option<&Authority>, handler: Handler) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("an address");
    let config = tls.map(Authority::config);
    let scheme = if tls.is_some() { "https" } else { "http" };
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let (handler, config) = (handler.clone(), config.clone());
            thread::spawn(move || match config {
                None => converse(stream, &handler),
                Some(config) => {
                    let Ok(session) = rustls::ServerConnection::new(config) else {
                        return;
                    };
                    converse(rustls::StreamOwned::new(session, stream), &handler);
                }
            });
        }
    });
    format!("{scheme}://{address}")
}

fn converse(stream: impl Read + Write, handler: &Handler) {
    let mut stream = BufReader::new(stream);
    // Whoever goes away while it is spoken to is no failure of the server.
    while let Some(request) = read(&mut stream) {
        let answer = handler(&request);
        if !answer.after.is_zero() {
            // A slow server, on purpose: nobody ever says anything here.
            let (_keep, never) = channel::<()>();
            let _ = never.recv_timeout(answer.after);
        }
        let mut text = format!(
            "HTTP/1.1 {} -\r\ncontent-type: application/json\r\ncontent-length: {}\r\n",
            answer.status,
            answer.body.len()
        );
        for (name, value) in &answer.headers {
            text.push_str(&format!("{name}: {value}\r\n"));
        }
        text.push_str("\r\n");
        text.push_str(&answer.body);
        let to = stream.get_mut();
        if to.write_all(text.as_bytes()).is_err() || to.flush().is_err() {
            return;
        }
    }
}

fn read(stream: &mut impl std::io::BufRead) -> Option<Request> {
    let mut line = String::new();
    if stream.read_line(&mut line).ok()? == 0 {
        return None;
    }
    let mut words = line.split_whitespace();
    let mut request = Request {
        method: words.next()?.to_owned(),
        ..Request::default()
    };
    let target = words.next()?;
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    request.path = decoded(path);
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        request.query.insert(decoded(name), decoded(value));
    }
    loop {
        let mut line = String::new();
        stream.read_line(&mut line).ok()?;
        let Some((name, value)) = line.trim_end().split_once(':') else {
            break;
        };
        let value = value.trim().to_owned();
        request.headers.insert(name.to_ascii_lowercase(), value);
    }
    let length = request.headers.get("content-length");
    let length = length.and_then(|length| length.parse().ok()).unwrap_or(0);
    let mut body = vec![0; length];
    stream.read_exact(&mut body).ok()?;
    request.body = String::from_utf8_lossy(&body).into_owned();
    request.bytes = body;
    Some(request)
}

fn decoded(text: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        if byte == b'%' {
            let digits: Vec<u8> = rest.by_ref().take(2).collect();
            let digits = String::from_utf8_lossy(&digits).into_owned();
            bytes.push(u8::from_str_radix(&digits, 16).expect("two digits"));
        } else {
            bytes.push(byte);
        }
    }
    String::from_utf8(bytes).expect("UTF-8")
}

/// An authority, and a certificate for this machine that it has signed.
pub struct Authority {
    directory: tempfile::TempDir,
}

impl Authority {
    pub fn new() -> Self {
        const KEY: &str = "-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes";
        let made = Self {
            directory: tempfile::tempdir().expect("a directory"),
        };
        made.openssl(&format!(
            "req -x509 {KEY} -keyout ca.key -out ca.pem -days 10 -subj /CN=ours"
        ));
        let names = "subjectAltName=DNS:localhost,IP:127.0.0.1\n";
        std::fs::write(made.path("names"), names).expect("a file");
        made.openssl(&format!(
            "req {KEY} -keyout server.key -out request -subj /CN=server"
        ));
        made.openssl(
            "x509 -req -in request -CA ca.pem -CAkey ca.key -CAcreateserial -out server.pem -days 10 -extfile names",
        );
        made
    }

    fn openssl(&self, arguments: &str) {
        let output = Command::new("openssl")
            .args(arguments.split_whitespace())
            .current_dir(self.directory.path())
            .output()
            .expect("openssl runs");
        assert!(output.status.success(), "openssl {arguments}: {output:?}");
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// The certificate of the authority itself.
    pub fn certificate(&self) -> PathBuf {
        self.path("ca.pem")
    }

    fn config(&self) -> Arc<rustls::ServerConfig> {
        let read =
            |name: &str| CertificateDer::from_pem_file(self.path(name)).expect("a certificate");
        let key = PrivateKeyDer::from_pem_file(self.path("server.key")).expect("a key");
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = rustls::ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .expect("protocol versions")
            .with_no_client_auth()
            .with_single_cert(vec![read("server.pem")], key)
            .expect("they belong together");
        Arc::new(config)
    }
}
