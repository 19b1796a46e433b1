package main

// noShrink turns off the search for a shorter failure.
var noShrink = []string{"-rapid.shrinktime=0s", "-rapid.nofailfile"}

// ofThePast breaks how requests are answered with the rows of an earlier instant.
func ofThePast() []mutant {
	const any = "TestAnyPastIsAnsweredAsItWas"
	return append(ofPastRows(any), []mutant{
		{
			rule: "a row that is named is read as it was", file: "query/asof.go",
			old: "\tif v.asOf != nil {\n\t\terr = v.tx", new: "\tif false {\n\t\terr = v.tx",
			pkg: "./query", tests: any, flags: noShrink,
		},
		{
			rule: "the rows at the end of paths are read as they were", file: "query/compiler.go",
			old: "c.table(l.Entity), next,", new: "\"parliamentary_data\", next,",
			pkg: "./query", tests: any, flags: noShrink,
		},
		{
			rule: "the rows of any and all are read as they were", file: "query/compiler.go",
			old: "not, c.table(e.Many.Entity), s.alias,", new: "not, \"parliamentary_data\", s.alias,",
			pkg: "./query", tests: any, flags: noShrink,
		},
		{
			rule: "expanded rows are read as they were", file: "query/expand.go",
			old: "c := newCompiler(v.asOf)", new: "c := newCompiler(nil)",
			pkg: "./query", tests: any, flags: noShrink,
		},
		{
			rule: "a page goes on with the rows of its instant", file: "query/order.go",
			old: "if end[i] == nil || *end[i] != *want {", new: "if end[i] == want {",
			pkg: "./query", tests: "TestATokenHoldsItsInstant",
		},
		{
			rule: "a past that is no longer kept is an error", file: "query/asof.go",
			old: "if from == nil || !v.asOf.Before(*from) {", new: "if true {",
			pkg: "./query", tests: "TestAPastThatIsNoLongerKeptIsAnError",
		},
		{
			rule: "a date begins at midnight in Denmark", file: "odata/instant.go",
			old: "time.ParseInLocation(time.DateOnly, o.text, Denmark())", new: "time.ParseInLocation(time.DateOnly, o.text, time.UTC)",
			pkg: "./odata", tests: "TestInstantsAreRead",
		},
	}...)
}

// ofPastRows breaks which rows there were.
func ofPastRows(tests string) []mutant {
	return []mutant{
		{
			rule: "a row was not there before it was known", file: "query/asof.go",
			old: "AND COALESCE(p.since, p.seq) <= {seq} AND", new: "AND",
			pkg: "./query", tests: tests, flags: noShrink,
		},
		{
			rule: "a row that has changed since is not as it is now", file: "query/asof.go",
			old: "h.entity_id = p.entity_id AND h.seq > {seq})", new: "h.entity_id = p.entity_id AND h.seq > {seq} AND p.since > {seq})",
			pkg: "./query", tests: tests, flags: noShrink,
		},
		{
			rule: "a row that was deleted since was there", file: "query/asof.go",
			old: "c.seq > {seq} AND c.since <= {seq})", new: "c.seq > {seq} AND c.since <= {seq} AND c.action <> 'delete')",
			pkg: "./query", tests: tests, flags: noShrink,
		},
		{
			rule: "of later changes the last one is undone first", file: "query/asof.go",
			old: "ORDER BY h.seq DESC", new: "ORDER BY h.seq",
			pkg: "./query", tests: tests, flags: noShrink,
		},
		{
			rule: "a row that became known after an instant was not there", file: "query/asof.go",
			// Either condition alone is nearly always enough.
			old: "AND c.since <= {seq})\n    GROUP BY h.entity_id HAVING (array_agg(h.since ORDER BY h.seq))[1] <= {seq}", new: ")\n    GROUP BY h.entity_id",
			pkg: "./query", tests: tests, flags: noShrink,
		},
		{
			rule: "an undone change leaves no member that it brought", file: "schema/migrations/00015_past_rows.sql",
			old: " END - changed) || before", new: " END) || before",
			pkg: "./query", tests: tests, flags: noShrink,
		},
		{
			rule: "a page of earlier rows begins behind the last one", file: "query/asof.go",
			old: "\t\tif after != nil {", new: "\t\tif false {",
			pkg: "./query", tests: tests, flags: noShrink,
		},
		{
			rule: "the stamp of a row is that of its content", file: "query/asof.go",
			old: "parliament.as_timestamp(u.data ->> 'opdateringsdato')", new: "NULL::timestamp",
			pkg: "./query", tests: tests, flags: noShrink,
		},
	}
}
