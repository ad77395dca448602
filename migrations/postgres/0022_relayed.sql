-- After a restore a participant may bring the other's changes: whose they say they are, who brought them, and when first.

create table relayed (
    organisation uuid not null references organisation (id),
    document uuid not null,
    actor bytea not null,
    author uuid,
    brought_by uuid not null,
    at bigint not null,
    primary key (organisation, document, actor, brought_by)
);
