package main

// ofForeignData are the rules about records and rows that nobody promised.
func ofForeignData() []mutant {
	return []mutant{
		{
			invariant: 5, rule: "a record on the topic of another entity is dead-lettered", file: "stream/decode.go",
			old: "if !ours || !schema.HasSuffix(m.Change.Entity, suffix) {", new: "if !ours && suffix == \"\" {",
			pkg: "./apply", tests: "TestRecordsOnTheTopicOfAnotherEntityChangeNoRow",
		},
		{
			invariant: 8, rule: "a record of another entity is not folded into the ledger", file: "capture/fold.go",
			old: "if c.Entity != f.entity {", new: "if c.Entity == \"\" {",
			pkg: "./capture", tests: "TestTheFoldIgnoresRecordsOfOtherEntities",
		},
		{
			invariant: 5, rule: "a stamp that Postgres refuses ends no fold", file: "checkpoint/ledger.go",
			old: "return schema.StorableText(e.Stamp)", new: "return e.Stamp",
			pkg: "./capture", tests: "TestANULInAStampStopsNobody",
		},
		{
			invariant: 5, rule: "a row whose stamp has a NUL is set aside", file: "oda/splitter.go",
			old: "if bytes.IndexByte(text, 0) >= 0 {", new: "if bytes.IndexByte(text, 0) >= len(text) {",
			pkg: "./oda", tests: "TestElementsThatAreNotRowsAreRejects",
		},
	}
}
