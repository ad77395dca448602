-- What this person asks of the records, in the order they asked. A sequence is never given twice, so that the server can
-- tell an old command from a new one.
-- state: 1 waiting for the server, 2 answered, 3 answered and the records pulled since.
-- epoch: of the server's store that answered; in another one what was applied is sent again.
create table command (
    sequence integer primary key autoincrement,
    id blob not null unique,
    state integer not null check (state in (1, 2, 3)),
    epoch blob,
    sealed blob not null
) strict;
create index command_by_state on command (state, sequence);
