//! A client that one watch asks through. It waits before it asks anew where the API server wants it to, and where watches
//! end as soon as they begin: kube opens such a one again at once.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use axum::body::Body as Answered;
use futures::{StreamExt, stream};
use http::{Request, Response, header::RETRY_AFTER};
use kube::{Client, client::Body};
use tokio::time::{Instant, sleep};
use tower::service_fn;

use crate::{clock::jittered, telemetry::Health};

/// A watch that ends sooner than this has hardly begun. One that something on the way ends every second is none.
const SHORT: Duration = Duration::from_millis(900);
/// The waits after watches that were short: they double from the first one, as long as each is short.
const FIRST_WAIT: Duration = Duration::from_millis(500);
const LONGEST_WAIT: Duration = Duration::from_secs(10);
/// So many in a row are told.
const MANY: u32 = 3;
/// The longest wait that the API server can ask for.
const LONGEST_ASKED: Duration = Duration::from_mins(5);
/// How often `/readyz` is told that a wait goes on: what it is not told again it forgets.
const TELL_AGAIN: Duration = Duration::from_secs(20);

/// The client, which tells in `/readyz` and the log under the name of the watch.
pub(super) fn patient(client: Client, health: Health, component: &str) -> Client {
    let namespace = client.default_namespace().to_owned();
    let pace = Arc::new(Pace {
        health,
        component: component.to_owned(),
        waits: Mutex::default(),
    });
    let service = service_fn(move |request: Request<Body>| {
        let (client, pace) = (client.clone(), Arc::clone(&pace));
        async move {
            pace.wait().await;
            let query = request.uri().query().unwrap_or_default();
            let is_watch = query.split('&').any(|parameter| parameter == "watch=true");
            let answer = client.send(request).await?;
            pace.note_asked(&answer);
            let (head, body) = answer.into_parts();
            let mut body = Answered::new(body);
            if is_watch && head.status.is_success() {
                let begun = Begun {
                    pace,
                    at: Instant::now(),
                };
                // It is dropped with the watch, or at its end.
                let shown = (body.into_data_stream(), begun);
                let shown = stream::unfold(shown, |(mut shown, begun)| async move {
                    let next = shown.next().await?;
                    Some((next, (shown, begun)))
                });
                body = Answered::from_stream(shown);
            }
            Ok::<_, kube::Error>(Response::from_parts(head, body))
        }
    });
    Client::new(service, namespace)
}

/// When a watch may be asked for again.
struct Pace {
    health: Health,
    component: String,
    waits: Mutex<Waits>,
}

#[derive(Default)]
struct Waits {
    /// How many watches were short since one was not.
    short: u32,
    until: Option<Instant>,
}

impl Pace {
    /// Waits until it may be asked.
    async fn wait(&self) {
        let mut is_asked = false;
        while let Some((left, short)) = self.left() {
            if short >= MANY {
                let what = "watches end as soon as they begin";
                self.health.lacks(&self.component, what);
            } else if is_asked {
                let what = "the API server asked to wait";
                self.health.lacks(&self.component, what);
            }
            sleep(left.min(TELL_AGAIN)).await;
            is_asked = true;
        }
    }

    /// How long to wait yet, and how many watches were short.
    fn left(&self) -> Option<(Duration, u32)> {
        let waits = self.lock();
        let left = waits.until?.saturating_duration_since(Instant::now());
        (!left.is_zero()).then_some((left, waits.short))
    }

    /// Notes how long an answer asks to wait.
    fn note_asked<T>(&self, answer: &Response<T>) {
        let asked = answer.headers().get(RETRY_AFTER);
        let seconds = asked.and_then(|asked| asked.to_str().ok()?.parse::<u64>().ok());
        if let Some(seconds) = seconds {
            let wait = Duration::from_secs(seconds).min(LONGEST_ASKED);
            self.lock().until = Some(Instant::now() + wait);
        }
    }

    /// Notes how long a watch lasted.
    fn note_end(&self, lasted: Duration) {
        let mut waits = self.lock();
        if lasted >= SHORT {
            waits.short = 0;
            return;
        }
        let wait = FIRST_WAIT * 2_u32.pow(waits.short.min(5));
        waits.until = Some(Instant::now() + jittered(wait.min(LONGEST_WAIT)));
        waits.short += 1;
        let is_told = waits.short == MANY;
        drop(waits);
        if is_told {
            let component = &self.component;
            tracing::warn!(
                component,
                "watches end as soon as they begin; each next one waits longer"
            );
        }
    }

