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
