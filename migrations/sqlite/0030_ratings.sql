-- Ratings: whose, of whom and about which 1on1 only the rating key tells, which is a file outside of this database. The
-- week is the date of its Monday; there is no time of day, and the rows lie in the order of their tickets.

create table rating (
    organisation blob not null references organisation (id),
    ticket blob not null,
    rater blob not null,
    subject blob not null,
    week text not null,
    picks text not null,
    value integer not null check (value between 1 and 5),
    as_asked text check (as_asked in ('yes', 'roughly', 'no')),
    primary key (organisation, ticket)
) strict, without rowid;

-- The Monday whose count an organisation has had.
create table counted (
    organisation blob not null primary key references organisation (id),
    week text not null
) strict;

-- What the last count says of a manager, and what the next one has to remember.
create table strength (
    organisation blob not null references organisation (id),
    subject blob not null,
    standing text not null,
    primary key (organisation, subject)
) strict, without rowid;
