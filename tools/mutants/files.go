package main

// ofTheFiles breaks what files of rows hold.
func ofTheFiles() []mutant {
	const lossless = "TestParquetLosesNothingOfARow"
	return []mutant{
		{
			rule: "a value that does not fit its column is kept", file: "internal/rowfile/parquet.go",
			old: "\t\tif known {\n\t\t\tif v, ok", new: "\t\tif known {\n\t\t\tif _, ok := c.fit[column](m.value); !ok {\n\t\t\t\tcontinue\n\t\t\t}\n\t\t\tif v, ok",
			pkg: "./internal/rowfile", tests: lossless,
		},
		{
			rule: "a stamp whose ticks a column cannot hold is kept as it is", file: "internal/rowfile/parquet.go",
			old: "t.Nanosecond()%int(time.Microsecond) == 0 && ", new: "",
			pkg: "./internal/rowfile", tests: lossless,
		},
		{
			rule: "stamps have no zone", file: "internal/rowfile/parquet.go",
			old: "parquet.TimestampAdjusted(parquet.Microsecond, false)", new: "parquet.TimestampAdjusted(parquet.Microsecond, true)",
			pkg: "./internal/rowfile", tests: "TestParquetHasTheSourcesColumnsInItsOrder",
		},
		{
			rule: "a row group is bounded by bytes", file: "internal/rowfile/parquet.go",
			old: "groupBytes = 8 << 20", new: "groupBytes = 800 << 20",
			pkg: "./internal/rowfile", tests: "TestRowGroupsAreBounded",
		},
		{
			rule: "an export by a condition ends its snapshot with its time", file: "query/moment.go",
			old: "defer context.AfterFunc(ctx, func() { _ = conn.Close() })()", new: "_ = conn",
			pkg: "./export", tests: "TestAStalledReaderHoldsNoSnapshotAfterTheLimit",
		},
		{
			rule: "an empty text is told from null by a condition too", file: "internal/rowfile/csv.go",
			old: "if len(value) > 0 && !bytes", new: "if !bytes",
			pkg: "./export", tests: "TestAConditionForAllRowsWritesTheSame",
		},
	}
}

// ofTheDumps breaks what a dump promises.
func ofTheDumps() []mutant {
	const killed, differs = "TestAKilledDumpGoesOnAsOfItsMoment", "TestCheckNamesWhatDiffers"
	return []mutant{
		{
			rule: "a dump that was ended goes on as of its moment", file: "export/dump.go",
			old: "Select(e, \"\", m.Moment.Format(time.RFC3339Nano))", new: "Select(e, \"\", now.At.Format(time.RFC3339Nano))",
			pkg: "./export", tests: killed,
		},
		{
			rule: "a file that differs from the manifest is written again", file: "export/dump.go",
			old: "if differs == \"\" {\n\t\t\tat", new: "if differs = \"\"; differs == \"\" {\n\t\t\tat",
			pkg: "./export", tests: differs,
		},
		{
			rule: "a file is compared by its content", file: "export/manifest.go",
			old: "case got != f.SHA256:", new: "case got == \"\":",
			pkg: "./export", tests: differs,
		},
		{
			rule: "a dump is whole only once it has all files", file: "export/dump.go",
			old: "m = Manifest{Moment: now.At, Format: d.Format}", new: "m = Manifest{Moment: now.At, Format: d.Format, Complete: true}",
			pkg: "./export", tests: killed,
		},
		{
			rule: "parts of files that a killed dump has left are removed", file: "export/dump.go",
			old: "errors.Join(d.sweep(), m.save(d.Dir))", new: "m.save(d.Dir)",
			pkg: "./export", tests: killed,
		},
	}
}

// ofSentFiles breaks how the gateway sends files.
func ofSentFiles() []mutant {
	return []mutant{
		{
			rule: "a client sees that a file has no end", file: "gateway/serve.go",
			old: "panic(http.ErrAbortHandler)", new: "_ = cut",
			pkg: "./gateway", tests: "TestAFileThatCannotBeEndedIsCutOff",
		},
		{
			rule: "a reader of a file that stops is cut off", file: "gateway/stream.go",
			old: "time.Now().Add(c.within)", new: "time.Now().Add(c.within + time.Hour)",
			pkg: "./gateway", tests: "TestAReaderThatStopsIsCutOff",
		},
		{
			rule: "a file's tag changes with the copy", file: "gateway/stream.go",
			old: "r.URL.RawQuery, now.version}", new: "r.URL.RawQuery}",
			pkg: "./gateway", tests: "TestAnUnchangedFileCostsNoQuery",
		},
	}
}
