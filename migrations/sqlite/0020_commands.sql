-- Commands of phones: what they change, their outcomes, and how far each device has come.

alter table meeting add column revision integer not null default 0;
alter table meeting add column changed_by blob;
alter table meeting add column changed_at integer;
alter table meeting add column changed_from text;
alter table meeting add column finished integer;
alter table meeting add column seen_at integer;
alter table meeting add column seen_heads blob;
alter table pair add column cadence_revision integer not null default 0;
-- Whether people may be invited from phones.
alter table organisation add column invites integer not null default 0;
-- The greatest sequence of a command that was taken from this device.
alter table device add column last_sequence integer not null default -1;

-- SQLite cannot change a check: the table is made anew.
create table person_new (
    organisation blob not null references organisation (id),
    id blob not null,
    email text not null,
    name text not null,
    site blob,
    role text not null check (role in ('member', 'hr', 'admin')),
    active integer not null,
    manager blob,
    rev integer not null,
    primary key (organisation, id),
    unique (organisation, email)
) strict;
insert into person_new (organisation, id, email, name, site, role, active, manager, rev)
    select organisation, id, email, name, site, role, active, manager, rev from person;
drop table person;
alter table person_new rename to person;
create index person_rev on person (organisation, rev);

create table command (
    organisation blob not null references organisation (id),
    person blob not null,
    id blob not null,
    outcome text not null,
    taken integer not null,
    primary key (organisation, person, id)
) strict;
create index command_taken on command (taken);

-- How many commands a person has given, and how many of them invite, on the last day (UTC, since 1970) on which
-- they gave any.
create table commanded (
    organisation blob not null references organisation (id),
    person blob not null,
    day integer not null,
    commands integer not null,
    invites integer not null,
    primary key (organisation, person)
) strict;
