-- Organisations, people, pairs, meetings, documents: what the records pull delivers.
-- rev is the value that the organisation's counter had when the row was last written.

create table store_epoch (
    one integer not null primary key check (one = 1),
    epoch blob not null,
    made integer not null,
    restored integer
) strict;

create table organisation (
    id blob not null primary key,
    slug text not null unique,
    name text not null,
    counter integer not null,
    made integer not null
) strict;

create table site (
    organisation blob not null references organisation (id),
    id blob not null,
    name text not null,
    primary key (organisation, id),
    unique (organisation, name)
) strict;

create table person (
    organisation blob not null references organisation (id),
    id blob not null,
    email text not null,
    name text not null,
    site blob,
    role text not null check (role in ('member', 'hr')),
    active integer not null,
    manager blob,
    rev integer not null,
    primary key (organisation, id),
    unique (organisation, email)
) strict;

create table pair (
    organisation blob not null references organisation (id),
    id blob not null,
    member blob not null,
    manager blob not null,
    kind text not null check (kind in ('line', 'mentor', 'skip')),
    cadence text not null,
    closed integer,
    rev integer not null,
    primary key (organisation, id)
) strict;
create unique index pair_line on pair (organisation, member) where kind = 'line' and closed is null;
create index pair_manager on pair (organisation, manager);
create index pair_closed on pair (closed);

create table sight (
    organisation blob not null references organisation (id),
    person blob not null,
    pair blob not null,
    state text not null check (state in ('granted', 'lost')),
    rev integer not null,
    primary key (organisation, person, pair)
) strict;
create index sight_pair on sight (organisation, pair, person);

create table meeting (
    organisation blob not null references organisation (id),
    id blob not null,
    pair blob not null,
    slot text,
    starts text not null,
    zone text not null,
    length_minutes integer not null,
    state text not null check (state in ('planned', 'finished', 'cancelled')),
    rev integer not null,
    primary key (organisation, id)
) strict;
create index meeting_pair on meeting (organisation, pair);

-- root is the id of generation 0: it names the key, whatever the generation.
create table document (
    organisation blob not null references organisation (id),
    id blob not null,
    root blob not null,
    generation integer not null,
    kind text not null,
    pair blob,
    meeting blob,
    person blob,
    digest blob,
    rev integer not null,
    primary key (organisation, id),
    unique (organisation, root, generation)
) strict;
create index document_pair on document (organisation, pair);
create index document_person on document (organisation, person);

create table author (
    organisation blob not null references organisation (id),
    document blob not null,
    actor blob not null,
    person blob not null,
    id blob not null,
    rev integer not null,
    primary key (organisation, document, actor)
) strict;
