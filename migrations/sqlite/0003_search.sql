-- Chains and includes lead to a resource by its type and id alone.
CREATE INDEX resource_id ON resource (id, kind);

-- A person's resources of a type, by key, without a look at the rows.
DROP INDEX resource_person;
CREATE INDEX resource_person ON resource (bucket, patient, kind, id);

-- Values that stand together: each of the two as code, system, and the ends of a span (a quantity's are one).
CREATE TABLE idx_composite (
    bucket      INTEGER  NOT NULL,
    kind        TEXT NOT NULL,
    id          TEXT NOT NULL,
    param       TEXT NOT NULL,
    a_system    TEXT NOT NULL,
    a_code      TEXT NOT NULL,
    a_low       REAL NOT NULL,
    a_high      REAL NOT NULL,
    b_system    TEXT NOT NULL,
    b_code      TEXT NOT NULL,
    b_low       REAL NOT NULL,
    b_high      REAL NOT NULL,
    PRIMARY KEY (bucket, kind, id, param, a_code, a_system, a_low, a_high, b_code, b_system, b_low, b_high)
) WITHOUT ROWID;
CREATE INDEX idx_composite_value ON idx_composite (kind, param, a_code, id, bucket);

-- What a code is called, for `:text`: looked for beside other criteria, so that nothing is found from it.
CREATE TABLE idx_word (
    bucket      INTEGER  NOT NULL,
    kind        TEXT NOT NULL,
    id          TEXT NOT NULL,
    param       TEXT NOT NULL,
    folded      TEXT NOT NULL,
    PRIMARY KEY (bucket, kind, id, param, folded)
) WITHOUT ROWID;

-- A row of an index by value costs a page of its own: only values that few resources share are found from there.
DROP INDEX idx_token_value;
CREATE INDEX idx_token_value ON idx_token (kind, param, code, system, id, bucket)
    WHERE param = 'identifier' OR param = 'identifier:of-type';
DROP INDEX idx_uri_value;
CREATE INDEX idx_uri_value ON idx_uri (kind, param, uri, id, bucket) WHERE param = 'url';
