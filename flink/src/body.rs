//! What is sent: nothing, a small text, or a file.

use std::io;
use std::path::Path;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Bytes, BytesMut};
use http_body::{Body, Frame, SizeHint};
use tokio::fs::File;
use tokio::io::{AsyncRead, ReadBuf};

use crate::permit::{Denied, Permit};

/// Says why a request's body ended before its end.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BodyError {
    /// The permit did not hold when the connection was ready; nothing was written.
    #[error("not sent: {0}")]
    Denied(Denied),
    /// The file could not be read on, or changed its size meanwhile; a part was written.
    #[error("the file could not be sent: {0}")]
    File(String),
}

/// The body of a request.
///
/// It asks its permit when its first byte is taken: a connection writes nothing before it has one.
#[derive(Debug)]
pub struct RequestBody {
    permit: Option<Permit>,
    before: Bytes,
    file: Option<FilePart>,
    after: Bytes,
}

#[derive(Debug)]
struct FilePart {
    file: File,
    left: u64,
}

impl RequestBody {
    /// Makes the body of a call that reads.
    pub(crate) fn empty() -> Self {
        Self {
            permit: None,
            before: Bytes::new(),
            file: None,
            after: Bytes::new(),
        }
    }

    /// Makes a small body; it must not be empty, for an empty one is never asked for.
    pub(crate) fn text(text: impl Into<Bytes>, permit: Permit) -> Self {
        let before = text.into();
        debug_assert!(!before.is_empty(), "an empty body would pass its permit by");
        Self {
            permit: Some(permit),
            before,
            file: None,
            after: Bytes::new(),
        }
    }

    /// Makes a body of a file between two texts.
    pub(crate) async fn file(
        before: impl Into<Bytes>,
        path: &Path,
        after: impl Into<Bytes>,
        permit: Permit,
    ) -> io::Result<Self> {
        let file = File::open(path).await?;
        let meta = file.metadata().await?;
        if !meta.is_file() {
            return Err(io::Error::new(
                io::ErrorKind::InvalidInput,
                "not a regular file",
            ));
        }
        let part = FilePart {
            file,
            left: meta.len(),
        };
        Ok(Self {
            permit: Some(permit),
            before: before.into(),
            file: Some(part),
            after: after.into(),
        })
    }
}

/// How much of a file is read at once.
const CHUNK: usize = 64 * 1024;

impl FilePart {
    /// Reads the next chunk; `None` once the announced length was read.
    fn poll_chunk(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<Bytes>, BodyError>> {
        if self.left == 0 {
            return Poll::Ready(Ok(None));
        }
        let wanted = usize::try_from(self.left).unwrap_or(CHUNK).min(CHUNK);
        let mut chunk = BytesMut::zeroed(wanted);
        let mut buffer = ReadBuf::new(&mut chunk);
        let read = ready!(Pin::new(&mut self.file).poll_read(cx, &mut buffer));
        let filled = buffer.filled().len();
        Poll::Ready(match read {
            Err(error) => Err(BodyError::File(error.kind().to_string())),
            Ok(()) if filled == 0 => Err(BodyError::File("it became shorter".to_owned())),
            Ok(()) => {
                chunk.truncate(filled);
                self.left -= filled as u64;
                Ok(Some(chunk.freeze()))
            }
        })
    }
}

impl Body for RequestBody {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        if let Some(permit) = self.permit.take()
            && let Err(denied) = permit.check()
        {
            return Poll::Ready(Some(Err(BodyError::Denied(denied))));
        }
        if !self.before.is_empty() {
            let before = std::mem::take(&mut self.before);
            return Poll::Ready(Some(Ok(Frame::data(before))));
        }
        if let Some(file) = &mut self.file {
            match ready!(file.poll_chunk(cx)) {
                Ok(Some(chunk)) => return Poll::Ready(Some(Ok(Frame::data(chunk)))),
                Ok(None) => self.file = None,
                Err(error) => return Poll::Ready(Some(Err(error))),
            }
        }
        if self.after.is_empty() {
            return Poll::Ready(None);
        }
        let after = std::mem::take(&mut self.after);
        Poll::Ready(Some(Ok(Frame::data(after))))
    }

    fn is_end_stream(&self) -> bool {
        self.before.is_empty() && self.file.is_none() && self.after.is_empty()
    }

    fn size_hint(&self) -> SizeHint {
        let texts = self.before.len() as u64 + self.after.len() as u64;
        SizeHint::with_exact(texts + self.file.as_ref().map_or(0, |file| file.left))
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::sync::Arc;
    use std::time::{Duration, SystemTime};

    use http_body_util::BodyExt;

    use super::*;
    use crate::permit::SystemClock;

    fn permit(answer: Result<(), Denied>) -> Permit {
        let not_after = SystemTime::now() + Duration::from_secs(60);
        Permit::until(Arc::new(SystemClock), not_after, move || answer)
    }

    async fn sent(body: RequestBody) -> Result<Vec<u8>, BodyError> {
        let announced = body.size_hint().exact();
        let bytes = body.collect().await?.to_bytes();
        assert_eq!(announced, Some(bytes.len() as u64));
        Ok(bytes.to_vec())
    }

    #[tokio::test]
    async fn the_permit_is_asked_when_the_body_is_taken() {
        let allowed = RequestBody::text("{}", permit(Ok(())));
        assert_eq!(sent(allowed).await.unwrap(), b"{}");
        let denied = RequestBody::text("{}", permit(Err(Denied::NotLeader)));
        assert_eq!(
            sent(denied).await,
            Err(BodyError::Denied(Denied::NotLeader))
        );
    }

    #[tokio::test]
    async fn a_file_is_sent_between_its_texts() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let content = vec![7; CHUNK * 2 + 5];
        std::fs::write(file.path(), &content).unwrap();
        let body = RequestBody::file("<", file.path(), ">", permit(Ok(())))
            .await
            .unwrap();
        let bytes = sent(body).await.unwrap();
        assert_eq!((bytes[0], bytes[bytes.len() - 1]), (b'<', b'>'));
        assert_eq!(bytes[1..bytes.len() - 1], content);
    }

    #[tokio::test]
    async fn a_file_that_shrinks_ends_the_body_with_an_error() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), [7; 100]).unwrap();
        let body = RequestBody::file("<", file.path(), ">", permit(Ok(())))
            .await
            .unwrap();
        std::fs::write(file.path(), [7; 10]).unwrap();
        assert!(matches!(body.collect().await, Err(BodyError::File(_))));
    }

    #[tokio::test]
    async fn a_directory_is_no_file() {
        let directory = tempfile::tempdir().unwrap();
        let body = RequestBody::file("<", directory.path(), ">", permit(Ok(()))).await;
        assert!(body.is_err());
    }
}
