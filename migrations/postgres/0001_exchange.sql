-- The exchange's tables. Everything of a person starts its keys with that person's bucket
-- (reference: storage rules, 1), so that one write is one shard. Instants are microseconds of UTC.

CREATE TABLE resource (
    bucket      BIGINT  NOT NULL,
    kind        TEXT COLLATE "C" NOT NULL,
    id          TEXT COLLATE "C" NOT NULL,
    version     BIGINT  NOT NULL,
    updated_at  BIGINT  NOT NULL,
    deleted     BIGINT  NOT NULL,
    origin      TEXT COLLATE "C" NOT NULL,
    holder      TEXT COLLATE "C",
    patient     TEXT COLLATE "C",
    rank        BIGINT  NOT NULL,
    body        TEXT NOT NULL,
    PRIMARY KEY (bucket, kind, id)
);
CREATE INDEX resource_recent ON resource (kind, updated_at, id, bucket, deleted, origin, holder);
CREATE INDEX resource_person ON resource (bucket, patient, kind);

CREATE TABLE history (
    bucket      BIGINT  NOT NULL,
    kind        TEXT COLLATE "C" NOT NULL,
    id          TEXT COLLATE "C" NOT NULL,
    version     BIGINT  NOT NULL,
    updated_at  BIGINT  NOT NULL,
    deleted     BIGINT  NOT NULL,
    origin      TEXT COLLATE "C" NOT NULL,
    holder      TEXT COLLATE "C",
    patient     TEXT COLLATE "C",
    body        TEXT NOT NULL,
    PRIMARY KEY (bucket, kind, id, version)
);

-- The second and further patients of a resource that names several.
CREATE TABLE further_patient (
    bucket      BIGINT  NOT NULL,
    kind        TEXT COLLATE "C" NOT NULL,
    id          TEXT COLLATE "C" NOT NULL,
    patient     TEXT COLLATE "C" NOT NULL,
    PRIMARY KEY (bucket, kind, id, patient)
);
CREATE INDEX further_patient_who ON further_patient (patient, bucket);

-- Security labels that consent may ask for, the confidentiality codes (resource.rank) aside.
CREATE TABLE label (
    bucket      BIGINT  NOT NULL,
    kind        TEXT COLLATE "C" NOT NULL,
    id          TEXT COLLATE "C" NOT NULL,
    system      TEXT COLLATE "C" NOT NULL,
    code        TEXT COLLATE "C" NOT NULL,
    PRIMARY KEY (bucket, kind, id, system, code)
);

-- The indexes by value end in the id, which grows with time: what many resources share (a status, a category) is added
-- at one end, on a page that a whole commit shares, and not at a person's place among all others.
CREATE TABLE idx_token (
    bucket      BIGINT  NOT NULL,
    kind        TEXT COLLATE "C" NOT NULL,
    id          TEXT COLLATE "C" NOT NULL,
    param       TEXT COLLATE "C" NOT NULL,
    system      TEXT COLLATE "C" NOT NULL,
    code        TEXT COLLATE "C" NOT NULL,
    PRIMARY KEY (bucket, kind, id, param, code, system)
);
CREATE INDEX idx_token_value ON idx_token (kind, param, code, system, id, bucket);

CREATE TABLE idx_reference (
    bucket      BIGINT  NOT NULL,
    kind        TEXT COLLATE "C" NOT NULL,
    id          TEXT COLLATE "C" NOT NULL,
    param       TEXT COLLATE "C" NOT NULL,
    target_kind TEXT COLLATE "C" NOT NULL,
    target_id   TEXT COLLATE "C" NOT NULL,
    PRIMARY KEY (bucket, kind, id, param, target_id, target_kind)
);
CREATE INDEX idx_reference_value ON idx_reference (kind, param, target_id, target_kind, id, bucket);

CREATE TABLE idx_date (
    bucket      BIGINT  NOT NULL,
    kind        TEXT COLLATE "C" NOT NULL,
    id          TEXT COLLATE "C" NOT NULL,
    param       TEXT COLLATE "C" NOT NULL,
    start_at    BIGINT  NOT NULL,
    end_at      BIGINT  NOT NULL,
    PRIMARY KEY (bucket, kind, id, param, start_at, end_at)
);

CREATE TABLE idx_text (
    bucket      BIGINT  NOT NULL,
    kind        TEXT COLLATE "C" NOT NULL,
    id          TEXT COLLATE "C" NOT NULL,
    param       TEXT COLLATE "C" NOT NULL,
    folded      TEXT COLLATE "C" NOT NULL,
    exact       TEXT COLLATE "C" NOT NULL,
    PRIMARY KEY (bucket, kind, id, param, folded, exact)
);
CREATE INDEX idx_text_value ON idx_text (kind, param, folded, id, bucket);

CREATE TABLE idx_uri (
    bucket      BIGINT  NOT NULL,
    kind        TEXT COLLATE "C" NOT NULL,
    id          TEXT COLLATE "C" NOT NULL,
    param       TEXT COLLATE "C" NOT NULL,
    uri         TEXT COLLATE "C" NOT NULL,
    PRIMARY KEY (bucket, kind, id, param, uri)
);
CREATE INDEX idx_uri_value ON idx_uri (kind, param, uri, id, bucket);

CREATE TABLE idx_number (
    bucket      BIGINT  NOT NULL,
    kind        TEXT COLLATE "C" NOT NULL,
    id          TEXT COLLATE "C" NOT NULL,
    param       TEXT COLLATE "C" NOT NULL,
    value       DOUBLE PRECISION NOT NULL,
    PRIMARY KEY (bucket, kind, id, param, value)
);

