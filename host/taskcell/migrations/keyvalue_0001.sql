-- The keys and values of handlers. A space is a handler's; what it holds is counted beside it, so that a quota costs the
-- same whatever is there.
CREATE TABLE space (
    id INTEGER PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    keys INTEGER NOT NULL DEFAULT 0,
    bytes INTEGER NOT NULL DEFAULT 0,
    -- The number of the newest key: places in a list are numbers.
    last INTEGER NOT NULL DEFAULT 0
) STRICT;

CREATE TABLE entry (
    space INTEGER NOT NULL REFERENCES space (id),
    bucket TEXT NOT NULL,
    key TEXT NOT NULL,
    number INTEGER NOT NULL,
    value BLOB NOT NULL,
    PRIMARY KEY (space, bucket, key)
) STRICT;

CREATE UNIQUE INDEX entry_number ON entry (space, bucket, number);
