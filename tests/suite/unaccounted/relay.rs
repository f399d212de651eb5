//! Clients at other addresses of this machine, as a server sees them: what comes to a relay goes on from its address.

use std::net::{IpAddr, SocketAddr, UdpSocket};

use tokio::net::{TcpListener, TcpSocket};

use crate::support::connection::block_on;

/// Passes connections on to a server, from one address. Ends with the tests.
pub struct Relay {
    pub port: u16,
}

impl Relay {
    pub fn start(from: IpAddr, to: u16) -> Self {
        block_on(async {
            let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
            let port = listener.local_addr().expect("an address").port();
            tokio::spawn(async move {
                while let Ok((mut client, _)) = listener.accept().await {
                    tokio::spawn(async move {
                        let socket = TcpSocket::new_v4().expect("a socket");
                        socket
                            .bind(SocketAddr::new(from, 0))
                            .expect("an address of this machine");
                        let server = SocketAddr::from(([127, 0, 0, 1], to));
                        // Either end may go at any time.
                        if let Ok(mut server) = socket.connect(server).await {
                            let _ = tokio::io::copy_bidirectional(&mut client, &mut server).await;
                        }
                    });
                }
            });
            Self { port }
        })
    }
}

/// An address of this machine that is not loopback.
#[track_caller]
pub fn own_address() -> IpAddr {
    // Nothing is sent: the kernel only says from where it would be.
    let socket = UdpSocket::bind("0.0.0.0:0").expect("a socket");
    socket
        .connect("198.51.100.1:9")
        .expect("this machine has an address beside 127.0.0.1");
    socket.local_addr().expect("an address").ip()
}
