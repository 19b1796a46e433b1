package main

// ofLockedLeases breaks what keeps locked leases from stopping the others.
func ofLockedLeases() []mutant {
	return []mutant{
		{
			rule: "leases have connections of their own", file: "checkpoint/store.go",
			old: "return &Store{pool: s.pool, leases: pool}", new: "return s",
			pkg: "./capture", tests: "TestLockedLeasesStopNoOtherEntity",
		},
		{
			rule: "a statement on leases waits for a lock for a second", file: "checkpoint/store.go",
			old: "\tcfg.ConnConfig.RuntimeParams[\"lock_timeout\"] = leaseLock\n", new: "\t_ = leaseLock\n",
			pkg: "./capture", tests: "TestLockedLeasesStopNoOtherEntity",
		},
		{
			rule: "an announcement that fails is said", file: "capture/share.go",
			old: "\t\t\ts.note(err)\n", new: "",
			pkg: "./capture", tests: "TestAnAnnouncementThatFailsIsSaid",
		},
	}
}
