//! Grant `user`: the person at the terminal.
//!
//! Everything that is asked comes from a server, and the person has to see that. So each question names the server, what
//! the server wrote stands behind a bar in lines of our width, which it cannot fake or leave, and nothing is sent before
//! all of it was shown. [client/elicitation, Security Considerations]
//!
//! An explicit no is a decline; Esc, Ctrl-C and the end of input go away without a choice, which is a cancel. Ctrl-C also
//! answers so what waits for its turn: a server that asks without end must not keep the person.

use std::io::IsTerminal;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use async_trait::async_trait;
use inquire::error::InquireError;
use inquire::validator::Validation;
use inquire::{MultiSelect, Select, Text};

use super::page::Page;
use super::question::{Ask, Question, questions};
use super::screen;
use crate::grants::{Confirmation, User};
use crate::printable;
use crate::protocol::types::{
    ElicitAction, ElicitEntry, ElicitForm, ElicitRequest, ElicitResult, ElicitUrl, ElicitValue, Implementation,
    RpcError,
};
use crate::rules::elicitation;

/// Characters of a server's name.
const MAX_NAME: usize = 40;
/// Characters of a message.
const MAX_MESSAGE: usize = 2_000;
/// Lines of a message.
const MAX_LINES: usize = 20;
/// Columns of a message, so that a terminal of 80 does not wrap its lines.
const COLUMNS: usize = 72;

/// The person at the terminal.
pub(super) struct TerminalUser {
    /// Whoever has it asks. It is kept until the question is off the screen, even if nobody waits for the answer.
    turn: Arc<tokio::sync::Mutex<()>>,
    /// How often the person wanted to be asked nothing more.
    interrupts: Arc<AtomicU64>,
}

/// Why a conversation ended without an answer.
enum Stop {
    /// The person went away.
    Cancelled,
    /// So from what waits, too.
    Interrupted,
    /// Nobody waits for the answer any more.
    Withdrawn,
    /// The person cannot be asked.
    Failed(RpcError),
}

impl From<InquireError> for Stop {
    fn from(error: InquireError) -> Self {
        match error {
            InquireError::OperationCanceled => Self::Cancelled,
            InquireError::OperationInterrupted => Self::Interrupted,
            other => Self::Failed(RpcError::internal("user", format!("The terminal cannot be used: {other}"))),
        }
    }
}

impl From<RpcError> for Stop {
    fn from(error: RpcError) -> Self {
        Self::Failed(error)
    }
}

impl TerminalUser {
    /// The person at the terminal that stdin and stderr are.
    pub(super) fn new() -> anyhow::Result<Self> {
        for (name, is_terminal) in
            [("stdin", std::io::stdin().is_terminal()), ("stderr", std::io::stderr().is_terminal())]
        {
            anyhow::ensure!(is_terminal, "--grant user needs a terminal to ask at, and {name} is none");
        }
        Ok(Self { turn: Arc::default(), interrupts: Arc::default() })
    }

    /// Waits for the turn and talks with the person; gives `cancelled` when they go away.
    async fn talk<T: Send + 'static>(
        &self,
        server: &Implementation,
        cancelled: T,
        talk: impl FnOnce(&Conversation) -> Result<T, Stop> + Send + 'static,
    ) -> Result<T, RpcError> {
        let interrupts = Arc::clone(&self.interrupts);
        let before = interrupts.load(Ordering::SeqCst);
        let turn = Arc::clone(&self.turn).lock_owned().await;
        if interrupts.load(Ordering::SeqCst) != before {
            return Ok(cancelled);
        }
        let withdrawn = Withdrawn::default();
        let conversation =
            Conversation { server: printable::one_line(&server.name, MAX_NAME), withdrawn: Arc::clone(&withdrawn.0) };
        let ended = tokio::task::spawn_blocking(move || {
            let _turn = turn;
            let _screen = screen::take();
            let ended = talk(&conversation);
            match &ended {
                Err(Stop::Interrupted) => {
                    interrupts.fetch_add(1, Ordering::SeqCst);
                }
                Err(Stop::Withdrawn) => eprintln!("{} no longer waits for an answer.", conversation.server),
                _ => {}
            }
            ended
        });
        match ended.await {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(Stop::Failed(error))) => Err(error),
            Ok(Err(Stop::Cancelled | Stop::Interrupted | Stop::Withdrawn)) => Ok(cancelled),
            Err(_) => Err(RpcError::internal("user", "The question was lost")),
        }
    }
}

/// Says that nobody waits any more, when the future that holds it is dropped.
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
        // What cannot be asked is refused before anything is shown.
        let schema = elicitation::schema(&request)?;
        let talk = move |conversation: &Conversation| match &request {
            ElicitRequest::Form(form) => conversation.form(form, schema.as_deref().unwrap_or_default()),
            ElicitRequest::Url(url) => conversation.page(url),
        };
        let action = self.talk(server, ElicitAction::Cancel, talk).await?;
        Ok(ElicitResult { action, meta: None })
    }

    async fn confirm(&self, server: &Implementation, message: String) -> Result<Confirmation, RpcError> {
        let talk = move |conversation: &Conversation| {
            conversation.show("asks", &message);
            Ok(match conversation.choose("Your answer", &["Yes", "No"])? {
                "Yes" => Confirmation::Accepted,
                _ => Confirmation::Declined,
            })
        };
        self.talk(server, Confirmation::Cancelled, talk).await
    }
}

