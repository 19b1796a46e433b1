package main

func ofTheSource() []mutant {
	return []mutant{
		{
			invariant: 7, rule: "a row outside the window that was asked for spoils its page", file: "oda/window.go",
			old: "if err := r.admitID(id); err != nil || !r.stamped {", new: "if err := r.admitID(id); err != nil || true {",
			pkg: "./oda", tests: "TestStampsOutsideTheWindowAreNotHonoured",
		},
		{
			invariant: 7, rule: "a page with far more elements than were asked for is refused", file: "oda/splitter.go",
			old: "len(s.content.rejects) == maxElements {", new: "len(s.content.rejects) == -1 {",
			pkg: "./oda", tests: "TestElementsOfAPageAreCounted",
		},
		{
			rule: "a page is read up to a number of bytes, decompressed", file: "oda/client.go",
			old: "limit: maxPage, check", new: "limit: maxPage << 3, check",
			pkg: "./oda", tests: "TestHostileAnswersEndInBoundedMemory",
		},
		{
			rule: "the user of the source's address is in no record", file: "stream/record.go",
			old: "u.User, u.RawQuery, u.Fragment = nil", new: "_, u.RawQuery, u.Fragment = u.User",
			pkg: "./stream", tests: "TestTheSourceOfARecordHasNoUser",
		},
		{
			rule: "what pgx would take for a parameter of the server is no address", file: "internal/settings/postgres.go",
			old: "if !parameter.MatchString(name) {", new: "if !parameter.MatchString(name) && name == \"\" {",
			pkg: "./internal/settings", tests: "TestUnreadableAddressesAreBadSettingsWithoutSecrets",
		},
		{
			rule: "a redirect to another host is not followed", file: "oda/redirect.go",
			old: "if !strings.EqualFold(from.Hostname(), to.Hostname()) {", new: "if strings.EqualFold(\"\", to.Hostname()) {",
			pkg: "./oda", tests: "TestRedirectsElsewhereAreRefused",
		},
		{
			rule: "a redirect goes from http to https only", file: "oda/redirect.go",
			old: "return from.Scheme == \"http\" && to", new: "return to.Scheme == \"http\" || to",
			pkg: "./oda", tests: "TestRedirectFromHTTPSToHTTPIsRefused",
		},
		{
			rule: "the stamp is no content: a row stamped anew is not published", file: "schema/hash.go",
			old: "if string(name) != stampName {", new: "if len(name) > 0 {",
			pkg: "./capture", tests: "TestAMassOfNewStampsPublishesOnlyWhatChanges",
		},
	}
}
