-- Organisations, people, pairs, meetings, documents: what the records pull delivers.
-- rev is the value that the organisation's counter had when the row was last written.

create table store_epoch (
    one bigint not null primary key check (one = 1),
    epoch uuid not null,
    made bigint not null,
    restored bigint
);

create table organisation (
    id uuid not null primary key,
    slug text not null unique,
    name text not null,
    counter bigint not null,
    made bigint not null
);

create table site (
    organisation uuid not null references organisation (id),
    id uuid not null,
    name text not null,
    primary key (organisation, id),
    unique (organisation, name)
);

create table person (
    organisation uuid not null references organisation (id),
    id uuid not null,
    email text not null,
    name text not null,
    site uuid,
    role text not null check (role in ('member', 'hr')),
    active boolean not null,
    manager uuid,
    rev bigint not null,
    primary key (organisation, id),
    unique (organisation, email)
);

create table pair (
    organisation uuid not null references organisation (id),
    id uuid not null,
    member uuid not null,
    manager uuid not null,
    kind text not null check (kind in ('line', 'mentor', 'skip')),
    cadence jsonb not null,
    closed bigint,
    rev bigint not null,
    primary key (organisation, id)
);
create unique index pair_line on pair (organisation, member) where kind = 'line' and closed is null;
create index pair_manager on pair (organisation, manager);
create index pair_closed on pair (closed);

create table sight (
    organisation uuid not null references organisation (id),
    person uuid not null,
    pair uuid not null,
    state text not null check (state in ('granted', 'lost')),
    rev bigint not null,
    primary key (organisation, person, pair)
);
create index sight_pair on sight (organisation, pair, person);

create table meeting (
    organisation uuid not null references organisation (id),
    id uuid not null,
    pair uuid not null,
    slot text,
    starts text not null,
    zone text not null,
    length_minutes bigint not null,
    state text not null check (state in ('planned', 'finished', 'cancelled')),
    rev bigint not null,
    primary key (organisation, id)
);
create index meeting_pair on meeting (organisation, pair);

-- root is the id of generation 0: it names the key, whatever the generation.
create table document (
    organisation uuid not null references organisation (id),
    id uuid not null,
    root uuid not null,
    generation bigint not null,
    kind text not null,
    pair uuid,
    meeting uuid,
    person uuid,
    digest bytea,
    rev bigint not null,
    primary key (organisation, id),
    unique (organisation, root, generation)
);
create index document_pair on document (organisation, pair);
create index document_person on document (organisation, person);

create table author (
    organisation uuid not null references organisation (id),
    document uuid not null,
    actor bytea not null,
    person uuid not null,
    id uuid not null,
    rev bigint not null,
    primary key (organisation, document, actor)
);
