-- The words of messages in their current form. Each word stands behind its conversation's id, as in
-- '1f/tea': so a search costs what its caller's conversations hold, whatever others wrote.
CREATE TABLE message_words (
    conversation bigint   NOT NULL,
    seq          bigint   NOT NULL,
    at           bigint   NOT NULL,
    words        tsvector NOT NULL,
    PRIMARY KEY (conversation, seq)
);
CREATE INDEX message_words_by_time ON message_words (at, conversation, seq);
-- A search looks up a word of each conversation, and would read the list of what is pending each time.
CREATE INDEX message_words_by_word ON message_words USING gin (words) WITH (fastupdate = off);

-- Up to where each conversation's entries were taken into account there.
CREATE TABLE search_offsets (
    conversation bigint PRIMARY KEY,
    seq          bigint NOT NULL
) WITH (fillfactor = 50);
