//! A line to the API server that can be cut.

use std::net::SocketAddr;
use std::sync::Arc;

use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// Passes connections on until it is cut.
#[derive(Debug)]
pub(crate) struct Line {
    /// Where it begins.
    pub(crate) address: SocketAddr,
    state: Arc<watch::Sender<State>>,
    task: JoinHandle<()>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct State {
    open: bool,
    /// How often it was cut.
    cuts: u32,
}

impl Line {
    /// Opens a line to a server.
    pub(crate) async fn to(server: SocketAddr) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let state = Arc::new(watch::Sender::new(State {
            open: true,
            cuts: 0,
        }));
        let task = tokio::spawn(serve(listener, server, Arc::clone(&state)));
        Self {
            address,
            state,
            task,
        }
    }

    /// Breaks all connections; new ones are possible.
    pub(crate) fn interrupt(&self) {
        self.state.send_modify(|state| state.cuts += 1);
    }

    /// Breaks all connections and lets none through.
    pub(crate) fn cut(&self) {
        self.state.send_modify(|state| {
            *state = State {
                open: false,
                cuts: state.cuts + 1,
            }
        });
    }

    /// Lets connections through again.
    pub(crate) fn mend(&self) {
        self.state.send_modify(|state| state.open = true);
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn serve(listener: TcpListener, server: SocketAddr, state: Arc<watch::Sender<State>>) {
    while let Ok((mut near, _)) = listener.accept().await {
        let mut state = state.subscribe();
        let State { open, cuts } = *state.borrow();
        if !open {
            continue; // accepted and closed at once
        }
        tokio::spawn(async move {
            let Ok(mut far) = TcpStream::connect(server).await else {
                return;
            };
            tokio::select! {
                _ = copy_bidirectional(&mut near, &mut far) => {}
                _ = state.wait_for(|state| state.cuts > cuts) => {}
            }
        });
    }
}
