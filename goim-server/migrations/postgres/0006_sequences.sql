-- Numbers for other services.
CREATE TABLE sequences (
    name text     PRIMARY KEY,
    -- 1 dense, 2 segmented.
    kind smallint NOT NULL,
    -- The highest number given, of a dense one.
    last bigint   NOT NULL DEFAULT 0
) WITH (fillfactor = 50);

-- No node has given a number of a segmented sequence beyond the ceiling of its section.
CREATE TABLE sequence_ceilings (
    section bigint PRIMARY KEY,
    ceiling bigint NOT NULL
) WITH (fillfactor = 50);
