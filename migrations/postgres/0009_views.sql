-- A new version may change what some readers do not see. views = 1 says of a resource that it did so last; for each sort
-- of reader, named by what it is shown of such a resource, view_time has when that was changed last (rules.md 9). What
-- is sorted or asked for by time is so by these. A row that is about another version than the current one is spent.
ALTER TABLE resource ADD COLUMN views BIGINT NOT NULL DEFAULT 0;
CREATE INDEX resource_views ON resource (views, kind) WHERE views = 1;

CREATE TABLE view_time (
    bucket      BIGINT NOT NULL,
    kind        TEXT COLLATE "C" NOT NULL,
    id          TEXT COLLATE "C" NOT NULL,
    class       TEXT COLLATE "C" NOT NULL,
    version     BIGINT NOT NULL,
    seen_at     BIGINT NOT NULL,
    PRIMARY KEY (bucket, kind, id, class)
);
