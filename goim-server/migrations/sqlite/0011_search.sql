-- The words of messages in their current form, between blanks. Each word stands behind its
-- conversation's id, as in '1f/tea': so a search costs what its caller's conversations hold.
CREATE TABLE message_words (
    id           integer PRIMARY KEY,
    conversation integer NOT NULL,
    seq          integer NOT NULL,
    at           integer NOT NULL,
    words        text    NOT NULL,
    UNIQUE (conversation, seq)
);
CREATE INDEX message_words_by_time ON message_words (at, conversation, seq);

-- What is deleted there is overwritten here at once, and not when segments are merged some day.
CREATE VIRTUAL TABLE message_words_by_word USING fts5(
    words,
    content = 'message_words',
    content_rowid = 'id',
    detail = 'none',
    columnsize = 0,
    tokenize = "ascii tokenchars '/'"
);
INSERT INTO message_words_by_word (message_words_by_word, rank) VALUES ('secure-delete', 1);
CREATE TRIGGER message_words_added AFTER INSERT ON message_words BEGIN
    INSERT INTO message_words_by_word (rowid, words) VALUES (new.id, new.words);
END;
CREATE TRIGGER message_words_gone AFTER DELETE ON message_words BEGIN
    INSERT INTO message_words_by_word (message_words_by_word, rowid, words) VALUES ('delete', old.id, old.words);
END;

-- Up to where each conversation's entries were taken into account there.
CREATE TABLE search_offsets (
    conversation integer PRIMARY KEY,
    seq          integer NOT NULL
);
