package cache

import (
	"time"

	"odastream/internal/session"
	"odastream/schema"
)

// A record that fails again keeps its state, unless the topic was recreated and the
// offset is now another record's.
const insertDeadLetters = `INSERT INTO dead_letters AS d (topic, partition, "offset", key, class, sqlstate, error, failed_at, seq)
SELECT DISTINCT ON (l.topic, l.partition, l."offset") l.topic, l.partition, l."offset", l.key, l.class, NULLIF(l.sqlstate, ''), l.error, l.failed_at, NULLIF(l.seq, 0)
FROM unnest($1::text[], $2::integer[], $3::bigint[], $4::text[], $5::text[], $6::text[], $7::text[], $8::timestamptz[], $9::bigint[])
    AS l (topic, partition, "offset", key, class, sqlstate, error, failed_at, seq)
ON CONFLICT (topic, partition, "offset") DO UPDATE SET key = excluded.key, class = excluded.class, sqlstate = excluded.sqlstate,
    error = excluded.error, state = 'open', failed_at = excluded.failed_at, seq = excluded.seq, changed_at = now()
WHERE d.key IS DISTINCT FROM excluded.key`

func addDeadLetters(m *session.Message, dead []DeadLetter) {
	if len(dead) == 0 {
		return
	}
	var topics, keys, classes, states, errs []string
	var partitions []int32
	var offsets, seqs []int64
	var failed []time.Time
	for _, l := range dead {
		topics, partitions, offsets = append(topics, l.Topic), append(partitions, l.Partition), append(offsets, l.Offset)
		keys, classes, states = append(keys, schema.StorableText(l.Key)), append(classes, l.Class), append(states, l.SQLState)
		errs, failed = append(errs, schema.StorableText(l.Error)), append(failed, l.FailedAt)
		seqs = append(seqs, l.Seq)
	}
	m.Add(insertDeadLetters, topics, partitions, offsets, keys, classes, states, errs, failed, seqs)
}
