-- How many bytes each principal's tasks come to, and the end of tasks that nobody would end.
--
-- Build 6887b39 stored a task of a handler and its work in two steps. A host that was killed between the two left a task
-- without work, and its requestor was not told of it. Such a task was never changed, has no job and is `working`. It is
-- ended here, rather than removed: a handler of one's own may have left a task without work on purpose.
UPDATE tasks SET
    status = 'failed',
    status_message = 'The host was stopped before the work of this task was stored',
    outcome = '{"Err":{"code":-32603,"message":"The host was stopped before the work of this task was stored","data":{"kind":"no_work"}}}',
    version = version + 1,
    updated_at = max(updated_at, CAST(strftime('%s', 'now') AS INTEGER) * 1000000000)
WHERE status = 'working' AND version = 0 AND sequence NOT IN (SELECT sequence FROM jobs);

-- What is kept of tasks beside their columns: what they were made from, their jobs, what they ended with. Counted as it
-- comes and goes, by triggers, so that no statement can forget it. `CAST` does not copy text: it is UTF-8 already.
ALTER TABLE principals ADD COLUMN bytes INTEGER NOT NULL DEFAULT 0;

UPDATE principals SET bytes = coalesce((
    SELECT sum(length(CAST(origin AS BLOB)) + coalesce(length(CAST(outcome AS BLOB)), 0))
    FROM tasks WHERE tasks.principal = principals.name
), 0) + coalesce((SELECT sum(length(CAST(job AS BLOB))) FROM jobs WHERE jobs.principal = principals.name), 0);

DROP TRIGGER task_came;

CREATE TRIGGER task_came AFTER INSERT ON tasks BEGIN
    INSERT INTO principals (name, tasks, bytes) VALUES (NEW.principal, 1,
            length(CAST(NEW.origin AS BLOB)) + coalesce(length(CAST(NEW.outcome AS BLOB)), 0))
        ON CONFLICT (name) DO UPDATE SET tasks = tasks + 1, bytes = bytes + excluded.bytes;
END;

CREATE TRIGGER task_changed AFTER UPDATE OF origin, outcome ON tasks
WHEN NEW.outcome IS NOT OLD.outcome OR NEW.origin <> OLD.origin BEGIN
    UPDATE principals SET bytes = bytes
            + length(CAST(NEW.origin AS BLOB)) + coalesce(length(CAST(NEW.outcome AS BLOB)), 0)
            - length(CAST(OLD.origin AS BLOB)) - coalesce(length(CAST(OLD.outcome AS BLOB)), 0)
        WHERE name = NEW.principal;
END;

DROP TRIGGER task_went;

CREATE TRIGGER task_went AFTER DELETE ON tasks BEGIN
    UPDATE principals SET tasks = tasks - 1, bytes = bytes
            - length(CAST(OLD.origin AS BLOB)) - coalesce(length(CAST(OLD.outcome AS BLOB)), 0)
        WHERE name = OLD.principal;
    DELETE FROM principals WHERE name = OLD.principal AND tasks <= 0;
END;

CREATE TRIGGER job_came AFTER INSERT ON jobs BEGIN
    UPDATE principals SET bytes = bytes + length(CAST(NEW.job AS BLOB)) WHERE name = NEW.principal;
END;

CREATE TRIGGER job_changed AFTER UPDATE OF job ON jobs BEGIN
    UPDATE principals SET bytes = bytes + length(CAST(NEW.job AS BLOB)) - length(CAST(OLD.job AS BLOB))
        WHERE name = NEW.principal;
END;

CREATE TRIGGER job_went AFTER DELETE ON jobs BEGIN
    UPDATE principals SET bytes = bytes - length(CAST(OLD.job AS BLOB)) WHERE name = OLD.principal;
END;

-- A job of fence 0 says that its task is reserved: the worker still makes the task, and nobody was told of it. The text
-- of such a job is empty.
CREATE INDEX jobs_reserved ON jobs (worker) WHERE fence = 0;
