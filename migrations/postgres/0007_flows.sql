-- What holders said of their own data: that a Consent counts for it (`verified`, one version), that one of theirs may go
-- to who asked for it (`handed`, by a Task), that a Consent is a revision of another (`revised`). Decisions about the
-- person read them: who writes one moves the person's epoch in the same transaction.
CREATE TABLE statement (
    bucket      BIGINT NOT NULL,
    patient     TEXT COLLATE "C" NOT NULL,
    what        TEXT COLLATE "C" NOT NULL,
    about       TEXT COLLATE "C" NOT NULL,
    holder      TEXT COLLATE "C" NOT NULL,
    recipient   TEXT COLLATE "C" NOT NULL,
    source      TEXT COLLATE "C" NOT NULL,
    at          BIGINT NOT NULL,
    PRIMARY KEY (bucket, patient, what, about, holder, recipient)
);

-- What waits for a person: a Consent that is not enforced in full, one that waits for its holder, one that ends, an
-- emergency access to be reviewed. `partner` is whose compliance looks at it.
CREATE TABLE work (
    bucket      BIGINT NOT NULL,
    about       TEXT COLLATE "C" NOT NULL,
    what        TEXT COLLATE "C" NOT NULL,
    partner     TEXT COLLATE "C" NOT NULL,
    patient     TEXT COLLATE "C" NOT NULL,
    detail      TEXT COLLATE "C" NOT NULL,
    at          BIGINT NOT NULL,
    due_at      BIGINT NOT NULL,
    state       TEXT COLLATE "C" NOT NULL,
    closed_by   TEXT COLLATE "C",
    closed_at   BIGINT,
    PRIMARY KEY (bucket, about, what, partner)
);
CREATE INDEX work_open ON work (partner, state, what, due_at);
CREATE INDEX work_what ON work (what, state, due_at);

-- Declarations of an emergency (break the glass), so that every node knows them.
CREATE TABLE emergency (
    id          TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    bucket      BIGINT NOT NULL,
    patient     TEXT COLLATE "C" NOT NULL,
    partner     TEXT COLLATE "C" NOT NULL,
    subject     TEXT COLLATE "C" NOT NULL,
    reason      TEXT COLLATE "C" NOT NULL,
    declared_at BIGINT NOT NULL
);
