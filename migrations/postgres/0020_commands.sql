-- Commands of phones: what they change, their outcomes, and how far each device has come.

alter table meeting add column revision bigint not null default 0;
alter table meeting add column changed_by uuid;
alter table meeting add column changed_at bigint;
alter table meeting add column changed_from text;
alter table meeting add column finished bigint;
alter table meeting add column seen_at bigint;
alter table meeting add column seen_heads bytea;
alter table pair add column cadence_revision bigint not null default 0;
-- Whether people may be invited from phones.
alter table organisation add column invites boolean not null default false;
-- The greatest sequence of a command that was taken from this device.
alter table device add column last_sequence bigint not null default -1;

alter table person drop constraint person_role_check;
alter table person add constraint person_role_check check (role in ('member', 'hr', 'admin'));

create table command (
    organisation uuid not null references organisation (id),
    person uuid not null,
    id uuid not null,
    outcome jsonb not null,
    taken bigint not null,
    primary key (organisation, person, id)
);
create index command_taken on command (taken);

-- How many commands a person has given, and how many of them invite, on the last day (UTC, since 1970) on which
-- they gave any.
create table commanded (
    organisation uuid not null references organisation (id),
    person uuid not null,
    day bigint not null,
    commands bigint not null,
    invites bigint not null,
    primary key (organisation, person)
);
