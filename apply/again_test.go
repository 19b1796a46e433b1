package apply_test

import (
	"fmt"
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"odastream/internal/test/kafkatest"
)

// wholeCache is a hash of everything that the sink writes except its offsets. It
// includes each row's xmin, so it changes when a row is rewritten with the same content.
const wholeCache = `SELECT count(*) || ' ' || md5(string_agg(row, E'\n' ORDER BY row)) FROM (
    SELECT 'row ' || xmin || p::text AS row FROM parliamentary_data p
    UNION ALL SELECT 'deleted ' || xmin || d::text FROM parliamentary_deleted d
    UNION ALL SELECT 'history ' || h::text FROM parliamentary_history h
    UNION ALL SELECT 'letter ' || l::text FROM dead_letters l
) x`

func TestReadingEveryTopicAgainChangesNothing(t *testing.T) {
	t.Parallel()
	entities := []string{"Sag", "Aktør", "Stemme", "Omtryk"}
	r := newRig(t, kafkatest.Fake(t), entities...)
	r.publish(2000)
	for _, entity := range entities {
		r.produce(entity, entity+":1", `{"no":"change"}`)
	}
	r.once(r.sink(r.url, r.config(), nil))
	before := r.value(wholeCache)
	for claim, offsets := range map[string]string{
		"after the offsets were lost":     `DELETE FROM sink_offsets`,
		"after topics were recreated":     `UPDATE sink_offsets SET topic_id = gen_random_uuid()`,
		"from offsets outside the topics": `UPDATE sink_offsets SET next_offset = 1000000000`,
	} {
		r.exec(offsets)
		reg := prometheus.NewRegistry()
		r.once(r.sink(r.url, r.config(), reg))
		if got := fmt.Sprint(sum(t, reg, "odastream_sink_records_total")); got == "0" {
			t.Errorf("%s: nothing was applied again", claim)
		}
		if got := r.value(wholeCache); got != before {
			t.Errorf("%s: the cache is %s, want %s as before", claim, got, before)
		}
	}
}
