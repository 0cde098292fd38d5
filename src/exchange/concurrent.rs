//! Several futures of one call at once. All wait through the same reactor, which asks each of them again.

use std::future::{Future, poll_fn};
use std::task::Poll;

/// How many are under way at once: well under the API's limit of 200 requests a second.
pub const AT_ONCE: usize = 6;

/// Runs all futures to their ends, each begun when fewer than six before it are under way, and returns what they gave
/// in their order.
pub async fn all<F: Future>(futures: Vec<F>) -> Vec<F::Output> {
    let mut outputs: Vec<Option<F::Output>> = futures.iter().map(|_| None).collect();
    let mut futures: Vec<_> = futures.into_iter().map(|future| Some(Box::pin(future))).collect();
    poll_fn(|context| {
        let mut under_way = 0_usize;
        for (slot, output) in futures.iter_mut().zip(&mut outputs) {
            let Some(future) = slot else { continue };
            match future.as_mut().poll(context) {
                Poll::Ready(value) => (*slot, *output) = (None, Some(value)),
                Poll::Pending => under_way = under_way.saturating_add(1),
            }
            if under_way == AT_ONCE {
                break;
            }
        }
        if under_way == 0 { Poll::Ready(()) } else { Poll::Pending }
    })
    .await;
    outputs.into_iter().flatten().collect()
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::future::poll_fn;
    use std::pin::pin;
    use std::task::{Context, Poll, Waker};

    use super::*;

    #[test]
    fn six_are_under_way_at_once_and_results_keep_their_order() {
        let (under_way, most) = (Cell::new(0_usize), Cell::new(0_usize));
        let futures = (0..20_usize).map(|number| {
            let (under_way, most) = (&under_way, &most);
            async move {
                under_way.set(under_way.get() + 1);
                most.set(most.get().max(under_way.get()));
                // The later ones end sooner.
                let mut rounds = 20 - number;
                poll_fn(|_| {
                    rounds -= 1;
                    if rounds == 0 { Poll::Ready(()) } else { Poll::Pending }
                })
                .await;
                under_way.set(under_way.get() - 1);
                number
            }
        });
        let mut all = pin!(all(futures.collect()));
        let mut context = Context::from_waker(Waker::noop());
        let results = loop {
            if let Poll::Ready(results) = all.as_mut().poll(&mut context) {
                break results;
            }
        };
        assert_eq!(results, (0..20).collect::<Vec<_>>());
        assert_eq!(most.get(), AT_ONCE);
    }
}
