-- What a consent may select by and no other column says: a fact a line, each with its mark (codes, concepts, profiles,
-- references, authors), and the resource's own time. A side that is a date of somebody's calendar is what the wall
-- clock shows; time_form says which: 4 there is a time, 1 its start is such a date, 2 its end is.
ALTER TABLE resource ADD COLUMN facts TEXT NOT NULL DEFAULT '';
ALTER TABLE resource ADD COLUMN time_start INTEGER NOT NULL DEFAULT 0;
ALTER TABLE resource ADD COLUMN time_end INTEGER NOT NULL DEFAULT 0;
ALTER TABLE resource ADD COLUMN time_form INTEGER NOT NULL DEFAULT 0;

-- Who has asked about everybody: a partner with purposes and an action, under the agencies and rules of a time. What
-- each person permits to it is kept beside it from then on. reached says how far the people were walked; '' is not
-- begun, '.' is all.
CREATE TABLE asker (
    id          TEXT NOT NULL PRIMARY KEY,
    partner     TEXT NOT NULL,
    purposes    TEXT NOT NULL,
    action      TEXT NOT NULL,
    agencies    TEXT NOT NULL,
    reached     TEXT NOT NULL,
    asked_at    INTEGER NOT NULL
);

-- The conditions that people share, as an asker meets them.
CREATE TABLE shape (
    asker       TEXT NOT NULL,
    id          TEXT NOT NULL,
    body        TEXT NOT NULL,
    PRIMARY KEY (asker, id)
);

-- What one person permits to an asker: a shape, until an instant, at an epoch. A row whose person's epoch has moved
-- counts for nothing. until 0 is a person whose condition nobody shares: it is worked out when it is asked. By
-- patient, since a row of the record may name people of several buckets; a view that can be made anew at any time.
CREATE TABLE granted (
    patient     TEXT NOT NULL,
    asker       TEXT NOT NULL,
    bucket      INTEGER NOT NULL,
    epoch       INTEGER NOT NULL,
    shape       TEXT NOT NULL,
    until       INTEGER NOT NULL,
    PRIMARY KEY (patient, asker)
) WITHOUT ROWID;
CREATE INDEX granted_due ON granted (asker, until, patient);
