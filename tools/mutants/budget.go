package main

// ofTheBudget breaks what keeps one set from taking the source from the others.
func ofTheBudget() []mutant {
	return []mutant{
		{
			rule: "scans leave the tail a request", file: "oda/budget.go",
			old: "if lane == Scan && b.scans >= leaveOne(b.atOnce) {", new: "if lane == Scan && b.scans >= b.atOnce {",
			pkg: "./oda", tests: "TestNoSetKeepsTheOthersFromTheSource",
		},
		{
			rule: "a set leaves the others a request", file: "oda/budget.go",
			old: "\treturn leaveOne(b.atOnce)\n", new: "\treturn b.atOnce\n",
			pkg: "./oda", tests: "TestNoSetKeepsTheOthersFromTheSource",
		},
		{
			rule: "a slow set has one request", file: "oda/budget.go",
			old: "\tif s.slow {\n\t\treturn 1\n\t}\n", new: "",
			pkg: "./oda", tests: "TestNoSetKeepsTheOthersFromTheSource",
		},
		{
			rule: "the set with the fewest requests goes first", file: "oda/budget.go",
			old: "case best == nil || s.running < b.share(best.set).running:", new: "case best == nil:",
			pkg: "./oda", tests: "TestTheSetWithTheFewestRequestsGoesFirst",
		},
		{
			rule: "a pause for one set holds no other", file: "oda/outcome.go",
			old: "\tif c.outcomes.pausesAll(f.Set) {\n", new: "\tif c.outcomes.pausesAll(f.Set) || true {\n",
			pkg: "./oda", tests: "TestAPauseForOneSetHoldsNoOther",
		},
		{
			rule: "a pause for two sets is for all", file: "oda/outcome.go",
			old: "\tif c.outcomes.pausesAll(f.Set) {\n", new: "\tif c.outcomes.pausesAll(f.Set) && false {\n",
			pkg: "./oda", tests: "TestAPauseForTwoSetsIsForAll",
		},
		{
			rule: "a set that fails alone opens no breaker", file: "oda/outcome.go",
			old: "if blamed := c.outcomes.blames(f); blamed || !c.breaker.IsClosed() {", new: "if c.outcomes.blames(f); true {",
			pkg: "./oda", tests: "TestOneSetAloneDoesNotOpenTheBreaker",
		},
	}
}
