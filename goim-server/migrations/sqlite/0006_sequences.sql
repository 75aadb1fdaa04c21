-- Numbers for other services.
CREATE TABLE sequences (
    name text    NOT NULL PRIMARY KEY,
    -- 1 dense, 2 segmented.
    kind integer NOT NULL,
    -- The highest number given, of a dense one.
    last integer NOT NULL DEFAULT 0
);

-- No node has given a number of a segmented sequence beyond the ceiling of its section.
CREATE TABLE sequence_ceilings (
    section integer PRIMARY KEY,
    ceiling integer NOT NULL
);
