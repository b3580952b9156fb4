-- The exchange's tables. Everything of a person starts its keys with that person's bucket
-- (reference: storage rules, 1), so that one write is one shard. Instants are microseconds of UTC.

CREATE TABLE resource (
    bucket      INTEGER  NOT NULL,
    kind        TEXT NOT NULL,
    id          TEXT NOT NULL,
    version     INTEGER  NOT NULL,
    updated_at  INTEGER  NOT NULL,
    deleted     INTEGER  NOT NULL,
    origin      TEXT NOT NULL,
    holder      TEXT,
    patient     TEXT,
    rank        INTEGER  NOT NULL,
    body        TEXT NOT NULL,
    PRIMARY KEY (bucket, kind, id)
);
CREATE INDEX resource_recent ON resource (kind, updated_at, id, bucket, deleted, origin, holder);
CREATE INDEX resource_person ON resource (bucket, patient, kind);

CREATE TABLE history (
    bucket      INTEGER  NOT NULL,
    kind        TEXT NOT NULL,
    id          TEXT NOT NULL,
    version     INTEGER  NOT NULL,
    updated_at  INTEGER  NOT NULL,
    deleted     INTEGER  NOT NULL,
    origin      TEXT NOT NULL,
    holder      TEXT,
    patient     TEXT,
    body        TEXT NOT NULL,
    PRIMARY KEY (bucket, kind, id, version)
);

-- The second and further patients of a resource that names several.
CREATE TABLE further_patient (
    bucket      INTEGER  NOT NULL,
    kind        TEXT NOT NULL,
    id          TEXT NOT NULL,
    patient     TEXT NOT NULL,
    PRIMARY KEY (bucket, kind, id, patient)
) WITHOUT ROWID;
CREATE INDEX further_patient_who ON further_patient (patient, bucket);

-- Security labels that consent may ask for, the confidentiality codes (resource.rank) aside.
CREATE TABLE label (
    bucket      INTEGER  NOT NULL,
    kind        TEXT NOT NULL,
    id          TEXT NOT NULL,
    system      TEXT NOT NULL,
    code        TEXT NOT NULL,
    PRIMARY KEY (bucket, kind, id, system, code)
) WITHOUT ROWID;

-- The indexes by value end in the id, which grows with time: what many resources share (a status, a category) is added
-- at one end, on a page that a whole commit shares, and not at a person's place among all others.
CREATE TABLE idx_token (
    bucket      INTEGER  NOT NULL,
    kind        TEXT NOT NULL,
    id          TEXT NOT NULL,
    param       TEXT NOT NULL,
    system      TEXT NOT NULL,
    code        TEXT NOT NULL,
    PRIMARY KEY (bucket, kind, id, param, code, system)
) WITHOUT ROWID;
CREATE INDEX idx_token_value ON idx_token (kind, param, code, system, id, bucket);

CREATE TABLE idx_reference (
    bucket      INTEGER  NOT NULL,
    kind        TEXT NOT NULL,
    id          TEXT NOT NULL,
    param       TEXT NOT NULL,
    target_kind TEXT NOT NULL,
    target_id   TEXT NOT NULL,
    PRIMARY KEY (bucket, kind, id, param, target_id, target_kind)
) WITHOUT ROWID;
CREATE INDEX idx_reference_value ON idx_reference (kind, param, target_id, target_kind, id, bucket);

CREATE TABLE idx_date (
    bucket      INTEGER  NOT NULL,
    kind        TEXT NOT NULL,
    id          TEXT NOT NULL,
    param       TEXT NOT NULL,
    start_at    INTEGER  NOT NULL,
    end_at      INTEGER  NOT NULL,
    PRIMARY KEY (bucket, kind, id, param, start_at, end_at)
) WITHOUT ROWID;

CREATE TABLE idx_text (
    bucket      INTEGER  NOT NULL,
    kind        TEXT NOT NULL,
    id          TEXT NOT NULL,
    param       TEXT NOT NULL,
    folded      TEXT NOT NULL,
    exact       TEXT NOT NULL,
    PRIMARY KEY (bucket, kind, id, param, folded, exact)
) WITHOUT ROWID;
CREATE INDEX idx_text_value ON idx_text (kind, param, folded, id, bucket);

CREATE TABLE idx_uri (
    bucket      INTEGER  NOT NULL,
    kind        TEXT NOT NULL,
    id          TEXT NOT NULL,
    param       TEXT NOT NULL,
    uri         TEXT NOT NULL,
    PRIMARY KEY (bucket, kind, id, param, uri)
) WITHOUT ROWID;
CREATE INDEX idx_uri_value ON idx_uri (kind, param, uri, id, bucket);

CREATE TABLE idx_number (
    bucket      INTEGER  NOT NULL,
    kind        TEXT NOT NULL,
    id          TEXT NOT NULL,
    param       TEXT NOT NULL,
    value       REAL NOT NULL,
    PRIMARY KEY (bucket, kind, id, param, value)
) WITHOUT ROWID;

CREATE TABLE idx_quantity (
    bucket      INTEGER  NOT NULL,
    kind        TEXT NOT NULL,
    id          TEXT NOT NULL,
    param       TEXT NOT NULL,
    value       REAL NOT NULL,
    system      TEXT NOT NULL,
    code        TEXT NOT NULL,
    PRIMARY KEY (bucket, kind, id, param, value, system, code)
) WITHOUT ROWID;

