package checker

import "strings"

// ByRow groups event ids, such as "Sag:98765:1795445400123456", by the key of their row. The
// order of the events of one row stays; that of different rows is free.
func ByRow(events []string) map[string][]string {
	rows := map[string][]string{}
	for _, e := range events {
		key := e[:strings.LastIndex(e, ":")]
		rows[key] = append(rows[key], e)
	}
	return rows
}
