//! What lies between two hosts, and can be cut.

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::Duration;

/// Passes on what comes to its address, as long as it is not told otherwise.
pub(crate) struct Proxy {
    pub(crate) address: SocketAddr,
    state: Arc<Mutex<State>>,
    thread: Option<JoinHandle<()>>,
}

struct State {
    to: SocketAddr,
    listener: Option<TcpListener>,
    ways: Vec<Way>,
    is_cut: bool,
    is_over: bool,
}

/// One direction of a connection.
struct Way {
    from: TcpStream,
    to: TcpStream,
    /// What has come and not gone.
    bytes: Vec<u8>,
}

impl Proxy {
    pub(crate) fn to(to: SocketAddr) -> Proxy {
        let listener = listen("127.0.0.1:0".parse().unwrap());
        let address = listener.local_addr().unwrap();
        let listener = Some(listener);
        let state = State { to, listener, ways: Vec::new(), is_cut: false, is_over: false };
        let state = Arc::new(Mutex::new(state));
        let thread = thread::spawn({
            let state = state.clone();
            move || {
                loop {
                    let mut state = state.lock().unwrap();
                    if state.is_over {
                        return;
                    }
                    let moved = state.pass_on();
                    drop(state);
                    thread::sleep(Duration::from_millis(if moved { 0 } else { 1 }));
                }
            }
        });
        Proxy { address, state, thread: Some(thread) }
    }

    /// Whether nothing passes: connections stay, and are silent.
    pub(crate) fn cut(&self, is_cut: bool) {
        self.state.lock().unwrap().is_cut = is_cut;
    }

    /// Whether new connections are refused.
    pub(crate) fn refuse(&self, refuses: bool) {
        let listener = (!refuses).then(|| listen(self.address));
        self.state.lock().unwrap().listener = listener;
    }

    /// Closes all connections.
    pub(crate) fn sever(&self) {
        for way in self.state.lock().unwrap().ways.drain(..) {
            let _ = way.to.shutdown(Shutdown::Both);
        }
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        if let Ok(mut state) = self.state.lock() {
            state.is_over = true;
        }
        let _ = self.thread.take().map(JoinHandle::join);
    }
}

fn listen(at: SocketAddr) -> TcpListener {
    let listener = TcpListener::bind(at).unwrap();
    listener.set_nonblocking(true).unwrap();
    listener
}

impl State {
    /// Passes on what there is, and does nothing if that is cut; whether there was any.
    fn pass_on(&mut self) -> bool {
        if self.is_cut {
            return false;
        }
        let accepted = self.listener.as_ref().and_then(|listener| listener.accept().ok());
        if let Some((from, _)) = accepted
            && let Ok(to) = TcpStream::connect(self.to)
        {
            for (from, to) in [(&from, &to), (&to, &from)] {
                let [from, to] = [from, to].map(|socket| socket.try_clone().unwrap());
                from.set_nonblocking(true).unwrap();
                self.ways.push(Way { from, to, bytes: Vec::new() });
            }
        }
        let mut moved = false;
        self.ways.retain_mut(|way| way.pass_on(&mut moved));
        moved
    }
}

impl Way {
    /// Whether it goes on.
    fn pass_on(&mut self, moved: &mut bool) -> bool {
        let mut buffer = [0; 64 << 10];
        if self.bytes.is_empty() {
            match self.from.read(&mut buffer) {
                Ok(0) => {
                    let _ = self.to.shutdown(Shutdown::Write);
                    return false;
                }
                Ok(n) => self.bytes.extend_from_slice(&buffer[..n]),
                Err(error) if error.kind() == ErrorKind::WouldBlock => return true,
                Err(_) => {
                    let _ = self.to.shutdown(Shutdown::Both);
                    return false;
                }
            }
        }
        *moved = true;
        match self.to.write(&self.bytes) {
            Ok(n) => drop(self.bytes.drain(..n)),
            Err(error) if error.kind() == ErrorKind::WouldBlock => {}
            Err(_) => return false,
        }
        true
    }
}
