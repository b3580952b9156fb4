-- What holders said of their own data: that a Consent counts for it (`verified`, one version), that one of theirs may go
-- to who asked for it (`handed`, by a Task), that a Consent is a revision of another (`revised`). Decisions about the
-- person read them: who writes one moves the person's epoch in the same transaction.
CREATE TABLE statement (
    bucket      INTEGER NOT NULL,
    patient     TEXT NOT NULL,
    what        TEXT NOT NULL,
    about       TEXT NOT NULL,
    holder      TEXT NOT NULL,
    recipient   TEXT NOT NULL,
    source      TEXT NOT NULL,
    at          INTEGER NOT NULL,
    PRIMARY KEY (bucket, patient, what, about, holder, recipient)
) WITHOUT ROWID;

-- What waits for a person: a Consent that is not enforced in full, one that waits for its holder, one that ends, an
-- emergency access to be reviewed. `partner` is whose compliance looks at it.
CREATE TABLE work (
    bucket      INTEGER NOT NULL,
    about       TEXT NOT NULL,
    what        TEXT NOT NULL,
    partner     TEXT NOT NULL,
    patient     TEXT NOT NULL,
    detail      TEXT NOT NULL,
    at          INTEGER NOT NULL,
    due_at      INTEGER NOT NULL,
    state       TEXT NOT NULL,
    closed_by   TEXT,
    closed_at   INTEGER,
    PRIMARY KEY (bucket, about, what, partner)
) WITHOUT ROWID;
CREATE INDEX work_open ON work (partner, state, what, due_at);
CREATE INDEX work_what ON work (what, state, due_at);

-- Declarations of an emergency (break the glass), so that every node knows them.
CREATE TABLE emergency (
    id          TEXT NOT NULL PRIMARY KEY,
    bucket      INTEGER NOT NULL,
    patient     TEXT NOT NULL,
    partner     TEXT NOT NULL,
    subject     TEXT NOT NULL,
    reason      TEXT NOT NULL,
    declared_at INTEGER NOT NULL
);
