package main

// ofTheLookups breaks the indexes by which readers find rows.
func ofTheLookups() []mutant {
	return []mutant{
		{
			rule: "a lookup index is built while others write", file: "cache/lookup.go",
			old: "'CREATE INDEX CONCURRENTLY %I", new: "'CREATE INDEX %I",
			pkg: "./cache", tests: "TestLookupIndexesAreBuiltBesideWriters",
		},
		{
			rule: "a lookup index that a build left invalid is replaced", file: "cache/lookup.go",
			old: "\t\tif err := s.concurrently(ctx, conn, dropLookupParts, l.table, l.name); err != nil {\n\t\t\treturn err\n\t\t}\n", new: "",
			pkg: "./cache", tests: "TestLookupIndexesAreBuiltBesideWriters",
		},
		{
			rule: "an entity is indexed after its load", file: "cache/lookup.go",
			old: "LIMIT $4) x) < $4", new: "LIMIT $4) x) <= $4",
			pkg: "./cache", tests: "TestLookupIndexesAreBuiltAfterTheLoad",
		},
		{
			rule: "an index is on the expression that queries have", file: "cache/lookup.go",
			old: "(parliament.as_integer(data -> '%[1]s'))", new: "(parliament.as_bigint(data ->> '%[1]s'))",
			pkg: "./query", tests: "TestQueriesUseTheLookupIndexes",
		},
		{
			rule: "a year is compared by bounds", file: "query/years.go",
			old: "sql = bound(\" >= \", year+1)", new: "sql = bound(\" >= \", year)",
			pkg: "./query", tests: "TestYearsAreComparedLikeInMemory",
		},
	}
}
