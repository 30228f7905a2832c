//! Grant `user`: questions to the person at the terminal.
//!
//! Every question comes from a server, and the person must see that. Each question names the server. The server's text
//! stands behind a bar, in rows of a width that the program chooses, so the server can neither fake nor leave the bar.
//! Nothing is sent before all of its text was shown. [client/elicitation, Security Considerations]
//!
//! An explicit no is a decline. Esc, Ctrl-C and the end of input dismiss the question without a choice, which is a
//! cancel. Ctrl-C also cancels the waiting questions, so that a server that asks without end cannot hold the person.

use std::io::IsTerminal;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use async_trait::async_trait;

use super::prompt::{Gone, Line, List, Terminal};
use super::question::{Ask, Question, labels, questions};
use super::screen;
use super::url_prompt::Page;
use super::wrap;
use taskcell::grants::{Confirmation, User};
use taskcell::protocol::types::{
    ElicitAction, ElicitEntry, ElicitForm, ElicitRequest, ElicitResult, ElicitUrl, ElicitValue, Implementation,
    RpcError,
};
use taskcell::text;
use taskcell::validation::elicitation;

/// Characters shown of a server's name.
const MAX_NAME: usize = 40;
/// Characters shown of a validation error.
const MAX_WHY: usize = 2_000;
/// Rows of a message shown at once.
const MAX_ROWS: usize = 20;
/// Maximum columns of a message, even on a wider terminal: long rows are hard to read.
const COLUMNS: usize = 76;

/// The person at the terminal.
pub(crate) struct TerminalUser {
    /// Turn to ask. It is held until the question is off the screen, even when its answer is no longer wanted.
    turn: Arc<tokio::sync::Mutex<()>>,
    /// Number of times that the person dismissed all questions.
    interrupts: Arc<AtomicU64>,
}

/// Reason why a conversation ended without an answer.
enum Stop {
    /// The person dismissed the question, or its answer is no longer wanted.
    Gone(Gone),
    /// The person cannot be asked.
    Failed(RpcError),
}

impl From<Gone> for Stop {
    fn from(gone: Gone) -> Self {
        Self::Gone(gone)
    }
}

impl From<RpcError> for Stop {
    fn from(error: RpcError) -> Self {
        Self::Failed(error)
    }
}

impl TerminalUser {
    /// Creates the user of the terminal on stdin and stderr.
    pub(crate) fn new() -> anyhow::Result<Self> {
        for (name, is_terminal) in
            [("stdin", std::io::stdin().is_terminal()), ("stderr", std::io::stderr().is_terminal())]
        {
            anyhow::ensure!(
                is_terminal,
                "asking you (--ask, --grant user) needs a terminal, but {name} is not a terminal"
            );
        }
        Ok(Self { turn: Arc::default(), interrupts: Arc::default() })
    }

    /// Waits for its turn and runs a conversation. Returns `cancelled` when the person dismisses it.
    async fn talk<T: Send + 'static>(
        &self,
        server: &Implementation,
        cancelled: T,
        talk: impl FnOnce(&mut Dialog) -> Result<T, Stop> + Send + 'static,
    ) -> Result<T, RpcError> {
        let interrupts = Arc::clone(&self.interrupts);
        let before = interrupts.load(Ordering::SeqCst);
        let turn = Arc::clone(&self.turn).lock_owned().await;
        if interrupts.load(Ordering::SeqCst) != before {
            return Ok(cancelled);
        }
        let withdrawn = Withdrawn::default();
        let mut conversation = Dialog::new(&server.name, Arc::clone(&withdrawn.0));
        let ended = tokio::task::spawn_blocking(move || {
            let _turn = turn;
            let _screen = screen::take();
            let ended = talk(&mut conversation);
            match &ended {
                Err(Stop::Gone(Gone::Interrupted)) => {
                    interrupts.fetch_add(1, Ordering::SeqCst);
                }
                Err(Stop::Gone(Gone::Withdrawn)) => conversation.say_withdrawn(),
                _ => {}
            }
            // Restore the terminal before waiting lines are shown.
            drop(conversation);
            ended
        });
        match ended.await {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(Stop::Failed(error))) => Err(error),
            Ok(Err(Stop::Gone(Gone::Failed(error)))) => {
                Err(RpcError::internal("user", format!("The terminal cannot be used: {error}")))
            }
            Ok(Err(Stop::Gone(_))) => Ok(cancelled),
            Err(_) => Err(RpcError::internal("user", "The question was lost")),
        }
    }
}

/// Guard that sets its flag on drop: the answer is no longer wanted.
#[derive(Default)]
struct Withdrawn(Arc<AtomicBool>);

