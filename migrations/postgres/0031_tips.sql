-- Tips of managers. The organisation of a tip that is offered to other companies is the nil id: it belongs to none, and
-- names neither company nor author. `outside` is the id of that copy. `rank` is where it stands in the order of tips, the
-- lowest first, and what the search index calls it.

create table tip (
    organisation uuid not null,
    id uuid not null,
    rank bigint not null,
    author uuid,
    signs text not null check (signs in ('none', 'line', 'name')),
    byline text,
    text text not null,
    folded text not null,
    topic text not null,
    category text not null,
    response text not null,
    made bigint not null,
    helped bigint not null,
    offered text not null check (offered in ('no', 'waiting', 'yes', 'declined')),
    outside uuid,
    reports bigint not null,
    primary key (organisation, id)
);
create index tip_id on tip (id);
create index tip_outside on tip (outside) where outside is not null;
create unique index tip_order on tip (organisation, rank);
create index tip_rank on tip (rank);
create index tip_topic on tip (organisation, topic, rank);
create index tip_category on tip (organisation, category, rank);
create index tip_response on tip (organisation, response, rank);
create index tip_response_topic on tip (organisation, response, topic, rank);
create index tip_response_category on tip (organisation, response, category, rank);
create index tip_author on tip (organisation, author);
create index tip_waiting on tip (offered) where offered = 'waiting';
create index tip_with_reports on tip (reports) where reports > 0;

-- Who said that a tip helped, and who reported one; the organisation is that of the person.
create table tip_helped (
    organisation uuid not null,
    tip uuid not null,
    person uuid not null,
    primary key (tip, organisation, person)
);
create table tip_reported (
    organisation uuid not null,
    tip uuid not null,
    person uuid not null,
    primary key (tip, organisation, person)
);

-- Whether an organisation exchanges tips with others.
alter table organisation add column outside_tips boolean not null default false;

-- An index only: it is made anew from the tips where it is missing.
create table tip_search (
    organisation uuid not null,
    rank bigint not null,
    grams integer[] not null,
    primary key (organisation, rank)
);
create index tip_search_grams on tip_search using gin (grams) with (fastupdate = off);

-- Tips that have all of these, in any order, as far as the limit: by the index of the grams and by nothing else, because
-- a guess that many tips have them makes PostgreSQL read the whole table, and a sum keeps it from the primary key.
create function tip_candidates(integer[], bigint, bigint) returns setof bigint
    language sql stable
    set enable_seqscan = off
    set jit = off
    as 'select rank from tip_search where grams @> $1 and rank + 0 > $2 limit $3';
