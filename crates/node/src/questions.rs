//! The bounded way of a question from a page's thread into the event loop and back.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::time::Duration;

use mio::Waker;
use tokio::sync::oneshot;

use crate::driven::{Answer, Question};
use crate::limits::{QUESTION_WAIT, QUESTIONS_MAX};

/// Where pages put their questions.
#[derive(Clone, Debug)]
pub struct Desk {
    questions: SyncSender<Asked>,
    waker: Arc<Waker>,
    wait: Duration,
}

/// Why a question got no answer.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum NoAnswer {
    /// Too many questions wait.
    Full,
    /// No answer in time.
    Late,
    /// The role is stopping.
    Stopping,
}

#[derive(Debug)]
struct Asked {
    question: Question,
    answer: oneshot::Sender<Answer>,
}

/// The loop's end.
#[derive(Debug)]
pub(crate) struct Tray {
    questions: Receiver<Asked>,
    waiting: BTreeMap<u64, oneshot::Sender<Answer>>,
    next: u64,
}

impl Desk {
    /// A desk and the loop's end of it.
    pub(crate) fn new(waker: Arc<Waker>) -> (Self, Tray) {
        let (sender, questions) = sync_channel(QUESTIONS_MAX);
        let tray = Tray { questions, waiting: BTreeMap::new(), next: 1 };
        (Self { questions: sender, waker, wait: QUESTION_WAIT }, tray)
    }

    /// One whose questions wait so long.
    #[cfg(test)]
    pub(crate) fn waiting(self, wait: Duration) -> Self {
        Self { wait, ..self }
    }

    /// Asks, and waits for the answer at most [`QUESTION_WAIT`].
    pub async fn ask(&self, question: Question) -> Result<Answer, NoAnswer> {
        let (answer, answered) = oneshot::channel();
        let asked = Asked { question, answer };
        let put = self.questions.try_send(asked).map_err(|error| match error {
            TrySendError::Full(_) => NoAnswer::Full,
            TrySendError::Disconnected(_) => NoAnswer::Stopping,
        });
        // Also when the desk is full: who has given up since makes room. A loop that cannot be
        // woken finds the question on its next turn.
        let _ = self.waker.wake();
        put?;
        match tokio::time::timeout(self.wait, answered).await {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(_)) => Err(NoAnswer::Stopping),
            Err(_) => {
                let _ = self.waker.wake();
                Err(NoAnswer::Late)
            }
        }
    }
}

impl Tray {
    /// The next question, with a ticket for its answer.
    pub(crate) fn next(&mut self) -> Option<(u64, Question)> {
        self.waiting.retain(|_, answer| !answer.is_closed());
        if self.waiting.len() >= QUESTIONS_MAX {
            return None;
        }
        // Whoever asked may have given up while he waited.
        let asked = self.questions.try_iter().find(|asked| !asked.answer.is_closed())?;
        let ticket = self.next;
        self.next += 1;
        self.waiting.insert(ticket, asked.answer);
        Some((ticket, asked.question))
    }

    /// Brings an answer to whoever asked, if he still waits.
    pub(crate) fn answer(&mut self, ticket: u64, answer: Answer) -> bool {
        let waiting = self.waiting.remove(&ticket);
        waiting.is_some_and(|asked| asked.send(answer).is_ok())
    }
}
