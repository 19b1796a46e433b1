package schema

import (
	"fmt"
	"strconv"
	"strings"
)

var transliterate = strings.NewReplacer("æ", "ae", "ø", "oe", "å", "aa")

// Suffix returns an entity's name as topics and views spell it: lower case, æ→ae, ø→oe,
// å→aa ("MødeAktør" → "moedeaktoer"). It also works for names that Entities does not
// have. A character that Kafka's topic names do not allow (all but [a-zA-Z0-9._-])
// becomes "_".
func Suffix(name string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z', r >= '0' && r <= '9', r == '.', r == '_', r == '-':
			return r
		}
		return '_'
	}, transliterate.Replace(strings.ToLower(name)))
}

// Key returns the record key of one row: "Sag:98765".
func Key(entity string, id int64) string {
	return string(AppendKey(make([]byte, 0, 64), entity, id))
}

// AppendKey appends the record key of one row to dst.
func AppendKey(dst []byte, entity string, id int64) []byte {
	return strconv.AppendInt(append(append(dst, entity...), ':'), id, 10)
}

// ParseKey splits a record key. It returns an error for a key that Key cannot have
// made.
func ParseKey(key string) (entity string, id int64, err error) {
	i := strings.LastIndexByte(key, ':')
	if i < 1 {
		return "", 0, fmt.Errorf("parse key %q: want ENTITY:ID", key)
	}
	entity = key[:i]
	id, err = strconv.ParseInt(key[i+1:], 10, 64)
	if err != nil || Key(entity, id) != key {
		return "", 0, fmt.Errorf("parse key %q: want ENTITY:ID with a whole number as ID", key)
	}
	return entity, id, nil
}
