//! Single writer of the store, with group commit: operations queued during a commit share the next one.
//!
//! A commit costs one wait for the disk, however many operations it holds. Callers that come at the same time share
//! that wait, so each of many callers pays less; a single caller pays the whole wait. No caller is answered before the
//! commit with its change is on the disk.
//!
//! A failing operation rolls its batch back, and each operation of the batch runs again in a transaction of its own. So
//! an operation does not harm its neighbors, and each caller gets a true answer. This holds even where SQLite itself
//! rolled the transaction back (on a full disk, for example, which also drops savepoints).

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

/// Most operations in one transaction, which bounds how long the first of them waits.
const BATCH: usize = 256;

/// Operations that wait for the writer. Beyond that, callers wait to be queued.
const QUEUE: usize = 1_024;

/// Interval of checks for changes by other processes, while any caller waits for a change.
const LOOK: Duration = Duration::from_millis(100);

/// Change of the store. It may run again after its transaction was rolled back.
pub(super) trait Operation: Send + Sync + 'static {
    /// Answer to the caller after the commit.
    type Answer: Send + 'static;

    /// Runs the operation within a transaction.
    fn run(&self, step: &mut Step<'_>) -> impl Future<Output = Result<Self::Answer, sqlx::Error>> + Send;
}

/// Transaction in progress.
pub(super) struct Step<'c> {
    /// Connection of the transaction.
    pub(super) connection: &'c mut SqliteConnection,
    /// Tasks that the transaction changes or removes. Their waiters are woken after the commit.
    pub(super) changed: Vec<String>,
}

/// Handle of the writer.
#[derive(Debug)]
pub(super) struct Writer {
    queue: mpsc::Sender<Message>,
    path: Arc<Path>,
}

impl Writer {
    /// Starts a task that writes to `connection`. It ends when the handle is dropped or closed. Without a connection,
    /// calls are refused.
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

    /// Runs an operation and returns its answer once it is durable.
    pub(super) async fn call<O: Operation>(&self, operation: O) -> Result<O::Answer, StoreError> {
        let (reply, answer) = oneshot::channel();
        let call = Call { operation, answer: None, reply };
        self.queue.send(Message::Write(Box::new(call))).await.map_err(|_| closed(&self.path))?;
        answer.await.map_err(|_| closed(&self.path))?
    }

    /// Ends the writer after its queued operations, and waits for that.
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

/// Operation of any type, with its caller.
#[async_trait]
trait Write: Send {
    async fn run(&mut self, step: &mut Step<'_>) -> Result<(), sqlx::Error>;

    /// Sends the answer, or the error, to the caller.
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
        // A caller that is gone needs no answer. Dropping the channel without an answer reports the failure.
        let _ = match (done, self.answer) {
            (Ok(()), Some(answer)) => self.reply.send(Ok(answer)),
            (Ok(()), None) => return,
            (Err(error), _) => self.reply.send(Err(error)),
        };
    }
}

/// Reason why a transaction was rolled back.
enum Undone {
    /// One of the operations failed.
    Operation(sqlx::Error),
    /// The transaction could not be started or committed.
    Commit(sqlx::Error),
    /// The file is no longer in its place, so nobody would find the stored data.
    Displaced(String),
}

/// State of the writer's task.
struct Desk {
    connection: SqliteConnection,
    path: Arc<Path>,
    /// Path and identity of the file.
    file: Arc<(PathBuf, Identity)>,
    watchers: Arc<Watchers>,
    /// SQLite's counter of commits by other connections, as last read.
    data_version: Option<i64>,
}

impl Desk {
    async fn serve(mut self, mut messages: mpsc::Receiver<Message>) {
        let watchers = Arc::clone(&self.watchers);
        // Waiters are dismissed however this function ends.
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
                            // Dropping the operation reports the failure to its caller.
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
        // The channel closes only now, because the caller that closes the store waits for it.
        drop(messages);
    }

    /// Runs a batch and answers its callers.
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

    /// Runs all of a batch in one transaction, or nothing.
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
                // The statement fails where SQLite has rolled the transaction back itself.
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

    /// Wakes all waiters when another process has committed. SQLite does not say which tasks changed, so each waiter
    /// reads its task.
    async fn look(&mut self) {
        let found = sqlx::query_scalar("PRAGMA data_version").fetch_one(&mut self.connection).await;
        match found {
            Ok(found) if self.data_version == Some(found) => {}
            Ok(found) => {
                self.data_version = Some(found);
                self.watchers.wake_all();
            }
            // The waiters read their tasks and meet the same error.
            Err(_) => self.watchers.wake_all(),
        }
    }

    /// Moves the write-ahead log into the database file, so that the file can be copied alone.
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
            // Acknowledged changes are on the disk all the same, in the log beside the file.
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
