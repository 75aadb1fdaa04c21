-- Which user somebody is whom an issuer outside vouches for.
CREATE TABLE external_identities (
    issuer  text    NOT NULL,
    subject text    NOT NULL,
    user_id integer NOT NULL UNIQUE REFERENCES users,
    PRIMARY KEY (issuer, subject)
) WITHOUT ROWID;
