package main

// heavy are the packages that need the machine for themselves, in the order in which they
// run, with the reason.
var heavy = []struct{ path, why string }{
	{"odastream/internal/test/e2e", "pollers and sinks as processes, on real Kafka"},
	{"odastream/apply", "groups of up to fourteen sinks on real Kafka"},
	{"odastream/capture", "random histories of pollers on an embedded broker"},
	{"odastream/cmd/sink", "sinks as processes that are killed"},
	{"odastream/cmd/poller", "pollers as processes"},
	{"odastream/internal/cli", "the programs as processes, by script"},
	{"odastream/internal/trial", "a whole try: simulator, broker, Postgres, poller, sink"},
	{"odastream/stream", "producers whose leases and fences run out, on real Kafka"},
	{"odastream/checkpoint", "leases and fences that run out, on real Kafka"},
	{"odastream/cache", "random histories of tables in Postgres"},
	{"odastream/verify", "random histories of tables in Postgres"},
}

// heavyPaths returns the import paths of the heavy packages.
func heavyPaths() (paths []string) {
	for _, one := range heavy {
		paths = append(paths, one.path)
	}
	return paths
}
