package main

// ofTheLanguage breaks how URLs of the source are read, and what expressions mean.
func ofTheLanguage() []mutant {
	return []mutant{
		{
			rule: "an option that does not apply is an error", file: "odata/request.go",
			old: "if !slices.Contains(allowed, o.name) {", new: "if false {",
			pkg: "./odata", tests: "TestErrorsSayWhereAndWhatIsAllowed",
		},
		{
			rule: "a byte that is not UTF-8 is Latin-1", file: "odata/url.go",
			old: "r = rune(text[0])", new: "r = '?'",
			pkg: "./odata", tests: "TestURLsAreRead",
		},
		{
			rule: "no text has a NUL character", file: "odata/url.go",
			old: "if at := strings.IndexByte(text, 0); at >= 0 {", new: "if at := -1; at >= 0 {",
			pkg: "./odata", tests: "TestErrorsSayWhereAndWhatIsAllowed",
		},
		{
			rule: "an error's place counts characters", file: "odata/error.go",
			old: "len([]rune(o.text[:min(at, len(o.text))])) + 1", new: "at + 1",
			pkg: "./odata", tests: "TestErrorsSayWhereAndWhatIsAllowed",
		},
		{
			rule: "an expression is not nested without bound", file: "odata/parser.go",
			old: "const (\n\tmaxNesting    = 100", new: "const (\n\tmaxNesting    = 100_000",
			pkg: "./odata", tests: "TestExpressionsHaveLimits",
		},
		{
			rule: "an expression has a bounded number of parts", file: "odata/parser.go",
			old: "if err == nil && p.nodes > maxNodes {", new: "if false {",
			pkg: "./odata", tests: "TestExpressionsHaveLimits",
		},
		{
			rule: "null is neither before nor after a value", file: "odata/eval.go",
			old: "\tif l == nil || r == nil {\n\t\treturn false", new: "\tif l == nil || r == nil {\n\t\treturn l == nil",
			pkg: "./odata", tests: "TestConditionsMeanWhatODataSays",
		},
		{
			rule: "texts equal without regard to case", file: "odata/eval.go",
			old: "return ok && fold(a) == fold(b)", new: "return ok && a == b",
			pkg: "./odata", tests: "TestConditionsMeanWhatODataSays",
		},
		{
			rule: "the variable of a lambda is its own row", file: "odata/eval.go",
			old: "append(s[:e.Depth:e.Depth], row)", new: "append(s[:1:1], row, row)",
			pkg: "./odata", tests: "TestConditionsMeanWhatODataSays",
		},
		{
			rule: "$metadata has the source's links", file: "odata/metadata.go",
			old: "name := strings.ReplaceAll(l.Name, \"_\", \"__\")", new: "name := l.Name",
			pkg: "./odata", tests: "TestMetadataIsTheSourcesOwn",
		},
	}
}
