-- How many documents a person has opened on the last day (UTC, since 1970) on which they opened any.

create table claimed (
    organisation uuid not null references organisation (id),
    person uuid not null,
    day bigint not null,
    opened bigint not null,
    primary key (organisation, person)
);
