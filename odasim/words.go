package odasim

// The words of the parliament's texts. They are ordinary Danish; no real person is meant.

func firstNames() []string {
	return []string{
		"Anne", "Søren", "Mette", "Lars", "Kirsten", "Jørgen", "Hanne", "Niels", "Inger", "Åse", "Bjørn", "Signe",
		"Rasmus", "Pernille", "Morten", "Sofie", "Kåre", "Ida", "Henrik", "Astrid", "Mads", "Karen", "Øjvind", "Freja",
	}
}

func lastNames() []string {
	return []string{
		"Jensen", "Sørensen", "Østergaard", "Møller", "Ågesen", "Kjær", "Bæk", "Højgaard", "Lund", "Nørgaard",
		"Skov", "Bruun", "Kofoed", "Rønn", "Thorup", "Vestergaard", "Ærø", "Holm", "Dahl", "Friis",
	}
}

// party is a party with its number of the 179 seats.
type party struct {
	name, letters string
	seats         int
}

func parties() []party {
	return []party{
		{"Socialdemokratiet", "S", 50},
		{"Venstre", "V", 24},
		{"Moderaterne", "M", 16},
		{"Socialistisk Folkeparti", "SF", 15},
		{"Danmarksdemokraterne", "DD", 14},
		{"Liberal Alliance", "LA", 14},
		{"Det Konservative Folkeparti", "KF", 10},
		{"Enhedslisten", "EL", 9},
		{"Dansk Folkeparti", "DF", 7},
		{"Radikale Venstre", "RV", 7},
		{"Alternativet", "ALT", 6},
		{"Uden for folketingsgrupperne", "UFG", 7},
	}
}

func committees() []string {
	return []string{
		"Finansudvalget", "Udvalget for Forretningsordenen", "Retsudvalget", "Sundhedsudvalget", "Børne- og Undervisningsudvalget",
		"Miljø- og Fødevareudvalget", "Klima-, Energi- og Forsyningsudvalget", "Europaudvalget", "Skatteudvalget", "Forsvarsudvalget",
		"Transportudvalget", "Kulturudvalget", "Socialudvalget", "Grønlandsudvalget", "Færøudvalget", "Landdistriktsudvalget",
	}
}

func ministries() []string {
	return []string{
		"Finansministeriet", "Justitsministeriet", "Skatteministeriet", "Miljøministeriet", "Kulturministeriet", "Transportministeriet",
		"Forsvarsministeriet", "Udenrigsministeriet", "Børne- og Undervisningsministeriet", "Indenrigs- og Sundhedsministeriet",
	}
}

func subjects() []string {
	return []string{
		"indsatsen mod ulovlige våben", "fiskeriet i Østersøen", "vandmiljøet i danske fjorde", "folkeskolens prøver",
		"lægedækning i landdistrikterne", "støtte til små øer", "beskyttelse af whistleblowere", "grøn omstilling af færger",
		"fradrag for håndværkere", "Grønlands råstoffer", "børns rettigheder på nettet", "værnepligtens længde",
		"tilsyn med plejehjem", "kommunernes økonomi", "bevaring af ældre bygninger", "letbanen på Nørrebro",
		"arbejdsmiljø på byggepladser", "dyrevelfærd i svineproduktionen", "øget brug af solceller", "retten til en tolk",
	}
}

func topics() []string {
	return []string{
		"våben", "fiskeri", "vandmiljø", "folkeskole", "læger", "øer", "whistleblower", "færger", "skattefradrag", "råstoffer",
		"børn", "værnepligt", "ældrepleje", "kommuner", "fredning", "kollektiv trafik", "arbejdsmiljø", "dyrevelfærd", "solceller", "tolkning",
	}
}
