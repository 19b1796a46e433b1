-- The cache: current rows, their history, what was deleted, what could not be
-- applied, and how far each topic partition was applied.

-- +goose Up
CREATE TABLE parliamentary_data (
    entity_type     text        NOT NULL,
    entity_id       bigint      NOT NULL,
    data            jsonb       NOT NULL,
    seq             bigint      NOT NULL,
    opdateringsdato timestamp,
    created_at      timestamptz NOT NULL DEFAULT now(),
    updated_at      timestamptz NOT NULL DEFAULT now(),
    expires_at      timestamptz,
    PRIMARY KEY (entity_type, entity_id)
) PARTITION BY LIST (entity_type);

COMMENT ON TABLE parliamentary_data IS 'Current rows of oda.ft.dk. For plain SQL use the typed views of the schema parliament.';
COMMENT ON COLUMN parliamentary_data.data IS 'The row as the source gave it.';
COMMENT ON COLUMN parliamentary_data.seq IS 'Order of the changes of one entity; never goes down for a key.';
COMMENT ON COLUMN parliamentary_data.opdateringsdato IS 'The source''s own stamp: Danish wall clock, no zone. Null where it has none.';
COMMENT ON COLUMN parliamentary_data.expires_at IS 'Null unless CACHE_TTL names the entity.';

CREATE INDEX parliamentary_data_updated_at ON parliamentary_data (updated_at);
CREATE INDEX parliamentary_data_expires_at ON parliamentary_data (expires_at) WHERE expires_at IS NOT NULL;
-- The GIN index on data is made, or left out, by the sink: CACHE_GIN is its setting.

-- One partition an entity. An entity that the source has not had until now gets
-- its own from the sink on the fly. The large ones are split by id once more, so
-- that an index of one part stays small enough to be kept in memory.
-- +goose StatementBegin
DO $$
DECLARE
    p record;
BEGIN
    FOR p IN
        SELECT * FROM (VALUES
            ('Afstemning', 'afstemning', 0),
            ('Afstemningstype', 'afstemningstype', 0),
            ('Aktstykke', 'aktstykke', 0),
            ('Aktør', 'aktoer', 0),
            ('AktørAktør', 'aktoeraktoer', 0),
            ('AktørAktørRolle', 'aktoeraktoerrolle', 0),
            ('Aktørtype', 'aktoertype', 0),
            ('Almdel', 'almdel', 0),
            ('Dagsordenspunkt', 'dagsordenspunkt', 0),
            ('DagsordenspunktDokument', 'dagsordenspunktdokument', 0),
            ('DagsordenspunktSag', 'dagsordenspunktsag', 0),
            ('Debat', 'debat', 0),
            ('Dokument', 'dokument', 8),
            ('DokumentAktør', 'dokumentaktoer', 8),
            ('DokumentAktørRolle', 'dokumentaktoerrolle', 0),
            ('Dokumentkategori', 'dokumentkategori', 0),
            ('Dokumentstatus', 'dokumentstatus', 0),
            ('Dokumenttype', 'dokumenttype', 0),
            ('EUsag', 'eusag', 0),
            ('Emneord', 'emneord', 0),
            ('EmneordDokument', 'emneorddokument', 8),
            ('EmneordSag', 'emneordsag', 0),
            ('Emneordstype', 'emneordstype', 0),
            ('EntitetBeskrivelse', 'entitetbeskrivelse', 0),
            ('Fil', 'fil', 8),
            ('Forslag', 'forslag', 0),
            ('KolloneBeskrivelse', 'kollonebeskrivelse', 0),
            ('Møde', 'moede', 0),
            ('MødeAktør', 'moedeaktoer', 0),
            ('Mødestatus', 'moedestatus', 0),
            ('Mødetype', 'moedetype', 0),
            ('Omtryk', 'omtryk', 0),
            ('Periode', 'periode', 0),
            ('Sag', 'sag', 0),
            ('SagAktør', 'sagaktoer', 0),
            ('SagAktørRolle', 'sagaktoerrolle', 0),
            ('SagDokument', 'sagdokument', 8),
            ('SagDokumentRolle', 'sagdokumentrolle', 0),
            ('Sagskategori', 'sagskategori', 0),
            ('Sagsstatus', 'sagsstatus', 0),
            ('Sagstrin', 'sagstrin', 0),
            ('SagstrinAktør', 'sagstrinaktoer', 0),
            ('SagstrinAktørRolle', 'sagstrinaktoerrolle', 0),
            ('SagstrinDokument', 'sagstrindokument', 8),
            ('Sagstrinsstatus', 'sagstrinsstatus', 0),
            ('Sagstrinstype', 'sagstrinstype', 0),
            ('Sagstype', 'sagstype', 0),
            ('Sambehandlinger', 'sambehandlinger', 0),
            ('Stemme', 'stemme', 8),
            ('Stemmetype', 'stemmetype', 0)
        ) AS known (entity, suffix, parts)
    LOOP
        EXECUTE format('CREATE TABLE %I PARTITION OF parliamentary_data FOR VALUES IN (%L)%s',
            'parliamentary_data_' || p.suffix, p.entity,
            CASE WHEN p.parts > 0 THEN ' PARTITION BY HASH (entity_id)' ELSE '' END);
        FOR part IN 0 .. p.parts - 1 LOOP
            EXECUTE format('CREATE TABLE %I PARTITION OF %I FOR VALUES WITH (MODULUS %s, REMAINDER %s)',
                'parliamentary_data_' || p.suffix || '_' || part, 'parliamentary_data_' || p.suffix, p.parts, part);
        END LOOP;
    END LOOP;