impl Drop for Withdrawn {
    fn drop(&mut self) {
        self.0.store(true, Ordering::SeqCst);
    }
}

#[async_trait]
impl User for TerminalUser {
    async fn elicit(&self, server: &Implementation, request: ElicitRequest) -> Result<ElicitResult, RpcError> {
        // A request that cannot be asked is refused before anything is shown.
        let schema = elicitation::schema(&request)?;
        let talk = move |conversation: &mut Dialog| match &request {
            ElicitRequest::Form(form) => conversation.form(form, schema.as_deref().unwrap_or_default()),
            ElicitRequest::Url(url) => conversation.page(url),
        };
        let action = self.talk(server, ElicitAction::Cancel, talk).await?;
        Ok(ElicitResult { action, meta: None })
    }

    async fn confirm(&self, server: &Implementation, message: String) -> Result<Confirmation, RpcError> {
        let talk = move |conversation: &mut Dialog| {
            let rest = conversation.show("asks", &message)?;
            Ok(match conversation.consent("Your answer", &["No", "Yes"], rest)? {
                "Yes" => Confirmation::Accepted,
                _ => Confirmation::Declined,
            })
        };
        self.talk(server, Confirmation::Cancelled, talk).await
    }
}

/// Conversation about one request, on the thread that waits for the person.
struct Dialog {
    /// Printable name of the server that asks.
    server: String,
    withdrawn: Arc<AtomicBool>,
    /// The terminal, once something is shown.
    terminal: Option<Terminal>,
}

impl Dialog {
    fn new(server: &str, withdrawn: Arc<AtomicBool>) -> Self {
        let name = text::one_line(server, MAX_NAME);
        Self { server: if name.is_empty() { "(unnamed)".to_owned() } else { name }, withdrawn, terminal: None }
    }

    /// Asks the questions of a form.
    fn form(&mut self, form: &ElicitForm, schema: &str) -> Result<ElicitAction, Stop> {
        const ANSWER: &str = "Answer";
        const DECLINE: &str = "Decline";
        const SEND: &str = "Send";
        const CHANGE: &str = "Change";

        let mut questions = questions(form)?;
        let rest = self.show("asks", &form.message)?;
        for question in questions.iter().take(MAX_ROWS) {
            self.say(&format!("  - {}", question.label))?;
        }
        if let Some(more) = questions.len().checked_sub(MAX_ROWS).filter(|more| *more > 0) {
            self.say(&format!("  ({more} more)"))?;
        }
        if self.consent("Do you want to answer?", &[DECLINE, ANSWER], rest)? == DECLINE {
            return Ok(ElicitAction::Decline);
        }
        loop {
            let mut entries = Vec::new();
            let mut lines = Vec::new();
            for question in &mut questions {
                let answer = self.ask(question)?;
                question.offer(answer.as_ref());
                let shown = answer.as_ref().map_or_else(|| "(no answer)".to_owned(), |answer| question.shown(answer));
                lines.push(format!("  {}: {shown}", question.label));
                entries.extend(answer.map(|answer| question.entry(answer)));
            }
            let content = match checked(schema, entries) {
                Ok(content) => content,
                Err(why) => {
                    let why = text::one_line(&why, MAX_WHY);
                    self.say(&format!("These answers do not fit the form: {why}"))?;
                    if self.choose("What now?", &[CHANGE, DECLINE])? == DECLINE {
                        return Ok(ElicitAction::Decline);
                    }
                    continue;
                }
            };
            self.say(&format!("What {} would get:", self.server))?;
            lines.iter().try_for_each(|line| self.say(line))?;
            // At this point the person has chosen to answer and entered each value.
            match self.choose("Send it?", &[SEND, CHANGE, DECLINE])? {
                SEND => return Ok(ElicitAction::Accept(Some(content))),
                DECLINE => return Ok(ElicitAction::Decline),
                _ => {}
            }
        }
    }

    /// Offers a page to visit.
    fn page(&mut self, request: &ElicitUrl) -> Result<ElicitAction, Stop> {
        const OPEN: &str = "Open it";
        const SELF: &str = "Do not open it, I will go there myself";
        const DECLINE: &str = "Decline";

        let page = Page::new(&request.url)?;
        let rest = self.show("wants you to visit a page", &request.message)?;
        self.say("The page:")?;
        self.behind_bar(&[page.address().to_owned()])?;
        self.say(&format!("Its host: {}", page.host()))?;
        page.warnings().try_for_each(|warning| self.say(&format!("Careful: {warning}")))?;
        Ok(match self.consent("Do you want to go there?", &[DECLINE, SELF, OPEN], rest)? {
            DECLINE => ElicitAction::Decline,
            OPEN => {
                match page.open() {
                    Ok(()) => self.say("Passed to your browser. If the page does not appear, go there yourself.")?,
                    Err(error) => self.say(&format!("It could not be opened ({error}); go there yourself."))?,
                }
                ElicitAction::Accept(None)
            }
            _ => ElicitAction::Accept(None),
        })
    }

