-- How a user keeps a conversation, on all his devices. Most have no row.
CREATE TABLE conversation_settings (
    user_id      integer NOT NULL,
    conversation integer NOT NULL,
    muted        integer NOT NULL DEFAULT 0,
    pinned       integer NOT NULL DEFAULT 0,
    -- Hidden until there are more messages than these.
    hidden_at    integer,
    PRIMARY KEY (user_id, conversation)
) WITHOUT ROWID;

-- Whom messages mention, in their current form; user 0 is everybody. Messages that were there before
-- this table mention nobody here.
CREATE TABLE mentions (
    conversation integer NOT NULL,
    user_id      integer NOT NULL,
    seq          integer NOT NULL,
    sender       integer NOT NULL,
    PRIMARY KEY (conversation, user_id, seq)
) WITHOUT ROWID;
CREATE INDEX mentions_by_message ON mentions (conversation, seq);

-- The messages up to the read marker: what is unread is a difference.
ALTER TABLE read_markers ADD COLUMN count integer NOT NULL DEFAULT 0;
UPDATE read_markers SET count = COALESCE((SELECT m.count FROM messages m
    WHERE m.conversation = read_markers.conversation AND m.seq <= read_markers.seq
    ORDER BY m.seq DESC LIMIT 1), 0);
