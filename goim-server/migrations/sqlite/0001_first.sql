-- The log is the truth; members, titles and roles are its fold, kept, and written in the
-- transaction of the entry that changes them.

CREATE TABLE meta (
    only_row   integer PRIMARY KEY DEFAULT 1 CHECK (only_row),
    epoch      integer NOT NULL,
    -- Where the data last lived; another cluster or timeline means that the store went back.
    cluster    integer,
    timeline   integer
);

CREATE TABLE users (
    id            integer PRIMARY KEY AUTOINCREMENT,
    name          text NOT NULL UNIQUE,
    password_hash text,
    -- The person whose bot this is.
    owner         integer REFERENCES users,
    inbox         integer NOT NULL,
    created_at    integer NOT NULL
);

CREATE TABLE devices (
    id         integer PRIMARY KEY AUTOINCREMENT,
    user_id    integer NOT NULL REFERENCES users,
    name       text NOT NULL,
    -- A bot names its instances, so that each finds its offsets again.
    instance   text,
    -- Whether its first sync has fixed where it starts to read.
    started    integer NOT NULL DEFAULT 0,
    revoked    integer NOT NULL DEFAULT 0,
    created_at integer NOT NULL,
    UNIQUE (user_id, instance)
);

CREATE TABLE refresh_tokens (
    hash       blob PRIMARY KEY,
    device     integer NOT NULL REFERENCES devices,
    expires_at integer NOT NULL
);

CREATE TABLE bot_tokens (
    hash    blob PRIMARY KEY,
    user_id integer NOT NULL REFERENCES users
);
CREATE INDEX bot_tokens_by_user ON bot_tokens (user_id);

CREATE TABLE conversations (
    id      integer PRIMARY KEY AUTOINCREMENT,
    kind    integer NOT NULL,
    creator integer NOT NULL,
    -- A repeated "create" of the same creator finds the first one's conversation.
    client_msg_id blob,
    title   text NOT NULL DEFAULT '',
    -- The number of entries ever appended. Only the append changes it.
    head    integer NOT NULL DEFAULT 0,
    count   integer NOT NULL DEFAULT 0,
    -- Counts changes of the fold that have no entry.
    rev     integer NOT NULL DEFAULT 0,
    last_at integer NOT NULL DEFAULT 0,
    UNIQUE (creator, client_msg_id)
);

CREATE TABLE direct_chats (
    low          integer NOT NULL,
    high         integer NOT NULL,
    conversation integer NOT NULL REFERENCES conversations,
    PRIMARY KEY (low, high)
);

CREATE TABLE messages (
    conversation  integer   NOT NULL,
    seq           integer   NOT NULL,
    sender        integer   NOT NULL,
    client_msg_id blob     NOT NULL,
    kind          integer NOT NULL,
    count         integer   NOT NULL,
    at            integer   NOT NULL,
    body          blob     NOT NULL CHECK (length(body) <= 131072),
    PRIMARY KEY (conversation, seq),
    UNIQUE (conversation, sender, client_msg_id)
) WITHOUT ROWID;

-- A membership is a range of seqs: from the entry that let the user in to the entry that put him
-- out, both included.
CREATE TABLE members (
    conversation integer   NOT NULL,
    user_id      integer   NOT NULL,
    from_seq     integer   NOT NULL,
    until_seq    integer,
    role         integer NOT NULL,
    PRIMARY KEY (conversation, user_id, from_seq)
);
CREATE INDEX members_by_user ON members (user_id, conversation);
CREATE INDEX members_now ON members (conversation, user_id) WHERE until_seq IS NULL;
-- Its owner and admins; 3 is a plain member.
CREATE INDEX members_who_manage ON members (conversation, role) WHERE until_seq IS NULL AND role < 3;

CREATE TABLE offsets (
    device       integer NOT NULL,
    conversation integer NOT NULL,
    seq          integer NOT NULL,
    PRIMARY KEY (device, conversation)
) WITHOUT ROWID;

CREATE TABLE read_markers (
    user_id      integer NOT NULL,
    conversation integer NOT NULL,
    seq          integer NOT NULL,
    PRIMARY KEY (user_id, conversation)
) WITHOUT ROWID;

-- What an entry still owes to inboxes.
CREATE TABLE due (
    id           integer PRIMARY KEY AUTOINCREMENT,
    user_id      integer   NOT NULL,
    kind         integer NOT NULL,
    conversation integer   NOT NULL,
    seq          integer   NOT NULL,
    sender       integer   NOT NULL,
    at           integer   NOT NULL
);
