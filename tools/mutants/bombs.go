package main

// ofLargeBatches breaks what keeps batches that unpack to gigabytes from filling the
// memory, and what lets readers go on behind them.
func ofLargeBatches() []mutant {
	return []mutant{
		{
			rule: "a batch is unpacked up to a limit", file: "stream/unpack.go",
			old: "kgo.MaxDecompressBatchBytes(maxUnpacked)", new: "kgo.MaxDecompressBatchBytes(1 << 30)",
			pkg: "./stream", tests: "TestABatchUnpacksToNoMoreThanTheLimit",
		},
		{
			rule: "the records of a batch take no more than a limit", file: "stream/unpack.go",
			old: "if takes > maxDecoded {", new: "if takes > 100*maxDecoded {",
			pkg: "./stream", tests: "TestABatchUnpacksToNoMoreThanTheLimit",
		},
		{
			rule: "a fetch is unpacked up to a limit", file: "stream/unpack.go",
			old: "if u.held.Load() >= maxFetched {", new: "if u.held.Load() < 0 {",
			pkg: "./stream", tests: "TestAFetchUnpacksToNoMoreThanTheLimit",
		},
		{
			invariant: 5, rule: "a consumer hands out a stand-in for a batch that is too large", file: "stream/largebatch.go",
			old: "nil, append(part.Records, standIn(large, 0))", new: "nil, part.Records",
			pkg: "./stream", tests: "TestConsumersPassBatchesThatAreTooLarge",
		},
		{
			invariant: 5, rule: "who reads a topic to its end gets a stand-in for a batch that is too large", file: "stream/readlog.go",
			old: "[]*kgo.Record{standIn(large, at)}, nil, large.NextOffset", new: "nil, nil, large.NextOffset",
			pkg: "./stream", tests: "TestReadLogPassesBatchesThatAreTooLarge",
		},
		{
			invariant: 5, rule: "the offset passes the whole batch that is too large", file: "stream/largebatch.go",
			old: "return large.Next\n", new: "return rec.Offset + 1\n",
			pkg: "./stream", tests: "TestOffsetAfter",
		},
	}
}
