package main

// ofTheClocks breaks what makes rows found whichever clock is wrong.
func ofTheClocks() []mutant {
	const wrong = "TestRowsAreFoundWhicheverClockIsWrong/"
	return []mutant{
		{
			rule: "watermarks follow our clock where the source's is ahead", file: "capture/sourceclock.go",
			old: "return t.Add(slices.Min(append([]time.Duration{0}, c.skews...)))", new: "return t.Add(slices.Min(append([]time.Duration{1 << 62}, c.skews...)))",
			pkg: "./capture", tests: wrong + "a_proxy's_Date_is_a_day_ahead_for_good",
		},
		{
			rule: "a pass reads up to the later of two clocks", file: "capture/sourceclock.go",
			old: "return t.Add(slices.Max(append([]time.Duration{0}, c.skews...)))", new: "return t.Add(slices.Min(append([]time.Duration{0}, c.skews...)))",
			pkg: "./capture", tests: wrong + "the_source's_clock_is_put_forward",
		},
		{
			rule: "a pass that was planned by a wrong clock does not count", file: "capture/tail.go",
			old: "p.Goal.Sub(known) > clocksAgree {", new: "p.Goal.Sub(known) > 1<<62 {",
			pkg: "./capture", tests: "TestAPassPlannedByAWrongClockDoesNotCount",
		},
		{
			rule: "a watermark that was saved while a clock was ahead hides nothing", file: "capture/tail.go",
			old: "last.Before(t.watermark) {", new: "last.Equal(t.watermark) {",
			pkg: "./capture", tests: "TestAWatermarkInTheFutureHidesNothing",
		},
		{
			rule: "/status says how many answers agree on the source's time", file: "capture/sourceclock.go",
			old: "if (skew - newest).Abs() > clocksAgree {", new: "if (skew - newest).Abs() < 0 {",
			pkg: "./capture", tests: "TestStatusSaysWhichClockIsFollowedAndWhy",
		},
	}
}
