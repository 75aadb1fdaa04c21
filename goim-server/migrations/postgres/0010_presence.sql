-- Who may see whether a user is there: 1 friends, 2 fellow members too, 3 nobody.
ALTER TABLE users ADD COLUMN presence_to smallint NOT NULL DEFAULT 2;

-- When the node of a device's last session saw it last. A node that died does not say so: what was seen
-- too long ago has ended too.
CREATE TABLE presence (
    device  bigint PRIMARY KEY,
    user_id bigint NOT NULL,
    -- The process that wrote this: its sessions' ends are no ends of sessions elsewhere.
    node    bigint NOT NULL,
    seen_at bigint NOT NULL,
    here    boolean NOT NULL,
    away    boolean NOT NULL DEFAULT false
);
CREATE INDEX presence_by_user ON presence (user_id);
