-- The bytes of documents, one row per document and commit, folded into packs when the document is idle.
-- body begins with a header byte: 0 plain, 1 sealed under the document's key. No foreign keys: this is the hot path,
-- and every row is written by the hub after it looked the document up.

create table chunk (
    organisation uuid not null,
    document uuid not null,
    n bigint not null,
    body bytea not null,
    primary key (organisation, document, n)
);

-- Documents whose digest in their record is older than their chunks; written in the commit that makes it so.
create table stale_digest (
    organisation uuid not null,
    document uuid not null,
    primary key (organisation, document)
);
