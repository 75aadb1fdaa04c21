-- What everybody may know of a user, and how he is found by it. The keys fold ASCII capitals only, so
-- that both engines and the server fold alike.
ALTER TABLE users ADD COLUMN nickname text    NOT NULL DEFAULT '';
ALTER TABLE users ADD COLUMN avatar   text    NOT NULL DEFAULT '';
ALTER TABLE users ADD COLUMN gender   integer NOT NULL DEFAULT 0;
ALTER TABLE users ADD COLUMN bio      text    NOT NULL DEFAULT '';
ALTER TABLE users ADD COLUMN version  integer NOT NULL DEFAULT 1;
ALTER TABLE users ADD COLUMN name_key text GENERATED ALWAYS AS (lower(name)) VIRTUAL;
ALTER TABLE users ADD COLUMN nickname_key text GENERATED ALWAYS AS (lower(nickname)) VIRTUAL;
CREATE INDEX users_by_name_key ON users (name_key, id);
CREATE INDEX users_by_nickname_key ON users (nickname_key, id);

CREATE INDEX devices_by_user ON devices (user_id, id) WHERE NOT revoked;
CREATE INDEX refresh_tokens_by_device ON refresh_tokens (device);
