package stream

import (
	"encoding/base64"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func someCursor() Cursor {
	return Cursor{
		since:   time.Unix(1_796_000_000, 0),
		places:  []place{{tag: 3, next: []int64{0, 1, math.MaxInt64}}, {tag: 4}, {tag: math.MaxUint32, next: []int64{300}}},
		deleted: []uint64{0, math.MaxUint64},
	}
}

var compareCursors = cmp.AllowUnexported(Cursor{}, place{})

func TestACursorIsReadAsItWasWritten(t *testing.T) {
	t.Parallel()
	for claim, c := range map[string]Cursor{
		"of nothing": {since: time.Unix(0, 0)},
		"of all":     someCursor(),
	} {
		text := c.String()
		got, err := ParseCursor(text)
		if diff := cmp.Diff(c, got, compareCursors); err != nil || diff != "" {
			t.Errorf("cursor %s: ParseCursor(%q) = %v (-want +got):\n%s", claim, text, err, diff)
		}
		if strings.Trim(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_") != "" {
			t.Errorf("cursor %s: %q has letters that a URL escapes", claim, text)
		}
	}
}

// sealed is the text of a cursor with these bytes and a right checksum.
func sealed(body ...byte) string {
	return base64.RawURLEncoding.EncodeToString(binary.BigEndian.AppendUint32(body, crc32.ChecksumIEEE(body)))
}

func TestParseCursorRefuses(t *testing.T) {
	t.Parallel()
	good := someCursor().String()
	for claim, text := range map[string]string{
		"no text":                        "",
		"a word":                         "start",
		"a number":                       "1796000000",
		"a cursor that was cut":          good[:len(good)-4],
		"two cursors":                    good + good,
		"a changed letter":               "B" + good[1:],
		"another alphabet":               good + "==",
		"a space":                        " " + good,
		"too much":                       strings.Repeat("A", maxCursorText+1),
		"another version":                sealed(2, 0, 0, 0),
		"more topics than bytes":         sealed(1, 0, 0xff, 0xff, 0x03, 0),
		"more partitions than bytes":     sealed(1, 0, 1, 0, 0, 0, 1, 0x7f, 0),
		"an offset above those of Kafka": sealed(1, 0, 1, 0, 0, 0, 1, 1, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1, 0),
		"a time after all times":         sealed(1, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f, 0, 0),
		"topics in another order":        sealed(1, 0, 2, 0, 0, 0, 2, 0, 0, 0, 0, 1, 0, 0),
		"a topic twice":                  sealed(1, 0, 2, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0, 0),
		"a number in more bytes":         sealed(1, 0x80, 0, 0, 0),
		"bytes at the end":               sealed(1, 0, 0, 0, 0),
		"no end":                         sealed(1, 0, 0),
	} {
		if c, err := ParseCursor(text); !errors.Is(err, ErrBadCursor) {
			t.Errorf("%s: ParseCursor(%.40q) = %v, %v, want ErrBadCursor", claim, text, c, err)
		}
	}
}

func FuzzParseCursor(f *testing.F) {
	f.Add(someCursor().String())
	f.Add(Cursor{}.String())
	f.Add(sealed(1, 0, 0xff, 0xff, 0x03, 0))
	f.Fuzz(func(t *testing.T, text string) {
		for _, text := range []string{text, sealed([]byte(text)...)} {
			c, err := ParseCursor(text)
			switch {
			case err != nil && !errors.Is(err, ErrBadCursor):
				t.Errorf("ParseCursor(%q) = %v, want ErrBadCursor", text, err)
			case err == nil && c.String() != text:
				t.Errorf("ParseCursor(%q) is written as %q", text, c)
			case len(c.places)+len(c.deleted) > len(text):
				t.Errorf("ParseCursor(%q) has %d topics", text, len(c.places))
			}
		}
	})
}

func TestTagsTellTopicsApart(t *testing.T) {
	t.Parallel()
	seen := map[uint32]string{}
	for claim, tag := range map[string]uint32{
		"a topic":                 topicTag("parliament-sag", [16]byte{1}, true),
		"the topic recreated":     topicTag("parliament-sag", [16]byte{2}, true),
		"another topic":           topicTag("parliament-stemme", [16]byte{1}, true),
		"a topic without an id":   topicTag("parliament-sag", [16]byte{}, true),
		"a topic that is missing": topicTag("parliament-sag", [16]byte{}, false),
	} {
		if other := seen[tag]; other != "" {
			t.Errorf("%s and %s have one tag", claim, other)
		}
		seen[tag] = claim
	}
}
