package main

import "slices"

const (
	anyHistory = "TestAnyHistoryEndsAtTheSource"
	aRange     = "TestARangeIsSkippedOnlyIfItsChecksumIsEqual"
	anyOrder   = "TestAnyOrderEndsAtTheSameCache"
	anySinks   = "TestAnyHistoryOfSinksIsExactlyOnce"
)

// histories sets the number of histories in which a mutant may be found, and turns off
// the search for a shorter one.
var histories = []string{"-rapid.checks=40", "-rapid.shrinktime=0s", "-rapid.nofailfile"}

// mutants is the list, capture first.
func mutants() []mutant {
	return slices.Concat(ofTheSource(), ofTheTail(), ofTheComparison(), ofTheScan(), ofTheTopic(), ofARecreatedTopic(), ofTheLease(), ofTheCache(), ofTheSink(), ofTheGroup(), ofTheAssignment(), ofTheRepairs(), ofWhoBlocks(), ofTheBudget(), ofTheLocks(), ofLockedLeases(), ofSilentClients(),
		ofForeignData(), ofMisplacedRecords(), ofTheProbe(), ofForeignPages(), ofALaggingSource(), ofTheLanguage(),
		ofLargeBatches(), ofLostRows(), ofLongNumbers(), ofTheLookups(),
		ofTheDoctor(), ofThePrograms(), ofTheClocks(), ofThePooler(), ofTheQuery(), ofThePast(), ofTheNouns(),
		ofHostileAnswers(), ofHostileRecords(), ofTheGateway(), ofAnswers(),
		ofTheCursors(), ofOldCursors(),
		ofTheFiles(), ofTheHub(), ofAPlace(),
		ofTheDumps(), ofSentFiles(), ofTheForms())
}
