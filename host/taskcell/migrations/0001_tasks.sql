-- Tasks, the work that is to be done for them, and the workers that do it.
--
-- Times are nanoseconds since 1970, UTC, except where a name ends in `_ms`. A migration that was released is never
-- edited: a change is a new file.

CREATE TABLE meta (
    name TEXT PRIMARY KEY,
    value BLOB NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE tasks (
    sequence INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE,
    principal TEXT NOT NULL,
    status TEXT NOT NULL,
    status_message TEXT,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    ttl INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    poll_interval INTEGER NOT NULL,
    version INTEGER NOT NULL,
    origin TEXT NOT NULL,
    -- Last, for it may be large: what stands before it is read without it.
    outcome TEXT
) STRICT;

CREATE INDEX tasks_of_principal ON tasks (principal, sequence);
CREATE INDEX tasks_by_expiry ON tasks (expires_at);

-- How many tasks each principal has, counted as they come and go: a limit that counted them anew would cost more
-- with each task. Kept by triggers, so that no statement can forget it.
CREATE TABLE principals (
    name TEXT PRIMARY KEY,
    tasks INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TRIGGER task_came AFTER INSERT ON tasks BEGIN
    INSERT INTO principals (name, tasks) VALUES (NEW.principal, 1)
        ON CONFLICT (name) DO UPDATE SET tasks = tasks + 1;
END;

CREATE TRIGGER task_went AFTER DELETE ON tasks BEGIN
    UPDATE principals SET tasks = tasks - 1 WHERE name = OLD.principal;
    DELETE FROM principals WHERE name = OLD.principal AND tasks <= 0;
END;

-- A worker has time until `until_ms`; `time_ms` is what it was last given, which shows when the clock was set back.
CREATE TABLE workers (
    id TEXT PRIMARY KEY,
    until_ms INTEGER NOT NULL,
    time_ms INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- The job of a task that has not ended. Nobody holds it when it has no worker.
CREATE TABLE jobs (
    sequence INTEGER PRIMARY KEY REFERENCES tasks (sequence) ON DELETE CASCADE,
    principal TEXT NOT NULL,
    worker TEXT REFERENCES workers (id) ON DELETE SET NULL,
    fence INTEGER NOT NULL,
    -- How many workers were lost while they held it.
    lost INTEGER NOT NULL DEFAULT 0,
    job TEXT NOT NULL
) STRICT;

CREATE INDEX jobs_by_worker ON jobs (worker, principal, sequence);
