package main

// ofLostRows breaks what notices a topic that lost rows.
func ofLostRows() []mutant {
	return []mutant{
		{
			invariant: 8, rule: "a verification notices a topic whose start moved", file: "verify/topic.go",
			old: "case was.Start < now.Start:", new: "case was.Start < now.Start-1000:",
			pkg: "./verify", tests: "TestTheTopicIsComparedWithTheLedger",
		},
		{
			invariant: 8, rule: "a verification notices a topic with fewer offsets than rows", file: "verify/topic.go",
			old: "if offsets < rows {", new: "if offsets < 0 {",
			pkg: "./verify", tests: "TestTheTopicIsComparedWithTheLedger",
		},
		{
			invariant: 8, rule: "a full verification looks for each row in the topic", file: "verify/topic.go",
			old: "if live.Has(id) {", new: "if live.Has(id) || n > 0 {",
			pkg: "./verify", tests: "TestTheTopicIsComparedWithTheLedger",
		},
		{
			invariant: 8, rule: "a rebuild keeps the rows that the topic has lost", file: "rebuild/compare.go",
			old: "return slices.Contains(known, id) }), nil", new: "return false }), nil",
			pkg: "./internal/cli", tests: "TestRebuildKeepsTheRowsThatTheTopicHasLost",
		},
	}
}

// ofLongNumbers breaks what keeps rows with gigabytes of digits out of the cache.
func ofLongNumbers() []mutant {
	return []mutant{
		{
			invariant: 5, rule: "a record with gigabytes of digits is dead-lettered", file: "schema/parse.go",
			old: "if err := CheckNumbers(c.Data); err != nil {", new: "if err := CheckNumbers(c.Data); err != nil && c.ID < 0 {",
			pkg: "./schema", tests: "TestParseChangeRefusesNumbersOfAGigabyte",
		},
		{
			invariant: 5, rule: "a row with gigabytes of digits is a reject", file: "oda/splitter.go",
			old: "case schema.CheckNumbers(data) != nil:", new: "case schema.CheckNumbers(data) != nil && f.id < 0:",
			pkg: "./oda", tests: "TestElementsThatAreNotRowsAreRejects",
		},
	}
}
