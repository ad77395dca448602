-- The phone's store of one person. Every column named `sealed` is XChaCha20-Poly1305 under the vault's key with the
-- table and the row's identity as associated data; only ids and hashes that are looked up stand in the clear.

-- A sealed constant: whether the key fits is known before anything else is read or written.
create table vault (
    id integer primary key check (id = 1),
    sealed blob not null
) strict;

-- Who is signed in: identity, tokens, cursor, contact.
create table account (
    part text primary key,
    sealed blob not null
) strict, without rowid;

-- heads: the hashes of the newest changes stored, 32 bytes each; empty while there is only the genesis.
create table document (
    id blob primary key,
    heads blob not null,
    sealed blob not null
) strict, without rowid;

-- hash: of a change made here that the server has not acknowledged; null for everything else.
create table chunk (
    position integer primary key,
    document blob not null references document (id) on delete cascade,
    hash blob,
    sealed blob not null
) strict;
create index chunk_of_document on chunk (document, position);
create unique index chunk_unacknowledged on chunk (document, hash) where hash is not null;

-- kind: 1 person, 2 pair, 3 meeting, 4 author.
create table record (
    kind integer not null,
    id blob not null,
    sealed blob not null,
    primary key (kind, id)
) strict, without rowid;

-- What screens show of a document without opening it.
create table summary (
    document blob primary key references document (id) on delete cascade,
    sealed blob not null
) strict, without rowid;

-- Own edits that can no longer be sent (送れなかった入力).
create table refused_edit (
    id blob primary key,
    sealed blob not null
) strict, without rowid;