    fn lock(&self) -> MutexGuard<'_, Waits> {
        self.waits.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A watch that has begun.
struct Begun {
    pace: Arc<Pace>,
    at: Instant,
}

impl Drop for Begun {
    fn drop(&mut self) {
        self.pace.note_end(self.at.elapsed());
    }
}

#[cfg(test)]
mod tests {
    use std::{convert::Infallible, io};

    use super::*;

    type Times = Arc<Mutex<Vec<Instant>>>;

    /// A client of an API server that answers each watch so, what `/readyz` tells, and when it was asked.
    fn answering(answer: fn() -> Response<Answered>) -> (Client, Health, Times) {
        let times = Times::default();
        let noted = Arc::clone(&times);
        let service = service_fn(move |_: Request<Body>| {
            noted.lock().unwrap().push(Instant::now());
            std::future::ready(Ok::<_, Infallible>(answer()))
        });
        let health = Health::default();
        let client = Client::new(service, "default");
        (patient(client, health.clone(), "secrets"), health, times)
    }

    /// Asks for a watch, and ends it after so long.
    async fn watch(client: &Client, lasts: Duration) {
        let request = Request::get("/api/v1/secrets?&watch=true&timeoutSeconds=200");
        let answer = client.send(request.body(Body::empty()).unwrap()).await;
        sleep(lasts).await;
        drop(answer.unwrap());
    }

    /// The time between each two requests, in milliseconds.
    fn gaps(times: &Times) -> Vec<u128> {
        let times = times.lock().unwrap();
        let pairs = times.windows(2);
        pairs.map(|of| (of[1] - of[0]).as_millis()).collect()
    }

    /// Cases: A-05
    #[tokio::test(start_paused = true)]
    async fn watches_that_end_at_once_are_opened_ever_more_seldom_and_told() {
        let (client, health, times) = answering(|| Response::new(Answered::empty()));
        for _ in 0..8 {
            watch(&client, Duration::ZERO).await;
        }
        let gaps = gaps(&times);
        let waits = [500, 1_000, 2_000, 4_000, 8_000, 10_000, 10_000];
        for (gap, wait) in gaps.iter().zip(waits) {
            let around = wait * 9 / 10..=wait * 11 / 10 + 2;
            assert!(around.contains(gap), "{gaps:?}");
        }
        assert_eq!(
            health.missing(),
            ["secrets: watches end as soon as they begin"]
        );
    }

    /// Cases: A-05
    #[tokio::test(start_paused = true)]
    async fn a_watch_that_lasts_is_followed_at_once_and_ends_the_waits() {
        let open = || {
            let nothing = stream::pending::<io::Result<Vec<u8>>>();
            Response::new(Answered::from_stream(nothing))
        };
        let (client, _, times) = answering(open);
        for lasts in [0, 0, 0, 1, 1, 0, 0] {
            watch(&client, Duration::from_secs(lasts)).await;
        }
        let gaps = gaps(&times);
        assert!((1_000..1_010).contains(&gaps[3]), "{gaps:?}");
        assert!((1_000..1_010).contains(&gaps[4]), "{gaps:?}");
        assert!((450..560).contains(&gaps[5]), "{gaps:?}");
    }

    /// Cases: A-10
    #[tokio::test(start_paused = true)]
    async fn an_api_server_that_asks_to_wait_is_asked_no_sooner() {
        let busy = || {
            let answer = Response::builder().status(429).header(RETRY_AFTER, 20);
            answer.body(Answered::empty()).unwrap()
        };
        let (client, _, times) = answering(busy);
        for _ in 0..3 {
            watch(&client, Duration::ZERO).await;
        }
        let gaps = gaps(&times);
        let is_asked = |gap: &u128| (20_000..20_010).contains(gap);
        assert!(gaps.iter().all(is_asked), "{gaps:?}");
    }

    /// Cases: A-10
    #[tokio::test(start_paused = true)]
    async fn a_long_wait_is_told_and_none_is_longer_than_five_minutes() {
        let busy = || {
            let answer = Response::builder().status(503).header(RETRY_AFTER, 86_400);
            answer.body(Answered::empty()).unwrap()
        };
        let (client, health, times) = answering(busy);
        watch(&client, Duration::ZERO).await;
        let waiting = tokio::spawn(async move { watch(&client, Duration::ZERO).await });
        sleep(Duration::from_mins(4)).await;
        assert_eq!(health.missing(), ["secrets: the API server asked to wait"]);
        waiting.await.unwrap();
        assert!((300_000..300_010).contains(&gaps(&times)[0]));
    }
}