    /// Announces the server's wish and shows the first rows of its message. Returns the remaining rows.
    fn show(&mut self, wants: &str, message: &str) -> Result<Vec<String>, Stop> {
        self.say("")?;
        self.say(&format!("The server {} {wants}:", self.server))?;
        let mut rows = quoted(message, wrap::size().columns);
        let rest = rows.split_off(rows.len().min(MAX_ROWS));
        self.behind_bar(&rows)?;
        Ok(rest)
    }

    /// Shows foreign text, each row behind a bar.
    fn behind_bar(&mut self, lines: &[String]) -> Result<(), Stop> {
        let columns = wrap::size().columns;
        let bar = wrap::bar(columns);
        let rows = lines.iter().flat_map(|line| wrap::wrap(line, columns.saturating_sub(wrap::width(bar))));
        let rows: Vec<_> = rows.map(|row| format!("{bar}{row}")).collect();
        self.terminal()?.show(&rows);
        Ok(())
    }

    /// Asks for one of these words, the first of which consents to nothing, and offers to show the `rest` of the
    /// message.
    fn consent(&mut self, question: &str, words: &[&'static str], mut rest: Vec<String>) -> Result<&'static str, Stop> {
        const MORE: &str = "Show more of the message";

        loop {
            let left = rest.len();
            let more = if left == 0 { None } else { Some(MORE) };
            if more.is_some() {
                self.behind_bar(&[format!("… ({left} more rows)")])?;
            }
            let words: Vec<_> = words.iter().copied().chain(more).collect();
            let mut list = List::words(self.prompt(question), &words);
            let chosen = self.terminal()?.ask_carefully(&mut list)?;
            match chosen.first().and_then(|place| words.get(*place)) {
                Some(&MORE) => {
                    let after = rest.split_off(left.min(MAX_ROWS));
                    self.behind_bar(&rest)?;
                    rest = after;
                }
                Some(word) => return Ok(word),
                None => {}
            }
        }
    }

    /// Asks for one of these words.
    fn choose(&mut self, question: &str, words: &[&'static str]) -> Result<&'static str, Stop> {
        let mut list = List::words(self.prompt(question), words);
        loop {
            let chosen = self.terminal()?.ask(&mut list)?;
            if let Some(word) = chosen.first().and_then(|place| words.get(*place)) {
                return Ok(word);
            }
        }
    }

    /// Asks a question of a form; `None` leaves the field out.
    fn ask(&mut self, question: &Question) -> Result<Option<ElicitValue>, Stop> {
        let required = if question.required { " (required)" } else { "" };
        let (prompt, help) = (self.prompt(&format!("{}{required}", question.label)), question.help.clone());
        let failed = |why| RpcError::internal("user", why);
        let terminal = self.terminal()?;
        let answer = match &question.ask {
            Ask::Line { read, offered } => {
                let is_taken = |line: &str| question.read(*read, line).map(drop);
                let line = terminal.ask(&mut Line::new(prompt, help, offered.clone(), is_taken))?;
                question.read(*read, &line)
            }
            Ask::One { choices, offered } => {
                let is_taken = |chosen: &[usize]| question.one(chosen).map(drop);
                question.one(&terminal.ask(&mut List::one(prompt, help, labels(choices), *offered, is_taken))?)
            }
            Ask::Any { choices, offered } => {
                let is_taken = |chosen: &[usize]| question.any(chosen).map(drop);
                question.any(&terminal.ask(&mut List::any(prompt, help, labels(choices), offered, is_taken))?)
            }
        };
        Ok(answer.map_err(failed)?)
    }

    /// Puts the server's name in front of a question.
    fn prompt(&self, question: &str) -> String {
        format!("[{}] {question}", self.server)
    }

    fn say(&mut self, line: &str) -> Result<(), Stop> {
        self.terminal()?.say(line);
        Ok(())
    }

    fn say_withdrawn(&self) {
        if let Some(terminal) = &self.terminal {
            terminal.say(&format!("{} no longer waits for an answer.", self.server));
        }
    }

    /// The terminal, as long as the answer is wanted.
    fn terminal(&mut self) -> Result<&Terminal, Stop> {
        self.goes_on()?;
        if self.terminal.is_none() {
            self.terminal = Some(Terminal::take(Arc::clone(&self.withdrawn)).map_err(Gone::Failed)?);
        }
        self.terminal.as_ref().ok_or_else(|| RpcError::internal("user", "there is no terminal").into())
    }

    fn goes_on(&self) -> Result<(), Stop> {
        if self.withdrawn.load(Ordering::SeqCst) { Err(Gone::Withdrawn.into()) } else { Ok(()) }
    }
}

/// Validates the answers by the rule that the host applies when the handler returns them.
fn checked(schema: &str, entries: Vec<ElicitEntry>) -> Result<Vec<ElicitEntry>, String> {
    let action = ElicitAction::Accept(Some(entries));
    match elicitation::check(Some(schema), ElicitResult { action, meta: None })?.action {
        ElicitAction::Accept(Some(content)) => Ok(content),
        _ => Ok(Vec::new()),
    }
}

/// Wraps a message into rows that fit behind a bar.
fn quoted(message: &str, columns: usize) -> Vec<String> {
    let columns = columns.min(COLUMNS);
    let columns = columns.saturating_sub(wrap::width(wrap::bar(columns)));
    let text = text::lines(message.trim().replace("\r\n", "\n").as_str()).replace('\t', "    ");
    text.split('\n').flat_map(|line| wrap::wrap(line, columns)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::client::child::this_program;

    fn somebody() -> Arc<TerminalUser> {
        Arc::new(TerminalUser { turn: Arc::default(), interrupts: Arc::default() })
    }

    /// When a request is dropped, its question ends at the next step, and only then is another asked.
    #[tokio::test]
    async fn a_question_that_nobody_waits_for_ends() {
        let user = somebody();
        let (asked, is_asked) = tokio::sync::oneshot::channel();
        let (key, pressed) = std::sync::mpsc::channel::<()>();
        let (ended, how) = std::sync::mpsc::channel();
        let first = tokio::spawn({
            let user = Arc::clone(&user);
            async move {
                let talk = move |conversation: &mut Dialog| {
                    asked.send(()).unwrap();
                    pressed.recv().unwrap();
                    let goes_on = conversation.goes_on();
                    ended.send(matches!(goes_on, Err(Stop::Gone(Gone::Withdrawn)))).unwrap();
                    goes_on
                };
                user.talk(&this_program(), (), talk).await
            }
        });
        is_asked.await.unwrap();
        first.abort();
        assert!(first.await.unwrap_err().is_cancelled());
        assert!(user.turn.try_lock().is_err(), "the question is still on the screen");
        key.send(()).unwrap();
        let second = user.talk(&this_program(), false, move |_| Ok(how.recv().unwrap())).await;
        assert_eq!(second, Ok(true));
    }

    /// Ctrl-C also cancels waiting questions, but not later ones.
    #[tokio::test]
    async fn an_interrupt_is_for_all_that_waits() {
        let user = somebody();
        let server = this_program();
        let (asked, is_asked) = tokio::sync::oneshot::channel();
        let (key, pressed) = std::sync::mpsc::channel::<()>();
        let first = user.talk(&server, "cancelled", move |_| {
            asked.send(()).unwrap();
            pressed.recv().unwrap();
            Err(Stop::Gone(Gone::Interrupted))
        });
        let second = async {
            is_asked.await.unwrap();
            let mut second = std::pin::pin!(user.talk(&server, "cancelled", |_| Ok("asked")));
            // The second question now waits for its turn.
            assert!(
                std::future::poll_fn(|context| std::task::Poll::Ready(second.as_mut().poll(context).is_pending()))
                    .await
            );
            key.send(()).unwrap();
            second.await
        };
        let (first, second) = tokio::join!(first, second);
        assert_eq!((first, second), (Ok("cancelled"), Ok("cancelled")));
        assert_eq!(user.talk(&server, "cancelled", |_| Ok("asked")).await, Ok("asked"));
    }

    #[test]
    fn a_message_stays_behind_its_bar() {
        assert_eq!(quoted("a\r\n\tb\u{1b}[2J\rc\n", 80), ["a", "    b\u{fffd}[2J\u{fffd}c"]);
        assert_eq!(quoted("", 80), [""]);
        for columns in [4, 10, 40, 80, 300] {
            for message in ["x".repeat(1_000), "宽".repeat(300), "one two three ".repeat(90), " a\n".repeat(100)] {
                let bar = wrap::width(wrap::bar(columns));
                let rows = quoted(&message, columns);
                assert!(rows.iter().all(|row| wrap::width(row) + bar <= columns.min(COLUMNS)), "{columns}: {rows:?}");
                assert_eq!(rows.concat().replace(' ', ""), message.replace([' ', '\n'], ""));
            }
        }
    }
}
