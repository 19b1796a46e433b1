package console

import (
	"bytes"
	"fmt"
	"slices"
	"strings"

	"github.com/go-json-experiment/json/jsontext"

	"odastream/schema"
)

// titleRunes is the length of the longest title, so that the whole line fits on a wide
// terminal.
const titleRunes = 90

// titleMembers are the members that can be a row's title, the best first.
func titleMembers() []string {
	return []string{
		"titelkort", "titel", "navn", "konklusion", "emneord", "spørgsmålstitel", "begrundelse",
		"beskrivelse", "entitetnavn", "type", "rolle", "status", "kategori", "note", "nummer",
	}
}

// Headline returns the change in one line, whatever the row holds: local time, action,
// key, title, and for an update the members that changed, if they are known.
func Headline(c schema.Change) string {
	line := fmt.Sprintf("%s  %-8s  %-24s  %s", c.Timestamp.Local().Format("15:04:05"), c.Action,
		fmt.Sprintf("%s/%d", c.Entity, c.ID), Title(c.Data))
	if len(c.Changed) > 0 {
		line += "  (" + oneLine(strings.Join(c.Changed, ", ")) + ")"
	}
	return strings.TrimRight(line, " ")
}

// Title returns the row's title or name, or else the rows that it refers to ("sag 12,
// aktør 5"). It returns "" if the row has neither, and for nil.
func Title(row []byte) string {
	texts, references := read(row)
	for _, name := range titleMembers() {
		if text := texts[name]; text != "" {
			return text
		}
	}
	return shorten(strings.Join(references, ", "))
}

// read returns the texts of a row by name, each on one line, and its references in order:
// "sagid":12 is "sag 12".
func read(row []byte) (texts map[string]string, references []string) {
	texts = map[string]string{}
	d := jsontext.NewDecoder(bytes.NewReader(row), jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true))
	if t, err := d.ReadToken(); err != nil || t.Kind() != '{' {
		return nil, nil
	}
	for d.PeekKind() == '"' {
		name, err := d.ReadToken()
		if err != nil {
			break
		}
		key := name.String() // copied before the next read, which reuses the memory
		value, err := d.ReadValue()
		if err != nil {
			break
		}
		of, isReference := strings.CutSuffix(key, "id")
		switch {
		case value.Kind() == '"':
			text, _ := jsontext.AppendUnquote(nil, value) // it was read as a value, so it is one
			texts[key] = shorten(string(text))
		case value.Kind() == '0' && isReference && of != "" && !slices.Contains([]string{"type", "rolle", "status"}, of):
			references = append(references, of+" "+string(value))
		}
	}
	return texts, references
}

// oneLine replaces what a terminal would obey, and line breaks, by spaces.
func oneLine(text string) string {
	text = strings.Map(func(r rune) rune {
		if isObeyed(r) {
			return ' '
		}
		return r
	}, text)
	return strings.Join(strings.Fields(text), " ")
}

// shorten makes a text one line of at most titleRunes.
func shorten(text string) string {
	runes := []rune(oneLine(text))
	if len(runes) <= titleRunes {
		return string(runes)
	}
	return strings.TrimRight(string(runes[:titleRunes-1]), " ") + "…"
}
