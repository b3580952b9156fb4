-- Histories of a type and of the whole exchange are walked by moment, newest first.
CREATE INDEX resource_moment ON resource (updated_at, kind, id, version, bucket);
CREATE INDEX history_recent ON history (kind, updated_at, id, version, bucket);
CREATE INDEX history_moment ON history (updated_at, kind, id, version, bucket);

-- A bulk export: what was asked, how far it got, and who is working on it (fence and due_at, as in delivery).
CREATE TABLE export_job (
    id          TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    partner     TEXT COLLATE "C" NOT NULL,
    subject     TEXT COLLATE "C" NOT NULL,
    state       TEXT COLLATE "C" NOT NULL,
    asked       TEXT COLLATE "C" NOT NULL,
    reached     TEXT COLLATE "C" NOT NULL,
    withheld    BIGINT  NOT NULL,
    listed      BIGINT  NOT NULL,
    created_at  BIGINT  NOT NULL,
    due_at      BIGINT  NOT NULL,
    fence       BIGINT  NOT NULL,
    asked_at    BIGINT  NOT NULL,
    finished_at BIGINT  NOT NULL,
    expires_at  BIGINT  NOT NULL
);
CREATE INDEX export_job_due ON export_job (state, due_at);
CREATE INDEX export_job_partner ON export_job (partner);
CREATE INDEX export_job_expiry ON export_job (expires_at);

-- What an export found: which version of what, and nothing of what it says. It is decided again and read when a file
-- is fetched.
CREATE TABLE export_line (
    job         TEXT COLLATE "C" NOT NULL,
    kind        TEXT COLLATE "C" NOT NULL,
    bucket      BIGINT  NOT NULL,
    id          TEXT COLLATE "C" NOT NULL,
    version     BIGINT  NOT NULL,
    PRIMARY KEY (job, kind, bucket, id)
);
