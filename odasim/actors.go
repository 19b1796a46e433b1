package odasim

import (
	"strings"
	"time"
)

// seats is the number of members, and so of votes at each division.
const seats = 179

// electActors writes the actors if there are none: ministries, committees,
// parties, the 179 members with their parties and committees, and some others.
func (c *chronicle) electActors(others int) {
	if c.count("Aktør") > 0 {
		return
	}
	at := election()
	period := c.any("Periode")
	for i, name := range ministries() {
		c.add("Aktør", at, values{"typeid": 8, "navn": name, "gruppenavnkort": "", "startdato": day(at)})
		title := strings.TrimSuffix(name, "iet") + "en"
		c.add("Aktør", at.Add(time.Duration(i)*time.Second), values{"typeid": 2, "navn": title, "gruppenavnkort": ""})
	}
	var boards []int64
	for _, name := range committees() {
		boards = append(boards, c.add("Aktør", at, values{
			"typeid": 3, "navn": name, "gruppenavnkort": strings.ToUpper(name[:3]), "periodeid": period, "startdato": day(at),
		}))
	}
	for _, p := range parties() {
		group := c.add("Aktør", at, values{"typeid": 4, "navn": p.name, "gruppenavnkort": p.letters, "periodeid": period})
		for range p.seats {
			c.electMember(group, boards)
		}
	}
	for range others {
		c.addPerson(12, at.Add(time.Duration(c.random.Int64N(int64(900*24*time.Hour)))))
	}
}

// election is the day on which the members join their parties and committees, before
// anything else happens.
func election() time.Time { return referenceStamp().AddDate(8, 1, 0) }

// electMember writes a member and what the member belongs to, stamped within 200
// days of the election.
func (c *chronicle) electMember(group int64, boards []int64) {
	at := election().AddDate(0, 0, c.random.IntN(200)).Add(time.Duration(c.random.Int64N(int64(8 * time.Hour))))
	since := day(election())
	id := c.addPerson(5, at)
	c.add("AktørAktør", at, values{"fraaktørid": id, "tilaktørid": group, "startdato": since, "rolleid": 3})
	for range 1 + c.random.IntN(3) {
		board := boards[c.random.IntN(len(boards))]
		c.add("AktørAktør", at, values{"fraaktørid": board, "tilaktørid": id, "startdato": since, "rolleid": 1 + c.random.IntN(4)})
	}
}

// addPerson writes a person.
func (c *chronicle) addPerson(kind int, at time.Time) int64 {
	first, last := c.word(firstNames()), c.word(lastNames())
	return c.add("Aktør", at, values{"typeid": kind, "navn": first + " " + last, "fornavn": first, "efternavn": last, "gruppenavnkort": ""})
}

// voters returns the members who vote: the newest 179 persons.
func (c *chronicle) voters() []int64 {
	if len(c.persons) > 0 {
		return c.persons
	}
	for _, data := range c.sim.Rows("Aktør") {
		if kind, _ := member(data, "typeid"); string(kind) != "5" {
			continue
		}
		id, _ := member(data, "id")
		if n, ok := valueOf(id, "Edm.Int64").(int64); ok {
			c.persons = append(c.persons, n)
		}
	}
	c.persons = c.persons[max(0, len(c.persons)-seats):]
	return c.persons
}
