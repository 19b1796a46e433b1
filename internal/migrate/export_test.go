package migrate

// UpFiles is Up with other files than the build's. The tests are in another package
// because pgtest, which they need, imports this one.
var UpFiles = up
