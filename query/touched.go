package query

import "strings"

// touched are the entities that composed reads read, whatever the filter.
var touched = map[string]string{
	"votes":     "Afstemning Møde Afstemningstype Sagstrin Sag Periode Stemme",
	"vote":      "Afstemning Møde Afstemningstype Sagstrin Sag Stemme Aktør AktørAktør",
	"cases":     "Sag Sagstype Sagsstatus Periode SagAktør Sagstrin Aktør AktørAktør",
	"case":      "Sag Sagstype Sagsstatus Sagskategori Periode Sagstrin Sagstrinstype Sagstrinsstatus SagstrinAktør SagstrinAktørRolle SagAktør SagAktørRolle Aktør SagDokument SagDokumentRolle Dokument Dokumenttype Dokumentkategori Dokumentstatus Fil Afstemning Afstemningstype Møde",
	"actors":    "Aktør Aktørtype Periode AktørAktør",
	"actor":     "Aktør Aktørtype Periode AktørAktør AktørAktørRolle Afstemning Afstemningstype Møde Sagstrin Sag Stemme SagAktør SagAktørRolle",
	"documents": "Dokument Dokumenttype Dokumentkategori Dokumentstatus DokumentAktør Fil",
	"document":  "Dokument Dokumenttype Dokumentkategori Dokumentstatus DokumentAktør DokumentAktørRolle Aktør SagDokument Sag Fil",
	"meetings":  "Møde Mødetype Mødestatus Periode MødeAktør",
	"meeting":   "Møde Mødetype Mødestatus Periode MødeAktør Aktør Dagsordenspunkt DagsordenspunktSag DagsordenspunktDokument Sag Dokument Dokumenttype Afstemning Afstemningstype Sagstrin",
	"search":    "Aktør Sag Dokument",

	"case changes":  "Sag Sagstrin SagAktør Aktør SagDokument Dokument Afstemning",
	"actor changes": "Aktør AktørAktør SagAktør Sag DokumentAktør Dokument MødeAktør Møde Stemme Afstemning Sagstrin",
}

// Touched returns the entities that a composed read reads: of a list ("votes") with any
// filter, of one row ("vote"), or of the changes of a row and what belongs to it ("case
// changes"). An answer is as complete as the least complete of them,
// and changes only if one of them does. It is empty for what is no noun.
func Touched(noun string) []string { return strings.Fields(touched[noun]) }
