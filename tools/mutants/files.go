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
