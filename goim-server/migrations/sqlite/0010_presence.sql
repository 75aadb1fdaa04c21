-- Who may see whether a user is there: 1 friends, 2 fellow members too, 3 nobody.
ALTER TABLE users ADD COLUMN presence_to integer NOT NULL DEFAULT 2;

-- When the node of a device's last session saw it last. A node that died does not say so: what was seen
-- too long ago has ended too.
CREATE TABLE presence (
    device  integer PRIMARY KEY,
    user_id integer NOT NULL,
    -- The process that wrote this: its sessions' ends are no ends of sessions elsewhere.
    node    integer NOT NULL,
    seen_at integer NOT NULL,
    here    integer NOT NULL,
    away    integer NOT NULL DEFAULT 0
) WITHOUT ROWID;
CREATE INDEX presence_by_user ON presence (user_id);