CREATE TABLE idx_quantity (
    bucket      BIGINT  NOT NULL,
    kind        TEXT COLLATE "C" NOT NULL,
    id          TEXT COLLATE "C" NOT NULL,
    param       TEXT COLLATE "C" NOT NULL,
    value       DOUBLE PRECISION NOT NULL,
    system      TEXT COLLATE "C" NOT NULL,
    code        TEXT COLLATE "C" NOT NULL,
    PRIMARY KEY (bucket, kind, id, param, value, system, code)
);

-- Where a resource lives whose id does not say so itself.
CREATE TABLE id_bucket (
    kind        TEXT COLLATE "C" NOT NULL,
    id          TEXT COLLATE "C" NOT NULL,
    bucket      BIGINT  NOT NULL,
    PRIMARY KEY (kind, id)
);

-- A person's policy epoch: it moves with every write that the person's decisions read or that they decide about, so
-- that of two such writes at once the second sees what the first one left.
CREATE TABLE epoch (
    bucket      BIGINT  NOT NULL,
    patient     TEXT COLLATE "C" NOT NULL,
    epoch       BIGINT  NOT NULL,
    PRIMARY KEY (bucket, patient)
);

-- A Task with an owner, and where its disclosure stands.
CREATE TABLE referral (
    bucket      BIGINT  NOT NULL,
    task        TEXT COLLATE "C" NOT NULL,
    patient     TEXT COLLATE "C",
    owner       TEXT COLLATE "C" NOT NULL,
    purposes    TEXT COLLATE "C" NOT NULL,
    state       TEXT COLLATE "C" NOT NULL,
    recheck_at  BIGINT  NOT NULL,
    PRIMARY KEY (bucket, task)
);
CREATE INDEX referral_person ON referral (bucket, patient);
CREATE INDEX referral_due ON referral (state, recheck_at);

-- The outbox: something to be sent to a partner.
CREATE TABLE delivery (
    bucket      BIGINT  NOT NULL,
    id          TEXT COLLATE "C" NOT NULL,
    partner     TEXT COLLATE "C" NOT NULL,
    task        TEXT COLLATE "C" NOT NULL,
    content     TEXT COLLATE "C" NOT NULL,
    purposes    TEXT COLLATE "C" NOT NULL,
    state       TEXT COLLATE "C" NOT NULL,
    created_at  BIGINT  NOT NULL,
    due_at      BIGINT  NOT NULL,
    attempts    BIGINT  NOT NULL,
    fence       BIGINT  NOT NULL,
    PRIMARY KEY (bucket, id)
);
CREATE INDEX delivery_due ON delivery (state, due_at);
CREATE INDEX delivery_task ON delivery (bucket, task);

CREATE TABLE attempt (
    bucket      BIGINT  NOT NULL,
    delivery    TEXT COLLATE "C" NOT NULL,
    number      BIGINT  NOT NULL,
    at          BIGINT  NOT NULL,
    outcome     TEXT COLLATE "C" NOT NULL,
    PRIMARY KEY (bucket, delivery, number)
);

-- The log: one record a request, and the chain that numbers them.
CREATE TABLE record (
    bucket      BIGINT  NOT NULL,
    id          TEXT COLLATE "C" NOT NULL,
    at          BIGINT  NOT NULL,
    partner     TEXT COLLATE "C" NOT NULL,
    patient     TEXT COLLATE "C",
    verdict     TEXT COLLATE "C" NOT NULL,
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
    bucket      BIGINT  NOT NULL,
    record      TEXT COLLATE "C" NOT NULL,
    partner     TEXT COLLATE "C" NOT NULL,
    patient     TEXT COLLATE "C",
    at          BIGINT  NOT NULL,
    PRIMARY KEY (bucket, record, partner)
);
CREATE INDEX record_party_recent ON record_party (partner, at);

CREATE TABLE chain (
    number      BIGINT  NOT NULL PRIMARY KEY,
    bucket      BIGINT  NOT NULL,
    record      TEXT COLLATE "C" NOT NULL,
    hash        TEXT COLLATE "C" NOT NULL
);
CREATE UNIQUE INDEX chain_record ON chain (bucket, record);

-- Records that the sequencer has not numbered yet.
CREATE TABLE unchained (
    bucket      BIGINT  NOT NULL,
    record      TEXT COLLATE "C" NOT NULL,
    at          BIGINT  NOT NULL,
    PRIMARY KEY (bucket, record)
);

-- Partners, clients, users, keys and imported packages, as documents.
CREATE TABLE registry (
    kind        TEXT COLLATE "C" NOT NULL,
    id          TEXT COLLATE "C" NOT NULL,
    body        TEXT NOT NULL,
    PRIMARY KEY (kind, id)
);

-- Assertion ids that were used, so that each works once, after a restart too.
CREATE TABLE used_assertion (
    issuer      TEXT COLLATE "C" NOT NULL,
    jti         TEXT COLLATE "C" NOT NULL,
    expires_at  BIGINT  NOT NULL,
    PRIMARY KEY (issuer, jti)
);

-- A second wall behind the chain: the log only grows.
CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'the log is append-only';
END $$;
CREATE TRIGGER record_is_kept BEFORE UPDATE OR DELETE ON record FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER chain_is_kept BEFORE UPDATE OR DELETE ON chain FOR EACH ROW EXECUTE FUNCTION refuse_change();
