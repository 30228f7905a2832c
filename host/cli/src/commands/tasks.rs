//! Command `taskcell tasks`: shows and cleans up a store of tasks, even during a run that uses the store.
//!
//! The command creates no file: a missing file is an error. A cancellation follows the rules of the principal's tasks.
//! The process that works on the task reads the change from the store and stops.

use std::io::Write;
use std::num::NonZeroUsize;
use std::path::Path;
use std::sync::Arc;

use clap::builder::{PossibleValuesParser, TypedValueParser};
use jiff::Timestamp;
use serde_json::{Value, json};

use super::task_view::{document, sheet, table, whole};
use crate::config::store::{Place, Store};
use crate::config::task_args::{AuditArgs, ConfigArg, StoreArgs};
use crate::config::{Config, Name};
use crate::outcome::Outcome;
use crate::terminal::one_line;
use taskcell::protocol::types::TaskStatus;
use taskcell::tasks::{
    Clear, Cleared, PrincipalFilter, SqliteStore, StoreError, TaskError, TaskRecord, TaskStore, Tasks,
};
use taskcell::text;

/// Number of tasks to read in one step.
const AT_ONCE: usize = 500;
/// All statuses, by their names on the wire.
const STATUSES: [TaskStatus; 5] =
    [TaskStatus::Working, TaskStatus::InputRequired, TaskStatus::Completed, TaskStatus::Failed, TaskStatus::Cancelled];

#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(clap::Subcommand)]
enum Command {
    /// Show the tasks, oldest first
    List(List),
    /// Show all fields of a task, and its outcome
    Show(Show),
    /// Cancel a task that has not ended; a run that works on it stops
    Cancel(Cancel),
    /// Remove expired tasks, and free their space
    Purge(Purge),
    /// Move the tasks of one principal to another, such as those of a server that is now started in another way
    Move(Move),
}

/// Flags of every subcommand.
#[derive(clap::Args)]
struct Common {
    #[command(flatten)]
    store: StoreArgs,
    #[command(flatten)]
    config: ConfigArg,
    /// Print one JSON document
    #[arg(long)]
    json: bool,
}

#[derive(clap::Args)]
struct List {
    /// Only tasks of this principal
    #[arg(long, value_name = "NAME")]
    principal: Option<String>,
    /// Only tasks of this status
    #[arg(long, value_parser = status())]
    status: Option<TaskStatus>,
    /// Tasks to show at most
    #[arg(long, value_name = "N", default_value = "100")]
    limit: NonZeroUsize,
    #[command(flatten)]
    common: Common,
}

#[derive(clap::Args)]
struct Show {
    /// The task
    id: String,
    #[command(flatten)]
    common: Common,
}

#[derive(clap::Args)]
struct Cancel {
    /// The task
    id: String,
    #[command(flatten)]
    audit: AuditArgs,
    #[command(flatten)]
    common: Common,
}

#[derive(clap::Args)]
struct Purge {
    /// Also remove tasks that have ended, even if nobody fetched their results
    #[arg(long)]
    ended: bool,
    /// Only tasks of this principal
    #[arg(long, value_name = "NAME")]
    principal: Option<String>,
    #[command(flatten)]
    audit: AuditArgs,
    #[command(flatten)]
    common: Common,
}

#[derive(clap::Args)]
struct Move {
    /// The principal that has the tasks
    #[arg(long, value_name = "NAME")]
    from: Name,
    /// The principal that gets the tasks
    #[arg(long, value_name = "NAME")]
    to: Name,
    #[command(flatten)]
    audit: AuditArgs,
    #[command(flatten)]
    common: Common,
}

/// Parses a status by its name.
fn status() -> impl TypedValueParser<Value = TaskStatus> {
    let named = |name: String| STATUSES.into_iter().find(|status| status.as_str() == name).ok_or("no such status");
    PossibleValuesParser::new(STATUSES.map(TaskStatus::as_str)).try_map(named)
}

pub(crate) async fn tasks(args: Args) -> anyhow::Result<Outcome> {
    let common = match &args.command {
        Command::List(List { common, .. })
        | Command::Show(Show { common, .. })
        | Command::Cancel(Cancel { common, .. })
        | Command::Purge(Purge { common, .. })
        | Command::Move(Move { common, .. }) => common,
    };
    let config = common.config.load()?;
    let place = common.store.settle(&config, Place::of_user)?;
    let store = match &args.command {
        Command::List(_) | Command::Show(_) => place.open_to_look().await?,
        Command::Cancel(_) => place.open_existing().await?,
        // Both commands need exclusive access to the file.
        Command::Purge(args) => return purge(args, place.file()?, &config).await,
        Command::Move(args) => return transfer(args, place.file()?, &config).await,
    };
    let ended = match &args.command {
        Command::List(args) => list(args, &store).await,
        Command::Show(args) => show(args, &store).await,
        Command::Cancel(args) => cancel(args, &store, &config).await,
        Command::Purge(_) | Command::Move(_) => return Ok(Outcome::Success),
    };
    store.close().await?;
    ended
}

