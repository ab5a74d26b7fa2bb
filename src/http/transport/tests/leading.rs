//! A lease that ends between the door of a call and its first byte.

use std::net::SocketAddr;

use futures::{FutureExt as _, future};
use reqwest::dns::{Addrs, Name, Resolve, Resolving};

use super::{
    KEY, NAME, UNANSWERED, client, failure_of, over,
    peer::{self, FINE},
    session_under, write,
};
use crate::{
    clock::Moment,
    leadership::{Leadership, Post, Term},
};

/// DNS that answers when the process does not lead any more.
struct Late {
    address: SocketAddr,
    post: Post,
}

impl Resolve for Late {
    fn resolve(&self, _name: Name) -> Resolving {
        self.post.send_replace(None);
        let addresses: Addrs = Box::new([self.address].into_iter());
        future::ready(Ok(addresses)).boxed()
    }
}

/// Cases: L-07
#[tokio::test(start_paused = true)]
async fn a_request_that_has_no_connection_when_the_lease_ends_is_not_sent() {
    let (address, seen) = peer::answering(FINE).await;
    let (post, leadership) = Leadership::elected();
    post.send_replace(Some(Term {
        epoch: Some(1),
        began: Moment::now(),
        until: None,
        is_inherited: false,
    }));
    let transport = over(client().dns_resolver(Late { address, post }));
    let base = format!("http://{NAME}:{}", address.port());
    let session = session_under(leadership, &transport, &base, KEY);
    // It waits for another term as long as for an answer.
    assert_eq!(failure_of(write(&session).await), UNANSWERED);
    assert_eq!(seen.bytes(), b"");
}
