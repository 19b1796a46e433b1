-- The poller's own tables: what it holds, how far it has come, and what each
-- entity's topic says of each row.

-- +goose Up

-- Who works on an entity. The epoch grows each time the lease changes hands, and
-- every save of the poller compares it (invariant 4).
CREATE TABLE poller_leases (
    entity_type text        PRIMARY KEY,
    epoch       bigint      NOT NULL DEFAULT 0,
    holder      text        NOT NULL DEFAULT '',
    expires_at  timestamptz NOT NULL DEFAULT '-infinity'
);

-- The pollers that run, so that each takes its share of the entities.
CREATE TABLE poller_members (
    holder     text        PRIMARY KEY,
    expires_at timestamptz NOT NULL
);

-- How far an entity has been seen. The watermark is an instant; wall_clock is the
-- same as Danish text, for people. loaded_at is when the first load was complete,
-- scanned_at when a scan was last complete, scan_id the seq at which the scan
-- under way began, 0 without one, and scan_began what the source's clock showed
-- then. Before consistent_through nothing of the source
-- is outstanding. seq is the highest ever read or written, partitions the number
-- that keys were spread over.
CREATE TABLE poller_watermarks (
    entity_type        text        PRIMARY KEY,
    watermark          timestamptz,
    wall_clock         text,
    loaded_at          timestamptz,
    scanned_at         timestamptz,
    consistent_through timestamptz,
    scan_id            bigint      NOT NULL DEFAULT 0,
    scan_began         timestamptz,
    seq                bigint      NOT NULL DEFAULT 0,
    partitions         int         NOT NULL DEFAULT 0,
    pass               jsonb,
    updated_at         timestamptz NOT NULL DEFAULT now()
);

-- What the topic says of each row (invariant 8): the hash of its content, null
-- once it was deleted, and the seq of its last record. An empty hash means that
-- the topic's last word cannot be trusted and the row is to be published again.
-- No hash and seq 0: the topic that held the row is gone.
-- stamp is the row's opdateringsdato as text, fields a short hash of each member.
CREATE TABLE poller_ledger (
    entity_type text   NOT NULL COLLATE "C",
    entity_id   bigint NOT NULL,
    seq         bigint NOT NULL,
    hash        bytea,
    stamp       text,
    fields      bytea,
    PRIMARY KEY (entity_type, entity_id)
);
CREATE INDEX poller_ledger_dirty ON poller_ledger (entity_type, entity_id) WHERE hash = ''::bytea;

-- Up to which offset of each topic partition the ledger agrees with the topic.
CREATE TABLE poller_positions (
    entity_type text   NOT NULL,
    partition   int    NOT NULL,
    topic_id    uuid   NOT NULL,
    next_offset bigint NOT NULL,
    PRIMARY KEY (entity_type, partition)
);

-- The id ranges of the running scan of an entity: (low, high], read up to next;
-- high 0 is open. read counts the rows that the range has shown so far.
CREATE TABLE poller_scans (
    entity_type text        NOT NULL,
    low         bigint      NOT NULL,
    high        bigint      NOT NULL,
    next        bigint      NOT NULL,
    read        bigint      NOT NULL DEFAULT 0,
    done        boolean     NOT NULL DEFAULT false,
    updated_at  timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (entity_type, low)
);

-- Rows that the ledger has and a scan did not find: to be looked for once more
-- before they count as deleted. scans is how many whole scans have missed one,
-- scan_id the last of them. A person confirms what is held back.
CREATE TABLE poller_vanished (
    entity_type text        NOT NULL,
    entity_id   bigint      NOT NULL,
    scans       int         NOT NULL DEFAULT 1,
    scan_id     bigint      NOT NULL,
    seen_at     timestamptz NOT NULL DEFAULT now(),
    confirmed   boolean     NOT NULL DEFAULT false,
    PRIMARY KEY (entity_type, entity_id)
);

-- How far behind the watermark rows turned up, by day: rows counts those that
-- were late by up to seconds, and by more than the next lower bound; worst is the
-- worst of them in seconds.
CREATE TABLE poller_lateness (
    entity_type text   NOT NULL,
    day         date   NOT NULL,
    seconds     bigint NOT NULL,
    rows        bigint NOT NULL,
    worst       bigint NOT NULL,
    PRIMARY KEY (entity_type, day, seconds)
);

-- +goose Down

DROP TABLE poller_lateness;
DROP TABLE poller_vanished;
DROP TABLE poller_scans;
DROP TABLE poller_positions;
DROP TABLE poller_ledger;
DROP TABLE poller_watermarks;
DROP TABLE poller_members;
DROP TABLE poller_leases;
