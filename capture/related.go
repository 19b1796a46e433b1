package capture

// related names the entities that change with another one: a vote writes its
// Stemme and moves its Sag. Where one was seen to change, the others are looked at
// at once.
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

// wakeRelated ends the pauses of the tails that follow what changes with entity.
func (p *Poller) wakeRelated(entity string) {
	for _, name := range related(entity) {
		select {
		case p.wakers[name] <- struct{}{}:
		default: // awake already, or not followed here
		}
	}
}
