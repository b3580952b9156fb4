-- Histories of a type and of the whole exchange are walked by moment, newest first.
CREATE INDEX resource_moment ON resource (updated_at, kind, id, version, bucket);
CREATE INDEX history_recent ON history (kind, updated_at, id, version, bucket);
CREATE INDEX history_moment ON history (updated_at, kind, id, version, bucket);

-- A bulk export: what was asked, how far it got, and who is working on it (fence and due_at, as in delivery).
CREATE TABLE export_job (
    id          TEXT NOT NULL PRIMARY KEY,
    partner     TEXT NOT NULL,
    subject     TEXT NOT NULL,
    state       TEXT NOT NULL,
    asked       TEXT NOT NULL,
    reached     TEXT NOT NULL,
    withheld    INTEGER  NOT NULL,
    listed      INTEGER  NOT NULL,
    created_at  INTEGER  NOT NULL,
    due_at      INTEGER  NOT NULL,
    fence       INTEGER  NOT NULL,
    asked_at    INTEGER  NOT NULL,
    finished_at INTEGER  NOT NULL,
    expires_at  INTEGER  NOT NULL
);
CREATE INDEX export_job_due ON export_job (state, due_at);
CREATE INDEX export_job_partner ON export_job (partner);
CREATE INDEX export_job_expiry ON export_job (expires_at);

-- What an export found: which version of what, and nothing of what it says. It is decided again and read when a file
-- is fetched.
CREATE TABLE export_line (
    job         TEXT NOT NULL,
    kind        TEXT NOT NULL,
    bucket      INTEGER  NOT NULL,
    id          TEXT NOT NULL,
    version     INTEGER  NOT NULL,
    PRIMARY KEY (job, kind, bucket, id)
) WITHOUT ROWID;
