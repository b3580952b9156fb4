-- What a consent may select by and no other column says: a fact a line, each with its mark (codes, concepts, profiles,
-- references, authors), and the resource's own time. A side that is a date of somebody's calendar is what the wall
-- clock shows; time_form says which: 4 there is a time, 1 its start is such a date, 2 its end is.
ALTER TABLE resource ADD COLUMN facts TEXT NOT NULL DEFAULT '';
ALTER TABLE resource ADD COLUMN time_start INTEGER NOT NULL DEFAULT 0;
ALTER TABLE resource ADD COLUMN time_end INTEGER NOT NULL DEFAULT 0;
ALTER TABLE resource ADD COLUMN time_form INTEGER NOT NULL DEFAULT 0;
