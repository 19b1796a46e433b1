package main

import (
	"bytes"
	"fmt"
	"strings"
)

const head = `# Mutants

Each rule that the program stands on was broken once, and these tests failed. ` + "`make mutants`" + ` breaks them again, each on its own, and writes this page; [tools/mutants](../tools/mutants) has the exact change of each. A rule whose mutant survives ends it with an error.

| invariant | rule | broken in | found by |
|---|---|---|---|
`

// table is docs/mutants.md.
func table(tried []mutant) []byte {
	var b bytes.Buffer
	b.WriteString(head)
	for _, m := range tried {
		invariant := "–"
		if m.invariant > 0 {
			invariant = fmt.Sprint(m.invariant)
		}
		found := "**nothing**"
		if len(m.found) > 0 {
			found = strings.Join(m.found, ", ")
		}
		fmt.Fprintf(&b, "| %s | %s | [%s](../%s) | %s |\n", invariant, m.rule, m.file, m.file, found)
	}
	return b.Bytes()
}
