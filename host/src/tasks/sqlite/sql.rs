//! The statements, in one place: each finds its rows by an index, which a test asks SQLite about.
//!
//! Parameters are numbered where one stands twice. `?1 IS NULL OR principal = ?1` is [`Whose`](super::super::Whose):
//! a principal, or anyone.

/// Stores a task unless its principal has as many as it may.
pub(super) const CREATE: &str = "
    INSERT INTO tasks (id, principal, status, status_message, created_at, updated_at, ttl, expires_at, poll_interval,
        version, origin)
    SELECT ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11
    WHERE coalesce((SELECT tasks FROM principals WHERE name = ?2), 0) < ?12";

/// Stores the job of a new task. A worker that is not known holds nothing: the job can be claimed.
pub(super) const CREATE_JOB: &str = "
    INSERT INTO jobs (sequence, principal, worker, fence, job)
    VALUES (?1, ?2, (SELECT id FROM workers WHERE id = ?3), 1, ?4)";

/// Adds the job of a task that has none and has not ended.
pub(super) const ENQUEUE: &str = "
    INSERT INTO jobs (sequence, principal, worker, fence, job)
    SELECT sequence, principal, (SELECT id FROM workers WHERE id = ?3), 1, ?4 FROM tasks
    WHERE id = ?2 AND (?1 IS NULL OR principal = ?1) AND status IN ('working', 'input_required')
    ON CONFLICT (sequence) DO NOTHING";

/// A record, in the order that `rows::record` reads.
macro_rules! record {
    ($rest:literal) => {
        concat!(
            "SELECT principal, id, sequence, status, status_message, created_at, updated_at, ttl, poll_interval, \
             version, origin FROM tasks ",
            $rest
        )
    };
}

pub(super) const GET: &str = record!("WHERE id = ?2 AND (?1 IS NULL OR principal = ?1)");

pub(super) const LIST_OF: &str = record!("WHERE principal = ?1 AND sequence > ?2 ORDER BY sequence LIMIT ?3");

pub(super) const LIST_ALL: &str = record!("WHERE sequence > ?1 ORDER BY sequence LIMIT ?2");

pub(super) const OUTCOME: &str = "SELECT outcome FROM tasks WHERE id = ?2 AND (?1 IS NULL OR principal = ?1)";

pub(super) const VERSION: &str = "SELECT version FROM tasks WHERE id = ?1";

/// What decides about a transition: the version, and whether the lease is the newest.
pub(super) const STANDING: &str = "
    SELECT version, EXISTS (
        SELECT 1 FROM jobs WHERE jobs.sequence = tasks.sequence AND worker = ?3 AND fence = ?4
    ) FROM tasks WHERE id = ?1 AND principal = ?2";

/// An outcome that is there stays.
pub(super) const TRANSITION: &str = "
    UPDATE tasks SET status = ?2, status_message = ?3, created_at = ?4, updated_at = ?5, ttl = ?6, expires_at = ?7,
        poll_interval = ?8, version = ?9, origin = ?10, outcome = coalesce(outcome, ?11)
    WHERE id = ?1";

pub(super) const REMOVE_JOB: &str = "DELETE FROM jobs WHERE sequence = (SELECT sequence FROM tasks WHERE id = ?1)";

pub(super) const REMOVE: &str = "DELETE FROM tasks WHERE id = ?2 AND (?1 IS NULL OR principal = ?1)";

pub(super) const ANY_EXPIRED: &str = "SELECT EXISTS (SELECT 1 FROM tasks WHERE expires_at <= ?1)";

pub(super) const REMOVE_EXPIRED: &str = "
    DELETE FROM tasks WHERE sequence IN (
        SELECT sequence FROM tasks WHERE expires_at <= ?1 ORDER BY expires_at LIMIT ?2
    )
    RETURNING principal, id, sequence, status, status_message, created_at, updated_at, ttl, poll_interval, version,
        origin";

/// Whether a worker (or `worker` in a join) has time at `?1`. A clock may be set back by a little at any time;
/// where more than the time that was last given is left on top of it, it was set back by so much that the rest says
/// nothing.
macro_rules! has_time {
    () => {
        "(until_ms > ?1 AND until_ms <= ?1 + 2 * time_ms)"
    };
}

/// Renews the time of a worker that has some left.
pub(super) const RENEW: &str =
    concat!("UPDATE workers SET until_ms = ?1 + ?3, time_ms = ?3 WHERE id = ?2 AND ", has_time!());

/// Gives a worker that is not known its first time.
pub(super) const ENTER: &str =
    "INSERT INTO workers (id, until_ms, time_ms) VALUES (?2, ?1 + ?3, ?3) ON CONFLICT (id) DO NOTHING";

/// Forgets the workers whose time ran out long ago; their jobs are free by the foreign key.
pub(super) const FORGET: &str = "DELETE FROM workers WHERE until_ms <= ?1";

pub(super) const RESIGN: &str = "DELETE FROM workers WHERE id = ?1";

pub(super) const RELEASE: &str = "
    UPDATE jobs SET worker = NULL
    WHERE sequence = (SELECT sequence FROM tasks WHERE id = ?1) AND worker = ?2 AND fence = ?3";

pub(super) const HAS_TIME: &str = concat!("SELECT EXISTS (SELECT 1 FROM workers WHERE id = ?2 AND ", has_time!(), ")");

/// The oldest jobs of a principal that nobody holds, and those of workers without time.
pub(super) const CLAIMABLE: &str = concat!(
    "SELECT sequence FROM jobs WHERE worker IS NULL AND principal = ?2
     UNION ALL
     SELECT sequence FROM workers CROSS JOIN jobs ON worker = id WHERE principal = ?2 AND NOT ",
    has_time!(),
    " ORDER BY sequence LIMIT ?3"
);

pub(super) const CLAIM: &str = "
    UPDATE jobs SET worker = ?2, fence = fence + 1, lost = lost + (worker IS NOT NULL) WHERE sequence = ?1
    RETURNING fence, lost, job, (SELECT id FROM tasks WHERE tasks.sequence = jobs.sequence)";
