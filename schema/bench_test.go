package schema

import (
	"strings"
	"testing"
)

// sagRow is a row of Sag's median size, 1.65 kB, spelled as the source does.
var sagRow = []byte(`{"id":98765,"typeid":3,"kategoriid":19,"statusid":11,"titel":"Forslag til lov om ændring af lov om planlægning og lov om naturbeskyttelse",` +
	`"titelkort":"Om \u00e6ndring af planloven \"m.v.\"","offentlighedskode":"O","nummer":"L 123","nummerprefix":"L","nummernumerisk":"123","nummerpostfix":"",` +
	`"resume":"` + strings.Repeat("Lovforslaget gennemfører en del af regeringens aftale om øget åbenhed. ", 12) + `",` +
	`"afstemningskonklusion":null,"periodeid":146,"afgørelsesresultatkode":"","baggrundsmateriale":null,"opdateringsdato":"2026-11-23T16:09:58.347",` +
	`"statsbudgetsag":false,"begrundelse":"","paragrafnummer":null,"paragraf":"","afgørelsesdato":"2026-05-12T00:00:00","afgørelse":null,` +
	`"rådsmødedato":null,"lovnummer":"561","lovnummerdato":"2026-05-21T00:00:00","retsinformationsurl":"https://www.retsinformation.dk/eli/lta/2026/561","fremsatundersagid":null,"deltundersagid":null}`)

// voteRow is a row of Afstemning. Most rows of a first load are as short.
var voteRow = []byte(`{"id":1,"nummer":411,"konklusion":"Vedtaget\n\n108 stemmer for forslaget (V, S, DF, RV, SF, EL, LA, KF, UFG)\n\n` +
	`0 stemmer imod forslaget\n\n0 stemmer hverken for eller imod forslaget\n\n","vedtaget":true,"kommentar":null,"mødeid":17,"typeid":2,` +
	`"sagstrinid":null,"opdateringsdato":"2014-09-09T09:05:59.653"}`)

// BenchmarkFingerprint measures the poller's cost of each row read.
func BenchmarkFingerprint(b *testing.B) {
	for name, row := range map[string][]byte{"Sag": sagRow, "Afstemning": voteRow} {
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(len(row)))
			b.ReportAllocs()
			for b.Loop() {
				if _, _, err := Fingerprint(row); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkContentHash measures the cost of a row's hash alone.
func BenchmarkContentHash(b *testing.B) {
	b.SetBytes(int64(len(sagRow)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := ContentHash(sagRow); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkAppendJSON measures the poller's cost of each published change.
func BenchmarkAppendJSON(b *testing.B) {
	c := sampleChange(sagRow)
	buf := make([]byte, 0, 4096)
	b.SetBytes(int64(len(sagRow)))
	b.ReportAllocs()
	for b.Loop() {
		buf = c.AppendJSON(buf[:0])
	}
}

// BenchmarkParseChange measures the sink's cost of each record read.
func BenchmarkParseChange(b *testing.B) {
	value := sampleChange(sagRow).AppendJSON(nil)
	b.SetBytes(int64(len(value)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := ParseChange(value); err != nil {
			b.Fatal(err)
		}
	}
}
