//! Metrics for clients that no one has checked: few at once, and none that keeps the others waiting.

use std::{
    collections::HashMap,
    io,
    pin::pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use axum::{
    body::Body,
    extract::State,
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
};
use futures::stream;
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    task::yield_now,
    time::{Instant, timeout},
};

use super::{Metrics, exposition::Exposition};

/// How many clients are sent metrics at once; the others wait. Each takes a pointer for each object.
const MAX_SCRAPES: usize = 4;
/// After which time without a read a client gives its turn to one that waits.
const STALLED_AFTER: Duration = Duration::from_millis(500);
/// After which time it does so although it reads. Prometheus waits 10 s for a scrape unless it is told otherwise.
const MAX_TURN: Duration = Duration::from_secs(5);
/// How often one that waits looks for a turn that is over.
const TURN_CHECK_INTERVAL: Duration = Duration::from_millis(100);

/// The metrics, and the turns of those that ask for them.
#[derive(Clone)]
pub(super) struct Scrapes(Arc<Shared>);

struct Shared {
    metrics: Metrics,
    turns: Arc<Semaphore>,
    under_way: Mutex<UnderWay>,
}

#[derive(Default)]
struct UnderWay {
    count: u64,
    scrapes: HashMap<u64, Scrape>,
}

/// A scrape that has a turn.
struct Scrape {
    chunks: Box<dyn Iterator<Item = String> + Send>,
    began: Instant,
    /// When its client took the last chunk.
    read: Instant,
    _turn: OwnedSemaphorePermit,
}

impl Scrapes {
    pub(super) fn of(metrics: Metrics) -> Self {
        Self::with_turns(metrics, MAX_SCRAPES)
    }

    fn with_turns(metrics: Metrics, turns: usize) -> Self {
        Self(Arc::new(Shared {
            metrics,
            turns: Arc::new(Semaphore::new(turns)),
            under_way: Mutex::default(),
        }))
    }

    /// Waits for a turn; none where there will be none.
    async fn turn(&self) -> Option<OwnedSemaphorePermit> {
        let mut turn = pin!(Arc::clone(&self.0.turns).acquire_owned());
        loop {
            match timeout(TURN_CHECK_INTERVAL, &mut turn).await {
                Ok(turn) => return turn.ok(),
                Err(_) => self.end_slow(),
            }
        }
    }

    /// Ends scrapes whose clients do not read, or take too long.
    fn end_slow(&self) {
        let mut under_way = self.under_way();
        let scrapes = &mut under_way.scrapes;
        scrapes.retain(|_, scrape| {
            scrape.read.elapsed() < STALLED_AFTER && scrape.began.elapsed() < MAX_TURN
        });
    }

    fn begin(&self, exposition: Exposition, turn: OwnedSemaphorePermit) -> Reader {
        let chunks = Box::new(self.0.metrics.chunks(exposition));
        let (began, mut under_way) = (Instant::now(), self.under_way());
        under_way.count += 1;
        let number = under_way.count;
        let scrape = Scrape {
            chunks,
            began,
            read: began,
            _turn: turn,
        };
        under_way.scrapes.insert(number, scrape);
        Reader {
            scrapes: self.clone(),
            number,
        }
    }

    fn under_way(&self) -> MutexGuard<'_, UnderWay> {
        let under_way = self.0.under_way.lock();
        under_way.unwrap_or_else(PoisonError::into_inner)
    }
}

/// What a client reads of a scrape. Without it the scrape is over.
struct Reader {
    scrapes: Scrapes,
    number: u64,
}

impl Reader {
    /// The next chunk; an error where the turn was given to another client.
    fn next(&self) -> Option<io::Result<String>> {
        let mut under_way = self.scrapes.under_way();
        let Some(scrape) = under_way.scrapes.get_mut(&self.number) else {
            return Some(Err(io::ErrorKind::TimedOut.into()));
        };
        scrape.read = Instant::now();
        scrape.chunks.next().map(Ok)
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        self.scrapes.under_way().scrapes.remove(&self.number);
    }
}

