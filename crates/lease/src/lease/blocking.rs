//! Waits for a future on a thread that does nothing else.

use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::thread::Thread;

/// Wakes a thread that is parked.
struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

/// What `future` ends with. It must need no runtime: whatever it waits for is done on other threads.
pub(super) fn block_on<T>(future: impl Future<Output = T>) -> T {
    let mut future = pin!(future);
    let waker = Waker::from(Arc::new(Unpark(std::thread::current())));
    let mut context = Context::from_waker(&waker);
    loop {
        match future.as_mut().poll(&mut context) {
            Poll::Ready(value) => return value,
            // One that came meanwhile is not lost: then this returns at once.
            Poll::Pending => std::thread::park(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_another_thread_says_is_waited_for() {
        let (say, hear) = tokio::sync::oneshot::channel();
        let speaker = std::thread::spawn(move || say.send(7));
        assert_eq!(block_on(hear), Ok(7));
        assert_eq!(speaker.join().unwrap(), Ok(()));
    }
}
