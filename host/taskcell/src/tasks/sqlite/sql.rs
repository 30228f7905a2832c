//! Statements. Each finds its rows by an index, which a test checks by SQLite's query plans.
//!
//! Parameters are numbered where one occurs twice. `?1 IS NULL OR principal = ?1` is a
//! [`PrincipalFilter`](super::super::PrincipalFilter): NULL selects the tasks of all principals.

/// Stores a task unless its principal has reached its number of tasks, or has no room for the task's bytes.
pub(super) const CREATE: &str = "
    INSERT INTO tasks (id, status, status_message, created_at, updated_at, ttl, expires_at, poll_interval, version,
        origin, principal)
    SELECT ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11
    WHERE coalesce((SELECT tasks FROM principals WHERE name = ?11), 0) < ?12
        AND coalesce((SELECT bytes FROM principals WHERE name = ?11), 0) + ?13 <= ?14";

/// Returns the number of a principal's tasks.
pub(super) const TASKS_OF: &str = "SELECT coalesce((SELECT tasks FROM principals WHERE name = ?1), 0)";

/// Returns the bytes of a principal's tasks plus `?2`.
pub(super) const BYTES_WITH: &str = "SELECT coalesce((SELECT bytes FROM principals WHERE name = ?1), 0) + ?2";

/// Stores the job of a new task. A worker that the store does not know holds nothing, so the job can be claimed.
pub(super) const CREATE_JOB: &str = "
    INSERT INTO jobs (sequence, principal, worker, fence, job)
    VALUES (?1, ?2, (SELECT id FROM workers WHERE id = ?3), 1, ?4)";

/// Reserves a new task for a worker. A worker that the store does not know reserves nothing, so the task is removed.
pub(super) const RESERVE: &str = "
    INSERT INTO jobs (sequence, principal, worker, fence, job)
    VALUES (?1, ?2, (SELECT id FROM workers WHERE id = ?3), 0, '')";

/// Ends the reservation of a task.
pub(super) const CONFIRM: &str = "
    DELETE FROM jobs WHERE sequence = (SELECT sequence FROM tasks WHERE id = ?1) AND fence = 0 AND worker = ?2";

/// Adds a job to a task that has none, or that the same worker reserves, and that has not ended.
pub(super) const ENQUEUE: &str = "
    INSERT INTO jobs (sequence, principal, worker, fence, job)
    SELECT sequence, principal, (SELECT id FROM workers WHERE id = ?3), 1, ?4 FROM tasks
    WHERE id = ?2 AND (?1 IS NULL OR principal = ?1) AND status IN ('working', 'input_required')
    ON CONFLICT (sequence) DO UPDATE SET fence = excluded.fence, job = excluded.job
        WHERE jobs.fence = 0 AND jobs.worker = excluded.worker";

/// Returns the principal of a task.
pub(super) const PRINCIPAL: &str = "SELECT principal FROM tasks WHERE id = ?2 AND (?1 IS NULL OR principal = ?1)";

/// Columns of a record, in the order of `rows::record`.
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

/// Returns the values that decide about a transition: the version of the task, and whether the lease is the newest.
pub(super) const STANDING: &str = "
    SELECT version, EXISTS (
        SELECT 1 FROM jobs WHERE jobs.sequence = tasks.sequence AND worker = ?3 AND fence = ?4
    ) FROM tasks WHERE id = ?1 AND principal = ?2";

/// Returns the bytes of a task's job, which is removed when the task ends.
pub(super) const JOB_SIZE: &str = "
    SELECT coalesce(max(length(CAST(job AS BLOB))), 0) FROM jobs
    WHERE sequence = (SELECT sequence FROM tasks WHERE id = ?1)";

/// Changes a task. An existing outcome stays.
pub(super) const TRANSITION: &str = "
    UPDATE tasks SET status = ?2, status_message = ?3, created_at = ?4, updated_at = ?5, ttl = ?6, expires_at = ?7,
        poll_interval = ?8, version = ?9, origin = ?10, outcome = coalesce(outcome, ?11)
    WHERE id = ?1";

pub(super) const REMOVE_JOB: &str = "DELETE FROM jobs WHERE sequence = (SELECT sequence FROM tasks WHERE id = ?1)";

pub(super) const REMOVE: &str = "DELETE FROM tasks WHERE id = ?2 AND (?1 IS NULL OR principal = ?1)";

/// Moves the counts and the jobs of one principal to another.
pub(super) const TRANSFER: &[&str] = &[
    "INSERT INTO principals (name, tasks, bytes) SELECT ?2, tasks, bytes FROM principals WHERE name = ?1
     ON CONFLICT (name) DO UPDATE SET tasks = tasks + excluded.tasks, bytes = bytes + excluded.bytes",
    "DELETE FROM principals WHERE name = ?1",
    "UPDATE jobs SET principal = ?2 WHERE principal = ?1 AND sequence IN (
        SELECT sequence FROM tasks WHERE principal = ?1
     )",
];

