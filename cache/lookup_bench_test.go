package cache

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"odastream/internal/test/pgtest"
	"odastream/schema"
)

// BenchmarkApplyBesideLookups measures what the lookup indexes cost a sink: the same
// batches are applied to a database without them and to one with them, one after the
// other, the first one first every other time. A COPY of as many rows into the first is the
// measure of the machine.
func BenchmarkApplyBesideLookups(b *testing.B) {
	for _, entity := range []string{"Sag", "Stemme", "SagDokument", "Sagstrin", "Dokument"} {
		for _, gin := range []string{"off", "on"} {
			b.Run(entity+"/gin="+gin, func(b *testing.B) { benchLookups(b, entity, gin) })
		}
	}
}

func benchLookups(b *testing.B, entity, gin string) {
	p := lookupPair{entity: entity, ids: 4 * benchRows, copied: 1_000_000_000}
	for i := range p.stores {
		s := New(open(b, pgtest.Migrated(b)), "bench", Config{GIN: gin}, quiet())
		if err := s.MaintainIndex(b.Context()); err != nil {
			b.Fatal(err)
		}
		for first := int64(0); first < p.ids; first += benchRows {
			mustApply(b, s, benchLinked(entity, first, schema.Snapshot, 1)...)
		}
		p.stores[i] = s
	}
	if err := p.stores[1].MaintainLookups(b.Context()); err != nil {
		b.Fatal(err)
	}
	b.Run("first", func(b *testing.B) { p.bench(b, true) })
	b.Run("update", func(b *testing.B) { p.bench(b, false) })
}

// lookupPair is a database without lookup indexes and one with them.
type lookupPair struct {
	entity      string
	stores      [2]*Store
	ids, copied int64 // the next ids of new rows, and of rows of the COPY
	seq         int64
}

// bench applies new rows, or new content of rows, to both.
func (p *lookupPair) bench(b *testing.B, grows bool) {
	var took [2]time.Duration
	var copied time.Duration
	for b.Loop() {
		p.seq++
		batch := benchLinked(p.entity, p.seq%4*benchRows, schema.Update, 1+p.seq)
		if grows {
			batch = benchLinked(p.entity, p.ids, schema.Snapshot, 1+p.seq)
			p.ids += benchRows
		}
		for i := range int64(2) {
			at := (i + p.seq) % 2
			start := time.Now()
			mustApply(b, p.stores[at], batch...)
			took[at] += time.Since(start)
		}
		rows := benchLinked(p.entity, p.copied, schema.Snapshot, 1)
		p.copied += benchRows
		copyText(b, p.stores[1].pool, textRows(rows)) // so that both have as many rows
		text := textRows(rows)
		start := time.Now()
		copyText(b, p.stores[0].pool, text)
		copied += time.Since(start)
	}
	rows := float64(benchRows) * float64(b.N)
	b.ReportMetric(rows/took[0].Seconds(), "without-rows/s")
	b.ReportMetric(rows/took[1].Seconds(), "with-rows/s")
	b.ReportMetric(took[0].Seconds()/took[1].Seconds(), "with/without")
	b.ReportMetric(copied.Seconds()/took[0].Seconds(), "without-of-COPY")
	b.ReportMetric(copied.Seconds()/took[1].Seconds(), "with-of-COPY")
}

// benchLinked returns a batch of rows as an entity has them, with links to others.
func benchLinked(entity string, first int64, action schema.Action, seq int64) []Record {
	records := make([]Record, benchRows)
	for i := range records {
		id := first + int64(i*7919%benchRows)
		stamp := time.Unix(1_700_000_000+id/179, 0).UTC().Format("2006-01-02T15:04:05")
		members := map[string]string{
			"Sag": fmt.Sprintf(`"titel":"Forslag til lov om %d","resume":%q,"version":%d,"periodeid":%d,"deltundersagid":null,"fremsatundersagid":null`,
				id, strings.Repeat("Lovforslaget gennemfører. ", 34), seq, id/700),
			"Stemme":      fmt.Sprintf(`"typeid":%d,"afstemningid":%d,"aktørid":%d`, (id+seq)%4+1, id/179, id%1009),
			"SagDokument": fmt.Sprintf(`"sagid":%d,"dokumentid":%d,"bilagsnummer":"%d","frigivelsesdato":%q,"rolleid":%d`, id/7, id, seq, stamp, id%9),
			"Sagstrin": fmt.Sprintf(`"titel":"%d. behandling","dato":%q,"sagid":%d,"typeid":%d,"folketingstidendeurl":"https://www.folketingstidende.dk/%d","statusid":%d`,
				seq, stamp, id/5, id%30, id, id%40),
			"Dokument": fmt.Sprintf(`"titel":"Spørgsmål %d","dato":%q,"modtagelsesdato":%[2]q,"typeid":%d,"kategoriid":%d,"statusid":5,"offentlighedskode":"O","spørgsmålsid":%d,"spørgsmålstitel":%q`,
				seq, stamp, id%20, id%30, id/2, strings.Repeat("Vil ministeren redegøre. ", 12)),
		}[entity]
		records[i] = Record{
			TopicPartition: schema.TopicPartition{Topic: "parliament-" + schema.Suffix(entity)}, Offset: id,
			Change: schema.Change{
				Entity: entity, ID: id, Action: action, Seq: seq, Timestamp: time.Unix(0, 0), Opdateringsdato: stamp,
				Data: fmt.Appendf(nil, `{"id":%d,%s,"opdateringsdato":%q}`, id, members, stamp),
			},
		}
	}
	return records
}
