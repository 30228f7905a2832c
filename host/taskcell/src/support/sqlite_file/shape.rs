//! Ownership of a file: the mark in its header, its tables, their versions.

use std::collections::HashSet;
use std::path::Path;

use sqlx::migrate::{Migration, MigrationType, Migrator};
use sqlx::{SqlSafeStr, SqliteConnection};

use super::said;

/// Table in which sqlx records the versions of a file.
const VERSIONS: &str = "_sqlx_migrations";

/// Kind of file.
pub(crate) struct Shape {
    /// Description of the file, for people.
    pub(crate) name: &'static str,
    /// Mark of a SQLite file of this kind, which SQLite keeps in the file's header (`PRAGMA application_id`).
    pub(crate) application_id: i64,
    /// Versions, counted from one.
    pub(crate) versions: &'static [Version],
}

/// Version of a kind of file.
pub(crate) struct Version {
    pub(crate) name: &'static str,
    /// Statements that turn the previous version into this one.
    pub(crate) sql: &'static str,
    /// Tables that this version adds.
    pub(crate) tables: &'static [&'static str],
    /// Indexes and triggers that this version adds.
    pub(crate) others: &'static [&'static str],
}

/// Purpose of opening a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Use {
    /// Serving: a missing file is created, and an older one upgraded to this version.
    Serve,
    /// Opens an existing file to serve from, and upgrades it.
    Upgrade,
    /// Changing rows. The tables stay as they are, because an older program may be using them.
    Change,
    /// Reading. Nothing in the file is changed.
    Look,
}

impl Use {
    /// Whether the tables are upgraded to this version.
    pub(crate) fn upgrades(self) -> bool {
        matches!(self, Self::Serve | Self::Upgrade)
    }
}

/// Reason why a file cannot be used.
pub(crate) enum Failure {
    /// SQLite reported an error.
    Sqlite(sqlx::Error),
    /// The file is not a file of its kind. The message is for people.
    Refused(String),
}

impl From<sqlx::Error> for Failure {
    fn from(error: sqlx::Error) -> Self {
        Self::Sqlite(error)
    }
}

impl Failure {
    /// Description of the purpose, for people.
    pub(crate) fn said(&self) -> String {
        match self {
            Self::Sqlite(error) => said(error),
            Self::Refused(what) => what.clone(),
        }
    }
}

impl Shape {
    /// Checks, within a running transaction, that the file is of this kind and of a known version. If the purpose
    /// includes an upgrade, marks an empty file and creates or upgrades the tables.
    ///
    /// # Errors
    /// A description of what is wrong with the file, which then stays unchanged.
    pub(crate) async fn bring_up(&self, step: &mut SqliteConnection, path: &Path, opened: Use) -> Result<(), Failure> {
        let id: i64 = sqlx::query_scalar("PRAGMA application_id").fetch_one(&mut *step).await?;
        let names = sqlx::query_scalar("SELECT name FROM sqlite_schema").fetch_all(&mut *step).await?;
        let names: HashSet<String> = names.into_iter().collect();
        match id {
            id if id == self.application_id => self.check(step, &names, opened).await?,
            0 if names.is_empty() && opened == Use::Serve => {
                let mark = format!("PRAGMA application_id = {}", self.application_id);
                sqlx::query(sqlx::AssertSqlSafe(mark)).execute(&mut *step).await?;
            }
            0 if names.is_empty() => {
                return Err(Failure::Refused(format!("it is empty: name the file that {} are kept in", self.name)));
            }
            0 => return Err(Failure::Refused(self.unmarked(&names, path))),
            _ => return Err(Failure::Refused(self.strange())),
        }
        if opened.upgrades() {
            let renewed = self.migrator().run_direct(None, step, false).await;
            renewed.map_err(|error| match error {
                sqlx::migrate::MigrateError::Execute(error)
                | sqlx::migrate::MigrateError::ExecuteMigration(error, _) => Failure::Sqlite(error),
                other => Failure::Refused(format!("its tables cannot be brought up to this version: {other}")),
            })?;
        }
        Ok(())
    }

    fn strange(&self) -> String {
        "it is the database of another program, and was not touched: name another file".to_owned()
    }

    /// Describes the fault of a file without a mark. `.dump` of SQLite's shell writes the tables but leaves the mark
    /// out.
    fn unmarked(&self, names: &HashSet<String>, path: &Path) -> String {
        let tables = self.versions.iter().take(1).flat_map(|version| version.tables).chain([&VERSIONS]);
        let (there, missing): (Vec<_>, Vec<_>) = tables.copied().partition(|table| names.contains(*table));
        let file = crate::text::one_line(&path.display().to_string(), 1_000);
        let mark = format!("sqlite3 '{file}' 'PRAGMA application_id = {}'", self.application_id);
        match (there.len(), missing.is_empty()) {
            (_, true) => format!(
                "it has the tables that {} are kept in, but not their mark (application_id), which `.dump` leaves out, \
                 and was not touched: if it was restored from a dump, run {mark}",
                self.name
            ),
            (3.., false) => {
                let missing = missing.join(", ");
                format!(
                    "it seems to be half restored (it has no {missing}, nor the mark application_id), and was not \
                     touched: restore it whole, such as from a copy that `.backup` made"
                )
            }
            _ => self.strange(),
        }
    }

    /// Refuses tables of a newer version, and incomplete sets of tables.
    async fn check(&self, step: &mut SqliteConnection, names: &HashSet<String>, opened: Use) -> Result<(), Failure> {
        let half = |what: &str| {
            Failure::Refused(format!(
                "it is only half restored ({what}), and was not touched: restore it whole, such as from a copy that \
                 `.backup` made"
            ))
        };
        if names.is_empty() && opened == Use::Serve {
            return Ok(());
        }
        if !names.contains(VERSIONS) {
            return Err(half(&format!("it has no {VERSIONS}")));
        }
        let found = sqlx::query_scalar("SELECT coalesce(max(version), 0) FROM _sqlx_migrations").fetch_one(step).await;
        let found: i64 = found?;
        let known = self.versions.len();
        match usize::try_from(found) {
            Ok(0) => Err(half(&format!("its {VERSIONS} is empty"))),
            Ok(found) if found <= known => {
                let had =
                    self.versions.iter().take(found).flat_map(|version| version.tables.iter().chain(version.others));
                let missing: Vec<_> = had.copied().filter(|name| !names.contains(*name)).collect();
                if missing.is_empty() { Ok(()) } else { Err(half(&format!("it has no {}", missing.join(", ")))) }
            }
            _ => Err(Failure::Refused(format!(
                "it was written by a newer taskcell (schema {found}, this one knows {known}), and was not touched: use \
                 that version, or name another file"
            ))),
        }
    }

    fn migrator(&self) -> Migrator {
        let migrations = (1..).zip(self.versions).map(|(version, Version { name, sql, .. })| {
            Migration::new(version, (*name).into(), MigrationType::Simple, sql.into_sql_str(), false)
        });
        Migrator::with_migrations(migrations.collect())
    }
}
