package main

// ofTheLocks are the rules that nobody holds a lock while it waits for a client.
func ofTheLocks() []mutant {
	return []mutant{
		{
			rule: "a change of the tables waits for a lock two seconds at a time", file: "cache/ddl.go",
			old: "begin(&m, lockWithin)", new: "begin(&m, 0)",
			pkg: "./cache", tests: "TestAChangeOfTheTablesHoldsUpNobody",
		},
		{
			rule: "a migration waits for a lock two seconds at a time", file: "internal/migrate/migrate.go",
			old: `lockWithin       = "2s"`, new: `lockWithin       = "0"`,
			pkg: "./internal/migrate", tests: "TestAMigrationWaitsForAReaderAndHoldsUpNobody",
		},
		{
			rule: "a GIN index on rows is built while others write", file: "cache/gin.go",
			old: "'CREATE INDEX CONCURRENTLY %I", new: "'CREATE INDEX %I",
			pkg: "./cache", tests: "TestTheGINIndexIsBuiltBesideWriters",
		},
		{
			rule: "an index that a build left invalid is replaced", file: "cache/gin.go",
			old: "\t\tif err := s.concurrently(ctx, conn, dropParts, true); err != nil {\n\t\t\treturn err\n\t\t}\n", new: "",
			pkg: "./cache", tests: "TestTheGINIndexIsBuiltBesideWriters",
		},
		{
			rule: "the log names who blocks a change of the tables", file: "cache/ddl.go",
			old: "\t\t\t\ttell(lock, holder)\n", new: "\t\t\t\t_ = tell\n",
			pkg: "./cache", tests: "TestAChangeOfTheTablesHoldsUpNobody/the_GIN_index_is_dropped_beside_a_reader",
		},
		{
			rule: "nothing is copied while the lease's row is locked", file: "checkpoint/fenced.go",
			old: "\terr := stage(ctx, conn, entries)", new: "\t_, _ = conn.Exec(ctx, begin+`; SELECT FROM poller_leases WHERE entity_type = '`+lease.Entity+`' FOR UPDATE`)\n\terr := stage(ctx, conn, entries)",
			pkg: "./checkpoint", tests: "TestASilentHolderLocksNothing",
		},
		{
			rule: "a lease that ends further off than any may last is void", file: "checkpoint/lease.go",
			old: " OR l.` + isVoid + `", new: "",
			pkg: "./checkpoint", tests: "TestAnEndTooFarOffIsVoid",
		},
		{
			rule: "an announcement that ends further off than any may last is void", file: "checkpoint/member.go",
			old: " OR ` + isVoid)", new: "`)",
			pkg: "./checkpoint", tests: "TestAnEndTooFarOffIsVoid",
		},
		{
			rule: "a scan in the future does not put off the next one", file: "capture/config.go",
			old: " || since < -clocksDiffer", new: "",
			pkg: "./capture", tests: "TestWhenAScanIsDue",
		},
	}
}
