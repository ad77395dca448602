-- Sign-in. Every secret is stored as its SHA-256 (or argon2id for passwords), never itself.

create table password (
    organisation blob not null references organisation (id),
    person blob not null,
    hash text not null,
    changed integer not null,
    primary key (organisation, person)
) strict;

create table invitation (
    hash blob not null primary key,
    organisation blob not null references organisation (id),
    person blob not null,
    made integer not null,
    expires integer not null,
    used integer
) strict;

-- One sign-in on one device: the family of its refresh tokens.
create table device (
    organisation blob not null references organisation (id),
    id blob not null,
    person blob not null,
    name text not null,
    made integer not null,
    refreshed integer not null,
    revoked integer,
    primary key (organisation, id)
) strict;
create index device_person on device (organisation, person);

-- The tokens of a device form a tree: using a token kills its parent and its siblings and gives it a child.
create table refresh_token (
    hash blob not null primary key,
    organisation blob not null references organisation (id),
    device blob not null,
    parent blob,
    state text not null check (state in ('unused', 'used', 'dead')),
    made integer not null,
    expires integer not null
) strict;
create index refresh_token_parent on refresh_token (parent);
create index refresh_token_expires on refresh_token (expires);

create table socket_ticket (
    hash blob not null primary key,
    organisation blob not null references organisation (id),
    device blob not null,
    expires integer not null,
    principal_expires integer not null
) strict;
create index socket_ticket_expires on socket_ticket (expires);

-- Failed sign-ins by SHA-256 of what was typed, so that unknown people lock like known ones.
create table login_lock (
    key blob not null primary key,
    failures integer not null,
    locked_until integer not null,
    tried integer not null
) strict;
