package main

// ofThePooler breaks what works behind a pooler, or refuses it. The tests need pgbouncer.
func ofThePooler() []mutant {
	return []mutant{
		{
			rule: "a pooler that shares sessions is refused", file: "internal/connect/pooler.go",
			old: "\t\tif shared {\n", new: "\t\tif shared && err != nil {\n",
			pkg: "./internal/connect", tests: "TestAPoolerThatSharesSessionsIsRefused",
		},
		{
			rule: "a pooler that allows no transactions is refused", file: "internal/connect/pooler.go",
			old: "if session.RefusedByPooler(err) { // pool_mode", new: "if err == nil && session.RefusedByPooler(err) { // pool_mode",
			pkg: "./internal/connect", tests: "TestAPoolerThatSharesSessionsIsRefused/statement",
		},
		{
			rule: "a pooler that keeps sessions is asked for no setting that it does not know", file: "internal/session/pooler.go",
			old: "if refused.Load() {", new: "if refused.Load() && of == nil {",
			pkg: "./internal/connect", tests: "TestAPoolerInSessionModeWorks",
		},
	}
}
