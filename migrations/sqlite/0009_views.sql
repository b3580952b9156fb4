-- A new version may change what some readers do not see. views = 1 says of a resource that it did so last; for each sort
-- of reader, named by what it is shown of such a resource, view_time has when that was changed last (rules.md 9). What
-- is sorted or asked for by time is so by these. A row that is about another version than the current one is spent.
ALTER TABLE resource ADD COLUMN views INTEGER NOT NULL DEFAULT 0;
CREATE INDEX resource_views ON resource (views, kind) WHERE views = 1;

CREATE TABLE view_time (
    bucket      INTEGER NOT NULL,
    kind        TEXT NOT NULL,
    id          TEXT NOT NULL,
    class       TEXT NOT NULL,
    version     INTEGER NOT NULL,
    seen_at     INTEGER NOT NULL,
    PRIMARY KEY (bucket, kind, id, class)
) WITHOUT ROWID;
