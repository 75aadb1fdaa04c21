-- Who may open a direct chat with a user: 1 friends, 2 everybody. A bot is there to be talked to.
ALTER TABLE users ADD COLUMN direct_from integer NOT NULL DEFAULT 1;
UPDATE users SET direct_from = 2 WHERE owner IS NOT NULL;
-- Who may add a user to groups, by the same numbers.
ALTER TABLE users ADD COLUMN groups_from integer NOT NULL DEFAULT 2;

CREATE INDEX users_by_owner ON users (owner) WHERE owner IS NOT NULL;

-- Two rows for each friendship, so that each side has its own list.
CREATE TABLE friends (
    user_id   integer NOT NULL,
    friend_id integer NOT NULL,
    remark    text    NOT NULL DEFAULT '',
    since     integer NOT NULL,
    PRIMARY KEY (user_id, friend_id)
) WITHOUT ROWID;

-- The last request of one user to another. One that is sent again is a new row, and so a new number.
CREATE TABLE friend_requests (
    id        integer PRIMARY KEY AUTOINCREMENT,
    from_user integer NOT NULL,
    to_user   integer NOT NULL,
    greeting  text    NOT NULL,
    -- 1 open, 2 accepted, 3 rejected.
    state     integer NOT NULL DEFAULT 1,
    at        integer NOT NULL,
    UNIQUE (from_user, to_user)
);
CREATE INDEX friend_requests_sent ON friend_requests (from_user, id);
CREATE INDEX friend_requests_open ON friend_requests (from_user) WHERE state = 1;
CREATE INDEX friend_requests_received ON friend_requests (to_user, id);

-- Each change raises the revision of the direct chat of the two, whose lane judges by it.
CREATE TABLE blocks (
    user_id    integer NOT NULL,
    blocked_id integer NOT NULL,
    PRIMARY KEY (user_id, blocked_id)
) WITHOUT ROWID;
CREATE INDEX direct_chats_by_conversation ON direct_chats (conversation);

-- What is owed because of no entry carries its whole content, and names no place.
ALTER TABLE due ADD COLUMN body blob;
