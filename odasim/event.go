package odasim

import (
	"fmt"
	"strings"
	"time"
)

// happening is a kind of event in the parliament, and its share of all events. Its
// function returns what was done.
type event struct {
	weight int
	do     func(*chronicle) string
}

// regularEvents are the usual events of a parliament.
func regularEvents() []event {
	return []event{
		{30, (*chronicle).openCase},
		{28, (*chronicle).moveCase},
		{30, (*chronicle).receiveDocument},
		{6, (*chronicle).meet},
		{2, (*chronicle).vote},
		{2, (*chronicle).reprint},
		{2, (*chronicle).joinSteps},
	}
}

// oddEvents are the other events: a new stamp without a change, a change without a new
// stamp, a row that vanishes.
func oddEvents() []event {
	return []event{
		{2, (*chronicle).restamp},
		{1, (*chronicle).correctSilently},
		{1, (*chronicle).withdraw},
	}
}

// runEvent runs one of the events, chosen at random by weight.
func (c *chronicle) runEvent(all []event) string {
	total := 0
	for _, h := range all {
		total += h.weight
	}
	draw := c.random.IntN(total)
	for _, h := range all {
		if draw -= h.weight; draw < 0 {
			return h.do(c)
		}
	}
	return ""
}

// stampSoon returns a moment just after the event's: the rows of one job are stamped within a
// fraction of a second.
func (c *chronicle) stampSoon() time.Time {
	return c.now.Add(time.Duration(c.random.Int64N(int64(200 * time.Millisecond))))
}

// openCase adds a case: a bill, a motion, a question.
func (c *chronicle) openCase() string {
	subject := c.word(subjects())
	kind := []int{3, 5, 10, 10, 10, 4, 6, 8, 11, 1}[c.random.IntN(10)]
	prefix := map[int]string{1: "Alm. del", 3: "L", 4: "Aktstk.", 5: "B", 6: "Rådsmøde", 8: "F", 10: "S", 11: "R"}[kind]
	number := c.count("Sag") + 1
	id := c.add("Sag", c.stampSoon(), values{
		"typeid": kind, "kategoriid": 1 + c.random.IntN(6), "statusid": 1,
		"titel": caseTitle(kind) + subject + ".", "titelkort": "Om " + subject + ".", "offentlighedskode": "O",
		"nummer": fmt.Sprintf("%s %d", prefix, number), "nummerprefix": prefix, "nummernumerisk": fmt.Sprint(number), "nummerpostfix": "",
		"resume": c.resume(subject), "afstemningskonklusion": "", "periodeid": c.recentPeriod(), "statsbudgetsag": kind == 4,
		"begrundelse": "", "paragraf": "", "afgørelse": "", "lovnummer": "",
	})
	for range 1 + c.random.IntN(3) {
		c.add("SagAktør", c.stampSoon(), values{"aktørid": c.any("Aktør"), "sagid": id, "rolleid": 1 + c.random.IntN(10)})
	}
	for range 1 + c.random.IntN(2) {
		c.add("EmneordSag", c.stampSoon(), values{"emneordid": c.any("Emneord"), "sagid": id})
	}
	c.addStep(id, 1)
	return fmt.Sprintf("case %d opened: %s", id, subject)
}

func caseTitle(kind int) string {
	switch kind {
	case 3:
		return "Forslag til lov om "
	case 5:
		return "Forslag til folketingsbeslutning om "
	case 10:
		return "Hvad er ministerens holdning til "
	default:
		return "Om "
	}
}

// resume returns a text of a few hundred characters, or none.
func (c *chronicle) resume(subject string) string {
	var text strings.Builder
	for range c.random.IntN(7) {
		text.WriteString("Formålet er at styrke " + subject + " og sikre, at reglerne følges i hele landet. ")
	}
	return text.String()
}

// recentPeriod returns the period of the event.
func (c *chronicle) recentPeriod() int64 {
	n := c.count("Periode")
	if n == 0 {
		return 0
	}
	return c.sim.sets["Periode"].nth(min(n-1, max(0, c.now.AddDate(0, -9, 0).Year()-2014))).id
}

// addStep adds a step to a case.
func (c *chronicle) addStep(sag int64, kind int) int64 {
	id := c.add("Sagstrin", c.stampSoon(), values{
		"titel": references()[12].words[kind-1], "dato": day(c.now), "sagid": sag, "typeid": kind, "statusid": 1 + c.random.IntN(3),
		"folketingstidendeurl": "", "folketingstidende": "", "folketingstidendesidenummer": "",
	})
	for range c.random.IntN(3) {
		c.add("SagstrinAktør", c.stampSoon(), values{"sagstrinid": id, "aktørid": c.any("Aktør"), "rolleid": 1 + c.random.IntN(4)})
	}
	if doc := c.recent("Dokument"); doc > 0 {
		c.add("SagstrinDokument", c.stampSoon(), values{"sagstrinid": id, "dokumentid": doc})
	}
	return id
}

// moveCase moves a case on: another step, another status, a new stamp.
func (c *chronicle) moveCase() string {
	id := c.recent("Sag")
	if id == 0 {
		return c.openCase()
	}
	step := c.addStep(id, 1+c.random.IntN(6))
	status := 1 + c.random.IntN(8)
	c.edit("Sag", id, c.stampSoon(), values{"statusid": status})
	return fmt.Sprintf("case %d moved: step %d, status %d", id, step, status)
}

// receiveDocument adds a document with its files, its case and its people.
func (c *chronicle) receiveDocument() string {
	subject := c.word(subjects())
	id := c.add("Dokument", c.stampSoon(), values{
		"typeid": 1 + c.random.IntN(7), "kategoriid": 1 + c.random.IntN(4), "statusid": 2, "offentlighedskode": "O",
		"titel": "Henvendelse om " + subject, "dato": day(c.now), "modtagelsesdato": day(c.now), "frigivelsesdato": day(c.now),
		"paragraf": "", "paragrafnummer": "", "spørgsmålsordlyd": "", "spørgsmålstitel": "", "procedurenummer": "", "grundnotatstatus": "",
	})
	for range 1 + c.random.IntN(2) {
		c.add("Fil", c.stampSoon(), values{
			"dokumentid": id, "titel": subject + ".pdf", "versionsdato": day(c.now), "variantkode": "P", "format": "PDF",
			"filurl": fmt.Sprintf("https://www.ft.dk/samling/bilag/%d.pdf", id),
		})
	}
	for role := range 2 {
		c.add("DokumentAktør", c.stampSoon(), values{"dokumentid": id, "aktørid": c.any("Aktør"), "rolleid": role + 1})
	}
	c.add("EmneordDokument", c.stampSoon(), values{"emneordid": c.any("Emneord"), "dokumentid": id})
	if sag := c.recent("Sag"); sag > 0 {
		c.add("SagDokument", c.stampSoon(), values{
			"sagid": sag, "dokumentid": id, "bilagsnummer": fmt.Sprint(1 + c.random.IntN(40)), "frigivelsesdato": day(c.now), "rolleid": 1 + c.random.IntN(5),
		})
	}
	return fmt.Sprintf("document %d arrived: %s", id, subject)
}
