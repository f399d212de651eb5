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
    let portion = (items.len() / (threads * PORTIONS)).max(1);
    let items = Mutex::new(items.into_iter().enumerate());
    // A lock that a panic has poisoned is as good as any: the panic itself goes on to whoever called.
    let next = || -> Vec<(usize, T)> {
        let mut items = items.lock().unwrap_or_else(PoisonError::into_inner);
        items.by_ref().take(portion).collect()
    };
    let mut done: Vec<(usize, R)> = Vec::new();
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
                        let portion = portion.into_iter();
                        done.extend(portion.map(|(index, item)| (index, work(index, item))));
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
    done.sort_by_key(|(index, _)| *index);
    done.into_iter().map(|(_, result)| result).collect()
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
