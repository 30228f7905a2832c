//! Work of the host's own that may take long: on a thread of its own, so that it keeps nobody waiting, and one piece of
//! a conversation at a time, so that a conversation has one processor at most for it.

use std::sync::Arc;

use tokio::sync::Semaphore;

/// The thread that a conversation may have.
#[derive(Debug)]
pub(crate) struct Aside(Arc<Semaphore>);

impl Default for Aside {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(1)))
    }
}

impl Aside {
    /// Does the work, once what came before is done. None when it panicked or the process is ending.
    ///
    /// Work that nobody waits for any more still counts until it is done.
    pub(crate) async fn run<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> Option<T> {
        let turn = Arc::clone(&self.0).acquire_owned().await.ok()?;
        let work = move || {
            let done = work();
            drop(turn);
            done
        };
        tokio::task::spawn_blocking(work).await.ok()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, Ordering};
    use std::time::Duration;

    use super::*;

    /// Work that was given up keeps the next from beginning until it is done.
    #[tokio::test]
    async fn one_piece_of_work_at_a_time() {
        let (aside, busy) = (Aside::default(), Arc::new(AtomicBool::new(false)));
        let work = || {
            let busy = Arc::clone(&busy);
            move || {
                let alone = !busy.swap(true, Ordering::SeqCst);
                std::thread::sleep(Duration::from_millis(20));
                busy.store(false, Ordering::SeqCst);
                alone
            }
        };
        let given_up = tokio::time::timeout(Duration::from_millis(5), aside.run(work())).await;
        assert!(given_up.is_err());
        for _ in 0..2 {
            assert_eq!(aside.run(work()).await, Some(true));
        }
    }

    #[tokio::test]
    async fn a_panic_is_no_answer() {
        let aside = Aside::default();
        assert_eq!(aside.run(|| panic!("wrong")).await, None::<()>);
        assert_eq!(aside.run(|| 1).await, Some(1));
    }
}
