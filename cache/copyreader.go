package cache

import (
	"encoding/binary"
	"io"
)

// copyReader encodes rows as Postgres's binary COPY, in chunks as they are read.
// https://www.postgresql.org/docs/15/sql-copy.html#id-1.9.3.55.9.4
type copyReader struct {
	next   func(b []byte) (row []byte, ok bool) // appends the next row to b; ok is false after the last one
	buf    []byte                               // encoded, not yet read
	unread int                                  // where the unread part of buf begins
	ended  bool
}

func newCopyReader(next func([]byte) ([]byte, bool)) *copyReader {
	header := append([]byte("PGCOPY\n\xff\r\n\x00"), make([]byte, 8)...)
	return &copyReader{next: next, buf: header}
}

// Read implements io.Reader.
func (r *copyReader) Read(p []byte) (int, error) {
	r.fill(len(p))
	if r.unread == len(r.buf) {
		return 0, io.EOF
	}
	n := copy(p, r.buf[r.unread:])
	r.unread += n
	return n, nil
}

func (r *copyReader) fill(want int) {
	r.buf = append(r.buf[:0], r.buf[r.unread:]...)
	r.unread = 0
	for len(r.buf) < want && !r.ended {
		row, ok := r.next(r.buf)
		if !ok {
			row = binary.BigEndian.AppendUint16(row, 0xffff)
			r.ended = true
		}
		r.buf = row
	}
}

func appendJSON(b []byte, e entry) []byte {
	if e.removes() {
		return appendNull(b)
	}
	const version = 1
	b = binary.BigEndian.AppendUint32(b, uint32(len(e.Change.Data)+1))
	b = append(b, version)
	return append(b, e.Change.Data...)
}

func appendBytes(b []byte, text string) []byte {
	b = binary.BigEndian.AppendUint32(b, uint32(len(text)))
	return append(b, text...)
}

func appendInt64(b []byte, n int64) []byte {
	b = binary.BigEndian.AppendUint32(b, 8)
	return binary.BigEndian.AppendUint64(b, uint64(n))
}

func appendBool(b []byte, is bool) []byte {
	b = binary.BigEndian.AppendUint32(b, 1)
	if is {
		return append(b, 1)
	}
	return append(b, 0)
}

func appendNull(b []byte) []byte { return binary.BigEndian.AppendUint32(b, 0xffffffff) }
