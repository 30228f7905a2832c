//! One writer for all: whatever is queued while a commit is under way goes into the next one.
//!
//! A commit costs one wait for the disk, whatever it holds. Callers that come at the same time share that wait, so
//! the more of them there are, the less each costs; a caller alone pays it whole. Nobody is answered before the
//! commit that holds its change is on the disk.
//!
//! An operation that fails takes its batch back, and each operation of that is done again in a transaction of its
//! own. So an operation does not harm its neighbors, and what each is told is true of it, even where SQLite itself
//! took the transaction back (a full disk, for one, after which a savepoint would be gone).

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use sqlx::{Connection, SqliteConnection};
use tokio::sync::{mpsc, oneshot};
use tokio::time::MissedTickBehavior;

use super::error::{about, closed, failed};
use super::watchers::Watchers;
use crate::support::private_file::Identity;
use crate::support::sqlite_file;
use crate::tasks::StoreError;

/// Operations in one transaction at most: it bounds how long the first of them waits.
const BATCH: usize = 256;

/// Operations that wait for the writer. Past that, callers wait to be queued.
const QUEUE: usize = 1_024;

/// Interval between checks for changes of other processes while a watcher waits.
const LOOK: Duration = Duration::from_millis(100);

/// Something that changes the store. It may be run again when its transaction was taken back.
pub(super) trait Operation: Send + Sync + 'static {
    /// Return value after the commit.
    type Answer: Send + 'static;

    /// Does it.
    fn run(&self, step: &mut Step<'_>) -> impl Future<Output = Result<Self::Answer, sqlx::Error>> + Send;
}

/// A transaction under way.
pub(super) struct Step<'c> {
    /// Where to do it.
    pub(super) connection: &'c mut SqliteConnection,
    /// The tasks that it changes or removes: who waits for them is woken after the commit.
    pub(super) changed: Vec<String>,
}

/// The way to the writer.
#[derive(Debug)]
pub(super) struct Writer {
    queue: mpsc::Sender<Message>,
    path: Arc<Path>,
}

impl Writer {
    /// Lets `connection` be written to by a task of its own, which ends when this is dropped or closed. Without a
    /// connection nothing is written.
    pub(super) fn start(
        connection: Option<SqliteConnection>,
        path: Arc<Path>,
        file: Arc<(PathBuf, Identity)>,
        watchers: Arc<Watchers>,
    ) -> Self {
        let (queue, messages) = mpsc::channel(QUEUE);
        if let Some(connection) = connection {
            let desk = Desk { connection, path: Arc::clone(&path), file, watchers, data_version: None };
            tokio::spawn(desk.serve(messages));
        }
        Self { queue, path }
    }

    /// Does an operation, durably.
    pub(super) async fn call<O: Operation>(&self, operation: O) -> Result<O::Answer, StoreError> {
        let (reply, answer) = oneshot::channel();
        let call = Call { operation, answer: None, reply };
        self.queue.send(Message::Write(Box::new(call))).await.map_err(|_| closed(&self.path))?;
        answer.await.map_err(|_| closed(&self.path))?
    }

    /// Ends the writer when it has done what is queued, and waits for that.
    pub(super) async fn close(&self) {
        if self.queue.send(Message::Close).await.is_ok() {
            self.queue.closed().await;
        }
    }
}

#[derive(Debug)]
enum Message {
    Write(Box<dyn Write>),
    Close,
}

/// An operation with its caller, of whatever kind.
#[async_trait]
trait Write: Send {
    async fn run(&mut self, step: &mut Step<'_>) -> Result<(), sqlx::Error>;

    /// Tells the caller what it was answered, or why it was not done.
    fn reply(self: Box<Self>, done: Result<(), StoreError>);
}

impl std::fmt::Debug for dyn Write {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Write")
    }
}

struct Call<O: Operation> {
    operation: O,
    answer: Option<O::Answer>,
    reply: oneshot::Sender<Result<O::Answer, StoreError>>,
}

#[async_trait]
impl<O: Operation> Write for Call<O> {
    async fn run(&mut self, step: &mut Step<'_>) -> Result<(), sqlx::Error> {
        self.answer = Some(self.operation.run(step).await?);
        Ok(())
    }

    fn reply(self: Box<Self>, done: Result<(), StoreError>) {
        // A caller that is gone needs no answer. Without an answer to give, dropping the way back says so.
        let _ = match (done, self.answer) {
            (Ok(()), Some(answer)) => self.reply.send(Ok(answer)),
            (Ok(()), None) => return,
            (Err(error), _) => self.reply.send(Err(error)),
        };
    }
}

/// Why a transaction was taken back.
enum Undone {
    /// One of its operations failed.
    Operation(sqlx::Error),
    /// The transaction could not be begun or committed.
    Commit(sqlx::Error),
    /// The file is not in its place any more: nobody would find what is stored there.
    Displaced(String),
}