/// Moves the tasks of one principal to another.
pub(super) const TRANSFER_TASKS: &str = "
    UPDATE tasks SET principal = ?2 WHERE principal = ?1
    RETURNING principal, id, sequence, status, status_message, created_at, updated_at, ttl, poll_interval, version,
        origin";

/// Whether a worker (or `worker` in a join) has time at `?1`. A clock may be set back a little at any time. When more
/// time is left than was last given, the clock was set back so far that the remaining time means nothing.
macro_rules! has_time {
    () => {
        "(until_ms > ?1 AND until_ms <= ?1 + 2 * time_ms)"
    };
}

/// Whether any task has expired by `?2`, or is reserved by a worker without time at `?1`.
pub(super) const ANY_EXPIRED: &str = concat!(
    "SELECT EXISTS (SELECT 1 FROM tasks WHERE expires_at <= ?2)
     OR EXISTS (SELECT 1 FROM jobs WHERE fence = 0 AND worker IS NULL)
     OR EXISTS (SELECT 1 FROM workers CROSS JOIN jobs ON worker = id WHERE fence = 0 AND NOT ",
    has_time!(),
    ")"
);

/// Returns the sequences of tasks that are reserved by a worker without time at `?1`.
pub(super) const ABANDONED: &str = concat!(
    "SELECT sequence FROM jobs WHERE fence = 0 AND worker IS NULL
     UNION ALL
     SELECT sequence FROM workers CROSS JOIN jobs ON worker = id WHERE fence = 0 AND NOT ",
    has_time!(),
    " LIMIT ?2"
);

pub(super) const REMOVE_EXPIRED: &str = "
    DELETE FROM tasks WHERE sequence IN (
        SELECT sequence FROM tasks WHERE expires_at <= ?1 ORDER BY expires_at LIMIT ?2
    )
    RETURNING principal, id, sequence, status, status_message, created_at, updated_at, ttl, poll_interval, version,
        origin";

/// Removes tasks of the principal `?2` (of all principals when NULL) that have expired by `?4`, have ended if `?3`, or
/// are reserved by a worker without time at `?1`.
pub(super) const CLEAR: &str = concat!(
    "DELETE FROM tasks WHERE sequence IN (
        SELECT sequence FROM tasks WHERE (?2 IS NULL OR principal = ?2) AND (
            expires_at <= ?4
            OR (?3 AND status IN ('completed', 'failed', 'cancelled'))
            OR EXISTS (
                SELECT 1 FROM jobs LEFT JOIN workers ON workers.id = jobs.worker
                WHERE jobs.sequence = tasks.sequence AND fence = 0 AND (workers.id IS NULL OR NOT ",
    has_time!(),
    ")
            )
        ) ORDER BY sequence LIMIT ?5
    )
    RETURNING principal, id, sequence, status, status_message, created_at, updated_at, ttl, poll_interval, version,
        origin"
);

/// Removes a task by its sequence.
pub(super) const REMOVE_PLACE: &str = "
    DELETE FROM tasks WHERE sequence = ?1
    RETURNING principal, id, sequence, status, status_message, created_at, updated_at, ttl, poll_interval, version,
        origin";

/// Renews the time of a worker that has some left.
pub(super) const RENEW: &str =
    concat!("UPDATE workers SET until_ms = ?1 + ?3, time_ms = ?3 WHERE id = ?2 AND ", has_time!());

/// Gives an unknown worker its first time.
pub(super) const ENTER: &str =
    "INSERT INTO workers (id, until_ms, time_ms) VALUES (?2, ?1 + ?3, ?3) ON CONFLICT (id) DO NOTHING";

/// Forgets the workers whose time ran out long ago. The foreign key frees their jobs.
pub(super) const FORGET: &str = "DELETE FROM workers WHERE until_ms <= ?1";

pub(super) const RESIGN: &str = "DELETE FROM workers WHERE id = ?1";

pub(super) const RELEASE: &str = "
    UPDATE jobs SET worker = NULL
    WHERE sequence = (SELECT sequence FROM tasks WHERE id = ?1) AND worker = ?2 AND fence = ?3";

pub(super) const HAS_TIME: &str = concat!("SELECT EXISTS (SELECT 1 FROM workers WHERE id = ?2 AND ", has_time!(), ")");

/// Returns the oldest jobs of a principal that no worker with time holds.
pub(super) const CLAIMABLE: &str = concat!(
    "SELECT sequence FROM jobs WHERE worker IS NULL AND principal = ?2 AND fence > 0
     UNION ALL
     SELECT sequence FROM workers CROSS JOIN jobs ON worker = id WHERE principal = ?2 AND fence > 0 AND NOT ",
    has_time!(),
    " ORDER BY sequence LIMIT ?3"
);

pub(super) const CLAIM: &str = "
    UPDATE jobs SET worker = ?2, fence = fence + 1, lost = lost + (worker IS NOT NULL) WHERE sequence = ?1
    RETURNING fence, lost, job, (SELECT id FROM tasks WHERE tasks.sequence = jobs.sequence)";
