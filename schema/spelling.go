package schema

import "github.com/cespare/xxhash/v2"

// Spelling identifies a row as it is written, stamp and all: rows of one Spelling
// have one ContentHash. That two rows differ in it says nothing, the ContentHash
// tells. It takes a tenth of that one's time. The zero Spelling is no row's.
type Spelling int64

// SpellingOf is the xxHash64 of the row's bytes: of 10^19 rows that change, one keeps
// its Spelling.
func SpellingOf(row []byte) Spelling {
	if s := Spelling(xxhash.Sum64(row)); s != 0 { //nolint:gosec // the bits count, not the sign
		return s
	}
	return 1
}