async fn list(args: &List, store: &Store) -> anyhow::Result<Outcome> {
    let limit = args.limit.get();
    let mut records = Vec::new();
    let mut pages = Pages::of(store, args.principal.as_deref());
    while records.len() <= limit
        && let Some(page) = pages.next().await?
    {
        records.extend(page.into_iter().filter(|record| args.status.is_none_or(|status| record.status == status)));
    }
    let more = records.len() > limit;
    records.truncate(limit);
    let now = Timestamp::now();
    if args.common.json {
        let tasks: Vec<_> = records.iter().map(|record| document(record, now)).collect::<Result<_, _>>()?;
        print_json(&json!({ "tasks": tasks, "more": more }))?;
    } else {
        table(&records, now, &mut std::io::stdout().lock())?;
        if more {
            eprintln!("there are more tasks: --limit N shows so many");
        }
    }
    Ok(Outcome::Success)
}

async fn show(args: &Show, store: &Store) -> anyhow::Result<Outcome> {
    let Some(record) = store.tasks.get(PrincipalFilter::Anyone, &args.id).await? else {
        return missing(&args.id, &args.common);
    };
    let outcome = store.tasks.outcome(PrincipalFilter::Anyone, &args.id).await?;
    let now = Timestamp::now();
    if args.common.json {
        print_json(&whole(&record, outcome.as_ref(), now)?)?;
    } else {
        sheet(&record, outcome.as_ref(), now, &mut std::io::stdout().lock())?;
    }
    Ok(Outcome::Success)
}

async fn cancel(args: &Cancel, store: &Store, config: &Config) -> anyhow::Result<Outcome> {
    let audit = args.audit.settle(config)?.map(|audit| audit.open()).transpose()?;
    let Some(TaskRecord { principal, .. }) = store.tasks.get(PrincipalFilter::Anyone, &args.id).await? else {
        return missing(&args.id, &args.common);
    };
    let limits = config.task_limits.clone();
    let tasks = Tasks::new(Arc::clone(&store.tasks), &principal, limits, Box::new(|_| {})).with_audit(audit);
    match tasks.cancel(&args.id).await {
        Ok(task) if args.common.json => print_json(&json!(task))?,
        Ok(task) => writeln!(std::io::stdout().lock(), "task {} is cancelled", one_line(&task.task_id))?,
        Err(TaskError::Store(error)) => return Err(error.into()),
        Err(TaskError::NotFound { .. }) => return missing(&args.id, &args.common),
        Err(error) => return refused(&error.to_string(), &args.common),
    }
    Ok(Outcome::Success)
}

async fn purge(args: &Purge, file: &Path, config: &Config) -> anyhow::Result<Outcome> {
    let audit = args.audit.settle(config)?.map(|audit| audit.open()).transpose()?;
    let what = Clear { principal: args.principal.as_deref(), ended: args.ended, now: Timestamp::now() };
    let Cleared { expired, ended, wiped, .. } = SqliteStore::clear(file, what).await?;
    if let Some(audit) = &audit {
        expired.iter().chain(&ended).for_each(|record| audit.task("removed", record));
    }
    let (expired, ended) = (expired.len(), ended.len());
    if args.common.json {
        print_json(&json!({ "expired": expired, "ended": ended }))?;
    } else {
        let others = if args.ended { format!(", and {ended} that had ended") } else { String::new() };
        writeln!(std::io::stdout().lock(), "removed {expired} that had expired{others}")?;
    }
    if !wiped {
        eprintln!("another process uses the store: what was removed may stand in the file until that one ends");
    }
    Ok(Outcome::Success)
}

async fn transfer(args: &Move, file: &Path, config: &Config) -> anyhow::Result<Outcome> {
    let audit = args.audit.settle(config)?.map(|audit| audit.open()).transpose()?;
    let (Name(from), Name(to)) = (&args.from, &args.to);
    let moved = SqliteStore::transfer(file, from, to).await?;
    if let Some(audit) = &audit {
        moved.iter().for_each(|record| audit.task("moved", record));
    }
    let count = moved.len();
    if args.common.json {
        print_json(&json!({ "moved": count }))?;
    } else {
        writeln!(std::io::stdout().lock(), "moved {count} to {}", one_line(to))?;
    }
    Ok(if count == 0 { Outcome::ErrorResult } else { Outcome::Success })
}

fn missing(id: &str, common: &Common) -> anyhow::Result<Outcome> {
    refused(&format!("no task has the id {:?}", one_line(id)), common)
}

/// Prints the reason of a refusal. The command itself ran, so the result is an error.
fn refused(why: &str, common: &Common) -> anyhow::Result<Outcome> {
    if common.json {
        print_json(&json!({ "error": why }))?;
    } else {
        writeln!(std::io::stdout().lock(), "{}", one_line(why))?;
    }
    Ok(Outcome::ErrorResult)
}

fn print_json(document: &Value) -> std::io::Result<()> {
    writeln!(std::io::stdout().lock(), "{}", text::json(document))
}

/// Pages of the tasks of a store.
struct Pages<'a> {
    store: &'a dyn TaskStore,
    filter: PrincipalFilter<'a>,
    after: Option<u64>,
}

impl<'a> Pages<'a> {
    fn of(store: &'a Store, principal: Option<&'a str>) -> Self {
        Self {
            store: &*store.tasks,
            filter: principal.map_or(PrincipalFilter::Anyone, PrincipalFilter::Of),
            after: None,
        }
    }

    /// Returns the next page, or none after the last.
    async fn next(&mut self) -> Result<Option<Vec<TaskRecord>>, StoreError> {
        let page = self.store.list(self.filter, self.after, AT_ONCE).await?;
        let Some(last) = page.last() else { return Ok(None) };
        self.after = Some(last.sequence);
        Ok(Some(page))
    }
}
