package schema

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"

	"github.com/go-json-experiment/json/jsontext"
)

// Fields holds a short hash of each member of a row: six bytes a member, in the row's
// order. It tells which members a later version changed, without keeping the earlier
// one. Nil means not known. Like ContentHash it omits the stamp and ignores spelling.
type Fields []byte

// A member's hash is two bytes of the CRC-32C of its name, then the four bytes of that
// of its canonical value. Two values of a member have the same hash once in four
// billion times.
const fieldSize = 2 + 4

// Fingerprint returns the row's ContentHash and its Fields in one pass. It returns an
// error if row is not a JSON object.
func Fingerprint(row []byte) (Hash, Fields, error) {
	r := readings.Get().(*reading)
	defer r.done()
	if err := r.read(row); err != nil {
		return Hash{}, nil, fmt.Errorf("hash row: %w", err)
	}
	fields := make(Fields, 0, fieldSize*len(r.members))
	for _, m := range r.members {
		fields = binary.BigEndian.AppendUint16(fields, m.nameHash())
		fields = binary.BigEndian.AppendUint32(fields, m.valueHash())
	}
	return r.hash(), fields, nil
}

// Changed returns the names of the members of row whose value f does not hold, in the
// row's order. It returns nil if that is not known: f is nil, a member of the former
// version is gone (its hash does not tell its name), two members have the same name, or
// two names have the same hash.
func (f Fields) Changed(row []byte) []string {
	r := readings.Get().(*reading)
	defer r.done()
	if err := r.read(row); err != nil || len(f) == 0 || len(f)%fieldSize != 0 {
		return nil
	}
	before := make(map[uint16]uint32, len(f)/fieldSize)
	for rest := f; len(rest) > 0; rest = rest[fieldSize:] {
		before[binary.BigEndian.Uint16(rest)] = binary.BigEndian.Uint32(rest[2:])
	}
	if len(before) < len(f)/fieldSize {
		return nil
	}
	var names []string
	for _, m := range r.members {
		value, known := before[m.nameHash()]
		delete(before, m.nameHash())
		if known && value == m.valueHash() {
			continue
		}
		name, err := jsontext.AppendUnquote(nil, m.name)
		if err != nil {
			return nil
		}
		names = append(names, string(name))
	}
	if len(before) > 0 {
		return nil
	}
	return names
}

// castagnoli is the polynomial for which processors have an instruction.
var castagnoli = crc32.MakeTable(crc32.Castagnoli)

func (m member) nameHash() uint16 { return uint16(crc32.Checksum(m.name, castagnoli)) } //nolint:gosec // cut off on purpose

func (m member) valueHash() uint32 { return crc32.Checksum(m.value, castagnoli) }
