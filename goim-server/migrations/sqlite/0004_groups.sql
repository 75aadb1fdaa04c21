-- What a group shows and allows: a fold of its log, beside the row that every append touches.
CREATE TABLE group_settings (
    conversation integer PRIMARY KEY,
    avatar       text    NOT NULL DEFAULT '',
    announcement text    NOT NULL DEFAULT '',
    -- Who gets in uninvited: 1 everybody, 2 applicants who are approved, 3 nobody.
    policy       integer NOT NULL DEFAULT 3,
    -- From where on those read the history who join: 1 the entry that lets them in, 2 the start.
    history      integer NOT NULL DEFAULT 1,
    muted        integer NOT NULL DEFAULT 0,
    dismissed    integer NOT NULL DEFAULT 0,
    -- How many rows of `members` are open.
    members      integer NOT NULL DEFAULT 0
);
INSERT INTO group_settings (conversation, members) SELECT id,
    (SELECT count(*) FROM members WHERE conversation = id AND until_seq IS NULL) FROM conversations WHERE kind = 2;

ALTER TABLE members ADD COLUMN muted integer NOT NULL DEFAULT 0;
-- Where the history begins that the member may read, if that is not from_seq.
ALTER TABLE members ADD COLUMN visible_from integer;

-- The last application of a user to a group. One that is made again is a new row, and so a new number.
CREATE TABLE group_applications (
    id           integer PRIMARY KEY AUTOINCREMENT,
    conversation integer NOT NULL,
    user_id      integer NOT NULL,
    comment      text    NOT NULL,
    -- 1 open, 2 accepted, 3 rejected.
    state        integer NOT NULL DEFAULT 1,
    at           integer NOT NULL,
    UNIQUE (conversation, user_id)
);
CREATE INDEX group_applications_by_group ON group_applications (conversation, id);
CREATE INDEX group_applications_open ON group_applications (conversation) WHERE state = 1;
CREATE INDEX group_applications_made ON group_applications (user_id) WHERE state = 1;
CREATE INDEX group_applications_by_user ON group_applications (user_id, id);