/// Sends metrics in chunks. There is one thread, and those of many objects take a fifth of a second: between
/// two chunks reconciles go on.
pub(super) async fn scrape(State(scrapes): State<Scrapes>, headers: HeaderMap) -> Response {
    let exposition = Exposition::negotiate(&headers);
    let Some(turn) = scrapes.turn().await else {
        return StatusCode::SERVICE_UNAVAILABLE.into_response();
    };
    let body = stream::unfold(scrapes.begin(exposition, turn), |reader| async {
        let chunk = reader.next()?;
        yield_now().await;
        Some((chunk, reader))
    });
    let kind = [(header::CONTENT_TYPE, exposition.content_type())];
    (kind, Body::from_stream(body)).into_response()
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use axum::body::BodyDataStream;
    use futures::StreamExt as _;
    use tokio::time::sleep;

    use super::*;
    use crate::telemetry::{ObjectSample, ObjectSamples};

    struct Many;

    impl ObjectSamples for Many {
        type Object = ();

        fn objects(&self) -> Vec<()> {
            vec![(); 10_000]
        }

        fn sample((): &()) -> Option<ObjectSample<'_>> {
            Some(ObjectSample::default())
        }
    }

    fn of_many(turns: usize) -> Scrapes {
        let metrics = Metrics::default();
        metrics.register_objects(Many);
        Scrapes::with_turns(metrics, turns)
    }

    async fn begun(scrapes: &Scrapes) -> BodyDataStream {
        let response = scrape(State(scrapes.clone()), HeaderMap::new()).await;
        response.into_body().into_data_stream()
    }

    /// Whether a client that reads gets another chunk.
    async fn goes_on(body: &mut BodyDataStream) -> bool {
        body.next().await.is_some_and(|chunk| chunk.is_ok())
    }

    #[tokio::test]
    async fn other_tasks_have_their_turn_between_the_chunks_of_a_scrape() {
        let scrapes = of_many(1);
        let turns = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&turns);
        let other = tokio::spawn(async move {
            loop {
                counted.fetch_add(1, Ordering::Relaxed);
                yield_now().await;
            }
        });
        let response = scrape(State(scrapes.clone()), HeaderMap::new()).await;
        let body = axum::body::to_bytes(response.into_body(), usize::MAX).await;
        other.abort();
        let metrics = &scrapes.0.metrics;
        let chunks = metrics.chunks(Exposition::Text).count();
        assert!(chunks > 50, "{chunks}");
        assert!(turns.load(Ordering::Relaxed) >= chunks);
        let whole: String = metrics.chunks(Exposition::Text).collect();
        // The memory of the process differs from one scrape to the next.
        let lines = |text: &str| -> Vec<String> {
            let lines = text.lines();
            let lines = lines.filter(|line| !line.starts_with("process_"));
            lines.map(str::to_owned).collect()
        };
        let body = String::from_utf8(body.unwrap().to_vec()).unwrap();
        assert_eq!(lines(&body), lines(&whole));
    }

    /// Cases: K-08
    #[tokio::test(start_paused = true)]
    async fn clients_that_do_not_read_give_their_turns_to_one_that_waits() {
        let scrapes = of_many(2);
        let mut stalled = [begun(&scrapes).await, begun(&scrapes).await];
        for body in &mut stalled {
            assert!(goes_on(body).await);
        }
        let since = Instant::now();
        let mut next = begun(&scrapes).await;
        assert!(
            since.elapsed() <= STALLED_AFTER + TURN_CHECK_INTERVAL,
            "{:?}",
            since.elapsed()
        );
        while goes_on(&mut next).await {}
        for mut body in stalled {
            // Half an answer is shown to be one.
            assert!(body.next().await.is_some_and(|chunk| chunk.is_err()));
        }
    }

    /// Cases: K-08
    #[tokio::test(start_paused = true)]
    async fn a_client_that_reads_slowly_keeps_its_turn_for_a_while() {
        let scrapes = of_many(1);
        let mut slow = begun(&scrapes).await;
        let since = Instant::now();
        let next = {
            let scrapes = scrapes.clone();
            tokio::spawn(async move { begun(&scrapes).await })
        };
        while goes_on(&mut slow).await {
            sleep(STALLED_AFTER / 2).await;
        }
        let kept = since.elapsed();
        assert!(
            (MAX_TURN..=MAX_TURN + STALLED_AFTER).contains(&kept),
            "{kept:?}"
        );
        assert!(goes_on(&mut next.await.unwrap()).await);
    }

    /// Cases: K-08
    #[tokio::test(start_paused = true)]
    async fn a_client_that_is_alone_may_take_its_time() {
        let mut slow = begun(&of_many(1)).await;
        for _ in 0..5 {
            assert!(goes_on(&mut slow).await);
            sleep(MAX_TURN).await;
        }
    }
}
