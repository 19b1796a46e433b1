package main

// ofTheQuery breaks how requests are answered from the copy.
func ofTheQuery() []mutant {
	const like = "TestTheCopyAnswersLikeTheSource"
	return []mutant{
		{
			rule: "subqueries of outer rows are evaluated for each row", file: "query/compiler.go",
			old: "where := each + \" AND \" + isOf", new: "_ = each\n\twhere := isOf",
			pkg: "./query", tests: "TestNestedConditionsOfOuterRows",
		},
		{
			rule: "a condition that is null where it is negated is false", file: "query/condition.go",
			old: "if t == loose {\n\t\treturn compared", new: "if true {\n\t\treturn compared",
			pkg: "./query", tests: like + "|TestValuesThatDoNotFitAreNull",
		},
		{
			rule: "the next page begins behind the last row, ties and nulls included", file: "query/order.go",
			old: "behind = fmt.Sprintf(\"(%s OR %s = %s AND %s)\"", new: "behind = fmt.Sprintf(\"(%s AND %s = %s AND %s)\"",
			pkg: "./query", tests: like,
		},
		{
			rule: "a skip reads no row that it skips", file: "query/reader.go",
			old: "case s.asOf == nil && request.Skip > 0 && after == nil:", new: "case false:",
			pkg: "./query", tests: "TestASkipReadsNoRowThatItSkips",
		},
		{
			rule: "a skip by keys skips as many as it says", file: "query/reader.go",
			old: "s.arg(rows-1, \"bigint\")", new: "s.arg(rows, \"bigint\")",
			pkg: "./query", tests: like,
		},
		{
			rule: "null is before all values in pages too", file: "query/order.go",
			old: "beyond = fmt.Sprintf(\"%s < %s OR %s IS NULL\", k.expr, value, k.expr)", new: "beyond = fmt.Sprintf(\"%s < %s\", k.expr, value)",
			pkg: "./query", tests: "TestPagesGoThroughNulls",
		},
		{
			rule: "texts are found without regard to case", file: "query/value.go",
			old: "strpos({1l}, {0l}) > 0", new: "strpos({1}, {0}) > 0",
			pkg: "./query", tests: like,
		},
		{
			rule: "a count is of all rows, not of those of a page", file: "query/reader.go",
			old: "return &selection{view: s.view, compiler: s.copy(), table: s.table, where: slices.Clip(s.where)}", new: "_ = slices.Clip(s.where)\n\treturn s",
			pkg: "./query", tests: like,
		},
	}
}
