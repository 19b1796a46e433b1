package schema

import "testing"

// TestChecksumStaysTheSame pins checksums: another one for the same row would make
// the next scan compare every row of every ledger in full.
func TestChecksumStaysTheSame(t *testing.T) {
	t.Parallel()
	for row, want := range map[string]Checksum{
		`{}`: 3320404949056263377,
		`{"id":1,"navn":"Ærø","opdateringsdato":"2014-09-09T09:05:59.653"}`: 7010109208672848167,
		string(sagRow): -4505115955061071854,
	} {
		if got := ChecksumOf([]byte(row)); got != want {
			t.Errorf("ChecksumOf(%s) = %d, want %d", row, got, want)
		}
	}
}

func TestChecksumDependsOnHowARowIsWritten(t *testing.T) {
	t.Parallel()
	row := `{"id":1,"titel":"Ærø","opdateringsdato":"2014-09-09T09:05:59.653"}`
	for claim, other := range map[string]string{
		"another stamp":  `{"id":1,"titel":"Ærø","opdateringsdato":"2014-09-09T09:05:59.654"}`,
		"another escape": `{"id":1,"titel":"\u00c6rø","opdateringsdato":"2014-09-09T09:05:59.653"}`,
		"another order":  `{"titel":"Ærø","id":1,"opdateringsdato":"2014-09-09T09:05:59.653"}`,
	} {
		if mustHash(t, row) != mustHash(t, other) {
			t.Errorf("%s: the content differs, so the test shows nothing", claim)
		}
		if ChecksumOf([]byte(row)) == ChecksumOf([]byte(other)) {
			t.Errorf("%s: the checksums are equal", claim)
		}
	}
}
