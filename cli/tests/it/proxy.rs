//! A way to a server that can be cut and mended, as a network can.

use std::io;
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, PoisonError};

/// Forwards connections to a server for as long as it is not cut. Its threads end with the process.
pub(crate) struct Proxy {
    address: SocketAddr,
    way: Arc<Mutex<Way>>,
}

/// Whether connections go through, and those that do.
struct Way {
    is_cut: bool,
    streams: Vec<TcpStream>,
}

impl Proxy {
    /// A way to the server at `endpoint`, an URL with a host and a port.
    pub(crate) fn to(endpoint: &str) -> Self {
        let server = endpoint.strip_prefix("http://").expect("the servers speak plain HTTP");
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port is free");
        let address = listener.local_addr().expect("it has an address");
        let way = Arc::new(Mutex::new(Way { is_cut: false, streams: Vec::new() }));
        let (server, shared) = (server.to_owned(), Arc::clone(&way));
        std::thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                // A client that is not served sees its connection end, as from a dead server.
                let _ = forward(client, &server, &shared);
            }
        });
        Self { address, way }
    }

    pub(crate) fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Ends all connections and lets no new one through.
    pub(crate) fn cut(&self) {
        let mut way = self.way.lock().unwrap_or_else(PoisonError::into_inner);
        way.is_cut = true;
        for stream in way.streams.drain(..) {
            // One end may have closed it already.
            let _ = stream.shutdown(Shutdown::Both);
        }
    }

    /// Lets connections through again.
    pub(crate) fn mend(&self) {
        self.way.lock().unwrap_or_else(PoisonError::into_inner).is_cut = false;
    }
}

fn forward(client: TcpStream, server: &str, way: &Mutex<Way>) -> io::Result<()> {
    let mut way = way.lock().unwrap_or_else(PoisonError::into_inner);
    if way.is_cut {
        return Ok(());
    }
    let upstream = TcpStream::connect(server)?;
    for (mut from, mut to) in
        [(client.try_clone()?, upstream.try_clone()?), (upstream.try_clone()?, client.try_clone()?)]
    {
        std::thread::spawn(move || {
            let _ = io::copy(&mut from, &mut to);
            let _ = to.shutdown(Shutdown::Write);
        });
    }
    way.streams.extend([client, upstream]);
    Ok(())
}
