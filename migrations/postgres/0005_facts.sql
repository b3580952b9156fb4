-- What a consent may select by and no other column says: a fact a line, each with its mark (codes, concepts, profiles,
-- references, authors), and the resource's own time. A side that is a date of somebody's calendar is what the wall
-- clock shows; time_form says which: 4 there is a time, 1 its start is such a date, 2 its end is.
ALTER TABLE resource ADD COLUMN facts TEXT COLLATE "C" NOT NULL DEFAULT '';
ALTER TABLE resource ADD COLUMN time_start BIGINT NOT NULL DEFAULT 0;
ALTER TABLE resource ADD COLUMN time_end BIGINT NOT NULL DEFAULT 0;
ALTER TABLE resource ADD COLUMN time_form BIGINT NOT NULL DEFAULT 0;

-- SQLite's name for it.
CREATE FUNCTION instr(text, text) RETURNS integer AS 'SELECT strpos($1, $2)' LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE;
