package main

// ofTheDoctor breaks what doctor looks at, one finding at a time.
func ofTheDoctor() []mutant {
	const all = "TestDoctorNamesEachTrouble"
	named := func(rule, file, before, after, claim string) mutant {
		return mutant{rule: rule, file: "internal/doctor/" + file, old: before, new: after, pkg: "./internal/doctor", tests: all + "/" + claim}
	}
	return []mutant{
		named("doctor asks each broker at the address that it advertises", "brokers.go",
			"ask(ctx, cl, b.NodeID); err != nil {", "ask(ctx, cl, b.NodeID); err == ctx.Err() && err != nil {", "a_broker's_address_does_not_resolve"),
		named("doctor names what a user of the database may not do", "rights.go",
			"if len(lacks) == 0 {", "if len(lacks) >= 0 {", "a_user_without_a_right"),
		named("doctor names a server that takes no writes", "server.go",
			"case readOnly:", "case readOnly && standby:", "a_server_that_takes_no_writes"),
		named("doctor names a limit of connections that is near", "server.go",
			"if l.Most-l.Open < fewConnections {", "if l.Most < l.Open {", "few_sessions_are_left_for_the_user"),
		named("doctor names a limit of connections that is reached", "postgres.go",
			`tooManyConnections = "53300"`, `tooManyConnections = "53301"`, "no_session_is_left_for_the_user"),
		named("doctor names a topic that lost records", "topics.go",
			`case why != "":`, `case why == "-":`, "a_topic_was_cut_at_its_front"),
		named("doctor names a topic whose keys were spread over fewer partitions", "topics.go",
			"at.Partitions != state.Partitions():", "at.Partitions > state.Partitions():", "a_topic_got_more_partitions"),
		named("doctor names records that wait for a sink", "topics.go",
			"if waiting > 0 {", "if waiting < 0 {", "no_sink_applies_what_is_old"),
		named("doctor names an offset that is past its topic", "topics.go",
			"if at.Next > state.End[p] {", "if at.Next < 0 {", "the_sink's_offset_is_past_its_topic"),
		named("doctor names an offset that was stored in the future", "topics.go",
			"if age < -clocksDiffer {", "if age == -clocksDiffer {", "the_sink's_offset_was_stored_in_the_future"),
	}
}

// ofThePrograms breaks what doctor says of poller and sink.
func ofThePrograms() []mutant {
	named := func(rule, before, after, claim string) mutant {
		return mutant{rule: rule, file: "internal/doctor/programs.go", old: before, new: after, pkg: "./internal/doctor", tests: "TestDoctorNamesEachTrouble/" + claim}
	}
	return []mutant{
		{
			rule: "offsets are read before the topics' ends", file: "internal/doctor/topics.go",
			old: offsetsFirst + endsThen, new: endsThen + offsetsFirst,
			pkg: "./internal/doctor", tests: "TestWhoWorksMeanwhileIsNoTrouble",
		},
		named("doctor names a watermark in the future",
			"if o.Watermark.Sub(now) > clocksDiffer {", "if o.Watermark.Sub(now) == clocksDiffer {", "a_watermark_in_the_future"),
		named("doctor names a poller that gets no further", `case o.Holder != "":`, `case o.Holder == "-":`, "a_poller_that_gets_no_further"),
		named("doctor names entities that no poller works on", "case age >= awayFor:", "case age < 0:", "no_poller_for_days"),
		named("doctor finds no trouble with a poller that rests", "case age >= awayFor:", "case age >= 0:", "none,_while_a_poller_rests_for_hours"),
		named("doctor names deletes that are held back", "if o.Unresolved > 0 {", "if o.Unresolved < 0 {", "deletes_that_are_held_back"),
		named("doctor names dead letters", "if len(open) == 0 {", "if len(open) >= 0 {", "dead_letters"),
	}
}

// The two readings of doctor, in their order.
const (
	offsetsFirst = `	offsets, err := cache.New(pool, cfg.Group, cache.Config{}, log).Positions(ctx)
	if err != nil {
		return notCompared(err)
	}
`
	endsThen = `	states, found, err := cfg.ledger(ctx, checkpoint.New(pool), stream.NewTopics(cl, cfg.Kafka, log), all)
	if err != nil || len(states) == 0 {
		return append(found, notCompared(err)...)
	}
`
)
