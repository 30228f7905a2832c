//! Requests of the server that are not answered yet.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::watch;
use tokio::task::AbortHandle;
use tokio::time::Instant;

use crate::calls::Waiting;
use crate::kept::Key;
use crate::policy::{Rule, Topic};
use crate::transport::Frame;

/// Number of questions that may be open at once. Further ones are refused.
pub(crate) const LIMIT: u32 = 4_096;
/// Bytes of the open questions. Further ones are refused.
const BYTES: usize = 16 << 20;
/// Bytes that a question counts besides its text.
const OVERHEAD: usize = 1 << 10;

/// Side that answers a question.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum By {
    Client,
    Handler,
}

impl By {
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Client => "client",
            Self::Handler => "handler",
        }
    }
}

/// Open question.
#[derive(Debug)]
pub(crate) struct Question {
    pub(crate) by: By,
    /// Kind of question; none for requests about tasks.
    pub(crate) topic: Option<Topic>,
    pub(crate) method: Box<str>,
    pub(crate) rule: Rule,
    /// The question itself, kept as long as the other side may be asked after this one.
    pub(crate) spare: Option<Frame>,
    /// Tool calls that it may belong to.
    pub(crate) waiting: Waiting,
    /// Key of an elicitation, whose answer may be kept.
    pub(crate) key: Option<Key>,
    /// Digest of the parameters, for the audit log.
    pub(crate) digest: Option<String>,
    /// Whether the answer is a page of a merged list of tasks.
    pub(crate) is_page: bool,
    pub(crate) since: Instant,
    /// Bytes of the question's text.
    pub(crate) bytes: usize,
    /// Task that has the handler's work.
    pub(crate) work: Option<AbortHandle>,
}

/// Open questions by their ids, as they were written.
#[derive(Debug)]
pub(crate) struct Questions {
    state: Mutex<State>,
    /// Number of open questions.
    open: watch::Sender<usize>,
}

#[derive(Debug, Default)]
struct State {
    open: HashMap<Box<str>, Question>,
    bytes: usize,
}

/// Reason why a question is refused at once.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// Too many are open, or too many bytes of them.
    Overloaded,
    /// A question with the same id is open.
    IdInUse,
}

impl Questions {
    pub(crate) fn new() -> Self {
        Self { state: Mutex::default(), open: watch::Sender::new(0) }
    }

    /// Adds a question.
    pub(crate) fn add(&self, id: &str, question: Question) -> Result<(), Refusal> {
        let mut state = self.lock();
        let bytes = state.bytes.saturating_add(question.bytes).saturating_add(OVERHEAD);
        if state.open.contains_key(id) {
            return Err(Refusal::IdInUse);
        }
        if state.open.len() >= LIMIT as usize || bytes > BYTES {
            return Err(Refusal::Overloaded);
        }
        state.bytes = bytes;
        state.open.insert(id.into(), question);
        self.tell(state);
        Ok(())
    }

    /// Removes a question that `by` answers; none when that side is not asked, or not any more.
    pub(crate) fn take(&self, id: &str, by: By) -> Option<Question> {
        self.take_if(id, |question| question.by == by)
    }

    /// Removes a question on a condition.
    pub(crate) fn take_if(&self, id: &str, condition: impl FnOnce(&Question) -> bool) -> Option<Question> {
        let mut state = self.lock();
        state.open.get(id).filter(|question| condition(question))?;
        let question = state.open.remove(id)?;
        state.bytes = state.bytes.saturating_sub(question.bytes.saturating_add(OVERHEAD));
        self.tell(state);
        Some(question)
    }

    /// Removes the questions that a condition names.
    pub(crate) fn take_all(&self, condition: impl Fn(&Question) -> bool) -> Vec<(Box<str>, Question)> {
        let ids: Vec<_> = {
            let state = self.lock();
            state.open.iter().filter(|(_, question)| condition(question)).map(|(id, _)| id.clone()).collect()
        };
        ids.into_iter().filter_map(|id| self.take_if(&id, |_| true).map(|question| (id, question))).collect()
    }

    /// Side that is asked.
    pub(crate) fn by(&self, id: &str) -> Option<By> {
        self.lock().open.get(id).map(|question| question.by)
    }

    /// Names the task that has the work on a question. It is ended when the question is not open any more.
    pub(crate) fn works(&self, id: &str, work: AbortHandle) {
        if let Some(question) = self.lock().open.get_mut(id).filter(|question| question.by == By::Handler) {
            question.work = Some(work);
        }
    }

    /// Watches the number of open questions.
    pub(crate) fn open(&self) -> watch::Receiver<usize> {
        self.open.subscribe()
    }

    fn tell(&self, state: MutexGuard<'_, State>) {
        let open = state.open.len();
        drop(state);
        self.open.send_replace(open);
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn question(by: By, bytes: usize) -> Question {
        Question {
            by,
            topic: Some(Topic::Roots),
            method: "roots/list".into(),
            rule: Rule::Auto,
            spare: None,
            waiting: Waiting::default(),
            key: None,
            digest: None,
            is_page: false,
            since: Instant::now(),
            bytes,
            work: None,
        }
    }

    #[tokio::test]
    async fn each_side_answers_its_own() {
        let questions = Questions::new();
        let open = questions.open();
        questions.add("1", question(By::Client, 1)).unwrap();
        questions.add("\"1\"", question(By::Handler, 1)).unwrap();
        assert_eq!(questions.add("1", question(By::Handler, 1)), Err(Refusal::IdInUse));
        assert!(questions.take("1", By::Handler).is_none() && questions.take("2", By::Client).is_none());
        assert_eq!((questions.by("1"), *open.borrow()), (Some(By::Client), 2));
        assert!(questions.take("1", By::Client).is_some() && questions.take("1", By::Client).is_none());
        assert_eq!(questions.take_all(|question| question.by == By::Handler).len(), 1);
        assert_eq!(*open.borrow(), 0);
    }

    #[tokio::test]
    async fn open_questions_are_bounded() {
        let questions = Questions::new();
        assert_eq!(questions.add("x", question(By::Client, BYTES)), Err(Refusal::Overloaded));
        questions.add("a", question(By::Client, BYTES - 2 * OVERHEAD)).unwrap();
        assert_eq!(questions.add("b", question(By::Client, 1)), Err(Refusal::Overloaded));
        questions.take("a", By::Client).unwrap();
        let added = (0..LIMIT + 1).filter(|id| questions.add(&id.to_string(), question(By::Client, 1)).is_ok());
        assert_eq!(added.count(), LIMIT as usize);
        assert_eq!(questions.take_all(|_| true).len(), LIMIT as usize);
        assert_eq!(questions.lock().bytes, 0);
    }
}
