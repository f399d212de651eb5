//! What `Lease::is_valid` costs beside what it cannot do without: a look at the clock and one load.
//!
//! `cargo bench --package phasegate-lease --features postgres,test` prints both for one thread and for four, in turns within the same run. Without `--bench`, as under
//! `cargo test --benches`, it runs only to see that it works.

use std::hint::black_box;
use std::sync::Barrier;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use phasegate_lease::test::Control;
use rustix::time::{ClockId, clock_gettime};

fn main() {
    let is_whole = std::env::args().any(|argument| argument == "--bench");
    let (rounds, calls) = if is_whole { (101, 200_000) } else { (3, 100) };
    let lease = Control::new().lease();
    let until = AtomicU64::new(u64::MAX);
    let bare = || {
        let now = clock_gettime(ClockId::Boottime);
        let now = u64::try_from(now.tv_sec).unwrap_or(u64::MAX);
        black_box(now < until.load(Ordering::Acquire));
    };
    let asked = || {
        black_box(lease.is_valid());
    };
    println!("ns a call, median of {rounds} rounds in turns");
    for threads in [1, 4] {
        let (mut of_bare, mut of_asked) = (Vec::new(), Vec::new());
        // One round to warm up.
        for round in 0..=rounds {
            let (bare, asked) = (on(threads, calls, &bare), on(threads, calls, &asked));
            if round > 0 {
                of_bare.push(bare);
                of_asked.push(asked);
            }
        }
        let (bare, asked) = (median(of_bare), median(of_asked));
        println!(
            "{threads} thread(s)  clock and load {bare:7.1}  is_valid {asked:7.1}  ratio {:.2}",
            asked / bare
        );
    }
}

/// How long a call takes on so many threads at once, in nanoseconds of each of them.
fn on(threads: u32, calls: u32, call: &(impl Fn() + Sync)) -> f64 {
    let together = Barrier::new(threads as usize);
    let took: Duration = std::thread::scope(|scope| {
        let each: Vec<_> = (0..threads)
            .map(|_| {
                scope.spawn(|| {
                    together.wait();
                    let began = Instant::now();
                    for _ in 0..calls {
                        call();
                    }
                    began.elapsed()
                })
            })
            .collect();
        each.into_iter()
            .map(|thread| thread.join().expect("nothing fails there"))
            .sum()
    });
    took.as_secs_f64() * 1e9 / f64::from(threads) / f64::from(calls)
}

fn median(mut times: Vec<f64>) -> f64 {
    times.sort_by(f64::total_cmp);
    times.get(times.len() / 2).copied().unwrap_or_default()
}