END
$$;
-- +goose StatementEnd

CREATE TABLE parliamentary_history (
    entity_type     text        NOT NULL,
    entity_id       bigint      NOT NULL,
    seq             bigint      NOT NULL,
    action          text        NOT NULL CHECK (action IN ('create', 'update', 'delete')),
    changed         text[],
    before          jsonb,
    after           jsonb,
    opdateringsdato timestamp,
    recorded_at     timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (entity_type, entity_id, seq, recorded_at)
) PARTITION BY RANGE (recorded_at);

COMMENT ON TABLE parliamentary_history IS 'One row for each create, update and delete that was applied and changed something.';
COMMENT ON COLUMN parliamentary_history.before IS 'The changed members as they were; the whole row of a delete.';
COMMENT ON COLUMN parliamentary_history.after IS 'The changed members as they became; the whole row of a create.';

-- parliamentary_history_ahead makes the partitions of this month (UTC) and of the
-- months that follow, and returns how many were missing. Each table is made first
-- and attached afterwards: attaching holds up neither readers nor writers, and a
-- long query can delay it by no more than the lock_timeout.
-- +goose StatementBegin
CREATE FUNCTION parliamentary_history_ahead(months integer) RETURNS integer
LANGUAGE plpgsql SET lock_timeout = '2s' AS $$
DECLARE
    month timestamp;
    name  text;
    made  integer := 0;
BEGIN
    PERFORM pg_advisory_xact_lock(hashtextextended('odastream parliamentary_history_ahead', 0));
    FOR ahead IN 0 .. months LOOP
        month := date_trunc('month', now() AT TIME ZONE 'UTC') + make_interval(months => ahead);
        name := 'parliamentary_history_' || to_char(month, 'YYYY_MM');
        -- Asked of the catalog's rows: a name's cached answer may be older than the lock.
        CONTINUE WHEN EXISTS (SELECT FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
            WHERE i.inhparent = 'parliamentary_history'::regclass AND c.relname = name);
        EXECUTE format('CREATE TABLE %I (LIKE parliamentary_history INCLUDING ALL)', name);
        EXECUTE format('ALTER TABLE parliamentary_history ATTACH PARTITION %I FOR VALUES FROM (%L) TO (%L)', name,
            month AT TIME ZONE 'UTC', (month + interval '1 month') AT TIME ZONE 'UTC');
        made := made + 1;
    END LOOP;
    RETURN made;
END
$$;
-- +goose StatementEnd

SELECT parliamentary_history_ahead(3);

CREATE TABLE parliamentary_deleted (
    entity_type text        NOT NULL,
    entity_id   bigint      NOT NULL,
    seq         bigint      NOT NULL,
    data        jsonb,
    deleted_at  timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (entity_type, entity_id)
);

COMMENT ON TABLE parliamentary_deleted IS 'Deleted rows, so that no older change brings one back.';
COMMENT ON COLUMN parliamentary_deleted.data IS 'The last content; null if the row was never seen here.';

CREATE TABLE dead_letters (
    topic      text        NOT NULL,
    partition  integer     NOT NULL,
    "offset"   bigint      NOT NULL,
    key        text,
    class      text        NOT NULL,
    sqlstate   text,
    error      text        NOT NULL,
    state      text        NOT NULL DEFAULT 'open' CHECK (state IN ('open', 'superseded', 'retried', 'discarded')),
    failed_at  timestamptz NOT NULL,
    changed_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (topic, partition, "offset")
);

CREATE INDEX dead_letters_open ON dead_letters (failed_at) WHERE state = 'open';
COMMENT ON TABLE dead_letters IS 'Records that could not be applied, and why; the records themselves are in the topic <topic>.dlq.';

CREATE TABLE sink_offsets (
    group_id    text        NOT NULL,
    topic       text        NOT NULL,
    partition   integer     NOT NULL,
    topic_id    uuid        NOT NULL,
    next_offset bigint      NOT NULL,
    updated_at  timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (group_id, topic, partition)
);

COMMENT ON TABLE sink_offsets IS 'How far each topic partition was applied. The truth: the offset committed to Kafka only follows.';
COMMENT ON COLUMN sink_offsets.topic_id IS 'Kafka''s id of the topic: a topic made anew has another one, and starts over.';

-- +goose Down
DROP TABLE sink_offsets;
DROP TABLE dead_letters;
DROP TABLE parliamentary_deleted;
DROP TABLE parliamentary_history;
DROP FUNCTION parliamentary_history_ahead(integer);
DROP TABLE parliamentary_data;
