-- Locks for writes that hang on a search: one row for each hash of partner, type and criteria, of which there are
-- 65 536. A row is a lock, never an answer.

CREATE TABLE conditional_key (
    slot        BIGINT NOT NULL PRIMARY KEY
);
