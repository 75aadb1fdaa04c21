-- What became of messages: a fold of their log, beside the rows that were appended. Most messages have
-- no row in any of these.

-- The current form of a message that was edited or recalled.
CREATE TABLE message_forms (
    conversation bigint  NOT NULL,
    seq          bigint  NOT NULL,
    -- The latest content; none of a message that was recalled.
    body         bytea,
    edited_at    bigint,
    recalled     boolean NOT NULL DEFAULT false,
    PRIMARY KEY (conversation, seq)
);

-- The entries that edited a message, which a recall blanks too.
CREATE TABLE message_edits (
    conversation bigint NOT NULL,
    target       bigint NOT NULL,
    seq          bigint NOT NULL,
    PRIMARY KEY (conversation, target, seq)
);

CREATE TABLE reactions (
    conversation bigint NOT NULL,
    seq          bigint NOT NULL,
    emoji        text   NOT NULL,
    user_id      bigint NOT NULL,
    PRIMARY KEY (conversation, seq, emoji, user_id)
);

-- How many rows of each kind there are in reactions; none without one.
CREATE TABLE reaction_counts (
    conversation bigint NOT NULL,
    seq          bigint NOT NULL,
    emoji        text   NOT NULL,
    count        bigint NOT NULL,
    PRIMARY KEY (conversation, seq, emoji)
);
