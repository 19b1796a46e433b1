package main

// ofTheGateway are the rules of answers by HTTP.
func ofTheGateway() []mutant {
	const pkg, tags = "./gateway", "TestATagChangesExactlyWithTheAnswer"
	return []mutant{
		{
			rule: "a tag stands for an answer of this version of the copy only", file: "gateway/freshness.go",
			old: "ok && answer.version == s.version", new: "ok", pkg: pkg, tests: tags,
		},
		{
			rule: "a replay raises the epoch", file: "cache/apply.go",
			old: "if len(a.batch.Moves) == 0 {", new: "if false {", pkg: pkg, tests: tags,
		},
		{
			rule: "the expiry raises the epoch", file: "cache/upkeep.go",
			old: "SELECT DISTINCT entity_type FROM removed ORDER BY 1`", new: "SELECT DISTINCT entity_type FROM removed WHERE false ORDER BY 1`", pkg: pkg, tests: tags,
		},
		{
			rule: "a rebuild raises the epoch", file: "cache/shadow_mend.go",
			old: "\t\t\t\tm.Add(raiseMendedEpoch, t.Entity)\n", new: "", pkg: "./cache", tests: "TestTheEpochIsRaised",
		},
		{
			rule: "rows that a topic no longer holds raise the epoch", file: "cache/shadow_mend.go",
			old: "\t\t\tm.Add(deleteAbsent, t.Entity)\n\t\t\tm.Add(raiseMendedEpoch, t.Entity)\n", new: "\t\t\tm.Add(deleteAbsent, t.Entity)\n", pkg: "./cache", tests: "TestTheEpochIsRaised",
		},
		{
			rule: "a tag is that of the content, not of the version", file: "gateway/serve.go",
			old: "tag := tagOf(a.body)", new: "tag := tagOf([]byte(now.version))", pkg: pkg, tests: tags,
		},
	}
}

// ofAnswers are the rules of what an answer costs, and of what it says.
func ofAnswers() []mutant {
	const pkg = "./gateway"
	return []mutant{
		{
			rule: "a state that is too old vouches for nothing", file: "gateway/freshness.go",
			old: "if time.Since(f.readAt) > staleAfter {", new: "if f.readAt.IsZero() {", pkg: pkg, tests: "TestAStateThatIsTooOldVouchesForNothing",
		},
		{
			rule: "an unchanged answer costs no query", file: "gateway/freshness.go",
			old: "return answer.tag, ok &&", new: "return answer.tag, false &&", pkg: pkg, tests: "TestAnUnchangedAnswerCostsNoQuery",
		},
		{
			rule: "an answer is complete through the earliest of its entities", file: "gateway/freshness.go",
			old: "if i == 0 || e.CompleteThrough.Before(s.completeThrough) {", new: "if i == 0 || e.CompleteThrough.After(s.completeThrough) {", pkg: pkg, tests: "TestTheAnswerIsCompleteThroughTheEarliestOfItsEntities",
		},
		{
			rule: "a class in doubt is settled by what Postgres expects", file: "gateway/serve.go",
			old: "if err != nil || q.cost == nil {", new: "if err != nil || q.cost == nil || true {",
			pkg: "./gateway", tests: "TestAClassInDoubtIsSettledByWhatPostgresExpects",
		},
		{
			rule: "each class has its own places", file: "gateway/serve.go",
			old: "leave, err = g.places.enter(ctx, q.class)", new: "leave, err = g.places.enter(ctx, complexClass)", pkg: pkg, tests: "TestNoClassTakesTheOthersPlaces",
		},
		{
			rule: "a request gives its place back", file: "gateway/admission.go",
			old: "leave = func() { <-a.places[c] }", new: "leave = func() {}", pkg: pkg, tests: "TestNoClassTakesTheOthersPlaces",
		},
		{
			rule: "a query without a client ends", file: "gateway/serve.go",
			old: "return q.answer(ctx)", new: "return q.answer(context.WithoutCancel(ctx))", pkg: pkg, tests: "TestAQueryWithoutAClientEnds",
		},
		{
			rule: "the link to the next page asks for no more rows than are left", file: "gateway/mirror_answer.go",
			old: "strconv.FormatInt(*m.rest, 10)", new: "strconv.FormatInt(*m.Top, 10)", pkg: pkg, tests: "TestPagesAreAsLongAsIsAsked",
		},
		{
			rule: "an error of the copy is not shown to clients", file: "gateway/fault.go",
			old: `detail: "the copy cannot be read just now; try again", hidden: err}`, new: `detail: err.Error(), hidden: err}`, pkg: pkg, tests: "TestACopyThatCannotBeReadIsAnOutage",
		},
		{
			rule: "a parameter that is not known is refused", file: "gateway/v1.go",
			old: "case !known:", new: "case !known && false:", pkg: pkg, tests: "TestProblemsNameTheParameter",
		},
		{
			rule: "the description has each member of an answer", file: "gateway/openapi.go",
			old: "properties[name] = schemaOf(f.Type, schemas)", new: "properties[name] = schemaOf(reflect.TypeFor[bool](), schemas)", pkg: pkg, tests: "TestEveryAnswerIsAsTheDescriptionSays",
		},
		{
			rule: "rows that are expanded count", file: "query/expand.go",
			old: "if err := v.left.take(len(row.Data)); err != nil {", new: "if err := v.left.take(0); err != nil {", pkg: "./query", tests: "TestAnAnswerHoldsNoMoreThanItMay",
		},
		{
			rule: "what is in flight is finished at the end", file: "internal/wiring/gateway.go",
			old: "finishWithin = 8 * time.Second", new: "finishWithin = 0 * time.Second", pkg: "./cmd/gateway", tests: "TestTheGatewayAnswersUntilItIsStopped",
		},
		{
			rule: "an answer has a largest size", file: "odata/element.go",
			old: "if len(dst)+len(e.Data) > most {", new: "if most < 0 {", pkg: "./odata", tests: "TestAnElementHasALargestSize",
		},
	}
}
