package main

// ofTheForms breaks how lists are served as files, calendars and feeds.
func ofTheForms() []mutant {
	const pkg = "./gateway"
	return []mutant{
		{
			rule: "a file of a list has all its pages", file: "gateway/listfile.go",
			old: "if next == \"\" || left == 0 {", new: "if true {",
			pkg: pkg, tests: "TestAListAsAFileIsReadInPages",
		},
		{
			rule: "a file of a list has no more than is asked for", file: "gateway/listfile.go",
			old: "page.limit = min(filePage, left)", new: "page.limit = filePage",
			pkg: pkg, tests: "TestAListAsAFileIsReadInPages",
		},
		{
			rule: "a list as a file is of one moment", file: "query/reader.go",
			old: "\tif r.tx != nil {\n", new: "\tif false {\n",
			pkg: "./query", tests: "TestAMomentAnswersFromOneState",
		},
		{
			rule: "a member of an object in an item has a column", file: "gateway/listfile.go",
			old: "if of.Kind() == reflect.Struct {", new: "if false {",
			pkg: pkg, tests: "TestAListAsAFileHasAllItems|TestAListAsATableHasTypes",
		},
		{
			rule: "no text breaks out of its line of a calendar", file: "gateway/calendar.go",
			old: "if unicode.IsControl(r) {", new: "if unicode.IsControl(r) && false {",
			pkg: pkg, tests: "TestMeetingsAreACalendar",
		},
		{
			rule: "a meeting is at its Danish time", file: "gateway/calendar.go",
			old: "*stamp, odata.Denmark())", new: "*stamp, time.FixedZone(odata.Denmark().String(), 0))",
			pkg: pkg, tests: "TestMeetingsAreACalendar",
		},
		{
			rule: "each version of a row is an entry of its own", file: "gateway/feed.go",
			old: "tagAuthority, c.Entity, c.ID, c.Seq)", new: "tagAuthority, c.Entity, c.ID, 0)",
			pkg: pkg, tests: "TestAFeedHasTheChangesOfItsListAndNoFirstLoad",
		},
		{
			rule: "a feed has the newest changes", file: "query/changes.go",
			old: "ORDER BY h.xid DESC, h.recorded_at DESC", new: "ORDER BY h.xid, h.recorded_at DESC",
			pkg: pkg, tests: "TestAFeedHasTheChangesOfItsListAndNoFirstLoad",
		},
		{
			rule: "a feed is of the rows that its filter leaves", file: "query/changes.go",
			old: "\" WHERE \" + l.condition()", new: "\" WHERE (\" + l.condition() + \") IS NOT NULL\"",
			pkg: "./query", tests: "TestTheChangesOfAListAreThoseOfItsRows",
		},
		{
			rule: "the feed of an entity has its deletes", file: "query/changes.go",
			old: "FROM parliamentary_history h LEFT JOIN parliamentary_data", new: "FROM parliamentary_history h JOIN parliamentary_data",
			pkg: "./query", tests: "TestTheChangesOfAnEntityHaveItsDeletes",
		},
	}
}