-- Where a resource lives whose id does not say so itself.
CREATE TABLE id_bucket (
    kind        TEXT NOT NULL,
    id          TEXT NOT NULL,
    bucket      INTEGER  NOT NULL,
    PRIMARY KEY (kind, id)
) WITHOUT ROWID;

-- A person's policy epoch: it moves with every write that the person's decisions read or that they decide about, so
-- that of two such writes at once the second sees what the first one left.
CREATE TABLE epoch (
    bucket      INTEGER  NOT NULL,
    patient     TEXT NOT NULL,
    epoch       INTEGER  NOT NULL,
    PRIMARY KEY (bucket, patient)
) WITHOUT ROWID;

-- A Task with an owner, and where its disclosure stands.
CREATE TABLE referral (
    bucket      INTEGER  NOT NULL,
    task        TEXT NOT NULL,
    patient     TEXT,
    owner       TEXT NOT NULL,
    purposes    TEXT NOT NULL,
    state       TEXT NOT NULL,
    recheck_at  INTEGER  NOT NULL,
    PRIMARY KEY (bucket, task)
);
CREATE INDEX referral_person ON referral (bucket, patient);
CREATE INDEX referral_due ON referral (state, recheck_at);

-- The outbox: something to be sent to a partner.
CREATE TABLE delivery (
    bucket      INTEGER  NOT NULL,
    id          TEXT NOT NULL,
    partner     TEXT NOT NULL,
    task        TEXT NOT NULL,
    content     TEXT NOT NULL,
    purposes    TEXT NOT NULL,
    state       TEXT NOT NULL,
    created_at  INTEGER  NOT NULL,
    due_at      INTEGER  NOT NULL,
    attempts    INTEGER  NOT NULL,
    fence       INTEGER  NOT NULL,
    PRIMARY KEY (bucket, id)
);
CREATE INDEX delivery_due ON delivery (state, due_at);
CREATE INDEX delivery_task ON delivery (bucket, task);

CREATE TABLE attempt (
    bucket      INTEGER  NOT NULL,
    delivery    TEXT NOT NULL,
    number      INTEGER  NOT NULL,
    at          INTEGER  NOT NULL,
    outcome     TEXT NOT NULL,
    PRIMARY KEY (bucket, delivery, number)
);

-- The log: one record a request, and the chain that numbers them.
CREATE TABLE record (
    bucket      INTEGER  NOT NULL,
    id          TEXT NOT NULL,
    at          INTEGER  NOT NULL,
    partner     TEXT NOT NULL,
    patient     TEXT,
    verdict     TEXT NOT NULL,
    body        TEXT NOT NULL,
    PRIMARY KEY (bucket, id)
);
CREATE INDEX record_recent ON record (at, id);
CREATE INDEX record_person ON record (patient, at);
CREATE INDEX record_asker ON record (partner, at);

-- The partners who may see a record besides the one that asked: whose data it was, to whom it went, with the
-- person of theirs that it is about. record.patient is whom the asker knows it to be about: nobody learns by a filter whom
-- a refusal was about.
CREATE TABLE record_party (
    bucket      INTEGER  NOT NULL,
    record      TEXT NOT NULL,
    partner     TEXT NOT NULL,
    patient     TEXT,
    at          INTEGER  NOT NULL,
    PRIMARY KEY (bucket, record, partner)
) WITHOUT ROWID;
CREATE INDEX record_party_recent ON record_party (partner, at);

CREATE TABLE chain (
    number      INTEGER  NOT NULL PRIMARY KEY,
    bucket      INTEGER  NOT NULL,
    record      TEXT NOT NULL,
    hash        TEXT NOT NULL
);
CREATE UNIQUE INDEX chain_record ON chain (bucket, record);

-- Records that the sequencer has not numbered yet.
CREATE TABLE unchained (
    bucket      INTEGER  NOT NULL,
    record      TEXT NOT NULL,
    at          INTEGER  NOT NULL,
    PRIMARY KEY (bucket, record)
) WITHOUT ROWID;

-- Partners, clients, users, keys and imported packages, as documents.
CREATE TABLE registry (
    kind        TEXT NOT NULL,
    id          TEXT NOT NULL,
    body        TEXT NOT NULL,
    PRIMARY KEY (kind, id)
);

-- Assertion ids that were used, so that each works once, after a restart too.
CREATE TABLE used_assertion (
    issuer      TEXT NOT NULL,
    jti         TEXT NOT NULL,
    expires_at  INTEGER  NOT NULL,
    PRIMARY KEY (issuer, jti)
);

-- A second wall behind the chain: the log only grows.
CREATE TRIGGER record_is_kept BEFORE UPDATE ON record BEGIN SELECT RAISE(ABORT, 'the log is append-only'); END;
CREATE TRIGGER record_stays BEFORE DELETE ON record BEGIN SELECT RAISE(ABORT, 'the log is append-only'); END;
CREATE TRIGGER chain_is_kept BEFORE UPDATE ON chain BEGIN SELECT RAISE(ABORT, 'the log is append-only'); END;
CREATE TRIGGER chain_stays BEFORE DELETE ON chain BEGIN SELECT RAISE(ABORT, 'the log is append-only'); END;
