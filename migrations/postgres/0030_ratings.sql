-- Ratings: whose, of whom and about which 1on1 only the rating key tells, which is a file outside of this database. The
-- week is the date of its Monday; there is no time of day, and the rows of a closed week lie in
-- the order of their tickets.

create table rating (
    organisation uuid not null references organisation (id),
    ticket bytea not null,
    rater bytea not null,
    subject bytea not null,
    week text not null,
    picks jsonb not null,
    value bigint not null check (value between 1 and 5),
    as_asked text check (as_asked in ('yes', 'roughly', 'no')),
    primary key (organisation, ticket)
);

-- The Monday whose count an organisation has had.
create table counted (
    organisation uuid not null primary key references organisation (id),
    week text not null
);

-- What the last count says of a manager, and what the next one has to remember.
create table strength (
    organisation uuid not null references organisation (id),
    subject bytea not null,
    standing jsonb not null,
    primary key (organisation, subject)
);
