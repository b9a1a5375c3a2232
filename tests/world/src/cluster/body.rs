//! Bodies of replies: whole, or with everything that can be wrong with a body.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use tokio::time::{Sleep, sleep};

use super::wire::WireError;

/// One piece of a huge body.
const PIECE: &[u8] = &[b' '; 64 * 1024];

/// The body of a reply from a simulated JobManager.
#[derive(Debug)]
pub struct FlinkBody(Form);

#[derive(Debug)]
enum Form {
    Whole(Option<Bytes>),
    /// White space without end, as far as any reader will follow.
    Huge {
        left: u64,
    },
    /// One byte at a time.
    Dripping {
        rest: Bytes,
        pause: Duration,
        wait: Pin<Box<Sleep>>,
    },
    /// The connection breaks after this.
    Truncated(Option<Bytes>),
    /// Nothing ever comes.
    Silent,
}

impl FlinkBody {
    pub(super) fn whole(bytes: Bytes) -> Self {
        Self(Form::Whole(Some(bytes)))
    }

    pub(super) fn huge(length: u64) -> Self {
        Self(Form::Huge { left: length })
    }

    pub(super) fn dripping(bytes: Bytes, pause: Duration) -> Self {
        Self(Form::Dripping {
            rest: bytes,
            pause,
            wait: Box::pin(sleep(pause)),
        })
    }

    pub(super) fn truncated(bytes: &Bytes) -> Self {
        Self(Form::Truncated(Some(bytes.slice(..bytes.len() / 2))))
    }

    pub(super) fn silent() -> Self {
        Self(Form::Silent)
    }
}

impl Body for FlinkBody {
    type Data = Bytes;
    type Error = WireError;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, WireError>>> {
        let frame = match &mut self.get_mut().0 {
            Form::Whole(bytes) => bytes.take().map(|bytes| Ok(Frame::data(bytes))),
            Form::Huge { left: 0 } => None,
            Form::Huge { left } => {
                let piece = usize::try_from(*left)
                    .unwrap_or(PIECE.len())
                    .min(PIECE.len());
                *left -= piece as u64;
                Some(Ok(Frame::data(Bytes::from_static(&PIECE[..piece]))))
            }
            Form::Dripping { rest, .. } if rest.is_empty() => None,
            Form::Dripping { rest, pause, wait } => {
                if wait.as_mut().poll(context).is_pending() {
                    return Poll::Pending;
                }
                *wait = Box::pin(sleep(*pause));
                Some(Ok(Frame::data(rest.split_to(1))))
            }
            Form::Truncated(bytes) => Some(
                bytes
                    .take()
                    .map_or(Err(WireError::Closed), |bytes| Ok(Frame::data(bytes))),
            ),
            // A reader that waits here is woken by its own deadline.
            Form::Silent => return Poll::Pending,
        };
        Poll::Ready(frame)
    }

    fn size_hint(&self) -> SizeHint {
        match &self.0 {
            Form::Whole(bytes) => {
                SizeHint::with_exact(bytes.as_ref().map_or(0, |bytes| bytes.len() as u64))
            }
            Form::Huge { .. } | Form::Dripping { .. } | Form::Truncated(_) | Form::Silent => {
                SizeHint::default()
            }
        }
    }
}
