//! Work on many migrations that do not wait for each other.

use std::num::NonZero;
use std::sync::{Mutex, PoisonError};
use std::thread;

/// A thread has to be worth its beginning.
const LEAST_FOR_EACH: usize = 16;
const MOST_THREADS: usize = 8;
/// Of each thread, so that none waits long for the last.
const PORTIONS: usize = 8;

/// What becomes of each, in their order, whoever did it.
pub(super) fn each<T: Send, R: Send>(items: Vec<T>, work: impl Fn(usize, T) -> R + Sync) -> Vec<R> {
    let cores = thread::available_parallelism().map_or(1, NonZero::get);
    let threads = cores.min(MOST_THREADS).min(items.len() / LEAST_FOR_EACH);
    if threads < 2 {
        let items = items.into_iter().enumerate();
        return items.map(|(index, item)| work(index, item)).collect();
    }
    // A few at a time: threads that meet at a lock for each wait longer than they work.
    let count = items.len();
    let portion = (count / (threads * PORTIONS)).max(1);
    let items = Mutex::new(items.into_iter().enumerate());
    // A lock that a panic has poisoned is as good as any: the panic itself goes on to whoever called.
    let next = || -> Vec<(usize, T)> {
        let mut items = items.lock().unwrap_or_else(PoisonError::into_inner);
        items.by_ref().take(portion).collect()
    };
    // By portions, each with the place of its first: results may be large, and are moved once.
    let mut done: Vec<(usize, Vec<R>)> = Vec::new();
    thread::scope(|scope| {
        let at_work: Vec<_> = (0..threads)
            .map(|_| {
                scope.spawn(|| {
                    let mut done = Vec::new();
                    loop {
                        let portion = next();
                        if portion.is_empty() {
                            return done;
                        }
                        let first = portion.first().map_or(0, |(index, _)| *index);
                        let portion = portion.into_iter();
                        let worked = portion.map(|(index, item)| work(index, item));
                        done.push((first, worked.collect()));
                    }
                })
            })
            .collect();
        for thread in at_work {
            match thread.join() {
                Ok(part) => done.extend(part),
                Err(panic) => std::panic::resume_unwind(panic),
            }
        }
    });
    done.sort_by_key(|(first, _)| *first);
    let mut results = Vec::with_capacity(count);
    for (_, portion) in done {
        results.extend(portion);
    }
    results
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_are_in_the_order_of_what_was_given() {
        for count in [0, 1, LEAST_FOR_EACH * 2, 1_000] {
            let found = each((0..count).collect(), |index, item: usize| (index, item * 2));
            let expected: Vec<(usize, usize)> = (0..count).map(|item| (item, item * 2)).collect();
            assert_eq!(found, expected);
        }
    }
}
