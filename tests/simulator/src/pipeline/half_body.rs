//! A body that announces its whole length, gives the first half and then fails, as on a connection lost in between.

use std::{
    pin::Pin,
    task::{Context, Poll},
};

use axum::body::{Body, Bytes, HttpBody};
use hyper::body::{Frame, SizeHint};

use crate::fault::ConnectionCut;

#[derive(Debug)]
pub(super) struct HalfBody {
    first: Option<Bytes>,
    announced: u64,
    /// Whether the server had a turn to send what it has: it throws that away on an error right behind it.
    flushed: bool,
}

impl HalfBody {
    pub(super) fn of(whole: &Bytes) -> Body {
        let first = whole.slice(..whole.len() / 2);
        Body::new(Self {
            first: Some(first).filter(|bytes| !bytes.is_empty()),
            // At least one byte is missing, also of an empty body.
            announced: u64::try_from(whole.len()).unwrap_or(u64::MAX).max(1),
            flushed: false,
        })
    }
}

impl HttpBody for HalfBody {
    type Data = Bytes;
    type Error = ConnectionCut;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, ConnectionCut>>> {
        if let Some(first) = self.first.take() {
            return Poll::Ready(Some(Ok(Frame::data(first))));
        }
        if !self.flushed {
            self.flushed = true;
            context.waker().wake_by_ref();
            return Poll::Pending;
        }
        Poll::Ready(Some(Err(ConnectionCut)))
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.announced)
    }
}
