-- What everybody may know of a user, and how he is found by it. The keys fold ASCII capitals only, so
-- that both engines and the server fold alike.
ALTER TABLE users
    ADD COLUMN nickname text     NOT NULL DEFAULT '',
    ADD COLUMN avatar   text     NOT NULL DEFAULT '',
    ADD COLUMN gender   smallint NOT NULL DEFAULT 0,
    ADD COLUMN bio      text     NOT NULL DEFAULT '',
    ADD COLUMN version  bigint   NOT NULL DEFAULT 1,
    ADD COLUMN name_key text COLLATE "C" GENERATED ALWAYS AS (lower(name COLLATE "C")) STORED,
    ADD COLUMN nickname_key text COLLATE "C" GENERATED ALWAYS AS (lower(nickname COLLATE "C")) STORED;
CREATE INDEX users_by_name_key ON users (name_key, id);
CREATE INDEX users_by_nickname_key ON users (nickname_key, id);

CREATE INDEX devices_by_user ON devices (user_id, id) WHERE NOT revoked;
CREATE INDEX refresh_tokens_by_device ON refresh_tokens (device);
