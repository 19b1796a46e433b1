package schema

import "github.com/cespare/xxhash/v2"

// Checksum is a checksum of a row's bytes, the stamp included. Rows with the same
// Checksum have the same ContentHash. Rows with different Checksums may still have the
// same content in another spelling: compare their ContentHash. A Checksum costs a tenth
// of a ContentHash. No row has the zero Checksum.
type Checksum int64

// ChecksumOf returns the xxHash64 of row. One in 10^19 changed rows keeps its Checksum.
func ChecksumOf(row []byte) Checksum {
	if sum := Checksum(xxhash.Sum64(row)); sum != 0 { //nolint:gosec // the bits count, not the sign
		return sum
	}
	return 1
}
