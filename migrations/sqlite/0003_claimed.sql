-- How many documents a person has opened on the last day (UTC, since 1970) on which they opened any.

create table claimed (
    organisation blob not null references organisation (id),
    person blob not null,
    day integer not null,
    opened integer not null,
    primary key (organisation, person)
) strict;
