package odasim

import (
	"fmt"
	"time"
)

// meet holds a meeting with its agenda.
func (c *chronicle) meet() string {
	number := fmt.Sprint(c.count("Møde") + 1)
	id := c.add("Møde", c.stampSoon(), values{
		"titel": "Møde nr. " + number, "lokale": "Folketingssalen", "nummer": number, "dagsordenurl": "", "starttidsbemærkning": "kl. 10.00",
		"offentlighedskode": "O", "dato": c.now.Format("2006-01-02") + "T10:00:00", "statusid": 2, "typeid": 1 + c.random.IntN(4),
		"periodeid": c.recentPeriod(),
	})
	for range 3 + c.random.IntN(15) {
		c.add("MødeAktør", c.stampSoon(), values{"mødeid": id, "aktørid": c.any("Aktør")})
	}
	items := 3 + c.random.IntN(6)
	var first int64
	for n := range items {
		item := c.addItem(id, n+1, first)
		if n == 0 {
			first = item
		}
	}
	return fmt.Sprintf("meeting %d held: %d items", id, items)
}

// addItem writes an item of the agenda, as a child of another one if super is not 0.
func (c *chronicle) addItem(meeting int64, n int, super int64) int64 {
	v := values{
		"kørebemærkning": "", "titel": "Forhandling om " + c.word(subjects()), "kommentar": "", "nummer": fmt.Sprint(n),
		"forhandlingskode": "", "forhandling": "", "mødeid": meeting, "offentlighedskode": "O",
	}
	if super > 0 && c.chance(0.2) {
		v["superid"] = super
	}
	if step := c.recent("Sagstrin"); step > 0 {
		v["sagstrinid"] = step
	}
	id := c.add("Dagsordenspunkt", c.stampSoon(), v)
	if sag := c.recent("Sag"); sag > 0 {
		c.add("DagsordenspunktSag", c.stampSoon(), values{"dagsordenspunktid": id, "sagid": sag})
	}
	if doc := c.recent("Dokument"); doc > 0 {
		c.add("DagsordenspunktDokument", c.stampSoon(), values{"dokumentid": doc, "dagsordenspunktid": id, "note": ""})
	}
	return id
}

// vote writes 179 votes with one stamp, and the division up to 0.2 s later.
func (c *chronicle) vote() string {
	voters := c.voters()
	meeting := c.recent("Møde")
	if meeting == 0 || len(voters) == 0 {
		return c.meet()
	}
	id := c.next("Afstemning")
	var tally [4]int
	for _, person := range voters {
		choice := []int{1, 1, 1, 2, 2, 3, 3, 4}[c.random.IntN(8)]
		tally[choice-1]++
		c.add("Stemme", c.now, values{"typeid": choice, "afstemningid": id, "aktørid": person})
	}
	passed := tally[0] > tally[1]
	v := values{
		"nummer": id, "konklusion": conclusion(tally, passed), "vedtaget": passed, "kommentar": "", "mødeid": meeting, "typeid": 1 + c.random.IntN(4),
	}
	if step := c.recent("Sagstrin"); step > 0 {
		v["sagstrinid"] = step
	}
	c.add("Afstemning", c.stampSoon(), v)
	return fmt.Sprintf("vote %d: %d for, %d against", id, tally[0], tally[1])
}

// conclusion returns a division's result in the source's words.
func conclusion(tally [4]int, passed bool) string {
	result := "Forkastet"
	if passed {
		result = "Vedtaget"
	}
	return fmt.Sprintf("%s\n\n%d stemmer for forslaget\n\n%d stemmer imod forslaget\n\n%d stemmer hverken for eller imod forslaget\n\n", result, tally[0], tally[1], tally[3])
}

// reprint issues a document again.
func (c *chronicle) reprint() string {
	doc := c.recent("Dokument")
	if doc == 0 {
		return c.receiveDocument()
	}
	c.add("Omtryk", c.stampSoon(), values{"dokumentid": doc, "dato": day(c.now), "begrundelse": "Rettelse af trykfejl"})
	c.edit("Dokument", doc, c.stampSoon(), values{"statusid": 3})
	return fmt.Sprintf("document %d reprinted", doc)
}

// joinSteps puts two steps into one debate.
func (c *chronicle) joinSteps() string {
	a, b := c.recent("Sagstrin"), c.recent("Sagstrin")
	if a == 0 {
		return c.openCase()
	}
	c.add("Sambehandlinger", c.stampSoon(), values{"førstesagstrinid": a, "andetsagstrinid": b})
	return fmt.Sprintf("steps %d and %d debated together", a, b)
}

// restamp changes only the stamp of an actor.
func (c *chronicle) restamp() string {
	id := c.any("Aktør")
	c.edit("Aktør", id, c.stampSoon(), values{})
	return fmt.Sprintf("actor %d stamped again, unchanged", id)
}

// correctSilently changes a division's result but not its stamp.
func (c *chronicle) correctSilently() string {
	id := c.any("Afstemning")
	if id == 0 {
		return c.vote()
	}
	old, _ := member(c.sim.Row("Afstemning", id), "vedtaget")
	c.edit("Afstemning", id, time.Time{}, values{"vedtaget": string(old) != "true"})
	return fmt.Sprintf("vote %d corrected, stamp left as it was", id)
}

// withdraw removes a document from a case, without a trace.
func (c *chronicle) withdraw() string {
	id := c.any("SagDokument")
	if id == 0 {
		return c.receiveDocument()
	}
	c.sim.Delete("SagDokument", id)
	return fmt.Sprintf("document link %d vanished", id)
}