/// The writer's side.
struct Desk {
    connection: SqliteConnection,
    path: Arc<Path>,
    /// Where the file is, and which one it is.
    file: Arc<(PathBuf, Identity)>,
    watchers: Arc<Watchers>,
    /// SQLite's number for what others committed, as last seen.
    data_version: Option<i64>,
}

impl Desk {
    async fn serve(mut self, mut messages: mpsc::Receiver<Message>) {
        let watchers = Arc::clone(&self.watchers);
        // However this ends, who waits for a change is told.
        let _closed = watchers.close_on_drop();
        let mut look = tokio::time::interval(LOOK);
        look.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut arrived = Vec::with_capacity(BATCH);
        let mut open = true;
        while open {
            tokio::select! {
                count = messages.recv_many(&mut arrived, BATCH) => {
                    open = count > 0;
                    let mut batch = Vec::with_capacity(count);
                    for message in arrived.drain(..) {
                        match message {
                            Message::Write(write) if open => batch.push(write),
                            // Dropped, which tells its caller.
                            Message::Write(_) => {}
                            Message::Close => open = false,
                        }
                    }
                    self.write(batch).await;
                }
                () = async { watchers.wanted().await; look.tick().await; } => self.look().await,
            }
        }
        self.end().await;
        // Only now: whoever closes the store waits for this.
        drop(messages);
    }

    /// Does a batch and answers it.
    async fn write(&mut self, mut batch: Vec<Box<dyn Write>>) {
        match self.commit(&mut batch).await {
            Ok(()) => batch.into_iter().for_each(|write| write.reply(Ok(()))),
            Err(Undone::Operation(_)) if batch.len() > 1 => {
                for mut write in batch {
                    let done = self.commit(std::slice::from_mut(&mut write)).await;
                    write.reply(done.map_err(|undone| self.failed(&undone)));
                }
            }
            Err(undone) => {
                let error = self.failed(&undone);
                batch.into_iter().for_each(|write| write.reply(Err(StoreError(error.0.clone()))));
            }
        }
    }

    /// Does all of a batch in one transaction, or nothing.
    async fn commit(&mut self, batch: &mut [Box<dyn Write>]) -> Result<(), Undone> {
        if batch.is_empty() {
            return Ok(());
        }
        let (file, identity) = &*self.file;
        identity.check(file).map_err(Undone::Displaced)?;
        sqlx::query("BEGIN IMMEDIATE").execute(&mut self.connection).await.map_err(Undone::Commit)?;
        match self.run(batch).await {
            Ok(changed) => {
                self.watchers.wake(&changed);
                Ok(())
            }
            Err(undone) => {
                // It fails where SQLite has done so by itself.
                let _ = sqlx::query("ROLLBACK").execute(&mut self.connection).await;
                Err(undone)
            }
        }
    }

    async fn run(&mut self, batch: &mut [Box<dyn Write>]) -> Result<Vec<String>, Undone> {
        let mut step = Step { connection: &mut self.connection, changed: Vec::new() };
        for write in batch {
            write.run(&mut step).await.map_err(Undone::Operation)?;
        }
        let changed = step.changed;
        sqlx::query("COMMIT").execute(&mut self.connection).await.map_err(Undone::Commit)?;
        Ok(changed)
    }

    /// Wakes everybody when another process has committed something. What it was is not known, so they look.
    async fn look(&mut self) {
        let found = sqlx::query_scalar("PRAGMA data_version").fetch_one(&mut self.connection).await;
        match found {
            Ok(found) if self.data_version == Some(found) => {}
            Ok(found) => {
                self.data_version = Some(found);
                self.watchers.wake_all();
            }
            // They look, and meet the same error.
            Err(_) => self.watchers.wake_all(),
        }
    }

    /// Puts all into the database file itself, so that it can be copied alone.
    async fn end(self) {
        let mut connection = self.connection;
        if let Err(error) = sqlite_file::give_back(&mut connection).await {
            tracing::debug!(error = %failed(&self.path, &error), "free space of the task store was not given back");
        }
        let error = match sqlx::query("PRAGMA wal_checkpoint(TRUNCATE)").execute(&mut connection).await {
            Ok(_) => connection.close().await.err(),
            Err(error) => Some(error),
        };
        if let Some(error) = error {
            // What was acknowledged is on the disk all the same, in the file beside it.
            tracing::debug!(error = %failed(&self.path, &error), "the task store was not closed in good order");
        }
    }

    fn failed(&self, undone: &Undone) -> StoreError {
        match undone {
            Undone::Operation(error) | Undone::Commit(error) => failed(&self.path, error),
            Undone::Displaced(what) => about(&self.path, what),
        }
    }
}
