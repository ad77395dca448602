-- Sign-in. Every secret is stored as its SHA-256 (or argon2id for passwords), never itself.

create table password (
    organisation uuid not null references organisation (id),
    person uuid not null,
    hash text not null,
    changed bigint not null,
    primary key (organisation, person)
);

create table invitation (
    hash bytea not null primary key,
    organisation uuid not null references organisation (id),
    person uuid not null,
    made bigint not null,
    expires bigint not null,
    used bigint
);

-- One sign-in on one device: the family of its refresh tokens.
create table device (
    organisation uuid not null references organisation (id),
    id uuid not null,
    person uuid not null,
    name text not null,
    made bigint not null,
    refreshed bigint not null,
    revoked bigint,
    primary key (organisation, id)
);
create index device_person on device (organisation, person);

-- The tokens of a device form a tree: using a token kills its parent and its siblings and gives it a child.
create table refresh_token (
    hash bytea not null primary key,
    organisation uuid not null references organisation (id),
    device uuid not null,
    parent bytea,
    state text not null check (state in ('unused', 'used', 'dead')),
    made bigint not null,
    expires bigint not null
);
create index refresh_token_parent on refresh_token (parent);
create index refresh_token_expires on refresh_token (expires);

create table socket_ticket (
    hash bytea not null primary key,
    organisation uuid not null references organisation (id),
    device uuid not null,
    expires bigint not null,
    principal_expires bigint not null
);
create index socket_ticket_expires on socket_ticket (expires);

-- Failed sign-ins by SHA-256 of what was typed, so that unknown people lock like known ones.
create table login_lock (
    key bytea not null primary key,
    failures bigint not null,
    locked_until bigint not null,
    tried bigint not null
);
