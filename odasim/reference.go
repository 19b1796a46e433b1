package odasim

import "time"

// reference is a set of types, roles or states: an id and a word.
type reference struct {
	set, field string
	words      []string
}

// references are the sets that hardly ever change. Their ids count from 1, so other rows
// refer to a word by its position.
func references() []reference {
	return []reference{
		{"Afstemningstype", "type", []string{"Endelig vedtagelse", "Udvalgsindstilling", "Forslag til vedtagelse", "Ændringsforslag"}},
		{"Stemmetype", "type", []string{"For", "Imod", "Fravær", "Hverken for eller imod"}},
		{"Aktørtype", "type", []string{"Ministerområde", "Ministertitel", "Udvalg", "Folketingsgruppe", "Person", "Gruppe", "Anden gruppe", "Ministerium", "Kommission", "Organisation", "Parlamentarisk forsamling", "Privatperson"}},
		{"AktørAktørRolle", "rolle", []string{"formand", "næstformand", "medlem", "stedfortræder", "udvalgssekretær", "Minister", "Observatør"}},
		{"SagAktørRolle", "rolle", []string{"Taler", "Ordfører for forslagsstillerne", "Henvist til", "Af", "Medspørger", "Ministerområde", "Spørger", "Minister", "Forslagsstiller (priv.)", "Forslagsstiller (reg.)"}},
		{"SagDokumentRolle", "rolle", []string{"Bilag", "Spørgsmål", "Svar", "Betænkning", "Fremsættelsestale"}},
		{"DokumentAktørRolle", "rolle", []string{"Fra", "Til", "Kopi sendt til", "Spørger", "Besvaret af"}},
		{"SagstrinAktørRolle", "rolle", []string{"Taler", "Minister", "Ordfører", "Spørger"}},
		{"Sagskategori", "kategori", []string{"Regeringsforslag", "Privat forslag", "Mundtligt", "Skriftligt", "Åbent", "Lukket"}},
		{"Sagsstatus", "status", []string{"Fremsat", "1. behandlet", "2. behandlet", "Vedtaget", "Forkastet", "Bortfaldet", "Afsluttet", "Besvaret"}},
		{"Sagstype", "type", []string{"Alm. del", "Statsrevisorsag", "Lovforslag", "Aktstykke", "Beslutningsforslag", "Rådsmøde", "Kommissionsforslag", "Forespørgsel", "Udvalgsbehandling", "§ 20-spørgsmål", "Redegørelse"}},
		{"Sagstrinsstatus", "status", []string{"Planlagt", "Igangværende", "Afsluttet", "Aflyst"}},
		{"Sagstrinstype", "type", []string{"Fremsættelse", "1. behandling", "Udvalgsbehandling", "2. behandling", "3. behandling", "Stadfæstelse"}},
		{"Dokumentkategori", "kategori", []string{"Bilag", "Spørgsmål", "Svar", "Rapport"}},
		{"Dokumentstatus", "status", []string{"Under udarbejdelse", "Udgivet", "Omtrykt", "Trukket tilbage"}},
		{"Dokumenttype", "type", []string{"Bilag", "Spørgsmål", "Svar på spørgsmål", "Betænkning", "Dagsorden", "Referat", "Grund- og nærhedsnotat"}},
		{"Mødestatus", "status", []string{"Planlagt", "Afholdt", "Aflyst"}},
		{"Mødetype", "type", []string{"Møde i Salen", "Udvalgsmøde", "Åbent samråd", "Ekspertmøde"}},
		{"Emneordstype", "type", []string{"Sagsord", "Emneord", "Stednavn"}},
	}
}

// referenceStamp is the stamp of the reference rows.
func referenceStamp() time.Time { return time.Date(2014, 8, 6, 12, 43, 17, 187e6, time.UTC) }

// addReferenceRows writes reference rows, periods, descriptions and keywords, into sets that have no
// rows yet.
func (c *chronicle) addReferenceRows() {
	at := referenceStamp()
	for _, r := range references() {
		if c.count(r.set) > 0 {
			continue
		}
		for i, word := range r.words {
			c.add(r.set, at.Add(time.Duration(i*i)*37*time.Hour), values{r.field: word})
		}
	}
	c.layPeriods(at)
	c.layDescriptions(at)
	if c.count("Emneord") > 0 {
		return
	}
	for i, word := range topics() {
		c.add("Emneord", at.Add(time.Duration(i)*time.Hour), values{"typeid": 1 + i%3, "emneord": word})
	}
}

// layPeriods writes a parliamentary year for each year since 2014.
func (c *chronicle) layPeriods(at time.Time) {
	if c.count("Periode") > 0 {
		return
	}
	for year := 2014; year < 2027; year++ {
		begin := time.Date(year, time.October, 1, 0, 0, 0, 0, time.UTC)
		begin = begin.AddDate(0, 0, int(time.Tuesday-begin.Weekday()+7)%7) // the first Tuesday, by the constitution
		c.add("Periode", at.AddDate(year-2014, 0, 0), values{
			"startdato": day(begin), "slutdato": day(begin.AddDate(1, 0, 0)), "type": "samling",
			"kode": begin.Format("2006") + "1", "titel": begin.Format("2006") + "-" + begin.AddDate(1, 0, 0).Format("06"),
		})
	}
}

// layDescriptions writes the descriptions of each set and each field.
func (c *chronicle) layDescriptions(at time.Time) {
	if c.count("EntitetBeskrivelse")+c.count("KolloneBeskrivelse") > 0 {
		return
	}
	for _, e := range c.sim.options.Entities {
		c.add("EntitetBeskrivelse", at, values{"entitetnavn": e.Name, "beskrivelse": "Indeholder oplysninger om " + e.Name + "."})
		for _, f := range e.Fields {
			c.add("KolloneBeskrivelse", at, values{
				"entitetnavn": e.Name, "kollonenavn": f.Name, "beskrivelse": "Feltet " + f.Name + " på " + e.Name + ".",
			})
		}
	}
}
