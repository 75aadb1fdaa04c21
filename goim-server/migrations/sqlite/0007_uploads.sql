-- What people uploaded. An object is content, once however often it came; its bytes are in an object
-- store, at a place that nothing else was ever kept at.
CREATE TABLE objects (
    -- SHA-256, in hexadecimal.
    hash       text    NOT NULL PRIMARY KEY,
    media_type text    NOT NULL,
    bytes      integer NOT NULL,
    place      text    NOT NULL
);

-- Who uploaded it where to. Conversation 0: it is an avatar.
CREATE TABLE uploads (
    hash         text    NOT NULL REFERENCES objects,
    conversation integer NOT NULL,
    user_id      integer NOT NULL,
    at           integer NOT NULL,
    PRIMARY KEY (hash, conversation, user_id)
);
CREATE INDEX uploads_by_user ON uploads (user_id);
CREATE INDEX uploads_of_avatars ON uploads (at) WHERE conversation = 0;
CREATE INDEX users_by_avatar ON users (avatar) WHERE avatar <> '';
CREATE INDEX group_settings_by_avatar ON group_settings (avatar) WHERE avatar <> '';

-- Places at which something may be that no object needs any more, or never came to need.
CREATE TABLE garbage (
    place   text    NOT NULL PRIMARY KEY,
    -- When it is deleted.
    due     integer NOT NULL,
    -- Somebody has begun to; so it is too late to keep it.
    claimed boolean NOT NULL DEFAULT false
);
CREATE INDEX garbage_by_due ON garbage (due);
