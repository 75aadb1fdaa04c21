-- Messages that a user has deleted for himself.
CREATE TABLE deletions (
    user_id      bigint NOT NULL,
    conversation bigint NOT NULL,
    seq          bigint NOT NULL,
    PRIMARY KEY (user_id, conversation, seq)
);
