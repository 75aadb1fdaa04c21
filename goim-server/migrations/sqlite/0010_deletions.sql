-- Messages that a user has deleted for himself.
CREATE TABLE deletions (
    user_id      integer NOT NULL,
    conversation integer NOT NULL,
    seq          integer NOT NULL,
    PRIMARY KEY (user_id, conversation, seq)
) WITHOUT ROWID;
