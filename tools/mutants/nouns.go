package main

import "slices"

// ofTheNouns breaks the composed reads: votes, cases and the like, and the history of rows.
func ofTheNouns() []mutant {
	return slices.Concat(ofVotes(), ofMembersAndCases(), ofLists(), ofFilters(), ofRowHistory())
}

// ofVotes breaks how votes are counted.
func ofVotes() []mutant {
	const date = "TestTheVoteIsOfThePartyAtItsDate"
	return []mutant{
		{
			rule: "the party is that of the vote's date", file: "query/votes.go",
			old: "$2::text::timestamp::date BETWEEN COALESCE(i.fra::date, '-infinity') AND COALESCE(i.til::date, 'infinity')", new: "$2::text IS NOT NULL",
			pkg: "./query", tests: date,
		},
		{
			rule: "a membership's last day is a day of it", file: "query/votes.go",
			old: "AND COALESCE(i.til::date, 'infinity')", new: "AND COALESCE(i.til::date, 'infinity') - 1",
			pkg: "./query", tests: date,
		},
		{
			rule: "of two parties at once the one counts that began last", file: "query/votes.go",
			old: "i.fra DESC NULLS LAST", new: "i.fra NULLS LAST",
			pkg: "./query", tests: date,
		},
		{
			rule: "nobody dissents from a party whose votes tie", file: "query/votes.go",
			old: "case p.For < p.Against:", new: "case p.For <= p.Against:",
			pkg: "./query", tests: "TestDissentersVotedAgainstTheMajorityOfTheirParty",
		},
		{
			rule: "who is absent counts for neither side", file: "query/votes.go",
			old: "case p.For > p.Against:", new: "case p.For > p.Against+p.Absent:",
			pkg: "./query", tests: "TestDissentersVotedAgainstTheMajorityOfTheirParty",
		},
		{
			rule: "meetings on one day do not hide each other's votes in pages", file: "query/votes.go",
			old: "keys: []sortKey{newest(\"m.dato\"), highest(\"a.id\")},", new: "keys: []sortKey{newest(\"m.dato\")},",
			pkg: "./query", tests: "TestVotesAreThoseOfAnEvaluationInMemory",
		},
	}
}

// ofMembersAndCases breaks memberships and the links of cases.
func ofMembersAndCases() []mutant {
	return []mutant{
		{
			rule: "a membership lasts no longer than its group", file: "query/actors.go",
			old: "LEAST(l.slutdato, CASE WHEN x.typeid NOT IN (5, 12) THEN x.slutdato END", new: "LEAST(l.slutdato, NULL",
			pkg: "./query", tests: "TestAMembershipLastsNoLongerThanItsGroup",
		},
		{
			rule: "a person's own dates bound no membership", file: "query/actors.go",
			old: "CASE WHEN p.typeid NOT IN (5, 12) THEN p.slutdato END", new: "p.slutdato",
			pkg: "./query", tests: "TestAMembershipLastsNoLongerThanItsGroup",
		},
		{
			rule: "what was raised under a case is no part of it", file: "query/cases.go",
			old: "orEmpty(cases[raised]), orEmpty(cases[part])", new: "orEmpty(cases[part]), orEmpty(cases[raised])",
			pkg: "./query", tests: "TestCasesAreThoseOfAnEvaluationInMemory",
		},
		{
			rule: "a case's party is that of its session", file: "query/cases.go",
			old: " AND g.periodeid = x.periodeid", new: "",
			pkg: "./query", tests: "TestCasesOfAPartyAreThoseOfItsSession",
		},
	}
}

// ofLists breaks how lists are paged.
func ofLists() []mutant {
	return []mutant{
		{
			rule: "a token is of its list", file: "query/list.go",
			old: "if values[0] == nil || *values[0] != l.name {", new: "if false {",
			pkg: "./query", tests: "TestATokenIsOfItsList",
		},
		{
			rule: "a token's values have the types of the keys", file: "query/list.go",
			old: "v != nil && !isOfType(*v, k.typ)", new: "v == &l.name && !isOfType(*v, k.typ)",
			pkg: "./query", tests: "TestATokenIsOfItsList",
		},
		{
			rule: "a history begins with the newest change", file: "query/list.go",
			old: "typ: \"bigint\", desc: true, id: true}", new: "typ: \"bigint\", id: true}",
			pkg: "./query", tests: "TestTheHistoryOfARowIsTheNewestFirst",
		},
		{
			rule: "a page by id is in the order of the primary key", file: "query/order.go",
			old: "return k.expr + \" DESC\"\n", new: "return k.expr + \" DESC NULLS LAST\"\n",
			pkg: "./query", tests: "TestAPageByIDIsReadFromThePrimaryKey",
		},
		{
			rule: "a page by id begins behind the one before", file: "query/order.go",
			old: "\t\tif k.id {\n", new: "\t\tif k.id && k.raw == \"\" {\n",
			pkg: "./query", tests: "TestAPageByIDIsReadFromThePrimaryKey",
		},
	}
}

// ofFilters breaks what filters select.
func ofFilters() []mutant {
	return []mutant{
		{
			rule: "a word that is searched for is no pattern", file: "query/filter.go",
			old: "strings.NewReplacer(`\\`, `\\\\`, `%`, `\\%`, `_`, `\\_`).Replace(word)", new: "word",
			pkg: "./query", tests: "TestWhatIsSearchedForIsNoSQLAndNoPattern",
		},
		{
			rule: "the last day is a day of what is between two", file: "query/filter.go",
			old: "\"%s < %s + 1\"", new: "\"%s < %s\"",
			pkg: "./query", tests: "TestVotesOfOddRowsAreThoseOfAnEvaluationInMemory",
		},
		{
			rule: "a name that no row has is an error", file: "query/filter.go",
			old: "if len(ids) == 0 {", new: "if false {",
			pkg: "./query", tests: "TestAWrongFilterIsNamedWithWhatIsAllowed",
		},
	}
}

// ofRowHistory breaks rows of the past and their history.
func ofRowHistory() []mutant {
	return []mutant{
		{
			rule: "a row of the past is not the present one", file: "query/rowhistory.go",
			old: "&odata.Request{AsOf: at}", new: "&odata.Request{}",
			pkg: "./query", tests: "TestARowIsWhatItIsOrWas",
		},
		{
			rule: "only a row that was never there has no history", file: "query/rowhistory.go",
			old: "if !is {", new: "if false {",
			pkg: "./query", tests: "TestOnlyARowThatWasNeverThereHasNoHistory",
		},
	}
}
