-- After a restore a participant may bring the other's changes: whose they say they are, who brought them, and when first.

create table relayed (
    organisation blob not null references organisation (id),
    document blob not null,
    actor blob not null,
    author blob,
    brought_by blob not null,
    at integer not null,
    primary key (organisation, document, actor, brought_by)
) strict;
