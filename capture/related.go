package capture

// wakers end the pauses of tails, by entity.
type wakers map[string]chan struct{}

func newWakers(entities []string) wakers {
	w := wakers{}
	for _, name := range entities {
		w[name] = make(chan struct{}, 1)
	}
	return w
}

// wakeRelated ends the pauses of the tails of entities that change with this one.
func (w wakers) wakeRelated(entity string) {
	for _, name := range related(entity) {
		select {
		case w[name] <- struct{}{}:
		default: // awake already, or not followed here
		}
	}
}

// related returns the entities that change when this one changes: a vote writes its
// Stemme and updates its Sag.
func related(entity string) []string {
	switch entity {
	case "Afstemning":
		return []string{"Stemme", "Sag", "Sagstrin"}
	case "Stemme":
		return []string{"Afstemning"}
	case "Sag":
		return []string{"Sagstrin", "SagAktør", "SagDokument", "EmneordSag"}
	case "Sagstrin":
		return []string{"Sag", "SagstrinAktør", "SagstrinDokument", "Afstemning"}
	case "Dokument":
		return []string{"Fil", "DokumentAktør", "SagDokument", "SagstrinDokument", "EmneordDokument"}
	case "Møde":
		return []string{"Dagsordenspunkt", "MødeAktør"}
	case "Dagsordenspunkt":
		return []string{"DagsordenspunktSag", "DagsordenspunktDokument"}
	case "Aktør":
		return []string{"AktørAktør"}
	}
	return nil
}