/// One request to the person, on the thread that waits for them.
struct Conversation {
    /// Who asks, printable.
    server: String,
    withdrawn: Arc<AtomicBool>,
}

impl Conversation {
    /// Asks by a form.
    fn form(&self, form: &ElicitForm, schema: &str) -> Result<ElicitAction, Stop> {
        const ANSWER: &str = "Answer";
        const DECLINE: &str = "Decline";
        const SEND: &str = "Send";
        const CHANGE: &str = "Change";

        let mut questions = questions(form)?;
        self.show("asks", &form.message);
        for question in &questions {
            eprintln!("  - {}", question.label);
        }
        if self.choose("Do you want to answer?", &[ANSWER, DECLINE])? == DECLINE {
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
                    eprintln!("These answers do not fit the form: {}", printable::one_line(&why, MAX_MESSAGE));
                    if self.choose("What now?", &[CHANGE, DECLINE])? == DECLINE {
                        return Ok(ElicitAction::Decline);
                    }
                    continue;
                }
            };
            eprintln!("What {} would get:", self.server);
            lines.iter().for_each(|line| eprintln!("{line}"));
            match self.choose("Send it?", &[SEND, CHANGE, DECLINE])? {
                SEND => return Ok(ElicitAction::Accept(Some(content))),
                DECLINE => return Ok(ElicitAction::Decline),
                _ => {}
            }
        }
    }

    /// Offers a page.
    fn page(&self, request: &ElicitUrl) -> Result<ElicitAction, Stop> {
        const OPEN: &str = "Open it";
        const SELF: &str = "Do not open it, I go there myself";
        const DECLINE: &str = "Decline";

        let page = Page::new(&request.url)?;
        self.show("wants you to visit a page", &request.message);
        eprintln!("The page:\n{}", page.address());
        eprintln!("Its host: {}", page.host());
        page.warnings().for_each(|warning| eprintln!("Careful: {warning}"));
        Ok(match self.choose("Do you want to go there?", &[OPEN, SELF, DECLINE])? {
            DECLINE => ElicitAction::Decline,
            OPEN => {
                match page.open() {
                    Ok(()) => eprintln!("It was given to your browser. If it does not appear, go there yourself."),
                    Err(error) => eprintln!("It could not be opened ({error}); go there yourself."),
                }
                ElicitAction::Accept(None)
            }
            _ => ElicitAction::Accept(None),
        })
    }

    /// Says who wants what, and shows the message as a stranger's.
    fn show(&self, wants: &str, message: &str) {
        eprintln!("\nThe server {} {wants}:", self.server);
        quoted(message).iter().for_each(|line| eprintln!("  │ {line}"));
    }

    /// Asks for one of these words.
    fn choose(&self, question: &str, words: &[&'static str]) -> Result<&'static str, Stop> {
        self.goes_on()?;
        let prompt = self.prompt(question);
        let select = Select::new(&prompt, words.to_vec()).without_filtering();
        Ok(select.with_help_message("↑↓ to move, Enter to choose, Esc to cancel").prompt()?)
    }

    /// Asks a question of a form; none leaves the field out.
    fn ask(&self, question: &Question) -> Result<Option<ElicitValue>, Stop> {
        const TYPE: &str = "Enter to go on, Esc to cancel";
        const CHOOSE: &str = "↑↓ to move, type to filter, Enter to choose, Esc to cancel";
        const MARK: &str = "↑↓ to move, Space to mark, type to filter, Enter to go on, Esc to cancel";

        self.goes_on()?;
        let prompt = self.prompt(&question.label);
        let help =
            |keys: &str| question.help.as_ref().map_or_else(|| keys.to_owned(), |help| format!("{help} · {keys}"));
        let verdict = |read: Result<(), String>| match read {
            Ok(()) => Ok(Validation::Valid),
            Err(why) => Ok(Validation::Invalid(why.into())),
        };
        match &question.ask {
            Ask::Line { read, offered } => {
                let keys = if question.required { TYPE.to_owned() } else { format!("{TYPE}, empty for no answer") };
                let (help, read) = (help(&keys), *read);
                let text = Text::new(&prompt).with_initial_value(offered).with_help_message(&help);
                let line = text.with_validator(|line: &str| verdict(question.read(read, line).map(drop))).prompt()?;
                question.read(read, &line).map_err(|why| RpcError::internal("user", why).into())
            }
            Ask::One { choices, offered } => {
                let help = help(CHOOSE);
                loop {
                    let select = Select::new(&prompt, choices.clone()).with_starting_cursor(*offered);
                    match question.one(&select.with_help_message(&help).prompt()?) {
                        Ok(answer) => return Ok(answer),
                        Err(why) => eprintln!("{}: {why}", question.label),
                    }
                    self.goes_on()?;
                }
            }
            Ask::Any { choices, offered } => {
                let help = help(MARK);
                let mut offered = offered.clone();
                loop {
                    if choices.is_empty() {
                        return question.any(std::iter::empty()).map_err(|why| RpcError::invalid_params(why).into());
                    }
                    let select = MultiSelect::new(&prompt, choices.clone()).with_default(&offered);
                    let chosen = select.with_help_message(&help).raw_prompt()?;
                    offered = chosen.iter().map(|choice| choice.index).collect();
                    match question.any(chosen.into_iter().map(|choice| choice.value)) {
                        Ok(answer) => return Ok(answer),
                        Err(why) => eprintln!("{}: {why}", question.label),
                    }
                    self.goes_on()?;
                }
            }
        }
    }

    /// Who asks, in front of what is asked.
    fn prompt(&self, question: &str) -> String {
        format!("[{}] {question}", self.server)
    }

    fn goes_on(&self) -> Result<(), Stop> {
        if self.withdrawn.load(Ordering::SeqCst) { Err(Stop::Withdrawn) } else { Ok(()) }
    }
}

/// The answers if they fit the form, by the rule that the host holds them against when the handler returns them.
fn checked(schema: &str, entries: Vec<ElicitEntry>) -> Result<Vec<ElicitEntry>, String> {
    let action = ElicitAction::Accept(Some(entries));
    match elicitation::check(Some(schema), ElicitResult { action, meta: None })?.action {
        ElicitAction::Accept(Some(content)) => Ok(content),
        _ => Ok(Vec::new()),
    }
}

/// A message in lines that fit, bounded.
fn quoted(message: &str) -> Vec<String> {
    let mut lines = vec![String::new()];
    let mut column = 0usize;
    let text = printable::lines(message.trim());
    let mut rest = text.chars();
    for c in rest.by_ref().take(MAX_MESSAGE) {
        // A character that is not ASCII may take two columns.
        let width = if c.is_ascii() { 1 } else { 2 };
        if c == '\n' || column.saturating_add(width) > COLUMNS {
            lines.push(String::new());
            column = 0;
        }
        if let Some(line) = lines.last_mut()
            && c != '\n'
        {
            line.push(if c == '\t' { ' ' } else { c });
            column = column.saturating_add(width);
        }
    }
    if rest.next().is_some() || lines.len() > MAX_LINES {
        lines.truncate(MAX_LINES);
        lines.push("… (the message goes on)".to_owned());
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::super::started::this_program;
    use super::*;

    fn somebody() -> Arc<TerminalUser> {
        Arc::new(TerminalUser { turn: Arc::default(), interrupts: Arc::default() })
    }

    /// When the request is gone its question ends at the next step, and only then is another asked.
    #[tokio::test]
    async fn a_question_that_nobody_waits_for_ends() {
        let user = somebody();
        let (asked, is_asked) = tokio::sync::oneshot::channel();
        let (key, pressed) = std::sync::mpsc::channel::<()>();
        let (ended, how) = std::sync::mpsc::channel();
        let first = tokio::spawn({
            let user = Arc::clone(&user);
            async move {
                let talk = move |conversation: &Conversation| {
                    asked.send(()).unwrap();
                    pressed.recv().unwrap();
                    let goes_on = conversation.goes_on();
                    ended.send(matches!(goes_on, Err(Stop::Withdrawn))).unwrap();
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

    /// Ctrl-C is for what waits, too, and not for what comes later.
    #[tokio::test]
    async fn an_interrupt_is_for_all_that_waits() {
        let user = somebody();
        let server = this_program();
        let (asked, is_asked) = tokio::sync::oneshot::channel();
        let (key, pressed) = std::sync::mpsc::channel::<()>();
        let first = user.talk(&server, "cancelled", move |_| {
            asked.send(()).unwrap();
            pressed.recv().unwrap();
            Err(Stop::Interrupted)
        });
        let second = async {
            is_asked.await.unwrap();
            let mut second = std::pin::pin!(user.talk(&server, "cancelled", |_| Ok("asked")));
            // It waits now.
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
        assert_eq!(quoted("a\r\n\tb\u{1b}[2J\n"), ["a\u{fffd}", " b\u{fffd}[2J"]);
        assert_eq!(quoted(&"x".repeat(COLUMNS + 1)), ["x".repeat(COLUMNS), "x".to_owned()]);
        assert_eq!(quoted(&"宽".repeat(COLUMNS / 2 + 1)).len(), 2);
        assert!(quoted(&" a\n".repeat(100)).len() == MAX_LINES + 1);
        assert!(quoted(&"x".repeat(10_000)).len() <= MAX_LINES + 1);
        assert_eq!(quoted(""), [""]);
    }
}
