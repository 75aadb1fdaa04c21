-- What became of messages: a fold of their log, beside the rows that were appended. Most messages have
-- no row in any of these.

-- The current form of a message that was edited or recalled.
CREATE TABLE message_forms (
    conversation integer NOT NULL,
    seq          integer NOT NULL,
    -- The latest content; none of a message that was recalled.
    body         blob,
    edited_at    integer,
    recalled     integer NOT NULL DEFAULT 0,
    PRIMARY KEY (conversation, seq)
) WITHOUT ROWID;

-- The entries that edited a message, which a recall blanks too.
CREATE TABLE message_edits (
    conversation integer NOT NULL,
    target       integer NOT NULL,
    seq          integer NOT NULL,
    PRIMARY KEY (conversation, target, seq)
) WITHOUT ROWID;

CREATE TABLE reactions (
    conversation integer NOT NULL,
    seq          integer NOT NULL,
    emoji        text   NOT NULL,
    user_id      integer NOT NULL,
    PRIMARY KEY (conversation, seq, emoji, user_id)
) WITHOUT ROWID;

-- How many rows of each kind there are in reactions; none without one.
CREATE TABLE reaction_counts (
    conversation integer NOT NULL,
    seq          integer NOT NULL,
    emoji        text   NOT NULL,
    count        integer NOT NULL,
    PRIMARY KEY (conversation, seq, emoji)
) WITHOUT ROWID;
