package main

// ofWhoBlocks are the rules by which no client stops the others.
func ofWhoBlocks() []mutant {
	return []mutant{
		{
			rule: "a new connection takes the place of the one that asked for nothing longest", file: "internal/daemon/connections.go",
			old: "if c.order.Len() > c.limit {", new: "if c.limit < 0 {",
			pkg: "./internal/daemon", tests: "TestHealthChecksGoOnBesideClientsThatOnlyHoldConnections|TestAnswersThatNobodyReadsEnd",
		},
		{
			rule: "an answer that nobody reads ends", file: "internal/daemon/server.go",
			old: "WriteTimeout: l.write, ", new: "",
			pkg: "./internal/daemon", tests: "TestAnswersThatNobodyReadsEnd",
		},
	}
}
